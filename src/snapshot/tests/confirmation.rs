//! A regression in times under a plan that asks for confirming runs.

use super::changes::after;
use crate::snapshot::fixture::{self, lane_cell_mut};
use crate::snapshot::{ChangeKind, Comparison, ConfirmationState, GateStanding, Status};
use crate::terms::Digest;
use crate::verdict::{Finding, Verdict};

fn slower(lane: &'static str) -> Comparison {
    named("first", move |v| lane_cell_mut(v, 1, lane).time = Some(fixture::time(60.0)))
}

fn named(run: &str, change: impl FnOnce(&mut Verdict)) -> Comparison {
    after(|v| {
        change(v);
        v.journal.run = run.into();
    })
}

fn state(comparison: &Comparison) -> (Option<ConfirmationState>, Status) {
    (comparison.confirmation_state(), comparison.status)
}

#[test]
fn a_plan_that_asks_for_nothing_and_a_run_without_a_regression_are_as_they_were() {
    assert_eq!(slower("native").confirmed_by(0, &[]), slower("native"));
    assert_eq!(after(|_| {}).confirmed_by(2, &[]), after(|_| {}));
    let faster = || after(|v| lane_cell_mut(v, 1, "native").time = Some(fixture::time(2.0)));
    assert_eq!(faster().confirmed_by(2, &[]), faster(), "an improvement needs accepting, not confirming");
}

#[test]
fn a_regression_stands_when_every_run_that_the_plan_asks_for_shows_it() {
    use ConfirmationState as S;
    let shown = [slower("native"), slower("native"), slower("native")];
    let asked = |runs: &[Comparison]| slower("native").confirmed_by(2, runs);
    assert_eq!(state(&asked(&[])), (Some(S::Asked), Status::Changed));
    assert_eq!(state(&asked(&shown[..1])), (Some(S::Asked), Status::Changed));
    assert_eq!(state(&asked(&shown[..2])), (Some(S::Confirmed), Status::Changed));
    assert_eq!(asked(&shown).confirmation.unwrap().runs.len(), 2, "more than were asked for count for nothing");
}

#[test]
fn a_run_that_does_not_show_it_leaves_it_not_confirmed_which_is_no_pass() {
    let quiet = named("second", |_| {});
    let comparison = slower("native").confirmed_by(2, &[slower("native"), quiet]);
    assert_eq!(state(&comparison), (Some(ConfirmationState::NotConfirmed), Status::Inconclusive));
    let gate = comparison.gates.iter().find(|gate| gate.kind == ChangeKind::MagnitudeLeftBand).unwrap();
    assert_eq!(gate.standing, GateStanding::Undecided);
    let sentence = comparison.confirmation.unwrap().sentence();
    assert!(sentence.contains("not confirmed, after 2 of 2 confirming runs"), "{sentence}");
    assert!(sentence.contains("first (shows it too), second (does not show it)"), "{sentence}");
    // Slower elsewhere is another regression.
    let elsewhere = slower("native").confirmed_by(1, &[slower("native-again")]);
    assert_eq!(elsewhere.confirmation_state(), Some(ConfirmationState::NotConfirmed));
    // Neither does a run that shows nothing at all.
    let busy = named("busy", |v| v.contamination.contaminated = true);
    assert_eq!(slower("native").confirmed_by(1, &[busy]).status, Status::Inconclusive);
}

#[test]
fn nothing_but_times_is_ever_confirmed() {
    let with_tokens = || {
        after(|v| {
            lane_cell_mut(v, 1, "native").time = Some(fixture::time(60.0));
            lane_cell_mut(v, 0, "native").tokens_sha256 = Some(Digest::of(b"other"));
        })
    };
    assert_eq!(with_tokens().confirmed_by(1, &[after(|_| {})]), with_tokens());
    let parity = || after(|v| v.hypotheses[0].finding = Finding::NotIdentical);
    assert_eq!(parity().confirmed_by(1, &[after(|_| {})]), parity());
    let timing = after(|v| v.hypotheses[2].finding = Finding::Faster);
    assert_eq!(timing.confirmed_by(1, &[]).confirmation_state(), Some(ConfirmationState::Asked));
}

#[test]
fn what_a_confirming_run_shows_besides_stands_by_itself() {
    let tokens = named("second", |v| lane_cell_mut(v, 0, "native").tokens_sha256 = Some(Digest::of(b"other")));
    let comparison = slower("native").confirmed_by(1, &[tokens]);
    assert_eq!(state(&comparison), (Some(ConfirmationState::NotConfirmed), Status::Changed));
    assert_eq!(comparison.confirmation.unwrap().runs[0].others, 1);
}
