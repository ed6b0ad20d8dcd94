//! A comparison as data: what changed, from what to what, and which identity axes differ beside it.

use serde::{Deserialize, Serialize};

use super::{ChangeKind, Confirmation, Gate, HostClass};
use crate::terms::{CellId, Digest};
use crate::verdict::Conclusion;

/// What a run is, held against an accepted snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Format version.
    pub format: u32,
    /// The plan's name.
    pub plan: String,
    /// What it comes to.
    pub status: Status,
    /// The snapshot.
    pub then: Side,
    /// The run.
    pub now: Side,
    /// Whether times were compared.
    pub magnitudes: Magnitudes,
    /// Every kind of change, and how it came out.
    pub gates: Vec<Gate>,
    /// What further runs say of a regression in times, where the plan asks for such runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// What changed, in the order plan, host, lanes, hypotheses, cells.
    pub changes: Vec<Change>,
    /// Every identity axis that differs, whether or not a change stands beside it.
    pub axes: Vec<AxisDifference>,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// The run.
    pub run: String,
    /// The plan's name.
    pub plan: String,
    /// The plan's canonical digest.
    pub plan_sha256: Digest,
    /// The model's name.
    pub model: String,
    /// Start of the first segment; absent when the journal has no header.
    pub measured_at: Option<String>,
    /// The host classes of the segments.
    pub host_classes: Vec<HostClass>,
    /// What the verdict concluded.
    pub conclusion: Conclusion,
}

/// What a comparison comes to. Where several apply it is the first of: changed, other host class, inconclusive, same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing changed, and everything was compared but optional lanes that are absent on this host.
    Same,
    /// Something changed: a regression, an improvement, or something new or missing.
    Changed,
    /// Nothing changed, but something could not be compared.
    Inconclusive,
    /// Nothing changed in what can be compared with another host class's snapshot.
    OtherHostClass,
}

/// Whether times were compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Magnitudes {
    /// They were.
    Compared {
        /// How far a mean may lie from the snapshot's, in percent.
        band_pct: f64,
    },
    /// They were not.
    NotCompared {
        /// Why.
        reason: String,
    },
}

/// The part of a verdict that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The plan's digest.
    Plan,
    /// The model.
    Model,
    /// The journal: whether the run reached its end.
    Journal,
    /// Others' use of the host.
    Contamination,
    /// A lane's part in the run.
    Lane,
    /// A hypothesis is new or missing.
    Hypothesis,
    /// What a hypothesis came out as.
    Finding,
    /// A cell is new or missing.
    Cell,
    /// Output tokens.
    Tokens,
    /// Rows that are not `ok`.
    Outcomes,
    /// Repetitions that are `ok`, of those planned.
    Coverage,
    /// Times.
    Magnitude,
    /// A failure that the plan expects.
    ExpectedFailure,
}

impl Part {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Model => "model",
            Self::Journal => "journal",
            Self::Contamination => "contamination",
            Self::Lane => "lane",
            Self::Hypothesis => "hypothesis",
            Self::Finding => "finding",
            Self::Cell => "cell",
            Self::Tokens => "tokens",
            Self::Outcomes => "outcomes",
            Self::Coverage => "coverage",
            Self::Magnitude => "magnitude",
            Self::ExpectedFailure => "expected_failure",
        }
    }
}

/// How a change counts. All but the last two need `accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worse than what was accepted.
    Regression,
    /// Other than what was accepted, neither better nor worse by itself.
    Changed,
    /// In the snapshot, not in the run.
    Missing,
    /// In the run, not in the snapshot.
    New,
    /// Better than what was accepted.
    Improvement,
    /// The run does not show it either way.
    CouldNotCompare,
    /// An optional lane is absent on this host. It is told and counts as nothing.
    Skipped,
}

impl Severity {
    /// All severities, in report order.
    pub const ALL: [Self; 7] = [
        Self::Regression,
        Self::Changed,
        Self::Missing,
        Self::New,
        Self::Improvement,
        Self::CouldNotCompare,
        Self::Skipped,
    ];

    /// Whether it makes the run another than the accepted one, so that it needs `accept`.
    #[must_use]
    pub const fn counts(self) -> bool {
        !matches!(self, Self::CouldNotCompare | Self::Skipped)
    }

    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::New => "new",
            Self::Improvement => "improvement",
            Self::CouldNotCompare => "could_not_compare",
            Self::Skipped => "skipped",
        }
    }
}

/// One thing that is not as the snapshot says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The kind of change: the gate that it is told by.
    pub kind: ChangeKind,
    /// The part of the verdict.
    pub part: Part,
    /// How it counts.
    pub severity: Severity,
    /// What it is about, for people.
    pub what: String,
    /// The lane, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// The cell, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<CellId>,
    /// What the snapshot says; absent when it says nothing.
    pub from: Option<String>,
    /// What the run says; absent when it says nothing.
    pub to: Option<String>,
    /// Why it counts so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The identity axes that differ where this change is: of its lanes, of the host and of the tool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<AxisDifference>,
}

impl Change {
    /// A change of `part` with nothing else known.
    pub(super) fn new(part: Part, severity: Severity, what: impl Into<String>) -> Self {
        Self {
            kind: ChangeKind::of(part, severity),
            part,
            severity,
            what: what.into(),
            lane: None,
            cell: None,
            from: None,
            to: None,
            note: None,
            axes: Vec::new(),
        }
    }

    /// Of another kind than its part and severity say.
    pub(super) fn kind(mut self, kind: ChangeKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) fn lane(mut self, lane: &str) -> Self {
        self.lane = Some(lane.to_owned());
        self
    }

    pub(super) fn cell(mut self, cell: &CellId) -> Self {
        self.cell = Some(cell.clone());
        self
    }

    pub(super) fn values(mut self, from: Option<String>, to: Option<String>) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// Where an identity axis stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AxisScope {
    /// Of the tool that measured.
    Tool,
    /// Of the host.
    Host,
    /// Declared by a lane.
    Declared,
    /// Observed in a lane by preflight.
    Observed,
}

impl AxisScope {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Host => "host",
            Self::Declared => "declared",
            Self::Observed => "observed",
        }
    }
}

/// An identity axis that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AxisDifference {
    /// Where it stands.
    pub scope: AxisScope,
    /// The lane, for a declared or observed axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// The axis.
    pub axis: String,
    /// Its value in the snapshot or first run; absent when it has none.
    pub from: Option<String>,
    /// Its value in the run or second run; absent when it has none.
    pub to: Option<String>,
}

impl Comparison {
    /// What it comes to.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The changes of one severity, in order.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.severity == severity)
    }
}
