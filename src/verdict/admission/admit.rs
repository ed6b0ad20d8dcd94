//! The journal's records, one after the other.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::super::Error;
use super::super::inspect::{Index, Spot};
use super::copies::{Copies, Times};
use super::launch::OpenLaunch;
use super::{header, row, telemetry};
use crate::journal::{Header, LaneDeclaration, LaneState, LaunchEnd, LaunchStart, Preflight, Record, Row};
use crate::plan::{Plan, Repetition, Schedule};
use crate::terms::{Axes, FailureClass, Outcome, Proven, observed_axes};

/// What is known after some records.
pub(in super::super) struct Admission<'a> {
    plan: &'a Plan,
    index: Arc<Index>,
    /// The stage of each cell.
    stages: Vec<u32>,
    header: Option<Header>,
    /// What is known of the plan's lanes, in its order.
    lanes: Vec<Lane>,
    /// What the segment's first looks at each lane showed.
    looks: BTreeMap<String, Axes>,
    /// The repetitions of the last block that a launch was in.
    order: (u32, Vec<Repetition>),
    /// Block and position of the last launch since the run began or went on.
    latest: Option<(u32, u32)>,
    open: Option<(OpenLaunch, Times)>,
    /// A launch that left without its last look.
    owing: Option<(u32, String)>,
    /// Repetitions whose last attempt is not ok: lane, block, cell, repetition.
    undone: HashSet<(String, u32, usize, u32)>,
    copies: Copies,
    rows: usize,
}

/// A lane of the plan.
#[derive(Default)]
struct Lane {
    /// Where the header declares it.
    declared: Option<usize>,
    /// Repetitions that have a row.
    met: u64,
    /// Whether a repetition broke it down: only then is one given up.
    broke: bool,
    proven: Proven,
}

impl<'a> Admission<'a> {
    pub(in super::super) fn of(plan: &'a Plan, index: Arc<Index>) -> Self {
        let stages = plan.stages();
        Self {
            plan,
            order: (0, Schedule::repetitions(plan, &stages, 0)),
            index,
            stages,
            header: None,
            lanes: plan.lanes.iter().map(|_| Lane::default()).collect(),
            looks: BTreeMap::new(),
            latest: None,
            open: None,
            owing: None,
            undone: HashSet::new(),
            copies: Copies::default(),
            rows: 0,
        }
    }

    /// Takes in the next record, unless no run of the plan can have left it there.
    /// A row stands at `spot` of the plan.
    pub(in super::super) fn take(&mut self, line: usize, record: &Record, spot: Option<Spot>) -> Result<(), Error> {
        let goes_on = matches!(record, Record::Pause { .. } | Record::Reopen { .. } | Record::Header(_));
        if let (Some((launch, lane)), false) = (self.owing.take(), goes_on) {
            let what = "left without its last look, and the run was not paused".to_owned();
            return Err(Error::Launch { line, launch, lane, what });
        }
        match record {
            Record::Header(header) => {
                header::check(self.plan, self.header.as_ref(), header, line)?;
                for (lane, planned) in self.lanes.iter_mut().zip(&self.plan.lanes) {
                    lane.declared = header.lanes.iter().position(|declared| declared.lane == planned.name);
                    lane.proven = Proven::default();
                }
                self.header = Some(header.as_ref().clone());
                self.looks.clear();
                self.go_on();
                Ok(())
            }
            Record::Reopen { .. } => {
                self.go_on();
                Ok(())
            }
            Record::Preflight(preflight) => self.look(line, preflight),
            Record::LaunchStart(start) => self.start(line, start),
            Record::LaunchEnd(end) => self.end(line, end),
            Record::Row(row) => self.row(line, row, spot),
            Record::Pause { .. } | Record::Seal(_) | Record::Summary(_) | Record::Observation(_) => Ok(()),
        }
    }

    /// Whether a sealed journal may end here.
    pub(in super::super) fn finish(self, sealed: bool) -> Result<(), Error> {
        let Some(header) = self.header.filter(|_| sealed) else { return Ok(()) };
        for declared in header.lanes.iter().filter(|declared| declared.state == LaneState::Ready) {
            let number = self.index.lane(&declared.lane);
            let known = |number: usize| Some((self.plan.lanes.get(number)?, self.lanes.get(number)?));
            let Some((lane, known)) = number.and_then(known) else { continue };
            let planned = u64::from(lane.launches) * u64::from(lane.repetitions) * self.index.cells().len() as u64;
            let found = known.met;
            if found < planned {
                return Err(Error::Missing { lane: lane.name.clone(), missing: planned - found, planned });
            }
        }
        Ok(())
    }

    /// The run begins or goes on: nothing of before is under way any more.
    fn go_on(&mut self) {
        self.latest = None;
        self.open = None;
    }

    fn declared(&self, lane: &str) -> Option<&LaneDeclaration> {
        self.header.as_ref()?.lanes.iter().find(|declared| declared.lane == lane)
    }

    fn look(&mut self, line: usize, preflight: &Preflight) -> Result<(), Error> {
        let Preflight { lane, launch, signals, .. } = preflight;
        let Some(launch) = *launch else {
            let seen = self.declared(lane).map(|lane| observed_axes(&lane.declared, signals));
            self.looks.entry(lane.clone()).or_default().extend(seen.unwrap_or_default());
            return Ok(());
        };
        let Some(declared) = self.declared(lane).cloned() else { return Ok(()) };
        let found = self.open.as_mut().and_then(|(open, _)| open.look(&declared, preflight));
        found.map_or(Ok(()), |what| Err(Error::Launch { line, launch, lane: lane.clone(), what }))
    }

    fn start(&mut self, line: usize, start: &LaunchStart) -> Result<(), Error> {
        let LaunchStart { launch, lane, block, position } = start;
        let wrong = |what| Err(Error::Launch { line, launch: *launch, lane: lane.clone(), what });
        let Some(declared) = self.declared(lane) else { return Ok(()) };
        if declared.state != LaneState::Ready {
            return wrong(format!("started, and the header says that its lane is {}", declared.state.name()));
        }
        if let Some(what) = self.unseen(declared) {
            return wrong(what);
        }
        let place = Schedule::lanes(self.plan, *block).iter().position(|planned| planned.name == *lane);
        if place != Some(*position as usize) {
            return wrong(format!("started in block {block} at place {position}, where the plan has another lane"));
        }
        if self.latest.is_some_and(|latest| latest > (*block, *position)) {
            return wrong(format!(
                "started in block {block} at place {position}, after a launch that the plan has later"
            ));
        }
        self.latest = Some((*block, *position));
        if self.order.0 != *block {
            self.order = (*block, Schedule::repetitions(self.plan, &self.stages, *block));
        }
        self.open = Some((OpenLaunch::new(start), Times::default()));
        Ok(())
    }

    /// Whether the header says of the lane what the first looks at it showed.
    fn unseen(&self, declared: &LaneDeclaration) -> Option<String> {
        let mut observed = declared.observed.clone();
        // The supervisor hashes the model's folder itself; no signal shows it.
        observed.remove("model");
        let seen = self.looks.get(&declared.lane).cloned().unwrap_or_default();
        let differs = observed.keys().chain(seen.keys()).find(|axis| observed.get(*axis) != seen.get(*axis))?;
        let told = |axes: &Axes| axes.get(differs).map_or("nothing".to_owned(), |value| format!("{value:?}"));
        Some(format!(
            "runs by a header that observed {differs} {}, and the looks show {}",
            told(&observed),
            told(&seen)
        ))
    }

    fn end(&mut self, line: usize, end: &LaunchEnd) -> Result<(), Error> {
        let Some((open, times)) = self.open.take_if(|(open, _)| open.number == end.launch) else { return Ok(()) };
        let (launch, lane) = (open.number, open.lane.clone());
        let cores = self.header.as_ref().and_then(Header::measured).map_or(0, |measured| measured.host.cpu.cores);
        if let Some(what) = open.end(end, cores, self.plan.run.order) {
            return Err(Error::Launch { line, launch, lane, what });
        }
        if let Some((first, of)) = self.copies.find(launch, &lane, times) {
            let what = format!("has the times of launch {first} of lane {of}, to the nanosecond");
            return Err(Error::Launch { line, launch, lane, what });
        }
        if open.owes_a_look(end) {
            self.owing = Some((launch, lane));
        }
        if end.disowned.is_some() {
            let places = open.ok.into_iter().map(|(cell, rep)| (open.lane.clone(), open.block, cell, rep));
            self.undone.extend(places);
        }
        Ok(())
    }

    fn row(&mut self, line: usize, row: &Row, spot: Option<Spot>) -> Result<(), Error> {
        self.rows += 1;
        let stranger = |what: String| Error::Stranger { row: self.rows, what };
        let known = spot.and_then(|Spot { lane, cell }| {
            let (planned, known) = (self.plan.lanes.get(lane)?, self.lanes.get_mut(lane)?);
            let declared = self.header.as_ref()?.lanes.get(known.declared?)?;
            Some((planned, known, declared, cell, &self.index.cells().get(cell)?.1))
        });
        let Some((planned, known, declared, index, cell)) = known else {
            return Err(stranger(format!("lane {} with cell {}", row.lane, row.cell)));
        };
        let stage = self.stages.get(index).copied().unwrap_or(0);
        if !Schedule::is_planned(self.plan, planned, stage, row.block) || row.rep >= planned.repetitions {
            return Err(stranger(format!("block {}, repetition {} of lane {}", row.block, row.rep, row.lane)));
        }
        let wrong = |what: String| Error::Row { line, lane: row.lane.clone(), cell: row.cell.clone(), what };
        let of_gpus = || telemetry::contradiction(self.header.as_ref()?, planned, row);
        let started_at = self.header.as_ref().and_then(|header| header.started_at.as_deref());
        let of_row = row::contradiction(self.plan, started_at, declared, cell, row, &mut known.proven);
        if let Some(what) = of_row.or_else(of_gpus) {
            return Err(wrong(what));
        }
        let is_given_up = row.failure.as_ref().is_some_and(|failure| failure.class == FailureClass::Launch);
        if declared.state == LaneState::Ready && row.outcome == Outcome::Skipped && !(is_given_up && known.broke) {
            return Err(wrong("is skipped, and no breakdown of its lane before it is the reason".to_owned()));
        }
        known.broke |= matches!(row.outcome, Outcome::Crashed | Outcome::Hung);
        let place = || (row.lane.clone(), row.block, index, row.rep);
        if row.attempt == 0 {
            known.met += 1;
        } else if !self.undone.remove(&place()) {
            return Err(wrong(format!("is attempt {} at a repetition that was ok before", row.attempt)));
        }
        if row.outcome != Outcome::Ok {
            self.undone.insert(place());
        }
        let Some((open, times)) = self.open.as_mut().filter(|(open, _)| Some(open.number) == row.launch) else {
            return Ok(());
        };
        if let (Outcome::Ok, Some(wall_ns)) = (row.outcome, row.wall_ns) {
            times.take(index, row.rep, wall_ns);
        }
        let at = Repetition { cell: index, rep: row.rep };
        open.row(&self.order.1, at, row.outcome, row.outside_ns).map_or(Ok(()), |what| Err(wrong(what)))
    }
}
