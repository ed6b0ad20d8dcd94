//! One row for each key: a row that stands twice would count as two.

use std::collections::BTreeMap;

use super::tables::{Gap, TableRow, must_text};

/// What tells a row from others: column to text.
pub(super) type Key = BTreeMap<String, String>;

/// What tells the row from others.
pub(super) fn key(row: &TableRow<'_>, columns: &[String]) -> Result<Key, Gap> {
    columns.iter().map(|column| Ok((column.clone(), must_text(row, column)?))).collect()
}

/// The rows of one choice with their keys, of which none may stand twice.
pub(super) fn keyed<'t, 'a>(
    rows: Vec<&'t TableRow<'a>>,
    columns: &[String],
) -> Result<Vec<(Key, &'t TableRow<'a>)>, Gap> {
    let keyed: Vec<(Key, &TableRow<'a>)> =
        rows.into_iter().map(|row| Ok((key(row, columns)?, row))).collect::<Result<_, Gap>>()?;
    let mut known: BTreeMap<&Key, &str> = BTreeMap::new();
    for (key, row) in &keyed {
        if let Some(other) = known.insert(key, &row.source) {
            let told = key.values().map(String::as_str).collect::<Vec<_>>().join(" ");
            return Err(Gap::of(format!(
                "{other} and {} have the same key ({told}): one of them stands twice, or the key does not tell them apart",
                row.source
            )));
        }
    }
    Ok(keyed)
}

/// That no two rows are the same in every column, where no column is named that tells them apart.
pub(super) fn check_distinct(rows: &[&TableRow<'_>]) -> Result<(), Gap> {
    let mut known: BTreeMap<(&str, Vec<Option<String>>), &str> = BTreeMap::new();
    for row in rows {
        let cells = row.values.values().map(|cell| cell.value.as_ref().map(ToString::to_string)).collect();
        if let Some(other) = known.insert((&row.table, cells), &row.source) {
            return Err(Gap::of(format!(
                "{other} and {} are the same in every column: one of them stands twice, or a column is missing that tells \
                 them apart",
                row.source
            )));
        }
    }
    Ok(())
}
