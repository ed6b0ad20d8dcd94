//! A design as it stands in `plans/NAME.toml`.

use serde::Deserialize;

use super::{Published, Rule};

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDesign {
    pub schema: u32,
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub published: Published,
    #[serde(rename = "hypothesis")]
    pub hypotheses: Vec<RawDesignHypothesis>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDesignHypothesis {
    pub name: String,
    #[serde(default)]
    pub claim: String,
    #[serde(default)]
    pub expect: Vec<String>,
    pub rule: Rule,
}
