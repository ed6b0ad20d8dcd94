//! From rows to one number per launch and cell. A repetition counts by its last attempt; every attempt is counted.

use std::collections::{BTreeMap, HashMap};

use super::Error;
use crate::journal::Row;
use crate::plan::{LaunchStatistic, Plan};
use crate::stats::{Percent, Sample, percentile};
use crate::terms::{Cell, CellId, Digest, Outcome, canonical_json};

/// A row with the segment it stands in.
pub(super) type Placed<'a> = (u32, &'a Row);

/// The rows of a journal by lane and cell.
pub(super) struct Table {
    /// The plan's cells, in plan order.
    pub cells: Vec<(CellId, Cell)>,
    entries: BTreeMap<(String, CellId), Entry>,
}

/// A cell in a lane.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Every attempt.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Repetitions whose last attempt is `ok`.
    pub ok: u64,
    /// Repetitions planned.
    pub planned: u64,
    /// Outputs of `ok` rows, and how often each came.
    pub outputs: BTreeMap<Digest, u64>,
    /// Times of all `ok` repetitions, in journal order, in milliseconds.
    pub times_ms: Vec<f64>,
    /// One number per launch, in journal order.
    pub launches: Vec<LaunchTime>,
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
    pub(super) fn of(plan: &Plan, rows: &[Placed<'_>]) -> Result<Self, Error> {
        let cells: Vec<(CellId, Cell)> = plan.cells()?.into_iter().map(|cell| (cell.id(), cell)).collect();
        let mut entries = BTreeMap::new();
        for lane in &plan.lanes {
            for (id, _) in &cells {
                let planned = u64::from(lane.launches) * u64::from(lane.repetitions);
                entries.insert((lane.name.clone(), id.clone()), Entry { planned, ..Entry::default() });
            }
        }
        let last = last_attempts(rows);
        let mut times: BTreeMap<(String, CellId), Vec<(u32, u32, u32, f64)>> = BTreeMap::new();
        for (index, (segment, row)) in rows.iter().enumerate() {
            check_output(index + 1, row)?;
            let key = (row.lane.clone(), row.cell.clone());
            let Some(entry) = entries.get_mut(&key) else {
                return Err(Error::Stranger {
                    row: index + 1,
                    what: format!("lane {} with cell {}", row.lane, row.cell),
                });
            };
            *entry.outcomes.entry(row.outcome).or_insert(0) += 1;
            if row.outcome != Outcome::Ok || last.get(&place(row)) != Some(&row.attempt) {
                continue;
            }
            entry.ok += 1;
            if let Some(output) = row.output_sha256 {
                *entry.outputs.entry(output).or_insert(0) += 1;
            }
            if let (Some(wall_ns), Some(launch)) = (row.wall_ns, row.launch) {
                let ms = wall_ns as f64 / 1.0e6;
                entry.times_ms.push(ms);
                times.entry(key).or_default().push((*segment, row.block, launch, ms));
            }
        }
        for (key, times) in times {
            if let Some(entry) = entries.get_mut(&key) {
                entry.launches = per_launch(&times, plan.run.launch_statistic)?;
            }
        }
        Ok(Self { cells, entries })
    }

    /// The cell in the lane; every pair of the plan has an entry.
    pub(super) fn entry(&self, lane: &str, cell: &CellId) -> Option<&Entry> {
        self.entries.get(&(lane.to_owned(), cell.clone()))
    }

    /// All entries of a lane.
    pub(super) fn of_lane<'a>(&'a self, lane: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |((name, _), _)| name == lane).map(|(_, entry)| entry)
    }
}

type Place<'a> = (&'a str, u32, &'a CellId, u32);

fn place(row: &Row) -> Place<'_> {
    (row.lane.as_str(), row.block, &row.cell, row.rep)
}

fn last_attempts<'a>(rows: &[Placed<'a>]) -> HashMap<Place<'a>, u32> {
    let mut last = HashMap::new();
    for (_, row) in rows {
        let attempt = last.entry(place(row)).or_insert(row.attempt);
        *attempt = row.attempt.max(*attempt);
    }
    last
}

fn check_output(number: usize, row: &Row) -> Result<(), Error> {
    let Some(digest) = row.output_sha256 else { return Ok(()) };
    let tokens = canonical_json(&row.tokens).unwrap_or_default();
    if Digest::of(tokens.as_bytes()) == digest {
        return Ok(());
    }
    Err(Error::RowContradictsItself { row: number, lane: row.lane.clone(), digest })
}

/// One number per launch, in order of first appearance.
fn per_launch(times: &[(u32, u32, u32, f64)], statistic: LaunchStatistic) -> Result<Vec<LaunchTime>, Error> {
    let mut order: Vec<(u32, u32, u32)> = Vec::new();
    let mut values: HashMap<(u32, u32, u32), Vec<f64>> = HashMap::new();
    for &(segment, block, launch, ms) in times {
        let key = (segment, block, launch);
        let list = values.entry(key).or_default();
        if list.is_empty() {
            order.push(key);
        }
        list.push(ms);
    }
    order
        .into_iter()
        .map(|key| {
            let sample = Sample::new(values.remove(&key).unwrap_or_default())?;
            let ms = match statistic {
                LaunchStatistic::Mean => sample.mean(),
                LaunchStatistic::Median => percentile(&sample, Percent::P50),
            };
            let (segment, block, launch) = key;
            Ok(LaunchTime { segment, block, launch, repetitions: sample.n() as u64, ms })
        })
        .collect()
}
