//! The cells that a formula reads: what they hold, which were read, and which one is moved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Error;
use super::tables::Table;
use crate::journal::SummaryCell;
use crate::terms::Scalar;

/// One cell: table, row from 0, column.
pub(super) type CellKey = (String, usize, String);

/// Tables, and what a formula does with them. Shared by all values of one evaluation.
#[derive(Debug, Clone, Default)]
pub(super) struct Cells(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    tables: BTreeMap<String, Table>,
    read: Mutex<Read>,
}

/// What was read, and what is moved meanwhile.
#[derive(Debug, Default)]
struct Read {
    /// Each rounded number that was read, with the unit of its last digit.
    rounded: BTreeMap<CellKey, f64>,
    /// The last cell without a value that was read.
    empty: Option<String>,
    /// The cell that has another value than printed, and by how much.
    moved: Option<(CellKey, f64)>,
}

impl Cells {
    pub(super) fn new(tables: BTreeMap<String, Table>) -> Self {
        Self(Arc::new(Inside { tables, read: Mutex::default() }))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Read) -> T) -> T {
        // Nothing panics while it is held, and what a panic would leave is still a record of reads.
        act(&mut self.0.read.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins an evaluation with this cell moved.
    pub(super) fn begin(&self, moved: Option<(CellKey, f64)>) {
        self.with(|read| *read = Read { moved, ..Read::default() });
    }

    /// The rounded numbers that were read.
    pub(super) fn rounded(&self) -> BTreeMap<CellKey, f64> {
        self.with(|read| read.rounded.clone())
    }

    /// A cell without a value that was read.
    pub(super) fn empty(&self) -> Option<String> {
        self.with(|read| read.empty.clone())
    }

    pub(super) fn table(&self, table: &str) -> Result<&Table, Error> {
        self.0.tables.get(table).ok_or_else(|| Error::NoTable { table: table.to_owned() })
    }

    /// What is printed there, without reading it: conditions look at cells, and no rounding moves a row out of them.
    pub(super) fn printed(&self, table: &str, row: usize, column: &str) -> Result<&SummaryCell, Error> {
        let rows = &self.table(table)?.rows;
        let cells = rows.get(row).ok_or_else(|| Error::Missing(format!("table {table:?} has no row {row}")))?;
        cells.get(column).ok_or_else(|| {
            let known: Vec<&str> = cells.keys().map(String::as_str).collect();
            Error::Missing(format!("table {table:?} has no column {column:?}; it has {}", known.join(", ")))
        })
    }

    /// Reads a cell.
    pub(super) fn get(&self, table: &str, row: usize, column: &str) -> Result<Option<Scalar>, Error> {
        let cell = self.printed(table, row, column)?;
        let key = (table.to_owned(), row, column.to_owned());
        Ok(self.with(|read| {
            let Some(value) = &cell.value else {
                read.empty = Some(name(&key));
                return None;
            };
            let Some(number) = value.number() else { return Some(value.clone()) };
            if let Some(unit) = cell.resolution.filter(|unit| *unit > 0.0) {
                read.rounded.insert(key.clone(), unit);
            }
            match &read.moved {
                Some((moved, by)) if *moved == key => Some(Scalar::Float(number + by)),
                _ => Some(value.clone()),
            }
        }))
    }
}

/// The cell's name for people; rows count from 1.
pub(super) fn name((table, row, column): &CellKey) -> String {
    format!("{table}, row {}, {column}", row + 1)
}
