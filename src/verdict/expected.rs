//! Failures that the plan expects, held against the rows.
//!
//! A repetition is excused when its last attempt failed as a valid expectation says, and so is one that was given up after
//! such failures. What is excused does not count against coverage, and its cell enters no contrast of that lane: survivors
//! are no sample. An expectation is valid up to its last day by the start of the run's first segment, however often the run
//! was resumed: a run does not lose its excuse half-way, and judging needs no clock. A cell that is `ok` throughout although
//! it should fail is no pass: the expectation must go.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::reduce::{Failures, Table};
use super::{ExpectationStanding, ExpectedFailureVerdict, SegmentFacts};
use crate::plan::{ExpectedFailure, Plan};
use crate::terms::{CellId, FailureClass, Outcome};

/// What the expectations of a plan came to.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    /// One for each expectation, lane and cell, in plan order.
    pub verdicts: Vec<ExpectedFailureVerdict>,
    /// Repetitions that are excused, by lane and cell; none stands at 0.
    excused: BTreeMap<String, BTreeMap<CellId, u64>>,
    /// Lanes with a refused repetition, and whether all of those are excused.
    refusals: BTreeMap<String, bool>,
}

impl Expectations {
    pub(super) fn of(plan: &Plan, first: Option<&SegmentFacts>, table: &Table) -> Self {
        let mut found = Self::default();
        if plan.expected_failures.is_empty() {
            return found;
        }
        let started = first.and_then(day);
        let valid = |expected: &ExpectedFailure| started.is_some_and(|day| day <= expected.expires);
        let failures = |lane: &str, id: &CellId| table.entry(lane, id).map(|entry| &entry.failures);
        let none = Failures::new();
        for lane in &plan.lanes {
            for (id, cell) in table.cells() {
                let concerned: Vec<&ExpectedFailure> = plan
                    .expected_failures
                    .iter()
                    .filter(|it| it.concerns(&lane.name, &cell.workload, cell.phase, Some(id)))
                    .collect();
                let here = failures(&lane.name, id).unwrap_or(&none);
                let valid: Vec<&ExpectedFailure> = concerned.iter().copied().filter(|it| valid(it)).collect();
                let excused = excused(here, &valid);
                found.take_refusals(&lane.name, here, &valid);
                if excused > 0 {
                    found.excused.entry(lane.name.clone()).or_default().insert(id.clone(), excused);
                }
            }
        }
        for expected in &plan.expected_failures {
            for lane in &plan.lanes {
                for (id, cell) in table.cells() {
                    if !expected.concerns(&lane.name, &cell.workload, cell.phase, Some(id)) {
                        continue;
                    }
                    let here = failures(&lane.name, id).unwrap_or(&none);
                    let excused = found.excused(&lane.name, id);
                    let ok = table.entry(&lane.name, id).map_or((0, 0), |entry| (entry.ok, entry.planned));
                    found.verdicts.push(ExpectedFailureVerdict {
                        lane: lane.name.clone(),
                        cell: id.clone(),
                        outcome: expected.outcome,
                        class: expected.class,
                        reason: expected.reason.clone(),
                        expires: expected.expires.to_string(),
                        standing: standing(expected, valid(expected), here, excused, ok),
                        ok: ok.0,
                        planned: ok.1,
                        excused,
                    });
                }
            }
        }
        found
    }

    fn take_refusals(&mut self, lane: &str, here: &Failures, valid: &[&ExpectedFailure]) {
        for (outcome, class) in here.keys().filter(|(outcome, _)| *outcome == Outcome::Refused) {
            let all = self.refusals.entry(lane.to_owned()).or_insert(true);
            *all &= valid.iter().any(|it| it.expects(*outcome, *class));
        }
    }

    /// Repetitions of the cell in the lane that are excused.
    pub(super) fn excused(&self, lane: &str, cell: &CellId) -> u64 {
        self.excused.get(lane).and_then(|cells| cells.get(cell)).copied().unwrap_or(0)
    }

    /// Repetitions of the lane that are excused.
    pub(super) fn excused_in(&self, lane: &str) -> u64 {
        self.excused.get(lane).into_iter().flat_map(BTreeMap::values).sum()
    }

    /// Whether every refusal of the lane is expected, and there is one.
    pub(super) fn refusal_is_expected(&self, lane: &str) -> bool {
        self.refusals.get(lane).copied().unwrap_or(false)
    }

    /// An expected failure that passed, for each a sentence.
    pub(super) fn passed(&self) -> Vec<String> {
        self.sentences(|standing| standing == ExpectationStanding::Passed)
    }

    /// What else came of the expectations, in sentences.
    pub(super) fn told(&self) -> Vec<String> {
        self.sentences(|standing| standing != ExpectationStanding::Passed)
    }

    /// One sentence for each lane, expectation and standing, however many cells it is about.
    fn sentences(&self, which: impl Fn(ExpectationStanding) -> bool) -> Vec<String> {
        let key = |it: &ExpectedFailureVerdict| (it.lane.clone(), it.outcome, it.class, it.reason.clone(), it.standing);
        let mut told = Vec::new();
        let mut seen = BTreeSet::new();
        for one in self.verdicts.iter().filter(|one| which(one.standing)) {
            if !seen.insert(key(one)) {
                continue;
            }
            let cells: Vec<String> =
                self.verdicts.iter().filter(|it| key(it) == key(one)).map(|it| it.cell.to_string()).collect();
            told.push(format!("lane {}, {}: {}", one.lane, cells.join(", "), one.sentence()));
        }
        told
    }
}

/// The day, in UTC, on which the segment started.
fn day(segment: &SegmentFacts) -> Option<Date> {
    let started: jiff::Timestamp = segment.started_at.parse().ok()?;
    Some(started.to_zoned(TimeZone::UTC).date())
}

fn excused(here: &Failures, valid: &[&ExpectedFailure]) -> u64 {
    let matched =
        |(outcome, class): &(Outcome, Option<FailureClass>)| valid.iter().any(|it| it.expects(*outcome, *class));
    let count: u64 = here.iter().filter(|(kind, _)| matched(kind)).map(|(_, count)| count).sum();
    if count == 0 {
        return 0;
    }
    count + here.iter().filter(|(kind, _)| given_up(kind)).map(|(_, count)| count).sum::<u64>()
}

/// Not attempted, because what came before it in the lane failed again and again.
fn given_up((outcome, class): &(Outcome, Option<FailureClass>)) -> bool {
    *outcome == Outcome::Skipped && *class == Some(FailureClass::Launch)
}

fn standing(
    expected: &ExpectedFailure,
    valid: bool,
    here: &Failures,
    excused: u64,
    (ok, planned): (u64, u64),
) -> ExpectationStanding {
    let failed: u64 = here.iter().filter(|((outcome, _), _)| *outcome != Outcome::Skipped).map(|(_, n)| n).sum();
    let given_up: u64 = here.iter().filter(|(kind, _)| given_up(kind)).map(|(_, n)| n).sum();
    let occurred = here.keys().any(|(outcome, class)| expected.expects(*outcome, *class));
    if !valid {
        ExpectationStanding::Expired
    } else if ok == planned {
        ExpectationStanding::Passed
    } else if failed + given_up > excused {
        ExpectationStanding::FailedOtherwise
    } else if occurred {
        ExpectationStanding::FailedAsExpected
    } else {
        ExpectationStanding::NotMeasured
    }
}
