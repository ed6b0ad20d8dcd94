//! The verdict on a published report.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Replication;
use crate::terms::{Axes, Digest};
use crate::verdict::Conclusion;
use crate::verdict::rules::{Part, Ruling, RulingTest, Standing, Threshold};

/// What a report's printed tables say by the report's own design: a pure function of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishedVerdict {
    /// Format version.
    pub format: u32,
    /// The design.
    pub plan: String,
    /// Its canonical digest.
    pub plan_sha256: Digest,
    /// The report, as its title page prints it.
    pub report: String,
    /// Everything in one word.
    pub conclusion: Conclusion,
    /// Why, the most important first.
    pub reasons: Vec<String>,
    /// What counts as one observation: what the report's authors took.
    pub replication: Replication,
    /// Level of every test.
    pub alpha: f64,
    /// Where the printed rows come from.
    pub imported: ImportedFacts,
    /// In the design's order.
    pub hypotheses: Vec<PublishedHypothesis>,
}

/// The answer to the same question with the launch of a stack as one observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtLaunchLevel {
    /// The rule's word; `inconclusive` where the journal names no launches of what the rule counts.
    pub label: String,
    /// Whether that is a decision.
    pub standing: Standing,
    /// Why, the most important first.
    pub reasons: Vec<String>,
    /// Launches a side that would settle an underpowered question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<u64>,
    /// The rows that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<String>,
    /// The tests over launches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<RulingTest>,
    /// The limits that it was held against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// What came out for each condition by launches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

/// The imported journal a verdict was derived from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportedFacts {
    /// The import.
    pub run: String,
    /// Chain digest of the last record: the seal, when the journal is sealed.
    pub head: Digest,
    /// Whether the journal ends with a seal.
    pub sealed: bool,
    /// The reader that took the files.
    pub kind: String,
    /// Identity axes that the importing person stated; all others are unknown, and so are host and time.
    pub axes: Axes,
    /// Printed rows.
    pub summaries: u64,
    /// Raw rows of someone else's.
    pub observations: u64,
    /// The files.
    pub files: Vec<SourceFile>,
}

/// A file that was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Its name.
    pub name: String,
    /// Digest of its bytes.
    pub sha256: Digest,
}

/// What became of one hypothesis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishedHypothesis {
    /// Its name.
    pub name: String,
    /// Its claim in words.
    pub claim: String,
    /// The kind of its rule.
    pub kind: String,
    /// The labels that are as expected; empty: any.
    pub expected: Vec<String>,
    /// What the rule says.
    pub ruling: Ruling,
    /// What it says by launches, where the ruling is by the iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_launch_level: Option<AtLaunchLevel>,
}

impl PublishedHypothesis {
    /// Whether it was decided otherwise than the design expects.
    #[must_use]
    pub fn is_unexpected(&self) -> bool {
        let Self { expected, ruling, .. } = self;
        ruling.standing == Standing::Decided && !expected.is_empty() && !expected.contains(&ruling.label)
    }
}
