//! What a published benchmark shows of itself: five gates.

use std::collections::{BTreeMap, BTreeSet};

use super::{Part, Ruling};
use crate::stats::Proportion;

/// The same combination of cache, mode and stack, seen in several regimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegimeOutcomes {
    /// The combination, for example `static | default | Triton 3.3.1`.
    pub combination: String,
    /// The qualitative outcome by regime, for example `Ada` → `ok`.
    pub by_regime: BTreeMap<String, String>,
}

/// What a published benchmark states, and what is asked for. A statement that is not made is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedFacts {
    /// Phases that are reported apart.
    pub phases_reported: BTreeSet<String>,
    /// Phases that must be.
    pub phases_needed: BTreeSet<String>,
    /// The environment as stated, by axis.
    pub environment: BTreeMap<String, String>,
    /// Axes that must be stated, for example `gpu`, `driver`, `torch`, `triton`.
    pub environment_needed: BTreeSet<String>,
    /// Cells with numbers.
    pub cells: u64,
    /// Of those, cells with rows behind them.
    pub cells_with_rows: u64,
    /// The least share of cells that must have them.
    pub artifact_share: f64,
    /// Axes of cache, mode and compiler, as stated for the compiled results.
    pub surfaced: BTreeMap<String, String>,
    /// Axes of them that must be stated; since TR147 `triton` is one.
    pub surfaced_needed: BTreeSet<String>,
    /// Combinations that were seen in more than one regime.
    pub regimes: Vec<RegimeOutcomes>,
    /// At least this many combinations must have been seen in two regimes.
    pub combinations_needed: u64,
    /// The crash rate from which on an outcome was called `crashes`, where outcomes are rates.
    pub crashes_from: Option<f64>,
    /// The rows.
    pub sources: Vec<String>,
}

/// TR126's five gates, in the form that TR147 gave them: phase separation, environment attribution, artifact evidence,
/// surfacing of cache and mode (with the Triton version), and the same qualitative outcome for the same cache, mode and
/// stack in every regime.
///
/// The label is the score, for example `4_of_5`; each gate is a part, `passed`, `failed` or `not_shown`, with what is
/// missing by name. `not_shown` (nothing to judge the gate by) scores as `failed` does: a reader cannot tell them apart
/// either.
#[must_use]
pub fn five_gates(input: &PublishedFacts) -> Ruling {
    let ruling = if input.artifact_share > 0.0 && input.artifact_share <= 1.0 {
        score(input)
    } else {
        Ruling::invalid(format!(
            "the least share of cells with rows is {}; it must be above 0 and at most 1",
            input.artifact_share
        ))
    };
    ruling
        .resting_on(&input.sources)
        .against("artifact_share", input.artifact_share, "share")
        .against("combinations_needed", input.combinations_needed as f64, "combinations")
        .against_some("crashes_from", input.crashes_from, "share")
}

fn score(input: &PublishedFacts) -> Ruling {
    let stated: BTreeSet<String> = input.environment.keys().cloned().collect();
    let surfaced: BTreeSet<String> = input.surfaced.keys().cloned().collect();
    let gates = [
        ("phase_separation", all_of("phase", &input.phases_needed, &input.phases_reported)),
        ("environment_attribution", all_of("axis", &input.environment_needed, &stated)),
        ("artifact_evidence", artifacts(input)),
        ("cache_and_mode_surfacing", all_of("axis", &input.surfaced_needed, &surfaced)),
        ("cross_regime_reproducibility", reproducibility(input)),
    ];
    let passed = gates.iter().filter(|(_, gate)| matches!(gate, Gate::Passed)).count();
    let missing: Vec<String> = gates
        .iter()
        .filter_map(|(name, gate)| match gate {
            Gate::Passed => None,
            Gate::Failed(reason) | Gate::NotShown(reason) => Some(format!("{name}: {reason}")),
        })
        .collect();
    let reasons = if missing.is_empty() { vec!["every gate is passed".to_owned()] } else { missing };
    let parts = gates.into_iter().map(|(name, gate)| match gate {
        Gate::Passed => Part::of("gate", name, "passed"),
        Gate::Failed(reason) => Part::of("gate", name, "failed").because(reason),
        Gate::NotShown(reason) => Part::of("gate", name, "not_shown").because(reason),
    });
    Ruling::decided(format!("{passed}_of_5")).because_all(reasons).in_parts(parts.collect::<Vec<_>>())
}

enum Gate {
    Passed,
    Failed(String),
    NotShown(String),
}

fn all_of(what: &str, needed: &BTreeSet<String>, found: &BTreeSet<String>) -> Gate {
    if needed.is_empty() {
        return Gate::NotShown(format!("no {what} is asked for, so nothing shows it"));
    }
    let missing: Vec<&str> = needed.difference(found).map(String::as_str).collect();
    if missing.is_empty() { Gate::Passed } else { Gate::Failed(format!("missing: {}", missing.join(", "))) }
}

fn artifacts(input: &PublishedFacts) -> Gate {
    match Proportion::new(input.cells_with_rows, input.cells) {
        Err(_) => Gate::NotShown(format!("{} of {} cells have rows", input.cells_with_rows, input.cells)),
        Ok(share) if share.share() >= input.artifact_share => Gate::Passed,
        Ok(share) => Gate::Failed(format!("{} of {} cells have no rows", share.n() - share.k(), share.n())),
    }
}

fn reproducibility(input: &PublishedFacts) -> Gate {
    let seen: Vec<&RegimeOutcomes> = input.regimes.iter().filter(|outcomes| outcomes.by_regime.len() > 1).collect();
    let apart: Vec<String> = seen
        .iter()
        .filter(|outcomes| outcomes.by_regime.values().collect::<BTreeSet<_>>().len() > 1)
        .map(|outcomes| {
            let told: Vec<String> =
                outcomes.by_regime.iter().map(|(regime, outcome)| format!("{regime} {outcome}")).collect();
            format!("{}: {}", outcomes.combination, told.join(", "))
        })
        .collect();
    if !apart.is_empty() {
        return Gate::Failed(apart.join("; "));
    }
    let needed = input.combinations_needed.max(1);
    if (seen.len() as u64) < needed {
        return Gate::NotShown(format!("{} combinations were seen in two regimes, {needed} are asked for", seen.len()));
    }
    Gate::Passed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::rules::Standing;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn stated(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), "stated".to_owned())).collect()
    }

    fn outcomes(ada: &str, a100: &str) -> RegimeOutcomes {
        let by_regime = [("Ada", ada), ("A100", a100)].map(|(regime, outcome)| (regime.to_owned(), outcome.to_owned()));
        RegimeOutcomes { combination: "static | default".to_owned(), by_regime: by_regime.into() }
    }

    fn tr147() -> PublishedFacts {
        PublishedFacts {
            phases_reported: set(&["prefill", "kv_decode", "e2e_kv"]),
            phases_needed: set(&["prefill", "kv_decode"]),
            environment: stated(&["gpu", "os", "torch", "triton", "driver"]),
            environment_needed: set(&["gpu", "os", "torch", "triton", "driver"]),
            cells: 36,
            cells_with_rows: 36,
            artifact_share: 1.0,
            surfaced: stated(&["cache", "compile_mode", "triton"]),
            surfaced_needed: set(&["cache", "compile_mode", "triton"]),
            regimes: vec![outcomes("ok", "ok"), outcomes("crash", "crash")],
            combinations_needed: 2,
            crashes_from: None,
            sources: vec!["table".to_owned()],
        }
    }

    #[test]
    fn tr147_passes_the_five_gates_that_it_states() {
        let ruling = five_gates(&tr147());
        assert_eq!((ruling.label.as_str(), ruling.standing), ("5_of_5", Standing::Decided));
    }

    #[test]
    fn a_paper_that_lists_the_mode_and_omits_the_triton_version_fails_the_fourth_gate() {
        let mut facts = tr147();
        facts.surfaced.remove("triton");
        let ruling = five_gates(&facts);
        assert_eq!(ruling.label, "4_of_5");
        assert_eq!(ruling.reasons, ["cache_and_mode_surfacing: missing: triton"]);
    }

    #[test]
    fn each_gate_fails_by_itself_and_names_what_is_missing() {
        let mut without_driver = stated(&["gpu", "os", "torch", "triton", "driver"]);
        without_driver.remove("driver");
        let failing = [
            ("phase_separation", PublishedFacts { phases_reported: set(&["kv_decode"]), ..tr147() }),
            ("environment_attribution", PublishedFacts { environment: without_driver, ..tr147() }),
            ("artifact_evidence", PublishedFacts { cells_with_rows: 35, ..tr147() }),
            ("cross_regime_reproducibility", PublishedFacts { regimes: vec![outcomes("ok", "crash")], ..tr147() }),
        ];
        for (gate, facts) in failing {
            let ruling = five_gates(&facts);
            assert_eq!(ruling.label, "4_of_5", "{gate}");
            assert!(ruling.reasons[0].starts_with(gate), "{:?}", ruling.reasons);
        }
    }

    #[test]
    fn what_nothing_shows_is_not_passed() {
        let empty = five_gates(&PublishedFacts {
            phases_reported: set(&[]),
            phases_needed: set(&[]),
            environment: stated(&[]),
            environment_needed: set(&[]),
            cells: 0,
            cells_with_rows: 0,
            surfaced: stated(&[]),
            surfaced_needed: set(&[]),
            regimes: Vec::new(),
            combinations_needed: 0,
            ..tr147()
        });
        assert_eq!(empty.label, "0_of_5");
        assert!(empty.parts.iter().all(|part| part.label == "not_shown"), "{:?}", empty.parts);
    }

    #[test]
    fn the_share_of_cells_with_rows_may_be_exactly_what_is_asked_for() {
        let at = |cells_with_rows| {
            five_gates(&PublishedFacts { cells: 4, cells_with_rows, artifact_share: 0.75, ..tr147() }).label
        };
        assert_eq!([2, 3, 4].map(at), ["4_of_5", "5_of_5", "5_of_5"]);
    }

    proptest! {
        #[test]
        fn any_share_and_count_have_a_ruling(share in proptest::num::f64::ANY, cells in 0..5_u64, with_rows in 0..5_u64) {
            let facts = PublishedFacts { artifact_share: share, cells, cells_with_rows: with_rows, ..tr147() };
            prop_assert!(!five_gates(&facts).reasons.is_empty());
            let judged = five_gates(&PublishedFacts { artifact_share: 0.5, ..facts });
            prop_assert!(!judged.reasons.is_empty());
        }
    }
}
