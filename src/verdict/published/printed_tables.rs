//! The tables of an imported journal: those that were printed, and one of the raw rows.
//!
//! A raw row of someone else's becomes a row of table `observations`: its key and its metrics are columns by their own
//! names, beside `source`, `line`, `arm` and `outcome`. What a row does not have is empty there, so that every row has every
//! column. A row that is not `ok` has no metric there: what its file says that it took is no time of the work.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::counted_tables::counted_tables;
use crate::journal::{Journal, Observation, Summary, SummaryCell};
use crate::plan::{Columns, Design, Published};
use crate::terms::{Outcome, Scalar};
use crate::verdict::adapters::{OBSERVATIONS, TableRow, Tables};

/// The columns of every table that the journal gives. Where no raw row is ok, no raw row needs to have a metric, so that
/// nothing is said of the tables of raw rows.
#[must_use]
pub fn imported_columns(design: &Design, journal: &Journal) -> Columns {
    let mut columns = printed_tables(&design.published, journal).columns();
    if !journal.observations().any(|row| row.outcome == Outcome::Ok) {
        columns.retain(|table, _| table != OBSERVATIONS && !design.published.counted.contains_key(table));
    }
    columns
}

/// Every row of the journal under the name that rulings cite, and the tables that `published` counts them in.
pub(super) fn printed_tables<'a>(published: &Published, journal: &'a Journal) -> Tables<'a> {
    let columns: BTreeSet<&str> =
        journal.observations().flat_map(|row| row.key.keys().chain(row.metrics.keys())).map(String::as_str).collect();
    let observed: Vec<TableRow<'a>> = journal.observations().map(|row| observed(row, &columns)).collect();
    let (counts, mut counted) = counted_tables(&published.counted, journal, &observed);
    counted.ok_floor = published.min_ok_share;
    Tables::printed(journal.summaries().map(printed).chain(observed).chain(counts)).counting(counted)
}

fn printed(row: &Summary) -> TableRow<'_> {
    TableRow {
        table: row.table.clone(),
        source: format!("{}:{}", row.table, row.row),
        values: Cow::Borrowed(&row.values),
    }
}

fn observed<'a>(row: &Observation, columns: &BTreeSet<&str>) -> TableRow<'a> {
    let empty = || SummaryCell { value: None, unit: String::new(), resolution: None };
    let mut values: BTreeMap<String, SummaryCell> =
        columns.iter().map(|column| ((*column).to_owned(), empty())).collect();
    let mut put = |column: &str, value: Option<Scalar>, unit: &str| {
        values.insert(column.to_owned(), SummaryCell { value, unit: unit.to_owned(), resolution: None });
    };
    for (column, value) in &row.key {
        put(column, Some(value.clone()), "text");
    }
    for (column, metric) in row.metrics.iter().filter(|_| row.outcome == Outcome::Ok) {
        put(column, Some(Scalar::Float(metric.value)), &metric.unit);
    }
    put("source", Some(Scalar::Text(row.source.clone())), "text");
    put("line", i64::try_from(row.line).ok().map(Scalar::Int), "count");
    put("arm", row.arm.clone().map(Scalar::Text), "text");
    put("outcome", Some(Scalar::Text(row.outcome.name().to_owned())), "text");
    TableRow {
        table: OBSERVATIONS.to_owned(),
        source: format!("{}:{}", row.source, row.line),
        values: Cow::Owned(values),
    }
}
