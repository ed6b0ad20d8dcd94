//! Faults in a journal of what others printed and measured. No lane can be judged from it, so the good one gives no
//! verdict: its faults are caught by the reader, or by what the records say having changed.

use std::path::Path;
use std::sync::LazyLock;

use lockstep::import::{Kind, PlanIdentity, gather, import};
use lockstep::journal::{Journal, Record, read};
use lockstep::terms::Axes;
use serde_json::json;

use crate::bases::{GOOD, whole_plan};
use crate::caught::Caught;
use crate::draft::Draft;

/// A published table and a file of raw rows, imported into two segments.
static IMPORTED: LazyLock<Draft> = LazyLock::new(|| {
    let plan = whole_plan();
    let plan = PlanIdentity { sha256: plan.digest(), name: plan.name };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/claims/data/tr165");
    let files = gather(Kind::Table, &[folder]).expect("the tables are committed");
    let imported = import(Kind::Table, &files, &plan, Axes::new()).expect("the tables are tables");
    let journal = String::from_utf8(imported.encode().expect("a journal")).expect("a journal is text");
    let mut draft = Draft::of(&journal);
    let mut header = draft.value(0);
    header["segment"] = json!(1);
    header["imported"] = json!({"kind": "jsonl", "files": [
        {"name": "rows.jsonl", "sha256": lockstep::terms::Digest::of(b"rows").to_string(), "bytes": 4}
    ]});
    let observation = |line: u64| {
        json!({
            "type": "observation", "source": "rows.jsonl", "line": line, "arm": "compiled", "outcome": "ok",
            "metrics": {"wall": {"value": 12.25, "unit": "ms"}}
        })
    };
    let seal = draft.lines.len() - 1;
    let second = [header, observation(1), observation(2), observation(3)].map(|value| value.to_string());
    draft.lines.splice(seal..seal, second);
    draft
});

pub struct Mutation {
    pub name: &'static str,
    plant: fn(&mut Draft),
}

impl Mutation {
    /// Plants the fault and asks the reader.
    pub fn caught(&self) -> Caught {
        let mut draft = IMPORTED.clone();
        (self.plant)(&mut draft);
        let good = read(&IMPORTED.sealed()).expect("the base is a journal");
        match read(&draft.sealed()) {
            Err(error) => Caught::Reader(error.to_string()),
            Ok(journal) if told(&journal) == told(&good) && journal.sealed == good.sealed => Caught::Nothing,
            Ok(_) => Caught::Verdict(vec!["tables"]),
        }
    }
}

/// What stands in the tables and rows.
fn told(journal: &Journal) -> Vec<&Record> {
    journal.records.iter().filter(|record| matches!(record, Record::Summary(_) | Record::Observation(_))).collect()
}

fn of(name: &'static str, plant: fn(&mut Draft)) -> Mutation {
    Mutation { name, plant }
}

/// Changes the first number of the first table.
fn first_number(d: &mut Draft, change: impl Fn(&mut serde_json::Value)) {
    let is_number = |cell: &serde_json::Value| cell["value"].is_number();
    let has = |summary: &serde_json::Value| summary["values"].as_object().is_some_and(|v| v.values().any(is_number));
    d.change_first("summary", has, |summary| {
        let cells = summary["values"].as_object_mut().expect("columns");
        change(cells.values_mut().find(|cell| is_number(cell)).expect("a number"));
    });
}

pub fn tables() -> Vec<Mutation> {
    vec![
        of("imported: a number loses its resolution", |d| {
            first_number(d, |cell| drop(cell.as_object_mut().expect("a cell").remove("resolution")));
        }),
        of("imported: a resolution is negative", |d| first_number(d, |cell| cell["resolution"] = json!(-0.5))),
        of("imported: a number becomes a text", |d| {
            first_number(d, |cell| cell["value"] = json!(cell["value"].to_string()));
        }),
        of("imported: a number is edited", |d| {
            first_number(d, |cell| cell["value"] = json!(cell["value"].as_f64().unwrap_or(0.0) + 1_000.0));
        }),
        of("imported: a row of a table stands twice", |d| {
            let at = d.first("summary", |_| true);
            let line = d.lines[at].clone();
            d.lines.insert(at, line);
        }),
        of("imported: rows of a table change places", |d| {
            let at = d.first("summary", |summary| summary["row"] == 1);
            d.lines.swap(at, at + 1);
        }),
        of("imported: a row of a table is taken out", |d| {
            let at = d.first("summary", |summary| summary["row"] == 2);
            d.lines.remove(at);
        }),
    ]
}

pub fn segments() -> Vec<Mutation> {
    vec![
        of("imported: a measured row stands in it", |d| {
            let row = GOOD.draft.lines[GOOD.draft.first("row", |_| true)].clone();
            d.lines.insert(1, row);
        }),
        of("imported: a launch starts in it", |d| {
            let start = GOOD.draft.lines[GOOD.draft.first("launch_start", |_| true)].clone();
            d.lines.insert(1, start);
        }),
        of("imported: the header says when and by what it was measured", |d| {
            let measured = GOOD.draft.value(0);
            d.header(|header| {
                for key in ["started_at", "tool", "host"] {
                    header[key] = measured[key].clone();
                }
            });
        }),
        of("imported: the header says that it was measured", |d| {
            let measured = GOOD.draft.value(0);
            d.header(|header| {
                for key in ["started_at", "tool", "host", "lanes", "signals"] {
                    header[key] = measured[key].clone();
                }
                header["imported"] = json!(null);
            });
        }),
        of("imported: the header names no file", |d| d.header(|header| header["imported"]["files"] = json!([]))),
        of("imported: a raw row is of a file that the header does not name", |d| {
            d.change_first("observation", |_| true, |row| row["source"] = json!("other.jsonl"));
        }),
        of("imported: a raw row stands twice", |d| {
            let at = d.first("observation", |_| true);
            let line = d.lines[at].clone();
            d.lines.insert(at, line);
        }),
        of("imported: a metric has no unit", |d| {
            d.change_first(
                "observation",
                |_| true,
                |row| {
                    drop(row["metrics"]["wall"].as_object_mut().expect("a metric").remove("unit"));
                },
            );
        }),
        of("imported: a raw row is ok and names a failure", |d| {
            d.change_first(
                "observation",
                |_| true,
                |row| {
                    row["failure"] = json!({"class": "exception", "message": "it broke"});
                },
            );
        }),
        of("imported: a raw row failed and does not say why", |d| {
            d.change_first("observation", |_| true, |row| row["outcome"] = json!("crashed"));
        }),
    ]
}
