//! Which attempt stands in which line: what finds a row that stands twice.
//!
//! A journal has many rows, and they come launch by launch, within one in any order of cells. So lines are kept launch by
//! launch, a few bytes each, where neighbours are near each other: lanes and cells are numbered as they come, and a page
//! holds a few repetitions of every cell. What would make pages of nearly nothing but holes is kept one by one instead, so
//! that no journal takes more memory than in proportion to its rows.

use rustc_hash::FxHashMap;

use super::Row;
use crate::terms::CellId;

/// The attempts so far.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    lanes: Vec<String>,
    cells: FxHashMap<CellId, u32>,
    pages: FxHashMap<Place, Page>,
    /// Lines that no page has room for.
    scattered: FxHashMap<(Place, Slot), u32>,
    /// Rows that were taken in.
    rows: usize,
    /// Cells in all pages together, holes among them.
    paged: usize,
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

/// Where in a page: number of the cell, and which of the page's repetitions.
type Slot = (u32, u32);

/// Repetitions of a page.
const PAGE: u32 = 4;

/// Cells that pages may hold for each row, which are 256 bytes: less than most rows take in their file. A launch of one
/// repetition takes one for each row, one that comes to its repetitions in any order one for each page of them.
const PAGED_A_ROW: usize = 16;

/// Cells that pages may hold whatever the rows, so that small journals are never counted: a megabyte.
const PAGED_FREELY: usize = 1 << 16;

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
        let (place, rep) = ((lane, row.block, attempt, row.rep / PAGE), row.rep % PAGE);
        let lines = self.pages.get(&place).and_then(|page| page.get(cell as usize));
        let line = lines.and_then(|lines| lines.get(rep as usize)).copied().filter(|line| *line > 0);
        if line.is_none() && !self.scattered.is_empty() {
            return self.scattered.get(&(place, (cell, rep))).map(|line| *line as usize);
        }
        line.map(|line| line as usize)
    }

    /// Takes in the row of `line`, which stands at `spot`.
    pub(super) fn take(&mut self, spot: Option<Spot>, row: &Row, line: usize) {
        let Spot { lane, cell } = spot.unwrap_or_else(|| self.new_spot(row));
        // No file has so many lines that they would not fit; the line is only told.
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let (place, rep) = ((lane, row.block, row.attempt, row.rep / PAGE), row.rep % PAGE);
        self.rows += 1;
        let page = self.pages.entry(place).or_default();
        if page.len() <= cell as usize {
            let longer = self.paged + cell as usize + 1 - page.len();
            if longer > PAGED_FREELY + PAGED_A_ROW * self.rows {
                self.scattered.insert((place, (cell, rep)), line);
                return;
            }
            self.paged = longer;
            page.resize(cell as usize + 1, [0; PAGE as usize]);
        }
        if let Some(slot) = page.get_mut(cell as usize).and_then(|lines| lines.get_mut(rep as usize)) {
            *slot = line;
        }
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
    #[test]
    fn a_journal_that_leaps_over_cells_takes_no_more_memory_than_its_rows_are_worth() {
        let cells: Vec<Row> = (0..5_000_u32)
            .map(|number| Row { cell: format!("/{number:08x}").parse().expect("an id"), ..at(0, 0) })
            .collect();
        let last = &cells[4_999];
        // Every block begins with the cell of the highest number; only one has the others, too.
        let leaping = (1..5_000).map(|block| Row { block, ..last.clone() });
        let farthest = Row { block: u32::MAX, rep: u32::MAX, attempt: u32::MAX, ..last.clone() };
        let others = cells.iter().rev().skip(1).map(|row| Row { block: 4_999, ..row.clone() });
        let rows: Vec<Row> = cells.iter().cloned().chain(leaping).chain([farthest]).chain(others).collect();
        let mut attempts = Attempts::default();
        for (number, row) in (1..).zip(&rows) {
            assert_eq!(line(&attempts, row, row.attempt), None, "row {number} was never seen");
            take(&mut attempts, row, number);
            assert!(attempts.paged <= PAGED_FREELY + PAGED_A_ROW * number, "{} at row {number}", attempts.paged);
        }
        assert!(attempts.paged < 500_000, "{}; a page for every block would hold 25 million cells", attempts.paged);
        assert!(attempts.scattered.len() > 4_000, "{} rows stand alone", attempts.scattered.len());
        for (number, row) in (1..).zip(&rows) {
            assert_eq!(line(&attempts, row, row.attempt), Some(number));
        }
    }

    #[test]
    fn no_row_of_a_run_stands_alone_whatever_cell_its_launches_begin_with() {
        let many = 4 * PAGED_FREELY as u32;
        let (row, mut attempts) = (at(0, 0), Attempts::default());
        for block in 0..3 {
            for number in 0..many {
                let cell = if block == 0 { number } else { many - 1 - number };
                attempts.take(Some(Spot { lane: 0, cell }), &Row { block, ..row.clone() }, 1);
            }
        }
        assert_eq!((attempts.scattered.len(), attempts.paged), (0, 3 * many as usize));
    }
}
