use crate::snapshot::fixture::{self, lane_cell_mut};
use crate::snapshot::{RunComparison, compare_runs};
use crate::terms::Digest;
use crate::verdict::{Finding, TimeSummary, Verdict};

fn against(change: impl FnOnce(&mut Verdict)) -> RunComparison {
    let mut other = fixture::good();
    change(&mut other);
    compare_runs(&fixture::good(), &other)
}

#[test]
fn two_equal_runs_do_not_differ() {
    let comparison = against(|v| v.journal.run = "another".into());
    assert!(!comparison.differs() && comparison.not_comparable.is_empty() && comparison.notes.is_empty());
    let lane = &comparison.cells[0].lanes[0];
    assert_eq!((lane.same_tokens, lane.ratio, lane.apart), (Some(true), Some(1.0), Some(false)));
}

#[test]
fn a_run_beside_itself_is_warned_of_once() {
    let busy = compare_runs(&fixture::contaminated(), &fixture::contaminated());
    assert_eq!(busy.notes.len(), 2, "{:?}", busy.notes);
    let nothing = compare_runs(&fixture::nothing_measured(), &fixture::nothing_measured());
    assert_eq!(nothing.not_comparable.len(), 1, "{:?}", nothing.not_comparable);
}

#[test]
fn a_ratio_holds_whatever_both_intervals_allow() {
    let comparison = against(|v| lane_cell_mut(v, 1, "native").time = Some(fixture::time(40.0)));
    let lane = &comparison.cells[1].lanes[0];
    assert_eq!((lane.mean_ms, lane.ratio, lane.apart), ([Some(20.0), Some(40.0)], Some(2.0), Some(true)));
    let [low, high] = lane.ratio_interval.unwrap();
    assert!((low - 39.0 / 20.5).abs() < 1e-9 && (high - 41.0 / 19.5).abs() < 1e-9, "{low} {high}");
    assert!(comparison.differs());
}

#[test]
fn a_ratio_without_bounds_has_no_interval() {
    let wide = |verdict: &mut Verdict| {
        let time = fixture::time(20.0);
        lane_cell_mut(verdict, 1, "native").time = Some(TimeSummary { student_ms: Some([-1.0, 41.0]), ..time });
    };
    let mut first = fixture::good();
    wide(&mut first);
    let lane = &compare_runs(&first, &fixture::good()).cells[1].lanes[0];
    assert_eq!((lane.ratio, lane.ratio_interval, lane.apart), (Some(1.0), None, Some(false)));
}

#[test]
fn runs_with_other_lanes_and_hypotheses_are_compared_in_what_they_share() {
    let comparison = against(|v| {
        v.lanes[3].lane = "python-other".into();
        v.hypotheses[2].name = "another".into();
        v.hypotheses[0].finding = Finding::NotIdentical;
        lane_cell_mut(v, 0, "native").tokens_sha256 = Some(Digest::of(b"other"));
    });
    assert_eq!(comparison.only_in_a, ["lane python-reference"]);
    assert_eq!(comparison.only_in_b, ["lane python-other"]);
    let pairs: Vec<_> =
        comparison.findings.iter().map(|it| (it.hypothesis.as_str(), it.a.as_deref(), it.b.as_deref())).collect();
    let expected = [
        ("tokens", Some("identical"), Some("not_identical")),
        ("a-a", Some("equivalent"), Some("equivalent")),
        ("cache-pays", Some("slower"), None),
        ("another", None, Some("slower")),
    ];
    assert_eq!(pairs, expected);
    assert_eq!(comparison.cells[0].lanes[0].same_tokens, Some(false));
    assert!(comparison.differs());
}

#[test]
fn what_cannot_be_compared_says_why() {
    let other_model = against(|v| {
        v.model = "another-model".into();
        for (cell, id) in v.cells.iter_mut().zip(["/0b0b0b01", "/0b0b0b02", "/0b0b0b03"]) {
            cell.cell = fixture::cell_id(id);
        }
    });
    assert!(other_model.cells.is_empty() && other_model.not_comparable.len() == 2, "{:?}", other_model.not_comparable);
    assert!(other_model.not_comparable[0].contains("another-model"));
    assert_eq!(other_model.only_in_b.len(), 3);
    let no_lane = against(|v| v.cells.iter_mut().for_each(|cell| cell.lanes.clear()));
    assert_eq!(no_lane.not_comparable.len(), 2, "{:?}", no_lane.not_comparable);
    let nothing = compare_runs(&fixture::good(), &fixture::nothing_measured());
    assert!(nothing.not_comparable[0].contains("measured nothing"));
    let busy = compare_runs(&fixture::good(), &fixture::contaminated());
    assert_eq!(busy.notes.len(), 2, "{:?}", busy.notes);
    let elsewhere = against(|v| v.journal.segments[0].host.cpu.cores = 64);
    assert!(elsewhere.notes[0].contains("host classes differ") && !elsewhere.axes.is_empty());
}
