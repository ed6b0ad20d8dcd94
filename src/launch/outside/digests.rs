//! Digests of files that a process has open or mapped, each file read once.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::procfs::{self, CodeMapping};
use crate::terms::Digest;

/// Digests by file identity. A look at each stage of a preflight must not read every library again.
#[derive(Debug, Clone, Default)]
pub(in crate::launch) struct DigestCache(Arc<Mutex<HashMap<Identity, Digest>>>);

/// Device, inode, size, modification and change time; a file that was written to has another.
type Identity = (u64, u64, u64, (i64, i64), (i64, i64));

impl DigestCache {
    /// Digest of the executable that runs, also when its file was replaced or removed since.
    pub(in crate::launch) fn executable(&self, pid: u32) -> Option<Digest> {
        self.of_file(&File::open(format!("/proc/{pid}/exe")).ok()?)
    }

    /// Digest of a mapped file: of the mapping itself where the kernel permits, otherwise of the file at its path
    /// when that is still the same inode.
    pub(in crate::launch) fn mapping(&self, pid: u32, mapping: &CodeMapping) -> Option<Digest> {
        let mapped = Path::new("/proc").join(pid.to_string()).join("map_files").join(&mapping.range);
        if let Some(digest) = File::open(mapped).ok().and_then(|file| self.of_file(&file)) {
            return Some(digest);
        }
        let file = File::open(procfs::in_root_of(pid, &mapping.path)).ok()?;
        if file.metadata().ok()?.ino() != mapping.inode {
            return None;
        }
        self.of_file(&file)
    }

    fn of_file(&self, file: &File) -> Option<Digest> {
        let identity = identity(&file.metadata().ok()?);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&identity).copied();
        if known.is_some() {
            return known;
        }
        let digest = Digest::of_reader(&mut { file }).ok()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(identity, digest);
        Some(digest)
    }
}

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino(), file.size(), (file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()))
}
