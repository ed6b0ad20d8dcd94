//! Probabilities as types: what is known to lie in (0, 1) is checked once.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Error;

/// Declares a probability strictly between 0 and 1.
macro_rules! open_unit {
    ($(#[$doc:meta])* $name:ident, $called:literal, $hint:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl $name {
            /// Checks the value.
            ///
            /// # Errors
            /// [`Error::OutOfRange`] unless `0 < value < 1`.
            pub fn new(value: f64) -> Result<Self, Error> {
                if value > 0.0 && value < 1.0 {
                    return Ok(Self(value));
                }
                Err(Error::OutOfRange {
                    computing: $called,
                    parameter: "the value",
                    found: value,
                    range: "above 0 and below 1",
                    hint: $hint,
                })
            }

            /// The number itself.
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = Error;

            fn try_from(value: f64) -> Result<Self, Error> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

open_unit!(
    /// A significance level: how often a test may reject although there is nothing.
    Alpha,
    "a significance level",
    "give a fraction such as 0.05"
);

open_unit!(
    /// A confidence level, as a fraction: 0.95 for a 95 % interval.
    Confidence,
    "a confidence level",
    "give a fraction such as 0.95, not a percentage"
);

open_unit!(
    /// A power: how often a test is to detect the effect it is planned for.
    Power,
    "a power",
    "give a fraction such as 0.8"
);

impl Confidence {
    /// The probability outside each end of a two-sided interval.
    pub(super) fn tail(self) -> f64 {
        (1.0 - self.0) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_refused_at_and_beyond_their_ends() {
        for bad in [0.0, 1.0, -0.1, 1.5, 95.0, f64::NAN, f64::INFINITY] {
            assert!(Alpha::new(bad).is_err(), "{bad}");
            assert!(Confidence::new(bad).is_err(), "{bad}");
            assert!(Power::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Alpha::new(0.05).map(Alpha::get), Ok(0.05));
    }

    #[test]
    fn a_percentage_given_as_confidence_is_told_what_to_write() {
        let message = Confidence::new(95.0).expect_err("95 is no fraction").to_string();
        assert!(message.contains("95") && message.contains("0.95"), "{message}");
    }

    #[test]
    fn probabilities_are_checked_when_they_are_read_from_json() {
        assert!(serde_json::from_str::<Power>("1.5").is_err());
        assert!(serde_json::from_str::<Alpha>("0").is_err());
        assert_eq!(serde_json::to_string(&Alpha(0.25)).expect("a number"), "0.25");
    }
}
