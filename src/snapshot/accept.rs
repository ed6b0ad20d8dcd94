//! A verdict becomes a snapshot, or every reason why it cannot.
//!
//! What must hold is that the evidence is whole: sealed rows of locked lanes, enough of them, from a host that was the
//! run's own. What the verdict says need not be what the plan expects: a finding that nobody wished for, and a timing
//! hypothesis that the rows could not decide, can be accepted as such.

use std::collections::BTreeMap;

use super::error::GapCause;
use super::value::{
    FORMAT, Snapshot, SnapshotCell, SnapshotContrast, SnapshotHypothesis, SnapshotLane, SnapshotLaneCell, SnapshotPart,
    SnapshotSegment, SnapshotTime,
};
use super::{HostClass, Refusal, RefusalReason, host_class};
use crate::terms::{Digest, Outcome};
use crate::verdict::rules::Part;
use crate::verdict::{
    Calibration, CalibrationState, CellVerdict, Conclusion, ExpectationStanding, ExpectedFailureVerdict, Finding,
    HypothesisVerdict, LaneCell, LaneState, LaneVerdict, SegmentFacts, Verdict,
};

/// The host classes of a verdict's segments, each once, in journal order.
#[must_use]
pub fn host_classes(verdict: &Verdict) -> Vec<HostClass> {
    let mut classes = Vec::new();
    for segment in &verdict.journal.segments {
        let class = host_class(&segment.host);
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    classes
}

/// Every reason why `verdict` cannot become a snapshot; empty when it can.
#[must_use]
pub fn refusal_reasons(verdict: &Verdict) -> Vec<RefusalReason> {
    let mut reasons = Vec::new();
    let journal = &verdict.journal;
    if journal.segments.is_empty() {
        reasons.push(RefusalReason::NoSegment);
    }
    if journal.torn_bytes > 0 {
        reasons.push(RefusalReason::Torn { bytes: journal.torn_bytes });
    } else if !journal.sealed {
        reasons.push(RefusalReason::Unsealed);
    }
    if verdict.contamination.contaminated {
        reasons.push(RefusalReason::Contaminated(verdict.contamination.clone()));
    }
    let classes = host_classes(verdict);
    if classes.len() > 1 {
        reasons.push(RefusalReason::MixedHostClasses { classes });
    }
    if nothing_measured(verdict) {
        reasons.push(RefusalReason::NothingMeasured);
    }
    reasons.extend(verdict.lanes.iter().filter_map(|lane| lane_reason(verdict, lane)));
    reasons.extend(verdict.lanes.iter().filter_map(|lane| coverage_reason(verdict, lane)));
    reasons.extend(verdict.lanes.iter().filter_map(|lane| passed_reason(verdict, lane)));
    reasons.extend(verdict.hypotheses.iter().filter_map(hypothesis_reason));
    reasons.extend(verdict.calibration.as_ref().and_then(calibration_reason));
    reasons
}

fn calibration_reason(calibration: &Calibration) -> Option<RefusalReason> {
    let failed = calibration.state == CalibrationState::Failed;
    failed.then(|| RefusalReason::CalibrationFailed(Box::new(calibration.clone())))
}

pub(super) fn nothing_measured(verdict: &Verdict) -> bool {
    verdict.conclusion == Conclusion::NothingMeasured
        || !verdict.cells.iter().flat_map(|cell| &cell.lanes).any(|lane| lane.ok > 0)
}

fn lane_reason(verdict: &Verdict, lane: &LaneVerdict) -> Option<RefusalReason> {
    // Every attempt counts among the outcomes; what was refused once and measured since does not make the conclusion.
    let in_rows = verdict.conclusion == Conclusion::Refused && lane.outcomes.contains_key(&Outcome::Refused);
    if let Some(slowdown_pct) = lane.slowdown_pct {
        return Some(RefusalReason::SlowedDown { lane: lane.lane.clone(), slowdown_pct });
    }
    let refused = lane.state == LaneState::Refused || in_rows;
    if refused && !refusal_is_expected(verdict, lane) {
        return Some(RefusalReason::LaneRefused { lane: lane.lane.clone(), failure: lane.failure.clone() });
    }
    (lane.unlocked && lane.state == LaneState::Ready).then(|| RefusalReason::Unlocked { lane: lane.lane.clone() })
}

/// Whether the plan expects the lane to be refused in every cell.
fn refusal_is_expected(verdict: &Verdict, lane: &LaneVerdict) -> bool {
    let expected = verdict.expected_failures.iter().filter(|it| {
        it.lane == lane.lane && it.outcome == Outcome::Refused && it.standing == ExpectationStanding::FailedAsExpected
    });
    expected.count() >= verdict.cells.len().max(1)
}

/// One reason per lane, however many of its cells passed.
fn passed_reason(verdict: &Verdict, lane: &LaneVerdict) -> Option<RefusalReason> {
    let passed = |it: &&ExpectedFailureVerdict| it.lane == lane.lane && it.standing == ExpectationStanding::Passed;
    let found = verdict.expected_failures.iter().find(passed)?;
    Some(RefusalReason::ExpectedFailurePassed { lane: lane.lane.clone(), cell: found.cell.clone() })
}

/// One reason per lane, however many of its cells are below their floor.
fn coverage_reason(verdict: &Verdict, lane: &LaneVerdict) -> Option<RefusalReason> {
    let mut gaps = verdict.coverage_gaps.iter().filter(|gap| gap.lane == lane.lane);
    let gap = gaps.next()?.message.clone();
    let failed = lane.outcomes.iter().any(|(outcome, count)| outcome.is_failure() && *count > 0);
    let cause = match (verdict.journal.sealed, failed) {
        (false, _) => GapCause::Unfinished,
        (true, true) => GapCause::FailedRows,
        (true, false) => GapCause::TooFew,
    };
    Some(RefusalReason::CoverageGap { gap, more: gaps.count(), cause })
}

fn hypothesis_reason(verdict: &HypothesisVerdict) -> Option<RefusalReason> {
    let (hypothesis, finding) = (verdict.name.clone(), verdict.finding);
    match finding {
        Finding::Void => Some(RefusalReason::Void { hypothesis }),
        _ if verdict.negative_control && verdict.is_unexpected() => {
            Some(RefusalReason::ControlShows { hypothesis, finding })
        }
        _ => None,
    }
}

impl Snapshot {
    /// The snapshot of a verdict whose journal's uncompressed bytes have the digest `journal_sha256`.
    ///
    /// # Errors
    /// Every reason why the verdict cannot become a snapshot, each with what to try.
    pub fn from_verdict(verdict: &Verdict, journal_sha256: Digest) -> Result<Self, Refusal> {
        Self::accept(verdict, journal_sha256, None, None)
    }

    /// As [`Snapshot::from_verdict`], on a host of which `known` has been learned since the run began. `forced` is why it
    /// is accepted although a calibration failed; it lifts that reason and no other, and stands in the snapshot.
    ///
    /// # Errors
    /// As [`Snapshot::from_verdict`].
    pub fn accept(
        verdict: &Verdict,
        journal_sha256: Digest,
        known: Option<&Calibration>,
        forced: Option<&str>,
    ) -> Result<Self, Refusal> {
        let mut reasons = refusal_reasons(verdict);
        reasons.extend(known.and_then(calibration_reason));
        reasons.dedup();
        reasons.retain(|reason| forced.is_none() || !matches!(reason, RefusalReason::CalibrationFailed(_)));
        let refused = |reasons| Refusal { run: verdict.journal.run.clone(), reasons };
        if !reasons.is_empty() {
            return Err(refused(reasons));
        }
        let Some(first) = verdict.journal.segments.first() else {
            return Err(refused(vec![RefusalReason::NoSegment]));
        };
        Ok(Self {
            format: FORMAT,
            plan: verdict.plan.clone(),
            host_class: host_class(&first.host),
            model: verdict.model.clone(),
            plan_sha256: verdict.plan_sha256,
            run: verdict.journal.run.clone(),
            measured_at: first.started_at.clone(),
            conclusion: verdict.conclusion,
            forced: forced.map(str::to_owned),
            calibration: verdict.calibration.clone(),
            seal: verdict.journal.head,
            journal_sha256,
            rows: verdict.journal.rows,
            others_share_pct: verdict.contamination.share_pct,
            pressure_pct: verdict.contamination.pressure_pct,
            others_limit_pct: verdict.contamination.limit_pct,
            segments: verdict.journal.segments.iter().map(segment).collect(),
            hypotheses: verdict.hypotheses.iter().map(hypothesis).collect(),
            lanes: verdict.lanes.iter().map(lane).collect(),
            cells: verdict.cells.iter().map(|it| cell(verdict, it)).collect(),
        })
    }
}

pub(super) fn segment(segment: &SegmentFacts) -> SnapshotSegment {
    let SegmentFacts { started_at, version, binary, command: _, host } = segment;
    SnapshotSegment {
        started_at: started_at.clone(),
        lockstep: version.clone(),
        binary: *binary,
        machine: host.machine,
        os: host.os.clone(),
        kernel: host.kernel.clone(),
        cpu: host.cpu.model_name.clone(),
        cores: host.cpu.cores,
        memory_bytes: host.memory_bytes,
        gpus: host.gpus.iter().map(|gpu| gpu.name.clone()).collect(),
        driver: host.driver.clone(),
    }
}

fn hypothesis(verdict: &HypothesisVerdict) -> SnapshotHypothesis {
    let cells = verdict.cells.iter().map(|cell| SnapshotContrast {
        cell: cell.cell.clone(),
        finding: cell.finding,
        difference_pct: cell.difference_pct,
        interval_pct: cell.interval_pct,
    });
    SnapshotHypothesis {
        name: verdict.name.clone(),
        finding: verdict.finding,
        label: verdict.ruling.as_ref().map(|ruling| ruling.label.clone()),
        parts: verdict.ruling.iter().flat_map(|ruling| &ruling.parts).map(part).collect(),
        expected: verdict.expected.clone(),
        lanes: verdict.lanes.clone(),
        margin_pct: verdict.margin_pct,
        noise_floor: verdict.noise_floor.clone(),
        cells: cells.collect(),
    }
}

fn part(part: &Part) -> SnapshotPart {
    SnapshotPart { key: part.key.clone(), label: part.label.clone() }
}

fn lane(verdict: &LaneVerdict) -> SnapshotLane {
    let LaneVerdict {
        lane,
        optional,
        state,
        unlocked: _,
        launches,
        outcomes,
        declared,
        observed,
        by_own_word: _,
        slowdown_pct: _,
        failure,
    } = verdict;
    SnapshotLane {
        lane: lane.clone(),
        optional: *optional,
        state: *state,
        launches: *launches,
        outcomes: outcomes.clone(),
        declared: declared.clone(),
        observed: observed.clone(),
        absent: failure.as_ref().map(|failure| failure.message.clone()),
    }
}

fn cell(verdict: &Verdict, cell: &CellVerdict) -> SnapshotCell {
    let took_part = |name: &str| verdict.lanes.iter().any(|lane| lane.lane == name && lane.state == LaneState::Ready);
    let met: Vec<_> = cell.lanes.iter().filter(|lane| took_part(&lane.lane)).collect();
    let shared = shared_tokens(&met);
    SnapshotCell {
        cell: cell.cell.clone(),
        phase: cell.phase,
        workload: cell.workload.clone(),
        prompt_tokens: cell.prompt_tokens,
        new_tokens: cell.new_tokens,
        axes: cell.axes.clone(),
        tokens_sha256: shared,
        lanes: met.into_iter().map(|lane| lane_cell(lane, shared.is_some())).collect(),
    }
}

/// The digest that every lane with an output gave, when there is one.
fn shared_tokens(lanes: &[&LaneCell]) -> Option<Digest> {
    let mut with_output = lanes.iter().filter(|lane| lane.ok > 0);
    let first = with_output.next()?.tokens_sha256?;
    with_output.all(|lane| lane.tokens_sha256 == Some(first)).then_some(first)
}

fn lane_cell(lane: &LaneCell, tokens_shared: bool) -> SnapshotLaneCell {
    SnapshotLaneCell {
        lane: lane.lane.clone(),
        ok: lane.ok,
        planned: lane.planned,
        not_ok: not_ok(&lane.outcomes),
        tokens_sha256: lane.tokens_sha256.filter(|_| !tokens_shared),
        distinct_outputs: lane.distinct_outputs,
        time: lane.time.as_ref().map(|time| SnapshotTime {
            launches: time.launches,
            mean_ms: time.mean_ms,
            cv_pct: time.cv_pct,
            interval_ms: time.student_ms,
        }),
    }
}

/// The outcomes that did occur and are not `ok`.
pub(super) fn not_ok(outcomes: &BTreeMap<Outcome, u64>) -> BTreeMap<Outcome, u64> {
    outcomes.iter().filter(|(outcome, count)| **outcome != Outcome::Ok && **count > 0).map(|(o, n)| (*o, *n)).collect()
}
