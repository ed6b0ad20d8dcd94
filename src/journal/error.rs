//! Why a journal was not written or not taken.

use std::io;
use std::path::PathBuf;

use crate::terms::{CellId, Digest};

/// What helps against a file that Lockstep did not leave like this.
const EDITED: &str = "Lockstep writes no such file, so it was edited or damaged: take back the archived copy, or run the \
                      plan again";

/// An error of the room `journal`. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operation on the file failed before any record was at stake.
    #[error("{doing} {path:?} failed: {source}; {}", remedy(source))]
    Io {
        /// What was being done, for example `opening`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The journal could not be read on.
    #[error("the journal could not be read on: {source}; {}", remedy(source))]
    Unread {
        /// What the operating system said.
        source: io::Error,
    },
    /// A new journal was asked for where one stands.
    #[error("{path:?} exists already; `lockstep resume` goes on with it, and a new run takes a new folder")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the journal's lock.
    #[error("{path:?} is held by another process; wait for that run to end or stop it, then try again")]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// A record did not reach the disk.
    #[error(
        "a record could not be written to {path:?}: {source}; {}; {}",
        if *readable { "the journal ends with the record before it and is readable" }
        else { "the journal may end in a torn line, which `lockstep resume` cuts off" },
        remedy(source)
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
        /// Whether the file was cut back to the last whole record.
        readable: bool,
    },
    /// A record that need not be kept could not be written.
    #[error("the record of line {line} could not be written: {source}; {}", remedy(source))]
    Unwritten {
        /// The line.
        line: usize,
        /// What the operating system said.
        source: io::Error,
    },
    /// The writer failed before and takes no more.
    #[error("the journal {path:?} takes no more records, because writing one failed before; `lockstep resume` goes on")]
    Spent {
        /// The file.
        path: PathBuf,
    },
    /// Someone else changed the file while the writer held it.
    #[error(
        "{path:?} is {found_bytes} bytes long where {expected_bytes} were written; something else writes to it: stop \
         that, then `lockstep resume`"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Length after the last append.
        expected_bytes: u64,
        /// Length now.
        found_bytes: u64,
    },
    /// A record has no JSON form that reads back as the same record.
    #[error("a {kind} cannot be recorded: {message}; numbers must be finite")]
    NotRecordable {
        /// The record's type.
        kind: &'static str,
        /// Why.
        message: String,
    },
    /// The file, or what an archive holds, is too long.
    #[error("the journal is longer than {limit_bytes} bytes; split the plan into several")]
    TooLong {
        /// The limit.
        limit_bytes: u64,
    },
    /// An archive is no xz or gzip file, or is damaged.
    #[error("the compressed journal cannot be unpacked: {message}; take back the committed copy")]
    Archive {
        /// What was found.
        message: String,
    },
    /// An archive unpacks to more than it may.
    #[error("the compressed journal unpacks to more than {limit_bytes} bytes; {EDITED}")]
    Bomb {
        /// The limit.
        limit_bytes: u64,
    },
    /// What is wrong in a file, with the file's name.
    #[error("{path:?}: {fault}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        fault: Box<Error>,
    },
    /// The journal holds no record at all.
    #[error("the journal is empty, nothing was recorded; {}", again(None))]
    Empty,
    /// The journal holds a part of its first line and nothing else.
    #[error("the journal's first line is cut after {bytes} bytes, so that it holds no record; {}", again(*of))]
    FirstLineCut {
        /// What is left of it.
        bytes: usize,
        /// Whose journal it was, where that much is left.
        of: Option<Origin>,
    },
    /// A line does not end with its chain.
    #[error("line {line}: no journal line, it does not end with `\"chain\":\"…\"}}`: found {found:?}; {EDITED}")]
    NoChain {
        /// The line.
        line: usize,
        /// Its end.
        found: String,
    },
    /// A line's chain is not the digest of what stands there.
    #[error(
        "line {line}: the chain is broken: this line or one before it was changed, added or removed (computed \
         {computed}, found {found}); {}",
        if *last { "if the host lost power while this last line was written, remove the line and use `lockstep resume`" }
        else { EDITED }
    )]
    BrokenChain {
        /// The first line at which it shows.
        line: usize,
        /// The chain of what stands there, in hex.
        computed: String,
        /// The chain that stands there, in hex.
        found: String,
        /// Whether it is the last line.
        last: bool,
    },
    /// A line is no record.
    #[error("line {line}: no record: {message}; {EDITED}")]
    NoRecord {
        /// The line.
        line: usize,
        /// What was found.
        message: String,
    },
    /// The journal was written by another version.
    #[error(
        "line {line}: journal format {found} is not {expected}, the one this build reads; {}",
        if *found > u64::from(*expected) { "use a newer lockstep" } else { "use the lockstep that wrote it (the header's tool.version)" }
    )]
    Format {
        /// The line.
        line: usize,
        /// The version found.
        found: u64,
        /// The version that this build reads.
        expected: u32,
    },
    /// The first record is no header.
    #[error("line {line}: a journal starts with a header, and this is a {found}; {EDITED}")]
    NoHeader {
        /// The line.
        line: usize,
        /// The record's type.
        found: &'static str,
    },
    /// A header's segment number is not the next one.
    #[error("line {line}: segment {found} where segment {expected} comes next; {EDITED}")]
    SegmentOrder {
        /// The line.
        line: usize,
        /// The next number.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// A header states what its kind of segment cannot know, or not what it must.
    #[error("line {line}: the segment is {what}; {EDITED}")]
    Origin {
        /// The line.
        line: usize,
        /// What it is, and what is wrong with it.
        what: String,
    },
    /// A record stands in a segment of the other kind.
    #[error("line {line}: a {found} has no place in {} {segment} segment; {EDITED}", if *segment == "imported" { "an" } else { "a" })]
    Misplaced {
        /// The line.
        line: usize,
        /// The record's type.
        found: &'static str,
        /// `measured` or `imported`.
        segment: &'static str,
    },
    /// An observation names a file that its header does not.
    #[error("line {line}: the file {source_name:?} is none of the imported ones ({}); {EDITED}", known.join(", "))]
    UnknownSource {
        /// The line.
        line: usize,
        /// The file.
        source_name: String,
        /// The header's files.
        known: Vec<String>,
    },
    /// Rows of a table, or lines of a file, do not ascend.
    #[error(
        "line {line}: place {found} of {what} {name:?} comes after place {previous} of it, places must ascend; {EDITED}"
    )]
    ImportOrder {
        /// The line.
        line: usize,
        /// `table` or `file`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The place before.
        previous: u64,
        /// The place found.
        found: u64,
    },
    /// Rows of a table are left out.
    #[error(
        "line {line}: row {found} of table {table:?} comes after row {previous} of it, the rows between are missing; {EDITED}"
    )]
    RowsMissing {
        /// The line.
        line: usize,
        /// The table.
        table: String,
        /// The row before; 0 where there is none.
        previous: u64,
        /// The row found.
        found: u64,
    },
    /// An imported record contradicts itself.
    #[error("line {line}: {what}; {EDITED}")]
    Imported {
        /// The line.
        line: usize,
        /// What it says, and what contradicts it.
        what: String,
    },
    /// A header belongs to another run or plan than the first one.
    #[error("line {line}: the segment's {what} is {found}, the first segment's is {expected}; {EDITED}")]
    OtherRun {
        /// The line.
        line: usize,
        /// `run` or `plan_sha256`.
        what: &'static str,
        /// The first segment's.
        expected: String,
        /// This segment's.
        found: String,
    },
    /// A header declares a lane twice.
    #[error("line {line}: the header declares lane {lane:?} twice; {EDITED}")]
    LaneTwice {
        /// The line.
        line: usize,
        /// The lane.
        lane: String,
    },
    /// A record names a lane that its header does not declare.
    #[error("line {line}: lane {lane:?} is none of the segment's lanes ({}); {EDITED}", known.join(", "))]
    UnknownLane {
        /// The line.
        line: usize,
        /// The lane.
        lane: String,
        /// The header's lanes.
        known: Vec<String>,
    },
    /// A row carries another plan's digest.
    #[error("line {line}: the row's plan is {found}, the header's is {expected}; {EDITED}")]
    OtherPlan {
        /// The line.
        line: usize,
        /// The header's.
        expected: Digest,
        /// The row's.
        found: Digest,
    },
    /// A launch's number is not the next one.
    #[error("line {line}: launch {found} starts where launch {expected} comes next; {EDITED}")]
    LaunchOrder {
        /// The line.
        line: usize,
        /// The next number.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// An attempt that no run makes.
    #[error("line {line}: attempt {attempt} at a repetition of cell {cell}, {what}; {EDITED}")]
    Attempt {
        /// The line.
        line: usize,
        /// The cell.
        cell: CellId,
        /// The attempt.
        attempt: u32,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A record names a launch that does not fit it.
    #[error("line {line}: launch {launch} {what}; {EDITED}")]
    WrongLaunch {
        /// The line.
        line: usize,
        /// The launch.
        launch: u32,
        /// What does not fit.
        what: String,
    },
    /// A row whose work was done names no launch.
    #[error("line {line}: a row with outcome `{outcome}` names no launch, so nothing can have run; {EDITED}")]
    NoLaunch {
        /// The line.
        line: usize,
        /// The outcome.
        outcome: crate::terms::Outcome,
    },
    /// An attempt stands twice.
    #[error(
        "line {line}: lane {lane:?}, block {block}, cell {cell}, repetition {rep}, attempt {attempt} stands in line \
         {first} already; {EDITED}"
    )]
    Duplicate {
        /// The line.
        line: usize,
        /// The line that has it already.
        first: usize,
        /// The lane.
        lane: String,
        /// The planned launch.
        block: u32,
        /// The cell.
        cell: CellId,
        /// The repetition.
        rep: u32,
        /// The attempt.
        attempt: u32,
    },
    /// A seal counts other than what stands before it.
    #[error(
        "line {line}: the seal counts {found_rows} rows in {found_records} records, and {rows} rows in {records} records \
         stand before it; {EDITED}"
    )]
    SealCounts {
        /// The line.
        line: usize,
        /// Rows before it.
        rows: u64,
        /// Records before it.
        records: u64,
        /// Rows it counts.
        found_rows: u64,
        /// Records it counts.
        found_records: u64,
    },
    /// Something other than a header follows a seal.
    #[error("line {line}: after a seal only a new header may follow, and this is a {found}; {EDITED}")]
    AfterSeal {
        /// The line.
        line: usize,
        /// The record's type.
        found: &'static str,
    },
}

/// Who wrote a journal of which no record is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A run.
    Run,
    /// `lockstep import`.
    Import,
}

/// What makes a journal without records good.
fn again(of: Option<Origin>) -> &'static str {
    match of {
        Some(Origin::Run) => "`lockstep resume` starts it",
        Some(Origin::Import) => "import the files again: what was imported cannot be resumed",
        None => "`lockstep resume` starts it if it is a run's; if it was imported, import the files again",
    }
}

impl Error {
    /// A journal without a whole line, of which `tail` is left. An import names its run by what was imported.
    pub(super) fn no_record(tail: &[u8]) -> Self {
        const RUN: &[u8] = b"\"run\":\"";
        const IMPORTED: &[u8] = b"imported-";
        let after = tail.windows(RUN.len()).position(|found| found == RUN).map(|at| at + RUN.len());
        let name = after.and_then(|after| tail.get(after..)).unwrap_or_default();
        let of = match name.strip_prefix(IMPORTED) {
            Some(_) => Some(Origin::Import),
            None if IMPORTED.starts_with(name) => None,
            None => Some(Origin::Run),
        };
        if tail.is_empty() { Self::Empty } else { Self::FirstLineCut { bytes: tail.len(), of } }
    }

    /// The line at fault, where one is.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::File { fault, .. } => fault.line(),
            Self::NoChain { line, .. }
            | Self::BrokenChain { line, .. }
            | Self::NoRecord { line, .. }
            | Self::Format { line, .. }
            | Self::NoHeader { line, .. }
            | Self::SegmentOrder { line, .. }
            | Self::Origin { line, .. }
            | Self::Misplaced { line, .. }
            | Self::UnknownSource { line, .. }
            | Self::ImportOrder { line, .. }
            | Self::RowsMissing { line, .. }
            | Self::Imported { line, .. }
            | Self::OtherRun { line, .. }
            | Self::LaneTwice { line, .. }
            | Self::UnknownLane { line, .. }
            | Self::OtherPlan { line, .. }
            | Self::LaunchOrder { line, .. }
            | Self::Attempt { line, .. }
            | Self::WrongLaunch { line, .. }
            | Self::NoLaunch { line, .. }
            | Self::Duplicate { line, .. }
            | Self::SealCounts { line, .. }
            | Self::AfterSeal { line, .. } => Some(*line),
            Self::Io { .. }
            | Self::Exists { .. }
            | Self::Held { .. }
            | Self::Write { .. }
            | Self::Unwritten { .. }
            | Self::Unread { .. }
            | Self::Spent { .. }
            | Self::Changed { .. }
            | Self::NotRecordable { .. }
            | Self::TooLong { .. }
            | Self::Archive { .. }
            | Self::Bomb { .. }
            | Self::Empty
            | Self::FirstLineCut { .. } => None,
        }
    }

    /// Whether the disk, a quota or a size limit stopped the writing.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::Write { source, .. } | Self::Unwritten { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
            ),
            Self::File { fault, .. } => fault.is_full(),
            _ => false,
        }
    }
}

/// What to try against an operating system's error.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull => "the disk is full: free space on its file system, then `lockstep resume`",
        io::ErrorKind::QuotaExceeded => "the disk quota is used up: free space or raise it, then `lockstep resume`",
        io::ErrorKind::FileTooLarge => "the file size limit is reached: raise it (`ulimit -f`), then `lockstep resume`",
        io::ErrorKind::ReadOnlyFilesystem => "its file system is mounted read-only: mount it for writing",
        io::ErrorKind::PermissionDenied => "give this user the right to read and write it",
        io::ErrorKind::NotFound => "check the path; `lockstep runs` lists the runs",
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => "give the path of a file",
        io::ErrorKind::Unsupported => "its file system has no locks: put `runs` on a local file system",
        _ => "look in the kernel's log (`dmesg`) whether the device fails",
    }
}
