//! Designs over small tables and rows of others: what a plan may ask of what was imported, and what it is told.

use lockstep::import::{InputFile, Kind, PlanIdentity, import};
use lockstep::journal::{self, Journal};
use lockstep::plan::Design;
use lockstep::terms::Axes;
use lockstep::verdict::judge_published;
use lockstep::verdict::rules::Ruling;

#[path = "designs/cold_starts.rs"]
mod cold_starts;
#[path = "designs/families.rs"]
mod families;
#[path = "designs/grounds.rs"]
mod grounds;
#[path = "designs/observed.rs"]
mod observed;
#[path = "designs/promotions.rs"]
mod promotions;

/// A design with `published` added to its table of that name.
fn design(published: &str, rules: &[&str]) -> Design {
    Design::parse("observed", &design_text(published, rules)).expect("a design")
}

fn design_text(published: &str, rules: &[&str]) -> String {
    let mut text = format!(
        "schema = 1\nname = \"observed\"\n[published]\nreport = \"Rows\"\nreplication = \"iteration\"\nalpha = 0.05\n\
         bootstrap_resamples = 1000\nbootstrap_seed = 1\n{published}\n"
    );
    for (at, rule) in rules.iter().enumerate() {
        text.push_str(&format!("[[hypothesis]]\nname = \"h{at}\"\n[hypothesis.rule]\n{rule}\n"));
    }
    text
}

fn journal_of(design: &Design, kind: Kind, name: &str, text: &str) -> Journal {
    imported(design, kind, &[InputFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() }])
}

fn rulings(design: &Design, journal: &Journal) -> Vec<Ruling> {
    let verdict = judge_published(design, journal).expect("a verdict");
    verdict.hypotheses.into_iter().map(|hypothesis| hypothesis.ruling).collect()
}

/// Rows of tables as a report prints them: table, columns, rows; the columns of numbers are in the unit.
fn table(name: &str, unit: &str, rows: &serde_json::Value) -> InputFile {
    let first = rows[0].as_object().expect("a row");
    let holds_numbers =
        |name: &String| rows.as_array().is_some_and(|rows| rows.iter().any(|row| row[name].is_number()));
    let of = |name: &String| if holds_numbers(name) { unit.to_owned() } else { "text".to_owned() };
    let units: serde_json::Map<_, _> = first.keys().map(|name| (name.clone(), of(name).into())).collect();
    let exact: serde_json::Map<_, _> = first.keys().map(|name| (name.clone(), 0.0.into())).collect();
    let file = serde_json::json!({
        "table": name, "report": "Rows", "section": "1", "title": name, "units": units, "resolution": exact,
        "derived_columns": [], "rows": rows,
    });
    InputFile { name: format!("{name}.json"), bytes: file.to_string().into_bytes() }
}

fn imported(design: &Design, kind: Kind, files: &[InputFile]) -> Journal {
    let identity = PlanIdentity { sha256: design.digest(), name: design.name.clone() };
    let imported = import(kind, files, &identity, Axes::new()).expect("files of the kind");
    journal::read(&imported.encode().expect("a journal")).expect("a journal")
}
