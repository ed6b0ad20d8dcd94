//! What must hold between records. Reader and writer both ask here, so that what is written can be read.
//!
//! ```text
//! header → (preflight | launch_start | launch_end | row | pause | reopen)* → header …   a segment after another
//!                                                             → seal → header | reopen …   more work after the end
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Error, FORMAT, Header, LaunchEnd, LaunchStart, Preflight, Record, Row, Seal};
use crate::terms::{CellId, Digest, Outcome};

/// The state after some records: enough to judge the next one.
#[derive(Debug, Default)]
pub(super) struct Structure {
    records: usize,
    rows: usize,
    segment: Option<OpenSegment>,
    launches: BTreeMap<u32, Launched>,
    attempts: HashMap<Attempt, usize>,
    sealed: bool,
}

/// The last header, as far as later records must agree with it.
#[derive(Debug)]
struct OpenSegment {
    run: String,
    plan: Digest,
    number: u32,
    lanes: Vec<String>,
}

#[derive(Debug)]
struct Launched {
    lane: String,
    block: u32,
    segment: u32,
    ended: bool,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Attempt {
    lane: String,
    block: u32,
    cell: CellId,
    rep: u32,
    attempt: u32,
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
    pub(super) fn check(&self, record: &Record) -> Result<(), Error> {
        let line = self.records + 1;
        if let Record::Header(header) = record {
            return self.check_header(line, header);
        }
        let Some(segment) = &self.segment else { return Err(Error::NoHeader { line, found: record.kind() }) };
        if self.sealed && !matches!(record, Record::Reopen { .. }) {
            return Err(Error::AfterSeal { line, found: record.kind() });
        }
        match record {
            Record::Header(_) | Record::Pause { .. } | Record::Reopen { .. } => Ok(()),
            Record::Preflight(preflight) => self.check_preflight(line, segment, preflight),
            Record::LaunchStart(start) => self.check_start(line, segment, start),
            Record::LaunchEnd(end) => self.check_end(line, end),
            Record::Row(row) => self.check_row(line, segment, row),
            Record::Seal(seal) => self.check_seal(line, seal),
        }
    }

    /// Takes in a record that [`Self::check`] let pass.
    pub(super) fn take(&mut self, record: &Record) {
        self.records += 1;
        self.sealed = matches!(record, Record::Seal(_));
        match record {
            Record::Header(header) => {
                self.segment = Some(OpenSegment {
                    run: header.run.clone(),
                    plan: header.plan_sha256,
                    number: header.segment,
                    lanes: header.lanes.iter().map(|lane| lane.lane.clone()).collect(),
                });
            }
            Record::LaunchStart(start) => {
                let segment = self.segment.as_ref().map_or(0, |segment| segment.number);
                let launched = Launched { lane: start.lane.clone(), block: start.block, segment, ended: false };
                self.launches.insert(start.launch, launched);
            }
            Record::LaunchEnd(end) => {
                if let Some(launched) = self.launches.get_mut(&end.launch) {
                    launched.ended = true;
                }
            }
            Record::Row(row) => {
                self.rows += 1;
                self.attempts.insert(Attempt::of(row), self.records);
            }
            Record::Preflight(_) | Record::Pause { .. } | Record::Reopen { .. } | Record::Seal(_) => {}
        }
    }

    fn check_header(&self, line: usize, header: &Header) -> Result<(), Error> {
        if header.format != FORMAT {
            return Err(Error::Format { line, found: u64::from(header.format), expected: FORMAT });
        }
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
        match self.launches.last_key_value() {
            Some((&previous, _)) if start.launch <= previous => {
                Err(Error::LaunchOrder { line, previous, found: start.launch })
            }
            _ => Ok(()),
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

    fn check_row(&self, line: usize, segment: &OpenSegment, row: &Row) -> Result<(), Error> {
        if row.plan != segment.plan {
            return Err(Error::OtherPlan { line, expected: segment.plan, found: row.plan });
        }
        segment.check_lane(line, &row.lane)?;
        if let Some(&first) = self.attempts.get(&Attempt::of(row)) {
            let Attempt { lane, block, cell, rep, attempt } = Attempt::of(row);
            return Err(Error::Duplicate { line, first, lane, block, cell, rep, attempt });
        }
        match (row.launch, row.outcome) {
            (Some(launch), _) => self.check_launched(line, segment, launch, &row.lane, Some(row.block)),
            (None, Outcome::Crashed | Outcome::Refused | Outcome::Skipped) => Ok(()),
            (None, outcome) => Err(Error::NoLaunch { line, outcome }),
        }
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
            Some(_) => Ok(()),
        }
    }

    fn check_seal(&self, line: usize, seal: &Seal) -> Result<(), Error> {
        let Seal { rows, records } = self.seal();
        if (rows, records) == (seal.rows, seal.records) {
            return Ok(());
        }
        Err(Error::SealCounts { line, rows, records, found_rows: seal.rows, found_records: seal.records })
    }
}

impl OpenSegment {
    fn check_lane(&self, line: usize, lane: &str) -> Result<(), Error> {
        if self.lanes.iter().any(|known| known == lane) {
            return Ok(());
        }
        Err(Error::UnknownLane { line, lane: lane.to_owned(), known: self.lanes.clone() })
    }
}

impl Attempt {
    fn of(row: &Row) -> Self {
        let Row { lane, block, cell, rep, attempt, .. } = row;
        Self { lane: lane.clone(), block: *block, cell: cell.clone(), rep: *rep, attempt: *attempt }
    }
}
