//! Bytes to messages and back. Nothing here reads or writes: the caller owns the IO, blocking or not.

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;

use serde_json::Value;

use super::shape::stranger;
use super::{Error, MAX_LINE_BYTES, Message, PROTOCOL};
use crate::terms::nearest;

/// The message as one line of JSON, newline included.
///
/// # Errors
/// [`Error::NotEncodable`] for a number that is not finite, [`Error::OverlongMessage`] above [`MAX_LINE_BYTES`].
pub fn encode<T: Message>(message: &T) -> Result<Vec<u8>, Error> {
    let mut line = Vec::with_capacity(128);
    let mut writer = serde_json::Serializer::with_formatter(&mut line, NoNull);
    serde::Serialize::serialize(message, &mut writer)
        .map_err(|error| Error::NotEncodable { reason: error.to_string() })?;
    line.push(b'\n');
    if line.len() > MAX_LINE_BYTES {
        return Err(Error::OverlongMessage { bytes: line.len(), limit: MAX_LINE_BYTES });
    }
    Ok(line)
}

/// Compact JSON without `null`: no message has one, so it can only be a number that JSON cannot express, which
/// serde_json would otherwise write as `null` for the other side to stumble over.
struct NoNull;

impl serde_json::ser::Formatter for NoNull {
    fn write_null<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::InvalidData, "a number is NaN or infinite"))
    }
}

/// Takes bytes as they come, in any cut, and gives whole messages.
///
/// An error concerns one line; the next line is read afresh. Never more than [`MAX_LINE_BYTES`] of an unfinished
/// line are kept.
#[derive(Debug)]
pub struct LineDecoder<T> {
    partial: Vec<u8>,
    /// The current line was already reported as overlong; its rest is dropped.
    dropping: bool,
    /// Lines begun so far, the current one included.
    line: u64,
    ready: VecDeque<Result<T, Error>>,
    messages: PhantomData<fn() -> T>,
}

impl<T> Default for LineDecoder<T> {
    fn default() -> Self {
        Self { partial: Vec::new(), dropping: false, line: 1, ready: VecDeque::new(), messages: PhantomData }
    }
}

impl<T: Message> LineDecoder<T> {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.extend(end);
                    self.finish_line();
                }
                None => self.extend(piece),
            }
        }
    }

    /// The next message, or what is wrong with its line; `None` until more bytes come.
    pub fn take(&mut self) -> Option<Result<T, Error>> {
        self.ready.pop_front()
    }

    /// Says that no more bytes will come.
    ///
    /// # Errors
    /// [`Error::TornLine`] when the last line has no newline.
    pub fn end(&self) -> Result<(), Error> {
        if self.partial.is_empty() {
            return Ok(());
        }
        Err(Error::TornLine { line: self.line, bytes: self.partial.len(), excerpt: excerpt(&self.partial, 0) })
    }

    /// Bytes of the unfinished line that are kept.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.partial.len()
    }

    fn extend(&mut self, piece: &[u8]) {
        if self.dropping {
            return;
        }
        // The newline counts, and has not come yet.
        if self.partial.len() + piece.len() >= MAX_LINE_BYTES {
            self.ready.push_back(Err(Error::OverlongLine { line: self.line, limit: MAX_LINE_BYTES }));
            self.partial = Vec::new();
            self.dropping = true;
            return;
        }
        self.partial.extend_from_slice(piece);
    }

    fn finish_line(&mut self) {
        if !std::mem::take(&mut self.dropping) {
            self.ready.push_back(decode(&self.partial, self.line));
        }
        self.partial.clear();
        self.line += 1;
    }
}

/// One line without its newline.
fn decode<T: Message>(bytes: &[u8], line: u64) -> Result<T, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Error::NotUtf8 { line, at: at + 1, excerpt: excerpt(bytes, at) }
    })?;
    let value: Value = serde_json::from_str(text).map_err(|error| not_json(&error, bytes, line))?;
    let no_tag = || Error::NoTag { line, excerpt: excerpt(bytes, 0) };
    let message = value.as_object().ok_or_else(no_tag)?;
    let tag = message.get("type").and_then(Value::as_str).ok_or_else(no_tag)?;

    let known = || T::SHAPES.iter().map(|shape| shape.tag);
    let Some(shape) = T::SHAPES.iter().find(|shape| shape.tag == tag) else {
        let found = excerpt(tag.as_bytes(), 0);
        return Err(Error::UnknownTag { line, found, nearest: nearest(tag, known()), known: known().collect() });
    };
    // Before the fields: a greeting of another version may well have other fields.
    if let Some(theirs) = message.get("protocol").and_then(Value::as_u64)
        && shape.fields.contains(&"protocol")
        && theirs != u64::from(PROTOCOL)
    {
        return Err(Error::WrongVersion { ours: PROTOCOL, theirs });
    }
    if let Some(stranger) = stranger(shape, message) {
        let path = excerpt(stranger.path.as_bytes(), 0);
        return Err(Error::UnknownField { line, tag: shape.tag, path, nearest: stranger.nearest });
    }
    // From the text and not from the value: a value has already lost a repeated key.
    serde_json::from_str(text).map_err(|error| Error::Malformed { line, tag: shape.tag, reason: reason(&error) })
}

fn not_json(error: &serde_json::Error, bytes: &[u8], line: u64) -> Error {
    let column = error.column().max(1);
    Error::NotJson { line, column, reason: reason(error), excerpt: excerpt(bytes, column - 1) }
}

/// The parser's reason without its own position, which counts lines from this one; and not much of it, since it
/// may repeat what was found.
fn reason(error: &serde_json::Error) -> String {
    const SHOWN_CHARS: usize = 200;
    let text = error.to_string();
    let reason = text.rfind(" at line ").and_then(|end| text.get(..end)).unwrap_or(&text);
    match reason.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", reason.get(..end).unwrap_or_default()),
        None => reason.to_owned(),
    }
}

/// At most 64 bytes around a position, quoted and escaped, with `…` where something is left out.
fn excerpt(bytes: &[u8], at: usize) -> String {
    const BEFORE_BYTES: usize = 16;
    const AFTER_BYTES: usize = 48;
    let start = at.min(bytes.len()).saturating_sub(BEFORE_BYTES);
    let end = at.saturating_add(AFTER_BYTES).min(bytes.len());
    let shown = String::from_utf8_lossy(bytes.get(start..end).unwrap_or_default()).into_owned();
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < bytes.len() { "…" } else { "" });
    format!("{before}{shown:?}{after}")
}
