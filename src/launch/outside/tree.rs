//! A lane's process tree: who belongs to it, its processor time, and the end of all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use super::children;
use super::procfs::{self, Stat};
use crate::launch::supervisor::Marker;

/// A process, told apart from a later one with the same id by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::launch) struct Member {
    pub pid: u32,
    pub start_ticks: u64,
}

/// The processes of one launch: the leader, its group, its descendants, whoever carries its marks, and what
/// this process was given when its parents ended.
#[derive(Debug, Clone)]
pub(in crate::launch) struct ProcessTree {
    leader: Member,
    marker: Marker,
}

impl ProcessTree {
    /// The tree of `leader`, the process that was started and leads a group of its own.
    pub(in crate::launch) const fn new(leader: Member, marker: Marker) -> Self {
        Self { leader, marker }
    }

    /// Every process of the lane that has not ended. A grandchild that left the group, the session and its parent is
    /// still found by the marks in its environment, or because it was given to this process.
    pub(in crate::launch) fn living(&self) -> Vec<Member> {
        let stats = procfs::all_stats();
        // A group's id is its leader's; when another process has that id by now, the group is another's too.
        let group_is_ours =
            stats.iter().all(|stat| stat.pid != self.leader.pid || stat.start_ticks == self.leader.start_ticks);
        let belongs = |stat: &Stat| {
            member(stat) == self.leader
                || (group_is_ours && stat.pgrp == self.leader.pid)
                || procfs::environment(stat.pid).is_some_and(|environment| self.marker.is_on(&environment))
        };
        let adopted = children::adopted_from(self.leader, &stats);
        children::reap(&ended(&adopted, &stats));
        let marked = stats.iter().filter(|stat| belongs(stat)).map(|stat| stat.pid);
        let roots = marked.chain(adopted.iter().map(|child| child.pid)).collect();
        let tree = with_descendants(roots, &stats);
        stats.iter().filter(|stat| tree.contains(&stat.pid) && !stat.is_dead()).map(member).collect()
    }

    /// Processor time of the leader and its descendants so far, in clock ticks, reaped children included.
    pub(in crate::launch) fn cpu_ticks(&self) -> Option<u64> {
        let leader = procfs::stat(self.leader.pid).filter(|stat| member(stat) == self.leader)?;
        let mut ticks = leader.cpu_ticks;
        // The kernel's list of children costs as much as the lane is large; a scan costs as much as the host is.
        match procfs::children(self.leader.pid) {
            Some(children) => {
                let mut open = children;
                while let Some(pid) = open.pop() {
                    ticks += procfs::stat(pid).map_or(0, |stat| stat.cpu_ticks);
                    open.extend(procfs::children(pid).unwrap_or_default());
                }
            }
            None => {
                let stats = procfs::all_stats();
                let tree = with_descendants(BTreeSet::from([self.leader.pid]), &stats);
                let others = stats.iter().filter(|stat| tree.contains(&stat.pid) && member(stat) != self.leader);
                ticks += others.map(|stat| stat.cpu_ticks).sum::<u64>();
            }
        }
        Some(ticks)
    }

    /// Kills all of it without waiting for long; for the moment when nobody can wait.
    pub(in crate::launch) fn kill_at_once(&self) {
        // More than one pass, because a process may fork between the look and the signal.
        for _ in 0..20 {
            let living = self.living();
            if living.is_empty() {
                return;
            }
            send(&living, Signal::KILL);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Sends `signal` to each process that still is the one that was seen.
pub(in crate::launch) fn send(members: &[Member], signal: Signal) {
    for seen in members {
        let Some(pid) = i32::try_from(seen.pid).ok().and_then(Pid::from_raw) else { continue };
        let still_it = || procfs::stat(seen.pid).is_some_and(|stat| member(&stat) == *seen);
        // Failure means that the process has ended, or is not ours to signal; the next look tells.
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) if still_it() => drop(pidfd_send_signal(handle, signal)),
            Err(Errno::NOSYS) if still_it() => drop(kill_process(pid, signal)),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Whether the process that was seen still runs.
pub(in crate::launch) fn is_living(seen: Member) -> bool {
    procfs::stat(seen.pid).is_some_and(|stat| member(&stat) == seen && !stat.is_dead())
}

/// The process behind a `stat`.
pub(in crate::launch) const fn member(stat: &Stat) -> Member {
    Member { pid: stat.pid, start_ticks: stat.start_ticks }
}

/// Those of `members` that have ended.
fn ended(members: &[Member], stats: &[Stat]) -> Vec<Member> {
    stats.iter().filter(|stat| stat.is_dead()).map(member).filter(|dead| members.contains(dead)).collect()
}

/// Whether process `pid` is one of `roots` or descends from one of them; `None` where it cannot be seen from here, for
/// it has ended or lives in another process id namespace.
#[must_use]
pub fn descends_from(pid: u32, roots: &[u32]) -> Option<bool> {
    let mut at = procfs::stat(pid)?;
    loop {
        if roots.contains(&at.pid) {
            return Some(true);
        }
        // The first process has no parent; one that ended on the way has been given to another meanwhile.
        match procfs::stat(at.ppid) {
            Some(parent) if parent.pid != at.pid => at = parent,
            _ => return Some(false),
        }
    }
}

fn with_descendants(mut found: BTreeSet<u32>, stats: &[Stat]) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for stat in stats {
        children.entry(stat.ppid).or_default().push(stat.pid);
    }
    let mut open: Vec<u32> = found.iter().copied().collect();
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_descends_from_its_parents_and_from_itself_and_not_from_its_child() {
        let own = std::process::id();
        let parent = procfs::stat(own).unwrap().ppid;
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = [descends_from(own, &[own]), descends_from(own, &[parent]), descends_from(own, &[child.id()])];
        let of_child = descends_from(child.id(), &[own]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((found, of_child), ([Some(true), Some(true), Some(false)], Some(true)));
        assert_eq!(descends_from(u32::MAX, &[own]), None);
    }

    #[test]
    fn descendants_are_followed_through_every_generation() {
        let stat = |pid, ppid| Stat { pid, state: 'S', ppid, pgrp: 1, cpu_ticks: 0, start_ticks: 1 };
        let stats = [stat(1, 0), stat(10, 1), stat(11, 10), stat(12, 11), stat(20, 1), stat(21, 20)];
        assert_eq!(with_descendants(BTreeSet::from([10]), &stats), BTreeSet::from([10, 11, 12]));
        assert_eq!(with_descendants(BTreeSet::from([99]), &stats), BTreeSet::from([99]));
    }
}
