//! The hypergeometric distribution.

use std::f64::consts::PI;

use super::domain;
use super::gamma::{deviance, stirling_remainder};
use crate::stats::arithmetic::sum;
use crate::stats::error::Error;

const COMPUTING: &str = "the hypergeometric distribution";

/// A tail is a sum over a few standard deviations, which are at most half of the root of this.
const MAX_POPULATION: u64 = 1_000_000_000_000;

/// Relative size below which the rest of a tail, which falls faster than a geometric series, changes nothing.
const NEGLIGIBLE: f64 = 1e-18;

/// How many marked items are among `draws` taken without replacement from `population` items, `marked` of them marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hypergeometric {
    population: u64,
    marked: u64,
    draws: u64,
}

impl Hypergeometric {
    /// Checks the three counts.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `marked <= population`, `draws <= population` and `population <= 10^12`.
    pub fn new(population: u64, marked: u64, draws: u64) -> Result<Self, Error> {
        let counts = [
            ("the population", population, MAX_POPULATION, "at most 10^12"),
            ("the number of marked items", marked, population, "at most the population"),
            ("the number of draws", draws, population, "at most the population"),
        ];
        for (parameter, found, most, range) in counts {
            domain::check(found as f64, found <= most, COMPUTING, parameter, range)?;
        }
        Ok(Self { population, marked, draws })
    }

    /// The fewest marked items that can be drawn.
    pub fn fewest(&self) -> u64 {
        (self.draws + self.marked).saturating_sub(self.population)
    }

    /// The most marked items that can be drawn.
    pub fn most(&self) -> u64 {
        self.draws.min(self.marked)
    }

    /// Probability of exactly `k` marked items.
    pub fn pmf(&self, k: u64) -> f64 {
        libm::exp(self.ln_pmf(k)).min(1.0)
    }

    /// ln of [`Hypergeometric::pmf`], minus infinity for what cannot be drawn.
    ///
    /// A quotient of three binomial probabilities with the success probability `draws / population`, each from Stirling
    /// remainders and deviances (C. Loader, "Fast and accurate computation of binomial probabilities", 2000).
    pub(in crate::stats) fn ln_pmf(&self, k: u64) -> f64 {
        if k < self.fewest() || k > self.most() {
            return f64::NEG_INFINITY;
        }
        if self.fewest() == self.most() {
            return 0.0;
        }
        let Self { population, marked, draws } = *self;
        let share = (draws as f64 / population as f64, (population - draws) as f64 / population as f64);
        let drawn = ln_binomial(k, marked, share);
        let left = ln_binomial(draws - k, population - marked, share);
        drawn + left - ln_binomial(draws, population, share)
    }

    /// Probability of at most `k` marked items.
    pub fn cdf(&self, k: u64) -> f64 {
        if k >= self.most() {
            return 1.0;
        }
        // Beyond the mode the other tail is the small one.
        if k < self.mode() { self.below(k) } else { 1.0 - self.above(k + 1) }
    }

    /// Probability of more than `k` marked items.
    pub fn sf(&self, k: u64) -> f64 {
        k.checked_add(1).map_or(0.0, |next| self.at_least(next))
    }

    /// Probability of `k` marked items or more.
    pub fn at_least(&self, k: u64) -> f64 {
        if k <= self.fewest() {
            return 1.0;
        }
        if k > self.mode() { self.above(k) } else { 1.0 - self.below(k - 1) }
    }

    /// ln of [`Hypergeometric::at_least`], without underflow, for what can be drawn.
    pub(in crate::stats) fn ln_at_least(&self, k: u64) -> f64 {
        if k <= self.fewest() || k <= self.mode() {
            return libm::log(self.at_least(k));
        }
        self.ln_pmf(k) + libm::log(self.series_above(k))
    }

    /// ln of [`Hypergeometric::cdf`], without underflow, for what can be drawn.
    pub(in crate::stats) fn ln_cdf(&self, k: u64) -> f64 {
        if k >= self.most() || k >= self.mode() {
            return libm::log(self.cdf(k));
        }
        self.ln_pmf(k) + libm::log(self.series_below(k))
    }

    /// The most likely number, the larger one of two.
    pub(in crate::stats) fn mode(&self) -> u64 {
        let product = (u128::from(self.draws) + 1) * (u128::from(self.marked) + 1);
        (product / (u128::from(self.population) + 2)) as u64
    }

    /// The upper tail from `k`, which is above the mode, on.
    fn above(&self, k: u64) -> f64 {
        if k > self.most() {
            return 0.0;
        }
        (self.pmf(k) * self.series_above(k)).min(1.0)
    }

    /// The lower tail up to `k`, which is below the mode.
    fn below(&self, k: u64) -> f64 {
        if k < self.fewest() {
            return 0.0;
        }
        (self.pmf(k) * self.series_below(k)).min(1.0)
    }

    /// The tail from `k` on in units of the probability of `k`.
    fn series_above(&self, k: u64) -> f64 {
        series((k..self.most()).map(|j| self.ratio_up(j)))
    }

    /// The tail up to `k` in units of the probability of `k`.
    fn series_below(&self, k: u64) -> f64 {
        series((self.fewest()..k).rev().map(|j| 1.0 / self.ratio_up(j)))
    }

    /// The probability of `j + 1` over that of `j`, for `fewest <= j < most`.
    fn ratio_up(&self, j: u64) -> f64 {
        let spare = self.population - self.marked + j + 1 - self.draws;
        ((self.marked - j) as f64 / (j + 1) as f64) * ((self.draws - j) as f64 / spare as f64)
    }
}

/// `1 + r1 + r1 r2 + ...` for ratios that fall and end below 1.
fn series(ratios: impl Iterator<Item = f64>) -> f64 {
    let mut term = 1.0;
    let terms = ratios.map_while(|ratio| {
        term *= ratio;
        (term > NEGLIGIBLE).then_some(term)
    });
    1.0 + sum(terms)
}

/// ln of the binomial probability of `k` among `n` for the probabilities `(p, 1 - p)`.
fn ln_binomial(k: u64, n: u64, (p, q): (f64, f64)) -> f64 {
    let (x, rest, all) = (k as f64, (n - k) as f64, n as f64);
    if n == 0 {
        return 0.0;
    }
    if k == 0 {
        return all * if p < 0.1 { libm::log1p(-p) } else { libm::log(q) };
    }
    if k == n {
        return all * if q < 0.1 { libm::log1p(-q) } else { libm::log(p) };
    }
    let remainder = stirling_remainder(all) - stirling_remainder(x) - stirling_remainder(rest);
    let exponent = remainder - deviance(x, all * p) - deviance(rest, all * q);
    exponent - 0.5 * libm::log(2.0 * PI * x * (rest / all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(n: u64, k: u64) -> f64 {
        (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
    }

    #[test]
    fn every_probability_of_a_small_urn_is_its_share_of_the_draws() {
        for (population, marked, draws) in [(10, 4, 3), (12, 7, 9), (9, 9, 4), (8, 0, 3), (5, 2, 5), (0, 0, 0)] {
            let urn = Hypergeometric::new(population, marked, draws).expect("counts");
            let ways = |k| {
                if k < urn.fewest() || k > urn.most() {
                    return 0.0;
                }
                choose(marked, k) * choose(population - marked, draws - k) / choose(population, draws)
            };
            for k in 0..=population + 1 {
                let (upper, lower): (f64, f64) = ((k..=population).map(ways).sum(), (0..=k).map(ways).sum());
                assert!((urn.pmf(k) - ways(k)).abs() < 1e-14, "{urn:?} {k}");
                assert!((urn.at_least(k) - upper).abs() < 1e-14, "{urn:?} {k}: {} {upper}", urn.at_least(k));
                assert!((urn.cdf(k) - lower).abs() < 1e-14, "{urn:?} {k}: {} {lower}", urn.cdf(k));
                assert!((urn.sf(k) + urn.cdf(k) - 1.0).abs() < 1e-14, "{urn:?} {k}");
            }
        }
    }

    #[test]
    fn counts_that_fit_no_urn_are_refused() {
        for (population, marked, draws) in [(5, 6, 1), (5, 1, 6), (u64::MAX, 1, 1)] {
            assert!(matches!(Hypergeometric::new(population, marked, draws), Err(Error::OutOfRange { .. })));
        }
        let urn = Hypergeometric::new(10, 5, 5).expect("counts");
        assert_eq!((urn.pmf(6), urn.sf(u64::MAX), urn.cdf(u64::MAX), urn.at_least(0)), (0.0, 0.0, 1.0, 1.0));
    }
}
