//! Failures that a plan expects, of a lane that really fails: excused, expired, passed.

use lockstep::terms::Outcome;
use lockstep::verdict::{Conclusion, ExpectationStanding, Finding};

use crate::project::{Lane, PlanText, Project, Run};
use crate::scene::{Named, run_faults};

pub fn trials() -> Vec<Named> {
    let tests: [(&str, fn()); 5] = [
        ("a_lane_that_crashes_as_expected_leaves_the_run_as_expected", crashes_as_expected),
        ("an_expectation_whose_day_is_past_excuses_nothing", expired),
        ("an_expected_failure_that_passes_fails_run_and_verify_and_is_not_accepted", passed),
        ("an_expectation_goes_along_when_its_lane_runs_alone", alone),
        ("an_expectation_of_nothing_stops_the_run_before_it_begins", of_nothing),
    ];
    tests.map(|(name, test)| (name.to_owned(), Box::new(test) as Box<dyn FnOnce() + Send>)).into()
}

const VALID: &str = "\n[[expected_failure]]\nlane = \"faulty\"\noutcome = \"crashed\"\nclass = \"died\"\n\
                     reason = \"the scripted bug\"\nexpires = \"9999-12-31\"\n";
const PAST: &str = "\n[[expected_failure]]\nlane = \"faulty\"\noutcome = \"crashed\"\nreason = \"the scripted bug\"\n\
                    expires = \"2020-01-01\"\n";

/// A healthy lane beside one with `fault`, under a plan with these expectations.
fn project(fault: &str, expectations: &'static str) -> Project {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("healthy", "none"), &Lane::faulty("faulty", fault)]);
    project.plan(&PlanText { rest: expectations, ..PlanText::new("faults", &["healthy", "faulty"]) });
    project
}

fn standings(run: &Run) -> Vec<ExpectationStanding> {
    run.verdict().expected_failures.iter().map(|found| found.standing).collect()
}

fn crashes_as_expected() {
    let project = project("crash", VALID);
    let (run, ledger) = run_faults(&project);
    run.exits(0).ended.prints(&["Expected failures", "the scripted bug", "9999-12-31"]);
    assert_eq!(standings(&run), [ExpectationStanding::FailedAsExpected; 2]);
    let outcomes = ledger.outcomes("faulty");
    assert!(outcomes[&Outcome::Crashed] > 0 && !outcomes.contains_key(&Outcome::Ok), "{outcomes:?}");
    let verdict = run.verdict();
    assert_eq!(verdict.hypotheses[0].finding, Finding::NotMeasured, "one lane alone cannot agree with itself");
    let excused: u64 = verdict.expected_failures.iter().map(|found| found.excused).sum();
    assert_eq!(excused, 12, "what was given up after the crashes is excused with them: {outcomes:?}");
    let junit = project.lockstep(&["report", "latest", "--format", "junit"]);
    junit.exits(0).prints(&["type=\"expected_failure\"", "failures=\"0\""]);
}

fn expired() {
    let project = project("crash", PAST);
    let (run, _) = run_faults(&project);
    run.exits(5).ended.prints(&["INCONCLUSIVE", "the scripted bug"]);
    let reasons = run.verdict().reasons;
    assert!(reasons.iter().any(|reason| reason.contains("expired after 2020-01-01")), "{reasons:?}");
    assert_eq!(standings(&run), [ExpectationStanding::Expired; 2]);
    // By the header's day and no other: judging the same bytes at another time changes nothing.
    assert!(run.verdict().journal.segments[0].started_at.as_str() > "2020-01-01T23:59:59Z");
}

fn passed() {
    let project = project("none", VALID);
    let (run, _) = run_faults(&project);
    run.exits(1).ended.prints(&["NOT AS EXPECTED", "an expected failure passed", "the scripted bug"]);
    assert_eq!(standings(&run), [ExpectationStanding::Passed; 2]);
    assert_eq!(run.verdict().conclusion, Conclusion::NotAsExpected);
    project.lockstep(&["verify", "latest"]).exits(1);
    project.lockstep(&["accept", "latest"]).exits(2).tells(&["an expected failure passed: lane faulty"]);
}

fn alone() {
    let project = project("none", VALID);
    let run = project.run(&["lane", "faulty", "--plan", "faults"]);
    run.exits(1).ended.prints(&["an expected failure passed"]);
    let healthy = project.run(&["lane", "healthy", "--plan", "faults"]);
    healthy.exits(0);
    assert!(healthy.verdict().expected_failures.is_empty());
}

fn of_nothing() {
    let project = project(
        "none",
        "\n[[expected_failure]]\nlane = \"faulty\"\nphases = [\"kv_decode\"]\noutcome = \"crashed\"\nreason = \"x\"\n\
         expires = \"9999-12-31\"\n",
    );
    let refused = project.lockstep(&["run", "faults"]);
    refused.exits(2).tells(&["faults.toml:", "expected_failure[0].lane", "about no cell of this plan"]);
    assert!(project.runs().is_empty(), "nothing was begun");
}
