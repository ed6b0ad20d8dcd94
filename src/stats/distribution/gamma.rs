//! The gamma function's logarithm, its Stirling remainder, and the chi-square distribution.
//!
//! Densities are formed from Stirling remainders and deviances instead of differences of large logarithms (C. Loader,
//! "Fast and accurate computation of binomial probabilities", 2000), so that accuracy does not fall with the degrees
//! of freedom.

use std::f64::consts::{FRAC_1_PI, PI};
use std::num::NonZeroU32;

use super::domain;
use crate::stats::error::Error;

/// Relative size below which a further term or factor changes nothing.
pub(super) const NEGLIGIBLE: f64 = 1e-16;

/// Replaces a zero denominator in a continued fraction (modified Lentz).
pub(super) const TINY: f64 = 1e-300;

/// ln Γ(x) for x > 0.
///
/// # Errors
/// [`Error::OutOfRange`] unless `x` is positive and finite, [`Error::Overflow`] if the result is no double.
pub fn ln_gamma(x: f64) -> Result<f64, Error> {
    const COMPUTING: &str = "ln gamma";
    domain::check(x, x > 0.0 && x.is_finite(), COMPUTING, "the argument", "positive and finite")?;
    crate::stats::arithmetic::finite(libm::lgamma(x), COMPUTING)
}

/// What Stirling's formula leaves: `ln Γ(z) - [(z - 1/2) ln z - z + ln(2 pi)/2]`, for z > 0.
///
/// Asymptotic series from 16 on (Abramowitz and Stegun 6.1.41), where five terms are exact to a double; below, the
/// recurrence `d(z) = d(z+1) + (z + 1/2) ln(1 + 1/z) - 1` leads up to there.
pub(super) fn stirling_remainder(z: f64) -> f64 {
    const SERIES: [f64; 5] = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0];
    let mut below = 0.0;
    let mut large = z;
    while large < 16.0 {
        below += (large + 0.5) * libm::log1p(1.0 / large) - 1.0;
        large += 1.0;
    }
    let square = large * large;
    let series = SERIES.iter().rev().fold(0.0, |rest, term| term + rest / square);
    below + series / large
}

/// The deviance `x ln(x/m) + m - x` for x > 0, m >= 0, without cancellation near x = m (Loader's `bd0`).
///
/// The series is that of atanh.
pub(super) fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return if m > 0.0 { x * libm::log(x / m) + m - x } else { f64::INFINITY };
    }
    let v = (x - m) / (x + m);
    let mut total = (x - m) * v;
    let mut term = 2.0 * x * v;
    // |v| < 0.1, so each term is less than a hundredth of the one before: the last ones change nothing.
    for odd in [3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0] {
        term *= v * v;
        total += term / odd;
    }
    total
}

/// Probability that a chi-square variable with `df` degrees of freedom exceeds `x`.
///
/// The regularised upper incomplete gamma function `Q(df/2, x/2)`: series below the mean, continued fraction above
/// (Abramowitz and Stegun 6.5.29 and 6.5.31).
///
/// # Errors
/// [`Error::OutOfRange`] unless `x >= 0`.
pub fn chi_square_sf(x: f64, df: NonZeroU32) -> Result<f64, Error> {
    domain::check(x, x >= 0.0, "the chi-square distribution", "the argument", "at least 0")?;
    Ok(chi_square_upper(x, f64::from(df.get())))
}

/// [`chi_square_sf`] for x >= 0 and degrees of freedom that need not be whole.
pub(super) fn chi_square_upper(x: f64, df: f64) -> f64 {
    let (shape, half) = (df / 2.0, x / 2.0);
    if half == 0.0 {
        return 1.0;
    }
    if half.is_infinite() {
        return 0.0;
    }
    // half^shape exp(-half) / Γ(shape)
    let density = (shape * FRAC_1_PI / 2.0).sqrt() * libm::exp(-stirling_remainder(shape) - deviance(shape, half));
    if density == 0.0 {
        return if half > shape { 0.0 } else { 1.0 };
    }
    let tail = if half < shape + 1.0 {
        1.0 - density * lower_series(shape, half)
    } else {
        density * upper_fraction(shape, half)
    };
    tail.clamp(0.0, 1.0)
}

/// ln of [`chi_square_sf`] where that is too small for a double or near it, which is far above the mean.
pub(in crate::stats) fn ln_chi_square_sf(x: f64, df: NonZeroU32) -> f64 {
    let (shape, half) = (f64::from(df.get()) / 2.0, x / 2.0);
    let exponent = -stirling_remainder(shape) - deviance(shape, half);
    libm::log((shape * FRAC_1_PI / 2.0).sqrt() * upper_fraction(shape, half)) + exponent
}

/// `sum_k x^k / (a (a+1) ... (a+k))`, for x < a + 1. The terms fall once k > x - a.
fn lower_series(a: f64, x: f64) -> f64 {
    let mut term = 1.0 / a;
    let mut total = term;
    let mut denominator = a;
    while term > total * NEGLIGIBLE {
        denominator += 1.0;
        term *= x / denominator;
        total += term;
    }
    total
}

/// The continued fraction of Γ(a, x) / (x^a exp(-x)), for x >= a + 1, by the modified Lentz method.
fn upper_fraction(a: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    // Needs about 20 sqrt(a) steps at worst, and a is below 2^31.
    for step in 1..=2_000_000_u32 {
        let k = f64::from(step);
        let numerator = -k * (k - a);
        b += 2.0;
        d = 1.0 / nonzero(numerator * d + b);
        c = nonzero(b + numerator / c);
        let factor = c * d;
        fraction *= factor;
        if (factor - 1.0).abs() <= 2.0 * NEGLIGIBLE {
            break;
        }
    }
    fraction
}

/// Keeps Lentz's method off a division by zero.
pub(super) fn nonzero(value: f64) -> f64 {
    if value.abs() < TINY { TINY } else { value }
}

/// Γ(a + 1/2) / Γ(a), for moderate a > 0.
pub(in crate::stats) fn half_step_ratio(a: f64) -> f64 {
    let (stepped, plain) = (stirling_remainder(a + 0.5), stirling_remainder(a));
    // (a + 1/2)^a / a^a * sqrt(a) * exp(-1/2), from Stirling's formula for both.
    a.sqrt() * libm::exp(a * libm::log1p(0.5 / a) - 0.5 + stepped - plain)
}

/// 1 / sqrt(2 pi).
pub(super) fn one_over_root_two_pi() -> f64 {
    1.0 / (2.0 * PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_of_chi_square_continues_where_the_probability_underflows() {
        for (df, x) in [(1, 1400.0), (3, 1300.0), (24, 1200.0), (500, 2200.0)] {
            let df = NonZeroU32::new(df).expect("positive");
            let near = libm::log(chi_square_sf(x, df).expect("in the domain"));
            assert!((ln_chi_square_sf(x, df) / near - 1.0).abs() < 1e-14, "{df} {x}: {near}");
        }
        // Two degrees of freedom: exp(-x / 2).
        let two = NonZeroU32::new(2).expect("positive");
        for x in [1500.0, 1e6, 1e300] {
            assert!((ln_chi_square_sf(x, two) / (-x / 2.0) - 1.0).abs() < 1e-15, "{x}");
        }
    }

    #[test]
    fn the_stirling_remainder_is_what_the_logarithm_of_the_factorial_leaves() {
        // d(1) = 1 - ln(2 pi)/2; d(1/2) = 1/2 - ln(2)/2.
        assert!((stirling_remainder(1.0) - 0.081_061_466_795_327_26).abs() < 1e-15);
        assert!((stirling_remainder(0.5) - 0.153_426_409_720_027_35).abs() < 1e-15);
        assert!((stirling_remainder(1e8) - 1.0 / 12e8).abs() < 1e-24);
    }

    #[test]
    fn the_deviance_does_not_cancel_near_its_minimum() {
        assert_eq!(deviance(5.0, 5.0), 0.0);
        let near = deviance(1e8, 1e8 + 1.0);
        assert!((near / 5e-9 - 1.0).abs() < 1e-7, "{near}");
        assert_eq!(deviance(1.0, 0.0), f64::INFINITY);
    }

    #[test]
    fn chi_square_has_its_known_values_and_refuses_negative_arguments() {
        let df = |n| NonZeroU32::new(n).expect("not zero");
        // df = 2 is the exponential distribution.
        for x in [0.1, 1.0, 7.0, 300.0] {
            let tail = chi_square_sf(x, df(2)).expect("in the domain");
            assert!((tail / libm::exp(-x / 2.0) - 1.0).abs() < 1e-13, "{x}: {tail}");
        }
        assert_eq!(chi_square_sf(0.0, df(3)), Ok(1.0));
        assert_eq!(chi_square_sf(f64::INFINITY, df(3)), Ok(0.0));
        assert!(chi_square_sf(-1.0, df(3)).is_err() && chi_square_sf(f64::NAN, df(3)).is_err());
    }

    #[test]
    fn ln_gamma_is_refused_where_it_has_no_value() {
        assert_eq!(ln_gamma(1.0), Ok(0.0));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(ln_gamma(bad).is_err(), "{bad}");
        }
        assert_eq!(ln_gamma(f64::MAX), Err(Error::Overflow { computing: "ln gamma" }));
    }
}
