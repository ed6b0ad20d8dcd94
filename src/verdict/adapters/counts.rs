//! How often something happened, by the unit of replication of the tables.
//!
//! Over measured rows that is the launch, whatever column the plan names: attempts of one launch share its process, so that
//! they are no independent trials, and stand beside. What others printed is counted as they count it.

use std::collections::BTreeMap;

use super::tables::{Gap, TableRow, Tables, must_number, must_text, source};
use crate::plan::LaunchCount;
use crate::verdict::measured_tables::is_counted;
use crate::verdict::rules::{Count, Tally};

/// Of what was tried (`n`), how often that came of it which the column `what` counts.
pub(super) fn tally(tables: &Tables<'_>, row: &TableRow<'_>, what: &str, n: &str) -> Result<Tally, Gap> {
    if !tables.are_measured() {
        return Ok(Tally::printed(printed(row, what, n)?));
    }
    of_launches(row, &came_of_it(row, what)?, &tried(row, n)?)
}

/// Of all that was tried, what survived. What others printed is what survived and what did not; a launch that was tried
/// survives or does not.
pub(super) fn survival(tables: &Tables<'_>, row: &TableRow<'_>, survived: &str, crashed: &str) -> Result<Tally, Gap> {
    if !tables.are_measured() {
        let (survived, crashed) = (whole(row, survived)?, whole(row, crashed)?);
        return Ok(Tally::printed(Count { hits: survived, trials: survived + crashed }));
    }
    let all = LaunchCount::tried_for(crashed).ok_or_else(|| no_launches(row, crashed, 1))?;
    of_launches(row, &came_of_it(row, survived)?, &all)
}

fn of_launches(row: &TableRow<'_>, what: &LaunchCount, tried: &LaunchCount) -> Result<Tally, Gap> {
    let count = |hits: &str, trials: &str| Ok::<_, Gap>(Count { hits: whole(row, hits)?, trials: whole(row, trials)? });
    let attempts = Some(count(&what.attempts, &tried.attempts)?);
    Ok(Tally { count: count(&what.launches, &tried.launches)?, attempts })
}

/// The launches that the row counts, with whether the column counts them; empty where they are not known.
pub(super) fn launches(tables: &Tables<'_>, row: &TableRow<'_>, what: &str) -> BTreeMap<(u32, u32), bool> {
    let (Some(behind), Some(what)) = (tables.launches_of(row), LaunchCount::came_of_it(what)) else {
        return BTreeMap::new();
    };
    let tried = behind.iter().filter(|(_, attempts)| is_counted("attempted_launches", attempts));
    tried.map(|(launch, attempts)| (*launch, is_counted(&what.launches, attempts))).collect()
}

fn tried(row: &TableRow<'_>, column: &str) -> Result<LaunchCount, Gap> {
    LaunchCount::tried(column).ok_or_else(|| no_launches(row, column, 0))
}

fn came_of_it(row: &TableRow<'_>, column: &str) -> Result<LaunchCount, Gap> {
    LaunchCount::came_of_it(column).ok_or_else(|| no_launches(row, column, 1))
}

fn no_launches(row: &TableRow<'_>, column: &str, which: usize) -> Gap {
    Gap::of(format!(
        "{}: {column} has no count of launches, which are the unit of replication; name one of {}",
        source(row),
        LaunchCount::known()[which].join(", ")
    ))
}

/// What others printed: a count, or a share that stands for a whole number.
fn printed(row: &TableRow<'_>, crashes: &str, n: &str) -> Result<Count, Gap> {
    let trials = whole(row, n)?;
    let printed = must_number(row, crashes)?;
    let is_share = row.values.get(crashes).is_some_and(|cell| cell.unit == "fraction");
    let hits = if is_share { printed.value * trials as f64 } else { printed.value };
    let rounded = hits.round();
    if !(0.0..=trials as f64).contains(&rounded) || (hits - rounded).abs() > printed.half * trials as f64 + 1e-9 {
        return Err(Gap::of(format!(
            "{}: {crashes} of {trials} is {}, no whole number of them",
            source(row),
            printed.value
        )));
    }
    Ok(Count { hits: rounded as u64, trials })
}

pub(super) fn whole(row: &TableRow<'_>, column: &str) -> Result<u64, Gap> {
    let text = must_text(row, column)?;
    text.parse().map_err(|_| Gap::of(format!("{}: {column} is {text}, and a count is needed", source(row))))
}
