//! The 134 tables of the five published reports, imported: no row lost, no digit changed, every number with the
//! resolution that it was printed with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lockstep::import::{Imported, InputFile, Kind, PlanIdentity, gather, import};
use lockstep::journal::{self, SummaryCell};
use lockstep::plan::Plan;
use lockstep::terms::{Axes, Scalar};
use serde_json::Value;

const REPORTS: [&str; 5] = ["tr165", "tr147", "tr126", "treni", "tr117"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tables(below: &str) -> Vec<InputFile> {
    gather(Kind::Table, &[root().join("tests/claims/data").join(below)]).expect("the tables are committed")
}

fn imported(files: &[InputFile]) -> Imported {
    let path = root().join("plans/quickstart.toml");
    let text = std::fs::read_to_string(&path).expect("the plan is committed");
    let plan = Plan::parse("plans/quickstart.toml", &text).expect("the plan is one");
    let plan = PlanIdentity { sha256: plan.digest(), name: plan.name };
    import(Kind::Table, files, &plan, Axes::new()).expect("the tables are tables")
}

/// Whether the cell says what stands in the table's file.
fn says(cell: &SummaryCell, value: &Value) -> bool {
    match (&cell.value, value) {
        (None, Value::Null) => true,
        (Some(Scalar::Bool(ours)), Value::Bool(theirs)) => ours == theirs,
        (Some(Scalar::Text(ours)), Value::String(theirs)) => ours == theirs,
        (Some(Scalar::Int(ours)), Value::Number(theirs)) => theirs.as_i64() == Some(*ours),
        (Some(Scalar::Float(ours)), Value::Number(theirs)) => {
            !theirs.is_i64() && theirs.as_f64().is_some_and(|theirs| theirs.to_bits() == ours.to_bits())
        }
        _ => false,
    }
}

#[test]
fn every_printed_cell_of_the_reports_keeps_its_value_unit_and_resolution() {
    let files = tables("");
    let imported = imported(&files);
    assert_eq!((files.len(), imported.tables, imported.summaries, imported.observations()), (134, 134, 1_055, 0));
    let journal = journal::read(&imported.encode().expect("a journal")).expect("a journal");
    let mut rows: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for summary in journal.summaries() {
        rows.entry(&summary.table).or_default().push(summary);
    }
    let (mut cells, mut numbers) = (0, 0);
    for file in &files {
        let table: Value = serde_json::from_slice(&file.bytes).expect("a table is JSON");
        let name = table["table"].as_str().expect("a table has a name");
        let printed = table["rows"].as_array().expect("a table has rows");
        let ours = &rows[name];
        assert_eq!(ours.len(), printed.len(), "{name}");
        for (index, (summary, row)) in ours.iter().zip(printed).enumerate() {
            assert_eq!(summary.row, index as u64 + 1);
            assert_eq!(Some(summary.section.as_str()), table["section"].as_str());
            assert_eq!(serde_json::json!(summary.derived), table["derived_columns"]);
            let row = row.as_object().expect("a row is an object");
            assert_eq!(summary.values.len(), row.len(), "{name}, row {index}");
            for (column, value) in row {
                let cell = &summary.values[column];
                let place = format!("{name}, row {index}, {column}: {cell:?} and {value}");
                assert!(says(cell, value), "{place}");
                assert_eq!(Some(cell.unit.as_str()), table["units"][column].as_str(), "{place}");
                let stated = &table["resolution"][column];
                let stated = if stated.is_array() { &stated[index] } else { stated };
                let expected = if value.is_number() { stated.as_f64() } else { None };
                assert_eq!(cell.resolution, expected, "{place}");
                assert!(!value.is_number() || cell.resolution.is_some(), "{place}");
                cells += 1;
                numbers += u32::from(value.is_number());
            }
        }
    }
    println!("{cells} cells, {numbers} of them numbers, each with its resolution");
    assert_eq!((cells, numbers), (6_435, 3_271));
}

#[test]
fn each_table_belongs_to_one_report() {
    let of = |report: &str| tables(report).into_iter().map(|file| file.bytes).collect::<Vec<_>>();
    let mut apart: Vec<Vec<u8>> = REPORTS.iter().flat_map(|report| of(report)).collect();
    let mut together: Vec<Vec<u8>> = tables("").into_iter().map(|file| file.bytes).collect();
    apart.sort();
    together.sort();
    assert_eq!(apart, together);
    let folders = std::fs::read_dir(root().join("tests/claims/data")).expect("the tables are committed");
    let folders = folders.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir());
    let mut names: Vec<PathBuf> = folders.collect();
    names.sort();
    assert_eq!(names.len(), REPORTS.len(), "{names:?}");
}
