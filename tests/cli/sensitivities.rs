//! How far a run's results depend on choices, as `judge --sensitivity` shows it.

use crate::project::Project;
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("judge_shows_what_each_result_would_have_been_by_another_choice", Needs::Nothing, of_a_run),
    Named("judge_has_no_sensitivity_of_a_published_report", Needs::Nothing, of_a_report),
];

fn committed(path: &str) -> String {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

fn of_a_run() {
    let project = Project::new();
    let journal = committed("snapshots/compile-boundary/intel-xeon-fam6-mod207-32c-nvidia-h200x1.journal.jsonl.xz");
    let asked = ["judge", "compile-boundary", &journal, "--sensitivity"];
    let found = project.lockstep(&[&asked[..], &["--format", "json"]].concat()).exits(0).json();
    let of = |name: &str| {
        let found = found.as_array().into_iter().flatten().find(|entry| entry["hypothesis"] == name);
        found.unwrap_or_else(|| panic!("{name} is not shown")).clone()
    };
    let falls_back = of("default-dynamic-falls-back");
    assert_eq!(falls_back["registered"], "flipped");
    assert_eq!(falls_back["otherwise"]["without_first"], "flipped");
    let without = falls_back["without_a_block"].as_object().expect("by block");
    assert!(without.len() == 7 && without.values().all(|result| result == "inconclusive"), "{without:?}");
    let gain = of("static-default-decode");
    assert_eq!((&gain["registered"], &gain["otherwise"]["eager_held"]), (&"strong_win".into(), &"inconclusive".into()));
    let told = ["static-default-decode", "strong_win", "7 of 7", "Another choice gives another result of"];
    project.lockstep(&asked).exits(0).prints(&told);
    project
        .lockstep(&[&asked[..], &["--format", "md"]].concat())
        .exits(0)
        .prints(&["0 of 7; inconclusive without 0, 1, 2, 3, 4, 5, 6 |"]);
}

fn of_a_report() {
    let journal = committed("tests/journals/tr165.jsonl.xz");
    let refused = ["judge", "tr165", &journal, "--sensitivity"];
    Project::new().lockstep(&refused).exits(2).tells(&["design of a published report", "leave --sensitivity out"]);
}
