//! What the falsification ladder abstains without: facts of the runtime, and combinations and hang shapes enough.

use std::collections::BTreeMap;

use super::Cells;
use super::hangs::Shape;
use super::ladder::{Combination, LadderRules};
use super::ruling::Part;

/// A combination that is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What tells it from others.
    pub key: BTreeMap<String, String>,
    /// The row it stands in.
    pub source: String,
    /// Why.
    pub reason: String,
    /// Launches a side with which it would be, where that is known.
    pub settled_by: Option<u64>,
}

/// The combinations of both sides.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Combinations {
    /// Those that are compared.
    pub compared: Vec<Combination>,
    /// Those that are not: they do not count for the floor, and H1, which is of every combination, does not hold without them.
    pub left_out: Vec<LeftOut>,
}

/// Something that must hold before anything is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeFact {
    /// What it is.
    pub name: String,
    /// The row it stands in.
    pub source: String,
    /// What it must be.
    pub expected: String,
    /// What it was.
    pub observed: String,
}

/// Everything that must hold before anything is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeFacts {
    /// What the rows tell.
    pub told: Vec<RuntimeFact>,
    /// What they would have to tell and do not, in words.
    pub absent: Vec<String>,
}

pub(super) fn missing(LeftOut { key, reason, .. }: &LeftOut) -> Part {
    Part::new(key.clone(), "not_compared").because(reason)
}

pub(super) fn shortfalls(
    Combinations { compared, left_out }: &Combinations,
    shapes: &[Shape],
    facts: &RuntimeFacts,
    rules: &LadderRules,
) -> Vec<String> {
    let mut found: Vec<String> =
        facts.absent.iter().map(|absent| format!("nothing tells of {absent}, which must hold")).collect();
    let unmet = facts
        .told
        .iter()
        .filter(|fact| fact.expected != fact.observed)
        .map(|fact| format!("{} is {}, and must be {}", fact.name, fact.observed, fact.expected));
    found.extend(unmet);
    let combinations = compared.len() as u64;
    if combinations < rules.min_combinations {
        found.push(format!("{combinations} combinations were compared, floor {}", rules.min_combinations));
    }
    let attempted = shapes.len() as u64;
    if attempted < rules.min_hang_shapes {
        found.push(format!("{attempted} hang shapes were attempted, floor {}", rules.min_hang_shapes));
    }
    if combinations < 2 {
        found.push(format!("{combinations} combinations have no spread"));
    }
    if !found.is_empty() {
        found.extend(not_compared(left_out));
    }
    found
}

/// That combinations are left out, and why the first is.
pub(super) fn not_compared(left_out: &[LeftOut]) -> Option<String> {
    let first = left_out.first()?;
    Some(format!("{} combinations are not compared, the first because {}", left_out.len(), first.reason))
}

/// With how many combinations, or hang shapes, the ladder would no longer abstain: the floor, where only numbers are short of
/// one. Of a run, whose plan fixes both, launches are counted: those with which what is left out would be compared.
pub(super) fn coverage_to_settle(
    Combinations { compared, left_out }: &Combinations,
    shapes: &[Shape],
    facts: &RuntimeFacts,
    rules: &LadderRules,
) -> Option<u64> {
    if !facts.absent.is_empty() || facts.told.iter().any(|fact| fact.expected != fact.observed) {
        return None;
    }
    let combinations = compared.len() as u64;
    let floors = [(combinations, rules.min_combinations.max(2)), (shapes.len() as u64, rules.min_hang_shapes)];
    if rules.combinations_are == Cells::Different {
        let whole = combinations + left_out.iter().filter(|it| it.settled_by.is_some()).count() as u64;
        let is_enough = whole >= rules.min_combinations.max(2) && shapes.len() as u64 >= rules.min_hang_shapes;
        return left_out.iter().filter_map(|it| it.settled_by).max().filter(|_| is_enough);
    }
    floors.into_iter().filter(|(found, floor)| found < floor).map(|(_, floor)| floor).max()
}
