//! Wilcoxon's signed-rank test, with three ways to treat zeros.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::midranks::{Midranks, RankNull, normal_p, tie_term};
use super::p_value::PValue;
use super::sample::Sample;

const COMPUTING: &str = "Wilcoxon's signed-rank test";

/// The most non-zero differences for which the exact distribution is counted: there are `2^n` sign patterns, which
/// have to fit 128 bits.
const MOST_EXACT: usize = 127;

/// What becomes of differences that are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ZeroMethod {
    /// Left out before ranking (F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945).
    Wilcox,
    /// Ranked with the others, then left out (J. W. Pratt, "Remarks on zeros and ties in the Wilcoxon signed rank
    /// procedures", Journal of the American Statistical Association 54, 1959).
    Pratt,
    /// Ranked with the others, half of their ranks given to each side.
    Zsplit,
}

/// Wilcoxon's signed-rank test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignedRank {
    /// Differences that are not 0.
    pub n_nonzero: usize,
    /// Differences that are 0.
    pub n_zero: usize,
    /// What became of the zeros.
    pub zero_method: ZeroMethod,
    /// Where the p-value is from.
    pub distribution: RankNull,
    /// Sum of the ranks of the positive differences.
    pub w_plus: f64,
    /// Sum of the ranks of the negative differences.
    pub w_minus: f64,
    /// The standardised `w_plus`, for the normal approximation.
    pub z: Option<f64>,
    /// Two-sided p-value.
    pub p: PValue,
}

/// Tests whether differences are symmetric about 0.
///
/// Exact: the distribution of `w_plus` over all sign patterns of the non-zero differences, given their ranks, so it
/// holds with ties and zeros too; `p = 2 min(P(W <= w), P(W >= w))`, at most 1. It is counted in whole numbers.
///
/// Normal: mean and variance are scipy's. With m the differences ranked, `n (n+1) (2n+1) / 24` at n = m, less
/// `sum(t^3 - t) / 48` over groups of t tied ranks, and less the zeros' `z (z+1) (2z+1) / 24` for
/// [`ZeroMethod::Pratt`], where zeros are no tie (E. E. Cureton, "The normal approximation to the signed-rank sampling
/// distribution when zero differences are present", Journal of the American Statistical Association 62, 1967). The
/// continuity correction moves z towards 0 by 1/2 over the standard error, in scipy and R even past 0.
///
/// # Errors
/// [`Error::TooFew`] if every difference is 0; [`Error::OutOfRange`] for the exact distribution of more than 127
/// non-zero differences.
pub fn signed_rank(differences: &Sample, zero_method: ZeroMethod, null: RankNull) -> Result<SignedRank, Error> {
    let ranked = Ranked::new(differences, zero_method)?;
    let (z, p) = match null {
        RankNull::Exact => (None, ranked.exact_p()?),
        RankNull::Normal { continuity } => {
            let (z, p) = ranked.normal_p(continuity)?;
            (Some(z), p)
        }
    };
    Ok(SignedRank {
        n_nonzero: ranked.n_nonzero,
        n_zero: ranked.n_zero,
        zero_method,
        distribution: null,
        w_plus: ranked.quadrupled(ranked.plus) as f64 / 4.0,
        w_minus: ranked.quadrupled(ranked.minus) as f64 / 4.0,
        z,
        p,
    })
}

/// The ranks of a sample's non-zero differences, doubled.
struct Ranked {
    n_nonzero: usize,
    n_zero: usize,
    zero_method: ZeroMethod,
    /// Each non-zero difference's doubled rank.
    doubled: Vec<u64>,
    /// Doubled rank sum of the positive differences alone.
    plus: u64,
    /// Doubled rank sum of the negative differences alone.
    minus: u64,
    /// `sum of t^3 - t` over the ties that the variance is corrected for.
    ties: u128,
}

impl Ranked {
    fn new(differences: &Sample, zero_method: ZeroMethod) -> Result<Self, Error> {
        let n_nonzero = differences.values().iter().filter(|difference| **difference != 0.0).count();
        let n_zero = differences.n() - n_nonzero;
        if n_nonzero == 0 {
            return Err(Error::TooFew {
                computing: COMPUTING,
                needed: 1,
                of: "differences other than 0",
                found: 0,
                hint: "all pairs are equal to the last digit, which is the result",
            });
        }
        let taken = |difference: &f64| *difference != 0.0 || zero_method != ZeroMethod::Wilcox;
        let signed: Vec<f64> = differences.values().iter().copied().filter(taken).collect();
        let sizes: Vec<f64> = signed.iter().map(|difference| difference.abs()).collect();
        let ranks = Midranks::of(&sizes);
        // The zeros come first.
        let zero_groups = usize::from(zero_method == ZeroMethod::Pratt && n_zero > 0);
        let ties = tie_term(ranks.groups.get(zero_groups..).unwrap_or_default());
        let rank_sum = |positive: bool| {
            let side = |difference: f64| if positive { difference > 0.0 } else { difference < 0.0 };
            signed.iter().zip(&ranks.doubled).filter(|(d, _)| side(**d)).map(|(_, rank)| rank).sum()
        };
        let (plus, minus) = (rank_sum(true), rank_sum(false));
        let doubled = signed.iter().zip(&ranks.doubled).filter(|(d, _)| **d != 0.0).map(|(_, rank)| *rank).collect();
        Ok(Self { n_nonzero, n_zero, zero_method, doubled, plus, minus, ties })
    }

    /// Four times the rank sum that a doubled sum over non-zero differences stands for, zeros split.
    fn quadrupled(&self, doubled_sum: u64) -> u128 {
        let zeros = self.n_zero as u128;
        // The zeros' ranks sum to z (z+1) / 2, of which each side gets half.
        let split = if self.zero_method == ZeroMethod::Zsplit { zeros * (zeros + 1) } else { 0 };
        2 * u128::from(doubled_sum) + split
    }

    fn normal_p(&self, continuity: bool) -> Result<(f64, PValue), Error> {
        let zeros = self.n_zero as u128;
        let ranked = self.n_nonzero as u128 + if self.zero_method == ZeroMethod::Wilcox { 0 } else { zeros };
        let dropped = if self.zero_method == ZeroMethod::Pratt { zeros } else { 0 };
        // Whole numbers up to the last step: 4 times the mean and 48 times the variance of w_plus.
        let mean_4 = ranked * (ranked + 1) - dropped * (dropped + 1);
        let squares = |n: u128| 2 * n * (n + 1) * (2 * n + 1);
        let variance_48 = squares(ranked) - squares(dropped) - self.ties;
        let distance = (self.quadrupled(self.plus) as f64 - mean_4 as f64) / 4.0;
        let correction = match (continuity, distance) {
            (true, d) if d > 0.0 => 0.5,
            (true, d) if d < 0.0 => -0.5,
            _ => 0.0,
        };
        normal_p(distance, correction, (variance_48 as f64 / 48.0).sqrt(), COMPUTING)
    }

    fn exact_p(&self) -> Result<PValue, Error> {
        if self.n_nonzero > MOST_EXACT {
            return Err(Error::OutOfRange {
                computing: COMPUTING,
                parameter: "the number of differences other than 0",
                found: self.n_nonzero as f64,
                range: "at most 127 for the exact distribution",
                hint: "the normal approximation is good to many digits there",
            });
        }
        // The distribution is symmetric, so both tails are the one at the smaller sum.
        let smaller = self.plus.min(self.minus);
        let patterns = self.patterns_up_to(smaller);
        let share = patterns as f64 * libm::scalbn(1.0, -(self.n_nonzero as i32));
        PValue::rounded((2.0 * share).min(1.0))
    }

    /// In how many of the `2^n` sign patterns the positive differences' doubled rank sum is at most `limit`.
    ///
    /// Adds one difference after another to the counts by sum: with its rank or without it.
    fn patterns_up_to(&self, limit: u64) -> u128 {
        let mut counts = vec![0_u128; limit as usize + 1];
        if let Some(none) = counts.first_mut() {
            *none = 1;
        }
        for &rank in &self.doubled {
            let rank = rank as usize;
            for sum in (rank..counts.len()).rev() {
                let with = counts.get(sum - rank).copied().unwrap_or(0);
                if let Some(count) = counts.get_mut(sum) {
                    *count += with;
                }
            }
        }
        counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO_METHODS: [ZeroMethod; 3] = [ZeroMethod::Wilcox, ZeroMethod::Pratt, ZeroMethod::Zsplit];

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values).expect("finite values")
    }

    /// The two-sided p-value from the definition: every sign pattern of the non-zero differences, ranks by counting.
    fn brute_force(differences: &[f64], zero_method: ZeroMethod) -> f64 {
        let taken: Vec<f64> =
            differences.iter().copied().filter(|d| *d != 0.0 || zero_method != ZeroMethod::Wilcox).collect();
        let rank = |size: f64| {
            let smaller = taken.iter().filter(|d| d.abs() < size).count();
            let equal = taken.iter().filter(|d| d.abs() == size).count();
            smaller as f64 + (equal as f64 + 1.0) / 2.0
        };
        let split: f64 = taken.iter().filter(|d| **d == 0.0).map(|_| rank(0.0) / 2.0).sum();
        let split = if zero_method == ZeroMethod::Zsplit { split } else { 0.0 };
        let nonzero: Vec<f64> = taken.iter().copied().filter(|d| *d != 0.0).collect();
        let ranks: Vec<f64> = nonzero.iter().map(|d| rank(d.abs())).collect();
        let statistic = |positive: &dyn Fn(usize) -> bool| -> f64 {
            split + ranks.iter().enumerate().filter(|(at, _)| positive(*at)).map(|(_, rank)| rank).sum::<f64>()
        };
        let observed = statistic(&|at| nonzero[at] > 0.0);
        let (mut at_most, mut at_least) = (0_u32, 0_u32);
        for pattern in 0..1_u32 << nonzero.len() {
            let w = statistic(&|at| pattern >> at & 1 == 1);
            at_most += u32::from(w <= observed);
            at_least += u32::from(w >= observed);
        }
        let tail = f64::from(at_most.min(at_least)) / f64::from(1_u32 << nonzero.len());
        (2.0 * tail).min(1.0)
    }

    #[test]
    fn the_exact_p_value_is_that_of_counting_every_sign_pattern() {
        // All sequences of six differences from a small set: every mixture of ties, zeros and signs.
        let choices = [-2.0, -1.0, 0.0, 1.0, 3.0];
        let mut compared = 0;
        for code in 0..5_usize.pow(6) {
            let differences: Vec<f64> = (0..6).map(|at| choices[code / 5_usize.pow(at) % 5]).collect();
            if code % 7 != 0 || differences.iter().all(|d| *d == 0.0) {
                continue;
            }
            for zero_method in ZERO_METHODS {
                let found = signed_rank(&sample(&differences), zero_method, RankNull::Exact).expect("a test");
                assert_eq!(found.p.get(), brute_force(&differences, zero_method), "{differences:?} {zero_method:?}");
                compared += 1;
            }
        }
        assert!(compared > 6_000, "{compared}");
    }

    #[test]
    fn longer_samples_with_zeros_and_ties_agree_with_counting_too() {
        let differences = [0.0, 1.5, -1.5, 2.0, 2.0, -3.0, 4.0, 0.0, 5.5, 6.0, 6.0, -6.0, 7.0, 0.5, 9.0];
        for zero_method in ZERO_METHODS {
            let found = signed_rank(&sample(&differences), zero_method, RankNull::Exact).expect("a test");
            assert_eq!(found.p.get(), brute_force(&differences, zero_method), "{zero_method:?}");
            assert_eq!((found.n_nonzero, found.n_zero), (13, 2));
        }
    }

    #[test]
    fn the_rank_sums_add_up_to_what_was_ranked() {
        let differences = sample(&[0.0, 0.0, 1.0, -2.0, 3.0]);
        let sums = ZERO_METHODS.map(|zeros| {
            let found = signed_rank(&differences, zeros, RankNull::Exact).expect("a test");
            (found.w_plus, found.w_minus)
        });
        assert_eq!(sums, [(4.0, 2.0), (8.0, 4.0), (9.5, 5.5)]);
    }

    #[test]
    fn one_difference_says_nothing_and_none_is_a_typed_reason() {
        let one = signed_rank(&sample(&[2.5]), ZeroMethod::Wilcox, RankNull::Exact).expect("a test");
        assert_eq!((one.p.get(), one.w_plus, one.w_minus), (1.0, 1.0, 0.0));
        for zero_method in ZERO_METHODS {
            for null in [RankNull::Exact, RankNull::Normal { continuity: true }] {
                let none = signed_rank(&sample(&[0.0, -0.0]), zero_method, null);
                assert!(matches!(none, Err(Error::TooFew { found: 0, .. })), "{none:?}");
            }
        }
    }

    #[test]
    fn the_exact_distribution_ends_where_the_patterns_outgrow_128_bits() {
        let rising: Vec<f64> = (1..=127).map(f64::from).collect();
        let exact = signed_rank(&sample(&rising), ZeroMethod::Wilcox, RankNull::Exact).expect("a test");
        assert_eq!(exact.p.get(), libm::scalbn(1.0, -126));
        let one_more: Vec<f64> = (1..=128).map(f64::from).collect();
        let refused = signed_rank(&sample(&one_more), ZeroMethod::Wilcox, RankNull::Exact);
        assert!(matches!(refused, Err(Error::OutOfRange { found: 128.0, .. })));
    }

    #[test]
    fn the_normal_approximation_of_thousands_of_differences_does_not_underflow_to_zero() {
        let rising: Vec<f64> = (1..=6_000).map(f64::from).collect();
        let far = signed_rank(&sample(&rising), ZeroMethod::Wilcox, RankNull::Normal { continuity: false });
        let far = far.expect("a test").p;
        assert!(far.get() > 0.0 && far.decimal_log().is_some_and(|log10| log10 < -900.0), "{far}");
    }

    #[test]
    fn swapping_the_sides_swaps_the_rank_sums_and_keeps_the_p_value() {
        let (there, back) = ([1.0, -2.0, 0.0, 4.0, 4.0, 0.5], [-1.0, 2.0, 0.0, -4.0, -4.0, -0.5]);
        for zero_method in ZERO_METHODS {
            for null in [RankNull::Exact, RankNull::Normal { continuity: true }] {
                let there = signed_rank(&sample(&there), zero_method, null).expect("a test");
                let back = signed_rank(&sample(&back), zero_method, null).expect("a test");
                assert_eq!((there.w_plus, there.w_minus, there.p), (back.w_minus, back.w_plus, back.p));
                assert_eq!(there.z, back.z.map(|z| -z));
            }
        }
    }
}
