//! What this host is: facts for the journal's header, and signals that say in what state it was.

use std::path::Path;

use crate::launch::VisibleGpus;
use crate::terms::{CpuFacts, Digest, GpuFacts, HostFacts, Signal, SignalValue};

/// The host as it stands, and the driver's word on GPUs where there is one.
#[derive(Debug, Clone)]
pub(super) struct HostLook {
    pub facts: HostFacts,
    pub signals: Vec<Signal>,
    /// Compute capability of each GPU, in the order of the facts; 90 for 9.0.
    pub capabilities: Vec<Option<u32>>,
}

/// Reads the host, and of its GPUs those that `CUDA_VISIBLE_DEVICES`, where it is set, names.
pub(super) fn look(visible_gpus: Option<&str>) -> HostLook {
    let cpuinfo = read("/proc/cpuinfo");
    let (gpus, capabilities, driver) = gpus(visible_gpus);
    let boot = read("/proc/sys/kernel/random/boot_id").trim().to_owned();
    let facts = HostFacts {
        machine: machine(&read("/etc/machine-id"), &boot),
        boot,
        os: os_name(&read("/etc/os-release")),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu: cpu(&cpuinfo),
        memory_bytes: meminfo_bytes(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0),
        gpus,
        driver,
    };
    let signals = signals(&facts);
    HostLook { facts, signals, capabilities }
}

/// Which machine this is. One without an id of its own, as fresh virtual machines are, is known for this boot only: two of
/// them are never taken for one another.
fn machine(id: &str, boot: &str) -> Digest {
    let id = id.trim();
    Digest::of(if id.is_empty() { boot.as_bytes() } else { id.as_bytes() })
}

/// An unreadable file reads as empty: on a kernel that hides it, the fact is unknown and says so.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn os_name(os_release: &str) -> String {
    let value =
        |key: &str| os_release.lines().find_map(|line| line.strip_prefix(key)).map(|v| v.trim_matches('"').to_owned());
    value("PRETTY_NAME=").or_else(|| value("NAME=")).unwrap_or_else(|| "unknown".to_owned())
}

fn cpu(cpuinfo: &str) -> CpuFacts {
    let value = |key: &str| {
        cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim() == key)
            .map(|(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    CpuFacts {
        arch: std::env::consts::ARCH.to_owned(),
        vendor: value("vendor_id").or_else(|| value("CPU implementer")).unwrap_or_default(),
        model_name: value("model name").or_else(|| value("Processor")).unwrap_or_else(|| "unknown".to_owned()),
        family: value("cpu family").and_then(|v| v.parse().ok()).unwrap_or(0),
        model: value("model").and_then(|v| v.parse().ok()).unwrap_or(0),
        cores: processors(cpuinfo).unwrap_or(cores),
    }
}

/// Processors online in the whole host, which an affinity mask of this process does not change.
fn processors(cpuinfo: &str) -> Option<u32> {
    let count =
        cpuinfo.lines().filter(|line| line.split(':').next().is_some_and(|key| key.trim() == "processor")).count();
    u32::try_from(count).ok().filter(|count| *count > 0)
}

fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1_024)
}

fn gpus(visible: Option<&str>) -> (Vec<GpuFacts>, Vec<Option<u32>>, Option<String>) {
    let Ok(ours) = VisibleGpus::open(visible) else { return (Vec::new(), Vec::new(), None) };
    let seen = ours.places().filter_map(|place| {
        let device = ours.device(place).ok()?;
        let sm = device.cuda_compute_capability().ok();
        let sm = sm.and_then(|sm| u32::try_from(sm.major * 10 + sm.minor).ok());
        let gpu = GpuFacts {
            name: device.name().ok()?,
            uuid: device.uuid().ok()?,
            memory_bytes: device.memory_info().ok()?.total,
            other_processes: device.running_compute_processes().map_or(0, |list| list.len() as u32),
        };
        Some((gpu, sm))
    });
    let (gpus, capabilities) = seen.unzip();
    (gpus, capabilities, ours.driver())
}

fn signals(facts: &HostFacts) -> Vec<Signal> {
    let mut signals = vec![
        Signal::outside("host.cores", i64::from(facts.cpu.cores)),
        Signal::outside("host.kernel", facts.kernel.as_str()),
        Signal::outside("host.memory_bytes", i64::try_from(facts.memory_bytes).unwrap_or(i64::MAX)),
    ];
    signals.extend(state());
    for gpu in &facts.gpus {
        signals.push(Signal::outside(&format!("gpu.{}.other_processes", gpu.uuid), i64::from(gpu.other_processes)));
    }
    signals
}

/// What changes while a run goes on, read anew before each launch: memory left, load, clocks, heat.
pub(super) fn state() -> Vec<Signal> {
    let mut signals = Vec::new();
    if let Some(bytes) = meminfo_bytes(&read("/proc/meminfo"), "MemAvailable:") {
        signals.push(Signal::outside("host.memory_available_bytes", i64::try_from(bytes).unwrap_or(i64::MAX)));
    }
    if let Some(load) = read("/proc/loadavg").split(' ').next().and_then(|word| word.parse::<f64>().ok()) {
        signals.push(Signal::outside("host.load_1min", SignalValue::Float(load)));
    }
    let governor = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let governor = if governor.trim().is_empty() { "unreadable" } else { governor.trim() };
    signals.push(Signal::outside("host.governor", governor));
    if let Ok(khz) = read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq").trim().parse::<i64>() {
        signals.push(Signal::outside("host.cpu0_khz", khz));
    }
    if let Some(milli_celsius) = hottest_zone(Path::new("/sys/class/thermal")) {
        signals.push(Signal::outside("host.hottest_zone_celsius", SignalValue::Float(milli_celsius as f64 / 1_000.0)));
    }
    if let Some(throttled) = throttle_count() {
        signals.push(Signal::outside("host.thermal_throttle_count", throttled));
    }
    signals
}

fn hottest_zone(folder: &Path) -> Option<i64> {
    let zones = std::fs::read_dir(folder).ok()?;
    zones
        .filter_map(Result::ok)
        .filter_map(|zone| std::fs::read_to_string(zone.path().join("temp")).ok()?.trim().parse().ok())
        .max()
}

fn throttle_count() -> Option<i64> {
    read("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_without_an_id_are_told_apart_by_their_boot() {
        assert_ne!(machine("\n", "boot-a"), machine("", "boot-b"));
        assert_eq!(machine("0123\n", "boot-a"), machine("0123", "boot-b"));
    }

    #[test]
    fn the_processor_is_read_from_the_kernels_words() {
        let text = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\nprocessor\t: 1\n";
        let cpu = cpu(text);
        assert_eq!((cpu.vendor.as_str(), cpu.family, cpu.model, cpu.cores), ("AuthenticAMD", 25, 17, 2));
        assert_eq!(cpu.model_name, "AMD EPYC");
    }

    #[test]
    fn a_kernel_that_hides_everything_still_gives_facts() {
        let cpu = cpu("");
        assert_eq!(cpu.model_name, "unknown");
        assert!(cpu.cores >= 1);
        assert_eq!(os_name(""), "unknown");
        assert_eq!(meminfo_bytes("MemTotal:       24689652 kB\n", "MemTotal:"), Some(25_282_203_648));
    }

    #[test]
    fn this_host_has_a_processor_memory_and_a_boot() {
        let look = look(None);
        assert!(look.facts.cpu.cores >= 1 && look.facts.memory_bytes > 0);
        assert!(look.signals.iter().any(|signal| signal.name == "host.governor"));
    }
}
