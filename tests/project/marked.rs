//! Processes of lanes, found by the marks that the supervisor puts into their environment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A process of a lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub lane: String,
    pub launch: String,
    /// Process id of the supervisor that started it.
    pub supervisor: u32,
}

/// The living processes that `run` started.
pub fn processes_of(run: &str) -> Vec<Process> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc can be listed").filter_map(Result::ok) {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        // A process may end while it is looked at, and a zombie's environment is empty.
        let Ok(bytes) = std::fs::read(entry.path().join("environ")) else { continue };
        let environment: BTreeMap<String, String> = bytes
            .split(|byte| *byte == 0)
            .filter_map(|entry| {
                String::from_utf8_lossy(entry).split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()))
            })
            .collect();
        if environment.get("LOCKSTEP_RUN").is_none_or(|value| value != run) {
            continue;
        }
        let value = |name: &str| environment.get(name).cloned().unwrap_or_default();
        let supervisor = value("LOCKSTEP_SUPERVISOR").split(':').next().and_then(|pid| pid.parse().ok());
        found.push(Process {
            pid,
            lane: value("LOCKSTEP_LANE"),
            launch: value("LOCKSTEP_LAUNCH"),
            supervisor: supervisor.unwrap_or(0),
        });
    }
    found
}

/// Looks again and again until `look` gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
