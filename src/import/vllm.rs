//! The JSON of `vllm bench serve --save-result`: one object, or one after the other with `--append-result`. Its means,
//! percentiles and throughputs are one summary; with `--save-detailed` it also holds a list entry for each request
//! (`input_lens`, `output_lens`, `ttfts`, `itls`, `errors`; times in seconds), each an observation.

use std::collections::BTreeMap;

use super::Error;
use super::input::InputFile;
use super::json::{self, Json};
use super::observe::{crash, cut};
use super::reading::{Reading, object_cells};
use super::unit;
use crate::journal::{Metric, Observation};
use crate::terms::{Failure, FailureClass, Outcome, Scalar};

/// Units that vLLM's names do not spell.
const UNITS: &[(&str, &str)] = &[
    ("burstiness", "shape"),
    ("completed", "count"),
    ("duration", "s"),
    ("failed", "count"),
    ("max_concurrency", "count"),
    ("max_concurrent_requests", "count"),
    ("max_output_tokens_per_s", "tok/s"),
    ("num_prompts", "count"),
    ("output_throughput", "tok/s"),
    ("request_goodput", "req/s"),
    ("request_rate", "req/s"),
    ("request_throughput", "req/s"),
    ("total_token_throughput", "tok/s"),
];

/// Lists with one entry for each request.
const INPUT_LENS: &str = "input_lens";
const OUTPUT_LENS: &str = "output_lens";
const TTFTS: &str = "ttfts";
const ITLS: &str = "itls";
const ERRORS: &str = "errors";

/// What every result holds.
const REQUIRED: [&str; 3] = ["duration", "completed", "request_throughput"];

pub(super) fn read(file: &InputFile) -> Result<Reading, Error> {
    let mut reading = Reading::default();
    for (number, run) in (1_u64..).zip(json::documents(file)?) {
        for name in REQUIRED {
            if run.get(name).is_none_or(|value| value.number().is_none()) {
                let found = run.get(name).map_or_else(|| "absent".to_owned(), Json::describe);
                let place = format!("run {number}, field {name}");
                let hint = "give the file that `vllm bench serve --save-result` wrote";
                return Err(Error::fault(&file.name, place, format!("{found} where a number is expected"), hint));
            }
        }
        measured(file, number, &run)?;
        let units = |name: &str| unit_of(name).map(str::to_owned);
        let cells = object_cells(run.entries(), units, "", &mut reading.ignored);
        reading.add(&file.name, cells, &[]);
        if run.get(OUTPUT_LENS).is_some() && run.get(TTFTS).is_some() {
            requests(file, number, &run, &mut reading)?;
        }
    }
    for used in [INPUT_LENS, OUTPUT_LENS, TTFTS, ITLS, ERRORS] {
        if !reading.observations.is_empty() {
            reading.ignored.remove(used);
        }
    }
    Ok(reading)
}

/// Refuses a run whose numbers no run can have: all that it counts and times is at least 0, and its duration above that.
fn measured(file: &InputFile, run_number: u64, run: &Json) -> Result<(), Error> {
    for (name, value) in run.entries() {
        let Some(number) = value.number().filter(|_| unit_of(name).is_some()) else { continue };
        let expected = match name.as_str() {
            "duration" if number <= 0.0 => "a time above 0",
            _ if number < 0.0 => "a number of at least 0",
            _ => continue,
        };
        let found = format!("{} where {expected} is expected", value.describe());
        let hint = "nothing of such a run can be believed: take it out of the file, or measure it again";
        return Err(Error::fault(&file.name, format!("run {run_number}, field {name}"), found, hint));
    }
    Ok(())
}

/// The unit of a field of a run, where there is one.
fn unit_of(name: &str) -> Option<&'static str> {
    UNITS.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit).or_else(|| unit::of(name))
}

fn requests(file: &InputFile, run_number: u64, run: &Json, reading: &mut Reading) -> Result<(), Error> {
    let lists = [INPUT_LENS, OUTPUT_LENS, TTFTS, ITLS, ERRORS].map(|name| (name, run.get(name)));
    let mut count = None;
    for (name, list) in lists {
        let Some(list) = list else { continue };
        let Json::List(values) = list else {
            let found = format!("{} where a list is expected", list.describe());
            let hint = "give the file that `vllm bench serve --save-detailed` wrote";
            return Err(Error::fault(&file.name, format!("run {run_number}, field {name}"), found, hint));
        };
        let expected = *count.get_or_insert(values.len());
        if values.len() != expected {
            let found = format!("{} entries where the lists before it have {expected}", values.len());
            let hint = "each list has one entry for each request; which request lacks one cannot be guessed";
            return Err(Error::fault(&file.name, format!("run {run_number}, field {name}"), found, hint));
        }
    }
    let at = |name: &str, index: usize| match run.get(name) {
        Some(Json::List(values)) => values.get(index),
        _ => None,
    };
    for index in 0..count.unwrap_or_default() {
        let line = reading.observations.len() as u64 + 1;
        let key = BTreeMap::from([
            ("run".to_owned(), Scalar::Int(i64::try_from(run_number).unwrap_or(i64::MAX))),
            ("request".to_owned(), Scalar::Int(i64::try_from(index).unwrap_or(i64::MAX))),
        ]);
        let mut metrics = BTreeMap::new();
        let mut put = |name: &str, value: Option<f64>, unit: &str| {
            if let Some(value) = value {
                metrics.insert(name.to_owned(), Metric { value, unit: unit.to_owned() });
            }
        };
        put("input_tokens", at(INPUT_LENS, index).and_then(Json::number), "count");
        put("output_tokens", at(OUTPUT_LENS, index).and_then(Json::number), "count");
        put("ttft", at(TTFTS, index).and_then(Json::number), "s");
        if let Some(Json::List(itls)) = at(ITLS, index) {
            let times: Option<Vec<f64>> = itls.iter().map(Json::number).collect();
            put("itl_sum", times.as_ref().map(|times| times.iter().sum()), "s");
            put("itl_count", times.as_ref().map(|times| times.len() as f64), "count");
        }
        let (outcome, failure) = outcome(at(ERRORS, index), at(TTFTS, index), at(ITLS, index), &metrics);
        let arm = run.get("label").or_else(|| run.get("backend")).and_then(Json::text).map(str::to_owned);
        reading.observations.push(Observation { source: file.name.clone(), line, arm, key, outcome, failure, metrics });
    }
    Ok(())
}

/// An error text is a crash; no output token, no time to the first one, or a time that is no finite number, is a
/// request that came back without its work.
fn outcome(
    error: Option<&Json>,
    ttft: Option<&Json>,
    itls: Option<&Json>,
    metrics: &BTreeMap<String, Metric>,
) -> (Outcome, Option<Failure>) {
    if let Some(text) = error.and_then(Json::text).filter(|text| !text.is_empty()) {
        return (Outcome::Crashed, Some(crash(text)));
    }
    let unmeasured = matches!(itls, Some(Json::List(_))) && !metrics.contains_key("itl_sum");
    let fell = match (metrics.get("output_tokens"), metrics.get("ttft")) {
        (None, _) => Some("no output_lens entry that is a number".to_owned()),
        (Some(tokens), _) if tokens.value <= 0.0 => Some("no output token".to_owned()),
        (_, None) => Some(format!("ttft is {}", ttft.map_or_else(|| "absent".to_owned(), Json::describe))),
        (_, Some(ttft)) if ttft.value <= 0.0 => Some(format!("the first token came in {} s", ttft.value)),
        (_, Some(_)) if unmeasured => Some("an inter-token time is no number".to_owned()),
        (_, Some(_)) if metrics.get("itl_sum").is_some_and(|sum| sum.value < 0.0) => {
            Some("inter-token times are negative".to_owned())
        }
        _ => None,
    };
    match fell {
        Some(reason) => (Outcome::FellThrough, Some(Failure::new(FailureClass::Implausible, cut(&reason)))),
        None => (Outcome::Ok, None),
    }
}
