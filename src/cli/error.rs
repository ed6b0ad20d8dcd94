//! What a verb fails with, and the exit code that it means.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::Exit;

/// An error of the room `cli`: one of another room's, or a wrong argument.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A wrong argument.
    #[error("{found}; {hint}")]
    Usage {
        /// What was found.
        found: String,
        /// What to try.
        hint: String,
    },
    /// A file could not be read or written.
    #[error("{doing} {path:?}: {source}{}", what_to_try(source))]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of a run's folder says something that cannot be taken.
    #[error("{path:?}: {message}")]
    RunFile {
        /// The file.
        path: PathBuf,
        /// What was found.
        message: String,
    },
    /// The model folder or its generation.
    #[error(transparent)]
    Engine(#[from] crate::engine::Error),
    /// A bundle.
    #[error(transparent)]
    Bundle(#[from] crate::bundle::Error),
    /// A plan, lane or lock.
    #[error(transparent)]
    Plan(#[from] crate::plan::Error),
    /// A digest, a registry or a lock.
    #[error(transparent)]
    Lock(#[from] crate::lock::Error),
    /// A journal.
    #[error(transparent)]
    Journal(#[from] crate::journal::Error),
    /// Others' files.
    #[error(transparent)]
    Import(#[from] crate::import::Error),
    /// Claims, or their tables.
    #[error(transparent)]
    Audit(#[from] crate::audit::Error),
    /// Plan and journal are no pair.
    #[error(transparent)]
    Verdict(#[from] crate::verdict::Error),
    /// A snapshot.
    #[error(transparent)]
    Snapshot(#[from] crate::snapshot::Error),
    /// A report.
    #[error(transparent)]
    Report(#[from] crate::report::Error),
    /// The run itself.
    #[error(transparent)]
    Supervise(#[from] crate::supervise::Error),
    /// Something that cannot happen did.
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

impl Error {
    /// A wrong argument.
    pub(super) fn usage(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { found: found.into(), hint: hint.into() }
    }

    /// A failed file operation.
    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { doing, path: path.into(), source }
    }

    /// The exit code that the error means.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Internal(_) => Exit::Internal,
            _ => Exit::Usage,
        }
    }
}

/// What helps with the failures of files that a user can mend.
fn what_to_try(source: &std::io::Error) -> &'static str {
    match source.kind() {
        ErrorKind::NotFound => "; check the path",
        ErrorKind::PermissionDenied => "; check who may read and write there",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room there",
        ErrorKind::InvalidData => "; it is no text in UTF-8: check that it is the file that you mean",
        ErrorKind::IsADirectory => "; it is a folder: name a file in it",
        _ => "",
    }
}
