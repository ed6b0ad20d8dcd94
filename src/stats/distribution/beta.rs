//! The regularised incomplete beta function.

use super::domain;
use super::gamma::{NEGLIGIBLE, TINY, deviance, nonzero, one_over_root_two_pi, stirling_remainder};
use crate::stats::arithmetic::first_reaching;
use crate::stats::error::Error;

/// The largest parameter for which the continued fraction is known to converge within its budget of steps.
pub(super) const MAX_PARAMETER: f64 = 1e8;

/// `I_x(a, b)`: the probability that a beta variable with parameters `a` and `b` is at most `x`.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 < a <= 1e8`, `0 < b <= 1e8` and `0 <= x <= 1`.
pub fn incomplete_beta(a: f64, b: f64, x: f64) -> Result<f64, Error> {
    const COMPUTING: &str = "the incomplete beta function";
    parameters(a, b, COMPUTING)?;
    domain::check(x, (0.0..=1.0).contains(&x), COMPUTING, "x", "at least 0 and at most 1")?;
    Ok(tails(a, b, x, 1.0 - x).0)
}

/// Refuses parameters for which the beta function is not computed here.
fn parameters(a: f64, b: f64, computing: &'static str) -> Result<(), Error> {
    for (parameter, value) in [("a", a), ("b", b)] {
        let within = (TINY..=MAX_PARAMETER).contains(&value);
        domain::check(value, within, computing, parameter, "positive (from 1e-300) and at most 1e8")?;
    }
    Ok(())
}

/// The `x` below which a beta variable with parameters `a` and `b` lies with probability `p`: the first double at
/// which [`incomplete_beta`] is no smaller.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 < a <= 1e8`, `0 < b <= 1e8` and `0 < p < 1`.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> Result<f64, Error> {
    const COMPUTING: &str = "a quantile of the beta distribution";
    parameters(a, b, COMPUTING)?;
    domain::open_unit(p, COMPUTING)?;
    Ok(first_reaching(0.0, 1.0, |x| tails(a, b, x, 1.0 - x).0 >= p))
}

/// The `x` above which a beta variable with parameters `a` and `b` lies with probability `tail`; keeps the accuracy of
/// a small `tail`, which `1 - tail` loses.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 < a <= 1e8`, `0 < b <= 1e8` and `0 < tail < 1`.
pub fn beta_upper_quantile(tail: f64, a: f64, b: f64) -> Result<f64, Error> {
    const COMPUTING: &str = "a quantile of the beta distribution";
    parameters(a, b, COMPUTING)?;
    domain::open_unit(tail, COMPUTING)?;
    Ok(first_reaching(0.0, 1.0, |x| tails(a, b, x, 1.0 - x).1 <= tail))
}

/// `(I_x(a, b), 1 - I_x(a, b))` for `x + y = 1`; whichever is the small one is exact, not a difference.
pub(super) fn tails(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    let density = density(a, b, x, y);
    // x below the mean a / (a + b).
    if a * y >= b * x {
        let lower = (density / fraction(a, b, x, y)).clamp(0.0, 1.0);
        (lower, 1.0 - lower)
    } else {
        let upper = (density / fraction(b, a, y, x)).clamp(0.0, 1.0);
        (1.0 - upper, upper)
    }
}

/// ln of `I_x(a, b)` for `x + y = 1` with `x > 0` below the mean `a / (a + b)`, without underflow.
pub(super) fn ln_lower_tail(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let (factor, exponent) = density_parts(a, b, x, y);
    libm::log(factor / fraction(a, b, x, y)) + exponent
}

/// `x^a y^b / B(a, b)`, from deviances and Stirling remainders.
fn density(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let (factor, exponent) = density_parts(a, b, x, y);
    factor * libm::exp(exponent)
}

/// [`density`] as a factor and the exponent of an exponential.
fn density_parts(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    let n = a + b;
    let remainder = stirling_remainder(n) - stirling_remainder(a) - stirling_remainder(b);
    let exponent = remainder - deviance(a, n * x) - deviance(b, n * y);
    (one_over_root_two_pi() * a.sqrt() * (b / n).sqrt(), exponent)
}

/// `x^a y^b / (B(a, b) I_x(a, b))` for x below the mean, by the modified Lentz method.
///
/// The contraction of the classical fraction (Abramowitz and Stegun 26.5.8) by A. R. DiDonato and A. H. Morris,
/// "Algorithm 708: Significant digit computation of the incomplete beta function ratios", ACM Transactions on
/// Mathematical Software 18, 1992, routine BFRAC. It is written in `a y - b x`, which is not negative here, so that
/// nothing cancels however large the parameters are. Takes about sqrt(max(a, b)) steps at worst.
fn fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let below_mean = a * y - b * x + 1.0;
    let mut fraction = nonzero(a * below_mean / (a + 1.0));
    let mut c = fraction;
    let mut d = 0.0;
    for step in 1..=200_000_u32 {
        let m = f64::from(step);
        let odd = a + 2.0 * m - 1.0;
        let numerator = (m * (a + m - 1.0) / odd) * ((a + b + m - 1.0) / odd) * (b - m) * x * x;
        let denominator = m + m * (b - m) * x / odd + (a + m) * (below_mean + m * (2.0 - x)) / (odd + 2.0);
        d = 1.0 / nonzero(denominator + numerator * d);
        c = nonzero(denominator + numerator / c);
        fraction *= c * d;
        if (c * d - 1.0).abs() <= 2.0 * NEGLIGIBLE {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beta_distribution_has_its_closed_forms() {
        // b = 1: x^a. a = 1: 1 - (1 - x)^b.
        for x in [1e-12_f64, 0.25, 0.5, 0.875, 1.0 - 1e-12] {
            let power = incomplete_beta(3.0, 1.0, x).expect("in the domain");
            assert!((power / (x * x * x) - 1.0).abs() < 1e-14, "{x}: {power}");
            let complement = incomplete_beta(1.0, 2.0, x).expect("in the domain");
            assert!((complement / (x * (2.0 - x)) - 1.0).abs() < 1e-14, "{x}: {complement}");
        }
    }

    #[test]
    fn the_largest_parameters_converge_to_full_accuracy() {
        for a in [1e4, 1e6, 1e8] {
            let half = incomplete_beta(a, a, 0.5).expect("in the domain");
            assert!((half - 0.5).abs() < 1e-12, "{a}: {half}");
        }
    }

    #[test]
    fn the_ends_are_exact_and_what_lies_outside_is_refused() {
        assert_eq!(incomplete_beta(2.0, 3.0, 0.0), Ok(0.0));
        assert_eq!(incomplete_beta(2.0, 3.0, 1.0), Ok(1.0));
        for (a, b, x) in [(0.0, 1.0, 0.5), (1.0, -1.0, 0.5), (1.0, 1.0, 1.1), (f64::NAN, 1.0, 0.5), (1.0, 1e9, 0.5)] {
            assert!(incomplete_beta(a, b, x).is_err(), "{a} {b} {x}");
        }
    }
}
