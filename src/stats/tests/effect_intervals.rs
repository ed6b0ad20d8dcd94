//! Intervals and tests of Cohen's d against `tests/reference/effect_intervals.json`.

use serde::Deserialize;

use super::reference_values::{close, read};
use crate::stats::*;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    d: f64,
    n: [u64; 2],
    interval_95: [f64; 2],
    edge: f64,
    p: f64,
}

#[test]
fn intervals_and_tests_of_cohens_d_agree() {
    let Reference { cases } = read(include_str!("../../../tests/reference/effect_intervals.json"));
    assert!(cases.len() > 8);
    let level = Confidence::new(0.95).expect("a level");
    for Case { d, n: [n_a, n_b], interval_95: [low, high], edge, p } in cases {
        let (design, what) = (Design::Unpaired { n_a, n_b }, format!("d {d} of {n_a} and {n_b}"));
        let found = cohen_d_interval(d, design, level).expect("an interval");
        // An end may lie near 0: what counts is its distance in the interval's own width.
        let width = high - low;
        close(found.low, low, 1e-10, width, &what);
        close(found.high, high, 1e-10, width, &what);
        close(cohen_d_test(d, edge, design).expect("a test").get(), p, 1e-9, 0.0, &what);
    }
}
