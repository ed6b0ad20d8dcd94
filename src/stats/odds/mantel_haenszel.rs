//! An odds ratio common to several strata.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditional::Conditional;
use super::ratio::{OddsBound, OddsRatio};
use crate::stats::arithmetic::sum;
use crate::stats::distribution::normal_quantile;
use crate::stats::error::Error;
use crate::stats::interval::Interval;
use crate::stats::midranks::normal_p;
use crate::stats::p_value::PValue;
use crate::stats::probability::Confidence;
use crate::stats::proportion::{Proportion, Side};

const COMPUTING: &str = "a pooled odds ratio";

/// Two groups of trials under the same conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stratum {
    /// What the conditions are called.
    pub name: String,
    /// Hits among the trials of a.
    pub a: Proportion,
    /// Hits among the trials of b.
    pub b: Proportion,
}

impl Stratum {
    /// Hits and misses of a, then of b.
    fn cells(&self) -> [f64; 4] {
        let misses = |share: Proportion| (share.n() - share.k()) as f64;
        [self.a.k() as f64, misses(self.a), self.b.k() as f64, misses(self.b)]
    }

    /// Whether hits and misses both occur; without, the odds ratio can be anything.
    fn is_informative(&self) -> bool {
        let [hits_a, misses_a, hits_b, misses_b] = self.cells();
        hits_a + hits_b > 0.0 && misses_a + misses_b > 0.0
    }
}

/// What is done about a stratum with a cell of 0. The test never changes a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ZeroCells {
    /// Nothing: the pooled odds ratio needs no stratum to have one of its own.
    Keep,
    /// Haldane's and Anscombe's correction: 1/2 is added to all four cells of each stratum that has a 0 among them. It
    /// makes every odds ratio finite by pulling it towards 1.
    HaldaneAnscombe,
}

/// The test that a common odds ratio is 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StratifiedTest {
    /// The chi-square statistic with 1 degree of freedom.
    pub chi_square: f64,
    /// Its p-value.
    pub p: PValue,
}

/// A pooled odds ratio with its test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MantelHaenszel {
    /// The common odds ratio; absent where hits and misses never meet: `sum of R` and `sum of S` both 0.
    pub odds_ratio: Option<OddsRatio>,
    /// Its interval, on the scale of logarithms; absent where the odds ratio is infinite, 0 or absent, for which
    /// [`common_odds_ratio_bound`] gives a bound.
    pub interval: Option<Interval>,
    /// The test without continuity correction.
    pub plain: StratifiedTest,
    /// The test with continuity correction.
    pub corrected: StratifiedTest,
    /// How many strata were used.
    pub used: usize,
    /// The names of the strata that drop out: all of their trials went the same way.
    pub dropped: Vec<String>,
}

/// Pools the odds ratios of several strata (N. Mantel and W. Haenszel, "Statistical aspects of the analysis of data from
/// retrospective studies of disease", Journal of the National Cancer Institute 22, 1959).
///
/// `sum of R / sum of S` with `R = a hits * b misses / n` and `S = a misses * b hits / n`. The test compares the hits of
/// a with their expectation given the margins: `(|sum (k - E)| - c)^2 / sum V`, c being 0 or, corrected, 1/2 (never more
/// than the difference itself). The interval has the variance of J. Robins, N. Breslow and S. Greenland, "Estimators of
/// the Mantel-Haenszel variance consistent in both sparse data and large-strata limiting models", Biometrics 42, 1986.
///
/// A stratum in which all trials went the same way drops out, whatever is done about zeros, and is named. A stratum with
/// a 0 in one cell does not: its trials count.
///
/// # Errors
/// [`Error::Undefined`] if no stratum is left; [`Error::OutOfRange`] for a confidence so close to 1 that nothing is left
/// outside.
pub fn mantel_haenszel(
    strata: &[Stratum],
    zero_cells: ZeroCells,
    confidence: Confidence,
) -> Result<MantelHaenszel, Error> {
    let used = informative(strata)?;
    let dropped = strata.iter().filter(|stratum| !stratum.is_informative());
    let cells: Vec<[f64; 4]> = used.iter().map(|stratum| corrected(stratum.cells(), zero_cells)).collect();
    let (over, under) = (sum(cells.iter().map(cross)), sum(cells.iter().map(counter_cross)));
    let odds_ratio = OddsRatio::of(over, under);
    let interval = match odds_ratio {
        Some(OddsRatio::Finite(ratio)) if ratio > 0.0 => Some(interval(&cells, ratio, confidence)?),
        _ => None,
    };
    Ok(MantelHaenszel {
        odds_ratio,
        interval,
        plain: test(&used, 0.0)?,
        corrected: test(&used, 0.5)?,
        used: used.len(),
        dropped: dropped.map(|stratum| stratum.name.clone()).collect(),
    })
}

/// One end of the exact interval of a common odds ratio, from the distribution of all hits of a given the margins of
/// every stratum (C. R. Mehta, N. R. Patel, R. Gray, "Computing an exact confidence interval for the common odds ratio in
/// several 2 x 2 contingency tables", Journal of the American Statistical Association 80, 1985).
///
/// # Errors
/// [`Error::Undefined`] if no stratum is informative; [`Error::OutOfRange`] if more than 4000 different totals are
/// possible; [`Error::Overflow`] for an end beyond the doubles.
pub fn common_odds_ratio_bound(strata: &[Stratum], side: Side, confidence: Confidence) -> Result<OddsBound, Error> {
    const COMPUTING: &str = "an exact bound of a pooled odds ratio";
    let tables: Vec<(Proportion, Proportion)> = informative(strata)?.iter().map(|s| (s.a, s.b)).collect();
    let hits = tables.iter().map(|(a, _)| a.k()).fold(0, u64::saturating_add);
    Conditional::over(&tables, COMPUTING)?.bound(hits, side, confidence, COMPUTING)
}

fn informative(strata: &[Stratum]) -> Result<Vec<&Stratum>, Error> {
    let used: Vec<&Stratum> = strata.iter().filter(|stratum| stratum.is_informative()).collect();
    if used.is_empty() {
        return Err(Error::Undefined {
            computing: COMPUTING,
            because: "no stratum has both hits and misses",
            hint: "report the counts; they say nothing of an odds ratio",
        });
    }
    Ok(used)
}

fn corrected(cells: [f64; 4], zero_cells: ZeroCells) -> [f64; 4] {
    let add = zero_cells == ZeroCells::HaldaneAnscombe && cells.contains(&0.0);
    if add { cells.map(|count| count + 0.5) } else { cells }
}

/// Mantel and Haenszel's R.
fn cross(cells: &[f64; 4]) -> f64 {
    let [hits_a, misses_a, hits_b, misses_b] = cells;
    hits_a * misses_b / (hits_a + misses_a + hits_b + misses_b)
}

/// Mantel and Haenszel's S.
fn counter_cross(cells: &[f64; 4]) -> f64 {
    let [hits_a, misses_a, hits_b, misses_b] = *cells;
    cross(&[misses_a, hits_a, misses_b, hits_b])
}

fn test(used: &[&Stratum], correction: f64) -> Result<StratifiedTest, Error> {
    let moments = |stratum: &&Stratum| {
        let [hits_a, misses_a, hits_b, misses_b] = stratum.cells();
        let (n_a, n_b) = (hits_a + misses_a, hits_b + misses_b);
        let (hits, misses) = (hits_a + hits_b, misses_a + misses_b);
        let n = n_a + n_b;
        // k - E = (a hits * b misses - a misses * b hits) / n, without the rounding of E.
        ((hits_a * misses_b - misses_a * hits_b) / n, n_a / n * (n_b / n) * hits * (misses / (n - 1.0)))
    };
    let (excess, variance): (Vec<f64>, Vec<f64>) = used.iter().map(moments).unzip();
    let distance = sum(excess).abs();
    let (z, p) = normal_p(distance, correction.min(distance), sum(variance).sqrt(), COMPUTING)?;
    Ok(StratifiedTest { chi_square: z * z, p })
}

fn interval(cells: &[[f64; 4]], ratio: f64, confidence: Confidence) -> Result<Interval, Error> {
    // Shares of concordant and of discordant cells, and what each stratum adds to either sum.
    let parts: Vec<[f64; 4]> = cells
        .iter()
        .map(|cells| {
            let [hits_a, misses_a, hits_b, misses_b] = cells;
            let n = hits_a + misses_a + hits_b + misses_b;
            [(hits_a + misses_b) / n, (misses_a + hits_b) / n, cross(cells), counter_cross(cells)]
        })
        .collect();
    let total = |term: fn(&[f64; 4]) -> f64| sum(parts.iter().map(term));
    let (r, s) = (total(|[_, _, r, _]| *r), total(|[_, _, _, s]| *s));
    let variance = total(|[p, _, r, _]| p * r) / (2.0 * r * r)
        + total(|[p, q, r, s]| p * s + q * r) / (2.0 * r * s)
        + total(|[_, q, _, s]| q * s) / (2.0 * s * s);
    let reach = -normal_quantile(confidence.tail())? * variance.sqrt();
    Ok(Interval { estimate: ratio, low: ratio * libm::exp(-reach), high: ratio * libm::exp(reach), confidence })
}

#[cfg(test)]
mod tests {
    use super::super::fisher::odds_ratio_bound;
    use super::*;

    fn stratum(name: &str, [k_a, n_a, k_b, n_b]: [u64; 4]) -> Stratum {
        let share = |k, n| Proportion::new(k, n).expect("counts");
        Stratum { name: name.to_owned(), a: share(k_a, n_a), b: share(k_b, n_b) }
    }

    fn level() -> Confidence {
        Confidence::new(0.95).expect("a level")
    }

    #[test]
    fn strata_without_hits_or_without_misses_drop_out_and_are_named() {
        let telling = stratum("telling", [3, 10, 1, 10]);
        let strata = [stratum("no hit", [0, 5, 0, 7]), telling.clone(), stratum("no miss", [4, 4, 2, 2])];
        let found = mantel_haenszel(&strata, ZeroCells::Keep, level()).expect("an estimate");
        assert_eq!((found.used, found.dropped), (1, vec!["no hit".to_owned(), "no miss".to_owned()]));
        let alone = mantel_haenszel(&[telling], ZeroCells::Keep, level()).expect("an estimate");
        assert_eq!((found.odds_ratio, found.plain), (alone.odds_ratio, alone.plain));
        let nothing = mantel_haenszel(&strata[..1], ZeroCells::HaldaneAnscombe, level());
        assert!(matches!(nothing, Err(Error::Undefined { .. })));
    }

    #[test]
    fn an_infinite_common_odds_ratio_keeps_its_type_and_has_a_lower_bound() {
        let strata = [stratum("x", [3, 10, 0, 10]), stratum("y", [2, 8, 0, 9])];
        let found = mantel_haenszel(&strata, ZeroCells::Keep, level()).expect("an estimate");
        assert_eq!((found.odds_ratio, found.interval), (Some(OddsRatio::Infinite), None));
        assert!(!serde_json::to_string(&found).expect("JSON").contains("inf\""));
        let bound = common_odds_ratio_bound(&strata, Side::Lower, level()).expect("a bound").bound;
        assert!(matches!(bound, OddsRatio::Finite(bound) if bound > 1.0), "{bound:?}");
        let pulled = mantel_haenszel(&strata, ZeroCells::HaldaneAnscombe, level()).expect("an estimate");
        assert!(matches!(pulled.odds_ratio, Some(OddsRatio::Finite(ratio)) if ratio > 1.0), "{pulled:?}");
        assert_eq!((pulled.plain, pulled.corrected), (found.plain, found.corrected));
    }

    #[test]
    fn one_stratum_has_the_bound_of_its_table() {
        let one = stratum("x", [7, 12, 2, 9]);
        for side in [Side::Lower, Side::Upper] {
            let pooled = common_odds_ratio_bound(std::slice::from_ref(&one), side, level()).expect("a bound");
            assert_eq!(pooled, odds_ratio_bound(one.a, one.b, side, level()).expect("a bound"));
        }
    }

    #[test]
    fn too_many_totals_are_refused_and_not_waited_for() {
        let large = [stratum("x", [3000, 9000, 2500, 9000])];
        let found = common_odds_ratio_bound(&large, Side::Lower, level());
        assert!(matches!(found, Err(Error::OutOfRange { .. })), "{found:?}");
    }

    #[test]
    fn a_difference_below_the_correction_is_corrected_to_none() {
        let found = mantel_haenszel(&[stratum("x", [1, 3, 1, 3])], ZeroCells::Keep, level()).expect("an estimate");
        assert_eq!((found.corrected.chi_square, found.corrected.p.get()), (0.0, 1.0));
    }
}
