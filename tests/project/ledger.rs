//! What must hold in every journal, whatever went wrong in the lanes.

use std::collections::{BTreeMap, BTreeSet};

use lockstep::journal::{Journal, LaneState, Record, Row};
use lockstep::plan::{Plan, Schedule};
use lockstep::terms::{CellId, Outcome};

/// A repetition's place in the plan: lane, block, cell, repetition.
pub type Place = (String, u32, CellId, u32);

/// Every repetition that a plan asks for.
pub fn planned(plan: &Plan) -> BTreeSet<Place> {
    let cells = plan.cells().expect("the test's plan can be expanded");
    let schedule = Schedule::of(plan, &plan.stages());
    let places = schedule.launches.iter().flat_map(|launch| {
        let cells = &cells;
        launch.repetitions.iter().map(move |rep| (launch.lane.clone(), launch.block, cells[rep.cell].id(), rep.rep))
    });
    places.collect()
}

/// A journal held against its plan.
pub struct Ledger {
    pub plan: Plan,
    pub journal: Journal,
}

impl Ledger {
    pub fn of(folder: &std::path::Path) -> Self {
        let text = std::fs::read_to_string(folder.join("plan.toml")).expect("a run holds its plan");
        let journal = lockstep::journal::read_file(&folder.join("journal.jsonl")).unwrap_or_else(|e| panic!("{e}"));
        Self { plan: Plan::parse("plan.toml", &text).expect("a run's plan is a plan"), journal }
    }

    pub fn rows(&self) -> Vec<&Row> {
        self.journal.rows().map(|(_, row)| row).collect()
    }

    pub fn rows_of(&self, lane: &str) -> Vec<&Row> {
        self.rows().into_iter().filter(|row| row.lane == lane).collect()
    }

    /// How often each outcome came in a lane.
    pub fn outcomes(&self, lane: &str) -> BTreeMap<Outcome, usize> {
        let mut outcomes = BTreeMap::new();
        for row in self.rows_of(lane) {
            *outcomes.entry(row.outcome).or_insert(0) += 1;
        }
        outcomes
    }

    /// Launches of a lane.
    pub fn launches(&self, lane: &str) -> usize {
        let of_lane = |record: &&Record| matches!(record, Record::LaunchStart(start) if start.lane == lane);
        self.journal.records.iter().filter(of_lane).count()
    }

    /// The state that the last header gives a lane.
    pub fn state(&self, lane: &str) -> LaneState {
        let header = self.journal.segments().last().expect("a journal has a segment").header;
        header.lanes.iter().find(|declared| declared.lane == lane).expect("the header names the lane").state
    }

    /// Every lane that took part has every planned repetition exactly once, each other lane one row for every cell; the
    /// journal is sealed.
    #[track_caller]
    pub fn is_complete(&self) -> &Self {
        assert!(self.journal.sealed, "the journal is not sealed");
        let mut expected: BTreeSet<Place> = planned(&self.plan);
        let blocks = self.plan.lanes.iter().map(|lane| lane.launches).max().expect("a plan has a lane");
        for lane in self.plan.lanes.iter().filter(|lane| self.state(&lane.name) != LaneState::Ready) {
            expected.retain(|(name, block, _, rep)| *name != lane.name || (*block % blocks, *rep) == (0, 0));
        }
        let mut places = BTreeMap::new();
        for row in self.rows() {
            *places.entry((row.lane.clone(), row.block, row.cell.clone(), row.rep)).or_insert(0) += 1;
        }
        let twice: Vec<_> = places.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "repetitions with more than one row: {twice:?}");
        assert_eq!(places.into_keys().collect::<BTreeSet<_>>(), expected, "rows and planned repetitions differ");
        self
    }

    /// After a crash or hang no further cell was run by the same process, and every launch came to its end.
    #[track_caller]
    pub fn replaced_what_broke(&self) -> &Self {
        let mut broken = BTreeSet::new();
        let (mut started, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for record in &self.journal.records {
            match record {
                Record::LaunchStart(start) => drop(started.insert(start.launch)),
                Record::LaunchEnd(end) => drop(ended.insert(end.launch)),
                Record::Row(row) => {
                    let Some(launch) = row.launch else { continue };
                    let (lane, cell, outcome) = (&row.lane, &row.cell, row.outcome);
                    assert!(
                        !broken.contains(&launch),
                        "{lane} {cell} ({outcome}) was run by launch {launch}, in which a cell had crashed or hung before"
                    );
                    if matches!(outcome, Outcome::Crashed | Outcome::Hung) {
                        broken.insert(launch);
                    }
                }
                _ => {}
            }
        }
        assert_eq!(started, ended, "launches that started and launches that ended differ");
        self
    }
}
