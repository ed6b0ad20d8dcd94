//! The other things that need the island: images and orphans.

use std::collections::BTreeMap;

use super::Error;
use super::segment::runtime;
use crate::launch::{
    BuiltImage, Engine, SelfImage, build_lane_image, build_self_image, prune_lane_images, prune_self_images, sweep,
};
use crate::plan::{Build, Lane, Lock};
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

/// Facts about this host.
#[must_use]
pub fn host_facts() -> HostFacts {
    super::host::look().facts
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
        }
        Ok(cleaned)
    })
}
