//! A tar archive as pieces, so that a large executable is read when it is written out and never held in memory.
//!
//! Deterministic: no times, no owners, permission bits from us and not from the host.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use crate::launch::Error;
use crate::terms::{Digest, Hasher};

/// Tar counts in blocks.
const BLOCK: u64 = 512;

/// An archive, or one to be continued.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TarStream {
    pieces: Vec<Piece>,
    bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    File { path: PathBuf, bytes: u64 },
}

impl TarStream {
    /// Adds a folder; `path` is relative and has no slash at its end.
    pub(super) fn folder(&mut self, path: &str, mode: u32) -> Result<(), Error> {
        let header = header(&format!("{path}/"), EntryType::Directory, mode, 0)?;
        self.push(header);
        Ok(())
    }

    /// Adds a file with the content of `source`, as long as it is now.
    pub(super) fn file(&mut self, path: &str, source: &Path, mode: u32) -> Result<(), Error> {
        let bytes = source.metadata().map_err(Error::file("read the size of", source))?.len();
        self.push(header(path, EntryType::Regular, mode, bytes)?);
        self.pieces.push(Piece::File { path: source.to_owned(), bytes });
        self.bytes += bytes;
        self.pad();
        Ok(())
    }

    /// Adds a file with this content.
    pub(super) fn bytes(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        self.push(header(path, EntryType::Regular, 0o644, content.len() as u64)?);
        self.push(content.to_vec());
        self.pad();
        Ok(())
    }

    /// Adds a link to `target`.
    pub(super) fn link(&mut self, path: &str, target: &str) -> Result<(), Error> {
        let mut link = start(path, EntryType::Symlink, 0o777, 0)?;
        link.set_link_name(target).map_err(|source| Error::ArchivePath { path: target.to_owned(), source })?;
        link.set_cksum();
        self.push(link.as_bytes().to_vec());
        Ok(())
    }

    /// Adds a file whose content is another archive.
    pub(super) fn archive(&mut self, path: &str, content: &Self) -> Result<(), Error> {
        self.push(header(path, EntryType::Regular, 0o644, content.bytes)?);
        self.pieces.extend(content.pieces.iter().cloned());
        self.bytes += content.bytes;
        self.pad();
        Ok(())
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> Self {
        self.push(vec![0; 2 * BLOCK as usize]);
        self
    }

    /// Length in bytes.
    pub(super) const fn len(&self) -> u64 {
        self.bytes
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// A file cannot be read or has another length by now, or `out` takes no more.
    pub(super) fn copy_to(&self, out: &mut impl Write) -> io::Result<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.write_all(bytes)?,
                Piece::File { path, bytes } => {
                    let copied = io::copy(&mut File::open(path)?.take(*bytes), out)?;
                    if copied != *bytes {
                        let found = format!("{} changed while it was read", path.display());
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, found));
                    }
                }
            }
        }
        Ok(())
    }

    /// Digest of all of it.
    pub(super) fn digest(&self) -> io::Result<Digest> {
        let mut hashing = Hashing(Hasher::default());
        self.copy_to(&mut hashing)?;
        Ok(hashing.0.finish())
    }

    fn push(&mut self, bytes: Vec<u8>) {
        self.bytes += bytes.len() as u64;
        self.pieces.push(Piece::Bytes(bytes));
    }

    fn pad(&mut self) {
        let surplus = self.bytes % BLOCK;
        if surplus > 0 {
            self.push(vec![0; (BLOCK - surplus) as usize]);
        }
    }
}

struct Hashing(Hasher);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn header(path: &str, kind: EntryType, mode: u32, bytes: u64) -> Result<Vec<u8>, Error> {
    let mut header = start(path, kind, mode, bytes)?;
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

fn start(path: &str, kind: EntryType, mode: u32, bytes: u64) -> Result<Header, Error> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(|source| Error::ArchivePath { path: path.to_owned(), source })?;
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reader_reads_what_was_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; 1000]).unwrap();
        let mut inner = TarStream::default();
        inner.bytes("x", b"inner").unwrap();
        let inner = inner.finish();
        let mut stream = TarStream::default();
        stream.folder("a", 0o755).unwrap();
        stream.file("a/file", file.path(), 0o755).unwrap();
        stream.link("a/link", "/a/file").unwrap();
        stream.archive("layer.tar", &inner).unwrap();
        let stream = stream.finish();
        let mut bytes = Vec::new();
        stream.copy_to(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, stream.len());
        assert_eq!(stream.digest().unwrap(), Digest::of(&bytes));
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
            seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap(), content.len()));
        }
        let expected = [
            ("a/", 0o755, 0),
            ("a/file", 0o755, 1000),
            ("a/link", 0o777, 0),
            ("layer.tar", 0o644, inner.len() as usize),
        ];
        assert_eq!(seen, expected.map(|(path, mode, length)| (path.to_owned(), mode, length)));
    }

    #[test]
    fn a_file_that_shrank_and_a_path_that_is_too_long_are_errors() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [1; 64]).unwrap();
        let mut stream = TarStream::default();
        stream.file("file", file.path(), 0o644).unwrap();
        std::fs::write(file.path(), [1; 63]).unwrap();
        assert_eq!(stream.copy_to(&mut Vec::new()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(matches!(stream.bytes(&"long/".repeat(80), b""), Err(Error::ArchivePath { .. })));
    }
}
