//! Parameters of the rule on what a report may say, and what it may not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Column;

/// What may be said, and what may not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// What might be said; at least one, names unique.
    pub statements: Vec<Statement>,
}

/// Something that might be said, and what it needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its name.
    pub name: String,
    /// What it says.
    pub says: String,
    /// What must hold for it; at least one.
    pub needs: Vec<Need>,
}

/// One thing that a statement needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "need", rename_all = "snake_case")]
pub enum Need {
    /// A hypothesis of this design came out so.
    Finding(FindingNeed),
    /// Every number of a column reaches a floor.
    EveryAtLeast(Floor),
    /// The table was imported at all.
    Table(TableNeed),
}

/// See [`Need::Finding`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingNeed {
    /// The hypothesis; it stands before this one.
    pub hypothesis: String,
    /// The labels that will do.
    pub is: Vec<String>,
}

/// See [`Need::EveryAtLeast`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The column.
    pub of: Column,
    /// The floor, in the column's own unit.
    pub floor: f64,
}

/// See [`Need::Table`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableNeed {
    /// The table.
    pub table: String,
    /// What it would hold.
    pub about: String,
}
