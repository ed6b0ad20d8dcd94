//! How the model's folder gets into a container: as one mount, or file by file where it is made of links.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::create::MODEL_DIR_INSIDE;
use crate::launch::Error;

/// Owner and group of a container's processes.
const NOBODY: u32 = 65_534;

/// One read-only mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelMount {
    /// Absolute path on the host.
    pub source: String,
    /// Path in the container.
    pub target: String,
}

/// The mounts that show the folder `model_dir` at `/model`.
///
/// A Hugging Face cache keeps a checkpoint as links to files outside of its folder, and those would lead nowhere in a
/// container. Such a folder is mounted entry by entry, each by the file that it leads to. So is one beside which the lane
/// has models of its own: there is no place for these in a folder that is mounted read-only as a whole.
///
/// # Errors
/// The folder or an entry is not there, has no UTF-8 path, or cannot be read by the container's user; or one of the lane's
/// own models would hide an entry.
pub(super) fn model_mounts(model_dir: &Path, own: &[ModelMount]) -> Result<Vec<ModelMount>, Error> {
    let folder = model_dir.canonicalize().map_err(Error::file("open the model's folder", model_dir))?;
    check_readable(&folder, 0o5)?;
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(Error::file("list the model's folder", &folder))? {
        let path = entry.map_err(Error::file("list the model's folder", &folder))?.path();
        let target = path.canonicalize().map_err(Error::file("open the model's file", &path))?;
        check_readable(&target, if target.is_dir() { 0o5 } else { 0o4 })?;
        entries.push((path, target));
    }
    entries.sort();
    if own.is_empty() && entries.iter().all(|(_, target)| target.starts_with(&folder)) {
        return Ok(vec![ModelMount { source: text(&folder)?, target: MODEL_DIR_INSIDE.to_owned() }]);
    }
    let mount = |(path, target): &(PathBuf, PathBuf)| {
        let name = path.file_name().unwrap_or_default();
        Ok(ModelMount { source: text(target)?, target: text(&Path::new(MODEL_DIR_INSIDE).join(name))? })
    };
    let mut mounts: Vec<ModelMount> = entries.iter().map(mount).collect::<Result<_, _>>()?;
    for one in own {
        if let Some(hidden) = mounts.iter().find(|known| Path::new(&one.target).starts_with(&known.target)) {
            let reason = "a model of the lane's own has its place there too; give it another `target`";
            return Err(Error::file("mount", hidden.target.clone())(std::io::Error::other(reason)));
        }
        check_readable(Path::new(&one.source), 0o4)?;
        mounts.push(one.clone());
    }
    Ok(mounts)
}

/// Without capabilities the container's user depends on the permission bits like anyone else.
fn check_readable(path: &Path, needed: u32) -> Result<(), Error> {
    let file = path.metadata().map_err(Error::file("read the permissions of", path))?;
    if bits_for_nobody(&file) & needed == needed {
        return Ok(());
    }
    Err(Error::ModelUnreadable { path: path.to_owned(), mode: file.permissions().mode() & 0o7777 })
}

fn bits_for_nobody(file: &Metadata) -> u32 {
    let mode = file.permissions().mode();
    match (file.uid(), file.gid()) {
        (NOBODY, _) => mode >> 6 & 7,
        (_, NOBODY) => mode >> 3 & 7,
        _ => mode & 7,
    }
}

fn text(path: &Path) -> Result<String, Error> {
    let foreign = || std::io::Error::other("the engine takes only UTF-8 paths");
    path.to_str().map(str::to_owned).ok_or_else(|| Error::file("mount", path)(foreign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A folder that anyone may read, with one such file in it.
    fn readable(at: &Path, file: &str) -> PathBuf {
        std::fs::create_dir_all(at).unwrap();
        std::fs::write(at.join(file), "x").unwrap();
        set_mode(at, 0o755);
        set_mode(&at.join(file), 0o644);
        at.canonicalize().unwrap()
    }

    #[test]
    fn a_plain_folder_is_one_mount() {
        let root = tempfile::tempdir().unwrap();
        let folder = readable(&root.path().join("model"), "config.json");
        std::os::unix::fs::symlink("config.json", folder.join("again.json")).unwrap();
        let expected = ModelMount { source: folder.to_str().unwrap().into(), target: "/model".into() };
        assert_eq!(model_mounts(&folder, &[]).unwrap(), [expected]);
    }

    #[test]
    fn a_folder_of_links_is_mounted_by_what_they_lead_to() {
        let root = tempfile::tempdir().unwrap();
        let blobs = readable(&root.path().join("blobs"), "0a1b");
        let snapshot = readable(&root.path().join("snapshots/main"), "own.txt");
        std::os::unix::fs::symlink("../../blobs/0a1b", snapshot.join("config.json")).unwrap();
        let mount = |source: PathBuf, target: &str| ModelMount {
            source: source.to_str().unwrap().into(),
            target: target.into(),
        };
        let expected =
            [mount(blobs.join("0a1b"), "/model/config.json"), mount(snapshot.join("own.txt"), "/model/own.txt")];
        assert_eq!(model_mounts(&snapshot, &[]).unwrap(), expected);
    }

    #[test]
    fn a_model_of_the_lane_s_own_stands_beside_the_plan_s_and_hides_none_of_it() {
        let root = tempfile::tempdir().unwrap();
        let plans = readable(&root.path().join("plans"), "config.json");
        let own = readable(&root.path().join("own"), "model.pth");
        let at =
            |target: &str| ModelMount { source: own.join("model.pth").to_str().unwrap().into(), target: target.into() };
        let of_plan = ModelMount {
            source: plans.join("config.json").to_str().unwrap().into(),
            target: "/model/config.json".into(),
        };
        let beside = at("/model/Llama/model.pth");
        assert_eq!(model_mounts(&plans, std::slice::from_ref(&beside)).unwrap(), [of_plan, beside]);
        let error = model_mounts(&plans, &[at("/model/config.json")]).unwrap_err().to_string();
        assert!(error.contains("`target`"), "{error}");
    }

    #[test]
    fn what_nobody_cannot_read_is_refused_before_the_start() {
        let root = tempfile::tempdir().unwrap();
        let folder = readable(&root.path().join("model"), "model.safetensors");
        set_mode(&folder.join("model.safetensors"), 0o600);
        let error = model_mounts(&folder, &[]).unwrap_err();
        assert!(matches!(&error, Error::ModelUnreadable { mode: 0o600, .. }), "{error}");
        assert!(error.to_string().contains("chmod"), "{error}");
        set_mode(&folder, 0o700);
        assert!(matches!(model_mounts(&folder, &[]), Err(Error::ModelUnreadable { mode: 0o700, .. })));
        assert!(matches!(model_mounts(Path::new("/nowhere/model"), &[]), Err(Error::File { .. })));
    }
}
