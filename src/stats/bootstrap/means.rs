//! The percentile bootstrap of the mean, for many samples.
//!
//! Which positions a resample draws follows from the seed and the number of values alone, and its mean from how often it
//! draws each. A few values can be drawn in few ways (five in 126), so many resamples have one mean between them. And an end
//! of an interval lies in a tail, so that only the means there are formed with all their digits.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::draws::{Bootstrap, Draws};
use super::intervals::bootstrap_interval;
use super::resampled::checked;
use crate::stats::distribution::normal_quantile;
use crate::stats::error::Error;
use crate::stats::interval::Interval;
use crate::stats::sample::{Replicates, mean};
use crate::stats::summary::{Percent, of_order_statistics};

const COMPUTING: &str = "a bootstrap interval";

/// Up to this many values, ways are looked for. Twelve can be drawn in a million ways, and hardly two resamples share one.
const MOST_VALUES: usize = 12;

/// The same as a power of two.
const MOST_POSITIONS: usize = 16;

/// Where a tail begins, as a part of the way to where a normal variable's end would lie: nearer, so that the end of a skewed
/// sample mostly lies in the tail too.
const TAIL: f64 = 0.6;

/// [`super::bootstrap_mean_interval`] of one sample after another: what does not depend on the values is done once.
#[derive(Debug)]
pub struct MeanBootstrap {
    bootstrap: Bootstrap,
    /// How far from the mean its tails begin, in standard errors.
    reach: f64,
    /// By number of values.
    ways: [OnceLock<Ways>; MOST_VALUES + 1],
}

/// The different ways in which the resamples draw their positions.
#[derive(Debug)]
struct Ways {
    values: usize,
    /// The positions of the first way in ascending order, those of the second, ...
    positions: Vec<u8>,
    /// How many resamples draw each.
    resamples: Vec<u32>,
    /// How many there are.
    count: usize,
}

/// The means on one side of an edge.
#[derive(Debug, Clone, Copy)]
enum Tail {
    Below(f64),
    Above(f64),
}

impl MeanBootstrap {
    /// Nothing is drawn yet.
    pub fn new(bootstrap: Bootstrap) -> Self {
        let quantile = normal_quantile(bootstrap.ranks().1 / 100.0).unwrap_or(0.0);
        Self { bootstrap, reach: TAIL * quantile, ways: Default::default() }
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
        let ways = ways.get_or_init(|| Ways::of(self.bootstrap, values.len()));
        let sums = ways.sums(values);
        let (low, high) = self.bootstrap.ranks();
        let reach = self.reach * sample.standard_error();
        let low = ways.percentile(values, &sums, Percent::new(low)?, Tail::Below(estimate - reach))?;
        let high = ways.percentile(values, &sums, Percent::new(high)?, Tail::Above(estimate + reach))?;
        Ok(Interval { estimate, low, high, confidence: self.bootstrap.confidence })
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
        Self { values, positions: ways.concat(), resamples, count: bootstrap.resamples as usize }
    }

    /// The sum of every way, as it comes: its last digits may be wrong.
    fn sums(&self, values: &[f64]) -> Vec<f64> {
        let table = table(values);
        let sum = |way: &[u8]| way.iter().map(|position| table[usize::from(*position) % MOST_POSITIONS]).sum();
        self.positions.chunks_exact(self.values).map(sum).collect()
    }

    /// The means of the chosen ways in ascending order, and how many resamples have each.
    fn means(&self, values: &[f64], chosen: impl Iterator<Item = usize>) -> Result<Vec<(f64, u32)>, Error> {
        let (table, mut drawn) = (table(values), [0.0; MOST_POSITIONS]);
        let mut means = Vec::with_capacity(self.resamples.len() / 4);
        for number in chosen {
            let way = self.positions.get(number * self.values..(number + 1) * self.values).unwrap_or_default();
            for (value, position) in drawn.iter_mut().zip(way) {
                *value = table[usize::from(*position) % MOST_POSITIONS];
            }
            let resamples = self.resamples.get(number).copied().unwrap_or_default();
            means.push((mean(drawn.get(..self.values).unwrap_or_default())?, resamples));
        }
        means.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
        Ok(means)
    }

    /// The type 7 percentile of the means of all resamples, of which only those in `tail` are formed where it surely lies there.
    fn percentile(&self, values: &[f64], sums: &[f64], rank: Percent, tail: Tail) -> Result<f64, Error> {
        let n = self.values as f64;
        let (sign, edge) = match tail {
            Tail::Below(edge) => (-1.0, edge),
            Tail::Above(edge) => (1.0, edge),
        };
        let limit = sign * n * edge;
        let beyond = sums.iter().enumerate().filter(|(_, sum)| sign * **sum > limit).map(|(way, _)| way);
        let means = self.means(values, beyond)?;
        let numbers: usize = means.iter().map(|(_, times)| *times as usize).sum();
        let before = if matches!(tail, Tail::Below(_)) { 0 } else { self.count - numbers };
        // The percentile lies between this number and the one after it. That nearer to the edge has to be further from it than
        // any sum can be wrong by.
        let first = (self.count.saturating_sub(1) as f64 * (rank.get() / 100.0)).floor() as usize;
        let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let wrong = n * n * f64::EPSILON * largest;
        let at = |place: usize| statistic(&means, place.checked_sub(before)?);
        let nearer = if matches!(tail, Tail::Below(_)) { first + 1 } else { first };
        let surely = at(nearer).is_some_and(|mean| sign * n * mean - wrong > limit);
        let found = if surely {
            of_order_statistics(self.count, at, rank)
        } else {
            let all = self.means(values, 0..self.resamples.len())?;
            of_order_statistics(self.count, |place| statistic(&all, place), rank)
        };
        Ok(found.expect("there are at least two resamples, and the rank is at most 100"))
    }
}

/// The values, and as many more as a position can name.
fn table(values: &[f64]) -> [f64; MOST_POSITIONS] {
    let mut table = [0.0; MOST_POSITIONS];
    for (slot, value) in table.iter_mut().zip(values) {
        *slot = *value;
    }
    table
}

/// The number at that place in ascending order, where each of `sorted` stands for several.
fn statistic(sorted: &[(f64, u32)], place: usize) -> Option<f64> {
    let mut up_to = 0;
    let reached = |(_, times): &&(f64, u32)| {
        up_to += *times as usize;
        up_to > place
    };
    sorted.iter().find(reached).map(|(value, _)| *value)
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
    fn where_a_tail_begins_changes_no_percentile() {
        let bootstrap = Bootstrap::new(3, Confidence::new(0.95).expect("a level"));
        let values = [3.0, 1.0, 2.5, 1e3, -7.0];
        let ways = Ways::of(bootstrap, values.len());
        let sums = ways.sums(&values);
        let all = ways.means(&values, 0..ways.resamples.len()).expect("means");
        let all: Vec<f64> = all.iter().flat_map(|(mean, times)| vec![*mean; *times as usize]).collect();
        assert_eq!(all.len(), 1_000);
        let sample = crate::stats::Sample::new(all).expect("usable values");
        for rank in [0.0, 2.5, 40.0, 50.0, 97.5, 100.0].map(|rank| Percent::new(rank).expect("a rank")) {
            let expected = crate::stats::percentile(&sample, rank);
            for edge in (-8..=1_000).step_by(7).map(f64::from).chain(sample.values().iter().copied().step_by(40)) {
                for tail in [Tail::Below(edge), Tail::Above(edge)] {
                    let found = ways.percentile(&values, &sums, rank, tail).expect("a percentile");
                    assert_eq!(found, expected, "{rank:?}, {tail:?}");
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
