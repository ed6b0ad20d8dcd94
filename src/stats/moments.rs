//! What a t test needs of a sample, whether the values are at hand or only their printed summary.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{EqualValues, Error};
use super::sample::Replicates;

/// Number, mean and sample standard deviation of at least two values.
///
/// From [`Replicates`] by `into()`, or from a printed summary with [`Moments::new`]. Every function that takes
/// `impl Into<Moments>` takes both, so a test from summaries is the test from values and no second one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawMoments")]
pub struct Moments {
    n: usize,
    mean: f64,
    /// What the mean's rounding took from it, where the values are at hand. Beside values that share a large offset it
    /// is as large as the difference of two means.
    #[serde(skip)]
    mean_remainder: f64,
    sd: f64,
}

/// Moments as they are written, before they are checked.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Moments")]
struct RawMoments {
    n: usize,
    mean: f64,
    sd: f64,
}

impl TryFrom<RawMoments> for Moments {
    type Error = Error;

    fn try_from(RawMoments { n, mean, sd }: RawMoments) -> Result<Self, Error> {
        Self::new(n, mean, sd)
    }
}

impl From<&Replicates> for Moments {
    fn from(values: &Replicates) -> Self {
        Self { n: values.n(), mean: values.mean(), mean_remainder: values.mean_remainder(), sd: values.sd() }
    }
}

impl Moments {
    /// Checks a printed summary. The standard deviation is the one with n - 1 in the denominator.
    ///
    /// # Errors
    /// [`Error::TooFew`] below two values; [`Error::OutOfRange`] unless the mean is finite and the standard deviation
    /// finite and not negative.
    pub fn new(n: usize, mean: f64, sd: f64) -> Result<Self, Error> {
        const COMPUTING: &str = "a sample from its summary";
        if n < 2 {
            let hint = "one value has no standard deviation";
            return Err(Error::TooFew { computing: COMPUTING, needed: 2, of: "values", found: n as u64, hint });
        }
        let checks = [
            ("the mean", mean, mean.is_finite(), "finite"),
            ("the standard deviation", sd, sd >= 0.0 && sd.is_finite(), "at least 0 and finite"),
        ];
        for (parameter, found, within, range) in checks {
            if !within {
                let hint = "read the number again where it is printed";
                return Err(Error::OutOfRange { computing: COMPUTING, parameter, found, range, hint });
            }
        }
        Ok(Self { n, mean, mean_remainder: 0.0, sd })
    }

    /// How many values; at least 2.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// How far this mean is above `other`'s. Means that are near each other are subtracted without a rounding, and what
    /// either lost by its own is subtracted beside them.
    pub(super) fn mean_above(&self, other: &Self) -> f64 {
        (self.mean - other.mean) + (self.mean_remainder - other.mean_remainder)
    }

    /// Those of the values times `factor`, a number above 0.
    ///
    /// # Errors
    /// Those of [`Moments::new`], where the product is beyond the doubles.
    pub(super) fn times(&self, factor: f64) -> Result<Self, Error> {
        let scaled = Self::new(self.n, self.mean * factor, self.sd * factor)?;
        let mean_remainder = libm::fma(self.mean, factor, -scaled.mean) + self.mean_remainder * factor;
        Ok(Self { mean_remainder, ..scaled })
    }

    /// How far this mean is above a number.
    pub(super) fn mean_above_number(&self, number: f64) -> f64 {
        (self.mean - number) + self.mean_remainder
    }

    /// The sample standard deviation, with n - 1 in the denominator.
    pub fn sd(&self) -> f64 {
        self.sd
    }

    /// The standard error of the mean, `sd / sqrt(n)`.
    pub fn standard_error(&self) -> f64 {
        self.sd / (self.n as f64).sqrt()
    }

    /// n - 1.
    pub fn df(&self) -> f64 {
        self.n as f64 - 1.0
    }

    /// Refuses a sample without spread, for a statistic that divides by it.
    pub(super) fn with_spread(self, computing: &'static str) -> Result<Self, Error> {
        if self.sd == 0.0 {
            return Err(Error::ZeroSpread { computing, values: EqualValues::One(self.mean) });
        }
        Ok(self)
    }

    /// Refuses two samples that both lack spread.
    pub(super) fn either_spread(a: Self, b: Self, computing: &'static str) -> Result<(), Error> {
        if a.sd == 0.0 && b.sd == 0.0 {
            return Err(Error::ZeroSpread { computing, values: EqualValues::Two(a.mean, b.mean) });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_that_no_sample_could_have_is_refused() {
        for (n, mean, sd) in [(2, f64::NAN, 1.0), (2, 1.0, -0.1), (2, 1.0, f64::INFINITY), (2, 1.0, f64::NAN)] {
            assert!(matches!(Moments::new(n, mean, sd), Err(Error::OutOfRange { .. })), "{n} {mean} {sd}");
        }
        for n in [0, 1] {
            assert!(matches!(Moments::new(n, 1.0, 0.5), Err(Error::TooFew { needed: 2, .. })), "{n}");
        }
        assert!(serde_json::from_str::<Moments>(r#"{"n": 1, "mean": 1, "sd": 3}"#).is_err());
    }

    #[test]
    fn what_a_mean_loses_by_rounding_is_kept_and_scaled() {
        // 1e15 + 1/3: the doubles there are 1/8 apart.
        let values = Replicates::new(vec![1e15, 1e15, 1e15 + 1.0]).expect("usable values");
        let moments = Moments::from(&values);
        let whole = |moments: Moments| moments.mean_above_number(1e15);
        assert!((whole(moments) - 1.0 / 3.0).abs() < 1e-15, "{moments:?}");
        let scaled = moments.times(1.5).expect("in the doubles");
        assert!((scaled.mean_above_number(1.5e15) - 0.5).abs() < 1e-15, "{scaled:?}");
    }

    #[test]
    fn the_moments_of_values_are_those_of_their_summary() {
        let values = Replicates::new(vec![10.0, 12.0, 14.0]).expect("usable values");
        assert_eq!(Moments::from(&values), Moments::new(3, 12.0, 2.0).expect("a summary"));
    }
}
