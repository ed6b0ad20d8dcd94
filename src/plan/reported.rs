//! Parameters of the rules on what reports call their effects, on their own families of tests, and on what they measured.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Column, MeanSide, Rows};

/// What a standardised difference (Cohen's d) is called. Either both sides are given, or where d itself is printed. Either way
/// the printed digits widen its interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EffectSizes {
    /// The columns that tell differences apart; empty where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The side compared against, in every difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<MeanSide>,
    /// The side compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<MeanSide>,
    /// Where d is printed; stands instead of both sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printed: Option<PrintedEffects>,
    /// Below this a difference is negligible.
    pub small: f64,
    /// Medium from this on.
    pub medium: f64,
    /// Large above this.
    pub large: f64,
    /// Power of the number of repetitions that an open question is said to need.
    pub power: f64,
}

/// Rows that print Cohen's d.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrintedEffects {
    /// The rows; one for each difference.
    pub rows: Rows,
    /// The column of d; a row where it is empty is left out.
    pub d: String,
    /// The column of the values of one side, where both have as many; without it nothing says how surely d is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
}

/// Whether the tests that a report prints stand after a correction for their number (Holm, with Bonferroni beside it).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MultipleComparisons {
    /// The rows; one for each test.
    pub rows: Rows,
    /// The columns that tell tests apart.
    pub key: Vec<String>,
    /// The column of the p value.
    pub p: String,
    /// Tests that the report's family holds; as many must be printed.
    pub family: u64,
}

/// Whether two measurements are of the same object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BenchmarkIdentity {
    /// The axes that make an object what it is.
    pub axes: BTreeSet<String>,
    /// Exactly two.
    pub sides: Vec<IdentitySide>,
}

/// One side of [`BenchmarkIdentity`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentitySide {
    /// What it is called.
    pub name: String,
    /// Axis to the column that states it; an axis that is not named here is not stated, and neither is one whose rows hold
    /// several values or leave it blank. Rows that are chosen by the column itself could state nothing else and are refused.
    pub stated: BTreeMap<String, Column>,
}
