//! What the rows say: a pure function of plan and journal, with a reason for everything.
//!
//! The way data takes: rows → `reduce` (one number per launch and cell) → `contrast` and `parity` (tests per
//! comparison) → `decide` (each hypothesis) → `judge` (lanes, cells, one conclusion) → [`Verdict`].
//!
//! The same bytes give the same verdict bytes on any host: statistics come from `stats`, sums run in journal order,
//! numbers are rounded to six significant digits, and the only time of day is the header's.

mod contrast;
mod decide;
mod error;
mod judge;
mod parity;
mod reduce;
mod rounding;
mod value;

/// Part of [`LaneVerdict`], so that those who read verdicts need not read journals.
pub use crate::journal::LaneState;
pub use error::Error;
pub use judge::judge;
pub use value::{
    CellVerdict, Conclusion, Contamination, ContrastCell, CoverageGap, Finding, HypothesisVerdict, JournalFacts,
    LaneCell, LaneVerdict, LaunchNumber, NoiseFloor, SegmentFacts, TimeSummary, Verdict,
};

#[cfg(test)]
mod tests;
