//! The verdict as JUnit XML, which CI systems show beside other tests.
//!
//! One suite holds the hypotheses, and one suite per lane its cells. A result that is not as expected, a refused lane and
//! a repetition without an `ok` row are failures. What was not measured or could not be decided is skipped, with its
//! reason. A cell that fails as the plan expects is skipped with that reason, one that passes nevertheless is a failure.
//! A repetition that failed first and was `ok` at a later attempt is a success that carries its failures as flaky.
//! A last suite holds the conclusion, so that no run but one as expected is all green: it is a failure when it is not as
//! expected, and an error when the run gives no conclusion to rely on (inconclusive, refused, nothing measured, or not
//! come to its end).

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::expected_section::deciding;
use super::sections::{Standing, conclusion_words, describe, outcomes, standing, why};
use super::{Error, plain};
use crate::terms::{Failure, Outcome, words};
use crate::verdict::{
    CellVerdict, Conclusion, ExpectationStanding, ExpectedFailureVerdict, HypothesisVerdict, LaneCell, LaneState,
    LaneVerdict, Verdict,
};

/// The verdict as JUnit XML. Nothing in it comes from the clock or from chance.
///
/// # Errors
/// [`Error::Junit`] when the XML cannot be written.
pub fn junit(verdict: &Verdict) -> Result<String, Error> {
    let mut report = Report::new(plain::line(&format!("lockstep {}", verdict.plan)));
    let mut suite = suite(verdict, "hypotheses");
    suite.add_test_cases(verdict.hypotheses.iter().map(|hypothesis| hypothesis_case(verdict, hypothesis)));
    report.add_test_suite(suite);
    for lane in &verdict.lanes {
        let mut suite = self::suite(verdict, &lane.lane);
        suite.add_test_cases(verdict.cells.iter().map(|cell| cell_case(verdict, lane, cell)));
        report.add_test_suite(suite);
    }
    report.add_test_suite(conclusion_suite(verdict));
    report.to_string().map_err(|source| Error::Junit { source })
}

fn suite(verdict: &Verdict, part: &str) -> TestSuite {
    let mut suite = TestSuite::new(class_name(verdict, part));
    // As an attribute of our own writing: the time is the header's, and this room has no calendar.
    let started = verdict.journal.segments.first().and_then(|it| it.started_at.parse::<jiff::Timestamp>().ok());
    if let Some(started) = started.filter(|time| time.as_second() >= 0) {
        suite.extra.insert("timestamp".into(), started.to_string().into());
    }
    suite
}

fn class_name(verdict: &Verdict, part: &str) -> String {
    plain::line(&format!("{}.{part}", verdict.plan))
}

fn case(verdict: &Verdict, part: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(plain::line(name), status);
    case.set_classname(class_name(verdict, part));
    case
}

/// A failure or a skip: `kind` and `message` stand in the list, `detail` below them.
fn told(mut status: TestCaseStatus, kind: &str, message: &str, detail: &str) -> TestCaseStatus {
    status.set_type(plain::line(kind)).set_message(plain::line(message));
    let detail = plain::block(detail);
    if !detail.is_empty() {
        status.set_description(detail);
    }
    status
}

pub(super) fn failed(kind: &str, message: &str, detail: &str) -> TestCaseStatus {
    told(TestCaseStatus::non_success(NonSuccessKind::Failure), kind, message, detail)
}

pub(super) fn error(kind: &str, message: &str, detail: &str) -> TestCaseStatus {
    told(TestCaseStatus::non_success(NonSuccessKind::Error), kind, message, detail)
}

pub(super) fn skipped(kind: &str, message: &str) -> TestCaseStatus {
    told(TestCaseStatus::skipped(), kind, message, "")
}

fn hypothesis_case(verdict: &Verdict, hypothesis: &HypothesisVerdict) -> TestCase {
    let finding = hypothesis.result();
    let expected: Vec<_> = hypothesis.expected.iter().map(|result| words(result)).collect();
    let expected = if expected.is_empty() { "anything".to_owned() } else { expected.join(" or ") };
    let message = format!("{}, expected {expected}: {}", words(finding), why(hypothesis));
    let status = match standing(hypothesis) {
        Standing::AsExpected => TestCaseStatus::success(),
        Standing::Unexpected => failed(finding, &message, &hypothesis.reasons.join("\n")),
        Standing::Doubtful | Standing::NotMeasured => skipped(finding, &message),
    };
    case(verdict, "hypotheses", &hypothesis.name, status)
}

fn cell_case(verdict: &Verdict, lane: &LaneVerdict, cell: &CellVerdict) -> TestCase {
    let met = cell.lanes.iter().find(|it| it.lane == lane.lane);
    let expected = deciding(verdict, lane, &cell.cell);
    let status = match (lane.state, met) {
        _ if expected.is_some() => expected.map_or_else(TestCaseStatus::success, as_expected),
        (LaneState::Ready, Some(met)) => measured(met),
        (LaneState::Ready, None) => skipped("not_measured", "the run has not come to this cell"),
        (LaneState::Skipped, _) => skipped("skipped", &why_absent(lane)),
        (LaneState::Refused, _) => failed("refused", &why_absent(lane), &stderr_tail(lane)),
    };
    let mut case = case(verdict, &lane.lane, &format!("{} {}", cell.cell, describe(cell)), status);
    if let Some(time) = met.and_then(|met| met.time.as_ref())
        && let Ok(mean) = Duration::try_from_secs_f64(time.mean_ms / 1e3)
    {
        case.set_time(mean);
    }
    case
}

/// A failure as expected is no failure, and no success either; one that did not come is a failure.
fn as_expected(found: &ExpectedFailureVerdict) -> TestCaseStatus {
    match found.standing {
        ExpectationStanding::Passed => failed("expected_failure_passed", &found.sentence(), ""),
        _ => skipped("expected_failure", &found.sentence()),
    }
}

fn why_absent(lane: &LaneVerdict) -> String {
    lane.failure.as_ref().map_or_else(|| "no reason is recorded".to_owned(), Failure::sentence)
}

fn stderr_tail(lane: &LaneVerdict) -> String {
    lane.failure.as_ref().map(|failure| failure.stderr_tail.clone()).unwrap_or_default()
}

fn measured(met: &LaneCell) -> TestCaseStatus {
    let failures: Vec<(Outcome, u64)> =
        met.outcomes.iter().filter(|(outcome, n)| outcome.is_failure() && **n > 0).map(|(o, n)| (*o, *n)).collect();
    if met.ok >= met.planned {
        let mut status = TestCaseStatus::success();
        for (outcome, count) in failures {
            let mut rerun = TestRerun::new(NonSuccessKind::Failure);
            rerun.set_type(outcome.name());
            rerun.set_message(format!("{count} attempts {outcome}, ok at a later one"));
            status.add_rerun(rerun);
        }
        return status;
    }
    let message = format!("{} of {} repetitions ok; rows: {}", met.ok, met.planned, outcomes(&met.outcomes));
    match failures.first() {
        Some((outcome, _)) => failed(outcome.name(), &message, ""),
        None => skipped("not_measured", &message),
    }
}

fn conclusion_suite(verdict: &Verdict) -> TestSuite {
    let (kind, reasons) = (verdict.conclusion.name(), verdict.reasons.join("\n"));
    let first = verdict.reasons.first().map_or_else(String::new, |reason| format!(": {reason}"));
    let message = format!("{}{first}", conclusion_words(verdict.conclusion));
    let status = match verdict.conclusion {
        _ if !verdict.journal.sealed => error(kind, &message, &reasons),
        Conclusion::AsExpected => TestCaseStatus::success(),
        Conclusion::NotAsExpected => failed(kind, &message, &reasons),
        Conclusion::Refused | Conclusion::NothingMeasured | Conclusion::Inconclusive => error(kind, &message, &reasons),
    };
    let mut suite = suite(verdict, "conclusion");
    suite.add_test_case(case(verdict, "conclusion", "conclusion", status));
    for (name, value) in [
        ("run", plain::line(&verdict.journal.run)),
        ("model", plain::line(&verdict.model)),
        ("weights", plain::line(&verdict.weights)),
        ("plan_sha256", verdict.plan_sha256.to_string()),
        ("journal_head", verdict.journal.head.to_string()),
        ("sealed", verdict.journal.sealed.to_string()),
    ] {
        suite.add_property((name.to_owned(), value));
    }
    suite
}
