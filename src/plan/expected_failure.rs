//! Failures that a plan expects: where, of which kind, why, and until when.
//!
//! An expectation excuses, and an excuse must not outlive its reason: it needs a reason and a last day, it may concern
//! nothing that the plan does not have, and no two may excuse the same thing.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};

use super::document::Document;
use super::{Error, Plan};
use crate::terms::{CellId, FailureClass, Outcome, Phase, nearest};

/// The lane of an expectation that holds for every lane of the plan.
const EVERY_LANE: &str = "*";

/// A failure that the plan expects.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedFailure {
    /// A lane of the plan, or `*` for all of them.
    pub lane: String,
    /// Workloads; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    /// Phases; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// Cells; empty: all that workloads and phases leave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<CellId>,
    /// What comes of the rows; never `ok` or `skipped`.
    pub outcome: Outcome,
    /// The kind of failure; absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// Why; never empty.
    pub reason: String,
    /// The last day on which a run may start that it excuses, in UTC.
    #[serde(serialize_with = "as_text")]
    pub expires: Date,
}

fn as_text<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

/// `[[expected_failure]]` as it stands in the file.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpectedFailure {
    pub lane: String,
    #[serde(default)]
    pub workloads: Vec<String>,
    #[serde(default)]
    pub phases: Vec<Phase>,
    #[serde(default)]
    pub cells: Vec<CellId>,
    pub outcome: Outcome,
    #[serde(default)]
    pub class: Option<FailureClass>,
    pub reason: String,
    /// YYYY-MM-DD.
    pub expires: String,
}

impl ExpectedFailure {
    /// Whether it is about this cell in this lane. A cell whose id is not known yet is none that is named by id.
    #[must_use]
    pub fn concerns(&self, lane: &str, workload: &str, phase: Phase, cell: Option<&CellId>) -> bool {
        (self.lane == EVERY_LANE || self.lane == lane)
            && (self.workloads.is_empty() || self.workloads.iter().any(|name| name == workload))
            && (self.phases.is_empty() || self.phases.contains(&phase))
            && (self.cells.is_empty() || cell.is_some_and(|cell| self.cells.contains(cell)))
    }

    /// Whether a failure of this kind is the one expected.
    #[must_use]
    pub fn expects(&self, outcome: Outcome, class: Option<FailureClass>) -> bool {
        self.outcome == outcome && (self.class.is_none() || self.class == class)
    }
}

/// A place that an expectation can be about. The id is absent while a prompt is still a text.
struct Place {
    workload: String,
    phase: Phase,
    cell: Option<CellId>,
}

/// Checks the expectations of `plan`, whose other parts are checked.
pub(super) fn check(
    document: &Document<'_>,
    raw: Vec<RawExpectedFailure>,
    plan: &Plan,
) -> Result<Vec<ExpectedFailure>, Error> {
    let named_by_id = raw.iter().any(|expected| !expected.cells.is_empty());
    let places = places(plan, named_by_id);
    let mut checked: Vec<ExpectedFailure> = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let at = |key: &str| format!("expected_failure[{index}].{key}");
        let expected = one(document, &at, raw, plan)?;
        reach(document, &at, &expected, plan, &places)?;
        checked.push(expected);
    }
    no_overlap(document, &checked, plan, &places)?;
    Ok(checked)
}

fn places(plan: &Plan, with_ids: bool) -> Vec<Place> {
    // Prompts that are texts get their ids later, and the plan is checked again then.
    let cells = if with_ids { plan.cells().unwrap_or_default() } else { Vec::new() };
    let mut ids: BTreeMap<(String, Phase), CellId> = BTreeMap::new();
    for cell in cells {
        ids.insert((cell.workload.clone(), cell.phase), cell.id());
    }
    let pairs = plan.workloads.iter().flat_map(|it| it.phases.iter().map(|phase| (it.name.clone(), *phase)));
    pairs.map(|(workload, phase)| Place { cell: ids.remove(&(workload.clone(), phase)), workload, phase }).collect()
}

fn one(
    document: &Document<'_>,
    at: &dyn Fn(&str) -> String,
    raw: RawExpectedFailure,
    plan: &Plan,
) -> Result<ExpectedFailure, Error> {
    let RawExpectedFailure { lane, workloads, phases, cells, outcome, class, reason, expires } = raw;
    let known = || plan.lanes.iter().map(|lane| lane.name.as_str());
    if lane != EVERY_LANE && plan.lane(&lane).is_none() {
        let message = format!("{lane:?} is no lane of this plan");
        return Err(document.fault(&at("lane"), message, Some(near(&lane, known(), "lanes of this plan, or `*`"))));
    }
    let names = || plan.workloads.iter().map(|workload| workload.name.as_str());
    if let Some(name) = workloads.iter().find(|name| !names().any(|known| known == name.as_str())) {
        let message = format!("{name:?} is no workload of this plan");
        return Err(document.fault(&at("workloads"), message, Some(near(name, names(), "workloads of this plan"))));
    }
    if matches!(outcome, Outcome::Ok | Outcome::Skipped) {
        let failures = Outcome::ALL.into_iter().filter(|outcome| outcome.is_failure()).map(Outcome::name);
        let hint = format!("failures: {}", failures.collect::<Vec<_>>().join(", "));
        return Err(document.fault(&at("outcome"), format!("`{outcome}` is no failure"), Some(hint)));
    }
    if reason.trim().is_empty() {
        let hint = "say why it fails, and where its end is tracked".to_owned();
        return Err(document.fault(&at("reason"), "is empty", Some(hint)));
    }
    let Ok(expires) = expires.parse::<Date>() else {
        let hint = "for example \"2026-12-31\"".to_owned();
        return Err(document.fault(&at("expires"), format!("{expires:?} is no date: expected YYYY-MM-DD"), Some(hint)));
    };
    Ok(ExpectedFailure { lane, workloads, phases, cells, outcome, class, reason, expires })
}

fn near<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone, what: &str) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what}: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// Every cell that it names must be there, and something must be left of what it names together.
fn reach(
    document: &Document<'_>,
    at: &dyn Fn(&str) -> String,
    expected: &ExpectedFailure,
    plan: &Plan,
    places: &[Place],
) -> Result<(), Error> {
    let ids_known = places.iter().all(|place| place.cell.is_some());
    if !expected.cells.is_empty() && !ids_known {
        return Ok(());
    }
    let hint = "`lockstep plan PLAN` lists the cells; an id changes with the model, workloads and phases do not";
    let there = |id: &CellId| places.iter().any(|place| place.cell.as_ref() == Some(id));
    if let Some(id) = expected.cells.iter().find(|id| !there(id)) {
        return Err(document.fault(&at("cells"), format!("{id} is no cell of this plan"), Some(hint.to_owned())));
    }
    let concerns =
        |place: &Place, lane: &str| expected.concerns(lane, &place.workload, place.phase, place.cell.as_ref());
    if plan.lanes.iter().any(|lane| places.iter().any(|place| concerns(place, &lane.name))) {
        return Ok(());
    }
    Err(document.fault(&at("lane"), "the expectation is about no cell of this plan", Some(hint.to_owned())))
}

/// Two expectations of one failure would both be taken out, or none.
fn no_overlap(
    document: &Document<'_>,
    expectations: &[ExpectedFailure],
    plan: &Plan,
    places: &[Place],
) -> Result<(), Error> {
    for (index, later) in expectations.iter().enumerate() {
        for (earlier_index, earlier) in expectations.iter().enumerate().take(index) {
            let one_kind = match (earlier.class, later.class) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            };
            if earlier.outcome != later.outcome || !one_kind {
                continue;
            }
            for lane in &plan.lanes {
                let concerns = |it: &ExpectedFailure, place: &Place| {
                    it.concerns(&lane.name, &place.workload, place.phase, place.cell.as_ref())
                };
                let Some(shared) = places.iter().find(|place| concerns(earlier, place) && concerns(later, place))
                else {
                    continue;
                };
                let message = format!(
                    "expects what expected_failure[{earlier_index}] expects already: `{}` of lane {} in {} of workload {}",
                    later.outcome, lane.name, shared.phase, shared.workload
                );
                let hint = "each failure is expected by one table, with one reason and one last day".to_owned();
                return Err(document.fault(&format!("expected_failure[{index}].lane"), message, Some(hint)));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = include_str!("../../tests/fixtures/plan/plan.toml");

    /// The plan with every key, with these expectations in place of its own.
    fn with(tables: &str) -> Result<Plan, Error> {
        let (before, _) = PLAN.split_once("[[expected_failure]]").unwrap();
        Plan::parse("f", &format!("{before}{tables}"))
    }

    fn table(keys: &str) -> String {
        format!("[[expected_failure]]\nreason = \"upstream bug 12\"\nexpires = \"2026-12-31\"\n{keys}\n")
    }

    fn fault(tables: &str) -> String {
        with(tables).unwrap_err().to_string()
    }

    #[test]
    fn an_expectation_is_about_what_its_selectors_leave() {
        let plan = with(&table("lane = \"native\"\noutcome = \"crashed\"\nphases = [\"kv_decode\"]")).unwrap();
        let [expected] = &plan.expected_failures[..] else { panic!("one expectation") };
        let concerns = |lane, workload, phase| expected.concerns(lane, workload, phase, None);
        assert!(concerns("native", "short", Phase::KvDecode) && concerns("native", "given", Phase::KvDecode));
        assert!(!concerns("native-again", "short", Phase::KvDecode) && !concerns("native", "short", Phase::Prefill));
        assert!(expected.expects(Outcome::Crashed, Some(FailureClass::Died)) && !expected.expects(Outcome::Hung, None));
        let cell = plan.cells().unwrap().pop().unwrap();
        let by_id = format!("lane = \"*\"\noutcome = \"hung\"\nclass = \"inactive\"\ncells = [\"{}\"]", cell.id());
        let plan = with(&table(&by_id)).unwrap();
        let [expected] = &plan.expected_failures[..] else { panic!("one expectation") };
        assert!(expected.concerns("python-reference", "given", Phase::KvDecode, Some(&cell.id())));
        assert!(!expected.concerns("python-reference", "short", Phase::KvDecode, None));
        assert!(!expected.expects(Outcome::Hung, Some(FailureClass::WallCap)));
    }

    #[test]
    fn what_cannot_be_excused_is_refused_with_its_place() {
        let line = PLAN.lines().position(|line| line == "[[expected_failure]]").unwrap() + 1;
        for (keys, at, message) in [
            (
                "lane = \"nativ\"\noutcome = \"hung\"",
                3,
                "lane: \"nativ\" is no lane of this plan; did you mean `native`?",
            ),
            ("lane = \"*\"\noutcome = \"ok\"", 4, "outcome: `ok` is no failure; failures: fell_through, fell_back"),
            ("lane = \"*\"\noutcome = \"hung\"\nworkloads = [\"shor\"]", 5, "workloads: \"shor\" is no workload of"),
            (
                "lane = \"*\"\noutcome = \"hung\"\ncells = [\"/00000000\"]",
                5,
                "cells: /00000000 is no cell of this plan",
            ),
            (
                "lane = \"*\"\noutcome = \"hung\"\nworkloads = [\"given\"]\nphases = [\"prefill\"]",
                3,
                "lane: the expectation is about no cell of this plan",
            ),
        ] {
            let expected = format!("f:{}: expected_failure[0].{message}", line + at);
            let found = fault(&table(keys));
            assert!(found.starts_with(&expected), "{found}\n{expected}");
        }
        let keys = "lane = \"*\"\noutcome = \"hung\"";
        let blank = table(keys).replace("upstream bug 12", "  ");
        assert!(fault(&blank).contains("expected_failure[0].reason: is empty"), "{}", fault(&blank));
        let no_day = table(keys).replace("2026-12-31", "2026-02-30");
        assert!(fault(&no_day).contains("expires: \"2026-02-30\" is no date: expected YYYY-MM-DD"));
        for key in ["reason", "expires"] {
            let without: String = table(keys).lines().filter(|l| !l.starts_with(key)).collect::<Vec<_>>().join("\n");
            assert!(fault(&without).contains(&format!("missing key `{key}`")), "{}", fault(&without));
        }
    }

    #[test]
    fn one_failure_is_expected_once() {
        let all = table("lane = \"*\"\noutcome = \"crashed\"");
        let one = table("lane = \"native\"\noutcome = \"crashed\"\nclass = \"died\"");
        let found = fault(&format!("{all}{one}"));
        assert!(
            found.contains("expected_failure[1].lane: expects what expected_failure[0] expects already"),
            "{found}"
        );
        let hung = table("lane = \"native\"\noutcome = \"hung\"");
        let memory = table("lane = \"native\"\noutcome = \"crashed\"\nclass = \"out_of_memory\"");
        assert!(with(&format!("{all}{hung}")).is_ok(), "another outcome is another failure");
        assert!(with(&format!("{one}{memory}")).is_ok(), "another class is another failure");
    }

    #[test]
    fn a_plan_that_expects_no_failure_has_the_digest_that_it_had_before_it_could() {
        let plan = with("").unwrap();
        let text = crate::terms::canonical_json(&plan).unwrap();
        assert!(!text.contains("expected_failure"), "{text}");
        let expecting = with(&table("lane = \"*\"\noutcome = \"hung\"")).unwrap();
        assert_ne!(expecting.digest(), plan.digest());
        let later = with(&table("lane = \"*\"\noutcome = \"hung\"").replace("2026-12-31", "2027-12-31")).unwrap();
        assert_ne!(expecting.digest(), later.digest(), "a longer excuse is another plan");
    }
}
