//! How surely a standardised difference is as large as it looks.

use super::distribution::{noncentral_t_cdf, noncentral_t_sf, normal_quantile};
use super::error::Error;
use super::interval::Interval;
use super::p_value::PValue;
use super::planning::Design;
use super::power::crossing;
use super::probability::Confidence;

/// The exact interval of Cohen's d for normal values of one spread: the true effects under which a t as far out as the
/// observed one has probability `(1 - confidence) / 2` on either side (J. H. Steiger and R. T. Fouladi, "Noncentrality
/// interval estimation and the evaluation of statistical models", 1997; G. Cumming and S. Finch, Educational and
/// Psychological Measurement 61, 2001). `t = d / se` is noncentral with noncentrality `true d / se`, where se is
/// `sqrt(1/n_a + 1/n_b)`, or `1 / sqrt(n)` for pairs.
///
/// # Errors
/// [`Error::TooFew`] below 2 values a side; [`Error::OutOfRange`] for an effect beyond the noncentral t's domain.
pub fn cohen_d_interval(d: f64, design: Design, confidence: Confidence) -> Result<Interval, Error> {
    let (se, df) = design.error("an interval of Cohen's d")?;
    let end = |above: f64| Ok::<f64, Error>(se * noncentrality(d / se, df, above)?);
    let tail = confidence.tail();
    Ok(Interval { estimate: d, low: end(tail)?, high: end(1.0 - tail)?, confidence })
}

/// The two-sided p value of the true effect being `edge`: twice the smaller of the noncentral t's tails beyond the observed
/// one, at most 1. It is `1 - confidence` where [`cohen_d_interval`] ends at the edge.
///
/// # Errors
/// Those of [`cohen_d_interval`].
pub fn cohen_d_test(d: f64, edge: f64, design: Design) -> Result<PValue, Error> {
    let (se, df) = design.error("a test of Cohen's d")?;
    let (t, shift) = (d / se, edge / se);
    let smaller = noncentral_t_sf(t, df, shift)?.min(noncentral_t_cdf(t, df, shift)?);
    PValue::rounded(2.0 * smaller)
}

/// The noncentrality under which t is exceeded with probability `above`, which rises with it.
fn noncentrality(t: f64, df: f64, above: f64) -> Result<f64, Error> {
    let excess = |shift: f64| Ok(noncentral_t_sf(t, df, shift)? - above);
    // For many degrees of freedom t is nearly normal around its noncentrality (Abramowitz and Stegun 26.7.10).
    let spread = (1.0 + t * t / (2.0 * df)).sqrt();
    let guess = t + normal_quantile(above)? * spread;
    let at = |shift: f64| Ok::<_, Error>((shift, excess(shift)?));
    let (mut low, mut high, mut reach) = (at(guess)?, at(guess)?, 0.01 * spread);
    while low.1 >= 0.0 {
        (high, low) = (low, at(low.0 - reach)?);
        reach *= 4.0;
    }
    while high.1 < 0.0 {
        (low, high) = (high, at(high.0 + reach)?);
        reach *= 4.0;
    }
    crossing(low, high, excess)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> Confidence {
        Confidence::new(0.95).expect("a level")
    }

    #[test]
    fn the_interval_turns_round_with_the_sign_and_narrows_with_the_values() {
        let of = |d, n| cohen_d_interval(d, Design::Unpaired { n_a: n, n_b: n }, level()).expect("an interval");
        let (one, other) = (of(0.5, 30), of(-0.5, 30));
        assert!((one.low + other.high).abs() < 1e-12 && (one.high + other.low).abs() < 1e-12, "{one:?} {other:?}");
        let many = of(0.5, 3000);
        assert!(one.low < many.low && many.low < 0.5 && many.high < one.high, "{one:?} {many:?}");
    }

    #[test]
    fn the_test_says_five_percent_where_the_interval_ends_and_one_at_the_median() {
        let design = Design::Unpaired { n_a: 12, n_b: 7 };
        let Interval { low, high, .. } = cohen_d_interval(1.3, design, level()).expect("an interval");
        for end in [low, high] {
            let p = cohen_d_test(1.3, end, design).expect("a test").get();
            assert!((p - 0.05).abs() < 1e-12, "{p}");
        }
        assert_eq!(cohen_d_test(0.0, 0.0, design).expect("a test").get(), 1.0);
    }

    #[test]
    fn one_value_a_side_and_effects_beyond_the_domain_have_none() {
        let few = Design::Unpaired { n_a: 1, n_b: 9 };
        assert!(matches!(cohen_d_interval(0.5, few, level()), Err(Error::TooFew { .. })));
        let enough = Design::Unpaired { n_a: 9, n_b: 9 };
        assert!(matches!(cohen_d_test(f64::NAN, 0.2, enough), Err(Error::OutOfRange { .. })));
        assert!(matches!(cohen_d_interval(1e9, enough, level()), Err(Error::OutOfRange { .. })));
    }
}
