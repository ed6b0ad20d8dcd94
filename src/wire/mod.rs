//! The wire between supervisor and runner: JSON lines over the runner's standard input and output.
//!
//! The runner speaks first, with a versioned greeting; then the supervisor asks and the runner answers, one request
//! at a time. `containers/WIRE.md` is the document for those who write a runner in another language; the files in
//! `tests/wire` are its conformance kit.

mod message;

pub use message::{Greeting, MAX_LINE_BYTES, PROTOCOL, Progress, Reply, Request, RunRequest, RunResult, Step, Work};
