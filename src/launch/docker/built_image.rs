//! The image that was built from a lane's lock, held to the file tree that the lock says such a build gives. Its name
//! alone says nothing: anybody who may speak to the engine can give it to another image.

use std::path::PathBuf;

use super::build::built_reference;
use super::engine::Engine;
use super::image::{ImageFacts, ResolvedImage};
use super::image_tree::{RULES, tree_of_image};
use crate::launch::Error;
use crate::plan::Lock;
use crate::terms::Digest;

/// Trees that were read before, by the engine's id of the image, which names its content. Reading one takes seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeCache {
    /// A file for each image; what is not there is read again.
    pub folder: PathBuf,
}

impl TreeCache {
    fn path(&self, id: Digest) -> PathBuf {
        self.folder.join(format!("{}.{RULES}", id.hex()))
    }

    fn read(&self, id: Digest) -> Option<Digest> {
        std::fs::read_to_string(self.path(id)).ok()?.trim().parse().ok()
    }

    /// What cannot be kept is read again the next time. A file is moved into place whole, since a cut one could be read.
    fn keep(&self, id: Digest, tree: Digest) {
        let path = self.path(id);
        let partial = path.with_extension(format!("partial-{}", std::process::id()));
        let kept = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(&partial, format!("{tree}\n")))
            .and_then(|()| std::fs::rename(&partial, &path));
        if let Err(error) = kept {
            tracing::debug!(path = %path.display(), %error, "an image's tree cannot be kept");
        }
    }
}

/// The image that the engine holds under the name of what is built from `lock`, its files those that the lock names.
///
/// # Errors
/// [`Error::Absent`] when the engine holds no such image, [`Error::OtherTree`] and [`Error::TreeUnknown`] when it is not
/// known to be what the lock says; otherwise the engine's own error.
pub async fn built_image(engine: &Engine, lock: &Lock, trees: &TreeCache) -> Result<ResolvedImage, Error> {
    let reference = built_reference(lock);
    let facts = ImageFacts::read(engine, &reference).await?.ok_or_else(|| Error::Absent {
        reason: format!("the engine holds no image {reference}"),
        remedy: format!("run `lockstep image build {}`", lock.lane),
    })?;
    let image = facts.fixed(reference);
    check_built(engine, lock, &image, trees).await?;
    Ok(image)
}

/// That `image` has the files that the lock says a build gives.
///
/// # Errors
/// As [`built_image`].
pub async fn check_built(engine: &Engine, lock: &Lock, image: &ResolvedImage, trees: &TreeCache) -> Result<(), Error> {
    let (lane, reference) = (lock.lane.clone(), image.expected.reference.clone());
    let Some(locked) = lock.built else { return Err(Error::TreeUnknown { lane, reference }) };
    let found = match trees.read(image.id) {
        Some(tree) => tree,
        None => {
            let tree = tree_of_image(engine, &image.id.to_string()).await?;
            trees.keep(image.id, tree);
            tree
        }
    };
    if found == locked { Ok(()) } else { Err(Error::OtherTree { lane, reference, found, locked }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_kept_for_its_image_alone_and_a_damaged_entry_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let trees = TreeCache { folder: folder.path().join("trees") };
        let (id, tree) = (Digest::of(b"image"), Digest::of(b"tree"));
        assert_eq!(trees.read(id), None);
        trees.keep(id, tree);
        assert_eq!((trees.read(id), trees.read(Digest::of(b"other"))), (Some(tree), None));
        std::fs::write(trees.path(id), "sha256:12").unwrap();
        assert_eq!(trees.read(id), None);
    }
}
