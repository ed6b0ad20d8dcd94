//! Parameters of the rules on switches and cold starts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Column, Rows};

/// Whether a switch becomes the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromotionGates {
    /// The switch.
    pub knob: String,
    /// The rows of its deltas, on minus off; each is of one stage and one mode.
    pub deltas: Rows,
    /// The column of the stage.
    pub stage: String,
    /// The words for each stage.
    pub stages: StageWords,
    /// The column of the mode.
    pub mode: String,
    /// The words for each mode.
    pub modes: ModeWords,
    /// Column of a delta to the largest one that counts as near-flat, in milliseconds; other columns are not read.
    pub near_flat_ms: BTreeMap<String, f64>,
    /// Column of a delta to those of the ends of its interval, in milliseconds, where a table prints one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, [String; 2]>,
    /// Whether a gate may be passed by the value of a delta of which no interval is printed. Otherwise such a delta is open.
    pub values_without_interval: bool,
    /// For each mode the column by which it is judged.
    pub judged_by: ModeColumns,
    /// The column of the tail, which must not get worse where the judged one is near-flat.
    pub tail: String,
    /// Where no judged improvement of AB3 is larger than this, AB5 has to confirm it, in milliseconds.
    pub small_effect_ms: f64,
    /// Where the switched path was seen at work; absent where no table shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<SwitchEvidence>,
    /// The rows of the foundation pack's deltas, new minus old, in the columns of `deltas` but for the stage; absent where
    /// none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foundation: Option<Rows>,
    /// The one text that holds passed and compared models, as in `3/3`; a text without them means that none was.
    pub parity: Column,
    /// Strict parity needs at least this many models compared.
    pub parity_checked: u64,
}

/// The words for each stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageWords {
    /// The gate.
    pub ab2: Vec<String>,
    /// The confirmation.
    pub ab3: Vec<String>,
    /// More repetitions.
    pub ab5: Vec<String>,
}

/// The words for each mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModeWords {
    /// Requests of one kind after warmup.
    pub warm: Vec<String>,
    /// The first request of a process.
    pub cold: Vec<String>,
    /// Requests of several kinds.
    pub mixed: Vec<String>,
}

/// The column by which each mode is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModeColumns {
    /// Requests of one kind after warmup.
    pub warm: String,
    /// The first request of a process.
    pub cold: String,
    /// Requests of several kinds.
    pub mixed: String,
}

/// Columns that record where the switched path was at work: yes or no, or how often it ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchEvidence {
    /// In the arm that has it on; every row has to show it.
    pub on: Column,
    /// In the arm that has it off; no row may show it.
    pub off: Column,
}

/// Which lane is ready first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColdStartRanking {
    /// Lane to its one row, or to one for each launch.
    pub lanes: BTreeMap<String, Rows>,
    /// The column from start to ready; where it is empty, the total less the first request stands for it.
    pub startup: String,
    /// The column of the first request.
    pub first_request: String,
    /// The column of both together.
    pub total: String,
    /// How coarsely readiness was asked for, in milliseconds.
    pub resolution_ms: f64,
    /// The column that names the launch, where each row is one start; a lane then has a row for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<String>,
    /// The column of the starts behind a printed mean; stands instead of `launch`, and `sd` may stand beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The column of the standard deviation of the total over those starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<String>,
    /// Starts behind each printed mean, where no column says how many; stands instead of `launch` and `n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launches: Option<u64>,
    /// Power of the number of launches that an open question is said to need.
    pub power: f64,
}
