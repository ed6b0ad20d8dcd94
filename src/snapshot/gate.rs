//! The kinds of change that `verify` keeps apart, and how each of them came out: what a CI system shows as its gates.

use serde::{Deserialize, Serialize};

use super::{Change, Magnitudes, Part, Severity};

/// A kind of change, with a name that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// The run was made by another plan.
    PlanChanged,
    /// The run was made with another model.
    ModelChanged,
    /// A lane is new, or runs without the lock that it had.
    LanesChanged,
    /// A hypothesis about times came out otherwise, or is new or missing.
    VerdictChanged,
    /// A hypothesis about equal tokens came out otherwise.
    ParityChanged,
    /// A lane gave other tokens in a cell.
    TokensChanged,
    /// Rows failed that did not, or in another way; or fail no more.
    OutcomesChanged,
    /// Fewer lanes, cells, launches or `ok` repetitions than the snapshot has.
    CoverageShrank,
    /// More cells or `ok` repetitions than the snapshot has.
    CoverageGrew,
    /// A mean left the band around the snapshot's, upwards or downwards.
    MagnitudeLeftBand,
    /// A cell is `ok` throughout that the plan expects to fail.
    ExpectedFailurePassed,
    /// No row is `ok`.
    NothingMeasured,
    /// The run has not come to its end.
    RunUnfinished,
    /// Others used the host, or several host classes measured.
    HostInDoubt,
}

impl ChangeKind {
    /// All kinds, in report order.
    pub const ALL: [Self; 14] = [
        Self::NothingMeasured,
        Self::RunUnfinished,
        Self::HostInDoubt,
        Self::PlanChanged,
        Self::ModelChanged,
        Self::LanesChanged,
        Self::ExpectedFailurePassed,
        Self::VerdictChanged,
        Self::ParityChanged,
        Self::TokensChanged,
        Self::OutcomesChanged,
        Self::CoverageShrank,
        Self::CoverageGrew,
        Self::MagnitudeLeftBand,
    ];

    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PlanChanged => "plan_changed",
            Self::ModelChanged => "model_changed",
            Self::LanesChanged => "lanes_changed",
            Self::VerdictChanged => "verdict_changed",
            Self::ParityChanged => "parity_changed",
            Self::TokensChanged => "tokens_changed",
            Self::OutcomesChanged => "outcomes_changed",
            Self::CoverageShrank => "coverage_shrank",
            Self::CoverageGrew => "coverage_grew",
            Self::MagnitudeLeftBand => "magnitude_left_band",
            Self::ExpectedFailurePassed => "expected_failure_passed",
            Self::NothingMeasured => "nothing_measured",
            Self::RunUnfinished => "run_unfinished",
            Self::HostInDoubt => "host_in_doubt",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::PlanChanged => "the run was made by another plan than the snapshot",
            Self::ModelChanged => "the run was made with another model",
            Self::LanesChanged => "a lane is new, or runs without the lock that it had",
            Self::VerdictChanged => "a hypothesis about times came out otherwise, or is new or missing",
            Self::ParityChanged => "a hypothesis about equal tokens came out otherwise",
            Self::TokensChanged => "a lane gave other tokens in a cell",
            Self::OutcomesChanged => "rows fail that did not, fail in another way, or fail no more",
            Self::CoverageShrank => "fewer lanes, cells, launches or ok repetitions than the snapshot has",
            Self::CoverageGrew => "more cells or ok repetitions than the snapshot has",
            Self::MagnitudeLeftBand => "a mean left the band around the snapshot's, upwards or downwards",
            Self::ExpectedFailurePassed => "a cell is ok that the plan expects to fail",
            Self::NothingMeasured => "no row is ok: neither a pass nor a regression",
            Self::RunUnfinished => "the run has not come to its end",
            Self::HostInDoubt => "others used the host, or hosts of several classes measured",
        }
    }

    /// The kind of a change of `part` that counts as `severity`, where the caller does not know better.
    pub(super) const fn of(part: Part, severity: Severity) -> Self {
        match (part, severity) {
            (Part::ExpectedFailure, _) => Self::ExpectedFailurePassed,
            (Part::Plan, _) => Self::PlanChanged,
            (Part::Model, _) => Self::ModelChanged,
            (Part::Journal, _) => Self::RunUnfinished,
            (Part::Contamination, _) => Self::HostInDoubt,
            (Part::Lane, Severity::Regression | Severity::Missing | Severity::Skipped) => Self::CoverageShrank,
            (Part::Lane, _) => Self::LanesChanged,
            (Part::Hypothesis | Part::Finding, _) => Self::VerdictChanged,
            (Part::Cell | Part::Coverage, Severity::New | Severity::Improvement) => Self::CoverageGrew,
            (Part::Cell | Part::Coverage, _) => Self::CoverageShrank,
            (Part::Tokens, _) => Self::TokensChanged,
            (Part::Outcomes, _) => Self::OutcomesChanged,
            (Part::Magnitude, _) => Self::MagnitudeLeftBand,
        }
    }

    /// Whether a run that measured nothing can still be asked about it.
    const fn needs_no_rows(self) -> bool {
        matches!(
            self,
            Self::PlanChanged | Self::ModelChanged | Self::NothingMeasured | Self::RunUnfinished | Self::HostInDoubt
        )
    }
}

impl std::fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// How a gate came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateStanding {
    /// Compared, and nothing of the kind was found.
    Passed,
    /// Something of the kind was found.
    Failed,
    /// The run does not show it either way.
    Undecided,
    /// Something of the kind was found that counts as nothing: an optional lane is absent on this host.
    Told,
    /// It was not looked for: nothing was measured, or times prove nothing on this host.
    NotCompared,
}

impl GateStanding {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
            Self::Told => "told",
            Self::NotCompared => "not_compared",
        }
    }
}

/// One kind of change, and how it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The kind.
    pub kind: ChangeKind,
    /// How it came out.
    pub standing: GateStanding,
    /// Changes of the kind.
    pub changes: u64,
}

/// A gate for every kind, in report order.
pub(super) fn gates(changes: &[Change], magnitudes: &Magnitudes) -> Vec<Gate> {
    let nothing_measured = changes.iter().any(|change| change.kind == ChangeKind::NothingMeasured);
    let timed = matches!(magnitudes, Magnitudes::Compared { .. });
    let gate = |kind: ChangeKind| {
        let mine = || changes.iter().filter(move |change| change.kind == kind);
        let any = |severity| mine().any(|change| change.severity == severity);
        let needs_times = matches!(kind, ChangeKind::MagnitudeLeftBand | ChangeKind::VerdictChanged);
        let standing = if mine().any(|change| change.severity.counts()) {
            GateStanding::Failed
        } else if any(Severity::CouldNotCompare) {
            GateStanding::Undecided
        } else if (nothing_measured && !kind.needs_no_rows()) || (needs_times && !timed) {
            GateStanding::NotCompared
        } else if any(Severity::Skipped) {
            GateStanding::Told
        } else {
            GateStanding::Passed
        };
        Gate { kind, standing, changes: mine().count() as u64 }
    };
    ChangeKind::ALL.into_iter().map(gate).collect()
}
