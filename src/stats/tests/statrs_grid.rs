//! Our distribution functions against those of `statrs`, over grids.
//!
//! `statrs` is a reference only: it takes its logarithms from the host, and its incomplete beta function stops at an
//! absolute accuracy, hence the named tolerances.

use std::num::NonZeroU32;

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::beta_reg;
use statrs::function::gamma::ln_gamma as statrs_ln_gamma;

use crate::stats::distribution::*;

/// Relative agreement asked for.
const RELATIVE: f64 = 1e-10;
/// The same for the normal distribution, where statrs' rational approximation of erfc has about ten digits: at
/// -0.725 mpmath gives 0.23422601521269500993, as we do, and statrs 0.23422601523647527.
const RELATIVE_ERFC: f64 = 3e-10;
/// Absolute agreement where statrs has no more: its fractions end at 1e-15 of 1.
const ABSOLUTE: f64 = 1e-14;

#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    within(RELATIVE, found, expected, what);
}

#[track_caller]
fn within(relative: f64, found: f64, expected: f64, what: &str) {
    let allowed = relative * expected.abs() + ABSOLUTE;
    assert!((found - expected).abs() <= allowed, "{what}: {found} here, {expected} in statrs");
}

fn steps(from: f64, to: f64, count: u32) -> impl Iterator<Item = f64> {
    (0..=count).map(move |step| from + (to - from) * f64::from(step) / f64::from(count))
}

#[test]
fn the_normal_distribution_agrees_over_its_whole_range() {
    let reference = Normal::new(0.0, 1.0).expect("a distribution");
    for x in steps(-12.0, 12.0, 960) {
        within(RELATIVE_ERFC, normal_cdf(x).expect("a number"), reference.cdf(x), &format!("P(Z <= {x})"));
    }
    for p in steps(0.001, 0.999, 499) {
        close(normal_quantile(p).expect("in the domain"), reference.inverse_cdf(p), &format!("quantile {p}"));
    }
}

#[test]
fn student_t_agrees_from_one_degree_of_freedom_to_thousands() {
    for df in [1.0, 1.7, 2.0, 3.0, 4.6, 8.0, 15.0, 29.5, 100.0, 998.0, 5000.0] {
        let reference = StudentsT::new(0.0, 1.0, df).expect("a distribution");
        for t in steps(-30.0, 30.0, 400) {
            close(student_t_cdf(t, df).expect("in the domain"), reference.cdf(t), &format!("P(T <= {t}), df {df}"));
        }
    }
}

#[test]
fn the_incomplete_beta_function_agrees() {
    for a in [0.1, 0.5, 1.0, 2.3, 10.0, 75.0, 900.0] {
        for b in [0.1, 0.5, 1.0, 3.7, 20.0, 400.0] {
            for x in steps(0.0, 1.0, 64) {
                let found = incomplete_beta(a, b, x).expect("in the domain");
                close(found, beta_reg(a, b, x), &format!("I_{x}({a}, {b})"));
            }
        }
    }
}

#[test]
fn the_logarithm_of_gamma_agrees() {
    for x in steps(0.05, 60.0, 1199).chain([1e3, 1e6, 1e12, 1e100]) {
        close(ln_gamma(x).expect("in the domain"), statrs_ln_gamma(x), &format!("ln gamma({x})"));
    }
}

#[test]
fn chi_square_agrees() {
    for df in [1_u32, 2, 3, 7, 20, 95, 500] {
        let reference = ChiSquared::new(f64::from(df)).expect("a distribution");
        let df = NonZeroU32::new(df).expect("not zero");
        for x in steps(0.0, 3.0 * f64::from(df.get()) + 30.0, 200) {
            close(chi_square_sf(x, df).expect("in the domain"), reference.sf(x), &format!("P(X > {x}), df {df}"));
        }
    }
}
