//! Bootstrap intervals against `tests/reference/resampling.json`.

use serde::Deserialize;

use super::reference_values::{CLOSE, close, read};
use crate::stats::*;

#[derive(Deserialize)]
struct Reference {
    intervals: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    groups: Groups,
    seed: u64,
    resamples: u32,
    confidence: Confidence,
    estimate: f64,
    percentile: [f64; 2],
    basic: [f64; 2],
    bca: [f64; 2],
}

#[derive(Deserialize)]
#[serde(tag = "kind", content = "groups", rename_all = "snake_case")]
enum Groups {
    Mean([Vec<f64>; 1]),
    Difference([Vec<f64>; 2]),
    Paired([Vec<f64>; 2]),
    Clustered([Vec<Vec<f64>>; 1]),
    ClusteredDifference([Vec<Vec<f64>>; 2]),
}

fn replicates(values: &[f64]) -> Replicates {
    Replicates::new(values).expect("usable values")
}

fn clusters(values: &[Vec<f64>]) -> Clusters {
    Clusters::new(values.to_vec()).expect("clusters")
}

fn found(groups: &Groups, method: BootstrapMethod, bootstrap: Bootstrap) -> Interval {
    let interval = match groups {
        Groups::Mean([sample]) => bootstrap_mean_interval_by(method, &replicates(sample), bootstrap),
        Groups::Difference([a, b]) => bootstrap_difference_interval(method, &replicates(a), &replicates(b), bootstrap),
        Groups::Paired([a, b]) => {
            let pairs = Pairs::new(a.clone(), b.clone()).expect("pairs");
            bootstrap_paired_interval(method, &pairs, bootstrap)
        }
        Groups::Clustered([sample]) => bootstrap_clustered_interval(method, &clusters(sample), bootstrap),
        Groups::ClusteredDifference([a, b]) => {
            bootstrap_clustered_difference_interval(method, &clusters(a), &clusters(b), bootstrap)
        }
    };
    interval.expect("an interval")
}

#[test]
fn all_methods_agree_with_scipy_on_the_same_resamples() {
    let reference: Reference = read(include_str!("../../../tests/reference/resampling.json"));
    assert!(reference.intervals.len() >= 10);
    for case in reference.intervals {
        let Case { seed, resamples, confidence, .. } = case;
        let bootstrap = Bootstrap { resamples, seed, confidence };
        for (method, [low, high]) in [
            (BootstrapMethod::Percentile, case.percentile),
            (BootstrapMethod::Basic, case.basic),
            (BootstrapMethod::Bca, case.bca),
        ] {
            let interval = found(&case.groups, method, bootstrap);
            let what = format!("{method:?}, seed {seed}");
            close(interval.estimate, case.estimate, 1e-15, 10.0, &what);
            close(interval.low, low, CLOSE, 0.0, &what);
            close(interval.high, high, CLOSE, 0.0, &what);
        }
    }
}
