//! `plans/NAME.toml` as it stands in the file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::expected_failure::RawExpectedFailure;
use super::plan_file::{CellOrder, Coverage, GateSettings, LaunchStatistic, StatedStacks};
use super::{ModelSpec, Rule, StatisticsSettings};
use crate::terms::{Phase, SamplingSpec};

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlan {
    pub schema: u32,
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub seed: u64,
    pub model: ModelSpec,
    pub run: RawRun,
    #[serde(rename = "workload")]
    pub workloads: Vec<RawWorkload>,
    #[serde(rename = "lane")]
    pub lanes: Vec<RawPlannedLane>,
    #[serde(default, rename = "hypothesis")]
    pub hypotheses: Vec<RawHypothesis>,
    #[serde(default)]
    pub statistics: StatisticsSettings,
    #[serde(default)]
    pub coverage: Coverage,
    #[serde(default)]
    pub gate: GateSettings,
    #[serde(default, rename = "expected_failure")]
    pub expected_failures: Vec<RawExpectedFailure>,
    #[serde(default)]
    pub stated: Vec<StatedStacks>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRun {
    pub launches: u32,
    pub repetitions: u32,
    pub warmup: u32,
    #[serde(default)]
    pub order: CellOrder,
    #[serde(default = "breakdowns")]
    pub breakdowns: u32,
    #[serde(default)]
    pub launch_statistic: LaunchStatistic,
    #[serde(default = "busy_limit_pct")]
    pub busy_limit_pct: f64,
    #[serde(default = "floor_ns_per_forward")]
    pub floor_ns_per_forward: u64,
    #[serde(default)]
    pub min_two_process_speedup: Option<f64>,
}

/// Launches that may break down at one cell in a block.
pub(super) const BREAKDOWNS: u32 = 3;

fn breakdowns() -> u32 {
    BREAKDOWNS
}

/// Others may take this share of the host's processor time in the measured windows before the run counts as
/// contaminated.
fn busy_limit_pct() -> f64 {
    10.0
}

/// Nothing that reads weights does a forward pass in less than a microsecond.
fn floor_ns_per_forward() -> u64 {
    1_000
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorkload {
    pub name: String,
    pub phases: Vec<Phase>,
    #[serde(default)]
    pub prompt_tokens: Option<u32>,
    #[serde(default)]
    pub prompt_seed: Option<u64>,
    #[serde(default)]
    pub prompt: Option<Vec<u32>>,
    #[serde(default)]
    pub prompt_text: Option<String>,
    pub new_tokens: u32,
    #[serde(default)]
    pub sampling: Option<SamplingSpec>,
    #[serde(default = "ignore_eos")]
    pub ignore_eos: bool,
    #[serde(default)]
    pub axes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub stage: u32,
    #[serde(default)]
    pub steady_within_pct: Option<f64>,
}

/// Equal work in every lane needs equal counts, so an early end is the exception.
fn ignore_eos() -> bool {
    true
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlannedLane {
    pub name: String,
    #[serde(default)]
    pub optional: bool,
    #[serde(default)]
    pub launches: Option<u32>,
    #[serde(default)]
    pub repetitions: Option<u32>,
    #[serde(default)]
    pub warmup: Option<u32>,
    #[serde(default)]
    pub max_model_mib: Option<u32>,
    #[serde(default = "telemetry")]
    pub telemetry: bool,
}

/// What is sampled is evidence; a lane goes without it only to show what sampling costs.
fn telemetry() -> bool {
    true
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHypothesis {
    pub name: String,
    #[serde(default)]
    pub kind: Option<RawKind>,
    #[serde(default)]
    pub claim: String,
    #[serde(default)]
    pub lanes: Option<Vec<String>>,
    #[serde(default)]
    pub baseline: Option<String>,
    #[serde(default)]
    pub candidate: Option<String>,
    #[serde(default)]
    pub phases: Option<Vec<Phase>>,
    #[serde(default)]
    pub margin_pct: Option<f64>,
    #[serde(default)]
    pub negative_control: Option<bool>,
    #[serde(default)]
    pub controls: Option<Vec<String>>,
    #[serde(default)]
    pub expect: Option<Vec<String>>,
    #[serde(default)]
    pub rule: Option<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawKind {
    TokensIdentical,
    Contrast,
    PhaseSeparation,
}
