//! What one sample looks like.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::sample::{Replicates, Sample};

/// A percentile's rank, 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent(f64);

impl Percent {
    /// The lower quartile.
    pub const P25: Percent = Percent(25.0);
    /// The median.
    pub const P50: Percent = Percent(50.0);
    /// The upper quartile.
    pub const P75: Percent = Percent(75.0);
    /// The 90th percentile.
    pub const P90: Percent = Percent(90.0);
    /// The 95th percentile.
    pub const P95: Percent = Percent(95.0);
    /// The 99th percentile.
    pub const P99: Percent = Percent(99.0);

    /// Checks the rank.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `0 <= value <= 100`.
    pub fn new(value: f64) -> Result<Self, Error> {
        if (0.0..=100.0).contains(&value) {
            return Ok(Self(value));
        }
        Err(Error::OutOfRange {
            computing: "a percentile",
            parameter: "the rank",
            found: value,
            range: "at least 0 and at most 100",
            hint: "the median is rank 50",
        })
    }

    /// The number itself.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Percent {
    type Error = Error;

    fn try_from(value: f64) -> Result<Self, Error> {
        Self::new(value)
    }
}

impl From<Percent> for f64 {
    fn from(value: Percent) -> f64 {
        value.0
    }
}

/// One sample in numbers, all in the unit of the sample except `n` and `cv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// How many values.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n - 1 in the denominator); absent for a single value.
    pub sd: Option<f64>,
    /// Coefficient of variation, `sd / |mean|`, as a fraction; absent for a single value or a mean of 0.
    pub cv: Option<f64>,
    /// Smallest value.
    pub min: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest value.
    pub max: f64,
}

impl Summary {
    /// The median, by its other name.
    pub fn median(&self) -> f64 {
        self.p50
    }
}

/// Summarises a sample.
///
/// # Errors
/// [`Error::Overflow`] or [`Error::Underflow`] if the standard deviation or the coefficient of variation is no double
/// although the values are.
pub fn summary(sample: &Sample) -> Result<Summary, Error> {
    let spread = if sample.n() < 2 { None } else { Some(Replicates::try_from(sample.clone())?) };
    let sd = spread.as_ref().map(Replicates::sd);
    let cv = spread.map_or(Ok(None), |spread| spread.cv())?;
    Ok(Summary {
        n: sample.n(),
        mean: sample.mean(),
        sd,
        cv,
        min: sample.min(),
        p50: percentile(sample, Percent::P50),
        p90: percentile(sample, Percent::P90),
        p95: percentile(sample, Percent::P95),
        p99: percentile(sample, Percent::P99),
        max: sample.max(),
    })
}

/// The value below which `rank` percent of the sample lies, by linear interpolation between order statistics.
///
/// Type 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", The American Statistician 50, 1996:
/// the default of R and of numpy, whose arithmetic it follows step by step. It is exact at rank 0 and 100 and for a
/// single value, and never decreases as the rank grows.
pub fn percentile(sample: &Sample, rank: Percent) -> f64 {
    of_sorted(sample.sorted(), rank).expect("a sample has a value, and a rank of at most 100 lies among its values")
}

/// [`percentile`] of values that are already in ascending order and finite; none without values.
pub(super) fn of_sorted(sorted: &[f64], rank: Percent) -> Option<f64> {
    of_order_statistics(sorted.len(), |place| sorted.get(place).copied(), rank)
}

/// [`of_sorted`] of `count` values, of which `at` gives the one at a place.
pub(super) fn of_order_statistics(count: usize, at: impl Fn(usize) -> Option<f64>, rank: Percent) -> Option<f64> {
    let position = (count.checked_sub(1)?) as f64 * (rank.get() / 100.0);
    let whole = position.floor();
    let part = position - whole;
    let below = at(whole as usize)?;
    let above = at(whole as usize + 1).unwrap_or(below);
    Some(between(below, above, part))
}

/// `low` to `high` at `part` of the way, from the nearer end as numpy does, so that it is monotone and exact at both.
pub(super) fn between(low: f64, high: f64, part: f64) -> f64 {
    let gap = high - low;
    if !gap.is_finite() {
        // The ends have opposite signs and are huge: weigh them instead, which cannot overflow.
        return low * (1.0 - part) + high * part;
    }
    let value = if part >= 0.5 { high - gap * (1.0 - part) } else { low + gap * part };
    value.clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Summary {
        summary(&Sample::new(values).expect("finite values")).expect("a summary")
    }

    #[test]
    fn a_summary_of_a_handful_of_launches_is_what_one_computes_by_hand() {
        let launches = of(&[12.0, 10.0, 11.0, 13.0, 14.0]);
        assert_eq!((launches.n, launches.mean, launches.median()), (5, 12.0, 12.0));
        assert_eq!(launches.sd, Some(2.5_f64.sqrt()));
        assert_eq!(launches.cv, Some(2.5_f64.sqrt() / 12.0));
        assert_eq!((launches.min, launches.p90, launches.max), (10.0, 13.6, 14.0));
    }

    #[test]
    fn a_single_value_is_its_own_percentiles_and_has_no_spread() {
        let one = of(&[7.0]);
        assert_eq!((one.sd, one.cv), (None, None));
        assert_eq!((one.min, one.p50, one.p99, one.max), (7.0, 7.0, 7.0, 7.0));
    }

    #[test]
    fn a_mean_of_zero_has_no_coefficient_of_variation() {
        let centred = of(&[-1.0, 1.0]);
        assert_eq!(centred.cv, None);
        assert_eq!(centred.sd, Some(2.0_f64.sqrt()));
    }

    #[test]
    fn values_of_opposite_sign_at_the_edge_of_the_doubles_still_have_a_median() {
        let wide = Sample::new(vec![-f64::MAX, f64::MAX]).expect("finite values");
        assert_eq!(percentile(&wide, Percent::P50), 0.0);
    }

    #[test]
    fn a_rank_outside_0_to_100_is_refused() {
        for bad in [-0.1, 100.1, f64::NAN] {
            assert!(Percent::new(bad).is_err(), "{bad}");
        }
    }
}
