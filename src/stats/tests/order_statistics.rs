//! Quantiles, trimmed means and outliers against `tests/reference/order_statistics.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::reference_values::{close, read};
use crate::stats::*;

/// A handful of roundings.
const EXACT: f64 = 1e-14;

#[derive(Deserialize)]
struct Reference {
    samples: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    values: Vec<f64>,
    ranks: Vec<Percent>,
    quantiles: BTreeMap<String, Vec<f64>>,
    tukey: Tukey,
    modified_z: Option<Modified>,
    trimmed: Vec<Trimmed>,
}

#[derive(Deserialize)]
struct Tukey {
    q1: f64,
    q3: f64,
    low: f64,
    high: f64,
    outliers: Vec<usize>,
}

#[derive(Deserialize)]
struct Modified {
    mad: f64,
    scores: Vec<f64>,
    outliers: Vec<usize>,
}

#[derive(Deserialize)]
struct Trimmed {
    percent: f64,
    cut: usize,
    mean: f64,
    winsorized_sd: Option<f64>,
}

fn cases() -> Vec<(Sample, Case)> {
    let reference: Reference = read(include_str!("../../../tests/reference/order_statistics.json"));
    let sample = |case: Case| (Sample::new(case.values.clone()).expect("finite values"), case);
    reference.samples.into_iter().map(sample).collect()
}

/// The size of a sample's values, against which a difference near 0 is measured.
fn scale(sample: &Sample) -> f64 {
    sample.min().abs().max(sample.max().abs())
}

#[test]
fn quantiles_of_all_nine_methods_agree() {
    let mut compared = 0;
    for (sample, case) in cases() {
        assert_eq!(case.quantiles.len(), 9);
        for (method, quantiles) in &case.quantiles {
            let named: QuantileMethod =
                serde_json::from_value(method.as_str().into()).expect("numpy's name of the method");
            for (rank, expected) in case.ranks.iter().zip(quantiles) {
                let what = format!("{method} {} of {}", rank.get(), sample.n());
                close(quantile(&sample, *rank, named), *expected, EXACT, scale(&sample), &what);
                compared += 1;
            }
        }
    }
    assert!(compared >= 900, "{compared}");
}

#[test]
fn outliers_agree() {
    for (sample, case) in cases() {
        let what = format!("n = {}", sample.n());
        let found = tukey_outliers(&sample, QuantileMethod::Linear).expect("fences");
        for (found, expected) in [
            (found.q1, case.tukey.q1),
            (found.q3, case.tukey.q3),
            (found.low, case.tukey.low),
            (found.high, case.tukey.high),
        ] {
            close(found, expected, EXACT, scale(&sample), &what);
        }
        assert_eq!(found.outliers, case.tukey.outliers, "{what}");
        match (modified_z(&sample), case.modified_z) {
            (Ok(found), Some(expected)) => {
                close(found.mad, expected.mad, EXACT, scale(&sample), &what);
                assert_eq!(found.outliers, expected.outliers, "{what}");
                // A rounding of a deviation, in median deviations.
                let rounding = EXACT.max(1e-15 * scale(&sample) / expected.mad);
                for (found, expected) in found.scores.iter().zip(&expected.scores) {
                    close(*found, *expected, rounding, 1.0, &what);
                }
            }
            (Err(Error::ZeroMedianDeviation { .. }), None) => {}
            (found, _) => panic!("{what}: {found:?}"),
        }
    }
}

#[test]
fn trimmed_means_and_winsorised_deviations_agree() {
    for (sample, case) in cases() {
        for expected in case.trimmed {
            let what = format!("{} % of {}", expected.percent, sample.n());
            let found = trimmed_mean(&sample, expected.percent).expect("a mean");
            assert_eq!(found.cut, expected.cut, "{what}");
            close(found.mean, expected.mean, EXACT, scale(&sample), &what);
            match (found.winsorized_sd, expected.winsorized_sd) {
                (Some(found), Some(expected)) => close(found, expected, 1e-11, 0.0, &what),
                (found, expected) => assert_eq!(found, expected, "{what}"),
            }
        }
    }
}
