//! A run held against an accepted snapshot.
//!
//! The rules, part by part:
//!
//! - **Plan, model, lanes, hypotheses, cells**: equal, or changed, new, missing.
//! - **Tokens, outcomes, coverage**: equal per cell and lane, on every host class.
//! - **Findings**: one decided result that becomes another is a change; it is a regression when the plan expects
//!   otherwise, an improvement when the plan expected it all along. A result that the rows no longer decide could not be
//!   compared, and neither could a negative control that shows something: it doubts the host, not the software. Within
//!   a hypothesis a cell's result counts as changed only when the two differences' intervals lie apart, because a
//!   difference close to the margin falls on either side of it by chance.
//! - **Magnitudes**: a mean has changed when it lies outside the band *and* the Student intervals of both means lie
//!   apart. Outside the band with intervals that overlap, it could not be compared: one run on each side is no proof.
//!   Intervals that lie apart are a stricter test than Welch's at the same level.
//!   Better or worse, both are changes: an improvement needs `accept` too.
//! - **Another host class**: magnitudes and timing findings are not compared at all.
//! - **An optional lane that is absent on this host** is told, with the hypotheses that need it, and counts as nothing.
//! - **An expected failure that passed** is an improvement that no `accept` takes: the plan's expectation must go.
//! - **A contaminated host, an unfinished run**: what they put in doubt could not be compared, and is no regression.

use super::accept::{host_classes, nothing_measured, segment};
use super::axes::{Identity, LaneAxes, bearing, differences};
use super::comparison::{AxisDifference, Change, Comparison, Magnitudes, Part, Severity, Side, Status};
use super::gate::gates;
use super::value::{FORMAT, Snapshot};
use super::{ChangeKind, HostClass, cells, findings};
use crate::terms::{significant, words};
use crate::verdict::{ExpectationStanding, LaneState, LaneVerdict, Verdict};

/// A comparison in the making.
pub(super) struct Comparing<'a> {
    pub then: &'a Snapshot,
    pub now: &'a Verdict,
    pub band_pct: f64,
    /// What keeps times from being compared.
    pub obstacle: Option<Obstacle>,
    /// Whether the run reached its end.
    pub finished: bool,
    axes: Vec<AxisDifference>,
    changes: Vec<Change>,
}

/// What keeps times from being compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The snapshot is another host class's: nothing was expected of them.
    OtherHostClass,
    /// Nobody asked for them, so that the host class does not matter either.
    NotAsked,
    /// Segments of several host classes.
    MixedHostClasses,
    /// Others used the host.
    Contaminated,
}

impl Comparing<'_> {
    /// Takes in a change, and puts the axes beside it that bear on `lanes` (none named: all).
    pub fn push(&mut self, mut change: Change, lanes: &[String]) {
        change.axes = bearing(&self.axes, lanes);
        self.changes.push(change);
    }

    /// Whether a lane of `lanes` is optional and absent on this host; none named: whether any lane is.
    pub fn lacks_optional(&self, lanes: &[String]) -> bool {
        let absent = |lane: &LaneVerdict| lane.optional && lane.state == LaneState::Skipped;
        self.now.lanes.iter().any(|lane| absent(lane) && (lanes.is_empty() || lanes.contains(&lane.lane)))
    }

    /// The severity of something that the run lacks: an unfinished run may still get it.
    pub fn lacking(&self, otherwise: Severity) -> Severity {
        if self.finished { otherwise } else { Severity::CouldNotCompare }
    }
}

/// Holds `now` against `then`; a mean may lie `band_pct` percent from the snapshot's.
#[must_use]
pub fn compare(then: &Snapshot, now: &Verdict, band_pct: f64) -> Comparison {
    hold(then, now, band_pct, obstacle(then, now, &host_classes(now)))
}

/// Holds everything of `now` but its times against `then`, whatever host either was measured on.
#[must_use]
pub fn compare_without_times(then: &Snapshot, now: &Verdict) -> Comparison {
    hold(then, now, 0.0, Some(Obstacle::NotAsked))
}

fn hold(then: &Snapshot, now: &Verdict, band_pct: f64, obstacle: Option<Obstacle>) -> Comparison {
    let classes = host_classes(now);
    let mut comparing = Comparing {
        then,
        now,
        band_pct,
        obstacle,
        finished: now.journal.sealed && now.journal.torn_bytes == 0,
        axes: differences(&identity_of_snapshot(then), &identity_of_verdict(now)),
        changes: Vec::new(),
    };
    whole(&mut comparing, &classes);
    if !nothing_measured(now) {
        expected_failures(&mut comparing);
        lanes(&mut comparing);
        findings::compare(&mut comparing);
        cells::compare(&mut comparing);
    }
    let Comparing { axes, changes, .. } = comparing;
    let magnitudes = magnitudes(then, now, obstacle, &classes, band_pct);
    Comparison {
        format: FORMAT,
        plan: now.plan.clone(),
        status: status(&changes, obstacle),
        then: side_of_snapshot(then),
        now: side_of_verdict(now),
        gates: gates(&changes, &magnitudes),
        confirmation: None,
        magnitudes,
        changes,
        axes,
    }
}

fn obstacle(then: &Snapshot, now: &Verdict, classes: &[HostClass]) -> Option<Obstacle> {
    if classes.len() > 1 {
        Some(Obstacle::MixedHostClasses)
    } else if classes.first().is_some_and(|class| *class != then.host_class) {
        Some(Obstacle::OtherHostClass)
    } else if now.contamination.contaminated {
        Some(Obstacle::Contaminated)
    } else {
        None
    }
}

fn status(changes: &[Change], obstacle: Option<Obstacle>) -> Status {
    if changes.iter().any(|change| change.severity.counts()) {
        Status::Changed
    } else if obstacle == Some(Obstacle::OtherHostClass) {
        Status::OtherHostClass
    } else if changes.iter().any(|change| change.severity == Severity::CouldNotCompare) {
        Status::Inconclusive
    } else {
        Status::Same
    }
}

fn magnitudes(
    then: &Snapshot,
    now: &Verdict,
    obstacle: Option<Obstacle>,
    classes: &[HostClass],
    band_pct: f64,
) -> Magnitudes {
    let reason = match obstacle {
        _ if nothing_measured(now) => "nothing was measured".to_owned(),
        None => return Magnitudes::Compared { band_pct },
        Some(Obstacle::OtherHostClass) => format!(
            "the snapshot was measured on {}, the run on {}; times of two host classes are no measure of each other",
            then.host_class,
            join(classes)
        ),
        Some(Obstacle::MixedHostClasses) => {
            format!("the run's segments were made on hosts of {} classes: {}", classes.len(), join(classes))
        }
        Some(Obstacle::Contaminated) => "others used the host while the run measured".to_owned(),
        Some(Obstacle::NotAsked) => "everything but times was asked for".to_owned(),
    };
    Magnitudes::NotCompared { reason }
}

fn join(classes: &[HostClass]) -> String {
    classes.iter().map(HostClass::as_str).collect::<Vec<_>>().join(", ")
}

/// What concerns the run as a whole.
fn whole(comparing: &mut Comparing<'_>, classes: &[HostClass]) {
    let (then, now) = (comparing.then, comparing.now);
    for (part, from, to) in [
        (Part::Plan, then.plan.clone(), now.plan.clone()),
        (Part::Plan, then.plan_sha256.to_string(), now.plan_sha256.to_string()),
        (Part::Model, then.model.clone(), now.model.clone()),
    ] {
        if from != to {
            let what = if part == Part::Plan { "the plan" } else { "the model" };
            comparing.push(Change::new(part, Severity::Changed, what).values(Some(from), Some(to)), &[]);
        }
    }
    let doubt = |part, what| Change::new(part, Severity::CouldNotCompare, what);
    if !comparing.finished {
        let found = match now.journal.torn_bytes {
            0 => "not sealed: the run has not reached its end".to_owned(),
            bytes => format!("its last line is torn ({bytes} bytes)"),
        };
        comparing.push(doubt(Part::Journal, "the journal").values(Some("sealed".into()), Some(found)), &[]);
    }
    if nothing_measured(now) {
        let change = doubt(Part::Coverage, "all cells")
            .kind(ChangeKind::NothingMeasured)
            .values(None, Some("nothing was measured".into()));
        comparing.push(change, &[]);
    }
    match comparing.obstacle {
        Some(Obstacle::Contaminated) => {
            let before = then.others_share_pct.map(|pct| format!("others took {} %", significant(pct, 3)));
            let change =
                doubt(Part::Contamination, "the host").values(before, Some(now.contamination.told())).note(format!(
                    "the plan allows {} %; times were not compared, run again on a quiet host",
                    significant(now.contamination.limit_pct, 3)
                ));
            comparing.push(change, &[]);
        }
        Some(Obstacle::MixedHostClasses) => {
            let change = doubt(Part::Journal, "the host class")
                .kind(ChangeKind::HostInDoubt)
                .values(Some(then.host_class.to_string()), Some(join(classes)))
                .note("times of several host classes in one run were not compared");
            comparing.push(change, &[]);
        }
        Some(Obstacle::OtherHostClass | Obstacle::NotAsked) | None => {}
    }
}

/// Cells that are `ok` although the plan expects them to fail, whatever the snapshot says of them: the expectation must go
/// before anything can be accepted.
fn expected_failures(comparing: &mut Comparing<'_>) {
    let now = comparing.now;
    for found in now.expected_failures.iter().filter(|it| it.standing == ExpectationStanding::Passed) {
        let what = format!("{} until {}", words(found.outcome.name()), found.expires);
        let change = Change::new(Part::ExpectedFailure, Severity::Improvement, "expected failure")
            .lane(&found.lane)
            .cell(&found.cell)
            .values(Some(what), Some(format!("{} of {} ok", found.ok, found.planned)))
            .note(format!("{}; take the expectation out of the plan", found.reason));
        comparing.push(change, std::slice::from_ref(&found.lane));
    }
}

/// Lanes that are new, missing, absent, refused or unlocked.
fn lanes(comparing: &mut Comparing<'_>) {
    let (then, now) = (comparing.then, comparing.now);
    for lane in &then.lanes {
        let change = match now.lanes.iter().find(|it| it.lane == lane.lane) {
            None => {
                Some(Change::new(Part::Lane, Severity::Missing, "lane").values(Some(lane.state.name().into()), None))
            }
            Some(found) => lane_change(lane.state, found),
        };
        if let Some(change) = change {
            comparing.push(change.lane(&lane.lane), std::slice::from_ref(&lane.lane));
        }
    }
    for lane in now.lanes.iter().filter(|lane| then.lane(&lane.lane).is_none()) {
        let change = Change::new(Part::Lane, Severity::New, "lane")
            .values(None, Some(lane.state.name().into()))
            .lane(&lane.lane);
        comparing.push(change, std::slice::from_ref(&lane.lane));
    }
}

fn lane_change(then: LaneState, now: &LaneVerdict) -> Option<Change> {
    let severity = match (then, now.state) {
        (LaneState::Ready, LaneState::Ready) if now.unlocked => {
            let change = Change::new(Part::Lane, Severity::Changed, "lane")
                .values(Some("locked".into()), Some("unlocked".into()))
                .note("without a lock nothing says that this is the stack that was accepted");
            return Some(change);
        }
        (then, now) if then == now => return None,
        // Its launcher or interpreter is not on this host; that says nothing about the lane.
        (_, LaneState::Skipped) if now.optional => Severity::Skipped,
        (_, LaneState::Skipped | LaneState::Refused) => Severity::Regression,
        (_, LaneState::Ready) => Severity::New,
    };
    let change =
        Change::new(Part::Lane, severity, "lane").values(Some(then.name().into()), Some(now.state.name().into()));
    Some(match &now.failure {
        Some(failure) => change.note(failure.message.clone()),
        None => change,
    })
}

/// Axes of lanes that took part; an absent lane has none to differ in.
fn identity_of_snapshot(snapshot: &Snapshot) -> Identity<'_> {
    let took_part = snapshot.lanes.iter().filter(|lane| lane.state == LaneState::Ready);
    let lanes = took_part.map(|it| LaneAxes { lane: &it.lane, declared: &it.declared, observed: &it.observed });
    Identity { segments: snapshot.segments.clone(), lanes: lanes.collect() }
}

pub(super) fn identity_of_verdict(verdict: &Verdict) -> Identity<'_> {
    let took_part = verdict.lanes.iter().filter(|lane| lane.state == LaneState::Ready);
    let lanes = took_part.map(|it| LaneAxes { lane: &it.lane, declared: &it.declared, observed: &it.observed });
    Identity { segments: verdict.journal.segments.iter().map(segment).collect(), lanes: lanes.collect() }
}

fn side_of_snapshot(snapshot: &Snapshot) -> Side {
    Side {
        run: snapshot.run.clone(),
        plan: snapshot.plan.clone(),
        plan_sha256: snapshot.plan_sha256,
        model: snapshot.model.clone(),
        measured_at: Some(snapshot.measured_at.clone()),
        host_classes: vec![snapshot.host_class.clone()],
        conclusion: snapshot.conclusion,
    }
}

pub(super) fn side_of_verdict(verdict: &Verdict) -> Side {
    Side {
        run: verdict.journal.run.clone(),
        plan: verdict.plan.clone(),
        plan_sha256: verdict.plan_sha256,
        model: verdict.model.clone(),
        measured_at: verdict.journal.segments.first().map(|segment| segment.started_at.clone()),
        host_classes: host_classes(verdict),
        conclusion: verdict.conclusion,
    }
}
