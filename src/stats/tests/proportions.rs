//! Proportions and the distributions behind them, against exact fractions and 50-digit values; the reference's script
//! says how it was made.

use serde::Deserialize;

use super::reference_values::{close, p_close, read};
use crate::stats::distribution::Hypergeometric;
use crate::stats::*;

/// Where the reference is exact to a double: what our own roundings may add up to.
const EXACT: f64 = 1e-12;

const REFERENCE: &str = include_str!("../../../tests/reference/proportions.json");

#[derive(Deserialize)]
struct Reference {
    hypergeometric: Vec<UrnCase>,
    intervals: Vec<IntervalCase>,
    few_hits: Vec<WilsonCase>,
    two_proportions: Vec<TwoCase>,
}

#[derive(Deserialize)]
struct UrnCase {
    population: u64,
    marked: u64,
    draws: u64,
    k: u64,
    pmf: f64,
    cdf: f64,
    sf: Option<f64>,
}

#[derive(Deserialize)]
struct IntervalCase {
    k: u64,
    n: u64,
    confidence: Confidence,
    wilson: [f64; 2],
    clopper_pearson: [f64; 2],
    wilson_bounds: [f64; 2],
    clopper_pearson_bounds: [f64; 2],
}

#[derive(Deserialize)]
struct WilsonCase {
    k: u64,
    n: u64,
    confidence: Confidence,
    wilson: [f64; 2],
}

#[derive(Deserialize)]
struct TwoCase {
    a: Proportion,
    b: Proportion,
    difference: f64,
    z: f64,
    p: Option<f64>,
    log10_p: f64,
}

fn reference() -> Reference {
    read(REFERENCE)
}

#[test]
fn hypergeometric_tails_agree_with_exact_fractions() {
    let cases = reference().hypergeometric;
    assert!(cases.len() >= 15, "only {} cases", cases.len());
    for UrnCase { population, marked, draws, k, pmf, cdf, sf } in cases {
        let urn = Hypergeometric::new(population, marked, draws).expect("counts");
        let what = format!("{k} of {draws} from {population} with {marked} marked");
        close(urn.pmf(k), pmf, EXACT, 0.0, &what);
        close(urn.cdf(k), cdf, EXACT, 0.0, &what);
        if let Some(sf) = sf {
            close(urn.sf(k), sf, EXACT, 0.0, &what);
            close(urn.at_least(k + 1), sf, EXACT, 0.0, &what);
        }
    }
}

#[test]
fn intervals_of_proportions_agree_with_the_reference() {
    let cases = reference().intervals;
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    for case in cases {
        let share = Proportion::new(case.k, case.n).expect("counts");
        let (level, what) = (case.confidence, format!("{} of {} at {}", case.k, case.n, case.confidence));
        let ends = |interval: Interval| [interval.low, interval.high];
        let bounds = |bound: fn(Proportion, Side, Confidence) -> Result<Bound, Error>| {
            [Side::Lower, Side::Upper].map(|side| bound(share, side, level).expect("a bound").bound)
        };
        let found = [
            (ends(wilson(share, level).expect("an interval")), case.wilson),
            (ends(clopper_pearson(share, level).expect("an interval")), case.clopper_pearson),
            (bounds(wilson_bound), case.wilson_bounds),
            (bounds(clopper_pearson_bound), case.clopper_pearson_bounds),
        ];
        for (found, expected) in found {
            // At 50 digits an end of exactly 0 comes out as 1e-53 or so.
            close(found[0], expected[0], EXACT, 1e-30, &what);
            close(found[1], expected[1], EXACT, 0.0, &what);
        }
    }
}

#[test]
fn few_hits_of_many_keep_the_digits_of_both_ends() {
    let cases = reference().few_hits;
    assert!(cases.len() >= 4, "only {} cases", cases.len());
    for WilsonCase { k, n, confidence, wilson: [low, high] } in cases {
        let found = wilson(Proportion::new(k, n).expect("counts"), confidence).expect("an interval");
        let what = format!("{k} of {n}");
        close(found.low, low, EXACT, 1e-30, &what);
        close(found.high, high, EXACT, 0.0, &what);
    }
}

#[test]
fn the_two_proportion_test_agrees_with_the_reference() {
    for case in reference().two_proportions {
        let found = two_proportions(case.a, case.b).expect("a test");
        let what = format!("{:?} {:?}", case.a, case.b);
        close(found.difference, case.difference, EXACT, 0.0, &what);
        close(found.z, case.z, EXACT, 0.0, &what);
        p_close(found.p, case.p.unwrap_or(0.0), case.log10_p, 1e-11, &what);
    }
}
