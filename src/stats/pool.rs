//! One effect from several segments.
//!
//! Effects are formed within a segment (one host, boot, device and binary), where launches can be compared, and only
//! then brought together.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::{finite, sum};
use super::compare::Effect;
use super::distribution::chi_square_sf;
use super::error::Error;
use super::probability::PValue;

const COMPUTING: &str = "a pooled effect";

/// Effects of several segments, as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pooled {
    /// The pooled difference, its standard error and degrees of freedom.
    pub effect: Effect,
    /// Each segment's share in it, in the order given; they add up to 1.
    pub weights: Vec<f64>,
    /// Whether the segments agree; absent for a single segment.
    pub heterogeneity: Option<Heterogeneity>,
}

/// Cochran's test that all segments share one true difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Heterogeneity {
    /// `Q = sum ((difference_i - pooled) / se_i)^2`.
    pub q: f64,
    /// Segments minus 1.
    pub df: u32,
    /// p-value of `q` as chi-square. With few launches per segment it rejects too readily: the standard errors are
    /// estimates, and chi-square takes them as known.
    pub p: PValue,
}

/// Pools effects with the inverse of their variances as weights (fixed-effect model: one true difference for all
/// segments; W. G. Cochran, "The combination of estimates from different experiments", Biometrics 10, 1954).
///
/// `w_i = 1/se_i^2`, difference `sum w_i d_i / sum w_i`, standard error `1/sqrt(sum w_i)`, and with the shares
/// `f_i = w_i / sum w` the degrees of freedom `1 / sum(f_i^2 / df_i)` of Welch and Satterthwaite for
/// `sum f_i^2 se_i^2` (F. E. Satterthwaite, "An approximate distribution of estimates of variance components",
/// Biometrics Bulletin 2, 1946). A single effect comes back unchanged, apart from rounding.
///
/// The weights count as known although they are estimates, so with a few launches per segment the standard error is
/// somewhat too small. Agreement of the segments is reported, not assumed: read `heterogeneity` first.
///
/// # Errors
/// [`Error::TooFew`] without effects; [`Error::Overflow`] beyond the doubles.
pub fn pool(effects: &[Effect]) -> Result<Pooled, Error> {
    let smallest = effects.iter().map(Effect::se).fold(f64::INFINITY, f64::min);
    if effects.is_empty() {
        return Err(Error::TooFew {
            computing: COMPUTING,
            needed: 1,
            of: "effects",
            found: 0,
            hint: "no segment compared both lanes",
        });
    }
    // Relative to the most precise effect, so that no square leaves the doubles; that one's weight is 1.
    let relative: Vec<f64> = effects.iter().map(|effect| (smallest / effect.se()) * (smallest / effect.se())).collect();
    let total = sum(relative.iter().copied());
    let weights: Vec<f64> = relative.iter().map(|weight| weight / total).collect();
    let weighted = || weights.iter().zip(effects);
    let difference = finite(sum(weighted().map(|(weight, effect)| weight * effect.difference())), COMPUTING)?;
    let df = 1.0 / sum(weighted().map(|(weight, effect)| weight * weight / effect.df()));
    let se = smallest / total.sqrt();
    if se == 0.0 {
        return Err(Error::Underflow { computing: COMPUTING });
    }
    let effect = Effect::new(difference, se, finite(df, COMPUTING)?)?;
    Ok(Pooled { effect, weights, heterogeneity: heterogeneity(effects, difference)? })
}

/// Cochran's Q over two effects or more.
fn heterogeneity(effects: &[Effect], pooled: f64) -> Result<Option<Heterogeneity>, Error> {
    const COMPUTING: &str = "the heterogeneity of segments";
    let too_many = || Error::OutOfRange {
        computing: COMPUTING,
        parameter: "the number of effects",
        found: effects.len() as f64,
        range: "below 2^32",
        hint: "pool per segment, not per row",
    };
    let Some(df) = NonZeroU32::new(u32::try_from(effects.len() - 1).map_err(|_| too_many())?) else {
        return Ok(None);
    };
    let distance = |effect: &Effect| (effect.difference() - pooled) / effect.se();
    let q = finite(sum(effects.iter().map(|effect| distance(effect) * distance(effect))), COMPUTING)?;
    let p = PValue::rounded(chi_square_sf(q, df)?)?;
    Ok(Some(Heterogeneity { q, df: df.get(), p }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(difference: f64, se: f64, df: f64) -> Effect {
        Effect::new(difference, se, df).expect("an effect")
    }

    #[test]
    fn equal_precision_pools_to_the_plain_mean_and_adds_the_degrees_of_freedom() {
        let pooled = pool(&[effect(1.0, 2.0, 4.0), effect(3.0, 2.0, 4.0)]).expect("effects");
        assert_eq!((pooled.effect.difference(), pooled.effect.df()), (2.0, 8.0));
        assert!((pooled.effect.se() - 2.0_f64.sqrt()).abs() < 1e-15);
        assert_eq!(pooled.weights, [0.5, 0.5]);
        let agreement = pooled.heterogeneity.expect("two segments");
        assert_eq!((agreement.q, agreement.df), (0.5, 1));
        // Chi-square with one degree of freedom is a squared normal: P(|Z| > sqrt 0.5).
        assert!((agreement.p.get() - 0.479_500_122_186_953_5).abs() < 1e-14);
    }

    #[test]
    fn a_precise_segment_outweighs_a_vague_one() {
        let pooled = pool(&[effect(1.0, 0.1, 4.0), effect(100.0, 1.0, 4.0)]).expect("effects");
        assert!((pooled.effect.difference() - 1.0 - 99.0 / 101.0).abs() < 1e-12);
        assert!(pooled.heterogeneity.expect("two segments").p.get() < 1e-10);
    }

    #[test]
    fn a_single_segment_is_its_own_pool_and_none_is_refused() {
        let single = effect(1.5, 0.25, 3.5);
        let pooled = pool(&[single]).expect("an effect");
        assert_eq!((pooled.effect, pooled.heterogeneity), (single, None));
        assert!(matches!(pool(&[]), Err(Error::TooFew { found: 0, .. })));
    }

    #[test]
    fn standard_errors_at_both_ends_of_the_doubles_pool_without_overflow() {
        let pooled = pool(&[effect(1.0, 1e-200, 3.0), effect(1.0, 1e200, 3.0)]).expect("effects");
        assert_eq!((pooled.effect.difference(), pooled.effect.se(), pooled.effect.df()), (1.0, 1e-200, 3.0));
        assert!(matches!(pool(&[effect(1.0, 1e-300, 3.0), effect(9.0, 1.0, 3.0)]), Ok(_)));
        assert!(matches!(
            pool(&[effect(1e200, 1e-200, 3.0), effect(-1e200, 1e-200, 3.0)]),
            Err(Error::Overflow { .. })
        ));
    }
}
