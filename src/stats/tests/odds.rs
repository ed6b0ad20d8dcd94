//! Two-by-two tables against exact fractions and 50-digit bounds; the reference's script says how it was made.

use serde::Deserialize;

use super::reference_values::{close, p_close, read};
use crate::stats::*;

/// Where the reference is exact to a double: what our own roundings may add up to.
const EXACT: f64 = 1e-11;

const REFERENCE: &str = include_str!("../../../tests/reference/odds.json");

#[derive(Deserialize)]
struct Reference {
    fisher: Vec<FisherCase>,
    stratified: Vec<StratifiedCase>,
}

#[derive(Deserialize)]
struct FisherCase {
    a: Proportion,
    b: Proportion,
    odds_ratio: Option<f64>,
    p: f64,
    log10_p: f64,
    p_greater: f64,
    log10_p_greater: f64,
    p_less: f64,
    log10_p_less: f64,
    bounds_95: Option<[Option<f64>; 2]>,
}

#[derive(Deserialize)]
struct StratifiedCase {
    strata: Vec<Stratum>,
    used: usize,
    plain: TestCase,
    corrected: TestCase,
    keep: PooledCase,
    haldane_anscombe: PooledCase,
    bounds_95: [Option<f64>; 2],
}

#[derive(Deserialize)]
struct TestCase {
    chi_square: f64,
    p: f64,
}

#[derive(Deserialize)]
struct PooledCase {
    odds_ratio: Option<f64>,
    interval_95: Option<[f64; 2]>,
}

fn level() -> Confidence {
    Confidence::new(0.95).expect("a level")
}

/// The reference writes an infinite ratio as null.
#[track_caller]
fn ratio(found: OddsRatio, expected: Option<f64>, what: &str) {
    match (found, expected) {
        (OddsRatio::Finite(found), Some(expected)) => close(found, expected, EXACT, 0.0, what),
        (OddsRatio::Infinite, None) => {}
        _ => panic!("{what}: {found:?} instead of {expected:?}"),
    }
}

#[test]
fn fishers_test_and_its_bounds_agree_with_exact_fractions() {
    for case in read::<Reference>(REFERENCE).fisher {
        let what = format!("{:?} {:?}", case.a, case.b);
        let found = fisher_exact(case.a, case.b).expect("a test");
        ratio(found.odds_ratio.expect("a ratio"), case.odds_ratio, &what);
        p_close(found.p, case.p, case.log10_p, EXACT, &what);
        p_close(found.p_greater, case.p_greater, case.log10_p_greater, EXACT, &what);
        p_close(found.p_less, case.p_less, case.log10_p_less, EXACT, &what);
        for (side, expected) in [Side::Lower, Side::Upper].into_iter().zip(case.bounds_95.into_iter().flatten()) {
            let found = odds_ratio_bound(case.a, case.b, side, level()).expect("a bound");
            ratio(found.bound, expected, &format!("{what}, {side:?}"));
        }
    }
}

#[test]
fn pooled_odds_ratios_agree_with_exact_fractions_and_their_bounds_with_enumeration() {
    for case in read::<Reference>(REFERENCE).stratified {
        let what = format!("{} strata", case.strata.len());
        for (policy, expected) in [(ZeroCells::Keep, case.keep), (ZeroCells::HaldaneAnscombe, case.haldane_anscombe)] {
            let found = mantel_haenszel(&case.strata, policy, level()).expect("an estimate");
            ratio(found.odds_ratio.expect("a ratio"), expected.odds_ratio, &what);
            assert_eq!(found.interval.is_some(), expected.interval_95.is_some(), "{what}");
            if let (Some(found), Some([low, high])) = (found.interval, expected.interval_95) {
                close(found.low, low, EXACT, 0.0, &what);
                close(found.high, high, EXACT, 0.0, &what);
            }
            assert_eq!((found.used, found.dropped.len()), (case.used, case.strata.len() - case.used), "{what}");
            for (found, expected) in [(found.plain, &case.plain), (found.corrected, &case.corrected)] {
                close(found.chi_square, expected.chi_square, EXACT, 0.0, &what);
                close(found.p.get(), expected.p, EXACT, 0.0, &what);
            }
        }
        for (side, expected) in [Side::Lower, Side::Upper].into_iter().zip(case.bounds_95) {
            let found = common_odds_ratio_bound(&case.strata, side, level()).expect("a bound");
            ratio(found.bound, expected, &format!("{what}, {side:?}"));
        }
    }
}
