//! What may be said of each cell of a contrast by itself.
//!
//! Cells are equivalent together where each passes its own test: one that is not would pass with a chance of alpha at most, however
//! many there are, and then each of them is equivalent. Where one does not pass, each of the others is one of so many that might have, and
//! has to pass among them (Holm). Phases that are held apart are each such a whole. Both ways together are a part of what Hochberg's
//! procedure finds (Biometrika 75, 1988), which holds the level for cells that are independent or depend on one another positively, as
//! those of the same launches do.

use std::collections::BTreeMap;

use super::rounding::round_p;
use super::{ContrastCell, Finding};
use crate::plan::HypothesisKind;
use crate::stats::{Alpha, PValue, holm};
use crate::terms::Phase;

/// Takes back what the cells of `kind` were found to be together, where they are not. What is significant beside that is not said to
/// be different for it: its own test has it inside the margin.
pub(super) fn hold_each(cells: &mut [ContrastCell], kind: &HypothesisKind, alpha: Alpha) {
    for mut whole in wholes(cells, kind) {
        if whole.iter().all(|cell| cell.finding == Finding::Equivalent) {
            continue;
        }
        let family: Vec<PValue> = whole.iter().filter_map(|cell| cell.p_tost_adjusted).collect();
        let asked = whole.iter_mut().filter(|cell| cell.p_tost_adjusted.is_some());
        for (cell, decision) in asked.zip(holm(&family, alpha)) {
            cell.p_tost_adjusted = Some(round_p(decision.adjusted));
            if cell.finding == Finding::Equivalent && !decision.adjusted.is_below(alpha) {
                cell.finding = Finding::CouldNotTell;
            }
        }
    }
}

/// The cells that are found to be something together.
fn wholes<'a>(cells: &'a mut [ContrastCell], kind: &HypothesisKind) -> Vec<Vec<&'a mut ContrastCell>> {
    let mut wholes: BTreeMap<Option<Phase>, Vec<&mut ContrastCell>> = BTreeMap::new();
    for cell in cells {
        let of = matches!(kind, HypothesisKind::PhaseSeparation(_)).then_some(cell.phase);
        wholes.entry(of).or_default().push(cell);
    }
    wholes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Contrast;

    /// A cell of a phase that passes its own test of equivalence or does not.
    fn cell(phase: Phase, finding: Finding, p_tost_adjusted: f64) -> ContrastCell {
        ContrastCell {
            cell: "/0a1b2c3d".parse().expect("an id"),
            phase,
            finding,
            launches: [5, 5],
            mean_ms: [10.0, 9.9],
            difference_pct: Some(-1.0),
            interval_pct: Some([-2.0, 0.0]),
            tost_interval_pct: Some([-1.9, -0.1]),
            cohen_d: None,
            p: None,
            p_adjusted: PValue::new(0.001).ok(),
            p_tost: None,
            p_tost_adjusted: PValue::new(p_tost_adjusted).ok(),
            mde_pct: None,
            note: None,
        }
    }

    fn contrast() -> Contrast {
        let [baseline, candidate] = ["a", "b"].map(str::to_owned);
        Contrast {
            baseline,
            candidate,
            phases: Vec::new(),
            margin_pct: 3.0,
            negative_control: false,
            controls: Vec::new(),
        }
    }

    fn held(cells: &[ContrastCell], kind: &HypothesisKind) -> Vec<(Finding, f64)> {
        let mut cells = cells.to_vec();
        hold_each(&mut cells, kind, Alpha::new(0.05).expect("a level"));
        cells.into_iter().map(|cell| (cell.finding, cell.p_tost_adjusted.expect("a p").get())).collect()
    }

    #[test]
    fn cells_that_all_pass_are_equivalent_and_where_one_does_not_each_has_to_pass_among_them() {
        let kind = HypothesisKind::Contrast(contrast());
        let passed = |p| cell(Phase::Prefill, Finding::Equivalent, p);
        let all = [passed(0.04), passed(0.048), passed(0.002)];
        let together = [(Finding::Equivalent, 0.04), (Finding::Equivalent, 0.048), (Finding::Equivalent, 0.002)];
        assert_eq!(held(&all, &kind), together);
        // By Holm 0.002 stands among four and 0.04 among three; none is less than one before it.
        let [one, other, sure] = all;
        let with_open = [one, other, sure, cell(Phase::Prefill, Finding::Faster, 0.6)];
        let apart = [
            (Finding::CouldNotTell, 0.12),
            (Finding::CouldNotTell, 0.12),
            (Finding::Equivalent, 0.008),
            (Finding::Faster, 0.6),
        ];
        assert_eq!(held(&with_open, &kind), apart);
        assert_eq!(held(&with_open[2..], &kind), [(Finding::Equivalent, 0.004), (Finding::Faster, 0.6)]);
    }

    #[test]
    fn phases_that_are_held_apart_are_each_a_whole() {
        let cells = [
            cell(Phase::Prefill, Finding::Equivalent, 0.04),
            cell(Phase::KvDecode, Finding::CouldNotTell, 0.9),
            cell(Phase::Prefill, Finding::Equivalent, 0.04),
        ];
        let apart = [(Finding::Equivalent, 0.04), (Finding::CouldNotTell, 0.9), (Finding::Equivalent, 0.04)];
        assert_eq!(held(&cells, &HypothesisKind::PhaseSeparation(contrast())), apart);
        let together = [(Finding::CouldNotTell, 0.12), (Finding::CouldNotTell, 0.9), (Finding::CouldNotTell, 0.12)];
        assert_eq!(held(&cells, &HypothesisKind::Contrast(contrast())), together);
    }
}
