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
    lanes: Vec<Lane>,
    cells: FxHashMap<CellId, u32>,
}

/// A lane that has rows.
#[derive(Debug, Default)]
struct Lane {
    name: String,
    /// By number of the cell; in the order of their places.
    slots: Vec<Vec<Slot>>,
}

/// The numbers of a lane and a cell that have rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    lane: u32,
    cell: u32,
}

/// The attempts at a cell in a lane that share a slot: block, attempt, and all but the last six bits of the repetition.
type Place = (u32, u32, u32);

/// The repetitions of a place that have a row, and their lines in the order of the repetitions.
#[derive(Debug)]
struct Slot {
    place: Place,
    present: u64,
    lines: Lines,
}

/// Lines of a slot; a few need no memory of their own.
#[derive(Debug)]
enum Lines {
    Few([u32; FEW]),
    Many(Vec<u32>),
}

const FEW: usize = 4;

impl Attempts {
    /// The row's spot; nothing where its lane or its cell has no row yet.
    pub(super) fn spot(&self, row: &Row) -> Option<Spot> {
        // There are few lanes, and the header lists them all.
        let lane = self.lanes.iter().position(|lane| lane.name == row.lane)?;
        Some(Spot { lane: lane as u32, cell: *self.cells.get(&row.cell)? })
    }

    /// The line of attempt `attempt` at the repetition of `row`, which stands at `spot`, if there is one.
    pub(super) fn line(&self, spot: Option<Spot>, row: &Row, attempt: u32) -> Option<usize> {
        let Spot { lane, cell } = spot?;
        let slots = self.lanes.get(lane as usize)?.slots.get(cell as usize)?;
        let slot = slots.get(find(slots, (row.block, attempt, row.rep / 64)).ok()?)?;
        let bit = 1_u64 << (row.rep % 64);
        let line = (slot.present & bit != 0).then(|| slot.lines.get(slot.before(bit)))?;
        line.map(|line| line as usize)
    }

    /// Takes in the row of `line`, which stands at `spot`.
    pub(super) fn take(&mut self, spot: Option<Spot>, row: &Row, line: usize) {
        let Spot { lane, cell } = spot.unwrap_or_else(|| self.new_spot(row));
        let Some(Lane { slots, .. }) = self.lanes.get_mut(lane as usize) else { return };
        if slots.len() <= cell as usize {
            slots.resize_with(cell as usize + 1, Vec::new);
        }
        let Some(slots) = slots.get_mut(cell as usize) else { return };
        let place = (row.block, row.attempt, row.rep / 64);
        let at = find(slots, place).unwrap_or_else(|at| {
            slots.insert(at, Slot { place, present: 0, lines: Lines::Few([0; FEW]) });
            at
        });
        let Some(slot) = slots.get_mut(at) else { return };
        let bit = 1_u64 << (row.rep % 64);
        let (at, of) = (slot.before(bit), slot.present.count_ones() as usize);
        // No file has so many lines that they would not fit; the line is only told.
        slot.lines.insert(at, of, u32::try_from(line).unwrap_or(u32::MAX));
        slot.present |= bit;
    }

    fn new_spot(&mut self, row: &Row) -> Spot {
        let next = self.cells.len() as u32;
        let cell = *self.cells.entry(row.cell.clone()).or_insert(next);
        let known = self.lanes.iter().position(|lane| lane.name == row.lane);
        let lane = known.unwrap_or_else(|| {
            self.lanes.push(Lane { name: row.lane.clone(), slots: Vec::new() });
            self.lanes.len() - 1
        });
        Spot { lane: lane as u32, cell }
    }
}

/// Where the place is, or where it would be. Rows come block by block, so it is mostly the last or behind it.
fn find(slots: &[Slot], place: Place) -> Result<usize, usize> {
    match slots.last() {
        None => Err(0),
        Some(last) if last.place < place => Err(slots.len()),
        Some(last) if last.place == place => Ok(slots.len() - 1),
        Some(_) => slots.binary_search_by_key(&place, |slot| slot.place),
    }
}

impl Lines {
    fn get(&self, at: usize) -> Option<u32> {
        match self {
            Self::Few(lines) => lines.get(at).copied(),
            Self::Many(lines) => lines.get(at).copied(),
        }
    }

    /// Puts `line` before the `of - at` last of the `of` lines that are there.
    fn insert(&mut self, at: usize, of: usize, line: u32) {
        if let (Self::Few(lines), true) = (&mut *self, of < FEW) {
            lines.copy_within(at..of, at + 1);
            lines[at] = line;
            return;
        }
        if let Self::Few(lines) = self {
            let mut many = Vec::with_capacity(4 * FEW);
            many.extend_from_slice(lines);
            *self = Self::Many(many);
        }
        if let Self::Many(lines) = self {
            if lines.len() == lines.capacity() {
                lines.reserve_exact(lines.len().clamp(4, 16));
            }
            lines.insert(at, line);
        }
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

    fn take(attempts: &mut Attempts, row: &Row, line: usize) {
        attempts.take(attempts.spot(row), row, line);
    }

    fn line(attempts: &Attempts, row: &Row, attempt: u32) -> Option<usize> {
        attempts.line(attempts.spot(row), row, attempt)
    }

    #[test]
    fn every_attempt_is_found_in_its_line_and_no_other_is_found() {
        let mut attempts = Attempts::default();
        let reps = [5, 0, 63, 64, 65, 4_000_000_000, 1, 62, 200];
        for (index, rep) in reps.into_iter().enumerate() {
            take(&mut attempts, &at(rep, 0), 10 + index);
        }
        take(&mut attempts, &at(5, 1), 99);
        for (index, rep) in reps.into_iter().enumerate() {
            assert_eq!(line(&attempts, &at(rep, 0), 0), Some(10 + index), "repetition {rep}");
        }
        assert_eq!(line(&attempts, &at(5, 0), 1), Some(99));
        for (rep, attempt) in [(2, 0), (66, 0), (128, 0), (0, 1), (5, 2)] {
            assert_eq!(line(&attempts, &at(rep, 0), attempt), None, "repetition {rep}, attempt {attempt}");
        }
        let elsewhere = Row { lane: "other".into(), ..at(5, 0) };
        assert_eq!(line(&attempts, &elsewhere, 0), None);
        assert_eq!(line(&attempts, &Row { block: 7, ..at(5, 0) }, 0), None);
    }
}
