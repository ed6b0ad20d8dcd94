//! From rows to one number per launch and cell, row by row. A repetition counts by its last attempt; every attempt is
//! counted.
//!
//! A row leaves a [`Mark`] of 32 bytes, behind that of the row before it: rows come in any order of cells, and to put each
//! where its cell is would be to look for it in memory. It cannot become a part of a number at once: a later attempt may
//! take its place, and the end of its launch may disown it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::inspect::{Index, Output, Seen};
use super::logits::Logits;
use super::measured_tables::is_attempt;
use super::times::Summaries;
use super::{Error, TimeSummary, parallel};
use crate::journal::Row;
use crate::plan::{LaunchStatistic, Plan};
use crate::stats::{Percent, Sample, percentile};
use crate::terms::{Cell, CellId, Digest, FailureClass, Outcome, SignalValue};

/// The rows of a journal by lane and cell, as they come.
pub(super) struct Reduction<'a> {
    plan: &'a Plan,
    index: Arc<Index>,
    /// In journal order.
    marks: Vec<Mark>,
    outputs: Outputs,
    /// Lane by lane, and cell by cell within a lane.
    told: Vec<Told>,
    places: Vec<Place>,
    /// Whether decision rules read what is kept for them.
    has_rules: bool,
}

/// Launches that were not what they declare when they left, and the class of what was found. Their rows are refused,
/// whatever they say.
pub(super) type Disowned = BTreeMap<u32, FailureClass>;

/// The repetitions of a cell in a lane whose last attempt is not `ok`, by outcome and class.
pub(super) type Failures = BTreeMap<(Outcome, Option<FailureClass>), u64>;

/// The outputs of each cell, numbered as they come.
struct Outputs {
    /// By number of the cell. Mostly there is no other, whatever the lane, so these stand close to each other.
    first: Vec<Option<Digest>>,
    others: FxHashMap<usize, Vec<Digest>>,
}

/// What the rows of a cell in a lane tell beside outcome, time and output, for decision rules.
#[derive(Default)]
struct Told {
    /// Of the first row that tells of its logits.
    logits: Option<Box<Logits>>,
    /// What compiling took in each launch that tells of it, with the launch, in nanoseconds.
    compiled: Vec<(u32, u64)>,
}

/// What is kept of a row.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Time in nanoseconds and 1, where there is one.
    time: Option<NonZeroU64>,
    /// Number of its lane and cell.
    spot: u32,
    /// Number of its place.
    place: u32,
    rep: u32,
    /// Number of its output among its cell's and 1, where there is one.
    output: Option<NonZeroU32>,
    outcome: Outcome,
    /// Class of its failure, where it names one.
    class: Option<FailureClass>,
}

/// What rows of one launch share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    segment: u32,
    block: u32,
    launch: Option<u32>,
    attempt: u32,
}

/// Rows that memory is taken for before they come, whatever is planned.
const MOST_FORESEEN: u64 = 1 << 20;

impl<'a> Reduction<'a> {
    pub(super) fn of(plan: &'a Plan, index: Arc<Index>) -> Self {
        let cells = index.cells().len();
        let outputs = Outputs { first: vec![None; cells], others: FxHashMap::default() };
        let told = (0..plan.lanes.len() * cells).map(|_| Told::default()).collect();
        let planned = plan.lanes.iter().map(|lane| u64::from(lane.launches) * u64::from(lane.repetitions)).sum::<u64>();
        let rows = planned.saturating_mul(cells as u64).min(MOST_FORESEEN);
        let marks = Vec::with_capacity(rows as usize);
        Self { plan, index, marks, outputs, told, places: Vec::new(), has_rules: plan.has_rules() }
    }

    /// Takes in the next row, which stands in `segment`.
    pub(super) fn take(&mut self, segment: u32, row: &Row, seen: Seen) -> Result<(), Error> {
        let number = self.marks.len() + 1;
        if let (Output::Contradicts, Some(digest)) = (seen.output, row.output_sha256) {
            return Err(Error::RowContradictsItself { row: number, lane: row.lane.clone(), digest });
        }
        let stranger = |what: String| Error::Stranger { row: number, what };
        let Some(spot) = seen.spot else {
            return Err(stranger(format!("lane {} with cell {}", row.lane, row.cell)));
        };
        let lane = self.plan.lanes.get(spot.lane).filter(|lane| row.rep < lane.repetitions);
        let (cell, spot) = (spot.cell, self.index.number(spot));
        let (Some(_), Some(told)) = (lane, self.told.get_mut(spot)) else {
            return Err(stranger(format!("block {}, repetition {} of lane {}", row.block, row.rep, row.lane)));
        };
        let place = Place { segment, block: row.block, launch: row.launch, attempt: row.attempt };
        if self.places.last() != Some(&place) {
            self.places.push(place);
        }
        self.marks.push(Mark {
            time: row.wall_ns.map(|ns| NonZeroU64::MIN.saturating_add(ns)),
            spot: spot as u32,
            place: (self.places.len() - 1) as u32,
            rep: row.rep,
            output: row.output_sha256.and_then(|output| self.outputs.number(cell, output)),
            outcome: row.outcome,
            class: row.failure.as_ref().map(|failure| failure.class),
        });
        if self.has_rules {
            told.take(row);
        }
        Ok(())
    }

    /// What the rows come to, `disowned` launches left out.
    pub(super) fn finish(self, disowned: &Disowned, threads: NonZeroUsize) -> Result<Table, Error> {
        let Self { plan, index, marks, outputs, told, places, has_rules } = self;
        let cells = index.cells().len();
        let planned = |number: usize| {
            let lane = plan.lanes.get(number / cells.max(1));
            lane.map_or(0, |lane| u64::from(lane.launches) * u64::from(lane.repetitions))
        };
        let summaries = Summaries::of(plan)?;
        let by_spot = BySpot::of(&marks, told.len());
        let told: Vec<_> = told.into_iter().enumerate().collect();
        let entries = parallel::map(threads, told, |(number, told)| {
            let marks = by_spot.of_spot(number);
            let marked = Marked {
                placed: marks.filter_map(|mark| Some((mark, places.get(mark.place as usize)?))).collect(),
                cell: number % cells.max(1),
                outputs: &outputs,
            };
            let (mut entry, times_ms) = marked.entry(plan, planned(number), (disowned, has_rules))?;
            entry.logits = told.logits.filter(|_| entry.ok > 0);
            let compiled = told.compiled.iter().filter(|(launch, _)| !disowned.contains_key(launch));
            entry.compile_s = compiled.map(|(_, ns)| *ns as f64 / 1.0e9).collect();
            entry.time = summaries.of_entry(&entry, times_ms)?;
            Ok(entry)
        });
        Ok(Table { index, entries: entries.into_iter().collect::<Result<_, Error>>()?, threads })
    }
}

impl Told {
    fn take(&mut self, row: &Row) {
        if self.logits.is_none() && row.outcome == Outcome::Ok {
            self.logits = Logits::of(&row.evidence);
        }
        if row.outcome == Outcome::Crashed {
            // How long it had compiled when it failed is no time of compiling.
            return;
        }
        // A launch compiles a cell once, and every row of the cell tells of it.
        let (Some(launch), Some(SignalValue::Int(ns))) = (row.launch, row.evidence.get("compile.wall_ns")) else {
            return;
        };
        if self.compiled.last().is_none_or(|(last, _)| *last != launch) {
            self.compiled.extend(u64::try_from(*ns).ok().map(|ns| (launch, ns)));
        }
    }
}

/// Marks by their lanes and cells.
struct BySpot<'a> {
    marks: &'a [Mark],
    /// Where in `order` each spot begins, and behind the last one the end.
    starts: Vec<u32>,
    /// Numbers of marks: those of the first spot in journal order, those of the second, ...
    order: Vec<u32>,
}

impl<'a> BySpot<'a> {
    fn of(marks: &'a [Mark], spots: usize) -> Self {
        let mut starts = vec![0_u32; spots + 1];
        for mark in marks {
            starts[mark.spot as usize + 1] += 1;
        }
        for spot in 0..spots {
            starts[spot + 1] += starts[spot];
        }
        let (mut next, mut order) = (starts.clone(), vec![0_u32; marks.len()]);
        for (number, mark) in (0_u32..).zip(marks) {
            let at = &mut next[mark.spot as usize];
            order[*at as usize] = number;
            *at += 1;
        }
        Self { marks, starts, order }
    }

    /// The spot's marks, in journal order.
    fn of_spot(&self, spot: usize) -> impl Iterator<Item = &'a Mark> {
        let numbers = &self.order[self.starts[spot] as usize..self.starts[spot + 1] as usize];
        numbers.iter().map(|number| &self.marks[*number as usize])
    }
}

impl Outputs {
    /// The number of a cell's output and 1.
    fn number(&mut self, cell: usize, output: Digest) -> Option<NonZeroU32> {
        if *self.first.get_mut(cell)?.get_or_insert(output) == output {
            return Some(NonZeroU32::MIN);
        }
        let others = self.others.entry(cell).or_default();
        let known = others.iter().position(|known| *known == output);
        let number = known.unwrap_or_else(|| {
            others.push(output);
            others.len() - 1
        });
        Some(NonZeroU32::MIN.saturating_add(1 + number as u32))
    }

    /// The cell's output of that number and 1.
    fn of(&self, cell: usize, number: NonZeroU32) -> Option<&Digest> {
        match number.get() as usize {
            1 => self.first.get(cell)?.as_ref(),
            number => self.others.get(&cell)?.get(number - 2),
        }
    }
}

/// The rows of a cell in a lane, in journal order.
struct Marked<'a> {
    placed: Vec<(&'a Mark, &'a Place)>,
    /// Number of the cell.
    cell: usize,
    outputs: &'a Outputs,
}

impl Marked<'_> {
    /// The entry without its summary and its logits, and the times of all its `ok` repetitions.
    fn entry(
        &self,
        plan: &Plan,
        planned: u64,
        (disowned, has_rules): (&Disowned, bool),
    ) -> Result<(Entry, Vec<f64>), Error> {
        let mut entry = Entry { planned, ..Entry::default() };
        let (placed, last) = (&self.placed, LastAttempts::of(&self.placed));
        let mut outputs: Vec<(NonZeroU32, u64)> = Vec::new();
        let (mut timed, mut times_ms) = (Vec::with_capacity(placed.len()), Vec::with_capacity(placed.len()));
        for (mark, place) in placed {
            let (outcome, class) = match place.launch.and_then(|launch| disowned.get(&launch)) {
                Some(class) => (Outcome::Refused, Some(*class)),
                None => (mark.outcome, mark.class),
            };
            *entry.outcomes.entry(outcome).or_insert(0) += 1;
            if plan.coverage.takes_failures() && is_attempt(outcome) {
                entry.tried_blocks.insert(place.block);
            }
            if let Some(launch) = place.launch.filter(|_| has_rules) {
                let launch = entry.attempts.entry((place.segment, launch)).or_default();
                *launch.entry(outcome).or_insert(0) += 1;
            }
            if !last.is_last(mark, place) {
                continue;
            }
            // A sample that the plan refuses says nothing against its lane.
            let of_lane = outcome == Outcome::Refused && class != Some(FailureClass::Disturbed);
            entry.refused += u64::from(of_lane);
            if outcome != Outcome::Ok {
                *entry.failures.entry((outcome, class)).or_insert(0) += 1;
                continue;
            }
            entry.ok += 1;
            if let Some(number) = mark.output {
                // Nearly always that of the row before.
                match outputs.iter_mut().find(|(known, _)| *known == number) {
                    Some((_, times)) => *times += 1,
                    None => outputs.push((number, 1)),
                }
            }
            if let (Some(time), Some(launch)) = (mark.time, place.launch) {
                let ms = (time.get() - 1) as f64 / 1.0e6;
                times_ms.push(ms);
                timed.push(Timed { launch: (place.segment, place.block, launch), ms });
            }
        }
        let output = |(number, times): (NonZeroU32, u64)| Some((*self.outputs.of(self.cell, number)?, times));
        entry.outputs = outputs.into_iter().filter_map(output).collect();
        entry.launches = per_launch(&timed, plan.run.launch_statistic)?;
        Ok((entry, times_ms))
    }
}

/// The last attempt at each repetition where any has more than one; nothing where none has.
struct LastAttempts(BTreeMap<(u32, u32), u32>);

impl LastAttempts {
    fn of(placed: &[(&Mark, &Place)]) -> Self {
        let mut last = BTreeMap::new();
        if placed.iter().any(|(_, place)| place.attempt > 0) {
            for (mark, place) in placed {
                let attempt = last.entry((place.block, mark.rep)).or_insert(place.attempt);
                *attempt = place.attempt.max(*attempt);
            }
        }
        Self(last)
    }

    fn is_last(&self, mark: &Mark, place: &Place) -> bool {
        self.0.get(&(place.block, mark.rep)).is_none_or(|last| *last == place.attempt)
    }
}

/// The rows of a journal by lane and cell.
pub(super) struct Table {
    index: Arc<Index>,
    entries: Vec<Entry>,
    /// How many threads may work on it.
    pub threads: NonZeroUsize,
}

/// A cell in a lane.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Every attempt.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Repetitions whose last attempt is `ok`.
    pub ok: u64,
    /// Rows that are the last attempt at their repetition and were refused.
    pub refused: u64,
    /// Repetitions whose last attempt is not.
    pub failures: Failures,
    /// Repetitions planned.
    pub planned: u64,
    /// Outputs of `ok` rows, and how often each came.
    pub outputs: BTreeMap<Digest, u64>,
    /// The times of all `ok` repetitions; absent when there is none.
    pub time: Option<TimeSummary>,
    /// One number per launch, in journal order.
    pub launches: Vec<LaunchTime>,
    /// Every attempt by launch (segment and number); kept where the plan has decision rules, which read it.
    pub attempts: BTreeMap<(u32, u32), BTreeMap<Outcome, u64>>,
    /// Blocks with an attempt, whatever came of it; kept where the plan takes failures. A launch that broke down is replaced in
    /// its block, and all of them count as one.
    pub tried_blocks: BTreeSet<u32>,
    /// What the cell's logits were, where the lane tells of them; kept where the plan has decision rules.
    pub logits: Option<Box<Logits>>,
    /// What compiling took in each launch that tells of it, in seconds; kept where the plan has decision rules.
    pub compile_s: Vec<f64>,
}

impl Entry {
    /// Launches that an effect can be formed from: those of segments with at least two of them.
    pub(super) fn replicates(&self) -> u64 {
        let in_segment = |segment| self.launches.iter().filter(|launch| launch.segment == segment).count();
        self.launches.iter().filter(|launch| in_segment(launch.segment) >= 2).count() as u64
    }

    /// Which share of the repetitions that were tried is ok; nothing where none was.
    pub(super) fn ok_share(&self) -> Option<f64> {
        let tried = self.ok + self.failures.values().sum::<u64>();
        (tried > 0).then(|| self.ok as f64 / tried as f64)
    }

    /// Whether all launches were made in one segment.
    pub(super) fn is_of_one_segment(&self) -> bool {
        self.launches.windows(2).all(|pair| pair[0].segment == pair[1].segment)
    }
}

/// What one launch gave for one cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LaunchTime {
    pub segment: u32,
    pub block: u32,
    /// Number of the launch, from which the order within a block follows.
    pub launch: u32,
    /// Repetitions that entered the number.
    pub repetitions: u64,
    pub ms: f64,
}

impl Table {
    /// The plan's cells, in plan order.
    pub(super) fn cells(&self) -> &[(CellId, Cell)] {
        self.index.cells()
    }

    /// The cell in the lane; every pair of the plan has an entry.
    pub(super) fn entry(&self, lane: &str, cell: &CellId) -> Option<&Entry> {
        self.entries.get(self.index.number(self.index.spot(lane, cell)?))
    }

    /// All entries of a lane.
    pub(super) fn of_lane<'a>(&'a self, lane: &str) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let cells = self.index.cells().len();
        let mine = self.index.lane(lane).and_then(|lane| self.entries.get(lane * cells..(lane + 1) * cells));
        mine.unwrap_or_default().iter()
    }
}

/// The time of an `ok` repetition, and the launch it was made in: segment, block, number.
struct Timed {
    launch: (u32, u32, u32),
    ms: f64,
}

/// One number per launch, in order of first appearance.
fn per_launch(times: &[Timed], statistic: LaunchStatistic) -> Result<Vec<LaunchTime>, Error> {
    let mut launches: Vec<LaunchTime> = Vec::new();
    for (at, Timed { launch, .. }) in times.iter().enumerate() {
        let (segment, block, number) = *launch;
        // One launch has the host at a time, so the last one is nearly always meant.
        if launches.iter().rev().any(|known| (known.segment, known.block, known.launch) == *launch) {
            continue;
        }
        let of_launch = times.get(at..).unwrap_or_default().iter().filter(|timed| timed.launch == *launch);
        let sample = Sample::new(of_launch.map(|timed| timed.ms).collect::<Vec<_>>())?;
        let ms = match statistic {
            LaunchStatistic::Mean => sample.mean(),
            LaunchStatistic::Median => percentile(&sample, Percent::P50),
        };
        launches.push(LaunchTime { segment, block, launch: number, repetitions: sample.n() as u64, ms });
    }
    Ok(launches)
}
