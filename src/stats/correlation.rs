//! How two measurements of the same things go together: Pearson's and Spearman's correlations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::{finite, sum};
use super::compare::student_p;
use super::distribution::{ln_normal_sf, normal_quantile, normal_sf};
use super::error::{EqualValues, Error};
use super::interval::Interval;
use super::midranks::Midranks;
use super::p_value::PValue;
use super::probability::Confidence;
use super::sample::Sample;

/// Two measurements of each of at least two things, all finite; the i-th values belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    x: Sample,
    y: Sample,
}

impl Points {
    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::Unpaired`]; [`Error::TooFew`] below two pairs; those of [`Sample::new`].
    pub fn new(x: impl Into<Vec<f64>>, y: impl Into<Vec<f64>>) -> Result<Self, Error> {
        const COMPUTING: &str = "a correlation";
        let (x, y) = (x.into(), y.into());
        if x.len() != y.len() {
            return Err(Error::Unpaired { computing: COMPUTING, a: x.len(), b: y.len() });
        }
        at_least(x.len(), 2, COMPUTING)?;
        Ok(Self { x: Sample::new(x)?, y: Sample::new(y)? })
    }

    /// How many pairs there are; at least 2.
    pub fn n(&self) -> usize {
        self.x.n()
    }

    /// The first measurements, in the order given.
    pub fn x(&self) -> &Sample {
        &self.x
    }

    /// The second measurements, in the order given.
    pub fn y(&self) -> &Sample {
        &self.y
    }
}

fn at_least(found: usize, needed: u64, computing: &'static str) -> Result<(), Error> {
    let hint = "two points always lie on a line; measure more things";
    if found as u64 >= needed {
        return Ok(());
    }
    Err(Error::TooFew { computing, needed, of: "pairs", found: found as u64, hint })
}

/// A correlation coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Correlation {
    /// How many pairs it is of.
    pub n: usize,
    /// The coefficient, from -1 to 1.
    pub r: f64,
    /// `1 - r^2`, from the data and not from `r`, so that it keeps its digits where `r` is close to 1; 0 only where the
    /// pairs lie on a line, as near as doubles can tell.
    pub unexplained: f64,
}

/// Pearson's product-moment correlation.
///
/// The cosine between the two vectors of deviations from their means. With both scaled to length 1, `1 - r` is half of
/// the squared length of their difference and `1 + r` half of that of their sum, which is how `unexplained` is formed.
/// A difference or sum no longer than what rounding alone may leave of it counts as none.
///
/// # Errors
/// [`Error::ZeroSpread`] if one measurement is constant; [`Error::Overflow`] beyond the doubles.
pub fn pearson(points: &Points) -> Result<Correlation, Error> {
    of_vectors(&points.x, &points.y, "Pearson's correlation")
}

/// Spearman's rank correlation: Pearson's correlation of the ranks, equal values sharing the mean of their ranks.
///
/// # Errors
/// [`Error::ZeroSpread`] if one measurement is constant.
pub fn spearman(points: &Points) -> Result<Correlation, Error> {
    const COMPUTING: &str = "Spearman's correlation";
    with_spread(&points.x, &points.y, COMPUTING)?;
    // Twice the ranks, which are whole numbers: the factor does not change a correlation.
    let ranks = |values: &Sample| {
        let doubled = Midranks::of(values.values()).doubled;
        Sample::new(doubled.into_iter().map(|rank| rank as f64).collect::<Vec<_>>())
    };
    of_vectors(&ranks(&points.x)?, &ranks(&points.y)?, COMPUTING)
}

fn with_spread(x: &Sample, y: &Sample, computing: &'static str) -> Result<(), Error> {
    match [x, y].into_iter().find(|sample| sample.is_constant()) {
        Some(constant) => Err(Error::ZeroSpread { computing, values: EqualValues::One(constant.mean()) }),
        None => Ok(()),
    }
}

fn of_vectors(x: &Sample, y: &Sample, computing: &'static str) -> Result<Correlation, Error> {
    with_spread(x, y, computing)?;
    let (u, v) = (direction(x, computing)?, direction(y, computing)?);
    let rounding = u.rounding + v.rounding;
    let nothing = 0.5 * rounding * rounding;
    let half_square = |sign: f64| {
        let half = 0.5 * sum(u.parts.iter().zip(&v.parts).map(|(u, v)| (u + sign * v) * (u + sign * v)));
        if half <= nothing { 0.0 } else { half }
    };
    let (below_one, above_minus_one) = (half_square(-1.0), half_square(1.0));
    let r = if below_one < 0.5 {
        1.0 - below_one
    } else if above_minus_one < 0.5 {
        above_minus_one - 1.0
    } else {
        sum(u.parts.iter().zip(&v.parts).map(|(u, v)| u * v))
    };
    Ok(Correlation { n: x.n(), r, unexplained: (below_one * above_minus_one).min(1.0) })
}

/// Deviations from the mean, scaled to length 1.
struct Direction {
    parts: Vec<f64>,
    /// How far rounding may have moved it, as a length.
    rounding: f64,
}

fn direction(sample: &Sample, computing: &'static str) -> Result<Direction, Error> {
    let mean = sample.mean();
    let largest = finite((sample.max() - mean).max(mean - sample.min()), computing)?;
    // A power of two, so that the squares neither overflow nor vanish and nothing is rounded.
    let exponent = libm::ilogb(largest);
    let around = |value: &f64| libm::scalbn(value - mean, -exponent);
    // What the rounding of the mean left in every deviation, large beside them where the values share a large offset.
    let drift = sum(sample.values().iter().map(around)) / sample.n() as f64;
    let deviations: Vec<f64> = sample.values().iter().map(|value| around(value) - drift).collect();
    let length = sum(deviations.iter().map(|deviation| deviation * deviation)).sqrt();
    // Of each part: the subtraction of the mean, that of the drift, and the drift's own rounding.
    let error = |deviation: &f64| f64::EPSILON * (2.0 * deviation.abs() + 2.0 * drift.abs());
    let errors = sum(deviations.iter().map(|deviation| error(deviation) * error(deviation))).sqrt();
    // And of all of them together: the length, and the division by it.
    let rounding = errors / length + 2.0 * f64::EPSILON;
    Ok(Direction { parts: deviations.into_iter().map(|deviation| deviation / length).collect(), rounding })
}

/// The two-sided test that a correlation is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CorrelationTest {
    /// `r sqrt(df / (1 - r^2))`.
    pub t: f64,
    /// n - 2.
    pub df: f64,
    /// Two-sided p-value.
    pub p: PValue,
}

/// Tests that a correlation is 0, by Student's t with n - 2 degrees of freedom: exact for Pearson's coefficient of
/// normal pairs, an approximation for Spearman's (M. G. Kendall and J. D. Gibbons, "Rank Correlation Methods", 5th ed.
/// 1990, section 4.8), for which [`spearman_exact`] is exact where it is feasible.
///
/// # Errors
/// [`Error::TooFew`] below three pairs; [`Error::NoResidual`] if the pairs lie on a line; [`Error::Overflow`].
pub fn correlation_test(correlation: &Correlation) -> Result<CorrelationTest, Error> {
    const COMPUTING: &str = "a test of a correlation";
    at_least(correlation.n, 3, COMPUTING)?;
    scattered(correlation, COMPUTING)?;
    let df = correlation.n as f64 - 2.0;
    let t = finite(correlation.r * (df / correlation.unexplained).sqrt(), COMPUTING)?;
    let p = student_p(2.0, t.abs(), df)?;
    Ok(CorrelationTest { t, df, p })
}

fn scattered(correlation: &Correlation, computing: &'static str) -> Result<(), Error> {
    if correlation.unexplained > 0.0 {
        return Ok(());
    }
    let hint = "report that the pairs lie on a line, or rank in the same order";
    Err(Error::NoResidual { computing, hint })
}

/// Interval of Pearson's correlation by Fisher's transformation: `tanh(atanh r ± z / sqrt(n - 3))` (R. A. Fisher, "On
/// the 'probable error' of a coefficient of correlation deduced from a small sample", Metron 1, 1921).
///
/// # Errors
/// [`Error::TooFew`] below four pairs; [`Error::NoResidual`] if the pairs lie on a line; [`Error::OutOfRange`] for a
/// confidence so close to 1 that nothing is left outside.
pub fn fisher_interval(correlation: &Correlation, confidence: Confidence) -> Result<Interval, Error> {
    let (transformed, se) = transformed(correlation, "an interval of a correlation")?;
    let reach = -normal_quantile(confidence.tail())? * se;
    let (low, high) = (libm::tanh(transformed - reach), libm::tanh(transformed + reach));
    Ok(Interval { estimate: correlation.r, low, high, confidence })
}

/// Two-sided p-value of Pearson's correlation being `expected`, which [`fisher_interval`] turns round:
/// `(atanh r - atanh expected) sqrt(n - 3)` as a normal variable (Fisher, as there).
///
/// # Errors
/// [`Error::OutOfRange`] unless `-1 < expected < 1`; [`Error::TooFew`] below four pairs; [`Error::NoResidual`] if the pairs
/// lie on a line.
pub fn fisher_test(correlation: &Correlation, expected: f64) -> Result<PValue, Error> {
    const COMPUTING: &str = "a test of a correlation";
    if !(expected > -1.0 && expected < 1.0) {
        let (parameter, range) = ("the expected correlation", "above -1 and below 1");
        let hint = "a correlation of 1 or -1 is a line, which scattered pairs are not";
        return Err(Error::OutOfRange { computing: COMPUTING, parameter, found: expected, range, hint });
    }
    let (transformed, se) = transformed(correlation, COMPUTING)?;
    let z = finite((transformed - libm::atanh(expected)).abs() / se, COMPUTING)?;
    PValue::of_tail(2.0 * normal_sf(z)?, || libm::log(2.0) + ln_normal_sf(z))
}

/// Fisher's transform `atanh r` with its standard error `1 / sqrt(n - 3)`.
fn transformed(correlation: &Correlation, computing: &'static str) -> Result<(f64, f64), Error> {
    at_least(correlation.n, 4, computing)?;
    scattered(correlation, computing)?;
    // atanh r = ln((1 + |r|)^2 / (1 - r^2)) / 2 with the sign of r, near 0 by libm's own series.
    let size = correlation.r.abs();
    let plain = if size < 0.5 {
        libm::atanh(size)
    } else {
        0.5 * libm::log((1.0 + size) * (1.0 + size) / correlation.unexplained)
    };
    Ok((plain * correlation.r.signum(), 1.0 / (correlation.n as f64 - 3.0).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(x: &[f64], y: &[f64]) -> Points {
        Points::new(x, y).expect("usable points")
    }

    #[test]
    fn what_cannot_be_correlated_is_refused_by_type() {
        assert!(matches!(Points::new([1.0], [2.0]), Err(Error::TooFew { needed: 2, found: 1, .. })));
        assert!(matches!(Points::new([], []), Err(Error::TooFew { found: 0, .. })));
        assert!(matches!(Points::new([1.0, 2.0], [2.0]), Err(Error::Unpaired { a: 2, b: 1, .. })));
        assert!(matches!(Points::new([1.0, f64::NAN], [2.0, 3.0]), Err(Error::NotFinite { index: 1, .. })));
        let flat = points(&[1.0, 2.0, 3.0], &[7.0; 3]);
        let expected = |computing| Error::ZeroSpread { computing, values: EqualValues::One(7.0) };
        assert_eq!(pearson(&flat), Err(expected("Pearson's correlation")));
        assert_eq!(spearman(&flat), Err(expected("Spearman's correlation")));
    }

    #[test]
    fn two_points_lie_on_a_line_and_have_no_test() {
        let line = pearson(&points(&[1.0, 2.0], &[5.0, 3.0])).expect("a coefficient");
        assert_eq!((line.r, line.unexplained), (-1.0, 0.0));
        assert!(matches!(correlation_test(&line), Err(Error::TooFew { needed: 3, found: 2, .. })));
        assert!(matches!(fisher_interval(&line, Confidence::new(0.95).expect("a level")), Err(Error::TooFew { .. })));
    }

    #[test]
    fn the_test_of_an_expected_correlation_turns_its_interval_round() {
        let found = Correlation { n: 28, r: 0.6, unexplained: 0.64 };
        // atanh 0.6 = ln 2 and atanh 0.8 = ln 3, five standard errors of 1/5 to one: z = 5 ln 1.5 = 2.027326.
        let p = fisher_test(&found, 0.8).expect("a test").get();
        assert!((p - 0.042_629_1).abs() < 1e-6, "{p}");
        assert!(fisher_test(&found, 0.6).expect("a test").get() > 1.0 - 1e-14);
        let ends = fisher_interval(&found, Confidence::new(0.95).expect("a level")).expect("an interval");
        for end in [ends.low, ends.high] {
            let p = fisher_test(&found, end).expect("a test").get();
            assert!((p - 0.05).abs() < 1e-12, "{end}: {p}");
        }
        assert!(matches!(fisher_test(&found, 1.0), Err(Error::OutOfRange { found: 1.0, .. })));
        assert!(matches!(fisher_test(&Correlation { n: 3, ..found }, 0.0), Err(Error::TooFew { needed: 4, .. })));
    }

    #[test]
    fn a_perfect_order_has_no_error_to_be_tested_by() {
        let same = spearman(&points(&[1.0, 2.0, 3.0, 9.0], &[0.1, 0.2, 0.25, 0.3])).expect("a coefficient");
        assert_eq!((same.r, same.unexplained), (1.0, 0.0));
        assert!(matches!(correlation_test(&same), Err(Error::NoResidual { .. })));
        assert!(matches!(
            fisher_interval(&same, Confidence::new(0.95).expect("a level")),
            Err(Error::NoResidual { .. })
        ));
    }

    #[test]
    fn pairs_on_a_line_have_no_error_to_be_tested_by_however_they_round() {
        // Their means are no doubles, so what rounding leaves of the deviations is not 0.
        for (x, y, r) in [
            (vec![1.0, 1.0, 2.0], vec![2.0, 2.0, 5.0], 1.0),
            (vec![1.0, 1.0, 2.0], vec![5.0, 5.0, 2.0], -1.0),
            (vec![0.1, 0.2, 0.3], vec![1.0, 2.0, 3.0], 1.0),
            (vec![1e15, 1e15 + 1.0, 1e15 + 2.0, 1e15 + 5.0], vec![3.0, 5.0, 7.0, 13.0], 1.0),
            ((0..1000).map(f64::from).collect(), (0..1000).map(|i| 7.0 - 0.1 * f64::from(i)).collect(), -1.0),
        ] {
            let line = pearson(&points(&x, &y)).expect("a coefficient");
            assert_eq!((line.r, line.unexplained), (r, 0.0), "{line:?}");
            assert!(matches!(correlation_test(&line), Err(Error::NoResidual { .. })), "{line:?}");
        }
        // One value off by what is far below its own printing, and far above rounding, is still seen.
        let near = pearson(&points(&[1.0, 1.0, 2.0], &[2.0, 2.0 + 1e-13, 5.0])).expect("a coefficient");
        assert!(near.unexplained > 0.0 && correlation_test(&near).is_ok(), "{near:?}");
    }

    #[test]
    fn a_large_common_offset_costs_a_correlation_no_digits() {
        let (x, y) = ([0.0, 1.0, 3.0, 7.0, 8.0], [2.0, 1.0, 5.0, 4.0, 9.0]);
        let plain = pearson(&points(&x, &y)).expect("a coefficient");
        let moved = pearson(&points(&x.map(|x| 1e15 + x), &y.map(|y| y - 4e15))).expect("a coefficient");
        assert!((moved.r / plain.r - 1.0).abs() < 1e-14, "{moved:?} {plain:?}");
        assert!((moved.unexplained / plain.unexplained - 1.0).abs() < 1e-14, "{moved:?} {plain:?}");
    }

    #[test]
    fn huge_and_tiny_values_correlate_like_their_multiples() {
        let plain = pearson(&points(&[1.0, 2.0, 4.0, 3.0], &[2.0, 1.0, 5.0, 5.5])).expect("a coefficient");
        let scaled = pearson(&points(&[1e300, 2e300, 4e300, 3e300], &[2e-300, 1e-300, 5e-300, 5.5e-300]));
        assert!((scaled.expect("a coefficient").r - plain.r).abs() < 1e-15);
    }

    #[test]
    fn a_correlation_close_to_one_keeps_the_digits_of_what_it_leaves() {
        // y = x + e (1, -2, 1): 1 - r^2 = 6 e^2 / (2 + 6 e^2).
        let e = libm::scalbn(1.0, -20);
        let near = pearson(&points(&[1.0, 2.0, 3.0], &[1.0 + e, 2.0 - 2.0 * e, 3.0 + e])).expect("a coefficient");
        let expected = 6.0 * e * e / (2.0 + 6.0 * e * e);
        assert!((near.unexplained / expected - 1.0).abs() < 1e-9, "{near:?} {expected}");
    }
}
