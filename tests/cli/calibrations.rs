//! How far a host can be believed, and what follows from it.

use lockstep::journal::{Calibration, CalibrationState, Record, read_file};
use lockstep::plan::Plan;
use lockstep::snapshot::host_class;
use lockstep::verdict::{CalibrationFacts, PairFinding, calibration};
use serde_json::Value;

use crate::prepared::{own_copy, prepared};
use crate::project::{Project, Run};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("a_host_is_calibrated_by_pairs_that_are_measured_once", Needs::Nothing, pairs),
    Named("a_host_whose_calibration_failed_accepts_nothing_without_a_written_reason", Needs::Nothing, failed),
    Named("a_calibration_of_another_host_class_says_nothing_of_this_host", Needs::Nothing, another_class),
    Named("force_is_for_a_failed_calibration_alone", Needs::Nothing, force),
    Named("a_plan_without_a_lane_against_itself_cannot_calibrate", Needs::Nothing, no_control),
    Named("slowdowns_and_counts_that_make_no_sense_are_refused", Needs::Nothing, bad_options),
];

fn pairs() {
    let project = Project::new();
    let command = [
        "calibrate",
        "quickstart",
        "--verdicts",
        "2",
        "--slowdown",
        "500",
        "--slowed-verdicts",
        "1",
        "--launches",
        "3",
        "--repetitions",
        "2",
        "--format",
        "json",
    ];
    // Two pairs are too few to say anything.
    let first = project.lockstep(&command);
    let found: Calibration = serde_json::from_value(first.exits(5).json()).expect("it follows its schema");
    assert_eq!((found.pairs.verdicts, found.state, found.launches), (2, CalibrationState::Unknown, 3));
    assert_eq!((found.slowdowns[0].slowdown_pct, found.slowdowns[0].pairs.verdicts), (500.0, 1));
    let stored = journals(&project);
    assert_eq!(stored.len(), 3, "{stored:?}");
    let slowed = stored.iter().find(|path| path.to_string_lossy().contains("slowed-500")).expect("a slowed pair");
    let journal = read_file(slowed).expect("a pair's journal can be read");
    let Record::Header(header) = &journal.records[0] else { panic!("a journal begins with its header") };
    let slowdowns: Vec<_> = header.lanes.iter().map(|lane| (lane.lane.as_str(), lane.slowdown_pct)).collect();
    assert_eq!(slowdowns, [("native", None), ("native-again", Some(500.0))]);
    let quickest = |lane: &str| {
        let times = journal.rows().filter(|(_, row)| row.lane == lane).filter_map(|(_, row)| row.wall_ns);
        times.min().expect("the lane was measured") as f64
    };
    assert!(quickest("native-again") > 1.2 * quickest("native"), "the slowdown cannot be seen");
    // The pair's plan lies beside it, so that anyone can judge it again.
    let plan = slowed.with_extension("").with_extension("toml");
    let judged = project.lockstep(&["judge".as_ref(), plan.as_os_str(), slowed.as_os_str()]);
    judged.prints(&["native-again against native"]);
    // The same command measures nothing again.
    let bytes: Vec<_> = stored.iter().map(|path| std::fs::read(path).expect("it can be read")).collect();
    let second = project.lockstep(&command);
    assert_eq!(second.exits(5).stdout, first.stdout);
    let again: Vec<_> = journals(&project).iter().map(|path| std::fs::read(path).expect("it can be read")).collect();
    assert!(again == bytes, "a pair was measured twice");
    // Later runs of the host carry it.
    let preserved =
        project.lockstep(&["calibrate", "quickstart", "--verdicts", "1", "--slowed-verdicts", "0", "--launches", "3"]);
    preserved.exits(5).prints(&["Unknown", "of 1 pairs"]);
}

fn journals(project: &Project) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![project.file("runs/.calibrations")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("it can be listed").filter_map(Result::ok) {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|extension| extension == "xz") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Writes down that the run's host found a difference in so many of 200 equal pairs.
fn calibrate(project: &Project, run: &Run, found: u64) {
    let segment = &run.verdict().journal.segments[0];
    calibrate_as(project, run, found, host_class(&segment.host).as_str());
}

/// The same, of a host of that class.
fn calibrate_as(project: &Project, run: &Run, found: u64, class: &str) {
    let segment = run.verdict().journal.segments[0].clone();
    let pair =
        |different| PairFinding { different, slower: different, order_effect: false, contaminated: false, valid: true };
    let pairs: Vec<_> = (0..200).map(|index| pair(index < found)).collect();
    let facts = CalibrationFacts {
        measured_at: segment.started_at.clone(),
        plan: "quickstart".into(),
        lane: "native".into(),
        binary: segment.binary,
        host_class: class.to_owned(),
    };
    let plan = Plan::parse("tiny.toml", &project.read("plans/tiny.toml")).expect("the project's plan");
    let calibration = calibration(facts, &plan, &pairs, &[]).expect("counts make a calibration");
    let name = format!("runs/.calibrations/{}-{class}.json", segment.host.machine.short());
    project.write(&name, serde_json::to_string(&calibration).expect("it has a JSON form"));
}

fn failed() {
    let (project, run) = own_copy();
    calibrate(&project, &run, 40);
    let refused = project.lockstep(&["accept", &run.id]);
    refused.exits(2).tells(&["calibration failed", "40 of 200 pairs", "--force REASON"]);
    // A run that begins now carries it in its own journal, and says so.
    let later = project.run(&["run", "tiny"]);
    later.ended.prints(&["CALIBRATION FAILED", "40 of 200 pairs"]);
    assert_eq!(later.verdict().calibration.map(|it| it.pairs.found), Some(40));
    std::fs::remove_dir_all(project.file("runs/.calibrations")).expect("it can be removed");
    project.lockstep(&["accept", &later.id]).exits(2).tells(&["calibration failed"]);
    project.lockstep(&["accept", &later.id, "--force", " "]).exits(2).tells(&["without a reason"]);
    let forced = project.lockstep(&["accept", &later.id, "--force", "tokens only", "--format", "json"]);
    let snapshot: Value = forced.exits(0).json();
    assert_eq!((&snapshot["forced"], &snapshot["calibration"]["state"]), (&"tokens only".into(), &"failed".into()));
}

fn another_class() {
    let (project, run) = own_copy();
    let told = ["was measured on acme-z80-fam1-mod1-1c, and this host is ", "it says nothing of this host"];
    calibrate_as(&project, &run, 40, "acme-z80-fam1-mod1-1c");
    let later = project.run(&["run", "tiny"]);
    later.ended.tells(&told);
    assert_eq!(later.verdict().calibration, None);
    project.lockstep(&["accept", &run.id]).exits(0).tells(&told);
    // Under the host's own name it stays what it is.
    let segment = run.verdict().journal.segments[0].clone();
    let of = |class: &str| format!("runs/.calibrations/{}-{class}.json", segment.host.machine.short());
    let text = project.read(&of("acme-z80-fam1-mod1-1c"));
    project.write(&of(host_class(&segment.host).as_str()), text);
    project.lockstep(&["accept", &run.id]).exits(0).tells(&told);
}

fn force() {
    let (project, run) = prepared();
    let refused = project.lockstep(&["accept", &run.id, "--force", "because"]);
    refused.exits(2).tells(&["no calibration of the host failed"]);
    let (project, run) = own_copy();
    calibrate(&project, &run, 9);
    project.lockstep(&["accept", &run.id, "--force", "because"]).exits(2);
    project.lockstep(&["accept", &run.id]).exits(0);
}

fn no_control() {
    let (project, _) = prepared();
    let refused = project.lockstep(&["calibrate", "tiny"]);
    refused.exits(2).tells(&["holds no lane against itself", "negative_control"]);
}

fn bad_options() {
    let project = Project::new();
    for (slowdown, words) in
        [("0", "above 0"), ("-3", "above 0"), ("501", "up to 500"), ("NaN", "above 0"), ("x", "invalid")]
    {
        let slowdown = format!("--slowdown={slowdown}");
        project.lockstep(&["calibrate", "quickstart", &slowdown]).exits(2).tells(&[words]);
    }
    let none = project.lockstep(&["calibrate", "quickstart", "--verdicts", "0", "--slowed-verdicts", "0"]);
    none.exits(2).tells(&["no pair was asked for", "--verdicts"]);
}
