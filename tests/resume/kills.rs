//! KILL, of the supervisor and of the runner.

use std::collections::BTreeMap;
use std::time::Duration;

use lockstep::journal::{Error, Row, read_file};
use lockstep::terms::{FailureClass, Outcome};
use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;
use rustix::process::{Pid, Signal, kill_process};

use crate::Named;
use crate::project::{Lane, Ledger, PlanText, Project, Run, Started, processes_of, wait_for};

pub const TRIALS: &[Named] = &[
    Named("a_supervisor_killed_at_any_moment_loses_no_row_and_repeats_none", false, killed_often),
    Named("what_a_killed_supervisor_left_is_gone_after_resume", true, || orphans_end("resume")),
    Named("what_a_killed_supervisor_left_is_gone_after_another_run", true, || orphans_end("run")),
    Named("what_a_killed_supervisor_left_is_gone_after_clean", true, || orphans_end("clean")),
    Named("a_killed_runner_costs_one_row", true, killed_runner),
];

/// The rows of a journal by their place. A run that was killed before its first record has none.
fn rows(run: &std::path::Path) -> BTreeMap<String, Row> {
    let journal = match read_file(&run.join("journal.jsonl")) {
        Ok(journal) => journal,
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(Error::File { fault, .. }) if matches!(*fault, Error::Empty) => return BTreeMap::new(),
        Err(error) => panic!("after a kill the journal is unreadable: {error}"),
    };
    let place = |row: &Row| format!("{} {} {} {} {}", row.lane, row.block, row.cell, row.rep, row.attempt);
    let rows: Vec<(String, Row)> = journal.rows().map(|(_, row)| (place(row), row.clone())).collect();
    let count = rows.len();
    let rows: BTreeMap<String, Row> = rows.into_iter().collect();
    assert_eq!(rows.len(), count, "an attempt stands twice");
    rows
}

fn killed_often() {
    const KILLS: usize = 12;
    // On a busy machine most kills come before the first repetition: then there are more of them, and later ones.
    const MOST_KILLS: usize = 8 * KILLS;
    let project = Project::new();
    let plan = PlanText { repetitions: 60, new_tokens: 24, ..PlanText::new("long", &["native", "native-again"]) };
    project.plan(&plan);
    let mut random = SplitMix64::seed_from_u64(20_260_101);
    let (mut known, mut with_rows, mut arguments) = (BTreeMap::new(), 0, ["run", "long"]);
    for kill in 0..MOST_KILLS {
        let mut started = project.start(&arguments);
        arguments = ["resume", "latest"];
        match kill {
            0 => drop(started.line_with("of plan long")),
            _ if kill % 3 == 0 => {}
            _ => look_for_orphans(&project, &started),
        }
        std::thread::sleep(Duration::from_micros(random.next_u64() % (250_000 * (1 + kill / KILLS) as u64)));
        let sealed = !started.is_running();
        started.kill();
        let now = rows(&project.only_run());
        for (place, row) in &known {
            assert_eq!(now.get(place), Some(row), "kill {kill}: a finished row was lost or changed");
        }
        with_rows += usize::from(now.len() > known.len());
        known = now;
        if sealed || (kill + 1 >= KILLS && with_rows >= 3) {
            break;
        }
    }
    assert!(with_rows >= 3, "only {with_rows} of the kills fell into the measuring");
    let ended = project.lockstep(&["resume", "latest"]);
    let run = Run { id: String::new(), path: project.only_run(), ended };
    run.exits(0);
    Ledger::of(&run.path).is_complete();
    let now = rows(&run.path);
    assert!(known.iter().all(|(place, row)| now.get(place) == Some(row)), "a finished row was lost or changed");
    let verdict = run.verdict();
    let covered = |lane: &lockstep::verdict::LaneCell| (lane.ok, lane.planned) == (180, 180);
    assert!(verdict.cells.iter().flat_map(|cell| &cell.lanes).all(covered), "{:?}", verdict.cells);
}

/// A command that looks at its own lanes has cleared away what was there before.
fn look_for_orphans(project: &Project, started: &Started) {
    started.line_with("lane native ready");
    let id = project.only_run().file_name().expect("a run has an id").to_string_lossy().into_owned();
    let left: Vec<_> = processes_of(&id).into_iter().filter(|process| process.supervisor != started.pid()).collect();
    assert_eq!(left, [], "processes of a killed supervisor");
    started.line_with("lane native-again ready");
}

/// A process that neither reads nor heeds TERM outlives its supervisor, until the next command starts.
fn orphans_end(next: &str) {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("deaf", "hang --ignore-term --at 2 --marker struck").limit("grace_s", 0.2)]);
    project.plan(&PlanText::new("orphans", &["deaf"]));
    let started = project.start(&["run", "orphans"]);
    wait_for("the lane to hang", || project.file("struck").exists().then_some(()));
    started.kill();
    let path = project.only_run();
    let id = path.file_name().expect("a run has an id").to_string_lossy().into_owned();
    match next {
        "resume" => {
            let ended = project.lockstep(&["resume", "latest"]);
            Run { id: id.clone(), path: path.clone(), ended }.exits(0);
            Ledger::of(&path).is_complete();
        }
        "clean" => drop(project.lockstep(&["clean"]).exits(0)),
        _ => {
            let other = Project::new();
            other.plan(&PlanText::new("short", &["native"]));
            other.run(&["run", "short"]).exits(0);
        }
    }
    assert_eq!(processes_of(&id), []);
}

fn killed_runner() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("victim", "none --work-us 4000")]);
    let plan = PlanText { repetitions: 8, ..PlanText::new("victims", &["victim"]) };
    project.plan(&plan);
    let started = project.start(&["run", "victims"]);
    started.line_with("10 %");
    let id = project.only_run().file_name().expect("a run has an id").to_string_lossy().into_owned();
    let process = wait_for("a process of the lane", || processes_of(&id).into_iter().next());
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).expect("a pid is positive");
    kill_process(pid, Signal::KILL).expect("a process of ours can be killed");
    let run = Run::of(&project, started.finish());
    run.exits(0);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete().replaced_what_broke();
    assert_eq!(ledger.outcomes("victim"), [(Outcome::Ok, 47), (Outcome::Crashed, 1)].into());
    let crashed = ledger.rows().into_iter().find(|row| row.outcome == Outcome::Crashed).expect("one row crashed");
    let failure = crashed.failure.as_ref().expect("a crash says why");
    // The kernel may have ended another process for want of memory at the same time, which cannot be told apart.
    assert!(matches!(failure.class, FailureClass::Died | FailureClass::OutOfMemory), "{failure:?}");
    assert_eq!(failure.signal, Some(9), "{failure:?}");
    assert_eq!(crashed.launch.map(|launch| launch.to_string()), Some(process.launch));
}
