//! Tables that count others' raw rows by outcome: what `cells` is for a run, for rows that were imported.
//!
//! The plan names the columns that tell their rows apart. Counts and rates are over all attempts; means, deviations and
//! coefficients of variation are over those that are ok.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{Journal, Observation, SummaryCell};
use crate::stats::{Moments, Replicates};
use crate::terms::{Outcome, Scalar};
use crate::verdict::adapters::{Counted, TableRow};

/// One row for each value of the columns.
#[derive(Default)]
struct Group<'o> {
    outcomes: BTreeMap<Outcome, u64>,
    /// Metric to its values in rows that are ok.
    values: BTreeMap<&'o str, Vec<f64>>,
}

/// The tables in `wanted`, from the rows `observed` of the journal's observations, in the journal's order.
pub(super) fn counted_tables(
    wanted: &BTreeMap<String, Vec<String>>,
    journal: &Journal,
    observed: &[TableRow<'_>],
) -> (Vec<TableRow<'static>>, Counted) {
    let printed: BTreeSet<&str> = journal.summaries().map(|row| row.table.as_str()).collect();
    let (mut rows, mut counted) = (Vec::new(), Counted::default());
    for (table, columns) in wanted {
        let found = if printed.contains(table.as_str()) {
            Err(format!("a table {table} was imported, so that none of that name can count raw rows"))
        } else {
            units(journal).and_then(|units| count(table, columns, journal, observed, &units))
        };
        match found {
            Ok(found) => {
                counted.tables.insert(table.clone());
                rows.extend(found);
            }
            Err(reason) => drop(counted.impossible.insert(table.clone(), reason)),
        }
    }
    (rows, counted)
}

/// Every metric's unit, which has to be one for its values to have a mean.
fn units(journal: &Journal) -> Result<BTreeMap<&str, &str>, String> {
    let mut units: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, metric) in journal.observations().flat_map(|row| &row.metrics) {
        let known = units.entry(name).or_insert(&metric.unit);
        if *known != metric.unit {
            return Err(format!("{name} is in {known} in one row and in {} in another", metric.unit));
        }
    }
    Ok(units)
}

fn count(
    table: &str,
    columns: &[String],
    journal: &Journal,
    observed: &[TableRow<'_>],
    units: &BTreeMap<&str, &str>,
) -> Result<Vec<TableRow<'static>>, String> {
    // A group is named by its values as they are written, which order it as well.
    let mut groups: BTreeMap<Vec<String>, (Vec<SummaryCell>, Group<'_>)> = BTreeMap::new();
    for (row, Observation { outcome, metrics, .. }) in observed.iter().zip(journal.observations()) {
        let mut named = Vec::with_capacity(columns.len());
        for column in columns {
            match row.values.get(column) {
                Some(cell) => named.push(cell.clone()),
                None => {
                    return Err(format!("no raw row has a column {column}, by which table {table} is to be counted"));
                }
            }
        }
        let told = |cell: &SummaryCell| cell.value.as_ref().map_or_else(String::new, ToString::to_string);
        let entry = groups.entry(named.iter().map(told).collect());
        let (_, group) = entry.or_insert_with(|| (named, Group::default()));
        *group.outcomes.entry(*outcome).or_insert(0) += 1;
        if *outcome == Outcome::Ok {
            metrics.iter().for_each(|(name, metric)| group.values.entry(name).or_default().push(metric.value));
        }
    }
    let row = |(told, (named, group)): (Vec<String>, (Vec<SummaryCell>, Group<'_>))| {
        let mut values = columns_of(&group, units);
        values.extend(columns.iter().cloned().zip(named));
        TableRow {
            table: table.to_owned(),
            source: format!("{table} of {}", told.join(" ")),
            values: Cow::Owned(values),
        }
    };
    Ok(groups.into_iter().map(row).collect())
}

fn columns_of(group: &Group<'_>, units: &BTreeMap<&str, &str>) -> BTreeMap<String, SummaryCell> {
    let mut values = BTreeMap::new();
    let mut put = |column: String, value: Option<Scalar>, unit: &str| {
        values.insert(column, SummaryCell { value, unit: unit.to_owned(), resolution: None });
    };
    let whole = |count: u64| Some(Scalar::Int(i64::try_from(count).unwrap_or(i64::MAX)));
    let of = |outcome: Outcome| group.outcomes.get(&outcome).copied().unwrap_or(0);
    let all: u64 = group.outcomes.values().sum();
    let attempts = all - of(Outcome::Refused) - of(Outcome::Skipped);
    let share = |part: u64, whole: u64| (whole > 0).then(|| Scalar::Float(part as f64 / whole as f64));
    put("attempts".to_owned(), whole(attempts), "count");
    for outcome in Outcome::ALL {
        put(outcome.name().to_owned(), whole(of(outcome)), "count");
    }
    put("failed".to_owned(), whole(attempts - of(Outcome::Ok)), "count");
    put("failure_rate".to_owned(), share(attempts - of(Outcome::Ok), attempts), "fraction");
    put("crash_rate".to_owned(), share(of(Outcome::Crashed), attempts), "fraction");
    put("hang_rate".to_owned(), share(of(Outcome::Hung), attempts), "fraction");
    put("fall_back_rate".to_owned(), share(of(Outcome::FellBack), attempts), "fraction");
    put("fall_through_rate".to_owned(), share(of(Outcome::FellThrough), attempts), "fraction");
    for (metric, unit) in units {
        let found = group.values.get(metric).map_or(&[][..], Vec::as_slice);
        let mean = (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64);
        // One value has no spread, which is not a spread of zero.
        let sample = if found.len() < 2 { None } else { Replicates::new(found.to_vec()).ok() };
        let sd = sample.map(|values| Moments::from(&values).sd());
        put((*metric).to_owned(), mean.map(Scalar::Float), unit);
        put(format!("{metric}_sd"), sd.map(Scalar::Float), unit);
        let cv = mean.zip(sd).map(|(mean, sd)| sd / mean).filter(|cv| cv.is_finite());
        put(format!("{metric}_cv"), cv.map(Scalar::Float), "fraction");
    }
    values
}
