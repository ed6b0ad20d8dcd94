//! The exact test of Spearman's rank correlation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::correlation::Points;
use super::error::{EqualValues, Error};
use super::midranks::Midranks;
use super::p_value::PValue;

const COMPUTING: &str = "an exact test of Spearman's correlation";

/// The most pairs whose orders are counted: 12! orders by way of 2^12 sets.
const MOST: usize = 12;

/// The exact p-values of Spearman's correlation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpearmanExact {
    /// How many orders there are: n!.
    pub orders: u64,
    /// Share of orders whose correlation is at least as far from 0.
    pub p: PValue,
    /// Share of orders whose correlation is at least as large.
    pub p_greater: PValue,
    /// Share of orders whose correlation is at most as large.
    pub p_less: PValue,
}

/// Tests that two measurements are independent, by the distribution of Spearman's correlation over all n! orders of one
/// beside the other, ties included (M. G. Kendall and J. D. Gibbons, "Rank Correlation Methods", 5th ed. 1990, section
/// 4.4).
///
/// All in whole numbers: orders are counted by which ranks they have used up and by the sum of rank products so far.
///
/// # Errors
/// [`Error::OutOfRange`] above 12 pairs, where [`super::correlation_test`] approximates; [`Error::ZeroSpread`] if one
/// measurement is constant.
pub fn spearman_exact(points: &Points) -> Result<SpearmanExact, Error> {
    let n = points.n();
    if n > MOST {
        return Err(Error::OutOfRange {
            computing: COMPUTING,
            parameter: "the number of pairs",
            found: n as f64,
            range: "at most 12",
            hint: "the t approximation is good for that many",
        });
    }
    if let Some(constant) = [points.x(), points.y()].into_iter().find(|sample| sample.is_constant()) {
        return Err(Error::ZeroSpread { computing: COMPUTING, values: EqualValues::One(constant.mean()) });
    }
    let (x, y) = (Midranks::of(points.x().values()).doubled, Midranks::of(points.y().values()).doubled);
    let observed: u64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
    let sums = orders_by_sum(&x, &y);
    let orders: u64 = sums.values().sum();
    // Doubled ranks have the mean n + 1, so sums of products are n (n + 1)^2 without correlation.
    let centre = (n * (n + 1) * (n + 1)) as u64;
    let share = |counts: &dyn Fn(u64) -> bool| {
        let counted: u64 = sums.iter().filter(|(sum, _)| counts(**sum)).map(|(_, orders)| orders).sum();
        PValue::new(counted as f64 / orders as f64)
    };
    Ok(SpearmanExact {
        orders,
        p: share(&|sum| sum.abs_diff(centre) >= observed.abs_diff(centre))?,
        p_greater: share(&|sum| sum >= observed)?,
        p_less: share(&|sum| sum <= observed)?,
    })
}

/// How many orders of `y` beside `x` have which sum of products.
fn orders_by_sum(x: &[u64], y: &[u64]) -> BTreeMap<u64, u64> {
    // By the set of members of y that are placed, as bits: the sums of the products so far, with their counts.
    let mut placed: BTreeMap<u32, BTreeMap<u64, u64>> = BTreeMap::from([(0, BTreeMap::from([(0, 1)]))]);
    for rank in x {
        let mut next: BTreeMap<u32, BTreeMap<u64, u64>> = BTreeMap::new();
        for (set, sums) in placed {
            for (bit, partner) in y.iter().enumerate().filter(|(bit, _)| set & (1 << bit) == 0) {
                let longer = next.entry(set | 1 << bit).or_default();
                for (sum, orders) in &sums {
                    *longer.entry(sum + rank * partner).or_default() += orders;
                }
            }
        }
        placed = next;
    }
    placed.into_values().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(x: &[f64], y: &[f64]) -> Result<SpearmanExact, Error> {
        spearman_exact(&Points::new(x, y).expect("usable points"))
    }

    #[test]
    fn a_perfect_order_of_five_is_two_of_a_hundred_and_twenty() {
        let found = exact(&[1.0, 2.0, 3.0, 4.0, 5.0], &[10.0, 20.0, 25.0, 26.0, 90.0]).expect("a test");
        assert_eq!((found.orders, found.p.get()), (120, 2.0 / 120.0));
        assert_eq!((found.p_greater.get(), found.p_less.get()), (1.0 / 120.0, 1.0));
    }

    #[test]
    fn twelve_pairs_are_counted_and_thirteen_refused() {
        let x: Vec<f64> = (0..13).map(f64::from).collect();
        let found = exact(&x[..12], &x[..12]).expect("a test");
        assert_eq!((found.orders, found.p.get()), (479_001_600, 2.0 / 479_001_600.0));
        assert!(matches!(exact(&x, &x), Err(Error::OutOfRange { .. })));
        assert!(matches!(exact(&[1.0, 2.0], &[3.0, 3.0]), Err(Error::ZeroSpread { .. })));
    }
}
