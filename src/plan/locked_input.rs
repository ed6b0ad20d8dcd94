//! What an input was resolved to, and how far that is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Document, key};
use super::{Error, ImagePin, Input};
use crate::terms::Digest;

/// An input's entry in a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum LockedInput {
    /// Lockstep itself has seen it.
    Verified {
        /// The day, in UTC.
        seen: String,
        /// How, for example `registry API at registry-1.docker.io`.
        by: String,
        /// What it is.
        content: Content,
    },
    /// A public source says so, and Lockstep has not seen it.
    Stated {
        /// Which source.
        source: String,
        /// What it says that it is.
        content: Content,
    },
    /// Not known, or known in several ways that contradict each other.
    Unresolved {
        /// Why.
        reason: String,
        /// The command that resolves it, where that is possible.
        resolve: String,
        /// What public sources say.
        #[serde(default, rename = "candidate", skip_serializing_if = "Vec::is_empty")]
        candidates: Vec<Candidate>,
    },
}

/// What an input was resolved to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Content {
    /// An image by every digest it has.
    Image(ImagePin),
    /// An image by one digest; of a manifest or of an index, the source does not say which.
    ImageDigest {
        /// The reference, in full.
        reference: String,
        /// The digest.
        digest: Digest,
    },
    /// An image that was made on a host and given to its engine, in place of one that no registry served.
    LocalImage {
        /// The reference that it stands in for.
        reference: String,
        /// Digest of its normalised file tree.
        tree: Digest,
    },
    /// A requirements file whose every package has hashes.
    Packages {
        /// The file's name without its ending.
        requirements: String,
        /// The file's digest.
        sha256: Digest,
        /// How many packages it pins.
        packages: u32,
    },
    /// A commit.
    Git {
        /// The repository.
        repository: String,
        /// The commit, 40 hex digits.
        commit: String,
    },
    /// A patch.
    Patch {
        /// Its path below `containers/`.
        file: String,
        /// Its digest.
        sha256: Digest,
    },
    /// A file of a public address.
    Archive {
        /// The URL.
        url: String,
        /// Its digest.
        sha256: Digest,
    },
    /// A list of Debian's packages whose every file has a digest.
    Debian {
        /// The list's name without its ending.
        list: String,
        /// The list's digest.
        sha256: Digest,
        /// How many packages it names.
        packages: u32,
    },
    /// Packed wheels.
    Overlay(OverlayPin),
    /// A model's folder or file.
    Model {
        /// Its path below the project.
        path: String,
        /// Its digest.
        sha256: Digest,
    },
}

/// An overlay: from which wheels, and which files are left of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverlayPin {
    /// The recipe's name.
    pub recipe: String,
    /// The recipe's digest.
    pub sha256: Digest,
    /// Digest of the packed archive.
    pub archive: Digest,
    /// Digest of the kept files: a line `PATH sha256:HEX` each, sorted by path; executables end in ` x`.
    pub tree: Digest,
    /// How many files are kept.
    pub files: u32,
    /// What `strip --version` and liblzma said where it was packed; with others the archive may differ.
    pub packed_with: String,
    /// The wheels' digests, by `NAME==VERSION`.
    pub wheels: BTreeMap<String, Digest>,
}

/// What one public source says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// The digest.
    pub digest: Digest,
    /// Where it stands.
    pub source: String,
}

impl LockedInput {
    /// What it was resolved to, however that is known.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Verified { content, .. } | Self::Stated { content, .. } => Some(content),
            Self::Unresolved { .. } => None,
        }
    }

    /// Its state in one word.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified",
            Self::Stated { .. } => "stated",
            Self::Unresolved { .. } => "unresolved",
        }
    }
}

impl Content {
    /// The digest or commit that says it in short.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Image(pin) => pin.index.unwrap_or(pin.manifest).to_string(),
            Self::ImageDigest { digest, .. } => digest.to_string(),
            Self::Git { commit, .. } => commit.clone(),
            Self::Overlay(pin) => pin.tree.to_string(),
            Self::LocalImage { tree, .. } => tree.to_string(),
            Self::Packages { sha256, .. }
            | Self::Patch { sha256, .. }
            | Self::Archive { sha256, .. }
            | Self::Debian { sha256, .. }
            | Self::Model { sha256, .. } => sha256.to_string(),
        }
    }

    /// Whether this is what `input` asks for now: the same thing, and where that is a shipped file, the same bytes.
    #[must_use]
    pub fn is_of(&self, input: &Input, files: &BTreeMap<String, Vec<u8>>) -> bool {
        let bytes = || input.files().and_then(|path| files.get(&path)).map(|bytes| Digest::of(bytes));
        self.mismatch(input).is_none()
            && match (self, input) {
                (Self::Image(ImagePin { reference: locked, .. }), Input::Image { reference, .. })
                | (
                    Self::ImageDigest { reference: locked, .. } | Self::LocalImage { reference: locked, .. },
                    Input::Image { reference, .. },
                ) => locked == reference || locked.ends_with(&format!("/{reference}")),
                (Self::Packages { sha256, .. } | Self::Patch { sha256, .. } | Self::Debian { sha256, .. }, _) => {
                    bytes() == Some(*sha256)
                }
                (Self::Overlay(pin), _) => bytes() == Some(pin.sha256),
                (Self::Archive { sha256: locked, .. }, Input::Archive { sha256, .. }) => locked == sha256,
                (Self::Git { commit, .. }, Input::Git { revision, .. }) => !is_commit(revision) || commit == revision,
                _ => true,
            }
    }

    /// Why this is no content of `input`, if it is none. References are compared by the room `lock`, which knows their
    /// spellings.
    #[must_use]
    pub fn mismatch(&self, input: &Input) -> Option<String> {
        let names = match (input, self) {
            (Input::Image { .. }, Self::Image(_) | Self::ImageDigest { .. } | Self::LocalImage { .. }) => return None,
            (Input::Packages { requirements, .. }, Self::Packages { requirements: locked, .. })
            | (Input::Patch { file: requirements, .. }, Self::Patch { file: locked, .. })
            | (Input::Git { repository: requirements, .. }, Self::Git { repository: locked, .. })
            | (Input::Debian { list: requirements }, Self::Debian { list: locked, .. })
            | (Input::Archive { url: requirements, .. }, Self::Archive { url: locked, .. })
            | (Input::Overlay { recipe: requirements }, Self::Overlay(OverlayPin { recipe: locked, .. }))
            | (Input::Model { path: requirements, .. }, Self::Model { path: locked, .. }) => (requirements, locked),
            _ => return Some(format!("the lock holds another kind of content than {}", input.words())),
        };
        let (wanted, locked) = names;
        (wanted != locked).then(|| format!("the lock holds {locked:?} in place of {wanted:?}"))
    }
}

/// Checks the entries of a lock.
pub(super) fn check(document: &Document<'_>, inputs: &BTreeMap<String, LockedInput>) -> Result<(), Error> {
    for (name, entry) in inputs {
        let at = |field: &str| format!("input.{}.{field}", key(name));
        let texts = match entry {
            LockedInput::Verified { seen, by, .. } => [("seen", seen), ("by", by)],
            LockedInput::Stated { source, .. } => [("source", source), ("source", source)],
            LockedInput::Unresolved { reason, resolve, .. } => [("reason", reason), ("resolve", resolve)],
        };
        if let Some((field, _)) = texts.iter().find(|(_, text)| text.trim().is_empty()) {
            return Err(document.fault(&at(field), "is empty", None));
        }
        match entry.content() {
            Some(Content::Image(pin)) => check_image(document, &at("content"), pin)?,
            Some(Content::Git { commit, .. }) if !is_commit(commit) => {
                let message = format!("{commit:?} is no commit: expected 40 lower-case hex digits");
                return Err(document.fault(&at("content.commit"), message, None));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether `text` is a commit's full name.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn check_image(document: &Document<'_>, at: &str, image: &ImagePin) -> Result<(), Error> {
    for (key, text) in [("reference", &image.reference), ("platform", &image.platform)] {
        if text.trim().is_empty() {
            return Err(document.fault(&format!("{at}.{key}"), "is empty", None));
        }
    }
    if image.diff_ids.is_empty() {
        let message = "is empty: an image has at least one layer";
        return Err(document.fault(&format!("{at}.diff_ids"), message, None));
    }
    Ok(())
}
