//! `bundle.json`: what a bundle holds. It is the archive's first entry, and its digest is the bundle's.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, place};
use crate::terms::{Digest, canonical_json};

/// The name of the list.
pub(super) const NAME: &str = "bundle.json";
/// The format version that this build writes and reads.
const SCHEMA: u32 = 1;
/// A list names each file once; one with a million files would be shorter.
pub(super) const LARGEST_BYTES: u64 = 256 << 20;

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Format version.
    pub schema: u32,
    /// The plan's name; the plan as it is run is `plans/NAME.toml`.
    pub plan: String,
    /// The plan's canonical digest.
    pub plan_sha256: Digest,
    /// The platform that executable and images are for, for example `linux/amd64`.
    pub platform: String,
    /// What wrote the bundle.
    pub made_by: MadeBy,
    /// The lockstep that lanes of the built-in engine run.
    pub executable: Executable,
    /// The checkpoint.
    pub model: Model,
    /// The plan's lanes, in plan order.
    pub lanes: Vec<Lane>,
    /// Accepted verdicts of the plan, each with its journal beside it.
    pub snapshots: Vec<String>,
    /// Every file of the bundle but this one, in the order of the archive.
    pub files: Vec<File>,
    /// SHA-256 of this list's canonical JSON without this key; it stands for the whole bundle.
    pub digest: Digest,
}

/// What wrote a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MadeBy {
    /// Version of lockstep.
    pub version: String,
}

/// An executable in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Executable {
    /// Its path.
    pub path: String,
    /// Its digest.
    pub sha256: Digest,
}

/// The checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its folder.
    pub folder: String,
    /// The digest that the plan pins.
    pub sha256: Digest,
}

/// A lane of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// The lane.
    pub name: String,
    /// The image that it runs, for a container lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// Why the bundle lacks what the lane runs, for an optional lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// Programs that the lane takes from the host; nothing else that a lane runs comes from outside the bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from_host: Vec<String>,
}

/// An image in the OCI layout `images/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The name that it is loaded under.
    pub reference: String,
    /// Digest of its configuration, which older engines take for its id.
    pub config: Digest,
    /// Digest of its manifest in the layout, which newer engines take for its id.
    pub manifest: Digest,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
}

/// Why something is not in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// What was found where the bundle was written.
    pub reason: String,
}

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path, with `/` between names.
    pub path: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its size.
    pub bytes: u64,
    /// Whether it may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

impl Contents {
    /// The format version, for who fills in the rest.
    pub const SCHEMA: u32 = SCHEMA;

    /// With its files in order and its digest set.
    #[must_use]
    pub(super) fn finished(mut self, mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        self.files = files;
        self.digest = self.own_digest();
        self
    }

    /// The digest of everything that it says.
    fn own_digest(&self) -> Digest {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.remove("digest");
        }
        Digest::of(canonical_json(&value).unwrap_or_default().as_bytes())
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        let text =
            serde_json::to_string_pretty(self).expect("a list holds texts, numbers, lists and maps by text only");
        format!("{text}\n")
    }

    /// Reads and checks the list; `file` names the bundle in errors.
    pub(super) fn parse(file: &Path, text: &[u8]) -> Result<Self, Error> {
        let form = |problem: String| Error::Form { file: file.to_owned(), problem };
        let altered = |problem: &str| Error::altered(NAME, problem);
        let version: serde_json::Value =
            serde_json::from_slice(text).map_err(|error| Error::altered(NAME, format!("is no JSON: {error}")))?;
        match version.get("schema").and_then(serde_json::Value::as_u64) {
            Some(schema) if schema == u64::from(SCHEMA) => {}
            Some(schema) => {
                let problem = format!("its format is {schema}, and this lockstep reads {SCHEMA}");
                return Err(form(problem));
            }
            None => return Err(altered("says no format version")),
        }
        let contents: Self = serde_json::from_slice(text).map_err(|error| Error::altered(NAME, error.to_string()))?;
        if contents.digest != contents.own_digest() || contents.text().as_bytes() != text {
            return Err(altered("it does not have the digest that it says"));
        }
        contents.check()?;
        Ok(contents)
    }

    /// Checks that its paths are safe and that what it names is among its files.
    pub(super) fn check(&self) -> Result<(), Error> {
        for file in &self.files {
            place::check(&file.path)?;
        }
        place::check_apart(self.files.iter().map(|file| file.path.as_str()).chain([NAME]))?;
        let Self { plan, executable, model, lanes, snapshots, .. } = self;
        let mut named = vec![format!("plans/{plan}.toml"), executable.path.clone(), super::METADATA.to_owned()];
        named.extend(lanes.iter().map(|lane| format!("lanes/{}.toml", lane.name)));
        named.extend(snapshots.iter().cloned());
        for path in named {
            if self.file(&path).is_none() {
                return Err(Error::altered(NAME, format!("names {path}, which is not among its files")));
            }
        }
        let inside = |file: &File| file.path.strip_prefix(&model.folder).is_some_and(|rest| rest.starts_with('/'));
        if !self.files.iter().any(inside) {
            return Err(Error::altered(NAME, format!("no file lies in the model's folder {:?}", model.folder)));
        }
        Ok(())
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The lane of that name.
    #[must_use]
    pub fn lane(&self, name: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.name == name)
    }
}
