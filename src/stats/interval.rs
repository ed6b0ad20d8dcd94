//! Intervals of one sample's mean: Student's and the percentile bootstrap's.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::{finite, sum};
use super::distribution::student_t_upper_quantile;
use super::error::Error;
use super::probability::Confidence;
use super::sample::Replicates;
use super::summary::{Percent, of_sorted};

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
    /// `estimate ± t se`.
    pub(super) fn around(
        estimate: f64,
        se: f64,
        df: f64,
        confidence: Confidence,
        computing: &'static str,
    ) -> Result<Self, Error> {
        let reach = finite(student_t_upper_quantile(confidence.tail(), df)? * se, computing)?;
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
pub fn student_interval(sample: &Replicates, confidence: Confidence) -> Result<Interval, Error> {
    const COMPUTING: &str = "a Student interval";
    let sample = sample.with_spread(COMPUTING)?;
    Interval::around(sample.mean(), sample.standard_error(), sample.df(), confidence, COMPUTING)
}

/// How a bootstrap is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bootstrap {
    /// How many resamples; 1,000 is usual.
    pub resamples: u32,
    /// Seed of the generator. The same seed, values and order of values give the same interval to the last bit.
    pub seed: u64,
    /// Confidence level of the interval.
    pub confidence: Confidence,
}

impl Bootstrap {
    /// The usual number of resamples.
    pub const USUAL_RESAMPLES: u32 = 1_000;

    /// A bootstrap with the usual number of resamples.
    pub fn new(seed: u64, confidence: Confidence) -> Self {
        Self { resamples: Self::USUAL_RESAMPLES, seed, confidence }
    }
}

/// [`bootstrap_interval`] of the mean.
///
/// # Errors
/// Those of [`bootstrap_interval`].
pub fn bootstrap_mean_interval(sample: &Replicates, bootstrap: Bootstrap) -> Result<Interval, Error> {
    bootstrap_interval(sample, bootstrap, |values| sum(values.iter().copied()) / values.len() as f64)
}

/// Percentile bootstrap interval of any statistic (B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap",
/// 1993, section 13.3).
///
/// Each resample draws n values with replacement, one [`index_below`] each, in order, from one SplitMix64 stream begun
/// at the seed. The ends are the type 7 percentiles (see [`super::percentile`]) of the statistic over the resamples.
/// `statistic` is given n values in the order drawn and has to be a pure function of them.
///
/// With the 3 to 10 launches of a usual plan this interval is too narrow: at n = 3 the nominal 95 % covers about 75 %
/// of normal means. [`student_interval`] is the one to judge by there.
///
/// # Errors
/// [`Error::ZeroSpread`] if all values are equal; [`Error::TooFew`] below `2 / (1 - confidence)` resamples, where the
/// ends would lie outside the outermost resamples' ranks; [`Error::NotFinite`] if the statistic of a resample is no
/// number (`index` is the resample; the one after the last stands for the sample itself).
pub fn bootstrap_interval(
    sample: &Replicates,
    bootstrap: Bootstrap,
    mut statistic: impl FnMut(&[f64]) -> f64,
) -> Result<Interval, Error> {
    const COMPUTING: &str = "a bootstrap interval";
    let Bootstrap { resamples, seed, confidence } = bootstrap;
    let sample = sample.with_spread(COMPUTING)?;
    let needed = (1.0 / confidence.tail()).ceil();
    if f64::from(resamples) < needed {
        return Err(Error::TooFew {
            computing: COMPUTING,
            needed: needed as u64,
            of: "resamples",
            found: u64::from(resamples),
            hint: "1,000 are usual",
        });
    }
    let mut checked = |index: u32, values: &[f64]| {
        let value = statistic(values);
        let wrong = Error::NotFinite { computing: COMPUTING, index: index as usize, value };
        if value.is_finite() { Ok(value) } else { Err(wrong) }
    };
    let mut generator = SplitMix64::seed_from_u64(seed);
    let mut drawn = sample.values().to_vec();
    let estimate = checked(resamples, &drawn)?;
    let mut statistics = Vec::with_capacity(resamples as usize);
    for resample in 0..resamples {
        draw(&mut generator, sample.values(), &mut drawn);
        statistics.push(checked(resample, &drawn)?);
    }
    statistics.sort_by(f64::total_cmp);
    let end = |rank: f64| {
        let rank = Percent::new(100.0 * rank)?;
        Ok(of_sorted(&statistics, rank).expect("there are at least two resamples, and the rank is at most 100"))
    };
    let (low, high) = (end(confidence.tail())?, end(1.0 - confidence.tail())?);
    Ok(Interval { estimate, low, high, confidence })
}

/// Fills `drawn` with values drawn with replacement.
fn draw(generator: &mut SplitMix64, values: &[f64], drawn: &mut [f64]) {
    let n = values.len() as u64;
    for slot in drawn {
        let index = index_below(generator, n);
        *slot = *values.get(index as usize).expect("an index below the number of values");
    }
}

/// A uniform whole number below `bound`, which is not 0, without the bias of a remainder.
///
/// The upper half of the 128-bit product of `bound` and 64 random bits. The `2^64 mod bound` products whose lower half
/// would favour some results are drawn again (D. Lemire, "Fast random integer generation in an interval", ACM
/// Transactions on Modeling and Computer Simulation 29, 2019).
fn index_below(generator: &mut SplitMix64, bound: u64) -> u64 {
    let favoured = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(generator.next_u64()) * u128::from(bound);
        if product as u64 >= favoured {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(level: f64) -> Confidence {
        Confidence::new(level).expect("a level")
    }

    fn launches() -> Replicates {
        Replicates::new(vec![10.25, 11.5, 9.75, 10.0, 12.125]).expect("usable values")
    }

    #[test]
    fn a_bootstrap_gives_the_same_bits_for_the_same_seed() {
        // Pinned. Anything that changes these bits changes verdicts that were already accepted.
        let interval = bootstrap_mean_interval(&launches(), Bootstrap::new(42, confidence(0.95))).expect("an interval");
        let bits = [interval.estimate, interval.low, interval.high].map(f64::to_bits);
        assert_eq!(bits, GOLDEN_BITS, "{interval:?}");
    }
    const GOLDEN_BITS: [u64; 3] = [4_622_227_256_305_201_971, 4_621_790_970_091_300_454, 4_622_733_911_263_281_152];

    #[test]
    fn another_seed_gives_another_interval_around_the_same_mean() {
        let at =
            |seed| bootstrap_mean_interval(&launches(), Bootstrap::new(seed, confidence(0.95))).expect("an interval");
        let (one, other) = (at(1), at(2));
        assert_ne!((one.low, one.high), (other.low, other.high));
        assert_eq!(one.estimate, other.estimate);
        assert!((one.low - other.low).abs() < 0.2 && (one.high - other.high).abs() < 0.2);
    }

    #[test]
    fn a_bootstrap_takes_any_statistic() {
        let largest = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let interval =
            bootstrap_interval(&launches(), Bootstrap::new(7, confidence(0.9)), largest).expect("an interval");
        assert_eq!((interval.estimate, interval.high), (12.125, 12.125));
        assert!(launches().values().contains(&interval.low));
    }

    #[test]
    fn a_statistic_that_is_no_number_names_its_resample() {
        let mut call = 0;
        let breaks = |_: &[f64]| {
            call += 1;
            if call == 4 { f64::NAN } else { 1.0 }
        };
        let error = bootstrap_interval(&launches(), Bootstrap::new(7, confidence(0.9)), breaks).expect_err("a NaN");
        assert!(matches!(error, Error::NotFinite { index: 2, .. }), "{error:?}");
    }

    #[test]
    fn too_few_resamples_for_the_confidence_asked_are_refused() {
        let few = |resamples, level| Bootstrap { resamples, seed: 0, confidence: confidence(level) };
        let error = bootstrap_mean_interval(&launches(), few(39, 0.95)).expect_err("too few");
        assert!(matches!(error, Error::TooFew { found: 39, .. }), "{error:?}");
        assert!(bootstrap_mean_interval(&launches(), few(100, 0.95)).is_ok());
        assert!(bootstrap_mean_interval(&launches(), few(0, 0.5)).is_err());
    }

    #[test]
    fn values_without_spread_have_no_interval() {
        let equal = Replicates::new(vec![4.0; 5]).expect("usable values");
        assert!(matches!(student_interval(&equal, confidence(0.95)), Err(Error::ZeroSpread { .. })));
        let bootstrap = bootstrap_mean_interval(&equal, Bootstrap::new(1, confidence(0.95)));
        assert!(matches!(bootstrap, Err(Error::ZeroSpread { .. })));
    }

    #[test]
    fn every_index_is_drawn_equally_often() {
        let mut generator = SplitMix64::seed_from_u64(9);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[index_below(&mut generator, 7) as usize] += 1;
        }
        let chi_square: f64 =
            counts.iter().map(|&count| (f64::from(count) - 1e4) * (f64::from(count) - 1e4) / 1e4).sum();
        assert!(chi_square < 22.5, "six degrees of freedom, p = 0.001: {chi_square} from {counts:?}");
    }

    #[test]
    fn draws_that_would_favour_some_indices_are_thrown_away() {
        // With this bound almost half of all products are in the favoured part.
        let bound = (1 << 63) + 1;
        let mut generator = SplitMix64::seed_from_u64(3);
        assert!((0..1000).all(|_| index_below(&mut generator, bound) < bound));
        let mut single = SplitMix64::seed_from_u64(3);
        assert_eq!(index_below(&mut single, 1), 0);
    }
}
