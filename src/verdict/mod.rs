//! What the rows say: a pure function of plan and journal, with a reason for everything.
//!
//! The way data takes: records → `inspect` (each by itself) → `admission` (can a run of this plan have left them behind?), `judging` and `reduce` (one number per launch and cell) → `contrast` and `parity` (tests per
//! comparison) → `decide` (each hypothesis, with its `grounds`), `measured_tables` and `row_rules` (those of a decision rule) → `judge` (lanes, cells, one conclusion) → [`Verdict`].
//!
//! What others published takes its own way: printed rows → `published` → [`PublishedVerdict`]. Both ways decide by the same
//! `rules`, which `adapters` apply to tables, wherever these come from.
//!
//! The same bytes give the same verdict bytes on any host: statistics come from `stats`, sums run in journal order,
//! numbers are rounded to six significant digits, and the only time of day is the header's.

mod adapters;
mod admission;
mod agent_hangs;
mod agent_tables;
mod alone;
mod block_controls;
mod calibration;
mod contamination;
mod contrast;
mod controls;
mod decide;
mod error;
mod expected;
mod expected_value;
mod gpu_time;
mod grounds;
mod inspect;
mod judge;
mod judging;
mod logits;
mod measured_tables;
mod parallel;
mod parity;
mod published;
mod reduce;
mod rounding;
mod row_rules;
pub mod rules;
mod sensitivity;
mod separation;
mod settle;
mod stack_tables;
mod times;
mod value;

/// Parts of [`Verdict`], so that those who read verdicts need not read journals.
pub use crate::journal::{Calibration, CalibrationState, Detections, LaneState};
/// Part of [`PublishedVerdict`], so that those who read verdicts need not read plans.
pub use crate::plan::Replication;
pub use block_controls::BlockControl;
pub use calibration::{CalibrationFacts, PAIRS_NEEDED, PairFinding, calibration, pair_finding};
pub use controls::undecided_without_control;
pub use error::Error;
pub use expected_value::{ExpectationStanding, ExpectedFailureVerdict};
pub use judge::{judge, judge_file};
pub use published::{
    AtLaunchLevel, ImportedFacts, PublishedHypothesis, PublishedVerdict, SourceFile, imported_columns, judge_published,
};
pub use sensitivity::{Choice, Sensitivity, sensitivity};
pub use value::{
    CellVerdict, Conclusion, Contamination, ContrastCell, CoverageGap, Finding, HypothesisVerdict, JournalFacts,
    LaneCell, LaneVerdict, LaunchNumber, NoiseFloor, SegmentFacts, TimeSummary, Verdict,
};

#[cfg(test)]
mod tests;
