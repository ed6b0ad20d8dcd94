//! What a contrast or a comparison of tokens rests on, listed as a decision rule lists it: rows, tests, thresholds.
//!
//! Rows are those of table `cells`, by the name that a rule gives them. A test that is made in every cell is listed once; its
//! numbers stand with the cells.

use super::contrast::Families;
use super::rules::{MIN_LAUNCHES, RulingTest, Threshold};
use super::{Finding, HypothesisVerdict};
use crate::plan::{Contrast, HypothesisKind, Plan};
use crate::terms::CellId;

/// The row of a lane in a cell.
pub(super) fn row(cell: &CellId, lane: &str) -> String {
    format!("{cell} {lane}")
}

/// Puts in what the contrast's cells were decided by.
pub(super) fn of_contrast(
    verdict: &mut HypothesisVerdict,
    plan: &Plan,
    (kind, contrast): (&HypothesisKind, &Contrast),
    (families, segments): (&Families, usize),
) {
    let Contrast { baseline, candidate, margin_pct, negative_control, .. } = contrast;
    let lanes = [baseline, candidate];
    verdict.rests_on = verdict.cells.iter().flat_map(|cell| lanes.map(|lane| row(&cell.cell, lane))).collect();
    let [family, equivalence] = families.around(*negative_control);
    let mut among = if equivalence > 1 { format!(", Bonferroni over {equivalence}") } else { String::new() };
    let of_phase = |phase| verdict.cells.iter().filter(|cell| cell.phase == phase).count();
    let (most, of) = match kind {
        HypothesisKind::PhaseSeparation(apart) => (apart.phases.iter().map(|it| of_phase(*it)).max(), " of its phase"),
        _ => (Some(verdict.cells.len()), ""),
    };
    if most.is_some_and(|cells| cells > 1) {
        among.push_str(&format!("; where not every cell{of} passes, Holm over those, too"));
    }
    let mut tests = vec![
        format!("Welch t, {candidate} minus {baseline} in each cell, Holm over {family}"),
        format!("TOST within ±{margin_pct} % of the baseline's mean, in each cell{among}"),
    ];
    if families.orders > 0 {
        tests
            .push(format!("Welch t, by which lane went first in a block, in each cell, Holm over {}", families.orders));
    }
    if segments > 1 {
        tests.push(format!("Welch F, agreement of {segments} segments, in each cell"));
    }
    if matches!(kind, HypothesisKind::PhaseSeparation(_)) {
        tests.push(format!(
            "confidence intervals of two phases, {} held together (Bonferroni), further apart than {margin_pct} percentage \
             points or within them",
            families.phase_pairs
        ));
    }
    verdict.tests = tests.into_iter().map(RulingTest::of).collect();
    let statistics = &plan.statistics;
    verdict.thresholds = vec![
        threshold("margin", *margin_pct, "%"),
        threshold("alpha", statistics.alpha, "share"),
        threshold("power", statistics.power, "share"),
        threshold("min_launches", u64::from(plan.coverage.min_launches).max(MIN_LAUNCHES) as f64, "launches"),
        threshold("min_ok_share", plan.coverage.min_ok_share, "share"),
    ];
}

/// Puts in what outputs were compared by; nothing where none were.
pub(super) fn of_tokens(verdict: &mut HypothesisVerdict, rows: Vec<String>) {
    if verdict.finding == Finding::NotMeasured {
        return;
    }
    verdict.rests_on = rows;
    verdict.tests = vec![RulingTest::of("SHA-256 of the output tokens, the same in every lane and row of a cell")];
    verdict.thresholds = vec![threshold("distinct_outputs", 1.0, "count")];
}

fn threshold(name: &str, value: f64, unit: &str) -> Threshold {
    Threshold { name: name.to_owned(), value, unit: unit.to_owned() }
}
