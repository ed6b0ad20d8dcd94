//! How resamples are drawn: the same seed and values give the same draws on every host.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::error::Error;
use crate::stats::probability::Confidence;

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

    /// The ranks of both ends in percent, where the usual levels are exact: 2.5 and 97.5 for a confidence of 0.95.
    pub(super) fn ranks(&self) -> (f64, f64) {
        (50.0 - 50.0 * self.confidence.get(), 50.0 + 50.0 * self.confidence.get())
    }

    /// Refuses so few resamples that the ends would lie outside the outermost resamples' ranks.
    pub(super) fn enough(&self, computing: &'static str) -> Result<(), Error> {
        let needed = (100.0 / self.ranks().0).ceil();
        if f64::from(self.resamples) >= needed {
            return Ok(());
        }
        let (needed, found) = (needed as u64, u64::from(self.resamples));
        Err(Error::TooFew { computing, needed, of: "resamples", found, hint: "1,000 are usual" })
    }
}

/// One stream of resamples of `K` groups, each drawn from itself with replacement, group after group.
pub(super) struct Draws<'a, T, const K: usize> {
    generator: SplitMix64,
    groups: [&'a [T]; K],
    drawn: [Vec<T>; K],
}

impl<'a, T: Copy, const K: usize> Draws<'a, T, K> {
    /// Begins the stream at the seed. No group is empty.
    pub(super) fn new(seed: u64, groups: [&'a [T]; K]) -> Self {
        Self { generator: SplitMix64::seed_from_u64(seed), groups, drawn: groups.map(<[T]>::to_vec) }
    }

    /// The next resample.
    pub(super) fn next(&mut self) -> [&[T]; K] {
        for (items, drawn) in self.groups.iter().zip(&mut self.drawn) {
            for slot in drawn {
                let index = index_below(&mut self.generator, items.len() as u64);
                *slot = *items.get(index as usize).expect("an index below the number of items");
            }
        }
        self.drawn.each_ref().map(Vec::as_slice)
    }
}

/// A uniform whole number below `bound`, which is not 0, without the bias of a remainder.
///
/// The upper half of the 128-bit product of `bound` and 64 random bits. The `2^64 mod bound` products whose lower half
/// would favour some results are drawn again (D. Lemire, "Fast random integer generation in an interval", ACM
/// Transactions on Modeling and Computer Simulation 29, 2019).
pub(in crate::stats) fn index_below(generator: &mut SplitMix64, bound: u64) -> u64 {
    loop {
        let product = u128::from(generator.next_u64()) * u128::from(bound);
        let lower = product as u64;
        // `2^64 mod bound` is below `bound`, so it is seldom needed.
        if lower >= bound || lower >= bound.wrapping_neg() % bound {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // Four products fall on every three indices: without rejection those divisible by 3 would be half of all.
        let bound = 3 << 62;
        let mut generator = SplitMix64::seed_from_u64(3);
        let mut counts = [0_u32; 3];
        for _ in 0..3_000 {
            counts[(index_below(&mut generator, bound) % 3) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
        let mut single = SplitMix64::seed_from_u64(3);
        assert_eq!(index_below(&mut single, 1), 0);
    }
}
