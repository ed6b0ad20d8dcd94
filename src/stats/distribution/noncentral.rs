//! The noncentral t distribution, by which power is computed.
//!
//! `T = (Z + δ) / S` with Z standard normal and `S = sqrt(chi-square / df)` independent of it, so
//! `P(T > t) = E[Φ(δ - t S)]`: an integral of positive terms over one variable. Taken over x = ln S, the logarithm of
//! the integrand has a single maximum for every t and δ. It is found by bisection, the integrand is scaled by it and
//! summed to where nothing is left. Unlike the usual series (R. V. Lenth, "Algorithm AS 243", Applied
//! Statistics 38, 1989) this neither underflows for large δ nor loses digits in the tails.

use std::f64::consts::{LN_2, PI};

use super::gamma::stirling_remainder;
use super::quadrature::{integrate, integrate_line};
use super::{domain, normal, student};
use crate::stats::arithmetic::{first_power_of_two, first_reaching};
use crate::stats::error::Error;

const COMPUTING: &str = "the noncentral t distribution";

/// Where |t| and |δ| are limited. The maximum of the integrand then lies within [`FARTHEST`] of ln S = 0.
const MAX_ARGUMENT: f64 = 1e8;
const FARTHEST: f64 = 100.0;

/// The integrand falls by about e^(df distance) to the left and faster to the right, so within 2^10 nothing is left.
const EMPTY_BEYOND: i32 = 10;

/// First step of the trapezoidal rule, in standard deviations of the bell that the integrand is near its maximum. The
/// rule's error for a true bell is then below 1e-17.
const STEP: f64 = 0.7;

/// e^-50 is far below the last bit of the whole.
const NOTHING_LEFT: f64 = 50.0;

/// Probability that a noncentral t variable with `df` degrees of freedom and noncentrality `ncp` is at most `t`.
///
/// # Errors
/// [`Error::OutOfRange`] unless `|t| <= 1e8`, `|ncp| <= 1e8` and `df` is at least 0.5 and finite.
pub fn noncentral_t_cdf(t: f64, df: f64, ncp: f64) -> Result<f64, Error> {
    noncentral_t_sf(-t, df, -ncp)
}

/// Probability that a noncentral t variable with `df` degrees of freedom and noncentrality `ncp` exceeds `t`.
///
/// # Errors
/// [`Error::OutOfRange`] unless `|t| <= 1e8`, `|ncp| <= 1e8` and `df` is at least 0.5 and finite.
pub fn noncentral_t_sf(t: f64, df: f64, ncp: f64) -> Result<f64, Error> {
    let limited = "at least -1e8 and at most 1e8";
    domain::check(t, t.abs() <= MAX_ARGUMENT, COMPUTING, "t", limited)?;
    domain::check(ncp, ncp.abs() <= MAX_ARGUMENT, COMPUTING, "the noncentrality", limited)?;
    domain::degrees_of_freedom(df, COMPUTING)?;
    if ncp == 0.0 {
        return student::student_t_sf(t, df);
    }
    if t == 0.0 {
        return Ok(normal::upper(-ncp));
    }
    // The smaller of both tails is integrated, the other is its complement. The median lies near t = δ.
    if t >= ncp { Ok(Tail::new(t, df, ncp).probability()) } else { Ok(1.0 - Tail::new(-t, df, -ncp).probability()) }
}

/// Where the peak of the integrand leaves nothing that a double can hold: e^-745 is the smallest one, and the width of
/// the support below e^7.
const UNDERFLOWS: f64 = -760.0;

/// Above this peak every factor of the integrand that counts is a normal double, and no logarithm need be taken.
const WITHOUT_LOGARITHM: f64 = -300.0;

/// The integral for `P(T > t)`.
struct Tail {
    t: f64,
    df: f64,
    ncp: f64,
    /// ln of the density of ln S at 0.
    at_one: f64,
}

impl Tail {
    fn new(t: f64, df: f64, ncp: f64) -> Self {
        let shape = df / 2.0;
        let at_one = LN_2 + 0.5 * libm::log(shape / (2.0 * PI)) - stirling_remainder(shape);
        Self { t, df, ncp, at_one }
    }

    /// The integral.
    fn probability(&self) -> f64 {
        let mode = self.mode();
        let peak = self.ln_integrand(mode);
        if peak < UNDERFLOWS {
            return 0.0;
        }
        let step = STEP / self.curvature(mode).sqrt();
        let area = if peak > WITHOUT_LOGARITHM {
            let scaled = |x: f64| libm::exp(self.ln_density(x) - peak) * normal::upper(-self.argument(x));
            integrate_line(scaled, mode, step, 1e-13)
        } else {
            integrate_line(|x| libm::exp(self.ln_integrand(x) - peak), mode, step, 1e-13)
        };
        let area = area.unwrap_or_else(|| self.by_panels(mode, peak));
        (area * libm::exp(peak)).clamp(0.0, 1.0)
    }

    /// The integral over its largest value, where it is too uneven for one step: Φ may fall steeply beside the maximum.
    fn by_panels(&self, mode: f64, peak: f64) -> f64 {
        let reach = |direction: f64| {
            let empty = |distance: f64| self.ln_integrand(mode + direction * distance) <= peak - NOTHING_LEFT;
            first_power_of_two(EMPTY_BEYOND, empty)
        };
        let (left, right) = (reach(-1.0), reach(1.0));
        let borders = [
            mode - left,
            mode - left / 2.0,
            mode - left / 4.0,
            mode - left / 8.0,
            mode,
            mode + right / 8.0,
            mode + right / 4.0,
            mode + right / 2.0,
            mode + right,
        ];
        integrate(|x| libm::exp(self.ln_integrand(x) - peak), &borders, 1e-11)
    }

    /// ln of the density of ln S at x.
    fn ln_density(&self, x: f64) -> f64 {
        self.at_one - self.df / 2.0 * exp_excess(2.0 * x)
    }

    /// ln of the density of ln S at x, plus ln Φ(δ - t e^x).
    fn ln_integrand(&self, x: f64) -> f64 {
        self.ln_density(x) + normal::ln_lower(self.argument(x))
    }

    /// The slope of [`Tail::ln_integrand`], which changes its sign once.
    fn slope(&self, x: f64) -> f64 {
        let pull = self.t * libm::exp(x) * normal::ln_lower_slope(self.argument(x));
        -self.df * libm::expm1(2.0 * x) - pull
    }

    /// Minus the second derivative of [`Tail::ln_integrand`] at the mode, where the slope is 0.
    fn curvature(&self, mode: f64) -> f64 {
        let (argument, scaled_t) = (self.argument(mode), self.t * libm::exp(mode));
        let slope = normal::ln_lower_slope(argument);
        self.df * (libm::exp(2.0 * mode) + 1.0) + scaled_t * scaled_t * slope * (argument + slope)
    }

    /// δ - t e^x, without cancellation where t is close to δ and many degrees of freedom keep x close to 0.
    fn argument(&self, x: f64) -> f64 {
        if x.abs() < 0.5 { (self.ncp - self.t) - self.t * libm::expm1(x) } else { self.ncp - self.t * libm::exp(x) }
    }

    /// Where the integrand is largest.
    fn mode(&self) -> f64 {
        // The density of ln S peaks at 0; a positive t pulls to the left of it, a negative one to the right.
        if self.t > 0.0 {
            -first_reaching(0.0, FARTHEST, |distance| self.slope(-distance) >= 0.0)
        } else {
            first_reaching(0.0, FARTHEST, |distance| self.slope(distance) <= 0.0)
        }
    }
}

/// `e^z - 1 - z`, without cancellation near 0.
pub(super) fn exp_excess(z: f64) -> f64 {
    if z.abs() > 0.05 {
        return libm::expm1(z) - z;
    }
    // z^2/2 (1 + z/3 (1 + z/4 (1 + ...))); the next factor would be below 1e-17.
    let series = (3..=11_u32).rev().fold(1.0, |rest, k| 1.0 + z / f64::from(k) * rest);
    0.5 * z * z * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_noncentrality_it_is_students_t() {
        for (t, df) in [(0.3, 2.0), (2.5, 7.5), (-1.0, 30.0), (12.0, 4.0)] {
            let integral = Tail::new(t, df, 1e-300).probability();
            let central = student::student_t_sf(t, df).expect("in the domain");
            assert!((integral / central - 1.0).abs() < 1e-12, "{t} {df}: {integral} {central}");
        }
    }

    #[test]
    fn at_zero_it_is_normal_whatever_the_degrees_of_freedom() {
        let near = noncentral_t_sf(1e-9, 5.0, 1.3).expect("in the domain");
        let at = noncentral_t_sf(0.0, 5.0, 1.3).expect("in the domain");
        assert!((near - at).abs() < 1e-8, "{near} {at}");
    }

    #[test]
    fn with_ever_more_degrees_of_freedom_it_becomes_normal() {
        for (t, ncp) in [(1.9, 2.8), (3.0, 2.0), (-1.0, 0.5), (1e6, 1e6 - 1.0)] {
            for df in [1e20, 1e100, 1e300] {
                let found = noncentral_t_sf(t, df, ncp).expect("in the domain");
                let expected = normal::upper(t - ncp);
                assert!((found / expected - 1.0).abs() < 1e-7, "{t} {df} {ncp}: {found} {expected}");
            }
        }
    }

    #[test]
    fn mirror_images_are_complements() {
        for (t, df, ncp) in [(2.0, 4.0, 3.0), (-2.0, 4.0, 3.0), (50.0, 2.0, 45.0), (1.9, 1e6, 2.8)] {
            let above = noncentral_t_sf(t, df, ncp).expect("in the domain");
            let below = noncentral_t_cdf(t, df, ncp).expect("in the domain");
            assert!((above + below - 1.0).abs() < 1e-15, "{t} {df} {ncp}");
        }
    }

    #[test]
    fn arguments_outside_the_checked_domain_are_refused() {
        for (t, df, ncp) in [(f64::NAN, 5.0, 1.0), (1.0, 0.1, 1.0), (1.0, 5.0, f64::INFINITY), (1e9, 5.0, 1.0)] {
            assert!(noncentral_t_cdf(t, df, ncp).is_err(), "{t} {df} {ncp}");
        }
    }

    #[test]
    fn the_exponential_excess_is_the_same_by_series_and_by_difference() {
        for z in [0.05, -0.05] {
            assert!((exp_excess(z) / (libm::expm1(z) - z) - 1.0).abs() < 1e-13, "{z}");
        }
        assert_eq!(exp_excess(1e-200), 0.0);
        assert!((exp_excess(1e-8) / 5e-17 - 1.0).abs() < 1e-8);
    }
}
