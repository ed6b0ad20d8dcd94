//! Tokens, outcomes, coverage and times per cell and lane, then and now.

use std::collections::BTreeMap;

use super::ChangeKind;
use super::accept::not_ok;
use super::compare::Comparing;
use super::comparison::{Change, Part, Severity};
use super::findings::lie_apart;
use super::value::{SnapshotCell, SnapshotLaneCell};
use crate::terms::{Digest, Outcome, describe_work, significant};
use crate::verdict::{CellVerdict, LaneCell, LaneState};

pub(super) fn compare(comparing: &mut Comparing<'_>) {
    let (then, now) = (comparing.then, comparing.now);
    for old in &then.cells {
        let what = describe_work(old.phase, &old.workload, old.prompt_tokens, old.new_tokens, &old.axes);
        let Some(new) = now.cells.iter().find(|cell| cell.cell == old.cell) else {
            let change = Change::new(Part::Cell, comparing.lacking(Severity::Missing), what).cell(&old.cell);
            comparing.push(change.values(Some("present".into()), None), &[]);
            continue;
        };
        one_cell(comparing, &what, old, new);
    }
    for new in now.cells.iter().filter(|new| !then.cells.iter().any(|old| old.cell == new.cell)) {
        let what = describe_work(new.phase, &new.workload, new.prompt_tokens, new.new_tokens, &new.axes);
        let change = Change::new(Part::Cell, Severity::New, what).cell(&new.cell);
        comparing.push(change.values(None, Some("present".into())), &[]);
    }
}

/// Lanes that are new, missing or absent have been told as such; here stand those that took part then and now.
fn one_cell(comparing: &mut Comparing<'_>, what: &str, old: &SnapshotCell, new: &CellVerdict) {
    let (then, now) = (comparing.then, comparing.now);
    let took_part_then = |name: &str| then.lane(name).is_some_and(|lane| lane.state == LaneState::Ready);
    let took_part_now = |name: &str| now.lanes.iter().any(|lane| lane.lane == name && lane.state == LaneState::Ready);
    let took_part = |name: &str| took_part_then(name) && took_part_now(name);
    for was in old.lanes.iter().filter(|lane| took_part(&lane.lane)) {
        match new.lanes.iter().find(|lane| lane.lane == was.lane) {
            Some(is) => one_lane(comparing, what, old, was, is),
            None => {
                let change = Change::new(Part::Cell, comparing.lacking(Severity::Missing), what)
                    .cell(&old.cell)
                    .values(Some("met".into()), None);
                comparing.push(change.lane(&was.lane), std::slice::from_ref(&was.lane));
            }
        }
    }
    for is in new.lanes.iter().filter(|lane| took_part(&lane.lane) && old.lane(&lane.lane).is_none()) {
        let change = Change::new(Part::Cell, Severity::New, what).cell(&new.cell).values(None, Some("met".into()));
        comparing.push(change.lane(&is.lane), std::slice::from_ref(&is.lane));
    }
}

fn one_lane(comparing: &mut Comparing<'_>, what: &str, cell: &SnapshotCell, was: &SnapshotLaneCell, is: &LaneCell) {
    let changes = [
        tokens(cell, was, is),
        outcomes(comparing, was, is),
        coverage(comparing, was, is),
        magnitude(comparing, was, is),
    ];
    for mut change in changes.into_iter().flatten() {
        what.clone_into(&mut change.what);
        comparing.push(change.lane(&is.lane).cell(&cell.cell), std::slice::from_ref(&is.lane));
    }
}

fn tokens(cell: &SnapshotCell, was: &SnapshotLaneCell, is: &LaneCell) -> Option<Change> {
    let told = |digest: Option<Digest>, distinct: u64| match digest {
        Some(digest) => Some(digest.to_string()),
        None if distinct > 1 => Some(format!("{distinct} different outputs")),
        None => None,
    };
    let (from, to) = (told(cell.tokens_of(was), was.distinct_outputs), told(is.tokens_sha256, is.distinct_outputs));
    // Without an output now, the missing rows are told by outcomes and coverage.
    if from == to || to.is_none() {
        return None;
    }
    let severity = match (was.distinct_outputs > 1, is.distinct_outputs > 1) {
        _ if from.is_none() => Severity::New,
        (false, true) => Severity::Regression,
        (true, false) => Severity::Improvement,
        _ => Severity::Changed,
    };
    Some(Change::new(Part::Tokens, severity, "").values(from, to))
}

fn outcomes(comparing: &Comparing<'_>, was: &SnapshotLaneCell, is: &LaneCell) -> Option<Change> {
    let (old, new) = (&was.not_ok, not_ok(&is.outcomes));
    if *old == new {
        return None;
    }
    let total = |counts: &BTreeMap<Outcome, u64>| counts.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let severity = match total(&new).cmp(&total(old)) {
        std::cmp::Ordering::Greater => Severity::Regression,
        std::cmp::Ordering::Less => comparing.lacking(Severity::Improvement),
        std::cmp::Ordering::Equal => Severity::Changed,
    };
    Some(Change::new(Part::Outcomes, severity, "").values(Some(told_outcomes(old)), Some(told_outcomes(&new))))
}

fn told_outcomes(counts: &BTreeMap<Outcome, u64>) -> String {
    if counts.is_empty() {
        return "all ok".to_owned();
    }
    counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect::<Vec<_>>().join(", ")
}

fn coverage(comparing: &Comparing<'_>, was: &SnapshotLaneCell, is: &LaneCell) -> Option<Change> {
    if (was.ok, was.planned) == (is.ok, is.planned) {
        return fewer_launches(comparing, was, is);
    }
    // Shares, because another plan may ask for another number: ok / planned, crosswise.
    let (old, new) = (u128::from(was.ok) * u128::from(is.planned), u128::from(is.ok) * u128::from(was.planned));
    let severity = match new.cmp(&old) {
        std::cmp::Ordering::Less => comparing.lacking(Severity::Regression),
        std::cmp::Ordering::Greater => Severity::Improvement,
        std::cmp::Ordering::Equal => Severity::Changed,
    };
    let told = |ok: u64, planned: u64| Some(format!("{ok} of {planned} ok"));
    let change = Change::new(Part::Coverage, severity, "").values(told(was.ok, was.planned), told(is.ok, is.planned));
    // Fewer of fewer that were planned is the same share, and less evidence all the same.
    let grew = new >= old && is.ok >= was.ok;
    Some(change.kind(if grew { ChangeKind::CoverageGrew } else { ChangeKind::CoverageShrank }))
}

/// As many repetitions from fewer launches, by another plan. By the same one, fewer launches only say that fewer
/// processes broke down and were replaced.
fn fewer_launches(comparing: &Comparing<'_>, was: &SnapshotLaneCell, is: &LaneCell) -> Option<Change> {
    let (old, new) = (was.time.as_ref()?.launches, is.time.as_ref()?.launches);
    if new >= old || comparing.then.plan_sha256 == comparing.now.plan_sha256 {
        return None;
    }
    let told = |launches: u64| Some(format!("{} ok in {launches} launches", is.ok));
    Some(Change::new(Part::Coverage, Severity::Changed, "").values(told(old), told(new)))
}

fn magnitude(comparing: &Comparing<'_>, was: &SnapshotLaneCell, is: &LaneCell) -> Option<Change> {
    if comparing.obstacle.is_some() {
        return None;
    }
    let (old, new) = (was.time.as_ref()?, is.time.as_ref()?);
    let difference_pct = 100.0 * (new.mean_ms - old.mean_ms) / old.mean_ms;
    // By ratio, so that a gain of a factor lies as far out as a loss of that factor.
    let apart_pct = 100.0 * (new.mean_ms.max(old.mean_ms) / new.mean_ms.min(old.mean_ms) - 1.0);
    if apart_pct <= comparing.band_pct || new.mean_ms == old.mean_ms {
        return None;
    }
    let apart = match (old.interval_ms, new.student_ms) {
        (Some(old), Some(new)) => lie_apart(old, new),
        _ => false,
    };
    let severity = match (apart, new.mean_ms > old.mean_ms) {
        (false, _) => Severity::CouldNotCompare,
        (true, true) => Severity::Regression,
        (true, false) => Severity::Improvement,
    };
    let band = comparing.band_pct;
    let why = if apart { "the intervals lie apart" } else { "the intervals overlap or are missing" };
    let ms = |value: f64| significant(value, 4);
    let told = |mean: f64, interval: Option<[f64; 2]>| match interval {
        Some([low, high]) => Some(format!("{} ms ({} to {} ms)", ms(mean), ms(low), ms(high))),
        None => Some(format!("{} ms", ms(mean))),
    };
    let sign = if difference_pct > 0.0 { "+" } else { "" };
    let difference = significant(difference_pct, 3);
    Some(
        Change::new(Part::Magnitude, severity, "")
            .values(told(old.mean_ms, old.interval_ms), told(new.mean_ms, new.student_ms))
            .note(format!("{sign}{difference} %, outside the band of {band} %, and {why}")),
    )
}
