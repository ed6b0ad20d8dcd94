//! Why no verdict could be derived.

use crate::terms::{CellId, Digest};

/// What helps against a journal that no run leaves behind.
const EDITED: &str = "a run leaves no such journal, so it was edited, or made by another version: take back the archived \
                      copy, or run the plan again";

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
    /// The journal holds what others measured, and the plan's rules need rows of lanes.
    #[error(
        "the journal of run {run} was imported ({kind}), and plan {plan} measures lanes: tables and rows of others prove \
         no lane; give a plan that reads imported tables, or run the plan and judge its own journal"
    )]
    Imported {
        /// The run.
        run: String,
        /// The reader that took the files.
        kind: String,
        /// The plan.
        plan: String,
    },
    /// The journal was measured by Lockstep, and the plan is the design of a published report.
    #[error(
        "the journal of run {run} holds rows that Lockstep measured, and plan {plan} is the design of a published report, \
         which judges imported tables; give the plan.toml that stands beside the journal, or a journal that `lockstep \
         import` made with --plan {plan}"
    )]
    Measured {
        /// The run.
        run: String,
        /// The design.
        plan: String,
    },
    /// The journal was imported with another design.
    #[error(
        "the journal {run} was imported with plan {found} (SHA-256), and the plan given is {given}; give that plan, or \
         import the tables again with this one"
    )]
    OtherDesign {
        /// The import.
        run: String,
        /// The journal's plan.
        found: Digest,
        /// The plan given.
        given: Digest,
    },
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
    /// The journal's file is none, or is damaged.
    #[error(transparent)]
    Journal(#[from] crate::journal::Error),
    /// A header contradicts the plan, itself or the header before it.
    #[error("line {line}: the header {what}; {EDITED}")]
    Header {
        /// The line.
        line: usize,
        /// What it says, and what contradicts it.
        what: String,
    },
    /// A header's lane contradicts the plan or itself.
    #[error("line {line}: the header's lane {lane} {what}; {EDITED}")]
    DeclaredLane {
        /// The line.
        line: usize,
        /// The lane.
        lane: String,
        /// What it says, and what contradicts it.
        what: String,
    },
    /// A launch is not the one that the plan has there, or was not shown to be what the header says.
    #[error("line {line}: launch {launch} of lane {lane} {what}; {EDITED}")]
    Launch {
        /// The line.
        line: usize,
        /// The launch.
        launch: u32,
        /// The lane.
        lane: String,
        /// What is wrong with it.
        what: String,
    },
    /// A row's outcome is not what its numbers say, or it is not the repetition that the plan has there.
    #[error("line {line}: the row of lane {lane} and cell {cell} {what}; {EDITED}")]
    Row {
        /// The line.
        line: usize,
        /// The lane.
        lane: String,
        /// The cell.
        cell: CellId,
        /// What is wrong with it.
        what: String,
    },
    /// A sealed journal lacks rows: what is left would be judged as if it were all.
    #[error(
        "{missing} of the {planned} planned repetitions of lane {lane} have no row, and the journal is sealed; {EDITED}"
    )]
    Missing {
        /// The lane.
        lane: String,
        /// Repetitions without a row.
        missing: u64,
        /// Repetitions planned.
        planned: u64,
    },
    /// The plan cannot be expanded.
    #[error(transparent)]
    Plan(#[from] crate::plan::Error),
    /// A statistic that is defined for every checked plan was refused.
    #[error(transparent)]
    Stats(#[from] crate::stats::Error),
}
