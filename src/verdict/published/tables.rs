//! Printed tables, looked up by name.

use std::collections::BTreeMap;

use crate::journal::{Journal, Summary};
use crate::plan::{Column, Rows};
use crate::terms::{Scalar, nearest};

/// The printed rows of an imported journal.
pub(super) struct Tables<'a> {
    rows: BTreeMap<&'a str, Vec<&'a Summary>>,
}

/// What a rule needs and no table prints, as a sentence. It makes the ruling `invalid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap(pub String);

/// A printed number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Printed {
    pub value: f64,
    /// Half of what the last printed digit is worth: how far rounding may have moved the value.
    pub half: f64,
}

impl<'a> Tables<'a> {
    pub(super) fn of(journal: &'a Journal) -> Self {
        let mut rows: BTreeMap<&str, Vec<&Summary>> = BTreeMap::new();
        for summary in journal.summaries() {
            rows.entry(&summary.table).or_default().push(summary);
        }
        Self { rows }
    }

    /// Whether the table was imported.
    pub(super) fn has(&self, table: &str) -> bool {
        self.rows.contains_key(table)
    }

    /// The chosen rows, at least one.
    pub(super) fn rows(&self, chosen: &Rows) -> Result<Vec<&'a Summary>, Gap> {
        self.select(&chosen.table, &chosen.only)
    }

    /// The chosen rows of a column, at least one.
    pub(super) fn column(&self, chosen: &Column) -> Result<Vec<&'a Summary>, Gap> {
        self.select(&chosen.table, &chosen.only)
    }

    /// The one row that is chosen.
    pub(super) fn row(&self, chosen: &Rows) -> Result<&'a Summary, Gap> {
        match self.rows(chosen)?[..] {
            [row] => Ok(row),
            ref several => {
                Err(Gap(format!("table {} has {} such rows, and one is needed", chosen.table, several.len())))
            }
        }
    }

    fn select(&self, table: &str, only: &BTreeMap<String, Vec<Scalar>>) -> Result<Vec<&'a Summary>, Gap> {
        let Some(rows) = self.rows.get(table) else {
            let near = nearest(table, self.rows.keys().copied());
            let hint = near.map_or_else(String::new, |near| format!("; there is {near}"));
            return Err(Gap(format!("no table {table} was imported{hint}")));
        };
        let mut chosen = Vec::new();
        for row in rows {
            let mut fits = true;
            for (column, allowed) in only {
                fits &= cell(row, column)?.is_some_and(|found| allowed.contains(found));
            }
            if fits {
                chosen.push(*row);
            }
        }
        if chosen.is_empty() {
            return Err(Gap(format!("no row of table {table} is chosen by the design")));
        }
        Ok(chosen)
    }
}

/// The row's name, as rulings cite it.
pub(super) fn source(row: &Summary) -> String {
    format!("{}:{}", row.table, row.row)
}

fn cell<'a>(row: &'a Summary, column: &str) -> Result<Option<&'a Scalar>, Gap> {
    match row.values.get(column) {
        Some(cell) => Ok(cell.value.as_ref()),
        None => {
            let near = nearest(column, row.values.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; it prints {near}"));
            Err(Gap(format!("table {} prints no column {column}{hint}", row.table)))
        }
    }
}

/// The text of a cell, whatever it holds; nothing for an empty one.
pub(super) fn text(row: &Summary, column: &str) -> Result<Option<String>, Gap> {
    Ok(cell(row, column)?.map(ToString::to_string))
}

/// The text of a cell that must hold something.
pub(super) fn must_text(row: &Summary, column: &str) -> Result<String, Gap> {
    text(row, column)?.ok_or_else(|| Gap(format!("{}: {column} is empty", source(row))))
}

/// What tells the row from others.
pub(super) fn key(row: &Summary, columns: &[String]) -> Result<BTreeMap<String, String>, Gap> {
    columns.iter().map(|column| Ok((column.clone(), must_text(row, column)?))).collect()
}

/// The number of a cell; nothing for an empty one.
pub(super) fn number(row: &Summary, column: &str) -> Result<Option<Printed>, Gap> {
    let Some(scalar) = cell(row, column)? else { return Ok(None) };
    let Some(value) = scalar.number().filter(|value| value.is_finite()) else {
        return Err(Gap(format!("{}: {column} is {scalar}, and a number is needed", source(row))));
    };
    let half = row.values.get(column).and_then(|cell| cell.resolution).unwrap_or(0.0) / 2.0;
    Ok(Some(Printed { value, half }))
}

/// The number of a cell that must hold one.
pub(super) fn must_number(row: &Summary, column: &str) -> Result<Printed, Gap> {
    number(row, column)?.ok_or_else(|| Gap(format!("{}: {column} is empty", source(row))))
}

/// A share in percent, by the column's own unit.
pub(super) fn percent(row: &Summary, column: &str) -> Result<Option<Printed>, Gap> {
    let Some(Printed { value, half }) = number(row, column)? else { return Ok(None) };
    let unit = row.values.get(column).map_or("", |cell| cell.unit.as_str());
    match unit {
        "fraction" => Ok(Some(Printed { value: 100.0 * value, half: 100.0 * half })),
        "percent" | "pp" => Ok(Some(Printed { value, half })),
        other => Err(Gap(format!("table {}: {column} is in {other:?}, and a share is needed", row.table))),
    }
}
