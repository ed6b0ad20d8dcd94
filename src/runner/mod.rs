//! The process inside a lane: drives a [`Backend`] over the wire and owns the measuring clock.
//!
//! Way of the data: bytes on the input → reader thread (`serve`: decodes; the end of the input ends the process even
//! in the middle of work) → one request at a time, checked by [`crate::wire::Conversation`] → `repetition` (prepare,
//! clock, measure, clock, finish) → [`Backend`] (`native`: the engine) → answer on the output. A second thread
//! (`speaker`) sends beats from a counter ([`Pulse`]), so that the measured thread does no IO while the clock runs.
//!
//! The room decides no exit code and ends no process: it returns a [`Farewell`] or an [`Error`], and calls the hook
//! it was given when the supervisor vanishes while work is under way.

mod backend;
mod error;
mod native;
mod pulse;
mod repetition;
mod serve;
mod speaker;
mod stdio;

pub use backend::{Backend, Finished, LoadOrder, Signals};
pub use error::Error;
pub use native::{NATIVE, NativeBackend, native_cell_axes};
pub use pulse::Pulse;
pub use serve::{Farewell, serve};
pub use stdio::take_stdout;

#[cfg(test)]
mod tests;
