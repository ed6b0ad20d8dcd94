//! Equivalence of two means in its four forms.
//!
//! | margin | unpaired | paired |
//! |---|---|---|
//! | absolute, or percent of a mean taken as known | [`tost_unpaired`] | [`tost_paired`] |
//! | relative: on the ratio of the true means | [`tost_ratio_unpaired`] | [`tost_ratio_paired`] |
//!
//! The unpaired ones take values or printed summaries. A margin in percent of the measured baseline is
//! [`super::Margin::percent_of`] with the first row: usual in reports, but it treats the baseline's mean as if it were
//! free of error, which the second row does not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::compare::{Effect, Margin, Tost, check_equivalence_level, student_p, tost, welch};
use super::error::Error;
use super::moments::Moments;
use super::p_value::PValue;
use super::pairs::Pairs;
use super::probability::Alpha;
use super::sample::Replicates;
use super::student_tests::{one_sample_t, paired_t};

/// [`tost`] of Welch's effect: whether the means of two samples differ by less than the margin.
///
/// # Errors
/// Those of [`welch`] and [`tost`].
pub fn tost_unpaired(
    a: impl Into<Moments>,
    b: impl Into<Moments>,
    margin: Margin,
    alpha: Alpha,
) -> Result<Tost, Error> {
    tost(&welch(a, b)?.effect, margin, alpha)
}

/// [`tost`] of the paired effect: whether the mean difference of pairs is less than the margin.
///
/// # Errors
/// Those of [`paired_t`] and [`tost`].
pub fn tost_paired(pairs: &Pairs, margin: Margin, alpha: Alpha) -> Result<Tost, Error> {
    tost(&paired_t(pairs)?.effect, margin, alpha)
}

/// How far a ratio of means may be from 1 and still count as none, in percent: 3 stands for 0.97 to 1.03.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
pub struct RatioMargin(f64);

impl RatioMargin {
    /// A margin in percent of the true mean of b.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `0 < percent < 100`.
    pub fn percent(percent: f64) -> Result<Self, Error> {
        if percent > 0.0 && percent < 100.0 {
            return Ok(Self(percent));
        }
        Err(Error::OutOfRange {
            computing: "a relative equivalence margin",
            parameter: "the margin in percent",
            found: percent,
            range: "above 0 and below 100",
            hint: "3 stands for ratios from 0.97 to 1.03",
        })
    }

    /// The margin in percent.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for RatioMargin {
    type Error = Error;

    fn try_from(percent: f64) -> Result<Self, Error> {
        Self::percent(percent)
    }
}

impl From<RatioMargin> for f64 {
    fn from(margin: RatioMargin) -> f64 {
        margin.0
    }
}

/// Two one-sided tests on the ratio of two means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RatioTost {
    /// The margin around a ratio of 1, in percent.
    pub margin_percent: RatioMargin,
    /// The level at which equivalence is claimed.
    pub alpha: Alpha,
    /// Mean of a over mean of b.
    pub ratio: f64,
    /// p-value against a ratio of `1 - margin` or below.
    pub p_lower: PValue,
    /// p-value against a ratio of `1 + margin` or above.
    pub p_upper: PValue,
    /// The larger of both, which is the p-value of the equivalence claim.
    pub p: PValue,
    /// Whether `p < alpha`: both one-sided tests reject.
    pub equivalent: bool,
}

/// Tests whether the ratio of two means, a over b, lies within 1 ± margin, the error of both means counted.
///
/// A ratio of at most r is `mean_a - r mean_b <= 0` for a positive mean of b, so each side is a t test of that
/// difference: `se^2 = sd_a^2/n_a + r^2 sd_b^2/n_b`, with Welch's degrees of freedom (E. C. Fieller, "Some problems in
/// interval estimation", Journal of the Royal Statistical Society B 16, 1954; D. Hauschke, M. Kieser, E. Diletti and
/// M. Burke, "Sample size determination for proving equivalence based on the ratio of two means for normally
/// distributed data", Statistics in Medicine 18, 1999). For a negative mean of b both signs turn.
///
/// # Errors
/// [`Error::ZeroBaseline`] if the mean of b is 0; those of [`welch`]; [`Error::OutOfRange`] unless `alpha < 0.5`.
pub fn tost_ratio_unpaired(
    a: impl Into<Moments>,
    b: impl Into<Moments>,
    margin: RatioMargin,
    alpha: Alpha,
) -> Result<RatioTost, Error> {
    let (a, b) = (a.into(), b.into());
    ratio_tost(a.mean(), b.mean(), margin, alpha, |ratio| Ok(welch(a, b.times(ratio)?)?.effect))
}

/// [`tost_ratio_unpaired`] for pairs: the one-sample t tests of `a - r b` for both limits r.
///
/// # Errors
/// [`Error::ZeroBaseline`] if the mean of b is 0; [`Error::TooFew`] for a single pair; [`Error::ZeroSpread`] if
/// `a - r b` is the same for every pair; [`Error::OutOfRange`] unless `alpha < 0.5`.
pub fn tost_ratio_paired(pairs: &Pairs, margin: RatioMargin, alpha: Alpha) -> Result<RatioTost, Error> {
    ratio_tost(pairs.a().mean(), pairs.b().mean(), margin, alpha, |ratio| {
        let both = pairs.a().values().iter().zip(pairs.b().values());
        let differences: Vec<f64> = both.map(|(a, b)| a - ratio * b).collect();
        Ok(one_sample_t(&Replicates::new(differences)?, 0.0)?.effect)
    })
}

fn ratio_tost(
    mean_a: f64,
    mean_b: f64,
    margin: RatioMargin,
    alpha: Alpha,
    effect_at: impl Fn(f64) -> Result<Effect, Error>,
) -> Result<RatioTost, Error> {
    const COMPUTING: &str = "an equivalence test of a ratio";
    check_equivalence_level(alpha, COMPUTING)?;
    if mean_b == 0.0 {
        return Err(Error::ZeroBaseline { computing: COMPUTING });
    }
    let ratio = finite(mean_a / mean_b, COMPUTING)?;
    let sign = if mean_b < 0.0 { -1.0 } else { 1.0 };
    let above = |limit: f64| -> Result<(f64, f64), Error> {
        let effect = effect_at(limit)?;
        Ok((finite(sign * effect.difference() / effect.se(), COMPUTING)?, effect.df()))
    };
    let (t_lower, df_lower) = above(1.0 - margin.get() / 100.0)?;
    let (t_upper, df_upper) = above(1.0 + margin.get() / 100.0)?;
    let p_lower = student_p(1.0, t_lower, df_lower)?;
    let p_upper = student_p(1.0, -t_upper, df_upper)?;
    let p = if p_lower > p_upper { p_lower } else { p_upper };
    let equivalent = p.is_below(alpha);
    Ok(RatioTost { margin_percent: margin, alpha, ratio, p_lower, p_upper, p, equivalent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alpha() -> Alpha {
        Alpha::new(0.05).expect("a level")
    }

    fn margin(absolute: f64) -> Margin {
        Margin::absolute(absolute).expect("a margin")
    }

    fn percent(value: f64) -> RatioMargin {
        RatioMargin::percent(value).expect("a margin")
    }

    #[test]
    fn pairs_that_move_together_are_equivalent_where_two_samples_cannot_tell() {
        let (a, b) = (vec![10.0, 20.0, 30.0, 40.0], vec![10.1, 19.9, 30.05, 40.0]);
        let pairs = Pairs::new(a.clone(), b.clone()).expect("pairs");
        let (a, b) = (Replicates::new(a).expect("values"), Replicates::new(b).expect("values"));
        assert!(tost_paired(&pairs, margin(0.5), alpha()).expect("a test").equivalent);
        assert!(!tost_unpaired(&a, &b, margin(0.5), alpha()).expect("a test").equivalent);
        assert!(tost_ratio_paired(&pairs, percent(2.0), alpha()).expect("a test").equivalent);
        assert!(!tost_ratio_unpaired(&a, &b, percent(2.0), alpha()).expect("a test").equivalent);
    }

    #[test]
    fn a_test_from_summaries_is_the_test_from_values() {
        let a = Replicates::new(vec![99.0, 100.0, 101.5, 100.5]).expect("values");
        // Both means are doubles, so that nothing of them is lost in print.
        let b = Replicates::new(vec![100.0, 101.0, 99.75]).expect("values");
        let printed = |values: &Replicates| Moments::new(values.n(), values.mean(), values.sd()).expect("a summary");
        let from_values = tost_unpaired(&a, &b, margin(3.0), alpha());
        assert_eq!(from_values, tost_unpaired(printed(&a), printed(&b), margin(3.0), alpha()));
        let from_values = tost_ratio_unpaired(&a, &b, percent(3.0), alpha());
        assert_eq!(from_values, tost_ratio_unpaired(printed(&a), printed(&b), percent(3.0), alpha()));
    }

    #[test]
    fn a_baseline_with_errors_of_its_own_makes_the_relative_claim_harder() {
        // The margin of the known baseline is 3 % of 100, the limits of the ratio move with it.
        let a = Moments::new(6, 101.0, 1.2).expect("a summary");
        let b = Moments::new(6, 100.0, 1.2).expect("a summary");
        let known = tost_unpaired(a, b, Margin::percent_of_mean(100.0, 3.0).expect("a margin"), alpha());
        let ratio = tost_ratio_unpaired(a, b, percent(3.0), alpha()).expect("a test");
        assert!(ratio.p > known.expect("a test").p, "{ratio:?}");
        assert_eq!(ratio.ratio, 1.01);
    }

    #[test]
    fn the_sign_of_both_means_does_not_change_the_answer() {
        let a = Moments::new(6, 101.0, 1.2).expect("a summary");
        let b = Moments::new(5, 100.0, 0.7).expect("a summary");
        let turned = |m: Moments| Moments::new(m.n(), -m.mean(), m.sd()).expect("a summary");
        let plain = tost_ratio_unpaired(a, b, percent(2.0), alpha()).expect("a test");
        assert_eq!(plain, tost_ratio_unpaired(turned(a), turned(b), percent(2.0), alpha()).expect("a test"));
    }

    #[test]
    fn what_has_no_ratio_or_no_spread_is_refused() {
        let zero = Moments::new(3, 0.0, 1.0).expect("a summary");
        let some = Moments::new(3, 5.0, 1.0).expect("a summary");
        let refused = tost_ratio_unpaired(some, zero, percent(3.0), alpha());
        assert!(matches!(refused, Err(Error::ZeroBaseline { .. })));
        let half = Alpha::new(0.5).expect("a level");
        assert!(matches!(tost_ratio_unpaired(some, some, percent(3.0), half), Err(Error::OutOfRange { .. })));
        for bad in [0.0, 100.0, -3.0, f64::NAN] {
            assert!(RatioMargin::percent(bad).is_err(), "{bad}");
        }
        let pair = Pairs::new(vec![2.0, 3.0], vec![1.0, 2.0]).expect("pairs");
        assert!(matches!(tost_paired(&pair, margin(3.0), alpha()), Err(Error::ZeroSpread { .. })));
    }
}
