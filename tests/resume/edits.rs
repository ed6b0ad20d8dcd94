//! Somebody or something wrote to a run's files.

use std::fs;

use lockstep::journal::Record;
use lockstep::terms::Outcome;
use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use crate::Named;
use crate::project::{Ledger, PlanText, Project, Run};

pub const TRIALS: &[Named] = &[
    Named("a_torn_last_line_is_reported_set_aside_and_run_again", false, torn_while_running),
    Named("a_torn_line_after_the_seal_is_reported_and_cut_off", false, torn_after_seal),
    Named("an_edited_byte_anywhere_in_a_finished_journal_is_found_with_its_line", false, edited_bytes),
    Named("lines_that_are_gone_doubled_or_swapped_are_found", false, edited_lines),
    Named("a_journal_that_ends_early_is_never_a_finished_one", false, cut_short),
    Named("a_run_whose_plan_lane_or_model_changed_is_not_gone_on_with", false, changed_inputs),
];

fn finished(project: &Project) -> Run {
    project.plan(&PlanText::new("short", &["native", "native-again"]));
    let run = project.run(&["run", "short"]);
    run.exits(0);
    run
}

/// A run that was killed while it measured.
fn interrupted(project: &Project) -> Run {
    project.plan(&PlanText { repetitions: 10, ..PlanText::new("short", &["native", "native-again"]) });
    let started = project.start(&["run", "short"]);
    started.line_with(" 20 %");
    Run::of(project, started.kill())
}

fn torn_while_running() {
    let project = Project::new();
    let run = interrupted(&project);
    let journal = run.file("journal.jsonl");
    let whole = fs::read(&journal).expect("the journal can be read");
    // What a kill may have left without this test's doing is no whole line either.
    let whole = &whole[..=whole.iter().rposition(|byte| *byte == b'\n').expect("it has lines")];
    let torn = b"{\"type\":\"row\",\"plan\":\"sha256:00";
    fs::write(&journal, [whole, torn].concat()).expect("the journal can be written");
    let judged =
        project.lockstep(&["judge", &text(&run, "plan.toml"), &text(&run, "journal.jsonl"), "--format", "json"]);
    judged.exits(5);
    assert_eq!(judged.json()["journal"]["torn_bytes"], torn.len(), "{judged:?}");
    project.lockstep(&["report", "latest", "--format", "text"]).exits(0).prints(&["torn"]);
    project.lockstep(&["accept", "latest"]).exits(2).tells(&["torn"]);
    let resumed = Run { id: run.id.clone(), path: run.path.clone(), ended: project.lockstep(&["resume", "latest"]) };
    resumed.exits(0).ended.tells(&["is torn", "journal.torn"]);
    Ledger::of(&run.path).is_complete();
    assert_eq!(fs::read(run.file("journal.torn")).expect("it was set aside"), [&torn[..], b"\n"].concat());
    assert!(fs::read(&journal).expect("the journal can be read").starts_with(whole), "finished records were touched");
}

fn torn_after_seal() {
    let project = Project::new();
    let run = finished(&project);
    let journal = run.file("journal.jsonl");
    let whole = fs::read(&journal).expect("the journal can be read");
    fs::write(&journal, [&whole, &b"garbage"[..]].concat()).expect("the journal can be written");
    project.lockstep(&["accept", "latest"]).exits(2).tells(&["torn"]);
    let resumed = Run { id: run.id.clone(), path: run.path.clone(), ended: project.lockstep(&["resume", "latest"]) };
    resumed.exits(0).ended.tells(&["is torn"]);
    assert_eq!(fs::read(&journal).expect("the journal can be read"), whole);
    assert_eq!(resumed.verdict().journal.torn_bytes, 0);
}

fn text(run: &Run, name: &str) -> String {
    run.file(name).to_string_lossy().into_owned()
}

fn edited_bytes() {
    const EDITS: usize = 50;
    let project = Project::new();
    let run = finished(&project);
    let whole = fs::read(run.file("journal.jsonl")).expect("the journal can be read");
    let edited = project.file("edited.jsonl");
    let mut random = SplitMix64::seed_from_u64(7);
    for edit in 0..EDITS {
        // One in each fiftieth of the file. Without its last line feed the last line would be torn, not edited.
        let (from, to) = (edit * whole.len() / EDITS, (edit + 1) * whole.len() / EDITS);
        let place = (from + random.next_u64() as usize % (to - from)).min(whole.len() - 2);
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (random.next_u64() % 8);
        fs::write(&edited, &bytes).expect("a copy can be written");
        let line = 1 + whole[..place].iter().filter(|byte| **byte == b'\n').count();
        let judged = project.lockstep(&["judge", &text(&run, "plan.toml"), "edited.jsonl"]);
        judged.exits(2);
        let told = (line.saturating_sub(1)..=line).any(|line| judged.stderr.contains(&format!("line {line}:")));
        assert!(told, "byte {place} of line {line} was changed: {judged:?}");
        assert!(judged.stdout.is_empty(), "a verdict was printed: {judged:?}");
    }
    fs::write(&edited, &whole).expect("a copy can be written");
    let judged = project.lockstep(&["judge", &text(&run, "plan.toml"), "edited.jsonl", "--format", "json"]);
    assert_eq!(judged.stdout, fs::read_to_string(run.file("verdict.json")).expect("there is a verdict"));
}

fn edited_lines() {
    let project = Project::new();
    let run = finished(&project);
    let whole = fs::read_to_string(run.file("journal.jsonl")).expect("the journal can be read");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let last = lines.len() - 1;
    for at in [0, 1, last / 2, last - 1] {
        let gone = [&lines[..at], &lines[at + 1..]].concat();
        let doubled = [&lines[..=at], &lines[at..]].concat();
        let mut swapped = lines.clone();
        swapped.swap(at, at + 1);
        for (what, edit) in [("gone", gone), ("doubled", doubled), ("swapped", swapped)] {
            fs::write(run.file("journal.jsonl"), edit.concat()).expect("the journal can be written");
            for verb in ["judge", "report", "verify", "accept", "resume"] {
                let (plan, journal) = (text(&run, "plan.toml"), text(&run, "journal.jsonl"));
                let arguments = if verb == "judge" { vec![verb, &plan, &journal] } else { vec![verb, "latest"] };
                let ended = project.lockstep(&arguments);
                ended.exits(2).tells(&["line "]);
                assert!(ended.stdout.is_empty(), "line {at} {what}: {ended:?}");
                let now = fs::read_to_string(&journal).expect("the journal can be read");
                assert_eq!(now, edit.concat(), "an edited journal was written to");
            }
        }
    }
}

fn cut_short() {
    let project = Project::new();
    let run = finished(&project);
    let whole = fs::read_to_string(run.file("journal.jsonl")).expect("the journal can be read");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for kept in [lines.len() - 1, lines.len() / 2, 20] {
        fs::write(run.file("journal.jsonl"), lines[..kept].concat()).expect("the journal can be written");
        let judged = project.lockstep(&["judge", &text(&run, "plan.toml"), &text(&run, "journal.jsonl")]);
        let code = judged.status.code();
        assert!(matches!(code, Some(4 | 5)), "{kept} of {} lines pass for a finished run: {judged:?}", lines.len());
        project.lockstep(&["accept", "latest"]).exits(2).tells(&["not sealed"]);
        let verified = project.lockstep(&["verify", "latest"]);
        assert!(!matches!(verified.status.code(), Some(0 | 1)), "{verified:?}");
    }
    let resumed = Run { id: run.id.clone(), path: run.path.clone(), ended: project.lockstep(&["resume", "latest"]) };
    resumed.exits(0);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete();
    assert!(ledger.rows().iter().all(|row| row.outcome == Outcome::Ok));
    assert!(ledger.journal.records.iter().any(|record| matches!(record, Record::Reopen { .. })));
}

fn changed_inputs() {
    let project = Project::new();
    project.write(
        "lanes/mine.toml",
        include_str!("../../lanes/native.toml")
            .replace("\"native\"", "\"mine\"")
            .replace("runner = \"mine\"", "runner = \"native\"")
            .replace("runtime = \"mine\"", "runtime = \"native\""),
    );
    project.lockstep(&["lock", "mine"]).exits(0);
    project.plan(&PlanText { repetitions: 10, ..PlanText::new("short", &["native", "mine"]) });
    let started = project.start(&["run", "short"]);
    started.line_with(" 20 %");
    let run = Run::of(&project, started.kill());
    let before = fs::read(run.file("journal.jsonl")).expect("the journal can be read");
    let unchanged = |what: &str| {
        let now = fs::read(run.file("journal.jsonl")).expect("the journal can be read");
        assert_eq!(now, before, "the journal was written to although {what} changed");
    };
    let plan = fs::read_to_string(run.file("plan.toml")).expect("the plan can be read");
    fs::write(run.file("plan.toml"), plan.replace("repetitions = 10", "repetitions = 9")).expect("it can be written");
    project.lockstep(&["resume", "latest"]).exits(2).tells(&["plan", "sha256:"]);
    unchanged("the plan");
    fs::write(run.file("plan.toml"), &plan).expect("it can be written");

    let lane = project.read("lanes/mine.toml");
    project.write("lanes/mine.toml", lane.replace("measure_s = 30", "measure_s = 31"));
    project
        .lockstep(&["resume", "latest"])
        .exits(2)
        .tells(&["lane mine is not what it was", "its manifest says something else than"]);
    unchanged("a lane");
    project.write("lanes/mine.toml", &lane);

    let resumed = Run { id: run.id.clone(), path: run.path.clone(), ended: project.lockstep(&["resume", "latest"]) };
    resumed.exits(0);
    Ledger::of(&run.path).is_complete();
}
