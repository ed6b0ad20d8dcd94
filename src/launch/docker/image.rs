//! Images by digest: what the engine says about one, and whether it is the one that was locked.
//!
//! | digest | classic store | containerd store |
//! |---|---|---|
//! | `Id` | configuration | manifest, or index when it was pulled by one |
//! | `RepoDigests` | manifest or index, once pulled or pushed | the same |
//! | `RootFS.Layers` | diff ids | diff ids |

use bollard::models::ImageInspect;

use super::engine::{Engine, ImageStore};
use crate::launch::Error;
use crate::plan::ImagePin;
use crate::terms::Digest;

/// An image that the engine holds and that may be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// The engine's own id, from which containers are created.
    pub id: Digest,
    /// What the image must be, and is compared with again after the start.
    pub expected: ExpectedImage,
}

/// The digests an image must have; each is compared as what it means in the engine at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedImage {
    /// The reference, for people.
    pub reference: String,
    /// Digest of the index, where there is one.
    pub index: Option<Digest>,
    /// Digest of the manifest.
    pub manifest: Option<Digest>,
    /// Digest of the configuration.
    pub config: Option<Digest>,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
}

/// What the engine says about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// The engine's own id.
    pub id: Digest,
    /// How the engine keeps images, which decides what `id` means.
    pub store: ImageStore,
    /// Digests by which it was pulled or pushed: manifests or indexes.
    pub repo_digests: Vec<Digest>,
    /// Digest of the platform's manifest, where a newer engine names it for a container.
    pub platform_manifest: Option<Digest>,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
}

impl From<&ImagePin> for ExpectedImage {
    fn from(pin: &ImagePin) -> Self {
        let ImagePin { reference, platform: _, index, manifest, config, diff_ids } = pin.clone();
        Self { reference, index, manifest: Some(manifest), config: Some(config), diff_ids }
    }
}

impl ImageFacts {
    /// Reads what the engine says about `name`, an id or a reference; `None` when it holds no such image.
    pub(in crate::launch) async fn read(engine: &Engine, name: &str) -> Result<Option<Self>, Error> {
        let doing = format!("inspecting image {name}");
        match engine.ask(doing.clone(), engine.docker().inspect_image(name)).await {
            Ok(inspect) => Self::of(&inspect, engine.store(), doing).map(Some),
            Err(error) if error.is_unknown() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of(inspect: &ImageInspect, store: ImageStore, doing: String) -> Result<Self, Error> {
        let answer = |found: String| Error::Answer { doing: doing.clone(), found };
        let digest = |text: &str| {
            // Podman's answers leave the algorithm out of an id.
            let text = if text.contains(':') { text.to_owned() } else { format!("sha256:{text}") };
            text.parse::<Digest>().map_err(|error| answer(error.to_string()))
        };
        let id = digest(inspect.id.as_deref().ok_or_else(|| answer("the image has no id".to_owned()))?)?;
        let layers = inspect.root_fs.as_ref().and_then(|layers| layers.layers.as_ref());
        let repo_digests = inspect.repo_digests.iter().flatten();
        Ok(Self {
            id,
            store,
            repo_digests: repo_digests.filter_map(|name| name.rsplit_once('@')?.1.parse().ok()).collect(),
            platform_manifest: None,
            diff_ids: layers.into_iter().flatten().map(|layer| digest(layer)).collect::<Result<_, _>>()?,
        })
    }

    /// Digest of the configuration, where the store tells.
    #[must_use]
    pub fn config(&self) -> Option<Digest> {
        (self.store == ImageStore::GraphDriver).then_some(self.id)
    }

    /// Digest of the manifest (or of the index that the image was pulled by), where the store tells.
    #[must_use]
    pub fn manifest(&self) -> Option<Digest> {
        match self.store {
            ImageStore::GraphDriver => self.repo_digests.first().copied(),
            ImageStore::Containerd => Some(self.platform_manifest.unwrap_or(self.id)),
        }
    }

    /// The image as it is now, under `reference`: whatever that names later, this one is run.
    pub(super) fn fixed(self, reference: String) -> ResolvedImage {
        let (manifest, config) = (self.manifest(), self.config());
        let expected = ExpectedImage { reference, index: None, manifest, config, diff_ids: self.diff_ids };
        ResolvedImage { id: self.id, expected }
    }

    /// Compares with what was locked.
    ///
    /// The layers must be equal in any store. The id must be one of the locked digests: in the classic store the
    /// configuration's, in the containerd store the manifest's or the index's. Content behind a digest is the same
    /// whatever the digest is called, so an id that equals another locked digest is the locked image too.
    ///
    /// # Errors
    /// [`Error::WrongImage`], which names the digest that differs, what was locked and what was found.
    pub fn check(&self, expected: &ExpectedImage) -> Result<(), Error> {
        let ExpectedImage { reference, index, manifest, config, diff_ids } = expected;
        let wrong = |which, expected: String, found: String| {
            Err(Error::WrongImage { reference: reference.clone(), which, expected, found })
        };
        if self.diff_ids != *diff_ids {
            return wrong("diff_ids", list(diff_ids), list(&self.diff_ids));
        }
        let (which, meant) = match self.store {
            ImageStore::GraphDriver => ("config", config),
            ImageStore::Containerd => ("manifest", manifest),
        };
        if let (Some(found), Some(meant)) = (self.platform_manifest, *manifest)
            && found != meant
        {
            return wrong("manifest", meant.to_string(), found.to_string());
        }
        // A self image's pin has no manifest, so where the id is one only the layers can be compared, and they hold
        // everything but the metadata, which the recipe pins.
        if self.store == ImageStore::Containerd && manifest.is_none() && index.is_none() && !diff_ids.is_empty() {
            return Ok(());
        }
        let locked: Vec<Digest> = [index, manifest, config].into_iter().flatten().copied().collect();
        if locked.contains(&self.id) {
            return Ok(());
        }
        match meant.or_else(|| locked.first().copied()) {
            Some(digest) => wrong(which, digest.to_string(), self.id.to_string()),
            None => wrong(which, "no digest of its configuration or manifest".to_owned(), self.id.to_string()),
        }
    }
}

/// The image that the engine holds under `reference`, for a lane that runs without a lock. Its id is fixed here, so
/// that a tag that moves later changes nothing.
///
/// # Errors
/// [`Error::Absent`] when the engine holds no such image; otherwise the engine's own error.
pub async fn local_image(engine: &Engine, reference: &str) -> Result<ResolvedImage, Error> {
    let facts = ImageFacts::read(engine, reference).await?.ok_or_else(|| Error::Absent {
        reason: format!("the engine holds no image {reference}"),
        remedy: "pull or build it, or write a lock for the lane so that it is pulled by digest".to_owned(),
    })?;
    Ok(facts.fixed(reference.to_owned()))
}

/// Whether the engine holds an image under `reference`.
///
/// # Errors
/// The engine does not say.
pub async fn holds_image(engine: &Engine, reference: &str) -> Result<bool, Error> {
    Ok(ImageFacts::read(engine, reference).await?.is_some())
}

fn list(digests: &[Digest]) -> String {
    match digests {
        [] => "no layers".to_owned(),
        _ => digests.iter().map(Digest::to_string).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin() -> ImagePin {
        ImagePin {
            reference: "docker.io/a/b:1".into(),
            platform: "linux/amd64".into(),
            index: Some(Digest::of(b"index")),
            manifest: Digest::of(b"manifest"),
            config: Digest::of(b"config"),
            diff_ids: vec![Digest::of(b"layer 0"), Digest::of(b"layer 1")],
        }
    }

    fn facts(store: ImageStore, id: &[u8]) -> ImageFacts {
        let diff_ids = pin().diff_ids;
        ImageFacts { id: Digest::of(id), store, repo_digests: Vec::new(), platform_manifest: None, diff_ids }
    }

    fn which(result: Result<(), Error>) -> (&'static str, String, String) {
        match result.unwrap_err() {
            Error::WrongImage { which, expected, found, .. } => (which, expected, found),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn an_id_means_the_config_in_one_store_and_the_manifest_in_the_other() {
        let expected = ExpectedImage::from(&pin());
        facts(ImageStore::GraphDriver, b"config").check(&expected).unwrap();
        facts(ImageStore::Containerd, b"manifest").check(&expected).unwrap();
        facts(ImageStore::Containerd, b"index").check(&expected).unwrap();
        let other = Digest::of(b"other").to_string();
        let found = which(facts(ImageStore::GraphDriver, b"other").check(&expected));
        assert_eq!(found, ("config", Digest::of(b"config").to_string(), other.clone()));
        let found = which(facts(ImageStore::Containerd, b"other").check(&expected));
        assert_eq!(found, ("manifest", Digest::of(b"manifest").to_string(), other));
    }

    #[test]
    fn other_layers_are_another_image_whatever_the_id_says() {
        let expected = ExpectedImage::from(&pin());
        let mut swapped = facts(ImageStore::GraphDriver, b"config");
        swapped.diff_ids.reverse();
        assert_eq!(which(swapped.check(&expected)).0, "diff_ids");
        let mut fewer = facts(ImageStore::GraphDriver, b"config");
        fewer.diff_ids.clear();
        assert_eq!(which(fewer.check(&expected)).2, "no layers");
    }

    #[test]
    fn an_index_may_hold_another_platforms_manifest() {
        let expected = ExpectedImage::from(&pin());
        let container = |manifest: &[u8]| ImageFacts {
            platform_manifest: Some(Digest::of(manifest)),
            ..facts(ImageStore::Containerd, b"index")
        };
        container(b"manifest").check(&expected).unwrap();
        assert_eq!(which(container(b"another platform").check(&expected)).0, "manifest");
    }

    #[test]
    fn an_answer_is_read_with_and_without_the_algorithm() {
        let (id, layer) = (Digest::of(b"config"), Digest::of(b"layer"));
        let inspect = |text: String| ImageInspect {
            id: Some(text),
            repo_digests: Some(vec![format!("a/b@{}", Digest::of(b"manifest"))]),
            root_fs: Some(bollard::models::ImageInspectRootFs {
                typ: "layers".into(),
                layers: Some(vec![layer.to_string()]),
            }),
            ..ImageInspect::default()
        };
        let read = |text| ImageFacts::of(&inspect(text), ImageStore::GraphDriver, "testing".into());
        let facts = read(id.to_string()).unwrap();
        assert_eq!((facts.config(), facts.manifest()), (Some(id), Some(Digest::of(b"manifest"))));
        assert_eq!(facts.diff_ids, [layer]);
        assert_eq!(read(id.hex()).unwrap(), facts);
        assert!(matches!(read("sha512:00".into()), Err(Error::Answer { .. })));
    }
}
