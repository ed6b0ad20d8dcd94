//! Two builds held against each other in one run, and the script and workflow that gate a pull request by it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use lockstep::terms::Digest;
use serde_json::Value;

use crate::prepared::acceptable;
use crate::project::{Ended, PlanText, Project, Started, example};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("lanes_run_the_executable_that_they_are_given", Needs::Nothing, two_builds),
    Named("an_executable_that_cannot_be_given_says_why", Needs::Nothing, refused),
    Named("the_gate_of_pull_requests_passes_equal_builds_and_fails_others", Needs::Program("bash"), script),
    Named("the_gate_of_pull_requests_fails_a_build_that_is_slower", Needs::Slowed, slower),
    Named("a_head_that_loosens_the_gate_is_judged_by_the_bases_rules", Needs::Slowed, loosened),
    Named("the_workflow_runs_the_gate_and_keeps_what_it_writes", Needs::Nothing, workflow),
];

const LANES: [&str; 3] = ["native-base", "native-base-again", "native-head"];

fn digest(path: &Path) -> String {
    Digest::of_file(path).expect("it can be read").to_string()
}

/// Two executables of one program, told apart by a byte that no one runs.
fn builds(project: &Project) -> (PathBuf, PathBuf) {
    let own = Path::new(env!("CARGO_BIN_EXE_lockstep"));
    let (base, head) = (project.file("base"), project.file("head"));
    std::fs::copy(own, &base).expect("an executable can be copied");
    std::fs::copy(own, &head).expect("an executable can be copied");
    let mut bytes = std::fs::OpenOptions::new().append(true).open(&head).expect("the copy can be written");
    std::io::Write::write_all(&mut bytes, b"\n").expect("the copy can be written");
    (base, head)
}

fn options(base: &Path, head: &Path) -> Vec<String> {
    let given = [(LANES[0], base), (LANES[1], base), (LANES[2], head)];
    given.iter().flat_map(|(lane, path)| ["--executable".to_owned(), format!("{lane}={}", path.display())]).collect()
}

fn two_builds() {
    let project = Project::new();
    project.plan(&PlanText::new("gate", &LANES));
    let (base, head) = builds(&project);
    let mut arguments = vec!["run".to_owned(), "gate".to_owned()];
    arguments.extend(options(&base, &head));
    let run = project.run(&arguments);
    run.exits(0);
    let journal = run.journal();
    let header = journal.segments().next().expect("a run has a segment").header;
    for (lane, build) in header.lanes.iter().zip([&base, &base, &head]) {
        assert_eq!(lane.declared["binary"], digest(build), "{}", lane.lane);
        assert_eq!(lane.observed["binary"], digest(build), "{} was seen to run another", lane.lane);
    }
    let lanes: Vec<&str> = journal
        .records
        .iter()
        .filter_map(|record| match record {
            lockstep::journal::Record::LaunchStart(start) => Some(start.lane.as_str()),
            _ => None,
        })
        .collect();
    let first: std::collections::BTreeSet<&str> = lanes.iter().take(3).copied().collect();
    assert_eq!(first.len(), 3, "the builds take turns: {lanes:?}");
    // The run goes on with what it began with, or not at all.
    std::fs::remove_file(&head).expect("a copy can be removed");
    std::fs::copy(&base, &head).expect("an executable can be copied");
    project.lockstep(&["rerun", "latest", "--failed"]).exits(2).tells(&["native-head", "put that executable back"]);
}

fn refused() {
    let project = Project::new();
    project.plan(&PlanText::new("gate", &LANES));
    project.plan(&PlanText { same_tokens: false, ..PlanText::new("python", &["python-reference"]) });
    let own = env!("CARGO_BIN_EXE_lockstep");
    let run = |plan: &str, given: &[&str]| -> Ended {
        let words = ["run", plan].into_iter().chain(given.iter().flat_map(|given| ["--executable", given]));
        project.lockstep(&words.collect::<Vec<_>>())
    };
    run("gate", &["native-base"]).exits(2).tells(&["expected a lane's name"]);
    run("gate", &[&format!("native={own}")]).exits(2).tells(&["does not have", "native-head"]);
    run("gate", &["native-base=nowhere/lockstep"]).exits(2).tells(&["nowhere/lockstep", "check the path"]);
    run("gate", &[&format!("native-base={own}"), &format!("native-base={own}")]).exits(2).tells(&["twice"]);
    run("python", &[&format!("python-reference={own}")]).exits(2).tells(&["does not run lockstep itself"]);
    assert!(project.runs().is_empty());
    let none = project.write("no-lockstep", "#!/bin/sh\nexit 0\n");
    std::fs::set_permissions(&none, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a file's mode can be set");
    run("gate", &[&format!("native-head={}", none.display())]).exits(3).prints(&["native-head"]);
}

fn gate(project: &Project, base: &Path, head: &Path) -> Ended {
    gate_with(project, base, head, None)
}

/// The gate, told which project the head was built from.
fn gate_with(project: &Project, base: &Path, head: &Path, head_project: Option<&Path>) -> Ended {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/gate");
    let words = [script.as_os_str(), base.as_os_str(), head.as_os_str(), "found".as_ref()];
    let words: Vec<&OsStr> = words.into_iter().chain(head_project.map(Path::as_os_str)).collect();
    Started::of(project.command_of(Path::new("bash"), &words)).finish()
}

/// A project that lets everything through: margins that nothing leaves, a snapshot of other work, a script that is content.
fn lenient() -> Project {
    let project = Project::new();
    let plan = wide_plan();
    assert!(plan.contains("margin_pct = 80.0"));
    project.write("plans/gate.toml", plan.replace("margin_pct = 80.0", "margin_pct = 99999.0"));
    project.plan(&PlanText { new_tokens: 60, ..acceptable("quickstart") });
    let run = project.run(&["run", "quickstart"]);
    run.ended.exits(0);
    project.lockstep(&["accept", "latest"]).exits(0);
    project.write(".ci/gate", "#!/bin/sh\nexit 0\n");
    project
}

fn loosened() {
    let (project, head_project) = (gated(), lenient());
    let (base, _) = builds(&project);
    let head = example("slowed_lockstep").expect("the test is not run without it");
    let ended = gate_with(&project, &base, &head, Some(head_project.root()));
    ended.exits(1).prints(&["Times, both builds in one run**: failed (1)", "snapshot**: as expected"]);
    let told = "The head changes what decides here**; the base's decided, so that somebody has to look at: .ci/gate ";
    ended.prints(&[told, " plans/gate.toml", " plans/quickstart.toml", " snapshots/quickstart"]);
    assert_eq!(found(&project), "slower", "by the base's plan: {ended:?}");
    // The head's run: the base's plan and snapshot, in a project of its own.
    let plan = |root: &Path| std::fs::read_to_string(root.join("plans/quickstart.toml")).expect("a plan");
    assert_eq!(plan(&project.file("found/project")), plan(project.root()));
    assert!(!head_project.file("found").exists(), "nothing is written into the head's project");
}

/// The shipped plan of the gate, measured less, its margins so wide that only a build of another kind leaves them: how
/// exactly a machine tells times is no matter here.
fn wide_plan() -> String {
    let changes = [
        ("launches = 16", "launches = 5"),
        ("repetitions = 10", "repetitions = 3"),
        ("warmup = 3", "warmup = 1"),
        ("busy_limit_pct = 10.0", "busy_limit_pct = 99.9"),
        ("margin_pct = 5.0", "margin_pct = 80.0"),
    ];
    changes.iter().fold(include_str!("../../plans/gate.toml").to_owned(), |text, (shipped, wide)| {
        assert!(text.contains(shipped), "the plan has no {shipped:?}");
        text.replace(shipped, wide)
    })
}

/// A project in which the gate has a plan and the plan `quickstart` a snapshot.
fn gated() -> Project {
    let project = Project::new();
    project.write("plans/gate.toml", wide_plan());
    project.plan(&acceptable("quickstart"));
    let run = project.run(&["run", "quickstart"]);
    run.ended.exits(0);
    project.lockstep(&["accept", "latest"]).exits(0);
    project
}

/// What the run of plan `gate` found of the head's times.
fn found(project: &Project) -> String {
    let verdicts = project.runs().into_iter().map(|run| std::fs::read_to_string(run.join("verdict.json")));
    let verdicts = verdicts.map(|text| serde_json::from_str::<Value>(&text.expect("a run has a verdict")));
    let mut verdicts = verdicts.map(|verdict| verdict.expect("it is JSON"));
    let verdict = verdicts.find(|verdict| verdict["plan"] == "gate").expect("plan gate was run");
    let hypotheses = verdict["hypotheses"].as_array().expect("a list");
    let times = hypotheses.iter().find(|one| one["name"] == "head-against-base").expect("it is in the plan");
    times["finding"].as_str().expect("it was judged").to_owned()
}

fn slower() {
    let project = gated();
    let (base, _) = builds(&project);
    let head = example("slowed_lockstep").expect("the test is not run without it");
    let ended = gate(&project, &base, &head);
    ended.exits(1).prints(&["Times, both builds in one run**: failed (1)", "snapshot**: as expected"]);
    assert_eq!(found(&project), "slower", "{ended:?}");
    assert!(project.read("found/times.xml").contains("<failure"), "{ended:?}");
    assert!(!project.read("found/gates.xml").contains("<failure"), "only its times are against it: {ended:?}");
}

fn script() {
    let project = gated();
    let (base, head) = builds(&project);
    let ended = gate(&project, &base, &head);
    ended.exits(0);
    assert_ne!(found(&project), "slower", "they are one program");
    for (file, words) in [
        ("found/times.xml", "<testsuite"),
        ("found/gates.xml", "<testsuite"),
        ("found/gates.json", "\"gates\""),
        ("found/times.md", &digest(&head)),
        ("found/summary.md", "head against base"),
        ("found/summary.md", "## Identity axes"),
        ("found/summary.md", &digest(&base)),
        ("found/summary.md", &digest(&head)),
        ("found/summary.md", "Identity axes that differ"),
    ] {
        assert!(project.read(file).contains(words), "{file} lacks {words:?}: {ended:?}");
    }
    // From here on its times are no matter.
    project.plan(&PlanText::new("gate", &LANES));
    // Another verdict than the accepted one: the snapshot's plan is not what HEAD runs any more.
    project.plan(&PlanText { new_tokens: 60, ..acceptable("quickstart") });
    let ended = gate(&project, &base, &head);
    ended.exits(1);
    assert!(project.read("found/summary.md").contains("against the snapshot**: failed (1)"), "{ended:?}");
    assert!(project.read("found/gates.xml").contains("<failure"), "{ended:?}");
    // A head that does not run at all.
    let broken = project.write("broken", "#!/bin/sh\nexit 1\n");
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a file's mode can be set");
    gate(&project, &base, &broken).exits(1).prints(&["Times, both builds in one run**: failed (3)"]);
    gate(&project, &base, Path::new("nowhere")).exits(2).tells(&["usage: .ci/gate BASE HEAD OUT [HEAD_PROJECT]"]);
}

fn workflow() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(".github/workflows/gate.yml")).expect("the workflow is there");
    let script = std::fs::read_to_string(root.join(".ci/gate")).expect("the script is there");
    assert!(!text.contains('\t'), "YAML takes no tabs");
    let call = text.lines().find_map(|line| line.trim().strip_prefix("run: .ci/gate ")).expect("it calls the gate");
    // The base's script in the base's project, which its plans and snapshots are taken from.
    assert!(text.contains("working-directory: base\n        run: .ci/gate "), "the head's own script would judge it");
    let call: Vec<&str> = call.split(' ').collect();
    assert_eq!(call, ["target/release/lockstep", "../head/target/release/lockstep", "../gate", "../head"]);
    assert!(text.find("rustup toolchain install") < text.find("cargo build"), "Rust is installed before it is used");
    assert!(text.contains("--edit-last || \"${post[@]}\""), "one comment for a pull request, not one for each push");
    for checkout in ["base", "head"] {
        assert!(text.contains(&format!("--manifest-path {checkout}/Cargo.toml")), "{checkout} is not built");
        assert!(text.contains(&format!("path: {checkout}\n")), "{checkout} is not checked out");
    }
    let kept = text.lines().filter_map(|line| line.trim().strip_prefix("gate/"));
    let kept: Vec<&str> = kept.filter(|file| !file.contains('*')).collect();
    assert!(kept.contains(&"times.xml") && kept.contains(&"gates.xml"), "JUnit is kept: {kept:?}");
    for file in kept {
        assert!(script.contains(&format!("$out/{file}")), "the gate writes no {file}");
    }
    // Each verb with each option that the script calls is one that lockstep has.
    let project = Project::new();
    for line in
        script.lines().map(str::trim).filter(|line| line.starts_with("\"$base\" ") || line.starts_with("\"$head\" "))
    {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let help = project.lockstep(&[words[0], "--help"]);
        help.exits(0);
        for option in words.iter().filter(|word| word.starts_with("--")) {
            help.prints(&[option]);
        }
    }
}
