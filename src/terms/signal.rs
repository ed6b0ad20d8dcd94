//! Preflight signals: named, typed observations, with who made them.

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A signal's value.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(untagged)]
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

/// Takes the kind of value that stands there. Trying one kind after the other, as serde does by itself, would make and
/// drop an error for every value that is no truth value, and a journal has several of them in a row.
struct AnyKind;

impl<'de> Deserialize<'de> for SignalValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyKind)
    }
}

impl AnyKind {
    fn refuse<E: Error>() -> E {
        E::custom("expected true or false, a number, a text or a list of texts")
    }
}

impl<'de> Visitor<'de> for AnyKind {
    type Value = SignalValue;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("true or false, a number, a text or a list of texts")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<SignalValue, E> {
        Ok(SignalValue::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<SignalValue, E> {
        Ok(SignalValue::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<SignalValue, E> {
        Ok(i64::try_from(value).map_or(SignalValue::Float(value as f64), SignalValue::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<SignalValue, E> {
        Ok(SignalValue::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<SignalValue, E> {
        Ok(SignalValue::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<SignalValue, A::Error> {
        let mut list = Vec::new();
        while let Some(text) = texts.next_element::<SignalValue>()? {
            let SignalValue::Text(text) = text else { return Err(Self::refuse()) };
            list.push(text);
        }
        Ok(SignalValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<SignalValue, A::Error> {
        Err(Self::refuse())
    }

    fn visit_unit<E: Error>(self) -> Result<SignalValue, E> {
        Err(Self::refuse())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_the_kind_that_stands_there() {
        let read = |text: &str| serde_json::from_str::<SignalValue>(text).map_err(|error| error.to_string());
        assert_eq!(read("true"), Ok(SignalValue::Bool(true)));
        assert_eq!(read("-3"), Ok(SignalValue::Int(-3)));
        assert_eq!(read("3.0"), Ok(SignalValue::Float(3.0)));
        assert_eq!(read("18446744073709551615"), Ok(SignalValue::Float(18_446_744_073_709_551_615.0)));
        assert_eq!(read(r#""a\n""#), Ok(SignalValue::Text("a\n".into())));
        assert_eq!(read(r#"["a", "b"]"#), Ok(SignalValue::List(vec!["a".into(), "b".into()])));
        for bad in ["null", "{}", "[1]", "[[]]", r#"["a", null]"#] {
            assert!(read(bad).is_err_and(|error| error.starts_with("expected true or false")), "{bad}");
        }
    }
}
