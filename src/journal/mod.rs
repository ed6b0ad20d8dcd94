//! The journal: append-only JSON lines, one record each, chained by digest and sealed at the end.
//!
//! Measuring and judging meet here and nowhere else. A writer appends and syncs; a reader gives back records whose
//! chain held, and says what it found where it did not.
//!
//! Data takes one way: [`Record`] → `chain` (one line, with its digest over all lines before it) → [`Writer`] (on
//! disk before `append` returns) → [`read`] (chain again, then `structure`: headers, launches, duplicates, seal) →
//! [`Journal`]. `structure` stands on both sides, so a writer refuses what a reader would refuse.
//!
//! A line is the record's compact JSON with a last key `chain`: the SHA-256 of the previous line's chain (hex), a
//! line feed, and the record's JSON without that key. Before the first line stands the digest of a fixed text.
//!
//! [`compress`] and [`decompress`] are the form in which a snapshot keeps a journal.

mod archive;
mod chain;
mod error;
mod read;
mod record;
mod structure;
mod writer;

pub use archive::{compress, decompress};
pub use error::Error;
pub use read::{Journal, MAX_JOURNAL_BYTES, Segment, Torn, encode, read, read_file};
pub use record::{
    Busy, FORMAT, Header, LaneDeclaration, LaneState, LaunchEnd, LaunchStart, Preflight, Record, Row, Seal, ToolFacts,
};
pub use writer::{Opened, Writer};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
