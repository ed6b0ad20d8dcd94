//! Why a bundle was not written, or not taken.

use std::path::PathBuf;

use crate::terms::Digest;

/// An error of the room `bundle`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be used.
    #[error("{doing} {path:?}: {source}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A path that no bundle may hold.
    #[error("the bundle's entry {path:?} {problem}; take the bundle from whoever made it again")]
    Path {
        /// The path, as it stands there.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An entry that no bundle may hold.
    #[error("the bundle's entry {path:?} {problem}; a bundle holds regular files that it lists, and nothing else")]
    Entry {
        /// The path, as it stands there.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something in the bundle is not what its list says.
    #[error("{path}: {problem}; the bundle was damaged or changed: take it from whoever made it again")]
    Altered {
        /// The file's path in the bundle.
        path: String,
        /// What was found.
        problem: String,
    },
    /// The list itself cannot be taken.
    #[error("{file:?} is no bundle of lockstep: {problem}; `lockstep bundle PLAN -o FILE` writes one")]
    Form {
        /// The archive, or the folder that it was extracted to.
        file: PathBuf,
        /// What was found.
        problem: String,
    },
    /// The archive ends too early.
    #[error("{file:?} holds {found} bytes, and a bundle with its list holds {expected}: it was cut; copy it again")]
    Cut {
        /// The archive.
        file: PathBuf,
        /// Its length.
        found: u64,
        /// The length that its list gives.
        expected: u64,
    },
    /// A file that was to be packed is not what it was when it was listed.
    #[error(
        "{path:?} changed while it was packed ({listed} before, {found} now); pack again when nothing writes to it"
    )]
    Moved {
        /// The file on this host.
        path: PathBuf,
        /// Its digest when it was listed.
        listed: Digest,
        /// Its digest when it was packed.
        found: Digest,
    },
}

impl Error {
    /// A failed file operation.
    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { doing, path: path.into(), source }
    }

    pub(super) fn altered(path: &str, problem: impl Into<String>) -> Self {
        Self::Altered { path: path.to_owned(), problem: problem.into() }
    }

    pub(super) fn entry(path: &str, problem: impl Into<String>) -> Self {
        Self::Entry { path: path.to_owned(), problem: problem.into() }
    }
}
