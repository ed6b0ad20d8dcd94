//! Lockstep reproduces, judges and gates LLM-inference benchmarks.
//!
//! Data goes one way: plan → lanes → rows → verdict → snapshot → report. Measuring and judging meet only in the
//! journal. Each module here is a room that owns one thing; `tests/tidy.rs` holds the table of who may import whom.
//!
//! | measuring | judging | both |
//! |---|---|---|
//! | [`plan`] what was written down first | [`stats`] pure numbers | [`terms`] the vocabulary |
//! | [`lock`] what a lane was resolved to | [`verdict`] what the rows say | [`journal`] the rows |
//! | [`launch`] lanes start and stop | [`snapshot`] what was accepted | [`cli`] the verbs |
//! | [`wire`] supervisor and runner talk | [`report`] how it reads | |
//! | [`runner`] the process in a lane | | |
//! | [`engine`] native inference | [`import`] what others measured | |
//! | [`supervise`] walks lanes through cells | [`audit`] what others claim | [`bundle`] all of it in one archive |

pub mod audit;
pub mod bundle;
pub mod cli;
pub mod engine;
pub mod import;
pub mod journal;
pub mod launch;
pub mod lock;
pub mod plan;
pub mod report;
pub mod runner;
pub mod snapshot;
pub mod stats;
pub mod supervise;
pub mod terms;
pub mod verdict;
pub mod wire;
