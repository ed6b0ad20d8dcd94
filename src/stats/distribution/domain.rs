//! The domains of the distribution functions.

use crate::stats::error::Error;

/// Refuses NaN; infinities are in the domain of a distribution function.
pub(super) fn number(value: f64, computing: &'static str) -> Result<f64, Error> {
    check(value, !value.is_nan(), computing, "the argument", "a number")
}

/// Refuses what is no probability strictly between 0 and 1.
pub(super) fn open_unit(value: f64, computing: &'static str) -> Result<f64, Error> {
    check(value, value > 0.0 && value < 1.0, computing, "the probability", "above 0 and below 1")
}

/// Refuses degrees of freedom that are not positive and finite.
pub(super) fn degrees_of_freedom(value: f64, computing: &'static str) -> Result<f64, Error> {
    check(value, value > 0.0 && value.is_finite(), computing, "the degrees of freedom", "positive and finite")
}

/// `value` if `within` holds.
pub(super) fn check(
    value: f64,
    within: bool,
    computing: &'static str,
    parameter: &'static str,
    range: &'static str,
) -> Result<f64, Error> {
    if within {
        return Ok(value);
    }
    let hint = "check the numbers it was derived from";
    Err(Error::OutOfRange { computing, parameter, found: value, range, hint })
}
