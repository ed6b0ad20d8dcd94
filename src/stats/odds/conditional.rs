//! The distribution of the hits of one group, given all margins of its table or tables, for every odds ratio.

use super::ratio::{OddsBound, OddsRatio};
use crate::stats::arithmetic::sum;
use crate::stats::distribution::Hypergeometric;
use crate::stats::error::Error;
use crate::stats::probability::Confidence;
use crate::stats::proportion::{Proportion, Side};

/// The most different totals of several tables that are enumerated: the time taken grows with their square.
const MOST_TOTALS: u64 = 4_000;

/// The largest logarithm of an odds ratio that is looked for; e^700 is near the largest double.
const LARGEST_LN: f64 = 700.0;

/// Probabilities of every total of hits, up to a common factor, at an odds ratio of 1: Fisher's noncentral
/// hypergeometric distribution, its convolution for several tables.
pub(super) struct Conditional {
    /// The fewest hits possible.
    fewest: u64,
    /// ln of the weight of `fewest`, `fewest + 1`, ...
    ln_weights: Vec<f64>,
}

impl Conditional {
    /// The distribution of the hits of `a` in one table.
    pub fn of(a: Proportion, b: Proportion) -> Result<Self, Error> {
        let urn = urn(a, b)?;
        let ln_weights = (urn.fewest()..=urn.most()).map(|k| urn.ln_pmf(k)).collect();
        Ok(Self { fewest: urn.fewest(), ln_weights })
    }

    /// The distribution of the sum of the hits of `a` over several tables with one odds ratio.
    pub fn over(tables: &[(Proportion, Proportion)], computing: &'static str) -> Result<Self, Error> {
        let mut whole = Self { fewest: 0, ln_weights: vec![0.0] };
        let mut totals: u64 = 1;
        for &(a, b) in tables {
            let urn = urn(a, b)?;
            totals = totals.saturating_add(urn.most() - urn.fewest());
            if totals > MOST_TOTALS {
                return Err(Error::OutOfRange {
                    computing,
                    parameter: "the number of different totals of hits",
                    found: totals as f64,
                    range: "at most 4000",
                    hint: "the normal approximation is good for that many hits",
                });
            }
            whole = whole.plus(&Self::of(a, b)?);
        }
        Ok(whole)
    }

    /// The convolution of two, on the scale of logarithms, where no weight is too small.
    fn plus(&self, other: &Self) -> Self {
        let size = self.ln_weights.len() + other.ln_weights.len() - 1;
        let total = |k: usize| {
            let from = k.saturating_sub(other.ln_weights.len() - 1);
            let terms = self.ln_weights.iter().enumerate().skip(from).take_while(|(j, _)| *j <= k);
            let terms: Vec<f64> =
                terms.filter_map(|(j, ln)| other.ln_weights.get(k - j).map(|more| ln + more)).collect();
            ln_sum(&terms)
        };
        Self { fewest: self.fewest + other.fewest, ln_weights: (0..size).map(total).collect() }
    }

    /// The most hits possible.
    fn most(&self) -> u64 {
        self.fewest + self.ln_weights.len() as u64 - 1
    }

    /// `(P(at most k), P(at least k))` at the odds ratio `e^ln_ratio`.
    fn tails(&self, k: u64, ln_ratio: f64) -> (f64, f64) {
        let tilted: Vec<f64> =
            self.ln_weights.iter().zip(0_u32..).map(|(ln, j)| ln + f64::from(j) * ln_ratio).collect();
        let largest = tilted.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = tilted.iter().map(|ln| libm::exp(ln - largest)).collect();
        let at = k.saturating_sub(self.fewest) as usize;
        let whole = sum(weights.iter().copied());
        let (below, above) = (sum(weights.iter().take(at + 1).copied()), sum(weights.iter().skip(at).copied()));
        (below / whole, above / whole)
    }

    /// One end of the exact interval, with all of the error probability beyond it (J. Cornfield, "A statistical problem
    /// arising from retrospective studies", Proceedings of the Third Berkeley Symposium 4, 1956): the odds ratio at which
    /// `k` hits or more (lower end), or `k` or fewer (upper end), have the probability `1 - confidence`.
    pub fn bound(
        &self,
        k: u64,
        side: Side,
        confidence: Confidence,
        computing: &'static str,
    ) -> Result<OddsBound, Error> {
        let tail = 1.0 - confidence.get();
        let found = |bound| Ok(OddsBound { side, bound, confidence });
        match side {
            Side::Lower if k == self.fewest => return found(OddsRatio::Finite(0.0)),
            Side::Upper if k == self.most() => return found(OddsRatio::Infinite),
            Side::Lower | Side::Upper => {}
        }
        // The lower end is where the upper tail has grown to `tail`, the upper end where the lower one has shrunk to it.
        let reached = |ln_ratio: f64| {
            let (below, above) = self.tails(k, ln_ratio);
            if side == Side::Lower { above >= tail } else { below <= tail }
        };
        let (mut low, mut high) = (-LARGEST_LN, LARGEST_LN);
        if reached(low) || !reached(high) {
            return Err(Error::Overflow { computing });
        }
        loop {
            let middle = low + (high - low) / 2.0;
            if middle <= low || middle >= high {
                return found(OddsRatio::Finite(libm::exp(high)));
            }
            if reached(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
    }
}

/// The urn of a table: all trials, the hits of both groups marked, those of `a` drawn.
pub(super) fn urn(a: Proportion, b: Proportion) -> Result<Hypergeometric, Error> {
    Hypergeometric::new(a.n().saturating_add(b.n()), a.k().saturating_add(b.k()), a.n())
}

/// ln of a sum of exponentials.
pub(super) fn ln_sum(terms: &[f64]) -> f64 {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + libm::log(sum(terms.iter().map(|ln| libm::exp(ln - largest))))
}
