use quick_junit::{Report, TestCaseStatus};

use crate::journal::Row;
use crate::report::{
    Error, Style, cell_text, comparison_json, comparison_junit, comparison_text, json, junit, markdown,
    run_comparison_json, run_comparison_text, text,
};
use crate::snapshot::fixture::{self, cell_id, lane_cell_mut};
use crate::snapshot::{Comparison, RunComparison, Snapshot, compare, compare_runs};
use crate::stats::PValue;
use crate::terms::{Digest, Failure, FailureClass, Outcome, StopReason};
use crate::verdict::{Conclusion, ExpectationStanding, Finding, Verdict};

const WIDE: Style = Style { width: 140, color: false };

fn fixtures() -> [(&'static str, Verdict); 6] {
    [
        ("good", fixture::good()),
        ("ruled", fixture::ruled()),
        ("tokens_differ", fixture::tokens_differ()),
        ("skipped_and_refused", fixture::skipped_and_refused()),
        ("contaminated", fixture::contaminated()),
        ("nothing_measured", fixture::nothing_measured()),
    ]
}

#[test]
fn a_verdict_for_a_terminal() {
    for (name, verdict) in fixtures() {
        insta::assert_snapshot!(format!("text_{name}"), text(&verdict, WIDE));
    }
}

#[test]
fn a_verdict_for_a_narrow_terminal() {
    insta::assert_snapshot!(text(&fixture::good(), Style { width: 80, color: false }));
}

#[test]
fn a_verdict_for_review() {
    for (name, verdict) in fixtures() {
        insta::assert_snapshot!(format!("markdown_{name}"), markdown(&verdict));
    }
}

#[test]
fn a_verdict_for_a_ci_system() {
    for (name, verdict) in fixtures() {
        insta::assert_snapshot!(format!("junit_{name}"), junit(&verdict).unwrap());
    }
}

#[test]
fn a_p_value_below_the_doubles_is_no_smallest_double_in_any_form() {
    let mut verdict = fixture::good();
    let cell = &mut verdict.hypotheses[1].cells[0];
    (cell.p, cell.p_adjusted) = (PValue::from_decimal_log(-400.0).ok(), PValue::from_decimal_log(-399.0).ok());
    let text_of_json = json(&verdict).unwrap();
    assert!(text_of_json.contains("\"p\": \"1e-400\",") && text_of_json.contains("\"p_adjusted\": \"1e-399\","));
    assert_eq!(serde_json::from_str::<Verdict>(&text_of_json).unwrap(), verdict);
    let page = markdown(&verdict);
    assert!(page.contains("<0.001"), "{page}");
    for form in [text_of_json, page, text(&verdict, WIDE), junit(&verdict).unwrap()] {
        assert!(!form.contains("e-324") && !form.contains("below\":"), "{form}");
    }
}

#[test]
fn a_verdict_survives_its_own_json() {
    for (_, verdict) in fixtures() {
        let text = json(&verdict).unwrap();
        assert!(text.ends_with("}\n"));
        let read: Verdict = serde_json::from_str(&text).unwrap();
        assert_eq!((json(&read).unwrap(), read), (text, verdict));
    }
}

#[test]
fn a_narrow_terminal_gets_every_word_of_the_conclusion() {
    let narrow = Style { width: 60, color: false };
    let (wide, text) = (text(&fixture::contaminated(), WIDE), text(&fixture::contaminated(), narrow));
    let words = |text: &str| text.split("Hypotheses").next().map(|t| t.split_whitespace().map(str::to_owned).collect());
    let of_narrow: Option<Vec<String>> = words(&text);
    assert_eq!(words(&wide), of_narrow);
    let long = |line: &&str| line.chars().count() > 60 && !line.contains("lockstep");
    assert_eq!(text.lines().filter(long).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn a_junit_report_is_read_back_with_the_counts_that_the_verdict_has() {
    for (name, counts) in [
        ("good", [16, 0, 0, 0]),
        ("ruled", [17, 0, 0, 0]),
        ("tokens_differ", [16, 3, 0, 0]),
        ("skipped_and_refused", [16, 3, 1, 4]),
        ("contaminated", [16, 0, 1, 2]),
        ("nothing_measured", [16, 12, 1, 3]),
    ] {
        let verdict = fixtures().into_iter().find(|(it, _)| *it == name).unwrap().1;
        let report = Report::deserialize_from_str(&junit(&verdict).unwrap()).unwrap();
        assert_eq!([report.tests, report.failures, report.errors, report.skipped], counts, "{name}");
        assert!(report.test_suites.iter().all(|suite| suite.timestamp.is_some()), "the header's time is in each suite");
    }
}

#[test]
fn a_repetition_that_failed_first_is_a_success_that_tells_of_its_failure() {
    let mut verdict = fixture::good();
    lane_cell_mut(&mut verdict, 0, "native").outcomes = [(Outcome::Ok, 15), (Outcome::Hung, 1)].into();
    let report = Report::deserialize_from_str(&junit(&verdict).unwrap()).unwrap();
    let flaky = report
        .test_suites
        .iter()
        .flat_map(|suite| &suite.test_cases)
        .filter(|case| matches!(&case.status, TestCaseStatus::Success { flaky_runs } if flaky_runs.len() == 1));
    assert_eq!(flaky.map(|case| case.name.as_str()).collect::<Vec<_>>(), ["/0a0a0a01 prefill short p32 n1"]);
}

#[test]
fn only_a_finished_run_that_came_out_as_expected_is_all_green() {
    let mut unfinished = fixture::good();
    unfinished.journal.sealed = false;
    let mut undecided = fixture::good();
    undecided.conclusion = Conclusion::Inconclusive;
    let mut busy = fixture::contaminated();
    busy.journal.sealed = true;
    for verdict in [unfinished, undecided, busy] {
        let report = Report::deserialize_from_str(&junit(&verdict).unwrap()).unwrap();
        assert_eq!((report.failures, report.errors), (0, 1), "{:?}", verdict.reasons);
    }
}

#[test]
fn a_control_stays_a_control_where_no_noise_floor_could_be_formed() {
    let mut verdict = fixture::good();
    verdict.hypotheses[1].finding = Finding::Slower;
    verdict.hypotheses[1].noise_floor = None;
    let report = Report::deserialize_from_str(&junit(&verdict).unwrap()).unwrap();
    assert_eq!((report.failures, report.skipped), (0, 1));
}

#[test]
fn a_reason_stands_once_in_the_markdown_report() {
    let (verdict, told) = (fixture::good(), markdown(&fixture::good()));
    for reason in verdict.hypotheses.iter().flat_map(|hypothesis| hypothesis.reasons.first()) {
        assert_eq!(told.matches(reason.as_str()).count(), 1, "{reason}");
    }
    assert!(told.contains("; largest difference +175 % [+171, +179] in /0a0a0a02 kv_decode"), "{told}");
}

#[test]
fn a_negative_control_that_shows_something_is_doubt_and_no_failure() {
    let mut verdict = fixture::good();
    verdict.hypotheses[1].finding = Finding::Slower;
    let report = Report::deserialize_from_str(&junit(&verdict).unwrap()).unwrap();
    assert_eq!((report.failures, report.skipped), (0, 1));
}

fn comparisons() -> [(&'static str, Comparison); 5] {
    let snapshot = |verdict: &Verdict| Snapshot::from_verdict(verdict, Digest::of(b"journal")).unwrap();
    let then = snapshot(&fixture::good());
    let mut changed = fixture::tokens_differ();
    changed.journal.segments[0].binary = Digest::of(b"another build");
    changed.lanes[3].observed.insert("python".into(), "3.13".into());
    lane_cell_mut(&mut changed, 1, "native").time = Some(fixture::time(15.0));
    let mut elsewhere = fixture::good();
    elsewhere.journal.segments[0].host.cpu.cores = 64;
    [
        ("same", compare(&then, &fixture::good(), 10.0)),
        ("skipped", compare(&then, &fixture::skipped_and_refused(), 10.0)),
        ("changed", compare(&then, &changed, 10.0)),
        ("inconclusive", compare(&then, &fixture::contaminated(), 10.0)),
        ("other_host_class", compare(&then, &elsewhere, 10.0)),
    ]
}

#[test]
fn a_comparison_with_a_snapshot() {
    for (name, comparison) in comparisons() {
        insta::assert_snapshot!(format!("comparison_text_{name}"), comparison_text(&comparison, WIDE));
        let read: Comparison = serde_json::from_str(&comparison_json(&comparison).unwrap()).unwrap();
        assert_eq!(read, comparison);
    }
}

#[test]
fn an_expected_failure_is_told_with_its_reason_and_its_passing_is_a_failure() {
    let failed = fixture::expecting(ExpectationStanding::FailedAsExpected);
    for page in [text(&failed, WIDE), markdown(&failed)] {
        assert!(page.contains("Expected failures") && page.contains("bug 12"), "{page}");
        assert!(page.contains("failed as expected") && page.contains("2026-12-31"), "{page}");
    }
    let cases = |verdict: &Verdict| {
        let xml = junit(verdict).unwrap();
        let report = Report::deserialize_from_str(&xml).unwrap();
        (report.failures, report.skipped, xml)
    };
    let (failures, skipped, xml) = cases(&failed);
    assert_eq!((failures, skipped), (0, 1), "{xml}");
    assert!(xml.contains("type=\"expected_failure\""), "{xml}");
    let passed = fixture::expecting(ExpectationStanding::Passed);
    assert!(text(&passed, WIDE).contains("PASSED"));
    let (failures, skipped, xml) = cases(&passed);
    assert_eq!((failures, skipped), (2, 0), "the cell and the conclusion: {xml}");
    assert!(xml.contains("type=\"expected_failure_passed\""), "{xml}");
}

/// A failed gate is a failure, an undecided one an error, one that was not looked at skipped.
#[test]
fn a_comparison_gives_ci_one_case_for_each_gate() {
    let counts: Vec<_> = comparisons()
        .iter()
        .map(|(name, comparison)| {
            let report = Report::deserialize_from_str(&comparison_junit(comparison).unwrap()).unwrap();
            assert_eq!(report.tests, comparison.gates.len(), "{name}");
            (*name, report.failures, report.errors, report.skipped)
        })
        .collect();
    let expected = [
        ("same", 0, 0, 0),
        ("skipped", 1, 1, 0),
        ("changed", 5, 0, 0),
        ("inconclusive", 0, 4, 1),
        ("other_host_class", 0, 0, 2),
    ];
    assert_eq!(counts, expected);
    let (_, changed) = &comparisons()[2];
    insta::assert_snapshot!("comparison_junit_changed", comparison_junit(changed).unwrap());
}

fn run_comparisons() -> [(&'static str, RunComparison); 2] {
    let mut other = fixture::tokens_differ();
    other.journal.run = "20260302-090000-c3d4".into();
    lane_cell_mut(&mut other, 1, "native").time = Some(fixture::time(15.0));
    other.lanes[1].lane = "native-other".into();
    [
        ("differ", compare_runs(&fixture::good(), &other)),
        ("nothing", compare_runs(&fixture::good(), &fixture::nothing_measured())),
    ]
}

#[test]
fn two_runs_side_by_side() {
    for (name, comparison) in run_comparisons() {
        insta::assert_snapshot!(format!("runs_text_{name}"), run_comparison_text(&comparison, WIDE));
        let read: RunComparison = serde_json::from_str(&run_comparison_json(&comparison).unwrap()).unwrap();
        assert_eq!(read.cells.len(), comparison.cells.len());
    }
}

pub(super) fn row(lane: &str, block: u32, rep: u32, attempt: u32, outcome: Outcome) -> Row {
    let ok = outcome == Outcome::Ok;
    Row {
        plan: Digest::of(b"plan"),
        lane: lane.into(),
        block,
        cell: cell_id("/0a0a0a02"),
        rep,
        attempt,
        launch: Some(block),
        outcome,
        unlocked: false,
        wall_ns: ok.then_some(20_123_456),
        outside_ns: ok.then_some(20_400_000),
        tokens: if ok { (100..116).collect() } else { Vec::new() },
        output_sha256: None,
        stop: ok.then_some(StopReason::Length),
        evidence: Default::default(),
        telemetry: Vec::new(),
        failure: None,
    }
}

fn rows() -> Vec<Row> {
    let died = Failure {
        exit_status: Some(1),
        stderr_tail: "Traceback (most recent call last):\n  File \"decoder.py\", line 7\n\u{1b}[31mValueError\u{1b}[0m"
            .into(),
        ..Failure::new(FailureClass::Died, "the runner ended before it answered").with_remedy("see its standard error")
    };
    let mut other = row("python-reference", 0, 1, 0, Outcome::Ok);
    other.tokens[5] = 7;
    let mut shorter = row("native-nocache", 0, 0, 0, Outcome::Ok);
    shorter.tokens.truncate(14);
    let mut elsewhere = row("native", 0, 0, 0, Outcome::Ok);
    elsewhere.cell = cell_id("/0a0a0a01");
    vec![
        row("native", 0, 0, 0, Outcome::Ok),
        row("native", 0, 1, 0, Outcome::Ok),
        Row { failure: Some(died.clone()), ..row("python-reference", 0, 0, 0, Outcome::Crashed) },
        Row { failure: Some(died), ..row("python-reference", 0, 0, 1, Outcome::Crashed) },
        row("python-reference", 0, 0, 2, Outcome::Ok),
        other,
        shorter,
        elsewhere,
        Row { wall_ns: None, ..row("native-again", 0, 0, 0, Outcome::Ok) },
        row("native-again", 0, 1, 0, Outcome::Hung),
        Row { launch: Some(9), ..row("native-again", 2, 0, 0, Outcome::Ok) },
    ]
}

#[test]
fn a_cell_explained_row_by_row() {
    insta::assert_snapshot!(cell_text(&fixture::tokens_differ(), &rows(), &cell_id("/0a0a0a02"), WIDE).unwrap());
}

#[test]
fn a_cell_in_which_all_agree_says_so() {
    let rows = [row("native", 0, 0, 0, Outcome::Ok), row("python-reference", 0, 0, 0, Outcome::Ok)];
    let explained = cell_text(&fixture::skipped_and_refused(), &rows, &cell_id("/0a0a0a02"), WIDE).unwrap();
    assert!(explained.contains("Every ok row gave the same 16 tokens."), "{explained}");
    assert!(explained.contains("python-reference did not meet this cell: no python3"), "{explained}");
}

#[test]
fn an_unknown_cell_is_answered_with_the_known_ones() {
    let error = cell_text(&fixture::good(), &[], &cell_id("/ffffffff"), WIDE).unwrap_err();
    assert!(matches!(&error, Error::UnknownCell { known, .. } if known.len() == 3));
    assert!(error.to_string().contains("/0a0a0a02 (kv_decode short p32 n16)"), "{error}");
}
