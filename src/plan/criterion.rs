//! Parameters of the rules on printed means, correlations and crash counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Column, Rows};

/// Whether two columns rise or fall together strongly enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorrelationCriterion {
    /// The rows; one for each run.
    pub rows: Rows,
    /// The first column.
    pub x: String,
    /// The second column.
    pub y: String,
    /// Which way the second is meant to go when the first rises.
    pub direction: Direction,
    /// The correlation in that direction must exceed this.
    pub above: f64,
    /// Power of the number of runs that an open question is said to need.
    pub power: f64,
}

/// Which way a column goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Up.
    Rising,
    /// Down.
    Falling,
}

/// Whether something stayed above a limit for so many readings in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Saturation {
    /// The readings, in the order of time.
    pub series: Column,
    /// The limit, in the column's unit.
    pub above: f64,
    /// So many readings in a row count as sustained.
    pub sustained_readings: u64,
    /// Highest single readings, which are told and decide nothing.
    pub spot: Column,
}

/// Whether a difference that a report states in several places meets a criterion in all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatedDifferences {
    /// The rows; one for each place.
    pub rows: Rows,
    /// The columns that name the place.
    pub key: Vec<String>,
    /// The column of the side compared against.
    pub left: String,
    /// The column of the side compared.
    pub right: String,
    /// Right minus left must reach this, in the columns' unit.
    pub at_least: f64,
}

/// Whether printed efficiencies are those of the printed speed-ups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParallelEfficiency {
    /// The rows; one for each run.
    pub rows: Rows,
    /// The columns that name the run.
    pub key: Vec<String>,
    /// The column of the speed-up.
    pub speedup: String,
    /// The column of the efficiency, in percent or as a fraction.
    pub efficiency: String,
    /// How many agents ran at once.
    pub agents: u64,
}

/// One side's mean: over the rows of a column, or as a single row prints it with its spread and count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeanSide {
    /// The rows.
    pub rows: Rows,
    /// The column of the values, or of the printed mean.
    pub mean: String,
    /// The column of the printed standard deviation; without it each row is one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<String>,
    /// The column of the printed count; stands with `sd` or `interval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// The columns of the ends of a printed interval of the mean at the plan's confidence, which stands for Student's
    /// where no deviation is printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[String; 2]>,
    /// The column that names the launch (or run) in which a row's value was measured, where each row is one value: by it
    /// the same question is asked of launches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<String>,
}

/// Whether two means differ, or are equivalent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeanContrast {
    /// The side compared against.
    pub left: MeanSide,
    /// The side compared.
    pub right: MeanSide,
    /// Differences up to this are none, in the columns' unit.
    pub margin: f64,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}

/// Whether one mean exceeds another by enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DifferenceCriterion {
    /// The side compared against.
    pub left: MeanSide,
    /// The side compared.
    pub right: MeanSide,
    /// Right minus left must reach this, in the columns' unit.
    pub at_least: f64,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}

/// What an effect on time is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EffectBands {
    /// What is timed.
    pub phase: String,
    /// The side compared against.
    pub baseline: MeanSide,
    /// The side compared.
    pub candidate: MeanSide,
    /// Changes up to this are neutral, in percent of the baseline.
    pub neutral_pct: f64,
    /// Gains above this are strong, in percent of the baseline; without it none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strong_pct: Option<f64>,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}

/// Whether a static cache lets compiled decode run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticCacheRescue {
    /// Host to its rows under the static cache; one for each model.
    pub hosts: BTreeMap<String, Rows>,
    /// The column of the model.
    pub model: String,
    /// The column of crashes, as a count or a share.
    pub crashes: String,
    /// The column of attempts.
    pub n: String,
    /// Host to its rows under the growing cache, so that what never crashed there is not called rescued; without them
    /// it is not known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub growing: BTreeMap<String, Rows>,
    /// The largest crash rate that a cell without any crash may still have.
    pub max_rate: f64,
}

/// Where along an axis crashes begin or end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrashBoundary {
    /// The rows; one for each place.
    pub rows: Rows,
    /// The column of the place.
    pub at: String,
    /// The column of crashes, as a count or a share.
    pub crashes: String,
    /// The column of attempts.
    pub n: String,
    /// What that column counts.
    #[serde(default, skip_serializing_if = "Counted::is_crashes")]
    pub counts: Counted,
    /// The crash rate that separates the two sides.
    pub cut: f64,
}

/// What goes wrong along an axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Crashes.
    #[default]
    Crashes,
    /// Answers of another path than the one that was asked for.
    Fallbacks,
    /// Hangs.
    Hangs,
}

impl Counted {
    fn is_crashes(&self) -> bool {
        *self == Self::Crashes
    }
}

/// Whether conditions come out alike on two hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Portability {
    /// Exactly two hosts and their rows, in the order in which they are compared.
    pub sides: Vec<PortabilitySide>,
    /// The columns that tell conditions apart.
    pub key: Vec<String>,
    /// The column of crashes, as a count or a share.
    pub crashes: String,
    /// The column of attempts.
    pub n: String,
    /// The column of the mean time.
    pub mean: String,
    /// A side is ok when its crash rate is at most this.
    pub ok_rate: f64,
    /// A side that is not ok crashes when its crash rate is at least this; at the least what `ok_rate` is.
    pub crash_rate: f64,
    /// Means that differ by less than this are similar, in percent of the first side's.
    pub similar_pct: f64,
}

/// One host of [`Portability`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortabilitySide {
    /// What it is called.
    pub host: String,
    /// Its rows.
    pub rows: Rows,
}

/// How near a run comes to a published target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReproductionBands {
    /// The one row.
    pub rows: Rows,
    /// The column of the number; null where nothing survived.
    pub value: String,
    /// The column of its coefficient of variation, as a fraction; null where nothing survived.
    pub cv: String,
    /// The column of the samples that survived.
    pub survived: String,
    /// The column of the samples that did not.
    pub crashed: String,
    /// The published number.
    pub target: f64,
    /// Band to its lower edge, which belongs to it; one band begins at 0.
    pub bands: BTreeMap<String, f64>,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}
