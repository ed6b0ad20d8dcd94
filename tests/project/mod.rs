//! A project folder of a test's own, the real executable run in it, and what it left behind.
//!
//! `folder` makes the folder and starts commands, `ended` waits for them and holds what they said, `texts` writes the
//! plans and lanes, `marked` finds processes of lanes, `ledger` says what must hold in every journal.

mod ended;
mod folder;
mod ledger;
mod marked;
mod texts;

pub use ended::{Ended, Started};
pub use folder::{Project, Run, example, faulty_runner};
pub use ledger::{Ledger, planned};
pub use marked::{Process, processes_of, wait_for};
pub use texts::{Lane, MODEL, PlanText, model_digest};
