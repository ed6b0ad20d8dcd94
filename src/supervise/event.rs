//! What a run tells while it goes. Whoever listens decides how it looks.

use crate::journal::LaneState;
use crate::terms::{CellId, Outcome};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something an earlier supervisor left behind was removed.
    OrphanRemoved(String),
    /// Something is being prepared, an image for example.
    Preparing(String),
    /// A lane was looked at.
    Lane {
        /// The lane.
        lane: String,
        /// Whether it takes part.
        state: LaneState,
        /// Why not, and what to try.
        reason: Option<String>,
    },
    /// Measuring begins.
    Begin {
        /// The segment.
        segment: u32,
        /// Rows in the journal already.
        done: u64,
        /// Rows that the journal will hold.
        total: u64,
    },
    /// A lane was started.
    Launch {
        /// The lane.
        lane: String,
        /// The planned launch.
        block: u32,
    },
    /// A row is on disk.
    Row {
        /// The lane.
        lane: String,
        /// The cell.
        cell: CellId,
        /// What came of it.
        outcome: Outcome,
        /// What went wrong.
        message: Option<String>,
    },
    /// Something that the reader should know.
    Warning(String),
    /// Ctrl-C was seen; the lane is being stopped.
    Stopping,
}
