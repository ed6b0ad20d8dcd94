//! Snapshots: accepted verdicts, one per plan and host class, and what a later run is held against.
//!
//! The way data takes: `Verdict` → [`Snapshot::from_verdict`] (or every reason why not) → [`store::write`] as
//! `snapshots/PLAN/HOST_CLASS.json` beside the compressed journal → [`store::find`] → [`compare`] with a later verdict →
//! [`Comparison`]: which part changed, from what to what, and which identity axes differ beside it.
//! [`compare_runs`] puts two runs side by side without a snapshot.
//!
//! The room decides what may be accepted and what counts as changed, of which kind ([`ChangeKind`]); it computes no statistic and prints nothing.

mod accept;
mod axes;
mod cells;
mod compare;
mod comparison;
mod confirm;
mod error;
mod findings;
#[cfg(test)]
pub(crate) mod fixture;
mod gate;
mod host_class;
mod layout;
mod runs;
pub mod store;
#[cfg(test)]
mod tests;
mod value;

pub use accept::{host_classes, refusal_reasons};
pub use compare::{compare, compare_without_times};
pub use comparison::{AxisDifference, AxisScope, Change, Comparison, Magnitudes, Part, Severity, Side, Status};
pub use confirm::{Confirmation, ConfirmationState, ConfirmingRun};
pub use error::{Error, GapCause, Refusal, RefusalReason};
pub use gate::{ChangeKind, Gate, GateStanding};
pub use host_class::{HostClass, host_class};
pub use runs::{FindingPair, RunCell, RunComparison, RunLaneCell, compare_runs};
pub use value::{
    FORMAT, Snapshot, SnapshotCell, SnapshotContrast, SnapshotHypothesis, SnapshotLane, SnapshotLaneCell,
    SnapshotSegment, SnapshotTime,
};
