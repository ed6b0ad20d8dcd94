//! Judging again, accepting, and holding a run against what was accepted.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use lockstep::journal::{Record, compress, encode, read_file};
use lockstep::snapshot::host_class;
use serde_json::Value;

use crate::prepared::{acceptable, own_copy, prepared};
use crate::project::{Ended, Lane, PlanText, Project, Run};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("judging_again_anywhere_gives_the_bytes_of_the_run", Needs::Nothing, judge_again),
    Named("an_accepted_run_verifies_and_its_stored_journal_judges_the_same", Needs::Nothing, accept_and_verify),
    Named("without_a_snapshot_run_says_how_to_accept_and_verify_exits_6", Needs::Nothing, no_snapshot),
    Named("another_host_classes_snapshot_decides_everything_but_times", Needs::Nothing, other_class),
    Named("changed_tokens_are_a_change_that_names_cell_and_digests", Needs::Nothing, changed_tokens),
    Named("a_new_lane_or_cell_needs_accepting_too", Needs::Nothing, new_parts),
    Named("a_contaminated_run_keeps_its_rows_and_is_not_accepted", Needs::Scripted, contaminated),
    Named("a_run_that_measured_nothing_is_not_accepted", Needs::Scripted, nothing_measured),
    Named("an_edited_verdict_is_found_by_verify", Needs::Nothing, edited_verdict),
    Named("a_stored_journal_that_was_chained_anew_is_found_by_verify", Needs::Nothing, || chained_anew(true)),
    Named("an_accepted_run_whose_journal_was_chained_anew_is_found_by_verify", Needs::Nothing, || chained_anew(false)),
    Named("a_run_compared_with_itself_does_not_differ", Needs::Nothing, compare),
    Named("an_interrupted_run_is_inconclusive_for_verify", Needs::Nothing, verify_interrupted),
];

/// The files of the one snapshot: the snapshot and the journal beside it.
fn snapshot(project: &Project) -> (PathBuf, PathBuf) {
    let entries = std::fs::read_dir(project.file("snapshots/tiny")).expect("there are snapshots");
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort_by_key(|path| path.extension().is_some_and(|extension| extension == "xz"));
    let [json, journal] = paths.try_into().expect("a snapshot is two files");
    (json, journal)
}

fn edit_snapshot(project: &Project, edit: impl FnOnce(&mut Value)) {
    let (path, _) = snapshot(project);
    let mut value = serde_json::from_slice(&std::fs::read(&path).expect("it can be read")).expect("it is JSON");
    edit(&mut value);
    std::fs::write(&path, value.to_string()).expect("it can be written");
}

fn judge_again() {
    let (project, run) = prepared();
    let expected = std::fs::read_to_string(run.file("verdict.json")).expect("a run has a verdict");
    let (plan, journal) = (run.file("plan.toml"), run.file("journal.jsonl"));
    let elsewhere = Project::new();
    std::fs::copy(&plan, elsewhere.file("p.toml")).expect("it can be copied");
    std::fs::copy(&journal, elsewhere.file("j")).expect("it can be copied");
    let (plan, journal) = (plan.to_string_lossy().into_owned(), journal.to_string_lossy().into_owned());
    for ended in [
        project.lockstep(&["judge", &plan, &journal, "--format", "json"]),
        project.lockstep(&["judge", &plan, &journal, "--format", "json"]),
        project.lockstep(&["judge", "plans/tiny.toml", &journal, "--format", "json"]),
        elsewhere.lockstep(&["judge", "p.toml", "j", "--format", "json"]),
        project.lockstep(&["report", "latest", "--format", "json"]),
    ] {
        assert!(ended.exits(0).stdout == expected, "another verdict: {ended:?}");
    }
    let shown = elsewhere.lockstep(&["judge", "p.toml", "j"]);
    shown.exits(0).prints(&["AS EXPECTED", "tokens", "native-again"]);
    let files = std::fs::read_dir(elsewhere.root()).expect("it can be listed").count();
    assert_eq!(files, 2, "judge wrote something");
}

fn accept_and_verify() {
    let (project, run) = prepared();
    let (json, journal) = snapshot(project);
    let class = host_class(&run.verdict().journal.segments[0].host);
    assert_eq!(json.file_name().map(|name| name.to_string_lossy().into_owned()), Some(format!("{class}.json")));
    let verified = project.lockstep(&["verify", "latest"]);
    verified.exits(0).prints(&["SAME"]);
    let compared = project.lockstep(&["verify", &run.id, "--format", "json"]);
    assert_eq!(compared.exits(0).json()["status"], "same");
    let stored = journal.to_string_lossy().into_owned();
    let judged = project.lockstep(&["judge", "plans/tiny.toml", &stored, "--format", "json"]);
    assert!(judged.exits(0).stdout == std::fs::read_to_string(run.file("verdict.json")).expect("a verdict"));
    let value: Value = serde_json::from_slice(&std::fs::read(&json).expect("it can be read")).expect("it is JSON");
    assert_eq!(value["seal"], run.journal().head.to_string());
    let text = std::fs::read_to_string(&json).expect("a snapshot is text");
    assert!(text.lines().count() > 20, "a snapshot is meant to be read in review");
}

fn no_snapshot() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native", "native-again"]));
    let run = project.run(&["run", "tiny"]);
    run.exits(0).ended.prints(&["No snapshot of this host class", &format!("lockstep accept {}", run.id)]);
    let verified = project.lockstep(&["verify", "latest"]);
    verified.exits(6).tells(&["no snapshot of plan tiny", "lockstep accept"]);
}

fn other_class() {
    let (project, run) = own_copy();
    let (json, journal) = snapshot(&project);
    edit_snapshot(&project, |value| value["host_class"] = "intel-xeon-fam6-mod143-32c".into());
    let folder = project.file("snapshots/tiny");
    std::fs::rename(json, folder.join("intel-xeon-fam6-mod143-32c.json")).expect("it can be renamed");
    std::fs::rename(journal, folder.join("intel-xeon-fam6-mod143-32c.journal.jsonl.xz")).expect("it can be renamed");
    let verified = project.lockstep(&["verify", &run.id]);
    verified.exits(6).prints(&["intel-xeon-fam6-mod143-32c", "not compared"]);
    let compared = project.lockstep(&["verify", &run.id, "--format", "json"]);
    let compared = compared.exits(6).json();
    assert_eq!(
        (&compared["status"], &compared["magnitudes"]["kind"]),
        (&"other_host_class".into(), &"not_compared".into())
    );
    // What does not depend on the host is compared all the same.
    edit_snapshot(&project, |value| value["cells"][0]["tokens_sha256"] = format!("sha256:{}", "0".repeat(64)).into());
    project.lockstep(&["verify", &run.id]).exits(1).prints(&["000000000000"]);
}

fn changed_tokens() {
    let (project, run) = own_copy();
    let cell = run.verdict().cells[1].cell.to_string();
    let mut before = String::new();
    edit_snapshot(&project, |value| {
        before = value["cells"][1]["tokens_sha256"].as_str().expect("the lanes agreed").to_owned();
        value["cells"][1]["tokens_sha256"] = format!("sha256:{}", "ab".repeat(32)).into();
    });
    let verified = project.lockstep(&["verify", &run.id]);
    verified.exits(1).prints(&["CHANGED", "tokens", &cell, "abababababab", &before[7..19]]);
    let changes = project.lockstep(&["verify", &run.id, "--format", "json"]).json();
    let tokens = changes["changes"].as_array().into_iter().flatten().filter(|change| change["part"] == "tokens");
    assert!(tokens.count() >= 1, "{changes}");
    // Accepting makes it the snapshot again.
    project.lockstep(&["accept", &run.id]).exits(0);
    project.lockstep(&["verify", &run.id]).exits(0);
}

fn new_parts() {
    let (project, run) = own_copy();
    edit_snapshot(&project, |value| drop(value["lanes"].as_array_mut().expect("a list").pop()));
    project.lockstep(&["verify", &run.id]).exits(1).prints(&["native-again"]);
    project.lockstep(&["accept", &run.id]).exits(0);
    edit_snapshot(&project, |value| drop(value["cells"].as_array_mut().expect("a list").pop()));
    let cell = run.verdict().cells.last().expect("a cell").cell.to_string();
    project.lockstep(&["verify", &run.id]).exits(1).prints(&[&cell]);
}

/// This test is the others who use the host.
fn contaminated() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("mine", "none --work-us 20000")]);
    let plan = PlanText::new("busy", &["mine"]).text().replace("busy_limit_pct = 99.9", "busy_limit_pct = 2.0");
    project.write("plans/busy.toml", plan);
    let over = AtomicBool::new(false);
    let run = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let ended = project.lockstep(&["run", "busy"]);
        over.store(true, Ordering::Relaxed);
        Run::of(&project, ended)
    });
    run.ended.exits(5).prints(&["CONTAMINATED"]);
    let verdict = run.verdict();
    assert!(verdict.contamination.contaminated && verdict.journal.rows == 12, "{:?}", verdict.contamination);
    let share = verdict.contamination.share_pct.expect("windows were measured");
    assert!((2.0..=100.0).contains(&share), "others took {share} % of the host");
    project.lockstep(&["accept", "latest"]).exits(2).tells(&["processor time", "2.00 %", "run again"]);
    assert!(!project.file("snapshots").exists());
}

fn nothing_measured() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("mine", "zero-tokens")]);
    project.plan(&PlanText::new("nothing", &["mine"]));
    project.run(&["run", "nothing"]).exits(4);
    project.lockstep(&["accept", "latest"]).exits(2).tells(&["nothing was measured", "lockstep report"]);
    assert!(!project.file("snapshots").exists());
    // Neither is it a change of anything.
    project.lockstep(&["verify", "latest"]).exits(4);
}

fn edited_verdict() {
    let (project, run) = own_copy();
    let text = std::fs::read_to_string(run.file("verdict.json")).expect("a verdict");
    std::fs::write(run.file("verdict.json"), text.replace("\"identical\"", "\"not_identical\""))
        .expect("it can be written");
    let verified = project.lockstep(&["verify", &run.id]);
    verified.exits(2).tells(&["verdict.json", "lockstep judge"]);
}

/// Somebody made a row faster and wrote chain, seal and verdict anew, of the run's journal or of the stored one.
fn chained_anew(stored: bool) {
    let (project, run) = own_copy();
    let mut records = read_file(&run.file("journal.jsonl")).expect("the journal is whole").records;
    let row = records.iter_mut().find_map(|record| match record {
        Record::Row(row) => Some(row),
        _ => None,
    });
    let wall_ns = row.expect("the journal has rows").wall_ns.as_mut().expect("the row has a time");
    *wall_ns -= 1;
    let bytes = encode(&records).expect("the records are a journal");
    if stored {
        let (_, journal) = snapshot(&project);
        std::fs::write(journal, compress(&bytes)).expect("it can be written");
    } else {
        std::fs::write(run.file("journal.jsonl"), bytes).expect("it can be written");
        let journal = run.file("journal.jsonl").to_string_lossy().into_owned();
        let judged = project.lockstep(&["judge", "plans/tiny.toml", &journal, "--format", "json"]);
        std::fs::write(run.file("verdict.json"), &judged.exits(0).stdout).expect("it can be written");
    }
    let verified = project.lockstep(&["verify", &run.id]);
    assert_ne!(verified.status.code(), Some(0), "nobody noticed: {verified:?}");
    let told = format!("{}{}", verified.stdout, verified.stderr);
    assert!(told.contains("seal"), "{verified:?}");
}

fn compare() {
    let (project, run) = prepared();
    let same = project.lockstep(&["compare", "latest", &run.id]);
    same.exits(0).prints(&[&run.id]);
    let json: Ended = project.lockstep(&["compare", "latest", "latest", "--format", "json"]);
    assert!(json.exits(0).json().is_object());
}

/// A run that was killed has no verdict.json, which is nobody's edit.
fn verify_interrupted() {
    let project = Project::new();
    project.plan(&acceptable("tiny"));
    let started = project.start(&["run", "tiny"]);
    started.line_with(" 20 %");
    let run = Run::of(&project, started.kill());
    assert!(!run.file("verdict.json").exists());
    let verified = project.lockstep(&["verify", "latest"]);
    let code = verified.status.code();
    assert!(matches!(code, Some(5 | 6)), "an interrupted run is inconclusive, or lacks a snapshot: {verified:?}");
}
