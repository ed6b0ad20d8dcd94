//! Base images that were made on a host, where no registry serves one: named by the digest of their file tree.

use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptions, TagImageOptionsBuilder};
use futures_util::{FutureExt as _, StreamExt as _};

use super::engine::{Engine, NEWS_DEADLINE, within};
use super::image::ImageFacts;
use super::image_tree::tree_of_image;
use crate::launch::Error;
use crate::plan::{Content, Lock};
use crate::terms::Digest;

/// The repository that they are kept under in the engine; nothing is ever pushed there.
const REPOSITORY: &str = "lockstep-base";

/// A base image that the engine was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// The name that the engine holds it under.
    pub reference: String,
    /// Digest of its normalised file tree.
    pub tree: Digest,
}

/// The name of the base image with this tree.
pub(super) fn base_reference(tree: Digest) -> String {
    format!("{REPOSITORY}:{}", tree.hex())
}

/// Gives the engine a root file system, a tar archive, as a base image.
///
/// # Errors
/// The engine does not take it, or it cannot be read afterwards.
pub async fn import_base(engine: &Engine, archive: Vec<u8>) -> Result<BaseImage, Error> {
    let arriving = format!("arriving-{}", std::process::id());
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(REPOSITORY).tag(&arriving).build();
    let mut messages = engine.docker().create_image(Some(options), Some(bollard::body_full(archive.into())), None);
    let doing = "taking in a root file system";
    while within(NEWS_DEADLINE, doing.to_owned(), messages.next().map(Option::transpose)).await?.is_some() {}
    drop(messages);
    let arrived = format!("{REPOSITORY}:{arriving}");
    let tree = tree_of_image(engine, &arrived).await;
    let named = match &tree {
        Ok(tree) => name(engine, &arrived, *tree).await,
        Err(_) => Ok(()),
    };
    let removal = engine.docker().remove_image(&arrived, None::<RemoveImageOptions>, None);
    engine.ask("removing the name that a base image arrived under", removal).await?;
    named?;
    let tree = tree?;
    Ok(BaseImage { reference: base_reference(tree), tree })
}

/// Gives what arrived the name of its tree, unless the engine holds that tree already.
async fn name(engine: &Engine, arrived: &str, tree: Digest) -> Result<(), Error> {
    if ImageFacts::read(engine, &base_reference(tree)).await?.is_some() {
        return Ok(());
    }
    let options = TagImageOptionsBuilder::default().repo(REPOSITORY).tag(&tree.hex()).build();
    engine.ask("naming a base image", engine.docker().tag_image(arrived, Some(options))).await
}

/// The base images of `lock` that were made on a host and that the engine does not hold: the input of each, and what it
/// stands in for.
///
/// # Errors
/// The engine does not say what it holds.
pub async fn missing_bases(engine: &Engine, lock: &Lock) -> Result<Vec<(String, String)>, Error> {
    let mut missing = Vec::new();
    for (input, entry) in &lock.inputs {
        let Some(Content::LocalImage { tree, reference: stands_for }) = entry.content() else { continue };
        if ImageFacts::read(engine, &base_reference(*tree)).await?.is_none() {
            missing.push((input.clone(), stands_for.clone()));
        }
    }
    Ok(missing)
}

/// That the engine holds every base image of `lock` that was made on a host, and that each is what the lock says.
pub(super) async fn check_bases(engine: &Engine, lock: &Lock) -> Result<(), Error> {
    for (input, entry) in &lock.inputs {
        let Some(Content::LocalImage { tree, reference: stands_for }) = entry.content() else { continue };
        let reference = base_reference(*tree);
        if ImageFacts::read(engine, &reference).await?.is_none() {
            return Err(Error::Absent {
                reason: format!("the engine holds no image {reference}, which stands in for {stands_for}"),
                remedy: format!(
                    "make its root file system and run `lockstep image import {} {input} FILE.tar`",
                    lock.lane
                ),
            });
        }
        let found = tree_of_image(engine, &reference).await?;
        if found != *tree {
            let (expected, found) = (tree.to_string(), found.to_string());
            return Err(Error::WrongImage { reference, which: "tree", expected, found });
        }
    }
    Ok(())
}
