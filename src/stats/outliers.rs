//! Values that lie apart from the rest of their sample.
//!
//! Both rules name candidates; neither says that a value is wrong, and nothing in this room drops one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::error::Error;
use super::quantile::{QuantileMethod, median, quantile};
use super::sample::Sample;
use super::summary::Percent;

/// Tukey's fences and what lies outside of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TukeyOutliers {
    /// How the quartiles were computed.
    pub quartiles: QuantileMethod,
    /// Lower quartile.
    pub q1: f64,
    /// Upper quartile.
    pub q3: f64,
    /// Lower fence, `q1 - 1.5 (q3 - q1)`.
    pub low: f64,
    /// Upper fence, `q3 + 1.5 (q3 - q1)`.
    pub high: f64,
    /// Positions of the values below the lower or above the upper fence, counted from 0 in the order given.
    pub outliers: Vec<usize>,
}

/// Tukey's rule: a value further than 1.5 interquartile ranges outside the quartiles (J. W. Tukey, "Exploratory Data
/// Analysis", 1977, section 2D). A value on a fence is inside.
///
/// [`QuantileMethod::Linear`] makes the quartiles numpy's and R's; Tukey's own hinges are no quantile of this list.
/// With fewer than five values hardly anything can lie outside, whatever it is.
///
/// # Errors
/// [`Error::Overflow`] if a fence is beyond the doubles.
pub fn tukey_outliers(sample: &Sample, quartiles: QuantileMethod) -> Result<TukeyOutliers, Error> {
    const COMPUTING: &str = "Tukey's fences";
    let q1 = quantile(sample, Percent::P25, quartiles);
    let q3 = quantile(sample, Percent::P75, quartiles);
    let reach = 1.5 * (q3 - q1);
    let (low, high) = (finite(q1 - reach, COMPUTING)?, finite(q3 + reach, COMPUTING)?);
    let outliers = positions(sample, |value| value < low || value > high);
    Ok(TukeyOutliers { quartiles, q1, q3, low, high, outliers })
}

/// Modified z-scores and which of them are large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModifiedZ {
    /// The sample's median.
    pub median: f64,
    /// Median of the absolute deviations from the median; positive.
    pub mad: f64,
    /// `0.6745 (value - median) / mad` for each value in the order given.
    pub scores: Vec<f64>,
    /// Positions of the values whose score is above 3.5 in size, counted from 0.
    pub outliers: Vec<usize>,
}

/// What makes the median absolute deviation of normal values their standard deviation, as Iglewicz and Hoaglin print it.
const NORMAL_MAD: f64 = 0.6745;

/// The score beyond which Iglewicz and Hoaglin label a value.
const LARGE_SCORE: f64 = 3.5;

/// The rule of B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers", ASQC 1993, section 3.2: a value whose
/// modified z-score is above 3.5 in size.
///
/// # Errors
/// [`Error::ZeroMedianDeviation`] if at least half of the values are equal, where the scores are not defined;
/// [`Error::Overflow`] if a deviation or a score is beyond the doubles.
pub fn modified_z(sample: &Sample) -> Result<ModifiedZ, Error> {
    const COMPUTING: &str = "modified z-scores";
    let centre = median(sample);
    let mut deviations = Vec::with_capacity(sample.n());
    for value in sample.values() {
        deviations.push(finite((value - centre).abs(), COMPUTING)?);
    }
    let mad = median(&Sample::new(deviations)?);
    if mad == 0.0 {
        return Err(Error::ZeroMedianDeviation { computing: COMPUTING, value: centre });
    }
    let mut scores = Vec::with_capacity(sample.n());
    for value in sample.values() {
        scores.push(finite(NORMAL_MAD * (value - centre) / mad, COMPUTING)?);
    }
    let outliers = (0..).zip(&scores).filter(|(_, score)| score.abs() > LARGE_SCORE).map(|(at, _)| at).collect();
    Ok(ModifiedZ { median: centre, mad, scores, outliers })
}

/// Positions of the values for which `apart` holds.
fn positions(sample: &Sample, apart: impl Fn(f64) -> bool) -> Vec<usize> {
    (0..).zip(sample.values()).filter(|(_, value)| apart(**value)).map(|(at, _)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values).expect("finite values")
    }

    #[test]
    fn tukeys_fences_single_out_the_value_beyond_them_and_not_the_one_on_them() {
        // Quartiles 2 and 4, fences -1 and 7.
        let found = tukey_outliers(&sample(&[2.0, 7.0, 3.0, 4.0, 1.0]), QuantileMethod::Linear).expect("fences");
        assert_eq!((found.q1, found.q3, found.low, found.high), (2.0, 4.0, -1.0, 7.0));
        assert!(found.outliers.is_empty());
        let found = tukey_outliers(&sample(&[2.0, 7.5, 3.0, 4.0, 1.0]), QuantileMethod::Linear).expect("fences");
        assert_eq!(found.outliers, [1]);
    }

    #[test]
    fn the_method_of_the_quartiles_decides_close_cases() {
        // Weibull's quartiles of the same values are 1.5 and 5.75.
        let found = tukey_outliers(&sample(&[2.0, 7.5, 3.0, 4.0, 1.0]), QuantileMethod::Weibull).expect("fences");
        assert_eq!((found.q1, found.q3), (1.5, 5.75));
        assert!(found.outliers.is_empty());
    }

    #[test]
    fn equal_values_have_no_outliers_by_tukey_and_no_modified_scores() {
        let flat = sample(&[5.0; 4]);
        assert!(tukey_outliers(&flat, QuantileMethod::Linear).expect("fences").outliers.is_empty());
        assert!(matches!(modified_z(&flat), Err(Error::ZeroMedianDeviation { value: 5.0, .. })));
        assert!(matches!(modified_z(&sample(&[5.0, 5.0, 5.0, 1.0, 9.0])), Err(Error::ZeroMedianDeviation { .. })));
        assert!(matches!(modified_z(&sample(&[1.0])), Err(Error::ZeroMedianDeviation { .. })));
    }

    #[test]
    fn a_modified_score_counts_median_deviations() {
        // Median 3, deviations 2 1 0 1 97.
        let found = modified_z(&sample(&[1.0, 2.0, 3.0, 4.0, 100.0])).expect("scores");
        assert_eq!((found.median, found.mad), (3.0, 1.0));
        assert_eq!(found.scores[4], 0.6745 * 97.0);
        assert_eq!(found.outliers, [4]);
    }

    #[test]
    fn fences_beyond_the_doubles_are_an_error() {
        let wide = sample(&[-f64::MAX, f64::MAX, -f64::MAX, f64::MAX]);
        assert!(matches!(tukey_outliers(&wide, QuantileMethod::Linear), Err(Error::Overflow { .. })));
        assert!(matches!(modified_z(&sample(&[-1e-300, 0.0, 1e-300, 1e300])), Err(Error::Overflow { .. })));
    }
}
