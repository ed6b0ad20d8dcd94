//! The self image in an engine: loaded once, read back, compared, and cleared away when it is old.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use bollard::query_parameters::{ImportImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::mpsc::{self, Sender};

use super::archive::{ImageArchive, REPOSITORY};
use super::layout::IMAGE_LABEL;
use crate::launch::Error;
use crate::launch::docker::{Engine, ExpectedImage, ImageFacts, NEWS_DEADLINE, ResolvedImage, within};
use crate::terms::Digest;

/// Bytes that are handed to the engine at a time.
const CHUNK_BYTES: usize = 1 << 20;

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
    load(engine, archive).await?;
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

async fn load(engine: &Engine, archive: ImageArchive) -> Result<(), Error> {
    let doing = format!("loading {}", archive.reference);
    let (sender, receiver) = mpsc::channel(4);
    let writing = tokio::task::spawn_blocking(move || {
        let mut chunks = Chunks { sender, open: Vec::with_capacity(CHUNK_BYTES) };
        if let Err(error) = archive.write_to(&mut chunks).and_then(|()| chunks.flush()) {
            // The engine must not take a cut archive for a whole one; when it has hung up, it knows.
            let _ = chunks.sender.blocking_send(Err(error));
        }
    });
    let chunks = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
    let chunks = chunks.map(|chunk: io::Result<Vec<u8>>| chunk.map(Into::into));
    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    let mut messages = engine.docker().import_image_stream(options, chunks, None);
    let mut outcome = Ok(());
    loop {
        let news = messages.next().map(Option::transpose);
        match within(NEWS_DEADLINE, doing.clone(), news).await {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    drop(messages);
    let _ = writing.await;
    outcome
}

/// Collects what is written into chunks and sends them.
struct Chunks {
    sender: Sender<io::Result<Vec<u8>>>,
    open: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open.extend_from_slice(bytes);
        if self.open.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.open, Vec::with_capacity(CHUNK_BYTES));
        let hung_up = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine takes no more");
        self.sender.blocking_send(Ok(chunk)).map_err(hung_up)
    }
}
