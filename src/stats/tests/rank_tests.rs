//! Rank tests against `tests/reference/ranks.json`.

use serde::Deserialize;

use super::reference_values::{CLOSE, close, p_close, read};
use crate::stats::*;

#[derive(Deserialize)]
struct Reference {
    signed_rank: Vec<SignedRankCase>,
    signed_rank_untied: Vec<Untied>,
    mann_whitney: Vec<MannWhitneyCase>,
}

#[derive(Deserialize)]
struct SignedRankCase {
    differences: Vec<f64>,
    normal: Vec<Normal>,
    exact: Vec<Exact>,
}

#[derive(Deserialize)]
struct Normal {
    zero_method: ZeroMethod,
    continuity: bool,
    w_plus: f64,
    z: f64,
    p: f64,
    log10_p: f64,
}

#[derive(Deserialize)]
struct Exact {
    zero_method: ZeroMethod,
    p: f64,
}

#[derive(Deserialize)]
struct Untied {
    differences: Vec<f64>,
    p: f64,
}

/// Two samples, written in full or as ranges of whole numbers.
#[derive(Deserialize)]
struct MannWhitneyCase {
    #[serde(default)]
    a: Vec<f64>,
    #[serde(default)]
    b: Vec<f64>,
    range_a: Option<[u32; 2]>,
    range_b: Option<[u32; 2]>,
    u_a: f64,
    cliff: f64,
    normal: Vec<Approximated>,
    exact: Option<f64>,
}

#[derive(Deserialize)]
struct Approximated {
    continuity: bool,
    p: f64,
    log10_p: f64,
}

fn sample(values: Vec<f64>, range: Option<[u32; 2]>) -> Sample {
    let values = range.map_or(values, |[from, to]| (from..to).map(f64::from).collect());
    Sample::new(values).expect("finite values")
}

fn reference() -> Reference {
    read(include_str!("../../../tests/reference/ranks.json"))
}

#[test]
fn the_signed_rank_test_agrees_with_scipy_for_every_treatment_of_zeros() {
    for case in reference().signed_rank {
        let differences = Sample::new(case.differences.clone()).expect("finite values");
        for expected in case.normal {
            let Normal { zero_method, continuity, .. } = expected;
            let what = format!("{zero_method:?}, continuity {continuity}, {:?}", case.differences);
            let found = signed_rank(&differences, zero_method, RankNull::Normal { continuity }).expect("a test");
            assert_eq!(found.w_plus, expected.w_plus, "{what}");
            close(found.z.expect("a z-score"), expected.z, CLOSE, 0.0, &what);
            p_close(found.p, expected.p, expected.log10_p, CLOSE, &what);
        }
        for Exact { zero_method, p } in case.exact {
            let found = signed_rank(&differences, zero_method, RankNull::Exact).expect("a test");
            close(found.p.get(), p, 1e-15, 0.0, &format!("{zero_method:?}, {:?}", case.differences));
        }
    }
}

#[test]
fn long_samples_without_ties_agree_with_scipy_exactly() {
    for case in reference().signed_rank_untied {
        let differences = Sample::new(case.differences).expect("finite values");
        let found = signed_rank(&differences, ZeroMethod::Wilcox, RankNull::Exact).expect("a test");
        close(found.p.get(), case.p, CLOSE, 0.0, &format!("n = {}", differences.n()));
    }
}

#[test]
fn the_mann_whitney_test_and_cliffs_delta_agree() {
    let mut exact = 0;
    for case in reference().mann_whitney {
        let (a, b) = (sample(case.a, case.range_a), sample(case.b, case.range_b));
        let what = format!("{} and {} values, u {}", a.n(), b.n(), case.u_a);
        for expected in case.normal {
            let null = RankNull::Normal { continuity: expected.continuity };
            let found = mann_whitney(&a, &b, null).expect("a test");
            assert_eq!(found.u_a, case.u_a, "{what}");
            p_close(found.p, expected.p, expected.log10_p, CLOSE, &format!("{what}, {null:?}"));
        }
        let dominance = cliff_delta(&a, &b);
        close(dominance.delta, case.cliff, 1e-15, 0.0, &what);
        // U counts the same pairs.
        assert_eq!(dominance.a_larger as f64 + dominance.equal as f64 / 2.0, case.u_a, "{what}");
        if let Some(p) = case.exact {
            let found = mann_whitney(&a, &b, RankNull::Exact).expect("a test");
            close(found.p.get(), p, 1e-15, 0.0, &what);
            exact += 1;
        }
    }
    assert!(exact >= 5, "{exact} exact cases");
}
