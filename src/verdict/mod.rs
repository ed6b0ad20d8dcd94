//! What the rows say: a pure function of plan and journal, with a reason for everything.
//!
//! The way data takes: rows → one number per launch and cell ([`reduce`]) → tests per hypothesis ([`contrast`],
//! [`parity`], [`separation`]) → [`Verdict`]. The same bytes give the same verdict bytes on any host: statistics come
//! from `stats`, sums run in journal order, numbers are rounded to six significant digits, and the only time of day
//! is the header's.

mod value;

pub use value::{
    CellVerdict, Conclusion, Contamination, ContrastCell, CoverageGap, Finding, HypothesisVerdict, JournalFacts,
    LaneCell, LaneVerdict, LaunchNumber, NoiseFloor, SegmentFacts, TimeSummary, Verdict,
};
// A lane's state is part of the verdict's value; rooms that read verdicts alone take it from here.
pub use crate::journal::LaneState;
