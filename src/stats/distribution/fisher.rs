//! The F distribution.

use super::beta::{MAX_PARAMETER, ln_lower_tail, tails};
use super::domain;
use super::gamma::chi_square_upper;
use crate::stats::error::Error;

const COMPUTING: &str = "the F distribution";

/// Probability that an F variable with `df` and `df_error` degrees of freedom exceeds `f`.
///
/// `I_x(df_error/2, df/2)` with `x = df_error / (df_error + df f)` (Abramowitz and Stegun 26.6.2). Above 2e8 error
/// degrees of freedom `(df_error + df/2 - 1) ln(1 + df f / df_error)` is taken as chi-square, as in Hill's
/// transformation of t; what that leaves out is of the order of `1 / df_error^2`.
///
/// # Errors
/// [`Error::OutOfRange`] unless `f >= 0`, `0.5 <= df <= 2e8` and `df_error` is at least 0.5 and finite.
pub fn f_sf(f: f64, df: f64, df_error: f64) -> Result<f64, Error> {
    domain::check(f, f >= 0.0, COMPUTING, "the argument", "at least 0")?;
    domain::check(df, df <= 2.0 * MAX_PARAMETER, COMPUTING, "the degrees of freedom", "at most 2e8")?;
    domain::degrees_of_freedom(df, COMPUTING)?;
    domain::degrees_of_freedom(df_error, COMPUTING)?;
    // The ratio of both sums of squares; x and 1 - x are formed from it without a subtraction.
    let odds = df / df_error * f;
    if odds.is_infinite() {
        return Ok(0.0);
    }
    if df_error > 2.0 * MAX_PARAMETER {
        return Ok(chi_square_upper((df_error + 0.5 * df - 1.0) * libm::log1p(odds), df));
    }
    Ok(tails(df_error / 2.0, df / 2.0, 1.0 / (1.0 + odds), odds / (1.0 + odds)).0)
}

/// ln of [`f_sf`] where that is too small for a double or near it, for a finite `f`.
pub(in crate::stats) fn ln_f_sf(f: f64, df: f64, df_error: f64) -> f64 {
    // Beyond 2e8 error degrees of freedom the fraction still converges this far out in the tail, if slowly.
    let odds = df / df_error * f;
    let (x, y) = (1.0 / (1.0 + odds), odds / (1.0 + odds));
    ln_lower_tail(df_error / 2.0, df / 2.0, x, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_and_two_degrees_of_freedom_have_a_closed_form() {
        // 1 / (1 + f).
        for f in [0.0, 0.1, 1.0, 25.0, 1e9] {
            let tail = f_sf(f, 2.0, 2.0).expect("in the domain");
            assert!((tail * (1.0 + f) - 1.0).abs() < 1e-14, "{f}: {tail}");
        }
        assert_eq!(f_sf(f64::INFINITY, 3.0, 4.0), Ok(0.0));
    }

    #[test]
    fn the_logarithm_continues_where_the_probability_underflows() {
        // df = 2: (1 + 2 f / df_error)^(-df_error / 2).
        for (f, df_error) in [(1e3, 100.0), (1e10, 900.0), (40.0, 1e5)] {
            let expected = -df_error / 2.0 * libm::log1p(2.0 * f / df_error);
            let found = ln_f_sf(f, 2.0, df_error);
            assert!((found / expected - 1.0).abs() < 1e-13, "{f} {df_error}: {found} {expected}");
        }
    }

    #[test]
    fn the_branches_meet_where_the_errors_are_known() {
        for f in [0.3, 1.0, 4.0] {
            let below = f_sf(f, 3.0, 2.0 * MAX_PARAMETER).expect("in the domain");
            let above = f_sf(f, 3.0, 2.0 * MAX_PARAMETER * (1.0 + 1e-9)).expect("in the domain");
            assert!((below / above - 1.0).abs() < 1e-12, "{f}: {below} {above}");
        }
    }

    #[test]
    fn what_lies_outside_the_domain_is_refused() {
        for (f, df, df_error) in
            [(-1.0, 2.0, 2.0), (f64::NAN, 2.0, 2.0), (1.0, 0.0, 2.0), (1.0, 2.0, 0.0), (1.0, 1e9, 2.0)]
        {
            assert!(f_sf(f, df, df_error).is_err(), "{f} {df} {df_error}");
        }
    }
}
