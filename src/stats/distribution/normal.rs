//! The standard normal distribution.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

use super::domain;
use super::gamma::one_over_root_two_pi;
use crate::stats::error::Error;

/// ln(2 pi) / 2.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// Probability that a standard normal variable is at most `x`.
///
/// # Errors
/// [`Error::OutOfRange`] if `x` is NaN.
pub fn normal_cdf(x: f64) -> Result<f64, Error> {
    normal_sf(-x)
}

/// Probability that a standard normal variable exceeds `x`: `erfc(x / sqrt 2) / 2`.
///
/// # Errors
/// [`Error::OutOfRange`] if `x` is NaN.
pub fn normal_sf(x: f64) -> Result<f64, Error> {
    domain::number(x, "the normal distribution").map(upper)
}

/// [`normal_sf`] of a number.
pub(super) fn upper(x: f64) -> f64 {
    0.5 * libm::erfc(x * FRAC_1_SQRT_2)
}

/// ln of [`normal_sf`], without underflow.
pub(in crate::stats) fn ln_normal_sf(x: f64) -> f64 {
    ln_lower(-x)
}

/// ln of the probability that a standard normal variable is at most `u`, without underflow.
pub(super) fn ln_lower(u: f64) -> f64 {
    if u < -5.0 {
        -0.5 * u * u - HALF_LN_TWO_PI + libm::log(mills_ratio(-u))
    } else if u < 1.0 {
        libm::log(libm::erfc(-u * FRAC_1_SQRT_2)) - LN_2
    } else {
        libm::log1p(-upper(u))
    }
}

/// Density over probability below, φ(u)/Φ(u): the slope of [`ln_lower`].
pub(super) fn ln_lower_slope(u: f64) -> f64 {
    if u < -5.0 { 1.0 / mills_ratio(-u) } else { one_over_root_two_pi() * libm::exp(-0.5 * u * u) / upper(-u) }
}

/// (1 - Φ(u)) / φ(u) for u >= 5: the continued fraction 1/(u + 1/(u + 2/(u + ...))) of Abramowitz and Stegun 26.2.14,
/// of which 40 levels are exact to a double from there on.
fn mills_ratio(u: f64) -> f64 {
    let fraction = (1..=40_u32).rev().fold(u, |rest, level| u + f64::from(level) / rest);
    1.0 / fraction
}

/// The `x` below which a standard normal variable lies with probability `p`.
///
/// M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics 37, 1988,
/// routine PPND16: relative error about 1e-16.
///
/// # Errors
/// [`Error::OutOfRange`] unless `0 < p < 1`.
pub fn normal_quantile(p: f64) -> Result<f64, Error> {
    domain::open_unit(p, "a normal quantile")?;
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return Ok(q * polynomial(&CENTRE_OVER, r) / polynomial(&CENTRE_UNDER, r));
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-libm::log(tail)).sqrt();
    let distance = if r <= 5.0 {
        polynomial(&MIDDLE_OVER, r - 1.6) / polynomial(&MIDDLE_UNDER, r - 1.6)
    } else {
        polynomial(&FAR_OVER, r - 5.0) / polynomial(&FAR_UNDER, r - 5.0)
    };
    Ok(if q < 0.0 { -distance } else { distance })
}

/// Horner's scheme, coefficients from the constant one up.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |rest, coefficient| rest * x + coefficient)
}

// The coefficients of PPND16, as printed.
#[rustfmt::skip]
const CENTRE_OVER: [f64; 8] = [
    3.387_132_872_796_366_6e0, 1.331_416_678_917_843_8e2, 1.971_590_950_306_551_3e3, 1.373_169_376_550_946e4,
    4.592_195_393_154_987e4, 6.726_577_092_700_87e4, 3.343_057_558_358_813e4, 2.509_080_928_730_122_7e3,
];
#[rustfmt::skip]
const CENTRE_UNDER: [f64; 8] = [
    1.0, 4.231_333_070_160_091e1, 6.871_870_074_920_579e2, 5.394_196_021_424_751e3,
    2.121_379_430_158_659_7e4, 3.930_789_580_009_271e4, 2.872_908_573_572_194_3e4, 5.226_495_278_852_854e3,
];
#[rustfmt::skip]
const MIDDLE_OVER: [f64; 8] = [
    1.423_437_110_749_683_5, 4.630_337_846_156_546, 5.769_497_221_460_691, 3.647_848_324_763_204_5,
    1.270_458_252_452_368_4, 2.417_807_251_774_506e-1, 2.272_384_498_926_918_4e-2, 7.745_450_142_783_414e-4,
];
#[rustfmt::skip]
const MIDDLE_UNDER: [f64; 8] = [
    1.0, 2.053_191_626_637_759, 1.676_384_830_183_803_8, 6.897_673_349_851e-1,
    1.481_039_764_274_800_8e-1, 1.519_866_656_361_645_7e-2, 5.475_938_084_995_345e-4, 1.050_750_071_644_416_9e-9,
];
#[rustfmt::skip]
const FAR_OVER: [f64; 8] = [
    6.657_904_643_501_103, 5.463_784_911_164_114, 1.784_826_539_917_291_3, 2.965_605_718_285_048_7e-1,
    2.653_218_952_657_612_4e-2, 1.242_660_947_388_078_4e-3, 2.711_555_568_743_487_6e-5, 2.010_334_399_292_288_1e-7,
];
#[rustfmt::skip]
const FAR_UNDER: [f64; 8] = [
    1.0, 5.998_322_065_558_88e-1, 1.369_298_809_227_358e-1, 1.487_536_129_085_061_5e-2,
    7.868_691_311_456_133e-4, 1.846_318_317_510_054_8e-5, 1.421_511_758_316_446e-7, 2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_inverts_the_distribution_in_both_tails() {
        for p in [1e-300, 1e-100, 1e-12, 0.025, 0.0749, 0.3, 0.5, 0.8, 0.925, 0.975] {
            let x = normal_quantile(p).expect("in the domain");
            let back = normal_cdf(x).expect("a number");
            assert!((back / p - 1.0).abs() < 1e-12, "{p} -> {x} -> {back}");
        }
        assert_eq!(normal_quantile(0.5), Ok(0.0));
    }

    #[test]
    fn the_logarithm_continues_where_the_probability_underflows() {
        for u in [-37.0, -20.0, -5.1, -4.9, 0.0, 0.9, 1.1, 8.0] {
            let difference = ln_lower(u) - libm::log(upper(-u));
            assert!(difference.abs() <= 1e-15 * ln_lower(u).abs().max(1.0), "{u}: {difference}");
        }
        // Φ(-u) = φ(u)/u (1 - 1/u^2 + ...), so at -1e4 only the leading terms are left.
        assert!((ln_lower(-1e4) + 5e7 + HALF_LN_TWO_PI + libm::log(1e4)).abs() < 1e-7);
        assert!((ln_lower_slope(-5.0001) / ln_lower_slope(-4.9999) - 1.0).abs() < 1e-4);
        assert_eq!(ln_lower_slope(100.0), 0.0);
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for bad in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(normal_quantile(bad).is_err(), "{bad}");
        }
        assert!(normal_cdf(f64::NAN).is_err());
        assert_eq!((normal_cdf(f64::INFINITY), normal_sf(f64::INFINITY)), (Ok(1.0), Ok(0.0)));
    }
}
