//! One value of a foreign table or row.

use serde::{Deserialize, Serialize};

/// Yes or no, a number or a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected true or false, a number or a text")]
pub enum Scalar {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number; never NaN or infinite (JSON has neither).
    Float(f64),
    /// A text.
    Text(String),
}

impl Scalar {
    /// The number, where it is one. A whole number beyond 2^53 is rounded as every `f64` is.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => None,
        }
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_comes_back_from_json_as_the_kind_it_was() {
        for scalar in [
            Scalar::Bool(true),
            Scalar::Int(-7),
            Scalar::Int(i64::MAX),
            Scalar::Float(7.0),
            Scalar::Float(1e300),
            Scalar::Float(-0.0),
            Scalar::Text("7".into()),
        ] {
            let json = serde_json::to_string(&scalar).unwrap();
            assert_eq!(serde_json::from_str::<Scalar>(&json).unwrap(), scalar, "{json}");
        }
        for bad in ["null", "[]", "{}"] {
            assert!(serde_json::from_str::<Scalar>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_numbers_are_numbers() {
        assert_eq!(Scalar::Int(3).number(), Some(3.0));
        assert_eq!(Scalar::Text("3".into()).number(), None);
        assert_eq!(Scalar::Bool(true).number(), None);
        assert_eq!(Scalar::Text("3".into()).text(), Some("3"));
    }
}
