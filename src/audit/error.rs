//! Why claims could not be audited, and why a formula has no value.

use std::io;
use std::path::PathBuf;

/// An error of the room `audit`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a process could not be used.
    #[error("{doing} {path:?}: {source}; check the path and that this user may use it")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The claims are too long.
    #[error("{file}: longer than {limit_bytes} bytes; split it and audit the parts")]
    TooLong {
        /// The file.
        file: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// A line is no claim.
    #[error("{file}, line {line}: {found}; {hint}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What was found.
        found: String,
        /// What to try.
        hint: String,
    },
    /// The file holds no claim.
    #[error("{file}: no claim; write one JSON object a line (`lockstep schema claims`)")]
    NoClaims {
        /// The file.
        file: String,
    },
    /// The folder of tables is not there.
    #[error("{path:?} is no folder of tables; name it with --data, or put `data` beside the claims")]
    NoData {
        /// The folder.
        path: PathBuf,
    },
    /// The confinement of a formula's process failed.
    #[error("limiting {what} of the formula's process: {source}; no formula was run")]
    Confine {
        /// The limit.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// What came in is no job.
    #[error("reading a formula's job: {0}; this verb is for lockstep itself")]
    Job(String),
    /// A formula reads a table that its process was not given.
    #[error("there is no table {table:?}")]
    NoTable {
        /// The table.
        table: String,
    },
    /// A formula reads what the tables do not print, or computes what is not defined for what they print.
    #[error("{0}")]
    Missing(String),
    /// A formula uses a function as it cannot be used.
    #[error("{0}")]
    Misuse(String),
}

impl From<crate::stats::Error> for Error {
    fn from(error: crate::stats::Error) -> Self {
        Self::Missing(error.to_string())
    }
}

/// On its way through the language; `formula` finds it again behind the language's own error.
impl From<Error> for starlark::Error {
    fn from(error: Error) -> Self {
        Self::new_other(error)
    }
}
