//! Whose lane it is: the supervisor's identity, the marks that a lane carries, and whether that supervisor lives.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::Error;
use super::outside::procfs;
use crate::terms::Digest;

/// Variables that mark a lane's processes.
const ENVIRONMENT: [&str; 4] = ["LOCKSTEP_RUN", "LOCKSTEP_LANE", "LOCKSTEP_LAUNCH", "LOCKSTEP_SUPERVISOR"];
/// Labels that mark a lane's container.
const LABELS: [&str; 4] = ["org.lockstep.run", "org.lockstep.lane", "org.lockstep.launch", "org.lockstep.supervisor"];
/// Label that names the supervisor's machine, since an engine may serve several.
const MACHINE_LABEL: &str = "org.lockstep.machine";

/// The label by which what was made in an engine is found.
pub(super) const SUPERVISOR_LABEL: &str = LABELS[3];

/// A supervising process. A process id alone would not do: ids are used again, and each process id namespace has
/// its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// Process id.
    pub pid: u32,
    /// Start time, in clock ticks since boot.
    pub start_ticks: u64,
    /// Inode of its process id namespace.
    pub pid_namespace: u64,
    /// Boot id; a process's mark does not carry it, since processes do not outlive a boot.
    pub boot: Option<String>,
    /// First digits of the digest of the machine id, where the host has one.
    pub machine: Option<String>,
}

/// What became of a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Alive,
    /// It is gone, so its lanes are orphans.
    Gone,
    /// It cannot be told from here: another process id namespace or another machine.
    Unknown,
}

/// The marks of one launch of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The run's id.
    pub run: String,
    /// The lane.
    pub lane: String,
    /// The number of the launch within the run.
    pub launch: u32,
    /// Whose it is.
    pub supervisor: Supervisor,
}

impl Supervisor {
    /// This process.
    ///
    /// # Errors
    /// `/proc` is not there or does not show this process.
    pub fn current() -> Result<Self, Error> {
        let pid = std::process::id();
        let unreadable = |found: &str| std::io::Error::other(found.to_owned());
        let stat = procfs::stat(pid)
            .ok_or_else(|| Error::file("read", format!("/proc/{pid}/stat"))(unreadable("no usable entry")))?;
        let namespace = Path::new("/proc/self/ns/pid");
        let link = std::fs::read_link(namespace).map_err(Error::file("read", namespace))?;
        let pid_namespace = link
            .to_str()
            .and_then(|text| text.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok())
            .ok_or_else(|| Error::file("read", namespace)(unreadable("the link names no namespace")))?;
        let boot_file = Path::new("/proc/sys/kernel/random/boot_id");
        let boot = std::fs::read_to_string(boot_file).map_err(Error::file("read", boot_file))?;
        let machine = std::fs::read_to_string("/etc/machine-id").ok().filter(|id| !id.trim().is_empty());
        Ok(Self {
            pid,
            start_ticks: stat.start_ticks,
            pid_namespace,
            boot: Some(boot.trim().to_owned()),
            // A digest, since the id itself is confidential by its manual page.
            machine: machine.map(|id| Digest::of(id.trim().as_bytes()).short()),
        })
    }

    /// What became of this supervisor, seen from `here`.
    #[must_use]
    pub fn fate(&self, here: &Self) -> Fate {
        if let (Some(boot), Some(own)) = (&self.boot, &here.boot)
            && boot != own
        {
            // Another boot of this machine ended all its processes; another machine may run on.
            return if self.machine == here.machine { Fate::Gone } else { Fate::Unknown };
        }
        if self.pid_namespace != here.pid_namespace {
            return Fate::Unknown;
        }
        match procfs::stat(self.pid) {
            Some(stat) if stat.start_ticks == self.start_ticks && !stat.is_dead() => Fate::Alive,
            Some(_) => Fate::Gone,
            // With `hidepid` another user's process has no entry and yet exists.
            None => match i32::try_from(self.pid).ok().and_then(Pid::from_raw).map(test_kill_process) {
                None | Some(Err(Errno::SRCH)) => Fate::Gone,
                Some(_) => Fate::Unknown,
            },
        }
    }

    /// The labels of a container that belongs to no lane.
    #[must_use]
    pub fn labels(&self) -> HashMap<String, String> {
        let machine = self.machine.iter().map(|machine| (MACHINE_LABEL.to_owned(), machine.clone()));
        machine.chain([(SUPERVISOR_LABEL.to_owned(), self.to_string())]).collect()
    }

    /// The mark without boot and machine, which a process carries.
    fn process_mark(&self) -> String {
        format!("{}:{}:{}", self.pid, self.start_ticks, self.pid_namespace)
    }
}

impl fmt::Display for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.process_mark())?;
        match &self.boot {
            Some(boot) => write!(f, ":{boot}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Supervisor {
    type Err = ();

    /// Reads `pid:start:namespace` and, of a container, `:boot`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(4, ':');
        let mut next = || parts.next().ok_or(());
        let pid = next()?.parse().map_err(|_| ())?;
        let start_ticks = next()?.parse().map_err(|_| ())?;
        let pid_namespace = next()?.parse().map_err(|_| ())?;
        let boot = parts.next().map(str::to_owned);
        Ok(Self { pid, start_ticks, pid_namespace, boot, machine: None })
    }
}

impl Marker {
    /// The variables that a process of the lane carries.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 4] {
        let [run, lane, launch, supervisor] = ENVIRONMENT;
        [
            (run, self.run.clone()),
            (lane, self.lane.clone()),
            (launch, self.launch.to_string()),
            (supervisor, self.supervisor.process_mark()),
        ]
    }

    /// The labels that a container of the lane carries.
    #[must_use]
    pub fn labels(&self) -> HashMap<String, String> {
        let [run, lane, launch, _] = LABELS;
        let mut labels = self.supervisor.labels();
        labels.extend([
            (run.to_owned(), self.run.clone()),
            (lane.to_owned(), self.lane.clone()),
            (launch.to_owned(), self.launch.to_string()),
        ]);
        labels
    }

    /// Whether a process with this environment belongs to the launch.
    #[must_use]
    pub fn is_on(&self, environment: &BTreeMap<String, String>) -> bool {
        self.environment().iter().all(|(name, value)| environment.get(*name) == Some(value))
    }

    /// The marks in a process's environment.
    #[must_use]
    pub fn of_environment(environment: &BTreeMap<String, String>) -> Option<Self> {
        Self::of(ENVIRONMENT, |name| environment.get(name).cloned())
    }

    /// The marks in a container's labels.
    #[must_use]
    pub fn of_labels(labels: &HashMap<String, String>) -> Option<Self> {
        let mut marker = Self::of(LABELS, |name| labels.get(name).cloned())?;
        marker.supervisor.machine = labels.get(MACHINE_LABEL).cloned();
        Some(marker)
    }

    fn of(names: [&str; 4], value: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let [run, lane, launch, supervisor] = names.map(value);
        // A supervisor that can be read is enough to judge by: half a mark must not hide an orphan.
        Some(Self {
            supervisor: supervisor?.parse().ok()?,
            run: run.unwrap_or_default(),
            lane: lane.unwrap_or_default(),
            launch: launch.and_then(|text| text.parse().ok()).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker() -> Marker {
        Marker {
            run: "20260101-a".into(),
            lane: "native".into(),
            launch: 7,
            supervisor: Supervisor::current().unwrap(),
        }
    }

    #[test]
    fn marks_survive_environment_and_labels() {
        let marker = marker();
        let environment = marker.environment().map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        let read = Marker::of_environment(&environment).unwrap();
        assert!(marker.is_on(&environment));
        assert_eq!((read.run, read.lane, read.launch), ("20260101-a".into(), "native".into(), 7));
        assert_eq!(read.supervisor.boot, None, "a process's mark does not carry the boot");
        assert_eq!(Marker::of_labels(&marker.labels()), Some(marker.clone()));
        let of_no_lane = Marker::of_labels(&marker.supervisor.labels()).unwrap();
        assert_eq!((of_no_lane.supervisor, of_no_lane.lane.as_str()), (marker.supervisor, ""));
    }

    #[test]
    fn a_supervisor_is_judged_by_pid_start_time_namespace_and_boot() {
        let here = Supervisor::current().unwrap();
        assert_eq!(here.fate(&here), Fate::Alive);
        let with = |change: fn(&mut Supervisor)| {
            let mut other = here.clone();
            change(&mut other);
            other.fate(&here)
        };
        assert_eq!(with(|s| s.start_ticks += 1), Fate::Gone, "the id was given to another process");
        assert_eq!(with(|s| s.pid = 4_194_304 + 7), Fate::Gone, "no process has the id");
        assert_eq!(with(|s| s.pid_namespace += 1), Fate::Unknown, "ids of another namespace say nothing");
        assert_eq!(with(|s| s.boot = Some("earlier".into())), Fate::Gone, "an earlier boot of this machine");
        let elsewhere = |s: &mut Supervisor| (s.boot, s.machine) = (Some("other".into()), Some("other".into()));
        assert_eq!(with(elsewhere), Fate::Unknown, "another machine");
        assert_eq!(with(|s| s.boot = None), Fate::Alive, "a process's mark has no boot");
    }

    #[test]
    fn a_killed_supervisor_that_nobody_reaped_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let here = Supervisor::current().unwrap();
        let stat = procfs::stat(child.id()).unwrap();
        let other = Supervisor { pid: child.id(), start_ticks: stat.start_ticks, ..here.clone() };
        assert_eq!(other.fate(&here), Fate::Alive);
        child.kill().unwrap();
        while procfs::stat(child.id()).is_some_and(|stat| !stat.is_dead()) {
            std::thread::yield_now();
        }
        assert_eq!(other.fate(&here), Fate::Gone);
        child.wait().unwrap();
    }

    #[test]
    fn what_is_no_mark_is_no_mark() {
        for bad in ["", "1", "1:2", "a:2:3", "1:b:3", "1:2:c", "-1:2:3", "99999999999:2:3"] {
            assert_eq!(bad.parse::<Supervisor>(), Err(()), "{bad:?}");
        }
        assert_eq!(Marker::of_environment(&BTreeMap::new()), None);
    }
}
