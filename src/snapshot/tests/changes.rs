use crate::snapshot::fixture::{self, cell_id, lane_cell_mut};
use crate::snapshot::{
    Change, ChangeKind, Comparison, Magnitudes, Part, Severity, Snapshot, Status, compare, compare_without_times,
};
use crate::terms::{Digest, Failure, FailureClass, Outcome};
use crate::verdict::{Finding, LaneState, Verdict};

const BAND_PCT: f64 = 10.0;

/// The good verdict after `change`, held against the good verdict's snapshot.
pub(super) fn after(change: impl FnOnce(&mut Verdict)) -> Comparison {
    between(|_| {}, change)
}

/// The good verdict after `now`, held against the snapshot of the good verdict after `then`.
pub(super) fn between(then: impl FnOnce(&mut Verdict), now: impl FnOnce(&mut Verdict)) -> Comparison {
    let (mut old, mut new) = (fixture::good(), fixture::good());
    then(&mut old);
    now(&mut new);
    let snapshot = Snapshot::from_verdict(&old, Digest::of(b"journal")).unwrap();
    let comparison = compare(&snapshot, &new, BAND_PCT);
    assert_eq!(comparison.status(), comparison.status);
    comparison
}

/// Part, severity, from, to.
type Told<'a> = (Part, Severity, Option<&'a str>, Option<&'a str>);

fn told(comparison: &Comparison) -> Vec<Told<'_>> {
    comparison.changes.iter().map(|c| (c.part, c.severity, c.from.as_deref(), c.to.as_deref())).collect()
}

pub(super) fn only(comparison: &Comparison) -> &Change {
    match &comparison.changes[..] {
        [change] => change,
        changes => panic!("expected one change, found {changes:#?}"),
    }
}

fn set_time(verdict: &mut Verdict, lane: &str, mean_ms: f64) {
    lane_cell_mut(verdict, 1, lane).time = Some(fixture::time(mean_ms));
}

#[test]
fn the_same_verdict_is_the_same_even_when_axes_differ() {
    let same = after(|_| {});
    assert_eq!((same.status, same.changes.len(), same.axes.len()), (Status::Same, 0, 0));
    let rebuilt = after(|v| {
        v.journal.segments[0].binary = Digest::of(b"another build");
        v.journal.segments[0].host.kernel = "6.12.0".into();
        v.lanes[0].observed.insert("threads".into(), "2".into());
    });
    assert_eq!(rebuilt.status, Status::Same);
    let names: Vec<_> = rebuilt.axes.iter().map(|a| (a.lane.as_deref(), a.axis.as_str())).collect();
    assert_eq!(names, [(None, "binary"), (None, "kernel"), (Some("native"), "threads")]);
    assert_eq!(same.magnitudes, Magnitudes::Compared { band_pct: BAND_PCT });
}

#[test]
fn a_change_stands_beside_the_axes_that_differ_in_its_lanes() {
    let comparison = after(|v| {
        v.journal.segments[0].version = "0.2.0".into();
        v.lanes[0].declared.insert("dtype".into(), "f16".into());
        v.lanes[3].observed.insert("python".into(), "3.13".into());
        lane_cell_mut(v, 1, "python-reference").tokens_sha256 = Some(Digest::of(b"other"));
    });
    let change = only(&comparison);
    assert_eq!(
        (change.part, change.severity, change.lane.as_deref()),
        (Part::Tokens, Severity::Changed, Some("python-reference"))
    );
    assert_eq!(change.cell, Some(cell_id("/0a0a0a02")));
    let beside: Vec<_> = change.axes.iter().map(|a| (a.axis.as_str(), a.from.as_deref(), a.to.as_deref())).collect();
    assert_eq!(beside, [("lockstep", Some("0.1.0"), Some("0.2.0")), ("python", None, Some("3.13"))]);
    assert_eq!(comparison.axes.len(), 3);
    assert_eq!(comparison.status, Status::Changed);
}

#[test]
fn plan_and_model_are_parts_of_their_own() {
    let comparison = after(|v| {
        v.plan_sha256 = Digest::of(b"another plan");
        v.model = "another-model".into();
    });
    let parts: Vec<_> = comparison.changes.iter().map(|c| (c.part, c.severity)).collect();
    assert_eq!(parts, [(Part::Plan, Severity::Changed), (Part::Model, Severity::Changed)]);
}

#[test]
fn a_lane_that_now_disagrees_with_itself_is_a_regression_and_the_reverse_an_improvement() {
    let itself = |v: &mut Verdict| {
        let cell = lane_cell_mut(v, 0, "native");
        (cell.tokens_sha256, cell.distinct_outputs) = (None, 2);
    };
    let worse = after(itself);
    assert_eq!((only(&worse).part, only(&worse).severity), (Part::Tokens, Severity::Regression));
    assert_eq!(only(&worse).to.as_deref(), Some("2 different outputs"));
    let better = between(itself, |_| {});
    assert_eq!((only(&better).part, only(&better).severity), (Part::Tokens, Severity::Improvement));
}

#[test]
fn a_row_that_now_fails_changes_outcomes_and_coverage() {
    let crash = |v: &mut Verdict| {
        let cell = lane_cell_mut(v, 2, "native");
        cell.ok = 14;
        cell.outcomes = [(Outcome::Ok, 14), (Outcome::Crashed, 1)].into();
    };
    let worse = after(crash);
    let expected = [
        (Part::Outcomes, Severity::Regression, Some("all ok"), Some("1 crashed")),
        (Part::Coverage, Severity::Regression, Some("15 of 15 ok"), Some("14 of 15 ok")),
    ];
    assert_eq!(told(&worse), expected);
    let better = between(crash, |_| {});
    assert!(better.changes.iter().all(|c| c.severity == Severity::Improvement) && better.changes.len() == 2);
    let other_kind = between(crash, |v| {
        crash(v);
        lane_cell_mut(v, 2, "native").outcomes = [(Outcome::Ok, 14), (Outcome::Hung, 1)].into();
    });
    let expected = [(Part::Outcomes, Severity::Changed, Some("1 crashed"), Some("1 hung"))];
    assert_eq!(told(&other_kind), expected);
}

#[test]
fn fewer_repetitions_planned_and_all_ok_is_a_change_and_no_regression() {
    let comparison = after(|v| {
        let cell = lane_cell_mut(v, 0, "native");
        (cell.ok, cell.planned) = (9, 9);
        cell.outcomes = [(Outcome::Ok, 9)].into();
    });
    assert_eq!(told(&comparison), [(Part::Coverage, Severity::Changed, Some("15 of 15 ok"), Some("9 of 9 ok"))]);
}

#[test]
fn a_mean_outside_the_band_with_intervals_apart_has_changed() {
    let slower = after(|v| set_time(v, "native", 26.0));
    let change = only(&slower);
    assert_eq!((change.part, change.severity), (Part::Magnitude, Severity::Regression));
    assert_eq!(change.from.as_deref(), Some("20.00 ms (19.50 to 20.50 ms)"));
    assert_eq!(change.note.as_deref(), Some("+30.0 %, outside the band of 10 %, and the intervals lie apart"));
    let faster = after(|v| set_time(v, "native", 15.0));
    assert_eq!((only(&faster).severity, faster.status), (Severity::Improvement, Status::Changed));
    assert_eq!(after(|v| set_time(v, "native", 21.9)).status, Status::Same, "inside the band nothing has changed");
}

#[test]
fn a_mean_outside_the_band_with_overlapping_intervals_could_not_be_compared() {
    for student_ms in [Some([10.0, 40.0]), None] {
        let comparison = after(|v| {
            let time = fixture::time(26.0);
            lane_cell_mut(v, 1, "native").time = Some(crate::verdict::TimeSummary { student_ms, ..time });
        });
        assert_eq!((only(&comparison).severity, comparison.status), (Severity::CouldNotCompare, Status::Inconclusive));
    }
}

fn finding(index: usize, finding: Finding) -> impl Fn(&mut Verdict) {
    move |v| v.hypotheses[index].finding = finding
}

#[test]
fn a_decided_finding_that_becomes_another_changes_by_what_the_plan_expects() {
    let regression = after(finding(2, Finding::Faster));
    assert_eq!(told(&regression), [(Part::Finding, Severity::Regression, Some("slower"), Some("faster"))]);
    let improvement = between(finding(2, Finding::Faster), |_| {});
    assert_eq!(only(&improvement).severity, Severity::Improvement);
    let either = |v: &mut Verdict| v.hypotheses[2].expected.clear();
    let other = |moved_pct: f64| {
        between(either, move |v| {
            either(v);
            v.hypotheses[2].finding = Finding::Faster;
            for cell in &mut v.hypotheses[2].cells {
                cell.interval_pct = cell.interval_pct.map(|ends| ends.map(|end| end + moved_pct));
            }
        })
    };
    assert_eq!(only(&other(-500.0)).severity, Severity::Changed);
    // Another result over intervals that overlap: significant here and not there.
    assert_eq!(only(&other(0.0)).severity, Severity::CouldNotCompare);
    let tokens = after(finding(0, Finding::NotIdentical));
    assert_eq!(only(&tokens).severity, Severity::Regression);
}

/// A rule's verdict after `change` of its ruling, held against its snapshot.
fn ruling_after(change: impl FnOnce(&mut Verdict)) -> Comparison {
    let mut new = fixture::ruled();
    change(&mut new);
    compare(&Snapshot::from_verdict(&fixture::ruled(), Digest::of(b"journal")).unwrap(), &new, BAND_PCT)
}

fn set_ruling(verdict: &mut Verdict, label: &str) {
    verdict.hypotheses[3].ruling.as_mut().unwrap().label = label.into();
}

#[test]
fn a_rules_label_is_its_result_and_another_one_changes_the_verdict() {
    assert_eq!(ruling_after(|_| {}).status, Status::Same);
    let other = ruling_after(|v| set_ruling(v, "everywhere"));
    assert_eq!(told(&other), [(Part::Finding, Severity::Regression, Some("located"), Some("everywhere"))]);
    assert_eq!(only(&other).kind, ChangeKind::VerdictChanged);
    let allowed = ruling_after(|v| {
        v.hypotheses[3].expected.clear();
        set_ruling(v, "everywhere");
    });
    assert_eq!(only(&allowed).severity, Severity::Changed);
    let open = ruling_after(|v| {
        v.hypotheses[3].finding = Finding::CouldNotTell;
        set_ruling(v, "inconclusive");
    });
    assert_eq!(told(&open), [(Part::Finding, Severity::CouldNotCompare, Some("located"), Some("inconclusive"))]);
}

#[test]
fn a_boundary_that_moved_has_changed_though_its_label_is_the_same() {
    let relabelled = |label: &'static str| {
        move |v: &mut Verdict| v.hypotheses[3].ruling.as_mut().unwrap().parts[1].label = label.into()
    };
    let moved = ruling_after(relabelled("free"));
    assert_eq!(told(&moved), [(Part::Finding, Severity::Changed, Some("affected"), Some("free"))]);
    assert_eq!(only(&moved).what, "hypothesis boundary, new_tokens 32");
    for open in ["open", "edge", "not_compared"] {
        assert_eq!(ruling_after(relabelled(open)).status, Status::Same, "a place that is {open} now denies nothing");
    }
}

#[test]
fn a_finding_that_is_no_longer_decided_could_not_be_compared() {
    for undecided in [Finding::CouldNotTell, Finding::Void, Finding::NotMeasured] {
        let comparison = after(finding(2, undecided));
        assert_eq!((only(&comparison).severity, comparison.status), (Severity::CouldNotCompare, Status::Inconclusive));
    }
    let decided_now = between(finding(2, Finding::CouldNotTell), |_| {});
    assert_eq!((only(&decided_now).severity, decided_now.status), (Severity::CouldNotCompare, Status::Inconclusive));
}

#[test]
fn a_negative_control_that_shows_something_doubts_the_host_and_not_the_software() {
    let comparison = after(finding(1, Finding::Slower));
    assert_eq!((only(&comparison).severity, comparison.status), (Severity::CouldNotCompare, Status::Inconclusive));
}

#[test]
fn a_cells_result_has_changed_only_when_its_difference_has_moved() {
    let flip = |interval| {
        move |v: &mut Verdict| {
            let cell = &mut v.hypotheses[2].cells[0];
            (cell.finding, cell.interval_pct) = (Finding::Equivalent, Some(interval));
        }
    };
    let moved = after(flip([-1.0, 1.0]));
    assert_eq!((only(&moved).part, only(&moved).severity), (Part::Finding, Severity::Regression));
    assert_eq!(only(&moved).cell, Some(cell_id("/0a0a0a02")));
    assert_eq!(after(flip([170.0, 172.0])).status, Status::Same);
}

#[test]
fn hypotheses_cells_and_lanes_may_be_new_or_missing() {
    let fewer = |v: &mut Verdict| {
        v.hypotheses.remove(2);
        v.cells.remove(2);
        v.lanes.remove(3);
        v.cells.iter_mut().for_each(|cell| cell.lanes.retain(|lane| lane.lane != "python-reference"));
    };
    let missing = after(fewer);
    let parts: Vec<_> = missing.changes.iter().map(|c| (c.part, c.severity)).collect();
    let each = |severity| [Part::Lane, Part::Hypothesis, Part::Cell].map(|part| (part, severity));
    assert_eq!(parts, each(Severity::Missing));
    let new = between(fewer, |_| {});
    let parts: Vec<_> = new.changes.iter().map(|c| (c.part, c.severity)).collect();
    assert_eq!(parts, each(Severity::New));
    assert_eq!(new.status, Status::Changed);
    let unmet = after(|v| v.cells[0].lanes.retain(|lane| lane.lane != "native"));
    assert_eq!((only(&unmet).part, only(&unmet).severity), (Part::Cell, Severity::Missing));
}

fn absent(state: LaneState) -> impl Fn(&mut Verdict) {
    move |v| {
        v.lanes[3].state = state;
        v.lanes[3].failure = Some(Failure::new(FailureClass::Absent, "no python3"));
        v.cells.iter_mut().for_each(|cell| cell.lanes.retain(|lane| lane.lane != "python-reference"));
    }
}

#[test]
fn an_optional_lane_that_is_absent_counts_as_nothing_and_a_refused_one_is_a_regression() {
    let skipped = after(absent(LaneState::Skipped));
    assert_eq!(told(&skipped), [(Part::Lane, Severity::Skipped, Some("ready"), Some("skipped"))]);
    assert_eq!((only(&skipped).note.as_deref(), skipped.status), (Some("no python3"), Status::Same));
    let with_its_hypothesis = after(|v| {
        absent(LaneState::Skipped)(v);
        v.hypotheses[2].lanes = vec!["native".into(), "python-reference".into()];
        v.hypotheses[2].finding = Finding::NotMeasured;
    });
    assert!(with_its_hypothesis.changes.iter().all(|change| change.severity == Severity::Skipped));
    assert_eq!((with_its_hypothesis.changes.len(), with_its_hypothesis.status), (2, Status::Same));
    let required = after(|v| {
        absent(LaneState::Skipped)(v);
        v.lanes[3].optional = false;
    });
    assert_eq!((only(&required).severity, required.status), (Severity::Regression, Status::Changed));
    let refused = after(absent(LaneState::Refused));
    assert_eq!(told(&refused), [(Part::Lane, Severity::Regression, Some("ready"), Some("refused"))]);
    let back = between(absent(LaneState::Skipped), |_| {});
    assert_eq!(told(&back), [(Part::Lane, Severity::New, Some("skipped"), Some("ready"))]);
    assert_eq!(between(absent(LaneState::Skipped), absent(LaneState::Skipped)).status, Status::Same);
}

#[test]
fn a_lane_that_lost_its_lock_has_changed() {
    let comparison = after(|v| v.lanes[0].unlocked = true);
    assert_eq!(told(&comparison), [(Part::Lane, Severity::Changed, Some("locked"), Some("unlocked"))]);
}

#[test]
fn times_of_a_contaminated_host_are_not_compared() {
    let comparison = after(|v| {
        v.contamination.contaminated = true;
        set_time(v, "native", 60.0);
        v.hypotheses[2].finding = Finding::Equivalent;
    });
    let expected = [(Part::Contamination, Severity::CouldNotCompare), (Part::Finding, Severity::CouldNotCompare)];
    assert_eq!(comparison.changes.iter().map(|c| (c.part, c.severity)).collect::<Vec<_>>(), expected);
    assert!(matches!(comparison.magnitudes, Magnitudes::NotCompared { .. }));
    assert_eq!(comparison.status, Status::Inconclusive);
}

#[test]
fn what_an_unfinished_run_lacks_could_not_be_compared() {
    let comparison = after(|v| {
        v.journal.sealed = false;
        let cell = lane_cell_mut(v, 0, "native");
        cell.ok = 5;
        cell.outcomes = [(Outcome::Ok, 5)].into();
    });
    let expected = [(Part::Journal, Severity::CouldNotCompare), (Part::Coverage, Severity::CouldNotCompare)];
    assert_eq!(comparison.changes.iter().map(|c| (c.part, c.severity)).collect::<Vec<_>>(), expected);
    assert_eq!(comparison.status, Status::Inconclusive);
}

#[test]
fn nothing_measured_is_neither_a_pass_nor_a_regression() {
    let snapshot = Snapshot::from_verdict(&fixture::good(), Digest::of(b"journal")).unwrap();
    let comparison = compare(&snapshot, &fixture::nothing_measured(), BAND_PCT);
    assert_eq!(only(&comparison).severity, Severity::CouldNotCompare);
    assert_eq!(comparison.status, Status::Inconclusive);
}

fn another_host(v: &mut Verdict) {
    v.journal.segments[0].host.cpu.cores = 64;
}

#[test]
fn without_times_neither_host_nor_times_count_and_tokens_still_do() {
    let snapshot = Snapshot::from_verdict(&fixture::good(), Digest::of(b"journal")).unwrap();
    let held = |change: &dyn Fn(&mut Verdict)| {
        let mut now = fixture::good();
        change(&mut now);
        compare_without_times(&snapshot, &now)
    };
    let slower = held(&|v| {
        another_host(v);
        set_time(v, "native", 40.0);
        v.contamination.contaminated = true;
        v.hypotheses[1].finding = Finding::CouldNotTell;
        v.hypotheses[2].finding = Finding::Equivalent;
    });
    assert_eq!((slower.status, slower.changes.len()), (Status::Same, 0), "{:#?}", slower.changes);
    assert!(matches!(&slower.magnitudes, Magnitudes::NotCompared { reason } if reason.contains("but times")));
    let tokens = held(&|v| lane_cell_mut(v, 0, "native").tokens_sha256 = Some(Digest::of(b"other")));
    assert_eq!(tokens.status, Status::Changed);
}

#[test]
fn another_host_class_is_compared_in_all_but_times() {
    let same = after(|v| {
        another_host(v);
        set_time(v, "native", 2.0);
        v.hypotheses[1].finding = Finding::CouldNotTell;
        v.hypotheses[2].finding = Finding::Equivalent;
    });
    assert_eq!((same.status, same.changes.len()), (Status::OtherHostClass, 0));
    assert!(matches!(&same.magnitudes, Magnitudes::NotCompared { reason } if reason.contains("64c")));
    let differs = after(|v| {
        another_host(v);
        v.hypotheses[0].finding = Finding::NotIdentical;
        lane_cell_mut(v, 0, "native").tokens_sha256 = Some(Digest::of(b"other"));
    });
    let parts: Vec<_> = differs.changes.iter().map(|c| c.part).collect();
    assert_eq!((parts, differs.status), (vec![Part::Finding, Part::Tokens], Status::Changed));
    let absent_too = after(|v| {
        another_host(v);
        absent(LaneState::Skipped)(v);
    });
    assert_eq!(absent_too.status, Status::OtherHostClass);
}

#[test]
fn a_comparison_is_told_in_json() {
    let comparison = after(|v| {
        v.journal.segments[0].binary = Digest::of(b"another build");
        set_time(v, "native", 26.0);
    });
    insta::assert_snapshot!(serde_json::to_string_pretty(&comparison).unwrap());
    let read: Comparison = serde_json::from_str(&serde_json::to_string(&comparison).unwrap()).unwrap();
    assert_eq!(read, comparison);
}
