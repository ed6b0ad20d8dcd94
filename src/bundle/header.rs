//! The one form that the header of an entry has: a regular file of nobody at no time. Whatever else a header can say, a
//! bundle does not say, so that headers are compared byte by byte and never interpreted.

use tar::{EntryType, Header};

use super::Error;
use super::contents::File;

/// Tar counts in blocks.
pub(super) const BLOCK: u64 = 512;
/// Two empty blocks end an archive.
pub(super) const END: u64 = 2 * BLOCK;

/// The header of `file`.
pub(super) fn of(path: &str, bytes: u64, executable: bool) -> Result<[u8; BLOCK as usize], Error> {
    let mut header = Header::new_ustar();
    header.set_path(path).map_err(|error| Error::entry(path, format!("does not fit into an archive: {error}")))?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(if executable { 0o755 } else { 0o644 });
    header.set_size(bytes);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(*header.as_bytes())
}

/// Bytes between the end of a file and the next header.
pub(super) const fn padding(bytes: u64) -> u64 {
    (BLOCK - bytes % BLOCK) % BLOCK
}

/// Bytes that an entry takes, its header with it.
pub(super) const fn entry(bytes: u64) -> u64 {
    BLOCK.saturating_add(bytes).saturating_add(padding(bytes))
}

/// What is wrong with a header that is not the one of `expected`; none expected means that the archive should end here.
pub(super) fn explain(found: &[u8; BLOCK as usize], expected: Option<&File>, listed: &[File]) -> Error {
    let header = Header::from_byte_slice(found);
    let path = String::from_utf8_lossy(&header.path_bytes()).into_owned();
    if path.is_empty() {
        let path = expected.map_or("its end", |file| file.path.as_str());
        return Error::altered(path, "no entry stands where the list has one");
    }
    if let Some(what) = special(header.entry_type()) {
        return Error::entry(&path, format!("is {what}"));
    }
    if let Some(Err(error)) = (path != super::contents::NAME).then(|| super::place::check(&path)) {
        return error;
    }
    let Some(at) = listed.iter().position(|file| file.path.eq_ignore_ascii_case(&path)) else {
        return Error::entry(&path, "is not in the bundle's list");
    };
    let Some(expected) = expected.filter(|file| file.path == path) else {
        let due = expected.and_then(|expected| listed.iter().position(|file| file == expected));
        let twice = due.is_none_or(|due| at < due);
        return Error::entry(&path, if twice { "stands twice" } else { "stands out of order" });
    };
    match header.entry_size() {
        Ok(size) if size != expected.bytes => {
            Error::entry(&path, format!("says that it has {size} bytes, and the list says {}", expected.bytes))
        }
        _ => Error::altered(&path, "its header (mode, owner, time or checksum) is not the one that a bundle gives it"),
    }
}

/// What an entry is that is no regular file.
fn special(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular => None,
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Link => Some("a hard link"),
        EntryType::Directory => Some("a folder"),
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Fifo => Some("a pipe"),
        _ => Some("no regular file"),
    }
}
