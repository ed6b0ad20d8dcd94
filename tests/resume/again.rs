//! Going on with a run that came to its end: what failed, what was not there, what there is nothing to add to.

use std::fs;
use std::path::PathBuf;

use lockstep::journal::LaneState;
use lockstep::terms::Outcome;
use lockstep::verdict::Conclusion;

use crate::Named;
use crate::project::{Lane, Ledger, PlanText, Project, Run};

pub const TRIALS: &[Named] = &[
    Named("rerun_adds_attempts_and_keeps_the_failed_rows", true, rerun_failed),
    Named("rerun_repeats_what_a_launch_lost_that_was_disowned", true, rerun_disowned),
    Named("a_finished_run_is_left_alone_by_resume_and_rerun", false, || left_alone(false)),
    Named("a_finished_run_without_its_optional_lane_is_left_alone_too", false, || left_alone(true)),
    Named("an_optional_lane_that_has_come_since_takes_part_on_resume", true, || lane_comes(true)),
    Named("a_required_lane_that_has_come_since_is_refused_no_more_on_resume", true, || lane_comes(false)),
    Named("another_executable_opens_a_new_segment", false, other_executable),
    Named("the_latest_run_is_the_one_that_was_started_last", false, latest),
];

fn again(project: &Project, run: &Run, arguments: &[&str]) -> Run {
    Run { id: run.id.clone(), path: run.path.clone(), ended: project.lockstep(arguments) }
}

fn rerun_failed() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("flaky", "crash-once --at 2 --marker struck"), &Lane::faulty("healthy", "none")]);
    project.plan(&PlanText::new("flaky", &["flaky", "healthy"]));
    let run = project.run(&["run", "flaky"]);
    run.exits(0);
    let before = Ledger::of(&run.path).rows().into_iter().cloned().collect::<Vec<_>>();
    let crashed = before.iter().find(|row| row.outcome == Outcome::Crashed).expect("one row crashed").clone();
    again(&project, &run, &["rerun", "latest", "--failed"]).exits(0);
    let ledger = Ledger::of(&run.path);
    assert!(ledger.journal.sealed);
    assert_eq!(ledger.rows()[..before.len()], before.iter().collect::<Vec<_>>()[..], "earlier rows stay as they are");
    let [new] = ledger.rows()[before.len()..] else { panic!("expected one new row: {:?}", ledger.rows()) };
    assert_eq!(
        (&new.lane, new.block, &new.cell, new.rep, new.attempt, new.outcome),
        (&crashed.lane, crashed.block, &crashed.cell, crashed.rep, 1, Outcome::Ok)
    );
    let verdict = run.verdict();
    assert_eq!(verdict.lanes[0].outcomes, [(Outcome::Ok, 12), (Outcome::Crashed, 1)].into(), "every attempt counts");
    assert!(verdict.cells.iter().flat_map(|cell| &cell.lanes).all(|lane| lane.ok == lane.planned));
}

/// The rows of a launch that was not what it declares when it left do not count, so they failed.
fn rerun_disowned() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("flaky", "double-answer --at 4 --marker struck"), &Lane::faulty("healthy", "none")]);
    project.plan(&PlanText::new("flaky", &["flaky", "healthy"]));
    let run = project.run(&["run", "flaky"]);
    run.exits(3);
    let rerun = again(&project, &run, &["rerun", "latest", "--failed"]);
    let attempts = Ledger::of(&run.path).rows_of("flaky").iter().filter(|row| row.attempt == 1).count();
    assert_eq!(attempts, 4, "the disowned launch's repetitions were not tried again: {:?}", rerun.ended);
    rerun.exits(0);
}

fn left_alone(with_absent_lane: bool) {
    let project = Project::new();
    let mut plan = PlanText::new("short", &["native", "native-again"]);
    if with_absent_lane {
        project.write("lanes/absent.toml", absent_lane());
        project.lockstep(&["lock", "absent"]).exits(0);
        plan.lanes.push(("absent", "optional = true"));
    }
    project.plan(&plan);
    let run = project.run(&["run", "short"]);
    run.exits(0);
    let before = fs::read(run.file("journal.jsonl")).expect("the journal can be read");
    for arguments in [&["resume", "latest"][..], &["rerun", "latest", "--failed"]] {
        let repeated = again(&project, &run, arguments);
        repeated.exits(0);
        let now = fs::read(run.file("journal.jsonl")).expect("the journal can be read");
        assert!(before == now, "{arguments:?} wrote to a journal that lacks nothing");
        repeated.ended.tells(&["nothing is left to do"]);
    }
}

fn absent_lane() -> String {
    Lane::faulty("absent", "none").text().replace("program = \"sh\"", "program = \"comes-later\"")
}

fn lane_comes(optional: bool) {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("healthy", "none")]);
    project.write("lanes/absent.toml", absent_lane());
    project.lockstep(&["lock", "absent"]).exits(0);
    let mut plan = PlanText::new("later", &["healthy"]);
    plan.lanes.push(("absent", if optional { "optional = true" } else { "" }));
    plan.same_tokens = true;
    project.plan(&plan);
    let programs = project.file("programs");
    fs::create_dir(&programs).expect("a folder can be made");
    let command = |arguments: &[&str]| {
        let mut command = project.command(arguments);
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
        let folders = std::env::split_paths(path.expect("commands have a search path")).chain([programs.clone()]);
        let path = std::env::join_paths(folders.collect::<Vec<PathBuf>>()).expect("folders hold no colon");
        command.env("PATH", path);
        crate::project::Started::of(command).finish()
    };
    let run = Run::of(&project, command(&["run", "later"]));
    run.exits(if optional { 0 } else { 3 });
    let state = if optional { LaneState::Skipped } else { LaneState::Refused };
    assert_eq!(Ledger::of(&run.path).state("absent"), state);
    std::os::unix::fs::symlink("/bin/sh", programs.join("comes-later")).expect("a link can be made");
    let resumed = Run { id: run.id.clone(), path: run.path.clone(), ended: command(&["resume", "latest"]) };
    let ledger = Ledger::of(&run.path);
    assert_eq!(ledger.state("absent"), LaneState::Ready, "{:?}", resumed.ended);
    assert_eq!(ledger.outcomes("absent").get(&Outcome::Ok), Some(&12), "{:?}", resumed.ended);
    let verdict = resumed.verdict();
    let refused = verdict.conclusion == Conclusion::Refused;
    assert!(!refused, "what was refused has been measured since: {:?}", verdict.reasons);
    resumed.exits(0);
}

fn other_executable() {
    let project = Project::new();
    project.plan(&PlanText { repetitions: 12, ..PlanText::new("moved", &["native", "native-again"]) });
    let started = project.start(&["run", "moved"]);
    started.line_with(" 20 %");
    started.kill();
    let copy = project.file("lockstep-of-tomorrow");
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_lockstep")).expect("the executable can be read");
    bytes.extend_from_slice(b"another build");
    fs::write(&copy, bytes).expect("a copy can be written");
    fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode can be set");
    let path = project.only_run();
    let ended = crate::project::Started::of(project.command_of(&copy, &["resume", "latest"])).finish();
    let run = Run { id: String::new(), path, ended };
    run.exits(0);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete();
    let binaries: Vec<_> = ledger
        .journal
        .segments()
        .map(|segment| segment.header.measured().expect("a measured segment").tool.binary)
        .collect();
    assert_eq!(binaries.len(), 2, "{:?}", run.ended);
    assert_ne!(binaries[0], binaries[1]);
    let verdict = run.verdict();
    assert_eq!(verdict.journal.segments.len(), 2);
    let segments: std::collections::BTreeSet<u32> = verdict
        .cells
        .iter()
        .flat_map(|cell| &cell.lanes)
        .flat_map(|lane| &lane.by_launch)
        .map(|launch| launch.segment)
        .collect();
    assert_eq!(segments, [0, 1].into());
}

/// Runs that are over in no time, so that several begin in one second.
fn latest() {
    let project = Project::new();
    project.write("lanes/absent.toml", absent_lane());
    project.lockstep(&["lock", "absent"]).exits(0);
    project.plan(&PlanText::new("gone", &["absent"]));
    let begun: Vec<String> = (0..6).map(|_| project.run(&["run", "gone"]).id).collect();
    let listed = project.lockstep(&["runs", "--format", "json"]).json();
    let listed: Vec<&str> = listed.as_array().into_iter().flatten().filter_map(|run| run["run"].as_str()).collect();
    assert_eq!(listed, begun, "runs are listed in another order than they were started in");
    let latest = project.lockstep(&["report", "latest", "--format", "json"]).json();
    assert_eq!(latest["journal"]["run"].as_str(), begun.last().map(String::as_str));
}
