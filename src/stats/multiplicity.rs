//! Many tests at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probability::{Alpha, PValue};

/// What Holm's procedure makes of one member of a family.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HolmDecision {
    /// The p-value of the test alone.
    pub p: PValue,
    /// The p-value adjusted for the family; never below `p`.
    pub adjusted: PValue,
    /// Whether `adjusted <= alpha`.
    pub rejected: bool,
}

/// Holm's step-down procedure: the chance of one false rejection or more in the whole family stays at most alpha,
/// whatever the dependence between the tests (S. Holm, "A simple sequentially rejective multiple test procedure",
/// Scandinavian Journal of Statistics 6, 1979).
///
/// The k-th smallest of m p-values (k from 0) is multiplied by m - k, raised to the largest product before it, and
/// capped at 1. Decisions come in the order of the input. A family without members has no decisions.
pub fn holm(family: &[PValue], alpha: Alpha) -> Vec<HolmDecision> {
    let mut by_size: Vec<(usize, PValue)> = family.iter().copied().enumerate().collect();
    by_size.sort_by(|(_, one), (_, other)| one.order(other));
    let mut largest = 0.0_f64;
    let mut decisions: Vec<(usize, HolmDecision)> = Vec::with_capacity(family.len());
    for (rank, (position, p)) in by_size.into_iter().enumerate() {
        let remaining = (family.len() - rank) as f64;
        largest = largest.max((p.get() * remaining).min(1.0));
        let adjusted = PValue::new(largest).expect("a maximum of numbers from 0 to 1");
        decisions.push((position, HolmDecision { p, adjusted, rejected: largest <= alpha.get() }));
    }
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
    fn adjusted_p_values_are_capped_at_one_and_zero_stays_zero() {
        let decisions = holm(&family(&[0.9, 0.0, 1.0]), alpha());
        assert_eq!(decisions.iter().map(|d| d.adjusted.get()).collect::<Vec<_>>(), [1.0, 0.0, 1.0]);
    }
}
