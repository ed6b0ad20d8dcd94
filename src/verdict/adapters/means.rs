//! Two means and their spread, from rows of values or from rows that print them.

use std::collections::BTreeMap;

use super::keys::{check_distinct, key};
use super::survivors::{self, Sample};
use super::tables::{Gap, TableRow, Tables, must_number, must_text, source, unit};
use crate::plan::MeanSide;
use crate::stats::distribution::student_t_upper_quantile;
use crate::stats::{Confidence, Moments, Replicates, difference_interval};
use crate::verdict::rules::{Estimate, MIN_LAUNCHES, TwoMeans};

/// Printed rows are of one unnamed segment.
const PRINTED: u64 = 0;

/// A mean and its spread by segment.
struct Side {
    by_segment: BTreeMap<u64, Moments>,
    unit: String,
    sources: Vec<String>,
}

/// Both sides of one comparison, and what of either was lost.
pub(super) fn two_means(
    tables: &Tables<'_>,
    confidence: Confidence,
    left: &MeanSide,
    right: &MeanSide,
) -> Result<(TwoMeans, Vec<String>), Gap> {
    let (one, other) = (survivors::side(tables, "left", left)?, survivors::side(tables, "right", right)?);
    let means = both(tables, confidence, (left, &one.rows), (right, &other.rows))?;
    Ok((means, one.lost.into_iter().chain(other.lost).collect()))
}

/// The rows of one side under a key.
type Chosen<'t, 'a> = Vec<&'t TableRow<'a>>;

/// A comparison for each key that both sides have, and the keys that only one has.
pub(super) struct Matched<'t, 'a> {
    pub pairs: Vec<(BTreeMap<String, String>, [Chosen<'t, 'a>; 2])>,
    unmatched: Vec<String>,
    lost: Vec<String>,
}

/// Rows of both sides by the columns that tell comparisons apart.
pub(super) fn matched<'t, 'a>(
    tables: &'t Tables<'a>,
    columns: &[String],
    left: &MeanSide,
    right: &MeanSide,
) -> Result<Matched<'t, 'a>, Gap> {
    let mut by_key: BTreeMap<BTreeMap<String, String>, [Chosen<'t, 'a>; 2]> = BTreeMap::new();
    for (which, side) in [left, right].into_iter().enumerate() {
        for row in survivors::attempts(tables, side)? {
            by_key.entry(key(row, columns)?).or_default()[which].push(row);
        }
    }
    let (pairs, single): (Vec<_>, Vec<_>) =
        by_key.into_iter().partition(|(_, sides)| sides.iter().all(|rows| !rows.is_empty()));
    let words = |key: BTreeMap<String, String>| key.into_values().collect::<Vec<_>>().join(" ");
    let unmatched: Vec<String> = single.into_iter().map(|(key, _)| words(key)).collect();
    if pairs.is_empty() {
        return Err(Gap::of(format!("no key has rows on both sides; on one are {}", unmatched.join(", "))));
    }
    let (mut sampled, mut lost) = (Vec::with_capacity(pairs.len()), Vec::new());
    for (key, [one, other]) in pairs {
        let told = words(key.clone());
        let mut sample = |name: &str, rows: Chosen<'t, 'a>| -> Result<Chosen<'t, 'a>, Gap> {
            let Sample { rows, lost: told } = survivors::sample(tables, &format!("{told}, {name}"), rows)?;
            lost.extend(told);
            Ok(rows)
        };
        sampled.push((key, [sample("baseline", one)?, sample("candidate", other)?]));
    }
    Ok(Matched { pairs: sampled, unmatched, lost })
}

impl Matched<'_, '_> {
    /// What was left out, as reasons.
    pub(super) fn left_out(&self) -> Vec<String> {
        let unmatched =
            (!self.unmatched.is_empty()).then(|| format!("one side alone has {}, left out", self.unmatched.join(", ")));
        unmatched.into_iter().chain(self.lost.iter().cloned()).collect()
    }
}

/// Both sides, segment by segment: what was measured in different segments is never compared.
pub(super) fn both(
    tables: &Tables<'_>,
    confidence: Confidence,
    (left, left_rows): (&MeanSide, &[&TableRow<'_>]),
    (right, right_rows): (&MeanSide, &[&TableRow<'_>]),
) -> Result<TwoMeans, Gap> {
    let (left, right) = (side(tables, confidence, left, left_rows)?, side(tables, confidence, right, right_rows)?);
    if left.unit != right.unit {
        return Err(Gap::of(format!("one side is in {}, the other in {}", left.unit, right.unit)));
    }
    let pair = |(segment, left): (&u64, &Moments)| Some([*left, *right.by_segment.get(segment)?]);
    let means = TwoMeans {
        segments: left.by_segment.iter().filter_map(pair).collect(),
        unit: left.unit,
        sources: [left.sources, right.sources].concat(),
    };
    if tables.count_launches() && means.launches() < MIN_LAUNCHES {
        return Err(Gap::too_few(format!(
            "{} launches a side were made in segments that hold two of either side; fewer than {MIN_LAUNCHES} decide nothing",
            means.launches()
        )));
    }
    Ok(means)
}

fn side(tables: &Tables<'_>, confidence: Confidence, side: &MeanSide, rows: &[&TableRow<'_>]) -> Result<Side, Gap> {
    let by_segment = match (&side.n, &side.launch) {
        (Some(_), _) if !tables.are_measured() && tables.count_launches() => {
            return Err(Gap::of("a mean over iterations is printed, and its launches are not known"));
        }
        (Some(n), _) => {
            let [row] = rows else {
                let found = rows.len();
                return Err(Gap::of(format!("table {} has {found} such rows, and one is needed", side.rows.table)));
            };
            BTreeMap::from([(segment_of(tables, row, n)?, summarised(row, side, confidence, n)?)])
        }
        (None, _) if tables.are_measured() => by_launch(tables, side, rows)?,
        (None, Some(launch)) if tables.count_launches() => {
            let means =
                iterations(side, rows, launch)?.into_iter().map(|list| list.iter().sum::<f64>() / list.len() as f64);
            let means: Vec<f64> = means.collect();
            if means.len() < 2 {
                return Err(Gap::too_few(format!("table {}: {} launch has no spread", side.rows.table, means.len())));
            }
            BTreeMap::from([(PRINTED, moments(side, means)?)])
        }
        (None, _) => BTreeMap::from([(PRINTED, moments(side, values(side, rows)?)?)]),
    };
    let unit = rows.first().map_or_else(String::new, |row| unit(row, &side.mean));
    Ok(Side { by_segment, unit, sources: rows.iter().map(|row| source(row)).collect() })
}

/// A change in percent, and the rows that it was formed from.
pub(super) struct Change {
    pub estimate: Estimate,
    /// What its interval was formed from; absent where there is none.
    pub means: Option<TwoMeans>,
    pub sources: Vec<String>,
}

/// The change from one side to the other in percent of the first, as far as the rows print it: two printed means without
/// spread give a value without interval.
pub(super) fn change(
    tables: &Tables<'_>,
    confidence: Confidence,
    left: (&MeanSide, &[&TableRow<'_>]),
    right: (&MeanSide, &[&TableRow<'_>]),
) -> Result<Change, Gap> {
    if let ((a, [one]), (b, [other])) = (left, right)
        && a.n.is_none()
        && b.n.is_none()
        && !tables.count_launches()
    {
        let (before, after) = (must_number(one, &a.mean)?.value, must_number(other, &b.mean)?.value);
        let estimate = Estimate::printed(100.0 * (after - before) / before);
        return Ok(Change { estimate, means: None, sources: vec![source(one), source(other)] });
    }
    let means = both(tables, confidence, left, right)?;
    let refused = |error: crate::stats::Error| Gap::of(error.to_string());
    let effect = means.change_pct().map_err(refused)?;
    let interval = difference_interval(&effect, confidence).map_err(refused)?;
    let estimate = Estimate {
        value: effect.difference(),
        interval: Some([interval.low, interval.high]),
        // Of whatever the plan counts as one observation.
        launches: Some(means.launches()),
    };
    Ok(Change { estimate, sources: means.sources.clone(), means: Some(means) })
}

fn refused(side: &MeanSide, error: &crate::stats::Error) -> Gap {
    Gap::of(format!("table {}: {error}", side.rows.table))
}

fn moments(side: &MeanSide, values: Vec<f64>) -> Result<Moments, Gap> {
    Ok(Moments::from(&Replicates::new(values).map_err(|error| refused(side, &error))?))
}

pub(super) fn values(side: &MeanSide, rows: &[&TableRow<'_>]) -> Result<Vec<f64>, Gap> {
    check_distinct(rows)?;
    rows.iter().map(|row| Ok(must_number(row, &side.mean)?.value)).collect()
}

/// The values of every launch that the column names.
pub(super) fn iterations(side: &MeanSide, rows: &[&TableRow<'_>], launch: &str) -> Result<Vec<Vec<f64>>, Gap> {
    check_distinct(rows)?;
    let mut launches: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in rows {
        launches.entry(must_text(row, launch)?).or_default().push(must_number(row, &side.mean)?.value);
    }
    Ok(launches.into_values().collect())
}

/// What one row prints of its mean.
fn summarised(row: &TableRow<'_>, side: &MeanSide, confidence: Confidence, n: &str) -> Result<Moments, Gap> {
    let Ok(count) = must_text(row, n)?.parse::<usize>() else {
        return Err(Gap::of(format!("{}: {} is no count", source(row), must_text(row, n)?)));
    };
    let sd = match (&side.sd, &side.interval) {
        (Some(sd), _) => must_number(row, sd)?.value,
        (None, Some([low, high])) => {
            // Student's interval of a mean reaches t sd / sqrt(n) to either side.
            let reach = (must_number(row, high)?.value - must_number(row, low)?.value) / 2.0;
            let df = count.saturating_sub(1) as f64;
            let quantile = student_t_upper_quantile((1.0 - confidence.get()) / 2.0, df);
            reach * (count as f64).sqrt() / quantile.map_err(|error| refused(side, &error))?
        }
        (None, None) => return Err(Gap::of(format!("{}: no spread is named beside {n}", source(row)))),
    };
    Moments::new(count, must_number(row, &side.mean)?.value, sd).map_err(|error| refused(side, &error))
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
