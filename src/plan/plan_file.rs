//! The checked plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::raw_plan::BREAKDOWNS;
use super::{Error, ExpectedFailure, ModelSpec, Rule, check_plan};
use crate::terms::{Axes, Cell, Digest, Phase, SamplingSpec, canonical_json};

/// The experiment as it was registered before anything was measured. Every invariant that the fields' documents
/// name holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Name; also that of the snapshot folder.
    pub name: String,
    /// One sentence for people. No part of the plan's digest.
    #[serde(skip)]
    pub description: String,
    /// Seed of every order.
    pub seed: u64,
    /// The weights.
    pub model: ModelSpec,
    /// Launches, repetitions, limits.
    pub run: RunSettings,
    /// At least one; names unique.
    pub workloads: Vec<Workload>,
    /// At least one; names unique.
    pub lanes: Vec<PlannedLane>,
    /// Names unique; every lane named is a lane of the plan.
    pub hypotheses: Vec<Hypothesis>,
    /// Levels and seeds.
    pub statistics: StatisticsSettings,
    /// Floors below which the verdict abstains.
    pub coverage: Coverage,
    /// What a regression needs to stand.
    #[serde(skip_serializing_if = "GateSettings::is_default")]
    pub gate: GateSettings,
    /// Failures that are expected; no two of the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expected_failures: Vec<ExpectedFailure>,
    /// What others state of stacks that they compared: the table `stated` of the rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stated: Vec<StatedStacks>,
}

/// What somebody states of two stacks that they compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatedStacks {
    /// Where it is stated.
    #[serde(rename = "where")]
    pub place: String,
    /// The side compared against.
    pub left: String,
    /// The side compared.
    pub right: String,
}

/// Launches, repetitions, limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSettings {
    /// Launches of each lane; at least 3, because the launch is the unit of replication.
    pub launches: u32,
    /// Measured repetitions of each cell in a launch; at least 1.
    pub repetitions: u32,
    /// Unrecorded repetitions of each cell before the measured ones.
    pub warmup: u32,
    /// In which order a launch meets its repetitions.
    #[serde(skip_serializing_if = "CellOrder::is_default")]
    pub order: CellOrder,
    /// Launches of a lane that may break down at one cell in a block, until what is left of the cell there is given up.
    #[serde(skip_serializing_if = "is_three")]
    pub breakdowns: u32,
    /// How a launch's repetitions of a cell become one number.
    pub launch_statistic: LaunchStatistic,
    /// Share of the host's processor time that others may take in the measured windows, in percent.
    pub busy_limit_pct: f64,
    /// The least time that one forward pass can take, in nanoseconds: faster is `fell_through`.
    pub floor_ns_per_forward: u64,
    /// What two processes must gain over one, by the control that a runner takes around a repetition, for the repetition to
    /// count; where it is absent, no control is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_two_process_speedup: Option<f64>,
}

/// A plan that says nothing of it keeps the digest that it had.
fn is_three(breakdowns: &u32) -> bool {
    *breakdowns == BREAKDOWNS
}

/// In which order a launch meets its repetitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellOrder {
    /// All repetitions of all cells, shuffled; every cell is warmed up before the first.
    #[default]
    Interleaved,
    /// Cell after cell in a shuffled order, each warmed up before its repetitions: for lanes in which going from cell to
    /// cell is dear, because each is compiled anew.
    CellByCell,
}

impl CellOrder {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How a launch's repetitions of a cell become one number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaunchStatistic {
    /// The arithmetic mean.
    Mean,
    /// The median, which a single interruption does not move.
    #[default]
    Median,
}

/// A prompt and what is asked of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workload {
    /// Name.
    pub name: String,
    /// Phases to time; at least one, none twice.
    pub phases: Vec<Phase>,
    /// The prompt.
    pub prompt: Prompt,
    /// Tokens to produce in `kv_decode` and `e2e_kv`; at least 1.
    pub new_tokens: u32,
    /// How tokens are picked.
    pub sampling: SamplingSpec,
    /// Whether an end-of-sequence token is ignored.
    pub ignore_eos: bool,
    /// Axes that its cells fix, each with the values that are crossed with the phases and with one another.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub axes: BTreeMap<String, Vec<String>>,
    /// Its stage: all launches of a stage come before those of the next, so that a run that ends early has whole stages.
    #[serde(skip_serializing_if = "is_first")]
    pub stage: u32,
    /// Makes its eager cells a negative control over blocks: unless the run's later ones take as long as its earlier ones within
    /// this margin, in percent, nothing is decided on times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady_within_pct: Option<f64>,
}

/// A plan of one stage keeps the digest that it had.
fn is_first(stage: &u32) -> bool {
    *stage == 0
}

impl Workload {
    /// The combinations of its axes, in plan order; one empty combination where it has none.
    #[must_use]
    pub fn combinations(&self) -> Vec<Axes> {
        let mut all = vec![Axes::new()];
        for (axis, values) in &self.axes {
            let extended = |axes: &Axes| -> Vec<Axes> {
                let with = |value: &String| {
                    let mut axes = axes.clone();
                    axes.insert(axis.clone(), value.clone());
                    axes
                };
                values.iter().map(with).collect()
            };
            all = all.iter().flat_map(extended).collect();
        }
        all
    }
}

/// Where a prompt's token ids come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// `tokens` ids drawn from the vocabulary by SplitMix64 from `seed`, each as the draw modulo the vocabulary's size.
    Generated {
        /// Count.
        tokens: u32,
        /// Seed.
        seed: u64,
    },
    /// The ids themselves.
    Ids(Vec<u32>),
    /// A text, which the model's tokenizer turns into ids before the plan is expanded.
    Text(String),
}

/// A lane's part in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedLane {
    /// The lane.
    pub name: String,
    /// Whether the run goes on without it when its launcher is absent.
    pub optional: bool,
    /// Launches of this lane; at least 3.
    pub launches: u32,
    /// Measured repetitions of each cell in a launch.
    pub repetitions: u32,
    /// Unrecorded repetitions of each cell.
    pub warmup: u32,
    /// The largest checkpoint, in MiB, that the lane takes part with; it is skipped for a larger one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_model_mib: Option<u32>,
    /// Whether its GPUs are sampled while it is measured. A plan that says nothing of it keeps the digest that it had.
    #[serde(skip_serializing_if = "is_sampled")]
    pub telemetry: bool,
}

fn is_sampled(telemetry: &bool) -> bool {
    *telemetry
}

/// A statement that the verdict decides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hypothesis {
    /// Name.
    pub name: String,
    /// The claim in words; no part of the plan's digest.
    #[serde(skip)]
    pub claim: String,
    /// What is decided, and how.
    pub kind: HypothesisKind,
    /// The results that are as expected, each one that the kind can give; empty: any.
    pub expect: Vec<String>,
}

/// What a hypothesis decides.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HypothesisKind {
    /// Every lane gives the same tokens in every cell.
    TokensIdentical {
        /// The lanes; at least two.
        lanes: Vec<String>,
    },
    /// The candidate's time against the baseline's.
    Contrast(Contrast),
    /// Whether prefill and decode must be reported apart, because the contrast's result differs between them.
    PhaseSeparation(Contrast),
    /// What a decision rule says of the tables that the rows give.
    Ruled {
        /// The rule.
        rule: Box<Rule>,
        /// Negative controls that it leans on.
        controls: Vec<String>,
    },
}

impl HypothesisKind {
    /// The kind's name, as a plan writes it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TokensIdentical { .. } => "tokens_identical",
            Self::Contrast(_) => "contrast",
            Self::PhaseSeparation(_) => "phase_separation",
            Self::Ruled { rule, .. } => rule.kind(),
        }
    }

    /// The results of its decisions. What cannot be decided has none of them.
    #[must_use]
    pub fn labels(&self) -> Vec<&str> {
        match self {
            Self::TokensIdentical { .. } => vec!["identical", "not_identical"],
            Self::Contrast(_) => vec!["faster", "slower", "equivalent", "mixed"],
            Self::PhaseSeparation(_) => vec!["required", "not_required"],
            Self::Ruled { rule, .. } => rule.labels(),
        }
    }

    /// The results that a plan may expect: nobody registers that lanes disagree on their tokens.
    pub(super) fn expectable(&self) -> Vec<&str> {
        self.labels().into_iter().filter(|label| *label != "not_identical").collect()
    }

    /// Negative controls that it leans on.
    #[must_use]
    pub fn controls(&self) -> &[String] {
        match self {
            Self::TokensIdentical { .. } => &[],
            Self::Contrast(contrast) | Self::PhaseSeparation(contrast) => &contrast.controls,
            Self::Ruled { controls, .. } => controls,
        }
    }
}

/// Two lanes compared on time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contrast {
    /// The lane compared against.
    pub baseline: String,
    /// The lane compared.
    pub candidate: String,
    /// The phases compared.
    pub phases: Vec<Phase>,
    /// Margin of equivalence, in percent of the baseline's mean.
    pub margin_pct: f64,
    /// Whether the contrast must show nothing; when it shows something, the contrasts that lean on it are void.
    pub negative_control: bool,
    /// Negative controls that this contrast leans on.
    pub controls: Vec<String>,
}

/// Levels and seeds of the statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StatisticsSettings {
    /// Level of every test, after adjustment.
    pub alpha: f64,
    /// Power at which the minimal detectable effect is stated.
    pub power: f64,
    /// Bootstrap resamples.
    pub bootstrap_resamples: u32,
    /// Bootstrap seed.
    pub bootstrap_seed: u64,
    /// How far a magnitude may lie from the snapshot's before `verify` calls it changed: the larger mean over the
    /// smaller, less 1, in percent.
    pub band_pct: f64,
}

impl Default for StatisticsSettings {
    fn default() -> Self {
        Self { alpha: 0.05, power: 0.8, bootstrap_resamples: 1_000, bootstrap_seed: 42, band_pct: 10.0 }
    }
}

/// Floors below which the verdict abstains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Coverage {
    /// Launches of a lane that gave at least one `ok` row in a cell, or where `min_ok_share` is 0 blocks in which it was tried at all.
    /// The launch is the unit of replication: where fewer than three gave a time, no effect is decided.
    pub min_launches: u32,
    /// Share of a lane's attempted rows that are `ok`; 0 in a plan that counts failures, to which a failure is an answer.
    pub min_ok_share: f64,
}

impl Coverage {
    /// Whether no row needs to be `ok`.
    #[must_use]
    pub fn takes_failures(&self) -> bool {
        self.min_ok_share <= 0.0
    }
}

impl Default for Coverage {
    fn default() -> Self {
        Self { min_launches: 3, min_ok_share: 0.9 }
    }
}

/// What a regression needs to stand. A plan that says nothing of it keeps the digest that it had.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateSettings {
    /// Further runs of the plan that must all show a regression in times before it stands; 0: it stands at once.
    pub confirm_by_rerun: u32,
}

impl GateSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Plan {
    /// Reads a plan; `file` names it in errors.
    ///
    /// # Errors
    /// A fault with file, line, key path and what to try.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let document = Document::new(file, text);
        if document.has("published") {
            let name = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".toml");
            let hint = format!(
                "judge a journal of its tables: `lockstep judge {name} JOURNAL`; `lockstep import table` makes one"
            );
            let message = "this is the design of a published report, which is judged and never run";
            return Err(document.fault("published", message, Some(hint)));
        }
        check_plan::check(&document, document.read()?)
    }

    /// The plan's canonical digest, which every row carries. Descriptions and comments are no part of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let text = canonical_json(self).expect("a checked plan holds strings, integers and finite numbers only");
        Digest::of(text.as_bytes())
    }

    /// Whether a hypothesis is decided by a decision rule over the rows.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        self.hypotheses.iter().any(|hypothesis| matches!(hypothesis.kind, HypothesisKind::Ruled { .. }))
    }

    /// The lane of that name.
    #[must_use]
    pub fn lane(&self, name: &str) -> Option<&PlannedLane> {
        self.lanes.iter().find(|lane| lane.name == name)
    }

    /// The cells, in plan order: workloads as they stand, phases within each, combinations of axes within each phase.
    ///
    /// # Errors
    /// [`Error::TextPrompt`] when a prompt is still a text.
    pub fn cells(&self) -> Result<Vec<Cell>, Error> {
        let mut cells = Vec::new();
        for workload in &self.workloads {
            let prompt = workload
                .prompt
                .ids(self.model.vocab_size)
                .ok_or_else(|| Error::TextPrompt { workload: workload.name.clone(), model: self.model.name.clone() })?;
            let combinations = workload.combinations();
            for &phase in &workload.phases {
                for axes in &combinations {
                    cells.push(Cell {
                        phase,
                        workload: workload.name.clone(),
                        model: self.model.sha256,
                        prompt: prompt.clone(),
                        new_tokens: if phase == Phase::Prefill { 1 } else { workload.new_tokens },
                        sampling: workload.sampling.clone(),
                        ignore_eos: workload.ignore_eos,
                        axes: axes.clone(),
                    });
                }
            }
        }
        Ok(cells)
    }

    /// The stage of each cell, in the order of [`Plan::cells`].
    #[must_use]
    pub fn stages(&self) -> Vec<u32> {
        let of = |workload: &Workload| {
            let cells = workload.phases.len() * workload.axes.values().map(Vec::len).product::<usize>();
            std::iter::repeat_n(workload.stage, cells)
        };
        self.workloads.iter().flat_map(of).collect()
    }
}
