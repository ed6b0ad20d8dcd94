//! One record, one line, and the digest that ties it to all lines before it.

use serde::Deserialize;

use super::{Error, FORMAT, Record, Row, row_text};
use crate::terms::{Digest, Hasher};

/// What stands between a record's JSON (without its closing brace) and the chain's hex.
const BEFORE_HEX: &[u8] = br#","chain":""#;

/// What stands after the chain's hex.
const AFTER_HEX: &[u8] = br#""}"#;

const HEX_BYTES: usize = 64;

const SUFFIX_BYTES: usize = BEFORE_HEX.len() + HEX_BYTES + AFTER_HEX.len();

/// The chain of a line, as a digest and as it is written, which is what the next line's covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub digest: Digest,
    hex: [u8; HEX_BYTES],
}

impl Link {
    fn of(digest: Digest) -> Self {
        Self { digest, hex: digest.hex_digits() }
    }
}

/// What the first line is chained to. It holds no version: the header says that, readably.
pub(super) fn origin() -> Link {
    Link::of(Digest::of(b"lockstep journal"))
}

/// The chain of a line: over the chain before it and the record's JSON, given in pieces.
fn next(previous: &Link, json: [&[u8]; 2]) -> Link {
    let mut hasher = Hasher::default();
    hasher.update(&previous.hex);
    hasher.update(b"\n");
    for piece in json {
        hasher.update(piece);
    }
    Link::of(hasher.finish())
}

/// The record's line, line feed included, and its chain.
pub(super) fn encode(previous: &Link, record: &Record) -> Result<(Vec<u8>, Link), Error> {
    let refuse = |message: String| Error::NotRecordable { kind: record.kind(), message };
    let mut line = serde_json::to_vec(record).map_err(|error| refuse(error.to_string()))?;
    // JSON has no NaN and writes `null` for it. What does not read back as itself must not reach the disk.
    match serde_json::from_slice::<Record>(&line) {
        Ok(back) if back == *record => {}
        Ok(_) => return Err(refuse("its JSON reads back as another record".to_owned())),
        Err(error) => return Err(refuse(error.to_string())),
    }
    let chain = next(previous, [&line, b""]);
    line.pop();
    line.extend_from_slice(BEFORE_HEX);
    line.extend_from_slice(&chain.hex);
    line.extend_from_slice(AFTER_HEX);
    line.push(b'\n');
    Ok((line, chain))
}

/// A row that may be read over, and who reads it.
pub(super) type Spare<'a> = (Box<Row>, &'a mut row_text::Reader);

/// The record of a line (given without its line feed) and its chain, which held. A row is read into a `spare` one where
/// there is one, so that a reader of many need not make each anew.
pub(super) fn decode(
    previous: &Link,
    bytes: &[u8],
    line: usize,
    last: bool,
    spare: Option<Spare<'_>>,
) -> Result<(Record, Link), Error> {
    verified(previous, bytes, line, last, spare).map_err(|error| match other_format(bytes) {
        Some(found) => Error::Format { line, found, expected: FORMAT },
        None => error,
    })
}

fn verified(
    previous: &Link,
    bytes: &[u8],
    line: usize,
    last: bool,
    spare: Option<Spare<'_>>,
) -> Result<(Record, Link), Error> {
    let Some((head, hex)) = split(bytes) else {
        let tail = bytes.get(bytes.len().saturating_sub(100)..).unwrap_or_default();
        return Err(Error::NoChain { line, found: String::from_utf8_lossy(tail).into_owned() });
    };
    let chain = next(previous, [head, b"}"]);
    if chain.hex != hex {
        let found = String::from_utf8_lossy(hex).into_owned();
        return Err(Error::BrokenChain { line, computed: chain.digest.hex(), found, last });
    }
    let record = record(head, spare).map_err(|error| Error::NoRecord { line, message: error.to_string() })?;
    Ok((record, chain))
}

/// The record of a line's JSON without its closing brace.
fn record(head: &[u8], spare: Option<Spare<'_>>) -> Result<Record, serde_json::Error> {
    // Nearly every line is a row. When the type is known beforehand, the line is read in one pass, not in two.
    if let Some(fields) = head.strip_prefix(row_text::BEGINS) {
        if let Some((mut row, reader)) = spare
            && reader.read(fields, &mut row).is_some()
        {
            return Ok(Record::Row(row));
        }
        let json = [b"{", fields, b"}"].concat();
        if let Ok(row) = serde_json::from_slice(&json) {
            return Ok(Record::Row(row));
        }
    }
    serde_json::from_slice(&[head, b"}"].concat())
}

/// The chain that stands in the last of whole lines.
pub(super) fn last_of(lines: &[u8]) -> Option<Link> {
    let lines = lines.strip_suffix(b"\n")?;
    let start = lines.len().checked_sub(SUFFIX_BYTES)?;
    let (_, hex) = split(lines.get(start..)?)?;
    Some(Link::of(format!("sha256:{}", std::str::from_utf8(hex).ok()?).parse().ok()?))
}

/// A line's record (without its closing brace) and the chain's hex.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, suffix) = bytes.split_at_checked(bytes.len().checked_sub(SUFFIX_BYTES)?)?;
    let hex = suffix.strip_prefix(BEFORE_HEX)?.strip_suffix(AFTER_HEX)?;
    Some((head, hex))
}

/// The format that a line names, when it is a header of another one: its chain and keys may differ from ours, and
/// then the version is what the reader needs to hear.
fn other_format(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Version {
        r#type: String,
        format: u64,
    }
    let version: Version = serde_json::from_slice(bytes).ok()?;
    (version.r#type == "header" && version.format != u64::from(FORMAT)).then_some(version.format)
}
