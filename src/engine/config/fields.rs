//! Typed reads of the fields of a `config.json`.

use serde_json::{Map, Value};

use super::Architecture;
use crate::engine::error::{Error, Result};

/// The fields of one JSON object, read for one family. A field that is `null` counts as absent, as it does for
/// Python's `None` in the library that writes these files.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    architecture: Architecture,
    /// Path of the object inside the file, with its dot, for example `rope_scaling.`.
    path: &'a str,
}

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>, architecture: Architecture) -> Self {
        Self { map, architecture, path: "" }
    }

    /// The fields of an object inside this one.
    pub(super) fn inside(self, map: &'a Map<String, Value>, path: &'a str) -> Self {
        Self { map, path, ..self }
    }

    pub(super) fn architecture(self) -> Architecture {
        self.architecture
    }

    /// The value of a field, unless it is absent or `null`.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn object(self, name: &str) -> Result<Option<&'a Map<String, Value>>> {
        self.typed(name, "an object", Value::as_object)
    }

    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>> {
        self.typed(name, "a text", Value::as_str)
    }

    pub(super) fn flag(self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub(super) fn size(self, name: &str) -> Result<Option<usize>> {
        self.typed(name, "a whole number", |value| value.as_u64().and_then(|n| usize::try_from(n).ok()))
    }

    pub(super) fn number(self, name: &str) -> Result<Option<f64>> {
        self.typed(name, "a number", Value::as_f64)
    }

    pub(super) fn required_size(self, name: &str) -> Result<usize> {
        self.size(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn required_number(self, name: &str) -> Result<f64> {
        self.number(name)?.ok_or_else(|| self.missing(name))
    }

    /// Refuses a flag that is set to what the engine does not implement.
    pub(super) fn refuse_flag(self, name: &str, refused: bool, supported: &'static str) -> Result<()> {
        match self.flag(name)? {
            Some(found) if found == refused => Err(self.unsupported(name, &Value::Bool(found), supported)),
            _ => Ok(()),
        }
    }

    /// Refuses a text that is not among those that the engine implements.
    pub(super) fn require_text(self, name: &str, implemented: &[&str], supported: &'static str) -> Result<()> {
        match self.text(name)? {
            Some(found) if !implemented.contains(&found) => {
                Err(self.unsupported(name, &Value::String(found.to_owned()), supported))
            }
            _ => Ok(()),
        }
    }

    /// End-of-sequence ids: absent, one number, or a list of numbers.
    pub(super) fn token_ids(self, name: &str) -> Result<Vec<u32>> {
        let expected = "a token id or a list of token ids";
        let id = |value: &Value| {
            value
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| self.invalid(name, &value.to_string(), expected))
        };
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(id).collect(),
            Some(value) => Ok(vec![id(value)?]),
        }
    }

    pub(super) fn unsupported(self, name: &str, found: &Value, supported: &'static str) -> Error {
        Error::UnsupportedOption {
            model_type: self.architecture.name(),
            option: format!("{}{name}", self.path),
            found: abridged(&found.to_string()),
            supported,
        }
    }

    pub(super) fn invalid(self, name: &str, found: &str, expected: impl Into<String>) -> Error {
        Error::InvalidField { field: format!("{}{name}", self.path), found: abridged(found), expected: expected.into() }
    }

    pub(super) fn missing(self, name: &str) -> Error {
        Error::MissingField { model_type: self.architecture.name(), field: format!("{}{name}", self.path) }
    }

    fn typed<T: 'a>(
        self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(self.invalid(name, &value.to_string(), expected)),
        }
    }
}

/// An error shows what was found without repeating a whole file.
pub(super) fn abridged(found: &str) -> String {
    const SHOWN_CHARS: usize = 120;
    if found.chars().count() <= SHOWN_CHARS {
        return found.to_owned();
    }
    let head: String = found.chars().take(SHOWN_CHARS).collect();
    format!("{head}…")
}
