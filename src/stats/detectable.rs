//! Minimal detectable effects of many comparisons at once.
//!
//! What a test of a given level and power detects, in standard errors, depends on its degrees of freedom alone, and
//! smoothly. For many effects it is therefore computed at a few degrees of freedom and interpolated between them.

use std::collections::BTreeMap;
use std::f64::consts::{LN_2, PI};

use super::arithmetic::finite;
use super::compare::Effect;
use super::error::Error;
use super::power::detectable_noncentrality;
use super::probability::{Alpha, Power};

/// Points of an octave; the interpolated number is then right to 1e-11.
const POINTS: usize = 14;

/// The first octave that is interpolated: below two degrees of freedom the quantiles rise too steeply for that.
const FIRST_OCTAVE: i32 = 1;

/// [`super::detectable_difference`] of each effect, in the order given.
///
/// Octaves of degrees of freedom in which more than a few effects lie are interpolated: a polynomial in ln df through
/// the logarithms at Chebyshev's points, in the barycentric form (J.-P. Berrut and L. N. Trefethen, "Barycentric
/// Lagrange interpolation", SIAM Review 46, 2004, section 5). Each of the others is computed by itself.
///
/// # Errors
/// Those of [`super::detectable_difference`], of the first effect that has one.
pub fn detectable_differences(effects: &[Effect], alpha: Alpha, power: Power) -> Result<Vec<f64>, Error> {
    let octave = |effect: &Effect| libm::ilogb(effect.df());
    let mut sizes: BTreeMap<i32, usize> = BTreeMap::new();
    for effect in effects {
        *sizes.entry(octave(effect)).or_insert(0) += 1;
    }
    let mut octaves = BTreeMap::new();
    for (octave, _) in sizes.into_iter().filter(|(octave, size)| *octave >= FIRST_OCTAVE && *size > 2 * POINTS) {
        octaves.insert(octave, Octave::new(octave, alpha, power)?);
    }
    let difference = |effect: &Effect| {
        let noncentrality = match octaves.get(&octave(effect)) {
            Some(octave) => octave.at(effect.df()),
            None => detectable_noncentrality(effect.df(), alpha, power)?,
        };
        finite(noncentrality * effect.se(), "a minimal detectable effect")
    };
    effects.iter().map(difference).collect()
}

/// ln of the noncentrality at Chebyshev's points of the octave from `2^n` degrees of freedom to twice as many.
struct Octave {
    points: [Point; POINTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Point {
    ln_df: f64,
    weight: f64,
    ln_noncentrality: f64,
}

impl Octave {
    fn new(octave: i32, alpha: Alpha, power: Power) -> Result<Self, Error> {
        let mut points = [Point::default(); POINTS];
        for (index, point) in points.iter_mut().enumerate() {
            let angle = (2 * index + 1) as f64 * PI / (2 * POINTS) as f64;
            let ln_df = LN_2 * (f64::from(octave) + 0.5 + 0.5 * libm::cos(angle));
            let sign = if index % 2 == 0 { 1.0 } else { -1.0 };
            let noncentrality = detectable_noncentrality(libm::exp(ln_df), alpha, power)?;
            *point = Point { ln_df, weight: sign * libm::sin(angle), ln_noncentrality: libm::log(noncentrality) };
        }
        Ok(Self { points })
    }

    fn at(&self, df: f64) -> f64 {
        let ln_df = libm::log(df);
        let (mut over, mut under) = (0.0, 0.0);
        for point in &self.points {
            let distance = ln_df - point.ln_df;
            if distance == 0.0 {
                return libm::exp(point.ln_noncentrality);
            }
            over += point.weight / distance * point.ln_noncentrality;
            under += point.weight / distance;
        }
        libm::exp(over / under)
    }
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
