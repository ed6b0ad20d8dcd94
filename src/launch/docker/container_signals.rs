//! What the engine says about a container after its start, as signals.

use bollard::models::{ContainerInspectResponse, HostConfig, MountPoint};

use super::confinement::no_new_privileges;
use super::image::ImageFacts;
use crate::terms::{Signal, SignalValue};

/// The image, as it was read again from the container.
pub(super) fn of_image(image: &ImageFacts) -> Vec<Signal> {
    let mut signals = vec![
        Signal::outside("image.id", image.id.to_string()),
        Signal::outside("image.store", image.store.name()),
        Signal::outside("image.diff_ids", SignalValue::List(image.diff_ids.iter().map(ToString::to_string).collect())),
    ];
    if let Some(config) = image.config() {
        signals.push(Signal::outside("image.config", config.to_string()));
    }
    if let Some(manifest) = image.manifest() {
        signals.push(Signal::outside("image.manifest", manifest.to_string()));
    }
    signals
}

/// The container's confinement and limits. What the engine leaves out, because it is off, is said to be off.
pub(super) fn of_container(container: &ContainerInspectResponse) -> Vec<Signal> {
    let host = container.host_config.clone().unwrap_or_default();
    let user = container.config.as_ref().and_then(|config| config.user.clone()).unwrap_or_default();
    let security = host.security_opt.clone().unwrap_or_default();
    let list = |items: &Option<Vec<String>>| SignalValue::List(items.clone().unwrap_or_default());
    let mut signals = vec![
        Signal::outside("container.user", user),
        Signal::outside("container.readonly_rootfs", host.readonly_rootfs == Some(true)),
        Signal::outside("container.network", host.network_mode.clone().unwrap_or_default()),
        Signal::outside("container.ipc", host.ipc_mode.clone().unwrap_or_default()),
        Signal::outside("container.cap_drop", list(&host.cap_drop)),
        Signal::outside("container.cap_add", list(&host.cap_add)),
        Signal::outside("container.privileged", host.privileged == Some(true)),
        Signal::outside("container.no_new_privileges", no_new_privileges(&host)),
        Signal::outside("container.security_opt", SignalValue::List(security)),
        Signal::outside("container.init", host.init == Some(true)),
        Signal::outside("container.mounts", SignalValue::List(mounts(container, &host))),
        Signal::outside("container.gpus", SignalValue::List(gpus(&host))),
    ];
    limits(&host, &mut signals);
    signals
}

/// Limits are given only where they are set: 0 means none to the engine, and no limit must not read as a number.
fn limits(host: &HostConfig, signals: &mut Vec<Signal>) {
    for (name, value) in [
        ("container.pids_limit", host.pids_limit),
        ("container.memory_bytes", host.memory),
        ("container.memory_swap_bytes", host.memory_swap),
    ] {
        if let Some(value) = value.filter(|value| *value > 0) {
            signals.push(Signal::outside(name, value));
        }
    }
    if let Some(nano_cpus) = host.nano_cpus.filter(|value| *value > 0) {
        #[expect(clippy::cast_precision_loss, reason = "a machine's processors in thousand-millionths are below 2^53")]
        let cpus = nano_cpus as f64 / 1.0e9;
        signals.push(Signal::outside("container.cpus", SignalValue::Float(cpus)));
    }
}

/// `DESTINATION ro|rw KIND`, sorted. Sources are paths of this host and no part of a lane's identity.
fn mounts(container: &ContainerInspectResponse, host: &HostConfig) -> Vec<String> {
    let line = |mount: &MountPoint| {
        let kind = mount.typ.clone().unwrap_or_default();
        let access = if mount.rw == Some(true) { "rw" } else { "ro" };
        format!("{} {access} {kind}", mount.destination.clone().unwrap_or_default())
    };
    let tmpfs = host.tmpfs.iter().flatten().map(|(destination, options)| format!("{destination} tmpfs {options}"));
    let mut lines: Vec<String> = container.mounts.iter().flatten().map(line).chain(tmpfs).collect();
    lines.sort();
    lines
}

fn gpus(host: &HostConfig) -> Vec<String> {
    let requests = host.device_requests.iter().flatten();
    requests.flat_map(|request| request.device_ids.clone().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(signals: &[Signal], name: &str) -> Option<SignalValue> {
        signals.iter().find(|signal| signal.name == name).map(|signal| signal.value.clone())
    }

    #[test]
    fn what_the_engine_leaves_out_is_off() {
        let signals = of_container(&ContainerInspectResponse::default());
        assert_eq!(value(&signals, "container.readonly_rootfs"), Some(false.into()));
        assert_eq!(value(&signals, "container.no_new_privileges"), Some(false.into()));
        assert_eq!(value(&signals, "container.cap_drop"), Some(SignalValue::List(Vec::new())));
        assert_eq!(value(&signals, "container.memory_bytes"), None, "no limit is no number");
    }

    #[test]
    fn privileges_are_read_in_each_spelling() {
        let with = |option: &str| {
            let host = HostConfig { security_opt: Some(vec![option.to_owned()]), ..HostConfig::default() };
            let signals = of_container(&ContainerInspectResponse {
                host_config: Some(host),
                ..ContainerInspectResponse::default()
            });
            value(&signals, "container.no_new_privileges")
        };
        assert_eq!(with("no-new-privileges"), Some(true.into()));
        assert_eq!(with("no-new-privileges:true"), Some(true.into()));
        assert_eq!(with("no-new-privileges:false"), Some(false.into()));
        assert_eq!(with("seccomp=unconfined"), Some(false.into()));
    }
}
