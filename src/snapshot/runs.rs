//! Two runs side by side. Neither was accepted, so nothing here is a regression: it says what differs.
//!
//! Numbers are formed per cell and lane, where both runs have them. The ratio of two means gets the interval that the
//! two Student intervals allow, `[b_low / a_high, b_high / a_low]`: it holds the ratio whenever both intervals hold
//! their means, so with a probability of at least 1 - 2 alpha (Bonferroni).

use serde::{Deserialize, Serialize};

use super::accept::nothing_measured;
use super::axes::differences;
use super::compare::{identity_of_verdict, side_of_verdict};
use super::comparison::{AxisDifference, Side};
use super::findings::lie_apart;
use super::value::FORMAT;
use crate::terms::{CellId, describe_work};
use crate::verdict::{CellVerdict, LaneCell, Verdict};

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunComparison {
    /// Format version.
    pub format: u32,
    /// The first run.
    pub a: Side,
    /// The second run.
    pub b: Side,
    /// Why nothing can be compared; empty when something can.
    pub not_comparable: Vec<String>,
    /// What a reader must know before reading the numbers.
    pub notes: Vec<String>,
    /// The hypotheses of both runs.
    pub findings: Vec<FindingPair>,
    /// The cells that both runs have.
    pub cells: Vec<RunCell>,
    /// What only the first run has.
    pub only_in_a: Vec<String>,
    /// What only the second run has.
    pub only_in_b: Vec<String>,
    /// Every identity axis that differs.
    pub axes: Vec<AxisDifference>,
}

/// What a hypothesis came out as in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingPair {
    /// The hypothesis.
    pub hypothesis: String,
    /// In the first run; absent when it does not have it.
    pub a: Option<String>,
    /// In the second run.
    pub b: Option<String>,
}

/// A cell that both runs have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunCell {
    /// The cell.
    pub cell: CellId,
    /// Its work, for people.
    pub what: String,
    /// The lanes that met it in both runs.
    pub lanes: Vec<RunLaneCell>,
}

/// A cell in one lane of both runs. Pairs stand as first run, second run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunLaneCell {
    /// The lane.
    pub lane: String,
    /// Whether the output tokens are the same; absent when a run has none, or disagrees with itself.
    pub same_tokens: Option<bool>,
    /// Repetitions that are `ok`.
    pub ok: [u64; 2],
    /// Repetitions planned.
    pub planned: [u64; 2],
    /// Means in milliseconds.
    pub mean_ms: [Option<f64>; 2],
    /// The second mean divided by the first.
    pub ratio: Option<f64>,
    /// What the two means' intervals allow for the ratio.
    pub ratio_interval: Option<[f64; 2]>,
    /// Whether the two means' intervals lie apart; absent when one is missing.
    pub apart: Option<bool>,
}

/// Puts two runs side by side.
#[must_use]
pub fn compare_runs(a: &Verdict, b: &Verdict) -> RunComparison {
    let cells: Vec<_> = a.cells.iter().filter_map(|cell| Some((cell, find_cell(b, &cell.cell)?))).collect();
    RunComparison {
        format: FORMAT,
        a: side_of_verdict(a),
        b: side_of_verdict(b),
        not_comparable: obstacles(a, b, &cells),
        notes: notes(a, b),
        findings: findings(a, b),
        cells: cells.iter().map(|(ours, theirs)| run_cell(ours, theirs)).collect(),
        only_in_a: only_in(a, b),
        only_in_b: only_in(b, a),
        axes: differences(&identity_of_verdict(a), &identity_of_verdict(b)),
    }
}

impl RunComparison {
    /// Whether a finding, an output or a time differs.
    #[must_use]
    pub fn differs(&self) -> bool {
        let lanes = || self.cells.iter().flat_map(|cell| &cell.lanes);
        self.findings.iter().any(|pair| pair.a.is_some() && pair.b.is_some() && pair.a != pair.b)
            || lanes().any(|lane| lane.same_tokens == Some(false) || lane.apart == Some(true))
    }
}

fn find_cell<'a>(verdict: &'a Verdict, cell: &CellId) -> Option<&'a CellVerdict> {
    verdict.cells.iter().find(|it| it.cell == *cell)
}

/// A run may be put beside itself; what is said of it is then said once.
fn push_once(told: &mut Vec<String>, text: String) {
    if !told.contains(&text) {
        told.push(text);
    }
}

fn obstacles(a: &Verdict, b: &Verdict, cells: &[(&CellVerdict, &CellVerdict)]) -> Vec<String> {
    let mut found = Vec::new();
    for verdict in [a, b] {
        if nothing_measured(verdict) {
            push_once(&mut found, format!("the run {} measured nothing", verdict.journal.run));
        }
    }
    if cells.is_empty() {
        if a.model != b.model {
            found.push(format!("the runs are about different models, {} and {}", a.model, b.model));
        }
        found.push(
            "the runs have no cell in common: a cell is the same only with the same model, prompt and work".into(),
        );
    } else if !cells
        .iter()
        .any(|(ours, theirs)| ours.lanes.iter().any(|lane| theirs.lanes.iter().any(|other| other.lane == lane.lane)))
    {
        found.push("the runs have no lane in common that met the same cell".into());
    }
    found
}

fn notes(a: &Verdict, b: &Verdict) -> Vec<String> {
    let mut notes = Vec::new();
    if a.plan_sha256 != b.plan_sha256 {
        notes.push("the plans differ; cells of one name are still the same work".to_owned());
    }
    let (ours, theirs) = (side_of_verdict(a).host_classes, side_of_verdict(b).host_classes);
    if ours != theirs {
        let join =
            |classes: &[super::HostClass]| classes.iter().map(super::HostClass::as_str).collect::<Vec<_>>().join(", ");
        notes.push(format!(
            "the host classes differ ({} and {}), so a ratio of times is one of hosts as well as of lanes",
            join(&ours),
            join(&theirs)
        ));
    }
    for verdict in [a, b] {
        let run = &verdict.journal.run;
        if verdict.contamination.contaminated {
            push_once(&mut notes, format!("others used the host while {run} measured; its times prove nothing"));
        }
        if !verdict.journal.sealed || verdict.journal.torn_bytes > 0 {
            push_once(&mut notes, format!("the run {run} has not reached its end"));
        }
    }
    notes
}

fn findings(a: &Verdict, b: &Verdict) -> Vec<FindingPair> {
    let found = |verdict: &Verdict, name: &str| {
        verdict
            .hypotheses
            .iter()
            .find(|hypothesis| hypothesis.name == name)
            .map(|hypothesis| hypothesis.result().to_owned())
    };
    let mut names: Vec<&str> = Vec::new();
    for hypothesis in a.hypotheses.iter().chain(&b.hypotheses) {
        if !names.contains(&hypothesis.name.as_str()) {
            names.push(&hypothesis.name);
        }
    }
    let pair = |name: &str| FindingPair { hypothesis: name.to_owned(), a: found(a, name), b: found(b, name) };
    names.into_iter().map(pair).collect()
}

fn only_in(a: &Verdict, b: &Verdict) -> Vec<String> {
    let lanes = a.lanes.iter().filter(|lane| !b.lanes.iter().any(|other| other.lane == lane.lane));
    let cells = a.cells.iter().filter(|cell| find_cell(b, &cell.cell).is_none());
    let told = |cell: &CellVerdict| {
        let what = describe_work(cell.phase, &cell.workload, cell.prompt_tokens, cell.new_tokens, &cell.axes);
        format!("cell {} ({what})", cell.cell)
    };
    lanes.map(|lane| format!("lane {}", lane.lane)).chain(cells.map(told)).collect()
}

fn run_cell(ours: &CellVerdict, theirs: &CellVerdict) -> RunCell {
    let lanes = ours.lanes.iter().filter_map(|lane| {
        let other = theirs.lanes.iter().find(|other| other.lane == lane.lane)?;
        Some(run_lane_cell(lane, other))
    });
    RunCell {
        cell: ours.cell.clone(),
        what: describe_work(ours.phase, &ours.workload, ours.prompt_tokens, ours.new_tokens, &ours.axes),
        lanes: lanes.collect(),
    }
}

fn run_lane_cell(a: &LaneCell, b: &LaneCell) -> RunLaneCell {
    let mean = |lane: &LaneCell| lane.time.as_ref().map(|time| time.mean_ms);
    let interval = |lane: &LaneCell| lane.time.as_ref().and_then(|time| time.student_ms);
    let intervals = interval(a).zip(interval(b));
    RunLaneCell {
        lane: a.lane.clone(),
        same_tokens: a.tokens_sha256.zip(b.tokens_sha256).map(|(ours, theirs)| ours == theirs),
        ok: [a.ok, b.ok],
        planned: [a.planned, b.planned],
        mean_ms: [mean(a), mean(b)],
        ratio: mean(a).zip(mean(b)).filter(|(ours, _)| *ours > 0.0).map(|(ours, theirs)| theirs / ours),
        ratio_interval: intervals.and_then(|(ours, theirs)| ratio_interval(ours, theirs)),
        apart: intervals.map(|(ours, theirs)| lie_apart(ours, theirs)),
    }
}

/// Absent where the divisor's interval reaches 0, because the ratio is then unbounded.
fn ratio_interval([a_low, a_high]: [f64; 2], [b_low, b_high]: [f64; 2]) -> Option<[f64; 2]> {
    (a_low > 0.0).then(|| [(b_low / a_high).max(0.0), b_high / a_low])
}
