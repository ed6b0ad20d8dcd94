//! Intervals and tests of Cohen's d against `tests/reference/effect_intervals.json`.

use serde::Deserialize;

use super::reference_values::{close, read};
use crate::stats::*;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case<[u64; 2]>>,
    paired: Vec<Case<u64>>,
}

#[derive(Deserialize)]
struct Case<N> {
    d: f64,
    n: N,
    interval_95: [f64; 2],
    edge: f64,
    p: f64,
}

fn reference() -> Reference {
    read(include_str!("../../../tests/reference/effect_intervals.json"))
}

fn agrees<N>(design: Design, Case { d, n: _, interval_95: [low, high], edge, p }: Case<N>) {
    let (level, what) = (Confidence::new(0.95).expect("a level"), format!("d {d} of {design:?}"));
    let found = cohen_d_interval(d, design, level).expect("an interval");
    // An end may lie near 0: what counts is its distance in the interval's own width.
    let width = high - low;
    close(found.low, low, 1e-10, width, &what);
    close(found.high, high, 1e-10, width, &what);
    close(cohen_d_test(d, edge, design).expect("a test").get(), p, 1e-9, 0.0, &what);
}

#[test]
fn intervals_and_tests_of_cohens_d_agree() {
    let Reference { cases, .. } = reference();
    assert!(cases.len() > 8);
    for case in cases {
        let [n_a, n_b] = case.n;
        agrees(Design::Unpaired { n_a, n_b }, case);
    }
}

#[test]
fn those_of_pairs_agree() {
    let Reference { paired, .. } = reference();
    assert!(paired.len() > 5);
    for case in paired {
        agrees(Design::Paired { n: case.n }, case);
    }
}
