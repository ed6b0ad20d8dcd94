//! Parameters of the rules on printed numbers as they stand: rankings, agreement of two phases, ladders of bands, scores beside
//! latencies.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rows;

/// Which candidate has the lowest mean over what every candidate ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ranking {
    /// The rows; one for each candidate and unit that it ran, or one for each unit with a column for each candidate.
    pub rows: Rows,
    /// The column of the candidate, for example the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// The candidates; at least two. Rows of others are not read.
    pub candidates: Vec<String>,
    /// The column of what a candidate may lack, for example the model: only those that all candidates ran are ranked over.
    pub unit: String,
    /// The column of the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<String>,
    /// The column of the count behind it. A unit has the same weight for every candidate: the least of their counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// Candidate to the column of its mean, where a row prints all of them side by side; null where one did not run. Stands
    /// instead of `candidate`, `mean` and `n`: no count is printed there, and every unit weighs the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub side_by_side: BTreeMap<String, String>,
}

/// Whether two phases of an experiment agree on the same numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// The rows; one for each number that both phases print.
    pub rows: Rows,
    /// The columns that name the number.
    pub key: Vec<String>,
    /// The column of the phase compared against.
    pub left: String,
    /// The column of the phase compared.
    pub right: String,
    /// Changes up to this are consistent, in percent of the first phase's number.
    pub consistent_pct: f64,
    /// Changes up to this are acceptable; larger ones are not.
    pub acceptable_pct: f64,
}

/// In which of several bands a printed number lies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LadderOfBands {
    /// The rows; one for each thing that is placed.
    pub rows: Rows,
    /// The columns that name it.
    pub key: Vec<String>,
    /// The column of the number.
    pub value: String,
    /// Band to the number above which it begins, in the column's unit, which belongs to the band below.
    pub above: BTreeMap<String, f64>,
    /// The band of everything else.
    pub lowest: String,
    /// Where the ladder is only said to hold above a limit on another column: rows at or below it are told and decide nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<LadderHolds>,
}

/// Where a ladder is said to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LadderHolds {
    /// The column.
    pub column: String,
    /// It holds above this.
    pub above: f64,
}

/// Whether one side has the better score and the lower latency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreAndLatency {
    /// The rows; one for each lane of a matrix.
    pub rows: Rows,
    /// The columns that name the lane.
    pub key: Vec<String>,
    /// The columns of the score, higher better: of the side compared against, and of the side compared.
    pub scores: [String; 2],
    /// The columns of the latency in the same order.
    pub latencies: [String; 2],
    /// The columns of the ends of the interval of the score's difference (compared minus compared against); without them no
    /// win is claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_interval: Option<[String; 2]>,
}
