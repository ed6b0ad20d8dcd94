//! `lockfiles/NAME.lock`: what a lane was resolved to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Document, key};
use super::locked_input::{self, Content, LockedInput, OverlayPin};
use super::{Error, IMAGE_INPUT, check_plan};
use crate::terms::Digest;

/// What a lane was resolved to. A lane without one does not run unless asked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Format version.
    pub schema: u32,
    /// The lane.
    pub lane: String,
    /// [`super::Lane::digest`] of the lane that was resolved; another one means that the lane was edited since.
    pub manifest: Digest,
    /// The executable that ran; only in a run's own copy, since it changes with every build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executable: Option<Digest>,
    /// Shipped files that the lane executes, by path below `containers/`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Digest>,
    /// The recipe of the image that is built from the executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_image: Option<SelfImagePin>,
    /// Digest of the normalised file tree of the image that was built from this lock, once one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Digest>,
    /// How a foundation is built: the arguments that the manifest fixes, and the axes that it declares of what comes out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub build: BTreeMap<String, String>,
    /// What each input was resolved to, by name; `image` is the image that the lane runs from a registry.
    #[serde(default, rename = "input", skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, LockedInput>,
}

/// An image, by every digest it has. An engine's `Id` is the config digest in one image store and the manifest
/// digest in the other; the layers' diff ids mean the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImagePin {
    /// The reference that was resolved, for example `docker.io/vllm/vllm-openai:v0.11.0`.
    pub reference: String,
    /// Platform of the manifest, for example `linux/amd64`.
    pub platform: String,
    /// Digest of the index, where the reference names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Digest>,
    /// Digest of the platform's manifest.
    pub manifest: Digest,
    /// Digest of the image's configuration.
    pub config: Digest,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
}

/// The image that Lockstep builds from its own executable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelfImagePin {
    /// Digest of the recipe: layout, metadata and command, without the executable and its libraries.
    pub recipe: Digest,
    /// Configuration digest of the image that was built and run; only in a run's own copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Digest>,
    /// Digests of its uncompressed layers; only in a run's own copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff_ids: Vec<Digest>,
}

impl Lock {
    /// Reads a lock; `file` names it in errors.
    ///
    /// # Errors
    /// A fault with file, line, key path and what to try.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let document = Document::new(file, text);
        let lock: Self = document.read()?;
        check_plan::schema_version(&document, lock.schema)?;
        check_plan::name(&document, "lane", &lock.lane)?;
        check_files(&document, &lock.files)?;
        locked_input::check(&document, &lock.inputs)?;
        check_images(&document, &lock)?;
        Ok(lock)
    }

    /// The image that the lane runs from a registry, where Lockstep has seen it.
    #[must_use]
    pub fn image(&self) -> Option<&ImagePin> {
        match self.inputs.get(IMAGE_INPUT) {
            Some(LockedInput::Verified { content: Content::Image(pin), .. }) => Some(pin),
            _ => None,
        }
    }

    /// The overlay that goes in front of the host's own packages.
    #[must_use]
    pub fn overlay(&self) -> Option<&OverlayPin> {
        self.inputs.values().find_map(|entry| match entry {
            LockedInput::Verified { content: Content::Overlay(pin), .. } => Some(pin),
            _ => None,
        })
    }

    /// The lock's text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let body = toml::to_string_pretty(self).expect("a lock holds strings, integers, lists and tables only");
        format!("# Written by `lockstep lock {}`; do not edit.\n{body}", self.lane)
    }
}

/// The files are looked up below a folder, and nothing in a lock may lead out of it.
fn check_files(document: &Document<'_>, files: &BTreeMap<String, Digest>) -> Result<(), Error> {
    let good = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    match files.keys().find(|path| !path.split('/').all(good)) {
        None => Ok(()),
        Some(path) => {
            let message = format!("{path:?} is no path below `containers/`: expected names with `/` between them");
            Err(document.fault(&format!("files.{}", key(path)), message, None))
        }
    }
}

fn check_images(document: &Document<'_>, lock: &Lock) -> Result<(), Error> {
    if lock.self_image.is_some() && lock.inputs.contains_key(IMAGE_INPUT) {
        let hint = "a lane has one image: resolve the lane again".to_owned();
        return Err(document.fault("self_image", "stands beside the table [input.image]", Some(hint)));
    }
    Ok(())
}
