//! Files → the records of a sealed, imported journal.

use std::collections::BTreeMap;

use super::input::InputFile;
use super::{Error, Kind, MAX_INPUT_BYTES};
use crate::journal::{self, Header, ImportedFile, ImportedFrom, MAX_JOURNAL_BYTES, Metric, Observation, Record, Seal};
use crate::terms::{AXIS_NAMES, Axes, Digest, Failure, FailureClass, Hasher, Outcome, nearest};

/// The plan that an import is bound to: whatever a plan is, this is what its journal says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanIdentity {
    /// Its name.
    pub name: String,
    /// Its canonical digest.
    pub sha256: Digest,
}

/// An import, ready to be encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Header, table rows and raw rows, seal.
    pub records: Vec<Record>,
    /// Where they come from, as the header says it.
    pub from: ImportedFrom,
    /// The run's id: the same files, axes and plan give the same.
    pub run: String,
    /// Printed rows.
    pub summaries: u64,
    /// Tables that they stand in.
    pub tables: u64,
    /// Raw rows by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
}

impl Imported {
    /// The journal's bytes.
    ///
    /// # Errors
    /// The journal would be longer than one may be.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let bytes = journal::encode(&self.records)?;
        if bytes.len() as u64 > MAX_JOURNAL_BYTES {
            return Err(Error::TooLong {
                file: "the journal of these files".to_owned(),
                limit_bytes: MAX_JOURNAL_BYTES,
            });
        }
        Ok(bytes)
    }

    /// Raw rows.
    #[must_use]
    pub fn observations(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

/// The identity axes that the importing person states as `NAME=VALUE`.
///
/// # Errors
/// An unknown axis, one without a value, or one given twice.
pub fn axes(given: &[String]) -> Result<Axes, Error> {
    let mut axes = Axes::new();
    for text in given {
        let refuse = |message: String| Error::Axis { found: text.clone(), message };
        let Some((name, value)) = text.split_once('=').map(|(name, value)| (name.trim(), value.trim())) else {
            return Err(refuse("no `=`; give NAME=VALUE".to_owned()));
        };
        if !AXIS_NAMES.contains(&name) {
            let hint = nearest(name, AXIS_NAMES.iter().copied())
                .map_or_else(|| format!("known: {}", AXIS_NAMES.join(", ")), |near| format!("did you mean `{near}`?"));
            return Err(refuse(format!("there is no axis {name:?}; {hint}")));
        }
        if value.is_empty() {
            return Err(refuse("no value; leave the axis out where it is not known".to_owned()));
        }
        if axes.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(refuse("the axis is given twice; keep one".to_owned()));
        }
    }
    Ok(axes)
}

/// Reads the files as `kind` says and binds them to the plan.
///
/// # Errors
/// A file says something that cannot be taken, or there is no row in any of them.
pub fn import(kind: Kind, files: &[InputFile], plan: &PlanIdentity, axes: Axes) -> Result<Imported, Error> {
    let mut from = ImportedFrom { kind: kind.name().to_owned(), axes, files: Vec::new() };
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    let mut body = Vec::new();
    let mut outcomes = BTreeMap::new();
    for file in files {
        if file.bytes.len() as u64 > MAX_INPUT_BYTES {
            return Err(Error::TooLong { file: file.name.clone(), limit_bytes: MAX_INPUT_BYTES });
        }
        if from.files.iter().any(|known| known.name == file.name) {
            return Err(Error::SameName { name: file.name.clone() });
        }
        let sha256 = Digest::of(&file.bytes);
        if let Some(known) = from.files.iter().find(|known| known.sha256 == sha256) {
            return Err(Error::SameBytes { first: known.name.clone(), second: file.name.clone() });
        }
        let reading = kind.read(file)?;
        if let Some(first) = reading.summaries.first()
            && let Some(other) = tables.insert(first.table.clone(), file.name.clone())
        {
            let found = format!("the table {:?} stands in {other} too", first.table);
            return Err(Error::fault(&file.name, "table", found, "give each table once"));
        }
        from.files.push(ImportedFile {
            name: file.name.clone(),
            sha256,
            bytes: file.bytes.len() as u64,
            about: reading.about,
            ignored: reading.ignored.into_iter().collect(),
        });
        let observations: Vec<Observation> = reading.observations.into_iter().map(plausible).collect();
        for observation in &observations {
            *outcomes.entry(observation.outcome).or_insert(0) += 1;
        }
        body.extend(reading.summaries.into_iter().map(|summary| Record::Summary(Box::new(summary))));
        body.extend(observations.into_iter().map(|found| Record::Observation(Box::new(found))));
    }
    if body.is_empty() {
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        return Err(Error::Empty { files: names.join(", "), kind: kind.name() });
    }
    let summaries = body.iter().filter(|record| matches!(record, Record::Summary(_))).count() as u64;
    let run = run_id(&from, plan);
    let mut records = vec![Record::Header(Box::new(header(&from, plan, &run)))];
    records.append(&mut body);
    records.push(Record::Seal(Seal { rows: 0, records: records.len() as u64 }));
    Ok(Imported { records, from, run, summaries, tables: tables.len() as u64, outcomes })
}

/// A success with a time below 0, whichever of its times that is, did not do the work that it tells of.
fn plausible(observation: Observation) -> Observation {
    if observation.outcome != Outcome::Ok {
        return observation;
    }
    let impossible = observation.metrics.iter().find(|(name, metric)| metric.is_impossible_time(name));
    let Some((name, Metric { value, unit })) = impossible else { return observation };
    let message = format!("success, and {name} is {value} {unit}: no work takes that");
    let failure = Some(Failure::new(FailureClass::Implausible, message));
    Observation { outcome: Outcome::FellThrough, failure, ..observation }
}

fn run_id(from: &ImportedFrom, plan: &PlanIdentity) -> String {
    let mut hasher = Hasher::default();
    let mut part = |text: &str| {
        hasher.update(text.as_bytes());
        hasher.update(b"\0");
    };
    part(&from.kind);
    part(&plan.sha256.hex());
    for (name, value) in &from.axes {
        part(name);
        part(value);
    }
    for file in &from.files {
        part(&file.name);
        part(&file.sha256.hex());
    }
    format!("imported-{}", hasher.finish().short())
}

fn header(from: &ImportedFrom, plan: &PlanIdentity, run: &str) -> Header {
    Header {
        format: journal::FORMAT,
        run: run.to_owned(),
        segment: 0,
        started_at: None,
        command: Vec::new(),
        tool: None,
        host: None,
        signals: Vec::new(),
        plan: plan.name.clone(),
        plan_sha256: plan.sha256,
        lanes: Vec::new(),
        calibration: None,
        telemetry: None,
        imported: Some(from.clone()),
    }
}
