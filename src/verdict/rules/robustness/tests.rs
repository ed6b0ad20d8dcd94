//! Losses of stacks that ran and of stacks that did not, by repetitions and by launches.

use proptest::prelude::*;

use super::*;
use crate::stats::Effect;
use crate::verdict::rules::{Count, Standing};

fn point(performance: Option<(f64, Option<[f64; 2]>)>) -> StackPoint {
    StackPoint {
        stack: "stack".to_owned(),
        performance: performance.map(|(value, interval)| Estimate { value, interval, launches: None }),
        measured: None,
        survived: Tally::printed(Count { hits: if performance.is_some() { 5 } else { 0 }, trials: 5 }),
        sources: vec!["row".to_owned()],
    }
}

fn among(points: Vec<StackPoint>, others: &[f64]) -> CompileRobustness {
    CompileRobustness {
        points,
        robust_pct: 5.0,
        sensitive_pct: 20.0,
        fragile_pct: 50.0,
        confidence: Confidence::new(0.95).expect("a level"),
        power: Power::new(0.8).ok(),
        also_in_family: others.iter().map(|p| PValue::new(*p).expect("a p")).collect(),
    }
}

fn ruled(points: Vec<StackPoint>) -> Ruling {
    compile_robustness(&among(points, &[]))
}

/// Stacks of five launches each, by mean and standard error.
fn measured(means: &[(f64, f64)]) -> Vec<StackPoint> {
    let all: Vec<StackMean> = means
        .iter()
        .map(|(mean, se)| StackMean { mean: Effect::new(*mean, *se, 4.0).expect("an effect"), is_time: false })
        .collect();
    let intervals = intervals_together(&all, Confidence::new(0.95).expect("a level")).expect("intervals");
    let points = all.into_iter().zip(intervals).map(|(measured, interval)| StackPoint {
        measured: Some(measured),
        ..point(Some((measured.mean.difference(), Some(interval))))
    });
    points.collect()
}

/// Two stacks that ran in every launch, and `dead` others that ran in none.
fn with_dead(launches: u64, dead: usize) -> Ruling {
    let survived = |hits| Tally {
        count: Count { hits, trials: launches },
        attempts: Some(Count { hits: 5 * hits, trials: 5 * launches }),
    };
    let ran = exact(&[100.0, 100.0]).into_iter().map(|point| StackPoint { survived: survived(launches), ..point });
    let dead = (0..dead).map(|_| StackPoint { survived: survived(0), ..point(None) });
    ruled(ran.chain(dead).collect())
}

fn exact(values: &[f64]) -> Vec<StackPoint> {
    values.iter().map(|value| point(Some((*value, Some([*value, *value]))))).collect()
}

#[test]
fn each_class_holds_its_upper_edge() {
    let at = |worst: f64| ruled(exact(&[128.0, worst, 128.0])).label;
    let edge = |loss: f64| 128.0 * (1.0 - loss / 100.0);
    assert_eq!(at(127.0), "robust");
    assert_eq!([edge(20.0), edge(50.0)].map(at), ["sensitive", "fragile"]);
    assert_eq!(
        [edge(5.1), edge(20.1), edge(50.1), 1e-9].map(at),
        ["sensitive", "fragile", "catastrophic", "catastrophic"]
    );
}

#[test]
fn fewer_than_two_living_points_are_invalid_in_the_reports_words() {
    // TR147 SS11.2: no compiled repetition on any of three Triton versions.
    let none = ruled(vec![point(None), point(None), point(None)]);
    assert_eq!((none.label.as_str(), none.reasons[0].as_str()), ("invalid", "need >= 2 stack points, got 0"));
    let mut one = exact(&[100.0]);
    one.push(point(None));
    assert_eq!(ruled(one).reasons[0], "need >= 2 stack points, got 1");
    assert_eq!(ruled(vec![]).standing, Standing::Invalid);
}

#[test]
fn a_stack_on_which_nothing_survives_beside_two_that_run_is_catastrophic() {
    let mut points = exact(&[100.0, 100.0]);
    points.push(point(None));
    let ruling = ruled(points);
    assert_eq!((ruling.label.as_str(), ruling.standing), ("catastrophic", Standing::Decided));
}

#[test]
fn by_launches_a_dead_stack_is_catastrophic_where_so_many_died_that_its_survival_is_bounded() {
    // 0 of n launches leave a survival of at most 1 - 0.025^(1/n), below 0.5 from n = 6 on; of three stacks at once, each at
    // 1 - 0.05/3, from n = 7 on, and of four from n = 8 on.
    for (dead, enough) in [(1, 7), (2, 8)] {
        let few = with_dead(3, dead);
        assert_eq!((few.label.as_str(), few.settled_by), ("inconclusive", Some(enough)), "{:?}", few.reasons);
        assert_eq!(with_dead(enough, dead).label, "catastrophic");
        assert_eq!(with_dead(enough - 1, dead).label, "inconclusive");
    }
    let few = with_dead(3, 1);
    // 100 * (0.025 / 3)^(1/3).
    assert_eq!(few.reasons[1], "on stack 0 of 3 launches (0 of 15 attempts) survived: a loss of at least 20.274 %");
    let two = with_dead(2, 1);
    assert_eq!((two.standing, two.settled_by), (Standing::Inconclusive, Some(7)));
    let few_that_ran = ruled(
        exact(&[100.0, 100.0])
            .into_iter()
            .map(|point| StackPoint {
                survived: Tally { count: Count { hits: 2, trials: 2 }, attempts: Some(Count { hits: 9, trials: 9 }) },
                ..point
            })
            .collect(),
    );
    assert_eq!((few_that_ran.standing, few_that_ran.settled_by), (Standing::Inconclusive, Some(3)));
}

#[test]
fn a_launch_that_survived_in_part_is_none_that_survived() {
    let count = |hits, trials| Count { hits, trials };
    let part = StackPoint {
        survived: Tally { count: count(0, 6), attempts: Some(count(24, 30)) },
        ..point(Some((100.0, Some([99.0, 101.0]))))
    };
    let mut points = exact(&[100.0, 100.0]);
    points.push(part);
    let ruling = ruled(points);
    assert_eq!((ruling.label.as_str(), ruling.parts[2].label.as_str()), ("catastrophic", "dead"));
    assert!(ruling.reasons[1].contains("0 of 6 launches (24 of 30 attempts)"), "{:?}", ruling.reasons);
}

#[test]
fn intervals_that_allow_two_classes_leave_it_open_and_so_does_a_missing_one() {
    let wide = ruled(vec![point(Some((100.0, Some([95.0, 105.0])))), point(Some((96.0, Some([91.0, 101.0]))))]);
    assert_eq!(wide.standing, Standing::Inconclusive);
    assert!(wide.reasons[1].ends_with("robust or up to sensitive"), "{:?}", wide.reasons);
    let printed = ruled(vec![point(Some((100.0, None))), point(Some((96.0, Some([91.0, 101.0]))))]);
    assert!(printed.reasons[1].starts_with("the values alone are robust"), "{:?}", printed.reasons);
}

#[test]
fn survivors_without_a_number_and_edges_that_fall_are_invalid() {
    let mut odd = point(None);
    odd.survived.count.hits = 2;
    assert_eq!(ruled(vec![odd, point(Some((1.0, None)))]).standing, Standing::Invalid);
    for (robust, sensitive, fragile) in [(0.0, 1.0, 2.0), (5.0, 5.0, 6.0), (5.0, 6.0, 100.0), (f64::NAN, 6.0, 7.0)] {
        let input = CompileRobustness {
            robust_pct: robust,
            sensitive_pct: sensitive,
            fragile_pct: fragile,
            ..among(exact(&[1.0, 2.0]), &[])
        };
        assert_eq!(compile_robustness(&input).standing, Standing::Invalid, "{robust} {sensitive} {fragile}");
    }
}

#[test]
fn a_class_holds_by_its_p_in_the_plans_family_and_an_open_one_says_how_many_repetitions_would_do() {
    let near = || measured(&[(100.0, 0.01), (90.0, 1.2)]);
    let alone = ruled(near());
    let test = |ruling: &Ruling| ruling.tests.iter().find(|test| test.p.is_some()).cloned().expect("a test");
    let p = test(&alone).p.expect("a p").get();
    assert_eq!((alone.label.as_str(), test(&alone).p), ("sensitive", test(&alone).p_adjusted));
    assert!((0.02..0.05).contains(&p), "{p}");
    assert_eq!(robustness_p(&among(near(), &[])).map(crate::verdict::rounding::round_p), test(&alone).p);
    let of_four = compile_robustness(&among(near(), &[0.5, 0.6, 0.7]));
    assert_eq!(of_four.standing, Standing::Inconclusive);
    assert!(of_four.reasons[1].contains("of 4 tests in the plan's family"), "{:?}", of_four.reasons);
    assert!(of_four.settled_by > Some(5), "{of_four:?}");
    let wide = ruled(measured(&[(100.0, 2.0), (90.0, 2.0)]));
    assert!(wide.standing == Standing::Inconclusive && wide.settled_by > Some(5), "{wide:?}");
    let edge = ruled(measured(&[(100.0, 2.0), (80.0, 2.0)]));
    assert!(edge.settled_by.is_none() && edge.reasons[2].contains("no number of repetitions"), "{edge:?}");
    let stated = compile_robustness(&CompileRobustness { power: None, ..among(near(), &[0.5, 0.6, 0.7]) });
    assert!(stated.settled_by.is_none() && stated.reasons[2].contains("no power"), "{stated:?}");
}

#[test]
fn a_spread_so_wide_that_nothing_may_be_left_is_open_and_not_impossible() {
    let wide = ruled(measured(&[(100.0, 2.0), (90.0, 60.0)]));
    assert_eq!((wide.standing, wide.label.as_str()), (Standing::Inconclusive, "inconclusive"));
    assert!(wide.reasons[1].ends_with("robust or up to catastrophic"), "{:?}", wide.reasons);
    assert!(wide.settled_by.is_some_and(|repetitions| repetitions > 100), "{wide:?}");
}

#[test]
fn the_means_of_a_stack_that_lost_launches_are_of_survivors_alone() {
    let of = |hits| {
        let survived =
            |hits| Tally { count: Count { hits, trials: 12 }, attempts: Some(Count { hits: 5 * hits, trials: 60 }) };
        let points = exact(&[100.0, 100.0]).into_iter().zip([12, hits]);
        ruled(points.map(|(point, hits)| StackPoint { survived: survived(hits), ..point }).collect())
    };
    assert_eq!(of(12).label, "robust");
    let lost = of(3);
    assert_eq!(lost.label, "inconclusive");
    assert!(lost.reasons[0].contains("3 of 12 launches") && lost.reasons[0].contains("survivors alone"), "{lost:?}");
}

#[test]
fn a_dead_stack_is_a_count_and_no_test_of_the_family() {
    let mut points = measured(&[(100.0, 0.01), (90.0, 1.2)]);
    points.push(point(None));
    assert_eq!(robustness_p(&among(points.clone(), &[])), None);
    assert_eq!(compile_robustness(&among(points, &[0.5; 9])).label, "catastrophic");
}

#[test]
fn a_stack_without_survivors_by_launches_is_a_test_of_the_family_and_the_verdict_says_what_it_is_taken_to_show() {
    let input = |launches: u64, others: &[f64]| {
        let survived = |hits| Tally {
            count: Count { hits, trials: launches },
            attempts: Some(Count { hits: 5 * hits, trials: 5 * launches }),
        };
        let ran = exact(&[100.0, 100.0]).into_iter().map(|point| StackPoint { survived: survived(launches), ..point });
        among(ran.chain([StackPoint { survived: survived(0), ..point(None) }]).collect(), others)
    };
    // 0.5^7 = 0.0078125 beside two stacks that survived; six launches would not show it whatever came of them.
    let seven = robustness_family(&input(7, &[]));
    assert_eq!(seven.len(), 3, "which stacks are asked does not hang on what came of them: {seven:?}");
    assert!((seven[2].expect("a test").get() - 0.007_812_5).abs() < 1e-12, "{seven:?}");
    assert_eq!(robustness_family(&input(6, &[])), [None; 3], "each of them asks with one launch more");
    assert_eq!(compile_robustness(&input(7, &[0.9; 2])).label, "catastrophic");
    let many = compile_robustness(&input(7, &[0.9; 4]));
    assert_eq!((many.standing, many.settled_by), (Standing::Inconclusive, Some(8)), "{:?}", many.reasons);
    assert!(many.reasons[1].contains("of 7 tests in the plan's family"), "{:?}", many.reasons);
    assert_eq!(compile_robustness(&input(8, &[0.9; 4])).label, "catastrophic");
    let taken =
        "a launch that does not survive is taken to perform nothing, and one that does no better than the best stack";
    assert!(many.reasons.iter().any(|reason| reason == taken), "{:?}", many.reasons);
}

proptest! {
    #[test]
    fn any_number_has_a_ruling(
        values in prop::collection::vec(proptest::num::f64::ANY, 0..4),
        ends in [proptest::num::f64::ANY, proptest::num::f64::ANY],
    ) {
        let points: Vec<StackPoint> = values.iter().map(|value| point(Some((*value, Some(ends))))).collect();
        prop_assert!(!ruled(points).reasons.is_empty());
        prop_assert!(!ruled(exact(&values)).reasons.is_empty());
    }

    #[test]
    fn a_greater_loss_is_never_a_milder_class(mut worst in prop::collection::vec(0.01..100.0_f64, 2..20)) {
        worst.sort_by(f64::total_cmp);
        let order = ["catastrophic", "fragile", "sensitive", "robust"];
        let places: Vec<usize> = worst
            .iter()
            .map(|worst| {
                let label = ruled(exact(&[100.0, *worst])).label;
                order.iter().position(|class| *class == label).expect("a class")
            })
            .collect();
        prop_assert!(places.is_sorted(), "{places:?}");
    }
}
