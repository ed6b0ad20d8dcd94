//! Student's t distribution.

use std::f64::consts::{LN_2, PI};

use super::gamma::half_step_ratio;
use super::{beta, domain, normal};
use crate::stats::arithmetic::first_reaching_near;
use crate::stats::error::Error;

const COMPUTING: &str = "Student's t distribution";

/// Above this many degrees of freedom Hill's expansion is exact to a double, and the continued fraction slow.
const ALMOST_NORMAL_DF: f64 = 1e8;

/// Beyond this many `sqrt(df)` the distribution is its leading power to within a double.
const POWER_TAIL: f64 = 1e60;

/// The normal variable beyond which its tail is below the smallest double.
const NOTHING_LEFT: f64 = 45.0;

/// Probability that a t variable with `df` degrees of freedom is at most `t`.
///
/// # Errors
/// [`Error::OutOfRange`] if `t` is NaN or `df` is not at least 0.5 and finite.
pub fn student_t_cdf(t: f64, df: f64) -> Result<f64, Error> {
    student_t_sf(-t, df)
}

/// Probability that a t variable with `df` degrees of freedom exceeds `t`.
///
/// `I_x(df/2, 1/2) / 2` with `x = df / (df + t^2)` for t >= 0 (Abramowitz and Stegun 26.7.1).
///
/// # Errors
/// [`Error::OutOfRange`] if `t` is NaN or `df` is not at least 0.5 and finite.
pub fn student_t_sf(t: f64, df: f64) -> Result<f64, Error> {
    domain::number(t, COMPUTING)?;
    domain::degrees_of_freedom(df, COMPUTING)?;
    let tail = upper(t.abs(), df);
    Ok(if t < 0.0 { 1.0 - tail } else { tail })
}

/// The `t` below which a t variable with `df` degrees of freedom lies with probability `p`.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 < p < 1` and `df` is at least 0.5 and finite; [`Error::Overflow`] if `t` is no double.
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
/// [`Error::OutOfRange`] unless `0 < tail < 1` and `df` is at least 0.5 and finite; [`Error::Overflow`] if `t` is no
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
    Ok(first_reaching_near(near_quantile(tail, df), f64::MAX, |t| upper(t, df) <= tail))
}

/// A number near the quantile: the first terms of its expansion at the normal one (Abramowitz and Stegun 26.7.5), then
/// secants of ln tail over ln t, which is nearly straight. Not positive and finite where that leads nowhere.
fn near_quantile(tail: f64, df: f64) -> f64 {
    let Ok(z) = normal::normal_quantile(tail) else { return 0.0 };
    let (z, square) = (-z, z * z);
    let start =
        z * (1.0 + (square + 1.0) / (4.0 * df) + (5.0 * square * square + 16.0 * square + 3.0) / (96.0 * df * df));
    let excess = |ln_t: f64| libm::log(upper(libm::exp(ln_t), df) / tail);
    let mut old = (libm::log(start), 0.0);
    old.1 = excess(old.0);
    // Where the tail is a power, its logarithm falls by df for every unit of ln t.
    let mut new = old.0 + old.1 / df.min(1.0 + square);
    for _ in 0..8 {
        let found = excess(new);
        let step = found * (new - old.0) / (found - old.1);
        old = (new, found);
        if !step.is_finite() {
            break;
        }
        new -= step;
        if step.abs() < 1e-9 {
            break;
        }
    }
    libm::exp(new)
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
        let (factor, exponent) = power_tail(t, df);
        return factor * libm::exp(exponent);
    }
    let (x, y) = beta_arguments(t, df);
    0.5 * beta::tails(df / 2.0, 0.5, x, y).0
}

/// ln of [`student_t_sf`], where that is too small for a double or near it: finite for every finite `t`.
pub(in crate::stats) fn ln_student_t_sf(t: f64, df: f64) -> f64 {
    let tail = upper(t.abs(), df);
    if t < 0.0 {
        return libm::log1p(-tail);
    }
    // The logarithm of a normal double keeps all digits; nothing below is exact for a t near 0.
    if tail >= f64::MIN_POSITIVE {
        return libm::log(tail);
    }
    let q = t / df.sqrt();
    if df > ALMOST_NORMAL_DF {
        return normal::ln_lower(-almost_normal(t, df));
    }
    if q > POWER_TAIL {
        let (factor, exponent) = power_tail(t, df);
        return libm::log(factor) + exponent;
    }
    let (x, y) = beta_arguments(t, df);
    beta::ln_lower_tail(df / 2.0, 0.5, x, y) - LN_2
}

/// The tail beyond [`POWER_TAIL`] as a factor and the exponent of an exponential.
fn power_tail(t: f64, df: f64) -> (f64, f64) {
    // I_x(a, 1/2) = x^a Γ(a + 1/2) / (a Γ(a) sqrt(pi)) (1 + O(x)), x = 1/q^2.
    let a = df / 2.0;
    (0.5 * half_step_ratio(a) / (a * PI.sqrt()), -df * ln_quotient(t, df))
}

/// `x = df / (df + t^2)` and `1 - x`: whichever is small is formed first, so that neither loses digits.
fn beta_arguments(t: f64, df: f64) -> (f64, f64) {
    if t / df.sqrt() <= 1.0 {
        let square = t / df * t;
        (1.0 / (1.0 + square), square / (1.0 + square))
    } else {
        let inverse = df / t / t;
        (inverse / (1.0 + inverse), 1.0 / (1.0 + inverse))
    }
}

/// The transformation to a normal variable of G. W. Hill, "Algorithm 395: Student's t-distribution", Communications of
/// the ACM 13, 1970, first correction kept; the next is below 1e-30 here.
fn almost_normal(t: f64, df: f64) -> f64 {
    let a = df - 0.5;
    let q = t / df.sqrt();
    let square = if q < 1e150 { a * libm::log1p(q * q) } else { 2.0 * a * ln_quotient(t, df) };
    square.sqrt() * (1.0 + (square + 3.0) / a / a / 48.0)
}

/// [`student_t_sf`] for t >= 0 and degrees of freedom beyond [`ALMOST_NORMAL_DF`].
fn almost_normal_upper(t: f64, df: f64) -> f64 {
    let z = almost_normal(t, df);
    if z > NOTHING_LEFT { 0.0 } else { normal::upper(z) }
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
