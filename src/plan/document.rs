//! A TOML text that knows where each key stands, so that every fault names file, line and key path.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use crate::plan::{Error, Fault};
use crate::terms::nearest;

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
        toml::from_str(self.text).map_err(|error| self.explain(&error))
    }

    /// A fault at `path`, with the line looked up.
    pub(super) fn fault(&self, path: &str, message: impl Into<String>, hint: Option<String>) -> Error {
        let line = self.span_of(path).map(|span| self.line_at(span.start));
        Fault { file: self.file.to_owned(), line, path: path.to_owned(), message: message.into(), hint }.into()
    }

    /// Turns the parser's error into a fault with place, path and the nearest known key.
    fn explain(&self, error: &toml::de::Error) -> Error {
        let message = error.message().to_owned();
        let (line, path) = match error.span() {
            Some(span) => (Some(self.line_at(span.start)), self.path_at(&span)),
            None => (None, String::new()),
        };
        let hint = unknown_word(&message).map(|(word, known)| match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "nothing is expected here".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        });
        let message = match unknown_word(&message) {
            Some((word, _)) if message.starts_with("unknown field") => format!("unknown key `{word}`"),
            Some((word, _)) => format!("unknown value `{word}`"),
            None => message.replace("missing field", "missing key").replace('\n', " "),
        };
        Fault { file: self.file.to_owned(), line, path, message, hint }.into()
    }

    fn line_at(&self, offset: usize) -> usize {
        let head = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + head.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The path of the innermost key or value that holds `span`.
    fn path_at(&self, span: &Range<usize>) -> String {
        let mut path = String::new();
        if let Ok(table) = DeTable::parse(self.text) {
            descend(table.get_ref(), span, &mut path);
        }
        path
    }

    /// Where the value at `path` stands, or else the nearest part of the path that is there.
    fn span_of(&self, path: &str) -> Option<Range<usize>> {
        let root = DeTable::parse(self.text).ok()?;
        let mut found = None;
        let mut table = Some(root.get_ref());
        for part in path.split('.') {
            let (key, index) = match part.split_once('[') {
                Some((key, rest)) => (key, rest.trim_end_matches(']').parse::<usize>().ok()),
                None => (part, None),
            };
            let Some((name, value)) = table.and_then(|t| t.iter().find(|(name, _)| name.get_ref().as_ref() == key))
            else {
                break;
            };
            found = Some(name.span());
            let mut inner = value;
            if let (Some(index), DeValue::Array(items)) = (index, value.get_ref()) {
                let Some(item) = items.get(index) else { break };
                found = Some(item.span());
                inner = item;
            }
            table = inner.get_ref().as_table();
        }
        found
    }
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
        path.push_str(name.get_ref());
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

/// The unknown word of serde's message and the words it knows, from the message's own backticks.
fn unknown_word(message: &str) -> Option<(&str, Vec<&str>)> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let word = words.next()?;
    Some((word, words.collect()))
}
