//! Which raw rows of others are a sample of times: those that are ok, unless too few of those that were tried are.
//!
//! A plan cannot hide failures by choosing `outcome = ["ok"]`: attempts are counted over the rows that the other columns
//! choose.

use std::collections::BTreeMap;

use super::tables::{Gap, TableRow, Tables, must_number, must_text};
use crate::plan::MeanSide;
use crate::terms::Outcome;

/// The share of tried rows that must be ok where the plan states none.
const ALL: f64 = 1.0;

/// Rows that hold values, and what was lost beside them.
pub(super) struct Sample<'t, 'a> {
    pub rows: Vec<&'t TableRow<'a>>,
    /// In words; absent where nothing was.
    pub lost: Option<String>,
}

/// The share of what was tried that has to be ok for times of the table to be a sample; nothing for a table that tells of no
/// attempt.
pub(super) fn floor(tables: &Tables<'_>, table: &str) -> Option<f64> {
    let counts = tables.holds_attempts(table) || tables.counts_attempts(table);
    tables.min_ok_share().or_else(|| counts.then(|| tables.ok_floor().unwrap_or(ALL)))
}

/// Every row of the side, whatever came of it.
pub(super) fn attempts<'t, 'a>(tables: &'t Tables<'a>, side: &MeanSide) -> Result<Vec<&'t TableRow<'a>>, Gap> {
    let mut chosen = side.rows.clone();
    if tables.holds_attempts(&chosen.table) {
        chosen.only.remove("outcome");
    }
    tables.rows(&chosen)
}

/// The side's values, at least as many of what was tried as the plan asks for.
pub(super) fn side<'t, 'a>(tables: &'t Tables<'a>, name: &str, side: &MeanSide) -> Result<Sample<'t, 'a>, Gap> {
    sample(tables, name, attempts(tables, side)?)
}

/// Of these rows those that hold values.
pub(super) fn sample<'t, 'a>(
    tables: &Tables<'a>,
    name: &str,
    rows: Vec<&'t TableRow<'a>>,
) -> Result<Sample<'t, 'a>, Gap> {
    let (mut outcomes, mut counted) = (BTreeMap::new(), false);
    for row in &rows {
        if tables.holds_attempts(&row.table) {
            *outcomes.entry(must_text(row, "outcome")?).or_insert(0) += 1;
        } else if tables.counts_attempts(&row.table) {
            for outcome in Outcome::ALL {
                *outcomes.entry(outcome.name().to_owned()).or_insert(0) +=
                    must_number(row, outcome.name())?.value as u64;
            }
        } else {
            continue;
        }
        counted = true;
    }
    if !counted {
        return Ok(Sample { rows, lost: None });
    }
    let of = |outcome: Outcome| outcomes.get(outcome.name()).copied().unwrap_or(0);
    let all: u64 = outcomes.values().sum();
    let tried = all - of(Outcome::Refused) - of(Outcome::Skipped);
    let ok = of(Outcome::Ok);
    let others = outcomes.iter().filter(|(outcome, count)| *outcome != Outcome::Ok.name() && **count > 0);
    let others: Vec<String> = others.map(|(outcome, count)| format!("{outcome} {count}")).collect();
    let told = || format!("{name}: {ok} of {tried} rows that were tried are ok ({})", others.join(", "));
    let Some(floor) = tables.ok_floor().or((ok == tried || ok == 0).then_some(ALL)) else {
        return Err(Gap::of(format!(
            "{}, and the plan does not state how many have to be for times of the others to be a sample: state published.min_ok_share",
            told()
        )));
    };
    if ok == 0 || (ok as f64) < floor * tried as f64 {
        return Err(Gap::open(format!("{}, floor {floor}: times of survivors are no sample", told())));
    }
    let lost = (ok < all).then(|| format!("{name}: {} of {all} rows gave no value ({})", all - ok, others.join(", ")));
    let is_ok = |row: &&TableRow<'_>| match tables.holds_attempts(&row.table) {
        true => must_text(row, "outcome").is_ok_and(|outcome| outcome == Outcome::Ok.name()),
        false => true,
    };
    Ok(Sample { rows: rows.into_iter().filter(is_ok).collect(), lost })
}
