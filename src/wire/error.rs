//! What can be wrong with what the other side says.

use crate::terms::{CellId, Stage};

/// A violation of the wire, by the other side or (the last two) by this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line is longer than both sides agreed on. Its bytes are dropped, up to the next newline.
    #[error("line {line} has more than {limit} bytes; was something other than messages written to the wire?")]
    OverlongLine {
        /// Number of the line, from 1.
        line: u64,
        /// The longest line allowed, in bytes.
        limit: usize,
    },
    /// A line is no UTF-8 text.
    #[error("line {line} is not UTF-8 from byte {at}: {excerpt}; was binary output written to the wire?")]
    NotUtf8 {
        /// Number of the line, from 1.
        line: u64,
        /// Offset of the first bad byte, from 1.
        at: usize,
        /// What stands there, escaped and shortened.
        excerpt: String,
    },
    /// A line is no JSON.
    #[error("line {line} is not JSON at column {column} ({reason}): {excerpt}; stray prints belong on standard error")]
    NotJson {
        /// Number of the line, from 1.
        line: u64,
        /// Byte column in the line, from 1.
        column: usize,
        /// What the parser says.
        reason: String,
        /// What stands there, escaped and shortened.
        excerpt: String,
    },
    /// A line is JSON, but no object with a text `type`.
    #[error("line {line} is no message: expected an object with a text `type`, found {excerpt}")]
    NoTag {
        /// Number of the line, from 1.
        line: u64,
        /// What was found, escaped and shortened.
        excerpt: String,
    },
    /// A message has a `type` that this protocol does not know.
    #[error("line {line}: unknown message type {found}{}; known: {}", hint(*nearest), known.join(", "))]
    UnknownTag {
        /// Number of the line, from 1.
        line: u64,
        /// The type that was found, escaped and shortened.
        found: String,
        /// The known type that looks most like it.
        nearest: Option<&'static str>,
        /// All known types, in the order of the conversation.
        known: Vec<&'static str>,
    },
    /// A message has a field that this protocol does not know.
    #[error("line {line}: message `{tag}` has an unknown field {path}{}", hint(*nearest))]
    UnknownField {
        /// Number of the line, from 1.
        line: u64,
        /// The message's type.
        tag: &'static str,
        /// Path of the field inside the message, escaped and shortened.
        path: String,
        /// The known field that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A message lacks a field, or a field has a value of the wrong type or range.
    #[error("line {line}: message `{tag}` is malformed: {reason}")]
    Malformed {
        /// Number of the line, from 1.
        line: u64,
        /// The message's type.
        tag: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// The other side speaks another version of the protocol.
    #[error("the other side speaks wire protocol {theirs}, this one {ours}; {}", remedy(*ours, *theirs))]
    WrongVersion {
        /// The version spoken here.
        ours: u32,
        /// The version spoken there.
        theirs: u64,
    },
    /// A message came that cannot come now.
    #[error("expected {expected}, got {found}")]
    Unexpected {
        /// What may come now.
        expected: String,
        /// What came.
        found: String,
    },
    /// The answer names another request.
    #[error("the answer is to request {found}, the question was request {expected}")]
    WrongId {
        /// The request's number.
        expected: u64,
        /// The answer's number.
        found: u64,
    },
    /// The answer names another cell.
    #[error("the answer is for cell {found}, the question was for cell {expected}")]
    WrongCell {
        /// The request's cell.
        expected: CellId,
        /// The answer's cell.
        found: CellId,
    },
    /// The answer names another preflight stage.
    #[error("the signals are for stage {found}, the question was for stage {expected}")]
    WrongStage {
        /// The stage asked for.
        expected: Stage,
        /// The stage answered.
        found: Stage,
    },
    /// The other side closed its output inside a line.
    #[error("the output ended inside line {line}, after {bytes} bytes without a newline: {excerpt}")]
    TornLine {
        /// Number of the line, from 1.
        line: u64,
        /// Bytes of it that came.
        bytes: usize,
        /// How it begins, escaped and shortened.
        excerpt: String,
    },
    /// The other side closed its output between lines, before the conversation was over.
    #[error("the output ended where {expected} was expected")]
    EndedEarly {
        /// What should have come.
        expected: String,
    },
    /// A message of ours has no wire form.
    #[error("cannot encode a message: {reason}; numbers on the wire are finite")]
    NotEncodable {
        /// What the writer says.
        reason: String,
    },
    /// A message of ours is too long.
    #[error("a message of {bytes} bytes is longer than the {limit} bytes that a line may have")]
    OverlongMessage {
        /// Its length with the newline.
        bytes: usize,
        /// The longest line allowed, in bytes.
        limit: usize,
    },
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn remedy(ours: u32, theirs: u64) -> &'static str {
    if theirs > u64::from(ours) {
        "update the side with the older one, or use a runner of the same release"
    } else {
        "update the runner or the supervisor, whichever is older, so that both are of one release"
    }
}
