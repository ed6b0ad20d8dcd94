//! The self image in an engine: loaded once, read back, compared, and cleared away when it is old.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder};

use super::archive::{ImageArchive, REPOSITORY};
use super::layout::IMAGE_LABEL;
use crate::launch::Error;
use crate::launch::docker::{Engine, ExpectedImage, ImageFacts, ResolvedImage, load_archive};
use crate::terms::Digest;

/// An image that was made from an executable and that the engine holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfImage {
    /// The name that it was loaded under.
    pub reference: String,
    /// Digest of the configuration.
    pub config: Digest,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digests of the layers, lowest first.
    pub diff_ids: Vec<Digest>,
    /// The engine's own id of it.
    pub id: Digest,
    /// The engine held it before.
    pub reused: bool,
}

impl SelfImage {
    /// What a container lane runs.
    #[must_use]
    pub fn resolved(&self) -> ResolvedImage {
        let expected = expected(&self.reference, self.config, self.manifest, &self.diff_ids);
        ResolvedImage { id: self.id, expected }
    }
}

fn expected(reference: &str, config: Digest, manifest: Digest, diff_ids: &[Digest]) -> ExpectedImage {
    ExpectedImage {
        reference: reference.to_owned(),
        index: None,
        manifest: Some(manifest),
        config: Some(config),
        diff_ids: diff_ids.to_vec(),
    }
}

/// Makes the image of `executable`, loads it unless the engine holds it already, and compares what the engine says
/// about it with the digests computed here.
///
/// # Errors
/// The executable cannot be put into an image, the engine does not load it, or holds something else under its name.
pub async fn build_self_image(engine: &Engine, executable: &Path) -> Result<SelfImage, Error> {
    let path = executable.to_owned();
    let archive = tokio::task::spawn_blocking(move || ImageArchive::of(&path)).await;
    let archive = archive.map_err(|error| Error::file("hash", executable)(io::Error::other(error)))??;
    let ImageArchive { config, manifest, diff_ids, reference, .. } = archive.clone();
    let expected = expected(&reference, config, manifest, &diff_ids);
    let image = |id, reused| SelfImage { reference: reference.clone(), config, manifest, diff_ids, id, reused };
    if let Some(facts) = ImageFacts::read(engine, &reference).await?
        && facts.check(&expected).is_ok()
    {
        return Ok(image(facts.id, true));
    }
    let name = archive.reference.clone();
    load_archive(engine, &name, move |out| archive.write_to(out)).await?;
    let facts = ImageFacts::read(engine, &reference).await?.ok_or_else(|| Error::Answer {
        doing: format!("loading {reference}"),
        found: "the load ended well, and the image is not there".to_owned(),
    })?;
    facts.check(&expected)?;
    Ok(image(facts.id, false))
}

/// Removes self images, all but those whose name `keep` holds on to; returns the names of those that were removed.
/// Every build of the executable leaves one behind. One that a container still uses stays.
///
/// # Errors
/// The engine does not list its images.
pub async fn prune_self_images(engine: &Engine, keep: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
    let filters = HashMap::from([("label", vec![IMAGE_LABEL])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images = engine.ask("listing images", engine.docker().list_images(Some(options))).await?;
    let mut removed = Vec::new();
    for name in images.into_iter().flat_map(|image| image.repo_tags) {
        if !name.starts_with(REPOSITORY) || keep(&name) {
            continue;
        }
        let options = RemoveImageOptionsBuilder::default().build();
        let removal = engine.docker().remove_image(&name, Some(options), None);
        if engine.ask(format!("removing image {name}"), removal).await.is_ok() {
            removed.push(name);
        }
    }
    Ok(removed)
}
