//! The request that creates a lane's container.
//!
//! A lane gets no network, no capabilities, no new privileges, a read-only root, a user that is nobody, limits on
//! processes, memory and processors, an init process, its model read-only, and one scratch folder. Its output is not
//! logged by the engine: the journal keeps what matters, and a log driver's work would be part of the measurement.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HostConfig, HostConfigLogConfig, Mount, MountType, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::model_mounts::ModelMount;
use crate::launch::supervisor::Marker;
use crate::plan::{DockerLane, Lane, Server};

/// Where the model's folder is mounted in a container, read-only.
pub(in crate::launch) const MODEL_DIR_INSIDE: &str = "/model";
/// The one folder of a container that can be written to; it lives in memory and counts against the memory limit.
pub(in crate::launch) const SCRATCH_DIR_INSIDE: &str = "/scratch";
/// User and group that a container runs as: nobody.
pub(in crate::launch) const USER: &str = "65534:65534";

/// The request for a container of `lane` from the image with the engine's own id `image`.
///
/// Pure: the same arguments give the same request.
#[must_use]
pub fn create_body(
    lane: &Lane,
    docker: &DockerLane,
    image: &str,
    model: &[ModelMount],
    marker: &Marker,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: (!docker.command.is_empty()).then(|| docker.command.clone()),
        env: Some(lane.given_environment().iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: Some(USER.to_owned()),
        labels: Some(marker.labels()),
        network_disabled: Some(true),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // The first attached stream's end is the runner's end of file.
        stdin_once: Some(true),
        tty: Some(false),
        host_config: Some(host_config(lane, docker, model)),
        ..ContainerCreateBody::default()
    }
}

/// Makes the request one for a server: on a network of its own, with its port and model in its command. It gets shared
/// memory too, since servers pass tensors between their own processes by it, and it counts against the memory limit.
pub(super) fn serve_on(body: &mut ContainerCreateBody, network: &str, port: u16, scratch_mib: u64) {
    body.cmd = body.cmd.take().map(|command| Server::filled(&command, port, MODEL_DIR_INSIDE));
    body.network_disabled = Some(false);
    if let Some(host) = &mut body.host_config {
        host.network_mode = Some(network.to_owned());
        host.ipc_mode = Some("private".to_owned());
        host.shm_size = i64::try_from(scratch_mib << 20).ok();
    }
}

fn host_config(lane: &Lane, docker: &DockerLane, model: &[ModelMount]) -> HostConfig {
    let limits = &lane.limits;
    let exec = if docker.scratch_exec { "exec" } else { "noexec" };
    let memory_bytes = i64::try_from(limits.memory_mib.saturating_mul(1 << 20)).unwrap_or(i64::MAX);
    HostConfig {
        network_mode: Some("none".to_owned()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        privileged: Some(false),
        readonly_rootfs: Some(true),
        init: Some(true),
        // A private one has `/dev/shm` besides, a second place to write to.
        ipc_mode: Some("none".to_owned()),
        pids_limit: Some(i64::from(limits.pids)),
        memory: Some(memory_bytes),
        // Memory and swap together: the same number means no swap.
        memory_swap: Some(memory_bytes),
        nano_cpus: Some(nano_cpus(limits.cpus)),
        mounts: Some(model.iter().map(read_only).collect()),
        tmpfs: Some(HashMap::from([(
            SCRATCH_DIR_INSIDE.to_owned(),
            format!("rw,{exec},nosuid,nodev,mode=1777,size={}m", limits.scratch_mib),
        )])),
        device_requests: (!docker.gpus.is_empty()).then(|| {
            vec![DeviceRequest {
                device_ids: Some(docker.gpus.clone()),
                capabilities: Some(vec![vec!["gpu".to_owned()]]),
                ..DeviceRequest::default()
            }]
        }),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        restart_policy: Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }),
        // Removed by us, after its exit was read.
        auto_remove: Some(false),
        ..HostConfig::default()
    }
}

fn read_only(mount: &ModelMount) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.clone()),
        target: Some(mount.target.clone()),
        read_only: Some(true),
        ..Mount::default()
    }
}

/// Processors in thousand-millionths, as the engine counts them. Rounded to a hundredth, the engine's own grain.
#[expect(clippy::cast_possible_truncation, reason = "a checked lane has at most 1e6 processors, so 1e8 hundredths")]
fn nano_cpus(cpus: f64) -> i64 {
    (cpus * 100.0).round().max(1.0) as i64 * 10_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::supervisor::Supervisor;
    use crate::plan::Launcher;

    fn request(docker_table: &str) -> serde_json::Value {
        let text = format!(
            "schema = 1\nname = \"contained\"\nlauncher = \"docker\"\nrunner = \"native\"\n\
             [docker]\n{docker_table}\n\
             [environment]\nRAYON_NUM_THREADS = \"1\"\nA = \"with = and space\"\n\
             [limits]\ncpus = 1.5\nmemory_mib = 512\npids = 64\nscratch_mib = 32\n"
        );
        let lane = Lane::parse("lanes/contained.toml", &text).unwrap();
        let Launcher::Docker(docker) = &lane.launcher else { panic!("no container lane") };
        let supervisor = Supervisor {
            pid: 42,
            start_ticks: 1234,
            pid_namespace: 4_026_531_836,
            boot: Some("0f0e".into()),
            machine: Some("ba7816bf8f01".into()),
        };
        let marker = Marker { run: "20260101-a".into(), lane: lane.name.clone(), launch: 3, supervisor };
        let model = ModelMount { source: "/srv/models/tiny".into(), target: MODEL_DIR_INSIDE.into() };
        let body = create_body(&lane, docker, "sha256:00ff", &[model], &marker);
        serde_json::to_value(body).unwrap()
    }

    #[test]
    fn a_lane_gets_no_more_than_it_needs() {
        insta::with_settings!({ sort_maps => true }, {
            insta::assert_json_snapshot!(request("image = \"self\"\ncommand = [\"runner\", \"--cache\", \"dynamic\"]"));
        });
    }

    #[test]
    fn a_gpu_lane_asks_for_its_devices_by_id() {
        let uuid = "GPU-3f1c6a1e-2f86-4a54-8f3f-0a3f0a3b1d11";
        let request = request(&format!("image = \"a/b:1\"\ngpus = [\"0\", \"{uuid}\"]"));
        insta::with_settings!({ sort_maps => true }, {
            insta::assert_json_snapshot!(request);
        });
        let device = &request["HostConfig"]["DeviceRequests"];
        assert_eq!(*device, serde_json::json!([{"DeviceIDs": ["0", uuid], "Capabilities": [["gpu"]]}]));
    }

    #[test]
    fn a_server_gets_a_closed_network_and_learns_its_port() {
        let text = "schema = 1\nname = \"s\"\nlauncher = \"docker\"\nrunner = \"server\"\n[docker]\nimage = \"a/b:1\"\n\
                    command = [\"--port={port}\", \"{model}\"]\n[server]\nport = 80\nhealth = \"/\"\n[limits]\nscratch_mib = 2\n";
        let lane = Lane::parse("lanes/s.toml", text).unwrap();
        let Launcher::Docker(docker) = &lane.launcher else { panic!("no container lane") };
        let supervisor = Supervisor::current().unwrap();
        let marker = Marker { run: "r".into(), lane: lane.name.clone(), launch: 0, supervisor };
        let mut body = create_body(&lane, docker, "sha256:00ff", &[], &marker);
        serve_on(&mut body, "closed", 80, lane.limits.scratch_mib);
        assert_eq!(body.cmd.unwrap(), ["--port=80", "/model"]);
        let host = body.host_config.unwrap();
        assert_eq!((host.network_mode.as_deref(), host.ipc_mode.as_deref()), (Some("closed"), Some("private")));
        assert_eq!((host.shm_size, host.readonly_rootfs), (Some(2 << 20), Some(true)));
    }

    #[test]
    fn processors_are_counted_in_hundredths_and_never_unlimited() {
        assert_eq!(nano_cpus(1.0), 1_000_000_000);
        assert_eq!(nano_cpus(1.256), 1_260_000_000);
        // 0 would mean no limit.
        assert_eq!(nano_cpus(0.001), 10_000_000);
    }
}
