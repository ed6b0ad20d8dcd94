//! What a lane's stack is made of: each input by name, as the manifest asks for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Document, key};
use super::{Error, check_plan};
use crate::terms::Digest;

/// The input that stands for the image of a lane that runs one from a registry.
pub const IMAGE_INPUT: &str = "image";

/// One thing that a stack is made of. The lane's lock says what it was resolved to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// An image of a registry; as the base of a build it is handed over as `REPOSITORY@DIGEST`.
    Image {
        /// The reference, for example `docker.io/library/python:3.12-slim-bookworm`.
        reference: String,
        /// The build argument that the lock fills with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        argument: Option<String>,
    },
    /// Packages, each pinned by hash in `containers/requirements/NAME.txt`.
    Packages {
        /// The file's name without its ending.
        requirements: String,
        /// The build argument that the lock fills with that name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        argument: Option<String>,
    },
    /// Source code at a commit.
    Git {
        /// The repository's `https` URL.
        repository: String,
        /// A branch, a tag or a commit's 40 hex digits.
        revision: String,
        /// The build argument that the lock fills with the commit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        argument: Option<String>,
    },
    /// A patch, below `containers/`.
    Patch {
        /// Its path there.
        file: String,
        /// Its digest.
        sha256: Digest,
        /// The build argument that the lock fills with the path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        argument: Option<String>,
    },
    /// A file at a public address, held to its digest: a release's source, a wheel. A build finds it below `inputs/NAME/`.
    Archive {
        /// Its `https` URL, whose last part is the file's name.
        url: String,
        /// Its digest.
        sha256: Digest,
    },
    /// Packages of Debian that a build adds to its base, each file with its digest in `containers/debian/LIST.txt`. A build
    /// finds them below `inputs/NAME/`.
    Debian {
        /// The list's name without its ending.
        list: String,
    },
    /// Importable packages that are put in front of the host's own Python, packed by
    /// `containers/overlays/RECIPE.toml`.
    Overlay {
        /// The recipe's name.
        recipe: String,
    },
    /// A model: one file, or a folder with all files that stand in it. It is the lane's own, whatever the plan's model is.
    Model {
        /// Its path below the project.
        path: String,
        /// Where a container finds it, below `/model`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<String>,
        /// How it is come by, for those whose project lacks it: it is never downloaded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        obtain: Option<String>,
    },
}

impl Input {
    /// The build argument that the lock fills, where there is one.
    #[must_use]
    pub fn argument(&self) -> Option<&str> {
        match self {
            Self::Image { argument, .. }
            | Self::Packages { argument, .. }
            | Self::Git { argument, .. }
            | Self::Patch { argument, .. } => argument.as_deref(),
            Self::Archive { .. } | Self::Debian { .. } | Self::Overlay { .. } | Self::Model { .. } => None,
        }
    }

    /// The shipped files below `containers/` that it stands for.
    #[must_use]
    pub fn files(&self) -> Option<String> {
        match self {
            Self::Packages { requirements, .. } => Some(format!("requirements/{requirements}.txt")),
            Self::Patch { file, .. } => Some(file.clone()),
            Self::Debian { list } => Some(format!("debian/{list}.txt")),
            Self::Overlay { recipe } => Some(format!("overlays/{recipe}.toml")),
            Self::Image { .. } | Self::Git { .. } | Self::Archive { .. } | Self::Model { .. } => None,
        }
    }

    /// The input in a few words, for lists and messages.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Image { reference, .. } => format!("image {reference}"),
            Self::Packages { requirements, .. } => format!("packages {requirements}"),
            Self::Git { repository, revision, .. } => format!("source {repository} at {revision}"),
            Self::Patch { file, .. } => format!("patch {file}"),
            Self::Archive { url, .. } => format!("archive {url}"),
            Self::Debian { list } => format!("Debian's packages {list}"),
            Self::Overlay { recipe } => format!("overlay {recipe}"),
            Self::Model { path, .. } => format!("model {path}"),
        }
    }
}

/// Checks every input; `fills` says whether the lane has a build whose arguments can be filled.
pub(super) fn check(document: &Document<'_>, inputs: &BTreeMap<String, Input>, fills: bool) -> Result<(), Error> {
    let mut arguments: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, input) in inputs {
        let at = |field: &str| format!("input.{}.{field}", key(name));
        check_plan::name(document, &format!("input.{}", key(name)), name)?;
        check_one(document, &at, input)?;
        let Some(argument) = input.argument() else { continue };
        if !fills {
            let hint = "an argument needs `docker.build`".to_owned();
            return Err(document.fault(&at("argument"), "the lane builds no image that could take it", Some(hint)));
        }
        let word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if argument.is_empty() || !argument.chars().all(word) {
            let message = format!("{argument:?} is no build argument: expected upper-case letters, digits and `_`");
            return Err(document.fault(&at("argument"), message, None));
        }
        if let Some(other) = arguments.insert(argument, name) {
            let message = format!("{argument} is filled by the input {other:?} already");
            return Err(document.fault(&at("argument"), message, None));
        }
    }
    Ok(())
}

fn check_one(document: &Document<'_>, at: &dyn Fn(&str) -> String, input: &Input) -> Result<(), Error> {
    match input {
        Input::Image { reference, .. } if reference.trim().is_empty() => {
            Err(document.fault(&at("reference"), "is empty", None))
        }
        Input::Image { .. } => Ok(()),
        Input::Packages { requirements, .. } => check_plan::name(document, &at("requirements"), requirements),
        Input::Overlay { recipe } => check_plan::name(document, &at("recipe"), recipe),
        Input::Debian { list } => check_plan::name(document, &at("list"), list),
        Input::Archive { url, .. } => {
            let name = archive_name(url);
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
            if !is_web(url) || name.is_empty() || name.starts_with('.') || !name.chars().all(good) {
                let message = format!("{url:?} names no file: expected an https URL that ends in a file's name");
                return Err(document.fault(&at("url"), message, None));
            }
            Ok(())
        }
        Input::Git { repository, revision, .. } => {
            if !is_web(repository) {
                let message = format!("{repository:?} is no repository: expected an https URL");
                return Err(document.fault(&at("repository"), message, None));
            }
            let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
            if revision.is_empty() || !revision.chars().all(good) || revision.contains("..") {
                let message = format!("{revision:?} is no branch, tag or commit");
                return Err(document.fault(&at("revision"), message, None));
            }
            Ok(())
        }
        Input::Patch { file: path, .. } => relative(document, &at("file"), path, "`containers/`"),
        Input::Model { path, target, obtain } => {
            relative(document, &at("path"), path, "the project")?;
            if obtain.as_ref().is_some_and(|words| words.trim().is_empty()) {
                return Err(document.fault(&at("obtain"), "is empty", None));
            }
            let Some(target) = target else { return Ok(()) };
            match target.strip_prefix("/model/") {
                Some(inner) => relative(document, &at("target"), inner, "`/model`"),
                None => {
                    let hint = "a container's models lie there, as in `/model/NAME`".to_owned();
                    Err(document.fault(&at("target"), format!("{target:?} is no path below `/model`"), Some(hint)))
                }
            }
        }
    }
}

/// The file's name in an archive's URL.
#[must_use]
pub fn archive_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// Whether a URL is asked over TLS, or on this host.
#[must_use]
pub fn is_web(url: &str) -> bool {
    ["https://", "http://127.0.0.1:", "http://localhost:"].iter().any(|start| url.starts_with(start))
}

/// Nothing in a manifest may lead out of the folder that it is about.
fn relative(document: &Document<'_>, at: &str, path: &str, below: &str) -> Result<(), Error> {
    let good = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    if path.split('/').all(good) {
        return Ok(());
    }
    let message = format!("{path:?} is no path below {below}: expected names with `/` between them");
    Err(document.fault(at, message, None))
}
