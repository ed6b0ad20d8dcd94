//! The committed runs of a GPU: where they lie, and what they are called.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use lockstep::journal::{Journal, read_file};
use lockstep::plan::Plan;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn file(name: &str, ending: &str) -> PathBuf {
    root().join("tests/journals/h200").join(format!("{name}.{ending}"))
}

/// The run's journal: beside its snapshot where its verdict was accepted, else beside its verdict.
pub fn journal_of(name: &str) -> PathBuf {
    let beside_the_verdict = file(name, "jsonl.xz");
    let accepted = std::fs::read_dir(root().join("snapshots").join(name)).into_iter().flatten();
    let mut accepted = accepted.map(|file| file.expect("it can be listed").path());
    accepted
        .find(|path| path.to_str().is_some_and(|path| path.ends_with("-nvidia-h200x1.journal.jsonl.xz")))
        .unwrap_or(beside_the_verdict)
}

pub fn plan_and_journal(name: &str) -> (Plan, Journal) {
    let text = read_to_string(root().join("plans").join(format!("{name}.toml"))).expect("its plan is shipped");
    let plan = Plan::parse(name, &text).expect("a shipped plan is one");
    (plan, read_file(&journal_of(name)).expect("the journal is committed"))
}

/// The names of all committed runs.
pub fn names() -> Vec<String> {
    let folder = std::fs::read_dir(root().join("tests/journals/h200")).expect("there are runs");
    let files = folder.map(|file| file.expect("it can be listed").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<String> =
        files.filter_map(|name| Some(name.strip_suffix(".verdict.json")?.to_owned())).collect();
    names.sort();
    names
}
