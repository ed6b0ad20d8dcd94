//! Faults in what was imported: an end that is missing, rows that stand twice, and what had to hold and is not told.

use std::collections::BTreeSet;

use lockstep::verdict::Conclusion;
use serde_json::Value;

use super::*;

#[test]
fn a_journal_without_its_end_is_judged_and_inconclusive() {
    let design = Design::parse("tr165", &plan_text("tr165")).expect("a design");
    let whole = decompress(&std::fs::read(journal_file("tr165")).expect("it is committed"), MAX_JOURNAL_BYTES)
        .expect("it is packed");
    let judged = |bytes: &[u8]| judge_published(&design, &journal::read(bytes).expect("a journal")).expect("a verdict");
    assert_eq!(judged(&whole).conclusion, Conclusion::AsExpected);
    let seal = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("it has several lines") + 1;
    let unsealed = &whole[..seal];
    for journal in [unsealed, &whole[..whole.len() - 1], &[unsealed, b"{\"type\":\"summ"].concat()] {
        let verdict = judged(journal);
        assert_eq!(verdict.conclusion, Conclusion::Inconclusive);
        assert!(verdict.reasons[0].starts_with("the journal is not sealed"), "{:?}", verdict.reasons);
    }
}

/// The tables of a report with the row that a ruling cites added once more, at the end of its table.
fn with_copy_of(name: &str, source: &str) -> Vec<InputFile> {
    let (table, row) = source.rsplit_once(':').expect("a row is cited as table:row");
    let mut files = tables(name);
    let file = files.iter_mut().find(|file| file.name == format!("{table}.json")).expect("the table's file");
    let mut document: Value = serde_json::from_slice(&file.bytes).expect("a table is JSON");
    let at = row.parse::<usize>().expect("a row's number") - 1;
    let again = |list: &mut Value| {
        let list = list.as_array_mut().expect("a list");
        list.push(list[at].clone());
    };
    again(&mut document["rows"]);
    document["n_rows"] = document["rows"].as_array().map_or(0, Vec::len).into();
    let resolutions = document["resolution"].as_object_mut().expect("resolutions by column");
    resolutions.values_mut().filter(|resolution| resolution.is_array()).for_each(again);
    file.bytes = serde_json::to_vec(&document).expect("JSON");
    files
}

#[test]
fn a_row_that_stands_twice_counts_for_no_rule() {
    let (mut refused, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for design in designs() {
        for hypothesis in judge_published(&design, &committed(&design.name)).expect("a verdict").hypotheses {
            let Some(source) = hypothesis.ruling.rests_on.first() else { continue };
            let files = with_copy_of(&design.name, source);
            let verdict = judge_published(&design, &imported(&design, &files)).expect("a verdict");
            let ruling = ruling(&verdict, &hypothesis.name);
            if hypothesis.ruling.standing == Standing::Invalid {
                continue;
            }
            if ruling.standing == Standing::Invalid {
                refused.insert(hypothesis.kind);
            } else {
                taken.insert(hypothesis.kind);
            }
        }
    }
    for kind in [
        "falsification_ladder",
        "hang_ledger",
        "static_cache_rescue",
        "consistency",
        "correlation_criterion",
        "difference_criterion",
        "score_and_latency",
        "commercial_routing",
        "stated_differences",
        "ladder_of_bands",
    ] {
        assert!(refused.contains(kind), "{kind} takes a row twice");
    }
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), ["licence"]);
}

#[test]
fn rows_that_stand_twice_are_named() {
    let design = Design::parse("tr165", &plan_text("tr165")).expect("a design");
    let says = |source: &str, hypothesis: &str| {
        let verdict = judge_published(&design, &imported(&design, &with_copy_of("tr165", source))).expect("a verdict");
        ruling(&verdict, hypothesis).reasons[0].clone()
    };
    let shape = says("tr165_hang_ledger:2", "gil-ladder");
    assert!(shape.starts_with("tr165_hang_ledger:2 and tr165_hang_ledger:7 have the same key"), "{shape}");
    let fact = says("tr165_preflight:1", "gil-ladder");
    assert!(fact.starts_with("tr165_preflight:1 and tr165_preflight:8 have the same key"), "{fact}");
}

/// The ruling on TR165's ladder with some rows of a table taken out.
fn ladder_without(table: &str, is_out: impl Fn(&Value) -> bool) -> Ruling {
    let design = Design::parse("tr165", &plan_text("tr165")).expect("a design");
    let mut files = tables("tr165");
    let file = files.iter_mut().find(|file| file.name == format!("{table}.json")).expect("the table's file");
    let mut document: Value = serde_json::from_slice(&file.bytes).expect("a table is JSON");
    let rows = document["rows"].as_array_mut().expect("rows");
    rows.retain(|row| !is_out(row));
    document["n_rows"] = rows.len().into();
    file.bytes = serde_json::to_vec(&document).expect("JSON");
    let verdict = judge_published(&design, &imported(&design, &files)).expect("a verdict");
    ruling(&verdict, "gil-ladder").clone()
}

#[test]
fn the_ladder_abstains_where_one_thing_that_must_hold_is_not_told() {
    let floors = "tr165_coverage_floors";
    let without = |precondition: &str| ladder_without(floors, |row| row["precondition"] == precondition);
    for precondition in ["runtime_ok_for_verdict", "free_threaded_build", "gil_disabled_at_dispatcher_startup"] {
        let ladder = without(precondition);
        assert_eq!(ladder.label, "abstain");
        assert!(ladder.reasons[0].contains(&format!("{precondition} in table {floors}")), "{:?}", ladder.reasons);
    }
    // The two counts of that table are floors of the ladder itself.
    assert_eq!(without("minimum_n2_data").label, "H2_partial");
    let one = ladder_without("tr165_preflight", |row| row["stage"] != "before imports");
    assert_eq!((one.label.as_str(), one.reasons.len()), ("abstain", 6));
    assert!(one.reasons[0].contains("sys._is_gil_enabled(), after torch"), "{:?}", one.reasons);
}

#[test]
fn an_efficiency_below_zero_is_refused() {
    let verdict = with_cell("tr165_n2_efficiency", "\"tr165_eff\": 0.7226", "\"tr165_eff\": -0.5");
    let ladder = ruling(&verdict, "gil-ladder");
    assert_eq!(ladder.standing, Standing::Invalid);
    assert!(ladder.reasons[0].ends_with("-50 % is no efficiency"), "{:?}", ladder.reasons);
}
