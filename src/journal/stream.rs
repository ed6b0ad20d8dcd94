//! A journal read line by line, so that none of it has to stay in memory.
//!
//! ```text
//! worker 0   cut a block │ chain and record of every line │ structure, in order → who asked │ cut a block │ …
//! worker 1               │ cut a block │ chain and record of every line             │ structure, in order │ …
//! ```
//!
//! A line's chain covers the chain that stands in the line before it. Each line can therefore be held against its
//! neighbour wherever it is read: when every line agrees with the one before, all of them agree with the first.
//!
//! Source and structure go round, so blocks are cut and records taken in order. Who has read a block also takes it: its
//! rows lie in the memory next to that processor, and to bring them to another costs more than to bring the structure.

use std::fs::File;
use std::io::{Cursor, Read, Seek as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use memchr::{memchr_iter, memrchr};

use super::chain::Link;
use super::row_text::Reader;
use super::structure::Structure;
use super::{Error, MAX_JOURNAL_BYTES, Record, Row, Torn, archive, chain};
use crate::terms::Digest;

/// Bytes that a worker takes at a time, but for the end of their last line.
const BLOCK_BYTES: usize = 1 << 18;

/// Who asked for records: gets each with its line and what an inspector said of it.
type Take<'a, T> = &'a mut (dyn FnMut(usize, &Record, T) + Send);

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
/// and read lines, each with an inspector of its own, and no number of them changes what `take` sees. A
/// compressed journal is unpacked in memory, a plain one is of any length.
///
/// # Errors
/// Those of [`super::read_file`]. Records before the line at fault were given to `take`.
pub fn stream_file<T: Send, I: FnMut(&Record) -> T + Send>(
    path: &Path,
    workers: NonZeroUsize,
    inspector: impl Fn() -> I,
    take: Take<'_, T>,
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
    take: Take<'_, T>,
) -> Result<Ending, Error> {
    let cutting = turns(Blocks { source, rest: Vec::new(), first: 1, previous: chain::origin() }, workers);
    let taking = turns(Ordered { structure: Structure::default(), take }, workers);
    thread::scope(|scope| {
        let mut others = Vec::new();
        let mut own = None;
        for (cutting, taking) in cutting.into_iter().zip(taking) {
            let worker = Worker::new(inspector());
            match own {
                None => own = Some((worker, cutting, taking)),
                Some(_) => others.push(scope.spawn(move || worker.run(&cutting, &taking))),
            }
        }
        let mut found = own.and_then(|(worker, cutting, taking)| worker.run(&cutting, &taking));
        for other in others {
            match other.join() {
                Ok(end) => found = found.or(end),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        found.unwrap_or(Err(Error::Empty))
    })
}

/// A worker's place in the round in which a thing goes from each to the next. It comes no more when one has left.
struct Turn<T> {
    mine: Receiver<T>,
    next: SyncSender<T>,
}

/// A round of so many, in which the first has the thing.
fn turns<T>(thing: T, count: NonZeroUsize) -> Vec<Turn<T>> {
    // There is one thing, so nobody ever waits to hand it on.
    let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..count.get()).map(|_| sync_channel(1)).unzip();
    if let Some(first) = senders.first() {
        drop(first.send(thing));
    }
    senders.rotate_left(1);
    receivers.into_iter().zip(senders).map(|(mine, next)| Turn { mine, next }).collect()
}

/// Whole lines, or the torn one after them.
struct Block {
    lines: Vec<u8>,
    /// Number of the first of them.
    first: usize,
    /// The chain that stands in the line before them; where none stands, that line is at fault anyway.
    previous: Link,
    /// What stands behind the last line feed of the journal; absent before its end.
    tail: Option<Vec<u8>>,
}

/// The source, cut into blocks.
struct Blocks<S> {
    source: S,
    /// What is read and not given yet.
    rest: Vec<u8>,
    /// Of the next block.
    first: usize,
    previous: Link,
}

impl<S: Read> Blocks<S> {
    /// The next block, in memory that is there to use.
    fn next(&mut self, buffer: Vec<u8>) -> Result<Block, Error> {
        let (lines, tail) = next_block(&mut self.source, &mut self.rest, buffer)?;
        let block = Block { first: self.first, previous: self.previous, tail, lines };
        self.first += memchr_iter(b'\n', &block.lines).count();
        self.previous = chain::last_of(&block.lines).unwrap_or(self.previous);
        Ok(block)
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

/// One of those who check, read, inspect and take lines.
struct Worker<I, T> {
    inspect: I,
    reader: Reader,
    /// Of the block in hand.
    records: Vec<(Record, T)>,
    /// Rows that were taken and are read over.
    #[expect(clippy::vec_box, reason = "a record takes the row in its box, so nothing is moved")]
    spare: Vec<Box<Row>>,
}

impl<T, I: FnMut(&Record) -> T> Worker<I, T> {
    fn new(inspect: I) -> Self {
        Self { inspect, reader: Reader::default(), records: Vec::new(), spare: Vec::new() }
    }

    /// The journal's end, for the one who comes to it; nothing for those who are left without a turn then.
    fn run<S: Read>(
        mut self,
        cutting: &Turn<Blocks<S>>,
        taking: &Turn<Ordered<'_, T>>,
    ) -> Option<Result<Ending, Error>> {
        let mut buffer = Vec::new();
        loop {
            let mut blocks = cutting.mine.recv().ok()?;
            let block = blocks.next(std::mem::take(&mut buffer));
            // Nobody takes it where the next one has left, here and below.
            drop(cutting.next.send(blocks));
            let read = block.and_then(|block| {
                let read = self.decode(&block);
                buffer = block.lines;
                read.map(|head| (head, block.tail))
            });
            let mut ordered = taking.mine.recv().ok()?;
            match ordered.take(&mut self.records, &mut self.spare).and(read) {
                Ok((_, None)) => drop(taking.next.send(ordered)),
                Ok((head, Some(tail))) => return Some(ordered.end(head, tail)),
                Err(fault) => return Some(Err(fault)),
            }
        }
    }

    /// Reads the records up to the first line at fault, and gives the chain of the last one.
    fn decode(&mut self, Block { lines, first, previous, tail }: &Block) -> Result<Link, Error> {
        let ends = tail.as_ref().is_some_and(Vec::is_empty);
        let (mut head, mut begin) = (*previous, 0);
        for end in memchr_iter(b'\n', lines) {
            let text = lines.get(begin..end).unwrap_or_default();
            begin = end + 1;
            let (line, last) = (first + self.records.len(), ends && begin == lines.len());
            let spare = self.spare.pop().or_else(|| copy(self.records.last()?)).map(|row| (row, &mut self.reader));
            let (record, chain) = chain::decode(&head, text, line, last, spare)?;
            let seen = (self.inspect)(&record);
            self.records.push((record, seen));
            head = chain;
        }
        Ok(head)
    }
}

/// The row once more, to be read over.
fn copy<T>((record, _): &(Record, T)) -> Option<Box<Row>> {
    match record {
        Record::Row(row) => Some(row.clone()),
        _ => None,
    }
}

/// Where everything is in order again.
struct Ordered<'a, T> {
    structure: Structure,
    take: Take<'a, T>,
}

impl<T> Ordered<'_, T> {
    /// Takes a block's records and leaves their rows.
    #[expect(clippy::vec_box, reason = "a record has the row in its box, so nothing is moved")]
    fn take(&mut self, records: &mut Vec<(Record, T)>, rows: &mut Vec<Box<Row>>) -> Result<(), Error> {
        for (record, seen) in records.drain(..) {
            let checked = self.structure.check(&record)?;
            self.structure.take(&record, checked);
            (self.take)(self.structure.records(), &record, seen);
            if let Record::Row(row) = record {
                rows.push(row);
            }
        }
        Ok(())
    }

    fn end(&self, head: Link, tail: Vec<u8>) -> Result<Ending, Error> {
        if self.structure.records() == 0 {
            return Err(Error::no_record(&tail));
        }
        let torn = (!tail.is_empty()).then(|| Torn { line: self.structure.records() + 1, bytes: tail });
        Ok(Ending { sealed: self.structure.is_sealed() && torn.is_none(), head: head.digest, torn })
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
        assert_eq!(streamed(b"torn", 2).1, read(b"torn").map(|_| unreachable!()).map_err(|fault| fault.to_string()));
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
