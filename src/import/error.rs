//! Why files were not imported.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One thing wrong in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// Where in it: line, row, field; empty when it is the file as a whole.
    pub place: String,
    /// What was found, and what was expected.
    pub found: String,
    /// What to try.
    pub hint: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, place, found, hint } = self;
        f.write_str(file)?;
        if !place.is_empty() {
            write!(f, ", {place}")?;
        }
        write!(f, ": {found}; {hint}")
    }
}

/// An error of the room `import`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read.
    #[error("{doing} {path:?}: {source}; check the path and that this user may read it")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file, or all of them together, is too long.
    #[error("{file}: longer than {limit_bytes} bytes; split it, and import the parts into journals of their own")]
    TooLong {
        /// The file.
        file: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// Two files would have one name in the journal.
    #[error("two files are called {name:?}; the journal keeps names without folders, so rename one of them")]
    SameName {
        /// The name.
        name: String,
    },
    /// Two files hold the same bytes.
    #[error("{first:?} and {second:?} hold the same bytes, and their rows would count twice; leave one of them out")]
    SameBytes {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// Nothing to read was found.
    #[error("{place}: no file that ends in {endings}; name the files that the kind `{kind}` reads")]
    NoFiles {
        /// Where was looked.
        place: String,
        /// What was looked for.
        endings: String,
        /// The reader.
        kind: &'static str,
    },
    /// A file says something that cannot be taken.
    #[error("{0}")]
    Fault(Box<Fault>),
    /// The files hold no table row and no raw row.
    #[error("{files} hold no row that the kind `{kind}` reads; look whether the file was cut, or is of another kind")]
    Empty {
        /// The files.
        files: String,
        /// The reader.
        kind: &'static str,
    },
    /// There is no reader of that name.
    #[error("there is no kind {found:?}; {hint}")]
    UnknownKind {
        /// What was given.
        found: String,
        /// What there is.
        hint: String,
    },
    /// An axis was not given as it must be.
    #[error("--axis {found:?}: {message}")]
    Axis {
        /// What was given.
        found: String,
        /// What is wrong, and what to try.
        message: String,
    },
    /// The records are no journal.
    #[error(transparent)]
    Journal(#[from] crate::journal::Error),
}

impl Error {
    pub(super) fn fault(
        file: &str,
        place: impl Into<String>,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (place, found, hint) = (place.into(), found.into(), hint.into());
        Self::Fault(Box::new(Fault { file: file.to_owned(), place, found, hint }))
    }
}
