//! The journal: append-only JSON lines, one record each, chained by digest and sealed at the end.
//!
//! Measuring and judging meet here and nowhere else. A writer appends and syncs; a reader gives back records whose
//! chain held, and says what it found where it did not.
//!
//! Data takes one way: [`Record`] → `chain` (one line, with its digest over all lines before it) → [`Writer`] (on
//! disk before `append` returns) → [`read`] (chain again, then `structure`: headers, launches, duplicates, seal) →
//! [`Journal`], or [`stream_file`], which keeps nothing and gives record by record. `structure` stands on both sides, so a writer refuses what a reader would refuse.
//!
//! A line is the record's compact JSON with a last key `chain`: the SHA-256 of the previous line's chain (hex), a
//! line feed, and the record's JSON without that key. Before the first line stands the digest of a fixed text.
//!
//! A segment is measured by us, or imported: then its header says from which files, and it holds [`Summary`] and
//! [`Observation`] records in the place of launches and rows.
//!
//! [`compress`] and [`decompress`] are the form in which a snapshot keeps a journal.

mod archive;
mod attempts;
mod calibration;
mod chain;
mod error;
mod imported;
mod read;
mod record;
mod row_text;
mod stream;
mod structure;
mod telemetry;
mod writer;

pub use archive::{compress, decompress};
pub use calibration::{Calibration, CalibrationState, Detections, Slowdown};
pub use error::{Error, Origin};
pub use imported::{ImportedFile, ImportedFrom, Metric, Observation, Summary, SummaryCell};
pub use read::{Journal, MAX_JOURNAL_BYTES, Segment, Torn, encode, read, read_file, write_unsynced};
pub use record::{
    Busy, FORMAT, Header, LaneDeclaration, LaneState, LaunchEnd, LaunchStart, Measured, Preflight, Record, Row, Seal,
    ToolFacts,
};
pub use stream::{Ending, stream_file};
pub use telemetry::{
    Absence, ClockReason, Energy, EnergySource, GpuMetric, GpuTelemetry, LaunchTelemetry, SegmentTelemetry, Sharing,
    Spread,
};
pub use writer::{Opened, Writer};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
