//! A journal read line by line, so that none of it has to stay in memory.
//!
//! ```text
//! file → blocks of whole lines → workers: chain and record of every line → structure, in order → who asked
//! ```
//!
//! A line's chain covers the chain that stands in the line before it. Each line can therefore be held against its
//! neighbour wherever it is read: when every line agrees with the one before, all of them agree with the first.

use std::fs::File;
use std::io::{Cursor, Read, Seek as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use memchr::{memchr_iter, memrchr};

use super::row_text::Reader;
use super::structure::Structure;
use super::{Error, MAX_JOURNAL_BYTES, Record, Row, Torn, archive, chain};
use crate::terms::Digest;

/// Bytes that a worker takes at a time, but for the end of their last line.
const BLOCK_BYTES: usize = 1 << 18;

/// Blocks that may wait before and behind each worker.
const WAITING: usize = 2;

/// How a journal ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Whether the last record is a seal and nothing follows it.
    pub sealed: bool,
    /// Chain of the last record.
    pub head: Digest,
    /// A last line that was not wholly written.
    pub torn: Option<Torn>,
}

/// Reads a journal file, or the compressed form that a snapshot keeps, and gives each record to `take`, in order, with
/// its line and what an inspector said of it. What it takes and refuses is what [`super::read_file`] does; `workers` check
/// and read lines meanwhile, each with an inspector of its own, and no number of them changes what `take` sees. A
/// compressed journal is unpacked in memory, a plain one is of any length.
///
/// # Errors
/// Those of [`super::read_file`]. Records before the line at fault were given to `take`.
pub fn stream_file<T: Send, I: FnMut(&Record) -> T + Send>(
    path: &Path,
    workers: NonZeroUsize,
    inspector: impl Fn() -> I,
    take: &mut dyn FnMut(usize, &Record, T),
) -> Result<Ending, Error> {
    let at = |doing: &'static str| move |source| Error::Io { doing, path: path.to_owned(), source };
    let mut file = File::open(path).map_err(at("opening"))?;
    let mut beginning = [0; 2];
    let is_archive = file.read_exact(&mut beginning).is_ok() && archive::is_archive(&beginning);
    file.rewind().map_err(at("reading"))?;
    let in_file = |fault: Error| match fault {
        Error::Unread { source } => at("reading")(source),
        _ => Error::File { path: path.to_owned(), fault: Box::new(fault) },
    };
    if is_archive {
        let bytes = super::read::read_all(&mut file, path).map_err(in_file)?;
        let bytes = archive::decompress(&bytes, MAX_JOURNAL_BYTES).map_err(in_file)?;
        return stream(Cursor::new(bytes), workers, inspector, take).map_err(in_file);
    }
    stream(file, workers, inspector, take).map_err(in_file)
}

/// Reads the journal that `source` gives.
///
/// # Errors
/// As [`stream_file`], without the file's name.
pub(super) fn stream<T: Send, I: FnMut(&Record) -> T + Send>(
    source: impl Read + Send,
    workers: NonZeroUsize,
    inspector: impl Fn() -> I,
    take: &mut dyn FnMut(usize, &Record, T),
) -> Result<Ending, Error> {
    thread::scope(|scope| {
        let (mut inboxes, mut outboxes) = (Vec::new(), Vec::new());
        let (spent_lines, lines) = channel();
        for _ in 0..workers.get() {
            let (inbox, blocks) = sync_channel(WAITING);
            let (outbox, decoded) = sync_channel(WAITING);
            let (spent_rows, rows) = channel();
            inboxes.push(inbox);
            outboxes.push((decoded, spent_rows));
            let mut worker = Worker {
                inspect: inspector(),
                reader: Reader::default(),
                spare: Vec::new(),
                rows,
                spent_lines: spent_lines.clone(),
            };
            scope.spawn(move || worker.run(&blocks, &outbox));
        }
        scope.spawn(move || read_blocks(source, &inboxes, &lines));
        Ordered { structure: Structure::default(), head: chain::origin(), take }.drain(&outboxes)
    })
}

/// Whole lines, or the torn one after them.
struct Block {
    lines: Vec<u8>,
    /// Number of the first of them.
    first: usize,
    /// The chain that stands in the line before them; where none stands, that line is at fault anyway.
    previous: Digest,
    /// What stands behind the last line feed of the journal; absent before its end.
    tail: Option<Vec<u8>>,
}

/// What a worker made of a block.
struct Decoded<T> {
    records: Vec<(Record, T)>,
    /// Chain of the last record.
    head: Digest,
    first: usize,
    fault: Option<Error>,
    tail: Option<Vec<u8>>,
}

/// Cuts the source into blocks and hands them round. Ends early when nobody listens. Lines that were read come back, so
/// that their memory is used again.
fn read_blocks(mut source: impl Read, inboxes: &[SyncSender<Result<Block, Error>>], spent: &Receiver<Vec<u8>>) {
    let mut rest = Vec::new();
    let mut first = 1;
    let mut previous = chain::origin();
    for inbox in inboxes.iter().cycle() {
        let buffer = spent.try_recv().unwrap_or_default();
        let block = next_block(&mut source, &mut rest, buffer).map(|(lines, tail)| {
            let block = Block { first, previous, tail, lines };
            first += memchr_iter(b'\n', &block.lines).count();
            previous = chain::last_of(&block.lines).unwrap_or(previous);
            block
        });
        let goes_on = block.as_ref().is_ok_and(|block| block.tail.is_none());
        if inbox.send(block).is_err() || !goes_on {
            return;
        }
    }
}

/// The next whole lines and, at the end of the source, what follows them. `rest` holds what is read and not given yet,
/// `lines` is memory to use.
fn next_block(
    source: &mut impl Read,
    rest: &mut Vec<u8>,
    mut lines: Vec<u8>,
) -> Result<(Vec<u8>, Option<Vec<u8>>), Error> {
    lines.clear();
    lines.append(rest);
    loop {
        // One byte more than a block, so that the last block of whole lines knows that it is the last.
        let wanted = (BLOCK_BYTES + 1).max(lines.len() + BLOCK_BYTES / 2) - lines.len();
        lines.reserve(wanted);
        let read = source.by_ref().take(wanted as u64).read_to_end(&mut lines);
        let ended = read.map_err(|source| Error::Unread { source })? < wanted;
        let within = if ended { lines.len() } else { lines.len() - 1 };
        match memrchr(b'\n', lines.get(..within).unwrap_or_default()) {
            Some(last) => {
                rest.extend_from_slice(lines.get(last + 1..).unwrap_or_default());
                lines.truncate(last + 1);
                return Ok((lines, ended.then(|| std::mem::take(rest))));
            }
            None if ended => return Ok((Vec::new(), Some(lines))),
            None if lines.len() as u64 > MAX_JOURNAL_BYTES => {
                return Err(Error::TooLong { limit_bytes: MAX_JOURNAL_BYTES });
            }
            None => {}
        }
    }
}

/// One of those who check, read and inspect lines.
#[expect(clippy::vec_box, reason = "a record takes the row in its box, so nothing is moved")]
struct Worker<I> {
    inspect: I,
    reader: Reader,
    /// Rows that were taken and are read over.
    spare: Vec<Box<Row>>,
    /// Where they come from.
    rows: Receiver<Vec<Box<Row>>>,
    spent_lines: Sender<Vec<u8>>,
}

impl<I> Worker<I> {
    /// Ends when no block comes any more, or when nobody listens.
    fn run<T>(&mut self, blocks: &Receiver<Result<Block, Error>>, outbox: &SyncSender<Decoded<T>>)
    where
        I: FnMut(&Record) -> T,
    {
        for block in blocks {
            let decoded = match block {
                Ok(block) => self.decode(block),
                Err(fault) => {
                    let (records, head) = (Vec::new(), chain::origin());
                    Decoded { records, head, first: 0, fault: Some(fault), tail: None }
                }
            };
            if outbox.send(decoded).is_err() {
                return;
            }
        }
    }

    fn decode<T>(&mut self, Block { lines, first, previous, tail }: Block) -> Decoded<T>
    where
        I: FnMut(&Record) -> T,
    {
        self.spare.extend(self.rows.try_iter().flatten());
        let mut decoded = Decoded { records: Vec::new(), head: previous, first, fault: None, tail };
        let ends = decoded.tail.as_ref().is_some_and(Vec::is_empty);
        let mut begin = 0;
        for end in memchr_iter(b'\n', &lines) {
            let text = lines.get(begin..end).unwrap_or_default();
            begin = end + 1;
            let (line, last) = (first + decoded.records.len(), ends && begin == lines.len());
            let spare = self.spare.pop().or_else(|| copy(decoded.records.last()?)).map(|row| (row, &mut self.reader));
            match chain::decode(&decoded.head, text, line, last, spare) {
                Ok((record, head)) => {
                    let seen = (self.inspect)(&record);
                    decoded.records.push((record, seen));
                    decoded.head = head;
                }
                Err(fault) => {
                    decoded.fault = Some(fault);
                    break;
                }
            }
        }
        // Nobody takes them where the source has come to its end.
        drop(self.spent_lines.send(lines));
        decoded
    }
}

/// The row once more, to be read over.
fn copy<T>((record, _): &(Record, T)) -> Option<Box<Row>> {
    match record {
        Record::Row(row) => Some(row.clone()),
        _ => None,
    }
}

/// The end where everything is in order again.
struct Ordered<'a, T> {
    structure: Structure,
    head: Digest,
    take: &'a mut dyn FnMut(usize, &Record, T),
}

/// Where a worker's blocks come from, and where their rows go back to.
type Outbox<T> = (Receiver<Decoded<T>>, Sender<Vec<Box<Row>>>);

impl<T> Ordered<'_, T> {
    fn drain(mut self, outboxes: &[Outbox<T>]) -> Result<Ending, Error> {
        for (outbox, spent_rows) in outboxes.iter().cycle() {
            // A worker that is gone without a word can only have met a panic, which the scope passes on.
            let Ok(Decoded { records, head, first, fault, tail }) = outbox.recv() else { break };
            let mut rows = Vec::with_capacity(records.len());
            for (line, (record, seen)) in (first..).zip(records) {
                let checked = self.structure.check(&record)?;
                self.structure.take(&record, checked);
                (self.take)(line, &record, seen);
                if let Record::Row(row) = record {
                    rows.push(row);
                }
            }
            // A worker that has come to its end needs none.
            drop(spent_rows.send(rows));
            self.head = head;
            if let Some(fault) = fault {
                return Err(fault);
            }
            if let Some(tail) = tail {
                return self.end(tail);
            }
        }
        Err(Error::Empty)
    }

    fn end(self, tail: Vec<u8>) -> Result<Ending, Error> {
        if self.structure.records() == 0 {
            return Err(Error::Empty);
        }
        let torn = (!tail.is_empty()).then(|| Torn { line: self.structure.records() + 1, bytes: tail });
        Ok(Ending { sealed: self.structure.is_sealed() && torn.is_none(), head: self.head, torn })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::sealed;
    use super::super::{encode, read};
    use super::*;

    fn streamed(bytes: &[u8], workers: usize) -> (Vec<Record>, Result<Ending, String>) {
        let mut records = Vec::new();
        let mut take = |line: usize, record: &Record, kind: &'static str| {
            assert_eq!(kind, record.kind());
            records.push(record.clone());
            assert_eq!(line, records.len());
        };
        let ending = stream(bytes, NonZeroUsize::new(workers).unwrap(), || Record::kind, &mut take);
        (records, ending.map_err(|fault| fault.to_string()))
    }

    /// Longer than several blocks.
    fn long() -> Vec<u8> {
        let mut records = sealed();
        records.pop();
        let pause = Record::Pause { reason: "a reason of some length".repeat(20) };
        records.extend(std::iter::repeat_n(pause, 2_000));
        encode(&records).unwrap()
    }

    #[test]
    fn a_stream_gives_what_is_read_at_once_whatever_the_workers() {
        for bytes in [encode(&sealed()).unwrap(), long(), [long(), b"{\"type\":\"pau".to_vec()].concat()] {
            let journal = read(&bytes).unwrap();
            for workers in [1, 2, 5] {
                let (records, ending) = streamed(&bytes, workers);
                assert_eq!(records, journal.records);
                let ending = ending.unwrap();
                assert_eq!(
                    (ending.sealed, ending.head, ending.torn),
                    (journal.sealed, journal.head, journal.torn.clone())
                );
            }
        }
    }

    #[test]
    fn a_stream_refuses_what_a_reader_refuses_in_the_same_words() {
        let good = long();
        for place in (0..good.len()).step_by(9_973).chain([good.len() - 1, good.len() - 5, good.len() - 200]) {
            let mut bad = good.clone();
            bad[place] ^= 1;
            let at_once = read(&bad).map(|_| ()).map_err(|fault| fault.to_string());
            assert_eq!(streamed(&bad, 3).1.map(|_| ()), at_once, "byte {place}");
        }
        assert_eq!(streamed(b"", 2).1, Err(Error::Empty.to_string()));
        assert_eq!(streamed(b"torn", 2).1, Err(Error::Empty.to_string()));
    }

    #[test]
    fn blocks_end_where_lines_end_wherever_the_source_does() {
        for length in [BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES] {
            let mut bytes = vec![b'x'; length];
            for place in (99..length).step_by(100).chain([length - 1]) {
                bytes[place] = b'\n';
            }
            let (mut source, mut rest, mut joined) = (bytes.as_slice(), Vec::new(), Vec::new());
            loop {
                let (lines, tail) = next_block(&mut source, &mut rest, Vec::new()).unwrap();
                assert!(lines.ends_with(b"\n"), "{length}");
                joined.extend(lines);
                if let Some(tail) = tail {
                    assert_eq!(tail, b"", "the last lines are known to be the last");
                    break;
                }
            }
            assert_eq!(joined, bytes);
        }
    }
}
