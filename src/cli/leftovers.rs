//! Folders below `runs/` that go with the command that needs them, and those that a lockstep left when it was killed.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

use super::{Error, Project};

/// What a preflight's folder is called, before the process id.
const PREFLIGHT: &str = ".preflight-";
/// What a half-generated model's folder is called, before the process id.
const PARTIAL: &str = ".partial-";

/// The folder of this process's preflight.
pub(super) fn preflight_folder(project: &Project) -> PathBuf {
    project.runs().join(format!("{PREFLIGHT}{}", std::process::id()))
}

/// The folder in which this process generates a model.
pub(super) fn partial_folder(models: &Path) -> PathBuf {
    models.join(format!("{PARTIAL}{}", std::process::id()))
}

/// The folders around a path, made where they were not there. Those that were made go again with this value, unless
/// something stays in them: a verb that fails leaves no empty `runs/` behind.
#[derive(Debug)]
pub(super) struct Around(Vec<PathBuf>);

impl Around {
    /// Of what is going to stand at `path`.
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let absent = path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let made = Self(absent.map(Path::to_owned).collect());
        if let Some(parent) = made.0.first() {
            std::fs::create_dir_all(parent).map_err(Error::file("creating", parent))?;
        }
        Ok(made)
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        // The innermost comes first; one that holds something stays, and with it those around it.
        let _ = self.0.iter().try_for_each(std::fs::remove_dir);
    }
}

/// A folder for as long as this value lives, which goes with all that is in it, however the command ends.
#[derive(Debug)]
pub(super) struct Passing {
    path: PathBuf,
    _around: Around,
}

impl Passing {
    /// The place for a folder that somebody else makes.
    pub(super) fn place(path: PathBuf) -> Result<Self, Error> {
        let around = Around::of(&path)?;
        Ok(Self { path, _around: around })
    }

    pub(super) fn create(path: PathBuf) -> Result<Self, Error> {
        let passing = Self::place(path)?;
        std::fs::create_dir_all(&passing.path).map_err(Error::file("creating", &passing.path))?;
        Ok(passing)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // What cannot be removed now is what `clean` removes later.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes what processes that are no more left in `runs/` and among the models; the names of what went.
pub(super) fn remove(project: &Project) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    for folder in [project.runs(), project.models(), project.bundles()] {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_left(path)) {
            std::fs::remove_dir_all(&path).map_err(Error::file("removing", &path))?;
            removed.push(path.display().to_string());
        }
    }
    removed.sort();
    Ok(removed)
}

/// Removes all that is in `folder`, and it with it; the names of what went.
pub(super) fn remove_all(folder: &Path) -> Result<Vec<String>, Error> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut removed: Vec<String> =
        entries.filter_map(Result::ok).map(|entry| entry.path().display().to_string()).collect();
    std::fs::remove_dir_all(folder).map_err(Error::file("removing", folder))?;
    removed.sort();
    Ok(removed)
}

/// Whether the folder is one of those, and the process it belongs to is gone.
fn is_left(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(owner) = name.strip_prefix(PREFLIGHT).or_else(|| name.strip_prefix(PARTIAL)) else { return false };
    let id = owner.parse().ok().filter(|id| *id > 0).and_then(Pid::from_raw);
    path.is_dir() && id.is_none_or(|id| test_kill_process(id) == Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_folder_goes_with_the_empty_ones_around_it_that_were_made_for_it() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let project = Project::at(root.path().to_owned());
        let there = || std::fs::read_dir(root.path()).expect("it can be listed").count();
        let passing = Passing::create(partial_folder(&project.models())).expect("it can be made");
        std::fs::write(passing.path().join("half"), "x").expect("a file in a new folder");
        assert!(project.runs().is_dir());
        drop(passing);
        assert_eq!(there(), 0);
        // Nobody made the folder itself.
        drop(Passing::place(partial_folder(&project.models())).expect("a place for it"));
        assert_eq!(there(), 0);
        let kept = project.models().join("kept");
        let passing = Passing::create(partial_folder(&project.models())).expect("it can be made");
        std::fs::rename(passing.path(), &kept).expect("it moves into place");
        drop(passing);
        assert!(kept.is_dir());
        // What was there before stays, empty as it is.
        std::fs::remove_dir(&kept).expect("it is empty");
        drop(Passing::create(partial_folder(&project.models())).expect("it can be made"));
        assert!(project.models().is_dir() && std::fs::read_dir(project.models()).expect("a list").next().is_none());
    }

    #[test]
    fn what_is_removed_whole_is_named_piece_by_piece() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let models = Project::at(root.path().to_owned()).models();
        assert!(remove_all(&models).expect("there is nothing").is_empty());
        for name in ["b", "a"] {
            std::fs::create_dir_all(models.join(name)).expect("a folder in a temporary folder");
        }
        let names = ["a", "b"].map(|name| models.join(name).display().to_string());
        assert_eq!(remove_all(&models).expect("they can be removed"), names);
        assert!(!models.exists());
    }

    #[test]
    fn folders_of_dead_processes_go_and_those_of_living_ones_and_of_runs_stay() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let project = Project::at(root.path().to_owned());
        // No process has an id above the kernel's limit of 2^22.
        let dead = [project.runs().join(".preflight-2000000000"), project.models().join(".partial-2000000000")];
        let alive = [preflight_folder(&project), partial_folder(&project.models()), project.runs().join("20260101T")];
        for folder in dead.iter().chain(&alive) {
            std::fs::create_dir_all(folder.join("inner")).expect("a folder in a temporary folder");
        }
        assert_eq!(remove(&project).expect("they can be removed").len(), 2);
        assert!(dead.iter().all(|folder| !folder.exists()));
        assert!(alive.iter().all(|folder| folder.exists()));
    }
}
