//! Good files of others to plant faults in, each with the plan that judges what is imported from them.

use std::path::Path;
use std::sync::LazyLock;

use lockstep::import::{Error, InputFile, Kind, PlanIdentity, gather, import};
use lockstep::journal::read;
use lockstep::plan::Design;
use lockstep::terms::Axes;
use lockstep::verdict::{PublishedVerdict, judge_published};
use serde_json::{Value, json};

use crate::bases::committed;
use crate::caught::Caught;
use crate::draft::Draft;

/// Files, the plan whose hypotheses rest on them, and what they are judged to be.
pub struct Report {
    pub design: Design,
    pub files: Vec<InputFile>,
    pub verdict: PublishedVerdict,
    kind: Kind,
}

impl Report {
    fn of(design: Design, kind: Kind, files: Vec<InputFile>) -> Self {
        let journal =
            journal(&design, kind, &files).unwrap_or_else(|error| panic!("the base is not imported: {error}"));
        let journal = read(&journal).unwrap_or_else(|error| panic!("the base is no journal: {error}"));
        let verdict =
            judge_published(&design, &journal).unwrap_or_else(|error| panic!("the base is not judged: {error}"));
        Self { design, files, verdict, kind }
    }

    /// The printed tables of a report, by its shipped plan.
    fn published(name: &str) -> Self {
        let text = String::from_utf8(committed(&format!("plans/{name}.toml"))).expect("a plan is text");
        let design = Design::parse(name, &text).expect("the shipped plan is a design");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/claims/data").join(name);
        Self::of(design, Kind::Table, gather(Kind::Table, &[folder]).expect("the tables are committed"))
    }

    /// The journal that the files are imported to.
    pub fn draft(&self) -> Draft {
        let journal = journal(&self.design, self.kind, &self.files).expect("it was imported before");
        Draft::of(&String::from_utf8(journal).expect("a journal is text"))
    }

    /// What catches a fault in the files.
    pub fn caught_in_files(&self, files: &[InputFile]) -> Caught {
        match journal(&self.design, self.kind, files) {
            Err(error) => Caught::Importer(error.to_string()),
            Ok(journal) => self.caught_in_journal(&journal),
        }
    }

    /// What catches a fault in the journal.
    pub fn caught_in_journal(&self, journal: &[u8]) -> Caught {
        Caught::by_design(&self.design, &self.verdict, journal)
    }
}

fn journal(design: &Design, kind: Kind, files: &[InputFile]) -> Result<Vec<u8>, Error> {
    let plan = PlanIdentity { sha256: design.digest(), name: design.name.clone() };
    import(kind, files, &plan, Axes::new())?.encode()
}

pub static TR117: LazyLock<Report> = LazyLock::new(|| Report::published("tr117"));
pub static TR126: LazyLock<Report> = LazyLock::new(|| Report::published("tr126"));
pub static TR147: LazyLock<Report> = LazyLock::new(|| Report::published("tr147"));
pub static TR165: LazyLock<Report> = LazyLock::new(|| Report::published("tr165"));
pub static TRENI: LazyLock<Report> = LazyLock::new(|| Report::published("treni"));

/// No report publishes its raw rows, so these are in the shape of TR147's and the plan is about no more than them:
/// compiled decoding takes half the time, and crashes from 64 tokens on.
pub static RAW: LazyLock<Report> = LazyLock::new(|| {
    let design = Design::parse("raw", RAW_PLAN).expect("the plan is a design");
    Report::of(design, Kind::Tr147, vec![InputFile { name: "rows.jsonl".to_owned(), bytes: raw_rows() }])
});

const RAW_PLAN: &str = r#"
schema = 1
name = "raw"

[published]
report = "Rows"
replication = "iteration"
alpha = 0.05
bootstrap_resamples = 1000
bootstrap_seed = 1

[published.counted]
cells = ["compile_mode", "token_len"]

[[hypothesis]]
name = "compiled-decode"
claim = "Compiled decoding takes less time."
expect = ["lower"]
[hypothesis.rule]
kind = "mean_contrast"
left = { rows = { table = "observations", where = { arm = ["eager"], token_len = [8] } }, mean = "wall_ms" }
right = { rows = { table = "observations", where = { arm = ["default"], token_len = [8] } }, mean = "wall_ms" }
margin = 1.0
power = 0.8

[[hypothesis]]
name = "where-it-crashes"
claim = "Compiled decoding crashes beyond 16 tokens."
expect = ["located"]
[hypothesis.rule]
kind = "crash_boundary"
rows = { table = "cells", where = { compile_mode = ["default"] } }
at = "token_len"
crashes = "crashed"
n = "attempts"
cut = 0.5
"#;

fn raw_rows() -> Vec<u8> {
    let mut text = String::new();
    for compile_mode in ["eager", "default"] {
        for token_len in [8, 16, 64] {
            for iteration in 0..10 {
                let ms = if compile_mode == "eager" { 100.0 } else { 50.0 } + f64::from(iteration % 3);
                let mut row = json!({
                    "model": "m", "mode": "kv_decode", "compile_mode": compile_mode, "token_len": token_len,
                    "iteration": iteration, "status": "ok", "wall_ms": ms, "decode_tokens": token_len, "error": null
                });
                if compile_mode == "default" && token_len == 64 {
                    (row["status"], row["error"]) = (json!("error"), json!("RuntimeError: CUDAGraphs"));
                    row["wall_ms"] = Value::Null;
                }
                text.push_str(&format!("{row}\n"));
            }
        }
    }
    text.into_bytes()
}

/// The file that holds a table.
pub fn file<'a>(files: &'a mut [InputFile], table: &str) -> &'a mut InputFile {
    let name = format!("{table}.json");
    files.iter_mut().find(|file| file.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

/// Changes a table as the JSON that it is.
pub fn table(files: &mut [InputFile], name: &str, change: impl FnOnce(&mut Value)) {
    let file = file(files, name);
    let mut document: Value = serde_json::from_slice(&file.bytes).expect("a table is JSON");
    change(&mut document);
    file.bytes = document.to_string().into_bytes();
}

/// Changes the rows of a table, and has it count them right.
pub fn rows(files: &mut [InputFile], name: &str, change: impl FnOnce(&mut Vec<Value>)) {
    table(files, name, |document| {
        let rows = document["rows"].as_array_mut().expect("a table has rows");
        change(rows);
        document["n_rows"] = json!(rows.len());
    });
}

/// Changes every row for which `which` holds.
pub fn each(files: &mut [InputFile], name: &str, which: impl Fn(&Value) -> bool, change: impl Fn(&mut Value)) {
    rows(files, name, |rows| {
        let mut chosen = rows.iter_mut().filter(|row| which(row)).peekable();
        assert!(chosen.peek().is_some(), "{name} has no such row, so nothing was planted");
        chosen.for_each(change);
    });
}

/// Takes out every row for which `which` holds.
pub fn without(files: &mut [InputFile], name: &str, which: impl Fn(&Value) -> bool) {
    rows(files, name, |rows| {
        let before = rows.len();
        rows.retain(|row| !which(row));
        assert!(rows.len() < before, "{name} has no such row, so nothing was planted");
    });
}

/// Changes a file's text in its first such place.
pub fn text(files: &mut [InputFile], table: &str, from: &str, to: &str) {
    let file = file(files, table);
    let before = String::from_utf8(file.bytes.clone()).expect("a table is text");
    assert!(before.contains(from), "{table} does not say {from}");
    file.bytes = before.replacen(from, to, 1).into_bytes();
}
