//! The verdict as JUnit XML, which CI systems show beside other tests.
//!
//! One suite holds the hypotheses, and one suite per lane its cells. A result that is not as expected, a refused lane and
//! a repetition without an `ok` row are failures. What was not measured or could not be decided is skipped, with its
//! reason. A repetition that failed first and was `ok` at a later attempt is a success that carries its failures as flaky.
//! A last suite holds the conclusion, so that a run that measured nothing is never all green.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::sections::{Standing, conclusion_words, describe, outcomes, standing, words};
use super::{Error, plain, sections};
use crate::terms::Outcome;
use crate::verdict::{CellVerdict, Conclusion, HypothesisVerdict, LaneCell, LaneState, LaneVerdict, Verdict};

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

fn failed(kind: &str, message: &str, detail: &str) -> TestCaseStatus {
    told(TestCaseStatus::non_success(NonSuccessKind::Failure), kind, message, detail)
}

fn skipped(kind: &str, message: &str) -> TestCaseStatus {
    told(TestCaseStatus::skipped(), kind, message, "")
}

fn hypothesis_case(verdict: &Verdict, hypothesis: &HypothesisVerdict) -> TestCase {
    let finding = hypothesis.finding.name();
    let expected: Vec<_> = hypothesis.expected.iter().map(|finding| words(finding.name())).collect();
    let expected = if expected.is_empty() { "anything".to_owned() } else { expected.join(" or ") };
    let reason = hypothesis.reasons.first().map_or_else(String::new, |reason| format!(": {reason}"));
    let message = format!("{}, expected {expected}{reason}", words(finding));
    let status = match standing(hypothesis) {
        Standing::AsExpected => TestCaseStatus::success(),
        Standing::Unexpected => failed(finding, &message, &hypothesis.reasons.join("\n")),
        Standing::Doubtful | Standing::NotMeasured => skipped(finding, &message),
    };
    case(verdict, "hypotheses", &hypothesis.name, status)
}

fn cell_case(verdict: &Verdict, lane: &LaneVerdict, cell: &CellVerdict) -> TestCase {
    let met = cell.lanes.iter().find(|it| it.lane == lane.lane);
    let status = match (lane.state, met) {
        (LaneState::Ready, Some(met)) => measured(met),
        (LaneState::Ready, None) => skipped("not_measured", "the run has not come to this cell"),
        (LaneState::Skipped, _) => skipped("skipped", &why_absent(lane)),
        (LaneState::Refused, _) => failed("refused", &why_absent(lane), &stderr_tail(lane)),
    };
    let mut case = case(verdict, &lane.lane, &format!("{} {}", cell.cell, describe(cell)), status);
    if let Some(time) = met.and_then(|met| met.time.as_ref()) {
        if let Ok(mean) = Duration::try_from_secs_f64(time.mean_ms / 1e3) {
            case.set_time(mean);
        }
    }
    case
}

fn why_absent(lane: &LaneVerdict) -> String {
    lane.failure.as_ref().map_or_else(|| "no reason is recorded".to_owned(), sections::failure)
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
        Conclusion::AsExpected => TestCaseStatus::success(),
        Conclusion::Inconclusive => skipped(kind, &message),
        Conclusion::Refused | Conclusion::NothingMeasured | Conclusion::NotAsExpected => {
            failed(kind, &message, &reasons)
        }
    };
    let mut suite = suite(verdict, "conclusion");
    suite.add_test_case(case(verdict, "conclusion", "conclusion", status));
    for (name, value) in [
        ("run", plain::line(&verdict.journal.run)),
        ("model", plain::line(&verdict.model)),
        ("plan_sha256", verdict.plan_sha256.to_string()),
        ("journal_head", verdict.journal.head.to_string()),
        ("sealed", verdict.journal.sealed.to_string()),
    ] {
        suite.add_property((name.to_owned(), value));
    }
    suite
}
