//! Each kind of change has a gate of its own, which fails for it and for nothing else.

use std::collections::BTreeSet;

use super::changes::{after, between, only};
use crate::snapshot::fixture::{self, lane_cell_mut};
use crate::snapshot::{ChangeKind, Comparison, GateStanding, Part, Severity, Snapshot, Status, compare};
use crate::terms::{Digest, Outcome};
use crate::verdict::{ExpectationStanding, ExpectedFailureVerdict, Finding, LaneState, Verdict};

fn standing(comparison: &Comparison, kind: ChangeKind) -> GateStanding {
    comparison.gates.iter().find(|gate| gate.kind == kind).unwrap().standing
}

fn with(comparison: &Comparison, standing: GateStanding) -> Vec<ChangeKind> {
    comparison.gates.iter().filter(|gate| gate.standing == standing).map(|gate| gate.kind).collect()
}

fn fewer_ok(ok: u64, planned: u64) -> impl Fn(&mut Verdict) {
    move |v| {
        let cell = lane_cell_mut(v, 0, "native");
        (cell.ok, cell.planned) = (ok, planned);
        cell.outcomes = [(Outcome::Ok, ok)].into();
    }
}

type Edit = fn(&mut Verdict);

#[test]
fn each_kind_of_change_fails_its_own_gate_alone() {
    let cases: [(ChangeKind, Edit); 9] = [
        (ChangeKind::PlanChanged, |v| v.plan_sha256 = Digest::of(b"another plan")),
        (ChangeKind::ModelChanged, |v| v.model = "another-model".into()),
        (ChangeKind::LanesChanged, |v| v.lanes[0].unlocked = true),
        (ChangeKind::VerdictChanged, |v| v.hypotheses[2].finding = Finding::Faster),
        (ChangeKind::ParityChanged, |v| v.hypotheses[0].finding = Finding::NotIdentical),
        (ChangeKind::TokensChanged, |v| lane_cell_mut(v, 1, "native").tokens_sha256 = Some(Digest::of(b"other"))),
        (ChangeKind::OutcomesChanged, |v| {
            lane_cell_mut(v, 1, "native").outcomes = [(Outcome::Ok, 15), (Outcome::Crashed, 1)].into();
        }),
        (ChangeKind::CoverageShrank, |v| fewer_ok(14, 15)(v)),
        (ChangeKind::MagnitudeLeftBand, |v| lane_cell_mut(v, 1, "native").time = Some(fixture::time(26.0))),
    ];
    assert!(with(&after(|_| {}), GateStanding::Passed).len() == ChangeKind::ALL.len());
    for (kind, edit) in cases {
        let comparison = after(edit);
        assert_eq!(with(&comparison, GateStanding::Failed), [kind]);
        assert_eq!(with(&comparison, GateStanding::Passed).len(), ChangeKind::ALL.len() - 1, "{kind}");
        assert_eq!(comparison.status, Status::Changed);
    }
}

#[test]
fn an_expected_failure_that_passed_has_changed_whatever_was_accepted_and_is_never_accepted() {
    let passed = fixture::expecting(ExpectationStanding::Passed);
    let then = Snapshot::from_verdict(&fixture::good(), Digest::of(b"journal")).unwrap();
    let comparison = compare(&then, &passed, 10.0);
    assert_eq!(with(&comparison, GateStanding::Failed), [ChangeKind::ExpectedFailurePassed]);
    let change = only(&comparison);
    assert_eq!((change.from.as_deref(), change.to.as_deref()), (Some("crashed until 2026-12-31"), Some("15 of 15 ok")));
    assert_eq!(change.note.as_deref(), Some("bug 12; take the expectation out of the plan"));
    assert_eq!(comparison.status, Status::Changed);
    let refusal = Snapshot::from_verdict(&passed, Digest::of(b"journal")).unwrap_err();
    assert!(refusal.to_string().contains("an expected failure passed: lane native, /0a0a0a02"), "{refusal}");
}

#[test]
fn a_failure_as_expected_is_accepted_and_is_the_same_the_next_time() {
    let failed = fixture::expecting(ExpectationStanding::FailedAsExpected);
    let then = Snapshot::from_verdict(&failed, Digest::of(b"journal")).unwrap();
    assert_eq!(compare(&then, &failed, 10.0).status, Status::Same);
    let comparison = compare(&then, &fixture::expecting(ExpectationStanding::Passed), 10.0);
    let expected = [
        ChangeKind::ExpectedFailurePassed,
        ChangeKind::TokensChanged,
        ChangeKind::OutcomesChanged,
        ChangeKind::CoverageGrew,
    ];
    assert_eq!(with(&comparison, GateStanding::Failed), expected);
}

#[test]
fn a_lane_whose_refusal_is_expected_in_every_cell_does_not_keep_the_rest_from_being_accepted() {
    let mut verdict = fixture::good();
    verdict.lanes[0].state = LaneState::Refused;
    verdict.lanes[0].outcomes = [(Outcome::Refused, 3)].into();
    verdict.cells.iter_mut().for_each(|cell| cell.lanes.retain(|lane| lane.lane != "native"));
    let [expectation] = &fixture::expecting(ExpectationStanding::FailedAsExpected).expected_failures[..] else {
        panic!("one expectation")
    };
    for cell in verdict.cells.clone() {
        assert!(Snapshot::from_verdict(&verdict, Digest::of(b"journal")).is_err(), "not in every cell yet");
        let of_cell = ExpectedFailureVerdict { cell: cell.cell, outcome: Outcome::Refused, ..expectation.clone() };
        verdict.expected_failures.push(of_cell);
    }
    assert!(Snapshot::from_verdict(&verdict, Digest::of(b"journal")).is_ok());
}

#[test]
fn coverage_that_shrank_or_grew_is_told_by_lane_and_cell() {
    let shrank = after(fewer_ok(14, 15));
    let change = only(&shrank);
    assert_eq!((change.kind, change.severity), (ChangeKind::CoverageShrank, Severity::Regression));
    assert_eq!((change.lane.as_deref(), change.cell.is_some()), (Some("native"), true));
    assert_eq!((change.from.as_deref(), change.to.as_deref()), (Some("15 of 15 ok"), Some("14 of 15 ok")));
    assert_eq!(only(&between(fewer_ok(14, 15), |_| {})).kind, ChangeKind::CoverageGrew);
    // Fewer were planned: the same share, and fewer rows.
    assert_eq!(only(&after(fewer_ok(9, 9))).kind, ChangeKind::CoverageShrank);
    assert_eq!(only(&after(|v| drop(v.cells.pop()))).kind, ChangeKind::CoverageShrank);
    assert_eq!(only(&between(|v| drop(v.cells.pop()), |_| {})).kind, ChangeKind::CoverageGrew);
    let refused = after(|v| {
        v.lanes[3].state = LaneState::Refused;
        v.cells.iter_mut().for_each(|cell| cell.lanes.retain(|lane| lane.lane != "python-reference"));
    });
    assert_eq!((only(&refused).kind, only(&refused).part), (ChangeKind::CoverageShrank, Part::Lane));
}

#[test]
fn fewer_launches_by_the_same_plan_are_fewer_breakdowns_and_by_another_less_coverage() {
    let two = |v: &mut Verdict| lane_cell_mut(v, 0, "native").time.as_mut().unwrap().launches = 2;
    assert_eq!(after(two).status, Status::Same);
    let by_another = after(|v| {
        two(v);
        v.plan_sha256 = Digest::of(b"another plan");
    });
    assert_eq!(with(&by_another, GateStanding::Failed), [ChangeKind::PlanChanged, ChangeKind::CoverageShrank]);
    assert_eq!(by_another.changes[1].to.as_deref(), Some("15 ok in 2 launches"));
}

#[test]
fn a_run_that_measured_nothing_passes_no_gate_that_needs_rows() {
    let snapshot = Snapshot::from_verdict(&fixture::good(), Digest::of(b"journal")).unwrap();
    let comparison = compare(&snapshot, &fixture::nothing_measured(), 10.0);
    assert_eq!(only(&comparison).kind, ChangeKind::NothingMeasured);
    assert_eq!(with(&comparison, GateStanding::Undecided), [ChangeKind::NothingMeasured]);
    assert_eq!(with(&comparison, GateStanding::Failed), []);
    let passed: BTreeSet<_> = with(&comparison, GateStanding::Passed).into_iter().collect();
    let without_rows = [ChangeKind::PlanChanged, ChangeKind::ModelChanged, ChangeKind::RunUnfinished];
    assert_eq!(passed, without_rows.into_iter().chain([ChangeKind::HostInDoubt]).collect());
}

#[test]
fn a_gate_that_the_run_does_not_show_is_undecided_and_one_not_looked_at_is_not_passed() {
    let overlapping = after(|v| {
        let time = fixture::time(26.0);
        let wide = crate::verdict::TimeSummary { student_ms: Some([10.0, 40.0]), ..time };
        lane_cell_mut(v, 1, "native").time = Some(wide);
    });
    assert_eq!(with(&overlapping, GateStanding::Undecided), [ChangeKind::MagnitudeLeftBand]);
    let unfinished = after(|v| v.journal.sealed = false);
    assert_eq!(with(&unfinished, GateStanding::Undecided), [ChangeKind::RunUnfinished]);
    let contaminated = after(|v| v.contamination.contaminated = true);
    assert_eq!(standing(&contaminated, ChangeKind::HostInDoubt), GateStanding::Undecided);
    for kind in [ChangeKind::MagnitudeLeftBand, ChangeKind::VerdictChanged] {
        assert_eq!(standing(&contaminated, kind), GateStanding::NotCompared);
    }
    let absent = after(|v| {
        v.lanes[3].state = LaneState::Skipped;
        v.cells.iter_mut().for_each(|cell| cell.lanes.retain(|lane| lane.lane != "python-reference"));
    });
    assert_eq!(standing(&absent, ChangeKind::CoverageShrank), GateStanding::Told);
    assert_eq!(absent.status, Status::Same);
}

#[test]
fn the_names_of_the_kinds_are_those_of_the_json() {
    for kind in ChangeKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
    }
    let names: BTreeSet<_> = ChangeKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), ChangeKind::ALL.len());
}
