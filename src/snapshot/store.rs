//! Snapshots on disk: `snapshots/PLAN/HOST_CLASS.json`, and beside it the journal that it was derived from.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::{Error, HostClass, Snapshot};
use crate::terms::{Digest, is_name};

/// Ends a snapshot's file name.
const SNAPSHOT: &str = ".json";
/// Ends a stored journal's file name.
const JOURNAL: &str = ".journal.jsonl.xz";
/// Ended it before journals were compressed by xz; such snapshots are accepted as they are.
const OLDER_JOURNAL: &str = ".journal.jsonl.gz";

/// Where a plan's snapshot of one host class stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The plan.
    pub plan: String,
    /// The host class.
    pub class: HostClass,
    /// The snapshot.
    pub snapshot: PathBuf,
    /// The journal that it was derived from, compressed.
    pub journal: PathBuf,
}

/// What there is to hold a run against.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The snapshot of the run's own host class.
    Own(Place, Box<Snapshot>),
    /// None of its own class, but this one of another.
    Other(Place, Box<Snapshot>),
    /// None at all.
    None,
}

/// The place of `plan`'s snapshot of `class` below the folder `snapshots`. Touches no file.
///
/// # Errors
/// [`Error::PlanName`] when the plan's name is no file name.
pub fn place(snapshots: &Path, plan: &str, class: &HostClass) -> Result<Place, Error> {
    let folder = folder(snapshots, plan)?;
    Ok(Place {
        plan: plan.to_owned(),
        class: class.clone(),
        snapshot: folder.join(format!("{class}{SNAPSHOT}")),
        journal: folder.join(format!("{class}{JOURNAL}")),
    })
}

fn folder(snapshots: &Path, plan: &str) -> Result<PathBuf, Error> {
    if is_name(plan) {
        Ok(snapshots.join(plan))
    } else {
        Err(Error::PlanName { plan: plan.chars().take(120).collect() })
    }
}

/// The host classes that `plan` has snapshots of, in order.
///
/// # Errors
/// [`Error::PlanName`], or [`Error::File`] when the folder is there and cannot be read.
pub fn classes(snapshots: &Path, plan: &str) -> Result<Vec<HostClass>, Error> {
    let folder = folder(snapshots, plan)?;
    let fault = |source| Error::File { doing: "list", path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(fault)?.file_name();
        let class = name.to_str().and_then(|name| name.strip_suffix(SNAPSHOT)).and_then(|class| class.parse().ok());
        found.extend(class);
    }
    found.sort();
    Ok(found)
}

/// The snapshot to hold a run on `class` against: its own class's, else the nearest other's.
///
/// # Errors
/// [`Error::PlanName`], and what [`classes`] and [`read`] say.
pub fn find(snapshots: &Path, plan: &str, class: &HostClass) -> Result<Found, Error> {
    let own = place(snapshots, plan, class)?;
    if let Some(snapshot) = read(&own)? {
        return Ok(Found::Own(own, Box::new(snapshot)));
    }
    let others = classes(snapshots, plan)?;
    let Some(nearest) = class.nearest(&others) else { return Ok(Found::None) };
    let other = place(snapshots, plan, nearest)?;
    Ok(match read(&other)? {
        Some(snapshot) => Found::Other(other, Box::new(snapshot)),
        None => Found::None,
    })
}

/// The snapshot at `place`; `None` when there is no such file.
///
/// # Errors
/// [`Error::File`], [`Error::Parse`], [`Error::Format`], or [`Error::Misplaced`] when it says another plan or class.
pub fn read(place: &Place) -> Result<Option<Snapshot>, Error> {
    let bytes = match fs::read(&place.snapshot) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { doing: "read", path: place.snapshot.clone(), source }),
    };
    let snapshot = Snapshot::parse(&place.snapshot, &bytes)?;
    if snapshot.plan != place.plan || snapshot.host_class != place.class {
        return Err(Error::Misplaced {
            file: place.snapshot.clone(),
            plan: place.plan.clone(),
            class: place.class.clone(),
            found_plan: snapshot.plan,
            found_class: snapshot.host_class,
        });
    }
    Ok(Some(snapshot))
}

/// The stored journal, as `journal::compress` packed it, and its file: `place`'s, or where that is not there the one of an
/// older snapshot.
///
/// # Errors
/// [`Error::File`] when it is missing or cannot be read.
pub fn read_archive(place: &Place) -> Result<(PathBuf, Vec<u8>), Error> {
    let missing = match fs::read(&place.journal) {
        Ok(bytes) => return Ok((place.journal.clone(), bytes)),
        Err(error) => error,
    };
    let older = older_journal(place);
    match fs::read(&older) {
        Ok(bytes) if missing.kind() == ErrorKind::NotFound => Ok((older, bytes)),
        _ => Err(Error::File { doing: "read the stored journal", path: place.journal.clone(), source: missing }),
    }
}

fn older_journal(place: &Place) -> PathBuf {
    place.snapshot.with_file_name(format!("{}{OLDER_JOURNAL}", place.class))
}

/// Writes a snapshot, and beside it `archive`, the journal that it was derived from as `journal::compress` packs it;
/// each file whole or not at all. The journal goes first, so that a snapshot never stands without one. The journal of an older
/// snapshot in its place goes last.
///
/// # Errors
/// [`Error::PlanName`], [`Error::File`].
pub fn write(snapshots: &Path, snapshot: &Snapshot, archive: &[u8]) -> Result<Place, Error> {
    let place = place(snapshots, &snapshot.plan, &snapshot.host_class)?;
    let json = snapshot.to_json()?;
    if let Some(folder) = place.snapshot.parent() {
        fs::create_dir_all(folder).map_err(|source| Error::File {
            doing: "create the folder",
            path: folder.to_owned(),
            source,
        })?;
    }
    replace(&place.journal, archive)?;
    replace(&place.snapshot, json.as_bytes())?;
    let older = older_journal(&place);
    match fs::remove_file(&older) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(Error::File { doing: "remove the former journal", path: older, source })
        }
        _ => Ok(place),
    }
}

/// Writes beside the file, syncs, and renames over it, so that a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fault = |doing| move |source| Error::File { doing, path: path.to_owned(), source };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = renamed {
        // The first failure is the one to tell; what is left over is only a file with a telling name.
        let _ = fs::remove_file(&temporary);
        return Err(fault("write")(error));
    }
    match path.parent() {
        Some(folder) => File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault("sync the folder of")),
        None => Ok(()),
    }
}

/// Whether `journal`, uncompressed, with the chain head `head` that its reader found, is the one that `snapshot` was
/// derived from. An edit shows in the digest, and a journal that was edited and chained anew shows in the seal.
///
/// # Errors
/// [`Error::OtherSeal`] or [`Error::OtherJournal`].
pub fn check_seal(snapshot: &Snapshot, journal: &[u8], head: Digest) -> Result<(), Error> {
    if head != snapshot.seal {
        return Err(Error::OtherSeal {
            plan: snapshot.plan.clone(),
            class: snapshot.host_class.clone(),
            expected: snapshot.seal,
            found: head,
        });
    }
    let found = Digest::of(journal);
    if found == snapshot.journal_sha256 {
        return Ok(());
    }
    Err(Error::OtherJournal {
        plan: snapshot.plan.clone(),
        class: snapshot.host_class.clone(),
        expected: snapshot.journal_sha256,
        found,
    })
}
