//! Preflight signals: named, typed observations, with who made them.

use serde::{Deserialize, Serialize};

/// A signal's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected true or false, a number, a text or a list of texts")]
pub enum SignalValue {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number; never NaN or infinite (JSON has neither).
    Float(f64),
    /// A text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

impl std::fmt::Display for SignalValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => write!(f, "[{}]", values.join(", ")),
        }
    }
}

impl From<&str> for SignalValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for SignalValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<bool> for SignalValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for SignalValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// Who saw a signal. What the supervisor sees from outside decides; a runner's word alone proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Observer {
    /// The supervisor, from outside the lane.
    Supervisor,
    /// The runner, about itself.
    Runner,
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Dotted name, for example `process.exe_sha256`.
    pub name: String,
    /// Who saw it.
    pub observer: Observer,
    /// What was seen.
    pub value: SignalValue,
}

impl Signal {
    /// What the supervisor saw.
    #[must_use]
    pub fn outside(name: &str, value: impl Into<SignalValue>) -> Self {
        Self { name: name.to_owned(), observer: Observer::Supervisor, value: value.into() }
    }

    /// What the runner said.
    #[must_use]
    pub fn inside(name: &str, value: impl Into<SignalValue>) -> Self {
        Self { name: name.to_owned(), observer: Observer::Runner, value: value.into() }
    }
}
