//! Models that lanes bring themselves: one file each, or a folder with every file that stands in it.
//!
//! Unlike a plan's checkpoint, nothing is known of what a lane's program reads of it, so every file counts: the digest is
//! that of the file, or SHA-256 over a line `NAME sha256:HEX\n` for each file of the folder, sorted by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Error;
use crate::plan::{Content, Lane, Lock};
use crate::terms::{Digest, Hasher};

/// The files of a model by name; one that is a file itself has the name of nothing.
///
/// # Errors
/// It is not there, cannot be read, is an empty folder, or holds something that is neither a file nor leads to one.
pub fn model_input_files(place: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |problem| Error::Io { action: "reading", path, problem }
    };
    if !place.metadata().map_err(failed(place))?.is_dir() {
        return Ok(BTreeMap::from([(String::new(), place.to_owned())]));
    }
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(place).map_err(failed(place))? {
        let path = entry.map_err(failed(place))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| wrong(&path, "its name is no UTF-8"))?;
        if !path.metadata().map_err(failed(&path))?.is_file() {
            return Err(wrong(&path, "it is no file, and of a lane's model files alone are taken"));
        }
        files.insert(name.to_owned(), path.clone());
    }
    if files.is_empty() {
        return Err(wrong(place, "the folder is empty"));
    }
    Ok(files)
}

fn wrong(path: &Path, problem: &str) -> Error {
    let hint = "put the model's own files there and nothing else";
    Error::File { path: path.to_owned(), problem: problem.to_owned(), hint }
}

/// The digest of a model, by the rule of this file.
///
/// # Errors
/// As [`model_input_files`].
pub fn model_input_digest(place: &Path) -> Result<Digest, Error> {
    let digest = |path: &PathBuf| {
        Digest::of_file(path).map_err(|problem| Error::Io { action: "reading", path: path.clone(), problem })
    };
    let files = model_input_files(place)?;
    if let Some(alone) = files.get("") {
        return digest(alone);
    }
    let mut hasher = Hasher::default();
    for (name, path) in &files {
        hasher.update(format!("{name} {}\n", digest(path)?).as_bytes());
    }
    Ok(hasher.finish())
}

/// The models that `lock` names, each with its input and its path below the project.
fn locked(lock: &Lock) -> impl Iterator<Item = (&String, &String, Digest)> {
    lock.inputs.iter().filter_map(|(input, entry)| match entry.content() {
        Some(Content::Model { path, sha256 }) => Some((input, path, *sha256)),
        _ => None,
    })
}

/// Whether every model that `lock` names lies below `root`; the first that does not is named. Reads no content.
///
/// # Errors
/// [`Error::OtherInput`].
pub fn find_models(lane: &Lane, lock: &Lock, root: &Path) -> Result<(), Error> {
    match locked(lock).find(|(_, path, _)| !root.join(path).exists()) {
        None => Ok(()),
        Some((input, path, sha256)) => {
            let path = root.join(path);
            Err(other(lane, input, format!("{} is not there, and the lock says {sha256}", path.display())))
        }
    }
}

fn other(lane: &Lane, input: &str, problem: String) -> Error {
    let problem = format!("{problem}; put back the model that was locked, or, if another is meant,");
    Error::OtherInput { lane: lane.name.clone(), input: input.to_owned(), problem }
}

/// Whether every model that `lock` names lies below `root` with the bytes that were locked. Reads all of them.
///
/// # Errors
/// [`Error::OtherInput`] with what was found and what was locked; or a file cannot be read.
pub fn verify_models(lane: &Lane, lock: &Lock, root: &Path) -> Result<(), Error> {
    find_models(lane, lock, root)?;
    for (input, path, wanted) in locked(lock) {
        let path = root.join(path);
        let found = model_input_digest(&path)?;
        if found != wanted {
            return Err(other(lane, input, format!("{} is {found}, and the lock says {wanted}", path.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_counts_by_name_and_content_and_nothing_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("m");
        std::fs::create_dir(&folder).unwrap();
        assert!(matches!(model_input_digest(&folder), Err(Error::File { .. })), "empty");
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("model.pth", "weights");
        let one = model_input_digest(&folder).unwrap();
        write("notes.txt", "more");
        let two = model_input_digest(&folder).unwrap();
        write("notes.txt", "other");
        let three = model_input_digest(&folder).unwrap();
        assert!(one != two && two != three);
        assert_eq!(model_input_digest(&folder.join("model.pth")).unwrap(), Digest::of(b"weights"));
        std::fs::create_dir(folder.join("inner")).unwrap();
        let error = model_input_digest(&folder).unwrap_err().to_string();
        assert!(error.contains("inner"), "{error}");
        assert!(matches!(model_input_digest(&root.path().join("gone")), Err(Error::Io { .. })));
    }
}
