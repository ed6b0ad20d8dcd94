//! Student's t tests beside Welch's: one sample, pairs, and two samples of equal variance.
//!
//! Each gives an [`Effect`], from which the interval and the equivalence tests follow as from Welch's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::compare::{DifferenceTest, Effect, difference_test, pooled_sd};
use super::error::Error;
use super::moments::Moments;
use super::pairs::Pairs;

/// The t test of one mean against a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OneSampleT {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// The number the mean is tested against.
    pub expected: f64,
    /// `mean - expected` with its standard error and degrees of freedom.
    pub effect: Effect,
    /// The test that the difference is 0.
    pub test: DifferenceTest,
}

/// Tests whether the mean of the population is `expected` (Student, "The probable error of a mean", Biometrika 6,
/// 1908): `t = (mean - expected) / (sd / sqrt(n))` with n - 1 degrees of freedom.
///
/// # Errors
/// [`Error::ZeroSpread`] if all values are equal; [`Error::OutOfRange`] unless `expected` is finite;
/// [`Error::Overflow`] or [`Error::Underflow`] beyond the doubles.
pub fn one_sample_t(sample: impl Into<Moments>, expected: f64) -> Result<OneSampleT, Error> {
    const COMPUTING: &str = "a one-sample t test";
    let sample = sample.into().with_spread(COMPUTING)?;
    if !expected.is_finite() {
        let hint = "0 tests whether there is a difference at all";
        let (parameter, range) = ("the expected mean", "finite");
        return Err(Error::OutOfRange { computing: COMPUTING, parameter, found: expected, range, hint });
    }
    let se = usable(sample.standard_error(), COMPUTING)?;
    let effect = Effect::new(finite(sample.mean_above_number(expected), COMPUTING)?, se, sample.df())?;
    Ok(OneSampleT { n: sample.n(), mean: sample.mean(), expected, effect, test: difference_test(&effect)? })
}

/// Tests whether the mean difference of pairs is 0: [`one_sample_t`] of `a - b`.
///
/// # Errors
/// [`Error::TooFew`] for a single pair; those of [`one_sample_t`], where equal differences are no spread.
pub fn paired_t(pairs: &Pairs) -> Result<OneSampleT, Error> {
    one_sample_t(&pairs.replicates()?, 0.0)
}

/// Student's two-sample t test with the pooled variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledT {
    /// Values in a.
    pub n_a: usize,
    /// Values in b.
    pub n_b: usize,
    /// Mean of a.
    pub mean_a: f64,
    /// Mean of b.
    pub mean_b: f64,
    /// Square root of the variances' mean, weighted by n - 1.
    pub pooled_sd: f64,
    /// `mean_a - mean_b` with its standard error and degrees of freedom.
    pub effect: Effect,
    /// The test that the difference is 0.
    pub test: DifferenceTest,
}

/// Compares two means that are taken to have one variance (R. A. Fisher, "Applications of Student's distribution",
/// Metron 5, 1925): `se = pooled_sd sqrt(1/n_a + 1/n_b)` with n_a + n_b - 2 degrees of freedom.
///
/// Where nothing says that the variances are equal, [`super::welch`] is the test to use; this one is for judging a
/// report as its authors did.
///
/// # Errors
/// [`Error::ZeroSpread`] if both samples are constant; [`Error::Overflow`] or [`Error::Underflow`] beyond the doubles.
pub fn pooled_t(a: impl Into<Moments>, b: impl Into<Moments>) -> Result<PooledT, Error> {
    const COMPUTING: &str = "a pooled t test";
    let (a, b) = (a.into(), b.into());
    let pooled_sd = pooled_sd(a, b, COMPUTING)?;
    let se = usable(pooled_sd * (1.0 / a.n() as f64 + 1.0 / b.n() as f64).sqrt(), COMPUTING)?;
    let effect = Effect::new(finite(a.mean_above(&b), COMPUTING)?, se, a.df() + b.df())?;
    let test = difference_test(&effect)?;
    Ok(PooledT { n_a: a.n(), n_b: b.n(), mean_a: a.mean(), mean_b: b.mean(), pooled_sd, effect, test })
}

/// A standard error that has kept its digits.
fn usable(se: f64, computing: &'static str) -> Result<f64, Error> {
    if se.is_normal() { Ok(se) } else { Err(Error::Underflow { computing }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Replicates, welch};

    fn replicates(values: &[f64]) -> Replicates {
        Replicates::new(values).expect("usable values")
    }

    #[test]
    fn a_mean_is_tested_against_the_number_given() {
        // mean 3, sd sqrt(2.5), se sqrt(0.5).
        let found = one_sample_t(&replicates(&[1.0, 2.0, 3.0, 4.0, 5.0]), 2.0).expect("a test");
        assert!((found.test.t - 2.0_f64.sqrt()).abs() < 1e-15, "{found:?}");
        assert_eq!((found.test.df, found.effect.difference()), (4.0, 1.0));
    }

    #[test]
    fn a_paired_test_sees_what_an_unpaired_one_cannot() {
        let (a, b) = (vec![1.0, 5.0, 9.0, 13.0], vec![0.9, 4.8, 8.9, 12.8]);
        let pairs = Pairs::new(a.clone(), b.clone()).expect("pairs");
        let paired = paired_t(&pairs).expect("a test").test.p;
        let unpaired = pooled_t(&replicates(&a), &replicates(&b)).expect("a test").test.p;
        assert!(paired.get() < 0.02 && unpaired.get() > 0.9, "{paired} {unpaired}");
    }

    #[test]
    fn equal_sizes_and_variances_make_the_pooled_test_and_welch_agree() {
        let (a, b) = (replicates(&[1.0, 2.0, 4.0]), replicates(&[5.0, 6.0, 8.0]));
        let (pooled, unequal) = (pooled_t(&a, &b).expect("a test"), welch(&a, &b).expect("a test"));
        assert!((pooled.test.t / unequal.test.t - 1.0).abs() < 1e-15);
        assert!((pooled.test.df - 4.0).abs() < 1e-12 && (unequal.test.df - 4.0).abs() < 1e-12);
    }

    #[test]
    fn constant_samples_and_a_single_pair_are_typed_reasons() {
        let flat = replicates(&[2.0, 2.0, 2.0]);
        assert!(matches!(one_sample_t(&flat, 0.0), Err(Error::ZeroSpread { .. })));
        assert!(matches!(pooled_t(&flat, &flat), Err(Error::ZeroSpread { .. })));
        let shifted = Pairs::new(vec![3.0, 4.0], vec![1.0, 2.0]).expect("pairs");
        assert!(matches!(paired_t(&shifted), Err(Error::ZeroSpread { .. })));
        let one = Pairs::new(vec![3.0], vec![1.0]).expect("a pair");
        assert!(matches!(paired_t(&one), Err(Error::TooFew { .. })));
        assert!(matches!(one_sample_t(&replicates(&[1.0, 2.0]), f64::NAN), Err(Error::OutOfRange { .. })));
    }
}
