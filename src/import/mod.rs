//! Others' result files → journals, marked imported.
//!
//! Owns the readers and what they take for what. A printed mean, count or percentile becomes a cell of a `summary` and
//! never a row; a raw row becomes an `observation` with a typed outcome, by the table in `observe` and the notes of each
//! reader. What a file does not state stays unknown: host, time, tool, and every axis that nobody gave.
//!
//! Data takes one way: [`gather`] (files, names without machine paths) → [`Kind`] (one reader for each kind) →
//! `Reading` → [`import`] (header, records, seal; bound to a plan) → `journal`. The same files, axes and plan give the
//! same bytes, anywhere.
//!
//! Units: a number has the unit that its file or its name states. A metric of an observation without one is no metric
//! and stays in the key; the attempt's own time without one is refused; in a summary its unit is `unknown`.

mod aiperf;
mod assemble;
mod error;
mod flat;
mod hyperfine;
mod input;
mod json;
mod kind;
mod observe;
mod optimum;
mod reading;
mod reports;
mod shape;
mod table;
mod treni;
mod unit;
mod vllm;

pub use assemble::{Imported, PlanIdentity, axes, import};
pub use error::{Error, Fault};
pub use flat::MAX_KEY_CHARS;
pub use input::{InputFile, MAX_INPUT_BYTES, gather};
pub use kind::Kind;
pub use table::printed_rows;

#[cfg(test)]
mod tests;
