//! The command line: one file per verb. The only room that prints, reads environment variables and picks exit codes.
//!
//! The way of a command: `arguments` (what was typed) → the verb's file in `verbs` → `project`, `prepare` and
//! `run_folder` (what is used) → the other rooms → `report` → `output` → an [`Exit`].

mod arguments;
mod assemble;
mod bundled;
mod calibrations;
mod counts;
mod durable;
mod environment;
mod error;
mod exit;
mod hub_model;
mod leftovers;
mod offers;
mod output;
mod pack;
mod pair_plan;
mod prepare;
mod progress;
mod project;
mod run_folder;
mod start;
mod stored_verdict;
mod verbs;

pub use error::Error;
pub use exit::Exit;
use project::Project;
pub use start::main;
