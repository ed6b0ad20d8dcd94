//! A comparison with a snapshot as JUnit XML: one test case for each kind of change, so that a CI system shows which gate
//! failed. A gate that the run does not show either way is an error, because such a run is no pass.

use quick_junit::{Report, TestCase, TestCaseStatus, TestSuite};

use super::junit::{error, failed, skipped};
use super::{Error, plain};
use crate::snapshot::{Change, Comparison, Gate, GateStanding, Magnitudes};

/// The comparison as JUnit XML. Nothing in it comes from the clock or from chance.
///
/// # Errors
/// [`Error::Junit`] when the XML cannot be written.
pub fn comparison_junit(comparison: &Comparison) -> Result<String, Error> {
    let class = plain::line(&format!("{}.verify", comparison.plan));
    let mut suite = TestSuite::new(class.clone());
    for gate in &comparison.gates {
        let mut case = TestCase::new(gate.kind.name(), status(comparison, gate));
        case.set_classname(class.clone());
        suite.add_test_case(case);
    }
    for (name, value) in [("run", &comparison.now.run), ("snapshot", &comparison.then.run)] {
        suite.add_property((name.to_owned(), plain::line(value)));
    }
    written(&comparison.plan, suite)
}

/// Nothing to compare with, as JUnit XML: one case, which is an error.
///
/// # Errors
/// [`Error::Junit`] when the XML cannot be written.
pub fn missing_snapshot_junit(plan: &str, message: &str) -> Result<String, Error> {
    let class = plain::line(&format!("{plan}.verify"));
    let mut suite = TestSuite::new(class.clone());
    let mut case = TestCase::new("snapshot", error("snapshot_missing", message, ""));
    case.set_classname(class);
    suite.add_test_case(case);
    written(plan, suite)
}

fn written(plan: &str, suite: TestSuite) -> Result<String, Error> {
    let mut report = Report::new(plain::line(&format!("lockstep verify {plan}")));
    report.add_test_suite(suite);
    report.to_string().map_err(|source| Error::Junit { source })
}

fn status(comparison: &Comparison, gate: &Gate) -> TestCaseStatus {
    let told: Vec<String> = comparison.changes.iter().filter(|change| change.kind == gate.kind).map(sentence).collect();
    let count = if gate.changes == 1 { "1 change".to_owned() } else { format!("{} changes", gate.changes) };
    // The gates that a confirmation is about are those that it leaves undecided or failed.
    let confirmation = comparison.confirmation.as_ref().map(|it| format!("; {}", it.sentence())).unwrap_or_default();
    let message = format!("{}: {count}{confirmation}", gate.kind.meaning());
    match gate.standing {
        GateStanding::Passed => TestCaseStatus::success(),
        GateStanding::Failed => failed(gate.kind.name(), &message, &told.join("\n")),
        GateStanding::Undecided => error("undecided", &message, &told.join("\n")),
        GateStanding::Told => skipped("not_on_this_host", &told.join("; ")),
        GateStanding::NotCompared => skipped("not_compared", &why_not_compared(comparison)),
    }
}

fn why_not_compared(comparison: &Comparison) -> String {
    match &comparison.magnitudes {
        Magnitudes::NotCompared { reason } => reason.clone(),
        Magnitudes::Compared { .. } => "nothing was measured".to_owned(),
    }
}

/// A change in one line, for example `regression: lane native, /0a0a0a02 kv_decode: from 20 ms to 26 ms (+30 %)`.
fn sentence(change: &Change) -> String {
    let lane = change.lane.as_ref().map(|lane| format!(" lane {lane}")).unwrap_or_default();
    let cell = change.cell.as_ref().map(|cell| format!(" {cell}")).unwrap_or_default();
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let note = change.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    let (severity, what) = (change.severity.name(), &change.what);
    format!("{severity}:{lane}{cell} {what}: from {} to {}{note}", value(&change.from), value(&change.to))
}
