//! What became of a planted fault.

use std::collections::{BTreeMap, BTreeSet};

use lockstep::journal::read;
use lockstep::plan::{Design, Plan};
use lockstep::verdict::{PublishedVerdict, Verdict, judge, judge_published};
use serde::Serialize;
use serde_json::Value;

/// What caught a fault, if anything did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caught {
    /// The importer refused the file.
    Importer(String),
    /// The journal's reader refused the journal.
    Reader(String),
    /// The judge refused it.
    Judge(String),
    /// The verdict finds something else: conclusion, findings and labels that are other ones.
    Changed(Vec<String>),
    /// It finds the same, and tells of the fault in these fields.
    Told(Vec<String>),
    /// It says what it said before.
    Nothing,
}

impl Caught {
    /// What catches `journal`, where the good journal has the verdict `good`.
    pub fn by(plan: &Plan, good: &Verdict, journal: &[u8]) -> Self {
        match read(journal) {
            Err(error) => Self::Reader(error.to_string()),
            Ok(journal) => match judge(plan, &journal) {
                Err(error) => Self::Judge(error.to_string()),
                Ok(verdict) => Self::between(good, &verdict),
            },
        }
    }

    /// The same for a journal of what others printed or measured.
    pub fn by_design(design: &Design, good: &PublishedVerdict, journal: &[u8]) -> Self {
        match read(journal) {
            Err(error) => Self::Reader(error.to_string()),
            Ok(journal) => match judge_published(design, &journal) {
                Err(error) => Self::Judge(error.to_string()),
                Ok(verdict) => Self::between(good, &verdict),
            },
        }
    }

    fn between(good: &impl Serialize, other: &impl Serialize) -> Self {
        let good = serde_json::to_value(good).expect("a verdict is JSON");
        let other = serde_json::to_value(other).expect("a verdict is JSON");
        let (was, is) = (findings(&good), findings(&other));
        // That a condition is not among the others any more is told; it makes none of the findings another one.
        let (gone, found): (Vec<_>, Vec<_>) = differing(&was, &is)
            .into_iter()
            .partition(|name| name.0 == CONDITION && (!was.contains_key(*name) || !is.contains_key(*name)));
        let found: Vec<String> = found.into_iter().map(|name| line(name, &was, &is)).collect();
        let (before, after) = (fields(&good), fields(&other));
        let fields = differing(&before, &after).into_iter().map(|name| line(name, &before, &after));
        let told: Vec<String> = gone.into_iter().map(|name| line(name, &was, &is)).chain(fields).collect();
        match (found.is_empty(), told.is_empty()) {
            (false, _) => Self::Changed(found),
            (true, false) => Self::Told(told),
            (true, true) => Self::Nothing,
        }
    }

    /// As the list shows it: who, and by what.
    pub fn told(&self) -> (&'static str, String) {
        // What was found; what to try is the same for all of them.
        let found = |error: &str| error.split("; ").next().unwrap_or_default().to_owned();
        match self {
            Self::Importer(error) => ("importer", found(error)),
            Self::Reader(error) => ("reader", found(error)),
            Self::Judge(error) => ("judge", found(error)),
            Self::Changed(findings) => ("changed", few(findings)),
            Self::Told(fields) => ("told", few(fields)),
            Self::Nothing => ("NOTHING", String::new()),
        }
    }
}

/// The first of them, and how many there are besides.
fn few(all: &[String]) -> String {
    let shown = all.iter().take(2).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > 2 { format!("{shown}; {} more", all.len() - 2) } else { shown }
}

/// Findings or fields by name, the most important first.
type Named = BTreeMap<(u8, String), Value>;

/// What came out for one cell or condition of a hypothesis, behind all others.
const CONDITION: u8 = 3;

/// The names of what the two differ in.
fn differing<'a>(good: &'a Named, other: &'a Named) -> Vec<&'a (u8, String)> {
    let names: BTreeSet<&(u8, String)> = good.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| good.get(*name) != other.get(*name)).collect()
}

/// What it was, and what it is.
fn line(name: &(u8, String), good: &Named, other: &Named) -> String {
    let told = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::String(text)) => text.chars().take(20).collect(),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
        Some(_) => String::new(),
    };
    match [told(good.get(name)), told(other.get(name))] {
        [before, after] if before.is_empty() || after.is_empty() => name.1.clone(),
        [before, after] => format!("{}: {before} -> {after}", name.1),
    }
}

/// What a verdict finds, by name, the most important first: its hypotheses, its conclusion, and what came out for each cell
/// and condition.
fn findings(verdict: &Value) -> Named {
    let mut found = BTreeMap::from([((1, "conclusion".to_owned()), verdict["conclusion"].clone())]);
    for hypothesis in listed(&verdict["hypotheses"]) {
        let name = hypothesis["name"].as_str().expect("a hypothesis has a name");
        let ruling = &hypothesis["ruling"];
        let result = [&ruling["label"], &hypothesis["finding"]].into_iter().find(|result| result.is_string());
        found.insert((0, name.to_owned()), result.expect("it came out as something").clone());
        found.insert((2, format!("{name} by launches")), hypothesis["at_launch_level"]["label"].clone());
        for cell in listed(&hypothesis["cells"]) {
            let cell_name = cell["cell"].as_str().unwrap_or_default();
            found.insert((CONDITION, format!("{name} in {cell_name}")), cell["finding"].clone());
        }
        for part in listed(&ruling["parts"]) {
            found.insert((CONDITION, format!("{name} of {}", part["key"])), part["label"].clone());
        }
    }
    found
}

/// Other fields that somebody acts on, and where they stand, the most telling first. Means, intervals and the journal's head are none of them, and
/// neither is what names the imported bytes: a fault that moves nothing else is not caught.
const FIELDS: [&str; 25] = [
    "coverage_gaps",
    "contamination/contaminated",
    "contamination/unknown_launches",
    "calibration",
    "lanes/*/state",
    "lanes/*/unlocked",
    "lanes/*/outcomes",
    "lanes/*/declared",
    "lanes/*/observed",
    "lanes/*/by_own_word",
    "lanes/*/slowdown_pct",
    "lanes/*/failure",
    "cells/*/lanes/*/tokens_sha256",
    "cells/*/lanes/*/distinct_outputs",
    "journal/sealed",
    "journal/torn_bytes",
    "journal/segments/*/host",
    "journal/segments/*/binary",
    "imported/sealed",
    "imported/kind",
    "imported/axes",
    "imported/summaries",
    "imported/observations",
    "hypotheses/*/ruling/standing",
    "hypotheses/*/ruling/rests_on",
];

fn fields(verdict: &Value) -> Named {
    let mut found = BTreeMap::new();
    for (place, path) in (0..).zip(FIELDS) {
        gather(verdict, &path.split('/').collect::<Vec<_>>(), (place, String::new()), &mut found);
    }
    found
}

/// What stands at a path; `*` goes through all elements of a list, which are told apart by what they name.
fn gather(value: &Value, steps: &[&str], at: (u8, String), found: &mut Named) {
    let (place, path) = &at;
    let below = |step: &str| (*place, if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") });
    match steps.split_first() {
        None => drop(found.insert(at, value.clone())),
        Some((&"*", rest)) => {
            for (index, element) in listed(value).iter().enumerate() {
                let name = ["lane", "cell", "name"].iter().find_map(|key| element[*key].as_str());
                gather(element, rest, below(&name.map_or(index.to_string(), str::to_owned)), found);
            }
        }
        Some((step, rest)) => value.get(step).into_iter().for_each(|value| gather(value, rest, below(step), found)),
    }
}

fn listed(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
