//! Which attempt stands in which line: what finds a row that stands twice.
//!
//! A journal has many rows, and they come launch by launch, within one in any order of cells. So lines are kept launch by
//! launch, a few bytes each, where neighbours are near each other: lanes and cells are numbered as they come, and a page
//! holds a few repetitions of every cell.

use rustc_hash::FxHashMap;

use super::Row;
use crate::terms::CellId;

/// The attempts so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    lanes: Vec<String>,
    cells: FxHashMap<CellId, u32>,
    pages: FxHashMap<Place, Page>,
}

/// The numbers of a lane and a cell that have rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    lane: u32,
    cell: u32,
}

/// What a page is of: lane, block, attempt, and which of the lane's repetitions, [`PAGE`] of them together.
type Place = (u32, u32, u32, u32);

/// By number of the cell the lines of its repetitions; 0 where there is none.
type Page = Vec<[u32; PAGE as usize]>;

/// Repetitions of a page.
const PAGE: u32 = 4;

impl Attempts {
    /// The row's spot; nothing where its lane or its cell has no row yet.
    pub(super) fn spot(&self, row: &Row) -> Option<Spot> {
        // There are few lanes, and the header lists them all.
        let lane = self.lanes.iter().position(|lane| *lane == row.lane)?;
        Some(Spot { lane: lane as u32, cell: *self.cells.get(&row.cell)? })
    }

    /// The line of attempt `attempt` at the repetition of `row`, which stands at `spot`, if there is one.
    pub(super) fn line(&self, spot: Option<Spot>, row: &Row, attempt: u32) -> Option<usize> {
        let Spot { lane, cell } = spot?;
        let page = self.pages.get(&(lane, row.block, attempt, row.rep / PAGE))?;
        let line = *page.get(cell as usize)?.get((row.rep % PAGE) as usize)?;
        (line > 0).then_some(line as usize)
    }

    /// Takes in the row of `line`, which stands at `spot`.
    pub(super) fn take(&mut self, spot: Option<Spot>, row: &Row, line: usize) {
        let Spot { lane, cell } = spot.unwrap_or_else(|| self.new_spot(row));
        let page = self.pages.entry((lane, row.block, row.attempt, row.rep / PAGE)).or_default();
        if page.len() <= cell as usize {
            page.resize(cell as usize + 1, [0; PAGE as usize]);
        }
        let Some(slot) = page.get_mut(cell as usize).and_then(|lines| lines.get_mut((row.rep % PAGE) as usize)) else {
            return;
        };
        // No file has so many lines that they would not fit; the line is only told.
        *slot = u32::try_from(line).unwrap_or(u32::MAX);
    }

    fn new_spot(&mut self, row: &Row) -> Spot {
        let next = self.cells.len() as u32;
        let cell = *self.cells.entry(row.cell.clone()).or_insert(next);
        let known = self.lanes.iter().position(|lane| *lane == row.lane);
        let lane = known.unwrap_or_else(|| {
            self.lanes.push(row.lane.clone());
            self.lanes.len() - 1
        });
        Spot { lane: lane as u32, cell }
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
