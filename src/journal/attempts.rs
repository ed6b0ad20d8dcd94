//! Which attempt stands in which line: what finds a row that stands twice.
//!
//! A journal has many rows, so a row costs a few bytes here: lanes and cells are numbered as they come, and up to 64
//! neighbouring repetitions share a slot.

use rustc_hash::FxHashMap;

use super::Row;
use crate::terms::CellId;

/// The attempts so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    lanes: Vec<String>,
    cells: FxHashMap<CellId, u32>,
    slots: FxHashMap<Place, Slot>,
}

/// An attempt but for the last six bits of its repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    lane: u32,
    cell: u32,
    block: u32,
    attempt: u32,
    reps: u32,
}

/// The repetitions of a slot that have a row, and their lines in the order of the repetitions.
#[derive(Debug, Default)]
struct Slot {
    present: u64,
    lines: Vec<u32>,
}

impl Attempts {
    /// The lane's number. There are few, and the header lists them all.
    fn lane(&self, lane: &str) -> Option<u32> {
        self.lanes.iter().position(|known| known == lane).map(|number| number as u32)
    }

    /// The line of attempt `attempt` at the repetition of `row`, if there is one.
    pub(super) fn line(&self, row: &Row, attempt: u32) -> Option<usize> {
        let (lane, cell) = (self.lane(&row.lane)?, *self.cells.get(&row.cell)?);
        let place = Place { lane, cell, block: row.block, attempt, reps: row.rep / 64 };
        let slot = self.slots.get(&place)?;
        let bit = 1_u64 << (row.rep % 64);
        let line = (slot.present & bit != 0).then(|| slot.lines.get(slot.before(bit)).copied())?;
        line.map(|line| line as usize)
    }

    /// Takes in the row of `line`.
    pub(super) fn take(&mut self, row: &Row, line: usize) {
        let lane = self.lane(&row.lane).unwrap_or_else(|| {
            self.lanes.push(row.lane.clone());
            self.lanes.len() as u32 - 1
        });
        let next = self.cells.len() as u32;
        let place = Place {
            lane,
            cell: *self.cells.entry(row.cell.clone()).or_insert(next),
            block: row.block,
            attempt: row.attempt,
            reps: row.rep / 64,
        };
        let slot = self.slots.entry(place).or_default();
        let bit = 1_u64 << (row.rep % 64);
        let at = slot.before(bit);
        if slot.lines.len() == slot.lines.capacity() {
            slot.lines.reserve_exact(slot.lines.len().clamp(4, 16));
        }
        // No file has so many lines that they would not fit; the line is only told.
        slot.lines.insert(at, u32::try_from(line).unwrap_or(u32::MAX));
        slot.present |= bit;
    }
}

impl Slot {
    /// How many of the repetitions before that of `bit` have a row.
    fn before(&self, bit: u64) -> usize {
        (self.present & (bit - 1)).count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::super::fixture::{ROW_LINE, row};
    use super::*;

    fn at(rep: u32, attempt: u32) -> Row {
        let Record::Row(row) = row(ROW_LINE, |row| (row.rep, row.attempt) = (rep, attempt)) else { panic!("a row") };
        *row
    }

    #[test]
    fn every_attempt_is_found_in_its_line_and_no_other_is_found() {
        let mut attempts = Attempts::default();
        let reps = [5, 0, 63, 64, 65, 4_000_000_000, 1, 62, 200];
        for (index, rep) in reps.into_iter().enumerate() {
            attempts.take(&at(rep, 0), 10 + index);
        }
        attempts.take(&at(5, 1), 99);
        for (index, rep) in reps.into_iter().enumerate() {
            assert_eq!(attempts.line(&at(rep, 0), 0), Some(10 + index), "repetition {rep}");
        }
        assert_eq!(attempts.line(&at(5, 0), 1), Some(99));
        for (rep, attempt) in [(2, 0), (66, 0), (128, 0), (0, 1), (5, 2)] {
            assert_eq!(attempts.line(&at(rep, 0), attempt), None, "repetition {rep}, attempt {attempt}");
        }
        let elsewhere = Row { lane: "other".into(), ..at(5, 0) };
        assert_eq!(attempts.line(&elsewhere, 0), None);
        assert_eq!(attempts.line(&Row { block: 7, ..at(5, 0) }, 0), None);
    }
}
