//! Many tests at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::p_value::PValue;
use super::probability::Alpha;

/// What a procedure for many tests makes of one member of their family.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FamilyDecision {
    /// The p-value of the test alone.
    pub p: PValue,
    /// The p-value adjusted for the family; never below `p`.
    pub adjusted: PValue,
    /// Whether `adjusted <= alpha`.
    pub rejected: bool,
}

impl FamilyDecision {
    fn new(p: PValue, adjusted: PValue, alpha: Alpha) -> Self {
        Self { p, adjusted, rejected: adjusted.get() <= alpha.get() }
    }
}

/// Holm's step-down procedure: the chance of one false rejection or more in the whole family stays at most alpha,
/// whatever the dependence between the tests (S. Holm, "A simple sequentially rejective multiple test procedure",
/// Scandinavian Journal of Statistics 6, 1979).
///
/// The k-th smallest of m p-values (k from 0) is multiplied by m - k, raised to the largest product before it, and
/// capped at 1. Decisions come in the order of the input. A family without members has no decisions.
pub fn holm(family: &[PValue], alpha: Alpha) -> Vec<FamilyDecision> {
    let mut by_size: Vec<(usize, PValue)> = family.iter().copied().enumerate().collect();
    by_size.sort_by(|(_, one), (_, other)| one.order(other));
    let mut largest: Option<PValue> = None;
    let mut decisions: Vec<(usize, FamilyDecision)> = Vec::with_capacity(family.len());
    for (rank, (position, p)) in by_size.into_iter().enumerate() {
        let product = p.times((family.len() - rank) as f64);
        let adjusted = largest.filter(|largest| *largest > product).unwrap_or(product);
        largest = Some(adjusted);
        decisions.push((position, FamilyDecision::new(p, adjusted, alpha)));
    }
    in_order(decisions)
}

/// Bonferroni's correction: every p-value times the number of tests (O. J. Dunn, "Multiple comparisons among means",
/// Journal of the American Statistical Association 56, 1961). Guards what [`holm`] guards and never rejects more.
///
/// Decisions come in the order of the input. A family without members has no decisions.
pub fn bonferroni(family: &[PValue], alpha: Alpha) -> Vec<FamilyDecision> {
    let members = family.len() as f64;
    family.iter().map(|&p| FamilyDecision::new(p, p.times(members), alpha)).collect()
}

/// The step-up procedure of Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", Journal of the Royal
/// Statistical Society B 57, 1995: among the rejected, the expected share of false ones stays at most `rate` for
/// independent (or positively dependent) tests. It does not guard against a single false rejection, as [`holm`] does.
///
/// The k-th smallest of m p-values (k from 1) is multiplied by m / k, lowered to the smallest product after it, and
/// capped at 1. Decisions come in the order of the input. A family without members has no decisions.
pub fn benjamini_hochberg(family: &[PValue], rate: Alpha) -> Vec<FamilyDecision> {
    let mut by_size: Vec<(usize, PValue)> = family.iter().copied().enumerate().collect();
    by_size.sort_by(|(_, one), (_, other)| one.order(other));
    let members = family.len() as f64;
    let mut smallest: Option<PValue> = None;
    let mut decisions: Vec<(usize, FamilyDecision)> = Vec::with_capacity(family.len());
    for (rank, (position, p)) in by_size.into_iter().enumerate().rev() {
        let product = p.times(members / (rank + 1) as f64);
        let adjusted = smallest.filter(|smallest| *smallest < product).unwrap_or(product);
        smallest = Some(adjusted);
        decisions.push((position, FamilyDecision::new(p, adjusted, rate)));
    }
    in_order(decisions)
}

/// Decisions in the order in which the tests were given.
fn in_order(mut decisions: Vec<(usize, FamilyDecision)>) -> Vec<FamilyDecision> {
    decisions.sort_by_key(|(position, _)| *position);
    decisions.into_iter().map(|(_, decision)| decision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(values: &[f64]) -> Vec<PValue> {
        values.iter().map(|&p| PValue::new(p).expect("a p-value")).collect()
    }

    fn alpha() -> Alpha {
        Alpha::new(0.05).expect("a level")
    }

    #[test]
    fn the_procedure_stops_at_the_first_p_value_that_is_too_large() {
        // The last one alone would be below 0.05, but its turn never comes.
        let decisions = holm(&family(&[0.045, 0.01, 0.03]), alpha());
        assert_eq!(decisions.iter().map(|d| d.rejected).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(decisions.iter().map(|d| d.adjusted.get()).collect::<Vec<_>>(), [0.06, 0.03, 0.06]);
    }

    #[test]
    fn a_family_of_one_is_not_adjusted_and_an_empty_one_decides_nothing() {
        let decisions = holm(&family(&[0.05]), alpha());
        assert!(decisions[0].rejected && decisions[0].adjusted == decisions[0].p);
        assert!(holm(&[], alpha()).is_empty());
    }

    #[test]
    fn adjusted_p_values_are_capped_at_one_and_one_below_the_doubles_is_adjusted_in_logarithms() {
        let tiny = PValue::from_decimal_log(-350.0).expect("a p-value");
        let decisions = holm(&[family(&[0.9, 1.0]), vec![tiny]].concat(), alpha());
        assert_eq!(decisions.iter().map(|d| d.adjusted.get()).collect::<Vec<_>>(), [1.0, 1.0, 5e-324]);
        let adjusted = decisions[2].adjusted.decimal_log().expect("a size");
        assert!((adjusted - (-350.0 + libm::log10(3.0))).abs() < 1e-12, "{adjusted}");
    }

    #[test]
    fn the_false_discovery_rate_rejects_more_than_holm_and_holm_more_than_bonferroni() {
        let family = family(&[0.045, 0.001, 0.014, 0.04]);
        let rejected = |decisions: Vec<FamilyDecision>| decisions.iter().map(|d| d.rejected).collect::<Vec<_>>();
        assert_eq!(rejected(benjamini_hochberg(&family, alpha())), [true, true, true, true]);
        assert_eq!(rejected(holm(&family, alpha())), [false, true, true, false]);
        assert_eq!(rejected(bonferroni(&family, alpha())), [false, true, false, false]);
    }

    #[test]
    fn a_smaller_adjusted_value_further_up_lowers_those_below_it() {
        // 0.03 * 3 / 1 and 0.031 * 3 / 2 and 0.032 * 3 / 3.
        let decisions = benjamini_hochberg(&family(&[0.03, 0.031, 0.032]), alpha());
        assert_eq!(decisions.iter().map(|d| d.adjusted.get()).collect::<Vec<_>>(), [0.032; 3]);
        assert!(benjamini_hochberg(&[], alpha()).is_empty() && bonferroni(&[], alpha()).is_empty());
    }

    #[test]
    fn a_p_value_below_the_doubles_keeps_its_place_in_every_procedure() {
        let tiny = PValue::from_decimal_log(-350.0).expect("a p-value");
        let family = [family(&[0.5, 1.0]), vec![tiny]].concat();
        for decisions in [bonferroni(&family, alpha()), benjamini_hochberg(&family, alpha())] {
            let adjusted = decisions[2].adjusted.decimal_log().expect("a size");
            assert!((adjusted - (-350.0 + libm::log10(3.0))).abs() < 1e-12 && decisions[2].rejected, "{adjusted}");
            assert_eq!(decisions[1].adjusted.get(), 1.0);
        }
    }
}
