//! Failures that a plan expects: excused, passed, expired, or other than expected.

use super::*;
use crate::terms::CellId;

/// The fixture's plan with expected failures; runs of the fixture start on 2026-01-01.
fn plan(tables: &str) -> Plan {
    Plan::parse("expecting.toml", &format!("{PLAN}{tables}")).unwrap()
}

fn table(keys: &str, expires: &str) -> String {
    format!("\n[[expected_failure]]\nreason = \"bug 12\"\nexpires = \"{expires}\"\n{keys}\n")
}

/// `other` crashes in decoding (cell 1).
const CRASH: &str = "lane = \"other\"\nphases = [\"kv_decode\"]\noutcome = \"crashed\"";

/// The fixture's journal under `plan`, after `edit` of each row, given its cell's index.
fn journal(plan: &Plan, fixture: &Fixture, edit: impl Fn(&mut Row, usize)) -> Journal {
    let cells: Vec<CellId> = plan.cells().unwrap().iter().map(Cell::id).collect();
    let mut records = fixture.journal().records;
    for record in &mut records {
        match record {
            Record::Header(header) => header.plan_sha256 = plan.digest(),
            Record::Row(row) => {
                row.plan = plan.digest();
                let index = cells.iter().position(|id| *id == row.cell).unwrap();
                edit(row, index);
            }
            _ => {}
        }
    }
    processes::journal_of(records)
}

fn fails(row: &mut Row, outcome: Outcome, class: FailureClass) {
    row.outcome = outcome;
    row.failure = Some(Failure::new(class, "it failed"));
    (row.wall_ns, row.output_sha256) = (None, None);
    row.tokens.clear();
}

fn crashed(row: &mut Row, index: usize) {
    if row.lane == "other" && index == 1 {
        fails(row, Outcome::Crashed, FailureClass::Died);
    }
}

fn verdict(tables: &str, edit: impl Fn(&mut Row, usize)) -> Verdict {
    let plan = plan(tables);
    judge(&plan, &journal(&plan, &Fixture::default(), edit)).unwrap()
}

fn only(verdict: &Verdict) -> &ExpectedFailureVerdict {
    let [only] = &verdict.expected_failures[..] else { panic!("{:?}", verdict.expected_failures) };
    only
}

#[test]
fn what_fails_as_expected_does_not_count_against_coverage_and_is_told_with_its_reason() {
    let unexpected = verdict("", crashed);
    assert_eq!(unexpected.conclusion, Conclusion::Inconclusive);
    assert!(!unexpected.coverage_gaps.is_empty());
    let verdict = verdict(&table(CRASH, "2026-12-31"), crashed);
    assert_eq!(verdict.conclusion, Conclusion::AsExpected, "{:#?}", verdict.reasons);
    assert_eq!((only(&verdict).standing, only(&verdict).excused), (ExpectationStanding::FailedAsExpected, 6));
    assert!(verdict.coverage_gaps.is_empty(), "{:?}", verdict.coverage_gaps);
    let told = verdict.reasons.last().unwrap();
    assert!(told.contains("lane other") && told.contains("crashed as expected until 2026-12-31: bug 12"), "{told}");
    assert_eq!(verdict.lanes[2].outcomes, BTreeMap::from([(Outcome::Ok, 6), (Outcome::Crashed, 6)]), "rows stay");
}

#[test]
fn a_cell_that_fails_as_expected_enters_no_contrast_and_no_comparison_of_tokens() {
    let verdict = verdict(&table(CRASH, "2026-12-31"), crashed);
    assert_eq!(finding(&verdict, "tokens"), Finding::Identical);
    assert!(verdict.hypotheses[0].reasons[0].contains("in 2 of 2 cells"), "{:?}", verdict.hypotheses[0].reasons);
    assert_eq!(finding(&verdict, "effect"), Finding::NotMeasured, "decode was its only phase");
    assert_eq!(finding(&verdict, "apart"), Finding::NotMeasured, "one phase is left of two");
    assert_eq!(finding(&verdict, "a-a"), Finding::Equivalent, "it is about other lanes");
    let everywhere = "lane = \"*\"\nphases = [\"kv_decode\"]\noutcome = \"crashed\"";
    let all = |row: &mut Row, index: usize| {
        if index == 1 {
            fails(row, Outcome::Crashed, FailureClass::Died);
        }
    };
    let verdict = self::verdict(&table(everywhere, "2026-12-31"), all);
    assert_eq!(verdict.expected_failures.len(), 3, "one for each lane");
    assert_eq!(finding(&verdict, "a-a"), Finding::Equivalent, "prefill is left");
    assert_eq!(verdict.hypotheses[1].cells.len(), 1);
    assert!(verdict.hypotheses[0].reasons[0].contains("in 1 of 2 cells"), "{:?}", verdict.hypotheses[0].reasons);
}

#[test]
fn an_expected_failure_that_passes_fails_the_run() {
    let verdict = verdict(&table(CRASH, "2026-12-31"), |_, _| {});
    assert_eq!(verdict.conclusion, Conclusion::NotAsExpected);
    assert_eq!(only(&verdict).standing, ExpectationStanding::Passed);
    assert!(verdict.reasons[0].contains("an expected failure passed"), "{:?}", verdict.reasons);
    assert!(verdict.reasons[0].contains("bug 12"), "{:?}", verdict.reasons);
    assert_eq!(finding(&verdict, "effect"), Finding::Faster, "its rows are compared");
}

#[test]
fn an_expectation_holds_on_its_last_day_and_not_on_the_next() {
    let on_the_day = verdict(&table(CRASH, "2026-01-01"), crashed);
    assert_eq!(on_the_day.conclusion, Conclusion::AsExpected);
    let expired = verdict(&table(CRASH, "2025-12-31"), crashed);
    assert_eq!((only(&expired).standing, only(&expired).excused), (ExpectationStanding::Expired, 0));
    assert_eq!(expired.conclusion, Conclusion::Inconclusive, "its rows count as any others");
    assert!(expired.reasons.iter().any(|reason| reason.contains("expired after 2025-12-31")), "{:?}", expired.reasons);
    let expired_and_ok = verdict(&table(CRASH, "2025-12-31"), |_, _| {});
    assert_eq!(expired_and_ok.conclusion, Conclusion::AsExpected, "nothing was expected any more");
}

#[test]
fn a_resumed_run_is_excused_by_the_start_of_its_first_segment() {
    let plan = plan(&table(CRASH, "2026-01-01"));
    let mut records = Fixture::default().journal_in_segments(&[0..3, 3..6]).records;
    let cells: Vec<CellId> = plan.cells().unwrap().iter().map(Cell::id).collect();
    for record in &mut records {
        match record {
            Record::Header(header) => {
                header.plan_sha256 = plan.digest();
                let day = if header.segment == 0 { "2026-01-01T23:59:59Z" } else { "2026-01-02T00:00:01Z" };
                header.started_at = Some(day.into());
            }
            Record::Row(row) => {
                row.plan = plan.digest();
                crashed(row, cells.iter().position(|id| *id == row.cell).unwrap());
            }
            _ => {}
        }
    }
    let verdict = judge(&plan, &processes::journal_of(records)).unwrap();
    assert_eq!(only(&verdict).standing, ExpectationStanding::FailedAsExpected);
}

#[test]
fn a_failure_of_another_kind_is_not_excused() {
    let memory = format!("{CRASH}\nclass = \"out_of_memory\"");
    for (tables, outcome) in [
        (table(&memory, "2026-12-31"), Outcome::Crashed),
        (table(CRASH, "2026-12-31"), Outcome::Hung),
        (table(CRASH, "2026-12-31"), Outcome::FellBack),
    ] {
        let verdict = verdict(&tables, |row, index| {
            if row.lane == "other" && index == 1 {
                fails(row, outcome, FailureClass::Died);
            }
        });
        assert_eq!((only(&verdict).standing, only(&verdict).excused), (ExpectationStanding::FailedOtherwise, 0));
        assert_eq!(verdict.conclusion, Conclusion::Inconclusive, "{outcome}");
    }
}

#[test]
fn what_was_given_up_after_expected_failures_is_excused_and_what_was_given_up_alone_is_not() {
    let after = |first: Outcome| {
        verdict(&table(CRASH, "2026-12-31"), move |row, index| {
            if row.lane == "other" && index == 1 {
                let given_up = row.block > 0;
                let (outcome, class) =
                    if given_up { (Outcome::Skipped, FailureClass::Launch) } else { (first, FailureClass::Died) };
                fails(row, outcome, class);
                row.launch = row.launch.filter(|_| !given_up);
            }
        })
    };
    assert_eq!(only(&after(Outcome::Crashed)).excused, 6);
    assert_eq!(after(Outcome::Crashed).conclusion, Conclusion::AsExpected);
    assert_eq!(only(&after(Outcome::Hung)).excused, 0);
}

#[test]
fn a_cell_that_fails_in_part_is_excused_in_part_and_compared_nowhere() {
    let verdict = verdict(&table(CRASH, "2026-12-31"), |row, index| {
        if row.block % 2 == 0 {
            crashed(row, index);
        }
    });
    let found = only(&verdict);
    assert_eq!((found.standing, found.ok, found.excused), (ExpectationStanding::FailedAsExpected, 3, 3));
    assert_eq!(finding(&verdict, "effect"), Finding::NotMeasured, "survivors are no sample");
    assert!(verdict.reasons.last().unwrap().contains("3 of 6 repetitions ok"), "{:?}", verdict.reasons);
}

#[test]
fn what_is_left_of_a_cell_that_fails_as_expected_enters_no_rule_over_times() {
    let rule = "
[[hypothesis]]
name = \"by-rule\"
[hypothesis.rule]
kind = \"matched_contrasts\"
key = [\"phase\"]
baseline = { rows = { table = \"launches\", where = { lane = [\"base\"] } }, mean = \"ms\" }
candidate = { rows = { table = \"launches\", where = { lane = [\"other\"] } }, mean = \"ms\" }
margin_pct = 3.0
power = 0.8
";
    // Of six launches one crashes while decoding: enough would be left to compare.
    let once = |row: &mut Row, index: usize| {
        if row.block == 0 {
            crashed(row, index);
        }
    };
    let phases = |verdict: &Verdict| -> Vec<String> {
        let ruling = verdict.hypotheses.last().and_then(|hypothesis| hypothesis.ruling.clone()).unwrap();
        ruling.parts.iter().map(|part| part.key["phase"].clone()).collect()
    };
    let lenient = |tables: &str| {
        let plan = Plan::parse("expecting.toml", &format!("{PLAN}{tables}{rule}")).unwrap();
        let plan = Plan { coverage: crate::plan::Coverage { min_ok_share: 0.5, ..plan.coverage.clone() }, ..plan };
        judge(&plan, &journal(&plan, &Fixture::default(), once)).unwrap()
    };
    assert_eq!(phases(&lenient("")), ["kv_decode", "prefill"]);
    let expecting = lenient(&table(CRASH, "2026-12-31"));
    assert_eq!(phases(&expecting), ["prefill"]);
    let told = expecting.hypotheses.last().unwrap().reasons.join("; ");
    assert!(told.contains("the times of lane other are left out, it fails there as expected"), "{told}");
}

#[test]
fn a_lane_that_is_refused_as_expected_does_not_refuse_the_run() {
    let refused = "lane = \"other\"\noutcome = \"refused\"\nclass = \"preflight\"";
    let run = |tables: &str| {
        let plan = plan(tables);
        let mut records = Fixture { other: LaneState::Refused, ..Fixture::default() }.journal().records;
        let cells = plan.cells().unwrap();
        let at = records.iter().position(|record| matches!(record, Record::LaunchStart(_))).unwrap();
        for (index, cell) in cells.iter().enumerate() {
            let mut row = Fixture::default().row(&plan, "other", index, cell, 0, 0);
            row.launch = None;
            fails(&mut row, Outcome::Refused, FailureClass::Preflight);
            records.insert(at, Record::Row(Box::new(row)));
        }
        let mut rows = 0;
        let count = records.len() as u64 - 1;
        for record in &mut records {
            match record {
                Record::Header(header) => header.plan_sha256 = plan.digest(),
                Record::Row(row) => {
                    row.plan = plan.digest();
                    rows += 1;
                }
                Record::Seal(seal) => (seal.rows, seal.records) = (rows, count),
                _ => {}
            }
        }
        judge(&plan, &journal::read(&journal::encode(&records).unwrap()).unwrap()).unwrap()
    };
    assert_eq!(run("").conclusion, Conclusion::Refused);
    let expected = run(&table(refused, "2026-12-31"));
    assert_eq!(expected.conclusion, Conclusion::AsExpected, "{:#?}", expected.reasons);
    assert_eq!(run(&table(refused, "2025-12-31")).conclusion, Conclusion::Refused);
    let one_cell = format!("{refused}\nphases = [\"prefill\"]");
    assert_eq!(run(&table(&one_cell, "2026-12-31")).conclusion, Conclusion::Refused, "the other cell is refused too");
}

#[test]
fn a_run_of_expected_failures_alone_has_measured_nothing() {
    let everything = table("lane = \"*\"\noutcome = \"crashed\"", "2026-12-31");
    let verdict = verdict(&everything, |row, _| fails(row, Outcome::Crashed, FailureClass::Died));
    assert_eq!(verdict.conclusion, Conclusion::NothingMeasured);
}
