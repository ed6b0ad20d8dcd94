//! Printed tables as JSON: `table`, `source`, `section`, `title`, `units`, `resolution`, `derived_columns`, `n_rows`,
//! `notes` and `rows`. Every printed row becomes one summary; the resolution of each number goes with it.
//!
//! That a row was lost shows where `n_rows` counts another number of them, and where a column `rank` leaves one out. Other
//! columns that look like numbers of rows are none: of five runs a report may print the first, the second and the fifth.

use std::collections::BTreeMap;

use super::Error;
use super::input::InputFile;
use super::json::{self, Json};
use super::observe::scalar;
use super::reading::Reading;
use crate::journal::{Summary, SummaryCell};

/// Keys of a table that are read; others are noted as ignored.
const KEYS: &[&str] =
    &["table", "source", "section", "title", "units", "resolution", "derived_columns", "n_rows", "notes", "rows"];

/// The column that numbers the rows of a ranking, where its unit is `int`.
const RANK: &str = "rank";

/// The printed rows of a table's file, for those who read tables without making a journal of them.
///
/// # Errors
/// What the file says cannot be taken.
pub fn printed_rows(file: &InputFile) -> Result<Vec<Summary>, Error> {
    Ok(read(file)?.summaries)
}

pub(super) fn read(file: &InputFile) -> Result<Reading, Error> {
    let document = json::document(file)?;
    let table = Table { file, document: &document };
    if document.get("tables").is_some() && document.get("rows").is_none() {
        return Err(table.fault(
            "tables",
            "a list of tables and no table",
            "give the tables themselves, or their folder",
        ));
    }
    let name = table.text("table")?;
    let section = table.text("section")?;
    let units = table.map("units")?;
    let resolutions = table.map("resolution")?;
    let derived = table.texts("derived_columns")?;
    let rows = table.list("rows")?;
    if let Some(counted) = document.get("n_rows")
        && counted != &Json::Int(rows.len() as i64)
    {
        let found = format!("{} where {} rows stand", counted.describe(), rows.len());
        return Err(table.fault("n_rows", found, "take the table again: rows were lost or added"));
    }
    table.check_ranks(units, rows)?;
    let mut reading = Reading { about: table.about()?, ..Reading::default() };
    reading
        .ignored
        .extend(document.entries().iter().filter(|(key, _)| !KEYS.contains(&key.as_str())).map(|(key, _)| key.clone()));
    for (index, row) in rows.iter().enumerate() {
        let values = table.row(index, row, units, resolutions, rows.len())?;
        reading.summaries.push(Summary {
            table: name.to_owned(),
            section: section.to_owned(),
            row: index as u64 + 1,
            values,
            derived: derived.clone(),
        });
    }
    Ok(reading)
}

struct Table<'a> {
    file: &'a InputFile,
    document: &'a Json,
}

impl<'a> Table<'a> {
    fn fault(&self, place: &str, found: impl Into<String>, hint: &str) -> Error {
        Error::fault(&self.file.name, place, found, hint)
    }

    fn must<T>(&self, key: &str, wanted: &str, of: impl FnOnce(&'a Json) -> Option<T>) -> Result<T, Error> {
        let value = self.document.get(key);
        value.and_then(of).ok_or_else(|| {
            let found = value.map_or_else(|| "absent".to_owned(), Json::describe);
            self.fault(key, format!("{found}, where {wanted} is expected"), "a table states its name, units and rows")
        })
    }

    fn text(&self, key: &str) -> Result<&'a str, Error> {
        self.must(key, "a text", Json::text)
    }

    fn map(&self, key: &str) -> Result<&'a [(String, Json)], Error> {
        self.must(key, "an object", |value| match value {
            Json::Map(entries) => Some(entries.as_slice()),
            _ => None,
        })
    }

    fn list(&self, key: &str) -> Result<&'a [Json], Error> {
        self.must(key, "a list", |value| match value {
            Json::List(values) => Some(values.as_slice()),
            _ => None,
        })
    }

    /// The texts of a list that may be absent.
    fn texts(&self, key: &str) -> Result<Vec<String>, Error> {
        if self.document.get(key).is_none() {
            return Ok(Vec::new());
        }
        let texts = self.list(key)?.iter().map(|value| value.text().map(str::to_owned));
        texts.collect::<Option<_>>().ok_or_else(|| self.fault(key, "an entry that is no text", "write texts"))
    }

    fn about(&self) -> Result<Vec<String>, Error> {
        let of = |key| self.document.get(key).and_then(Json::text).map(str::to_owned);
        let mut about: Vec<String> = ["source", "title"].into_iter().filter_map(of).collect();
        about.extend(self.texts("notes")?);
        Ok(about)
    }

    /// Rows that tie share a rank; the rank after it is the next one, or leaves out as many as tied.
    fn check_ranks(&self, units: &[(String, Json)], rows: &[Json]) -> Result<(), Error> {
        if !units.iter().any(|(column, unit)| column == RANK && unit.text() == Some("int")) {
            return Ok(());
        }
        let rank = |row: &Json| if let Some(Json::Int(rank)) = row.get(RANK) { Some(*rank) } else { None };
        let mut ranks: Vec<i64> = rows.iter().filter_map(rank).collect();
        ranks.sort_unstable();
        let mut previous = 0;
        for (before, rank) in (0..).zip(ranks) {
            if rank != previous && rank != previous + 1 && rank != before + 1 {
                let found = format!("rank {rank} follows rank {previous}, with {before} rows before it");
                let hint =
                    "take the table again: rows were lost; a column that does not rank its own rows needs another name";
                return Err(self.fault(&format!("column {RANK:?}"), found, hint));
            }
            previous = rank;
        }
        Ok(())
    }

    fn row(
        &self,
        index: usize,
        row: &Json,
        units: &[(String, Json)],
        resolutions: &[(String, Json)],
        rows: usize,
    ) -> Result<BTreeMap<String, SummaryCell>, Error> {
        let place = |column: &str| format!("row {}, column {column:?}", index + 1);
        let Json::Map(entries) = row else {
            return Err(self.fault(&format!("row {}", index + 1), row.describe(), "each row is an object"));
        };
        if let Some((column, _)) = units.iter().find(|(column, _)| row.get(column).is_none()) {
            return Err(self.fault(&place(column), "absent", "print null where the table has no value"));
        }
        let mut values = BTreeMap::new();
        for (column, value) in entries {
            let unit = units.iter().find(|(known, _)| known == column).and_then(|(_, unit)| unit.text());
            let Some(unit) = unit else {
                return Err(self.fault(&place(column), "a column without a unit", "state its unit in `units`"));
            };
            let stated = resolutions.iter().find(|(known, _)| known == column).map(|(_, stated)| stated);
            let resolution = self.resolution(&place(column), stated, index, rows)?;
            let cell = self.cell(&place(column), value, unit, resolution)?;
            values.insert(column.clone(), cell);
        }
        Ok(values)
    }

    /// The unit of the last printed digit in this row: one number for the column, or a list with one for each row.
    fn resolution(&self, place: &str, stated: Option<&Json>, index: usize, rows: usize) -> Result<Option<f64>, Error> {
        let here = match stated {
            Some(Json::List(values)) if values.len() == rows => values.get(index),
            Some(Json::List(values)) => {
                let found = format!("{} resolutions for {rows} rows", values.len());
                return Err(self.fault(place, found, "give one for the column or one for each row"));
            }
            stated => stated,
        };
        match here {
            None | Some(Json::Null) => Ok(None),
            Some(value) => match value.number().filter(|unit| *unit >= 0.0) {
                Some(unit) => Ok(Some(unit)),
                None => Err(self.fault(place, format!("{} as resolution", value.describe()), "give 0 or more")),
            },
        }
    }

    fn cell(&self, place: &str, value: &Json, unit: &str, resolution: Option<f64>) -> Result<SummaryCell, Error> {
        let fits = match (value, unit) {
            (Json::Null, _) => true,
            (Json::Text(_), "text") | (Json::Bool(_), "bool") => true,
            (Json::Int(_) | Json::Float(_), "text" | "bool") => false,
            (Json::Int(_) | Json::Float(_), _) => true,
            _ => false,
        };
        if !fits {
            let found = format!("{} in a column of unit {unit:?}", value.describe());
            return Err(self.fault(place, found, "print null where there is no value, or correct the unit"));
        }
        let resolution = resolution.filter(|_| value.number().is_some());
        if value.number().is_some() && resolution.is_none() {
            let found = "a number without a resolution";
            return Err(self.fault(
                place,
                found,
                "state the unit of its last printed digit in `resolution`, 0 for exact",
            ));
        }
        Ok(SummaryCell { value: scalar(value), unit: unit.to_owned(), resolution })
    }
}
