//! Fisher's exact test of a two-by-two table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditional::{Conditional, ln_sum, urn};
use super::ratio::{OddsBound, OddsRatio};
use crate::stats::distribution::Hypergeometric;
use crate::stats::error::Error;
use crate::stats::p_value::PValue;
use crate::stats::probability::Confidence;
use crate::stats::proportion::{Proportion, Side};

/// Relative excess up to which a probability counts as not above the observed one, as in scipy 1.17's `fisher_exact`.
const EQUAL: f64 = 1e-14;

/// What a rounding of a logarithm may do to a probability, per unit of the logarithm.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Fisher's exact test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FisherExact {
    /// The sample odds ratio `a hits * b misses / (a misses * b hits)`; absent where both products are 0.
    pub odds_ratio: Option<OddsRatio>,
    /// Two-sided p-value: the probability of all tables that are no more likely than the one observed.
    pub p: PValue,
    /// One-sided p-value against larger odds in a: as many hits of a, or more.
    pub p_greater: PValue,
    /// One-sided p-value against smaller odds in a: as many hits of a, or fewer.
    pub p_less: PValue,
}

/// Tests whether two groups have the same odds of a hit, given all margins (R. A. Fisher, "Statistical Methods for
/// Research Workers", 5th ed. 1934, section 21.02).
///
/// Without a hit, or without a miss, in either group there is one possible table, and every p-value is 1. Tables as
/// likely as the observed one count to 1e-14 of its probability, or as exactly as that is known.
///
/// # Errors
/// [`Error::OutOfRange`] above 10^12 trials.
pub fn fisher_exact(a: Proportion, b: Proportion) -> Result<FisherExact, Error> {
    let urn = urn(a, b)?;
    let observed = a.k();
    let (misses_a, misses_b) = ((a.n() - a.k()) as f64, (b.n() - b.k()) as f64);
    let odds_ratio = OddsRatio::of(a.k() as f64 * misses_b, misses_a * b.k() as f64);
    let ln = urn.ln_pmf(observed);
    let allowed = ln + EQUAL.max(ROUNDING * ln.abs());
    let (lower_end, upper_end) = ends(&urn, allowed);
    // Both tails in full: the tables between their ends are the more likely ones.
    let tails = lower_end.map(|k| urn.cdf(k)).into_iter().chain(upper_end.map(|k| urn.at_least(k)));
    let ln_tails = lower_end.map(|k| urn.ln_cdf(k)).into_iter().chain(upper_end.map(|k| urn.ln_at_least(k)));
    let likelier = lower_end.is_some() || upper_end.is_some();
    Ok(FisherExact {
        odds_ratio,
        p: PValue::of_tail(if likelier { tails.sum() } else { 1.0 }, || ln_sum(&ln_tails.collect::<Vec<_>>()))?,
        p_greater: PValue::of_tail(urn.at_least(observed), || urn.ln_at_least(observed))?,
        p_less: PValue::of_tail(urn.cdf(observed), || urn.ln_cdf(observed))?,
    })
}

/// The last table of the lower tail and the first of the upper one that are no likelier than allowed, if there are any
/// beside likelier ones. Probabilities rise up to the mode and fall after it.
fn ends(urn: &Hypergeometric, allowed: f64) -> (Option<u64>, Option<u64>) {
    let mode = urn.mode().clamp(urn.fewest(), urn.most());
    let unlikely = |k: u64| urn.ln_pmf(k) <= allowed;
    if unlikely(mode) {
        return (None, None);
    }
    let lower = if unlikely(urn.fewest()) { Some(last_true(urn.fewest(), mode, unlikely)) } else { None };
    let flipped = |distance: u64| unlikely(urn.most() - distance);
    let upper = if flipped(0) { Some(urn.most() - last_true(0, urn.most() - mode, flipped)) } else { None };
    (lower, upper)
}

/// The last number at which a condition holds that holds at `low` and, from somewhere before `high` on, no longer.
fn last_true(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// One end of the exact conditional interval of an odds ratio, with all of the error probability beyond it. It says
/// something where the sample odds ratio is infinite (ask for [`Side::Lower`]) or 0 ([`Side::Upper`]).
///
/// # Errors
/// [`Error::OutOfRange`] above 10^12 trials; [`Error::Overflow`] for an end beyond the doubles.
pub fn odds_ratio_bound(a: Proportion, b: Proportion, side: Side, confidence: Confidence) -> Result<OddsBound, Error> {
    Conditional::of(a, b)?.bound(a.k(), side, confidence, "a bound of an odds ratio")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(k: u64, n: u64) -> Proportion {
        Proportion::new(k, n).expect("counts")
    }

    /// Every table with these margins, counted in whole numbers.
    fn enumerated(a: Proportion, b: Proportion) -> [f64; 3] {
        let choose = |n: u64, k: u64| (0..k).fold(1_u128, |c, i| c * u128::from(n - i) / u128::from(i + 1));
        let hits = a.k() + b.k();
        let tables =
            (hits.saturating_sub(b.n())..=hits.min(a.n())).map(|k| (k, choose(a.n(), k) * choose(b.n(), hits - k)));
        let tables: Vec<(u64, u128)> = tables.collect();
        let observed = tables.iter().find(|(k, _)| *k == a.k()).expect("the observed one").1;
        let whole: u128 = tables.iter().map(|(_, ways)| ways).sum();
        let share = |counts: &dyn Fn(u64, u128) -> bool| {
            let counted: u128 = tables.iter().filter(|(k, ways)| counts(*k, *ways)).map(|(_, ways)| ways).sum();
            counted as f64 / whole as f64
        };
        [share(&|_, ways| ways <= observed), share(&|k, _| k >= a.k()), share(&|k, _| k <= a.k())]
    }

    #[test]
    fn every_small_table_agrees_with_its_enumeration() {
        for (n_a, n_b) in [(1, 1), (3, 5), (6, 6), (7, 4), (12, 9), (20, 20)] {
            for (k_a, k_b) in (0..=n_a).flat_map(|k_a| (0..=n_b).map(move |k_b| (k_a, k_b))) {
                let (a, b) = (share(k_a, n_a), share(k_b, n_b));
                let found = fisher_exact(a, b).expect("a test");
                let found = [found.p, found.p_greater, found.p_less].map(PValue::get);
                for (found, expected) in found.iter().zip(enumerated(a, b)) {
                    assert!((found / expected - 1.0).abs() < 1e-12, "{a:?} {b:?}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn an_infinite_odds_ratio_is_said_to_be_so_and_has_a_lower_bound() {
        let (a, b) = (share(5, 9), share(0, 9));
        assert_eq!(fisher_exact(a, b).expect("a test").odds_ratio, Some(OddsRatio::Infinite));
        let level = Confidence::new(0.95).expect("a level");
        let lower = odds_ratio_bound(a, b, Side::Lower, level).expect("a bound").bound;
        assert!(matches!(lower, OddsRatio::Finite(bound) if bound > 1.0), "{lower:?}");
        assert_eq!(odds_ratio_bound(a, b, Side::Upper, level).expect("a bound").bound, OddsRatio::Infinite);
        assert_eq!(odds_ratio_bound(b, a, Side::Lower, level).expect("a bound").bound, OddsRatio::Finite(0.0));
        assert_eq!(fisher_exact(b, a).expect("a test").odds_ratio, Some(OddsRatio::Finite(0.0)));
    }

    #[test]
    fn a_table_without_a_hit_says_nothing() {
        let found = fisher_exact(share(0, 5), share(0, 9)).expect("a test");
        assert_eq!((found.odds_ratio, found.p.get(), found.p_less.get()), (None, 1.0, 1.0));
    }

    #[test]
    fn one_hit_against_none_has_a_bound_in_closed_form() {
        // One hit among a of 1 and b of 1: P(it is a's) = ψ/(1 + ψ) = 0.05.
        let level = Confidence::new(0.95).expect("a level");
        let found = odds_ratio_bound(share(1, 1), share(0, 1), Side::Lower, level).expect("a bound").bound;
        assert!(matches!(found, OddsRatio::Finite(bound) if (bound * 19.0 - 1.0).abs() < 1e-12), "{found:?}");
    }
}
