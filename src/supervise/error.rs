//! Why a run could not begin or go on. What goes wrong inside a lane is a row, not an error.

/// An error of the room `supervise`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot be written or read.
    #[error(transparent)]
    Journal(#[from] crate::journal::Error),
    /// A launcher failed in a way that no lane is to blame for.
    #[error(transparent)]
    Launch(#[from] crate::launch::Error),
    /// A digest or a registry.
    #[error(transparent)]
    Lock(#[from] crate::lock::Error),
    /// The plan cannot be expanded.
    #[error(transparent)]
    Plan(#[from] crate::plan::Error),
    /// A file of the run's folder.
    #[error("{doing} {path:?}: {source}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The async runtime did not start.
    #[error("starting the async runtime: {0}; the process may be at its limit of threads or open files")]
    Runtime(std::io::Error),
    /// The journal is another plan's.
    #[error("the journal was made with plan {found}, and the run's plan.toml is {given}; it was edited since")]
    OtherPlan {
        /// The journal's plan.
        found: crate::terms::Digest,
        /// The plan in the folder.
        given: crate::terms::Digest,
    },
    /// The checkpoint is not what it was when the run began.
    #[error("{0}; the run is not sealed, and its rows may come from two different models")]
    ModelChanged(crate::lock::Error),
}
