//! Parameters of the rules on what may be cited: robustness over stacks, clean runs, the five gates.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Column, Rows};

/// How much of a compiled performance survives a change of stack (CRI).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompileRobustness {
    /// The rows; one for each stack, all else the same.
    pub rows: Rows,
    /// The column of the stack.
    pub stack: String,
    /// The column of the compiled performance; without it, or null, nothing survived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance: Option<String>,
    /// What that column is.
    #[serde(default, skip_serializing_if = "PerformanceIs::is_rate")]
    pub performance_is: PerformanceIs,
    /// The column of its coefficient of variation, as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cv: Option<String>,
    /// The column of the repetitions that survived.
    pub survived: String,
    /// The column of the repetitions that were tried.
    pub tried: String,
    /// `robust` up to this loss, in percent of the best stack.
    pub robust_pct: f64,
    /// `sensitive` up to this one.
    pub sensitive_pct: f64,
    /// `fragile` up to this one, `catastrophic` beyond.
    pub fragile_pct: f64,
}

/// Which way a performance is better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PerformanceIs {
    /// More is better.
    #[default]
    Rate,
    /// Less is better; what is compared is its inverse.
    Time,
}

impl PerformanceIs {
    fn is_rate(&self) -> bool {
        *self == Self::Rate
    }
}

/// Which of several runs may be cited. A column that is not named was not recorded, which is no absence of what it would
/// tell of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanRuns {
    /// The rows; one for each run.
    pub rows: Rows,
    /// The column of the run's name.
    pub run: String,
    /// The column of other processes that held memory of the GPU, as a text with commas or a count; null where nobody
    /// looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_gpu_processes: Option<String>,
    /// The column of requests that were refused for want of inference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_without_inference: Option<String>,
    /// The columns of the fused arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fused: Option<FusedColumns>,
    /// The columns of uncertainty probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probes: Option<ProbeColumns>,
    /// The column that says whether arms that retry or vote are in the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_or_vote_arms: Option<String>,
    /// The column of the run whose arms this one ran in the reverse order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse_order_of: Option<String>,
    /// The column of the run that replaces this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// What a run's own authors said of it that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawn>,
    /// Whether a first arm may have warmed something up for the second, so that a run counts only with its reverse.
    pub order_matters: bool,
}

/// A column of remarks, and those by which the authors of a run took it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawn {
    /// The column.
    pub column: String,
    /// The remarks that do, as they stand there; at least one.
    pub remarks: Vec<String>,
}

/// Columns of a fused arm, each true or false.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FusedColumns {
    /// Whether its marker stood in the log.
    pub log_marker: String,
    /// Whether the build has what it needs.
    pub built_with_it: String,
}

/// Columns of uncertainty probes, each a count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeColumns {
    /// Requests.
    pub requests: String,
    /// Of those, answered.
    pub ok: String,
    /// Answered by another path.
    pub fallbacks: String,
    /// Failed.
    pub errors: String,
}

/// What a published benchmark shows of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FiveGates {
    /// The column of the phases that are reported apart.
    pub phases: Column,
    /// The phases that must be.
    pub phases_needed: Vec<String>,
    /// The rows of the environments.
    pub environment: Rows,
    /// Axis that must be stated to the column that states it; one that the table has not, or leaves empty, is not stated.
    pub environment_needed: BTreeMap<String, String>,
    /// The rows of the compiled results.
    pub results: Rows,
    /// Axis of cache, mode and compiler that must be stated with each result to the column that states it.
    pub surfaced_needed: BTreeMap<String, String>,
    /// The column of the count of rows behind each result; one that the table has not means that none are.
    pub rows_behind: String,
    /// The least share of results that must have rows.
    pub artifact_share: f64,
    /// What came out for the same combination in several regimes.
    pub regimes: Regimes,
    /// At least this many combinations must have been seen in two regimes.
    pub combinations_needed: u64,
}

/// See [`FiveGates::regimes`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regimes {
    /// The rows; one for each combination and regime.
    pub rows: Rows,
    /// The columns that tell combinations apart.
    pub combination: Vec<String>,
    /// The column of the regime.
    pub regime: String,
    /// The column of the outcome: a word, or a crash rate.
    pub outcome: String,
    /// The crash rate from which on an outcome is `crashes`, else `runs`; without it the column's own words are the
    /// outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crashes_from: Option<f64>,
}
