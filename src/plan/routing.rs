//! Parameters of the rules on what was measured against somebody else's service, and when.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Column, Rows};

/// Whether an own router wins against a commercial one, task family by task family, on matched pairs of requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommercialRouting {
    /// The rows; one for each provider and task family.
    pub rows: Rows,
    /// The columns that name it.
    pub key: Vec<String>,
    /// The column of the difference in latency, external minus internal, over matched pairs.
    pub difference: String,
    /// The columns of the ends of its interval, at the plan's confidence.
    pub interval: [String; 2],
    /// The column of the number of pairs.
    pub pairs: String,
    /// An interval that lies within this around 0 is parity, in the unit of the difference.
    pub parity_within: f64,
    /// The columns of a score, higher better: external, internal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scores: Option<[String; 2]>,
    /// The columns of a cost, lower better: external, internal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<[String; 2]>,
    /// By which a provider's direction counts or does not; without it every provider's does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiles: Option<RoutingProfiles>,
    /// Tasks that count only where both sides were held to the same tools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<ToolTasks>,
    /// Power of the number of pairs that an open question is said to need.
    pub power: f64,
}

/// Load profiles of each provider: its direction counts where they all point the same way and few requests fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingProfiles {
    /// The rows; one for each profile.
    pub rows: Rows,
    /// The column of the matrix that a profile belongs to.
    pub matrix: String,
    /// The column of the provider, among the rule's own rows.
    pub provider: String,
    /// Provider to the matrices that are its own.
    pub matrices: BTreeMap<String, Vec<String>>,
    /// The column of external latency over internal latency.
    pub ratio: String,
    /// The column of the share of external requests that failed; null where none is printed.
    pub external_error: String,
    /// The largest such share with which a direction counts.
    pub max_external_error: f64,
}

/// See [`CommercialRouting::tools`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolTasks {
    /// The column of the task family, among the rule's own rows.
    pub task: String,
    /// The families in which tools are called.
    pub families: Vec<String>,
    /// The column that records, true or false, that both sides were held to the same tools; without it nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parity: Option<Column>,
}

/// What a difference comes to where both sides were run again in the same window of time. A number whose sides were run at
/// different times tells of the time as well, and decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SameWindowRerun {
    /// The rows of the rerun; one for each comparison.
    pub rerun: Rows,
    /// The rows of comparisons across windows: told beside the rerun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Rows>,
    /// The columns that tell comparisons apart, in the rows of both.
    pub key: Vec<String>,
    /// The columns of the windows that the baseline and the candidate of a rerun ran in: where they differ, it is none.
    /// Without them that both sides shared a window is the plan's word, and the verdict says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<[String; 2]>,
    /// Column of a difference, candidate minus baseline and lower better, to the largest that is near flat, in its unit. An
    /// empty cell is not judged.
    pub near_flat: BTreeMap<String, f64>,
}
