//! What holds for every input. Each property runs [`CASES`] random cases, the costly ones [`FEW_CASES`].

use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::prelude::*;

use crate::stats::distribution::*;
use crate::stats::*;

const CASES: u32 = 2_000;
const FEW_CASES: u32 = 200;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Every finite double: all exponents are as likely, subnormals and zeros included.
fn any_finite() -> impl Strategy<Value = f64> {
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

/// What users measure, and what nobody should.
fn any_values() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        vec(any_finite(), 0..12),
        vec(0.1..100.0, 0..12),
        vec(prop_oneof![Just(1e300), Just(-1e300), Just(f64::MAX), Just(5e-324), Just(1e-310), Just(0.0)], 0..12),
        (any_finite(), 1_usize..12).prop_map(|(value, n)| vec![value; n]),
        (any_finite(), vec(0_u64..4, 2..8)).prop_map(|(value, steps)| {
            let neighbour = |step: &u64| f64::from_bits(value.to_bits().saturating_add(*step));
            steps.iter().map(neighbour).filter(|value| value.is_finite()).collect()
        }),
    ]
}

/// Launch times as they come: a few up to a few dozen, within a factor of ten.
fn launches() -> impl Strategy<Value = Replicates> {
    vec(1.0..10.0, 3..30).prop_filter_map("has spread", |values| {
        Replicates::new(values).ok().filter(|replicates| replicates.sd() > 1e-6)
    })
}

fn level() -> impl Strategy<Value = Confidence> {
    (0.9..0.999).prop_map(|level| Confidence::new(level).expect("a level"))
}

fn alpha(value: f64) -> Alpha {
    Alpha::new(value).expect("a level")
}

/// All numbers of a result, as its JSON shows them.
fn numbers(result: &impl serde::Serialize) -> String {
    serde_json::to_string(result).expect("plain data")
}

/// serde_json writes what is not finite as null, and so does an absent option of a summary.
fn has_only_finite_numbers(result: &impl serde::Serialize) -> bool {
    !numbers(result).contains("null")
}

proptest! {
    #![proptest_config(cases(CASES))]

    #[test]
    fn one_sample_of_anything_finite_gives_finite_numbers_or_a_typed_error(values in any_values(), seed: u64) {
        let Ok(sample) = Sample::new(values) else { return Ok(()) };
        prop_assert!(sample.mean().is_finite() && sample.min() <= sample.mean() && sample.mean() <= sample.max());
        if let Ok(found) = summary(&sample) {
            let bare = [found.mean, found.min, found.p50, found.p90, found.p95, found.p99, found.max];
            prop_assert!(bare.into_iter().chain(found.sd).chain(found.cv).all(f64::is_finite), "{found:?}");
        }
        let Ok(replicates) = Replicates::try_from(sample) else { return Ok(()) };
        prop_assert!(replicates.sd().is_finite());
        prop_assert_eq!(replicates.sd() == 0.0, replicates.sample().is_constant());
        let confidence = Confidence::new(0.95).expect("a level");
        if let Ok(interval) = student_interval(&replicates, confidence) {
            prop_assert!(has_only_finite_numbers(&interval), "{interval:?}");
        }
        let bootstrap = Bootstrap { resamples: 50, seed, confidence };
        if let Ok(interval) = bootstrap_mean_interval(&replicates, bootstrap) {
            prop_assert!(has_only_finite_numbers(&interval) && interval.low <= interval.high, "{interval:?}");
        }
    }

    #[test]
    fn two_samples_of_anything_finite_give_finite_numbers_or_a_typed_error(
        a in any_values(), b in any_values(), margin in any_finite(), percent in any_finite(),
    ) {
        let (Ok(a), Ok(b)) = (Replicates::new(a), Replicates::new(b)) else { return Ok(()) };
        if let Ok(d) = cohen_d(&a, &b) {
            prop_assert!(has_only_finite_numbers(&d), "{d:?}");
        }
        let Ok(found) = welch(&a, &b) else { return Ok(()) };
        prop_assert!(has_only_finite_numbers(&found), "{found:?}");
        let fewer = a.df().min(b.df());
        prop_assert!(found.test.df >= fewer * (1.0 - 1e-12) && found.test.df <= (a.df() + b.df()) * (1.0 + 1e-12));
        for margin in [Margin::absolute(margin.abs()), Margin::percent_of(a.sample(), percent)].into_iter().flatten() {
            if let Ok(found) = tost(&found.effect, margin, alpha(0.05)) {
                prop_assert!(has_only_finite_numbers(&found), "{found:?}");
            }
        }
        if let Ok(pooled) = pool(&[found.effect, found.effect]) {
            prop_assert!(has_only_finite_numbers(&pooled), "{pooled:?}");
        }
    }

    #[test]
    fn nan_and_infinity_never_get_in(mut values in vec(any_finite(), 1..8), at: prop::sample::Index, sign: bool) {
        let index = at.index(values.len());
        for bad in [f64::NAN, if sign { f64::INFINITY } else { f64::NEG_INFINITY }] {
            values[index] = bad;
            let refused = matches!(Sample::new(values.clone()), Err(Error::NotFinite { index: found, .. }) if found == index);
            prop_assert!(refused);
        }
    }

    #[test]
    fn percentiles_rise_with_their_rank_and_stay_within_the_sample(
        values in any_values(), one in 0.0..=100.0, other in 0.0..=100.0,
    ) {
        let Ok(sample) = Sample::new(values) else { return Ok(()) };
        let at = |rank: f64| percentile(&sample, Percent::new(rank).expect("a rank"));
        let (low, high) = (at(f64::min(one, other)), at(f64::max(one, other)));
        prop_assert!(sample.min() <= low && low <= high && high <= sample.max(), "{low} {high}");
        prop_assert_eq!((at(0.0), at(100.0)), (sample.min(), sample.max()));
    }

    #[test]
    fn holm_is_monotone_keeps_the_order_and_rejects_no_more_than_the_tests_alone(
        ps in vec(prop_oneof![0.0..=1.0, 0.0..1e-3, Just(0.0), Just(1.0), Just(5e-324)], 0..40), level in 0.001..0.5,
    ) {
        let family: Vec<PValue> = ps.iter().map(|&p| PValue::new(p).expect("a p-value")).collect();
        let decisions = holm(&family, alpha(level));
        prop_assert_eq!(decisions.len(), family.len());
        for (decision, p) in decisions.iter().zip(&family) {
            prop_assert_eq!(decision.p, *p);
            prop_assert!(decision.adjusted >= decision.p);
            prop_assert!(decision.adjusted.get() <= (p.get() * family.len() as f64).min(1.0), "at most Bonferroni");
            prop_assert_eq!(decision.rejected, decision.adjusted.get() <= level);
            for other in &decisions {
                prop_assert!(decision.p >= other.p || decision.adjusted <= other.adjusted);
            }
        }
        let reversed: Vec<PValue> = family.iter().rev().copied().collect();
        let mut mirrored = holm(&reversed, alpha(level));
        mirrored.reverse();
        prop_assert_eq!(mirrored, decisions);
    }

    #[test]
    fn exchanging_the_samples_changes_signs_and_nothing_else(a in launches(), b in launches(), margin in 0.01..5.0) {
        let (forth, back) = (welch(&a, &b).expect("spread"), welch(&b, &a).expect("spread"));
        prop_assert_eq!(forth.test.t, -back.test.t);
        prop_assert_eq!((forth.test.df, forth.test.p), (back.test.df, back.test.p));
        prop_assert_eq!(cohen_d(&a, &b).expect("spread").d, -cohen_d(&b, &a).expect("spread").d);
        let margin = Margin::absolute(margin).expect("a margin");
        let forth = tost(&forth.effect, margin, alpha(0.05)).expect("a test");
        let back = tost(&back.effect, margin, alpha(0.05)).expect("a test");
        prop_assert_eq!((forth.p_lower, forth.p_upper, forth.p), (back.p_upper, back.p_lower, back.p));
        prop_assert_eq!((forth.equivalent, forth.interval.low), (back.equivalent, -back.interval.high));
    }

    #[test]
    fn equivalence_is_claimed_exactly_when_the_interval_lies_inside_the_margins(
        a in launches(), b in launches(), margin in 0.01..5.0,
    ) {
        let effect = welch(&a, &b).expect("spread").effect;
        let found = tost(&effect, Margin::absolute(margin).expect("a margin"), alpha(0.05)).expect("a test");
        let inside = -margin < found.interval.low && found.interval.high < margin;
        let decided = (found.p.get() - 0.05).abs() > 1e-9;
        prop_assert!(!decided || inside == found.equivalent, "{found:?}");
    }

    #[test]
    fn another_unit_changes_no_test_and_scales_every_size(a in launches(), b in launches(), exponent in -60_i32..60) {
        let unit = libm::scalbn(1.0, exponent);
        let scaled = |of: &Replicates| {
            Replicates::new(of.values().iter().map(|value| value * unit).collect::<Vec<_>>()).expect("usable values")
        };
        let (plain, other) = (welch(&a, &b).expect("spread"), welch(&scaled(&a), &scaled(&b)).expect("spread"));
        prop_assert_eq!(plain.test, other.test);
        prop_assert_eq!(plain.effect.se() * unit, other.effect.se());
        prop_assert_eq!(cohen_d(&a, &b).expect("spread").d, cohen_d(&scaled(&a), &scaled(&b)).expect("spread").d);
        let margin = |of: &Replicates| Margin::percent_of(of.sample(), 3.0).expect("a margin");
        let equivalence = tost(&plain.effect, margin(&a), alpha(0.05)).expect("a test");
        let same = tost(&other.effect, margin(&scaled(&a)), alpha(0.05)).expect("a test");
        prop_assert_eq!((equivalence.p_lower, equivalence.p_upper), (same.p_lower, same.p_upper));
    }

    #[test]
    fn a_common_offset_changes_no_difference(a in launches(), b in launches(), offset in -100.0..100.0) {
        let moved = |of: &Replicates| {
            Replicates::new(of.values().iter().map(|value| value + offset).collect::<Vec<_>>()).expect("usable values")
        };
        let (plain, other) = (welch(&a, &b).expect("spread"), welch(&moved(&a), &moved(&b)).expect("spread"));
        prop_assert!((plain.effect.difference() - other.effect.difference()).abs() < 1e-12);
        prop_assert!((plain.effect.se() / other.effect.se() - 1.0).abs() < 1e-6);
        prop_assert!((plain.test.p.get() - other.test.p.get()).abs() < 1e-6);
    }

    #[test]
    fn a_student_interval_is_centred_on_the_mean_and_grows_with_the_confidence(
        sample in launches(), one in level(), other in level(),
    ) {
        let (less, more) = if one < other { (one, other) } else { (other, one) };
        let narrow = student_interval(&sample, less).expect("spread");
        let wide = student_interval(&sample, more).expect("spread");
        prop_assert!(narrow.contains(sample.mean()) && wide.low <= narrow.low && narrow.high <= wide.high);
        prop_assert!(((narrow.high - sample.mean()) - (sample.mean() - narrow.low)).abs() < 1e-12);
    }

    #[test]
    fn pooling_stays_among_its_effects_and_sharpens_them(
        parts in vec((-10.0..10.0, 0.01..5.0, 1.0..50.0), 1..8),
    ) {
        let effects: Vec<Effect> =
            parts.iter().map(|&(difference, se, df)| Effect::new(difference, se, df).expect("an effect")).collect();
        let pooled = pool(&effects).expect("effects");
        let differences = || effects.iter().map(Effect::difference);
        let found = pooled.effect.difference();
        let (low, high) = (differences().fold(f64::MAX, f64::min), differences().fold(f64::MIN, f64::max));
        prop_assert!(low - 1e-12 <= found && found <= high + 1e-12);
        let known = pooled.effect.se() / pooled.se_inflation;
        prop_assert!(pooled.se_inflation >= 1.0 && effects.iter().all(|effect| known <= effect.se() * (1.0 + 1e-15)));
        let most: f64 = effects.iter().map(Effect::df).sum();
        let least = effects.iter().map(Effect::df).fold(f64::MAX, f64::min);
        prop_assert!(least * (1.0 - 1e-12) <= pooled.effect.df() && pooled.effect.df() <= most * (1.0 + 1e-12));
        prop_assert!((pooled.weights.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        prop_assert_eq!(pooled.heterogeneity.is_some(), effects.len() > 1);
    }

    #[test]
    fn distribution_functions_are_probabilities_for_every_argument(x in any_finite(), df in any_finite(), n in 1_u32..) {
        let is_probability = |found: Result<f64, Error>| found.map_or(true, |p| (0.0..=1.0).contains(&p));
        prop_assert!(is_probability(normal_cdf(x)) && is_probability(normal_sf(x)));
        prop_assert!(is_probability(student_t_sf(x, df.abs())) && is_probability(student_t_cdf(x, df.abs())));
        prop_assert_eq!(student_t_sf(x, df.abs()).is_ok(), df.abs() >= 0.5);
        prop_assert!(is_probability(chi_square_sf(x, NonZeroU32::new(n % 5_000 + 1).expect("above 0"))));
        prop_assert!(is_probability(f_sf(x.abs(), f64::from(n % 50 + 1), df.abs())));
        prop_assert!(is_probability(incomplete_beta(x.abs(), df.abs(), 0.3)));
        prop_assert!(is_probability(noncentral_t_sf(x, df.abs(), 1.5)));
    }

    #[test]
    fn student_tails_fall_and_their_quantiles_lead_back(
        t in 1e-3..60.0, step in 1e-3..1.0, df in prop_oneof![1.0..30.0, 30.0..1e4, 1e4..1e10],
    ) {
        let tail = student_t_sf(t, df).expect("in the domain");
        prop_assert!(student_t_sf(t + step, df).expect("in the domain") < tail || tail < f64::MIN_POSITIVE);
        if tail > 1e-300 {
            let back = student_t_upper_quantile(tail, df).expect("in the domain");
            prop_assert!((back / t - 1.0).abs() < 1e-10, "{t} -> {tail} -> {back}");
        }
    }
}

proptest! {
    #![proptest_config(cases(FEW_CASES))]

    #[test]
    fn a_bootstrap_interval_contains_the_mean_and_repeats_itself(sample in launches(), confidence in level(), seed: u64) {
        let bootstrap = Bootstrap { resamples: 4_000, seed, confidence };
        let interval = bootstrap_mean_interval(&sample, bootstrap).expect("spread and resamples enough");
        prop_assert!(interval.contains(sample.mean()), "{interval:?}");
        prop_assert!(sample.sample().min() <= interval.low && interval.high <= sample.sample().max());
        prop_assert_eq!(bootstrap_mean_interval(&sample, bootstrap), Ok(interval));
    }

    #[test]
    fn the_noncentral_t_is_a_probability_and_rises_with_its_noncentrality(
        t in prop_oneof![-30.0..30.0, -1e8..1e8], df in prop_oneof![0.5..50.0, 50.0..1e12, Just(1e300)],
        ncp in prop_oneof![-30.0..30.0, -1e8..1e8], step in 0.01..1.0,
    ) {
        let at = |ncp| noncentral_t_sf(t, df, ncp).expect("in the domain");
        let (one, other) = (at(ncp), at(ncp + step));
        prop_assert!((0.0..=1.0).contains(&one) && one <= other + 1e-13, "{one} {other}");
    }

    #[test]
    fn a_test_planned_for_its_minimal_effect_has_the_power_asked_for(
        n_a in 2_u64..200, n_b in 2_u64..200, level in 1e-4..0.2, power in 0.3..0.99,
    ) {
        let found = mde(n_a, n_b, alpha(level), Power::new(power).expect("a power")).expect("an effect");
        let df = (n_a + n_b - 2) as f64;
        let noncentrality = found.d / (1.0 / n_a as f64 + 1.0 / n_b as f64).sqrt();
        let critical = student_t_upper_quantile(level / 2.0, df).expect("in the domain");
        let above = noncentral_t_sf(critical, df, noncentrality).expect("in the domain");
        let below = noncentral_t_cdf(-critical, df, noncentrality).expect("in the domain");
        prop_assert!((above + below - power).abs() < 1e-11, "{found:?}");
    }
}
