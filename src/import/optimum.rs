//! optimum-benchmark: `benchmark_report.json` (or `benchmark.json`, which holds it as `report`) has for each target
//! (`load_model`, `prefill`, `decode`, `per_token`, …) memory, latency, throughput, energy and efficiency, each with its
//! unit. Each is a summary; the latencies behind the means (`latency.values`) are observations.

use std::collections::BTreeMap;

use super::Error;
use super::input::InputFile;
use super::json::{self, Json};
use super::observe::cut;
use super::reading::{Reading, cell, text_cell};
use crate::journal::{Metric, Observation};
use crate::terms::{Failure, FailureClass, Outcome, Scalar};

/// Statistics of a latency that optimum-benchmark computes from its values.
const DERIVED: [&str; 9] = ["count", "total", "mean", "p50", "p90", "p95", "p99", "stdev", "stdev_"];

pub(super) fn read(file: &InputFile) -> Result<Reading, Error> {
    let document = json::document(file)?;
    let report = document.get("report").unwrap_or(&document);
    let mut reading = Reading::default();
    if document.get("report").is_some() {
        let others = document.entries().iter().map(|(name, _)| name.clone()).filter(|name| name != "report");
        reading.ignored.extend(others);
    }
    for (target, measurements) in report.entries() {
        for (name, measurement) in measurements.entries().iter().filter(|(_, value)| *value != Json::Null) {
            measure(file, target, name, measurement, &mut reading)?;
        }
    }
    if reading.summaries.is_empty() {
        let hint = "give benchmark_report.json, or benchmark.json that holds it";
        return Err(Error::fault(&file.name, "", "no target with a measurement", hint));
    }
    Ok(reading)
}

fn measure(file: &InputFile, target: &str, name: &str, measurement: &Json, reading: &mut Reading) -> Result<(), Error> {
    let place = format!("{target}.{name}");
    let Some(unit) = measurement.get("unit").and_then(Json::text).filter(|unit| !unit.is_empty()) else {
        let found = format!("{} where an object with a `unit` is expected", measurement.describe());
        return Err(Error::fault(&file.name, place, found, "give the file as optimum-benchmark wrote it"));
    };
    let mut cells =
        BTreeMap::from([("target".to_owned(), text_cell(target)), ("measurement".to_owned(), text_cell(name))]);
    for (statistic, value) in measurement.entries().iter().filter(|(key, _)| key != "unit" && key != "values") {
        let unit = match statistic.as_str() {
            "count" => "count",
            "stdev_" => "percent",
            _ => unit,
        };
        match cell(value, Some(unit), None) {
            Some(cell) => drop(cells.insert(statistic.clone(), cell)),
            None => drop(reading.ignored.insert(format!("{place}.{statistic}"))),
        }
    }
    let derived: &[&str] = if measurement.get("values").is_some() { &DERIVED } else { &[] };
    reading.add(&file.name, cells, derived);
    let Some(values) = measurement.get("values") else { return Ok(()) };
    let Json::List(values) = values else {
        let found = format!("{} where a list is expected", values.describe());
        return Err(Error::fault(&file.name, format!("{place}.values"), found, "give the file as it was written"));
    };
    for (index, value) in (0_i64..).zip(values) {
        let line = reading.observations.len() as u64 + 1;
        let (metrics, outcome, failure) = one(name, unit, value);
        let key = BTreeMap::from([
            ("target".to_owned(), Scalar::Text(target.to_owned())),
            ("index".to_owned(), Scalar::Int(index)),
        ]);
        let source = file.name.clone();
        reading.observations.push(Observation { source, line, arm: None, key, outcome, failure, metrics });
    }
    Ok(())
}

/// A time that is no finite number above zero is a call that did no work.
fn one(name: &str, unit: &str, value: &Json) -> (BTreeMap<String, Metric>, Outcome, Option<Failure>) {
    let metric = |value| BTreeMap::from([(name.to_owned(), Metric { value, unit: unit.to_owned() })]);
    match value.number() {
        Some(number) if number > 0.0 => (metric(number), Outcome::Ok, None),
        number => {
            let reason = cut(&format!("{name} is {} {unit}", value.describe()));
            let failure = Failure::new(FailureClass::Implausible, reason);
            (number.map(metric).unwrap_or_default(), Outcome::FellThrough, Some(failure))
        }
    }
}
