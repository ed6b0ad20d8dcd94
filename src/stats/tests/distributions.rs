//! The distribution functions, and what stands directly on them, against `tests/reference/distributions.json`.

use serde::Deserialize;

use super::reference_values::{close, read};
use crate::stats::distribution::*;
use crate::stats::*;

const REFERENCE: &str = include_str!("../../../tests/reference/distributions.json");

/// Where the reference is exact to a double: a few roundings on our side, some of them amplified by an exponential.
const EXACT: f64 = 2e-13;
/// Where our side subtracts, or inverts a function.
const CLOSE: f64 = 1e-11;
/// Where the reference found a root with a coarse tolerance.
const ROOT_FINDER: f64 = 1e-5;

#[derive(Deserialize)]
struct Reference {
    student_t_sf: Vec<TailCase>,
    student_t_quantile: Vec<QuantileCase>,
    normal_sf: Vec<TailCase>,
    normal_quantile: Vec<QuantileCase>,
    chi_square_sf: Vec<TailCase>,
    incomplete_beta: Vec<BetaCase>,
    noncentral_t: Vec<NoncentralCase>,
    f_sf: Vec<FisherCase>,
    samples: Vec<SampleCase>,
    pairs: Vec<PairCase>,
    holm: Vec<HolmCase>,
    mde: Vec<MdeCase>,
    power: Vec<PowerCase>,
    pool: Vec<PoolCase>,
}

#[derive(Deserialize)]
struct TailCase {
    #[serde(alias = "t")]
    x: f64,
    #[serde(default)]
    df: f64,
    exact: f64,
}

#[derive(Deserialize)]
struct QuantileCase {
    p: f64,
    #[serde(default)]
    df: f64,
    #[serde(alias = "t")]
    x: f64,
}

#[derive(Deserialize)]
struct BetaCase {
    a: f64,
    b: f64,
    x: f64,
    exact: f64,
}

#[derive(Deserialize)]
struct NoncentralCase {
    t: f64,
    df: f64,
    ncp: f64,
    sf: f64,
    cdf: f64,
    /// scipy's two, where either is off; none where that is no number.
    scipy: Option<[Option<f64>; 2]>,
}

#[derive(Deserialize)]
struct SampleCase {
    values: Vec<f64>,
    mean: f64,
    sd: f64,
    cv: f64,
    ranks: Vec<f64>,
    percentiles: Vec<f64>,
    interval_95: [f64; 2],
    interval_90: [f64; 2],
}

#[derive(Deserialize)]
struct PairCase {
    a: Vec<f64>,
    b: Vec<f64>,
    t: f64,
    df: f64,
    p: f64,
    difference: f64,
    se: f64,
    interval_95: [f64; 2],
    d: f64,
    pooled_sd: f64,
    tost: TostCase,
}

#[derive(Deserialize)]
struct TostCase {
    margin_percent_of_a: f64,
    margin: f64,
    p: f64,
    p_lower: f64,
    p_upper: f64,
    interval_90: [f64; 2],
}

#[derive(Deserialize)]
struct HolmCase {
    p: Vec<PValue>,
    adjusted: Vec<f64>,
    rejected: Vec<bool>,
}

#[derive(Deserialize)]
struct MdeCase {
    n_a: u64,
    n_b: u64,
    alpha: Alpha,
    power: Power,
    statsmodels: f64,
    statsmodels_power: f64,
    exact: f64,
}

#[derive(Deserialize)]
struct PowerCase {
    n_a: u64,
    n_b: u64,
    d: f64,
    alpha: Alpha,
    exact: f64,
    statsmodels: Option<f64>,
}

#[derive(Deserialize)]
struct PoolCase {
    effects: Vec<Effect>,
    difference: f64,
    se: f64,
    df: f64,
    q: f64,
    q_df: u32,
    p_chi_square: f64,
    f: f64,
    df_error: f64,
    p: f64,
}

#[derive(Deserialize)]
struct FisherCase {
    f: f64,
    df: f64,
    df_error: f64,
    exact: f64,
}

fn reference() -> Reference {
    read(REFERENCE)
}

#[test]
fn student_t_agrees_with_the_reference_from_the_centre_to_the_far_tail() {
    for TailCase { x: t, df, exact } in reference().student_t_sf {
        close(student_t_sf(t, df).expect("in the domain"), exact, EXACT, 0.0, &format!("P(T > {t}), df {df}"));
        let below = student_t_cdf(-t, df).expect("in the domain");
        close(below, exact, EXACT, 0.0, &format!("P(T <= -{t}), df {df}"));
        let rest = student_t_cdf(t, df).expect("in the domain");
        close(rest, 1.0 - exact, EXACT, 0.0, &format!("P(T <= {t}), df {df}"));
    }
}

#[test]
fn student_t_quantiles_agree_with_the_reference() {
    for QuantileCase { p, df, x } in reference().student_t_quantile {
        let found = student_t_quantile(p, df).expect("in the domain");
        close(found, x, CLOSE, 0.0, &format!("quantile {p}, df {df}"));
    }
}

#[test]
fn the_normal_distribution_agrees_with_the_reference() {
    for TailCase { x, exact, .. } in reference().normal_sf {
        close(normal_sf(x).expect("a number"), exact, EXACT, 0.0, &format!("P(Z > {x})"));
        close(normal_cdf(-x).expect("a number"), exact, EXACT, 0.0, &format!("P(Z <= -{x})"));
    }
    for QuantileCase { p, x, .. } in reference().normal_quantile {
        close(normal_quantile(p).expect("in the domain"), x, 1e-14, 0.0, &format!("quantile {p}"));
    }
}

#[test]
fn chi_square_agrees_with_the_reference() {
    for TailCase { x, df, exact } in reference().chi_square_sf {
        let df = std::num::NonZeroU32::new(df as u32).expect("positive");
        // Where the tail is the complement of a small lower part, 1e-16 absolute is all there is.
        close(chi_square_sf(x, df).expect("in the domain"), exact, EXACT, 1e-300, &format!("P(X > {x}), df {df}"));
    }
}

#[test]
fn the_f_distribution_agrees_with_the_reference() {
    for FisherCase { f, df, df_error, exact } in reference().f_sf {
        let found = f_sf(f, df, df_error).expect("in the domain");
        close(found, exact, EXACT, 1e-290, &format!("P(F > {f}), df {df} and {df_error}"));
    }
}

#[test]
fn the_incomplete_beta_function_agrees_with_the_reference() {
    for BetaCase { a, b, x, exact } in reference().incomplete_beta {
        let found = incomplete_beta(a, b, x).expect("in the domain");
        close(found, exact, EXACT, 1e-300, &format!("I_{x}({a}, {b})"));
    }
}

#[test]
fn the_noncentral_t_agrees_with_the_reference_in_both_tails() {
    let mut scipy_off = 0;
    for NoncentralCase { t, df, ncp, sf, cdf, scipy } in reference().noncentral_t {
        let what = format!("t {t}, df {df}, ncp {ncp}");
        // The larger of both is a complement; the smaller keeps its relative accuracy.
        close(noncentral_t_sf(t, df, ncp).expect("in the domain"), sf, EXACT, 1e-290, &format!("sf at {what}"));
        close(noncentral_t_cdf(t, df, ncp).expect("in the domain"), cdf, EXACT, 1e-290, &format!("cdf at {what}"));
        scipy_off += usize::from(scipy.is_some());
    }
    assert!(scipy_off >= 10, "only {scipy_off} cases are ones that scipy misses");
}

#[test]
fn power_agrees_with_the_reference_also_where_statsmodels_has_no_number() {
    let mut without_number = 0;
    for PowerCase { n_a, n_b, d, alpha, exact, statsmodels } in reference().power {
        let found = power_of_difference(Design::Unpaired { n_a, n_b }, d, alpha).expect("a power");
        close(found, exact, EXACT, 0.0, &format!("n = {n_a} and {n_b}, d {d}, alpha {alpha}"));
        without_number += usize::from(statsmodels.is_none());
    }
    assert!(without_number >= 10, "only {without_number} cases are ones without a number in statsmodels");
}

#[test]
fn summaries_and_student_intervals_agree_with_the_reference() {
    for case in reference().samples {
        let replicates = Replicates::new(case.values.clone()).expect("usable values");
        let found = summary(replicates.sample()).expect("a summary");
        let what = format!("n = {}", found.n);
        close(found.mean, case.mean, 1e-14, 0.0, &what);
        close(found.sd.expect("two values or more"), case.sd, 1e-13, 0.0, &what);
        close(found.cv.expect("a mean other than 0"), case.cv, 1e-13, 0.0, &what);
        for (rank, expected) in case.ranks.iter().zip(&case.percentiles) {
            let found = percentile(replicates.sample(), Percent::new(*rank).expect("a rank"));
            close(found, *expected, 1e-15, 0.0, &format!("percentile {rank}, {what}"));
        }
        for (level, [low, high]) in [(0.95, case.interval_95), (0.9, case.interval_90)] {
            let level = Confidence::new(level).expect("a level");
            let interval = student_interval(&replicates, level).expect("an interval");
            close(interval.low, low, CLOSE, 0.0, &what);
            close(interval.high, high, CLOSE, 0.0, &what);
        }
    }
}

#[test]
fn welch_cohen_and_tost_agree_with_the_reference() {
    for case in reference().pairs {
        let a = Replicates::new(case.a.clone()).expect("usable values");
        let b = Replicates::new(case.b.clone()).expect("usable values");
        let what = format!("n = {} and {}", a.n(), b.n());
        // Our means are off by a rounding of the values, which small differences and spreads magnify.
        let spread = CLOSE.max(1e-15 * a.mean().abs() / case.se);
        let magnified = spread.max(1e-15 * (a.mean() / case.difference).abs());
        let found = welch(&a, &b).expect("a test");
        close(found.test.t, case.t, magnified, 0.0, &what);
        close(found.test.df, case.df, spread, 0.0, &what);
        close(found.test.p.get(), case.p, 10.0 * magnified, 0.0, &what);
        close(found.effect.difference(), case.difference, magnified, 0.0, &what);
        close(found.effect.se(), case.se, spread, 0.0, &what);
        let interval = difference_interval(&found.effect, Confidence::new(0.95).expect("a level"));
        let interval = interval.expect("an interval");
        close(interval.low, case.interval_95[0], spread, case.se, &what);
        close(interval.high, case.interval_95[1], spread, case.se, &what);
        let d = cohen_d(&a, &b).expect("an effect size");
        close(d.d, case.d, magnified, 0.0, &what);
        close(d.pooled_sd, case.pooled_sd, spread, 0.0, &what);
        agrees_with_both_tests(&case.tost, &a, &found.effect, 10.0 * magnified, &what);
    }
}

fn agrees_with_both_tests(case: &TostCase, a: &Replicates, effect: &Effect, tolerance: f64, what: &str) {
    let margin = Margin::percent_of(a.sample(), case.margin_percent_of_a).expect("a margin");
    close(margin.get(), case.margin, 1e-14, 0.0, what);
    let found = tost(effect, margin, Alpha::new(0.05).expect("a level")).expect("a test");
    close(found.p_lower.get(), case.p_lower, tolerance, 1e-200, what);
    close(found.p_upper.get(), case.p_upper, tolerance, 1e-200, what);
    close(found.p.get(), case.p, tolerance, 1e-200, what);
    assert_eq!(found.equivalent, case.p < 0.05, "{what}");
    close(found.interval.low, case.interval_90[0], tolerance, effect.se(), what);
    close(found.interval.high, case.interval_90[1], tolerance, effect.se(), what);
}

#[test]
fn holm_agrees_with_the_reference() {
    for case in reference().holm {
        let found = holm(&case.p, Alpha::new(0.05).expect("a level"));
        assert_eq!(found.iter().map(|decision| decision.rejected).collect::<Vec<_>>(), case.rejected);
        for (decision, expected) in found.iter().zip(case.adjusted) {
            // A p-value handed over as 0 is one below the doubles, whose nearest is the smallest.
            close(decision.adjusted.get(), expected.max(f64::from_bits(1)), 1e-15, 0.0, &format!("{:?}", case.p));
        }
    }
}

#[test]
fn minimal_detectable_effects_agree_with_the_exact_solution_and_with_statsmodels() {
    let mut compared = 0;
    for case in reference().mde {
        let found = mde(case.n_a, case.n_b, case.alpha, case.power).expect("an effect").d;
        let what = format!("n = {} and {}, alpha {}, power {}", case.n_a, case.n_b, case.alpha, case.power);
        close(found, case.exact, 1e-12, 0.0, &what);
        // Where statsmodels' own power at its own answer misses the power asked for, its root finder stopped early.
        if (case.statsmodels_power - case.power.get()).abs() < 1e-6 {
            close(found, case.statsmodels, ROOT_FINDER, 0.0, &what);
            compared += 1;
        }
    }
    assert!(compared >= 15, "only {compared} answers of statsmodels could be used");
}

#[test]
fn pooling_agrees_with_the_reference() {
    for case in reference().pool {
        let found = pool(&case.effects).expect("effects");
        let agreement = found.heterogeneity.expect("two effects or more");
        let what = format!("{:?}", case.effects);
        close(found.effect.difference(), case.difference, CLOSE, 0.0, &what);
        // The reference takes the variances as known.
        close(found.effect.se() / found.se_inflation, case.se, CLOSE, 0.0, &what);
        close(found.effect.df(), case.df, CLOSE, 0.0, &what);
        close(agreement.q, case.q, CLOSE, 0.0, &what);
        close(agreement.p_chi_square.get(), case.p_chi_square, CLOSE, 0.0, &what);
        close(agreement.f, case.f, CLOSE, 0.0, &what);
        close(agreement.df_error, case.df_error, CLOSE, 0.0, &what);
        close(agreement.p.get(), case.p, CLOSE, 0.0, &what);
        assert_eq!(agreement.df, case.q_df);
    }
}
