//! The two inputs every statistic takes: numbers that are known to be usable.

use std::sync::OnceLock;

use super::arithmetic::{finite, sum};
use super::error::{EqualValues, Error};

/// At least one number, all finite, with a finite mean.
///
/// Keeps the order given, since a bootstrap draws by position. The mean of equal values is that value exactly.
#[derive(Debug, Clone)]
pub struct Sample {
    values: Vec<f64>,
    /// In ascending order, once somebody asks: of most samples nobody does.
    sorted: OnceLock<Vec<f64>>,
    min: f64,
    max: f64,
    mean: f64,
}

impl PartialEq for Sample {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl Sample {
    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::TooFew`] without values, [`Error::NotFinite`] for the first NaN or infinity, [`Error::Overflow`] if
    /// their sum is beyond a double.
    pub fn new(values: impl Into<Vec<f64>>) -> Result<Self, Error> {
        let values = values.into();
        if let Some((index, &value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) {
            return Err(Error::NotFinite { computing: "a sample", index, value });
        }
        let mut range: Option<(f64, f64)> = None;
        for &value in &values {
            let (min, max) = range.unwrap_or((value, value));
            let below = value.total_cmp(&min).is_lt();
            let above = value.total_cmp(&max).is_gt();
            range = Some((if below { value } else { min }, if above { value } else { max }));
        }
        let Some((min, max)) = range else {
            return Err(Error::TooFew {
                computing: "a sample",
                needed: 1,
                of: "values",
                found: 0,
                hint: "nothing was measured, which is an outcome and not a number",
            });
        };
        let mean = mean(&values)?;
        Ok(Self { values, sorted: OnceLock::new(), min, max, mean })
    }

    /// The values in the order given.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The values in ascending order.
    pub fn sorted(&self) -> &[f64] {
        self.sorted.get_or_init(|| {
            let mut sorted = self.values.clone();
            sorted.sort_by(f64::total_cmp);
            sorted
        })
    }

    /// How many values there are; never 0.
    pub fn n(&self) -> usize {
        self.values.len()
    }

    /// The arithmetic mean, from a compensated sum in the order given.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The smallest value.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// Whether all values are equal.
    pub fn is_constant(&self) -> bool {
        self.min() == self.max()
    }
}

/// At least two numbers, so that their standard deviation is defined; it is 0 only if all values are equal.
///
/// These are what the field calls replicates: for timing claims one value per launch of a lane, not per iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicates {
    sample: Sample,
    sd: f64,
    mean_remainder: f64,
}

impl Replicates {
    /// Checks the values.
    ///
    /// # Errors
    /// Those of [`Sample::new`] and of the conversion from [`Sample`].
    pub fn new(values: impl Into<Vec<f64>>) -> Result<Self, Error> {
        Self::try_from(Sample::new(values)?)
    }

    /// The sample itself.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// The values in the order given.
    pub fn values(&self) -> &[f64] {
        self.sample.values()
    }

    /// How many values there are; at least 2.
    pub fn n(&self) -> usize {
        self.sample.n()
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.sample.mean()
    }

    /// The sample standard deviation, with n - 1 in the denominator.
    pub fn sd(&self) -> f64 {
        self.sd
    }

    /// The standard error of the mean, `sd / sqrt(n)`.
    pub fn standard_error(&self) -> f64 {
        self.sd / (self.n() as f64).sqrt()
    }

    /// The coefficient of variation, `sd / |mean|`, as a fraction; absent for a mean of 0.
    ///
    /// # Errors
    /// [`Error::Overflow`] if it is no double.
    pub fn cv(&self) -> Result<Option<f64>, Error> {
        if self.mean() == 0.0 {
            return Ok(None);
        }
        finite(self.sd / self.mean().abs(), "a coefficient of variation").map(Some)
    }

    /// n - 1.
    pub fn df(&self) -> f64 {
        self.n() as f64 - 1.0
    }

    /// What the mean's rounding took from it: [`Replicates::mean`] plus this is the mean to twice a double's digits, but
    /// for the rounding of the values' deviations from it.
    pub(super) fn mean_remainder(&self) -> f64 {
        self.mean_remainder
    }

    /// Refuses values without spread, for a statistic that divides by it.
    pub(super) fn with_spread(&self, computing: &'static str) -> Result<&Self, Error> {
        if self.sample.is_constant() {
            return Err(Error::ZeroSpread { computing, values: EqualValues::One(self.mean()) });
        }
        Ok(self)
    }
}

impl TryFrom<Sample> for Replicates {
    type Error = Error;

    /// # Errors
    /// [`Error::TooFew`] below two values; [`Error::Overflow`] or [`Error::Underflow`] if the standard deviation is
    /// no double although the values are.
    fn try_from(sample: Sample) -> Result<Self, Error> {
        if sample.n() < 2 {
            return Err(Error::TooFew {
                computing: "a standard deviation",
                needed: 2,
                of: "values",
                found: sample.n() as u64,
                hint: "launch the lane more often; one launch says nothing about the next",
            });
        }
        let (sd, mean_remainder) = spread(&sample)?;
        Ok(Self { sample, sd, mean_remainder })
    }
}

/// Mean of one finite value or more.
///
/// Kept between the smallest and the largest value, which the quotient can leave by a rounding. So the mean of equal
/// values is exact, and zero spread is recognised as such instead of hiding in the last bit.
pub(super) fn mean(values: &[f64]) -> Result<f64, Error> {
    let total = finite(sum(values.iter().copied()), "a mean")?;
    // The values are numbers, so plain comparisons do, which cost less than the order of `f64::min`.
    let smaller = |one: f64, other: f64| if other < one { other } else { one };
    let larger = |one: f64, other: f64| if other > one { other } else { one };
    let smallest = values.iter().copied().fold(f64::INFINITY, smaller);
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, larger);
    Ok((total / values.len() as f64).max(smallest).min(largest))
}

/// Sample standard deviation, and what the mean's rounding took from it, by the corrected two-pass algorithm (T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms
/// for computing the sample variance", The American Statistician 37, 1983, equation 1.7).
///
/// The deviations are scaled by a power of two, which is exact, so that their squares neither overflow nor vanish.
fn spread(sample: &Sample) -> Result<(f64, f64), Error> {
    const COMPUTING: &str = "a standard deviation";
    if sample.is_constant() {
        return Ok((0.0, 0.0));
    }
    let mean = sample.mean();
    let largest = finite((sample.max() - mean).max(mean - sample.min()), COMPUTING)?;
    let exponent = libm::ilogb(largest);
    let deviation = |value: &f64| libm::scalbn(value - mean, -exponent);
    let n = sample.n() as f64;
    let squares = sum(sample.values().iter().map(|value| deviation(value) * deviation(value)));
    let drift = sum(sample.values().iter().map(deviation));
    let scaled = ((squares - drift * drift / n) / (n - 1.0)).sqrt();
    let sd = finite(libm::scalbn(scaled, exponent), COMPUTING)?;
    if sd > 0.0 { Ok((sd, libm::scalbn(drift / n, exponent))) } else { Err(Error::Underflow { computing: COMPUTING }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_without_values_is_refused() {
        let error = Sample::new(vec![]).expect_err("no values");
        assert!(matches!(error, Error::TooFew { needed: 1, found: 0, .. }));
    }

    #[test]
    fn the_first_value_that_is_no_number_is_named() {
        let error = Sample::new(vec![1.0, f64::NAN, f64::INFINITY]).expect_err("a NaN");
        assert!(matches!(error, Error::NotFinite { index: 1, value, .. } if value.is_nan()));
        let error = Sample::new(vec![1.0, 2.0, f64::NEG_INFINITY]).expect_err("an infinity");
        assert!(matches!(error, Error::NotFinite { index: 2, .. }));
    }

    #[test]
    fn one_value_has_a_mean_but_no_standard_deviation() {
        let one = Sample::new(vec![3.5]).expect("one value");
        assert_eq!((one.mean(), one.min(), one.max(), one.n()), (3.5, 3.5, 3.5, 1));
        assert!(matches!(Replicates::try_from(one), Err(Error::TooFew { needed: 2, found: 1, .. })));
    }

    #[test]
    fn equal_values_have_exactly_no_spread_whatever_their_number() {
        // 49 times 1/49, and friends, do not divide back to the value they came from without the clamp.
        for n in [2, 3, 7, 49, 98, 1000] {
            for value in [0.1, 1.0 / 3.0, 1e300, 5e-324, -7.3] {
                let equal = Replicates::new(vec![value; n]);
                if value == 1e300 && n as f64 * value > f64::MAX {
                    continue;
                }
                let equal = equal.expect("finite values");
                assert_eq!((equal.mean(), equal.sd()), (value, 0.0));
            }
        }
    }

    #[test]
    fn spread_in_the_last_bit_is_spread() {
        let close = Replicates::new(vec![1.0, 1.0, 1.0 + f64::EPSILON]).expect("finite values");
        assert!(close.sd() > 0.0);
        assert!((close.sd() - f64::EPSILON / 3.0_f64.sqrt()).abs() < 1e-30);
    }

    #[test]
    fn huge_and_subnormal_values_have_a_standard_deviation() {
        let huge = Replicates::new(vec![1e300, 2e300, 3e300]).expect("finite values");
        assert!((huge.sd() / 1e300 - 1.0).abs() < 1e-15);
        let tiny = Replicates::new(vec![1e-310, 2e-310, 3e-310]).expect("finite values");
        assert!((tiny.sd() / 1e-310 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_no_double_can_hold_is_an_error_and_not_infinity() {
        assert_eq!(Sample::new(vec![f64::MAX, f64::MAX]), Err(Error::Overflow { computing: "a mean" }));
        let opposite = Replicates::new(vec![f64::MAX, -f64::MAX, f64::MAX]);
        assert_eq!(opposite, Err(Error::Overflow { computing: "a standard deviation" }));
        let mut vanishing = vec![0.0; 99];
        vanishing.push(5e-324);
        assert_eq!(Replicates::new(vanishing), Err(Error::Underflow { computing: "a standard deviation" }));
    }
}
