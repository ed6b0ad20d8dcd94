//! Runs that are kept although they have not come to their end: they are read, and no verdict stands on them.

use std::collections::BTreeMap;
use std::path::Path;

use lockstep::journal::{Journal, Row, read_file};
use lockstep::plan::Plan;
use lockstep::terms::{FailureClass, Outcome};
use lockstep::verdict::{Conclusion, judge};

fn kept(name: &str) -> (Plan, Journal) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("plans").join(format!("{name}.toml"))).unwrap();
    let journal = root.join(format!("tests/journals/unfinished/{name}-h200/journal.jsonl.xz"));
    (Plan::parse(name, &text).unwrap(), read_file(&journal).unwrap())
}

/// What came of the rows of each lane in the cells that this chooses.
fn came(
    plan: &Plan,
    journal: &Journal,
    chosen: impl Fn(&lockstep::terms::Cell) -> bool,
) -> BTreeMap<String, Vec<Fate>> {
    let cells: BTreeMap<_, _> = plan.cells().unwrap().into_iter().map(|cell| (cell.id(), cell)).collect();
    let mut found: BTreeMap<String, Vec<Fate>> = BTreeMap::new();
    for row in journal.rows().map(|(_, row)| row).filter(|row| chosen(&cells[&row.cell])) {
        let fates = found.entry(row.lane.clone()).or_default();
        if !fates.contains(&fate(row)) {
            fates.push(fate(row));
        }
    }
    found
}

/// Outcome and class.
type Fate = (Outcome, Option<FailureClass>);

fn fate(row: &Row) -> Fate {
    (row.outcome, row.failure.as_ref().map(|failure| failure.class))
}

#[test]
fn a_run_that_is_not_finished_decides_nothing() {
    for name in ["compile-crash-boundary", "staticcache-rescue", "matrix-e2e"] {
        let (plan, journal) = kept(name);
        let verdict = judge(&plan, &journal).unwrap();
        let expected = [Conclusion::Inconclusive, Conclusion::NothingMeasured];
        assert!(expected.contains(&verdict.conclusion), "{name}: {:?}", verdict.conclusion);
        assert!(
            verdict.reasons.iter().any(|reason| reason.starts_with("the journal is not sealed")),
            "{:?}",
            verdict.reasons
        );
    }
}

#[test]
fn the_base_slice_of_prompt_and_decoding_so_far_crashed_or_fell_back_over_a_growing_cache_alone() {
    let (plan, journal) = kept("matrix-e2e");
    assert_eq!(journal.rows().count(), 48);
    let of = |chosen: &dyn Fn(&lockstep::terms::Cell) -> bool| {
        came(&plan, &journal, chosen)["triton-3.6.0-torch-2.11"].clone()
    };
    assert_eq!(of(&|cell| cell.axes["cache"] == "static"), [(Outcome::Ok, None)]);
    // A prompt and its first token are one pass, which nothing overwrites.
    let replayed = |from, to| of(&|cell| growing(cell, "reduce-overhead") && (from..=to).contains(&cell.new_tokens));
    assert_eq!(replayed(1, 1), [(Outcome::Ok, None)]);
    assert_eq!(replayed(2, 512), [(Outcome::Crashed, Some(FailureClass::CudagraphOverwritten))]);
    // A prompt and seven tokens are eight passes, as many as the compiler makes graphs for.
    for mode in ["default", "aot_eager"] {
        let compiled = |from, to| of(&|cell| growing(cell, mode) && (from..=to).contains(&cell.new_tokens));
        assert_eq!(compiled(1, 8), [(Outcome::Ok, None)], "{mode}");
        assert_eq!(compiled(9, 512), [(Outcome::FellBack, Some(FailureClass::RecompileLimit))], "{mode}");
    }
}

fn growing(cell: &lockstep::terms::Cell, mode: &str) -> bool {
    cell.axes["cache"] == "dynamic" && cell.axes["compile_mode"] == mode
}

#[test]
fn unmarked_replay_over_a_growing_cache_crashes_at_either_length() {
    let (plan, journal) = kept("compile-crash-boundary");
    let crashed = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
    for length in [1, 64] {
        let lanes = came(&plan, &journal, |cell| cell.new_tokens == length);
        assert_eq!(lanes["triton-3.6.0-torch-2.11"], [crashed], "{length}");
    }
}
