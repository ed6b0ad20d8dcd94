//! A daemon that goes away in the middle of a run.

use lockstep::journal::read_file;
use lockstep::terms::{FailureClass, Outcome};

use crate::daemon::{Daemon, Settings};
use crate::lane_project::{ContainerLane, IMAGE, load, rows, settled, start};
use crate::project::{Ledger, PlanText, Project, Started, wait_for};

/// A run of three launches, each of two repetitions of more than a second, up to its first row.
fn under_way(daemon: &Daemon, project: &Project) -> Started {
    ContainerLane::new("slow", "slow --ms 1500").write(project, IMAGE);
    project.plan(&PlanText { repetitions: 1, ..PlanText::new("slow", &["slow"]) });
    let run = start(project, daemon, &["run", "slow", "--unlocked"]);
    wait_for("the first row", || (rows(project) > 0).then_some(()));
    run
}

pub fn restart(_: &Daemon) {
    let mut daemon = Daemon::start(Settings::default()).expect("a daemon started before");
    load(&daemon);
    let project = Project::new();
    let run = under_way(&daemon, &project);
    daemon.sleep();
    daemon.wake().expect("the daemon starts again");
    let (run, ledger) = settled(&project, &daemon, run.finish());
    let outcomes = ledger.outcomes("slow");
    assert_eq!(outcomes.get(&Outcome::Crashed), Some(&1), "{outcomes:?}, {:?}", run.ended);
    assert_eq!(outcomes.get(&Outcome::Ok), Some(&5), "{outcomes:?}, {:?}", run.ended);
    let row = ledger.rows().into_iter().find(|row| row.outcome == Outcome::Crashed).expect("it was counted");
    assert_eq!(row.failure.as_ref().map(|failure| failure.class), Some(FailureClass::Died), "{row:?}");
    assert_eq!(daemon.containers(), Vec::<String>::new());
}

pub fn away(_: &Daemon) {
    let mut daemon = Daemon::start(Settings::default()).expect("a daemon started before");
    load(&daemon);
    let project = Project::new();
    let run = under_way(&daemon, &project);
    daemon.sleep();
    let ended = run.finish();
    // Whether the container is gone cannot be confirmed, and measuring beside it would prove nothing.
    ended.exits(2).tells(&["lane slow is still there", "lockstep resume"]);
    let journal = read_file(&project.only_run().join("journal.jsonl")).expect("the journal is whole");
    let crashed: Vec<_> = journal.rows().filter(|(_, row)| row.outcome == Outcome::Crashed).collect();
    assert!(!journal.sealed && crashed.len() == 1, "{ended:?}");
    daemon.wake().expect("the daemon starts again");
    start(&project, &daemon, &["resume", "latest"]).finish();
    let ledger = Ledger::of(&project.only_run());
    ledger.is_complete();
    assert_eq!(ledger.outcomes("slow"), [(Outcome::Ok, 5), (Outcome::Crashed, 1)].into());
    assert_eq!(daemon.containers(), Vec::<String>::new());
}
