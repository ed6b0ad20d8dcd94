//! The Mann–Whitney U test, also known as Wilcoxon's rank-sum test.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{EqualValues, Error};
use super::midranks::{Midranks, RankNull, normal_p, tie_term};
use super::p_value::PValue;
use super::sample::Sample;

const COMPUTING: &str = "the Mann-Whitney test";

/// The most pairs of an a and a b for which the exact distribution is counted, so that it takes milliseconds.
const MOST_PAIRS: usize = 20_000;

/// The Mann–Whitney test of two samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MannWhitney {
    /// Values in a.
    pub n_a: usize,
    /// Values in b.
    pub n_b: usize,
    /// Where the p-value is from.
    pub distribution: RankNull,
    /// Pairs in which a is the larger, ties counted half.
    pub u_a: f64,
    /// Pairs in which b is the larger, ties counted half.
    pub u_b: f64,
    /// The standardised `u_a`, for the normal approximation.
    pub z: Option<f64>,
    /// Two-sided p-value.
    pub p: PValue,
}

/// Tests whether values of a tend to be larger or smaller than those of b (H. B. Mann and D. R. Whitney, "On a test of
/// whether one of two random variables is stochastically larger than the other", Annals of Mathematical Statistics 18,
/// 1947).
///
/// Exact: every choice of n_a ranks among n_a + n_b is equally likely; `p = 2 min(P(U <= u), P(U >= u))`, at most 1,
/// counted in whole numbers. Normal: mean `n_a n_b / 2` and variance
/// `n_a n_b / 12 (n + 1 - sum(t^3 - t) / (n (n - 1)))` over groups of t tied values, n = n_a + n_b; the continuity
/// correction moves u towards its mean by 1/2 and p is at most 1, as in scipy.
///
/// # Errors
/// [`Error::Tied`] for the exact distribution of tied values; [`Error::OutOfRange`] for the exact distribution of more
/// than 20,000 pairs or of more choices than 127 bits count; [`Error::ZeroSpread`] for the normal approximation if all
/// values are equal.
pub fn mann_whitney(a: &Sample, b: &Sample, null: RankNull) -> Result<MannWhitney, Error> {
    let both: Vec<f64> = a.values().iter().chain(b.values()).copied().collect();
    let ranks = Midranks::of(&both);
    let (n_a, n_b) = (a.n() as u128, b.n() as u128);
    let rank_sum: u128 = ranks.doubled.iter().take(a.n()).map(|rank| u128::from(*rank)).sum();
    // Twice the pairs that a wins; both sides' add up to twice all pairs.
    let doubled_a = rank_sum - n_a * (n_a + 1);
    let doubled_b = 2 * n_a * n_b - doubled_a;
    let (z, p) = match null {
        RankNull::Exact => {
            refuse_ties(&both)?;
            (None, exact_p(a.n(), b.n(), doubled_a.min(doubled_b) / 2)?)
        }
        RankNull::Normal { continuity } => {
            if ranks.groups.len() == 1 {
                return Err(Error::ZeroSpread { computing: COMPUTING, values: EqualValues::Two(a.mean(), b.mean()) });
            }
            let (z, p) = approximate(n_a, n_b, doubled_a, tie_term(&ranks.groups), continuity)?;
            (Some(z), p)
        }
    };
    let (u_a, u_b) = (doubled_a as f64 / 2.0, doubled_b as f64 / 2.0);
    Ok(MannWhitney { n_a: a.n(), n_b: b.n(), distribution: null, u_a, u_b, z, p })
}

fn refuse_ties(values: &[f64]) -> Result<(), Error> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tied = sorted.iter().zip(sorted.iter().skip(1)).find(|(one, next)| one == next);
    tied.map_or(Ok(()), |(value, _)| Err(Error::Tied { computing: COMPUTING, value: *value }))
}

fn approximate(n_a: u128, n_b: u128, doubled_a: u128, ties: u128, continuity: bool) -> Result<(f64, PValue), Error> {
    let (pairs, n) = (n_a * n_b, n_a + n_b);
    let distance = (doubled_a as f64 - pairs as f64) / 2.0;
    let variance = pairs as f64 / 12.0 * ((n + 1) as f64 - ties as f64 / (n * (n - 1)) as f64);
    let correction = if continuity { 0.5 } else { 0.0 };
    // Beyond the mean the correction makes every arrangement count, so p is 1.
    let towards_mean = if distance.abs() < correction { distance } else { correction.copysign(distance) };
    normal_p(distance, towards_mean, variance.sqrt(), COMPUTING)
}

/// Two-sided p-value of the smaller of both numbers of won pairs.
fn exact_p(n_a: usize, n_b: usize, smaller: u128) -> Result<PValue, Error> {
    let fewer = n_a.min(n_b);
    let refuse = |parameter: &'static str, found: f64, range: &'static str| {
        let hint = "the normal approximation is good to many digits there";
        Err(Error::OutOfRange { computing: COMPUTING, parameter, found, range, hint })
    };
    let pairs = n_a.saturating_mul(n_b);
    if pairs > MOST_PAIRS {
        return refuse("the number of pairs", pairs as f64, "at most 20,000 for the exact distribution");
    }
    let Some(choices) = choices(n_a + n_b, fewer) else {
        return refuse("the number of values", (n_a + n_b) as f64, "few enough for 2^127 ways to choose the ranks");
    };
    let at_most = arrangements_up_to(fewer, n_a.max(n_b), smaller as usize);
    // At most 1 for a u in the middle, where both tails hold it.
    PValue::rounded((2.0 * (at_most as f64 / choices as f64)).min(1.0))
}

/// n over k, unless it is beyond 127 bits.
fn choices(n: usize, k: usize) -> Option<u128> {
    let mut found = 1_u128;
    for step in 1..=k as u128 {
        found = found.checked_mul(n as u128 - k as u128 + step)? / step;
    }
    (found < 1 << 127).then_some(found)
}

/// In how many ways `fewer` of `fewer + more` untied values win at most `limit` pairs.
///
/// The coefficients up to `limit` of the Gaussian binomial `prod (1 - q^(more + i)) / (1 - q^i)`, i from 1 to `fewer`
/// (the generating function of Mann and Whitney's recurrence). Steps on the way may leave the range of 128 bits, which
/// the arithmetic modulo 2^128 does not mind, since every coefficient itself is within.
fn arrangements_up_to(fewer: usize, more: usize, limit: usize) -> u128 {
    let mut counts = vec![0_u128; limit + 1];
    if let Some(none) = counts.first_mut() {
        *none = 1;
    }
    for i in 1..=fewer {
        for u in (more + i..=limit).rev() {
            let shifted = counts.get(u - more - i).copied().unwrap_or(0);
            if let Some(count) = counts.get_mut(u) {
                *count = count.wrapping_sub(shifted);
            }
        }
        for u in i..=limit {
            let shifted = counts.get(u - i).copied().unwrap_or(0);
            if let Some(count) = counts.get_mut(u) {
                *count = count.wrapping_add(shifted);
            }
        }
    }
    counts.iter().fold(0, |total, count| total.wrapping_add(*count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values).expect("finite values")
    }

    /// From the definition: every way to choose a's places among 1 to n.
    fn brute_force(a: &[f64], b: &[f64]) -> f64 {
        let n = a.len() + b.len();
        let wins = |chosen: u32| {
            let (mut wins, mut seen_b) = (0_u32, 0_u32);
            for place in 0..n {
                if chosen >> place & 1 == 1 {
                    wins += seen_b;
                } else {
                    seen_b += 1;
                }
            }
            wins
        };
        let observed = a.iter().flat_map(|x| b.iter().map(move |y| u32::from(x > y))).sum::<u32>();
        let (mut all, mut at_most, mut at_least) = (0_u32, 0_u32, 0_u32);
        for chosen in (0..1_u32 << n).filter(|chosen| chosen.count_ones() as usize == a.len()) {
            all += 1;
            at_most += u32::from(wins(chosen) <= observed);
            at_least += u32::from(wins(chosen) >= observed);
        }
        (2.0 * f64::from(at_most.min(at_least)) / f64::from(all)).min(1.0)
    }

    #[test]
    fn the_exact_p_value_is_that_of_counting_every_choice_of_ranks() {
        let places = [0.5, 3.0, 1.0, 7.0, 2.0, 9.0, 4.0, 8.0, 6.0, 5.0, 11.0];
        for n_a in 1..=6 {
            for n_b in 1..=5 {
                for start in 0..4 {
                    let taken: Vec<f64> = places.iter().cycle().skip(start).take(n_a + n_b).copied().collect();
                    let (a, b) = taken.split_at(n_a);
                    let found = mann_whitney(&sample(a), &sample(b), RankNull::Exact).expect("a test");
                    assert_eq!(found.p.get(), brute_force(a, b), "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn both_numbers_of_won_pairs_add_up_to_all_pairs() {
        let found =
            mann_whitney(&sample(&[1.0, 2.0, 2.0]), &sample(&[2.0, 3.0]), RankNull::Normal { continuity: true });
        let found = found.expect("a test");
        assert_eq!((found.u_a, found.u_b), (1.0, 5.0));
    }

    #[test]
    fn ties_have_no_exact_distribution_and_equal_values_no_test() {
        let (a, b) = (sample(&[1.0, 2.0]), sample(&[2.0, 3.0]));
        assert!(matches!(mann_whitney(&a, &b, RankNull::Exact), Err(Error::Tied { value: 2.0, .. })));
        let flat = sample(&[4.0, 4.0]);
        let found = mann_whitney(&flat, &flat, RankNull::Normal { continuity: false });
        assert!(matches!(found, Err(Error::ZeroSpread { .. })), "{found:?}");
    }

    #[test]
    fn a_u_at_its_mean_is_a_p_value_of_one_with_and_without_correction() {
        let (a, b) = (sample(&[1.0, 4.0]), sample(&[2.0, 3.0]));
        for null in [RankNull::Exact, RankNull::Normal { continuity: true }, RankNull::Normal { continuity: false }] {
            assert_eq!(mann_whitney(&a, &b, null).expect("a test").p.get(), 1.0, "{null:?}");
        }
    }

    #[test]
    fn the_exact_distribution_refuses_what_it_cannot_count() {
        let rising = |n: u32, from: f64| sample(&(0..n).map(|i| from + f64::from(i)).collect::<Vec<_>>());
        let refused = |n_a, n_b| mann_whitney(&rising(n_a, 0.0), &rising(n_b, 0.5), RankNull::Exact);
        assert!(matches!(refused(200, 200), Err(Error::OutOfRange { parameter: "the number of pairs", .. })));
        assert!(matches!(refused(100, 100), Err(Error::OutOfRange { parameter: "the number of values", .. })));
        let separate = mann_whitney(&rising(60, 0.0), &rising(60, 100.0), RankNull::Exact).expect("a test");
        // One arrangement on each side of C(120, 60), here from the central binomial's logarithm.
        let log10 = libm::log10(2.0) - (libm::lgamma(121.0) - 2.0 * libm::lgamma(61.0)) / std::f64::consts::LN_10;
        assert!((separate.p.decimal_log().expect("a size") / log10 - 1.0).abs() < 1e-13, "{separate:?}");
    }

    #[test]
    fn swapping_the_samples_swaps_the_won_pairs_and_keeps_the_p_value() {
        let (a, b) = (sample(&[1.0, 5.0, 6.0, 2.5]), sample(&[0.5, 3.0, 9.0]));
        for null in [RankNull::Exact, RankNull::Normal { continuity: true }] {
            let there = mann_whitney(&a, &b, null).expect("a test");
            let back = mann_whitney(&b, &a, null).expect("a test");
            assert_eq!((there.u_a, there.u_b, there.p), (back.u_b, back.u_a, back.p));
            assert_eq!(there.z, back.z.map(|z| -z));
        }
    }
}
