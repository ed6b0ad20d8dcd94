//! Archives: files of public addresses, fetched once and kept by their digest.

use std::path::PathBuf;
use std::sync::Arc;

use super::island::block_on;
use super::web::Web;
use super::{Error, RegistryOptions};
use crate::terms::Digest;

/// The largest archive that is taken. CPython's source has a tenth of it.
const LIMIT_BYTES: u64 = 256 << 20;

/// Where archives are kept.
#[derive(Debug, Clone)]
pub struct ArchiveCache {
    /// The folder; each file in it is named by the digest of what it holds.
    pub folder: PathBuf,
}

impl ArchiveCache {
    /// The bytes of the archive: those that are kept, if they are still what they were, else fetched and kept. `dated` is
    /// asked where `url` has the file no longer.
    ///
    /// # Errors
    /// Nobody answers, what comes is another file than the manifest names, or it cannot be kept.
    pub fn bytes(
        &self,
        url: &str,
        dated: Option<&str>,
        sha256: Digest,
        options: &RegistryOptions,
    ) -> Result<Vec<u8>, Error> {
        let kept = self.folder.join(sha256.hex());
        if let Ok(bytes) = std::fs::read(&kept)
            && Digest::of(&bytes) == sha256
        {
            return Ok(bytes);
        }
        let ask = |url: &str| block_on(fetch(url, Arc::new(options.clone())));
        let bytes = match (ask(url), dated) {
            (Err(Error::NotFound { asked, found }), Some(dated)) => ask(dated).map_err(|error| Error::NotFound {
                asked,
                found: format!("{found}, and of the day of the lock: {error}"),
            })?,
            (answer, _) => answer?,
        };
        let found = Digest::of(&bytes);
        if found != sha256 {
            return Err(Error::WrongArchive { url: url.to_owned(), found, wanted: sha256 });
        }
        // Moved into place whole, since another process may look for it at any time.
        let partial = self.folder.join(format!(".{}.{}", sha256.hex(), std::process::id()));
        let written = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(&partial, &bytes))
            .and_then(|()| std::fs::rename(&partial, &kept));
        written.map_err(|problem| Error::Io { action: "keeping the archive", path: kept, problem })?;
        Ok(bytes)
    }
}

async fn fetch(url: &str, options: Arc<RegistryOptions>) -> Result<Vec<u8>, Error> {
    let (folder, name) = url.rsplit_once('/').unwrap_or((url, ""));
    let web = Web::open(&options, folder)?;
    let (_, bytes) = web.get(format!("the archive {name}"), name, "*/*", LIMIT_BYTES).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::faulty_registry::{FaultyRegistry, Reply};
    use super::*;

    #[test]
    fn an_archive_is_fetched_once_and_another_than_the_manifest_names_is_not_kept() {
        let server = FaultyRegistry::start(|seen| match seen.target.as_str() {
            "/a/source.tar" => Reply::new(200, "source"),
            _ => Reply::new(404, "nothing"),
        });
        let folder = tempfile::tempdir().unwrap();
        let cache = ArchiveCache { folder: folder.path().join("archives") };
        let options = RegistryOptions { attempts: 1, ..RegistryOptions::default() };
        let url = |name: &str| format!("http://{}/a/{name}", server.address);
        let other = cache.bytes(&url("source.tar"), None, Digest::of(b"other"), &options).unwrap_err().to_string();
        assert!(other.contains(&Digest::of(b"source").to_string()) && other.contains("source.tar"), "{other}");
        let gone = cache.bytes(&url("gone.tar"), None, Digest::of(b"source"), &options).unwrap_err();
        assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
        let cold = ArchiveCache { folder: folder.path().join("cold") };
        let dated = |name: &str| cold.bytes(&url("gone.tar"), Some(&url(name)), Digest::of(b"source"), &options);
        let nowhere = dated("lost.tar").unwrap_err().to_string();
        assert!(nowhere.contains("gone.tar") && nowhere.contains("lost.tar"), "{nowhere}");
        assert_eq!(dated("source.tar").unwrap(), b"source");
        assert_eq!(server.seen_with("source.tar").len(), 2, "one answer was another file, one the dated one");
        for _ in 0..2 {
            assert_eq!(cache.bytes(&url("source.tar"), None, Digest::of(b"source"), &options).unwrap(), b"source");
        }
        assert_eq!(server.seen_with("source.tar").len(), 3, "what is kept is asked for again");
        std::fs::write(cache.folder.join(Digest::of(b"source").hex()), "sourcf").unwrap();
        assert_eq!(cache.bytes(&url("source.tar"), None, Digest::of(b"source"), &options).unwrap(), b"source");
        assert_eq!(server.seen_with("source.tar").len(), 4, "a file that changed is no cached one");
    }
}
