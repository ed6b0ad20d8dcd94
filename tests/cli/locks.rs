//! Locks, refusals, absent lanes, and what `--unlocked` means.

use lockstep::journal::LaneState;
use lockstep::terms::{FailureClass, Outcome};

use crate::project::{Lane, Ledger, PlanText, Project, Run, wait_for};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("a_lane_without_a_lock_is_refused_and_runs_unlocked_when_asked_to", Needs::Scripted, no_lock),
    Named("an_edited_lane_is_refused_and_runs_unlocked_when_asked_to", Needs::Scripted, edited_manifest),
    Named("an_edited_file_of_a_lane_is_refused_by_name", Needs::Scripted, edited_file),
    Named("a_shipped_lane_that_the_project_changes_needs_a_lock_of_its_own", Needs::Nothing, changed_shipped_lane),
    Named("an_absent_optional_lane_is_skipped_and_leaves_exit_0", Needs::Scripted, || absent(true)),
    Named("an_absent_required_lane_is_refused", Needs::Scripted, || absent(false)),
    Named("an_interpreter_that_is_too_old_counts_as_absent", Needs::Scripted, too_old),
    Named("a_lane_whose_gate_does_not_hold_is_refused_and_names_the_signal", Needs::Scripted, gate),
    Named("a_lane_that_is_not_what_it_declares_is_refused_and_names_the_axis", Needs::Scripted, axis),
    Named("one_lane_can_be_run_alone", Needs::Scripted, lane_alone),
    Named("preflight_shows_what_is_seen_and_leaves_no_run", Needs::Scripted, preflight),
    Named("a_preflight_under_way_is_no_run", Needs::Scripted, preflight_under_way),
];

fn only_faulty(project: &Project) {
    project.plan(&PlanText::new("tiny", &["mine"]));
}

/// The lane was refused for want of a good lock, then ran without one; its rows say so, and it cannot be accepted.
fn refused_then_unlocked(project: &Project, words: &[&str]) {
    let run = project.run(&["run", "tiny"]);
    run.exits(3).ended.tells(&["lane mine REFUSED", "run `lockstep lock mine`"]).tells(words);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete();
    assert_eq!((ledger.state("mine"), ledger.launches("mine")), (LaneState::Refused, 0), "nothing may have run");
    project.lockstep(&["preflight", "mine", "--plan", "tiny"]).exits(3).prints(words);

    let unlocked = project.run(&["run", "tiny", "--unlocked"]);
    unlocked.exits(0);
    let ledger = Ledger::of(&unlocked.path);
    ledger.is_complete();
    assert!(ledger.rows().iter().all(|row| row.unlocked && row.outcome == Outcome::Ok), "{:?}", unlocked.ended);
    let header = ledger.journal.segments().next().expect("a segment").header;
    assert_eq!(header.lanes[0].lock, None);
    assert!(unlocked.verdict().lanes[0].unlocked);
    project.lockstep(&["report", &unlocked.id]).exits(0).prints(&["unlocked"]);
    project.lockstep(&["accept", &unlocked.id]).exits(2).tells(&["lane mine ran without a lock"]);
}

fn no_lock() {
    let project = Project::new();
    project.write("lanes/mine.toml", Lane::faulty("mine", "none").text());
    only_faulty(&project);
    let lanes = project.lockstep(&["lanes", "--format", "json"]).json();
    let locked = |name: &str| {
        let lane = lanes.as_array().into_iter().flatten().find(|lane| lane["name"] == name);
        lane.expect("every lane is listed")["locked"].clone()
    };
    assert_eq!((locked("mine"), locked("native")), (false.into(), true.into()));
    refused_then_unlocked(&project, &["has no lock"]);
}

fn edited_manifest() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("mine", "none")]);
    only_faulty(&project);
    project.lockstep(&["lock", "mine", "--check"]).exits(0).prints(&["unchanged"]);
    project.run(&["run", "tiny"]).exits(0);
    project.write("lanes/mine.toml", Lane::faulty("mine", "none --work-us 100").text());
    project.lockstep(&["lock", "mine", "--check"]).exits(1).prints(&["differs"]);
    refused_then_unlocked(&project, &[]);
    project.lockstep(&["lock", "mine"]).exits(0).prints(&["written"]);
    project.run(&["run", "tiny"]).exits(0);
}

fn edited_file() {
    let project = Project::new();
    let start = "exec faulty_runner \"$@\"\n";
    project.write("containers/toy/start.sh", start);
    let lane = Lane::faulty("mine", "none").text();
    let arguments = lane.lines().find(|line| line.starts_with("arguments")).expect("a lane has arguments");
    let by_file = lane.replace(arguments, "files = \"toy\"\narguments = [\"{files}/start.sh\", \"none\"]");
    project.write("lanes/mine.toml", by_file);
    only_faulty(&project);
    project.lockstep(&["lock", "mine"]).exits(0);
    let run = project.run(&["run", "tiny"]);
    run.exits(0);
    assert_eq!(std::fs::read_to_string(run.file("files/toy/start.sh")).expect("the run keeps it"), start);
    project.write("containers/toy/start.sh", format!("# edited\n{start}"));
    refused_then_unlocked(&project, &["toy/start.sh"]);
}

fn changed_shipped_lane() {
    let project = Project::new();
    let shipped = include_str!("../../lanes/native.toml");
    project.write("lanes/native.toml", shipped.replace("measure_s = 30", "measure_s = 31"));
    project.plan(&PlanText::new("tiny", &["native"]));
    let run = project.run(&["run", "tiny"]);
    run.exits(3).ended.tells(&["lane native REFUSED", "run `lockstep lock native`"]);
    project.lockstep(&["lock", "native"]).exits(0);
    project.run(&["run", "tiny"]).exits(0);
}

fn absent_lane(project: &Project) {
    let text = Lane::faulty("absent", "none").text();
    project.write("lanes/absent.toml", text.replace("program = \"sh\"", "program = \"no-such-interpreter\""));
    project.lockstep(&["lock", "absent"]).exits(0);
}

fn run_with_absent(project: &Project, optional: bool, words: &[&str]) -> Run {
    project.lanes(&[&Lane::faulty("healthy", "none")]);
    let mut plan = PlanText::new("tiny", &["healthy"]);
    plan.lanes.push(("absent", if optional { "optional = true" } else { "" }));
    project.plan(&plan);
    let run = project.run(&["run", "tiny"]);
    let (code, state, outcome) =
        if optional { (0, LaneState::Skipped, Outcome::Skipped) } else { (3, LaneState::Refused, Outcome::Refused) };
    run.exits(code).ended.tells(words);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete();
    assert_eq!((ledger.state("absent"), ledger.outcomes("absent")), (state, [(outcome, 2)].into()));
    assert_eq!(ledger.outcomes("healthy"), [(Outcome::Ok, 12)].into());
    for row in ledger.rows_of("absent") {
        let failure = row.failure.as_ref().expect("a row that is not ok says why");
        assert_eq!(failure.class, FailureClass::Absent);
        assert!(failure.remedy.is_some(), "{failure:?}");
    }
    run
}

fn absent(optional: bool) {
    let project = Project::new();
    absent_lane(&project);
    let word = if optional { "lane absent skipped" } else { "lane absent REFUSED" };
    let run = run_with_absent(&project, optional, &[word, "no-such-interpreter", "install"]);
    run.ended.prints(&["no-such-interpreter"]);
    // Asked for by its name, its absence is no detail.
    project.lockstep(&["preflight", "absent", "--plan", "tiny"]).exits(3).prints(&["takes no part"]);
    let alone = project.lockstep(&["lane", "absent", "--plan", "tiny"]);
    alone.exits(3).prints(&["lane absent cannot run here", "program: ", "to try: install"]);
}

fn too_old() {
    let project = Project::new();
    let script = project.write("old-interpreter", "#!/bin/sh\necho 'Old 3.4.10'\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode can be set");
    // A program with a slash in its name is a path.
    let text = Lane::faulty("absent", "none").text();
    let program = format!("program = \"{}\"\nminimum_version = \"3.9\"", script.display());
    project.write("lanes/absent.toml", text.replace("program = \"sh\"", &program));
    project.lockstep(&["lock", "absent"]).exits(0);
    let run = run_with_absent(&project, true, &["lane absent skipped", "3.4.10, older than 3.9"]);
    run.ended.tells(&["install version 3.9 or newer"]);
}

fn gate() {
    let project = Project::new();
    let gate = "\n[[gate]]\nstage = \"after_imports\"\nsignal = \"engine.cache\"\nequals = \"static\"\n";
    project.write("lanes/mine.toml", format!("{}{gate}", Lane::faulty("mine", "none").text()));
    project.lockstep(&["lock", "mine"]).exits(0);
    only_faulty(&project);
    let words = ["engine.cache", "gate wants static, seen dynamic"];
    let run = project.run(&["run", "tiny"]);
    run.exits(3).ended.tells(&words);
    assert_eq!(Ledger::of(&run.path).launches("mine"), 0);
    project.lockstep(&["preflight", "mine", "--plan", "tiny"]).exits(3).prints(&words);
}

fn axis() {
    let project = Project::new();
    let text = Lane::faulty("mine", "none").text().replace("dtype = \"f32\"", "dtype = \"f32\"\nrunner = \"other\"");
    project.write("lanes/mine.toml", text);
    project.lockstep(&["lock", "mine"]).exits(0);
    only_faulty(&project);
    let run = project.run(&["run", "tiny"]);
    run.exits(3).ended.tells(&["axis runner", "declared \"other\", observed \"faulty\""]);
}

fn lane_alone() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("mine", "none"), &Lane::faulty("other", "none")]);
    project.plan(&PlanText::new("tiny", &["mine", "other"]));
    let run = project.run(&["lane", "mine", "--plan", "tiny"]);
    run.exits(0);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete();
    assert_eq!(ledger.plan.lanes.len(), 1);
    // The plan is another one, so that its snapshot cannot be taken for the whole plan's.
    assert_eq!(ledger.plan.name, "tiny+mine");
    // A lane that the plan does not name can be run under it too.
    project.lanes(&[&Lane::faulty("third", "none")]);
    project.run(&["lane", "third", "--plan", "tiny"]).exits(0);
}

fn preflight() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("mine", "none")]);
    only_faulty(&project);
    let shown = project.lockstep(&["preflight", "mine", "--plan", "tiny"]);
    shown.exits(0).prints(&[
        "before_imports",
        "after_imports",
        "supervisor",
        "runner",
        "process.exe_sha256",
        "host.cores",
    ]);
    shown.prints(&["lane mine is what it declares"]);
    let json = project.lockstep(&["preflight", "mine", "--plan", "tiny", "--format", "json"]);
    assert_eq!(json.exits(0).json()["declaration"]["state"], "ready");
    assert_eq!(project.runs(), [] as [std::path::PathBuf; 0]);
}

/// While a lane is looked at, the latest run is still the latest run.
fn preflight_under_way() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("mine", "none"), &Lane::faulty("slow", "hang-on-load")]);
    only_faulty(&project);
    let run = project.run(&["run", "tiny"]);
    let preflight = project.start(&["preflight", "slow", "--plan", "tiny"]);
    wait_for("the lane to start", || project.file("slow.pids").exists().then_some(()));
    let listed = project.lockstep(&["runs", "--format", "json"]).json();
    let latest = project.lockstep(&["report", "latest", "--format", "json"]);
    preflight.signal(rustix::process::Signal::INT);
    preflight.finish().exits(5);
    let listed: Vec<&str> = listed.as_array().into_iter().flatten().filter_map(|run| run["run"].as_str()).collect();
    assert_eq!(listed, [run.id.as_str()]);
    assert_eq!(latest.exits(0).json()["journal"]["run"], run.id.as_str());
    assert_eq!(project.only_run(), run.path);
}
