//! Where plans, lanes, locks and runs come from and go to.

use std::path::Path;

use serde_json::Value;

use crate::project::{Ledger, PlanText, Project, Run, Started};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("shipped_plans_and_lanes_are_there_in_any_folder", Needs::Nothing, anywhere),
    Named("a_projects_files_win_over_the_shipped_ones_and_the_run_says_so", Needs::Nothing, project_wins),
    Named("a_project_is_named_by_option_or_variable", Needs::Nothing, named_project),
    Named("a_copy_for_more_cores_is_written_as_the_plan_says", Needs::Nothing, more_cores),
    Named("a_verb_that_fails_before_anything_runs_leaves_no_folder", Needs::Nothing, nothing_left),
    Named("a_runs_folder_holds_what_was_used_and_what_came_of_it", Needs::Nothing, run_folder),
];

fn facts(run: &Run) -> Value {
    serde_json::from_slice(&std::fs::read(run.file("run.json")).expect("a run has facts")).expect("facts are JSON")
}

fn sources(run: &Run) -> Vec<(String, String)> {
    let ledger = Ledger::of(&run.path);
    let header = ledger.journal.segments().next().expect("a segment").header;
    header.lanes.iter().map(|lane| (lane.lane.clone(), lane.source.clone())).collect()
}

/// A shipped text with every `from` made `to`.
fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "it says {from} nowhere, so that nothing can be changed");
    text.replace(from, to)
}

fn more_cores() {
    let (project, elsewhere) = (Project::new(), Project::new());
    let shipped = include_str!("../../plans/gil-ablation.toml");
    let (agents, levels, cpus) = ("agents = [\"1\", \"2\", \"4\"]", "[2, 4]", "cpus = 4.0");
    let head: Vec<&str> = shipped.lines().take_while(|line| line.starts_with('#')).collect();
    assert!([agents, levels, cpus].iter().all(|words| head.concat().contains(words)), "{head:#?}");
    let plan = edited(shipped, "{ agents = [\"1\", \"2\"]", &format!("{{ {agents}"));
    let plan = edited(&plan, "n_agents = [2]", &format!("n_agents = {levels}"));
    let key = "key = [\"measure\", \"model\", \"workload\", \"kernels\"";
    assert!(head.concat().contains(&format!("{key}]")), "{head:#?}");
    let ladders = edited(&plan, &format!("{key}], baseline"), &format!("{key}, \"n_agents\"], baseline"));
    project.write("plans/gil-ablation.toml", ladders);
    let lanes = [
        ("python-gil", include_str!("../../lanes/python-gil.toml")),
        ("python-nogil", include_str!("../../lanes/python-nogil.toml")),
    ];
    for (name, lane) in lanes {
        project.write(&format!("lanes/{name}.toml"), edited(lane, "\ncpus = 2.0\n", &format!("\n{cpus}\n")));
    }
    let folder = project.root().display().to_string();
    let arguments = ["plan", "gil-ablation", "--format", "json", "--project", &folder];
    let expanded = elsewhere.lockstep(&arguments).exits(0).json();
    assert_ne!(expanded["source"], "embedded", "the copy is the one that was read");
    let cells = expanded["cells"].as_array().expect("a list of cells");
    let of = |agents: &str| cells.iter().filter(|cell| cell[1]["axes"]["agents"] == agents).count();
    assert_eq!([of("1"), of("2"), of("4"), cells.len()], [32, 32, 32, 96]);
}

fn anywhere() {
    let project = Project::new();
    project.lockstep(&["plan"]).exits(0).prints(&["quickstart", "embedded"]);
    let lanes = project.lockstep(&["lanes"]);
    lanes.exits(0).prints(&["native", "native-again", "native-nocache", "python-reference", "native-container"]);
    let plan = project.lockstep(&["plan", "quickstart"]);
    plan.exits(0).prints(&["/", "prefill", "kv_decode", "e2e_kv", "native-nocache", "tokens-identical", "blocks"]);
    let expanded = project.lockstep(&["plan", "quickstart", "--format", "json"]).json();
    assert_eq!(expanded["source"], "embedded");
    let cells = expanded["cells"].as_array().expect("a list of cells");
    assert_eq!(cells.len(), 7, "two workloads of three phases and one of one");
    assert!(cells.iter().filter_map(|cell| cell[0].as_str()).all(|id| plan.stdout.contains(id)));
    assert_eq!(std::fs::read_dir(project.root()).expect("it can be listed").count(), 0, "looking wrote something");

    let mine = Project::new();
    let elsewhere = mine.write("elsewhere/own.toml", PlanText::new("own", &["native", "native-again"]).text());
    let run = project.run(&["run", &elsewhere.to_string_lossy()]);
    run.exits(0);
    assert_eq!(facts(&run)["plan_source"], elsewhere.to_string_lossy().as_ref());
    assert_eq!(facts(&run)["lane_sources"]["native"], "embedded");
    let embedded = |name: &str| (name.to_owned(), "embedded".to_owned());
    assert_eq!(sources(&run), [embedded("native"), embedded("native-again")]);
}

fn project_wins() {
    let project = Project::new();
    let shipped = include_str!("../../lanes/native.toml");
    let slower = shipped.replace("measure_s = 30", "measure_s = 31");
    assert_ne!(shipped, slower);
    project.write("lanes/native.toml", &slower);
    project.plan(&PlanText::new("quickstart", &["native", "native-again"]));
    project.lockstep(&["lock", "native"]).exits(0);
    project.lockstep(&["plan"]).exits(0).prints(&["plans/quickstart.toml"]);
    let run = project.run(&["run", "quickstart"]);
    run.exits(0).ended.tells(&["plans/quickstart.toml"]);
    let facts = facts(&run);
    assert_eq!(facts["plan_source"], "plans/quickstart.toml");
    assert_eq!(facts["lane_sources"]["native"], "lanes/native.toml");
    assert_eq!(facts["lane_sources"]["native-again"], "embedded");
    let source = |name: &str, source: &str| (name.to_owned(), source.to_owned());
    assert_eq!(sources(&run), [source("native", "lanes/native.toml"), source("native-again", "embedded")]);
    assert_eq!(std::fs::read_to_string(run.file("lanes/native.toml")).expect("the run keeps its lanes"), slower);
}

fn named_project() {
    let (project, elsewhere) = (Project::new(), Project::new());
    project.plan(&PlanText::new("mine", &["native"]));
    let folder = project.root().to_string_lossy().into_owned();
    elsewhere.lockstep(&["plan", "mine"]).exits(2);
    elsewhere.lockstep(&["--project", &folder, "plan", "mine"]).exits(0);
    elsewhere.lockstep(&["plan", "mine", "--project", &folder]).exits(0);
    let mut command = elsewhere.command(&["plan", "mine"]);
    command.env("LOCKSTEP_PROJECT", &folder);
    Started::of(command).finish().exits(0);
    // A relative one counts from the working folder, also for a lane's process.
    let name = project.root().file_name().expect("a temporary folder has a name").to_string_lossy().into_owned();
    let mut command = elsewhere.command(&["run", "mine", "--project", &name]);
    command.current_dir(project.root().parent().expect("a temporary folder lies in one"));
    let run = Run::of(&project, Started::of(command).finish());
    run.exits(0);
    assert_eq!(run.path, project.only_run());
    assert!(elsewhere.runs().is_empty());
}

fn nothing_left() {
    let (project, elsewhere) = (Project::new(), Project::new());
    let garbage = elsewhere.write("garbage.bundle", "no bundle at all").to_string_lossy().into_owned();
    let unknown = PlanText::new("unknown", &["native", "no-such-lane"]);
    let unknown = elsewhere.write("unknown.toml", unknown.text()).to_string_lossy().into_owned();
    let verbs: &[&[&str]] = &[
        &["run", "nowhere"],
        &["run", &unknown],
        &["run", "quickstart", "--model", "nowhere"],
        &["run", "quickstart", "--executable", "nowhere=/bin/true"],
        &["run", "quickstart", "--executable", "python-reference=/bin/true"],
        &["run", "--bundle", "nowhere.bundle"],
        &["run", "--bundle", &garbage],
        &["lane", "nowhere"],
        &["preflight", "nowhere"],
        &["preflight", "native", "--plan", "nowhere"],
        &["calibrate", "nowhere"],
        &["calibrate", &unknown],
        &["calibrate", "quickstart", "--slowdown", "0"],
        &["bundle", &unknown, "-o", "own.bundle"],
        &["resume"],
        &["resume", "latest"],
        &["rerun", "latest", "--failed"],
        &["verify"],
        &["accept", "latest"],
        &["report", "latest"],
        &["explain", "/0a1b2c3d"],
        &["compare", "latest", "latest"],
        &["judge", "quickstart", "nowhere.jsonl"],
        &["judge", "nowhere", &garbage],
        &["import", "table", &garbage, "--plan", "tr165", "--out", "own.jsonl"],
        &["audit", "nowhere.jsonl"],
        &["lock", "nowhere"],
        &["lock", "--requirements", "torch-2.11.0"],
        &["image", "build", "nowhere"],
        &["model", "pin", "org/model"],
    ];
    for arguments in verbs {
        let mut command = project.command(arguments);
        // No uv, and no hub that answers.
        command.env("PATH", "/nonexistent").env("HF_ENDPOINT", "no address");
        let ended = Started::of(command).finish();
        assert_ne!(ended.status.code(), Some(0), "{arguments:?} did not fail: {ended:?}");
        let left: Vec<_> = std::fs::read_dir(project.root()).expect("a list").filter_map(Result::ok).collect();
        assert!(left.is_empty(), "{arguments:?} left {left:?}: {ended:?}");
    }
}

fn run_folder() {
    let (_, run) = crate::prepared::prepared();
    for name in ["run.json", "plan.toml", "journal.jsonl", "verdict.json", "report.md"] {
        assert!(run.file(name).is_file(), "{name} is missing");
    }
    for name in ["lanes/native.toml", "lanes/native-again.toml", "locks/native.lock", "locks/native-again.lock"] {
        assert!(run.file(name).is_file(), "{name} is missing");
    }
    // The run's own copy pins the executable that ran.
    let lock = std::fs::read_to_string(run.file("locks/native.lock")).expect("the run keeps its locks");
    let ledger = Ledger::of(&run.path);
    let segment = ledger.journal.segments().next().expect("a segment");
    let binary = segment.header.measured().expect("a run measures").tool.binary;
    assert!(lock.contains(&format!("executable = \"{binary}\"")), "{lock}");
    let partial = |path: &Path| path.extension().is_some_and(|extension| extension == "partial");
    let left = std::fs::read_dir(&run.path).expect("it can be listed").filter_map(Result::ok);
    assert_eq!(left.filter(|entry| partial(&entry.path())).count(), 0, "half-written files are left");
}
