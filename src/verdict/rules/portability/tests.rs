use proptest::prelude::*;

use super::*;
use crate::verdict::rules::{Count, Standing};

type Given = Option<(u64, u64, Option<f64>)>;

fn ruled(ok_rate: f64, crash_rate: f64, conditions: &[(Given, Given)]) -> Ruling {
    counted(Tally::printed, ok_rate, crash_rate, conditions)
}

/// By launches of three attempts each.
fn by_launch(count: Count) -> Tally {
    Tally { count, attempts: Some(Count { hits: 3 * count.hits, trials: 3 * count.trials }) }
}

fn counted(tally: fn(Count) -> Tally, ok_rate: f64, crash_rate: f64, conditions: &[(Given, Given)]) -> Ruling {
    portability(&given(tally, ok_rate, crash_rate, conditions))
}

fn given(tally: fn(Count) -> Tally, ok_rate: f64, crash_rate: f64, conditions: &[(Given, Given)]) -> Portability {
    let side = |given: Given, name: &str| {
        given.map(|(hits, trials, mean_ms)| SideRows {
            failed: tally(Count { hits, trials }),
            mean_ms,
            source: format!("table:{name}"),
        })
    };
    let conditions = conditions.iter().enumerate().map(|(at, &(a, b))| Condition {
        key: BTreeMap::from([("cell".to_owned(), at.to_string())]),
        a: side(a, "a"),
        b: side(b, "b"),
        latency: None,
    });
    Portability {
        sides: ["Ada".to_owned(), "A100".to_owned()],
        conditions: conditions.collect(),
        ok_rate,
        crash_rate,
        similar_pct: 5.0,
        confidence: Confidence::new(0.95).expect("a level"),
        also_in_family: OtherTests::default(),
    }
}

fn label(a: Given, b: Given) -> String {
    ruled(0.0, 0.5, &[(a, b)]).parts[0].label.clone()
}

fn ok(mean: f64) -> Given {
    Some((0, 60, Some(mean)))
}

#[test]
fn every_combination_has_its_label() {
    let crash = Some((60, 60, None));
    let some = Some((10, 60, Some(5.0)));
    assert_eq!(label(ok(100.0), ok(104.9)), "portable_similar_latency");
    assert_eq!(label(ok(100.0), ok(105.0)), "portable_latency_shift");
    assert_eq!(label(ok(100.0), ok(95.0)), "portable_latency_shift");
    assert_eq!(label(ok(100.0), ok(95.1)), "portable_similar_latency");
    assert_eq!(label(ok(100.0), Some((0, 60, None))), "portable_latency_unknown");
    assert_eq!(label(crash, crash), "confirmed_crash_both");
    assert_eq!((label(ok(1.0), crash), label(crash, ok(1.0))), ("flipped".to_owned(), "flipped".to_owned()));
    assert_eq!((label(ok(1.0), some), label(some, crash)), ("unstable".to_owned(), "unstable".to_owned()));
    assert_eq!((label(None, ok(1.0)), label(ok(1.0), None)), ("missing_ada".to_owned(), "missing_a100".to_owned()));
    assert_eq!(
        (label(None, None), label(Some((0, 0, None)), ok(1.0))),
        ("missing_both".to_owned(), "missing_ada".to_owned())
    );
}

#[test]
fn the_cuts_belong_to_ok_and_to_crash() {
    let classed = |hits| ruled(0.1, 0.5, &[(Some((hits, 100, None)), Some((100, 100, None)))]).parts[0].label.clone();
    assert_eq!([10, 11, 49, 50].map(classed), ["flipped", "unstable", "unstable", "confirmed_crash_both"]);
}

#[test]
fn tr147s_sixteen_covered_conditions_have_one_outcome_each_and_the_rest_say_nothing() {
    // SS5.2: 70 and 8 conditions on one host only, 8 shifted, 7 crashing on both, 1 similar.
    let crash = Some((60, 60, None));
    let mut conditions = vec![(ok(20.0), None); 70];
    conditions.extend(vec![(None, ok(20.0)); 8]);
    conditions.extend(vec![(ok(20.0), ok(25.0)); 8]);
    conditions.extend(vec![(crash, crash); 7]);
    conditions.push((ok(20.0), ok(20.5)));
    let ruling = ruled(0.0, 1.0, &conditions);
    assert_eq!((ruling.label.as_str(), ruling.standing), ("same_outcome", Standing::Decided));
    assert_eq!(
        ruling.reasons[0],
        "16 of 94 conditions were covered on both sides: confirmed_crash_both 7, missing_a100 70, missing_ada 8, \
         portable_latency_shift 8, portable_similar_latency 1"
    );
}

#[test]
fn one_flip_outweighs_everything_and_no_coverage_decides_nothing() {
    let crash = Some((60, 60, None));
    assert_eq!(ruled(0.0, 0.5, &[(ok(1.0), ok(1.0)), (ok(1.0), crash), (Some((9, 60, None)), crash)]).label, "flipped");
    assert_eq!(ruled(0.0, 0.5, &[(ok(1.0), None)]).standing, Standing::Inconclusive);
}

#[test]
fn a_rate_that_few_rows_stand_behind_is_said_to_be_unsure() {
    let ruling = ruled(0.05, 0.5, &[(Some((0, 3, Some(1.0))), ok(1.0))]);
    assert_eq!(ruling.parts[0].label, "portable_similar_latency");
    assert!(ruling.reasons[1].starts_with("in 1 of the covered"), "{:?}", ruling.reasons);
}

#[test]
fn by_launches_a_label_is_decided_where_the_intervals_bear_it_out() {
    let few = (Some((0, 3, Some(1.0))), Some((3, 3, None)));
    let ruling = counted(by_launch, 0.5, 0.6, &[few]);
    assert_eq!((ruling.label.as_str(), ruling.parts[0].label.as_str()), ("inconclusive", "flipped"));
    assert_eq!(ruling.reasons[1], "1 of 1 conditions were covered on both sides: flipped 1");
    // Two intervals at 1 - 0.05/2: 0.0125^(1/3) = 0.232.
    assert_eq!(
        ruling.reasons[3],
        "A100 failed in 3 of 3 launches (9 of 9 attempts), which leaves a rate from 0.232079 to 1"
    );
    // 0.0125^(1/n) >= 0.6 from n = 9 on.
    assert_eq!(ruling.settled_by, Some(9));
    let of = |n: u64| counted(by_launch, 0.5, 0.6, &[(Some((0, n, Some(1.0))), Some((n, n, None)))]);
    assert_eq!([of(8).label, of(9).label], ["inconclusive", "flipped"]);
    assert_eq!(
        of(9).parts[0].reason.as_deref(),
        Some("Ada: 0 of 9 launches (0 of 27 attempts); A100: 9 of 9 launches (27 of 27 attempts)")
    );
    let sure = (Some((0, 20, Some(1.0))), Some((20, 20, None)));
    assert_eq!(counted(by_launch, 0.5, 0.6, &[few, sure]).label, "flipped", "one that is sure is enough");
    let alike = (Some((0, 20, Some(1.0))), Some((0, 20, None)));
    assert_eq!(counted(by_launch, 0.5, 0.6, &[alike]).label, "same_outcome");
    assert_eq!(counted(by_launch, 0.5, 0.6, &[alike, few]).label, "inconclusive");
    let two = (Some((0, 2, Some(1.0))), Some((0, 2, Some(1.0))));
    assert_eq!(counted(by_launch, 0.98, 0.99, &[two]).settled_by, Some(3));
}

#[test]
fn a_rate_of_exactly_nothing_is_settled_by_no_number_of_launches() {
    for n in [3, 300] {
        let ruling = counted(by_launch, 0.0, 0.5, &[(Some((0, n, Some(1.0))), Some((n, n, None)))]);
        assert_eq!((ruling.label.as_str(), ruling.settled_by), ("inconclusive", None));
        let why = "no number of launches shows a rate to be exactly 0, as ok_rate = 0 asks for";
        assert!(ruling.reasons.iter().any(|reason| reason == why), "{:?}", ruling.reasons);
    }
    let always = counted(by_launch, 0.4, 1.0, &[(Some((9, 9, None)), Some((9, 9, None)))]);
    assert!(always.reasons.iter().any(|reason| reason.contains("crash_rate = 1")), "{:?}", always.reasons);
    let edge = counted(by_launch, 0.25, 0.5, &[(Some((3, 6, None)), Some((60, 60, None)))]);
    assert_eq!(edge.settled_by, None, "{:?}", edge.reasons);
    let between = counted(by_launch, 0.25, 0.75, &[(Some((3, 6, None)), Some((3, 6, None)))]);
    let needed = between.settled_by.expect("a number");
    let settled = |n| counted(by_launch, 0.25, 0.75, &[(Some((n / 2, n, None)), Some((n / 2, n, None)))]).label;
    assert_eq!([settled(needed + needed % 2), settled(needed - 4 - needed % 2)], ["unstable", "inconclusive"]);
}

/// The same conditions among so many other tests.
fn among(input: &Portability, others: &[f64]) -> Ruling {
    let also_in_family = others.iter().map(|p| PValue::new(*p).expect("a p")).collect();
    portability(&Portability { also_in_family, ..input.clone() })
}

#[test]
fn by_launches_a_condition_is_decided_by_its_p_in_the_plans_family() {
    let of = |n: u64| given(by_launch, 0.5, 0.6, &[(Some((0, n, Some(1.0))), Some((n, n, None)))]);
    // 0.6^9 = 0.0101 is the larger of both: 0.5^9 = 0.002.
    let p = portability_family(&of(9));
    assert!(p.len() == 1 && (p[0].expect("a test").get() - 0.010_078).abs() < 1e-6, "{p:?}");
    assert_eq!(among(&of(9), &[0.9; 3]).label, "flipped");
    let many = among(&of(9), &[0.9; 4]);
    assert_eq!((many.label.as_str(), many.parts[0].label.as_str()), ("inconclusive", "flipped"));
    assert!(many.reasons[2].contains("of 5 tests in the plan's family"), "{:?}", many.reasons);
    let needed = many.settled_by.expect("a number");
    assert_eq!((needed > 9, among(&of(needed), &[0.9; 4]).label.as_str()), (true, "flipped"), "{needed}");
    assert_eq!(
        portability_family(&of(3)),
        [None],
        "no outcome of three launches shows both classes, and one of more may"
    );
    let exact = given(by_launch, 0.0, 0.5, &[(Some((0, 9, Some(1.0))), Some((9, 9, None)))]);
    assert_eq!(portability_family(&exact).iter().flatten().map(|p| p.get()).collect::<Vec<_>>(), [1.0]);
    let printed = given(Tally::printed, 0.0, 0.5, &[(ok(1.0), ok(1.0))]);
    assert_eq!(portability_family(&printed), [], "what is printed is no test");
}

#[test]
fn measured_means_are_similar_or_shifted_where_their_interval_and_their_p_say_so() {
    let with = |value: f64, reach: f64, p: f64, others: &[f64]| {
        let change_pct = Estimate { value, interval: Some([value - reach, value + reach]), launches: Some(5) };
        let at_edges = [PValue::new(p).expect("a p"), PValue::new(p / 2.0).expect("a p")];
        let mut input = given(by_launch, 0.5, 0.9, &[(Some((0, 20, Some(1.0))), Some((0, 20, Some(1.0))))]);
        input.conditions[0].latency = Some(Latency::Tested { change_pct, at_edges });
        among(&input, others)
    };
    let label = |value, reach| with(value, reach, 0.01, &[]).parts[0].label.clone();
    assert_eq!(label(0.0, 4.9), "portable_similar_latency");
    assert_eq!([label(10.0, 4.9), label(-10.0, 4.9)], ["portable_latency_shift", "portable_latency_shift"]);
    assert_eq!([label(0.0, 5.1), label(10.0, 5.1)], ["portable_latency_inconclusive", "portable_latency_inconclusive"]);
    // 20 launches without a failure show a rate of at most 0.5: 1e-6. So the means are one of few.
    let few = with(0.0, 1.0, 0.01, &[0.9; 4]);
    assert_eq!((few.label.as_str(), few.parts[0].label.as_str()), ("same_outcome", "portable_similar_latency"));
    let many = with(0.0, 1.0, 0.01, &[0.9; 5]);
    assert_eq!(many.parts[0].label, "portable_latency_inconclusive", "0.01 six times over");
    assert!(many.parts[0].reason.as_ref().is_some_and(|why| why.contains("of 7 tests")), "{many:?}");
    assert_eq!(with(10.0, 1.0, 0.01, &[0.9; 5]).parts[0].label, "portable_latency_shift", "by the nearer edge alone");
    let mut few = given(by_launch, 0.5, 0.9, &[(Some((0, 20, Some(1.0))), Some((0, 20, Some(9.0))))]);
    few.conditions[0].latency = Some(Latency::Untested("2 launches a side".to_owned()));
    let ruling = portability(&few);
    assert_eq!(ruling.parts[0].label, "portable_latency_inconclusive");
    assert!(ruling.parts[0].reason.as_ref().is_some_and(|why| why.ends_with("; 2 launches a side")), "{ruling:?}");
}

#[test]
fn one_cut_leaves_nothing_between_ok_and_crash_and_is_ok_itself() {
    let side = |hits| Some((hits, 10, Some(1.0)));
    for (hits, label) in
        [(0, "portable_similar_latency"), (5, "portable_similar_latency"), (6, "flipped"), (10, "flipped")]
    {
        assert_eq!(ruled(0.5, 0.5, &[(side(0), side(hits))]).parts[0].label, label, "{hits} of 10");
    }
}

#[test]
fn impossible_numbers_and_overlapping_cuts_are_invalid() {
    for (low, high) in [(0.5, 0.4), (1.0, 1.0), (-0.1, 0.5), (0.1, 1.1), (f64::NAN, 0.5), (0.0, f64::NAN)] {
        assert_eq!(ruled(low, high, &[(ok(1.0), ok(1.0))]).standing, Standing::Invalid, "{low} {high}");
    }
    for mean in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(ruled(0.0, 0.5, &[(ok(1.0), ok(mean))]).standing, Standing::Invalid, "{mean}");
    }
    assert_eq!(ruled(0.0, 0.5, &[]).standing, Standing::Invalid);
}

proptest! {
    #[test]
    fn any_input_has_a_ruling(
        cuts in [proptest::num::f64::ANY, proptest::num::f64::ANY],
        mean in proptest::num::f64::ANY,
        hits in 0..9_u64,
        trials in 0..9_u64,
    ) {
        let side = Some((hits, trials, Some(mean)));
        prop_assert!(!ruled(cuts[0], cuts[1], &[(side, ok(1.0))]).reasons.is_empty());
        prop_assert!(!ruled(0.0, 0.5, &[(side, side)]).reasons.is_empty());
    }
}
