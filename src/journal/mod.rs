//! The journal: append-only JSON lines, one record each, chained by digest and sealed at the end.
//!
//! Measuring and judging meet here and nowhere else. A writer appends and syncs; a reader gives back records whose
//! chain held, and says what it found where it did not.

mod record;

pub use record::{
    Busy, Header, LaneDeclaration, LaneState, LaunchEnd, LaunchStart, Preflight, Record, Row, Seal, ToolFacts,
};
