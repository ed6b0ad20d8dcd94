//! The verdict itself: hypotheses, lanes, cells and one conclusion.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use super::decide::{Decisions, decide, is_control};
use super::expected::Expectations;
use super::inspect::Inspector;
use super::judging::{Judging, Taken};
use super::reduce::{Entry, LaunchTime, Table};
use super::rounding::round;
use super::row_rules::RowRules;
use super::{
    CellVerdict, Conclusion, Contamination, CoverageGap, Error, Finding, HypothesisVerdict, LaneCell, LaneVerdict,
    LaunchNumber, SegmentFacts, Verdict, parallel,
};
use crate::journal::{Header, Journal, LaneState, Record, stream_file};
use crate::plan::Plan;
use crate::terms::{Axes, Cell, CellId, Outcome, words};

/// Format version of [`Verdict`].
const FORMAT: u32 = 1;

/// Judges `journal` by `plan`. Pure: the same plan and journal bytes give an equal verdict on any host.
///
/// # Errors
/// Plan and journal are no pair, or a row contradicts itself. A bad result is no error.
pub fn judge(plan: &Plan, journal: &Journal) -> Result<Verdict, Error> {
    let mut judging = Judging::of(plan, NonZeroUsize::MIN)?;
    let mut inspector = Inspector::of(judging.index());
    for record in &journal.records {
        judging.take(record, inspector.inspect(record))?;
    }
    conclude(judging.finish(journal.ending(), NonZeroUsize::MIN)?)
}

/// Judges the journal in `path` by `plan` as [`judge`] does, but never holds its rows: a journal of any length takes some
/// ten bytes a row. `threads` read and compute; no number of them changes a byte of the verdict.
///
/// # Errors
/// Those of the journal's file, else those of [`judge`].
pub fn judge_file(plan: &Plan, path: &Path, threads: NonZeroUsize) -> Result<Verdict, Error> {
    let mut judging = Judging::of(plan, threads)?;
    let mut refused = None;
    let index = judging.index();
    let inspector = || {
        let mut inspector = Inspector::of(Arc::clone(&index));
        move |record: &Record| inspector.inspect(record)
    };
    let ending = stream_file(path, threads, inspector, &mut |_, record, seen| {
        if refused.is_none() {
            refused = judging.take(record, seen).err();
        }
    })?;
    match refused {
        None => conclude(judging.finish(ending, threads)?),
        Some(error) => Err(error),
    }
}

fn conclude(taken: Taken<'_>) -> Result<Verdict, Error> {
    let Taken { plan, digest, header, facts, contamination, lanes, table, agents, disowned } = taken;
    let expectations = Expectations::of(plan, facts.segments.first(), &table);
    let absent = absent(&header, &lanes);
    let of_agents = agents.tables(plan, &table, &lanes, &disowned)?;
    let asked = RowRules::of(plan, &table, of_agents, &lanes, &absent, &expectations)?;
    let declared: Vec<&Axes> = lanes.iter().map(|lane| &lane.declared).collect();
    // Where a part of the one leaves a processor idle, the other has it.
    let (decided, (gaps, cells)) = parallel::both(
        table.threads,
        || decide(plan, (&table, &declared, facts.segments.len()), &absent, &expectations, &asked.family()),
        || (coverage_gaps(plan, &table, &lanes, &expectations), cells(plan, &table)),
    );
    let Decisions { verdicts: mut hypotheses, family, controls } = decided?;
    asked.decide(plan, &table, &lanes, (&family, &controls), &mut hypotheses)?;
    let findings = Findings {
        plan,
        sealed: facts.sealed,
        segments: &facts.segments,
        table: &table,
        lanes: &lanes,
        hypotheses: &hypotheses,
        gaps: &gaps,
        expectations: &expectations,
    };
    let (conclusion, reasons) = findings.conclude(&contamination);
    Ok(Verdict {
        format: FORMAT,
        plan: plan.name.clone(),
        plan_sha256: digest,
        model: plan.model.told(),
        weights: plan.model.weights(),
        alpha: plan.statistics.alpha,
        conclusion,
        reasons,
        journal: facts,
        contamination,
        calibration: header.calibration.clone(),
        block_controls: controls.blocks,
        coverage_gaps: gaps,
        expected_failures: expectations.verdicts,
        hypotheses,
        lanes,
        cells,
    })
}

/// Lanes without a chance to measure, with the reason.
fn absent(header: &Header, lanes: &[LaneVerdict]) -> BTreeMap<String, String> {
    let mut absent = BTreeMap::new();
    for declared in &header.lanes {
        let measured = lanes.iter().any(|lane| lane.lane == declared.lane && lane.outcomes.contains_key(&Outcome::Ok));
        if declared.state != LaneState::Ready && !measured {
            let reason =
                declared.failure.as_ref().map_or_else(|| "no reason is recorded".to_owned(), |f| f.message.clone());
            absent.insert(declared.lane.clone(), reason);
        }
    }
    absent
}

fn cells(plan: &Plan, table: &Table) -> Vec<CellVerdict> {
    let cell = |(id, cell): &(CellId, Cell)| CellVerdict {
        cell: id.clone(),
        phase: cell.phase,
        workload: cell.workload.clone(),
        prompt_tokens: cell.prompt.len() as u64,
        new_tokens: u64::from(cell.new_tokens),
        axes: cell.axes.clone(),
        lanes: plan.lanes.iter().filter_map(|lane| lane_cell(&lane.name, table.entry(&lane.name, id)?)).collect(),
    };
    table.cells().iter().map(cell).collect()
}

/// Nothing where the lane has no row of the cell.
fn lane_cell(lane: &str, entry: &Entry) -> Option<LaneCell> {
    if entry.outcomes.is_empty() {
        return None;
    }
    let mut outputs = entry.outputs.keys();
    Some(LaneCell {
        lane: lane.to_owned(),
        outcomes: entry.outcomes.clone(),
        ok: entry.ok,
        planned: entry.planned,
        tokens_sha256: outputs.next().filter(|_| entry.outputs.len() == 1).copied(),
        distinct_outputs: entry.outputs.len() as u64,
        time: entry.time.clone(),
        by_launch: entry.launches.iter().map(launch_number).collect(),
    })
}

fn launch_number(LaunchTime { segment, launch, repetitions, ms, .. }: &LaunchTime) -> LaunchNumber {
    LaunchNumber { segment: *segment, launch: *launch, repetitions: *repetitions, ms: round(*ms) }
}

/// Lanes that took part and lost more repetitions than the plan allows, and cells that too few launches reached.
fn coverage_gaps(plan: &Plan, table: &Table, lanes: &[LaneVerdict], expectations: &Expectations) -> Vec<CoverageGap> {
    let mut gaps = Vec::new();
    for lane in lanes.iter().filter(|lane| lane.state == LaneState::Ready) {
        let name = &lane.lane;
        let (ok, planned) =
            table.of_lane(name).fold((0, 0), |(ok, planned), entry| (ok + entry.ok, planned + entry.planned));
        let planned = planned.saturating_sub(expectations.excused_in(name));
        if planned > 0 && (ok as f64 / planned as f64) < plan.coverage.min_ok_share {
            let floor = plan.coverage.min_ok_share;
            let message = format!("lane {name}: {ok} of {planned} repetitions are ok, floor {floor}");
            gaps.push(CoverageGap { lane: name.clone(), cell: None, message });
        }
        for (id, cell) in table.cells() {
            let entry = table.entry(name, id);
            let (launches, what) = match plan.coverage.takes_failures() {
                true => (entry.map_or(0, |entry| entry.tried_blocks.len() as u64), "blocks of launches tried it"),
                false => (entry.map_or(0, Entry::replicates), "launches in segments of at least two gave an ok row"),
            };
            let floor = u64::from(plan.coverage.min_launches);
            if launches < floor && expectations.excused(name, id) == 0 {
                let message = format!("lane {name}, {id} {}: {launches} {what}, floor {floor}", cell.phase);
                gaps.push(CoverageGap { lane: name.clone(), cell: Some(id.clone()), message });
            }
        }
    }
    gaps
}

/// Everything that a conclusion is drawn from.
struct Findings<'a> {
    plan: &'a Plan,
    sealed: bool,
    segments: &'a [SegmentFacts],
    table: &'a Table,
    lanes: &'a [LaneVerdict],
    hypotheses: &'a [HypothesisVerdict],
    gaps: &'a [CoverageGap],
    expectations: &'a Expectations,
}

impl Findings<'_> {
    fn conclude(&self, contamination: &Contamination) -> (Conclusion, Vec<String>) {
        let groups = [
            (Conclusion::Refused, self.refused()),
            (Conclusion::NothingMeasured, self.nothing_measured()),
            (Conclusion::NotAsExpected, [self.unexpected(), self.expectations.passed()].concat()),
            (Conclusion::Inconclusive, self.inconclusive(contamination)),
        ];
        let conclusion = groups.iter().find(|(_, reasons)| !reasons.is_empty()).map(|(conclusion, _)| *conclusion);
        let mut reasons: Vec<String> = groups.into_iter().flat_map(|(_, reasons)| reasons).collect();
        let conclusion = match conclusion {
            Some(conclusion) => conclusion,
            None => {
                reasons = vec![self.decided()];
                Conclusion::AsExpected
            }
        };
        reasons.extend(self.expectations.told());
        reasons.extend(contamination.rows_that_stay());
        (conclusion, reasons)
    }

    /// How many hypotheses were decided, and of how many of them the plan expects anything.
    fn decided(&self) -> String {
        let all = self.hypotheses.len();
        let decided = || self.hypotheses.iter().filter(|h| h.finding.is_decided());
        let (count, expecting) = (decided().count(), decided().filter(|h| !h.expected.is_empty()).count());
        match expecting {
            0 => format!("{count} of {all} hypotheses decided; the plan says of none what it expects"),
            _ if expecting == count => format!("{count} of {all} hypotheses decided as the plan expects"),
            _ => format!(
                "{count} of {all} hypotheses decided, {expecting} of which the plan expects something: so it came"
            ),
        }
    }

    /// Lanes that are refused now, and not as the plan expects. A refusal that a later attempt made good stays in the counts and decides nothing.
    fn refused(&self) -> Vec<String> {
        let still = |lane: &LaneVerdict| self.table.of_lane(&lane.lane).map(|entry| entry.refused).sum::<u64>();
        let refused = |lane: &&LaneVerdict| {
            (lane.state == LaneState::Refused || still(lane) > 0) && !self.expectations.refusal_is_expected(&lane.lane)
        };
        let reason = |lane: &LaneVerdict| match &lane.failure {
            Some(failure) => format!("lane {} is refused: {}", lane.lane, failure.message),
            None => format!("lane {} was refused in {} rows", lane.lane, still(lane)),
        };
        self.lanes.iter().filter(refused).map(reason).collect()
    }

    fn nothing_measured(&self) -> Vec<String> {
        if self.lanes.iter().any(|lane| lane.outcomes.contains_key(&Outcome::Ok)) {
            return Vec::new();
        }
        vec!["no row is ok: nothing was measured".to_owned()]
    }

    /// A decided finding outside the expected ones. A negative control that shows something says that the host cannot
    /// be trusted, not that the software regressed: that is inconclusive.
    fn unexpected(&self) -> Vec<String> {
        self.by_hypothesis(|control, verdict| !control && verdict.is_unexpected())
    }

    fn inconclusive(&self, contamination: &Contamination) -> Vec<String> {
        let mut reasons = Vec::new();
        if !self.sealed {
            reasons.push(
                "the journal is not sealed: the run has not come to its end; `lockstep resume` goes on".to_owned(),
            );
        }
        if contamination.contaminated {
            let limit = contamination.limit_pct;
            reasons.push(format!(
                "the host was busy: in a lane's measured windows {}, limit {limit} %",
                contamination.told()
            ));
        } else if contamination.share_pct.is_none() {
            reasons.push(contamination.told());
        } else if contamination.unknown_launches > 0 {
            let count = contamination.unknown_launches;
            reasons
                .push(format!("of {count} launches it is not known who else used the host while they were measured"));
        }
        reasons.extend(self.clock_set_back());
        reasons.extend(self.by_hypothesis(|control, verdict| {
            let undecided = matches!(verdict.finding, Finding::CouldNotTell | Finding::Void);
            let shown = control && verdict.forbids(verdict.result()) && verdict.finding != Finding::NotMeasured;
            undecided || (shown && !verdict.expected.is_empty())
        }));
        reasons.extend(self.gaps.iter().filter(|gap| gap.cell.is_none()).map(|gap| gap.message.clone()));
        reasons
    }

    /// Segments that began before the one they follow: a clock was wrong, and nothing says which.
    fn clock_set_back(&self) -> Option<String> {
        let starts: Vec<&str> = self.segments.iter().map(|segment| segment.started_at.as_str()).collect();
        let at = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let pair = starts.windows(2).find(|pair| at(pair[1]) < at(pair[0]))?;
        Some(format!("a clock was set back: a segment began at {}, and the one after it at {}", pair[0], pair[1]))
    }

    fn by_hypothesis(&self, which: impl Fn(bool, &HypothesisVerdict) -> bool) -> Vec<String> {
        let pairs = self.plan.hypotheses.iter().zip(self.hypotheses);
        pairs
            .filter(|(hypothesis, verdict)| which(is_control(hypothesis), verdict))
            .map(|(_, verdict)| {
                let results: Vec<String> = verdict.expected.iter().map(|result| words(result)).collect();
                let expected =
                    if results.is_empty() { String::new() } else { format!(", expected {}", results.join(" or ")) };
                let reason = verdict.reasons.first().cloned().unwrap_or_default();
                format!("{} is {}{expected}: {reason}", verdict.name, words(verdict.result()))
            })
            .collect()
    }
}
