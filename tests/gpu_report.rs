//! What the report of the GPU's runs names: each cell stands in a run that is named beside it.

mod gpu_runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;

use gpu_runs::{file, names, plan_and_journal};

fn report() -> String {
    read_to_string(file("REPORT", "md")).expect("there is a report")
}

/// The cells of each run, by the letters that the report's table of runs gives it.
fn cells_by_tag(report: &str) -> BTreeMap<String, BTreeSet<String>> {
    let named = report.lines().filter_map(|line| {
        let (tag, rest) = line.strip_prefix("| [")?.split_once("] `")?;
        Some((tag.to_owned(), rest.split_once('`')?.0.to_owned()))
    });
    let committed = names();
    let runs = named.filter(|(_, name)| committed.contains(name));
    let of = |name: &str| {
        let (_, journal) = plan_and_journal(name);
        journal.rows().map(|(_, row)| row.cell.to_string()).collect()
    };
    runs.map(|(tag, name)| (tag, of(&name))).collect()
}

/// Bullets, paragraphs and rows of tables: what carries its evidence in itself.
fn parts(report: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for line in report.lines() {
        let begins = line.starts_with("- ") || line.starts_with('|') || line.starts_with('#') || line.trim().is_empty();
        match parts.last_mut().filter(|_| !begins) {
            Some(part) => {
                part.push(' ');
                part.push_str(line);
            }
            None => parts.push(line.to_owned()),
        }
    }
    parts
}

fn cells_in(part: &str) -> Vec<String> {
    let hashes = part.split('/').skip(1).filter_map(|rest| rest.get(..8));
    let hashes = hashes.filter(|hash| hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    hashes.map(|hash| format!("/{hash}")).collect()
}

fn tags_in(part: &str) -> Vec<&str> {
    let bracketed = part.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
    bracketed.map(|inside| inside.split_once(", ").map_or(inside, |(tag, _)| tag)).collect()
}

#[test]
fn every_committed_run_has_its_letters() {
    let report = report();
    assert_eq!(cells_by_tag(&report).len(), names().len());
}

#[test]
fn every_cell_that_the_report_names_has_rows_in_a_run_that_is_named_beside_it() {
    let report = report();
    let cells = cells_by_tag(&report);
    let (mut found, mut heading) = (0, String::new());
    for part in parts(&report) {
        // A table stands for the run that the text before it names.
        if !part.starts_with('|') && !part.trim().is_empty() {
            heading.clone_from(&part);
        }
        let named: Vec<&str> = tags_in(&part).into_iter().filter(|tag| cells.contains_key(*tag)).collect();
        let above: Vec<&str> = tags_in(&heading).into_iter().filter(|tag| cells.contains_key(*tag)).collect();
        let of = if named.is_empty() && part.starts_with('|') { above } else { named };
        for cell in cells_in(&part) {
            found += 1;
            let is_there = of.iter().any(|tag| cells[*tag].contains(&cell));
            // The end of a section sums up what stands in it.
            let sums_up = of.is_empty() && cells.values().any(|cells| cells.contains(&cell));
            assert!(is_there || sums_up, "{cell} has no rows in {of:?}: {part}");
        }
    }
    assert!(found > 500, "{found}");
}
