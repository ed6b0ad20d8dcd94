//! Plans, lanes, locks and runner files: those of the project folder, or else those built into the executable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::Error;
use super::assemble::search_path;
use crate::journal::Journal;
use crate::launch::TreeCache;
use crate::lock::{ArchiveCache, OverlayCache, Statements};
use crate::plan::{Design, Input, Lane, Launcher, Lock, Plan, PlanFile};
use crate::terms::{Digest, nearest};
use crate::verdict::imported_columns;

static PLANS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/plans");
static LANES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lanes");
static LOCKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lockfiles");
static CONTAINERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/containers");

/// Where a text came from when it came from the executable.
pub(super) const EMBEDDED: &str = "embedded";

/// Where a bundle holds the models that lanes bring themselves; no plan's model can have that name.
pub(super) const OWN_MODELS: &str = "models/.own";

/// The folder whose files win over the built-in ones.
#[derive(Debug, Clone)]
pub(super) struct Project {
    root: PathBuf,
    /// The extracted bundle that everything but the runs is taken from; then nothing is taken from elsewhere.
    bundle: Option<PathBuf>,
}

/// A text and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub text: String,
    /// [`EMBEDDED`], or the path below the project folder.
    pub source: String,
}

/// A lane with everything that a launch needs to know about it.
pub(super) struct FoundLane {
    pub lane: Lane,
    pub text: String,
    pub lock: Option<Lock>,
    /// The files it executes, by path below `containers/`.
    pub files: BTreeMap<String, Vec<u8>>,
    pub source: String,
    /// Where overlays are packed and unpacked.
    pub overlays: OverlayCache,
    /// Where the file trees of built images are remembered.
    pub trees: TreeCache,
    /// The folder that its own models lie below.
    pub models_root: PathBuf,
}

impl FoundLane {
    /// Digests of the files it executes.
    pub(super) fn file_digests(&self) -> BTreeMap<String, Digest> {
        self.files.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect()
    }
}

impl Project {
    /// The project at `root`.
    #[must_use]
    pub fn at(root: PathBuf) -> Self {
        Self { root, bundle: None }
    }

    /// This project's runs, and everything else from the bundle extracted to `folder`: neither the project's own files
    /// nor those built into the executable.
    #[must_use]
    pub fn within(&self, bundle: PathBuf) -> Self {
        Self { root: self.root.clone(), bundle: Some(bundle) }
    }

    /// Whether everything is taken from a bundle.
    #[must_use]
    pub fn is_bundled(&self) -> bool {
        self.bundle.is_some()
    }

    /// The folder whose files are used.
    fn base(&self) -> &Path {
        self.bundle.as_deref().unwrap_or(&self.root)
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Folder of the runs.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Folder of the generated and downloaded models.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.runs().join(".models")
    }

    /// Folder of the snapshots.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.base().join("snapshots")
    }

    /// Folder of the extracted bundles.
    #[must_use]
    pub fn bundles(&self) -> PathBuf {
        self.runs().join(".bundles")
    }

    /// Folder in which overlays are packed and unpacked.
    #[must_use]
    pub fn overlay_folder(&self) -> PathBuf {
        self.runs().join(".overlays")
    }

    /// Where overlays are packed and unpacked, and by what.
    pub(super) fn overlays(&self) -> Result<OverlayCache, Error> {
        let tool = self.shipped("overlays/wheel_overlay.py")?.unwrap_or_default();
        Ok(OverlayCache { folder: self.overlay_folder(), tool, search_path: search_path() })
    }

    /// Where the file trees of built images are remembered.
    fn trees(&self) -> TreeCache {
        TreeCache { folder: self.runs().join(".trees") }
    }

    /// The folder that lanes' own models lie below.
    fn models_root(&self) -> PathBuf {
        match &self.bundle {
            Some(bundle) => bundle.join(OWN_MODELS),
            None => self.root.clone(),
        }
    }

    /// Where archives are kept.
    pub(super) fn archives(&self) -> ArchiveCache {
        ArchiveCache { folder: self.runs().join(".archives") }
    }

    /// What public sources say about images and commits.
    pub(super) fn statements(&self) -> Result<Statements, Error> {
        let text = self.shipped("stated.toml")?.unwrap_or_default();
        Ok(Statements::parse("containers/stated.toml", &String::from_utf8_lossy(&text))?)
    }

    /// A shipped file below `containers/`: the project's, or else the built-in one.
    pub(super) fn shipped(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let own = self.base().join("containers").join(path);
        match std::fs::read(&own) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.is_bundled() => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(CONTAINERS.get_file(path).map(|file| file.contents().to_vec()))
            }
            Err(error) => Err(Error::file("reading", own)(error)),
        }
    }

    /// The plan of that name, or in that file.
    pub(super) fn plan(&self, name: &str) -> Result<(Plan, Found), Error> {
        let (file, found) = self.plan_text(name)?;
        Ok((Plan::parse(&file, &found.text)?, found))
    }

    /// The plan or design of that name, or in that file.
    pub(super) fn plan_file(&self, name: &str) -> Result<(PlanFile, Found), Error> {
        let (file, found) = self.plan_text(name)?;
        Ok((PlanFile::parse(&file, &found.text)?, found))
    }

    /// The plan or design in that file, or else that of that name.
    pub(super) fn plan_file_at(&self, path: &str) -> Result<(PlanFile, Found), Error> {
        if !Path::new(path).is_file() {
            return self.plan_file(path);
        }
        let text = std::fs::read_to_string(path).map_err(Error::file("reading the plan", path))?;
        Ok((PlanFile::parse(path, &text)?, Found { text, source: path.to_owned() }))
    }

    /// Refuses a design that reads a column which the imported table of its name does not have. `path` is what the design was
    /// found by.
    pub(super) fn check_columns(path: &str, found: &Found, design: &Design, journal: &Journal) -> Result<(), Error> {
        let name =
            if Path::new(path).is_file() { path.to_owned() } else { display(&found.source, "plans", path, "toml") };
        Ok(design.check_columns(&name, &found.text, &imported_columns(design, journal))?)
    }

    /// The text of the plan of that name, or in that file, and how errors name it.
    fn plan_text(&self, name: &str) -> Result<(String, Found), Error> {
        let found = if name.ends_with(".toml") || name.contains('/') {
            let text = std::fs::read_to_string(name).map_err(Error::file("reading the plan", name))?;
            Found { text, source: name.to_owned() }
        } else {
            self.find("plan", "plans", &PLANS, name, "toml")?
        };
        Ok((display(&found.source, "plans", name, "toml"), found))
    }

    /// The lane of that name with lock and files.
    pub(super) fn lane(&self, name: &str) -> Result<FoundLane, Error> {
        let Found { text, source } = self.find("lane", "lanes", &LANES, name, "toml")?;
        let lane = Lane::parse(&display(&source, "lanes", name, "toml"), &text)?;
        if lane.name != name {
            let found = format!("lanes/{name}.toml holds the lane {:?}", lane.name);
            return Err(Error::usage(found, "a lane's file is named after it"));
        }
        let lock = match self.find("lock", "lockfiles", &LOCKS, name, "lock") {
            Ok(found) => Some(Lock::parse(&display(&found.source, "lockfiles", name, "lock"), &found.text)?),
            Err(Error::Usage { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut files = BTreeMap::new();
        for folder in lane.launcher.folders() {
            files.extend(self.files(folder)?);
        }
        self.check_arguments(&lane, &files)?;
        for path in lane.inputs.values().filter_map(Input::files) {
            // That it is missing is told where the lane is locked or verified, with the lane's name.
            if let Some(bytes) = self.shipped(&path)? {
                files.insert(path, bytes);
            }
        }
        let overlays = self.overlays()?;
        Ok(FoundLane {
            lane,
            text,
            lock,
            files,
            source,
            overlays,
            trees: self.trees(),
            models_root: self.models_root(),
        })
    }

    /// Whether what the lane's arguments name is in the folders that they name, so that a lock is never of a lane that
    /// cannot start.
    fn check_arguments(&self, lane: &Lane, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Error> {
        let Launcher::Process(process) = &lane.launcher else { return Ok(()) };
        for (word, _, folder) in process.folders() {
            let Some(folder) = folder else { continue };
            let named = process.arguments.iter().filter_map(|argument| argument.split_once(word)?.1.strip_prefix('/'));
            for name in named {
                let path = format!("{folder}/{name}");
                if files.keys().any(|file| Path::new(file).starts_with(&path)) {
                    continue;
                }
                let found =
                    format!("the lane {} starts `{word}/{name}`, and there is no `containers/{path}`", lane.name);
                return Err(Error::usage(found, self.instead_of(&path, folder, files)));
            }
        }
        Ok(())
    }

    /// What to try where `path` is not in the folder that a lane names.
    fn instead_of(&self, path: &str, folder: &str, files: &BTreeMap<String, Vec<u8>>) -> String {
        if self.base().join("containers").join(folder).is_dir() && CONTAINERS.get_dir(folder).is_some() {
            return format!(
                "your folder `containers/{folder}` is taken whole in place of the built-in one: move your own files to a \
                 folder of their own, and name that as `own_files`"
            );
        }
        let of_folder = files.keys().map(String::as_str).filter(|file| Path::new(file).starts_with(folder));
        let there: Vec<&str> = of_folder.collect();
        match nearest(path, there.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there is: {}", there.join(", ")),
        }
    }

    /// The names of a kind: those of the project and those built in.
    pub(super) fn names(&self, folder: &str) -> BTreeSet<String> {
        let embedded = match folder {
            "plans" => &PLANS,
            "lanes" => &LANES,
            _ => &LOCKS,
        };
        let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let built_in = embedded.files().filter(|_| !self.is_bundled());
        let mut names: BTreeSet<String> = built_in.filter_map(|file| stem(file.path())).collect();
        if let Ok(entries) = std::fs::read_dir(self.base().join(folder)) {
            let files = entries.filter_map(Result::ok).map(|entry| entry.path());
            names.extend(
                files.filter(|path| path.extension().is_some_and(|e| e == "toml")).filter_map(|path| stem(&path)),
            );
        }
        names
    }

    fn find(&self, kind: &str, folder: &str, embedded: &Dir<'_>, name: &str, extension: &str) -> Result<Found, Error> {
        let file = format!("{name}.{extension}");
        let path = self.base().join(folder).join(&file);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                tracing::debug!(kind, name, path = %path.display(), digest = %Digest::of(text.as_bytes()), "found");
                let from = if self.is_bundled() { "bundle:" } else { "" };
                return Ok(Found { text, source: format!("{from}{folder}/{file}") });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file("reading", path)(error)),
        }
        let built_in = embedded.get_file(&file).filter(|_| !self.is_bundled());
        if let Some(text) = built_in.and_then(|file| file.contents_utf8()) {
            tracing::debug!(kind, name, digest = %Digest::of(text.as_bytes()), "found in the executable");
            return Ok(Found { text: text.to_owned(), source: EMBEDDED.to_owned() });
        }
        let names = self.names(folder);
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", names.into_iter().collect::<Vec<_>>().join(", ")),
        };
        Err(Error::usage(format!("there is no {kind} {name:?}"), hint))
    }

    /// The files of `containers/FOLDER`: the project's when it has that folder, or else the built-in ones.
    fn files(&self, folder: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut files = BTreeMap::new();
        let below = self.base().join("containers");
        if below.join(folder).is_dir() {
            read_below(&below, Path::new(folder), &mut files)?;
        } else if let Some(embedded) = CONTAINERS.get_dir(folder).filter(|_| !self.is_bundled()) {
            embedded_below(embedded, &mut files);
        } else {
            let hint = "put the folder below `containers/` of the project, or do not name it in the lane";
            return Err(Error::usage(format!("there is no folder `containers/{folder}`"), hint));
        }
        Ok(files)
    }
}

fn display(source: &str, folder: &str, name: &str, extension: &str) -> String {
    if source == EMBEDDED { format!("{folder}/{name}.{extension} (embedded)") } else { source.to_owned() }
}

/// Whether a file is source and no by-product of running it.
fn is_source(path: &Path) -> bool {
    !path.components().any(|part| part.as_os_str() == "__pycache__")
        && path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
}

fn embedded_below(folder: &Dir<'_>, files: &mut BTreeMap<String, Vec<u8>>) {
    for file in folder.files().filter(|file| is_source(file.path())) {
        files.insert(file.path().to_string_lossy().into_owned(), file.contents().to_vec());
    }
    for inner in folder.dirs() {
        embedded_below(inner, files);
    }
}

fn read_below(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), Error> {
    let path = root.join(folder);
    for entry in std::fs::read_dir(&path).map_err(Error::file("listing", &path))? {
        let entry = entry.map_err(Error::file("listing", &path))?;
        let below = folder.join(entry.file_name());
        if !is_source(&below) {
            continue;
        }
        if entry.path().is_dir() {
            read_below(root, &below, files)?;
        } else {
            let bytes = std::fs::read(entry.path()).map_err(Error::file("reading", entry.path()))?;
            files.insert(below.to_string_lossy().into_owned(), bytes);
        }
    }
    Ok(())
}
