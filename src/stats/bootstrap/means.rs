//! The percentile bootstrap of the mean, for many samples.
//!
//! Which positions a resample draws follows from the seed and the number of values alone, and its mean from how often it
//! draws each. A few values can be drawn in few ways (five in 126), so many resamples have one mean between them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::draws::{Bootstrap, Draws};
use super::intervals::bootstrap_interval;
use super::resampled::checked;
use crate::stats::arithmetic::finite;
use crate::stats::error::Error;
use crate::stats::interval::Interval;
use crate::stats::sample::{Replicates, mean};
use crate::stats::summary::{Percent, of_order_statistics};

const COMPUTING: &str = "a bootstrap interval";

/// Up to this many values, ways are looked for. Twelve can be drawn in a million ways, and hardly two resamples share one.
const MOST_VALUES: usize = 12;

/// The same as a power of two.
const MOST_POSITIONS: usize = 16;

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
    /// For as many ways at a time as are computed side by side: the position of each at the first place, the second, ...
    positions: Vec<[u8; SIDE_BY_SIDE]>,
    /// How many resamples draw each.
    resamples: Vec<u32>,
}

/// Ways that are computed at a time: what is kept of so many fits the registers that every x86-64 has.
const SIDE_BY_SIDE: usize = 4;

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
        let resamples = self.bootstrap.resamples as usize;
        let estimate = checked(resamples, sample.mean())?;
        let mut means = ways.get_or_init(|| Ways::of(self.bootstrap, values.len())).means(values)?;
        let (low, high) = self.bootstrap.ranks();
        // The ends of a usual interval lie beyond one standard error.
        let reach = sample.standard_error();
        let mut at = |rank, near| Percent::new(rank).map(|rank| percentile(&mut means, resamples, rank, near));
        let (low, high) = (at(low, estimate - reach)?, at(high, estimate + reach)?);
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
        let at = |way: Option<&Vec<u8>>, place: usize| way.and_then(|way| way.get(place)).copied().unwrap_or(0);
        let together = ways
            .chunks(SIDE_BY_SIDE)
            .flat_map(|ways| (0..values).map(move |place| std::array::from_fn(|number| at(ways.get(number), place))));
        Self { values, positions: together.collect(), resamples }
    }

    /// The mean of every way, and how many resamples have it. What [`mean`] does for one way is done here for several
    /// side by side, in the same order. What a sum loses is found without asking which term is the larger (D. E. Knuth,
    /// "The Art of Computer Programming", volume 2, section 4.2.2, theorem B): it is exact either way, and so the same.
    fn means(&self, values: &[f64]) -> Result<Vec<(f64, u32)>, Error> {
        let mut table = [0.0; MOST_POSITIONS];
        for (slot, value) in table.iter_mut().zip(values) {
            *slot = *value;
        }
        let count = self.values as f64;
        let mut means = Vec::with_capacity(self.positions.len() / self.values * SIDE_BY_SIDE);
        for (places, resamples) in self.positions.chunks_exact(self.values).zip(self.resamples.chunks(SIDE_BY_SIDE)) {
            let (mut total, mut lost) = ([0.0_f64; SIDE_BY_SIDE], [0.0_f64; SIDE_BY_SIDE]);
            let (mut least, mut most) = ([f64::INFINITY; SIDE_BY_SIDE], [f64::NEG_INFINITY; SIDE_BY_SIDE]);
            for positions in places {
                let terms = positions.map(|position| table[usize::from(position) % MOST_POSITIONS]);
                for way in 0..SIDE_BY_SIDE {
                    let (term, before) = (terms[way], total[way]);
                    let next = before + term;
                    let added = next - before;
                    lost[way] += (before - (next - added)) + (term - added);
                    total[way] = next;
                    least[way] = if term < least[way] { term } else { least[way] };
                    most[way] = if term > most[way] { term } else { most[way] };
                }
            }
            for (way, resamples) in resamples.iter().enumerate() {
                let quotient = finite(total[way] + lost[way], "a mean")? / count;
                let raised = if quotient < least[way] { least[way] } else { quotient };
                means.push((if raised > most[way] { most[way] } else { raised }, *resamples));
            }
        }
        Ok(means)
    }
}

/// The type 7 percentile of `count` numbers, of which each of `means` stands for several. Only those on one side of `near`
/// are put in order where the percentile lies among them.
fn percentile(means: &mut [(f64, u32)], count: usize, rank: Percent, near: f64) -> f64 {
    let mut split = 0;
    for place in 0..means.len() {
        if means[place].0 < near {
            means.swap(place, split);
            split += 1;
        }
    }
    let numbers_below: usize = means.iter().take(split).map(|(_, times)| *times as usize).sum();
    // The percentile lies between this number and the one after it.
    let first = (count.saturating_sub(1) as f64 * (rank.get() / 100.0)).floor() as usize;
    let (part, before) = if first + 1 < numbers_below {
        (means.get_mut(..split), 0)
    } else if first >= numbers_below {
        (means.get_mut(split..), numbers_below)
    } else {
        (Some(means), 0)
    };
    let part = part.unwrap_or_default();
    part.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
    of_order_statistics(count, |place| statistic(part, place.checked_sub(before)?), rank)
        .expect("there are at least two resamples, and the rank is at most 100")
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
    fn where_the_means_are_parted_changes_no_percentile() {
        let means = [(3.0, 2), (1.0, 1), (2.0, 3), (5.0, 1), (4.0, 3)];
        let all: Vec<f64> = means.iter().flat_map(|(mean, times)| vec![*mean; *times as usize]).collect();
        let sample = crate::stats::Sample::new(all).expect("usable values");
        for rank in (0..=100).map(|rank| Percent::new(f64::from(rank)).expect("a rank")) {
            for near in (0..=12).map(|half| f64::from(half) / 2.0) {
                let found = percentile(&mut means.clone(), sample.n(), rank, near);
                assert_eq!(found, crate::stats::percentile(&sample, rank), "{rank:?}, parted at {near}");
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
