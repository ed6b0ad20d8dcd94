//! Writing a bundle.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::contents::{Contents, File, NAME};
use super::research_object::{About, METADATA, metadata};
use super::{Error, header};
use crate::terms::{Digest, Hasher};

/// Where the content of an entry comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A file of this host.
    File(PathBuf),
    /// A file of this host that may be executed.
    Executable(PathBuf),
}

/// Writes the bundle of `sources`, by path in the bundle, to `out`; the same sources give the same bytes. `contents` is
/// completed by files and digest, and returned.
///
/// # Errors
/// A path that no bundle may hold, a file that cannot be read or changes meanwhile, or `out` takes no more.
pub fn write(
    out: &mut impl Write,
    contents: Contents,
    sources: &BTreeMap<String, Source>,
    about: &About,
) -> Result<Contents, Error> {
    let mut files = sources.iter().map(|(path, source)| listed(path, source)).collect::<Result<Vec<_>, _>>()?;
    let described = metadata(&contents, &files, about);
    let described_source = Source::Bytes(described.into_bytes());
    files.push(listed(METADATA, &described_source)?);
    let contents = contents.finished(files);
    contents.check()?;
    let to_out = |source| Error::File { doing: "writing", path: "the bundle".into(), source };
    let text = contents.text();
    out.write_all(&header::of(NAME, text.len() as u64, false)?).map_err(to_out)?;
    out.write_all(text.as_bytes()).map_err(to_out)?;
    out.write_all(&zeros(header::padding(text.len() as u64))).map_err(to_out)?;
    for file in &contents.files {
        let source = if file.path == METADATA { Some(&described_source) } else { sources.get(&file.path) };
        out.write_all(&header::of(&file.path, file.bytes, file.executable)?).map_err(to_out)?;
        if let Some(source) = source {
            copy(source, file, out)?;
        }
        out.write_all(&zeros(header::padding(file.bytes))).map_err(to_out)?;
    }
    out.write_all(&zeros(header::END)).map_err(to_out)?;
    Ok(contents)
}

fn zeros(count: u64) -> Vec<u8> {
    vec![0; usize::try_from(count).unwrap_or(0)]
}

fn listed(path: &str, source: &Source) -> Result<File, Error> {
    let (sha256, bytes) = match source {
        Source::Bytes(bytes) => (Digest::of(bytes), bytes.len() as u64),
        Source::File(file) | Source::Executable(file) => {
            let mut open = std::fs::File::open(file).map_err(Error::file("opening", file))?;
            let bytes = open.metadata().map_err(Error::file("reading", file))?.len();
            (Digest::of_reader(&mut open).map_err(Error::file("reading", file))?, bytes)
        }
    };
    Ok(File { path: path.to_owned(), sha256, bytes, executable: matches!(source, Source::Executable(_)) })
}

fn copy(source: &Source, listed: &File, out: &mut impl Write) -> Result<(), Error> {
    let to_out = |source| Error::File { doing: "writing", path: "the bundle".into(), source };
    let path = match source {
        Source::Bytes(bytes) => return out.write_all(bytes).map_err(to_out),
        Source::File(path) | Source::Executable(path) => path,
    };
    let found =
        copy_hashed(&mut std::fs::File::open(path).map_err(Error::file("opening", path))?, path, listed.bytes, out)?;
    if found == listed.sha256 { Ok(()) } else { Err(Error::Moved { path: path.clone(), listed: listed.sha256, found }) }
}

/// Copies exactly `bytes` bytes, filled up with zeros where there are fewer, and gives the digest of what was there.
fn copy_hashed(from: &mut impl Read, path: &Path, bytes: u64, out: &mut impl Write) -> Result<Digest, Error> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0_u8; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = from.read(buffer.get_mut(..want).unwrap_or_default()).map_err(Error::file("reading", path))?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
        hasher.update(piece);
        out.write_all(piece).map_err(|source| Error::File { doing: "writing", path: "the bundle".into(), source })?;
        left -= read as u64;
    }
    Ok(hasher.finish())
}
