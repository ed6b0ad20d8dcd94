//! The verdict itself: hypotheses, lanes, cells and one conclusion.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::decide::{decide, is_control};
use super::reduce::{Entry, LaunchTime, Placed, Table};
use super::rounding::round;
use super::{
    CellVerdict, Conclusion, Contamination, CoverageGap, Error, Finding, HypothesisVerdict, JournalFacts, LaneCell,
    LaneVerdict, LaunchNumber, SegmentFacts, TimeSummary, Verdict,
};
use crate::journal::{Header, Journal, LaneState, Record, Row};
use crate::plan::Plan;
use crate::stats::{Bootstrap, Confidence, Replicates, Sample, bootstrap_mean_interval, student_interval, summary};
use crate::terms::{Failure, Outcome};

/// Format version of [`Verdict`].
const FORMAT: u32 = 1;

/// Judges `journal` by `plan`. Pure: the same plan and journal bytes give an equal verdict on any host.
///
/// # Errors
/// Plan and journal are no pair, or a row contradicts itself. A bad result is no error.
pub fn judge(plan: &Plan, journal: &Journal) -> Result<Verdict, Error> {
    let header = journal.segments().last().map(|segment| segment.header).ok_or(Error::NoHeader)?;
    let digest = plan.digest();
    for segment in journal.segments() {
        if segment.header.plan_sha256 != digest {
            let found = segment.header.plan_sha256;
            return Err(Error::OtherPlan { run: segment.header.run.clone(), found, given: digest });
        }
    }
    let owned = owned_rows(journal);
    let rows: Vec<Placed<'_>> = owned.iter().map(|(segment, row)| (*segment, row.as_ref())).collect();
    let table = Table::of(plan, &rows)?;
    let lanes = lanes(plan, header, journal, &rows);
    let hypotheses = decide(plan, &table, &absent(header, &lanes))?;
    let contamination = contamination(plan, journal);
    let gaps = coverage_gaps(plan, &table, &lanes);
    let findings = Findings { plan, journal, lanes: &lanes, hypotheses: &hypotheses, gaps: &gaps };
    let (conclusion, reasons) = findings.conclude(&contamination);
    Ok(Verdict {
        format: FORMAT,
        plan: plan.name.clone(),
        plan_sha256: digest,
        model: plan.model.name.clone(),
        alpha: plan.statistics.alpha,
        conclusion,
        reasons,
        journal: journal_facts(journal, header),
        contamination,
        coverage_gaps: gaps,
        hypotheses,
        lanes,
        cells: cells(plan, &table)?,
    })
}

/// The journal's rows. Those of a launch that was not what it declares when it left are refused, whatever they say.
fn owned_rows(journal: &Journal) -> Vec<(u32, Cow<'_, Row>)> {
    let disowned: BTreeMap<u32, &Failure> = journal
        .records
        .iter()
        .filter_map(|record| match record {
            Record::LaunchEnd(end) => Some((end.launch, end.disowned.as_ref()?)),
            _ => None,
        })
        .collect();
    journal
        .rows()
        .map(|(segment, row)| match row.launch.and_then(|launch| disowned.get(&launch)) {
            None => (segment, Cow::Borrowed(row)),
            Some(failure) => {
                let failure = Some((*failure).clone());
                (segment, Cow::Owned(Row { outcome: Outcome::Refused, failure, ..row.clone() }))
            }
        })
        .collect()
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

fn journal_facts(journal: &Journal, header: &Header) -> JournalFacts {
    JournalFacts {
        run: header.run.clone(),
        head: journal.head,
        sealed: journal.sealed,
        torn_bytes: journal.torn.as_ref().map_or(0, |torn| torn.bytes.len() as u64),
        rows: journal.rows().count() as u64,
        segments: journal
            .segments()
            .map(|segment| SegmentFacts {
                started_at: segment.header.started_at.clone(),
                version: segment.header.tool.version.clone(),
                binary: segment.header.tool.binary,
                host: segment.header.host.clone(),
            })
            .collect(),
    }
}

fn contamination(plan: &Plan, journal: &Journal) -> Contamination {
    let (mut window_ms, mut taken_ms, mut capacity_ms) = (0_u64, 0_u64, 0_u64);
    for record in &journal.records {
        let Record::LaunchEnd(end) = record else { continue };
        let Some(busy) = &end.busy else { continue };
        window_ms = window_ms.saturating_add(busy.window_ms);
        taken_ms = taken_ms.saturating_add(busy.others_ms).saturating_add(busy.steal_ms);
        capacity_ms = capacity_ms.saturating_add(busy.window_ms.saturating_mul(u64::from(busy.cores.max(1))));
    }
    let share_pct = (capacity_ms > 0).then(|| round(100.0 * taken_ms as f64 / capacity_ms as f64));
    let limit_pct = plan.run.busy_limit_pct;
    Contamination { contaminated: share_pct.is_some_and(|share| share > limit_pct), share_pct, limit_pct, window_ms }
}

fn lanes(plan: &Plan, header: &Header, journal: &Journal, rows: &[Placed<'_>]) -> Vec<LaneVerdict> {
    plan.lanes
        .iter()
        .map(|lane| {
            let declared = header.lanes.iter().find(|declared| declared.lane == lane.name);
            let mine = || rows.iter().map(|(_, row)| row).filter(|row| row.lane == lane.name);
            let mut outcomes = BTreeMap::new();
            for row in mine() {
                *outcomes.entry(row.outcome).or_insert(0) += 1;
            }
            let launches =
                journal.records.iter().filter(|r| matches!(r, Record::LaunchStart(s) if s.lane == lane.name));
            LaneVerdict {
                lane: lane.name.clone(),
                optional: lane.optional,
                state: declared.map_or(LaneState::Refused, |declared| declared.state),
                unlocked: mine().any(|row| row.unlocked),
                launches: launches.count() as u64,
                outcomes,
                declared: declared.map(|declared| declared.declared.clone()).unwrap_or_default(),
                observed: declared.map(|declared| declared.observed.clone()).unwrap_or_default(),
                failure: declared.and_then(|declared| declared.failure.clone()),
            }
        })
        .collect()
}

fn cells(plan: &Plan, table: &Table) -> Result<Vec<CellVerdict>, Error> {
    let mut cells = Vec::with_capacity(table.cells.len());
    for (id, cell) in &table.cells {
        let mut lanes = Vec::new();
        for lane in &plan.lanes {
            let Some(entry) = table.entry(&lane.name, id) else { continue };
            if entry.outcomes.is_empty() {
                continue;
            }
            let outputs: Vec<_> = entry.outputs.keys().collect();
            lanes.push(LaneCell {
                lane: lane.name.clone(),
                outcomes: entry.outcomes.clone(),
                ok: entry.ok,
                planned: entry.planned,
                tokens_sha256: if let [only] = outputs[..] { Some(*only) } else { None },
                distinct_outputs: outputs.len() as u64,
                time: time(plan, entry)?,
                by_launch: entry.launches.iter().map(launch_number).collect(),
            });
        }
        cells.push(CellVerdict {
            cell: id.clone(),
            phase: cell.phase,
            workload: cell.workload.clone(),
            prompt_tokens: cell.prompt.len() as u64,
            new_tokens: u64::from(cell.new_tokens),
            lanes,
        });
    }
    Ok(cells)
}

fn launch_number(LaunchTime { segment, launch, repetitions, ms, .. }: &LaunchTime) -> LaunchNumber {
    LaunchNumber { segment: *segment, launch: *launch, repetitions: *repetitions, ms: round(*ms) }
}

/// Lanes that took part and lost more repetitions than the plan allows, and cells that too few launches reached.
fn coverage_gaps(plan: &Plan, table: &Table, lanes: &[LaneVerdict]) -> Vec<CoverageGap> {
    let mut gaps = Vec::new();
    for lane in lanes.iter().filter(|lane| lane.state == LaneState::Ready) {
        let name = &lane.lane;
        let (ok, planned) =
            table.of_lane(name).fold((0, 0), |(ok, planned), entry| (ok + entry.ok, planned + entry.planned));
        if (ok as f64 / planned.max(1) as f64) < plan.coverage.min_ok_share {
            let floor = plan.coverage.min_ok_share;
            let message = format!("lane {name}: {ok} of {planned} repetitions are ok, floor {floor}");
            gaps.push(CoverageGap { lane: name.clone(), cell: None, message });
        }
        for (id, cell) in &table.cells {
            let launches = table.entry(name, id).map_or(0, |entry| entry.launches.len() as u64);
            let floor = u64::from(plan.coverage.min_launches);
            if launches < floor {
                let message =
                    format!("lane {name}, {id} {}: {launches} launches gave an ok row, floor {floor}", cell.phase);
                gaps.push(CoverageGap { lane: name.clone(), cell: Some(id.clone()), message });
            }
        }
    }
    gaps
}

fn time(plan: &Plan, entry: &Entry) -> Result<Option<TimeSummary>, Error> {
    if entry.launches.is_empty() {
        return Ok(None);
    }
    let launches = Sample::new(entry.launches.iter().map(|launch| launch.ms).collect::<Vec<_>>())?;
    let over_launches = summary(&launches)?;
    let over_repetitions = summary(&Sample::new(entry.times_ms.clone())?)?;
    let confidence = Confidence::new(1.0 - plan.statistics.alpha)?;
    let replicates = Replicates::try_from(launches).ok();
    let bootstrap =
        Bootstrap { resamples: plan.statistics.bootstrap_resamples, seed: plan.statistics.bootstrap_seed, confidence };
    // No interval where the launches show no spread at all: both refuse to claim certainty from equal numbers.
    let student = replicates.as_ref().and_then(|r| student_interval(r, confidence).ok());
    let resampled = replicates.as_ref().and_then(|r| bootstrap_mean_interval(r, bootstrap).ok());
    Ok(Some(TimeSummary {
        launches: over_launches.n as u64,
        mean_ms: round(over_launches.mean),
        sd_ms: over_launches.sd.map(round),
        cv_pct: over_launches.cv.map(|cv| round(100.0 * cv)),
        min_ms: round(over_launches.min),
        p50_ms: round(over_repetitions.p50),
        p90_ms: round(over_repetitions.p90),
        p95_ms: round(over_repetitions.p95),
        p99_ms: round(over_repetitions.p99),
        max_ms: round(over_launches.max),
        student_ms: student.map(|i| [round(i.low), round(i.high)]),
        bootstrap_ms: resampled.map(|i| [round(i.low), round(i.high)]),
    }))
}

/// Everything that a conclusion is drawn from.
struct Findings<'a> {
    plan: &'a Plan,
    journal: &'a Journal,
    lanes: &'a [LaneVerdict],
    hypotheses: &'a [HypothesisVerdict],
    gaps: &'a [CoverageGap],
}

impl Findings<'_> {
    fn conclude(&self, contamination: &Contamination) -> (Conclusion, Vec<String>) {
        let groups = [
            (Conclusion::Refused, self.refused()),
            (Conclusion::NothingMeasured, self.nothing_measured()),
            (Conclusion::NotAsExpected, self.unexpected()),
            (Conclusion::Inconclusive, self.inconclusive(contamination)),
        ];
        let conclusion = groups.iter().find(|(_, reasons)| !reasons.is_empty()).map(|(conclusion, _)| *conclusion);
        let reasons: Vec<String> = groups.into_iter().flat_map(|(_, reasons)| reasons).collect();
        match conclusion {
            Some(conclusion) => (conclusion, reasons),
            None => {
                let decided = self.hypotheses.iter().filter(|h| h.finding != Finding::NotMeasured).count();
                (
                    Conclusion::AsExpected,
                    vec![format!("{decided} of {} hypotheses decided as the plan expects", self.hypotheses.len())],
                )
            }
        }
    }

    fn refused(&self) -> Vec<String> {
        let refused =
            |lane: &&LaneVerdict| lane.state == LaneState::Refused || lane.outcomes.contains_key(&Outcome::Refused);
        let reason = |lane: &LaneVerdict| match &lane.failure {
            Some(failure) => format!("lane {} is refused: {}", lane.lane, failure.message),
            None => {
                format!("lane {} was refused in {} rows", lane.lane, lane.outcomes.get(&Outcome::Refused).unwrap_or(&0))
            }
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
        self.by_hypothesis(|control, verdict| {
            !control
                && verdict.finding.is_decided()
                && !verdict.expected.is_empty()
                && !verdict.expected.contains(&verdict.finding)
        })
    }

    fn inconclusive(&self, contamination: &Contamination) -> Vec<String> {
        let mut reasons = Vec::new();
        if !self.journal.sealed {
            reasons.push(
                "the journal is not sealed: the run has not come to its end; `lockstep resume` goes on".to_owned(),
            );
        }
        if let (true, Some(share)) = (contamination.contaminated, contamination.share_pct) {
            reasons.push(format!(
                "the host was busy: others took {share} % of its processor time in the measured windows, limit {} %",
                contamination.limit_pct
            ));
        }
        reasons.extend(self.by_hypothesis(|control, verdict| {
            let undecided = matches!(verdict.finding, Finding::CouldNotTell | Finding::Void);
            let shown =
                control && !verdict.expected.contains(&verdict.finding) && verdict.finding != Finding::NotMeasured;
            !verdict.expected.is_empty() && (undecided || shown)
        }));
        reasons.extend(self.gaps.iter().filter(|gap| gap.cell.is_none()).map(|gap| gap.message.clone()));
        reasons
    }

    fn by_hypothesis(&self, which: impl Fn(bool, &HypothesisVerdict) -> bool) -> Vec<String> {
        let pairs = self.plan.hypotheses.iter().zip(self.hypotheses);
        pairs
            .filter(|(hypothesis, verdict)| which(is_control(hypothesis), verdict))
            .map(|(_, verdict)| {
                let expected: Vec<&str> = verdict.expected.iter().map(|finding| finding.name()).collect();
                let reason = verdict.reasons.first().cloned().unwrap_or_default();
                format!("{} is {}, expected {}: {reason}", verdict.name, verdict.finding.name(), expected.join(" or "))
            })
            .collect()
    }
}
