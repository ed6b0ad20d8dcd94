//! Runs that are kept although they have not come to their end: they are read, and no verdict stands on them.

use std::collections::BTreeMap;
use std::path::Path;

use lockstep::journal::{Journal, Row, read_file};
use lockstep::plan::Plan;
use lockstep::terms::{FailureClass, Outcome, SignalValue};
use lockstep::verdict::{Conclusion, judge};

fn kept() -> (Plan, Journal) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("plans/compile-boundary.toml")).unwrap();
    let journal = root.join("tests/journals/unfinished/compile-boundary-h200/journal.jsonl.gz");
    (Plan::parse("compile-boundary.toml", &text).unwrap(), read_file(&journal).unwrap())
}

/// Cache and compile mode, and the tokens that were asked for.
type Asked = (String, u32);

/// Outcomes and classes, and how often each came.
type Came = BTreeMap<(Outcome, Option<FailureClass>), usize>;

fn told(plan: &Plan, rows: &[&Row]) -> BTreeMap<Asked, Came> {
    let cells: BTreeMap<_, _> = plan.cells().unwrap().into_iter().map(|cell| (cell.id(), cell)).collect();
    let mut found: BTreeMap<Asked, Came> = BTreeMap::new();
    for row in rows {
        let cell = &cells[&row.cell];
        let key = (format!("{} {}", cell.axes["cache"], cell.axes["compile_mode"]), cell.new_tokens);
        let what = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
        *found.entry(key).or_default().entry(what).or_default() += 1;
    }
    found
}

#[test]
fn a_run_that_is_not_finished_decides_nothing() {
    let (plan, journal) = kept();
    let verdict = judge(&plan, &journal).unwrap();
    assert_eq!(verdict.conclusion, Conclusion::Inconclusive);
    assert!(verdict.reasons[0].starts_with("the journal is not sealed"), "{:?}", verdict.reasons);
    for hypothesis in &verdict.hypotheses {
        assert_eq!(hypothesis.result(), "inconclusive", "{}", hypothesis.name);
    }
}

#[test]
fn compiled_rows_of_the_gpu_are_ok_by_proof_or_name_what_ran_instead() {
    let (plan, journal) = kept();
    let rows: Vec<&Row> = journal.rows().map(|(_, row)| row).collect();
    let told = told(&plan, &rows);
    let of = |mode: &str, tokens: u32| told[&(mode.to_owned(), tokens)].keys().copied().collect::<Vec<_>>();
    let crashed = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
    let given_up = (Outcome::Skipped, Some(FailureClass::Launch));
    for tokens in [1, 8] {
        assert_eq!(of("dynamic reduce-overhead", tokens), [crashed, given_up], "{tokens} tokens");
    }
    assert_eq!(of("dynamic default", 8), [(Outcome::FellBack, Some(FailureClass::RecompileLimit))]);
    for (mode, tokens) in [("static default", 8), ("static reduce-overhead", 8), ("static reduce-overhead", 32)] {
        assert_eq!(of(mode, tokens), [(Outcome::Ok, None)], "{mode}, {tokens} tokens");
    }
    let replays = |row: &&&Row| row.evidence["compile_mode"] == SignalValue::from("reduce-overhead");
    let replayed: Vec<&&Row> = rows.iter().filter(|row| row.outcome == Outcome::Ok).filter(replays).collect();
    assert!(!replayed.is_empty());
    for row in replayed {
        assert!(matches!(row.evidence["cuda_graphs.replays"], SignalValue::Int(1..)), "{row:?}");
    }
}
