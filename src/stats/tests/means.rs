//! Tests and effect sizes of means against `tests/reference/means.json`.

use serde::Deserialize;

use super::reference_values::{CLOSE, Equivalence, RatioEquivalence, Tested, close, p_close, read};
use crate::stats::*;

#[derive(Deserialize)]
struct Reference {
    one_sample: Vec<OneSample>,
    two_samples: Vec<TwoSamples<Vec<f64>>>,
    offset: Vec<TwoSamples<Vec<f64>>>,
    summaries: Vec<TwoSamples<(usize, f64, f64)>>,
    pairs: Vec<Paired>,
}

#[derive(Deserialize)]
struct OneSample {
    values: Vec<f64>,
    expected: f64,
    #[serde(flatten)]
    tested: Tested,
}

#[derive(Deserialize)]
struct TwoSamples<T> {
    a: T,
    b: T,
    margin: f64,
    welch: Tested,
    pooled: Tested,
    pooled_sd: f64,
    tost: Equivalence,
    ratio: RatioEquivalence,
    d: f64,
    hedges: Hedges,
}

#[derive(Deserialize)]
struct Hedges {
    factor: f64,
    g: f64,
    g_approximate: f64,
}

#[derive(Deserialize)]
struct Paired {
    a: Vec<f64>,
    b: Vec<f64>,
    #[serde(flatten)]
    tested: Tested,
    tost: Equivalence,
    ratio: RatioEquivalence,
    d_z: f64,
    d_av: f64,
}

fn reference() -> Reference {
    read(include_str!("../../../tests/reference/means.json"))
}

fn level(value: f64) -> Confidence {
    Confidence::new(value).expect("a level")
}

fn alpha() -> Alpha {
    Alpha::new(0.05).expect("a level")
}

/// What a relative error of the mean in its last bit makes of a difference, in standard errors.
fn magnified(size: f64, tested: &Tested) -> f64 {
    CLOSE.max(4e-16 * size.abs() / tested.se.min(tested.difference.abs()))
}

#[track_caller]
fn same_test(effect: &Effect, test: &DifferenceTest, expected: &Tested, tolerance: f64, what: &str) {
    close(effect.difference(), expected.difference, tolerance, 0.0, what);
    close(effect.se(), expected.se, CLOSE, 0.0, what);
    close(test.df, expected.df, CLOSE, 0.0, what);
    close(test.t, expected.t, tolerance, 0.0, what);
    // A p-value moves by up to t^2 times the relative error of t.
    p_close(test.p, expected.p, expected.log10_p, tolerance * 1.0_f64.max(expected.t * expected.t), what);
    let interval = difference_interval(effect, level(0.95)).expect("an interval");
    close(interval.low, expected.interval_95[0], tolerance, expected.se, what);
    close(interval.high, expected.interval_95[1], tolerance, expected.se, what);
}

#[track_caller]
fn same_equivalence(found: &Tost, expected: &Equivalence, what: &str) {
    close(found.margin.get(), expected.margin, 0.0, 0.0, what);
    p_close(found.p_lower, expected.p_lower, expected.log10_p_lower, 1e-9, what);
    p_close(found.p_upper, expected.p_upper, expected.log10_p_upper, 1e-9, what);
    assert_eq!(found.equivalent, expected.p_lower.max(expected.p_upper) < 0.05, "{what}");
}

#[track_caller]
fn same_ratio(found: &RatioTost, expected: &RatioEquivalence, what: &str) {
    close(found.p_lower.get(), expected.p_lower, 1e-9, 1e-300, what);
    close(found.p_upper.get(), expected.p_upper, 1e-9, 1e-300, what);
    assert_eq!(found.equivalent, expected.p_lower.max(expected.p_upper) < 0.05, "{what}");
}

#[test]
fn one_sample_tests_agree() {
    for case in reference().one_sample {
        let values = Replicates::new(case.values).expect("usable values");
        let what = format!("n = {}", values.n());
        let found = one_sample_t(&values, case.expected).expect("a test");
        same_test(&found.effect, &found.test, &case.tested, CLOSE, &what);
        let around_mean = student_interval(&values, level(0.95)).expect("an interval");
        close(around_mean.low, case.tested.interval_95[0] + case.expected, CLOSE, values.mean().abs(), &what);
    }
}

/// All that the reference says of two samples, given as values or as summaries.
#[track_caller]
fn same_two_samples<T>(a: Moments, b: Moments, case: &TwoSamples<T>, tolerances: [f64; 2]) {
    let what = format!("n = {} and {}", a.n(), b.n());
    let [of_welch, of_pooled] = tolerances;
    let found = welch(a, b).expect("a test");
    same_test(&found.effect, &found.test, &case.welch, of_welch, &what);
    let found = pooled_t(a, b).expect("a test");
    same_test(&found.effect, &found.test, &case.pooled, of_pooled, &what);
    close(found.pooled_sd, case.pooled_sd, CLOSE, 0.0, &what);
    close(cohen_d(a, b).expect("a size").d, case.d, of_pooled, 0.0, &what);
    let g = |correction| hedges_g(a, b, correction).expect("a size");
    close(g(HedgesCorrection::Exact).factor, case.hedges.factor, 1e-13, 0.0, &what);
    close(g(HedgesCorrection::Exact).g, case.hedges.g, of_pooled, 0.0, &what);
    close(g(HedgesCorrection::Approximate).g, case.hedges.g_approximate, of_pooled, 0.0, &what);
    let margin = Margin::absolute(case.margin).expect("a margin");
    same_equivalence(&tost_unpaired(a, b, margin, alpha()).expect("a test"), &case.tost, &what);
    let percent = RatioMargin::percent(case.ratio.percent).expect("a margin");
    same_ratio(&tost_ratio_unpaired(a, b, percent, alpha()).expect("a test"), &case.ratio, &what);
}

#[test]
fn two_samples_agree_and_an_offset_that_they_share_costs_no_digits() {
    let Reference { two_samples, offset, .. } = reference();
    assert!(offset.len() >= 4, "{} cases", offset.len());
    for case in two_samples.into_iter().chain(offset) {
        let a = Replicates::new(case.a.clone()).expect("usable values");
        let b = Replicates::new(case.b.clone()).expect("usable values");
        // Not `magnified`: the difference is of the values, whatever their means were rounded to.
        same_two_samples(Moments::from(&a), Moments::from(&b), &case, [CLOSE, CLOSE]);
    }
}

#[test]
fn two_printed_summaries_agree_down_to_p_values_below_the_doubles() {
    let mut below = 0;
    for case in reference().summaries {
        let [a, b] = [case.a, case.b].map(|(n, mean, sd)| Moments::new(n, mean, sd).expect("a summary"));
        let tolerances = [magnified(a.mean(), &case.welch), magnified(a.mean(), &case.pooled)];
        same_two_samples(a, b, &case, tolerances);
        below += usize::from(case.welch.p < f64::MIN_POSITIVE);
    }
    assert!(below >= 3, "{below} cases reach below the doubles");
}

#[test]
fn pairs_agree() {
    for case in reference().pairs {
        let pairs = Pairs::new(case.a, case.b).expect("pairs");
        let what = format!("{} pairs", pairs.n());
        let found = paired_t(&pairs).expect("a test");
        same_test(&found.effect, &found.test, &case.tested, CLOSE, &what);
        let sizes = paired_d(&pairs).expect("sizes");
        close(sizes.d_z, case.d_z, CLOSE, 0.0, &what);
        close(sizes.d_av, case.d_av, CLOSE, 0.0, &what);
        let margin = Margin::absolute(case.tost.margin).expect("a margin");
        same_equivalence(&tost_paired(&pairs, margin, alpha()).expect("a test"), &case.tost, &what);
        let percent = RatioMargin::percent(case.ratio.percent).expect("a margin");
        same_ratio(&tost_ratio_paired(&pairs, percent, alpha()).expect("a test"), &case.ratio, &what);
    }
}
