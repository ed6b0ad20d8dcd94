//! Wrong arguments and broken files: exit 2, with what was found where and what to try, and never a panic.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::prepared::{own_copy, prepared};
use crate::project::{Ended, Lane, PlanText, Project};
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("wrong_arguments_are_answered_by_what_is_right", Needs::Nothing, wrong_arguments),
    Named("a_slip_of_the_pen_is_met_with_the_nearest_name", Needs::Nothing, nearest_names),
    Named("a_broken_plan_names_file_line_key_and_the_nearest_key", Needs::Nothing, broken_plans),
    Named("a_broken_lane_names_file_line_key_and_the_nearest_key", Needs::Nothing, broken_lanes),
    Named("a_broken_lock_names_file_line_and_key", Needs::Nothing, broken_locks),
    Named(
        "a_plan_with_a_lane_that_there_is_not_is_refused_before_anything_runs",
        Needs::Nothing,
        unknown_lane_of_a_plan,
    ),
    Named("broken_files_of_a_run_are_named", Needs::Nothing, broken_runs),
    Named("a_broken_snapshot_is_named", Needs::Nothing, broken_snapshot),
    Named("bytes_that_are_no_text_are_refused", Needs::Nothing, no_text),
    Named("a_plan_that_would_decide_nothing_on_times_says_so", Needs::Nothing, want_of_control),
    Named("a_run_is_found_by_its_head_and_latest_only_where_that_is_clear", Needs::Nothing, run_names),
];

/// Bad input: exit 2, nothing on standard output, and words of the message.
#[track_caller]
fn refused(ended: &Ended, words: &[&str]) {
    ended.exits(2).tells(words);
    assert!(ended.stdout.is_empty(), "something was printed all the same: {ended:?}");
}

fn wrong_arguments() {
    let (project, run) = prepared();
    let cases: &[(&[&str], &[&str])] = &[
        (&["frobnicate"], &["unrecognized subcommand 'frobnicate'"]),
        (&["run"], &["<PLAN>"]),
        (&["run", "tiny", "extra"], &["unexpected argument 'extra'"]),
        (&["run", "tiny", "--format", "xml"], &["[possible values: text, json]"]),
        (&["run", "no-such-plan.toml"], &["reading the plan", "no-such-plan.toml"]),
        (&["run", "."], &["there is no plan"]),
        (&["run", "tiny", "--model", "no-such-folder"], &["no-such-folder/config.json"]),
        (&["rerun", "latest"], &["--failed"]),
        (&["judge", "plans/tiny.toml"], &["<JOURNAL>"]),
        (&["judge", "no-such-plan.toml", "no-such-journal"], &["no-such-plan.toml"]),
        (&["judge", "plans/tiny.toml", "no-such-journal"], &["no-such-journal"]),
        (&["explain", "latest", "a1b2c3d4e5"], &["`/` and 8 lowercase hex digits"]),
        (&["explain", "latest", "/00000000"], &["no cell /00000000", "prefill", "e2e_kv"]),
        (&["compare", "latest"], &["<SECOND>"]),
        (&["report", "latest", "--format", "pdf"], &["junit"]),
        (&["report", "no-such-run"], &["no run is called \"no-such-run\"", "lockstep runs"]),
        (&["schema", "nothing"], &["there is no schema \"nothing\"", "plan, lane, lock"]),
        (&["completions", "basch"], &["bash"]),
        (&["image", "build", "native"], &["is a process and has no image"]),
        (&["lock", "--all", "native"], &["cannot be used with"]),
        (&["--project", "no-such-folder", "lanes"], &["no-such-folder is no folder"]),
        (&["lane", "../plans/tiny"], &["there is no lane"]),
    ];
    for (arguments, words) in cases {
        refused(&project.lockstep(arguments), words);
    }
    assert_eq!(project.only_run(), run.path, "a refused command left a run behind");
}

fn nearest_names() {
    let (project, _) = prepared();
    let cases: &[(&[&str], &str)] = &[
        (&["run", "quickstrat"], "did you mean `quickstart`?"),
        (&["plan", "tinny"], "did you mean `tiny`?"),
        (&["lane", "nativ"], "did you mean `native`?"),
        (&["lane", "native", "--plan", "tny"], "did you mean `tiny`?"),
        (&["preflight", "python-refrence"], "did you mean `python-reference`?"),
        (&["lock", "native-agian"], "did you mean `native-again`?"),
        (&["image", "build", "native-contianer"], "did you mean `native-container`?"),
        (&["schema", "verdcit"], "did you mean `verdict`?"),
    ];
    for (arguments, words) in cases {
        refused(&project.lockstep(arguments), &["there is no", words]);
    }
}

/// Each verb that reads a plan, with a file that breaks it.
fn broken_plans() {
    let project = Project::new();
    let good = PlanText::new("bad", &["native"]).text();
    let cases = [
        (good.replace("repetitions = 2", "repetitons = 2"), "run.repetitons", "did you mean `repetitions`?"),
        (good.replace("launches = 3", "launches = 2"), "run.launches", "state coverage.min_launches"),
        (good.replace("seed = 5", "seed = \"five\""), "seed", "string"),
        (
            good.replace("architecture = \"qwen2\"", "architecture = \"qwen\""),
            "model.synthetic.architecture",
            "`qwen2`",
        ),
        (good.replace("[run]", "[run"), "run", ""),
        (good.replace("phases = [\"prefill\"", "phases = [\"prefil\""), "workload[0].phases", "`prefill`"),
        (good.replace("schema = 1", "schema = 9"), "schema", "newer lockstep"),
    ];
    for (text, path, hint) in cases {
        project.write("plans/bad.toml", &text);
        let line = text.lines().zip(good.lines()).position(|(bad, good)| bad != good).expect("the text differs") + 1;
        let place = format!("plans/bad.toml:{line}: {path}");
        for verb in [&["run", "bad"][..], &["plan", "bad"], &["lane", "native", "--plan", "bad"], &["plan"]] {
            refused(&project.lockstep(verb), &[&place, hint]);
        }
        refused(&project.lockstep(&["preflight", "native", "--plan", "bad"]), &[&place, hint]);
        refused(&project.lockstep(&["run", "plans/bad.toml"]), &[&place, hint]);
        refused(&project.lockstep(&["judge", "plans/bad.toml", "x"]), &[&place, hint]);
    }
    assert_eq!(project.runs(), [] as [std::path::PathBuf; 0], "a refused plan left a run behind");
}

fn broken_lanes() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native", "bad"]));
    let good = Lane::faulty("bad", "none").text();
    let cases = [
        (good.replace("measure_s", "mesure_s"), "limits.mesure_s", "did you mean `measure_s`?"),
        (good.replace("cache = ", "cahce = "), "axes.cahce", "did you mean `cache`?"),
        (good.replace("launcher = \"process\"", "launcher = \"proces\""), "launcher", "did you mean `process`?"),
        (good.replace("load_s = 20.0", "load_s = 0.0"), "limits.load_s", "above 0"),
        (good.replace("name = \"bad\"", "name = \"bad/../x\""), "name", "is no name"),
    ];
    for (text, path, hint) in cases {
        project.write("lanes/bad.toml", &text);
        let line = text.lines().zip(good.lines()).position(|(bad, good)| bad != good).expect("the text differs") + 1;
        let place = format!("lanes/bad.toml:{line}: {path}");
        for verb in [&["run", "tiny"][..], &["lane", "bad"], &["lanes"], &["preflight", "bad"], &["lock", "bad"]] {
            refused(&project.lockstep(verb), &[&place, hint]);
        }
    }
    project.write("lanes/bad.toml", good.replace("name = \"bad\"", "name = \"other\""));
    refused(&project.lockstep(&["lane", "bad"]), &["lanes/bad.toml", "\"other\""]);
    assert_eq!(project.runs(), [] as [std::path::PathBuf; 0], "a refused lane left a run behind");
}

fn broken_locks() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native"]));
    let good = include_str!("../../lockfiles/native.lock");
    let cases = [
        (good.replace("manifest", "manifset"), "did you mean `manifest`?"),
        (good.replace("sha256:", "sha265:"), "manifest"),
        (format!("{good}[files]\n\"../x\" = \"sha256:{}\"\n", "0".repeat(64)), "no path below `containers/`"),
    ];
    for (text, hint) in cases {
        project.write("lockfiles/native.lock", &text);
        for verb in [&["run", "tiny"][..], &["lane", "native"], &["lanes"], &["preflight", "native"]] {
            refused(&project.lockstep(verb), &["lockfiles/native.lock:", hint]);
        }
    }
}

fn unknown_lane_of_a_plan() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native", "native-agian"]));
    refused(
        &project.lockstep(&["run", "tiny"]),
        &["there is no lane \"native-agian\"", "did you mean `native-again`?"],
    );
    assert_eq!(project.runs(), [] as [std::path::PathBuf; 0], "a refused plan left a run behind");
}

fn broken_runs() {
    let project = Project::new();
    project.plan(&PlanText::new("tiny", &["native", "native-again"]));
    let run = project.run(&["run", "tiny"]);
    let keep = |name: &str| std::fs::read(run.file(name)).expect("a run holds it");
    let (journal, facts, verdict, plan) =
        (keep("journal.jsonl"), keep("run.json"), keep("verdict.json"), keep("plan.toml"));
    let write = |name: &str, bytes: &[u8]| std::fs::write(run.file(name), bytes).expect("it can be written");

    write("journal.jsonl", b"not a journal\n");
    for verb in ["report", "verify", "accept", "resume"] {
        refused(&project.lockstep(&[verb, "latest"]), &["journal.jsonl", "line 1"]);
    }
    refused(&project.lockstep(&["explain", "latest", "/00000000"]), &["line 1"]);
    refused(&project.lockstep(&["compare", "latest", "latest"]), &["line 1"]);
    project.lockstep(&["runs"]).exits(0).prints(&[&run.id, "unreadable"]);
    write("journal.jsonl", b"");
    refused(&project.lockstep(&["report", "latest"]), &["the journal is empty", "lockstep resume"]);
    write("journal.jsonl", &journal);

    write("run.json", b"{\"schema\": 1, \"unknown\": 2}");
    refused(&project.lockstep(&["resume", "latest"]), &["run.json", "unknown"]);
    write("run.json", &facts);

    write("verdict.json", &[&verdict[..verdict.len() / 2], b"}"].concat());
    refused(&project.lockstep(&["verify", "latest"]), &["verdict.json", "lockstep judge"]);
    write("verdict.json", &verdict);

    write("plan.toml", &[&plan[..], b"unknown = 1\n"].concat());
    for verb in ["report", "verify", "accept", "resume"] {
        refused(&project.lockstep(&[verb, "latest"]), &["plan.toml:", "unknown"]);
    }
}

fn broken_snapshot() {
    let (mine, run) = own_copy();
    let folder = mine.file("snapshots/tiny");
    let name = std::fs::read_dir(&folder)
        .expect("there are snapshots")
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.ends_with(".json"))
        .expect("there is a snapshot");
    let path = folder.join(&name);
    let good = std::fs::read_to_string(&path).expect("it can be read");
    mine.lockstep(&["verify", &run.id]).exits(0);
    let cases = [
        ("{".to_owned(), "cannot read the snapshot"),
        (good.replacen("\"format\": 1", "\"format\": 99", 1), "format 99"),
        (good.replacen("\"plan\": \"tiny\"", "\"plan\": \"other\"", 1), "holds the snapshot of plan \"other\""),
        (good.replacen("\"conclusion\"", "\"conclusoin\"", 1), "conclusoin"),
    ];
    for (text, words) in cases {
        std::fs::write(&path, &text).expect("it can be written");
        refused(&mine.lockstep(&["verify", &run.id]), &[&name, words]);
    }
}

fn no_text() {
    let project = Project::new();
    let noise = OsStr::from_bytes(b"pl\xffan");
    for verb in ["run", "plan", "lane", "resume", "report", "schema", "completions"] {
        refused(&project.lockstep(&[OsStr::new(verb), noise]), &["invalid"]);
    }
    project.write("plans/noise.toml", b"schema = 1\nname = \"\xff\"\n");
    refused(
        &project.lockstep(&["run", "noise"]),
        &["plans/noise.toml", "UTF-8", "check that it is the file that you mean"],
    );
    refused(&project.lockstep(&["plan", "./plans/noise.toml"]), &["./plans/noise.toml", "that you mean"]);
    refused(&project.lockstep(&["plan", "plans/"]), &["plans/", "it is a folder: name a file in it"]);
    project.write("lanes/noise.toml", b"\xfe\xff\0s\0c");
    refused(&project.lockstep(&["lane", "noise"]), &["lanes/noise.toml", "UTF-8"]);
    project.write("journal", b"\xff\xff\n");
    project.plan(&PlanText::new("tiny", &["native"]));
    refused(&project.lockstep(&["judge", "plans/tiny.toml", "journal"]), &["line 1"]);
    project.write("journal.gz", b"\x1f\x8b\x08\0damaged");
    refused(&project.lockstep(&["judge", "plans/tiny.toml", "journal.gz"]), &["cannot be unpacked"]);
    project.write("journal.xz", b"\xfd7zXZ\0damaged");
    refused(&project.lockstep(&["judge", "plans/tiny.toml", "journal.xz"]), &["cannot be unpacked"]);
}

fn run_names() {
    let project = Project::new();
    refused(&project.lockstep(&["report"]), &["there are no runs", "lockstep run quickstart"]);
    project.plan(&PlanText::new("tiny", &["native", "native-again"]));
    let first = project.run(&["run", "tiny"]);
    project.lockstep(&["report", &first.id[..first.id.len() - 1]]).exits(0);
    project.lockstep(&["report"]).exits(0).prints(&[&first.id]);
    project.run(&["run", "tiny"]);
    // Both began in this century.
    refused(&project.lockstep(&["report", "20"]), &["the head of 2 runs", "give more of the id"]);
    project.lockstep(&["report", &first.id]).exits(0).prints(&[&first.id]);
}

fn want_of_control() {
    let project = Project::new();
    let told = "has no negative control, so that nothing will be decided on times, whatever is measured: ";
    let without = project.lockstep(&["plan", "pattern-qwen2.5-0.5b"]);
    without.exits(0).prints(&[told, "default-prefill, reduce-overhead-prefill, ", "`steady_within_pct`"]);
    // The first has one; the second asks for no times.
    for plan in ["compile-boundary", "matrix-decode"] {
        let ended = project.lockstep(&["plan", plan]);
        ended.exits(0);
        assert!(!ended.stdout.contains(told), "{plan}: {ended:?}");
    }
}
