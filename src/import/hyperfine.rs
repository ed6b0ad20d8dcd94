//! The JSON of `hyperfine --export-json`: `results`, each with a command, statistics in seconds that hyperfine computed
//! (a summary), and `times`, `exit_codes` and `memory_usage_byte` with one entry for each run (observations).

use std::collections::BTreeMap;

use super::Error;
use super::input::InputFile;
use super::json::{self, Json};
use super::observe::scalar;
use super::reading::{Reading, cell};
use crate::journal::{Metric, Observation};
use crate::terms::{Failure, FailureClass, Outcome, Scalar};

/// Statistics in seconds.
const SECONDS: [&str; 7] = ["mean", "stddev", "median", "user", "system", "min", "max"];

/// Those that hyperfine computes from the times beside them.
const DERIVED: [&str; 5] = ["mean", "stddev", "median", "min", "max"];

pub(super) fn read(file: &InputFile) -> Result<Reading, Error> {
    let document = json::document(file)?;
    let Some(Json::List(results)) = document.get("results") else {
        let hint = "give the file that `hyperfine --export-json` wrote";
        return Err(Error::fault(&file.name, "results", "no list of results", hint));
    };
    let mut reading = Reading::default();
    let others = document.entries().iter().map(|(name, _)| name.clone()).filter(|name| name != "results");
    reading.ignored.extend(others);
    for (number, result) in (1..).zip(results) {
        one(file, number, result, &mut reading)?;
    }
    Ok(reading)
}

fn one(file: &InputFile, number: u64, result: &Json, reading: &mut Reading) -> Result<(), Error> {
    let fault = |field: &str, found: String| {
        let place = format!("result {number}, field {field}");
        Error::fault(&file.name, place, found, "give the file as hyperfine wrote it")
    };
    let Some(command) = result.get("command").and_then(Json::text) else {
        return Err(fault("command", "no text".to_owned()));
    };
    let parameters = result.get("parameters").map(Json::entries).unwrap_or_default();
    let parameters = || parameters.iter().map(|(name, value)| (parameter(result, name), value));
    let mut cells = BTreeMap::new();
    for (name, value) in result.entries() {
        let unit = SECONDS.contains(&name.as_str()).then_some("s");
        if unit.is_some() && value.number().is_some_and(|seconds| seconds < 0.0) {
            return Err(fault(name, format!("{}: no command takes less than no time", value.describe())));
        }
        match cell(value, unit, None) {
            Some(cell) => drop(cells.insert(name.clone(), cell)),
            None if ["times", "exit_codes", "memory_usage_byte", "parameters"].contains(&name.as_str()) => {}
            None => drop(reading.ignored.insert(name.clone())),
        }
    }
    for (name, value) in parameters() {
        match cell(value, None, None) {
            Some(cell) => drop(cells.insert(name, cell)),
            None => drop(reading.ignored.insert(name)),
        }
    }
    let times = list(result, "times").map_err(|found| fault("times", found))?;
    let derived: &[&str] = if times.is_some() { &DERIVED } else { &[] };
    reading.add(&file.name, cells, derived);
    let times = times.unwrap_or_default();
    let beside = |name: &str| match list(result, name).map_err(|found| fault(name, found))? {
        Some(values) if values.len() != times.len() => {
            Err(fault(name, format!("{} entries for {} times", values.len(), times.len())))
        }
        values => Ok(values),
    };
    let (codes, memory) = (beside("exit_codes")?, beside("memory_usage_byte")?);
    let mut identity: BTreeMap<String, Scalar> =
        parameters().filter_map(|(name, value)| Some((name, scalar(value)?))).collect();
    for (index, time) in times.iter().enumerate() {
        identity.insert("result".to_owned(), Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX)));
        identity.insert("run".to_owned(), Scalar::Int(i64::try_from(index).unwrap_or(i64::MAX)));
        let mut metrics = BTreeMap::new();
        if let Some(value) = time.number() {
            metrics.insert("time".to_owned(), Metric { value, unit: "s".to_owned() });
        }
        if let Some(value) = memory.and_then(|values| values.get(index)).and_then(Json::number) {
            metrics.insert("memory_usage".to_owned(), Metric { value, unit: "byte".to_owned() });
        }
        let (outcome, failure) = outcome(time, codes.and_then(|codes| codes.get(index)));
        reading.observations.push(Observation {
            source: file.name.clone(),
            line: reading.observations.len() as u64 + 1,
            arm: Some(command.to_owned()),
            key: identity.clone(),
            outcome,
            failure,
            metrics,
        });
    }
    Ok(())
}

/// The name that a parameter gets: its own, unless a field of the result or what tells runs apart is called so.
fn parameter(result: &Json, name: &str) -> String {
    let taken = result.get(name).is_some() || ["result", "run"].contains(&name);
    if taken { format!("parameter.{name}") } else { name.to_owned() }
}

fn list<'a>(result: &'a Json, name: &str) -> Result<Option<&'a [Json]>, String> {
    match result.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::List(values)) => Ok(Some(values)),
        Some(other) => Err(format!("{} where a list is expected", other.describe())),
    }
}

/// An exit code other than 0, or none because a signal ended the command, is a crash; an old hyperfine writes no
/// exit codes and stops at the first failure. A time that is no finite number above zero is a run that did no work.
fn outcome(time: &Json, code: Option<&Json>) -> (Outcome, Option<Failure>) {
    match code {
        Some(Json::Int(0)) | None => {}
        Some(Json::Int(code)) => {
            let mut failure = Failure::new(FailureClass::Exception, format!("the command ended with exit code {code}"));
            failure.exit_status = i32::try_from(*code).ok();
            return (Outcome::Crashed, Some(failure));
        }
        Some(Json::Null) => {
            let failure = Failure::new(FailureClass::Died, "the command ended without an exit code, by a signal");
            return (Outcome::Crashed, Some(failure));
        }
        Some(other) => {
            let message = format!("the exit code is {}", other.describe());
            return (Outcome::Crashed, Some(Failure::new(FailureClass::Exception, message)));
        }
    }
    match time.number() {
        Some(seconds) if seconds > 0.0 => (Outcome::Ok, None),
        _ => {
            let message = format!("the time is {} s", time.describe());
            (Outcome::FellThrough, Some(Failure::new(FailureClass::Implausible, message)))
        }
    }
}
