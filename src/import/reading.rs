//! What one file gave.

use std::collections::{BTreeMap, BTreeSet};

use super::flat::{FlatRow, MAX_KEY_CHARS};
use super::json::Json;
use super::observe::scalar;
use super::unit;
use crate::journal::{Observation, Summary, SummaryCell};
use crate::terms::Scalar;

/// The unit of a number whose file states none. It may be shown, and compared with nothing.
pub(super) const UNKNOWN_UNIT: &str = "unknown";

/// Records of one file, and what was left out.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What the file says of itself.
    pub about: Vec<String>,
    /// Fields that were left out: lists, objects, texts too long for a column, and what the reader does not look at.
    pub ignored: BTreeSet<String>,
    pub summaries: Vec<Summary>,
    pub observations: Vec<Observation>,
}

impl Reading {
    /// Adds a row to the file's one table.
    pub(super) fn add(&mut self, table: &str, values: BTreeMap<String, SummaryCell>, derived: &[&str]) {
        let row = self.summaries.len() as u64 + 1;
        let derived =
            derived.iter().filter(|name| values.contains_key(**name)).map(|name| (*name).to_owned()).collect();
        self.summaries.push(Summary { table: table.to_owned(), section: String::new(), row, values, derived });
    }
}

/// A cell of a text.
pub(super) fn text_cell(text: &str) -> SummaryCell {
    SummaryCell { value: Some(Scalar::Text(text.to_owned())), unit: "text".to_owned(), resolution: None }
}

/// A cell of a value and its unit. What is not finite is kept as the text that stood there, so that nobody computes
/// with it; `None` for lists, objects and texts that are output rather than identity.
pub(super) fn cell(value: &Json, unit: Option<&str>, resolution: Option<f64>) -> Option<SummaryCell> {
    let (value, unit, resolution) = match value {
        Json::List(_) | Json::Map(_) => return None,
        Json::Text(text) if text.chars().nth(MAX_KEY_CHARS).is_some() => return None,
        Json::Text(_) => (scalar(value), "text", None),
        Json::Bool(_) => (scalar(value), "bool", None),
        Json::Null => (None, unit.unwrap_or("text"), None),
        Json::NotFinite(token) => (Some(Scalar::Text((*token).to_owned())), unit.unwrap_or(UNKNOWN_UNIT), None),
        Json::Int(_) if unit.is_none_or(|unit| unit == "count") => (scalar(value), unit.unwrap_or("int"), Some(0.0)),
        Json::Int(_) | Json::Float(_) => (scalar(value), unit.unwrap_or(UNKNOWN_UNIT), resolution),
    };
    Some(SummaryCell { value, unit: unit.to_owned(), resolution })
}

/// The cells of a flat row.
pub(super) fn cells(row: &FlatRow) -> BTreeMap<String, SummaryCell> {
    let cell_of = |field: &super::flat::Field| {
        let cell = cell(&field.value, field.stated_unit().as_deref(), field.resolution)?;
        Some((field.name.clone(), cell))
    };
    row.fields.iter().filter_map(cell_of).collect()
}

/// The scalar entries of an object as cells, units by name; the others are noted as ignored under `prefix`.
pub(super) fn object_cells(
    entries: &[(String, Json)],
    units: impl Fn(&str) -> Option<String>,
    prefix: &str,
    ignored: &mut BTreeSet<String>,
) -> BTreeMap<String, SummaryCell> {
    let mut cells = BTreeMap::new();
    for (name, value) in entries {
        let unit = units(name).or_else(|| unit::of(name).map(str::to_owned));
        match cell(value, unit.as_deref(), None) {
            Some(cell) => drop(cells.insert(name.clone(), cell)),
            None => drop(ignored.insert(format!("{prefix}{name}"))),
        }
    }
    cells
}
