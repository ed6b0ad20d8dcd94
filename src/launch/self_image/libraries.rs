//! The shared libraries that a loader would find for an executable, and where an image must hold them.
//!
//! The order is the loader's own (ld.so(8)): the run path of the file that asks (or, where it has none, the `DT_RPATH`
//! of the file and of those that led to it), then the default folders. The loader's cache is not read. When the
//! executable is this very process, the libraries that its loader did map are known, and those are taken.
//!
//! In the image a library that a run path leads to stands in that folder. Any other stands in one default folder,
//! with links from all the others, because which folders are a loader's default depends on who built it.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::elf::{self, Machine, Needs};
use crate::launch::Error;
use crate::launch::outside::procfs;

/// Everything that must be in the image beside the executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closure {
    pub machine: Machine,
    /// The loader and then the libraries, in the order in which they were asked for; empty for a static executable.
    pub files: Vec<Placed>,
}

/// One file and its places in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    /// The file on this host.
    pub source: PathBuf,
    /// Its absolute path in the image.
    pub inside: PathBuf,
    /// Absolute paths in the image of links that lead to it.
    pub links: Vec<PathBuf>,
}

/// A folder on this host and the same folder in the image; they differ where a path begins with `$ORIGIN`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    host: PathBuf,
    inside: PathBuf,
}

/// A file whose needs are still to be met.
struct Asker {
    path: PathBuf,
    needs: Needs,
    /// Its own folders, by run path.
    folders: Vec<Folder>,
    /// Folders of the `DT_RPATH` of this file and of those that led to it.
    inherited: Vec<Folder>,
}

/// Finds everything that `executable` needs when it stands at `inside` in the image.
///
/// # Errors
/// The executable is no ELF file of a known machine, or a library is nowhere.
pub(super) fn closure(executable: &Path, inside: &Path) -> Result<Closure, Error> {
    let real = executable.canonicalize().map_err(Error::file("open", executable))?;
    let needs = elf::needs(&real)?;
    let machine = needs.machine;
    let Some(interpreter) = needs.interpreter.clone() else {
        return Ok(Closure { machine, files: Vec::new() });
    };
    let mapped = if is_this_process(&real) { mapped_libraries() } else { BTreeMap::new() };
    let defaults = default_folders(machine, &interpreter);
    let mut files = vec![Placed { source: interpreter.clone(), inside: interpreter.clone(), links: Vec::new() }];
    let mut met: Vec<String> = Vec::new();
    let mut open = VecDeque::from([Asker::new(real, inside, needs, &[])]);
    while let Some(asker) = open.pop_front() {
        for name in &asker.needs.needed {
            if met.contains(name) || is_the_loader(name, &interpreter) {
                continue;
            }
            met.push(name.clone());
            let placed = find(name, &asker, machine, &mapped, &defaults)?;
            let needs = elf::needs(&placed.source)?;
            open.push_back(Asker::new(placed.source.clone(), &placed.inside, needs, &asker.inherited));
            files.push(placed);
        }
    }
    Ok(Closure { machine, files })
}

impl Asker {
    fn new(path: PathBuf, inside: &Path, needs: Needs, inherited: &[Folder]) -> Self {
        let expand = |folders: &[String]| -> Vec<Folder> {
            folders.iter().filter_map(|folder| expand(folder, &path, inside)).collect()
        };
        // A file with a run path ignores every `DT_RPATH`, its own included.
        let rpath = if needs.runpath.is_empty() { expand(&needs.rpath) } else { Vec::new() };
        let folders = expand(&needs.runpath);
        let inherited = rpath.into_iter().chain(inherited.iter().cloned()).collect();
        Self { path, needs, folders, inherited }
    }

    /// The folders to search before the default ones.
    fn searched(&self) -> &[Folder] {
        if self.needs.runpath.is_empty() { &self.inherited } else { &self.folders }
    }
}

fn find(
    name: &str,
    asker: &Asker,
    machine: Machine,
    mapped: &BTreeMap<String, PathBuf>,
    defaults: &[PathBuf],
) -> Result<Placed, Error> {
    let fits = |path: &Path| path.is_file() && elf::needs(path).is_ok_and(|needs| needs.machine == machine);
    if name.contains('/') {
        let path = PathBuf::from(name);
        return match path.is_absolute() && fits(&path) {
            true => Ok(Placed { source: path.clone(), inside: path, links: Vec::new() }),
            false => Err(missing(name, asker, "its own path")),
        };
    }
    let by_run_path = asker.searched().iter().find(|folder| fits(&folder.host.join(name)));
    let by_default = || defaults.iter().map(|folder| folder.join(name)).find(|path| fits(path));
    let known = mapped.get(name).cloned();
    match (by_run_path, known) {
        (Some(folder), known) => Ok(Placed {
            source: known.unwrap_or_else(|| folder.host.join(name)),
            inside: folder.inside.join(name),
            links: Vec::new(),
        }),
        (None, known) => {
            let searched = || {
                let own = asker.searched().iter().map(|folder| folder.host.clone());
                own.chain(defaults.iter().cloned())
                    .map(|path| path.display().to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let source = known.or_else(by_default).ok_or_else(|| missing(name, asker, &searched()))?;
            let mut places = defaults.iter().map(|folder| folder.join(name));
            let inside = places.next().unwrap_or_else(|| Path::new("/lib").join(name));
            Ok(Placed { source, inside, links: places.collect() })
        }
    }
}

fn missing(name: &str, asker: &Asker, searched: &str) -> Error {
    Error::LibraryMissing { name: name.to_owned(), needed_by: asker.path.clone(), searched: searched.to_owned() }
}

/// Expands one folder of a run path; `None` for one that is relative or that holds another token than `$ORIGIN`.
fn expand(folder: &str, path: &Path, inside: &Path) -> Option<Folder> {
    let at = |file: &Path| {
        let origin = file.parent()?.to_str()?;
        let text = folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
        (text.starts_with('/') && !text.contains('$')).then(|| PathBuf::from(text))
    };
    Some(Folder { host: at(path)?, inside: without_dots(&at(inside)?) })
}

/// The path without `.` and `..`. The image has no linked folders, so this is where the path leads in it.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// Folders that loaders search by default, over the distributions, and the folder of the loader itself.
fn default_folders(machine: Machine, interpreter: &Path) -> Vec<PathBuf> {
    let by_machine = machine.library_folder().map(|name| [format!("/lib/{name}"), format!("/usr/lib/{name}")]);
    let plain = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(PathBuf::from);
    let mut folders: Vec<PathBuf> = by_machine.into_iter().flatten().map(PathBuf::from).chain(plain).collect();
    if let Some(own) = interpreter.parent().map(without_dots).filter(|own| !folders.contains(own)) {
        folders.push(own);
    }
    folders
}

/// Whether a needed name means the loader, which is there already. musl's loader is the C library and all its parts.
fn is_the_loader(name: &str, interpreter: &Path) -> bool {
    let loader = interpreter.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let part_of_musl = || {
        let stem = name.strip_prefix("lib").and_then(|rest| rest.split_once('.')).map(|(stem, _)| stem);
        stem.is_some_and(|stem| ["c", "pthread", "rt", "m", "dl", "util", "xnet"].contains(&stem))
    };
    name == loader || (loader.starts_with("ld-musl-") && part_of_musl())
}

fn is_this_process(executable: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino())).ok();
    identity(executable).is_some_and(|identity_| Some(identity_) == identity(Path::new("/proc/self/exe")))
}

/// The libraries that are mapped into this process, by the name that others need them under.
fn mapped_libraries() -> BTreeMap<String, PathBuf> {
    let mappings = procfs::code_mappings(std::process::id()).unwrap_or_default();
    let named = |path: String| {
        let path = PathBuf::from(path);
        Some((elf::needs(&path).ok()?.soname?, path))
    };
    let unchanged = mappings.into_iter().filter(|mapping| {
        // A library that was replaced since cannot be read any more under its path.
        Path::new(&mapping.path).metadata().is_ok_and(|file| file.ino() == mapping.inode)
    });
    unchanged.filter_map(|mapping| named(mapping.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_path_is_expanded_for_the_host_and_for_the_image() {
        let expand = |folder| expand(folder, Path::new("/home/u/target/debug/lockstep"), Path::new("/lockstep"));
        let folder = |host: &str, inside: &str| Some(Folder { host: host.into(), inside: inside.into() });
        assert_eq!(expand("$ORIGIN/../lib"), folder("/home/u/target/debug/../lib", "/lib"));
        assert_eq!(expand("${ORIGIN}"), folder("/home/u/target/debug", "/"));
        assert_eq!(expand("/nix/store/x-glibc/lib"), folder("/nix/store/x-glibc/lib", "/nix/store/x-glibc/lib"));
        assert_eq!(expand("/opt/$LIB"), None);
        assert_eq!(expand("relative/lib"), None);
    }

    #[test]
    fn a_run_path_silences_every_rpath() {
        let interpreter = Some(PathBuf::from("/lib/ld.so"));
        let machine = elf::needs(Path::new("/bin/sh")).unwrap().machine;
        let needs = |runpath: &[&str], rpath: &[&str]| Needs {
            machine,
            interpreter: interpreter.clone(),
            needed: Vec::new(),
            soname: None,
            runpath: runpath.iter().map(|part| (*part).to_owned()).collect(),
            rpath: rpath.iter().map(|part| (*part).to_owned()).collect(),
        };
        let hosts = |asker: &Asker| asker.searched().iter().map(|folder| folder.host.clone()).collect::<Vec<_>>();
        let top = Asker::new("/a/top".into(), Path::new("/lockstep"), needs(&[], &["/top"]), &[]);
        let below = Asker::new("/a/l.so".into(), Path::new("/l.so"), needs(&[], &["/below"]), &top.inherited);
        assert_eq!(hosts(&below), [Path::new("/below"), Path::new("/top")]);
        let own = Asker::new("/a/l.so".into(), Path::new("/l.so"), needs(&["/run"], &["/below"]), &top.inherited);
        assert_eq!(hosts(&own), [Path::new("/run")]);
    }

    #[test]
    fn musls_loader_stands_for_all_its_parts() {
        let musl = Path::new("/lib/ld-musl-x86_64.so.1");
        let glibc = Path::new("/lib64/ld-linux-x86-64.so.2");
        assert!(is_the_loader("libc.musl-x86_64.so.1", musl) && is_the_loader("libpthread.so.0", musl));
        assert!(!is_the_loader("libgcc_s.so.1", musl));
        assert!(is_the_loader("ld-linux-x86-64.so.2", glibc) && !is_the_loader("libc.so.6", glibc));
    }

    #[test]
    fn the_closure_of_this_executable_is_what_is_mapped() {
        let closure = closure(&std::env::current_exe().unwrap(), Path::new("/lockstep")).unwrap();
        let mut found: Vec<PathBuf> =
            closure.files.iter().map(|placed| placed.source.canonicalize().unwrap()).collect();
        found.sort();
        let own = std::env::current_exe().unwrap();
        let mapped = procfs::code_mappings(std::process::id()).unwrap();
        let mapped: Vec<PathBuf> =
            mapped.into_iter().map(|mapping| PathBuf::from(mapping.path)).filter(|path| *path != own).collect();
        assert_eq!(found, mapped);
    }

    #[test]
    fn another_executable_is_resolved_by_the_folders_alone() {
        let closure = closure(Path::new("/bin/sh"), Path::new("/lockstep")).unwrap();
        let c_library = closure.files.iter().find(|placed| placed.inside.ends_with("libc.so.6")).unwrap();
        assert!(c_library.source.is_file());
        assert!(!c_library.links.is_empty(), "a default folder is reached from all the others");
    }
}
