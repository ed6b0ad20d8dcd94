//! A regression in times under a plan that asks for confirming runs: real runs, each with its own journal.

use crate::project::{Lane, PlanText, Project, Run};
use crate::scene::Named;

pub fn trials() -> Vec<Named> {
    let tests: [(&str, fn()); 2] = [
        ("a_regression_stands_when_the_confirming_runs_show_it_and_not_otherwise", confirm),
        ("without_the_plans_word_nothing_is_run_again", without_the_plans_word),
    ];
    tests.map(|(name, test)| (name.to_owned(), Box::new(test) as Box<dyn FnOnce() + Send>)).into()
}

const ASKS: &str = "\n[statistics]\nband_pct = 60.0\n\n[gate]\nconfirm_by_rerun = 2\n";

/// A lane that takes 10 ms a token where a file `fast` lies, and five times as long where none does.
fn project(rest: &'static str) -> Project {
    let project = Project::new();
    let script = "if [ -e fast ]; then us=10000; else us=50000; fi; exec faulty_runner \"$@\" --work-us $us";
    project.lanes(&[&Lane::faulty("mine", "none").script(script)]);
    project.plan(&PlanText { launches: 4, repetitions: 1, new_tokens: 2, rest, ..PlanText::new("timed", &["mine"]) });
    project
}

fn set_fast(project: &Project, fast: bool) {
    if fast {
        project.write("fast", "");
    } else {
        std::fs::remove_file(project.file("fast")).expect("it was there");
    }
}

/// A fast run, accepted, and a slow one after it.
fn regressed(rest: &'static str) -> (Project, Run) {
    let project = project(rest);
    set_fast(&project, true);
    project.run(&["run", "timed"]).exits(0);
    project.lockstep(&["accept", "latest"]).exits(0);
    set_fast(&project, false);
    let slow = project.run(&["run", "timed"]);
    slow.ended.exits(1).prints(&["magnitude_left_band"]);
    (project, slow)
}

fn confirm() {
    let (project, slow) = regressed(ASKS);
    let command = format!("lockstep verify {} --confirm", slow.id);
    slow.ended.prints(&["the plan asks for 2 confirming runs", &command]);
    let before = project.runs().len();
    project.lockstep(&["verify", &slow.id]).exits(1).prints(&["0 made so far", &command]);
    assert_eq!(project.runs().len(), before, "nothing is run again unasked");

    let confirmed = project.lockstep(&["verify", &slow.id, "--confirm", "--format", "json"]);
    let json = confirmed.exits(1).json();
    assert_eq!(json["confirmation"]["state"], "confirmed", "{json}");
    assert_eq!(json["confirmation"]["runs"].as_array().map(Vec::len), Some(2));
    let runs = project.runs();
    assert_eq!(runs.len(), before + 2, "each confirming run is a run of its own");
    assert!(runs.iter().all(|run| run.join("journal.jsonl").exists() && run.join("verdict.json").exists()));
    for run in json["confirmation"]["runs"].as_array().into_iter().flatten() {
        assert!(project.file("runs").join(run["run"].as_str().expect("a run has an id")).is_dir(), "{run}");
    }
    // It is derived from the journals again, and no further run is made.
    let again = project.lockstep(&["verify", &slow.id, "--confirm"]);
    again.exits(1).prints(&["confirmed by 2 of 2 confirming runs"]);
    assert_eq!(project.runs().len(), before + 2);
    project.lockstep(&["verify", "latest", "--confirm"]).exits(2).tells(&["confirms run", "confirm_by_rerun"]);

    let second = project.run(&["run", "timed"]);
    set_fast(&project, true);
    let refuted = project.lockstep(&["verify", &second.id, "--confirm"]);
    refuted.exits(5).prints(&["INCONCLUSIVE", "not confirmed, after 1 of 2 confirming runs", "does not show it"]);
    let junit = project.lockstep(&["verify", &second.id, "--format", "junit"]);
    junit.exits(5).prints(&["failures=\"0\"", "type=\"undecided\"", "not confirmed"]);
}

fn without_the_plans_word() {
    let (project, slow) = regressed("\n[statistics]\nband_pct = 60.0\n");
    let before = project.runs().len();
    let refused = project.lockstep(&["verify", &slow.id, "--confirm"]);
    refused.exits(2).tells(&["asks for no confirming run", "confirm_by_rerun"]);
    let verified = project.lockstep(&["verify", &slow.id]);
    assert!(!verified.exits(1).stdout.contains("confirm"), "{verified:?}");
    assert_eq!(project.runs().len(), before);
}
