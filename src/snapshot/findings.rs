//! What the hypotheses came out as, then and now.

use super::ChangeKind;
use super::compare::{Comparing, Obstacle};
use super::comparison::{Change, Part, Severity};
use super::value::{SnapshotContrast, SnapshotHypothesis};
use crate::terms::{significant, words};
use crate::verdict::{ContrastCell, Finding, HypothesisVerdict};

pub(super) fn compare(comparing: &mut Comparing<'_>) {
    let (then, now) = (comparing.then, comparing.now);
    for old in &then.hypotheses {
        let Some(new) = now.hypotheses.iter().find(|hypothesis| hypothesis.name == old.name) else {
            let change = Change::new(Part::Hypothesis, Severity::Missing, format!("hypothesis {}", old.name))
                .values(Some(old.result().into()), None);
            comparing.push(change, &old.lanes);
            continue;
        };
        if is_timing(old, new) && comparing.obstacle.is_some() {
            in_doubt(comparing, old, new);
            continue;
        }
        if let Some(mut change) = finding_change(old, new) {
            if !is_timing(old, new) {
                change.kind = ChangeKind::ParityChanged;
            }
            if new.finding == Finding::NotMeasured && comparing.lacks_optional(&new.lanes) {
                change.severity = Severity::Skipped;
            }
            comparing.push(change, &new.lanes);
        }
        for change in part_changes(old, new) {
            comparing.push(change, &new.lanes);
        }
        for cell in &old.cells {
            if let Some(change) =
                new.cells.iter().find(|it| it.cell == cell.cell).and_then(|it| cell_change(new, cell, it))
            {
                comparing.push(change, &new.lanes);
            }
        }
    }
    for new in now.hypotheses.iter().filter(|new| !then.hypotheses.iter().any(|old| old.name == new.name)) {
        let change = Change::new(Part::Hypothesis, Severity::New, format!("hypothesis {}", new.name))
            .values(None, Some(new.result().into()));
        comparing.push(change, &new.lanes);
    }
}

/// Whether a hypothesis rests on times. Parity of tokens does not, on any host.
fn is_timing(old: &SnapshotHypothesis, new: &HypothesisVerdict) -> bool {
    let parity =
        |result: &str| [Finding::Identical, Finding::NotIdentical].iter().any(|parity| parity.name() == result);
    let expected = old.expected.iter().chain(&new.expected).map(String::as_str);
    !expected.chain([old.result(), new.result()]).any(parity)
}

/// A timing hypothesis of a run whose times prove nothing. Another host class was never expected to agree; a
/// contaminated host was.
fn in_doubt(comparing: &mut Comparing<'_>, old: &SnapshotHypothesis, new: &HypothesisVerdict) {
    let expected_to_agree = !matches!(comparing.obstacle, Some(Obstacle::OtherHostClass | Obstacle::NotAsked));
    if expected_to_agree && old.result() != new.result() {
        let change = Change::new(Part::Finding, Severity::CouldNotCompare, format!("hypothesis {}", new.name))
            .values(Some(old.result().into()), Some(new.result().into()))
            .note("times were not compared");
        comparing.push(change, &new.lanes);
    }
}

fn finding_change(old: &SnapshotHypothesis, new: &HypothesisVerdict) -> Option<Change> {
    if old.result() == new.result() {
        return None;
    }
    let fails = |result: &str| new.forbids(result);
    // A negative control that shows something says that the host cannot be trusted, not that software got worse.
    let severity = match (old.finding.is_decided(), new.finding.is_decided()) {
        (_, false) => Severity::CouldNotCompare,
        (_, true) if new.negative_control && fails(new.result()) => Severity::CouldNotCompare,
        (_, true) if fails(new.result()) => Severity::Regression,
        (true, true) if fails(old.result()) => Severity::Improvement,
        // Significant here and not there is no difference between here and there.
        (_, true) if new.ruling.is_none() && is_timing(old, new) && !any_cell_moved(old, new) => {
            Severity::CouldNotCompare
        }
        (true, true) => Severity::Changed,
        (false, true) => Severity::New,
    };
    let change = Change::new(Part::Finding, severity, format!("hypothesis {}", new.name))
        .values(Some(old.result().into()), Some(new.result().into()));
    Some(match new.reasons.first() {
        Some(reason) => change.note(reason.clone()),
        None => change,
    })
}

/// Words for a condition of which the rows could not tell: that it is told of one run and not of the other says nothing.
const OPEN_PARTS: [&str; 8] =
    ["open", "not_tried", "edge", "could_not_tell", "inconclusive", "unproven", "not_stated", "not_compared"];

/// The conditions of a decision rule that came out otherwise, though the rule's own word is the same: a boundary moved.
fn part_changes(old: &SnapshotHypothesis, new: &HypothesisVerdict) -> Vec<Change> {
    let Some(ruling) = new.ruling.as_ref().filter(|ruling| old.result() == ruling.label) else { return Vec::new() };
    if !(old.finding.is_decided() && new.finding.is_decided()) {
        return Vec::new();
    }
    let decided = |label: &str| !OPEN_PARTS.contains(&label);
    let mut changes = Vec::new();
    for was in old.parts.iter().filter(|was| decided(&was.label)) {
        let Some(is) = ruling.parts.iter().find(|is| is.key == was.key) else { continue };
        if is.label != was.label && decided(&is.label) {
            let condition: Vec<String> = was.key.iter().map(|(name, value)| format!("{name} {value}")).collect();
            let what = format!("hypothesis {}, {}", new.name, condition.join(", "));
            let change = Change::new(Part::Finding, Severity::Changed, what);
            changes.push(change.values(Some(was.label.clone()), Some(is.label.clone())));
        }
    }
    changes
}

/// Whether some cell's difference then and now cannot be one and the same.
fn any_cell_moved(old: &SnapshotHypothesis, new: &HypothesisVerdict) -> bool {
    old.cells.iter().any(|then| {
        let now = new.cells.iter().find(|cell| cell.cell == then.cell).and_then(|cell| cell.interval_pct);
        then.interval_pct.zip(now).is_some_and(|(then, now)| lie_apart(then, now))
    })
}

/// A cell's result within a contrast, which has changed only when the intervals of the difference lie apart.
fn cell_change(hypothesis: &HypothesisVerdict, old: &SnapshotContrast, new: &ContrastCell) -> Option<Change> {
    let decided = old.finding.is_decided() && new.finding.is_decided();
    if !decided || old.finding == new.finding || !lie_apart(old.interval_pct?, new.interval_pct?) {
        return None;
    }
    let fails = |finding: Finding| hypothesis.forbids(finding.name());
    let severity = match (fails(old.finding), fails(new.finding)) {
        (_, true) if hypothesis.negative_control => Severity::CouldNotCompare,
        (false, true) => Severity::Regression,
        (true, false) => Severity::Improvement,
        _ => Severity::Changed,
    };
    let told = |finding: Finding, difference: Option<f64>, [low, high]: [f64; 2]| match difference {
        Some(difference) => {
            let [difference, low, high] = [difference, low, high].map(|pct| significant(pct, 3));
            format!("{} ({difference} %, {low} to {high} %)", words(finding.name()))
        }
        None => words(finding.name()),
    };
    Some(
        Change::new(Part::Finding, severity, format!("hypothesis {}, {}", hypothesis.name, new.phase))
            .cell(&new.cell)
            .values(
                Some(told(old.finding, old.difference_pct, old.interval_pct?)),
                Some(told(new.finding, new.difference_pct, new.interval_pct?)),
            ),
    )
}

/// Whether two intervals share no point.
pub(super) fn lie_apart(a: [f64; 2], b: [f64; 2]) -> bool {
    let ([a_low, a_high], [b_low, b_high]) = (a, b);
    a_high < b_low || b_high < a_low
}
