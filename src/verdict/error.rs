//! Why no verdict could be derived.

use crate::terms::Digest;

/// An error of the room `verdict`. It means that plan and journal are no pair, never that a result is bad.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal was made with another plan.
    #[error(
        "the journal of run {run} was made with plan {found} (SHA-256), and the plan given is {given}; give the plan.toml \
         that stands beside the journal"
    )]
    OtherPlan {
        /// The run.
        run: String,
        /// The journal's plan.
        found: Digest,
        /// The plan given.
        given: Digest,
    },
    /// The journal has no header.
    #[error("the journal has no header, so nothing is known of its host and lanes; it was cut before its first cell")]
    NoHeader,
    /// A row names what the plan does not have.
    #[error("row {row} names {what}, which the plan does not have; the journal was not made by this plan's schedule")]
    Stranger {
        /// Position among the rows, from 1.
        row: usize,
        /// The lane or cell.
        what: String,
    },
    /// A row's output does not have the digest that stands beside it.
    #[error("row {row} (lane {lane}): its tokens do not have the digest {digest} that stands beside them")]
    RowContradictsItself {
        /// Position among the rows, from 1.
        row: usize,
        /// The lane.
        lane: String,
        /// The digest.
        digest: Digest,
    },
    /// The plan cannot be expanded.
    #[error(transparent)]
    Plan(#[from] crate::plan::Error),
    /// A statistic that is defined for every checked plan was refused.
    #[error(transparent)]
    Stats(#[from] crate::stats::Error),
}
