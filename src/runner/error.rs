//! What can go wrong in a runner.

use std::io;

use crate::wire;

/// Why a request could not be answered, or why the runner had to leave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The supervisor broke the wire.
    #[error("the supervisor broke the wire: {0}")]
    Wire(#[from] wire::Error),
    /// The input could not be read.
    #[error("cannot read requests from the input: {source}")]
    Input {
        /// What the system says.
        source: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write to the output ({source}); has the supervisor gone?")]
    Output {
        /// What the system says.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the {thread} thread ({source}); is the limit of processes too low?")]
    Thread {
        /// What it is for.
        thread: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The work contradicts itself or the load order.
    #[error("work field `{field}` is {found}; expected {expected}")]
    InvalidWork {
        /// The field's path inside `work`.
        field: &'static str,
        /// What was found.
        found: String,
        /// What would do.
        expected: String,
    },
    /// The lane declares an axis that this backend cannot honour.
    #[error("the lane declares {axis} = {found:?}, this backend has {supported}")]
    UnsupportedAxis {
        /// The axis.
        axis: &'static str,
        /// What the lane declares.
        found: String,
        /// What this backend has.
        supported: String,
    },
    /// A request came before `load`.
    #[error("cannot {doing}: no model is loaded")]
    NotLoaded {
        /// What was asked.
        doing: &'static str,
    },
    /// The model has fewer positions than the longest cell needs.
    #[error("the longest cell needs {needed} positions, the model has {available}; shorten the plan's workloads")]
    TooFewPositions {
        /// Prompt plus new tokens of the longest cell.
        needed: u32,
        /// What the model has.
        available: usize,
    },
    /// The built-in engine failed.
    #[error("{doing}: {source}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// What the engine says.
        source: crate::engine::Error,
    },
    /// The backend failed.
    #[error("{doing}: {message}")]
    Backend {
        /// What was being done.
        doing: &'static str,
        /// What was found.
        message: String,
        /// Whether memory ran out.
        out_of_memory: bool,
    },
    /// The backend panicked.
    #[error("panic while {doing}: {message}")]
    Panicked {
        /// What was being done.
        doing: &'static str,
        /// The panic's message.
        message: String,
    },
}

impl Error {
    /// Whether memory ran out.
    #[must_use]
    pub const fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Backend { out_of_memory: true, .. })
    }
}
