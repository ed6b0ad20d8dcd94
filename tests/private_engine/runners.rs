//! Runners that eat memory or do not listen.

use lockstep::journal::{LaunchEnd, Record};
use lockstep::terms::{FailureClass, Outcome};

use crate::daemon::Daemon;
use crate::lane_project::{ContainerLane, IMAGE, lockstep, settled};
use crate::project::{Ledger, PlanText, Project};

/// Three launches of two repetitions, the second of which goes wrong.
fn run(daemon: &Daemon, lane: &ContainerLane) -> Ledger {
    let project = Project::new();
    lane.write(&project, IMAGE);
    project.plan(&PlanText { repetitions: 1, ..PlanText::new("one", &[lane.name]) });
    settled(&project, daemon, lockstep(&project, daemon, &["run", "one", "--unlocked"])).1
}

fn ends<'a>(ledger: &'a Ledger) -> Vec<&'a LaunchEnd> {
    let end = |record: &'a Record| match record {
        Record::LaunchEnd(end) => Some(&**end),
        _ => None,
    };
    ledger.journal.records.iter().filter_map(end).collect()
}

pub fn out_of_memory(daemon: &Daemon) {
    let lane = ContainerLane { limits: "memory_mib = 64", ..ContainerLane::new("hungry", "eat --at 2") };
    let ledger = run(daemon, &lane);
    for row in ledger.rows().into_iter().filter(|row| row.outcome == Outcome::Crashed) {
        let failure = row.failure.as_ref().expect("a row that is not ok says why");
        assert_eq!((failure.class, failure.exit_status), (FailureClass::OutOfMemory, Some(137)), "{failure:?}");
        assert!(failure.message.contains("want of memory"), "{failure:?}");
        assert!(failure.remedy.as_ref().is_some_and(|remedy| remedy.contains("memory_mib")), "{failure:?}");
    }
    // What came before the kill counts.
    assert_eq!(ledger.outcomes("hungry"), [(Outcome::Ok, 3), (Outcome::Crashed, 3)].into());
    let killed: Vec<_> = ends(&ledger).iter().map(|end| (end.exit_status, end.signal)).collect();
    assert_eq!(killed, [(Some(137), Some(9)); 3]);
}

pub fn deaf(daemon: &Daemon) {
    let lane = ContainerLane { limits: "measure_s = 1.0", ..ContainerLane::new("deaf", "hang --ignore-term --at 2") };
    let ledger = run(daemon, &lane);
    assert_eq!(ledger.outcomes("deaf"), [(Outcome::Ok, 3), (Outcome::Hung, 3)].into());
    for row in ledger.rows().into_iter().filter(|row| row.outcome == Outcome::Hung) {
        assert_eq!(row.failure.as_ref().map(|failure| failure.class), Some(FailureClass::Inactive), "{row:?}");
    }
    // TERM was sent and not heard, so KILL it was.
    let killed: Vec<_> = ends(&ledger).iter().map(|end| (end.exit_status, end.signal)).collect();
    assert_eq!(killed, [(Some(137), Some(9)); 3]);
}
