//! How large a difference is, beside Cohen's d: paired, corrected for few values, and by order alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::compare::cohen_d;
use super::distribution::half_step_ratio;
use super::error::Error;
use super::moments::Moments;
use super::pairs::Pairs;
use super::sample::{Replicates, Sample};

/// Standardised mean differences of pairs. The two answer different questions and are not to be mixed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedD {
    /// Mean difference over the standard deviation of the differences: grows as the pairs move together.
    pub d_z: f64,
    /// Mean difference over the standard deviation of the values, `sqrt((sd_a^2 + sd_b^2) / 2)`: comparable with a
    /// Cohen's d of unpaired samples.
    pub d_av: f64,
    /// Standard deviation of the differences.
    pub sd_difference: f64,
    /// `sqrt((sd_a^2 + sd_b^2) / 2)`.
    pub sd_average: f64,
}

/// Effect sizes of pairs: d_z of J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd ed. 1988,
/// section 2.3.5, and d_av of G. Cumming, "Understanding the New Statistics", 2012, chapter 11 (some authors average
/// the two standard deviations themselves instead of their squares).
///
/// # Errors
/// [`Error::TooFew`] for a single pair; [`Error::ZeroSpread`] if all differences are equal;
/// [`Error::Overflow`] or [`Error::Underflow`] beyond the doubles.
pub fn paired_d(pairs: &Pairs) -> Result<PairedD, Error> {
    const COMPUTING: &str = "a paired effect size";
    let differences = pairs.replicates()?;
    differences.with_spread(COMPUTING)?;
    let sd_of = |sample: &Sample| Replicates::try_from(sample.clone()).map(|values| values.sd());
    let half = std::f64::consts::FRAC_1_SQRT_2;
    // Differences with spread come from a side with spread, so this is not 0.
    let sd_average = finite(libm::hypot(sd_of(pairs.a())? * half, sd_of(pairs.b())? * half), COMPUTING)?;
    let sd_difference = differences.sd();
    let d_z = finite(differences.mean() / sd_difference, COMPUTING)?;
    let d_av = finite(differences.mean() / sd_average, COMPUTING)?;
    Ok(PairedD { d_z, d_av, sd_difference, sd_average })
}

/// How a standardised difference is freed of its bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HedgesCorrection {
    /// `Γ(df/2) / (sqrt(df/2) Γ((df - 1)/2))`.
    Exact,
    /// `1 - 3 / (4 df - 1)`: within 0.007 of the exact one from 2 degrees of freedom on.
    Approximate,
}

/// Hedges' g: Cohen's d without its bias for few values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HedgesG {
    /// `factor` times Cohen's d.
    pub g: f64,
    /// Cohen's d with the pooled standard deviation.
    pub d: f64,
    /// What d was multiplied by, below 1.
    pub factor: f64,
    /// How the factor was computed.
    pub correction: HedgesCorrection,
}

/// Hedges' g of two samples or two printed summaries (L. V. Hedges, "Distribution theory for Glass's estimator of effect
/// size and related estimators", Journal of Educational Statistics 6, 1981).
///
/// # Errors
/// Those of [`cohen_d`].
pub fn hedges_g(a: impl Into<Moments>, b: impl Into<Moments>, correction: HedgesCorrection) -> Result<HedgesG, Error> {
    let (a, b) = (a.into(), b.into());
    let d = cohen_d(a, b)?.d;
    // At least 2, since each side has at least 2 values.
    let df = a.df() + b.df();
    let factor = match correction {
        HedgesCorrection::Exact => half_step_ratio((df - 1.0) / 2.0) / (df / 2.0).sqrt(),
        HedgesCorrection::Approximate => 1.0 - 3.0 / (4.0 * df - 1.0),
    };
    Ok(HedgesG { g: d * factor, d, factor, correction })
}

/// Cliff's delta and the pairs it counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CliffDelta {
    /// `(a_larger - b_larger) / pairs`, from -1 to 1.
    pub delta: f64,
    /// Pairs in which a is the larger.
    pub a_larger: u64,
    /// Pairs in which b is the larger.
    pub b_larger: u64,
    /// Pairs of equal values.
    pub equal: u64,
}

/// How much more often a value of a is the larger one in a pair than a value of b (N. Cliff, "Dominance statistics:
/// ordinal analyses to answer ordinal questions", Psychological Bulletin 114, 1993). Defined for any two samples.
pub fn cliff_delta(a: &Sample, b: &Sample) -> CliffDelta {
    let (mut a_larger, mut equal) = (0_u64, 0_u64);
    let below = |limit: f64, or_equal: bool| {
        b.sorted().partition_point(|value| *value < limit || (or_equal && *value == limit)) as u64
    };
    for &value in a.values() {
        let smaller = below(value, false);
        a_larger += smaller;
        equal += below(value, true) - smaller;
    }
    let pairs = a.n() as u64 * b.n() as u64;
    let b_larger = pairs - a_larger - equal;
    CliffDelta { delta: (a_larger as f64 - b_larger as f64) / pairs as f64, a_larger, b_larger, equal }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values).expect("finite values")
    }

    #[test]
    fn pairs_that_move_together_have_a_large_d_z_and_a_small_d_av() {
        let pairs = Pairs::new(vec![11.0, 20.0, 31.0, 40.0], vec![10.0, 18.0, 30.0, 38.0]).expect("pairs");
        let found = paired_d(&pairs).expect("sizes");
        // Differences 1 2 1 2: mean 1.5, variance 1/3.
        assert!((found.d_z - 1.5 * 3.0_f64.sqrt()).abs() < 1e-14, "{found:?}");
        assert!(found.d_av < 0.13, "{found:?}");
    }

    #[test]
    fn equal_differences_and_a_single_pair_have_no_size() {
        let shifted = Pairs::new(vec![2.0, 3.0], vec![1.0, 2.0]).expect("pairs");
        assert!(matches!(paired_d(&shifted), Err(Error::ZeroSpread { .. })));
        let one = Pairs::new(vec![2.0], vec![1.0]).expect("a pair");
        assert!(matches!(paired_d(&one), Err(Error::TooFew { .. })));
    }

    #[test]
    fn the_correction_has_its_closed_form_at_two_degrees_of_freedom() {
        // Γ(1) / (1 Γ(1/2)) = 1 / sqrt(pi).
        let a = Moments::new(2, 3.0, 1.0).expect("a summary");
        let b = Moments::new(2, 1.0, 1.0).expect("a summary");
        let exact = hedges_g(a, b, HedgesCorrection::Exact).expect("a size");
        assert!((exact.factor - 1.0 / std::f64::consts::PI.sqrt()).abs() < 1e-15, "{exact:?}");
        let approximate = hedges_g(a, b, HedgesCorrection::Approximate).expect("a size");
        assert!((approximate.factor - exact.factor).abs() < 0.0076, "{approximate:?}");
        assert_eq!(exact.d, 2.0);
    }

    #[test]
    fn the_correction_vanishes_for_many_values() {
        let many = Moments::new(50_000_000, 1.0, 1.0).expect("a summary");
        let factor = hedges_g(many, many, HedgesCorrection::Exact).expect("a size").factor;
        assert!((factor - (1.0 - 0.75 / 99_999_998.0)).abs() < 1e-15, "{factor}");
    }

    #[test]
    fn cliffs_delta_counts_pairs() {
        let found = cliff_delta(&sample(&[1.0, 2.0, 2.0]), &sample(&[2.0, 3.0]));
        assert_eq!(found, CliffDelta { delta: -4.0 / 6.0, a_larger: 0, b_larger: 4, equal: 2 });
        assert_eq!(cliff_delta(&sample(&[0.0]), &sample(&[-0.0])).equal, 1);
        assert_eq!(cliff_delta(&sample(&[9.0]), &sample(&[1.0, 2.0])).delta, 1.0);
    }
}
