//! Whatever the numbers: a typed reason or finite numbers, for every test that takes values or summaries.

use proptest::collection::vec;
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::prelude::*;

use crate::stats::*;

/// Every finite double, and the ones that break arithmetic.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
        2 => prop_oneof![Just(f64::MAX), Just(-f64::MAX), Just(1e300), Just(5e-324), Just(-1e-310), Just(0.0), Just(-0.0)],
        3 => (-5_i32..5).prop_map(f64::from),
    ]
}

fn samples() -> impl Strategy<Value = Option<(Sample, Sample)>> {
    (vec(wild(), 0..8), vec(wild(), 0..8)).prop_map(|(a, b)| Some((Sample::new(a).ok()?, Sample::new(b).ok()?)))
}

fn moments() -> impl Strategy<Value = Option<Moments>> {
    (0_usize..2_000_000, wild(), wild()).prop_map(|(n, mean, sd)| Moments::new(n, mean, sd.abs()).ok())
}

/// A result's numbers are all finite: serde_json would write `null`.
fn finite<T: serde::Serialize>(result: Result<T, Error>) -> Result<(), TestCaseError> {
    if let Ok(found) = result {
        let written = serde_json::to_string(&found).expect("plain data");
        // An exact rank test has no z.
        prop_assert!(!written.replace("\"z\":null", "").contains(":null"), "{}", written);
    }
    Ok(())
}

fn alpha() -> Alpha {
    Alpha::new(0.05).expect("a level")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rank_tests_and_order_statistics_give_numbers_or_reasons(given in samples(), percent in 0.0..100.0) {
        let Some((a, b)) = given else { return Ok(()) };
        let rank = Percent::new(percent).expect("a rank");
        let methods = [
            QuantileMethod::InvertedCdf, QuantileMethod::AveragedInvertedCdf, QuantileMethod::ClosestObservation,
            QuantileMethod::InterpolatedInvertedCdf, QuantileMethod::Hazen, QuantileMethod::Weibull,
            QuantileMethod::Linear, QuantileMethod::MedianUnbiased, QuantileMethod::NormalUnbiased,
        ];
        for method in methods {
            let found = quantile(&a, rank, method);
            prop_assert!(a.min() <= found && found <= a.max(), "{:?}: {}", method, found);
            finite(tukey_outliers(&a, method))?;
        }
        finite(modified_z(&a))?;
        for null in [RankNull::Exact, RankNull::Normal { continuity: true }, RankNull::Normal { continuity: false }] {
            finite(mann_whitney(&a, &b, null))?;
            for zeros in [ZeroMethod::Wilcox, ZeroMethod::Pratt, ZeroMethod::Zsplit] {
                finite(signed_rank(&a, zeros, null))?;
            }
        }
        let dominance = cliff_delta(&a, &b);
        prop_assert!((-1.0..=1.0).contains(&dominance.delta));
        prop_assert_eq!(dominance.delta, -cliff_delta(&b, &a).delta);
    }

    #[test]
    fn tests_of_summaries_give_numbers_or_reasons(a in moments(), b in moments(), limit in wild(), percent in 0.01..99.0) {
        let (Some(a), Some(b)) = (a, b) else { return Ok(()) };
        finite(welch(a, b))?;
        finite(pooled_t(a, b))?;
        finite(one_sample_t(a, limit))?;
        finite(cohen_d(a, b))?;
        finite(student_interval(a, Confidence::new(0.95).expect("a level")))?;
        for correction in [HedgesCorrection::Exact, HedgesCorrection::Approximate] {
            finite(hedges_g(a, b, correction))?;
        }
        if let Ok(margin) = Margin::absolute(limit) {
            finite(tost_unpaired(a, b, margin, alpha()))?;
        }
        finite(tost_ratio_unpaired(a, b, RatioMargin::percent(percent).expect("a margin"), alpha()))?;
    }

    #[test]
    fn tests_of_pairs_and_resamples_give_numbers_or_reasons(both in vec((wild(), wild()), 0..6), seed in any::<u64>()) {
        let (a, b): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
        let bootstrap = Bootstrap { resamples: 60, ..Bootstrap::new(seed, Confidence::new(0.9).expect("a level")) };
        let clusters = Clusters::new(a.chunks(2).map(<[f64]>::to_vec));
        let Ok(pairs) = Pairs::new(a, b) else { return Ok(()) };
        finite(paired_t(&pairs))?;
        finite(paired_d(&pairs))?;
        finite(tost_paired(&pairs, Margin::absolute(1.0).expect("a margin"), alpha()))?;
        finite(tost_ratio_paired(&pairs, RatioMargin::percent(3.0).expect("a margin"), alpha()))?;
        let sides = Replicates::try_from(pairs.a().clone()).and_then(|a| Ok((a, Replicates::try_from(pairs.b().clone())?)));
        for method in [BootstrapMethod::Percentile, BootstrapMethod::Basic, BootstrapMethod::Bca] {
            finite(bootstrap_paired_interval(method, &pairs, bootstrap))?;
            if let Ok((a, b)) = &sides {
                finite(bootstrap_difference_interval(method, a, b, bootstrap))?;
            }
            if let Ok(clusters) = &clusters {
                finite(bootstrap_clustered_interval(method, clusters, bootstrap))?;
                finite(bootstrap_clustered_difference_interval(method, clusters, clusters, bootstrap))?;
            }
        }
    }

    #[test]
    fn adjusted_p_values_keep_their_order_and_never_fall_below_their_own(logs in vec(-700.0..0.0, 0..12)) {
        let family: Vec<PValue> = logs.iter().map(|log| PValue::from_decimal_log(*log).expect("a p-value")).collect();
        for decisions in [holm(&family, alpha()), bonferroni(&family, alpha()), benjamini_hochberg(&family, alpha())] {
            prop_assert_eq!(decisions.len(), family.len());
            for one in &decisions {
                prop_assert!(one.adjusted >= one.p, "{:?}", one);
                for other in &decisions {
                    prop_assert!(one.p > other.p || one.adjusted <= other.adjusted, "{:?} {:?}", one, other);
                }
            }
        }
    }
}
