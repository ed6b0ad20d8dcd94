//! Shares of a whole: how often something happened in so many trials, and whether two such shares differ.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::distribution::{beta_quantile, beta_upper_quantile, normal_quantile};
use super::error::{EqualValues, Error};
use super::interval::Interval;
use super::midranks::normal_p;
use super::p_value::PValue;
use super::probability::Confidence;

/// `k` of `n`: how many of so many trials had the property. At least one trial, and no more hits than trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawProportion")]
pub struct Proportion {
    k: u64,
    n: u64,
}

/// A proportion as it is written, before its counts are checked.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Proportion")]
struct RawProportion {
    k: u64,
    n: u64,
}

impl TryFrom<RawProportion> for Proportion {
    type Error = Error;

    fn try_from(RawProportion { k, n }: RawProportion) -> Result<Self, Error> {
        Self::new(k, n)
    }
}

impl Proportion {
    /// Checks the counts.
    ///
    /// # Errors
    /// [`Error::TooFew`] without trials; [`Error::OutOfRange`] for more hits than trials.
    pub fn new(k: u64, n: u64) -> Result<Self, Error> {
        const COMPUTING: &str = "a proportion";
        if n == 0 {
            let hint = "a share of nothing has no value; report that nothing was tried";
            return Err(Error::TooFew { computing: COMPUTING, needed: 1, of: "trials", found: 0, hint });
        }
        if k > n {
            return Err(Error::OutOfRange {
                computing: COMPUTING,
                parameter: "the number of hits",
                found: k as f64,
                range: "at most the number of trials",
                hint: "count each trial once",
            });
        }
        Ok(Self { k, n })
    }

    /// How many trials had the property.
    pub fn k(&self) -> u64 {
        self.k
    }

    /// How many trials there were; never 0.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// `k / n`.
    pub fn share(&self) -> f64 {
        self.k as f64 / self.n as f64
    }

    /// The share of trials without the property.
    fn complement(&self) -> Self {
        Self { k: self.n - self.k, n: self.n }
    }
}

/// Which end of a one-sided interval is stated; the other one is the end of what is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// At least this much.
    Lower,
    /// At most this much.
    Upper,
}

/// An estimate with one end of a one-sided interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bound {
    /// What the bound is of.
    pub estimate: f64,
    /// Which end it is.
    pub side: Side,
    /// The end.
    pub bound: f64,
    /// Its confidence level, as a fraction.
    pub confidence: Confidence,
}

/// Wilson's score interval of a proportion (E. B. Wilson, "Probable inference, the law of succession, and statistical
/// inference", Journal of the American Statistical Association 22, 1927), without continuity correction.
///
/// The shares π that the score test does not reject: `|k/n - π| <= z sqrt(π (1 - π) / n)`.
///
/// # Errors
/// [`Error::OutOfRange`] for a confidence so close to 1 that nothing is left outside.
pub fn wilson(proportion: Proportion, confidence: Confidence) -> Result<Interval, Error> {
    let z = -normal_quantile(confidence.tail())?;
    let (low, high) = (wilson_end(proportion, -z), wilson_end(proportion, z));
    Ok(Interval { estimate: proportion.share(), low, high, confidence })
}

/// One end of Wilson's interval, with all of the error probability beyond it.
///
/// # Errors
/// As [`wilson`].
pub fn wilson_bound(proportion: Proportion, side: Side, confidence: Confidence) -> Result<Bound, Error> {
    let z = -normal_quantile(1.0 - confidence.get())?;
    let bound = match side {
        Side::Lower => wilson_end(proportion, -z),
        Side::Upper => wilson_end(proportion, z),
    };
    Ok(Bound { estimate: proportion.share(), side, bound, confidence })
}

/// The root of `(n + z^2) π^2 - (2 k + z^2) π + k^2/n = 0` on the side of z's sign: for z > 0 the larger one, all of
/// whose terms add up; for z < 0 the smaller one, as the product of both over the larger. So nothing cancels at either
/// end, and no hit and no miss give exactly 0 and 1.
fn wilson_end(proportion: Proportion, z: f64) -> f64 {
    let Proportion { k, n } = proportion;
    if (k == 0 && z <= 0.0) || (k == n && z >= 0.0) {
        return proportion.share();
    }
    let (hits, trials, misses) = (k as f64, n as f64, (n - k) as f64);
    let square = z * z;
    let larger = hits + square / 2.0 + z.abs() * (proportion.share() * misses + square / 4.0).sqrt();
    if z > 0.0 { (larger / (trials + square)).min(1.0) } else { hits * proportion.share() / larger }
}

/// Clopper and Pearson's exact interval of a proportion (C. J. Clopper and E. S. Pearson, "The use of confidence or
/// fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934).
///
/// Covers at least as often as it says, whatever the true share: the ends are those shares at which `k` hits or more
/// (lower end), or `k` or fewer (upper end), have half of the error probability. As quantiles of beta distributions:
/// `B(tail; k, n - k + 1)` and `B(1 - tail; k + 1, n - k)`. Without a hit the lower end is exactly 0, with hits alone
/// the upper end is exactly 1.
///
/// # Errors
/// [`Error::OutOfRange`] for 10^8 trials or more, or a confidence so close to 1 that nothing is left outside.
pub fn clopper_pearson(proportion: Proportion, confidence: Confidence) -> Result<Interval, Error> {
    let tail = confidence.tail();
    let (low, high) = (exact_low(proportion, tail)?, exact_high(proportion, tail)?);
    Ok(Interval { estimate: proportion.share(), low, high, confidence })
}

/// One end of Clopper and Pearson's interval, with all of the error probability beyond it.
///
/// # Errors
/// As [`clopper_pearson`].
pub fn clopper_pearson_bound(proportion: Proportion, side: Side, confidence: Confidence) -> Result<Bound, Error> {
    let tail = 1.0 - confidence.get();
    let bound = match side {
        Side::Lower => exact_low(proportion, tail)?,
        Side::Upper => exact_high(proportion, tail)?,
    };
    Ok(Bound { estimate: proportion.share(), side, bound, confidence })
}

fn exact_low(Proportion { k, n }: Proportion, tail: f64) -> Result<f64, Error> {
    if k == 0 { Ok(0.0) } else { beta_quantile(tail, k as f64, (n - k) as f64 + 1.0) }
}

fn exact_high(Proportion { k, n }: Proportion, tail: f64) -> Result<f64, Error> {
    if k == n { Ok(1.0) } else { beta_upper_quantile(tail, k as f64 + 1.0, (n - k) as f64) }
}

/// The pooled z test that two shares are equal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TwoProportions {
    /// Share of a minus share of b.
    pub difference: f64,
    /// The share in both together.
    pub pooled: f64,
    /// Standard error of the difference if the shares are equal.
    pub se: f64,
    /// Difference over standard error; its sign is that of a minus b.
    pub z: f64,
    /// Two-sided p-value.
    pub p: PValue,
}

/// Tests whether two shares differ, by the normal approximation with the pooled share and without continuity
/// correction: `z = (p_a - p_b) / sqrt(p (1 - p) (1/n_a + 1/n_b))` (J. L. Fleiss, B. Levin, M. C. Paik, "Statistical
/// Methods for Rates and Proportions", 3rd ed. 2003, section 3.1). For few hits, [`super::fisher_exact`] is exact.
///
/// # Errors
/// [`Error::ZeroSpread`] if all trials of both went the same way.
pub fn two_proportions(a: Proportion, b: Proportion) -> Result<TwoProportions, Error> {
    const COMPUTING: &str = "a test of two proportions";
    let hits = a.k as f64 + b.k as f64;
    let misses = a.complement().k as f64 + b.complement().k as f64;
    if hits == 0.0 || misses == 0.0 {
        let values = EqualValues::Two(a.share(), b.share());
        return Err(Error::ZeroSpread { computing: COMPUTING, values });
    }
    let (n_a, n_b) = (a.n as f64, b.n as f64);
    let all = n_a + n_b;
    // Both shares over the common denominator, whose difference of products is exact for counts below 2^26.
    let difference = (a.k as f64 * n_b - b.k as f64 * n_a) / (n_a * n_b);
    let se = (hits / all * (misses / all) * (1.0 / n_a + 1.0 / n_b)).sqrt();
    let (z, p) = normal_p(difference, 0.0, se, COMPUTING)?;
    Ok(TwoProportions { difference, pooled: hits / all, se, z, p })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(k: u64, n: u64) -> Proportion {
        Proportion::new(k, n).expect("counts")
    }

    fn level(value: f64) -> Confidence {
        Confidence::new(value).expect("a level")
    }

    #[test]
    fn what_is_no_share_is_refused() {
        assert!(matches!(Proportion::new(0, 0), Err(Error::TooFew { needed: 1, found: 0, .. })));
        assert!(matches!(Proportion::new(3, 2), Err(Error::OutOfRange { .. })));
        assert!(serde_json::from_str::<Proportion>(r#"{"k": 3, "n": 2}"#).is_err());
        assert_eq!(serde_json::from_str::<Proportion>(r#"{"k": 1, "n": 2}"#).map(|p| p.share()).ok(), Some(0.5));
    }

    #[test]
    fn no_hit_and_no_miss_have_ends_at_exactly_zero_and_one() {
        for n in [1, 2, 35, 52_410] {
            for interval in [wilson, clopper_pearson] {
                let none = interval(share(0, n), level(0.95)).expect("an interval");
                let all = interval(share(n, n), level(0.95)).expect("an interval");
                assert_eq!((none.low, all.high), (0.0, 1.0));
                assert!(none.high > 0.0 && none.high < 1.0 && (none.high + all.low - 1.0).abs() < 1e-15, "{n}");
            }
        }
    }

    #[test]
    fn without_a_hit_the_exact_upper_bound_has_a_closed_form() {
        // (1 - π)^n = 1 - confidence.
        let bound = clopper_pearson_bound(share(0, 59), Side::Upper, level(0.95)).expect("a bound").bound;
        assert!((libm::pow(1.0 - bound, 59.0) / 0.05 - 1.0).abs() < 1e-13, "{bound}");
    }

    #[test]
    fn a_two_sided_interval_is_two_bounds_at_half_the_error_each() {
        for (k, n) in [(0, 7), (3, 7), (7, 7), (19, 24)] {
            let close = |one: f64, other: f64| assert!((one - other).abs() < 1e-14, "{one} {other}");
            let two = wilson(share(k, n), level(0.9)).expect("an interval");
            close(two.low, wilson_bound(share(k, n), Side::Lower, level(0.95)).expect("a bound").bound);
            close(two.high, wilson_bound(share(k, n), Side::Upper, level(0.95)).expect("a bound").bound);
            let two = clopper_pearson(share(k, n), level(0.9)).expect("an interval");
            close(two.low, clopper_pearson_bound(share(k, n), Side::Lower, level(0.95)).expect("a bound").bound);
            close(two.high, clopper_pearson_bound(share(k, n), Side::Upper, level(0.95)).expect("a bound").bound);
        }
    }

    #[test]
    fn a_bound_below_half_confidence_lies_beyond_the_estimate() {
        let bound = wilson_bound(share(3, 7), Side::Lower, level(0.3)).expect("a bound");
        assert!(bound.bound > bound.estimate, "{bound:?}");
        let none = wilson_bound(share(0, 7), Side::Lower, level(0.3)).expect("a bound");
        assert!(none.bound > 0.0, "{none:?}");
    }

    #[test]
    fn two_shares_without_any_spread_are_refused_with_their_values() {
        let expected = Error::ZeroSpread { computing: "a test of two proportions", values: EqualValues::Two(0.0, 0.0) };
        assert_eq!(two_proportions(share(0, 5), share(0, 9)), Err(expected));
        assert!(two_proportions(share(5, 5), share(9, 9)).is_err());
        let equal = two_proportions(share(1, 3), share(2, 6)).expect("a test");
        assert_eq!((equal.z, equal.p.get()), (0.0, 1.0));
    }
}
