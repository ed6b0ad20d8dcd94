//! Bytes → records whose chain and structure held.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::chain::Link;
use super::structure::Structure;
use super::{Ending, Error, Header, Observation, Record, Row, Summary, archive, chain};
use crate::terms::{Digest, Failure, Outcome};

/// The longest journal that is written or read, in bytes.
pub const MAX_JOURNAL_BYTES: u64 = 1 << 30;

/// A journal whose chain and structure held.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// The records; record `i` stands in line `i + 1`, the first is a header.
    pub records: Vec<Record>,
    /// Whether the last record is a seal (its counts are right then) and nothing follows it.
    pub sealed: bool,
    /// Chain of the last record; of a sealed journal, the digest that a snapshot keeps.
    pub head: Digest,
    /// A last line that was not wholly written.
    pub torn: Option<Torn>,
}

/// A last line without its line feed: the append of it had not returned, so it is no finished record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub bytes: Vec<u8>,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, bytes } = self;
        write!(f, "line {line} is torn: {} bytes without a line end; no finished record is lost by it", bytes.len())
    }
}

/// A header and what was recorded under it.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The header.
    pub header: &'a Header,
    /// The header's line, from 1.
    pub line: usize,
    /// The records after the header, up to the next one.
    pub records: &'a [Record],
}

impl<'a> Segment<'a> {
    /// The segment's rows, in the order of the file.
    pub fn rows(&self) -> impl Iterator<Item = &'a Row> + use<'a> {
        self.records.iter().filter_map(as_row)
    }
}

impl Journal {
    /// The segments, in the order of the file.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let is_header = |record: &Record| matches!(record, Record::Header(_));
        self.records.iter().enumerate().filter_map(move |(index, record)| {
            let Record::Header(header) = record else { return None };
            let rest = self.records.get(index + 1..).unwrap_or_default();
            let length = rest.iter().position(is_header).unwrap_or(rest.len());
            Some(Segment { header, line: index + 1, records: rest.get(..length).unwrap_or_default() })
        })
    }

    /// Every row as it counts, with its segment's number, in the order of the file. The rows of a launch that was not
    /// what it declares when it left are refused, whatever they say.
    pub fn owned_rows(&self) -> impl Iterator<Item = (u32, Cow<'_, Row>)> {
        let disowned: BTreeMap<u32, &Failure> = self
            .records
            .iter()
            .filter_map(|record| match record {
                Record::LaunchEnd(end) => Some((end.launch, end.disowned.as_ref()?)),
                _ => None,
            })
            .collect();
        self.rows().map(move |(segment, row)| match row.launch.and_then(|launch| disowned.get(&launch)) {
            None => (segment, Cow::Borrowed(row)),
            Some(failure) => {
                let failure = Some((*failure).clone());
                (segment, Cow::Owned(Row { outcome: Outcome::Refused, failure, ..row.clone() }))
            }
        })
    }

    /// The imported printed rows, in the order of the file.
    pub fn summaries(&self) -> impl Iterator<Item = &Summary> {
        self.records.iter().filter_map(|record| match record {
            Record::Summary(summary) => Some(summary.as_ref()),
            _ => None,
        })
    }

    /// The imported raw rows, in the order of the file.
    pub fn observations(&self) -> impl Iterator<Item = &Observation> {
        self.records.iter().filter_map(|record| match record {
            Record::Observation(observation) => Some(observation.as_ref()),
            _ => None,
        })
    }

    /// Every row with its segment's number, in the order of the file.
    pub fn rows(&self) -> impl Iterator<Item = (u32, &Row)> {
        self.segments().flat_map(|segment| segment.rows().map(move |row| (segment.header.segment, row)))
    }
}

fn as_row(record: &Record) -> Option<&Row> {
    match record {
        Record::Row(row) => Some(row),
        _ => None,
    }
}

/// Reads a journal: a pure function of its bytes.
///
/// # Errors
/// The first line at which chain, record or structure does not hold, what was found there and what to try;
/// [`Error::Empty`] or [`Error::FirstLineCut`] when there is no whole record.
pub fn read(bytes: &[u8]) -> Result<Journal, Error> {
    let Scan { journal, .. } = scan(bytes)?;
    if journal.records.is_empty() { Err(Error::no_record(bytes)) } else { Ok(journal) }
}

/// Reads a journal file, or the compressed form that a snapshot keeps.
///
/// # Errors
/// As [`read`], with the file's name; the file cannot be read, or is too long.
pub fn read_file(path: &Path) -> Result<Journal, Error> {
    let opened = File::open(path);
    let mut file = opened.map_err(|source| Error::Io { doing: "opening", path: path.to_owned(), source })?;
    let in_file = |fault: Error| match fault {
        Error::Io { .. } => fault,
        _ => Error::File { path: path.to_owned(), fault: Box::new(fault) },
    };
    let mut bytes = read_all(&mut file, path).map_err(in_file)?;
    if archive::is_archive(&bytes) {
        bytes = archive::decompress(&bytes, MAX_JOURNAL_BYTES).map_err(in_file)?;
    }
    read(&bytes).map_err(in_file)
}

/// The bytes of `records` as a journal, for those who hold them in memory.
///
/// # Errors
/// The records are no journal, or one of them has no JSON form.
pub fn encode(records: &[Record]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    write_unsynced(&mut bytes, records)?;
    Ok(bytes)
}

/// Writes `records` to `out` as a journal and gives the chain of the last. Nothing is synced and nothing is locked: for
/// journals that can be made again. A run writes with [`super::Writer`].
///
/// # Errors
/// The records are no journal, one of them has no JSON form, or `out` does not take it.
pub fn write_unsynced<R: Borrow<Record>>(
    out: &mut impl io::Write,
    records: impl IntoIterator<Item = R>,
) -> Result<Digest, Error> {
    let mut structure = Structure::default();
    let mut head = chain::origin();
    for record in records {
        let record = record.borrow();
        let checked = structure.check(record)?;
        let (line, chain) = chain::encode(&head, record)?;
        structure.take(record, checked);
        head = chain;
        out.write_all(&line).map_err(|source| Error::Unwritten { line: structure.records(), source })?;
    }
    Ok(head.digest)
}

impl Journal {
    /// How it ends.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending { sealed: self.sealed, head: self.head, torn: self.torn.clone() }
    }
}

pub(super) fn read_all(file: &mut File, path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = file.take(MAX_JOURNAL_BYTES + 1).read_to_end(&mut bytes);
    let length = read.map_err(|source| Error::Io { doing: "reading", path: path.to_owned(), source })?;
    if length as u64 > MAX_JOURNAL_BYTES {
        return Err(Error::TooLong { limit_bytes: MAX_JOURNAL_BYTES });
    }
    Ok(bytes)
}

/// A journal that may still be empty, and what a writer needs to go on with it.
pub(super) struct Scan {
    pub journal: Journal,
    pub head: Link,
    pub structure: Structure,
    /// Length of the whole lines, in bytes.
    pub whole_bytes: usize,
}

pub(super) fn scan(bytes: &[u8]) -> Result<Scan, Error> {
    let whole_bytes = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let (whole, tail) = bytes.split_at_checked(whole_bytes).unwrap_or((bytes, b""));
    let mut structure = Structure::default();
    let mut head = chain::origin();
    let mut records = Vec::new();
    let mut lines = whole.split_inclusive(|byte| *byte == b'\n').peekable();
    while let Some(text) = lines.next() {
        let last = lines.peek().is_none() && tail.is_empty();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let (record, chain) = chain::decode(&head, text, records.len() + 1, last, None)?;
        let checked = structure.check(&record)?;
        structure.take(&record, checked);
        records.push(record);
        head = chain;
    }
    let torn = (!tail.is_empty()).then(|| Torn { line: records.len() + 1, bytes: tail.to_vec() });
    let sealed = structure.is_sealed() && torn.is_none();
    let journal = Journal { records, sealed, head: head.digest, torn };
    Ok(Scan { journal, head, structure, whole_bytes })
}
