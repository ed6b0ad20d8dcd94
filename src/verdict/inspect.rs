//! What is found of a record without any other: several threads look at a journal's records, in any order.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Error;
use crate::journal::{Record, Row};
use crate::plan::Plan;
use crate::terms::{Cell, CellId, Digest};

/// The lanes and cells of a plan by name.
pub(super) struct Index {
    lanes: Vec<String>,
    cells: Vec<(CellId, Cell)>,
    by_id: FxHashMap<CellId, usize>,
}

/// Where a row stands in its plan: number of its lane and of its cell, in the plan's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub lane: usize,
    pub cell: usize,
}

/// What was found of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Absent where the plan has no such lane or cell, or the record is no row.
    pub spot: Option<Spot>,
    pub output: Output,
}

impl Index {
    pub(super) fn of(plan: &Plan) -> Result<Self, Error> {
        let cells: Vec<(CellId, Cell)> = plan.cells()?.into_iter().map(|cell| (cell.id(), cell)).collect();
        let by_id = cells.iter().enumerate().map(|(number, (id, _))| (id.clone(), number)).collect();
        Ok(Self { lanes: plan.lanes.iter().map(|lane| lane.name.clone()).collect(), cells, by_id })
    }

    /// The plan's cells, in its order.
    pub(super) fn cells(&self) -> &[(CellId, Cell)] {
        &self.cells
    }

    /// The lane's number. There are few.
    pub(super) fn lane(&self, lane: &str) -> Option<usize> {
        self.lanes.iter().position(|name| name == lane)
    }

    pub(super) fn spot(&self, lane: &str, cell: &CellId) -> Option<Spot> {
        Some(Spot { lane: self.lane(lane)?, cell: *self.by_id.get(cell)? })
    }

    /// The spot's number, lane by lane.
    pub(super) fn number(&self, spot: Spot) -> usize {
        spot.lane * self.cells.len() + spot.cell
    }
}

/// One of those who look at records.
pub(super) struct Inspector {
    index: Arc<Index>,
    outputs: Outputs,
}

impl Inspector {
    pub(super) fn of(index: Arc<Index>) -> Self {
        Self { index, outputs: Outputs::default() }
    }

    pub(super) fn inspect(&mut self, record: &Record) -> Seen {
        let Record::Row(row) = record else { return Seen { spot: None, output: Output::Agrees } };
        Seen { spot: self.index.spot(&row.lane, &row.cell), output: self.outputs.inspect(row) }
    }
}

/// Whether a row's output is the one of its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// It is, or the record has none.
    Agrees,
    /// It is not.
    Contradicts,
}

/// Holds outputs against their digests, record by record and in any order.
#[derive(Default)]
struct Outputs {
    /// Outputs that were found to be those of their digests: repetitions of a cell give them again and again.
    agreed: FxHashMap<Digest, Vec<u32>>,
    /// What they take, in tokens.
    kept: usize,
    text: Vec<u8>,
}

/// What is kept at the most, in tokens: the outputs of ten thousand cells of a hundred tokens.
const MOST_KEPT: usize = 1 << 20;

/// What an output takes beside its tokens, in tokens.
const ENTRY: usize = 16;

impl Outputs {
    fn inspect(&mut self, row: &Row) -> Output {
        let Some(digest) = row.output_sha256 else { return Output::Agrees };
        if self.agreed.get(&digest).is_some_and(|tokens| *tokens == row.tokens) {
            return Output::Agrees;
        }
        // The canonical JSON of a list of whole numbers is its compact JSON.
        self.text.clear();
        let written = serde_json::to_writer(&mut self.text, &row.tokens).is_ok();
        if !written || Digest::of(&self.text) != digest {
            return Output::Contradicts;
        }
        if self.kept + ENTRY + row.tokens.len() <= MOST_KEPT {
            self.kept += ENTRY + row.tokens.len();
            self.agreed.insert(digest, row.tokens.clone());
        }
        Output::Agrees
    }
}
