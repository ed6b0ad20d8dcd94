//! What the report of the GPU's runs names: each cell stands in a run that is named beside it.

mod gpu_runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;

use gpu_runs::{file, names, plan_and_journal};
use lockstep::journal::Row;
use lockstep::terms::Outcome;

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

/// What was measured carries its cells; [F] has none, and how the runs are put together is told of all of them.
#[test]
fn every_bullet_names_the_cells_that_it_rests_on() {
    let report = report();
    let (said, of_choices) = report.split_once("## How far the verdicts depend on choices").expect("the section");
    let bare = parts(said).into_iter().filter(|part| {
        let rests = !cells_in(part).is_empty() || part.contains("(the table's") || part.contains("[F]");
        part.starts_with("- ") && !rests
    });
    assert_eq!(bare.collect::<Vec<_>>(), [""; 0]);
    assert!(!cells_in(of_choices).is_empty());
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

/// A time in milliseconds as the report's tables have it.
fn shown_ms(wall_ns: u64) -> String {
    let ms = wall_ns as f64 / 1.0e6;
    match ms {
        ms if ms < 100.0 => format!("{ms:.1}"),
        ms if ms < 1_000.0 => format!("{ms:.0}"),
        ms => {
            let whole = format!("{ms:.0}");
            let (thousands, rest) = whole.split_at(whole.len() - 3);
            format!("{thousands},{rest}")
        }
    }
}

/// A row as a field of such a table: what it took, `F` before it where it fell back, `C` where it crashed.
fn field(row: &Row) -> String {
    let took = || shown_ms(row.wall_ns.expect("a time"));
    match row.outcome {
        Outcome::Ok => took(),
        Outcome::FellBack => format!("F {}", took()),
        Outcome::Crashed => "C".to_owned(),
        other => panic!("{other} has no field"),
    }
}

#[test]
fn every_field_of_the_tables_of_single_rows_is_what_its_row_says() {
    let rows: Vec<Row> = ["matrix-prefill", "matrix-decode", "matrix-decode-aot-eager", "matrix-e2e", "matrix-axes"]
        .into_iter()
        .flat_map(|name| plan_and_journal(name).1.rows().map(|(_, row)| row.clone()).collect::<Vec<_>>())
        .collect();
    let (mut checked, mut is_in_table) = (0, false);
    let report = report();
    for line in report.lines() {
        if line.starts_with("| tokens | eager, dynamic") || line.starts_with("| scenario | prompt |") {
            is_in_table = true;
        }
        is_in_table &= line.starts_with('|');
        for one in line.split('|').filter(|_| is_in_table) {
            let Some((told, cell)) =
                one.split_once(" (").and_then(|(told, cell)| Some((told.trim(), cell.split_once(')')?.0)))
            else {
                continue;
            };
            let found: Vec<&Row> = rows.iter().filter(|row| row.cell.to_string() == cell).collect();
            let [row] = found[..] else { panic!("{cell} has {} rows", found.len()) };
            assert_eq!(told, field(row), "{cell}");
            checked += 1;
        }
    }
    assert_eq!(checked, 3 * 64 + 4 * 6, "fields of the four tables");
}

/// Of one prompt each, which token comes of it and which eight follow: eager and compiled, over either cache, in 32 bits.
#[test]
fn at_the_gpt_2s_every_way_gives_the_tokens_of_eager_work() {
    for name in ["pattern-gpt2-25m", "pattern-gpt2-50m", "pattern-gpt2-100m"] {
        let (_, journal) = plan_and_journal(name);
        let (mut given, mut rows) = (BTreeSet::new(), BTreeMap::new());
        for (_, row) in journal.rows().filter(|(_, row)| row.outcome != Outcome::Crashed && !row.tokens.is_empty()) {
            given.insert(&row.tokens);
            rows.entry(row.tokens.len())
                .or_insert_with(BTreeMap::new)
                .entry(&row.cell)
                .and_modify(|n| *n += 1)
                .or_insert(1);
        }
        assert_eq!(given.len(), 2, "{name}: one token after the prompt, eight of decoding: {given:?}");
        let came: Vec<_> = rows.iter().map(|(len, cells)| (*len, cells.len())).collect();
        assert_eq!(came, [(1, 3), (8, 5)], "{name}");
        assert!(rows.values().flat_map(BTreeMap::values).all(|of_cell| *of_cell == 9), "{name}: {rows:?}");
    }
}
