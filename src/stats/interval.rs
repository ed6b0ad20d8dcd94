//! An estimate with its interval, and Student's interval of a mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::distribution::student_t_upper_quantile;
use super::error::Error;
use super::moments::Moments;
use super::probability::Confidence;

/// An estimate with a two-sided interval around it, all in the unit of the estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// What the interval is of.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Its confidence level, as a fraction.
    pub confidence: Confidence,
}

impl Interval {
    /// `estimate ± quantile se`.
    pub(super) fn around(
        estimate: f64,
        se: f64,
        quantile: f64,
        confidence: Confidence,
        computing: &'static str,
    ) -> Result<Self, Error> {
        let reach = finite(quantile * se, computing)?;
        let (low, high) = (finite(estimate - reach, computing)?, finite(estimate + reach, computing)?);
        Ok(Self { estimate, low, high, confidence })
    }

    /// Whether `value` lies within the interval, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// Student interval of the mean: `mean ± t sd / sqrt(n)` with n - 1 degrees of freedom.
///
/// # Errors
/// [`Error::ZeroSpread`] if all values are equal: an interval of no width would claim a certainty that n values cannot
/// give. [`Error::Overflow`] if an end is beyond the doubles.
pub fn student_interval(sample: impl Into<Moments>, confidence: Confidence) -> Result<Interval, Error> {
    const COMPUTING: &str = "a Student interval";
    let sample = sample.into().with_spread(COMPUTING)?;
    let quantile = student_t_upper_quantile(confidence.tail(), sample.df())?;
    Interval::around(sample.mean(), sample.standard_error(), quantile, confidence, COMPUTING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Replicates;

    #[test]
    fn values_without_spread_have_no_interval() {
        let equal = Replicates::new(vec![4.0; 5]).expect("usable values");
        let level = Confidence::new(0.95).expect("a level");
        assert!(matches!(student_interval(&equal, level), Err(Error::ZeroSpread { .. })));
    }
}
