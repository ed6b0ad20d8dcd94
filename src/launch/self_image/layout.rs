//! What stands where in the image, and the digest of that recipe.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::libraries::Closure;
use crate::launch::Error;
use crate::launch::docker::{MODEL_DIR_INSIDE, SCRATCH_DIR_INSIDE, USER};
use crate::launch::tar_stream::TarStream;
use crate::terms::{Digest, canonical_value};

/// Where the executable stands.
pub(super) const EXECUTABLE_INSIDE: &str = "/lockstep";
/// The one time in the image.
pub(super) const CREATED: &str = "1970-01-01T00:00:00Z";
/// Label by which images of this kind are known.
pub(super) const IMAGE_LABEL: &str = "org.lockstep.self";
/// Raised whenever the rules of this file or of `libraries` change what is put where.
const RECIPE_VERSION: u32 = 1;
/// A name for the user that everything runs as, for programs that ask for it.
const PASSWD: &str = "nobody:x:65534:65534:nobody:/:/nonexistent\n";
const GROUP: &str = "nogroup:x:65534:\n";

/// One entry of a layer, by its absolute path.
enum Entry {
    Folder { mode: u32 },
    Text(&'static str),
    File { source: PathBuf, mode: u32 },
    Link { target: String },
}

/// The image's two layers: what changes seldom, and the executable.
pub(super) fn layers(executable: &Path, closure: &Closure) -> Result<[TarStream; 2], Error> {
    let mut base = fixed_entries();
    for placed in &closure.files {
        let inside = text(&placed.inside)?;
        for link in &placed.links {
            base.insert(text(link)?, Entry::Link { target: inside.clone() });
        }
        // The kernel executes the loader; the loader only maps the others.
        let mode = if closure.files.first() == Some(placed) { 0o755 } else { 0o644 };
        base.insert(inside, Entry::File { source: placed.source.clone(), mode });
    }
    let own = Entry::File { source: executable.to_owned(), mode: 0o755 };
    Ok([layer(&base)?, layer(&BTreeMap::from([(EXECUTABLE_INSIDE.to_owned(), own)]))?])
}

/// What the image holds whatever the executable is.
fn fixed_entries() -> BTreeMap<String, Entry> {
    BTreeMap::from([
        (MODEL_DIR_INSIDE.to_owned(), Entry::Folder { mode: 0o755 }),
        // What is mounted over a folder that exists takes over that folder's mode, whatever the mount asks for.
        (SCRATCH_DIR_INSIDE.to_owned(), Entry::Folder { mode: 0o1777 }),
        ("/etc/passwd".to_owned(), Entry::Text(PASSWD)),
        ("/etc/group".to_owned(), Entry::Text(GROUP)),
    ])
}

/// Digest of the recipe: layout, metadata and command, without the executable and its libraries. It stays the same
/// over builds of the executable, so it is what a lock can hold.
#[must_use]
pub fn recipe_digest(command: &[String]) -> Digest {
    let describe = |(path, entry): (&String, &Entry)| match entry {
        Entry::Folder { mode } => json!({ "path": path, "folder": mode }),
        Entry::Text(content) => json!({ "path": path, "text": content }),
        Entry::File { mode, .. } => json!({ "path": path, "file": mode }),
        Entry::Link { target } => json!({ "path": path, "link": target }),
    };
    let fixed: Vec<_> = fixed_entries().iter().map(describe).collect();
    let recipe = json!({
        "recipe": RECIPE_VERSION,
        "executable": EXECUTABLE_INSIDE,
        "layers": ["fixed entries, loader, libraries", "executable"],
        "fixed": fixed,
        "created": CREATED,
        "config": container_config(),
        "command": command,
    });
    Digest::of(canonical_value(&recipe).as_bytes())
}

/// What the image says about the containers made from it.
pub(super) fn container_config() -> serde_json::Value {
    json!({
        "Entrypoint": [EXECUTABLE_INSIDE],
        "User": USER,
        "WorkingDir": "/",
        "Labels": { IMAGE_LABEL: RECIPE_VERSION.to_string() },
    })
}

fn layer(entries: &BTreeMap<String, Entry>) -> Result<TarStream, Error> {
    let mut stream = TarStream::default();
    let mut folders = BTreeSet::new();
    for (path, entry) in entries {
        let above = Path::new(path).ancestors().skip(1).filter(|folder| folder.parent().is_some());
        let above: BTreeSet<PathBuf> = above.map(Path::to_owned).collect();
        for folder in above {
            if folders.insert(folder.clone()) {
                stream.folder(relative(&text(&folder)?), 0o755)?;
            }
        }
        match entry {
            Entry::Folder { mode } => stream.folder(relative(path), *mode)?,
            Entry::Text(content) => stream.bytes(relative(path), content.as_bytes())?,
            Entry::File { source, mode } => stream.file(relative(path), source, *mode)?,
            Entry::Link { target } => stream.link(relative(path), target)?,
        }
    }
    Ok(stream.finish())
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

fn text(path: &Path) -> Result<String, Error> {
    let foreign = || Error::Elf { path: path.to_owned(), found: "its path is not UTF-8".to_owned() };
    path.to_str().map(str::to_owned).ok_or_else(foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_changes_with_the_command_and_with_nothing_else() {
        let command = ["runner".to_owned()];
        assert_eq!(recipe_digest(&command), recipe_digest(&command));
        assert_ne!(recipe_digest(&command), recipe_digest(&[]));
        // Pinned: committed locks hold this digest. Raise RECIPE_VERSION when the recipe is changed on purpose.
        assert_eq!(recipe_digest(&command).short(), "f7fc64164231");
    }
}
