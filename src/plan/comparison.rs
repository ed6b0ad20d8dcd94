//! Parameters of the rules that compare two sides model by model, phase by phase or prompt by prompt.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MeanSide, Rows};

/// Whether phases must be reported apart, because the same change has different effects on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseSeparation {
    /// The column of the phase.
    pub phase: String,
    /// The side compared against, in every phase.
    pub baseline: MeanSide,
    /// The side compared.
    pub candidate: MeanSide,
    /// Effects that lie within this of each other may be told as one, in percentage points.
    pub margin_pp: f64,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}

/// Whether a gain repeats on enough models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GainReplication {
    /// The column of the model.
    pub model: String,
    /// The side compared against, for every model.
    pub baseline: MeanSide,
    /// The side compared.
    pub candidate: MeanSide,
    /// A model meets the target when it is faster by at least this, in percent of the baseline.
    pub gain_pct: f64,
    /// How many models have to.
    pub models_needed: u64,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}

/// Whether an effect turns round, or only changes, with the size of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleCrossover {
    /// The column of the model.
    pub model: String,
    /// Model to size, for example in parameters; the same unit for all.
    pub sizes: BTreeMap<String, f64>,
    /// The side compared against, for every model.
    pub baseline: MeanSide,
    /// The side compared.
    pub candidate: MeanSide,
    /// Changes within this are no effect in either direction, in percent of the baseline.
    pub neutral_pct: f64,
    /// The two-way analysis of variance that is asked for an interaction as well; without it the intervals alone are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<InteractionSums>,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}

/// Which sums of squares an analysis of variance takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InteractionSums {
    /// Type II.
    TypeTwo,
    /// Type III.
    TypeThree,
}

/// Different, equivalent or could not tell, contrast by contrast, as one family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchedContrasts {
    /// The columns that tell contrasts apart.
    pub key: Vec<String>,
    /// The side compared against, in every contrast.
    pub baseline: MeanSide,
    /// The side compared.
    pub candidate: MeanSide,
    /// Whether launches are compared block by block, where both sides have one of the same block.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pair_by_block: bool,
    /// Differences within this are equivalent, in percent of the baseline's mean.
    pub margin_pct: f64,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}

/// Whether two sides give the same tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenParity {
    /// Exactly two.
    pub sides: Vec<ParitySide>,
    /// The columns that tell prompts apart.
    pub key: Vec<String>,
    /// The column of the output: the token ids, or their digest; null where none was recorded.
    pub output: String,
    /// The column of the number of tokens.
    pub tokens: String,
}

/// Whether two sides hold the same weights: the same tokens, from logits within a tolerance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightParity {
    /// What is asked of the tokens.
    pub outputs: TokenParity,
    /// The column of the position, where logit statistics are recorded position by position; without it a prompt has one
    /// row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Column of a logit statistic (mean, std, min, max) to the largest absolute difference of it.
    pub logit_tolerances: BTreeMap<String, f64>,
}

/// One side of [`TokenParity`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParitySide {
    /// What it is called.
    pub name: String,
    /// Its rows.
    pub rows: Rows,
}
