//! From rows to one number per launch and cell, row by row. A repetition counts by its last attempt; every attempt is
//! counted.
//!
//! A row leaves a [`Mark`] of 24 bytes. It cannot become a part of a number at once: a later attempt may take its
//! place, and the end of its launch may disown it.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use super::inspect::{Index, Output, Seen};
use super::logits::Logits;
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
    /// Lane by lane, and cell by cell within a lane.
    marked: Vec<Marked>,
    places: Vec<Place>,
    rows: usize,
    /// Whether decision rules read what is kept for them.
    has_rules: bool,
}

/// Launches that were not what they declare when they left, and the class of what was found. Their rows are refused,
/// whatever they say.
pub(super) type Disowned = BTreeMap<u32, FailureClass>;

/// The repetitions of a cell in a lane whose last attempt is not `ok`, by outcome and class.
pub(super) type Failures = BTreeMap<(Outcome, Option<FailureClass>), u64>;

/// The rows of a cell in a lane, in journal order.
#[derive(Default)]
struct Marked {
    marks: Vec<Mark>,
    /// The first output. Mostly there is no other.
    first: Option<Digest>,
    others: Vec<Digest>,
    /// Of the first row that tells of its logits, for decision rules.
    logits: Option<Box<Logits>>,
    /// What compiling took in each launch that tells of it, with the launch, in nanoseconds; for decision rules.
    compiled: Vec<(u32, u64)>,
}

/// What is kept of a row.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Time in nanoseconds and 1, where there is one.
    time: Option<NonZeroU64>,
    /// Number of its place.
    place: u32,
    rep: u32,
    /// Number of its output and 1, where there is one.
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

impl<'a> Reduction<'a> {
    pub(super) fn of(plan: &'a Plan, index: Arc<Index>) -> Self {
        let marked = (0..plan.lanes.len() * index.cells().len()).map(|_| Marked::default()).collect();
        Self { plan, index, marked, places: Vec::new(), rows: 0, has_rules: plan.has_rules() }
    }

    /// Takes in the next row, which stands in `segment`.
    pub(super) fn take(&mut self, segment: u32, row: &Row, seen: Seen) -> Result<(), Error> {
        self.rows += 1;
        if let (Output::Contradicts, Some(digest)) = (seen.output, row.output_sha256) {
            return Err(Error::RowContradictsItself { row: self.rows, lane: row.lane.clone(), digest });
        }
        let stranger = |what: String| Error::Stranger { row: self.rows, what };
        let Some(spot) = seen.spot else {
            return Err(stranger(format!("lane {} with cell {}", row.lane, row.cell)));
        };
        let lane = self.plan.lanes.get(spot.lane).filter(|lane| row.rep < lane.repetitions);
        let (Some(lane), Some(marked)) = (lane, self.marked.get_mut(self.index.number(spot))) else {
            return Err(stranger(format!("block {}, repetition {} of lane {}", row.block, row.rep, row.lane)));
        };
        let place = Place { segment, block: row.block, launch: row.launch, attempt: row.attempt };
        if self.places.last() != Some(&place) {
            self.places.push(place);
        }
        if marked.marks.is_empty() {
            marked.marks.reserve_exact(lane.launches.saturating_mul(lane.repetitions).min(1 << 12) as usize);
        }
        let mark = Mark {
            time: row.wall_ns.map(|ns| NonZeroU64::MIN.saturating_add(ns)),
            place: (self.places.len() - 1) as u32,
            rep: row.rep,
            output: row.output_sha256.map(|output| marked.output(output)),
            outcome: row.outcome,
            class: row.failure.as_ref().map(|failure| failure.class),
        };
        marked.marks.push(mark);
        if self.has_rules && marked.logits.is_none() && row.outcome == Outcome::Ok {
            marked.logits = Logits::of(&row.evidence);
        }
        if self.has_rules {
            marked.compiled(row);
        }
        Ok(())
    }

    /// What the rows come to, `disowned` launches left out.
    pub(super) fn finish(self, disowned: &Disowned, threads: NonZeroUsize) -> Result<Table, Error> {
        let Self { plan, index, marked, places, has_rules, .. } = self;
        let cells = index.cells().len();
        let planned = |number: usize| {
            let lane = plan.lanes.get(number / cells.max(1));
            lane.map_or(0, |lane| u64::from(lane.launches) * u64::from(lane.repetitions))
        };
        let marked: Vec<_> = marked.into_iter().enumerate().collect();
        let summaries = Summaries::of(plan)?;
        let entries = parallel::map(threads, marked, |(number, marked)| {
            let (mut entry, times_ms) = marked.into_entry(plan, planned(number), &places, (disowned, has_rules))?;
            entry.time = summaries.of_entry(&entry, times_ms)?;
            Ok(entry)
        });
        Ok(Table { index, entries: entries.into_iter().collect::<Result<_, Error>>()?, threads })
    }
}

impl Marked {
    /// A launch compiles a cell once, and every row of the cell tells of it.
    fn compiled(&mut self, row: &Row) {
        let (Some(launch), Some(SignalValue::Int(ns))) = (row.launch, row.evidence.get("compile.wall_ns")) else {
            return;
        };
        if self.compiled.last().is_none_or(|(last, _)| *last != launch) {
            self.compiled.extend(u64::try_from(*ns).ok().map(|ns| (launch, ns)));
        }
    }

    /// The output's number and 1.
    fn output(&mut self, output: Digest) -> NonZeroU32 {
        if *self.first.get_or_insert(output) == output {
            return NonZeroU32::MIN;
        }
        let known = self.others.iter().position(|known| *known == output);
        let number = known.unwrap_or_else(|| {
            self.others.push(output);
            self.others.len() - 1
        });
        NonZeroU32::MIN.saturating_add(1 + number as u32)
    }

    /// The output of that number and 1.
    fn output_of(&self, number: NonZeroU32) -> Option<&Digest> {
        match number.get() as usize {
            1 => self.first.as_ref(),
            number => self.others.get(number - 2),
        }
    }

    /// The entry without its summary, and the times of all its `ok` repetitions.
    fn into_entry(
        self,
        plan: &Plan,
        planned: u64,
        places: &[Place],
        (disowned, has_rules): (&Disowned, bool),
    ) -> Result<(Entry, Vec<f64>), Error> {
        let mut entry = Entry { planned, ..Entry::default() };
        let placed = || self.marks.iter().filter_map(|mark| Some((mark, places.get(mark.place as usize)?)));
        let last = LastAttempts::of(placed());
        let (mut timed, mut times_ms) = (Vec::with_capacity(self.marks.len()), Vec::with_capacity(self.marks.len()));
        for (mark, place) in placed() {
            let (outcome, class) = match place.launch.and_then(|launch| disowned.get(&launch)) {
                Some(class) => (Outcome::Refused, Some(*class)),
                None => (mark.outcome, mark.class),
            };
            *entry.outcomes.entry(outcome).or_insert(0) += 1;
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
            if let Some(output) = mark.output.and_then(|number| self.output_of(number)) {
                *entry.outputs.entry(*output).or_insert(0) += 1;
            }
            if let (Some(time), Some(launch)) = (mark.time, place.launch) {
                let ms = (time.get() - 1) as f64 / 1.0e6;
                times_ms.push(ms);
                timed.push(Timed { launch: (place.segment, place.block, launch), ms });
            }
        }
        entry.launches = per_launch(&timed, plan.run.launch_statistic)?;
        entry.logits = self.logits.filter(|_| entry.ok > 0);
        let compiled = self.compiled.iter().filter(|(launch, _)| !disowned.contains_key(launch));
        entry.compile_s = compiled.map(|(_, ns)| *ns as f64 / 1.0e9).collect();
        Ok((entry, times_ms))
    }
}

/// The last attempt at each repetition where any has more than one; nothing where none has.
struct LastAttempts(BTreeMap<(u32, u32), u32>);

impl LastAttempts {
    fn of<'a>(placed: impl Iterator<Item = (&'a Mark, &'a Place)> + Clone) -> Self {
        let mut last = BTreeMap::new();
        if placed.clone().any(|(_, place)| place.attempt > 0) {
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
    /// What compiling took in each launch that tells of it, in seconds; kept where the plan has decision rules.
    pub compile_s: Vec<f64>,
    /// What the cell's logits were, where the lane tells of them; kept where the plan has decision rules.
    pub logits: Option<Box<Logits>>,
}

impl Entry {
    /// Launches that an effect can be formed from: those of segments with at least two of them.
    pub(super) fn replicates(&self) -> u64 {
        let in_segment = |segment| self.launches.iter().filter(|launch| launch.segment == segment).count();
        self.launches.iter().filter(|launch| in_segment(launch.segment) >= 2).count() as u64
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
