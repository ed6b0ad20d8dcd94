//! The children of this process: those that it started, and those that it was given.
//!
//! A process that forks twice, leaves its session and clears its environment carries no mark of its lane. This
//! process makes itself the reaper of its descendants, so that such a one becomes its child when its parent ends.
//! A child that this process did not start itself is therefore what some lane left behind.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, WaitOptions, getpgrp, set_child_subreaper, waitpid};

use super::procfs::Stat;
use super::tree::{Member, member};

static STARTED: Mutex<Started> = Mutex::new(Started { lanes: BTreeSet::new(), programs: BTreeSet::new() });

/// What this process started and has not reaped.
struct Started {
    lanes: BTreeSet<Member>,
    /// Programs that are no lanes.
    programs: BTreeSet<Member>,
}

/// A child that this process started; forgotten when this is dropped, which must come after it was reaped.
#[derive(Debug)]
pub(in crate::launch) struct OwnChild(Member);

impl Drop for OwnChild {
    fn drop(&mut self) {
        let mut started = started();
        started.lanes.remove(&self.0);
        started.programs.remove(&self.0);
    }
}

/// From now on the kernel gives this process the descendants whose parents end.
pub(in crate::launch) fn adopt_orphans() -> std::io::Result<()> {
    // Any process id means "on".
    Ok(set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Starts the first process of a lane.
pub(in crate::launch) fn start_lane<T, E>(spawn: impl FnOnce() -> Result<(T, Member), E>) -> Result<(T, OwnChild), E> {
    start(spawn, |started| &mut started.lanes)
}

/// Starts a program that is no lane.
pub(in crate::launch) fn start_program<T, E>(
    spawn: impl FnOnce() -> Result<(T, Member), E>,
) -> Result<(T, OwnChild), E> {
    start(spawn, |started| &mut started.programs)
}

/// The lock is held from before the start until it is noted, so that nobody takes the child for a stranger between.
fn start<T, E>(
    spawn: impl FnOnce() -> Result<(T, Member), E>,
    kind: impl FnOnce(&mut Started) -> &mut BTreeSet<Member>,
) -> Result<(T, OwnChild), E> {
    let mut started = started();
    let (child, member) = spawn()?;
    kind(&mut started).insert(member);
    Ok((child, OwnChild(member)))
}

/// Those of `stats` that this process was given and that the lane led by `leader` left behind: started after it, and
/// while no other lane was there that they could be from. With several lanes at a time the last one to end gets them.
///
/// A child in this process's own group is none of them: a lane starts in a group of its own.
pub(in crate::launch) fn adopted_from(leader: Member, stats: &[Stat]) -> Vec<Member> {
    let (own, group) = (std::process::id(), getpgrp().as_raw_nonzero().get().unsigned_abs());
    // `stats` were taken before, so whatever this process started among them is noted by now.
    let started = started();
    if started.lanes.len() != 1 || !started.lanes.contains(&leader) {
        return Vec::new();
    }
    let given = |stat: &&Stat| stat.ppid == own && stat.pgrp != group && stat.start_ticks >= leader.start_ticks;
    let candidates = stats.iter().filter(given).map(member);
    candidates.filter(|child| *child != leader && !started.programs.contains(child)).collect()
}

/// Takes note of the ends of children that this process was given, so that no entry of them stays.
pub(in crate::launch) fn reap(adopted: &[Member]) {
    for pid in adopted.iter().filter_map(|child| Pid::from_raw(i32::try_from(child.pid).ok()?)) {
        // An error says that somebody else reaped it.
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

fn started() -> MutexGuard<'static, Started> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}
