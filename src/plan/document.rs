//! A TOML text that knows where each key stands, so that every fault names file, line and key path.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use crate::plan::{Error, Fault};
use crate::terms::nearest;

/// The longest text that is read, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// The deepest nesting of arrays, inline tables and dotted keys that one entry may have; ours need four. The parser's
/// own limits (80 for each kind, multiplied with each other) let a text through whose tree overflows the stack.
const MAX_DEPTH: usize = 16;

/// A named TOML text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
}

impl<'a> Document<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text }
    }

    /// Reads the text as `T`.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.check_size()?;
        toml::from_str(self.text).map_err(|error| self.explain(&error))
    }

    /// Whether the text has that key at its top. A text that is no TOML, or too large to be asked, has none.
    pub(super) fn has(&self, key: &str) -> bool {
        self.check_size().is_ok() && self.find(key).is_some()
    }

    /// Keeps out what would cost more to parse than any plan, lane or lock is worth.
    fn check_size(&self) -> Result<(), Error> {
        let file = self.file.to_owned();
        if self.text.len() > MAX_TEXT_BYTES {
            let message = format!("the text has {} bytes: expected up to {MAX_TEXT_BYTES}", self.text.len());
            let hint = Some("is it the right file?".to_owned());
            return Err(Fault { file, line: None, path: String::new(), message, hint }.into());
        }
        if let Some(offset) = too_deep(self.text) {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            let hint = Some("no key of this file needs that".to_owned());
            return Err(Fault { file, line: Some(self.line_at(offset)), path: String::new(), message, hint }.into());
        }
        Ok(())
    }

    /// A fault at `path`, with the line looked up.
    pub(super) fn fault(&self, path: &str, message: impl Into<String>, hint: Option<String>) -> Error {
        let line = self.span_of(path).map(|span| self.line_at(span.start));
        Fault { file: self.file.to_owned(), line, path: path.to_owned(), message: message.into(), hint }.into()
    }

    /// Turns the parser's error into a fault with place, path and the nearest known key.
    fn explain(&self, error: &toml::de::Error) -> Error {
        let file = self.file.to_owned();
        let (mut line, mut path) = match error.span() {
            Some(span) => (Some(self.line_at(span.start)), self.path_at(&span)),
            None => (None, String::new()),
        };
        let Some(Unknown { what, word, known }) = unknown(error.message()) else {
            let message = error.message().replace("missing field", "missing key").replace('\n', " ");
            return Fault { file, line, path, message, hint: None }.into();
        };
        let inner = format!("{path}.{}", key(word));
        // A tagged table is read as a whole, so the parser names its place and not that of the key.
        if let Some(span) = self.find(&inner).filter(|_| what == "key") {
            (line, path) = (Some(self.line_at(span.start)), inner);
        }
        let hint = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "nothing is expected here".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        let message = format!("unknown {what} `{}`", word.escape_debug());
        Fault { file, line, path, message, hint: Some(hint) }.into()
    }

    fn line_at(&self, offset: usize) -> usize {
        let head = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + head.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The path of the innermost key or value that holds `span`.
    fn path_at(&self, span: &Range<usize>) -> String {
        let Ok(root) = DeTable::parse(self.text) else { return self.written_path(self.line_at(span.start)) };
        let mut path = String::new();
        descend(root.get_ref(), span, &mut path);
        path
    }

    /// The path of the key that is written in `line` (from 1), by the look of the lines alone: in a text with a fault
    /// of syntax there is no tree to ask.
    fn written_path(&self, line: usize) -> String {
        let mut lists: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut table, mut path) = (String::new(), String::new());
        for text in self.text.lines().take(line).map(str::trim_start) {
            if let Some(header) = text.strip_prefix('[') {
                let name = header.trim_start_matches('[').split([']', '#']).next().unwrap_or_default().trim();
                let count = lists.entry(name).or_default();
                table = if header.starts_with('[') { format!("{name}[{count}]") } else { name.to_owned() };
                *count += 1;
                path.clone_from(&table);
            } else {
                let written = text.split_once('=').map_or("", |(key, _)| key.trim());
                let is_key = !written.is_empty() && !written.contains(|c: char| c.is_whitespace() || c == '#');
                let dot = if table.is_empty() { "" } else { "." };
                path = if is_key { format!("{table}{dot}{written}") } else { table.clone() };
            }
        }
        path
    }

    /// Where the value at `path` stands, or else the nearest part of the path that is there.
    fn span_of(&self, path: &str) -> Option<Range<usize>> {
        self.walk(path).0
    }

    /// Where the value at `path` stands, if all of the path is there.
    fn find(&self, path: &str) -> Option<Range<usize>> {
        let (span, rest) = self.walk(path);
        span.filter(|_| rest.is_empty())
    }

    /// Follows `path` as far as it goes: where it ended, and what is left of it.
    fn walk<'p>(&self, path: &'p str) -> (Option<Range<usize>>, &'p str) {
        let Ok(root) = DeTable::parse(self.text) else { return (None, path) };
        let mut found = None;
        let mut table = Some(root.get_ref());
        let mut rest = path;
        while let Some((name, value, after)) = table.and_then(|table| step(table, rest)) {
            found = Some(name);
            let mut inner = value;
            rest = after;
            if let (Some((index, after)), DeValue::Array(items)) = (index(rest), value.get_ref()) {
                let Some(item) = items.get(index) else { break };
                found = Some(item.span());
                inner = item;
                rest = after;
            }
            rest = rest.strip_prefix('.').unwrap_or(rest);
            table = inner.get_ref().as_table();
        }
        (found, rest)
    }
}

/// The entry of `table` that `path` begins with, and what follows in the path.
fn step<'t, 'p>(
    table: &'t DeTable<'_>,
    path: &'p str,
) -> Option<(Range<usize>, &'t toml::Spanned<DeValue<'t>>, &'p str)> {
    table.iter().find_map(|(name, value)| {
        let rest = path.strip_prefix(key(name.get_ref()).as_ref())?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then(|| (name.span(), value, rest))
    })
}

/// The array index that `path` begins with, and what follows.
fn index(path: &str) -> Option<(usize, &str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

/// A key as it is written in a path: quoted when it could be misread.
pub(super) fn key(name: &str) -> Cow<'_, str> {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) { Cow::Borrowed(name) } else { Cow::Owned(format!("{name:?}")) }
}

/// Where the nesting passes [`MAX_DEPTH`], by the parser's own tokens. Every dot counts, also that of a number, until
/// the next comma or line.
fn too_deep(text: &str) -> Option<usize> {
    let mut dots: Vec<usize> = vec![0];
    for token in Source::new(text).lex() {
        match token.kind() {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => dots.push(0),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket if dots.len() > 1 => drop(dots.pop()),
            TokenKind::Dot => *dots.last_mut()? += 1,
            TokenKind::Comma | TokenKind::Newline => *dots.last_mut()? = 0,
            _ => {}
        }
        if dots.iter().sum::<usize>() + dots.len() - 1 > MAX_DEPTH {
            return Some(token.span().start());
        }
    }
    None
}

/// Extends `path` by the keys whose value or name holds `span`.
fn descend(table: &DeTable<'_>, span: &Range<usize>, path: &mut String) {
    for (name, value) in table {
        let named = holds(&name.span(), span);
        if !named && !reaches(value, span) {
            continue;
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&key(name.get_ref()));
        if !named {
            descend_value(value.get_ref(), span, path);
        }
        return;
    }
}

fn descend_value(value: &DeValue<'_>, span: &Range<usize>, path: &mut String) {
    match value {
        DeValue::Table(table) => descend(table, span, path),
        DeValue::Array(items) => {
            if let Some((index, item)) = items.iter().enumerate().find(|(_, item)| reaches(item, span)) {
                path.push_str(&format!("[{index}]"));
                descend_value(item.get_ref(), span, path);
            }
        }
        _ => {}
    }
}

/// Whether the value, or any part of it, holds `span`: the span of a `[table]` covers its header alone.
fn reaches(value: &toml::Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    holds(&value.span(), span)
        || match value.get_ref() {
            DeValue::Table(table) => {
                table.iter().any(|(name, value)| holds(&name.span(), span) || reaches(value, span))
            }
            DeValue::Array(items) => items.iter().any(|item| reaches(item, span)),
            _ => false,
        }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end && !outer.is_empty()
}

/// What serde says about a word that it does not know.
struct Unknown<'m> {
    what: &'static str,
    word: &'m str,
    known: Vec<&'m str>,
}

/// Takes serde's message apart: ``unknown field `word`, expected one of `a`, `b` ``.
fn unknown(message: &str) -> Option<Unknown<'_>> {
    let (what, rest) = match (message.strip_prefix("unknown field `"), message.strip_prefix("unknown variant `")) {
        (Some(rest), _) => ("key", rest),
        (_, Some(rest)) => ("value", rest),
        _ => return None,
    };
    // From the right, because the word itself may hold anything.
    let (word, known) = rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no "))?;
    Some(Unknown { what, word, known: known.split('`').skip(1).step_by(2).collect() })
}
