//! The probability of two t statistics with one standard error, which is the power of an equivalence test.

use std::f64::consts::{LN_2, PI};

use super::gamma::stirling_remainder;
use super::noncentral::exp_excess;
use super::normal;
use super::quadrature::integrate;
use crate::stats::arithmetic::first_power_of_two;

/// e^-50 is far below the last bit of the whole.
const NOTHING_LEFT: f64 = 50.0;

/// The density of ln S falls by about e^(df distance) to the left and faster to the right.
const EMPTY_BEYOND: i32 = 10;

/// `P((Z + low) / S > critical and (Z - high) / S < -critical)` with Z standard normal and `S = sqrt(chi-square / df)`
/// independent of it, for positive `critical`.
///
/// Given S, Z lies between `critical S - low` and `high - critical S`, which is possible up to
/// `S = (low + high) / (2 critical)`: a single integral over ln S (D. B. Owen, "A special case of a bivariate non-central
/// t-distribution", Biometrika 52, 1965; K. F. Phillips, "Power of the two one-sided tests procedure in
/// bioequivalence", Journal of Pharmacokinetics and Biopharmaceutics 18, 1990).
pub(in crate::stats) fn between_bounds(critical: f64, df: f64, low: f64, high: f64) -> f64 {
    let widest = (low + high) / (2.0 * critical);
    if widest.is_nan() || widest <= 0.0 {
        return 0.0;
    }
    let shape = df / 2.0;
    let at_one = LN_2 + 0.5 * libm::log(shape / (2.0 * PI)) - stirling_remainder(shape);
    let ln_density = |x: f64| at_one - shape * exp_excess(2.0 * x);
    let end = libm::log(widest);
    // The density of ln S peaks at 0; all of it counts that lies left of the end.
    let peak = end.min(0.0);
    let reach = |direction: f64| {
        let empty = |distance: f64| ln_density(peak + direction * distance) <= ln_density(peak) - NOTHING_LEFT;
        first_power_of_two(EMPTY_BEYOND, empty)
    };
    let left = reach(-1.0);
    let right = if end > peak { reach(1.0).min(end - peak) } else { 0.0 };
    let mut borders: Vec<f64> =
        [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125].iter().map(|part| peak - left * part).collect();
    borders.push(peak);
    borders.extend([0.125, 0.25, 0.5, 1.0].iter().map(|part| peak + right * part).filter(|border| *border > peak));
    let inside = |x: f64| {
        let s = libm::exp(x);
        (normal::upper(critical * s - low) - normal::upper(high - critical * s)).max(0.0)
    };
    let scale = ln_density(peak);
    let area = integrate(|x| libm::exp(ln_density(x) - scale) * inside(x), &borders, 1e-11);
    (area * libm::exp(scale)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::distribution::noncentral_t_sf;

    #[test]
    fn a_bound_far_away_leaves_the_other_test_alone() {
        for (critical, df, low) in [(2.0, 4.0, 3.0), (1.7, 30.0, 1.0), (6.3, 1.0, 9.0)] {
            let both = between_bounds(critical, df, low, 1e6);
            let one = noncentral_t_sf(critical, df, low).expect("in the domain");
            assert!((both / one - 1.0).abs() < 1e-6, "{critical} {df} {low}: {both} {one}");
        }
    }

    #[test]
    fn bounds_that_no_scatter_fits_between_are_never_met() {
        assert_eq!(between_bounds(2.0, 5.0, 1.0, -1.0), 0.0);
        assert_eq!(between_bounds(2.0, 5.0, 1.0, -3.0), 0.0);
        assert_eq!(between_bounds(2.0, 5.0, f64::NAN, 1.0), 0.0);
    }
}
