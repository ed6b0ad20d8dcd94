//! A flat row → an observation with a typed outcome.
//!
//! | what the row says | outcome |
//! |---|---|
//! | a status that means skipped | `skipped` |
//! | a status that means hung or timed out | `hung` |
//! | any other status than success, or an error text beside whatever status | `crashed` |
//! | success, and no time, a time that is no finite number, zero or less, or no output token where tokens are counted | `fell_through` |
//! | success, and a decode faster than [`DECODE_FLOOR_MS`] | `fell_through` |
//! | success, and another metric that is no finite number | `fell_through` |
//! | success otherwise | `ok` |
//!
//! The numbers stay in the record whatever the outcome, because the file had them, and no verdict reads those of a row
//! that is not `ok`; what is no finite number is left out and named in the failure.

use std::collections::BTreeMap;

use super::flat::{Field, FlatRow};
use super::input::InputFile;
use super::json::Json;
use super::{Error, shape::Shape};
use crate::journal::{Metric, Observation};
use crate::terms::{Failure, FailureClass, Outcome, Scalar};

/// TR147 SS2.4: a decode call below one millisecond returned without working. SS4.1 has the same guard for models of
/// 100M parameters and more alone; rows do not state the size, and the stricter reading lets no fall-through pass.
pub(super) const DECODE_FLOOR_MS: f64 = 1.0;

/// The longest message that a failure keeps, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// Words for a lack of memory, beside "out of memory" itself, whatever stands between its words.
const OUT_OF_MEMORY: &[&str] = &["oom", "oomkilled", "outofmemory", "outofmemoryerror"];

const STATUS: &[&str] = &["status", "outcome"];
/// Fields whose text means that the row failed, and those that only say more of a failure.
const ERRORS: &[&str] = &["error", "error_message", "exception"];
const DETAILS: &[&str] = &["message", "stderr_tail", "reason"];
const SUCCESS: &[&str] = &["ok", "success", "succeeded", "completed", "complete", "pass", "passed", "resolved_cleanly"];
const SKIPPED: &[&str] = &["skip", "skipped", "skip_marker", "elided"];
const HUNG: &[&str] = &["hang", "hung", "hang_or_failure", "timeout", "timed_out", "deterministic_hang"];

/// The observation that the row is.
pub(super) fn observation(file: &InputFile, row: &FlatRow, shape: &Shape) -> Result<Observation, Error> {
    for required in shape.required {
        if row.first(required).is_none() {
            let found = format!("no field {}", required.join(" or "));
            let hint = format!("the kind `{}` needs it in every row; name the kind that the file is of", shape.kind);
            return Err(Error::fault(&file.name, format!("line {}", row.line), found, hint));
        }
    }
    let mut key = BTreeMap::new();
    let mut metrics = BTreeMap::new();
    let arm = row.first(shape.arm).and_then(|field| scalar(&field.value)).map(|value| value.to_string());
    for field in &row.fields {
        let spent = [STATUS, ERRORS, DETAILS].iter().any(|names| names.contains(&field.name.as_str()));
        let is_key = shape.keys.contains(&field.name.as_str());
        match (field.value.number(), field.stated_unit()) {
            (Some(value), Some(unit)) if !is_key => {
                metrics.insert(field.name.clone(), Metric { value, unit });
            }
            _ if spent => {}
            _ => drop(scalar(&field.value).map(|value| key.insert(field.name.clone(), value))),
        }
    }
    if let Some(time) = row.first(shape.time).filter(|field| field.value.number().is_some())
        && !metrics.contains_key(&time.name)
    {
        let found = format!("{} has no unit: neither its name nor the file states one", time.name);
        let hint = "rename it so that it ends in its unit, for example _ms";
        return Err(Error::fault(&file.name, format!("line {}", row.line), found, hint));
    }
    let (outcome, failure) = outcome(row, shape, &metrics);
    Ok(Observation { source: file.name.clone(), line: row.line, arm, key, outcome, failure, metrics })
}

/// The value as a key holds it; null and what is not finite are none.
pub(super) fn scalar(value: &Json) -> Option<Scalar> {
    match value {
        Json::Bool(value) => Some(Scalar::Bool(*value)),
        Json::Int(value) => Some(Scalar::Int(*value)),
        Json::Float(value) => Some(Scalar::Float(*value)),
        Json::Text(text) => Some(Scalar::Text(text.clone())),
        Json::Null | Json::NotFinite(_) | Json::List(_) | Json::Map(_) => None,
    }
}

fn outcome(row: &FlatRow, shape: &Shape, metrics: &BTreeMap<String, Metric>) -> (Outcome, Option<Failure>) {
    let status = row.first(STATUS).map(|field| word(&field.value));
    let told_in = |names: &[&str]| names.iter().filter_map(|name| row.get(name)).find_map(|field| said(&field.value));
    let message = told_in(ERRORS);
    let is = |words: &[&str]| status.as_deref().is_some_and(|status| words.contains(&status));
    let bare = || format!("status {}", status.as_deref().unwrap_or("absent"));
    let told = || message.clone().or_else(|| told_in(DETAILS)).unwrap_or_else(bare);
    if is(SKIPPED) {
        return (Outcome::Skipped, Some(Failure::new(FailureClass::Absent, cut(&told()))));
    }
    if is(HUNG) {
        return (Outcome::Hung, Some(Failure::new(FailureClass::Inactive, cut(&told()))));
    }
    let succeeded = status.is_none() || is(SUCCESS);
    if !succeeded || message.is_some() {
        return (Outcome::Crashed, Some(crash(&told())));
    }
    match fall(row, shape, metrics) {
        Some(reason) => (Outcome::FellThrough, Some(Failure::new(FailureClass::Implausible, cut(&reason)))),
        None => (Outcome::Ok, None),
    }
}

/// Why a row that calls itself a success did not do its work.
fn fall(row: &FlatRow, shape: &Shape, metrics: &BTreeMap<String, Metric>) -> Option<String> {
    let unmeasured = |field: &&Field| matches!(field.value, Json::NotFinite(_));
    if let Some(field) = row.fields.iter().find(unmeasured) {
        return Some(format!("success, and {} is {}", field.name, field.value.describe()));
    }
    let phase = row.first(shape.phase).map(|field| word(&field.value));
    let decodes = phase.as_deref().is_some_and(|phase| phase.contains("decode"));
    if !shape.time.is_empty() {
        let present = shape.time.iter().find_map(|name| Some((*name, metrics.get(*name)?)));
        let Some((name, time)) = present else { return Some(format!("success, and no {}", shape.time.join(" or "))) };
        if time.value <= 0.0 {
            return Some(format!("success in {} {}: no work takes that", time.value, time.unit));
        }
        let ms = milliseconds(time).filter(|_| decodes);
        if let Some(ms) = ms.filter(|ms| *ms < DECODE_FLOOR_MS) {
            return Some(format!("decoding took {ms} ms ({name}), below the floor of {DECODE_FLOOR_MS} ms"));
        }
    }
    // A prefill gives one token, which harnesses count or do not count.
    if phase.as_deref().is_some_and(|phase| phase.contains("prefill")) {
        return None;
    }
    let tokens = shape.tokens.iter().find_map(|name| Some((*name, metrics.get(*name)?)));
    tokens.filter(|(_, count)| count.value <= 0.0).map(|(name, count)| format!("success with {name} = {}", count.value))
}

fn milliseconds(time: &Metric) -> Option<f64> {
    match time.unit.as_str() {
        "ns" => Some(time.value / 1e6),
        "us" => Some(time.value / 1e3),
        "ms" => Some(time.value),
        "s" => Some(time.value * 1e3),
        _ => None,
    }
}

pub(super) fn crash(message: &str) -> Failure {
    let lower = message.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let memory = words.iter().any(|word| OUT_OF_MEMORY.contains(word))
        || words.windows(3).any(|three| three == ["out", "of", "memory"]);
    Failure::new(if memory { FailureClass::OutOfMemory } else { FailureClass::Exception }, cut(message))
}

/// A status as one lower-case word.
fn word(value: &Json) -> String {
    match value {
        Json::Text(text) => text.trim().to_lowercase().replace([' ', '-'], "_"),
        Json::Bool(true) => "ok".to_owned(),
        Json::Bool(false) => "failed".to_owned(),
        other => other.describe(),
    }
}

/// An error's text; null, empty and `false` say nothing.
fn said(value: &Json) -> Option<String> {
    match value {
        Json::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Json::Null | Json::Bool(false) => None,
        other => Some(other.describe()),
    }
}

pub(super) fn cut(message: &str) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}
