//! Published claims against the tables that they were printed with.
//!
//! Owns the form of a claim, the language of its formula, and what a printed number can and cannot contradict. A claim
//! comes from a stranger: its formula is Starlark, does no I/O, and is computed in a process of its own that has
//! bounded memory and time and no environment.
//!
//! Data takes one way: [`read_claims`] (lines, typed errors) and [`DataFolder`] (printed tables, each cell with its
//! resolution) → [`Job`] → the formula's process ([`confine`], then [`answer`]: the value, and the value again with
//! each cell that was read moved by half its last digit) → [`Evaluator`] (limits, fresh process for each claim) →
//! `rounding` (the tolerance) → [`audit`] → one [`Audited`] a claim.
//!
//! | part | what it holds |
//! |---|---|
//! | `claims`, `fields`, `tables` | what is read |
//! | `job`, `process`, `evaluator` | the two ends of a formula's process |
//! | `cells`, `formula`, `library` | what runs inside it: cells and who read them, Starlark, the functions |
//! | `rounding`, `compared`, `judge` | from value, published value and effects to an answer |

mod cells;
mod claims;
mod compared;
mod error;
mod evaluator;
mod fields;
mod formula;
mod job;
mod judge;
mod library;
mod process;
mod rounding;
mod tables;

pub use claims::{Claim, ClaimLine, Compare, DataFiles, MAX_CLAIMS_BYTES, read_claims};
pub use error::Error;
pub use evaluator::{Evaluator, Limits};
pub use formula::answer;
pub use job::{CellEffect, Job, Reply};
pub use judge::{Answer, Audited, Place, audit};
pub use library::{FUNCTIONS, function_names};
pub use process::{Confinement, confine, serve};
pub use tables::{DataFolder, Table};

#[cfg(test)]
mod tests;
