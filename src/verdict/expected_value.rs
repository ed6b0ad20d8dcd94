//! An expected failure as a verdict tells it.

use serde::{Deserialize, Serialize};

use crate::terms::{CellId, FailureClass, Outcome, words};

/// What a failure that the plan expects came to, in one lane and cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFailureVerdict {
    /// The lane.
    pub lane: String,
    /// The cell.
    pub cell: CellId,
    /// The outcome that the plan expects.
    pub outcome: Outcome,
    /// The class of failure that it expects; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// Why, as the plan words it.
    pub reason: String,
    /// The last day on which a run may start that the expectation excuses, YYYY-MM-DD in UTC.
    pub expires: String,
    /// What came of it.
    pub standing: ExpectationStanding,
    /// Repetitions whose last attempt is `ok`.
    pub ok: u64,
    /// Repetitions planned.
    pub planned: u64,
    /// Repetitions that do not count against coverage, by this expectation and others of the same lane and cell.
    pub excused: u64,
}

/// What came of an expected failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectationStanding {
    /// What failed, failed as expected, and is excused.
    FailedAsExpected,
    /// Every repetition is `ok`: the expectation must go.
    Passed,
    /// Something failed in another way, which is not excused.
    FailedOtherwise,
    /// It did not come to the expected failure: the lane took no part, the run is not finished, or a failure that another
    /// expectation names came before it.
    NotMeasured,
    /// The run started after the last day: nothing is excused.
    Expired,
}

impl ExpectationStanding {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailedAsExpected => "failed_as_expected",
            Self::Passed => "passed",
            Self::FailedOtherwise => "failed_otherwise",
            Self::NotMeasured => "not_measured",
            Self::Expired => "expired",
        }
    }
}

impl ExpectedFailureVerdict {
    /// What came of it, with its reason, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { outcome, reason, expires, ok, planned, .. } = self;
        let failure = words(outcome.name());
        match self.standing {
            ExpectationStanding::FailedAsExpected if *ok > 0 => {
                format!("{failure} in part as expected until {expires}, {ok} of {planned} repetitions ok: {reason}")
            }
            ExpectationStanding::FailedAsExpected => format!("{failure} as expected until {expires}: {reason}"),
            ExpectationStanding::Passed => format!(
                "an expected failure passed: {failure} was expected until {expires} ({reason}), and every repetition is \
                 ok; take the expectation out of the plan"
            ),
            ExpectationStanding::FailedOtherwise => {
                format!("{failure} was expected until {expires} ({reason}), and it failed in another way: not excused")
            }
            ExpectationStanding::NotMeasured => {
                format!("{failure} is expected until {expires} ({reason}), and the rows do not show it")
            }
            ExpectationStanding::Expired => format!(
                "the expectation that it is {failure} expired after {expires}, before the run started, and excuses \
                 nothing any more: {reason}"
            ),
        }
    }
}
