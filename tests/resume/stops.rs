//! Ctrl-C and its kin, and who may go on with a run.

use std::time::{Duration, Instant};

use lockstep::journal::{Record, read_file};
use lockstep::terms::Outcome;
use rustix::process::Signal;

use crate::Named;
use crate::project::{Ended, Lane, Ledger, PlanText, Project, Run, processes_of, wait_for};

pub const TRIALS: &[Named] = &[
    Named("ctrl_c_pauses_a_run_that_resume_completes", true, || stops_while_measuring(Signal::INT)),
    Named("term_pauses_a_run_that_resume_completes", true, || stops_while_measuring(Signal::TERM)),
    Named("ctrl_c_ends_a_deaf_lane_within_its_grace", true, stops_while_hung),
    Named("a_second_ctrl_c_ends_a_run_at_once_and_resume_completes_it", true, stops_twice),
    Named("ctrl_c_before_the_first_record_leaves_a_run_that_resume_completes", true, stops_at_first_look),
    Named("a_second_supervisor_of_a_run_is_refused_and_the_first_goes_on", true, second_supervisor),
];

/// How long after the signal a command may go on, grace and a busy machine included.
const SOON: Duration = Duration::from_secs(15);

fn interrupt(
    project: &Project,
    arguments: &[&str],
    ready: impl FnOnce(&crate::project::Started),
    signal: Signal,
) -> Ended {
    let started = project.start(arguments);
    ready(&started);
    started.signal(signal);
    let asked = Instant::now();
    let ended = started.finish();
    assert!(asked.elapsed() < SOON, "it took {:?} to stop: {ended:?}", asked.elapsed());
    ended
}

fn stops_while_measuring(signal: Signal) {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("slow", "none --work-us 5000"), &Lane::faulty("other", "none --work-us 5000")]);
    let plan = PlanText { repetitions: 6, ..PlanText::new("stops", &["slow", "other"]) };
    project.plan(&plan);
    let ended = interrupt(&project, &["run", "stops"], |started| drop(started.line_with(" 20 %")), signal);
    let run = Run::of(&project, ended);
    run.ended.exits(5).tells(&["stopped; `lockstep resume", &run.id]);
    let journal = run.journal();
    assert!(matches!(journal.records.last(), Some(Record::Pause { .. })), "{:?}", journal.records.last());
    assert_eq!(processes_of(&run.id), []);
    let finished = journal.rows().count();
    assert!((1..72).contains(&finished), "{finished} rows were finished when it was stopped");
    assert!(!run.verdict().journal.sealed);
    project.lockstep(&["accept", &run.id]).exits(2).tells(&["not sealed", "lockstep resume"]);
    let resumed = Run { id: run.id.clone(), path: run.path.clone(), ended: project.lockstep(&["resume", "latest"]) };
    resumed.exits(0);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete().replaced_what_broke();
    assert_eq!(ledger.rows()[..finished], journal.rows().map(|(_, row)| row).collect::<Vec<_>>()[..]);
    assert_eq!(ledger.journal.segments().count(), 1, "the same host, boot and binary go on in one segment");
    let commands: Vec<String> = ledger.journal.records.iter().filter_map(typed).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    assert!(
        commands[0].ends_with("lockstep run stops") && commands[1].ends_with("lockstep resume latest"),
        "{commands:?}"
    );
}

/// What was typed to start the segment, or to go on in it.
fn typed(record: &Record) -> Option<String> {
    match record {
        Record::Header(header) => Some(header.command.join(" ")),
        Record::Reopen { command, .. } => Some(command.join(" ")),
        _ => None,
    }
}

fn stops_while_hung() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("deaf", "hang --ignore-term --at 2 --marker struck").limit("grace_s", 0.3)]);
    project.plan(&PlanText::new("stops", &["deaf"]));
    let hung = || project.file("struck").exists().then_some(());
    let ended = interrupt(&project, &["run", "stops"], |_| wait_for("the lane to hang", hung), Signal::INT);
    let run = Run::of(&project, ended);
    run.ended.exits(5);
    assert_eq!(processes_of(&run.id), []);
    assert_eq!(Ledger::of(&run.path).outcomes("deaf"), [(Outcome::Ok, 1)].into(), "a stop is nobody's failure");
    let resumed = Run { id: run.id, path: run.path, ended: project.lockstep(&["resume"]) };
    resumed.exits(0);
    Ledger::of(&resumed.path).is_complete();
}

/// The lane would take its long grace; who asks twice does not wait for it.
fn stops_twice() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("deaf", "hang --ignore-term --at 2 --marker struck").limit("grace_s", 600.0)]);
    project.plan(&PlanText::new("stops", &["deaf"]));
    let started = project.start(&["run", "stops"]);
    wait_for("the lane to hang", || project.file("struck").exists().then_some(()));
    started.signal(Signal::INT);
    started.line_with("stopping");
    let asked = Instant::now();
    started.signal(Signal::INT);
    let ended = started.finish();
    assert!(asked.elapsed() < SOON, "it took {:?} to end: {ended:?}", asked.elapsed());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(2), "{ended:?}");
    let run = Run::of(&project, ended);
    let resumed = Run { id: run.id, path: run.path, ended: project.lockstep(&["resume", "latest"]) };
    resumed.exits(0);
    assert_eq!(processes_of(&resumed.id), [], "the next command ends what was left");
    Ledger::of(&resumed.path).is_complete();
}

fn stops_at_first_look() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("deaf", "hang-on-load --ignore-term --marker struck").limit("grace_s", 0.3)]);
    project.plan(&PlanText::new("stops", &["deaf"]));
    let hung = || project.file("struck").exists().then_some(());
    let ended = interrupt(&project, &["run", "stops"], |_| wait_for("the lane to hang", hung), Signal::INT);
    let run = Run::of(&project, ended);
    run.ended.exits(5).tells(&["lockstep resume"]);
    assert_eq!(processes_of(&run.id), []);
    project.lockstep(&["runs"]).exits(0).prints(&[&run.id]);
    let resumed = Run { id: run.id, path: run.path, ended: project.lockstep(&["resume", "latest"]) };
    resumed.exits(0);
    Ledger::of(&resumed.path).is_complete();
}

fn second_supervisor() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("slow", "none --work-us 20000")]);
    let plan = PlanText { repetitions: 6, ..PlanText::new("held", &["slow"]) };
    project.plan(&plan);
    let started = project.start(&["run", "held"]);
    started.line_with("repetitions to measure");
    for verb in [&["resume", "latest"][..], &["rerun", "latest", "--failed"]] {
        project.lockstep(verb).exits(2).tells(&["is held by another process"]);
    }
    let run = Run::of(&project, started.finish());
    run.exits(0);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete().replaced_what_broke();
    assert_eq!(ledger.outcomes("slow"), [(Outcome::Ok, 36)].into());
    assert!(read_file(&run.file("journal.jsonl")).is_ok_and(|journal| journal.torn.is_none()));
}
