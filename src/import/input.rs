//! Files in memory, under the names that the journal keeps.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Error, Kind};

/// The longest file that is read, and the most that all files of one import may hold, in bytes.
pub const MAX_INPUT_BYTES: u64 = 256 << 20;

/// How deep below a named folder files are looked for.
const MAX_FOLDERS: usize = 8;

/// One file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// The name that the journal keeps: no path of the machine.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl InputFile {
    /// A file that is in memory already.
    #[must_use]
    pub fn new(name: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), bytes }
    }

    /// Its text, without a byte order mark.
    pub(super) fn text(&self) -> Result<&str, Error> {
        let text = std::str::from_utf8(&self.bytes).map_err(|error| {
            let place = format!("byte {}", error.valid_up_to() + 1);
            Error::fault(&self.name, place, "no UTF-8", "save the file as UTF-8")
        })?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// Whether the name ends so, in whatever case.
    pub(super) fn ends_in(&self, ending: &str) -> bool {
        self.name.to_ascii_lowercase().ends_with(ending)
    }
}

/// Reads the files that are named, and those below the folders that are named, in the order of their names.
///
/// # Errors
/// A path cannot be read, a folder holds nothing that the kind reads, a file is too long, or two have one name.
pub fn gather(kind: Kind, paths: &[PathBuf]) -> Result<Vec<InputFile>, Error> {
    let mut files: Vec<InputFile> = Vec::new();
    let mut left_bytes = MAX_INPUT_BYTES;
    for path in paths {
        for (name, path) in named(kind, path)? {
            if files.iter().any(|file| file.name == name) {
                return Err(Error::SameName { name });
            }
            let bytes = bytes(&name, &path, left_bytes)?;
            left_bytes = left_bytes.saturating_sub(bytes.len() as u64);
            files.push(InputFile { name, bytes });
        }
    }
    Ok(files)
}

fn named(kind: Kind, path: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    if !path.is_dir() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(vec![(name, path.to_owned())]);
    }
    let mut found = Vec::new();
    collect(kind, path, "", MAX_FOLDERS, &mut found)?;
    if found.is_empty() {
        let endings = kind.endings().join(" or ");
        return Err(Error::NoFiles { place: path.display().to_string(), endings, kind: kind.name() });
    }
    found.sort();
    Ok(found)
}

fn collect(
    kind: Kind,
    folder: &Path,
    below: &str,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
) -> Result<(), Error> {
    let failed = |source| Error::Io { doing: "listing", path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        let kind_of_file = entry.file_type().map_err(failed)?;
        if kind_of_file.is_dir() && depth > 0 {
            collect(kind, &path, &format!("{name}/"), depth - 1, found)?;
        } else if kind_of_file.is_file() && kind.takes(&name) {
            found.push((name, path));
        }
    }
    Ok(())
}

fn bytes(name: &str, path: &Path, limit_bytes: u64) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(|source| Error::Io { doing: "opening", path: path.to_owned(), source })?;
    let mut bytes = Vec::new();
    let read = file.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| Error::Io { doing: "reading", path: path.to_owned(), source })?;
    if bytes.len() as u64 > limit_bytes {
        return Err(Error::TooLong { file: name.to_owned(), limit_bytes });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_files_in_order_under_names_of_no_machine() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["z.json", "b/a.json", "notes.txt", "index.json"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let names = |paths: &[PathBuf]| {
            gather(Kind::Table, paths).map(|files| files.into_iter().map(|file| file.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[folder.path().to_owned()]).unwrap(), ["b/a.json", "z.json"]);
        assert_eq!(
            names(&[folder.path().join("z.json"), folder.path().join("b/a.json")]).unwrap(),
            ["z.json", "a.json"]
        );
        let again = names(&[folder.path().join("z.json"), folder.path().to_owned()]);
        assert!(matches!(again, Err(Error::SameName { name }) if name == "z.json"));
        let nothing = gather(Kind::Tr126, &[folder.path().to_owned()]).unwrap_err();
        assert!(nothing.to_string().contains("no file that ends in .csv"), "{nothing}");
        assert!(matches!(names(&[folder.path().join("absent")]), Err(Error::Io { doing: "opening", .. })));
    }

    #[test]
    fn text_is_utf_8_and_a_byte_order_mark_is_none_of_it() {
        assert_eq!(InputFile::new("a", b"\xef\xbb\xbf{}".to_vec()).text().unwrap(), "{}");
        let error = InputFile::new("a", b"ok\xff".to_vec()).text().unwrap_err();
        assert_eq!(error.to_string(), "a, byte 3: no UTF-8; save the file as UTF-8");
        assert!(InputFile::new("x/Y.CSV", Vec::new()).ends_in(".csv"));
    }
}
