//! `lanes/NAME.toml` as it stands in the file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lane::{GateTest, Limits};
use super::launcher::Proof;
use super::{Exec, Input, Needs, Server};
use crate::terms::Stage;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLane {
    pub schema: u32,
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub launcher: RawLauncher,
    pub runner: String,
    #[serde(default)]
    pub process: Option<RawProcess>,
    #[serde(default)]
    pub docker: Option<RawDocker>,
    #[serde(default)]
    pub axes: BTreeMap<String, String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default, rename = "gate")]
    pub gates: Vec<RawGate>,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub needs: Needs,
    #[serde(default, rename = "input")]
    pub inputs: BTreeMap<String, Input>,
    #[serde(default)]
    pub exec: Option<Exec>,
    #[serde(default)]
    pub server: Option<Server>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawLauncher {
    Process,
    Docker,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProcess {
    pub program: String,
    #[serde(default)]
    pub arguments: Vec<String>,
    #[serde(default)]
    pub files: Option<String>,
    #[serde(default)]
    pub own_files: Option<String>,
    #[serde(default)]
    pub minimum_version: Option<String>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDocker {
    #[serde(default)]
    pub image: Option<String>,
    #[serde(default)]
    pub build: Option<String>,
    #[serde(default)]
    pub foundation: Option<String>,
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    #[serde(default)]
    pub files: Option<String>,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub gpus: Vec<String>,
    #[serde(default)]
    pub scratch_exec: bool,
    #[serde(default, rename = "proof")]
    pub proofs: Vec<Proof>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGate {
    pub stage: Stage,
    pub signal: String,
    #[serde(default)]
    pub equals: Option<crate::terms::SignalValue>,
    #[serde(default)]
    pub one_of: Option<Vec<String>>,
    #[serde(default)]
    pub at_least: Option<f64>,
    #[serde(default)]
    pub at_most: Option<f64>,
    #[serde(default)]
    pub minimum_version: Option<String>,
    #[serde(default)]
    pub below_version: Option<String>,
}

impl RawGate {
    /// The one test that is set, or how many were.
    pub(super) fn test(self) -> Result<GateTest, usize> {
        let Self { stage: _, signal: _, equals, one_of, at_least, at_most, minimum_version, below_version } = self;
        let mut tests: Vec<GateTest> = [
            equals.map(GateTest::Equals),
            one_of.map(GateTest::OneOf),
            at_least.map(GateTest::AtLeast),
            at_most.map(GateTest::AtMost),
            minimum_version.map(GateTest::MinimumVersion),
            below_version.map(GateTest::BelowVersion),
        ]
        .into_iter()
        .flatten()
        .collect();
        match (tests.pop(), tests.len()) {
            (Some(test), 0) => Ok(test),
            (Some(_), more) => Err(more + 1),
            (None, _) => Err(0),
        }
    }
}
