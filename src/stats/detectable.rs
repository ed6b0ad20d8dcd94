//! Minimal detectable effects of many comparisons at once.

use super::arithmetic::finite;
use super::compare::Effect;
use super::error::Error;
use super::over_df::OverDf;
use super::power::detectable_noncentrality;
use super::probability::{Alpha, Power};

/// [`super::detectable_difference`] of each effect, in the order given.
///
/// What a test of a given level and power detects, in standard errors, depends on its degrees of freedom alone. Where
/// many effects lie near each other it is interpolated between a few of them, and right to 1e-11.
///
/// # Errors
/// Those of [`super::detectable_difference`] for one of the effects.
pub fn detectable_differences(effects: &[Effect], alpha: Alpha, power: Power) -> Result<Vec<f64>, Error> {
    let noncentrality = |df| detectable_noncentrality(df, alpha, power);
    let noncentrality = OverDf::of(noncentrality, effects.iter().map(Effect::df))?;
    let difference =
        |effect: &Effect| finite(noncentrality.at(effect.df())? * effect.se(), "a minimal detectable effect");
    effects.iter().map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::super::power::detectable_difference;
    use super::*;

    #[test]
    fn many_effects_are_detected_at_the_differences_at_which_each_alone_is() {
        for (alpha, power) in [(0.05, 0.8), (0.001, 0.95)] {
            let (alpha, power) = (Alpha::new(alpha).expect("a level"), Power::new(power).expect("a power"));
            for first in [0.5, 2.0, 4.0, 64.0, 1e6] {
                let dfs = (0..40).map(|step| first * (1.0 + f64::from(step) / 40.0));
                let effects: Vec<Effect> = dfs.map(|df| Effect::new(1.0, 0.25, df).expect("an effect")).collect();
                let together = detectable_differences(&effects, alpha, power).expect("differences");
                for (effect, together) in effects.iter().zip(together) {
                    let alone = detectable_difference(effect, alpha, power).expect("a difference");
                    assert!((together / alone - 1.0).abs() < 1e-11, "{effect:?}: {together} {alone}");
                }
            }
        }
    }

    #[test]
    fn a_few_effects_are_each_computed_alone() {
        let (alpha, power) = (Alpha::new(0.05).expect("a level"), Power::new(0.8).expect("a power"));
        let effect = Effect::new(1.0, 0.25, 4.3).expect("an effect");
        let alone = detectable_difference(&effect, alpha, power).expect("a difference");
        assert_eq!(detectable_differences(&[effect; 3], alpha, power), Ok(vec![alone; 3]));
        assert_eq!(detectable_differences(&[], alpha, power), Ok(Vec::new()));
    }
}
