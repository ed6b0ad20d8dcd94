//! The tables of an imported journal: those that were printed, and one of the raw rows.
//!
//! A raw row of someone else's becomes a row of table `observations`: its key and its metrics are columns by their own
//! names, beside `source`, `line`, `arm` and `outcome`. What a row does not have is empty there, so that every row has every
//! column.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{Journal, Observation, Summary, SummaryCell};
use crate::terms::Scalar;
use crate::verdict::adapters::TableRow;

/// The name of the table that raw rows become.
const OBSERVATIONS: &str = "observations";

/// Every row of the journal under the name that rulings cite.
pub(super) fn printed_tables(journal: &Journal) -> Vec<TableRow<'_>> {
    let columns: BTreeSet<&str> =
        journal.observations().flat_map(|row| row.key.keys().chain(row.metrics.keys())).map(String::as_str).collect();
    let observed = journal.observations().map(|row| observed(row, &columns));
    journal.summaries().map(printed).chain(observed).collect()
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
    for (column, metric) in &row.metrics {
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
