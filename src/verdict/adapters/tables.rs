//! Tables that rules read, looked up by name: printed ones, and those that measured rows give.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::launch_values::{LaunchValues, ValuesBehind};
use crate::journal::SummaryCell;
use crate::plan::{Column, Rows};
use crate::terms::{Outcome, Scalar, nearest};
use crate::verdict::rules::{MIN_LAUNCHES, Ruling};

/// The table of others' raw rows: one row for each attempt, whatever came of it.
pub(in crate::verdict) const OBSERVATIONS: &str = "observations";

/// The attempts of every launch, by segment and launch.
type Launches = BTreeMap<(u32, u32), BTreeMap<Outcome, u64>>;

/// The launches that a row counts, by the row's name.
pub(in crate::verdict) type LaunchesBehind = BTreeMap<String, Launches>;

/// Rows by table.
pub(in crate::verdict) struct Tables<'a> {
    rows: BTreeMap<String, Vec<TableRow<'a>>>,
    origin: Origin,
    counted: Counted,
    launches: LaunchesBehind,
    values: ValuesBehind,
}

/// What is known of tables that count others' raw rows.
#[derive(Debug, Clone, Default)]
pub(in crate::verdict) struct Counted {
    /// Those that there are.
    pub tables: BTreeSet<String>,
    /// Those that could not be formed, with the reason.
    pub impossible: BTreeMap<String, String>,
    /// The share of tried rows that must be ok for their times to be a sample, where the plan states one.
    pub ok_floor: Option<f64>,
}

/// Whose rows they are, and what counts as one observation.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Origin {
    /// Others printed or recorded them, and each is one observation or prints what it was formed from.
    Printed,
    /// The same, asked by the launches that their columns name.
    PrintedByLaunch,
    /// A run gave them, and the launch is one observation.
    Measured {
        /// Which share of a cell's repetitions must be ok for its times to be a sample.
        min_ok_share: f64,
    },
}

/// One row of a table.
pub(in crate::verdict) struct TableRow<'a> {
    /// The table.
    pub table: String,
    /// The row's name, as rulings cite it.
    pub source: String,
    /// Column to cell.
    pub values: Cow<'a, BTreeMap<String, SummaryCell>>,
}

/// What a rule needs and no table holds, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    pub reason: String,
    /// Whether more rows could close it.
    is_open: bool,
    /// Launches a side that would, where that is known.
    launches: Option<u64>,
}

impl Gap {
    /// Something that is not there: the ruling is `invalid`.
    pub(super) fn of(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_open: false, launches: None }
    }

    /// Something that more rows could show: the ruling is `inconclusive`.
    pub(super) fn open(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_open: true, launches: None }
    }

    /// Fewer launches than decide anything: the ruling is `inconclusive`.
    pub(super) fn too_few(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), is_open: true, launches: Some(MIN_LAUNCHES) }
    }

    /// Whether more rows could close it.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn ruling(self) -> Ruling {
        if self.is_open {
            return Ruling::inconclusive(self.reason).settled_by(self.launches);
        }
        Ruling::invalid(self.reason)
    }
}

/// A number of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Printed {
    pub value: f64,
    /// Half of what the last printed digit is worth: how far rounding may have moved the value.
    pub half: f64,
}

impl<'a> Tables<'a> {
    /// What others printed or recorded.
    pub(in crate::verdict) fn printed(rows: impl IntoIterator<Item = TableRow<'a>>) -> Self {
        Self::of(rows, Origin::Printed)
    }

    /// The same, with what is known of those that count raw rows.
    pub(in crate::verdict) fn counting(self, counted: Counted) -> Self {
        Self { counted, ..self }
    }

    /// What rows of a run give, of which `min_ok_share` must be ok for times to be a sample.
    pub(in crate::verdict) fn measured(rows: impl IntoIterator<Item = TableRow<'a>>, min_ok_share: f64) -> Self {
        Self::of(rows, Origin::Measured { min_ok_share })
    }

    fn of(rows: impl IntoIterator<Item = TableRow<'a>>, origin: Origin) -> Self {
        let (counted, launches, values) = (Counted::default(), LaunchesBehind::new(), ValuesBehind::new());
        Self { rows: by_table(rows), origin, counted, launches, values }
    }

    /// The same, with the launches that measured rows count.
    pub(in crate::verdict) fn behind(self, launches: LaunchesBehind) -> Self {
        Self { launches, ..self }
    }

    /// The same, with what each launch gave of numbers that measured rows state.
    pub(in crate::verdict) fn with_values(self, values: ValuesBehind) -> Self {
        Self { values, ..self }
    }

    /// What each launch gave of a number of the row, where that is known.
    pub(super) fn launch_values(&self, row: &TableRow<'_>, column: &str) -> Option<&LaunchValues> {
        self.values.get(&(row.source.clone(), column.to_owned()))
    }

    /// The launches that the row counts, where that is known.
    pub(super) fn launches_of(&self, row: &TableRow<'_>) -> Option<&Launches> {
        self.launches.get(&row.source)
    }

    /// Whether the rows are those of a run, whose unit of replication is the launch.
    pub(super) fn are_measured(&self) -> bool {
        matches!(self.origin, Origin::Measured { .. })
    }

    /// Which share of a cell's repetitions in a run must be ok for its times to be a sample.
    pub(super) fn min_ok_share(&self) -> Option<f64> {
        match self.origin {
            Origin::Measured { min_ok_share } => Some(min_ok_share),
            Origin::Printed | Origin::PrintedByLaunch => None,
        }
    }

    /// The same rows, asked by launches.
    pub(in crate::verdict) fn by_launch(self) -> Self {
        let origin = if self.origin == Origin::Printed { Origin::PrintedByLaunch } else { self.origin };
        Self { origin, ..self }
    }

    /// Whether the launch counts as one observation.
    pub(super) fn count_launches(&self) -> bool {
        self.origin != Origin::Printed
    }

    /// Whether each row of the table is an attempt of others, whatever came of it.
    pub(super) fn holds_attempts(&self, table: &str) -> bool {
        !self.are_measured() && table == OBSERVATIONS
    }

    /// Whether each row of the table counts attempts of others.
    pub(super) fn counts_attempts(&self, table: &str) -> bool {
        self.counted.tables.contains(table)
    }

    /// The share of tried rows that must be ok, where the plan states one.
    pub(super) fn ok_floor(&self) -> Option<f64> {
        self.counted.ok_floor
    }

    /// The columns of every table.
    pub(in crate::verdict) fn columns(&self) -> crate::plan::Columns {
        let of = |rows: &Vec<TableRow<'_>>| rows.iter().flat_map(|row| row.values.keys().cloned()).collect();
        self.rows.iter().map(|(table, rows)| (table.clone(), of(rows))).collect()
    }

    /// Whether there is such a table.
    pub(super) fn has(&self, table: &str) -> bool {
        self.rows.contains_key(table)
    }

    /// The chosen rows, at least one.
    pub(super) fn rows(&self, chosen: &Rows) -> Result<Vec<&TableRow<'a>>, Gap> {
        self.select(&chosen.table, &chosen.only)
    }

    /// The chosen rows of a column, at least one.
    pub(super) fn column(&self, chosen: &Column) -> Result<Vec<&TableRow<'a>>, Gap> {
        self.select(&chosen.table, &chosen.only)
    }

    /// The one row that is chosen.
    pub(super) fn row(&self, chosen: &Rows) -> Result<&TableRow<'a>, Gap> {
        match self.rows(chosen)?[..] {
            [row] => Ok(row),
            ref several => {
                Err(Gap::of(format!("table {} has {} such rows, and one is needed", chosen.table, several.len())))
            }
        }
    }

    /// That a measured row's times are a sample: of at least three launches, and not of survivors alone.
    pub(super) fn check_times(&self, row: &TableRow<'_>) -> Result<(), Gap> {
        let Origin::Measured { min_ok_share: floor } = self.origin else { return Ok(()) };
        let share = must_number(row, "ok_share")?.value;
        if share < floor {
            return Err(Gap::open(format!(
                "{}: {share} of its repetitions are ok, floor {floor}: times of survivors are no sample",
                source(row)
            )));
        }
        enough(row, "launches", "gave it a time")
    }

    /// That a measured row which stands for a whole cell rests on launches enough; a launch's own row is one observation.
    pub(super) fn check_point(&self, row: &TableRow<'_>, columns: &[&String]) -> Result<(), Gap> {
        if row.values.contains_key("launch") { Ok(()) } else { self.check_numbers(row, columns) }
    }

    /// That numbers which a rule takes from a measured row as they stand rest on at least three launches each.
    pub(super) fn check_numbers(&self, row: &TableRow<'_>, columns: &[&String]) -> Result<(), Gap> {
        if !self.are_measured() {
            return Ok(());
        }
        if row.values.contains_key("launch") {
            return Err(Gap::too_few(format!(
                "{}: its numbers are of one launch; fewer than {MIN_LAUNCHES} decide nothing",
                source(row)
            )));
        }
        if columns.iter().any(|column| is_time(column)) {
            self.check_times(row)?;
        }
        let behind = |column: &String| {
            let lane = column.rsplit_once('.').map_or(String::new(), |(lane, _)| format!("{lane}."));
            let counts = [lane, String::new()].map(|of| LAUNCH_COUNTS.map(|count| format!("{of}{count}")));
            counts.into_iter().flatten().find(|count| row.values.contains_key(count))
        };
        columns.iter().copied().filter_map(behind).try_for_each(|count| enough(row, &count, "stand behind it"))
    }

    /// That readings of a run are of at least three launches: those that their rows name, or those that each row counts.
    pub(super) fn check_readings(&self, rows: &[&TableRow<'_>], column: &String) -> Result<(), Gap> {
        let (of_launches, of_cells): (Vec<_>, Vec<_>) =
            rows.iter().filter(|_| self.are_measured()).partition(|row| row.values.contains_key("launch"));
        of_cells.into_iter().try_for_each(|row| self.check_numbers(row, &[column]))?;
        let mut launches = BTreeSet::new();
        for row in &of_launches {
            launches.insert((text(row, "segment")?, text(row, "launch")?));
        }
        match launches.len() as u64 {
            0 | MIN_LAUNCHES.. => Ok(()),
            few => Err(Gap::too_few(format!(
                "the readings are of {few} launches; fewer than {MIN_LAUNCHES} decide nothing"
            ))),
        }
    }

    fn select(&self, table: &str, only: &BTreeMap<String, Vec<Scalar>>) -> Result<Vec<&TableRow<'a>>, Gap> {
        let Some(rows) = self.rows.get(table) else {
            if let Some(reason) = self.counted.impossible.get(table) {
                return Err(Gap::of(reason.clone()));
            }
            let near = nearest(table, self.rows.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; there is {near}"));
            return Err(Gap::of(format!("no table {table} was imported{hint}")));
        };
        let mut chosen = Vec::new();
        for row in rows {
            let mut fits = true;
            for (column, allowed) in only {
                fits &= cell(row, column)?.is_some_and(|found| allowed.contains(found));
            }
            if fits {
                chosen.push(row);
            }
        }
        if chosen.is_empty() {
            let whose = if self.are_measured() { "plan" } else { "design" };
            return Err(Gap::of(format!("no row of table {table} is chosen by the {whose}")));
        }
        Ok(chosen)
    }
}

/// Whether the column of a measured row is of its times.
pub(super) fn is_time(column: &str) -> bool {
    ["cv", "mean_ms", "sd_ms"].contains(&column)
}

/// Columns that count the launches behind a measured row, in each lane of its own where it stands for several.
const LAUNCH_COUNTS: [&str; 2] = ["attempted_launches", "launches"];

/// That at least three launches did what the column counts.
fn enough(row: &TableRow<'_>, column: &str, what: &str) -> Result<(), Gap> {
    let launches = must_number(row, column)?.value;
    if launches < MIN_LAUNCHES as f64 {
        return Err(Gap::too_few(format!(
            "{}: {launches} launches {what}; fewer than {MIN_LAUNCHES} decide nothing",
            source(row)
        )));
    }
    Ok(())
}

fn by_table<'a>(rows: impl IntoIterator<Item = TableRow<'a>>) -> BTreeMap<String, Vec<TableRow<'a>>> {
    let mut found: BTreeMap<String, Vec<TableRow<'a>>> = BTreeMap::new();
    for row in rows {
        match found.get_mut(&row.table) {
            Some(known) => known.push(row),
            None => {
                found.insert(row.table.clone(), vec![row]);
            }
        }
    }
    found
}

/// The row's name, as rulings cite it.
pub(super) fn source(row: &TableRow<'_>) -> String {
    row.source.clone()
}

fn cell<'a>(row: &'a TableRow<'_>, column: &str) -> Result<Option<&'a Scalar>, Gap> {
    match row.values.get(column) {
        Some(cell) => Ok(cell.value.as_ref()),
        None => {
            let near = nearest(column, row.values.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; it prints {near}"));
            Err(Gap::of(format!("table {} prints no column {column}{hint}", row.table)))
        }
    }
}

/// The text of a cell, whatever it holds; nothing for an empty one.
pub(super) fn text(row: &TableRow<'_>, column: &str) -> Result<Option<String>, Gap> {
    Ok(cell(row, column)?.map(ToString::to_string))
}

/// The text of a cell that must hold something.
pub(super) fn must_text(row: &TableRow<'_>, column: &str) -> Result<String, Gap> {
    text(row, column)?.ok_or_else(|| Gap::of(format!("{}: {column} is empty", source(row))))
}

/// The number of a cell; nothing for an empty one.
pub(super) fn number(row: &TableRow<'_>, column: &str) -> Result<Option<Printed>, Gap> {
    let Some(scalar) = cell(row, column)? else { return Ok(None) };
    let Some(value) = scalar.number().filter(|value| value.is_finite()) else {
        return Err(Gap::of(format!("{}: {column} is {scalar}, and a number is needed", source(row))));
    };
    let half = row.values.get(column).and_then(|cell| cell.resolution).unwrap_or(0.0) / 2.0;
    Ok(Some(Printed { value, half }))
}

/// The number of a cell that must hold one.
pub(super) fn must_number(row: &TableRow<'_>, column: &str) -> Result<Printed, Gap> {
    number(row, column)?.ok_or_else(|| Gap::of(format!("{}: {column} is empty", source(row))))
}

/// The unit of a column, by its own statement.
pub(super) fn unit(row: &TableRow<'_>, column: &str) -> String {
    row.values.get(column).map_or_else(String::new, |cell| cell.unit.clone())
}

/// A share in percent, by the column's own unit.
pub(super) fn percent(row: &TableRow<'_>, column: &str) -> Result<Option<Printed>, Gap> {
    let Some(Printed { value, half }) = number(row, column)? else { return Ok(None) };
    match unit(row, column).as_str() {
        "fraction" => Ok(Some(Printed { value: 100.0 * value, half: 100.0 * half })),
        "percent" | "pp" => Ok(Some(Printed { value, half })),
        other => Err(Gap::of(format!("table {}: {column} is in {other:?}, and a share is needed", row.table))),
    }
}
