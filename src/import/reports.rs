//! TR165, TR147, TR126 and TR117: the files of their harnesses, one row per line.

use std::collections::BTreeMap;

use super::Error;
use super::flat::{self, FlatFile};
use super::input::InputFile;
use super::observe::{cut, observation};
use super::reading::{Reading, cells};
use super::shape::{self, Shape};
use crate::journal::Observation;

/// Columns that only a summary over attempts can have.
const TR165_SUMMARY: &[&str] = &["ok_rate", "parallel_efficiency", "p95_latency_multiplier"];

/// TR165's `metrics.csv` holds raw rows; its `cell_summary.csv` holds one summary per cell, known by its columns.
pub(super) fn tr165(file: &InputFile) -> Result<Reading, Error> {
    let flat = flat::read(file)?;
    let summarises = flat.rows.first().is_some_and(|row| row.first(TR165_SUMMARY).is_some());
    if !summarises {
        return rows(file, flat, &shape::TR165);
    }
    let mut reading = Reading { ignored: flat.ignored, ..Reading::default() };
    for row in &flat.rows {
        for name in ["phase", "model", "workload", "n_agents"] {
            if row.get(name).is_none() {
                let found = format!("no column {name}, which the join key needs");
                let hint = "give cell_summary.csv as TR165's analyzer reads it";
                return Err(Error::fault(&file.name, format!("line {}", row.line), found, hint));
            }
        }
        reading.add(&file.name, cells(row), &[]);
    }
    Ok(reading)
}

pub(super) fn tr147(file: &InputFile) -> Result<Reading, Error> {
    rows(file, flat::read(file)?, &shape::TR147)
}

pub(super) fn tr126(file: &InputFile) -> Result<Reading, Error> {
    rows(file, flat::read(file)?, &shape::TR126)
}

/// A row of TR117 has to measure something: its shape names no field that must be there.
pub(super) fn tr117(file: &InputFile) -> Result<Reading, Error> {
    let reading = rows(file, flat::read(file)?, &shape::TR117)?;
    match reading.observations.iter().find(|found| found.metrics.is_empty() && found.failure.is_none()) {
        None => Ok(reading),
        Some(found) => {
            let hint = "name the columns with their units, for example lag_p99_ms";
            Err(Error::fault(&file.name, format!("line {}", found.line), "no number with a unit", hint))
        }
    }
}

fn rows(file: &InputFile, flat: FlatFile, shape: &Shape) -> Result<Reading, Error> {
    let observations = flat.rows.iter().map(|row| observation(file, row, shape)).collect::<Result<Vec<_>, _>>()?;
    each_once(file, &observations, shape)?;
    Ok(Reading { ignored: flat.ignored, observations, ..Reading::default() })
}

/// Refuses a repetition that the file has twice: it would count twice.
fn each_once(file: &InputFile, observations: &[Observation], shape: &Shape) -> Result<(), Error> {
    let mut lines = BTreeMap::new();
    let numbered = |found: &&Observation| shape.repetitions.iter().any(|name| found.key.contains_key(*name));
    for found in observations.iter().filter(numbered) {
        let mut named: Vec<String> = found.key.iter().map(|(name, value)| format!("{name} {value}")).collect();
        // A count may say what was asked for, and then tells repetitions apart.
        let counts = found.metrics.iter().filter(|(_, metric)| metric.unit == "count");
        named.extend(counts.map(|(name, metric)| format!("{name} {}", metric.value)));
        let named = named.join(", ");
        if let Some(first) = lines.insert(named.clone(), found.line) {
            let found_there = format!("the repetition of line {first} again ({})", cut(&named));
            let hint = "leave one of them out, or add the column that tells them apart";
            return Err(Error::fault(&file.name, format!("line {}", found.line), found_there, hint));
        }
    }
    Ok(())
}
