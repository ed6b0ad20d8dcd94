//! The design of a published report: which rules its printed tables are judged by, with every threshold.
//!
//! A design is a plan file with a `[published]` table. It names no lane and is never run: what it judges is a journal
//! that `lockstep import` made of the report's own tables.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::document::Document;
use super::raw_design::RawDesign;
use super::{Columns, Error, Plan, Rule, check_design, columns};
use crate::terms::{Digest, canonical_json};

/// The rules and thresholds that a report's tables are judged by. Every invariant that the fields' documents name
/// holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Design {
    /// Name; also that of the snapshot folder.
    pub name: String,
    /// One sentence for people. No part of the digest.
    #[serde(skip)]
    pub description: String,
    /// What the report is and how it counts.
    pub published: Published,
    /// At least one; names unique.
    pub hypotheses: Vec<DesignHypothesis>,
}

/// What the report is and how it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The report's name, as its title page prints it.
    pub report: String,
    /// What the report counts as one observation.
    pub replication: Replication,
    /// Level of every test.
    pub alpha: f64,
    /// Power of the number of repetitions that an open question is said to need, for rules that state none of their own
    /// (`falsification_ladder`, `compile_robustness`, `promotion`); without it these tell no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<f64>,
    /// Resamples of every bootstrap.
    pub bootstrap_resamples: u32,
    /// Seed of every bootstrap.
    pub bootstrap_seed: u64,
    /// The share of the raw rows tried on each side of a contrast that must be ok. Without it nothing is decided on the times of a
    /// side that lost any; what was lost is told either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ok_share: Option<f64>,
    /// Tables that count raw rows by outcome: name to the columns that tell its rows apart, as
    /// `cells = ["model", "mode"]`. Each has `attempts`, a count and a rate for every outcome, and the mean, `_sd` and `_cv`
    /// of every metric over what is ok.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counted: BTreeMap<String, Vec<String>>,
    /// The report's tables, beside `observations` and those that are counted: a rule that names another is refused with the
    /// design. Without it a table that is not there is found when tables are judged. No part of the digest, since it decides
    /// nothing.
    #[serde(default, skip_serializing)]
    pub tables: BTreeSet<String>,
}

/// What counts as one observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Replication {
    /// One iteration, or one printed cell of a table, as the report's authors did.
    Iteration,
    /// One start of a stack, as Lockstep does.
    Launch,
}

/// A statement that the verdict decides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DesignHypothesis {
    /// Name.
    pub name: String,
    /// The claim in words; no part of the digest.
    #[serde(skip)]
    pub claim: String,
    /// The labels that are as expected, each one that the rule can give; empty: any.
    pub expect: Vec<String>,
    /// How it is decided.
    pub rule: Rule,
}

impl Design {
    /// Reads a design; `file` names it in errors.
    ///
    /// # Errors
    /// A fault with file, line, key path and what to try.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let document = Document::new(file, text);
        let raw: RawDesign = document.read()?;
        check_design::check(&document, raw)
    }

    /// Refuses the first column that a rule reads and the imported table of its name does not have. `file` and `text` are those
    /// that the design was read from.
    ///
    /// # Errors
    /// A fault with file, line, key path and the nearest column.
    pub fn check_columns(&self, file: &str, text: &str, tables: &Columns) -> Result<(), Error> {
        let document = Document::new(file, text);
        let mut rules = self.hypotheses.iter().enumerate();
        rules.try_for_each(|(index, hypothesis)| columns::check(&document, index, &hypothesis.rule, tables))
    }

    /// The design's canonical digest. Descriptions, claims and comments are no part of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let text = canonical_json(self).expect("a checked design holds strings, integers and finite numbers only");
        Digest::of(text.as_bytes())
    }
}

/// What a file in `plans/` holds.
#[derive(Debug, Clone, PartialEq)]
pub enum PlanFile {
    /// An experiment that Lockstep runs.
    Measured(Box<Plan>),
    /// The design of a published report.
    Published(Box<Design>),
}

impl PlanFile {
    /// Reads whichever of the two the text is: a file with a `[published]` table is a design.
    ///
    /// # Errors
    /// A fault with file, line, key path and what to try.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        if Document::new(file, text).has("published") {
            return Ok(Self::Published(Box::new(Design::parse(file, text)?)));
        }
        Ok(Self::Measured(Box::new(Plan::parse(file, text)?)))
    }

    /// The plan's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Measured(plan) => &plan.name,
            Self::Published(design) => &design.name,
        }
    }

    /// The plan's canonical digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Measured(plan) => plan.digest(),
            Self::Published(design) => design.digest(),
        }
    }
}
