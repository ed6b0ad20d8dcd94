//! Runs that are kept although they have not come to their end: they are read, and no verdict stands on them.

use std::collections::BTreeMap;
use std::path::Path;

use lockstep::journal::{Journal, Row, read_file};
use lockstep::plan::Plan;
use lockstep::terms::{FailureClass, Outcome, Phase};
use lockstep::verdict::{Conclusion, judge};

fn kept(name: &str) -> (Plan, Journal) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("plans").join(format!("{name}.toml"))).unwrap();
    let journal = root.join(format!("tests/journals/unfinished/{name}-h200/journal.jsonl.xz"));
    (Plan::parse(name, &text).unwrap(), read_file(&journal).unwrap())
}

#[test]
fn a_run_that_is_not_finished_decides_nothing() {
    for name in ["pattern-gpt2-50m", "triton-decoding"] {
        let (plan, journal) = kept(name);
        let verdict = judge(&plan, &journal).unwrap();
        assert_eq!(verdict.conclusion, Conclusion::Inconclusive, "{name}");
        let unsealed = |reason: &String| reason.starts_with("the journal is not sealed");
        assert!(verdict.reasons.iter().any(unsealed), "{name}: {:?}", verdict.reasons);
    }
}

/// What came of each row: its outcome, and the class of a failure.
fn came(row: &Row) -> (Outcome, Option<FailureClass>) {
    (row.outcome, row.failure.as_ref().map(|failure| failure.class))
}

const OVERWRITTEN: (Outcome, Option<FailureClass>) = (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten));
const GIVEN_UP: (Outcome, Option<FailureClass>) = (Outcome::Skipped, Some(FailureClass::Launch));

#[test]
fn replay_over_a_growing_cache_crashed_under_each_triton_that_compiles_and_ran_over_a_static_one_so_far() {
    let (plan, journal) = kept("triton-decoding");
    let cells: BTreeMap<_, _> = plan.cells().unwrap().into_iter().map(|cell| (cell.id(), cell)).collect();
    let mut found: BTreeMap<(&str, &str), BTreeMap<_, usize>> = BTreeMap::new();
    for (_, row) in journal.rows() {
        let cell = &cells[&row.cell];
        if cell.axes["compile_mode"] == "eager" {
            assert_eq!(row.outcome, Outcome::Ok, "{row:?}");
        } else {
            let of = found.entry((row.lane.as_str(), cell.axes["cache"].as_str())).or_default();
            *of.entry(came(row)).or_default() += 1;
        }
    }
    let failed = (Outcome::Crashed, Some(FailureClass::InductorError));
    let suppressed = (Outcome::FellBack, Some(FailureClass::SuppressedError));
    for (lane, growing, fixed) in [
        ("triton-3.6.0-torch-2.11", vec![(OVERWRITTEN, 7), (GIVEN_UP, 7)], vec![((Outcome::Ok, None), 14)]),
        ("triton-3.5.1-torch-2.11", vec![(OVERWRITTEN, 6), (GIVEN_UP, 6)], vec![((Outcome::Ok, None), 12)]),
        ("triton-3.4.0-torch-2.11", vec![(failed, 6), (GIVEN_UP, 6)], vec![(failed, 6), (GIVEN_UP, 6)]),
        ("triton-3.4.0-torch-2.11-suppressed", vec![(suppressed, 12)], vec![(suppressed, 12)]),
    ] {
        assert_eq!(found[&(lane, "dynamic")], growing.into_iter().collect(), "{lane}");
        assert_eq!(found[&(lane, "static")], fixed.into_iter().collect(), "{lane}");
    }
}

#[test]
fn the_gpt2_of_50_million_crashed_and_fell_back_over_a_growing_cache_alone_so_far() {
    let (plan, journal) = kept("pattern-gpt2-50m");
    let cells: BTreeMap<_, _> = plan.cells().unwrap().into_iter().map(|cell| (cell.id(), cell)).collect();
    assert_eq!(journal.rows().count(), 57);
    for (_, row) in journal.rows() {
        let cell = &cells[&row.cell];
        let expected: &[_] = match (cell.phase, cell.axes["cache"].as_str(), cell.axes["compile_mode"].as_str()) {
            (Phase::KvDecode, "dynamic", "reduce-overhead") => &[OVERWRITTEN, GIVEN_UP],
            (Phase::KvDecode, "dynamic", "default") => &[(Outcome::FellBack, Some(FailureClass::RecompileLimit))],
            _ => &[(Outcome::Ok, None)],
        };
        assert!(expected.contains(&came(row)), "{} {:?}: {:?}", cell.workload, cell.axes, came(row));
    }
}
