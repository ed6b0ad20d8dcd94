//! The percentile bootstrap of the mean, for many samples.
//!
//! Which positions a resample draws follows from the seed and the number of values alone, and its mean from how often it
//! draws each. A few values can be drawn in few ways (five in 126), so many resamples have one mean between them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::draws::{Bootstrap, Draws};
use super::intervals::bootstrap_interval;
use super::resampled::checked;
use crate::stats::error::Error;
use crate::stats::interval::Interval;
use crate::stats::sample::{Replicates, mean};
use crate::stats::summary::{Percent, of_order_statistics};

const COMPUTING: &str = "a bootstrap interval";

/// Up to this many values, ways are looked for. Twelve can be drawn in a million ways, and hardly two resamples share one.
const MOST_VALUES: usize = 12;

/// [`super::bootstrap_mean_interval`] of one sample after another: what does not depend on the values is done once.
#[derive(Debug)]
pub struct MeanBootstrap {
    bootstrap: Bootstrap,
    /// By number of values.
    ways: [OnceLock<Ways>; MOST_VALUES + 1],
}

/// The different ways in which the resamples draw their positions.
#[derive(Debug)]
struct Ways {
    values: usize,
    /// `values` positions of each way, in ascending order.
    positions: Vec<u8>,
    /// How many resamples draw each.
    resamples: Vec<u32>,
}

impl MeanBootstrap {
    /// Nothing is drawn yet.
    pub fn new(bootstrap: Bootstrap) -> Self {
        Self { bootstrap, ways: Default::default() }
    }

    /// Percentile interval of the mean.
    ///
    /// # Errors
    /// Those of [`super::bootstrap_interval`].
    pub fn interval(&self, sample: &Replicates) -> Result<Interval, Error> {
        let Some(ways) = self.ways.get(sample.n()) else { return bootstrap_interval(sample, self.bootstrap, mean) };
        let values = sample.with_spread(COMPUTING)?.values();
        self.bootstrap.enough(COMPUTING)?;
        let estimate = checked(self.bootstrap.resamples as usize, sample.mean())?;
        let means = ways.get_or_init(|| Ways::of(self.bootstrap, values.len())).means(values)?;
        let (low, high) = self.bootstrap.ranks();
        let at = |rank| Percent::new(rank).map(|rank| percentile(&means, self.bootstrap.resamples as usize, rank));
        Ok(Interval { estimate, low: at(low)?, high: at(high)?, confidence: self.bootstrap.confidence })
    }
}

impl Ways {
    fn of(bootstrap: Bootstrap, values: usize) -> Self {
        let all: Vec<u8> = (0..=u8::MAX).take(values).collect();
        let mut draws = Draws::new(bootstrap.seed, [&all]);
        let mut counted: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        for _ in 0..bootstrap.resamples {
            let [drawn] = draws.next();
            let mut way = drawn.to_vec();
            way.sort_unstable();
            *counted.entry(way).or_insert(0) += 1;
        }
        let (ways, resamples): (Vec<_>, Vec<_>) = counted.into_iter().unzip();
        Self { values, positions: ways.concat(), resamples }
    }

    /// The mean of every way, in ascending order, and how many resamples have it.
    fn means(&self, values: &[f64]) -> Result<Vec<(f64, u32)>, Error> {
        let mut drawn = [0.0; MOST_VALUES];
        let drawn = drawn.get_mut(..self.values).unwrap_or_default();
        let mut means = Vec::with_capacity(self.resamples.len());
        for (way, resamples) in self.positions.chunks_exact(self.values).zip(&self.resamples) {
            for (slot, position) in drawn.iter_mut().zip(way) {
                *slot = values.get(usize::from(*position)).copied().unwrap_or(f64::NAN);
            }
            means.push((mean(drawn)?, *resamples));
        }
        means.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
        Ok(means)
    }
}

/// The type 7 percentile of `count` numbers, of which each of `sorted` stands for several.
fn percentile(sorted: &[(f64, u32)], count: usize, rank: Percent) -> f64 {
    let statistic = |place: usize| {
        let mut up_to = 0;
        let reached = |(_, times): &&(f64, u32)| {
            up_to += *times as usize;
            up_to > place
        };
        sorted.iter().find(reached).map(|(value, _)| *value)
    };
    of_order_statistics(count, statistic, rank).expect("there are at least two resamples, and the rank is at most 100")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Confidence;

    #[test]
    fn means_that_are_shared_give_the_interval_of_means_that_are_drawn_one_by_one() {
        for n in 2..MOST_VALUES + 3 {
            for (seed, confidence) in [(0, 0.95), (42, 0.9), (7, 0.5)] {
                let confidence = Confidence::new(confidence).expect("a level");
                let bootstrap = Bootstrap::new(seed, confidence);
                let prepared = MeanBootstrap::new(bootstrap);
                for shift in [0.0, 0.3] {
                    let value = |i: usize| 10.0 + libm::sin(i as f64 * 1.7 + shift) + if i == 1 { 3.0 } else { 0.0 };
                    let sample = Replicates::new((0..n).map(value).collect::<Vec<_>>()).expect("usable values");
                    let shared = prepared.interval(&sample).expect("an interval");
                    let drawn = bootstrap_interval(&sample, bootstrap, mean).expect("an interval");
                    // The order of a sum may change its last bit.
                    let close = |one: f64, other: f64| (one / other - 1.0).abs() < 1e-15;
                    assert!(
                        close(shared.low, drawn.low) && close(shared.high, drawn.high),
                        "{n}: {shared:?} {drawn:?}"
                    );
                    assert_eq!((shared.estimate, shared.confidence), (drawn.estimate, drawn.confidence));
                }
            }
        }
    }

    #[test]
    fn what_has_no_interval_drawn_one_by_one_has_none_prepared() {
        let confidence = Confidence::new(0.95).expect("a level");
        let equal = Replicates::new(vec![4.0; 5]).expect("usable values");
        let bootstrap = Bootstrap::new(1, confidence);
        assert_eq!(MeanBootstrap::new(bootstrap).interval(&equal), bootstrap_interval(&equal, bootstrap, mean));
        let few = Bootstrap { resamples: 39, ..bootstrap };
        let pair = Replicates::new(vec![4.0, 5.0]).expect("usable values");
        assert_eq!(MeanBootstrap::new(few).interval(&pair), bootstrap_interval(&pair, few, mean));
    }
}
