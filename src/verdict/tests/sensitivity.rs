//! What each choice does to a result that rests on it.

use super::row_rules::{BAND, fixture, plan};
use super::*;
use crate::plan::CellOrder;
use crate::verdict::sensitivity::rejudged;
use crate::verdict::{Choice, Sensitivity, sensitivity};

/// The one hypothesis over eight launches, each row's time multiplied by what `slowed` says of lane, block and repetition.
fn found(hypothesis: &str, slowed: fn(&str, u32, u32) -> u64) -> Sensitivity {
    found_in(CellOrder::CellByCell, hypothesis, slowed)
}

fn found_in(order: CellOrder, hypothesis: &str, slowed: fn(&str, u32, u32) -> u64) -> Sensitivity {
    let mut plan = plan(hypothesis);
    plan.run.order = order;
    let mut records = fixture().journal_of(&plan, std::slice::from_ref(&(0..8))).records;
    for record in &mut records {
        let Record::Row(row) = record else { continue };
        let times = slowed(&row.lane, row.block, row.rep);
        row.wall_ns = row.wall_ns.map(|ns| ns * times);
        row.outside_ns = row.outside_ns.map(|ns| ns * times);
    }
    let mut found = sensitivity(&plan, &processes::filled_journal_of(records)).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn a_quiet_run_depends_on_none_of_them() {
    let quiet = found(BAND, |_, _, _| 1);
    for choice in [Choice::OtherStatistic, Choice::WithoutFirst, Choice::AnotherSeed] {
        assert_eq!(quiet.otherwise[&choice].as_deref(), Some(&*quiet.registered), "{choice:?}");
    }
    assert_eq!(quiet.otherwise[&Choice::EagerHeld], None, "no workload names an eager mode");
    assert!(quiet.without_a_block.keys().copied().eq(0..8), "{quiet:?}");
    assert!(quiet.without_a_block.values().all(|result| *result == quiet.registered), "{quiet:?}");
    let interleaved = found_in(CellOrder::Interleaved, BAND, |_, _, _| 1);
    assert_eq!(interleaved.otherwise[&Choice::WithoutFirst], None, "none of them is the first");
    assert_eq!(interleaved.without_a_block, quiet.without_a_block);
}

#[test]
fn a_slow_first_repetition_shows_in_means_and_goes_with_it() {
    let slow_first = found(BAND, |lane, _, rep| if lane == "other" && rep == 0 { 30 } else { 1 });
    assert_eq!(slow_first.registered, found(BAND, |_, _, _| 1).registered, "a median does not see it");
    assert_ne!(slow_first.otherwise[&Choice::OtherStatistic].as_ref(), Some(&slow_first.registered));
    assert_eq!(slow_first.otherwise[&Choice::WithoutFirst].as_ref(), Some(&slow_first.registered));
}

#[test]
fn a_result_that_one_block_makes_is_another_without_it() {
    let of_one_block = found(BAND, |lane, block, _| if lane == "other" && block == 3 { 20 } else { 1 });
    let quiet = found(BAND, |_, _, _| 1);
    assert_ne!(of_one_block.registered, quiet.registered);
    let becomes = |block| if block == 3 { quiet.registered.clone() } else { of_one_block.registered.clone() };
    assert_eq!(of_one_block.without_a_block, (0..8).map(|block| (block, becomes(block))).collect());
}

/// What is not there cannot be left out.
#[test]
fn blocks_that_a_run_has_not_come_to_do_not_count() {
    let plan = plan(BAND);
    let unfinished = Fixture { sealed: false, ..fixture() };
    let found = sensitivity(&plan, &unfinished.journal_of(&plan, std::slice::from_ref(&(0..5)))).unwrap();
    assert!(found[0].without_a_block.keys().copied().eq(0..5));
}

/// The floors of a contrast are shares of what was planned, of which a block that is left out is no loss.
#[test]
fn a_contrast_of_few_launches_can_lose_a_block_under_the_usual_floors() {
    let found = sensitivity(&Fixture::plan(), &Fixture::default().journal()).unwrap();
    let effect = found.iter().find(|entry| entry.hypothesis == "effect").unwrap();
    assert_eq!(effect.without_a_block, (0..6).map(|block| (block, "faster".to_owned())).collect());
}

/// A later row may rest on one that is gone: what is left is no journal then, and nothing is said of it.
#[test]
fn rows_that_are_no_journal_of_the_plan_give_nothing_and_no_error() {
    let plan = plan(BAND);
    let rows = || fixture().journal_of(&plan, std::slice::from_ref(&(0..8)));
    assert_eq!(rejudged(&plan, rows()), Some(vec!["strong_win".to_owned()]));
    let mut fewer = plan.clone();
    fewer.run.repetitions -= 1;
    fewer.lanes.iter_mut().for_each(|lane| lane.repetitions -= 1);
    assert_eq!(rejudged(&fewer, rows()), None);
}
