//! Two means and their spread, from rows of values or from rows that print them.

use std::collections::BTreeMap;

use super::tables::{Gap, TableRow, Tables, must_number, must_text, source, unit};
use crate::plan::MeanSide;
use crate::stats::{Moments, Replicates};
use crate::verdict::rules::{MIN_LAUNCHES, TwoMeans};

/// Printed rows are of one unnamed segment.
const PRINTED: u64 = 0;

/// A mean and its spread by segment.
struct Side {
    by_segment: BTreeMap<u64, Moments>,
    unit: String,
    sources: Vec<String>,
}

/// Both sides, segment by segment: what was measured in different segments is never compared.
pub(super) fn two_means(tables: &Tables<'_>, left: &MeanSide, right: &MeanSide) -> Result<TwoMeans, Gap> {
    let (left, right) = (side(tables, left)?, side(tables, right)?);
    if left.unit != right.unit {
        return Err(Gap::of(format!("one side is in {}, the other in {}", left.unit, right.unit)));
    }
    let pair = |(segment, left): (&u64, &Moments)| Some([*left, *right.by_segment.get(segment)?]);
    let means = TwoMeans {
        segments: left.by_segment.iter().filter_map(pair).collect(),
        unit: left.unit,
        sources: [left.sources, right.sources].concat(),
    };
    if tables.are_measured() && means.launches() < MIN_LAUNCHES {
        return Err(Gap::too_few(format!(
            "{} launches a side were made in segments that hold two of either side; fewer than {MIN_LAUNCHES} decide nothing",
            means.launches()
        )));
    }
    Ok(means)
}

fn side(tables: &Tables<'_>, side: &MeanSide) -> Result<Side, Gap> {
    let rows = tables.rows(&side.rows)?;
    let by_segment = match (&side.sd, &side.n) {
        (Some(sd), Some(n)) => {
            let row = tables.row(&side.rows)?;
            BTreeMap::from([(segment_of(tables, row, n)?, summarised(row, side, sd, n)?)])
        }
        _ if tables.are_measured() => by_launch(tables, side, &rows)?,
        _ => BTreeMap::from([(PRINTED, moments(side, values(side, &rows)?)?)]),
    };
    let unit = rows.first().map_or_else(String::new, |row| unit(row, &side.mean));
    Ok(Side { by_segment, unit, sources: rows.iter().map(|row| source(row)).collect() })
}

fn refused(side: &MeanSide, error: &crate::stats::Error) -> Gap {
    Gap::of(format!("table {}: {error}", side.rows.table))
}

fn moments(side: &MeanSide, values: Vec<f64>) -> Result<Moments, Gap> {
    Ok(Moments::from(&Replicates::new(values).map_err(|error| refused(side, &error))?))
}

fn values(side: &MeanSide, rows: &[&TableRow<'_>]) -> Result<Vec<f64>, Gap> {
    rows.iter().map(|row| Ok(must_number(row, &side.mean)?.value)).collect()
}

/// What one row prints of its mean.
fn summarised(row: &TableRow<'_>, side: &MeanSide, sd: &str, n: &str) -> Result<Moments, Gap> {
    let Ok(count) = must_text(row, n)?.parse() else {
        return Err(Gap::of(format!("{}: {} is no count", source(row), must_text(row, n)?)));
    };
    let found = Moments::new(count, must_number(row, &side.mean)?.value, must_number(row, sd)?.value);
    found.map_err(|error| refused(side, &error))
}

/// The segment of a row that summarises launches.
fn segment_of(tables: &Tables<'_>, row: &TableRow<'_>, n: &str) -> Result<u64, Gap> {
    if !tables.are_measured() {
        return Ok(PRINTED);
    }
    tables.check_times(row)?;
    if n != "launches" {
        return Err(Gap::of(format!(
            "{n} counts no launches, which are the unit of replication; give n = \"launches\""
        )));
    }
    match must_number(row, "segment") {
        Ok(segment) => Ok(segment.value as u64),
        Err(_) => Err(Gap::of(format!(
            "{}: its launches were made in several segments, whose spread is none of one host; choose the rows of table \
             launches, which are compared segment by segment",
            source(row)
        ))),
    }
}

/// One value for each launch: where several rows of a launch are chosen, their mean, so that the launch stays the unit.
fn by_launch(tables: &Tables<'_>, side: &MeanSide, rows: &[&TableRow<'_>]) -> Result<BTreeMap<u64, Moments>, Gap> {
    let mut launches: BTreeMap<(u64, u64), Vec<f64>> = BTreeMap::new();
    for row in rows {
        if !row.values.contains_key("launch") {
            return Err(Gap::of(format!(
                "a row of table {} is no launch; choose rows of table launches, or give mean_ms with sd = \"sd_ms\" and n = \
                 \"launches\"",
                row.table
            )));
        }
        tables.check_times(row)?;
        let of = |column: &str| Ok::<u64, Gap>(must_number(row, column)?.value as u64);
        let value = must_number(row, &side.mean)?.value;
        launches.entry((of("segment")?, of("launch")?)).or_default().push(value);
    }
    let mut counts: Vec<usize> = launches.values().map(Vec::len).collect();
    counts.sort_unstable();
    counts.dedup();
    if let [fewest, .., most] = counts[..] {
        return Err(Gap::of(format!(
            "a launch gave {fewest} of the chosen cells, another {most}: their means are of different work; choose cells \
             that every launch met"
        )));
    }
    let mut values: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for ((segment, _), list) in launches {
        values.entry(segment).or_default().push(list.iter().sum::<f64>() / list.len() as f64);
    }
    values.retain(|_, values| values.len() >= 2);
    values.into_iter().map(|(segment, values)| Ok((segment, moments(side, values)?))).collect()
}
