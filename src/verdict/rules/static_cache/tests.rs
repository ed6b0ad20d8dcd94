use proptest::prelude::*;

use super::*;
use crate::stats::Power;
use crate::verdict::rules::estimate::p_of_clearing;
use crate::verdict::rules::{Count, Standing};

fn level() -> Confidence {
    Confidence::new(0.95).expect("a level")
}

fn cell(hits: u64, trials: u64, growing: Option<(u64, u64)>) -> RescueCell {
    RescueCell {
        model: "gpt2-100m".to_owned(),
        host: "Ada".to_owned(),
        fixed: Tally::printed(Count { hits, trials }),
        growing: growing.map(|(hits, trials)| Tally::printed(Count { hits, trials })),
        sources: vec!["row".to_owned()],
    }
}

/// The same by launches of three attempts each.
fn launches(hits: u64, trials: u64, growing: (u64, u64)) -> RescueCell {
    let by_launch = |hits, trials| Tally {
        count: Count { hits, trials },
        attempts: Some(Count { hits: 3 * hits, trials: 3 * trials }),
    };
    RescueCell { fixed: by_launch(hits, trials), growing: Some(by_launch(growing.0, growing.1)), ..cell(0, 1, None) }
}

fn ruled(max_rate: f64, cells: Vec<RescueCell>) -> Ruling {
    among_others(max_rate, cells, &[])
}

fn among_others(max_rate: f64, cells: Vec<RescueCell>, others: &[f64]) -> Ruling {
    static_cache_rescue(&rescuing(max_rate, cells, others))
}

fn rescuing(max_rate: f64, cells: Vec<RescueCell>, others: &[f64]) -> StaticCacheRescue {
    let also_in_family = others.iter().map(|p| PValue::new(*p).expect("a p")).collect();
    StaticCacheRescue { cells, max_rate, confidence: level(), also_in_family }
}

#[test]
fn tr147s_cells_without_a_crash_in_three_hundred_rows_are_rescued_and_bounded() {
    let ruling = ruled(0.01, vec![cell(0, 300, Some((240, 300)))]);
    assert_eq!((ruling.label.as_str(), ruling.standing), ("rescued", Standing::Decided));
    // 1 - 0.05^(1/300).
    assert_eq!(ruling.parts[0].numbers["rate_at_most"], 0.009_936_08);
    assert_eq!(ruled(0.009_936, vec![cell(0, 300, Some((240, 300)))]).label, "inconclusive");
    // Six of them are six tests: 0.99^300 = 0.049, and 0.98^300 = 0.0023.
    let six = |max_rate| ruled(max_rate, vec![cell(0, 300, Some((240, 300))); 6]);
    let few = six(0.01);
    assert_eq!((few.standing, few.parts[0].label.as_str()), (Standing::Inconclusive, "open"));
    assert!(few.parts[0].reason.as_ref().is_some_and(|why| why.contains("of 6 tests")), "{few:?}");
    // ln(0.05 / 6) / ln(0.99) = 476.4.
    assert_eq!(few.settled_by, Some(477));
    assert_eq!(six(0.02).label, "rescued");
}

#[test]
fn a_cell_is_rescued_by_its_p_in_the_plans_family() {
    let seven = || vec![launches(0, 7, (7, 7))];
    // 0.65^7 = 0.0490; the growing cache's 0.35^7 is far below.
    let p = rescue_family(&rescuing(0.35, seven(), &[]));
    assert!((p[0].expect("a test").get() - 0.049_022).abs() < 1e-6 && p.len() == 1, "{p:?}");
    assert_eq!(among_others(0.35, seven(), &[1e-6]).label, "rescued", "what is surer is stepped over");
    let many = among_others(0.35, seven(), &[0.6]);
    assert_eq!((many.standing, many.settled_by), (Standing::Inconclusive, Some(9)), "{:?}", many.reasons);
    assert_eq!(among_others(0.35, vec![launches(0, 9, (7, 7))], &[0.6]).label, "rescued");
    assert_eq!(rescue_family(&rescuing(0.35, vec![launches(0, 6, (7, 7))], &[])), [None], "six can rescue nothing");
    // 0.65^7 = 0.0490, and 0.65^9 = 0.0207 beside one that asks nothing yet.
    let settled_by = |later| {
        let six = rescuing(0.35, vec![launches(0, 6, (7, 7))], &[]);
        let also_in_family = six.also_in_family.clone().and_later(later);
        static_cache_rescue(&StaticCacheRescue { also_in_family, ..six }).settled_by
    };
    assert_eq!([settled_by(0), settled_by(1)], [Some(7), Some(9)]);
    assert_eq!(rescue_family(&rescuing(0.35, vec![launches(0, 7, (2, 2))], &[])), [None]);
}

#[test]
fn crashes_that_are_as_rare_under_the_growing_cache_are_nothing_to_be_rescued_from() {
    // 1 of 7: the lower bound is 1 - 0.95^(1/7) = 0.0073; 7 of 7: 0.05^(1/7) = 0.652.
    let rare = ruled(0.35, vec![launches(0, 7, (1, 7))]);
    assert_eq!((rare.label.as_str(), rare.settled_by), ("inconclusive", None), "{:?}", rare.reasons);
    assert_eq!(rare.parts[0].reason.as_deref(), Some("under the growing cache the rate may be as low as 0.00730083"));
    assert_eq!(ruled(0.35, vec![launches(0, 7, (7, 7))]).label, "rescued");
    assert_eq!(ruled(0.05, vec![cell(0, 59, Some((1, 59)))]).label, "inconclusive");
    assert_eq!(ruled(0.05, vec![cell(0, 59, Some((12, 59)))]).label, "rescued");
    // 5 of 7 seem to be above 0.35: so many launches of that share show it.
    let needed = ruled(0.35, vec![launches(0, 7, (5, 7))]).settled_by.expect("a number");
    assert!(
        needed > 7 && ruled(0.35, vec![launches(0, needed, (needed * 5 / 7, needed))]).label == "rescued",
        "{needed}"
    );
}

#[test]
fn one_crash_is_enough_for_no_rescue() {
    assert_eq!(ruled(0.5, vec![cell(0, 300, Some((300, 300))), cell(1, 300, Some((1, 1)))]).label, "not_rescued");
}

#[test]
fn too_few_clean_rows_are_open_and_the_number_that_settles_them_is_the_least() {
    let ruling = ruled(0.05, vec![cell(0, 58, Some((9, 9)))]);
    assert_eq!((ruling.label.as_str(), ruling.settled_by), ("inconclusive", Some(59)));
    assert_eq!(ruled(0.05, vec![cell(0, 59, Some((9, 9)))]).label, "rescued");
}

#[test]
fn attempts_of_few_launches_rescue_nothing_however_many_they_are() {
    // 0 of 3 launches: at most 1 - 0.05^(1/3) = 0.632; 7 are the fewest with 1 - 0.05^(1/n) <= 0.35.
    let ruling = ruled(0.35, vec![launches(0, 3, (3, 3))]);
    assert_eq!((ruling.label.as_str(), ruling.settled_by), ("inconclusive", Some(7)));
    assert_eq!(
        ruling.reasons,
        [
            "in 1 of 1 cells too few launches show a rate of at most 0.35, or of more under the growing cache",
            "gpt2-100m on Ada failed in 0 of 3 launches (0 of 9 attempts), and under the growing cache 3 of 3 launches (9 of \
             9 attempts)",
            "the launch is the unit, whatever column the plan names: one attempt that failed makes it a failed launch",
        ]
    );
    assert_eq!(ruling.parts[0].numbers["attempts"], 9.0);
    assert_eq!(ruled(0.35, vec![launches(0, 7, (3, 3))]).label, "rescued", "0.05^(1/3) = 0.368 is above 0.35");
    assert_eq!(ruled(0.35, vec![launches(0, 6, (3, 3))]).label, "inconclusive");
    assert_eq!(ruled(0.35, vec![launches(1, 3, (3, 3))]).label, "not_rescued");
    let two = ruled(0.35, vec![launches(1, 2, (3, 3))]);
    assert_eq!((two.label.as_str(), two.settled_by), ("inconclusive", Some(3)));
    let never = |growing| ruled(0.35, vec![launches(0, 7, (0, growing))]).label;
    assert_eq!([never(3), never(7)], ["inconclusive", "nothing_to_rescue"]);
    assert_eq!(ruled(0.35, vec![launches(0, 7, (2, 2))]).label, "inconclusive");
}

#[test]
fn what_never_crashed_cannot_be_rescued_and_what_was_not_measured_is_said() {
    assert_eq!(ruled(0.05, vec![cell(0, 59, Some((0, 59)))]).label, "nothing_to_rescue");
    let unknown = ruled(0.05, vec![cell(0, 59, None)]);
    assert!(unknown.reasons[1].contains("not known"), "{:?}", unknown.reasons);
}

#[test]
fn nothing_tried_or_a_rate_of_zero_is_invalid() {
    assert_eq!(ruled(0.05, vec![cell(0, 0, None)]).standing, Standing::Invalid);
    assert_eq!(ruled(0.0, vec![cell(0, 9, None)]).standing, Standing::Invalid);
    assert_eq!(ruled(0.05, vec![]).standing, Standing::Invalid);
}

fn gains(gain_pct: f64, models_needed: u64, changes: &[(f64, Option<[f64; 2]>)]) -> Ruling {
    among(gain_pct, models_needed, changes, &[])
}

fn among(gain_pct: f64, models_needed: u64, changes: &[(f64, Option<[f64; 2]>)], others: &[f64]) -> Ruling {
    let models = changes.iter().enumerate().map(|(at, &(value, interval))| {
        let change_pct = Estimate { value, interval, launches: Some(5) };
        let p_at_target = p_of_clearing(&change_pct, -gain_pct, level(), 8.0);
        ModelChange { model: format!("model {at}"), change_pct, p_at_target, sources: Vec::new() }
    });
    let levels = Levels { confidence: level(), power: Power::new(0.8).expect("a power") };
    let also_in_family = others.iter().map(|p| PValue::new(*p).expect("a p")).collect();
    let models = models.collect();
    gain_replication(&GainReplication { models, gain_pct, models_needed, levels, also_in_family })
}

fn around(value: f64) -> (f64, Option<[f64; 2]>) {
    (value, Some([value - 1.0, value + 1.0]))
}

#[test]
fn tr147s_three_models_meet_fifty_percent() {
    let ada = [-55.48, -61.62, -63.25].map(around);
    assert_eq!(gains(50.0, 3, &ada).label, "replicated");
    assert_eq!(gains(54.0, 3, &ada).label, "replicated");
    let at_the_edge = gains(55.0, 3, &ada);
    assert_eq!((at_the_edge.label.as_str(), at_the_edge.settled_by.is_some()), ("inconclusive", true));
    assert_eq!(gains(57.0, 3, &ada).label, "not_replicated");
    assert_eq!(gains(50.0, 4, &ada).label, "inconclusive");
}

#[test]
fn a_model_meets_the_target_by_its_p_in_the_plans_family() {
    // The interval ends 0.1 short of the target, so that p is just below 0.05 alone.
    let near = [(-51.1, Some([-52.1, -50.1]))];
    let alone = gains(50.0, 1, &near);
    let p = alone.tests[0].p.expect("a p").get();
    assert_eq!((alone.label.as_str(), alone.tests[0].p), ("replicated", alone.tests[0].p_adjusted));
    assert!((0.02..0.05).contains(&p), "{p}");
    let of_four = among(50.0, 1, &near, &[0.5, 0.6, 0.7]);
    assert_eq!((of_four.standing, of_four.parts[0].label.as_str()), (Standing::Inconclusive, "open"));
    assert!(of_four.parts[0].reason.as_ref().is_some_and(|why| why.contains("of 4 tests")), "{of_four:?}");
    assert!((of_four.tests[0].p_adjusted.expect("a p").get() / p - 4.0).abs() < 1e-5, "{of_four:?}");
    assert!(of_four.settled_by > Some(5), "{of_four:?}");
    let missed = [(-48.9, Some([-49.9, -47.9]))];
    assert_eq!(gains(50.0, 1, &missed).label, "not_replicated");
    assert_eq!(among(50.0, 1, &missed, &[0.5, 0.6, 0.7]).standing, Standing::Inconclusive);
    let two = gains(50.0, 2, &[near[0], near[0]]);
    assert_eq!(two.standing, Standing::Inconclusive, "each is one of two tests: {two:?}");
}

#[test]
fn a_gain_of_exactly_the_target_meets_it_and_one_without_interval_is_open() {
    assert_eq!(gains(50.0, 1, &[(-51.0, Some([-52.0, -50.0]))]).label, "replicated");
    assert_eq!(gains(50.0, 1, &[(-60.0, None)]).label, "inconclusive");
}

proptest! {
    #[test]
    fn any_input_has_a_ruling(
        number in proptest::num::f64::ANY,
        ends in [proptest::num::f64::ANY, proptest::num::f64::ANY],
        hits in 0..9_u64,
        trials in 0..9_u64,
    ) {
        prop_assert!(!ruled(number, vec![cell(hits, trials, Some((trials, hits)))]).reasons.is_empty());
        prop_assert!(!gains(number, 1, &[(number, Some(ends))]).reasons.is_empty());
        prop_assert!(!gains(50.0, hits, &[(number, Some(ends))]).reasons.is_empty());
    }
}
