//! Whether the phases of a contrast must be reported apart, and how many launches would tell.

use std::collections::BTreeMap;

use super::contrast::together;
use super::decide::{compared, notes, words};
use super::expected::Expectations;
use super::reduce::Table;
use super::rounding::round_pair;
use super::rules::{Estimate, Levels};
use super::{ContrastCell, Finding, HypothesisVerdict};
use crate::plan::{Contrast, Hypothesis, HypothesisKind};
use crate::terms::Phase;

/// How many pairs of cells of two phases the hypothesis holds apart, either way round.
pub(super) fn phase_pairs(hypothesis: &Hypothesis, table: &Table, expectations: &Expectations) -> usize {
    let HypothesisKind::PhaseSeparation(contrast) = &hypothesis.kind else { return 0 };
    let mut counts: BTreeMap<Phase, usize> = BTreeMap::new();
    for (_, cell) in compared(contrast, table, expectations) {
        *counts.entry(cell.phase).or_insert(0) += 1;
    }
    let all: usize = counts.values().sum();
    counts.values().map(|of_phase| of_phase * (all - of_phase)).sum()
}

/// A cell and an end of its interval.
type End<'a> = (f64, &'a ContrastCell);

/// What the intervals of a phase's cells reach: their lower ends and their upper ends, the least and the greatest of each.
struct Reach<'a> {
    lows: [End<'a>; 2],
    highs: [End<'a>; 2],
}

impl<'a> Reach<'a> {
    /// Of each phase. Nothing where a cell has no interval: what it would be is not known.
    fn by_phase(cells: &'a [ContrastCell], held: &[Option<[f64; 2]>]) -> (BTreeMap<Phase, Self>, bool) {
        let mut found: BTreeMap<Phase, Self> = BTreeMap::new();
        for (cell, [low, high]) in cells.iter().zip(held).filter_map(|(cell, ends)| Some((cell, (*ends)?))) {
            let one = Self { lows: [(low, cell); 2], highs: [(high, cell); 2] };
            let reach = found.entry(cell.phase).or_insert(one);
            for ([least, most], end) in [(&mut reach.lows, low), (&mut reach.highs, high)] {
                if end < least.0 {
                    *least = (end, cell);
                }
                if end > most.0 {
                    *most = (end, cell);
                }
            }
        }
        (found, held.iter().all(Option::is_some))
    }
}

/// Phases must be reported apart where the differences of two are further apart than the margin, and need not be where those of
/// every two lie within it of one another, as their intervals have it, which `held` has of each cell, at the confidence of `levels`.
pub(super) fn decide_separation(
    verdict: &mut HypothesisVerdict,
    contrast: &Contrast,
    held: &[Option<[f64; 2]>],
    levels: Levels,
) {
    let by_phase = contrast
        .phases
        .iter()
        .map(|phase| (*phase, together(verdict.cells.iter().filter(|cell| cell.phase == *phase))));
    let told: Vec<String> = by_phase.map(|(phase, finding)| format!("{phase} is {}", words(finding))).collect();
    verdict.reasons.push(format!("{} against {}: {}", contrast.candidate, contrast.baseline, told.join(", ")));
    verdict.reasons.extend(notes(&verdict.cells));
    let margin_pct = contrast.margin_pct;
    let (reaches, all_known) = Reach::by_phase(&verdict.cells, held);
    let pairs =
        || reaches.iter().flat_map(|one| reaches.iter().map(move |other| (one, other))).filter(|(a, b)| a.0 != b.0);
    // The cell that ends first and the one, of another phase, that begins last.
    let gaps = pairs().map(|((_, one), (_, other))| (one.highs[0], other.lows[1]));
    let widest = gaps.max_by(|a, b| (a.1.0 - a.0.0).total_cmp(&(b.1.0 - b.0.0)));
    let within = |((_, one), (_, other)): ((&Phase, &Reach<'_>), (&Phase, &Reach<'_>))| {
        one.highs[1].0 - other.lows[0].0 <= margin_pct
    };
    if verdict.cells.iter().any(|cell| cell.finding == Finding::Void) {
        verdict.finding = Finding::Void;
    } else if let Some(((high, one), (low, other))) = widest.filter(|(first, last)| last.0 - first.0 > margin_pct) {
        let [high, low] = round_pair([high, low]);
        verdict.reasons.push(format!(
            "{} {} ends at {high} %, {} {} begins at {low} %: further apart than ±{margin_pct} %",
            one.phase, one.cell, other.phase, other.cell
        ));
        verdict.finding = Finding::Required;
    } else if all_known && widest.is_some() && pairs().all(within) {
        verdict.reasons.push(format!("no two are further apart than {margin_pct} %, as their intervals have it"));
        verdict.finding = Finding::NotRequired;
    } else if let Some(launches) = needed(&verdict.cells, held, margin_pct, levels) {
        verdict.launches_to_settle = Some(launches);
        verdict.reasons.push(format!(
            "if the differences are what they seem, {launches} launches a side would settle it (power {})",
            levels.power.get()
        ));
    }
}

/// Launches a side with which two phases would be held apart, where the furthest two of their cells seem to be, else with which all
/// would be held alike; nothing where a cell has no interval, or what is asked lies on the margin's edge.
fn needed(cells: &[ContrastCell], held: &[Option<[f64; 2]>], margin_pct: f64, levels: Levels) -> Option<u64> {
    let held: Option<Vec<[f64; 2]>> = held.iter().copied().collect();
    let known: Vec<(&ContrastCell, [f64; 2])> = cells.iter().zip(held?).collect();
    let middle = |[low, high]: [f64; 2]| f64::midpoint(low, high);
    let furthest = furthest(&known, middle, middle)?;
    let [one, other] =
        if apart(furthest) > margin_pct { furthest } else { self::furthest(&known, |ends| ends[0], |ends| ends[1])? };
    let ([low, high], [other_low, other_high]) = (one.1, other.1);
    let launches = [one, other].into_iter().flat_map(|(cell, _)| cell.launches).min();
    let interval = Some([other_low - high, other_high - low]);
    Estimate { value: apart([one, other]), interval, launches }.launches_to_clear(margin_pct, levels)
}

/// A cell and its interval.
type Held<'a> = (&'a ContrastCell, [f64; 2]);

/// How far the second lies above the first.
fn apart([one, other]: [Held<'_>; 2]) -> f64 {
    f64::midpoint(other.1[0], other.1[1]) - f64::midpoint(one.1[0], one.1[1])
}

/// Of all two cells of two phases those of which the second's `upper` lies furthest above the first's `lower`.
fn furthest<'a>(
    known: &[Held<'a>],
    lower: impl Fn([f64; 2]) -> f64,
    upper: impl Fn([f64; 2]) -> f64,
) -> Option<[Held<'a>; 2]> {
    let mut ends: BTreeMap<Phase, [Held<'a>; 2]> = BTreeMap::new();
    for cell in known {
        let [first, last] = ends.entry(cell.0.phase).or_insert([*cell; 2]);
        if lower(cell.1) < lower(first.1) {
            *first = *cell;
        }
        if upper(cell.1) > upper(last.1) {
            *last = *cell;
        }
    }
    let pairs = ends.iter().flat_map(|(phase, [first, _])| {
        let others = ends.iter().filter(move |(other, _)| *other != phase);
        others.map(move |(_, [_, last])| [*first, *last])
    });
    pairs.max_by(|a, b| {
        let reach = |[first, last]: &[Held<'_>; 2]| upper(last.1) - lower(first.1);
        reach(a).total_cmp(&reach(b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Confidence, Power};

    fn cell(phase: Phase) -> ContrastCell {
        ContrastCell {
            cell: "/0a1b2c3d".parse().expect("an id"),
            phase,
            finding: Finding::CouldNotTell,
            launches: [4, 5],
            mean_ms: [10.0, 10.0],
            difference_pct: None,
            interval_pct: None,
            tost_interval_pct: None,
            cohen_d: None,
            p: None,
            p_adjusted: None,
            p_tost: None,
            p_tost_adjusted: None,
            mde_pct: None,
            note: None,
        }
    }

    #[test]
    fn a_phase_reaches_from_its_least_ends_to_its_greatest_and_a_cell_without_an_interval_is_told() {
        let phases = [Phase::Prefill, Phase::KvDecode, Phase::Prefill, Phase::KvDecode];
        let cells = phases.map(cell);
        let held = [Some([-1.0, 4.0]), Some([7.0, 9.0]), Some([-3.0, 2.0]), None];
        let (reaches, all_known) = Reach::by_phase(&cells, &held);
        let of = |phase: Phase| {
            let Reach { lows, highs } = &reaches[&phase];
            [lows[0].0, lows[1].0, highs[0].0, highs[1].0]
        };
        assert_eq!([of(Phase::Prefill), of(Phase::KvDecode)], [[-3.0, -1.0, 2.0, 4.0], [7.0, 7.0, 9.0, 9.0]]);
        assert!(!all_known && Reach::by_phase(&cells[..3], &held[..3]).1);
    }

    fn launches(prefill: [f64; 2], decode: [f64; 2]) -> Option<u64> {
        let cells = [cell(Phase::Prefill), cell(Phase::KvDecode)];
        let (confidence, power) = (Confidence::new(0.95).expect("a level"), Power::new(0.8).expect("a power"));
        needed(&cells, &[Some(prefill), Some(decode)], 3.0, Levels { confidence, power })
    }

    #[test]
    fn what_seems_apart_is_planned_to_be_held_apart_and_what_seems_alike_to_be_alike() {
        let apart = launches([-50.0, -30.0], [-20.0, 0.0]).expect("a number");
        assert!(apart > 4, "{apart}");
        assert!(launches([-50.0, -30.0], [-30.0, -10.0]).is_some_and(|nearer| nearer > apart));
        assert!(launches([-54.0, -26.0], [-24.0, 4.0]).is_some_and(|wider| wider > apart));
        assert_eq!(launches([-20.0, 0.0], [-50.0, -30.0]), Some(apart), "whichever is which");
        let alike = launches([-4.0, 4.0], [-3.0, 5.0]).expect("a number");
        assert!(launches([-2.0, 2.0], [-1.0, 3.0]).is_some_and(|narrower| narrower < alike));
        assert_eq!(launches([-2.0, 2.0], [1.0, 5.0]), None, "3 apart, which is the margin");
        let untold = [cell(Phase::Prefill), cell(Phase::KvDecode)];
        let (confidence, power) = (Confidence::new(0.95).expect("a level"), Power::new(0.8).expect("a power"));
        assert_eq!(needed(&untold, &[None, Some([0.0, 1.0])], 3.0, Levels { confidence, power }), None);
    }
}
