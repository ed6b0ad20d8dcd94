//! A journal as it is judged: what is kept of each record.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::admission::Admission;
use super::agent_tables::AgentRows;
use super::contamination::Disturbance;
use super::inspect::{Index, Seen};
use super::reduce::{Disowned, Reduction, Table};
use super::{Contamination, Error, JournalFacts, LaneVerdict, SegmentFacts, parallel};
use crate::journal::{Ending, Header, LaneState, Measured, Record};
use crate::plan::Plan;
use crate::terms::{Digest, Outcome};

/// What is known after some records.
pub(super) struct Judging<'a> {
    plan: &'a Plan,
    digest: Digest,
    index: Arc<Index>,
    /// The last header.
    header: Option<Header>,
    segments: Vec<SegmentFacts>,
    rows: u64,
    /// The last record's line.
    line: usize,
    /// Both begin with the first header.
    admission: Option<Admission<'a>>,
    reduction: Option<Reduction<'a>>,
    disturbance: Disturbance,
    /// Launches by lane.
    launches: BTreeMap<String, u64>,
    unlocked: BTreeSet<String>,
    disowned: Disowned,
    agents: AgentRows,
}

/// All that a verdict is formed from.
pub(super) struct Taken<'a> {
    pub plan: &'a Plan,
    pub digest: Digest,
    /// The last header.
    pub header: Header,
    pub facts: JournalFacts,
    pub contamination: Contamination,
    pub lanes: Vec<LaneVerdict>,
    pub table: Table,
    pub agents: AgentRows,
    pub disowned: Disowned,
}

impl<'a> Judging<'a> {
    /// Nothing is known yet. `threads` prepare for it.
    pub(super) fn of(plan: &'a Plan, threads: NonZeroUsize) -> Result<Self, Error> {
        let (index, digest) = parallel::both(threads, || Index::of(plan), || plan.digest());
        Ok(Self {
            plan,
            digest,
            index: Arc::new(index?),
            header: None,
            segments: Vec::new(),
            rows: 0,
            line: 0,
            admission: None,
            reduction: None,
            disturbance: Disturbance::default(),
            launches: BTreeMap::new(),
            unlocked: BTreeSet::new(),
            disowned: Disowned::new(),
            agents: AgentRows::default(),
        })
    }

    /// What inspectors need.
    pub(super) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    /// Takes in the next record of a journal whose structure holds. `seen` is what an inspector found of it.
    pub(super) fn take(&mut self, record: &Record, seen: Seen) -> Result<(), Error> {
        self.line += 1;
        if let Record::Header(header) = record {
            self.take_header(header)?;
        }
        if let Some(admission) = &mut self.admission {
            admission.take(self.line, record, seen.spot)?;
        }
        match record {
            Record::LaunchStart(start) => {
                self.disturbance.start(start);
                *self.launches.entry(start.lane.clone()).or_insert(0) += 1;
            }
            Record::LaunchEnd(end) => {
                self.disturbance.end(end);
                if let Some(failure) = &end.disowned {
                    self.disowned.insert(end.launch, failure.class);
                }
            }
            Record::Row(row) => {
                let (Some(header), Some(reduction)) = (&self.header, &mut self.reduction) else {
                    return Err(Error::NoHeader);
                };
                self.rows += 1;
                self.disturbance.row(row);
                if row.unlocked && !self.unlocked.contains(&row.lane) {
                    self.unlocked.insert(row.lane.clone());
                }
                reduction.take(header.segment, row, seen)?;
                if self.plan.has_rules() {
                    self.agents.take(header.segment, row);
                }
            }
            Record::Preflight(look) => self.disturbance.look(look),
            Record::Header(_)
            | Record::Summary(_)
            | Record::Observation(_)
            | Record::Pause { .. }
            | Record::Reopen { .. }
            | Record::Seal(_) => {}
        }
        Ok(())
    }

    fn take_header(&mut self, header: &Header) -> Result<(), Error> {
        if header.plan_sha256 != self.digest {
            let (run, found, given) = (header.run.clone(), header.plan_sha256, self.digest);
            return Err(Error::OtherPlan { run, found, given });
        }
        if let Some(from) = &header.imported {
            let (run, kind) = (header.run.clone(), from.kind.clone());
            return Err(Error::Imported { run, kind, plan: self.plan.name.clone() });
        }
        if let Some(Measured { started_at, tool, host }) = header.measured() {
            self.segments.push(SegmentFacts {
                started_at: started_at.to_owned(),
                version: tool.version.clone(),
                binary: tool.binary,
                command: header.command.clone(),
                host: host.clone(),
            });
        }
        self.header = Some(header.clone());
        if self.reduction.is_none() {
            self.admission = Some(Admission::of(self.plan, self.index()));
            self.reduction = Some(Reduction::of(self.plan, self.index()));
        }
        Ok(())
    }

    /// What the records come to. `threads` work on it.
    pub(super) fn finish(self, ending: Ending, threads: NonZeroUsize) -> Result<Taken<'a>, Error> {
        let (Some(header), Some(reduction)) = (self.header, self.reduction) else { return Err(Error::NoHeader) };
        self.admission.map_or(Ok(()), |admission| admission.finish(ending.sealed))?;
        let table = reduction.finish(&self.disowned, threads)?;
        let facts = JournalFacts {
            run: header.run.clone(),
            head: ending.head,
            sealed: ending.sealed,
            torn_bytes: ending.torn.map_or(0, |torn| torn.bytes.len() as u64),
            rows: self.rows,
            segments: self.segments,
        };
        let lanes = self.plan.lanes.iter().map(|lane| {
            let declared = header.lanes.iter().find(|declared| declared.lane == lane.name);
            let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
            for (outcome, count) in table.of_lane(&lane.name).flat_map(|entry| &entry.outcomes) {
                *outcomes.entry(*outcome).or_insert(0) += count;
            }
            LaneVerdict {
                lane: lane.name.clone(),
                optional: lane.optional,
                state: declared.map_or(LaneState::Refused, |declared| declared.state),
                unlocked: self.unlocked.contains(&lane.name),
                launches: self.launches.get(&lane.name).copied().unwrap_or(0),
                outcomes,
                declared: declared.map(|declared| declared.declared.clone()).unwrap_or_default(),
                observed: declared.map(|declared| declared.observed.clone()).unwrap_or_default(),
                by_own_word: declared.map(|declared| declared.by_own_word.clone()).unwrap_or_default(),
                slowdown_pct: declared.and_then(|declared| declared.slowdown_pct),
                failure: declared.and_then(|declared| declared.failure.clone()),
            }
        });
        let lanes = lanes.collect();
        let contamination = self.disturbance.contamination(self.plan);
        let (agents, disowned) = (self.agents, self.disowned);
        Ok(Taken { plan: self.plan, digest: self.digest, header, facts, contamination, lanes, table, agents, disowned })
    }
}
