//! Runs that are kept although they have not come to their end: they are read, and no verdict stands on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lockstep::journal::{Journal, read_file};
use lockstep::plan::Plan;
use lockstep::terms::{FailureClass, Outcome, SignalValue, fell_back};
use lockstep::verdict::{Conclusion, judge};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/unfinished").join(name)
}

fn planned(name: &str, folder: &Path) -> Plan {
    Plan::parse(name, &std::fs::read_to_string(folder.join("plan.toml")).expect("its plan")).expect("a plan")
}

fn kept(name: &str) -> (Plan, Journal) {
    let folder = folder(&format!("{name}-h200"));
    (planned(name, &folder), read_file(&folder.join("journal.jsonl.xz")).expect("its journal"))
}

#[test]
fn a_run_that_is_not_finished_decides_nothing() {
    for name in ["compile-boundary", "matrix-decode"] {
        let (plan, journal) = kept(name);
        let verdict = judge(&plan, &journal).expect("a verdict");
        assert_eq!(verdict.conclusion, Conclusion::Inconclusive, "{name}");
        let unsealed = |reason: &String| reason.starts_with("the journal is not sealed");
        assert!(verdict.reasons.iter().any(unsealed), "{name}: {:?}", verdict.reasons);
        let mut commands = journal.segments().map(|segment| &segment.header.command);
        assert!(commands.next().is_some_and(|first| first.iter().any(|word| word == name)), "{name}");
        assert!(commands.all(|resumed| resumed.iter().any(|word| word == "resume")), "{name}");
    }
}

#[test]
fn decoding_was_compiled_by_proof_or_crashed_or_fell_back_over_a_growing_cache_so_far() {
    for (name, rows) in [("compile-boundary", 183), ("matrix-decode", 28)] {
        let (plan, journal) = kept(name);
        let cells: BTreeMap<_, _> = plan.cells().expect("cells").into_iter().map(|cell| (cell.id(), cell)).collect();
        assert!(journal.rows().count() >= rows, "{name}");
        for (_, row) in journal.rows() {
            let cell = &cells[&row.cell];
            let (cache, mode) = (cell.axes["cache"].as_str(), cell.axes["compile_mode"].as_str());
            let expected: &[_] = match (cache, mode, cell.new_tokens) {
                ("dynamic", "reduce-overhead", _) => &[
                    (Outcome::Crashed, Some(FailureClass::CudagraphOverwritten)),
                    (Outcome::Skipped, Some(FailureClass::Launch)),
                ],
                ("dynamic", "default", 8..) => &[(Outcome::FellBack, Some(FailureClass::RecompileLimit))],
                _ => &[(Outcome::Ok, None)],
            };
            let came = (row.outcome, row.failure.as_ref().map(|failure| failure.class));
            assert!(expected.contains(&came), "{name} {cache} {mode}: {came:?}");
            if row.outcome != Outcome::Ok || mode == "eager" {
                continue;
            }
            assert_eq!(fell_back(mode, &row.evidence), None, "{name}: {row:?}");
            // Of the timed passes alone: the prompt's is not profiled.
            assert_eq!(row.evidence["profile.region_calls"], row.evidence["profile.passes"], "{row:?}");
            assert_eq!(
                row.evidence["profile.passes"],
                SignalValue::from(i64::from(cell.new_tokens.min(64))),
                "{row:?}"
            );
        }
    }
}

#[test]
fn what_is_left_of_the_matrix_is_planned_beside_it() {
    let (rest, _) = kept("matrix-decode");
    let aot_eager = planned("matrix-decode-aot-eager", &folder("matrix-decode-aot-eager"));
    let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/matrix-decode.toml"));
    let shipped = Plan::parse("matrix-decode", &shipped.expect("the plan is shipped")).expect("a plan");
    let ids = |plan: &Plan| plan.cells().expect("cells").iter().map(|cell| cell.id()).collect::<Vec<_>>();
    let mut both = [ids(&rest), ids(&aot_eager)].concat();
    let mut whole = ids(&shipped);
    both.sort();
    whole.sort();
    assert_eq!(both, whole);
}
