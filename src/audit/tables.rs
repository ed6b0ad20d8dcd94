//! Printed tables: which file a claim means, and what it says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::import::{InputFile, printed_rows};
use crate::journal::SummaryCell;

/// The longest table that is read, in bytes.
const MAX_TABLE_BYTES: u64 = 16 << 20;

/// The first part of every `data_file`: it stands for the folder itself.
const FOLDER: &str = "data";

/// A printed table: its rows in order, each cell with unit and resolution.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Column to cell, row by row.
    pub rows: Vec<BTreeMap<String, SummaryCell>>,
}

/// The folder called `data` that claims name their tables in.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    /// Every table below it by name, read when a formula first asks for one that its claim did not name.
    all: OnceLock<BTreeMap<String, Table>>,
}

impl DataFolder {
    /// The folder.
    ///
    /// # Errors
    /// [`Error::NoData`] where it is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let no_data = || Error::NoData { path: path.to_owned() };
        let root = path.canonicalize().map_err(|_| no_data())?;
        if !root.is_dir() {
            return Err(no_data());
        }
        Ok(Self { root, all: OnceLock::new() })
    }

    /// The tables of a claim's `data_file`.
    ///
    /// # Errors
    /// [`Error::Missing`] says which file is absent, leaves the folder, or is no table.
    pub(super) fn tables_of(&self, data_files: &[String]) -> Result<BTreeMap<String, Table>, Error> {
        let mut tables = BTreeMap::new();
        for name in data_files {
            tables.extend(read(name, &self.path_of(name)?)?);
        }
        Ok(tables)
    }

    /// The table of that name anywhere in the folder.
    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.all.get_or_init(|| all_below(&self.root)).get(name)
    }

    fn path_of(&self, name: &str) -> Result<PathBuf, Error> {
        let refused = |why: &str| Error::Missing(format!("the table's file {name:?} {why}"));
        let mut parts = Path::new(name).components();
        if parts.next() != Some(Component::Normal(FOLDER.as_ref())) {
            return Err(refused("does not begin with `data/`, so it is refused"));
        }
        let inside = parts.as_path();
        if !inside.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(refused("leaves the folder `data`, so it is refused"));
        }
        let path = self.root.join(inside).canonicalize().map_err(|_| refused("is not there"))?;
        if !path.starts_with(&self.root) {
            return Err(refused("leaves the folder `data` by a link, so it is refused"));
        }
        if !path.is_file() {
            return Err(refused("is no file"));
        }
        Ok(path)
    }
}

/// The tables of one file; every row names its own.
fn read(name: &str, path: &Path) -> Result<BTreeMap<String, Table>, Error> {
    let unreadable = |error: std::io::Error| Error::Missing(format!("the table's file {name:?}: {error}"));
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_TABLE_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_TABLE_BYTES {
        return Err(Error::Missing(format!("the table's file {name:?} is longer than {MAX_TABLE_BYTES} bytes")));
    }
    let rows = printed_rows(&InputFile::new(name, bytes)).map_err(|error| Error::Missing(error.to_string()))?;
    let mut tables = BTreeMap::<String, Table>::new();
    for row in rows {
        tables.entry(row.table).or_default().rows.push(row.values);
    }
    Ok(tables)
}

/// Tables of the folder and of the folders in it, in the order of their paths; the first of a name counts, and what is
/// no table is none.
fn all_below(root: &Path) -> BTreeMap<String, Table> {
    let mut paths = files_in(root);
    let folders = entries(root).into_iter().filter(|path| path.is_dir());
    paths.extend(folders.flat_map(|folder| files_in(&folder)));
    let mut all = BTreeMap::new();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for (name, table) in read(&name, &path).unwrap_or_default() {
            all.entry(name).or_insert(table);
        }
    }
    all
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    entries(folder).into_iter().filter(|path| path.is_file() && path.extension().is_some_and(|e| e == "json")).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    let mut paths: Vec<PathBuf> = listed.unwrap_or_default();
    paths.sort();
    paths
}
