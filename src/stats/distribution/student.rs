//! Student's t distribution.

use std::f64::consts::PI;

use super::gamma::half_step_ratio;
use super::{beta, domain, normal};
use crate::stats::arithmetic::first_reaching;
use crate::stats::error::Error;

const COMPUTING: &str = "Student's t distribution";

/// Above this many degrees of freedom Hill's expansion is exact to a double, and the continued fraction slow.
const ALMOST_NORMAL_DF: f64 = 1e8;

/// Beyond this many `sqrt(df)` the distribution is its leading power to within a double.
const POWER_TAIL: f64 = 1e60;

/// The square of a normal variable beyond which its tail is below the smallest double.
const NOTHING_LEFT: f64 = 2000.0;

/// Probability that a t variable with `df` degrees of freedom is at most `t`.
///
/// # Errors
/// [`Error::OutOfRange`] if `t` is NaN or `df` is not positive and finite.
pub fn student_t_cdf(t: f64, df: f64) -> Result<f64, Error> {
    student_t_sf(-t, df)
}

/// Probability that a t variable with `df` degrees of freedom exceeds `t`.
///
/// `I_x(df/2, 1/2) / 2` with `x = df / (df + t^2)` for t >= 0 (Abramowitz and Stegun 26.7.1).
///
/// # Errors
/// [`Error::OutOfRange`] if `t` is NaN or `df` is not positive and finite.
pub fn student_t_sf(t: f64, df: f64) -> Result<f64, Error> {
    domain::number(t, COMPUTING)?;
    domain::degrees_of_freedom(df, COMPUTING)?;
    let tail = upper(t.abs(), df);
    Ok(if t < 0.0 { 1.0 - tail } else { tail })
}

/// The `t` below which a t variable with `df` degrees of freedom lies with probability `p`.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 < p < 1` and `df` is positive and finite; [`Error::Overflow`] if `t` is no double.
pub fn student_t_quantile(p: f64, df: f64) -> Result<f64, Error> {
    domain::open_unit(p, COMPUTING)?;
    if p < 0.5 { student_t_upper_quantile(p, df).map(|t| -t) } else { student_t_upper_quantile(1.0 - p, df) }
}

/// The `t` that a t variable with `df` degrees of freedom exceeds with probability `tail`; keeps the accuracy of a
/// small `tail`, which `1 - tail` loses.
///
/// The first double whose tail is no larger: the inverse is as exact as the distribution itself.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 < tail < 1` and `df` is positive and finite; [`Error::Overflow`] if `t` is no
/// double.
pub fn student_t_upper_quantile(tail: f64, df: f64) -> Result<f64, Error> {
    domain::open_unit(tail, COMPUTING)?;
    domain::degrees_of_freedom(df, COMPUTING)?;
    if tail > 0.5 {
        return student_t_upper_quantile(1.0 - tail, df).map(|t| -t);
    }
    if tail == 0.5 {
        return Ok(0.0);
    }
    if upper(f64::MAX, df) > tail {
        return Err(Error::Overflow { computing: "a quantile of Student's t distribution" });
    }
    Ok(first_reaching(0.0, f64::MAX, |t| upper(t, df) <= tail))
}

/// [`student_t_sf`] for t >= 0.
pub(super) fn upper(t: f64, df: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    if df > ALMOST_NORMAL_DF {
        return almost_normal_upper(t, df);
    }
    let q = t / df.sqrt();
    if q > POWER_TAIL {
        // I_x(a, 1/2) = x^a Γ(a + 1/2) / (a Γ(a) sqrt(pi)) (1 + O(x)), x = 1/q^2.
        let a = df / 2.0;
        return 0.5 * half_step_ratio(a) / (a * PI.sqrt()) * libm::exp(-df * ln_quotient(t, df));
    }
    // Whichever of x and 1 - x is small is formed first, so that neither loses digits.
    let (x, y) = if q <= 1.0 {
        let square = t * t / df;
        (1.0 / (1.0 + square), square / (1.0 + square))
    } else {
        let inverse = df / (t * t);
        (inverse / (1.0 + inverse), 1.0 / (1.0 + inverse))
    };
    0.5 * beta::tails(df / 2.0, 0.5, x, y).0
}

/// The transformation to a normal variable of G. W. Hill, "Algorithm 395: Student's t-distribution", Communications of
/// the ACM 13, 1970, first correction kept; the next is below 1e-30 here.
fn almost_normal_upper(t: f64, df: f64) -> f64 {
    let a = df - 0.5;
    let q = t / df.sqrt();
    let square = if q < 1e150 { a * libm::log1p(q * q) } else { 2.0 * a * ln_quotient(t, df) };
    if square > NOTHING_LEFT {
        return 0.0;
    }
    normal::upper(square.sqrt() * (1.0 + (square + 3.0) / (48.0 * a * a)))
}

/// ln(t / sqrt(df)), where the quotient itself may be no double.
fn ln_quotient(t: f64, df: f64) -> f64 {
    libm::log(t) - 0.5 * libm::log(df)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_two_degrees_of_freedom_have_closed_forms() {
        for t in [0.0, 1e-9, 0.5, 1.0, 3.0, 1e4, 1e10] {
            let cauchy = student_t_sf(t, 1.0).expect("in the domain");
            let expected = if t == 0.0 { 0.5 } else { libm::atan(1.0 / t) / PI };
            assert!((cauchy / expected - 1.0).abs() < 1e-13, "df 1, t {t}: {cauchy}");
            let two = student_t_sf(t, 2.0).expect("in the domain");
            let root = (2.0 + t * t).sqrt();
            let expected = 1.0 / (root * (root + t));
            assert!((two / expected - 1.0).abs() < 1e-13, "df 2, t {t}: {two}");
        }
    }

    #[test]
    fn the_far_tail_is_a_power_and_does_not_vanish_early() {
        // df = 1: 1 / (pi t).
        let far = student_t_sf(1e300, 1.0).expect("in the domain");
        assert!((far * PI * 1e300 - 1.0).abs() < 1e-12, "{far}");
        let (before, after) = (student_t_sf(0.999e60, 1.0), student_t_sf(1.001e60, 1.0));
        let ratio = before.expect("in the domain") / after.expect("in the domain");
        assert!((ratio * 0.999 / 1.001 - 1.0).abs() < 1e-12, "{ratio}");
    }

    #[test]
    fn the_branches_meet_where_the_distribution_becomes_normal() {
        for t in [0.1, 1.0, 2.0, 6.0, 20.0] {
            let below = upper(t, ALMOST_NORMAL_DF);
            let above = almost_normal_upper(t, ALMOST_NORMAL_DF);
            assert!((below / above - 1.0).abs() < 1e-12, "{t}: {below} {above}");
        }
        assert_eq!(almost_normal_upper(f64::MAX, f64::MAX), 0.0);
    }

    #[test]
    fn a_quantile_too_large_for_a_double_is_an_error() {
        assert!(matches!(student_t_upper_quantile(5e-324, 0.5), Err(Error::Overflow { .. })));
        assert!(student_t_quantile(0.975, 0.0).is_err());
        assert!(student_t_quantile(1.0, 3.0).is_err());
        assert_eq!(student_t_quantile(0.5, 3.0), Ok(0.0));
    }
}
