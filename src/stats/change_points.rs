//! Where a history of runs changed: hierarchical divisive estimation by energy statistics.

use rand_core::SeedableRng;
use rand_xoshiro::SplitMix64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arithmetic::finite;
use super::bootstrap::index_below;
use super::error::Error;
use super::p_value::PValue;
use super::probability::Alpha;
use super::sample::Sample;

const COMPUTING: &str = "the change points of a history";

/// Relative difference below which two statistics count as equal: the same values in another order add up to other
/// last digits.
const EQUAL: f64 = 1e-12;

/// How a history is divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EDivisive {
    /// Exponent of the distances, above 0 and at most 2. Below 2 any change of the distribution is found, at 2 one of
    /// the mean alone.
    pub exponent: f64,
    /// The fewest runs between two changes; at least 2.
    pub shortest: usize,
    /// Level at which a change is accepted.
    pub alpha: Alpha,
    /// Permutations per test; 199 are usual.
    pub permutations: u32,
    /// Seed of the permutations. The same seed and history give the same result to the last bit.
    pub seed: u64,
}

impl EDivisive {
    /// The usual way: plain distances, two runs at least, 199 permutations.
    pub fn new(alpha: Alpha, seed: u64) -> Self {
        Self { exponent: 1.0, shortest: 2, alpha, permutations: 199, seed }
    }
}

/// A place where a history can be divided best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangePoint {
    /// Position of the first run after the change, counted from 0.
    pub at: usize,
    /// The energy statistic there.
    pub statistic: f64,
    /// Share of permutations, the history itself among them, with a statistic at least as large.
    pub p: PValue,
}

/// The divisions of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangePoints {
    /// The changes accepted, in the order found: the clearest first.
    pub accepted: Vec<ChangePoint>,
    /// The division at which the search ended, since it was no clearer than chance; absent where every segment is too
    /// short to be divided.
    pub rejected: Option<ChangePoint>,
}

/// The best division of one segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Division {
    /// Position of the first value after it.
    pub at: usize,
    /// Its statistic.
    pub statistic: f64,
}

/// Divides a history where its distribution changes (D. S. Matteson and N. A. James, "A nonparametric approach for
/// multiple change point analysis of multivariate data", Journal of the American Statistical Association 109, 2014,
/// sections 2.2 to 2.4).
///
/// Between the values X before τ and Y from τ to κ the statistic is
/// `Q = nm/(n+m) (2/(nm) sum |x-y|^α - sum over pairs of X |x-x'|^α / C(n,2) - the same of Y)`, maximised over τ and κ
/// in every segment; the segment with the largest Q is divided. Its significance is that of the largest Q over all
/// segments when the values are permuted within the segments; the search ends with the first that is not significant.
/// The time taken grows with the square of the history, times permutations and changes.
///
/// # Errors
/// [`Error::TooFew`] for a history shorter than two segments, a shortest segment below 2, or permutations too few to
/// reach `alpha`; [`Error::OutOfRange`] for the exponent; [`Error::Overflow`] beyond the doubles.
pub fn change_points(history: &Sample, by: EDivisive) -> Result<ChangePoints, Error> {
    checked(history, by)?;
    let mut values = history.values().to_vec();
    let mut borders = vec![0, values.len()];
    let mut generator = SplitMix64::seed_from_u64(by.seed);
    let mut accepted = Vec::new();
    while let Some(best) = clearest(&values, &borders, by)? {
        let mut as_large: u32 = 1;
        let mut permuted = values.clone();
        for _ in 0..by.permutations {
            shuffle_within(&mut permuted, &borders, &mut generator);
            let chance = clearest(&permuted, &borders, by)?;
            let reached = best.statistic - EQUAL * best.statistic.abs();
            as_large += u32::from(chance.is_some_and(|found| found.statistic >= reached));
        }
        let p = PValue::new(f64::from(as_large) / (f64::from(by.permutations) + 1.0))?;
        let found = ChangePoint { at: best.at, statistic: best.statistic, p };
        if p.get() > by.alpha.get() {
            return Ok(ChangePoints { accepted, rejected: Some(found) });
        }
        accepted.push(found);
        borders.push(best.at);
        borders.sort_unstable();
        values.copy_from_slice(history.values());
    }
    Ok(ChangePoints { accepted, rejected: None })
}

fn checked(history: &Sample, by: EDivisive) -> Result<(), Error> {
    let needed_permutations = (1.0 / by.alpha.get()).ceil() as u64 - 1;
    let counts = [
        (2, "runs in the shortest segment", by.shortest as u64, "one run has no spread of its own"),
        (needed_permutations, "permutations", u64::from(by.permutations), "199 are usual"),
        (
            by.shortest.saturating_mul(2) as u64,
            "runs",
            history.n() as u64,
            "wait for more runs, or allow shorter segments",
        ),
    ];
    for (needed, of, found, hint) in counts {
        if found < needed {
            return Err(Error::TooFew { computing: COMPUTING, needed, of, found, hint });
        }
    }
    if by.permutations == u32::MAX || !(by.exponent > 0.0 && by.exponent <= 2.0) {
        return Err(Error::OutOfRange {
            computing: COMPUTING,
            parameter: "the exponent of the distances",
            found: by.exponent,
            range: "above 0 and at most 2",
            hint: "1 is usual",
        });
    }
    Ok(())
}

/// The division with the largest statistic over all segments; the first one of equals.
fn clearest(values: &[f64], borders: &[usize], by: EDivisive) -> Result<Option<Division>, Error> {
    let mut best: Option<Division> = None;
    for (&from, &to) in borders.iter().zip(borders.iter().skip(1)) {
        let segment = values.get(from..to).unwrap_or_default();
        if let Some(found) = divide(segment, by.exponent, by.shortest)?
            && best.is_none_or(|best| found.statistic > best.statistic)
        {
            best = Some(Division { at: from + found.at, statistic: found.statistic });
        }
    }
    Ok(best)
}

/// The best division of a segment, if it is long enough to be divided.
///
/// For every end κ the distances of the newest value to all before it are added up once, which updates the sums of
/// every τ: the time taken is the square of the length, not its fourth power.
pub(super) fn divide(segment: &[f64], exponent: f64, shortest: usize) -> Result<Option<Division>, Error> {
    let n = segment.len();
    // By τ: distances within the values before it, between both sides, and within the values from it on.
    let mut before = vec![0.0; n + 1];
    let mut between = vec![0.0; n + 1];
    let mut after = vec![0.0; n + 1];
    let mut best: Option<Division> = None;
    for (newest, value) in segment.iter().enumerate() {
        let distances: Vec<f64> = segment.iter().take(newest).map(|other| distance(*value, *other, exponent)).collect();
        let whole: f64 = distances.iter().sum();
        let end = newest + 1;
        let mut so_far = 0.0;
        for tau in 1..=newest {
            so_far += distances.get(tau - 1).copied().unwrap_or(0.0);
            if let (Some(cross), Some(late)) = (between.get_mut(tau), after.get_mut(tau)) {
                *cross += so_far;
                *late += whole - so_far;
            }
            if tau < shortest || end - tau < shortest {
                continue;
            }
            let sums = (before.get(tau), between.get(tau), after.get(tau));
            let (Some(&early), Some(&cross), Some(&late)) = sums else { continue };
            let statistic = finite(energy((early, cross, late), tau as f64, (end - tau) as f64), COMPUTING)?;
            if best.is_none_or(|best| statistic > best.statistic) {
                best = Some(Division { at: tau, statistic });
            }
        }
        let earlier = before.get(newest).copied().unwrap_or(0.0);
        if let Some(slot) = before.get_mut(end) {
            *slot = earlier + whole;
        }
    }
    Ok(best)
}

/// The statistic from the sums of distances within n values, between both sides, and within m values.
fn energy((early, cross, late): (f64, f64, f64), n: f64, m: f64) -> f64 {
    let within = |sum: f64, n: f64| sum / (n * (n - 1.0) / 2.0);
    n * m / (n + m) * (2.0 / (n * m) * cross - within(early, n) - within(late, m))
}

fn distance(one: f64, other: f64, exponent: f64) -> f64 {
    let plain = (one - other).abs();
    if exponent == 1.0 { plain } else { libm::pow(plain, exponent) }
}

/// Permutes the values of each segment, from its last place down (R. Durstenfeld, "Algorithm 235: Random permutation",
/// Communications of the ACM 7, 1964).
fn shuffle_within(values: &mut [f64], borders: &[usize], generator: &mut SplitMix64) {
    for (&from, &to) in borders.iter().zip(borders.iter().skip(1)) {
        for last in (from + 1..to).rev() {
            let other = from + index_below(generator, (last - from + 1) as u64) as usize;
            values.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(seed: u64) -> EDivisive {
        EDivisive::new(Alpha::new(0.05).expect("a level"), seed)
    }

    fn history(values: &[f64]) -> Sample {
        Sample::new(values).expect("values")
    }

    /// The definition, summed anew for every division.
    fn brute_force(segment: &[f64], exponent: f64, shortest: usize) -> Option<Division> {
        let mean = |pairs: Vec<f64>| pairs.iter().sum::<f64>() / pairs.len() as f64;
        let within = |side: &[f64]| {
            let pairs = (0..side.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
            mean(pairs.map(|(i, j)| libm::pow((side[i] - side[j]).abs(), exponent)).collect())
        };
        let mut best: Option<Division> = None;
        for end in 2 * shortest..=segment.len() {
            for at in shortest..=end - shortest {
                let (x, y) = (&segment[..at], &segment[at..end]);
                let cross = x.iter().flat_map(|a| y.iter().map(move |b| libm::pow((a - b).abs(), exponent))).collect();
                let (n, m) = (x.len() as f64, y.len() as f64);
                let statistic = n * m / (n + m) * (2.0 * mean(cross) - within(x) - within(y));
                if best.is_none_or(|best| statistic > best.statistic) {
                    best = Some(Division { at, statistic });
                }
            }
        }
        best
    }

    #[test]
    fn the_best_division_is_that_of_the_definition() {
        let mut generator = SplitMix64::seed_from_u64(3);
        for n in 3..40_usize {
            let noise = |i: usize| index_below(&mut SplitMix64::seed_from_u64((n * 100 + i) as u64), 1_000_003) as f64;
            let step = index_below(&mut generator, 2_000_000) as f64;
            let values: Vec<f64> = (0..n).map(|i| noise(i) + if 2 * i > n { step } else { 0.0 }).collect();
            for (exponent, shortest) in [(1.0, 2), (0.5, 3), (2.0, 2), (1.0, 5)] {
                let found = divide(&values, exponent, shortest).expect("finite");
                let expected = brute_force(&values, exponent, shortest);
                assert_eq!(found.map(|found| found.at), expected.map(|found| found.at), "{n} {exponent} {shortest}");
                if let (Some(found), Some(expected)) = (found, expected) {
                    let off = (found.statistic / expected.statistic - 1.0).abs();
                    assert!(off < 1e-9, "{n} {exponent} {shortest}: {found:?} {expected:?}");
                }
            }
        }
    }

    #[test]
    fn two_steps_are_found_where_they_are_and_the_rest_is_left_whole() {
        let level = |i: usize| {
            if i < 20 {
                10.0
            } else if i < 35 {
                14.0
            } else {
                9.0
            }
        };
        let values: Vec<f64> = (0..60).map(|i| level(i) + 0.1 * ((i * 7 % 11) as f64 - 5.0)).collect();
        let found = change_points(&history(&values), by(1)).expect("a division");
        let mut places: Vec<usize> = found.accepted.iter().map(|change| change.at).collect();
        places.sort_unstable();
        assert_eq!(places, [20, 35], "{found:?}");
        assert!(found.rejected.is_some_and(|rejected| rejected.p.get() > 0.05), "{found:?}");
    }

    #[test]
    fn a_history_without_a_change_is_left_whole_and_a_seed_repeats_itself() {
        let values: Vec<f64> = (0..40).map(|i| ((i * 13 % 29) as f64).sqrt()).collect();
        let found = change_points(&history(&values), by(7)).expect("a division");
        assert!(found.accepted.is_empty(), "{found:?}");
        assert_eq!(found, change_points(&history(&values), by(7)).expect("a division"));
        let constant = change_points(&history(&[4.0; 12]), by(7)).expect("a division");
        assert_eq!(constant.rejected.map(|rejected| rejected.p.get()), Some(1.0));
    }

    #[test]
    fn the_p_value_is_that_of_all_orders_within_its_error() {
        // Of the 20 ways to place the three large values, those at either end are as clear as this one.
        let values = [1.0, 1.0, 1.0, 9.0, 9.0, 9.0];
        let many = EDivisive { permutations: 19_999, shortest: 3, alpha: Alpha::new(0.2).expect("a level"), ..by(5) };
        let found = change_points(&history(&values), many).expect("a division").accepted;
        assert!((found[0].p.get() - 0.1).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn what_cannot_be_divided_is_refused() {
        let three = history(&[1.0, 2.0, 3.0]);
        assert!(matches!(change_points(&three, by(1)), Err(Error::TooFew { of: "runs", needed: 4, found: 3, .. })));
        let four = history(&[1.0, 2.0, 3.0, 4.0]);
        let few = EDivisive { permutations: 18, ..by(1) };
        assert!(matches!(change_points(&four, few), Err(Error::TooFew { of: "permutations", needed: 19, .. })));
        assert!(change_points(&four, EDivisive { shortest: 1, ..by(1) }).is_err());
        for exponent in [0.0, 2.1, f64::NAN] {
            assert!(matches!(change_points(&four, EDivisive { exponent, ..by(1) }), Err(Error::OutOfRange { .. })));
        }
        let huge = history(&[1e308, -1e308, 1e308, -1e308]);
        assert!(matches!(change_points(&huge, by(1)), Err(Error::Overflow { .. })));
    }
}
