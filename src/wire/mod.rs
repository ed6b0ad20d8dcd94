//! The wire between supervisor and runner: JSON lines over the runner's standard input and output.
//!
//! The runner speaks first, with a versioned greeting; then the supervisor asks and the runner answers, one request
//! at a time. `containers/WIRE.md` is the document for those who write a runner in another language; the files in
//! `tests/wire` are its conformance kit.
//!
//! Way of the data: `message` (what may be said) → `codec` ([`encode`] one message to one line, [`LineDecoder`] bytes
//! to messages, both free of any IO) → `conversation` ([`Conversation`]: who may say what now, used by the
//! supervisor, by the native runner and by the conformance test). `shape` lists the words of each message, so that
//! a wrong one is answered with the nearest right one.

mod codec;
mod conversation;
mod error;
mod message;
mod shape;

pub use codec::{LineDecoder, encode};
pub use conversation::{Conversation, Meaning};
pub use error::Error;
pub use message::{
    FailureKind, Greeting, MAX_LINE_BYTES, PROTOCOL, Progress, Reply, Request, RunRequest, RunResult, Step, Work,
};
pub use shape::Message;

#[cfg(test)]
mod tests;
