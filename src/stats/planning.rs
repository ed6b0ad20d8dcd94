//! Before anything is measured: what power a design has, and how many launches would settle a question.
//!
//! Effects and margins are in standard deviations of one value (unpaired) or of one difference (paired).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compare::Margin;
use super::distribution::{between_bounds, student_t_upper_quantile};
use super::error::Error;
use super::power::{detectable_noncentrality, power_at};
use super::probability::{Alpha, Power};

/// The most launches of a side that a plan is searched for.
const MOST: u64 = 1_000_000;

/// Whether both sides are launched by themselves or each launch has a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Two independent samples, compared with the pooled variance.
    Unpaired,
    /// One sample of differences, or one sample against a fixed value.
    Paired,
}

/// How many values a comparison has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// Two independent samples, compared with the pooled variance.
    Unpaired {
        /// Values in a.
        n_a: u64,
        /// Values in b.
        n_b: u64,
    },
    /// One sample of differences, or one sample against a fixed value.
    Paired {
        /// Pairs, or values.
        n: u64,
    },
}

impl Design {
    /// As many launches of each side.
    fn of(pairing: Pairing, n: u64) -> Self {
        match pairing {
            Pairing::Unpaired => Design::Unpaired { n_a: n, n_b: n },
            Pairing::Paired => Design::Paired { n },
        }
    }

    /// The standard error in standard deviations, and its degrees of freedom.
    pub(super) fn error(self, computing: &'static str) -> Result<(f64, f64), Error> {
        let (fewest, se, df) = match self {
            Design::Unpaired { n_a, n_b } => {
                let (a, b) = (n_a as f64, n_b as f64);
                (n_a.min(n_b), (1.0 / a + 1.0 / b).sqrt(), a + b - 2.0)
            }
            Design::Paired { n } => (n, 1.0 / (n as f64).sqrt(), n as f64 - 1.0),
        };
        if fewest < 2 {
            let hint = "launch each lane at least twice";
            return Err(Error::TooFew { computing, needed: 2, of: "values on each side", found: fewest, hint });
        }
        Ok((se, df))
    }
}

/// Power of the two-sided t test for a true effect of `d` standard deviations.
///
/// `P(|T| > t)` for the noncentral t with noncentrality `d / se`, both rejection regions counted (J. Cohen, "Statistical
/// Power Analysis for the Behavioral Sciences", 2nd ed. 1988, chapter 2).
///
/// # Errors
/// [`Error::TooFew`] below 2 values a side; [`Error::OutOfRange`] for an effect or a level beyond the noncentral t's
/// domain.
pub fn power_of_difference(design: Design, d: f64, alpha: Alpha) -> Result<f64, Error> {
    let (se, df) = design.error("the power of a test for a difference")?;
    let critical = student_t_upper_quantile(alpha.get() / 2.0, df)?;
    power_at(d / se, df, critical)
}

/// The smallest effect that the two-sided t test detects with the given power, in standard deviations. For two samples
/// the same as [`super::mde`].
///
/// # Errors
/// Those of [`super::mde`].
pub fn detectable_d(design: Design, alpha: Alpha, power: Power) -> Result<f64, Error> {
    let (se, df) = design.error("a minimal detectable effect")?;
    Ok(detectable_noncentrality(df, alpha, power)? * se)
}

/// Power of the two one-sided t tests for equivalence within ±`margin` for a true effect of `d`, all in standard
/// deviations; exact, from the joint distribution of both statistics over their common standard error.
///
/// # Errors
/// [`Error::TooFew`] below 2 values a side; [`Error::OutOfRange`] unless `d` is finite and `alpha < 0.5`.
pub fn power_of_equivalence(design: Design, d: f64, margin: Margin, alpha: Alpha) -> Result<f64, Error> {
    const COMPUTING: &str = "the power of a test for equivalence";
    let (se, df) = design.error(COMPUTING)?;
    let checks = [
        ("the true effect", d, d.is_finite(), "finite", "give it in standard deviations"),
        ("alpha", alpha.get(), alpha.get() < 0.5, "below 0.5", "0.05 is usual"),
    ];
    for (parameter, found, within, range, hint) in checks {
        if !within {
            return Err(Error::OutOfRange { computing: COMPUTING, parameter, found, range, hint });
        }
    }
    let critical = student_t_upper_quantile(alpha.get(), df)?;
    Ok(between_bounds(critical, df, (margin.get() + d) / se, (margin.get() - d) / se))
}

/// The fewest launches of each side (or pairs) with which the two-sided t test detects a true effect of `d` standard
/// deviations with the given power.
///
/// # Errors
/// [`Error::Undefined`] for no effect, which no number of launches shows; [`Error::PowerNotAboveAlpha`];
/// [`Error::OutOfRange`] if a million launches are not enough, or beyond the noncentral t's domain.
pub fn launches_for_difference(pairing: Pairing, d: f64, alpha: Alpha, power: Power) -> Result<u64, Error> {
    const COMPUTING: &str = "the launches that settle a difference";
    if d == 0.0 {
        return Err(Error::Undefined {
            computing: COMPUTING,
            because: "the effect is 0, which no number of launches shows to be a difference",
            hint: "state the smallest effect that matters, or ask for equivalence",
        });
    }
    if power.get() <= alpha.get() {
        return Err(Error::PowerNotAboveAlpha { computing: COMPUTING, power: power.get(), alpha: alpha.get() });
    }
    fewest_launches(power, COMPUTING, d, |n| power_of_difference(Design::of(pairing, n), d, alpha))
}

/// The fewest launches of each side (or pairs) with which a true effect of `d` is shown to be equivalent within
/// ±`margin` with the given power, all in standard deviations.
///
/// # Errors
/// [`Error::Undefined`] unless the effect lies inside the margin, without which no number of launches is enough;
/// [`Error::OutOfRange`] if a million launches are not enough, or for `alpha >= 0.5`.
pub fn launches_for_equivalence(
    pairing: Pairing,
    d: f64,
    margin: Margin,
    alpha: Alpha,
    power: Power,
) -> Result<u64, Error> {
    const COMPUTING: &str = "the launches that settle an equivalence";
    if d.abs() >= margin.get() {
        return Err(Error::Undefined {
            computing: COMPUTING,
            because: "the effect does not lie inside the margin, so no number of launches shows equivalence",
            hint: "widen the margin, or ask for a difference",
        });
    }
    fewest_launches(power, COMPUTING, d, |n| power_of_equivalence(Design::of(pairing, n), d, margin, alpha))
}

/// The smallest n from 2 on with enough power, which rises with n: by doubling, then by bisection.
fn fewest_launches(
    power: Power,
    computing: &'static str,
    d: f64,
    power_with: impl Fn(u64) -> Result<f64, Error>,
) -> Result<u64, Error> {
    let (mut short, mut enough) = (1, 2);
    while power_with(enough)? < power.get() {
        if enough == MOST {
            return Err(Error::OutOfRange {
                computing,
                parameter: "the effect",
                found: d,
                range: "one that a million launches can settle",
                hint: "state a larger effect or margin, or measure with less scatter",
            });
        }
        (short, enough) = (enough, (2 * enough).min(MOST));
    }
    while enough - short > 1 {
        let middle = short + (enough - short) / 2;
        if power_with(middle)? < power.get() {
            short = middle;
        } else {
            enough = middle;
        }
    }
    Ok(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(alpha: f64, power: f64) -> (Alpha, Power) {
        (Alpha::new(alpha).expect("a level"), Power::new(power).expect("a power"))
    }

    #[test]
    fn launches_are_the_first_number_with_enough_power() {
        let (alpha, power) = levels(0.05, 0.8);
        let margin = Margin::absolute(1.0).expect("a margin");
        for pairing in [Pairing::Unpaired, Pairing::Paired] {
            let n = launches_for_difference(pairing, 0.5, alpha, power).expect("a number");
            let with = |n| power_of_difference(Design::of(pairing, n), 0.5, alpha).expect("a power");
            assert!(with(n) >= 0.8 && with(n - 1) < 0.8, "{pairing:?} {n}");
            let n = launches_for_equivalence(pairing, 0.2, margin, alpha, power).expect("a number");
            let with = |n| power_of_equivalence(Design::of(pairing, n), 0.2, margin, alpha).expect("a power");
            assert!(with(n) >= 0.8 && with(n - 1) < 0.8, "{pairing:?} {n}");
        }
        // Cohen's table: 64 a side for a medium effect.
        assert_eq!(launches_for_difference(Pairing::Unpaired, 0.5, alpha, power), Ok(64));
    }

    #[test]
    fn a_detectable_effect_is_detected_with_the_power_asked_for() {
        let (alpha, power) = levels(0.05, 0.8);
        for design in [Design::Unpaired { n_a: 3, n_b: 11 }, Design::Paired { n: 2 }, Design::Paired { n: 40 }] {
            let d = detectable_d(design, alpha, power).expect("an effect");
            let reached = power_of_difference(design, d, alpha).expect("a power");
            assert!((reached - 0.8).abs() < 1e-12, "{design:?} {d} {reached}");
        }
        let known = crate::stats::mde(3, 11, alpha, power).expect("an effect").d;
        assert_eq!(detectable_d(Design::Unpaired { n_a: 3, n_b: 11 }, alpha, power), Ok(known));
    }

    #[test]
    fn what_no_number_of_launches_settles_is_refused() {
        let (alpha, power) = levels(0.05, 0.8);
        let margin = Margin::absolute(0.5).expect("a margin");
        assert!(matches!(launches_for_difference(Pairing::Paired, 0.0, alpha, power), Err(Error::Undefined { .. })));
        for d in [0.5, -0.7] {
            let found = launches_for_equivalence(Pairing::Unpaired, d, margin, alpha, power);
            assert!(matches!(found, Err(Error::Undefined { .. })), "{d}");
        }
        assert!(matches!(launches_for_difference(Pairing::Paired, 1e-9, alpha, power), Err(Error::OutOfRange { .. })));
        assert!(matches!(
            power_of_difference(Design::Paired { n: 1 }, 1.0, alpha),
            Err(Error::TooFew { needed: 2, found: 1, .. })
        ));
        assert!(power_of_equivalence(Design::Paired { n: 5 }, f64::NAN, margin, alpha).is_err());
        assert!(power_of_equivalence(Design::Paired { n: 5 }, 0.0, margin, levels(0.5, 0.8).0).is_err());
    }
}
