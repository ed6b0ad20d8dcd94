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

/// What became of images that bundles may have brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PrunedBundles {
    /// Names that are gone.
    pub removed: Vec<String>,
    /// Names that nothing proves to be a bundle's, with what to do.
    pub left: Vec<String>,
}

/// Removes the names of images that came from bundles, where lockstep's label says that it made the image. One that a
/// container still uses stays, and so does an image that has another name. Bundles bring images of others too, which carry no
/// label: those are left, and told of. A bundle's image is called by the digest of its configuration, which in the classic
/// store is its id: what somebody else called so is told by that.
///
/// # Errors
/// The engine does not list its images.
pub async fn prune_bundled_images(engine: &Engine) -> Result<PrunedBundles, Error> {
    let filters = HashMap::from([("reference", vec![BUNDLED])]);
    let options = ListImagesOptionsBuilder::default().filters(&filters).build();
    let images = engine.ask("listing images", engine.docker().list_images(Some(options))).await?;
    let mut pruned = PrunedBundles::default();
    for image in images {
        let is_labelled = image.labels.keys().any(|label| label.starts_with(LABELS));
        for name in image.repo_tags {
            match standing(engine.store(), &image.id, is_labelled, &name) {
                Standing::Others => {}
                Standing::Unlabelled => pruned.left.push(format!(
                    "image {name}: it carries no label of lockstep's; if a bundle brought it: docker image rm {name}"
                )),
                Standing::Bundled => {
                    let removal = engine.docker().remove_image(&name, None::<RemoveImageOptions>, None);
                    if engine.ask(format!("removing image {name}"), removal).await.is_ok() {
                        pruned.removed.push(name);
                    }
                }
            }
        }
    }
    Ok(pruned)
}

/// What the labels of everything that lockstep makes begin with.
const LABELS: &str = "org.lockstep.";

/// Whether a bundle brought an image.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Bundled,
    Unlabelled,
    Others,
}

/// What is known of the image `id` by its being called `name`.
fn standing(store: ImageStore, id: &str, is_labelled: bool, name: &str) -> Standing {
    let Some(tag) = name.strip_prefix(BUNDLED).and_then(|rest| rest.strip_prefix(':')) else { return Standing::Others };
    let hex = |c: char| c.is_ascii_digit() || matches!(c, 'a'..='f');
    if tag.len() != Digest::of(b"").short().len() || !tag.chars().all(hex) {
        return Standing::Others;
    }
    match store {
        ImageStore::GraphDriver if !id.parse::<Digest>().is_ok_and(|id| id.short() == tag) => Standing::Others,
        _ if is_labelled => Standing::Bundled,
        _ => Standing::Unlabelled,
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
    fn an_image_is_of_a_bundle_when_it_is_labelled_and_called_by_its_own_digest() {
        let id = Digest::of(b"configuration");
        let named = |tag: &str| format!("{BUNDLED}:{tag}");
        let own = named(&id.short().to_string());
        let classic = |labelled: bool, name: &str| standing(ImageStore::GraphDriver, &id.to_string(), labelled, name);
        assert_eq!(classic(true, &own), Standing::Bundled);
        assert_eq!(classic(false, &own), Standing::Unlabelled);
        for theirs in [named("theirs"), named(&Digest::of(b"other").short().to_string()), "lockstep/bundles:1".into()] {
            assert_eq!(
                (classic(true, &theirs), classic(false, &theirs)),
                (Standing::Others, Standing::Others),
                "{theirs}"
            );
        }
        // The containerd store calls an image by its manifest, which is no name of a bundle's.
        let containerd = |labelled: bool, name: &str| standing(ImageStore::Containerd, "sha256:00", labelled, name);
        assert_eq!((containerd(true, &own), containerd(false, &own)), (Standing::Bundled, Standing::Unlabelled));
        assert_eq!(containerd(true, &named("theirs")), Standing::Others);
    }
}
