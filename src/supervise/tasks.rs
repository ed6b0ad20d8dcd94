//! The other things that need the island: images and orphans.

use std::collections::BTreeMap;
use std::path::Path;

use super::Error;
use super::segment::runtime;
use crate::launch::{
    BaseImage, BuiltImage, Engine, ImageArchive, ImageLayout, LaidImage, PullProgress, SelfImage, TreeCache,
    build_lane_image, build_self_image, built_image, check_root_archive, ensure_image, import_base,
    prune_bundled_images, prune_lane_images, prune_self_images, save_image, sweep,
};
use crate::plan::{Build, ImagePin, Lane, Lock};
use crate::terms::HostFacts;

/// What `clean` removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cleaned {
    /// Processes and containers of dead supervisors.
    pub orphans: Vec<String>,
    /// Images that were built from an executable or a lock.
    pub images: Vec<String>,
    /// What could not be looked at or removed, and why.
    pub left: Vec<String>,
}

/// Facts about this host, with all its GPUs.
#[must_use]
pub fn host_facts() -> HostFacts {
    super::host::look(None).facts
}

/// Builds the image of an executable and loads it into the engine.
///
/// # Errors
/// No engine answers, or the image could not be built.
pub fn build_image(docker_host: Option<&str>, executable: &std::path::Path) -> Result<SelfImage, Error> {
    runtime()?.block_on(async {
        let engine = Engine::connect(docker_host).await?;
        Ok(build_self_image(&engine, executable).await?)
    })
}

/// Builds a lane's image from its Dockerfile and lock. `files` is the build's context, by path below `containers/`.
///
/// # Errors
/// No engine answers, an input is not resolved, or a step of the build fails.
pub fn build_from_lock(
    docker_host: Option<&str>,
    lane: &Lane,
    build: &Build,
    lock: &Lock,
    files: &BTreeMap<String, Vec<u8>>,
    progress: &mut dyn FnMut(String),
) -> Result<BuiltImage, Error> {
    runtime()?.block_on(async {
        let engine = Engine::connect(docker_host).await?;
        Ok(build_lane_image(&engine, lane, build, lock, files, progress).await?)
    })
}

/// Where an image that is packed comes from.
#[derive(Debug, Clone, Copy)]
pub enum ImageOrigin<'a> {
    /// It is made from this executable; no engine is needed.
    Executable(&'a Path),
    /// The engine holds it, or pulls it by its digest.
    Pinned(&'a ImagePin),
    /// The engine holds it, built from this lock, and it has the files that the lock names.
    Built(&'a Lock, &'a TreeCache),
}

/// Puts an image into `layout`. `scratch` is a file for the archive on its way, removed afterwards.
///
/// # Errors
/// No engine answers, or it does not hold, pull or save the image.
pub fn pack_image(
    docker_host: Option<&str>,
    layout: &mut ImageLayout,
    origin: ImageOrigin<'_>,
    scratch: &Path,
    progress: &mut dyn FnMut(String),
) -> Result<LaidImage, Error> {
    let failed = |doing| move |source| Error::File { doing, path: scratch.to_owned(), source };
    let mut own = None;
    match origin {
        ImageOrigin::Executable(path) => {
            let archive = ImageArchive::of(path)?;
            let mut out = std::fs::File::create(scratch).map_err(failed("creating"))?;
            archive.write_to(&mut out).map_err(failed("writing"))?;
            own = Some(archive.reference);
        }
        ImageOrigin::Pinned(pin) => runtime()?.block_on(async {
            let engine = Engine::connect(docker_host).await?;
            let image = ensure_image(&engine, pin, |news: PullProgress| progress(news.to_string())).await?;
            Ok::<_, Error>(save_image(&engine, &image.id.to_string(), scratch).await?)
        })?,
        ImageOrigin::Built(lock, trees) => runtime()?.block_on(async {
            let engine = Engine::connect(docker_host).await?;
            let image = built_image(&engine, lock, trees).await?;
            Ok::<_, Error>(save_image(&engine, &image.id.to_string(), scratch).await?)
        })?,
    }
    let image = layout.add_saved(scratch, own.as_deref())?;
    std::fs::remove_file(scratch).map_err(failed("removing"))?;
    Ok(image)
}

/// Gives the engine a root file system as a base image.
///
/// # Errors
/// The archive of the file at `path` is broken or something else; no engine answers, or it does not take the archive.
pub fn import_base_image(docker_host: Option<&str>, path: &Path, archive: Vec<u8>) -> Result<BaseImage, Error> {
    check_root_archive(path, &archive)?;
    runtime()?.block_on(async {
        let engine = Engine::connect(docker_host).await?;
        Ok(import_base(&engine, archive).await?)
    })
}

/// Removes orphans, and the images built from executables and locks when `images` is set.
///
/// # Errors
/// This host's processes cannot be read.
pub fn clean(docker_host: Option<&str>, images: bool) -> Result<Cleaned, Error> {
    runtime()?.block_on(async {
        let mut cleaned = Cleaned::default();
        let engine = match Engine::connect(docker_host).await {
            Ok(engine) => Some(engine),
            Err(error) => {
                cleaned.left.push(format!("containers: {error}"));
                None
            }
        };
        let swept = sweep(engine.as_ref()).await?;
        cleaned.orphans.extend(swept.removed.iter().map(ToString::to_string));
        cleaned
            .left
            .extend(swept.left.iter().map(|orphan| format!("{orphan}: its supervisor cannot be judged from here")));
        cleaned.left.extend(swept.unlisted.map(|error| format!("containers: {error}")));
        cleaned.left.extend(swept.failed.iter().map(|(orphan, error)| format!("{orphan}: {error}")));
        if let (true, Some(engine)) = (images, &engine) {
            cleaned.images = prune_self_images(engine, |_| false).await?;
            cleaned.images.extend(prune_lane_images(engine).await?);
            let bundled = prune_bundled_images(engine).await?;
            cleaned.images.extend(bundled.removed);
            cleaned.left.extend(bundled.left);
        }
        Ok(cleaned)
    })
}
