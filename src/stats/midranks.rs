//! Ranks as whole numbers, and how rank tests turn them into a p-value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::distribution::{ln_normal_sf, normal_sf};
use super::error::Error;
use super::p_value::PValue;

/// Where a rank test takes its p-value from. Callers choose; no function of this room switches on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RankNull {
    /// The exact distribution over all equally likely arrangements.
    Exact,
    /// The normal approximation with the variance corrected for ties.
    Normal {
        /// Whether the statistic is first moved by 1/2 towards its mean.
        continuity: bool,
    },
}

/// Doubled mid-ranks, which are whole numbers, and the ties among them.
pub(super) struct Midranks {
    /// Twice the rank of each value, from 2, in the order given; tied values share the mean of their ranks.
    pub(super) doubled: Vec<u64>,
    /// The sizes of all groups of equal values, singles included, from the smallest value up.
    pub(super) groups: Vec<u64>,
}

impl Midranks {
    /// Ranks values that are finite.
    pub(super) fn of(values: &[f64]) -> Self {
        let mut order: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
        order.sort_by(|(_, one), (_, other)| one.total_cmp(other));
        let mut placed: Vec<(usize, u64)> = Vec::with_capacity(values.len());
        let mut groups = Vec::new();
        for group in order.chunk_by(|(_, one), (_, other)| one == other) {
            // Ranks first + 1 to first + size: twice their mean is 2 first + size + 1.
            let (first, size) = (placed.len() as u64, group.len() as u64);
            placed.extend(group.iter().map(|(position, _)| (*position, 2 * first + size + 1)));
            groups.push(size);
        }
        placed.sort_by_key(|(position, _)| *position);
        Self { doubled: placed.into_iter().map(|(_, rank)| rank).collect(), groups }
    }
}

/// `sum of t^3 - t` over groups of t equal values.
pub(super) fn tie_term(groups: &[u64]) -> u128 {
    groups.iter().map(|&size| u128::from(size)).map(|size| size * size * size - size).sum()
}

/// z and its two-sided p-value; `correction` is taken from the statistic's distance to its mean.
pub(super) fn normal_p(
    distance: f64,
    correction: f64,
    se: f64,
    computing: &'static str,
) -> Result<(f64, PValue), Error> {
    let z = finite((distance - correction) / se, computing)?;
    let tail = normal_sf(z.abs())?;
    let p = PValue::of_tail(2.0 * tail, || std::f64::consts::LN_2 + ln_normal_sf(z.abs()))?;
    Ok((z, p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_the_mean_of_their_ranks() {
        let ranks = Midranks::of(&[3.0, 1.0, 3.0, -0.0, 0.0, 9.0]);
        assert_eq!(ranks.doubled, [9, 6, 9, 3, 3, 12]);
        assert_eq!(ranks.groups, [2, 1, 2, 1]);
        assert_eq!(tie_term(&ranks.groups), 12);
    }

    #[test]
    fn a_normal_tail_below_the_doubles_keeps_its_logarithm() {
        let (_, p) = normal_p(50.0, 0.0, 1.0, "a test").expect("a p-value");
        // ln(2 Q(50)) = -1250 - ln(50) - ln(2 pi)/2 + ln 2 + ln(1 - 1/2500 + ...).
        assert!((p.decimal_log().expect("a size") + 544.665_305_866_332_7).abs() < 1e-9, "{:?}", p.decimal_log());
    }
}
