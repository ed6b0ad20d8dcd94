//! Images into an engine: an archive that is written as it is sent, and an image of an OCI layout.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;

use bollard::query_parameters::{ImportImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::mpsc::{self, Sender};

use super::engine::{Engine, ImageStore, NEWS_DEADLINE, within};
use super::image::{ExpectedImage, ImageFacts, ResolvedImage};
use crate::launch::Error;
use crate::launch::image_layout::{BUNDLED, LaidImage, stream_of};
use crate::terms::Digest;

/// Bytes that are handed to the engine at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// An image that lies in an OCI layout on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedImage {
    /// The layout's folder.
    pub layout: PathBuf,
    /// The image.
    pub image: LaidImage,
}

/// Makes sure that the engine holds the packed image: the one that is there, or else loaded from the layout. Nothing is
/// pulled.
///
/// # Errors
/// The layout lacks it, the engine does not load it, or what it holds then is not what was packed.
pub async fn load_packed_image(engine: &Engine, packed: &PackedImage) -> Result<ResolvedImage, Error> {
    let LaidImage { reference, config, manifest, diff_ids } = packed.image.clone();
    let expected = ExpectedImage {
        reference: reference.clone(),
        index: None,
        manifest: Some(manifest),
        config: Some(config),
        diff_ids,
    };
    for name in [config.to_string(), manifest.to_string(), reference.clone()] {
        if let Some(facts) = ImageFacts::read(engine, &name).await?
            && facts.check(&expected).is_ok()
        {
            return Ok(ResolvedImage { id: facts.id, expected });
        }
    }
    let stream = stream_of(&packed.layout, &packed.image)?;
    load_archive(engine, &reference, move |out| stream.copy_to(out)).await?;
    let facts = ImageFacts::read(engine, &reference).await?.ok_or_else(|| Error::Answer {
        doing: format!("loading {reference}"),
        found: "the load ended well, and the image is not there".to_owned(),
    })?;
    facts.check(&expected)?;
    Ok(ResolvedImage { id: facts.id, expected })
}

/// Removes the names of images that came from bundles; returns them. One that a container still uses stays, and so does
/// an image that has another name. A bundle's image is called by the digest of its configuration, which in the classic
/// store is its id: what somebody else called so is told by that. The containerd store does not show it in a list, so
/// there the name must be such a digest.
///
/// # Errors
/// The engine does not list its images.
pub async fn prune_bundled_images(engine: &Engine) -> Result<Vec<String>, Error> {
    let filters = HashMap::from([("reference", vec![BUNDLED])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images = engine.ask("listing images", engine.docker().list_images(Some(options))).await?;
    let mut removed = Vec::new();
    for (id, name) in
        images.into_iter().flat_map(|image| image.repo_tags.into_iter().map(move |name| (image.id.clone(), name)))
    {
        if !is_bundled(engine.store(), &id, &name) {
            continue;
        }
        let removal = engine.docker().remove_image(&name, None::<RemoveImageOptions>, None);
        if engine.ask(format!("removing image {name}"), removal).await.is_ok() {
            removed.push(name);
        }
    }
    Ok(removed)
}

/// Whether the image `id` is called `name` because a bundle brought it.
fn is_bundled(store: ImageStore, id: &str, name: &str) -> bool {
    let Some(tag) = name.strip_prefix(BUNDLED).and_then(|rest| rest.strip_prefix(':')) else { return false };
    match store {
        ImageStore::GraphDriver => id.parse::<Digest>().is_ok_and(|id| id.short() == tag),
        ImageStore::Containerd => {
            let hex = |c: char| c.is_ascii_digit() || matches!(c, 'a'..='f');
            tag.len() == Digest::of(b"").short().len() && tag.chars().all(hex)
        }
    }
}

/// Loads the archive that `write` writes; `name` names it in errors.
pub(in crate::launch) async fn load_archive(
    engine: &Engine,
    name: &str,
    write: impl FnOnce(&mut Chunks) -> io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let doing = format!("loading {name}");
    let (sender, receiver) = mpsc::channel(4);
    let writing = tokio::task::spawn_blocking(move || {
        let mut chunks = Chunks { sender, open: Vec::with_capacity(CHUNK_BYTES) };
        if let Err(error) = write(&mut chunks).and_then(|()| chunks.flush()) {
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
pub(in crate::launch) struct Chunks {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_of_a_bundle_when_it_is_called_by_its_own_digest() {
        let id = Digest::of(b"configuration");
        let named = |tag: &str| format!("{BUNDLED}:{tag}");
        let classic = |name: &str| is_bundled(ImageStore::GraphDriver, &id.to_string(), name);
        assert!(classic(&named(&id.short().to_string())));
        for theirs in [named("theirs"), named(&Digest::of(b"other").short().to_string()), "lockstep/bundles:1".into()] {
            assert!(!classic(&theirs), "{theirs}");
        }
        let containerd = |name: &str| is_bundled(ImageStore::Containerd, "sha256:00", name);
        assert!(containerd(&named(&id.short().to_string())) && !containerd(&named("theirs")));
    }
}
