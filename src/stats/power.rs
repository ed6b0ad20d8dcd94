//! What a test could have seen: minimal detectable effects.
//!
//! "No difference was found" says nothing without these: it has to be read as "nothing as large as this".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::compare::{Effect, pooled_sd};
use super::distribution::{noncentral_t_cdf, noncentral_t_sf, normal_quantile, student_t_upper_quantile};
use super::error::Error;
use super::probability::{Alpha, Power};
use super::sample::Replicates;

const COMPUTING: &str = "a minimal detectable effect";

/// How exactly a power is met: what the noncentral t itself is good for.
const POWER_RESOLUTION: f64 = 1e-14;

/// The smallest true effect that a two-sided two-sample t test detects with the given power.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mde {
    /// Values in a.
    pub n_a: u64,
    /// Values in b.
    pub n_b: u64,
    /// Significance level of the test.
    pub alpha: Alpha,
    /// Power asked for.
    pub power: Power,
    /// The effect, in standard deviations.
    pub d: f64,
}

/// An [`Mde`] in the unit of the samples it was computed for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MdeBetween {
    /// In standard deviations.
    pub mde: Mde,
    /// The pooled standard deviation of both samples.
    pub pooled_sd: f64,
    /// `d` times the pooled standard deviation: the detectable difference of means.
    pub difference: f64,
}

/// Minimal detectable effect of the two-sided pooled-variance t test with `n_a` and `n_b` values.
///
/// Exact, from the noncentral t distribution with `n_a + n_b - 2` degrees of freedom and noncentrality
/// `d / sqrt(1/n_a + 1/n_b)`, both rejection regions counted (J. Cohen, "Statistical Power Analysis for the Behavioral
/// Sciences", 2nd ed. 1988, chapter 2; the same as statsmodels' `TTestIndPower`).
///
/// # Errors
/// [`Error::TooFew`] unless both sides have at least 2 values; [`Error::PowerNotAboveAlpha`]; [`Error::OutOfRange`] for
/// levels so extreme that the critical value is beyond the noncentral t's domain.
pub fn mde(n_a: u64, n_b: u64, alpha: Alpha, power: Power) -> Result<Mde, Error> {
    let fewer = n_a.min(n_b);
    if fewer < 2 {
        return Err(Error::TooFew {
            computing: COMPUTING,
            needed: 2,
            of: "values on each side",
            found: fewer,
            hint: "launch each lane at least twice",
        });
    }
    let (n_a_real, n_b_real) = (n_a as f64, n_b as f64);
    let noncentrality = detectable_noncentrality(n_a_real + n_b_real - 2.0, alpha, power)?;
    let d = noncentrality * (1.0 / n_a_real + 1.0 / n_b_real).sqrt();
    Ok(Mde { n_a, n_b, alpha, power, d })
}

/// Minimal detectable effect of a comparison of these two samples, also in their unit.
///
/// # Errors
/// Those of [`mde`]; [`Error::ZeroSpread`] if both samples are constant; [`Error::Overflow`] or [`Error::Underflow`]
/// beyond the doubles.
pub fn mde_between(a: &Replicates, b: &Replicates, alpha: Alpha, power: Power) -> Result<MdeBetween, Error> {
    let pooled_sd = pooled_sd(a.into(), b.into(), COMPUTING)?;
    let mde = mde(a.n() as u64, b.n() as u64, alpha, power)?;
    Ok(MdeBetween { mde, pooled_sd, difference: finite(mde.d * pooled_sd, COMPUTING)? })
}

/// The smallest true difference that a two-sided t test of this effect's standard error and degrees of freedom detects
/// with the given power, in the unit of the samples. For effects from Welch's test or pooled over segments.
///
/// # Errors
/// As [`mde`], except that it counts no values; [`Error::Overflow`] beyond the doubles.
pub fn detectable_difference(effect: &Effect, alpha: Alpha, power: Power) -> Result<f64, Error> {
    finite(detectable_noncentrality(effect.df(), alpha, power)? * effect.se(), COMPUTING)
}

/// The true difference in standard errors at which the two-sided test reaches the power.
pub(super) fn detectable_noncentrality(df: f64, alpha: Alpha, power: Power) -> Result<f64, Error> {
    if power.get() <= alpha.get() {
        return Err(Error::PowerNotAboveAlpha { computing: COMPUTING, power: power.get(), alpha: alpha.get() });
    }
    let critical = student_t_upper_quantile(alpha.get() / 2.0, df)?;
    let excess = |noncentrality: f64| Ok(power_at(noncentrality, df, critical)? - power.get());
    // Power rises with the noncentrality, from alpha at 0, which is too little. Without the far side it is nearly that of
    // a normal variable (Abramowitz and Stegun 26.7.10), so a bracket around that is narrow.
    let spread = (1.0 + critical * critical / (2.0 * df)).sqrt();
    let guess = (critical * (1.0 - 0.25 / df) + normal_quantile(power.get())? * spread).max(0.01);
    let mut reach = 0.01 * guess;
    let (mut low, mut high) = ((0.0, alpha.get() - power.get()), (guess, excess(guess)?));
    if high.1 >= 0.0 {
        while low.0 < high.0 - reach {
            let nearer = (high.0 - reach, excess(high.0 - reach)?);
            if nearer.1 < 0.0 {
                low = nearer;
                break;
            }
            (high, reach) = (nearer, 4.0 * reach);
        }
    } else {
        while high.1 < 0.0 {
            low = high;
            high = (low.0 + reach, excess(low.0 + reach)?);
            reach *= 2.0;
        }
    }
    crossing(low, high, excess)
}

/// Where an increasing function crosses 0, between an end at which it is negative and one at which it is not.
///
/// Ends are pairs of argument and value. False position with the Illinois correction (M. Dowell and P. Jarratt, "A
/// modified regula falsi method", BIT 11, 1971), and a bisection every eighth step, so that it ends on any function.
pub(super) fn crossing(
    mut low: (f64, f64),
    mut high: (f64, f64),
    value_at: impl Fn(f64) -> Result<f64, Error>,
) -> Result<f64, Error> {
    let (mut low_weight, mut high_weight) = (low.1, high.1);
    let mut moved_low = None;
    for step in 1..=400_u32 {
        let secant = (low.0 * high_weight - high.0 * low_weight) / (high_weight - low_weight);
        let inside = low.0 < secant && secant < high.0;
        let next = if inside && step % 8 != 0 { secant } else { low.0 + (high.0 - low.0) / 2.0 };
        let value = value_at(next)?;
        if value.abs() <= POWER_RESOLUTION || next <= low.0 || next >= high.0 {
            return Ok(next);
        }
        let moves_low = value < 0.0;
        // An end that stays a second time counts for half, so that it does not stay for long.
        let stays = if moved_low == Some(moves_low) { 0.5 } else { 1.0 };
        if moves_low {
            (low, low_weight, high_weight) = ((next, value), value, high_weight * stays);
        } else {
            (high, high_weight, low_weight) = ((next, value), value, low_weight * stays);
        }
        moved_low = Some(moves_low);
    }
    Ok(high.0)
}

/// Power of the two-sided t test: the noncentral t's probability beyond both critical values.
pub(super) fn power_at(noncentrality: f64, df: f64, critical: f64) -> Result<f64, Error> {
    Ok(noncentral_t_sf(critical, df, noncentrality)? + noncentral_t_cdf(-critical, df, noncentrality)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(alpha: f64, power: f64) -> (Alpha, Power) {
        (Alpha::new(alpha).expect("a level"), Power::new(power).expect("a power"))
    }

    #[test]
    fn the_published_anchors_are_reproduced() {
        // TR147 prints d = 0.23 at n = 300 and 0.52 at n = 60 per arm.
        let (alpha, power) = levels(0.05, 0.8);
        let at = |n| mde(n, n, alpha, power).expect("an effect").d;
        assert_eq!(format!("{:.2} {:.2}", at(300), at(60)), "0.23 0.52");
    }

    #[test]
    fn the_effect_in_data_units_is_d_pooled_standard_deviations() {
        let (alpha, power) = levels(0.05, 0.8);
        let a = Replicates::new(vec![10.0, 12.0, 14.0]).expect("usable values");
        let b = Replicates::new(vec![20.0, 22.0, 24.0]).expect("usable values");
        let between = mde_between(&a, &b, alpha, power).expect("an effect");
        assert_eq!((between.pooled_sd, between.difference), (2.0, 2.0 * between.mde.d));
        // Equal sizes and variances: Welch's standard error and degrees of freedom are the pooled ones.
        let effect = super::super::compare::welch(&a, &b).expect("a test").effect;
        let difference = detectable_difference(&effect, alpha, power).expect("a difference");
        assert!((difference / between.difference - 1.0).abs() < 1e-12, "{difference} {between:?}");
    }

    #[test]
    fn more_values_and_less_power_detect_smaller_effects() {
        let (alpha, power) = levels(0.05, 0.8);
        let at = |n, power| mde(n, n, alpha, power).expect("an effect").d;
        assert!(at(2, power) > at(3, power) && at(3, power) > at(10, power) && at(10, power) > at(5000, power));
        assert!(at(5, levels(0.05, 0.9).1) > at(5, power));
        assert!(at(5, levels(0.05, 0.06).1) > 0.0);
    }

    #[test]
    fn what_has_no_minimal_effect_is_refused() {
        let (alpha, power) = levels(0.05, 0.05);
        assert!(matches!(mde(5, 5, alpha, power), Err(Error::PowerNotAboveAlpha { .. })));
        let (alpha, power) = levels(0.05, 0.8);
        assert!(matches!(mde(1, 5, alpha, power), Err(Error::TooFew { found: 1, .. })));
        let (alpha, power) = levels(1e-300, 0.8);
        assert!(matches!(mde(2, 2, alpha, power), Err(Error::OutOfRange { .. })));
    }
}
