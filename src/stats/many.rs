//! Intervals and equivalence tests of many effects, whose quantiles are prepared together.

use super::compare::{Effect, Margin, Tost, check_equivalence_level, tost_by};
use super::distribution::student_t_upper_quantile;
use super::error::Error;
use super::interval::Interval;
use super::moments::Moments;
use super::over_df::OverDf;
use super::probability::{Alpha, Confidence};

/// The quantile of one tail by degrees of freedom.
type Quantiles = OverDf<Box<dyn Fn(f64) -> Result<f64, Error> + Send + Sync>>;

fn quantiles(tail: f64, dfs: impl IntoIterator<Item = f64>) -> Result<Quantiles, Error> {
    OverDf::of(Box::new(move |df| student_t_upper_quantile(tail, df)), dfs)
}

/// Student intervals of one confidence. The same as [`super::student_interval`] and [`super::difference_interval`] give
/// one by one, to ten digits.
pub struct StudentIntervals {
    confidence: Confidence,
    quantiles: Quantiles,
}

impl StudentIntervals {
    /// Prepares for these degrees of freedom.
    ///
    /// # Errors
    /// As each interval alone, for degrees of freedom without a quantile.
    pub fn of(confidence: Confidence, dfs: impl IntoIterator<Item = f64>) -> Result<Self, Error> {
        Ok(Self { confidence, quantiles: quantiles(confidence.tail(), dfs)? })
    }

    /// Student interval of the mean.
    ///
    /// # Errors
    /// Those of [`super::student_interval`].
    pub fn mean(&self, sample: impl Into<Moments>) -> Result<Interval, Error> {
        const COMPUTING: &str = "a Student interval";
        let sample = sample.into().with_spread(COMPUTING)?;
        let quantile = self.quantiles.at(sample.df())?;
        Interval::around(sample.mean(), sample.standard_error(), quantile, self.confidence, COMPUTING)
    }

    /// Student interval of a difference.
    ///
    /// # Errors
    /// Those of [`super::difference_interval`].
    pub fn difference(&self, effect: &Effect) -> Result<Interval, Error> {
        const COMPUTING: &str = "an interval of a difference";
        let quantile = self.quantiles.at(effect.df())?;
        Interval::around(effect.difference(), effect.se(), quantile, self.confidence, COMPUTING)
    }
}

/// Two one-sided tests of one level. The same as [`super::tost`] gives one by one, its interval to ten digits.
pub struct EquivalenceTests {
    alpha: Alpha,
    quantiles: Quantiles,
}

impl EquivalenceTests {
    /// Prepares for these degrees of freedom.
    ///
    /// # Errors
    /// As each test alone, for a level or degrees of freedom without one.
    pub fn of(alpha: Alpha, dfs: impl IntoIterator<Item = f64>) -> Result<Self, Error> {
        check_equivalence_level(alpha, "an equivalence test")?;
        Ok(Self { alpha, quantiles: quantiles(alpha.get(), dfs)? })
    }

    /// Tests whether a difference lies within ±margin.
    ///
    /// # Errors
    /// Those of [`super::tost`].
    pub fn tost(&self, effect: &Effect, margin: Margin) -> Result<Tost, Error> {
        tost_by(effect, margin, self.alpha, |df| self.quantiles.at(df))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Replicates, difference_interval, student_interval, tost};
    use super::*;

    fn close(one: Interval, other: Interval, what: &str) {
        let reach = other.high - other.estimate;
        for (one, other) in [(one.low, other.low), (one.high, other.high)] {
            assert!((one - other).abs() <= 1e-11 * reach, "{what}: {one} {other}");
        }
    }

    #[test]
    fn many_effects_have_the_intervals_that_each_alone_has() {
        for (alpha, confidence) in [(0.05, 0.95), (0.001, 0.999), (0.2, 0.5)] {
            let (alpha, confidence) =
                (Alpha::new(alpha).expect("a level"), Confidence::new(confidence).expect("a level"));
            let margin = Margin::absolute(1.5).expect("a margin");
            for first in [0.5, 1.0, 2.0, 4.0, 64.0, 1e6] {
                let dfs = (0..60).map(|step| first * (1.0 + f64::from(step) / 60.0));
                let effects: Vec<Effect> = dfs.map(|df| Effect::new(1.0, 0.25, df).expect("an effect")).collect();
                let intervals = StudentIntervals::of(confidence, effects.iter().map(Effect::df)).expect("quantiles");
                let tests = EquivalenceTests::of(alpha, effects.iter().map(Effect::df)).expect("quantiles");
                for effect in &effects {
                    let alone = difference_interval(effect, confidence).expect("an interval");
                    close(intervals.difference(effect).expect("an interval"), alone, &format!("{effect:?}"));
                    let alone = tost(effect, margin, alpha).expect("a test");
                    let found = tests.tost(effect, margin).expect("a test");
                    close(found.interval, alone.interval, &format!("{effect:?}"));
                    assert_eq!(Tost { interval: alone.interval, ..found }, alone);
                }
            }
        }
    }

    #[test]
    fn a_few_degrees_of_freedom_have_the_very_same_interval_and_so_have_others_than_were_prepared() {
        let confidence = Confidence::new(0.95).expect("a level");
        let intervals = StudentIntervals::of(confidence, [2.0, 4.0]).expect("quantiles");
        for values in [vec![1.0, 2.0], vec![1.0, 2.0, 4.0], vec![1.0, 2.0, 4.0, 3.0, 9.0]] {
            let sample = Replicates::new(values).expect("usable values");
            assert_eq!(intervals.mean(&sample), student_interval(&sample, confidence));
        }
        let equal = Replicates::new(vec![4.0; 3]).expect("usable values");
        assert_eq!(intervals.mean(&equal), student_interval(&equal, confidence));
    }

    #[test]
    fn a_level_without_an_equivalence_test_is_refused_before_any_effect_comes() {
        assert!(EquivalenceTests::of(Alpha::new(0.5).expect("a level"), []).is_err());
    }
}
