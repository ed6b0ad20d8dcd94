//! One verb, one file: its options, and what it does with them.

pub(super) mod accept;
pub(super) mod audit;
pub(super) mod audit_formula;
pub(super) mod calibrate;
pub(super) mod clean;
pub(super) mod compare;
pub(super) mod completions;
mod conclude;
mod confirm;
pub(super) mod exit_codes;
pub(super) mod explain;
pub(super) mod image;
pub(super) mod import;
pub(super) mod judge;
pub(super) mod lane;
pub(super) mod lanes;
pub(super) mod lock;
pub(super) mod plan;
pub(super) mod preflight;
pub(super) mod report;
pub(super) mod rerun;
pub(super) mod resume;
pub(super) mod run;
pub(super) mod runner;
pub(super) mod runs;
pub(super) mod schema;
pub(super) mod verify;
