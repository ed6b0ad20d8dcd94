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
        also_in_family: Vec::new(),
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
    assert!(affected.tests.last().is_some_and(|test| test.test.ends_with("6 of 6")), "{:?}", affected.tests);
    let one_place_each = by_launch(8, 6, true, |place, launch| place == launch);
    assert_eq!(label(&one_place_each), "inconclusive", "no launch is free of it at all places");
    assert_eq!(affected.parts[0].numbers["attempts"], 18.0);
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
