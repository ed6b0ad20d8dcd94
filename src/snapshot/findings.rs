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
                .values(Some(old.finding.name().into()), None);
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
            .values(None, Some(new.finding.name().into()));
        comparing.push(change, &new.lanes);
    }
}

/// Whether a hypothesis rests on times. Parity of tokens does not, on any host.
fn is_timing(old: &SnapshotHypothesis, new: &HypothesisVerdict) -> bool {
    let parity = |finding: &Finding| matches!(finding, Finding::Identical | Finding::NotIdentical);
    let mut findings = old.expected.iter().chain(&new.expected).chain([&old.finding, &new.finding]);
    !findings.any(parity)
}

/// A timing hypothesis of a run whose times prove nothing. Another host class was never expected to agree; a
/// contaminated host was.
fn in_doubt(comparing: &mut Comparing<'_>, old: &SnapshotHypothesis, new: &HypothesisVerdict) {
    let expected_to_agree = comparing.obstacle != Some(Obstacle::OtherHostClass);
    if expected_to_agree && old.finding != new.finding {
        let change = Change::new(Part::Finding, Severity::CouldNotCompare, format!("hypothesis {}", new.name))
            .values(Some(old.finding.name().into()), Some(new.finding.name().into()))
            .note("times were not compared");
        comparing.push(change, &new.lanes);
    }
}

fn finding_change(old: &SnapshotHypothesis, new: &HypothesisVerdict) -> Option<Change> {
    if old.finding == new.finding {
        return None;
    }
    let fails = |finding: Finding| !new.expected.is_empty() && !new.expected.contains(&finding);
    // A negative control that shows something says that the host cannot be trusted, not that software got worse.
    let severity = match (old.finding.is_decided(), new.finding.is_decided()) {
        (_, false) => Severity::CouldNotCompare,
        (_, true) if new.negative_control && fails(new.finding) => Severity::CouldNotCompare,
        (_, true) if fails(new.finding) => Severity::Regression,
        (true, true) if fails(old.finding) => Severity::Improvement,
        // Significant here and not there is no difference between here and there.
        (_, true) if is_timing(old, new) && !any_cell_moved(old, new) => Severity::CouldNotCompare,
        (true, true) => Severity::Changed,
        (false, true) => Severity::New,
    };
    let change = Change::new(Part::Finding, severity, format!("hypothesis {}", new.name))
        .values(Some(old.finding.name().into()), Some(new.finding.name().into()));
    Some(match new.reasons.first() {
        Some(reason) => change.note(reason.clone()),
        None => change,
    })
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
    let fails = |finding: Finding| !hypothesis.expected.is_empty() && !hypothesis.expected.contains(&finding);
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
