//! Each hypothesis decided, with reasons.

use std::collections::{BTreeMap, BTreeSet};

use super::alone::hold_each;
use super::contrast::{Claims, Comparison, Comparisons, claims, together};
use super::controls::Controls;
use super::expected::Expectations;
use super::reduce::Table;
use super::rules::OtherTests;
use super::separation::{decide_separation, phase_pairs};
use super::{ContrastCell, Error, Finding, HypothesisVerdict, NoiseFloor, grounds, parallel};
use crate::plan::{Contrast, Hypothesis, HypothesisKind, Plan};
use crate::stats::Alpha;
use crate::terms::{Axes, Cell, CellId, Phase};

/// What contrasts and comparisons of tokens come to.
pub(super) struct Decisions {
    /// In plan order.
    pub verdicts: Vec<HypothesisVerdict>,
    /// What the contrasts add to the plan's family.
    pub family: OtherTests,
    /// The plan's negative controls.
    pub controls: Controls,
}

/// Decides the plan's hypotheses; those of a decision rule are left to `row_rules`. `absent` holds the lanes that took no part, with
/// the reason, `of_rules` what the rules add to the plan's family; the journal has so many `segments`, and its lanes
/// declare these axes.
pub(super) fn decide(
    plan: &Plan,
    (table, lanes_declare, segments): (&Table, &[&Axes], usize),
    absent: &BTreeMap<String, String>,
    expectations: &Expectations,
    of_rules: &OtherTests,
) -> Result<Decisions, Error> {
    let asked = |hypothesis| comparisons(hypothesis, table, absent, expectations);
    let wanted: BTreeSet<Comparison<'_>> = plan.hypotheses.iter().flat_map(asked).collect();
    let guards: BTreeSet<Comparison<'_>> = plan.hypotheses.iter().filter(|h| is_control(h)).flat_map(asked).collect();
    let comparing = |guards| plan.hypotheses.iter().filter(move |h| is_control(h) == guards && !asked(*h).is_empty());
    let phase_pairs = comparing(false).map(|hypothesis| phase_pairs(hypothesis, table, expectations)).sum();
    let asked_beside = Claims { contrasts: claims(comparing(false)), controls: claims(comparing(true)), phase_pairs };
    let comparisons = Comparisons::of(plan, table, &wanted, &guards, of_rules, &asked_beside)?;
    let grounded = (&comparisons.families, segments);
    let mut verdicts = Vec::with_capacity(plan.hypotheses.len());
    for hypothesis in &plan.hypotheses {
        let mut verdict = HypothesisVerdict {
            name: hypothesis.name.clone(),
            claim: hypothesis.claim.clone(),
            finding: Finding::CouldNotTell,
            expected: hypothesis.expect.clone(),
            reasons: Vec::new(),
            rule: None,
            ruling: None,
            rests_on: Vec::new(),
            tests: Vec::new(),
            thresholds: Vec::new(),
            cells: Vec::new(),
            noise_floor: None,
            launches_to_settle: None,
            lanes: lanes(&hypothesis.kind),
            margin_pct: margin_pct(&hypothesis.kind),
            negative_control: is_control(hypothesis),
        };
        let kind = &hypothesis.kind;
        match kind {
            HypothesisKind::TokensIdentical { lanes } => {
                super::parity::decide(&mut verdict, lanes, table, absent, expectations);
            }
            HypothesisKind::Contrast(contrast) => {
                let comparable = compared(contrast, table, expectations).next().is_some();
                if !not_measured(&mut verdict, contrast, absent, comparable) {
                    verdict.cells = cells(plan, table, &comparisons, (kind, contrast), expectations)?;
                    decide_contrast(&mut verdict, contrast);
                    grounds::of_contrast(&mut verdict, plan, (kind, contrast), grounded);
                }
            }
            HypothesisKind::PhaseSeparation(contrast) => {
                let left: BTreeSet<Phase> = compared(contrast, table, expectations).map(|(_, it)| it.phase).collect();
                let comparable = contrast.phases.iter().all(|phase| left.contains(phase));
                if !not_measured(&mut verdict, contrast, absent, comparable) {
                    verdict.cells = cells(plan, table, &comparisons, (kind, contrast), expectations)?;
                    let held = |cell: &ContrastCell| comparisons.held_apart(plan, contrast, &cell.cell);
                    let held = verdict.cells.iter().map(held).collect::<Vec<_>>();
                    decide_separation(&mut verdict, contrast, &held, comparisons.of_phases(plan)?);
                    grounds::of_contrast(&mut verdict, plan, (kind, contrast), grounded);
                }
            }
            HypothesisKind::Ruled { .. } => {}
        }
        verdict.reasons.extend(left_out(hypothesis, table, expectations));
        verdicts.push(verdict);
    }
    let controls = Controls::of(plan, (table, lanes_declare), absent, expectations, &verdicts)?;
    controls.bear_on(plan, &mut verdicts);
    super::settle::settle(plan, &comparisons.families, &mut verdicts)?;
    Ok(Decisions { family: comparisons.family(&guards), verdicts, controls })
}

fn lanes(kind: &HypothesisKind) -> Vec<String> {
    match kind {
        HypothesisKind::TokensIdentical { lanes } => lanes.clone(),
        HypothesisKind::Contrast(contrast) | HypothesisKind::PhaseSeparation(contrast) => {
            vec![contrast.baseline.clone(), contrast.candidate.clone()]
        }
        HypothesisKind::Ruled { .. } => Vec::new(),
    }
}

fn margin_pct(kind: &HypothesisKind) -> Option<f64> {
    match kind {
        HypothesisKind::TokensIdentical { .. } | HypothesisKind::Ruled { .. } => None,
        HypothesisKind::Contrast(contrast) | HypothesisKind::PhaseSeparation(contrast) => Some(contrast.margin_pct),
    }
}

/// The cells that a contrast compares: those of its phases in which neither lane fails as the plan expects.
pub(super) fn compared<'a>(
    contrast: &'a Contrast,
    table: &'a Table,
    expectations: &'a Expectations,
) -> impl Iterator<Item = &'a (CellId, Cell)> {
    let fails = move |id: &CellId| {
        [&contrast.baseline, &contrast.candidate].into_iter().any(|lane| expectations.excused(lane, id) > 0)
    };
    table.cells().iter().filter(move |(id, cell)| contrast.phases.contains(&cell.phase) && !fails(id))
}

/// The cells that a contrast would compare if they did not fail as the plan expects.
fn left_out(hypothesis: &Hypothesis, table: &Table, expectations: &Expectations) -> Vec<String> {
    let (HypothesisKind::Contrast(contrast) | HypothesisKind::PhaseSeparation(contrast)) = &hypothesis.kind else {
        return Vec::new();
    };
    let mut told = Vec::new();
    for (id, cell) in table.cells().iter().filter(|(_, cell)| contrast.phases.contains(&cell.phase)) {
        for lane in [&contrast.baseline, &contrast.candidate] {
            if expectations.excused(lane, id) > 0 {
                told.push(format!("{id} {}: left out, lane {lane} fails there as expected", cell.phase));
            }
        }
    }
    told
}

fn comparisons<'a>(
    hypothesis: &'a Hypothesis,
    table: &'a Table,
    absent: &BTreeMap<String, String>,
    expectations: &'a Expectations,
) -> Vec<Comparison<'a>> {
    let (HypothesisKind::Contrast(contrast) | HypothesisKind::PhaseSeparation(contrast)) = &hypothesis.kind else {
        return Vec::new();
    };
    if absent.contains_key(&contrast.baseline) || absent.contains_key(&contrast.candidate) {
        return Vec::new();
    }
    let cells = compared(contrast, table, expectations);
    cells.map(|(id, _)| (contrast.baseline.as_str(), contrast.candidate.as_str(), id)).collect()
}

/// Whether the contrast has nothing to decide by: a lane took no part, or a part of what it must compare is expected to fail.
fn not_measured(
    verdict: &mut HypothesisVerdict,
    contrast: &Contrast,
    absent: &BTreeMap<String, String>,
    comparable: bool,
) -> bool {
    for lane in [&contrast.baseline, &contrast.candidate] {
        if let Some(reason) = absent.get(lane) {
            verdict.finding = Finding::NotMeasured;
            verdict.reasons.push(format!("lane {lane} took no part: {reason}"));
        }
    }
    if verdict.reasons.is_empty() && !comparable {
        verdict.finding = Finding::NotMeasured;
        verdict.reasons.push("no cell is left to compare: all fail as the plan expects".to_owned());
    }
    !verdict.reasons.is_empty()
}

fn cells(
    plan: &Plan,
    table: &Table,
    comparisons: &Comparisons<'_>,
    (kind, contrast): (&HypothesisKind, &Contrast),
    expectations: &Expectations,
) -> Result<Vec<ContrastCell>, Error> {
    let cells = compared(contrast, table, expectations).collect();
    let found = parallel::map(table.threads, cells, |(id, cell)| comparisons.cell(plan, contrast, id, cell));
    let mut found: Vec<ContrastCell> = found.into_iter().collect::<Result<_, _>>()?;
    hold_each(&mut found, kind, Alpha::new(plan.statistics.alpha)?);
    Ok(found)
}

fn decide_contrast(verdict: &mut HypothesisVerdict, contrast: &Contrast) {
    verdict.finding = together(&verdict.cells);
    let Contrast { baseline, candidate, margin_pct, .. } = contrast;
    verdict.reasons.push(format!("{candidate} against {baseline}: {} (margin ±{margin_pct} %)", tally(&verdict.cells)));
    verdict.reasons.extend(extremes(&verdict.cells));
    verdict.reasons.extend(notes(&verdict.cells));
    if contrast.negative_control {
        verdict.noise_floor = noise_floor(&verdict.cells);
        if let Some(NoiseFloor { bound_pct, mde_pct }) = verdict.noise_floor {
            verdict.reasons.push(format!(
                "noise floor: differences up to {bound_pct} % are not excluded between equal lanes; a true difference of \
                 {mde_pct} % would be found at the plan's power"
            ));
        }
    }
}

/// The finding as a reader says it.
pub(super) fn words(finding: Finding) -> String {
    crate::terms::words(finding.name())
}

/// How many cells came out as what, for example `equivalent in 3, could not tell in 1 of 4 cells`.
fn tally(cells: &[ContrastCell]) -> String {
    let mut counts: BTreeMap<Finding, usize> = BTreeMap::new();
    for cell in cells {
        *counts.entry(cell.finding).or_insert(0) += 1;
    }
    let parts: Vec<String> = counts.iter().map(|(finding, count)| format!("{} in {count}", words(*finding))).collect();
    format!("{} of {} cells", parts.join(", "), cells.len())
}

/// The smallest and the largest difference, with intervals.
fn extremes(cells: &[ContrastCell]) -> Vec<String> {
    let mut measured: Vec<(f64, [f64; 2], &ContrastCell)> =
        cells.iter().filter_map(|cell| Some((cell.difference_pct?, cell.interval_pct?, cell))).collect();
    measured.sort_by(|a, b| a.0.total_cmp(&b.0));
    let line = |(difference, [low, high], cell): &(f64, [f64; 2], &ContrastCell)| {
        let d = cell.cohen_d.map(|d| format!(", d {d}")).unwrap_or_default();
        let p = cell.p_adjusted.map(|p| format!(", adjusted p {p}")).unwrap_or_default();
        format!("{} {}: {difference} % [{low}, {high}]{d}{p}", cell.cell, cell.phase)
    };
    match &measured[..] {
        [] => Vec::new(),
        [only] => vec![line(only)],
        [first, .., last] => vec![line(first), line(last)],
    }
}

pub(super) fn notes(cells: &[ContrastCell]) -> Vec<String> {
    cells.iter().filter_map(|cell| Some(format!("{} {}: {}", cell.cell, cell.phase, cell.note.as_ref()?))).collect()
}

fn noise_floor(cells: &[ContrastCell]) -> Option<NoiseFloor> {
    let bounds = cells.iter().filter_map(|cell| cell.tost_interval_pct).map(|[low, high]| low.abs().max(high.abs()));
    let bound_pct = bounds.max_by(f64::total_cmp)?;
    let mde_pct = cells.iter().filter_map(|cell| cell.mde_pct).max_by(f64::total_cmp)?;
    Some(NoiseFloor { bound_pct, mde_pct })
}

/// Whether the hypothesis is a contrast that must show nothing.
pub(super) fn is_control(hypothesis: &Hypothesis) -> bool {
    matches!(&hypothesis.kind, HypothesisKind::Contrast(contrast) if contrast.negative_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::PValue;

    fn slower() -> ContrastCell {
        let p_adjusted = PValue::from_decimal_log(-400.25).ok();
        ContrastCell {
            cell: "/0a1b2c3d".parse().expect("an id"),
            phase: Phase::Prefill,
            finding: Finding::Slower,
            launches: [64, 64],
            mean_ms: [10.0, 20.0],
            difference_pct: Some(100.0),
            interval_pct: Some([99.0, 101.0]),
            tost_interval_pct: None,
            cohen_d: None,
            p: p_adjusted,
            p_adjusted,
            p_tost: None,
            p_tost_adjusted: None,
            mde_pct: None,
            note: None,
        }
    }

    #[test]
    fn a_sentence_on_a_cell_has_its_p_value_in_the_form_of_the_verdict() {
        assert_eq!(extremes(&[slower()]), ["/0a1b2c3d prefill: 100 % [99, 101], adjusted p 5.62341e-401"]);
    }
}
