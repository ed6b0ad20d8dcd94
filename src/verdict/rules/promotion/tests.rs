use proptest::prelude::*;

use super::*;
use crate::verdict::rules::Standing;

fn delta(mode: LoadMode, metric: &str, value: f64) -> GateDelta {
    GateDelta {
        mode,
        metric: metric.to_owned(),
        delta_ms: Estimate::printed(value),
        source: format!("row:{}", mode.name()),
    }
}

/// The judged metric in three modes.
fn stage(warm: f64, cold: f64, mixed: f64) -> Vec<GateDelta> {
    vec![
        delta(LoadMode::Warm, "request_ms", warm),
        delta(LoadMode::Cold, "full_ms", cold),
        delta(LoadMode::Mixed, "request_ms", mixed),
    ]
}

fn seen(active_when_on: bool, active_when_off: bool) -> KnobEvidence {
    KnobEvidence { active_when_on, active_when_off, sources: vec!["row:evidence".to_owned()] }
}

/// A promotion that passes every gate.
fn good() -> Promotion {
    let judged_by = [(LoadMode::Warm, "request_ms"), (LoadMode::Cold, "full_ms"), (LoadMode::Mixed, "request_ms")];
    Promotion {
        knob: "TENSOR_H2D_CHUNK_MB=0".to_owned(),
        stages: BTreeMap::from([(Stage::Ab2, stage(-0.4, -2.5, 0.0)), (Stage::Ab3, stage(-0.442, -2.562, -0.044))]),
        near_flat_ms: BTreeMap::from([
            ("request_ms".to_owned(), 0.1),
            ("full_ms".to_owned(), 0.1),
            ("p99_ms".to_owned(), 0.1),
        ]),
        judged_by: judged_by.map(|(mode, metric)| (mode, metric.to_owned())).into(),
        tail: "p99_ms".to_owned(),
        small_effect_ms: 0.2,
        values_without_interval: true,
        evidence: Some(seen(true, false)),
        parity: Some(StrictParity { checked: 3, failed: 0, skipped: Some(1) }),
        parity_sources: vec!["row:parity".to_owned()],
        parity_checked: 3,
        confidence: Confidence::new(0.95).expect("a level"),
        power: Power::new(0.8).ok(),
        foundation: Some(stage(-0.4, -2.0, 0.05)),
    }
}

fn ruled(change: impl FnOnce(&mut Promotion)) -> Ruling {
    let mut input = good();
    change(&mut input);
    promotion(&input)
}

#[test]
fn what_improves_or_is_near_flat_in_every_mode_is_promoted_and_by_value_only_if_the_plan_says_so() {
    let ruling = promotion(&good());
    assert_eq!((ruling.label.as_str(), ruling.standing), ("promote", Standing::Decided));
    assert!(ruling.reasons[1].contains("judged by their values"), "{:?}", ruling.reasons);
    let refused = ruled(|input| input.values_without_interval = false);
    assert_eq!((refused.label.as_str(), refused.standing), ("inconclusive", Standing::Inconclusive));
}

#[test]
fn the_gate_rejects_a_regression_and_a_flat_mean_with_a_worse_tail() {
    let regressed = ruled(|input| drop(input.stages.insert(Stage::Ab2, stage(0.489, 0.746, 0.004))));
    assert_eq!(regressed.label, "rejected_at_gate");
    // DELAYED_LT_TUNED: mixed request -0.004 ms, p99 +0.221 ms.
    let tail = |p99: f64| {
        ruled(|input| {
            let deltas = vec![
                delta(LoadMode::Warm, "request_ms", -0.185),
                delta(LoadMode::Mixed, "request_ms", -0.004),
                delta(LoadMode::Mixed, "p99_ms", p99),
            ];
            input.stages.insert(Stage::Ab2, deltas);
        })
    };
    assert_eq!(tail(0.221).label, "rejected_at_gate");
    assert_eq!(tail(0.1).label, "promote");
}

#[test]
fn a_sign_that_reverses_from_the_gate_to_its_confirmation_keeps_it_off() {
    // DELAYED_LT_10000: mixed request -0.256 ms at AB2, +0.173 ms at AB3.
    let ruling = ruled(|input| {
        input.stages.insert(Stage::Ab2, stage(-0.384, -1.0, -0.256));
        input.stages.insert(Stage::Ab3, stage(-0.33, -1.0, 0.173));
    });
    assert_eq!(ruling.label, "keep_off");
    assert_eq!(ruling.reasons[0], "the sign reversed: mixed improved at AB2 and regresses at AB3");
}

#[test]
fn conflicting_modes_and_noise_keep_it_off() {
    let conflict = ruled(|input| {
        input.stages.insert(Stage::Ab2, stage(-0.4, 0.0, -0.4));
        input.stages.insert(Stage::Ab3, stage(-0.5, 0.422, -0.5));
    });
    assert_eq!(conflict.label, "keep_off");
    assert_eq!(conflict.reasons[0], "modes conflict at AB3: warm and mixed improves, cold regresses");
    let noise = ruled(|input| drop(input.stages.insert(Stage::Ab3, stage(-0.1, 0.1, 0.0))));
    assert_eq!(noise.reasons[0], "near noise: no mode improves at AB3");
}

#[test]
fn tolerances_belong_to_near_flat() {
    let at = |cold: f64| ruled(|input| drop(input.stages.insert(Stage::Ab3, stage(-0.5, cold, 0.0)))).label;
    assert_eq!([0.1, 0.1_f64.next_up(), -0.1].map(at), ["promote", "keep_off", "promote"]);
}

#[test]
fn a_small_effect_needs_the_fifth_repetition() {
    let small = |ab5: Option<Vec<GateDelta>>| {
        ruled(|input| {
            input.stages.insert(Stage::Ab3, stage(-0.2, -0.1, 0.0));
            if let Some(ab5) = ab5 {
                input.stages.insert(Stage::Ab5, ab5);
            }
        })
    };
    assert_eq!((small(None).label.as_str(), small(None).settled_by), ("inconclusive", Some(5)));
    assert_eq!(small(Some(stage(-0.139, -0.1, -0.139))).label, "promote");
    assert_eq!(small(Some(stage(0.139, -0.1, -0.139))).label, "keep_off");
}

#[test]
fn a_delta_is_causal_only_if_one_arm_alone_had_the_path_at_work() {
    let with = |evidence: Option<(bool, bool)>| {
        ruled(|input| {
            input.evidence = evidence.map(|(on, off)| seen(on, off));
        })
    };
    for evidence in [(true, true), (false, false), (false, true)] {
        let ruling = with(Some(evidence));
        assert_eq!((ruling.label.as_str(), ruling.standing), ("not_causal", Standing::Decided), "{evidence:?}");
    }
    assert_eq!((with(None).label.as_str(), with(None).standing), ("inconclusive", Standing::Inconclusive));
}

#[test]
fn what_speaks_against_a_switch_is_said_whatever_else_is_missing() {
    let bare = |ab3: Vec<GateDelta>| {
        ruled(|input| {
            (input.evidence, input.parity, input.foundation) = (None, None, None);
            input.stages.insert(Stage::Ab3, ab3);
        })
    };
    let reversed = bare(stage(0.33, -2.5, 0.0));
    assert_eq!((reversed.label.as_str(), reversed.standing), ("keep_off", Standing::Decided));
    assert!(reversed.reasons[0].starts_with("the sign reversed: warm"), "{:?}", reversed.reasons);
    assert_eq!(bare(stage(-0.5, -2.5, 0.0)).standing, Standing::Inconclusive, "nothing speaks against it");
    // That nothing improves may be because the stage did not measure what would.
    assert_eq!(bare(stage(0.0, 0.0, 0.0)).standing, Standing::Inconclusive);
}

#[test]
fn parity_must_be_run_on_enough_models_and_not_fail() {
    let with = |parity: Option<(u64, u64)>| {
        ruled(|input| input.parity = parity.map(|(checked, failed)| StrictParity { checked, failed, skipped: Some(0) }))
            .label
    };
    assert_eq!(
        [Some((3, 1)), Some((2, 0)), Some((0, 0)), None].map(with),
        ["keep_off", "inconclusive", "inconclusive", "inconclusive"]
    );
}

#[test]
fn a_foundation_that_regresses_reverts_a_temporary_promotion() {
    // FFN_PROJ: slower in all three modes against the previous pack.
    assert_eq!(ruled(|input| input.foundation = Some(stage(0.9, 0.8, 0.7))).label, "revert");
    assert_eq!(ruled(|input| input.foundation = Some(Vec::new())).label, "inconclusive");
    let unasked = ruled(|input| input.foundation = None);
    assert_eq!(unasked.label, "promote");
    assert!(!unasked.reasons[0].contains("foundation"), "{:?}", unasked.reasons);
}

#[test]
fn a_mode_that_nobody_confirmed_leaves_it_open() {
    let ruling = ruled(|input| {
        input.stages.insert(Stage::Ab3, vec![delta(LoadMode::Warm, "request_ms", -0.5)]);
    });
    assert_eq!(ruling.reasons[0], "cold and mixed was not confirmed at AB3 or AB5");
    assert_eq!(ruled(|input| drop(input.stages.remove(&Stage::Ab2))).label, "inconclusive");
    assert_eq!(ruled(|input| drop(input.stages.remove(&Stage::Ab3))).label, "inconclusive");
}

#[test]
fn a_tolerance_that_the_plan_does_not_state_is_no_default() {
    let ruling = ruled(|input| input.near_flat_ms.retain(|metric, _| metric != "full_ms"));
    assert_eq!(ruling.standing, Standing::Invalid);
    assert!(ruling.reasons[0].contains("no tolerance for full_ms"), "{:?}", ruling.reasons);
    assert_eq!(ruled(|input| drop(input.judged_by.remove(&LoadMode::Cold))).standing, Standing::Invalid);
    assert_eq!(ruled(|input| input.small_effect_ms = f64::NAN).standing, Standing::Invalid);
}

#[test]
fn an_interval_over_a_tolerance_is_open() {
    let with = |interval: [f64; 2]| {
        ruled(|input| {
            let mut deltas = stage(-0.5, -2.5, 0.0);
            deltas[0].delta_ms.interval = Some(interval);
            input.stages.insert(Stage::Ab3, deltas);
        })
    };
    assert_eq!(with([-0.6, -0.4]).label, "promote");
    let open = with([-0.95, -0.05]);
    assert_eq!((open.label.as_str(), open.reasons[0].starts_with("at AB3 warm is open")), ("inconclusive", true));
}

proptest! {
    #[test]
    fn any_numbers_have_a_ruling(
        value in proptest::num::f64::ANY,
        ends in prop::option::of([proptest::num::f64::ANY, proptest::num::f64::ANY]),
        tolerance in proptest::num::f64::ANY,
    ) {
        let ruling = ruled(|input| {
            let mut deltas = stage(value, -1.0, 0.0);
            deltas[0].delta_ms.interval = ends;
            input.stages.insert(Stage::Ab3, deltas);
            input.near_flat_ms.insert("request_ms".to_owned(), tolerance);
        });
        prop_assert!(!ruling.reasons.is_empty());
    }

    #[test]
    fn every_delta_has_one_class(value in -1e3..1e3_f64, tolerance in 0.0..10.0_f64) {
        let found = class(&Estimate::printed(value), tolerance, true);
        prop_assert_eq!(found == Class::NearFlat, value.abs() <= tolerance);
        prop_assert_eq!(found == Class::Improves, value < -tolerance);
        prop_assert_eq!(found == Class::Regresses, value > tolerance);
    }
}

/// A stage whose warm delta has this interval around -0.4 ms.
fn with_warm(reach: f64) -> Vec<GateDelta> {
    let mut deltas = stage(-0.4, -2.562, -0.2);
    for delta in &mut deltas {
        let reach = if delta.mode == LoadMode::Warm { reach } else { 0.05 };
        delta.delta_ms.interval = Some([delta.delta_ms.value - reach, delta.delta_ms.value + reach]);
    }
    deltas
}

#[test]
fn an_open_delta_says_how_many_repetitions_of_its_stage_would_settle_it() {
    let of = |at: Stage, reach: f64| {
        ruled(|input| {
            input.stages.insert(Stage::Ab3, with_warm(0.1));
            input.stages.insert(at, with_warm(reach));
        })
    };
    let [third, fifth] = [(Stage::Ab3, 0.35), (Stage::Ab5, 0.35)].map(|(at, reach)| of(at, reach));
    assert!(third.reasons[0].starts_with("at AB3 warm is open"), "{:?}", third.reasons);
    // Three repetitions a side with t(0.975, 4) = 2.776: se = 0.35 / 2.776, sd = se sqrt(3 / 2); the edge lies 0.3 away.
    let d = 0.3 / (0.35 / 2.776_445 * 1.5_f64.sqrt());
    let alpha = crate::stats::Alpha::new(0.05).expect("a level");
    let power = Power::new(0.8).expect("a power");
    let needed = crate::stats::launches_for_difference(crate::stats::Pairing::Unpaired, d, alpha, power);
    assert_eq!(third.settled_by, needed.ok());
    assert!(third.settled_by > Some(3) && fifth.settled_by > Some(5), "{:?} {:?}", third.settled_by, fifth.settled_by);
    let narrow = of(Stage::Ab3, 0.1);
    assert_eq!((narrow.label.as_str(), narrow.settled_by), ("promote", None));
}

#[test]
fn where_no_number_of_repetitions_can_be_told_the_ruling_says_why() {
    let bare = ruled(|input| input.values_without_interval = false);
    assert!(bare.settled_by.is_none() && bare.reasons[1].contains("warm request_ms has no interval"), "{bare:?}");
    let stated = ruled(|input| {
        input.stages.insert(Stage::Ab3, with_warm(0.35));
        input.power = None;
    });
    assert!(stated.settled_by.is_none() && stated.reasons[1].contains("states no power"), "{stated:?}");
    let on_edge = ruled(|input| {
        let mut deltas = with_warm(0.35);
        deltas[0].delta_ms = Estimate { value: -0.1, interval: Some([-0.2, 0.0]), launches: None };
        input.stages.insert(Stage::Ab3, deltas);
    });
    assert!(on_edge.settled_by.is_none() && on_edge.reasons[1].contains("lies on its tolerance"), "{on_edge:?}");
    let founded = ruled(|input| input.foundation = Some(with_warm(0.35)));
    assert!(founded.reasons[0].starts_with("the foundation pack is open in warm"), "{:?}", founded.reasons);
    assert!(founded.settled_by.is_none() && founded.reasons[1].contains("is not stated"), "{founded:?}");
}

#[test]
fn the_row_of_strict_parity_and_every_limit_are_listed() {
    let ruling = promotion(&good());
    assert!(ruling.rests_on.contains(&"row:parity".to_owned()), "{:?}", ruling.rests_on);
    let listed: Vec<&str> = ruling.thresholds.iter().map(|it| it.name.as_str()).collect();
    for wanted in ["near_flat request_ms", "small_effect", "parity_checked", "confidence", "power"] {
        assert!(listed.contains(&wanted), "{wanted} of {listed:?}");
    }
}
