//! What must hold between records. Reader and writer both ask here, so that what is written can be read.
//!
//! ```text
//! header → (preflight | launch_start | launch_end | row | pause | reopen)* → header …   a measured segment
//! header → (summary | observation)* → header …                                         an imported segment
//!                                                             → seal → header | reopen …   more work after the end
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::attempts::{Attempts, Spot};
use super::{Error, FORMAT, Header, LaunchEnd, LaunchStart, Observation, Preflight, Record, Row, Seal, Summary};
use crate::terms::{Digest, FailureClass, Outcome};

/// The state after some records: enough to judge the next one.
#[derive(Debug, Default)]
pub(super) struct Structure {
    records: usize,
    rows: usize,
    segment: Option<OpenSegment>,
    launches: BTreeMap<u32, Launched>,
    attempts: Attempts,
    /// The launch that has begun and not ended since the run began or went on.
    under_way: Option<u32>,
    /// The line since which the run goes on without a break.
    since: usize,
    /// The line of the last row, if the host was too busy for it to count: it is tried again at once.
    disturbed: Option<usize>,
    tables: HashMap<String, u64>,
    sources: HashMap<String, u64>,
    sealed: bool,
}

/// What a record that may come next is taken in with.
#[derive(Debug)]
pub(super) struct Checked(Option<Spot>);

/// The last header, as far as later records must agree with it.
#[derive(Debug)]
struct OpenSegment {
    run: String,
    plan: Digest,
    number: u32,
    lanes: Vec<String>,
    /// The names of the imported files; absent in a measured segment.
    imported: Option<Vec<String>>,
}

#[derive(Debug)]
struct Launched {
    lane: String,
    block: u32,
    segment: u32,
    ended: bool,
}

impl Structure {
    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether the last record is a seal.
    pub(super) fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// The seal that would be right now.
    pub(super) fn seal(&self) -> Seal {
        Seal { rows: self.rows as u64, records: self.records as u64 }
    }

    /// Whether `record` may come next.
    pub(super) fn check(&self, record: &Record) -> Result<Checked, Error> {
        let spot = if let Record::Row(row) = record { self.attempts.spot(row) } else { None };
        self.check_at(spot, record).map(|()| Checked(spot))
    }

    fn check_at(&self, spot: Option<Spot>, record: &Record) -> Result<(), Error> {
        let line = self.records + 1;
        if let Record::Header(header) = record {
            return self.check_header(line, header);
        }
        let Some(segment) = &self.segment else { return Err(Error::NoHeader { line, found: record.kind() }) };
        if self.sealed && !matches!(record, Record::Reopen { .. }) {
            return Err(Error::AfterSeal { line, found: record.kind() });
        }
        segment.check_place(line, record)?;
        match record {
            Record::Header(_) | Record::Pause { .. } | Record::Reopen { .. } => Ok(()),
            Record::Preflight(preflight) => self.check_preflight(line, segment, preflight),
            Record::LaunchStart(start) => self.check_start(line, segment, start),
            Record::LaunchEnd(end) => self.check_end(line, end),
            Record::Row(row) => self.check_row(line, segment, row, spot),
            Record::Summary(summary) => self.check_summary(line, summary),
            Record::Observation(observation) => self.check_observation(line, segment, observation),
            Record::Seal(seal) => self.check_seal(line, seal),
        }
    }

    /// Takes in a record that [`Self::check`] let pass.
    pub(super) fn take(&mut self, record: &Record, Checked(spot): Checked) {
        self.records += 1;
        self.sealed = matches!(record, Record::Seal(_));
        match record {
            Record::Header(header) => {
                (self.under_way, self.since) = (None, self.records);
                self.segment = Some(OpenSegment {
                    run: header.run.clone(),
                    plan: header.plan_sha256,
                    number: header.segment,
                    lanes: header.lanes.iter().map(|lane| lane.lane.clone()).collect(),
                    imported: header
                        .imported
                        .as_ref()
                        .map(|from| from.files.iter().map(|file| file.name.clone()).collect()),
                });
            }
            Record::LaunchStart(start) => {
                let segment = self.segment.as_ref().map_or(0, |segment| segment.number);
                let launched = Launched { lane: start.lane.clone(), block: start.block, segment, ended: false };
                self.launches.insert(start.launch, launched);
                self.under_way = Some(start.launch);
            }
            Record::LaunchEnd(end) => {
                if let Some(launched) = self.launches.get_mut(&end.launch) {
                    launched.ended = true;
                }
                self.under_way = self.under_way.filter(|launch| *launch != end.launch);
            }
            Record::Row(row) => {
                self.rows += 1;
                let is_disturbed = row.failure.as_ref().is_some_and(|it| it.class == FailureClass::Disturbed);
                self.disturbed = is_disturbed.then_some(self.records);
                self.attempts.take(spot, row, self.records);
            }
            Record::Summary(summary) => drop(self.tables.insert(summary.table.clone(), summary.row)),
            Record::Observation(observation) => {
                self.sources.insert(observation.source.clone(), observation.line);
            }
            Record::Reopen { .. } => (self.under_way, self.since) = (None, self.records),
            Record::Preflight(_) | Record::Pause { .. } | Record::Seal(_) => {}
        }
    }

    fn check_header(&self, line: usize, header: &Header) -> Result<(), Error> {
        if header.format != FORMAT {
            return Err(Error::Format { line, found: u64::from(header.format), expected: FORMAT });
        }
        check_origin(line, header)?;
        let expected = self.segment.as_ref().map_or(0, |segment| segment.number.saturating_add(1));
        if header.segment != expected {
            return Err(Error::SegmentOrder { line, expected, found: header.segment });
        }
        if let Some(segment) = &self.segment {
            for (what, expected, found) in [
                ("run", segment.run.clone(), header.run.clone()),
                ("plan_sha256", segment.plan.to_string(), header.plan_sha256.to_string()),
            ] {
                if expected != found {
                    return Err(Error::OtherRun { line, what, expected, found });
                }
            }
        }
        let mut seen = BTreeSet::new();
        match header.lanes.iter().find(|lane| !seen.insert(lane.lane.as_str())) {
            Some(lane) => Err(Error::LaneTwice { line, lane: lane.lane.clone() }),
            None => Ok(()),
        }
    }

    fn check_preflight(&self, line: usize, segment: &OpenSegment, preflight: &Preflight) -> Result<(), Error> {
        segment.check_lane(line, &preflight.lane)?;
        match preflight.launch {
            Some(launch) => self.check_launched(line, segment, launch, &preflight.lane, None),
            None => Ok(()),
        }
    }

    fn check_start(&self, line: usize, segment: &OpenSegment, start: &LaunchStart) -> Result<(), Error> {
        segment.check_lane(line, &start.lane)?;
        let expected = self.launches.last_key_value().map_or(0, |(previous, _)| previous.saturating_add(1));
        if start.launch != expected {
            return Err(Error::LaunchOrder { line, expected, found: start.launch });
        }
        self.check_nothing_under_way(line)
    }

    /// One lane has the host at a time. A launch that outlived its supervisor is gone when the run goes on.
    fn check_nothing_under_way(&self, line: usize) -> Result<(), Error> {
        match self.under_way {
            Some(launch) => Err(Error::WrongLaunch { line, launch, what: "has not ended yet".to_owned() }),
            None => Ok(()),
        }
    }

    /// An end may stand in a later segment: a launch that outlived its supervisor is confirmed gone by the next one.
    fn check_end(&self, line: usize, end: &LaunchEnd) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::WrongLaunch { line, launch: end.launch, what: what.to_owned() });
        match self.launches.get(&end.launch) {
            None => wrong("ends and was never started"),
            Some(Launched { ended: true, .. }) => wrong("ends twice"),
            Some(_) => Ok(()),
        }
    }

    fn check_row(&self, line: usize, segment: &OpenSegment, row: &Row, spot: Option<Spot>) -> Result<(), Error> {
        if row.plan != segment.plan {
            return Err(Error::OtherPlan { line, expected: segment.plan, found: row.plan });
        }
        segment.check_lane(line, &row.lane)?;
        if let Some(first) = self.attempts.line(spot, row, row.attempt) {
            let Row { lane, block, cell, rep, attempt, .. } = row;
            let (lane, block, cell, rep, attempt) = (lane.clone(), *block, cell.clone(), *rep, *attempt);
            return Err(Error::Duplicate { line, first, lane, block, cell, rep, attempt });
        }
        self.check_attempt(line, row, spot)?;
        match (row.launch, row.outcome) {
            (Some(launch), _) => self.check_launched(line, segment, launch, &row.lane, Some(row.block)),
            (None, Outcome::Crashed | Outcome::Refused | Outcome::Skipped) => Ok(()),
            (None, outcome) => Err(Error::NoLaunch { line, outcome }),
        }
    }

    /// Attempts count from 0, and the next one is made when the run goes on, or at once after a disturbed one.
    fn check_attempt(&self, line: usize, row: &Row, spot: Option<Spot>) -> Result<(), Error> {
        let Some(previous) = row.attempt.checked_sub(1) else { return Ok(()) };
        let what = match self.attempts.line(spot, row, previous) {
            Some(before) if before < self.since || self.disturbed == Some(before) => return Ok(()),
            Some(_) => "and the run has not been gone on with since the one before",
            None => "and the one before is not there",
        };
        Err(Error::Attempt { line, cell: row.cell.clone(), attempt: row.attempt, what })
    }

    fn check_summary(&self, line: usize, summary: &Summary) -> Result<(), Error> {
        let place = self.tables.get(&summary.table).copied().unwrap_or_default();
        check_ascent(line, "table", &summary.table, place, summary.row)?;
        if summary.row > place + 1 {
            let (table, found) = (summary.table.clone(), summary.row);
            return Err(Error::RowsMissing { line, table, previous: place, found });
        }
        summary.contradiction().map_or(Ok(()), |what| Err(Error::Imported { line, what }))
    }

    fn check_observation(&self, line: usize, segment: &OpenSegment, found: &Observation) -> Result<(), Error> {
        let files = segment.imported.as_deref().unwrap_or_default();
        if !files.contains(&found.source) {
            return Err(Error::UnknownSource { line, source_name: found.source.clone(), known: files.to_vec() });
        }
        let place = self.sources.get(&found.source).copied().unwrap_or_default();
        check_ascent(line, "file", &found.source, place, found.line)?;
        found.contradiction().map_or(Ok(()), |what| Err(Error::Imported { line, what }))
    }

    fn check_launched(
        &self,
        line: usize,
        segment: &OpenSegment,
        launch: u32,
        lane: &str,
        block: Option<u32>,
    ) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::WrongLaunch { line, launch, what });
        match self.launches.get(&launch) {
            None => wrong("was never started".to_owned()),
            Some(started) if started.segment != segment.number => {
                wrong(format!("was started in segment {}, and this is segment {}", started.segment, segment.number))
            }
            Some(started) if started.lane != lane => {
                wrong(format!("is one of lane {:?}, and this record is of lane {lane:?}", started.lane))
            }
            Some(started) if block.is_some_and(|block| block != started.block) => {
                wrong(format!("is of block {}, and this row is of block {}", started.block, block.unwrap_or_default()))
            }
            Some(started) if started.ended => wrong("has ended before this record".to_owned()),
            Some(_) if self.under_way != Some(launch) => {
                wrong("was under way when the run broke off, and a later record names it".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    fn check_seal(&self, line: usize, seal: &Seal) -> Result<(), Error> {
        self.check_nothing_under_way(line)?;
        let Seal { rows, records } = self.seal();
        if (rows, records) == (seal.rows, seal.records) {
            return Ok(());
        }
        Err(Error::SealCounts { line, rows, records, found_rows: seal.rows, found_records: seal.records })
    }
}

/// A header states either who measured or what was imported, and nothing that its kind of segment cannot know.
fn check_origin(line: usize, header: &Header) -> Result<(), Error> {
    let Header { started_at, tool, command, host, signals, lanes, calibration, telemetry, imported, .. } = header;
    let stated = [("started_at", started_at.is_some()), ("tool", tool.is_some()), ("host", host.is_some())];
    let ours = [
        ("command", !command.is_empty()),
        ("signals", !signals.is_empty()),
        ("lanes", !lanes.is_empty()),
        ("calibration", calibration.is_some()),
        ("telemetry", telemetry.is_some()),
    ];
    let no_time = started_at.as_ref().filter(|at| at.parse::<jiff::Timestamp>().is_err());
    if let Some(found) = no_time {
        return Err(Error::Origin { line, what: format!("measured and started at {found:?}, which is no time") });
    }
    let what = match imported {
        None => stated.iter().find(|(_, stated)| !stated).map(|(name, _)| format!("measured and states no {name}")),
        Some(from) if from.files.is_empty() => Some("imported and names no file".to_owned()),
        Some(from) => {
            let mut names = BTreeSet::new();
            let twice = from.files.iter().find(|file| !names.insert(file.name.as_str()));
            let claimed = stated.iter().chain(&ours).find(|(_, stated)| *stated);
            twice.map(|file| format!("imported and names the file {:?} twice", file.name)).or_else(|| {
                claimed.map(|(name, _)| format!("imported and states {name}, which only a measurement knows"))
            })
        }
    };
    what.map_or(Ok(()), |what| Err(Error::Origin { line, what }))
}

/// Rows of one table, and lines of one file, come in the order in which they stand there, so none stands twice.
fn check_ascent(line: usize, what: &'static str, name: &str, previous: u64, found: u64) -> Result<(), Error> {
    if found > previous {
        return Ok(());
    }
    Err(Error::ImportOrder { line, what, name: name.to_owned(), previous, found })
}

impl OpenSegment {
    /// Whether a measured or an imported segment, whichever this is, may hold the record.
    fn check_place(&self, line: usize, record: &Record) -> Result<(), Error> {
        let fits = match record {
            Record::Header(_) | Record::Seal(_) => true,
            Record::Summary(_) | Record::Observation(_) => self.imported.is_some(),
            Record::Preflight(_)
            | Record::LaunchStart(_)
            | Record::LaunchEnd(_)
            | Record::Row(_)
            | Record::Pause { .. }
            | Record::Reopen { .. } => self.imported.is_none(),
        };
        if fits {
            return Ok(());
        }
        let segment = if self.imported.is_some() { "imported" } else { "measured" };
        Err(Error::Misplaced { line, found: record.kind(), segment })
    }

    fn check_lane(&self, line: usize, lane: &str) -> Result<(), Error> {
        if self.lanes.iter().any(|known| known == lane) {
            return Ok(());
        }
        Err(Error::UnknownLane { line, lane: lane.to_owned(), known: self.lanes.clone() })
    }
}
