//! Whether a journal can be what a run of its plan left behind. A verdict rests on rows; this is why rows are believed.
//!
//! ```text
//! header    the plan's lanes, each with a state that its axes and its failure bear out
//!  └ launch the lane that the schedule starts here, shown to be what its header says before its first row and as it left
//!     └ row the repetition that the schedule has here, whose numbers say what its outcome says
//! seal      every planned repetition of every lane that took part has a row
//! ```
//!
//! The chain says that nobody changed a line without writing all later ones again. Here the records are held against each
//! other and against the plan, so that who does write them again has to keep every one of these in step.

mod admit;
mod copies;
mod header;
mod launch;
mod row;
mod telemetry;

pub(super) use admit::Admission;
