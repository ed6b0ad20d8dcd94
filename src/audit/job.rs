//! What a formula's process is asked, and what it answers: one JSON document each way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tables::Table;

/// One formula, and all that it may read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Starlark.
    pub formula: String,
    /// Tables by name.
    pub tables: BTreeMap<String, Table>,
    /// Whether the effect of each cell's rounding is wanted.
    pub propagate: bool,
    /// After how much processor time the formula is given up, politely; the process has harder limits.
    pub budget_ms: u64,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// The formula has a value.
    Value {
        /// The value; never null itself.
        value: serde_json::Value,
        /// What rounding may do to it, by cell.
        cells: Vec<CellEffect>,
        /// Rounded cells whose effect was not computed, because the time was used up.
        left: u64,
    },
    /// The formula's value is a number that is not finite.
    NotFinite,
    /// The tables do not say what the formula needs.
    Missing {
        /// What is missing.
        what: String,
    },
    /// A table is needed that was not given.
    NoTable {
        /// The table.
        table: String,
    },
    /// The formula is not one.
    WrongForm {
        /// Line in the formula, from 1; 0 where it is the formula as a whole.
        line: u64,
        /// Column in that line, from 1.
        column: u64,
        /// What is wrong.
        what: String,
    },
    /// The time was used up before there was a value.
    OutOfTime,
}

/// The formula's value with one cell moved by half its resolution; absent where it has none then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellEffect {
    /// Table, row and column, for people.
    pub cell: String,
    /// The value with the cell lower.
    pub low: Option<f64>,
    /// The value with the cell higher.
    pub high: Option<f64>,
}
