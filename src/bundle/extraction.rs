//! Reading a bundle that a stranger made.
//!
//! Nothing in it is interpreted before it is compared: the list comes first and carries its own digest; every header is
//! rebuilt from the list and compared byte by byte; every content is hashed as it is written. Only regular files are ever
//! made, each anew, below a folder that is made for it, at paths that were checked before.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::Error;
use super::contents::{Contents, File, LARGEST_BYTES, NAME};
use super::header::{self, BLOCK};
use crate::terms::{Digest, Hasher};

/// A bundle in a folder, compared with its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The folder.
    pub folder: PathBuf,
    /// What it holds.
    pub contents: Contents,
}

impl Bundle {
    /// A file or folder of it.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.join(inside)
    }
}

/// Extracts the archive `file` into the folder `into`, which must not be there yet, and compares every byte with the list.
///
/// # Errors
/// The first entry that is not what the list says, by name. What was extracted until then is removed.
pub fn extract(file: &Path, into: &Path) -> Result<Bundle, Error> {
    let mut archive = Archive::open(file)?;
    let (contents, text) = archive.contents()?;
    let expected = contents.files.iter().fold(header::entry(text.len() as u64) + header::END, |sum, file| {
        sum.saturating_add(header::entry(file.bytes))
    });
    if archive.bytes < expected {
        return Err(Error::Cut { file: file.to_owned(), found: archive.bytes, expected });
    }
    fs::DirBuilder::new().mode(0o755).create(into).map_err(Error::file("making the folder", into))?;
    let extracted = archive.extract_all(&contents, &text, into);
    if extracted.is_err() {
        let _ = fs::remove_dir_all(into);
    }
    extracted.map(|()| Bundle { folder: into.to_owned(), contents })
}

/// Compares a folder that [`extract`] made with its list again, byte by byte.
///
/// # Errors
/// The first file that is missing, has other content or is not in the list, by name.
pub fn check(folder: &Path) -> Result<Bundle, Error> {
    let list = folder.join(NAME);
    let text = fs::read(&list).map_err(Error::file("reading", &list))?;
    let contents = Contents::parse(folder, &text)?;
    let mut found = Vec::new();
    list_below(folder, "", &mut found)?;
    if let Some(stray) = found.iter().find(|path| *path != NAME && contents.file(path).is_none()) {
        return Err(Error::entry(stray, format!("lies in {} and is not in the bundle's list", folder.display())));
    }
    for file in &contents.files {
        let path = folder.join(&file.path);
        let sha256 = match Digest::of_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::altered(&file.path, "is missing")),
            other => other.map_err(Error::file("reading", &path))?,
        };
        if sha256 != file.sha256 {
            return Err(other_content(file, sha256));
        }
    }
    Ok(Bundle { folder: folder.to_owned(), contents })
}

fn other_content(file: &File, found: Digest) -> Error {
    Error::altered(&file.path, format!("its content has the digest {found}, and the list says {}", file.sha256))
}

/// Paths of everything below `folder` that is no folder.
fn list_below(folder: &Path, below: &str, found: &mut Vec<String>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file("listing", folder))? {
        let entry = entry.map_err(Error::file("listing", folder))?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        // Of the entry itself: a link to a folder is no folder of the bundle.
        if entry.file_type().map_err(Error::file("reading", entry.path()))?.is_dir() {
            list_below(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.push(name);
        }
    }
    Ok(())
}

/// An archive that is read from its start to its end.
struct Archive {
    path: PathBuf,
    file: std::io::BufReader<fs::File>,
    bytes: u64,
}

impl Archive {
    fn open(path: &Path) -> Result<Self, Error> {
        let file = fs::File::open(path).map_err(Error::file("opening the bundle", path))?;
        let metadata = file.metadata().map_err(Error::file("reading the bundle", path))?;
        if !metadata.is_file() {
            return Err(Error::Form { file: path.to_owned(), problem: "it is no file".to_owned() });
        }
        Ok(Self {
            path: path.to_owned(),
            file: std::io::BufReader::with_capacity(1 << 16, file),
            bytes: metadata.len(),
        })
    }

    /// The list, which is the first entry, and its text.
    fn contents(&mut self) -> Result<(Contents, Vec<u8>), Error> {
        let found = self.block(NAME)?;
        let form = |problem: String| Error::Form { file: self.path.clone(), problem };
        let header = tar::Header::from_byte_slice(&found);
        if *header.path_bytes() != *NAME.as_bytes() {
            if header.as_ustar().is_none() && header.as_gnu().is_none() {
                return Err(form("it is no tar archive".to_owned()));
            }
            return Err(match header::explain(&found, None, &[]) {
                // What stands first in an archive of something else is of no interest.
                Error::Entry { problem, .. } if problem.contains("not in the bundle's list") => {
                    form(format!("it does not begin with {NAME}"))
                }
                Error::Altered { .. } => form(format!("it does not begin with {NAME}")),
                other => other,
            });
        }
        let bytes = header.entry_size().map_err(|_| Error::altered(NAME, "its header says no size"))?;
        if bytes > LARGEST_BYTES || bytes > self.bytes {
            let problem = format!(
                "says that it has {bytes} bytes; a list has at most {LARGEST_BYTES}, and the file {}",
                self.bytes
            );
            return Err(Error::entry(NAME, problem));
        }
        if found != header::of(NAME, bytes, false)? {
            return Err(header::explain(&found, Some(&itself(bytes)), &[itself(bytes)]));
        }
        let mut text = vec![0; usize::try_from(bytes).unwrap_or(0)];
        self.fill(&mut text, NAME)?;
        self.padding(bytes, NAME)?;
        Ok((Contents::parse(&self.path, &text)?, text))
    }

    fn extract_all(&mut self, contents: &Contents, text: &[u8], into: &Path) -> Result<(), Error> {
        for file in &contents.files {
            let found = self.block(&file.path)?;
            if found != header::of(&file.path, file.bytes, file.executable)? {
                return Err(header::explain(&found, Some(file), &contents.files));
            }
            let path = into.join(&file.path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(Error::file("making the folder", folder))?;
            }
            self.extract_one(file, &path)?;
            self.padding(file.bytes, &file.path)?;
        }
        let end = self.block("its end")?;
        if end != [0; BLOCK as usize] {
            return Err(header::explain(&end, None, &contents.files));
        }
        if self.block("its end")? != [0; BLOCK as usize] {
            return Err(Error::altered("its end", "something stands behind the last entry"));
        }
        let mut rest = [0_u8; 1];
        if self.file.read(&mut rest).map_err(Error::file("reading the bundle", &self.path))? > 0 {
            return Err(Error::altered("its end", "something stands behind it"));
        }
        let list = into.join(NAME);
        fs::write(&list, text).map_err(Error::file("writing", &list))
    }

    fn extract_one(&mut self, file: &File, path: &Path) -> Result<(), Error> {
        let mode = if file.executable { 0o555 } else { 0o444 };
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)
            .map_err(Error::file("making", path))?;
        let mut hasher = Hasher::default();
        let mut buffer = vec![0_u8; 1 << 16];
        let mut left = file.bytes;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..want).unwrap_or_default();
            self.fill(piece, &file.path)?;
            hasher.update(piece);
            out.write_all(piece).map_err(Error::file("writing", path))?;
            left -= want as u64;
        }
        let found = hasher.finish();
        if found == file.sha256 { Ok(()) } else { Err(other_content(file, found)) }
    }

    fn padding(&mut self, bytes: u64, path: &str) -> Result<(), Error> {
        let mut padding = vec![0; usize::try_from(header::padding(bytes)).unwrap_or(0)];
        self.fill(&mut padding, path)?;
        if padding.iter().all(|byte| *byte == 0) {
            Ok(())
        } else {
            Err(Error::altered(path, "something stands between its end and the next entry"))
        }
    }

    fn block(&mut self, path: &str) -> Result<[u8; BLOCK as usize], Error> {
        let mut block = [0; BLOCK as usize];
        self.fill(&mut block, path)?;
        Ok(block)
    }

    fn fill(&mut self, buffer: &mut [u8], path: &str) -> Result<(), Error> {
        match self.file.read_exact(buffer) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(Error::altered(path, "the archive ends here"))
            }
            other => other.map_err(Error::file("reading the bundle", &self.path)),
        }
    }
}

/// The list as an entry, for the look at its header.
fn itself(bytes: u64) -> File {
    File { path: NAME.to_owned(), sha256: Digest::of(b""), bytes, executable: false }
}
