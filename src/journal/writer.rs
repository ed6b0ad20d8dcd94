//! The one process that may append, and what it does when the disk does not.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::chain::Link;
use super::read::{Scan, read_all, scan};
use super::structure::Structure;
use super::{Error, Journal, MAX_JOURNAL_BYTES, Record, Torn, chain};
use crate::terms::Digest;

/// Appends records to a journal that no other process writes. What [`Writer::append`] returned for is on disk.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    structure: Structure,
    head: Link,
    length_bytes: u64,
    failed: bool,
}

/// A journal opened to go on with it.
#[derive(Debug)]
pub struct Opened {
    /// Goes on after the last whole record.
    pub writer: Writer,
    /// What stands there; without records when the run was stopped before its header.
    pub journal: Journal,
    /// The torn last line that was cut off and set aside, if there was one.
    pub torn: Option<Torn>,
}

impl Writer {
    /// Creates a journal and locks it.
    ///
    /// # Errors
    /// [`Error::Exists`], or the file cannot be made.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let created = OpenOptions::new().read(true).append(true).create_new(true).open(path);
        let file = created.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
            _ => Error::Io { doing: "creating", path: path.to_owned(), source },
        })?;
        lock(&file, path)?;
        sync_new(&file, path)?;
        let (structure, head) = (Structure::default(), chain::origin());
        Ok(Self { file, path: path.to_owned(), structure, head, length_bytes: 0, failed: false })
    }

    /// Opens a journal to go on with it: locks it, verifies all of it, and cuts off a torn last line, which is kept
    /// in a file of the same name with the ending `torn`.
    ///
    /// # Errors
    /// [`Error::Held`] while another writer has it; any error of [`super::read_file`].
    pub fn open(path: &Path) -> Result<Opened, Error> {
        let at = |doing: &'static str| move |source| Error::Io { doing, path: path.to_owned(), source };
        let mut file = OpenOptions::new().read(true).append(true).open(path).map_err(at("opening"))?;
        lock(&file, path)?;
        let in_file = |fault| Error::File { path: path.to_owned(), fault: Box::new(fault) };
        let bytes = read_all(&mut file, path)?;
        let Scan { mut journal, head, structure, whole_bytes } = scan(&bytes).map_err(in_file)?;
        let length_bytes = whole_bytes as u64;
        let torn = journal.torn.take();
        if let Some(torn) = &torn {
            set_aside(torn, &path.with_extension("torn"))?;
            file.set_len(length_bytes).map_err(at("cutting the torn line off"))?;
        }
        // A killed writer's last line may be in memory only; whoever goes on relies on it, so it must be on disk.
        file.sync_all().map_err(at("syncing"))?;
        journal.sealed = structure.is_sealed();
        let writer = Self { file, path: path.to_owned(), structure, head, length_bytes, failed: false };
        Ok(Opened { writer, journal, torn })
    }

    /// Appends a record; it is on disk when this returns.
    ///
    /// # Errors
    /// The record may not come next (nothing is written, and the writer goes on); or it did not reach the disk: then
    /// the file is cut back to the last whole record, and the writer takes no more.
    pub fn append(&mut self, record: &Record) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Spent { path: self.path.clone() });
        }
        let checked = self.structure.check(record)?;
        let (line, head) = chain::encode(&self.head, record)?;
        let grown_bytes = self.length_bytes + line.len() as u64;
        if grown_bytes > MAX_JOURNAL_BYTES {
            return Err(Error::TooLong { limit_bytes: MAX_JOURNAL_BYTES });
        }
        self.check_length()?;
        if let Err(source) = self.file.write_all(&line).and_then(|()| self.file.sync_data()) {
            self.failed = true;
            let cut_back = self.file.set_len(self.length_bytes).and_then(|()| self.file.sync_data());
            return Err(Error::Write { path: self.path.clone(), source, readable: cut_back.is_ok() });
        }
        self.structure.take(record, checked);
        self.head = head;
        self.length_bytes = grown_bytes;
        Ok(())
    }

    /// Appends the seal and gives its chain, which stands for the whole journal.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn seal(&mut self) -> Result<Digest, Error> {
        self.append(&Record::Seal(self.structure.seal()))?;
        Ok(self.head.digest)
    }

    /// Chain of the last record.
    #[must_use]
    pub fn head(&self) -> Digest {
        self.head.digest
    }

    /// Records so far.
    #[must_use]
    pub fn records(&self) -> usize {
        self.structure.records()
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.structure.rows()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock is advisory, so a stranger can still write; then our chain would no longer be what stands there.
    fn check_length(&self) -> Result<(), Error> {
        let metadata = self.file.metadata();
        let metadata = metadata.map_err(|source| Error::Io { doing: "looking at", path: self.path.clone(), source })?;
        if metadata.len() == self.length_bytes {
            return Ok(());
        }
        let (expected_bytes, found_bytes) = (self.length_bytes, metadata.len());
        Err(Error::Changed { path: self.path.clone(), expected_bytes, found_bytes })
    }
}

/// The lock goes with the open file, so it ends with the process however that ends.
fn lock(file: &File, path: &Path) -> Result<(), Error> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::Held { path: path.to_owned() },
        TryLockError::Error(source) => Error::Io { doing: "locking", path: path.to_owned(), source },
    })
}

/// A new file is safe only when its folder's entry is on disk too.
fn sync_new(file: &File, path: &Path) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let synced = file.sync_all().and_then(|()| File::open(folder)).and_then(|folder| folder.sync_all());
    synced.map_err(|source| Error::Io { doing: "syncing", path: path.to_owned(), source })
}

fn set_aside(torn: &Torn, path: &Path) -> Result<(), Error> {
    let at = |source| Error::Io { doing: "setting the torn line aside in", path: path.to_owned(), source };
    let mut file = OpenOptions::new().append(true).create(true).open(path).map_err(at)?;
    let mut bytes = torn.bytes.clone();
    bytes.push(b'\n');
    file.write_all(&bytes).map_err(at)?;
    sync_new(&file, path)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::fixture::{ROW_LINE, records, row, sealed};
    use super::super::{encode, read_file};
    use super::*;

    fn written(path: &Path) -> Writer {
        let mut writer = Writer::create(path).unwrap();
        for record in records() {
            writer.append(&record).unwrap();
        }
        writer
    }

    fn journal() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        (folder, path)
    }

    #[test]
    fn what_is_appended_and_sealed_is_the_encoded_journal() {
        let (_folder, path) = journal();
        let mut writer = written(&path);
        assert_eq!((writer.records(), writer.rows()), (16, 5));
        let head = writer.seal().unwrap();
        assert_eq!(fs::read(&path).unwrap(), encode(&sealed()).unwrap());
        let read = read_file(&path).unwrap();
        assert!(read.sealed);
        assert_eq!((read.head, writer.head()), (head, head));
    }

    #[test]
    fn every_record_is_in_the_file_when_its_append_returns() {
        let (_folder, path) = journal();
        let mut writer = Writer::create(&path).unwrap();
        for (index, record) in records().iter().enumerate() {
            writer.append(record).unwrap();
            assert_eq!(read_file(&path).unwrap().records, records()[..=index]);
        }
    }

    #[test]
    fn a_journal_has_one_writer_and_is_created_once() {
        let (_folder, path) = journal();
        let writer = written(&path);
        assert!(matches!(Writer::open(&path), Err(Error::Held { .. })));
        assert!(matches!(Writer::create(&path), Err(Error::Exists { .. })));
        drop(writer);
        assert!(matches!(Writer::create(&path), Err(Error::Exists { .. })));
        assert!(Writer::open(&path).is_ok());
    }

    #[test]
    fn a_journal_opened_again_goes_on_where_it_ended() {
        let (_folder, path) = journal();
        drop(written(&path));
        let Opened { mut writer, journal, torn } = Writer::open(&path).unwrap();
        assert_eq!((journal.records, journal.sealed, torn), (records(), false, None));
        assert!(matches!(writer.append(&row(ROW_LINE, |_| ())), Err(Error::Duplicate { line: 17, .. })));
        writer.seal().unwrap();
        drop(writer);
        assert_eq!(fs::read(&path).unwrap(), encode(&sealed()).unwrap());
        let Opened { mut writer, journal, .. } = Writer::open(&path).unwrap();
        assert!(journal.sealed);
        assert!(matches!(writer.append(&row(ROW_LINE, |_| ())), Err(Error::AfterSeal { line: 18, found: "row" })));
    }

    #[test]
    fn a_torn_line_is_reported_set_aside_and_cut_off() {
        let (folder, path) = journal();
        drop(written(&path));
        let whole = fs::read(&path).unwrap();
        for tail in [&b"{\"type\":\"row\",\"plan\""[..], &[0xff, 0, 0]] {
            fs::write(&path, [&whole, tail].concat()).unwrap();
            let Opened { writer, journal, torn } = Writer::open(&path).unwrap();
            assert_eq!(torn, Some(Torn { line: 17, bytes: tail.to_vec() }));
            assert_eq!((journal.records, journal.torn), (records(), None));
            assert_eq!(fs::read(&path).unwrap(), whole);
            drop(writer);
        }
        let aside = fs::read(folder.path().join("journal.torn")).unwrap();
        assert_eq!(aside, b"{\"type\":\"row\",\"plan\"\n\xff\0\0\n");
    }

    #[test]
    fn a_journal_stopped_before_its_header_can_be_gone_on_with() {
        for start in [&b""[..], b"{\"type\":\"hea"] {
            let (_folder, path) = journal();
            fs::write(&path, start).unwrap();
            let Opened { mut writer, journal, torn } = Writer::open(&path).unwrap();
            assert!(journal.records.is_empty());
            assert_eq!(torn.is_some(), !start.is_empty());
            for record in records() {
                writer.append(&record).unwrap();
            }
            assert_eq!(read_file(&path).unwrap().records, records());
        }
    }

    #[test]
    fn an_edited_journal_is_not_gone_on_with_and_not_touched() {
        let (folder, path) = journal();
        drop(written(&path));
        let edited = String::from_utf8(fs::read(&path).unwrap()).unwrap().replace("1250000", "1250001");
        fs::write(&path, format!("{edited}torn")).unwrap();
        let error = Writer::open(&path).unwrap_err();
        assert_eq!(error.line(), Some(ROW_LINE));
        assert!(error.to_string().contains("journal.jsonl"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{edited}torn"));
        assert!(!folder.path().join("journal.torn").exists());
    }

    #[test]
    fn a_refused_record_leaves_file_and_writer_as_they_were() {
        let (_folder, path) = journal();
        let mut writer = Writer::create(&path).unwrap();
        assert!(matches!(writer.append(&row(ROW_LINE, |_| ())), Err(Error::NoHeader { line: 1, found: "row" })));
        assert_eq!(fs::read(&path).unwrap(), b"");
        for record in records() {
            writer.append(&record).unwrap();
        }
        assert!(matches!(writer.append(&row(ROW_LINE, |_| ())), Err(Error::Duplicate { .. })));
        let share = crate::terms::Signal::outside("share", crate::terms::SignalValue::Float(f64::NAN));
        let unwritable = Record::Reopen { reason: "resumed".into(), command: Vec::new(), signals: vec![share] };
        assert!(matches!(writer.append(&unwritable), Err(Error::NotRecordable { .. })));
        assert_eq!(read_file(&path).unwrap().records, records());
        writer.seal().unwrap();
        assert!(read_file(&path).unwrap().sealed);
    }

    #[test]
    fn a_stranger_who_writes_is_noticed_before_the_next_append() {
        let (_folder, path) = journal();
        let mut writer = written(&path);
        let mut stranger = OpenOptions::new().append(true).open(&path).unwrap();
        stranger.write_all(b"hello\n").unwrap();
        let error = writer.append(&Record::Pause { reason: "asked to stop".into() }).unwrap_err();
        assert!(
            matches!(error, Error::Changed { expected_bytes, found_bytes, .. } if found_bytes == expected_bytes + 6)
        );
    }
}
