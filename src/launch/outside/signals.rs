//! The signals that the supervisor reads about a process.

use super::cgroup::Cgroup;
use super::digests::DigestCache;
use super::procfs;
use crate::terms::{Signal, SignalValue};

/// Variables that change what a process loads or how many threads it uses, whether or not the lane declares them.
const TELLING_VARIABLES: [&str; 7] = [
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "PYTHONPATH",
    "RAYON_NUM_THREADS",
    "PYTHON_GIL",
];

/// Everything that can be seen of process `pid`. `declared` names the variables that the lane declares.
pub(in crate::launch) fn of_process(pid: u32, declared: &[String], digests: &DigestCache) -> Vec<Signal> {
    let mut signals = Vec::new();
    if let Some(path) = procfs::executable(pid) {
        signals.push(Signal::outside("process.exe", path.to_string_lossy().into_owned()));
    }
    if let Some(digest) = digests.executable(pid) {
        signals.push(Signal::outside("process.exe_sha256", digest.to_string()));
    }
    if let Some(arguments) = procfs::command_line(pid).filter(|arguments| !arguments.is_empty()) {
        signals.push(Signal::outside("process.cmdline", SignalValue::List(arguments)));
    }
    maps(pid, digests, &mut signals);
    environment(pid, declared, &mut signals);
    status(pid, &mut signals);
    if let Some(cgroup) = Cgroup::of(pid) {
        cgroup_signals(&cgroup, &mut signals);
    }
    signals
}

fn maps(pid: u32, digests: &DigestCache, signals: &mut Vec<Signal>) {
    let Some(mappings) = procfs::code_mappings(pid) else { return };
    let contents = mappings
        .iter()
        .map(|mapping| match digests.mapping(pid, mapping) {
            Some(digest) => format!("{} {digest}", mapping.path),
            None => format!("{} unreadable", mapping.path),
        })
        .collect();
    let mut paths: Vec<String> = mappings.into_iter().map(|mapping| mapping.path).collect();
    paths.dedup();
    signals.push(Signal::outside("process.maps", SignalValue::List(paths)));
    signals.push(Signal::outside("process.maps_sha256", SignalValue::List(contents)));
}

fn environment(pid: u32, declared: &[String], signals: &mut Vec<Signal>) {
    let Some(environment) = procfs::environment(pid) else { return };
    let mut names: Vec<&str> = TELLING_VARIABLES.into_iter().chain(declared.iter().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        if let Some(value) = environment.get(name) {
            signals.push(Signal::outside(&format!("process.environ.{name}"), value.clone()));
        }
    }
}

fn status(pid: u32, signals: &mut Vec<Signal>) {
    let Some(status) = procfs::text(pid, "status") else { return };
    let field = |name| procfs::status_field(&status, name);
    // `Uid` holds the real, effective, saved and file system id; the effective one is what counts.
    let effective = |text: String| text.split_ascii_whitespace().nth(1)?.parse::<i64>().ok();
    if let Some(uid) = field("Uid").and_then(effective) {
        signals.push(Signal::outside("process.uid", uid));
    }
    if let Some(capabilities) = field("CapEff") {
        signals.push(Signal::outside("process.capabilities", capabilities));
    }
    if let Some(flag) = field("NoNewPrivs") {
        signals.push(Signal::outside("process.no_new_privileges", flag == "1"));
    }
    if let Some(mode) = field("Seccomp").and_then(|text| text.parse::<i64>().ok()) {
        signals.push(Signal::outside("process.seccomp", mode));
    }
    if let Some(cpus) = field("Cpus_allowed_list") {
        signals.push(Signal::outside("process.cpus_allowed", cpus));
    }
}

fn cgroup_signals(cgroup: &Cgroup, signals: &mut Vec<Signal>) {
    signals.push(Signal::outside("cgroup.path", cgroup.path().to_owned()));
    let whole = |value: u64| i64::try_from(value).ok();
    if let Some(bytes) = cgroup.memory_limit_bytes().and_then(whole) {
        signals.push(Signal::outside("cgroup.memory_limit_bytes", bytes));
    }
    if let Some(cpus) = cgroup.cpu_limit() {
        signals.push(Signal::outside("cgroup.cpus", SignalValue::Float(cpus)));
    }
    if let Some(pids) = cgroup.pids_limit().and_then(whole) {
        signals.push(Signal::outside("cgroup.pids_limit", pids));
    }
}
