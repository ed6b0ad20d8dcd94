//! Files that stand under their name whole or not at all, also after a power cut.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::Error;

/// Writes a file, its folders made: under another name first, synced, moved into place, and the folder synced.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::file("creating", folder))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let partial = path.with_file_name(format!(".{name}.partial"));
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(Error::file("writing", &partial))?;
    fs::rename(&partial, path).map_err(Error::file("moving into place", path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::file("syncing", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_stays_in_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("inner/verdict.json");
        write_whole(&path, b"first").expect("a new file in a new folder");
        write_whole(&path, b"second").expect("the same file again");
        assert_eq!(fs::read(&path).expect("it was written"), b"second");
        assert_eq!(fs::read_dir(folder.path().join("inner")).expect("it was made").count(), 1);
    }
}
