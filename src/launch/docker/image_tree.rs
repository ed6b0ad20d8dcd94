//! The digest of an image's normalised file tree: what makes two builds from one lock the same stack.
//!
//! A line for each entry, sorted by path: kind, permission bits, owner and group by number, and the content's SHA-256 or
//! the link's target. A hard link counts as the file that it is: engines differ in which of them they keep, and in which of
//! two names is the link. Times are left out, and so is the following, which a build, a loader or an engine makes anew:
//!
//! - logs: all below `var/log`;
//! - byte-code caches: each `__pycache__`, and what ends with `.pyc` directly in one; a `.pyc` elsewhere is a module;
//! - `var/cache/ldconfig/aux-cache`: the times and the inodes of libraries, by which the loader's list is made sooner;
//! - below `dev`, `proc` and `sys`, and of `etc` the files `hostname`, `hosts`, `mtab` and `resolv.conf`, and
//!   `.dockerenv`: what an engine puts into every container in place of it, so that nothing in one ever reads an image's.
//!
//! The folders themselves count, by kind, mode and owner. A change of this list changes every digest: [`RULES`] counts it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptions;
use futures_util::StreamExt as _;
use tokio::sync::mpsc::{self, Receiver};

use super::container::remove_container;
use super::engine::{Engine, NEWS_DEADLINE};
use crate::launch::{Error, Supervisor};
use crate::terms::{Digest, Hasher};

/// The version of the rules by which a tree's digest is formed; a tree that was kept under others is read again.
pub(super) const RULES: u32 = 3;

/// Folders whose content an engine mounts over, or which hold logs: what is below them is left out.
const FOLDERS_LEFT_OUT: [&str; 4] = ["dev/", "proc/", "sys/", "var/log/"];

/// Files that the engine or the loader makes anew.
const FILES_LEFT_OUT: [&str; 6] =
    [".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "var/cache/ldconfig/aux-cache"];

/// Reads the file tree of an image by way of a container that is made, read and removed, and never started.
pub(super) async fn tree_of_image(engine: &Engine, image: &str) -> Result<Digest, Error> {
    let body = reading_body(image, &Supervisor::current()?);
    let creation = engine.docker().create_container(None::<CreateContainerOptions>, body);
    let created = engine.bring_up(format!("making a container to read {image}"), creation).await?;
    let tree = read(engine, &created.id, image).await;
    remove_container(engine, &created.id, "that reads an image").await?;
    tree
}

/// The request for that container, marked as this process's, so that it is found should the process be killed.
fn reading_body(image: &str, supervisor: &Supervisor) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        // An image without a command cannot be made a container of; this one is never started.
        cmd: Some(vec!["/".to_owned()]),
        labels: Some(supervisor.labels()),
        ..ContainerCreateBody::default()
    }
}

async fn read(engine: &Engine, container: &str, image: &str) -> Result<Digest, Error> {
    let doing = format!("reading the files of {image}");
    let (sender, receiver) = mpsc::channel::<Vec<u8>>(4);
    let reading = tokio::task::spawn_blocking(move || tree_of_archive(Chunks { receiver, open: Vec::new(), at: 0 }));
    let mut stream = engine.docker().export_container(container);
    loop {
        let Ok(chunk) = tokio::time::timeout(NEWS_DEADLINE, stream.next()).await else {
            return Err(Error::Slow { doing, waited_s: NEWS_DEADLINE.as_secs_f64() });
        };
        match chunk {
            Some(Ok(bytes)) => {
                if sender.send(bytes.to_vec()).await.is_err() {
                    break;
                }
            }
            Some(Err(error)) => return Err(Error::engine(doing)(error)),
            None => break,
        }
    }
    drop(sender);
    let found = |error: String| Error::Answer { doing: doing.clone(), found: error };
    reading.await.map_err(|error| found(error.to_string()))?.map_err(|error| found(error.to_string()))
}

/// The digest of the tree in a tar archive.
fn tree_of_archive(archive: impl Read) -> io::Result<Digest> {
    // What is left out may be what a hard link names.
    let mut lines: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = plain(&entry.path_bytes());
        if !path.is_empty() {
            let line = line(&mut entry, &path, &lines)?;
            lines.insert(path, line);
        }
    }
    let mut hasher = Hasher::default();
    for (path, line) in lines.iter().filter(|(path, _)| !is_left_out(path)) {
        hasher.update(&[path.as_slice(), b"\0", line, b"\n"].concat());
    }
    Ok(hasher.finish())
}

/// All that counts of an entry but its path.
fn line(
    entry: &mut tar::Entry<'_, impl Read>,
    path: &[u8],
    before: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> io::Result<Vec<u8>> {
    let target = entry.link_name_bytes().map(|target| target.into_owned());
    let header = entry.header();
    let (kind, mode) = (header.entry_type(), header.mode()? & 0o7777);
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let content = match (kind, target) {
        (tar::EntryType::Link, Some(target)) => {
            let linked = before.get(&plain(&target)).cloned();
            return linked.ok_or_else(|| {
                let (path, target) = (told(path), told(&target));
                io::Error::other(format!("{path} is a hard link to {target}, which does not come before it"))
            });
        }
        (tar::EntryType::Symlink, Some(target)) => target,
        (tar::EntryType::Regular | tar::EntryType::Directory | tar::EntryType::Fifo, None) => Vec::new(),
        (tar::EntryType::Char | tar::EntryType::Block, None) => {
            let [major, minor] =
                [header.device_major(), header.device_minor()].map(|number| number.ok().flatten().unwrap_or_default());
            format!("{major}:{minor}").into_bytes()
        }
        (kind, _) => {
            let (path, kind) = (told(path), char::from(kind.as_byte()).escape_default());
            return Err(io::Error::other(format!(
                "{path} is an entry of the kind '{kind}', whose content is not known"
            )));
        }
    };
    let owned = format!("{:02x} {mode:o} {}:{} ", kind.as_byte(), header.uid()?, header.gid()?);
    let content = if kind.is_file() { Digest::of_reader(entry)?.to_string().into_bytes() } else { content };
    Ok([owned.into_bytes(), content].concat())
}

/// A path as every entry of an archive is named here.
fn plain(path: &[u8]) -> Vec<u8> {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    path.strip_suffix(b"/").unwrap_or(path).to_vec()
}

fn is_left_out(path: &[u8]) -> bool {
    // No name that is left out holds what is not ASCII.
    let path = String::from_utf8_lossy(path);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let cached = name.ends_with(".pyc") && folder.rsplit('/').next() == Some("__pycache__");
    FOLDERS_LEFT_OUT.iter().any(|left| path.starts_with(left))
        || FILES_LEFT_OUT.contains(&path.as_ref())
        || name == "__pycache__"
        || cached
}

/// What the engine sends, for a reader on another thread.
struct Chunks {
    receiver: Receiver<Vec<u8>>,
    open: Vec<u8>,
    at: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.open.len() {
            let Some(next) = self.receiver.blocking_recv() else { return Ok(0) };
            (self.open, self.at) = (next, 0);
        }
        let left = self.open.get(self.at..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::Marker;

    /// An archive of files with mode and modification time.
    fn archive(files: &[(&str, &str, u32, u64)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content, mode, mtime) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(*mode);
            header.set_mtime(*mtime);
            header.set_uid(0);
            header.set_gid(0);
            builder.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn tree(files: &[(&str, &str, u32, u64)]) -> Digest {
        tree_of_archive(archive(files).as_slice()).unwrap()
    }

    #[test]
    fn a_container_that_reads_an_image_is_found_by_whose_it_is() {
        let here = Supervisor::current().unwrap();
        let labels = reading_body("sha256:1", &here).labels.unwrap();
        assert_eq!(Marker::of_labels(&labels).map(|marker| marker.supervisor), Some(here));
    }

    /// One entry of any kind, owned by somebody.
    fn tree_of_one(kind: tar::EntryType, owner: (u64, u64), target: Option<&str>) -> Digest {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_mode(0o755);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        match target {
            Some(target) => builder.append_link(&mut header, "opt/a", target).unwrap(),
            None => builder.append_data(&mut header, "opt/a", [].as_slice()).unwrap(),
        }
        tree_of_archive(builder.into_inner().unwrap().as_slice()).unwrap()
    }

    #[test]
    fn kind_owner_group_and_the_target_of_a_link_count() {
        use tar::EntryType::{Char, Directory, Fifo, Regular, Symlink};
        let of = tree_of_one;
        let all = [
            of(Regular, (0, 0), None),
            of(Regular, (65534, 0), None),
            of(Regular, (0, 65534), None),
            of(Directory, (0, 0), None),
            of(Fifo, (0, 0), None),
            of(Char, (0, 0), None),
            of(Symlink, (0, 0), Some("b")),
            of(Symlink, (0, 0), Some("c")),
            of(Symlink, (1, 0), Some("b")),
        ];
        let different: std::collections::BTreeSet<Digest> = all.into_iter().collect();
        assert_eq!(different.len(), 9, "two of them are taken for one");
    }

    /// Entries of one kind, each with its name's bytes, device number and content.
    fn archive_of(kind: tar::EntryType, entries: &[(&[u8], u32, &str)]) -> Vec<u8> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut builder = tar::Builder::new(Vec::new());
        for (name, device, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_device_major(1).unwrap();
            header.set_device_minor(*device).unwrap();
            builder.append_data(&mut header, std::ffi::OsStr::from_bytes(name), content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn names_are_bytes_devices_have_numbers_and_an_unknown_kind_is_refused() {
        use tar::EntryType::{Char, Regular};
        let of = |kind, entries: &[(&[u8], u32, &str)]| tree_of_archive(archive_of(kind, entries).as_slice());
        let two = |first| of(Regular, &[(b"opt/\xff", 0, first), (b"opt/\xfe", 0, "b")]).unwrap();
        assert_ne!(two("a"), two("c"), "a name that is no UTF-8 hides another's content");
        assert_ne!(of(Char, &[(b"opt/a", 3, "")]).unwrap(), of(Char, &[(b"opt/a", 5, "")]).unwrap());
        let error = of(tar::EntryType::new(b'V'), &[(b"opt/a", 0, "")]).unwrap_err().to_string();
        assert!(error.contains("opt/a is an entry of the kind 'V'"), "{error}");
    }

    #[test]
    fn what_is_left_out_is_what_the_head_of_this_file_lists_and_no_more() {
        let base = tree(&[("opt/a", "1", 0o644, 5)]);
        let with = |path: &str| tree(&[("opt/a", "1", 0o644, 5), (path, "x", 0o644, 5)]);
        let left_out = "opt/__pycache__/b.pyc __pycache__/b.pyc opt/__pycache__ var/log/a var/log/apt/a dev/a proc/a sys/a \
                        etc/hostname etc/hosts etc/mtab etc/resolv.conf .dockerenv var/cache/ldconfig/aux-cache";
        for path in left_out.split_whitespace() {
            assert_eq!(with(path), base, "{path} counts");
        }
        let head = include_str!("image_tree.rs").split("use std").next().unwrap_or_default();
        for listed in FOLDERS_LEFT_OUT.iter().chain(&FILES_LEFT_OUT) {
            let word = listed.trim_end_matches('/').trim_start_matches("etc/");
            assert!(head.contains(&format!("`{word}`")), "the head of this file does not name {word}");
        }
        let counted = "opt/a.py opt/a.pyc opt/a.pyo opt/__pycache__/a opt/__pycache__/b/c.pyc opt/__pycache__.pyc/a var/logs/a \
                       var/lib/a opt/var/log/a root/.cache/a tmp/a opt/tmp/a var/cache/a var/cache/ldconfig/a \
                       var/lib/apt/lists/a etc/hosts.allow etc/passwd opt/.dockerenv var/log tmp dev var/tmp/a devices/a";
        for path in counted.split_whitespace() {
            assert_ne!(with(path), base, "{path} does not count");
        }
    }

    #[test]
    fn times_order_logs_and_caches_do_not_count_and_everything_else_does() {
        let base = tree(&[("opt/a", "1", 0o644, 5), ("opt/b", "2", 0o755, 5)]);
        let again = tree(&[
            ("opt/b", "2", 0o755, 9),
            ("opt/a", "1", 0o644, 9),
            ("var/log/dpkg.log", "today", 0o644, 9),
            ("opt/__pycache__/a.cpython-312.pyc", "x", 0o644, 9),
            ("etc/hosts", "127.0.0.1", 0o644, 9),
        ]);
        assert_eq!(base, again);
        for other in [
            tree(&[("opt/a", "1", 0o644, 5), ("opt/b", "3", 0o755, 5)]),
            tree(&[("opt/a", "1", 0o600, 5), ("opt/b", "2", 0o755, 5)]),
            tree(&[("opt/a", "1", 0o644, 5)]),
            tree(&[("opt/a", "1", 0o644, 5), ("opt/c", "2", 0o755, 5)]),
            tree(&[("opt/a", "1", 0o644, 5), ("opt/b", "2", 0o755, 5), ("etc/hosts.allow", "", 0o644, 5)]),
        ] {
            assert_ne!(base, other);
        }
    }
    /// As [`tree`], of files and hard links, in which a name may stand for another.
    fn tree_with_links(entries: &[(&str, Result<&str, &str>)]) -> io::Result<Digest> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, entry) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o755);
            header.set_uid(0);
            header.set_gid(0);
            match entry {
                Ok(content) => {
                    header.set_size(content.len() as u64);
                    builder.append_data(&mut header, path, content.as_bytes()).unwrap();
                }
                Err(target) => {
                    header.set_size(0);
                    header.set_entry_type(tar::EntryType::Link);
                    builder.append_link(&mut header, path, target).unwrap();
                }
            }
        }
        tree_of_archive(builder.into_inner().unwrap().as_slice())
    }

    /// One engine gives two files for what another gives as a file and a link to it, or the other way round.
    #[test]
    fn a_hard_link_is_the_file_that_it_is_whichever_name_comes_first() {
        let of = |entries: &[(&str, Result<&str, &str>)]| tree_with_links(entries).unwrap();
        let files = of(&[("bin/a", Ok("1")), ("bin/b", Ok("1"))]);
        assert_eq!(of(&[("bin/a", Ok("1")), ("bin/b", Err("bin/a"))]), files);
        assert_eq!(of(&[("./bin/b", Ok("1")), ("./bin/a", Err("./bin/b"))]), files);
        assert_eq!(of(&[("bin/a", Ok("1")), ("var/log/c", Err("bin/a")), ("bin/b", Err("var/log/c"))]), files);
        assert_ne!(of(&[("bin/a", Ok("1")), ("bin/b", Ok("2"))]), files);
        let loose = tree_with_links(&[("bin/b", Err("bin/a")), ("bin/a", Ok("1"))]).unwrap_err().to_string();
        assert!(loose.contains("bin/b is a hard link to bin/a"), "{loose}");
    }
}
