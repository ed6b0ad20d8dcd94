//! The launches behind a number that a row of a run states for a whole cell.

use std::collections::BTreeMap;

use super::tables::{Gap, Printed, TableRow, Tables, percent};
use crate::verdict::rules::MIN_LAUNCHES;

/// What each launch gave of a number.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::verdict) struct LaunchValues {
    /// By segment and launch, in the unit of the number's column.
    pub values: BTreeMap<(u32, u32), f64>,
    /// Which share of the repetitions of its cells is ok, the least of them; absent where none was tried.
    pub ok_share: Option<f64>,
}

/// By a row's name and column.
pub(in crate::verdict) type ValuesBehind = BTreeMap<(String, String), LaunchValues>;

/// A share in percent that stands for a cell, and the launches behind it where the row is of a run.
pub(super) struct Share {
    pub printed: Printed,
    pub launches: Option<BTreeMap<(u32, u32), f64>>,
}

/// Why a row's number is not compared, and the launches with which it would be.
pub(super) struct Unusable {
    pub reason: String,
    pub settled_by: Option<u64>,
}

/// The share of a column with its launches, or why there is none to compare.
pub(super) fn share(tables: &Tables<'_>, row: &TableRow<'_>, column: &str) -> Result<Result<Share, Unusable>, Gap> {
    let printed = percent(row, column)?;
    let unusable = |reason: String, settled_by| Ok(Err(Unusable { reason, settled_by }));
    let Some(floor) = tables.min_ok_share() else {
        return match printed {
            Some(printed) => Ok(Ok(Share { printed, launches: None })),
            None => unusable(format!("{column} is empty"), None),
        };
    };
    let Some(LaunchValues { values, ok_share }) = tables.launch_values(row, column) else {
        return unusable(format!("{column} is no mean over launches"), None);
    };
    if let Some(share) = ok_share.filter(|share| *share < floor) {
        let reason =
            format!("{column}: {share} of its repetitions are ok, floor {floor}: times of survivors are no sample");
        return unusable(reason, None);
    }
    let launches = values.len() as u64;
    let Some(printed) = printed.filter(|_| launches >= MIN_LAUNCHES) else {
        let reason = format!("{column}: {launches} launches give it; fewer than {MIN_LAUNCHES} decide nothing");
        return unusable(reason, (launches < MIN_LAUNCHES).then_some(MIN_LAUNCHES));
    };
    // The values are in the unit of the column, and so is the number that they are the mean of.
    let scale = if super::tables::unit(row, column) == "fraction" { 100.0 } else { 1.0 };
    let launches = values.iter().map(|(launch, value)| (*launch, scale * value)).collect();
    Ok(Ok(Share { printed, launches: Some(launches) }))
}
