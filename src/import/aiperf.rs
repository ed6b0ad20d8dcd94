//! AIPerf: `profile_export_aiperf.json` holds one object with statistics for each metric, each a summary;
//! `profile_export.jsonl` holds one request in each line, with metadata, metrics of stated unit, and an error or null.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::input::InputFile;
use super::json::{self, Json};
use super::observe::{crash, cut, scalar};
use super::reading::{Reading, cell, text_cell};
use super::unit;
use crate::journal::{Metric, Observation, SummaryCell};
use crate::terms::{Failure, FailureClass, Outcome};

/// Statistics that are counts whatever the metric's unit.
const COUNT: &str = "count";

/// Metrics that say how many tokens came; the first that is there counts.
const TOKENS: [&str; 2] = ["output_sequence_length", "output_token_count"];

/// The longest list whose elements become columns: names of models and the like, and no measurements.
const MAX_LISTED: usize = 16;

/// The request's own time.
const LATENCY: &str = "request_latency";

pub(super) fn read(file: &InputFile) -> Result<Reading, Error> {
    if file.ends_in(".jsonl") { requests(file) } else { statistics(file) }
}

/// Statistics stand at the top, and in early versions under `records`. What stands beside them (versions, model, load) is
/// a column of every row.
fn statistics(file: &InputFile) -> Result<Reading, Error> {
    let document = json::document(file)?;
    let mut reading = Reading::default();
    let inner = document.get("records").map(Json::entries).unwrap_or_default();
    let mut metrics = Vec::new();
    let mut beside = BTreeMap::new();
    for (name, value) in document.entries().iter().filter(|(name, _)| name != "records").chain(inner) {
        let unit = value.get("unit").and_then(Json::text).filter(|unit| !unit.is_empty());
        if let (Json::Map(entries), Some(unit)) = (value, unit) {
            metrics.push((name, entries, unit));
            continue;
        }
        let has_number = value.entries().iter().any(|(_, value)| value.number().is_some());
        if value.get("avg").is_some() && has_number {
            let hint = "give the file as AIPerf wrote it: every metric states its unit";
            return Err(Error::fault(&file.name, name.as_str(), "a metric without a unit", hint));
        }
        columns(name, value, &mut beside, &mut reading.ignored);
    }
    for (name, entries, unit) in metrics {
        let mut cells = BTreeMap::from([("metric".to_owned(), text_cell(name))]);
        for (statistic, value) in entries.iter().filter(|(statistic, _)| statistic != "unit") {
            let unit = if statistic == COUNT { COUNT } else { unit };
            match cell(value, Some(unit), None) {
                Some(cell) => drop(cells.insert(statistic.clone(), cell)),
                None => drop(reading.ignored.insert(format!("{name}.{statistic}"))),
            }
        }
        for (column, cell) in &beside {
            // A statistic is what the row is of, so its name is taken.
            match cells.contains_key(column) {
                true => drop(reading.ignored.insert(column.clone())),
                false => drop(cells.insert(column.clone(), cell.clone())),
            }
        }
        reading.add(&file.name, cells, &[]);
    }
    Ok(reading)
}

/// The single values in `value`, under dotted names; elements of a list by their number, from 1.
fn columns(name: &str, value: &Json, found: &mut BTreeMap<String, SummaryCell>, ignored: &mut BTreeSet<String>) {
    match value {
        Json::Null => {}
        Json::Map(entries) => {
            entries.iter().for_each(|(key, value)| columns(&format!("{name}.{key}"), value, found, ignored));
        }
        Json::List(values) if values.len() <= MAX_LISTED => {
            (1..).zip(values).for_each(|(at, value)| columns(&format!("{name}.{at}"), value, found, ignored));
        }
        value => match cell(value, unit::of(name), None) {
            Some(cell) => drop(found.insert(name.to_owned(), cell)),
            None => drop(ignored.insert(name.to_owned())),
        },
    }
}

fn requests(file: &InputFile) -> Result<Reading, Error> {
    let mut reading = Reading::default();
    for (line, record) in json::lines(file)? {
        let place = format!("line {line}");
        let (Some(metadata), Some(metrics)) = (record.get("metadata"), record.get("metrics")) else {
            let hint = "give profile_export.jsonl, whose lines have `metadata`, `metrics` and `error`";
            return Err(Error::fault(&file.name, place, "no `metadata` and `metrics`", hint));
        };
        let mut key = BTreeMap::new();
        for (name, value) in metadata.entries() {
            match scalar(value) {
                Some(value) => drop(key.insert(name.clone(), value)),
                None if *value == Json::Null => {}
                None => drop(reading.ignored.insert(format!("metadata.{name}"))),
            }
        }
        let mut measured = BTreeMap::new();
        let mut unmeasured = None;
        for (name, metric) in metrics.entries() {
            let unit = metric.get("unit").and_then(Json::text).filter(|unit| !unit.is_empty());
            let (Some(value), Some(unit)) = (metric.get("value"), unit) else {
                let found = format!("{} where `value` and `unit` are expected", metric.describe());
                let hint = "give the file as AIPerf wrote it: every metric states its unit";
                return Err(Error::fault(&file.name, format!("{place}, metric {name}"), found, hint));
            };
            match (value.number(), value) {
                (Some(value), _) => drop(measured.insert(name.clone(), Metric { value, unit: unit.to_owned() })),
                (None, Json::List(_)) => drop(reading.ignored.insert(format!("metrics.{name}"))),
                (None, other) => unmeasured = Some(format!("{name} is {}", other.describe())),
            }
        }
        let (outcome, failure) = outcome(&record, metadata, &measured, unmeasured);
        reading.observations.push(Observation {
            source: file.name.clone(),
            line,
            arm: None,
            key,
            outcome,
            failure,
            metrics: measured,
        });
    }
    Ok(reading)
}

/// A request that the client cancelled is `skipped`, one with an error `crashed`; one without tokens, time or a finite
/// number in every metric `fell_through`.
fn outcome(
    record: &Json,
    metadata: &Json,
    metrics: &BTreeMap<String, Metric>,
    unmeasured: Option<String>,
) -> (Outcome, Option<Failure>) {
    let error = record.get("error").filter(|error| **error != Json::Null);
    let told = error.map(|error| {
        let part = |name| error.get(name).filter(|part| **part != Json::Null);
        let texts = [part("type"), part("message")].into_iter().flatten();
        let words: Vec<String> = texts.map(|part| part.text().map_or_else(|| part.describe(), str::to_owned)).collect();
        if words.is_empty() { error.describe() } else { words.join(": ") }
    });
    if metadata.get("was_cancelled") == Some(&Json::Bool(true)) {
        let message = told.unwrap_or_else(|| "the client cancelled the request".to_owned());
        return (Outcome::Skipped, Some(Failure::new(FailureClass::Absent, cut(&message))));
    }
    if let Some(message) = told {
        return (Outcome::Crashed, Some(crash(&message)));
    }
    let tokens = TOKENS.iter().find_map(|name| Some((*name, metrics.get(*name)?)));
    let fell = match (metrics.get(LATENCY), tokens) {
        _ if unmeasured.is_some() => unmeasured,
        (None, _) => Some(format!("no {LATENCY}")),
        (Some(time), _) if time.value <= 0.0 => Some(format!("{LATENCY} is {} {}", time.value, time.unit)),
        (_, Some((name, count))) if count.value <= 0.0 => Some(format!("{name} is {}", count.value)),
        _ => None,
    };
    match fell {
        Some(reason) => (Outcome::FellThrough, Some(Failure::new(FailureClass::Implausible, cut(&reason)))),
        None => (Outcome::Ok, None),
    }
}
