use proptest::prelude::*;

use super::*;
use crate::verdict::rules::Count;
use crate::verdict::rules::Standing;

fn input(cut: f64, points: &[(f64, u64, u64)]) -> BoundaryInput {
    BoundaryInput {
        occurrence: Occurrence::Crash,
        axis: "token_len".to_owned(),
        points: points
            .iter()
            .map(|&(at, hits, trials)| BoundaryPoint {
                at,
                tally: Tally::printed(Count { hits, trials }),
                launches: BTreeMap::new(),
                source: format!("table:{at}"),
            })
            .collect(),
        cut,
        confidence: Confidence::new(0.95).expect("a level"),
        also_in_family: OtherTests::default(),
    }
}

#[test]
fn tr147s_large_model_crashes_from_somewhere_above_one_token() {
    // Appendix A.3: 0 of 60 at 1 token, 60 of 60 at 8, 32, 128 and 512.
    let table = [(1.0, 0, 60), (8.0, 60, 60), (32.0, 60, 60), (128.0, 60, 60), (512.0, 60, 60)];
    let ruling = boundary(&input(0.1, &table));
    assert_eq!((ruling.label.as_str(), ruling.standing), ("located", Standing::Decided));
    assert_eq!(ruling.reasons, ["the crash rate rises above the cut between token_len 1 and 8"]);
    assert_eq!(ruling.rests_on.len(), 5);
    // 0 of 60 at confidence 0.99: the interval ends at 1 - 0.005^(1/60).
    assert_eq!(ruling.tests[0].interval, Some([0.0, 0.0845187]));
}

#[test]
fn the_same_counts_do_not_locate_it_under_a_cut_that_sixty_clean_rows_cannot_reach() {
    let ruling = boundary(&input(0.05, &[(1.0, 0, 60), (8.0, 60, 60)]));
    assert_eq!((ruling.label.as_str(), ruling.standing), ("inconclusive", Standing::Inconclusive));
    // 1 - 0.0125^(1/n) <= 0.05 from n = 86 on.
    assert_eq!(ruling.settled_by, Some(86));
    let settled = boundary(&input(0.05, &[(1.0, 0, 86), (8.0, 86, 86)]));
    assert_eq!(settled.label, "located");
    assert_eq!(boundary(&input(0.05, &[(1.0, 0, 85), (8.0, 86, 86)])).label, "inconclusive");
}

#[test]
fn an_axis_without_a_crossing_says_on_which_side_it_lies() {
    let awq = [(1.0, 0, 60), (8.0, 0, 60), (512.0, 0, 60)];
    assert_eq!(boundary(&input(0.1, &awq)).label, "none_within_range");
    assert_eq!(boundary(&input(0.1, &[(64.0, 60, 60), (128.0, 60, 60)])).label, "everywhere");
    assert_eq!(boundary(&input(0.1, &[(64.0, 60, 60)])).label, "inconclusive");
}

#[test]
fn an_open_place_in_the_middle_widens_the_bracket_and_one_at_the_end_forbids_a_ruling() {
    let middle = boundary(&input(0.1, &[(1.0, 0, 100), (2.0, 1, 10), (3.0, 100, 100)]));
    assert_eq!(middle.label, "located");
    assert!(middle.reasons[0].ends_with("between token_len 1 and 3"), "{:?}", middle.reasons);
    let end = boundary(&input(0.1, &[(1.0, 0, 100), (2.0, 0, 100), (3.0, 2, 10)]));
    assert_eq!((end.label.as_str(), end.settled_by.is_some()), ("inconclusive", true));
    let untried = boundary(&input(0.1, &[(1.0, 0, 100), (2.0, 0, 100), (3.0, 0, 0)]));
    assert_eq!((untried.label.as_str(), untried.settled_by), ("inconclusive", None));
}

#[test]
fn places_that_say_nothing_apart_may_say_something_together() {
    let eight = |hits: u64| (0..8).map(|at| (f64::from(at), hits, 1)).collect::<Vec<_>>();
    let affected = boundary(&input(0.5, &eight(1)));
    assert_eq!((affected.label.as_str(), affected.standing), ("affected_on_average", Standing::Decided));
    // 0.025^(1/8), and 1 less that.
    assert_eq!(affected.tests.last().and_then(|test| test.interval), Some([0.630583, 1.0]));
    assert!(affected.reasons[1].contains("no place on token_len is shown"), "{:?}", affected.reasons);
    assert_eq!(boundary(&input(0.5, &eight(0))).label, "free_on_average");
    let mixed = [(1.0, 0, 1), (2.0, 1, 1), (3.0, 1, 1), (4.0, 0, 1)];
    assert_eq!(boundary(&input(0.5, &mixed)).label, "inconclusive");
    assert_eq!(boundary(&input(0.5, &eight(1)[..5])).label, "inconclusive", "0.025^(1/5) is below the cut");
    assert_eq!(boundary(&input(0.5, &[(1.0, 0, 6), (2.0, 0, 0)])).label, "inconclusive", "one place is no average");
}

/// Places that so many launches tried, each of which hit all of them or none: one launch for each place, or the same ones
/// for all.
fn by_launch(places: u32, launches: u32, same: bool, happened: fn(u32, u32) -> bool) -> BoundaryInput {
    let of_place = |place: u32| -> BTreeMap<(u32, u32), bool> {
        let number = |launch: u32| if same { launch } else { place * launches + launch };
        (0..launches).map(|launch| ((0, number(launch)), happened(place, launch))).collect()
    };
    let point = |place: u32| {
        let launches = of_place(place);
        let hits = launches.values().filter(|happened| **happened).count() as u64;
        let count = Count { hits, trials: launches.len() as u64 };
        let attempts = Some(Count { hits: 3 * hits, trials: 3 * count.trials });
        BoundaryPoint { at: f64::from(place), tally: Tally { count, attempts }, launches, source: format!("{place}") }
    };
    BoundaryInput { points: (0..places).map(point).collect(), ..input(0.5, &[]) }
}

#[test]
fn a_launch_that_tried_all_places_is_one_trial_of_their_average() {
    let [always, never]: [fn(u32, u32) -> bool; 2] = [|_, _| true, |_, _| false];
    let label = |input: &BoundaryInput| boundary(input).label;
    assert_eq!(label(&by_launch(8, 1, false, always)), "affected_on_average");
    assert_eq!(label(&by_launch(8, 1, false, never)), "free_on_average");
    for happened in [always, never] {
        let one = boundary(&by_launch(8, 1, true, happened));
        assert_eq!(one.label, "inconclusive", "eight places of one launch");
        let told = "1 launches tried places on token_len; 6 that come out as they did would decide the mean over all";
        assert!(one.reasons.iter().any(|reason| reason == told), "{:?}", one.reasons);
        assert_eq!(label(&by_launch(8, 5, true, happened)), "inconclusive", "0.025^(1/5) is below the cut");
    }
    let [affected, free] = [always, never].map(|happened| boundary(&by_launch(8, 6, true, happened)));
    // Six launches say it of all places together; of eight at once, each at 1 - 0.05/8, they do not.
    assert_eq!([affected.label.as_str(), &free.label], ["affected_on_average", "free_on_average"]);
    assert!(affected.tests.last().is_some_and(|test| test.test.contains("6 of 6,")), "{:?}", affected.tests);
    let one_place_each = by_launch(8, 6, true, |place, launch| place == launch);
    assert_eq!(label(&one_place_each), "inconclusive", "no launch is free of it at all places");
    assert_eq!(affected.parts[0].numbers["attempts"], 18.0);
}

fn in_family(input: &BoundaryInput, others: &[f64]) -> Ruling {
    let also_in_family = others.iter().map(|p| PValue::new(*p).expect("a p")).collect();
    boundary(&BoundaryInput { also_in_family, ..input.clone() })
}

#[test]
fn a_place_is_on_a_side_by_its_p_in_the_plans_family() {
    let four = BoundaryInput { cut: 0.3, ..by_launch(2, 4, true, |_, _| true) };
    // 0.3^4 = 0.0081 for each of both places.
    assert_eq!(
        boundary_family(&four).iter().flatten().map(|p| (p.get() * 1e6).round()).collect::<Vec<_>>(),
        [8100.0; 2]
    );
    let among = |others: usize| in_family(&four, &vec![0.9; others]);
    let enough = among(4);
    assert_eq!((enough.label.as_str(), enough.tests[0].p_adjusted), ("everywhere", PValue::new(0.0486).ok()));
    let many = among(5);
    assert_eq!((many.standing, many.parts[0].label.as_str()), (Standing::Inconclusive, "open"));
    assert!(many.reasons[1].contains("is clear of the cut at token_len 0, 1, and of 7 tests"), "{:?}", many.reasons);
    assert!(many.parts[0].reason.as_ref().is_some_and(|why| why.contains("of 7 tests")), "{many:?}");
    // 0.3^5 = 0.00243, which 7 times over is below 0.05.
    assert_eq!(many.settled_by, Some(5));
    let five = BoundaryInput { cut: 0.3, ..by_launch(2, 5, true, |_, _| true) };
    assert_eq!(in_family(&five, &[0.9; 5]).label, "everywhere");
    assert_eq!(in_family(&four, &[1e-9; 20]).label, "everywhere", "what is surer is stepped over");
}

#[test]
fn places_with_too_few_trials_ask_nothing_and_the_mean_over_them_is_one_test() {
    // Six launches put no place on a side of 0.5 where eight intervals hold together, and so do four all places together.
    let asked = |places, launches| {
        let family = boundary_family(&by_launch(places, launches, true, |_, _| true));
        (family.iter().flatten().count(), family.len())
    };
    assert_eq!([asked(8, 6), asked(8, 4), asked(2, 7)], [(1, 8), (0, 8), (2, 2)], "of as many as there are places");
    let six = by_launch(8, 6, true, |_, _| true);
    // 0.5^6 = 0.015625.
    assert_eq!(in_family(&six, &[0.9; 2]).label, "affected_on_average");
    let many = in_family(&six, &[0.9; 3]);
    assert_eq!(
        (many.standing, many.tests.last().and_then(|test| test.p_adjusted)),
        (Standing::Inconclusive, PValue::new(0.0625).ok())
    );
    assert!(many.reasons[2].contains("of 4 tests in the plan's family"), "{:?}", many.reasons);
    let told = "6 launches tried places on token_len; 7 that come out as they did would decide the mean over all";
    assert!(many.reasons.iter().any(|reason| reason == told), "{:?}", many.reasons);
    let enough = by_launch(8, 7, true, |_, _| true);
    assert_eq!(in_family(&enough, &[0.9; 3]).label, "affected_on_average");
}

#[test]
fn launches_that_tried_unequal_numbers_of_places_are_no_equal_trials_of_the_mean() {
    // Five places of one launch each, and of a sixth launch eleven: 0.025^(1/6) would leave at most 0.46.
    let mut points: Vec<BoundaryPoint> = by_launch(16, 1, false, |_, _| false).points;
    for point in points.iter_mut().skip(5) {
        point.launches = BTreeMap::from([((0, 99), false)]);
    }
    let ruling = boundary(&BoundaryInput { points, ..input(0.5, &[]) });
    assert_eq!(ruling.label, "inconclusive", "one launch stands for most places: {:?}", ruling.reasons);
    let told = "6 launches tried places on token_len; 6 that each try equally many of them and come out as they did would \
                decide the mean over all";
    assert!(ruling.reasons.iter().any(|reason| reason == told), "{:?}", ruling.reasons);
}

#[test]
fn a_place_that_no_number_settles_leaves_the_ruling_without_one() {
    let near = [(1.0, 0, 3), (2.0, 5, 10)];
    let ruling = boundary(&input(0.5, &near));
    assert_eq!((ruling.standing, ruling.settled_by), (Standing::Inconclusive, None));
    let told = "no number of launches or rows settles token_len 2: the rate there is, or is next to, the cut";
    assert!(ruling.reasons.iter().any(|reason| reason == told), "{:?}", ruling.reasons);
    let others = boundary(&input(0.5, &[near[0], (2.0, 4, 4)]));
    assert!(others.settled_by.is_some() && others.reasons.iter().all(|reason| !reason.contains("no number")));
}

#[test]
fn fewer_than_three_launches_put_a_place_on_neither_side_however_loose_the_level_is() {
    let loose = Confidence::new(0.1).expect("a level");
    let ruled = |launches| {
        boundary(&BoundaryInput { cut: 0.4, confidence: loose, ..by_launch(2, launches, true, |_, _| true) })
    };
    // 0.225^(1/2) = 0.474 would be clear of the cut.
    assert_eq!((ruled(2).label.as_str(), ruled(2).settled_by), ("inconclusive", Some(3)));
    assert_eq!(ruled(3).label, "everywhere");
}

#[test]
fn a_rate_that_goes_up_and_down_has_several_boundaries() {
    let ruling = boundary(&input(0.1, &[(3.0, 0, 100), (1.0, 0, 100), (2.0, 100, 100)]));
    assert_eq!((ruling.label.as_str(), ruling.reasons.len()), ("several", 3));
    assert!(ruling.reasons[2].contains("falls below the cut between token_len 2 and 3"), "{:?}", ruling.reasons);
}

#[test]
fn what_cannot_be_placed_is_invalid_with_its_reason() {
    let why = |cut, points: &[(f64, u64, u64)]| {
        let ruling = boundary(&input(cut, points));
        assert_eq!(ruling.standing, Standing::Invalid);
        ruling.reasons.join(" ")
    };
    assert!(why(0.1, &[]).contains("nothing was tried"));
    assert!(why(0.1, &[(1.0, 0, 0)]).contains("nothing was tried"));
    assert!(why(0.1, &[(1.0, 0, 5), (1.0, 1, 5)]).contains("given twice"));
    assert!(why(0.1, &[(f64::NAN, 0, 5)]).contains("NaN"));
    assert!(why(0.1, &[(1.0, 6, 5)]).contains("hits"));
    for cut in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(why(cut, &[(1.0, 0, 5)]).contains("above 0 and below 1"));
    }
}

proptest! {
    #[test]
    fn any_input_has_a_ruling_with_a_reason(
        cut in proptest::num::f64::ANY,
        points in prop::collection::vec((proptest::num::f64::ANY, 0_u64..40, 0_u64..40), 0..5),
    ) {
        prop_assert!(!boundary(&input(cut, &points)).reasons.is_empty());
        prop_assert!(!boundary(&input(0.2, &points)).reasons.is_empty());
    }
}
