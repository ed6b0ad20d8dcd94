//! Overlays: wheels packed by `wheel_overlay.py`, unpacked into a cache by the digest of what they hold.
//!
//! ```text
//! cache/wheel_overlay.py            the tool
//! cache/packed/RECIPE-DIGEST/       its archive in parts, by the recipe's digest
//! cache/TREE-DIGEST/                what PYTHONPATH is pointed at
//! ```
//! The tool checks wheels, archive and parts; that the unpacked files are those of the lock is checked here, file by
//! file, each time before a lane is started over them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Error;
use crate::plan::OverlayPin;
use crate::terms::{Digest, Hasher};

/// Where overlays are packed and unpacked, and by what.
#[derive(Debug, Clone)]
pub struct OverlayCache {
    /// The folder.
    pub folder: PathBuf,
    /// The text of `wheel_overlay.py`.
    pub tool: Vec<u8>,
    /// Folders in which `python3` is looked for, separated by `:`.
    pub search_path: String,
}

/// What of a recipe a lock repeats; the tool checks the rest.
#[derive(Deserialize)]
struct Recipe {
    wheels: BTreeMap<String, String>,
}

/// The digests of a recipe's wheels, by `NAME==VERSION`.
pub(super) fn recipe_wheels(name: &str, recipe: &[u8]) -> Result<BTreeMap<String, Digest>, Error> {
    let text = String::from_utf8_lossy(recipe);
    let invalid = |problem: String| Error::Overlay { name: name.to_owned(), problem, hint: "correct the recipe" };
    let Recipe { wheels } = toml::from_str(&text).map_err(|error| invalid(error.message().to_owned()))?;
    let digest = |(wheel, hex): (String, String)| {
        let digest = format!("sha256:{hex}").parse();
        digest.map(|digest| (wheel.clone(), digest)).map_err(|_| invalid(format!("{wheel} has no SHA-256")))
    };
    wheels.into_iter().map(digest).collect()
}

impl OverlayCache {
    /// Where the overlay with these kept files is unpacked.
    #[must_use]
    pub fn unpacked(&self, pin: &OverlayPin) -> PathBuf {
        self.folder.join(pin.tree.hex())
    }

    /// Where the overlay of a recipe with this digest is packed.
    #[must_use]
    pub fn packed(&self, recipe: &str, digest: Digest) -> PathBuf {
        self.folder.join("packed").join(format!("{recipe}-{}", digest.short()))
    }

    /// Whether the overlay is there, packed or unpacked. Says nothing about its content.
    #[must_use]
    pub fn holds(&self, pin: &OverlayPin) -> bool {
        self.unpacked(pin).is_dir() || list_of(&self.packed(&pin.recipe, pin.sha256)).is_some()
    }

    /// Packs the recipe unless that was done before, unpacks it and says what it is.
    ///
    /// # Errors
    /// The recipe cannot be read, the tool fails (its words are on standard error), or a file cannot be used.
    pub fn pin(&self, name: &str, recipe: &[u8]) -> Result<OverlayPin, Error> {
        let sha256 = Digest::of(recipe);
        let invalid = |problem: String| Error::Overlay { name: name.to_owned(), problem, hint: "correct the recipe" };
        let wheels = recipe_wheels(name, recipe)?;
        let packed = self.packed(name, sha256);
        if list_of(&packed).is_none() {
            self.pack(name, recipe, &packed)?;
        }
        let partial = self.folder.join(format!(".unpacking-{}", std::process::id()));
        self.unpack(name, &packed, &partial)?;
        let (tree, files) = tree_digest(&partial)?;
        let target = self.folder.join(tree.hex());
        settle(&partial, &target)?;
        let archive = archive_digest(&packed).ok_or_else(|| invalid("the list of its archive is damaged".into()))?;
        let packed_with = std::fs::read_to_string(packed.join("packed_with")).unwrap_or_default().trim().to_owned();
        Ok(OverlayPin { recipe: name.to_owned(), sha256, archive, tree, files, packed_with, wheels })
    }

    /// The folder of the unpacked overlay, every file of it as the lock says.
    ///
    /// # Errors
    /// The overlay is not in the cache, or something in it is not what was locked.
    pub fn ready(&self, pin: &OverlayPin) -> Result<PathBuf, Error> {
        let target = self.unpacked(pin);
        if !target.is_dir() {
            let packed = self.packed(&pin.recipe, pin.sha256);
            let archive = archive_digest(&packed);
            if archive != Some(pin.archive) {
                let found = archive.map_or_else(|| "not there".to_owned(), |found| found.to_string());
                let problem = format!("its archive is {found}, and the lock says {}", pin.archive);
                let hint = "pack it again by `lockstep lock --pack` with the tools that the lock names";
                return Err(Error::Overlay { name: pin.recipe.clone(), problem, hint });
            }
            let partial = self.folder.join(format!(".unpacking-{}", std::process::id()));
            self.unpack(&pin.recipe, &packed, &partial)?;
            settle(&partial, &target)?;
        }
        let (tree, _) = tree_digest(&target)?;
        if tree != pin.tree {
            let problem =
                format!("the files in {} have the digest {tree}, and the lock says {}", target.display(), pin.tree);
            let hint = "remove the folder; it is unpacked anew";
            return Err(Error::Overlay { name: pin.recipe.clone(), problem, hint });
        }
        Ok(target)
    }

    fn pack(&self, name: &str, recipe: &[u8], packed: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(packed).map_err(io("creating", packed))?;
        let file = packed.join("recipe.toml");
        std::fs::write(&file, recipe).map_err(io("writing", &file))?;
        self.run_tool(name, &["build", &file.to_string_lossy(), "-o", &packed.to_string_lossy()])?;
        let with = packed.join("packed_with");
        std::fs::write(&with, self.packing_tools()).map_err(io("writing", &with))
    }

    fn unpack(&self, name: &str, packed: &Path, target: &Path) -> Result<(), Error> {
        let _ = std::fs::remove_dir_all(target);
        self.run_tool(name, &["unpack", &packed.to_string_lossy(), &target.to_string_lossy()])
    }

    fn run_tool(&self, name: &str, arguments: &[&str]) -> Result<(), Error> {
        let tool = self.folder.join("wheel_overlay.py");
        std::fs::create_dir_all(&self.folder).map_err(io("creating", &self.folder))?;
        std::fs::write(&tool, &self.tool).map_err(io("writing", &tool))?;
        let mut command = Command::new("python3");
        command.arg(&tool).args(arguments).env("PATH", &self.search_path).stdin(Stdio::null()).stdout(Stdio::null());
        let failed = |problem: String, hint| Error::Overlay { name: name.to_owned(), problem, hint };
        let status = command
            .status()
            .map_err(|error| failed(format!("python3 cannot be started: {error}"), "install Python 3.11 or newer"))?;
        match status.success() {
            true => Ok(()),
            false => {
                Err(failed(format!("wheel_overlay.py {} ended with {status}", arguments[0]), "see its words above"))
            }
        }
    }

    /// With another `strip` the same recipe may give other bytes.
    fn packing_tools(&self) -> String {
        let asked = Command::new("strip").arg("--version").env("PATH", &self.search_path).stdin(Stdio::null()).output();
        let text = asked.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
        text.lines().next().unwrap_or("no strip").to_owned()
    }
}

/// Moves a finished folder to its name; where another process was as quick, both made the same.
fn settle(partial: &Path, target: &Path) -> Result<(), Error> {
    if target.is_dir() {
        return std::fs::remove_dir_all(partial).map_err(io("removing", partial));
    }
    std::fs::rename(partial, target).map_err(io("moving into place", target))
}

/// The list of sums that a packed overlay has, if it is complete.
fn list_of(packed: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(packed).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let mut lists = entries.filter(|path| path.to_string_lossy().ends_with(".tar.xz.sha256"));
    lists.next().filter(|_| packed.join("packed_with").exists())
}

/// The digest of the whole archive, by its list; the tool holds the parts against it.
fn archive_digest(packed: &Path) -> Option<Digest> {
    let text = std::fs::read_to_string(list_of(packed)?).ok()?;
    format!("sha256:{}", text.split_whitespace().next()?).parse().ok()
}

/// Digest and number of the files below `folder`. A line for each, `PATH sha256:HEX`, with ` x` where it may be
/// executed, sorted by path. Anything that is no regular file or folder is refused, byte-code caches too: the folder
/// holds what was locked and nothing else.
pub(super) fn tree_digest(folder: &Path) -> Result<(Digest, u32), Error> {
    let mut files = BTreeMap::new();
    collect(folder, folder, &mut files)?;
    let mut hasher = Hasher::default();
    for (path, line) in &files {
        hasher.update(format!("{path} {line}\n").as_bytes());
    }
    Ok((hasher.finish(), u32::try_from(files.len()).unwrap_or(u32::MAX)))
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(io("listing", folder))? {
        let path = entry.map_err(io("listing", folder))?.path();
        let metadata = std::fs::symlink_metadata(&path).map_err(io("reading", &path))?;
        if metadata.is_dir() {
            collect(root, &path, files)?;
        } else if metadata.is_file() {
            let digest = Digest::of_file(&path).map_err(io("reading", &path))?;
            let mark = if metadata.permissions().mode() & 0o111 == 0 { "" } else { " x" };
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.insert(name, format!("{digest}{mark}"));
        } else {
            let problem = "is neither a file nor a folder".to_owned();
            return Err(Error::File { path, problem, hint: "remove the folder that holds it; it is unpacked anew" });
        }
    }
    Ok(())
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |problem| Error::Io { action, path, problem }
}
