//! Two samples: their difference, whether it is there, how large it is, and whether it is negligible.
//!
//! Everything after [`welch`] takes an [`Effect`], so that what holds for one segment holds for effects pooled over
//! several. The sign of every difference is a minus b.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::distribution::{MIN_DF, ln_student_t_sf, student_t_sf, student_t_upper_quantile};
use super::error::Error;
use super::interval::Interval;
use super::moments::Moments;
use super::p_value::PValue;
use super::probability::{Alpha, Confidence};
use super::sample::Sample;

/// A difference of means with its standard error and that error's degrees of freedom.
///
/// The standard error is a positive number: a difference without one cannot be tested and has no `Effect`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawEffect")]
pub struct Effect {
    difference: f64,
    se: f64,
    df: f64,
}

/// An effect as it is written, before its numbers are checked.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Effect")]
struct RawEffect {
    difference: f64,
    se: f64,
    df: f64,
}

impl TryFrom<RawEffect> for Effect {
    type Error = Error;

    fn try_from(RawEffect { difference, se, df }: RawEffect) -> Result<Self, Error> {
        Self::new(difference, se, df)
    }
}

impl Effect {
    /// Checks the three numbers.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless the difference is finite, the standard error positive, finite and not subnormal
    /// (where a double has lost its digits), and the degrees of freedom finite and at least 0.5.
    pub fn new(difference: f64, se: f64, df: f64) -> Result<Self, Error> {
        let checks = [
            ("the difference", difference, difference.is_finite(), "finite"),
            ("its standard error", se, se > 0.0 && se.is_normal(), "positive, finite and not subnormal"),
            ("the degrees of freedom", df, df >= MIN_DF && df.is_finite(), "at least 0.5 and finite"),
        ];
        for (parameter, found, within, range) in checks {
            if !within {
                let hint = "an effect without a standard error cannot be tested";
                return Err(Error::OutOfRange { computing: "an effect", parameter, found, range, hint });
            }
        }
        Ok(Self { difference, se, df })
    }

    /// Mean of a minus mean of b, in the unit of the samples.
    pub fn difference(&self) -> f64 {
        self.difference
    }

    /// The difference's standard error.
    pub fn se(&self) -> f64 {
        self.se
    }

    /// Degrees of freedom of the standard error.
    pub fn df(&self) -> f64 {
        self.df
    }
}

/// Welch's two-sample t test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Welch {
    /// Values in a.
    pub n_a: usize,
    /// Values in b.
    pub n_b: usize,
    /// Mean of a.
    pub mean_a: f64,
    /// Mean of b.
    pub mean_b: f64,
    /// `mean_a - mean_b` with its standard error and degrees of freedom.
    pub effect: Effect,
    /// The test that the difference is 0.
    pub test: DifferenceTest,
}

/// The two-sided t test that a difference is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DifferenceTest {
    /// Difference over standard error; its sign is that of a minus b.
    pub t: f64,
    /// Degrees of freedom, in general no whole number.
    pub df: f64,
    /// Two-sided p-value.
    pub p: PValue,
}

/// Compares two means without assuming equal variances (B. L. Welch, "The generalization of Student's problem when
/// several different population variances are involved", Biometrika 34, 1947).
///
/// `se^2 = sd_a^2/n_a + sd_b^2/n_b`, `df = se^4 / (sd_a^4/(n_a^2 (n_a-1)) + sd_b^4/(n_b^2 (n_b-1)))`. One sample may
/// be constant: the other's spread then carries the test.
///
/// # Errors
/// [`Error::ZeroSpread`] if both samples are constant; [`Error::Overflow`] or [`Error::Underflow`] beyond the doubles.
pub fn welch(a: impl Into<Moments>, b: impl Into<Moments>) -> Result<Welch, Error> {
    let (a, b) = (a.into(), b.into());
    let effect = welch_effect(a, b)?;
    let test = difference_test(&effect)?;
    Ok(Welch { n_a: a.n(), n_b: b.n(), mean_a: a.mean(), mean_b: b.mean(), effect, test })
}

/// The effect of [`welch`] without its test.
///
/// # Errors
/// Those of [`welch`].
pub fn welch_effect(a: impl Into<Moments>, b: impl Into<Moments>) -> Result<Effect, Error> {
    const COMPUTING: &str = "Welch's t test";
    let (a, b) = (a.into(), b.into());
    Moments::either_spread(a, b, COMPUTING)?;
    let (se, df) = welch_error((a.standard_error(), a.df()), (b.standard_error(), b.df()))?;
    Effect::new(finite(a.mean_above(&b), COMPUTING)?, se, df)
}

/// The standard error of a sum of two independent parts, and its degrees of freedom after Welch and Satterthwaite; each part
/// has a standard error and degrees of freedom of its own.
///
/// # Errors
/// [`Error::Overflow`] or [`Error::Underflow`] beyond the doubles.
pub(super) fn welch_error((se_a, df_a): (f64, f64), (se_b, df_b): (f64, f64)) -> Result<(f64, f64), Error> {
    const COMPUTING: &str = "Welch's t test";
    let se = finite(libm::hypot(se_a, se_b), COMPUTING)?;
    if !se.is_normal() {
        return Err(Error::Underflow { computing: COMPUTING });
    }
    // As shares of the whole variance, so that no fourth power leaves the doubles.
    let share_a = (se_a / se) * (se_a / se);
    let share_b = (se_b / se) * (se_b / se);
    let df = 1.0 / (share_a * share_a / df_a + share_b * share_b / df_b);
    Ok((se, finite(df, COMPUTING)?))
}

/// Tests that a difference is 0.
///
/// # Errors
/// [`Error::Overflow`] if the difference is more standard errors than a double can hold.
pub fn difference_test(effect: &Effect) -> Result<DifferenceTest, Error> {
    let t = finite(effect.difference / effect.se, "a t test")?;
    let p = student_p(2.0, t.abs(), effect.df)?;
    Ok(DifferenceTest { t, df: effect.df, p })
}

/// `sides` times the probability that a t variable exceeds `t`; its logarithm where that is below the doubles.
pub(super) fn student_p(sides: f64, t: f64, df: f64) -> Result<PValue, Error> {
    let tail = student_t_sf(t, df)?;
    PValue::of_tail(sides * tail, || libm::log(sides) + ln_student_t_sf(t, df))
}

/// Student interval of a difference: `difference ± t se`.
///
/// # Errors
/// [`Error::Overflow`] if an end is beyond the doubles.
pub fn difference_interval(effect: &Effect, confidence: Confidence) -> Result<Interval, Error> {
    let quantile = student_t_upper_quantile(confidence.tail(), effect.df)?;
    Interval::around(effect.difference, effect.se, quantile, confidence, "an interval of a difference")
}

/// Cohen's d: a difference of means in units of the pooled standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CohenD {
    /// `(mean_a - mean_b) / pooled_sd`.
    pub d: f64,
    /// Square root of the variances' mean, weighted by n - 1; in the unit of the samples.
    pub pooled_sd: f64,
}

/// Cohen's d with the pooled standard deviation (J. Cohen, "Statistical Power Analysis for the Behavioral Sciences",
/// 2nd ed. 1988, section 2.5.1).
///
/// # Errors
/// [`Error::ZeroSpread`] if both samples are constant; [`Error::Overflow`] or [`Error::Underflow`] beyond the doubles.
pub fn cohen_d(a: impl Into<Moments>, b: impl Into<Moments>) -> Result<CohenD, Error> {
    const COMPUTING: &str = "Cohen's d";
    let (a, b) = (a.into(), b.into());
    let pooled_sd = pooled_sd(a, b, COMPUTING)?;
    let difference = finite(a.mean_above(&b), COMPUTING)?;
    Ok(CohenD { d: finite(difference / pooled_sd, COMPUTING)?, pooled_sd })
}

/// `sqrt(((n_a - 1) sd_a^2 + (n_b - 1) sd_b^2) / (n_a + n_b - 2))`; positive and finite.
pub(super) fn pooled_sd(a: Moments, b: Moments, computing: &'static str) -> Result<f64, Error> {
    Moments::either_spread(a, b, computing)?;
    let df = a.df() + b.df();
    let pooled = finite(libm::hypot(a.sd() * (a.df() / df).sqrt(), b.sd() * (b.df() / df).sqrt()), computing)?;
    if !pooled.is_normal() { Err(Error::Underflow { computing }) } else { Ok(pooled) }
}

/// How large a difference may be and still count as none, in the unit of the samples. Positive and finite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
pub struct Margin(f64);

impl Margin {
    /// A margin in the unit of the samples.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless `value` is positive and finite.
    pub fn absolute(value: f64) -> Result<Self, Error> {
        if value > 0.0 && value.is_finite() {
            return Ok(Self(value));
        }
        Err(Error::OutOfRange {
            computing: "an equivalence margin",
            parameter: "the margin",
            found: value,
            range: "positive and finite",
            hint: "no finite number of values shows that a difference is exactly 0; state what is negligible",
        })
    }

    /// A margin of `percent` of the baseline's mean; 3.0 stands for ±3 %.
    ///
    /// The baseline's mean is taken as known: its own error is not carried into the margin.
    ///
    /// # Errors
    /// [`Error::ZeroBaseline`] for a mean of 0, else as [`Margin::absolute`].
    pub fn percent_of(baseline: &Sample, percent: f64) -> Result<Self, Error> {
        Self::percent_of_mean(baseline.mean(), percent)
    }

    /// [`Margin::percent_of`] a baseline of which only the mean is known.
    ///
    /// # Errors
    /// Those of [`Margin::percent_of`].
    pub fn percent_of_mean(mean: f64, percent: f64) -> Result<Self, Error> {
        if mean == 0.0 {
            return Err(Error::ZeroBaseline { computing: "an equivalence margin" });
        }
        Self::absolute(percent / 100.0 * mean.abs())
    }

    /// The number itself.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Margin {
    type Error = Error;

    fn try_from(value: f64) -> Result<Self, Error> {
        Self::absolute(value)
    }
}

impl From<Margin> for f64 {
    fn from(value: Margin) -> f64 {
        value.0
    }
}

/// Two one-sided tests for equivalence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tost {
    /// The margin, in the unit of the samples.
    pub margin: Margin,
    /// The level at which equivalence is claimed.
    pub alpha: Alpha,
    /// p-value against a difference of -margin or below.
    pub p_lower: PValue,
    /// p-value against a difference of +margin or above.
    pub p_upper: PValue,
    /// The larger of both, which is the p-value of the equivalence claim.
    pub p: PValue,
    /// Whether `p < alpha`: both one-sided tests reject.
    pub equivalent: bool,
    /// The interval at confidence `1 - 2 alpha`, which lies inside the margins exactly if equivalence is shown.
    pub interval: Interval,
}

/// Tests whether a difference lies within ±margin (D. J. Schuirmann, "A comparison of the two one-sided tests
/// procedure and the power approach for assessing the equivalence of average bioavailability", Journal of
/// Pharmacokinetics and Biopharmaceutics 15, 1987).
///
/// Not being equivalent is not being different: with few launches both this test and [`difference_test`] may fail to
/// reject, which means that nothing could be told.
///
/// # Errors
/// [`Error::OutOfRange`] unless `alpha < 0.5`; [`Error::Overflow`] beyond the doubles.
pub fn tost(effect: &Effect, margin: Margin, alpha: Alpha) -> Result<Tost, Error> {
    tost_by(effect, margin, alpha, |df| student_t_upper_quantile(alpha.get(), df))
}

/// [`tost`] with a quantile for its interval by degrees of freedom.
pub(super) fn tost_by(
    effect: &Effect,
    margin: Margin,
    alpha: Alpha,
    quantile: impl Fn(f64) -> Result<f64, Error>,
) -> Result<Tost, Error> {
    const COMPUTING: &str = "an equivalence test";
    check_equivalence_level(alpha, COMPUTING)?;
    let above_lower = finite((effect.difference + margin.get()) / effect.se, COMPUTING)?;
    let above_upper = finite((effect.difference - margin.get()) / effect.se, COMPUTING)?;
    let p_lower = student_p(1.0, above_lower, effect.df)?;
    let p_upper = student_p(1.0, -above_upper, effect.df)?;
    let p = if p_lower > p_upper { p_lower } else { p_upper };
    let reach = finite(quantile(effect.df)? * effect.se, COMPUTING)?;
    let interval = Interval {
        estimate: effect.difference,
        low: finite(effect.difference - reach, COMPUTING)?,
        high: finite(effect.difference + reach, COMPUTING)?,
        confidence: Confidence::new(1.0 - 2.0 * alpha.get())?,
    };
    Ok(Tost { margin, alpha, p_lower, p_upper, p, equivalent: p.is_below(alpha), interval })
}

/// Refuses a level at which the interval of confidence `1 - 2 alpha` is none.
pub(super) fn check_equivalence_level(alpha: Alpha, computing: &'static str) -> Result<(), Error> {
    if alpha.get() < 0.5 {
        return Ok(());
    }
    let (parameter, range, hint) = ("alpha", "below 0.5", "0.05 is usual");
    Err(Error::OutOfRange { computing, parameter, found: alpha.get(), range, hint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{EqualValues, Replicates};

    fn replicates(values: &[f64]) -> Replicates {
        Replicates::new(values).expect("usable values")
    }

    fn alpha(value: f64) -> Alpha {
        Alpha::new(value).expect("a level")
    }

    #[test]
    fn two_constant_samples_are_refused_with_both_their_values() {
        let (a, b) = (replicates(&[3.0; 4]), replicates(&[5.0; 3]));
        let expected = EqualValues::Two(3.0, 5.0);
        assert_eq!(welch(&a, &b), Err(Error::ZeroSpread { computing: "Welch's t test", values: expected }));
        assert_eq!(cohen_d(&a, &b), Err(Error::ZeroSpread { computing: "Cohen's d", values: expected }));
    }

    #[test]
    fn one_constant_sample_leaves_the_test_to_the_other() {
        let (a, b) = (replicates(&[3.0; 4]), replicates(&[1.0, 2.0, 3.0]));
        let result = welch(&a, &b).expect("b has spread");
        assert_eq!(result.effect.df(), 2.0);
        assert_eq!(result.effect.se(), b.standard_error());
        assert_eq!(result.effect.difference(), 1.0);
    }

    #[test]
    fn signs_are_those_of_a_minus_b() {
        let (slow, fast) = (replicates(&[10.0, 11.0, 12.0]), replicates(&[5.0, 6.0, 7.0]));
        assert!(welch(&slow, &fast).expect("a test").test.t > 0.0);
        assert_eq!(cohen_d(&slow, &fast).expect("an effect size").d, 5.0);
        assert_eq!(cohen_d(&fast, &slow).expect("an effect size").d, -5.0);
    }

    #[test]
    fn equal_means_are_equivalent_within_a_wide_margin_and_not_within_a_narrow_one() {
        let (a, b) = (replicates(&[9.9, 10.0, 10.1]), replicates(&[9.9, 10.0, 10.1]));
        let effect = welch(&a, &b).expect("a test").effect;
        let wide = tost(&effect, Margin::percent_of(a.sample(), 5.0).expect("a margin"), alpha(0.05)).expect("a test");
        assert!(wide.equivalent && wide.interval.high < wide.margin.get());
        let narrow = tost(&effect, Margin::absolute(0.01).expect("a margin"), alpha(0.05)).expect("a test");
        assert!(!narrow.equivalent && narrow.interval.high > narrow.margin.get());
        assert_eq!(difference_test(&effect).expect("a test").p.get(), 1.0);
    }

    #[test]
    fn a_margin_is_taken_from_the_size_of_the_baseline_and_never_from_zero() {
        let negative = Sample::new(vec![-200.0]).expect("a value");
        assert_eq!(Margin::percent_of(&negative, 3.0).map(Margin::get), Ok(6.0));
        let zero = Sample::new(vec![0.0]).expect("a value");
        assert!(matches!(Margin::percent_of(&zero, 3.0), Err(Error::ZeroBaseline { .. })));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Margin::absolute(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_effect_without_a_usable_standard_error_does_not_exist() {
        for (difference, se, df) in [(f64::NAN, 1.0, 1.0), (0.0, 0.0, 1.0), (0.0, f64::INFINITY, 1.0), (0.0, 1.0, 0.0)]
        {
            assert!(Effect::new(difference, se, df).is_err(), "{difference} {se} {df}");
        }
        assert!(serde_json::from_str::<Effect>(r#"{"difference": 1, "se": 0, "df": 3}"#).is_err());
    }

    #[test]
    fn an_equivalence_level_of_one_half_is_refused() {
        let effect = Effect::new(0.0, 1.0, 5.0).expect("an effect");
        assert!(tost(&effect, Margin::absolute(1.0).expect("a margin"), alpha(0.5)).is_err());
    }

    #[test]
    fn a_t_statistic_beyond_the_doubles_is_an_error_and_not_a_verdict() {
        let effect = Effect::new(1e300, 1e-300, 5.0).expect("an effect");
        assert!(matches!(difference_test(&effect), Err(Error::Overflow { .. })));
    }
}
