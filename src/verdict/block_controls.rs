//! Eager work held against itself over a run: the launches of its earlier blocks against those of its later ones.
//!
//! What compiling does is held against eager arms, cells that fix a compile mode which compiles nothing. Where a plan's negative
//! controls compare such arms across lanes, they are compared across blocks here, in the same lanes and within the same
//! margin; where a workload says `steady_within_pct`, so are its own, in every lane and within that margin. Each launch stands in percent of its lane's mean in its segment, and one shift from the first half of the blocks to the
//! second is fitted to all of them, each lane and segment having a level of its own. The mean is that of both halves: what its
//! error makes of a shift is a share of the shift itself, so that next to a margin of a few percent it may be taken as known.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::decide::{compared, is_control};
use super::expected::Expectations;
use super::reduce::{LaunchTime, Table};
use super::rounding::{round, round_p, round_pair};
use super::{Error, Finding};
use crate::plan::{Contrast, HypothesisKind, Plan};
use crate::stats::{
    Alpha, Confidence, Effect, Margin, Observations, PValue, difference_interval, difference_test, holm, regress, tost,
};
use crate::terms::{Cell, CellId, Phase, asks_for_compiled_code};

/// An eager cell, the later blocks of a run against the earlier ones. Differences are in percent of each lane's mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockControl {
    /// The cell.
    pub cell: CellId,
    /// Its phase.
    pub phase: Phase,
    /// The lanes whose launches are compared, each with its own.
    pub lanes: Vec<String>,
    /// Launches in earlier and in later blocks.
    pub launches: [u64; 2],
    /// The margin of equivalence: the smallest of those that the plan states for the cell.
    pub margin_pct: f64,
    /// `faster` or `slower` (the later blocks), `equivalent` or `could_not_tell`.
    pub finding: Finding,
    /// The difference.
    pub difference_pct: Option<f64>,
    /// Its confidence interval at 1 - alpha.
    pub interval_pct: Option<[f64; 2]>,
    /// The interval that TOST decides by, at 1 - 2 alpha.
    pub tost_interval_pct: Option<[f64; 2]>,
    /// Two-sided p, adjusted after Holm over all eager cells.
    pub p_adjusted: Option<PValue>,
    /// Why no number stands where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl BlockControl {
    /// What came out, in one sentence.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { cell, phase, margin_pct, .. } = self;
        let found = match (&self.note, self.difference_pct, self.interval_pct) {
            (Some(note), ..) => note.clone(),
            (None, Some(difference), Some([low, high])) => {
                format!("{difference} % [{low}, {high}], margin ±{margin_pct} %")
            }
            _ => "no difference was formed".to_owned(),
        };
        let is = crate::terms::words(self.finding.name());
        format!("eager work of {cell} {phase}, later blocks against earlier ones: {is}, {found}")
    }
}

/// Whether the cell is an eager arm.
pub(super) fn is_eager_arm(cell: &Cell) -> bool {
    cell.axes.get("compile_mode").is_some_and(|mode| !asks_for_compiled_code(mode))
}

/// The controls over blocks of the eager arms that the plan's negative controls compare, or that it says have to be steady, in the
/// order of the plan's cells.
pub(super) fn block_controls(
    plan: &Plan,
    table: &Table,
    absent: &BTreeMap<String, String>,
    expectations: &Expectations,
) -> Result<Vec<BlockControl>, Error> {
    let alpha = Alpha::new(plan.statistics.alpha)?;
    let mut found = Vec::new();
    for (id, cell) in table.cells().iter().filter(|(_, cell)| is_eager_arm(cell)) {
        let Some((lanes, margin_pct)) = compared_in(plan, table, absent, expectations, (id, cell)) else { continue };
        found.push(Formed::of(table, (id, cell), lanes, margin_pct));
    }
    let family: Vec<PValue> = found.iter().filter_map(|formed| formed.p).collect();
    let mut adjusted = holm(&family, alpha).into_iter();
    let decide = |formed: Formed| {
        let adjusted = formed.p.and_then(|_| adjusted.next()).map(|decision| decision.adjusted);
        formed.decided(alpha, adjusted)
    };
    found.into_iter().map(decide).collect()
}

/// The lanes in which the cell is held against itself, and the smallest of the margins.
fn compared_in(
    plan: &Plan,
    table: &Table,
    absent: &BTreeMap<String, String>,
    expectations: &Expectations,
    (id, cell): (&CellId, &Cell),
) -> Option<(Vec<String>, f64)> {
    let mut lanes = BTreeSet::new();
    let mut margin_pct = f64::INFINITY;
    for hypothesis in plan.hypotheses.iter().filter(|hypothesis| is_control(hypothesis)) {
        let HypothesisKind::Contrast(contrast) = &hypothesis.kind else { continue };
        if compared(contrast, table, expectations).any(|(other, _)| other == id) {
            let Contrast { baseline, candidate, .. } = contrast;
            lanes.extend([baseline, candidate].into_iter().filter(|lane| !absent.contains_key(*lane)));
            margin_pct = margin_pct.min(contrast.margin_pct);
        }
    }
    let workload = plan.workloads.iter().find(|workload| workload.name == cell.workload);
    if let Some(steady) = workload.and_then(|workload| workload.steady_within_pct) {
        let fails = |lane: &str| expectations.excused(lane, id) > 0;
        let lanes_that_run = plan.lanes.iter().map(|lane| &lane.name).filter(|lane| !fails(lane));
        lanes.extend(lanes_that_run.filter(|lane| !absent.contains_key(*lane)));
        margin_pct = margin_pct.min(steady);
    }
    let in_order = plan.lanes.iter().map(|lane| &lane.name).filter(|lane| lanes.contains(lane)).cloned();
    (!lanes.is_empty()).then(|| (in_order.collect(), margin_pct))
}

/// A control before it is adjusted.
struct Formed {
    control: BlockControl,
    effect: Option<Effect>,
    p: Option<PValue>,
}

impl Formed {
    fn of(table: &Table, (id, cell): (&CellId, &Cell), lanes: Vec<String>, margin_pct: f64) -> Self {
        let launches = lanes.iter().filter_map(|lane| table.entry(lane, id)).map(|entry| &entry.launches[..]);
        let halves: Vec<Halves> = launches.flat_map(halves).collect();
        let count = |half: usize| halves.iter().map(|halves| halves[half].len() as u64).sum();
        let mut control = BlockControl {
            cell: id.clone(),
            phase: cell.phase,
            lanes,
            launches: [count(0), count(1)],
            margin_pct,
            finding: Finding::CouldNotTell,
            difference_pct: None,
            interval_pct: None,
            tost_interval_pct: None,
            p_adjusted: None,
            note: None,
        };
        match shift(&halves) {
            Ok((effect, p)) => Self { control, effect: Some(effect), p: Some(p) },
            Err(note) => {
                control.note = Some(note);
                Self { control, effect: None, p: None }
            }
        }
    }

    fn decided(self, alpha: Alpha, adjusted: Option<PValue>) -> Result<BlockControl, Error> {
        let Self { mut control, effect, .. } = self;
        let (Some(effect), Some(adjusted)) = (effect, adjusted) else { return Ok(control) };
        let interval = difference_interval(&effect, Confidence::new(1.0 - alpha.get())?)?;
        let equivalence = tost(&effect, Margin::absolute(control.margin_pct)?, alpha)?;
        control.difference_pct = Some(round(effect.difference()));
        control.interval_pct = Some(round_pair([interval.low, interval.high]));
        control.tost_interval_pct = Some(round_pair([equivalence.interval.low, equivalence.interval.high]));
        control.p_adjusted = Some(round_p(adjusted));
        control.finding = match (equivalence.equivalent, adjusted.is_below(alpha)) {
            (true, _) => Finding::Equivalent,
            (false, true) if effect.difference() < 0.0 => Finding::Faster,
            (false, true) => Finding::Slower,
            (false, false) => Finding::CouldNotTell,
        };
        Ok(control)
    }
}

/// A lane's launches in a segment, in percent of their mean: those of earlier and those of later blocks.
type Halves = [Vec<f64>; 2];

/// Segment by segment; one of a single block has no later ones.
fn halves(launches: &[LaunchTime]) -> Vec<Halves> {
    let mut segments: BTreeMap<u32, Vec<&LaunchTime>> = BTreeMap::new();
    for launch in launches {
        segments.entry(launch.segment).or_default().push(launch);
    }
    let of_segment = |launches: Vec<&LaunchTime>| {
        let blocks: BTreeSet<u32> = launches.iter().map(|launch| launch.block).collect();
        let later = *blocks.iter().nth(blocks.len() / 2).filter(|_| blocks.len() > 1)?;
        let mean_ms = launches.iter().map(|launch| launch.ms).sum::<f64>() / launches.len() as f64;
        let half = |is_later: bool| {
            let of_half = launches.iter().filter(|launch| (launch.block >= later) == is_later);
            of_half.map(|launch| 100.0 * launch.ms / mean_ms).collect()
        };
        Some([half(false), half(true)])
    };
    segments.into_values().filter_map(of_segment).collect()
}

/// What all later halves have in common against their earlier ones, or why that cannot be told.
fn shift(halves: &[Halves]) -> Result<(Effect, PValue), String> {
    if halves.is_empty() {
        return Err("no lane has launches in two blocks of a segment".to_owned());
    }
    let mut predictors = vec![Vec::new(); halves.len()];
    let mut response = Vec::new();
    for (at, group) in halves.iter().enumerate() {
        for (is_later, percent) in [0.0, 1.0].into_iter().zip(group) {
            for value in percent {
                response.push(*value);
                predictors[0].push(is_later);
                for (other, level) in predictors.iter_mut().enumerate().skip(1) {
                    level.push(f64::from(u8::from(other == at)));
                }
            }
        }
    }
    let observations = Observations::new(predictors, response).map_err(|error| error.to_string())?;
    let fitted = regress(&observations).map_err(|error| error.to_string())?;
    let shift = fitted.coefficients[0];
    let effect = Effect::new(shift.estimate, shift.se, fitted.df as f64).map_err(|error| error.to_string())?;
    let p = difference_test(&effect).map_err(|error| error.to_string())?.p;
    Ok((effect, p))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(segment: u32, block: u32, ms: f64) -> LaunchTime {
        LaunchTime { segment, block, launch: block, repetitions: 1, ms }
    }

    #[test]
    fn launches_are_halved_by_block_within_their_segment_and_stand_in_percent_of_its_mean() {
        let launches = [(0, 0, 9.0), (0, 1, 10.0), (0, 2, 11.0), (1, 3, 50.0), (2, 4, 20.0), (2, 5, 20.0)];
        let found = halves(&launches.map(|(segment, block, ms)| launch(segment, block, ms)));
        assert_eq!(found, [[vec![90.0], vec![100.0, 110.0]], [vec![100.0], vec![100.0]]]);
    }

    /// Two lanes, a level of their own each: the shift is the mean of theirs, 10 and 20, and what is left is their
    /// disagreement. With halves of one launch the residuals are ±2.5, 4 of them on 1 degree of freedom: variance 25, and the shift
    /// of a design with weights of 1/2 each has the standard error 5.
    #[test]
    fn lanes_share_a_shift_and_not_a_level() {
        let groups = [[vec![95.0], vec![105.0]], [vec![190.0], vec![210.0]]];
        let (effect, _) = shift(&groups).expect("four launches, three coefficients");
        assert!((effect.difference() - 15.0).abs() < 1e-9, "{effect:?}");
        assert!((effect.se() - 5.0).abs() < 1e-9 && effect.df() == 1.0, "{effect:?}");
        assert!(shift(&groups[..1]).is_err(), "two launches of one lane leave nothing to judge by");
        assert_eq!(shift(&[]).unwrap_err(), "no lane has launches in two blocks of a segment");
    }
}
