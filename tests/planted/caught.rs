//! What became of a planted fault.

use lockstep::journal::read;
use lockstep::plan::Plan;
use lockstep::verdict::{Verdict, judge};
use serde_json::{Value, json};

/// What caught a fault, if anything did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caught {
    /// The reader refused the journal.
    Reader(String),
    /// The judge refused it.
    Judge(String),
    /// The verdict is another one, in these parts.
    Verdict(Vec<&'static str>),
    /// The verdict says what it said before.
    Nothing,
}

impl Caught {
    /// What catches `journal`, where the good journal has the verdict `good`.
    pub fn by(plan: &Plan, good: &Verdict, journal: &[u8]) -> Self {
        match read(journal) {
            Err(error) => Self::Reader(error.to_string()),
            Ok(journal) => match judge(plan, &journal) {
                Err(error) => Self::Judge(error.to_string()),
                Ok(verdict) => match changed(good, &verdict)[..] {
                    [] => Self::Nothing,
                    ref parts => Self::Verdict(parts.to_vec()),
                },
            },
        }
    }

    /// As the list shows it: who, and by what.
    pub fn told(&self) -> (&'static str, String) {
        // What was found; what to try is the same for all of them.
        let found = |error: &str| error.split("; ").next().unwrap_or_default().to_owned();
        match self {
            Self::Reader(error) => ("reader", found(error)),
            Self::Judge(error) => ("judge", found(error)),
            Self::Verdict(parts) => ("verdict", parts.join(", ")),
            Self::Nothing => ("NOTHING", String::new()),
        }
    }
}

/// The parts of a verdict that somebody acts on, and where they stand. Means, intervals and the journal's head are none of
/// them: a fault that moves nothing but a mean is not caught.
const PARTS: [(&str, &[&str]); 8] = [
    ("conclusion", &["/conclusion"]),
    ("findings", &["/hypotheses/*/finding", "/hypotheses/*/cells/*/finding"]),
    ("coverage", &["/coverage_gaps"]),
    ("contamination", &["/contamination/contaminated", "/contamination/unknown_launches"]),
    ("calibration", &["/calibration"]),
    (
        "lanes",
        &[
            "/lanes/*/state",
            "/lanes/*/unlocked",
            "/lanes/*/outcomes",
            "/lanes/*/declared",
            "/lanes/*/observed",
            "/lanes/*/by_own_word",
            "/lanes/*/slowdown_pct",
            "/lanes/*/failure",
        ],
    ),
    ("outputs", &["/cells/*/lanes/*/tokens_sha256", "/cells/*/lanes/*/distinct_outputs"]),
    ("journal", &["/journal/sealed", "/journal/torn_bytes", "/journal/segments/*/host", "/journal/segments/*/binary"]),
];

/// The parts in which two verdicts differ.
pub fn changed(good: &Verdict, other: &Verdict) -> Vec<&'static str> {
    let [good, other] = [good, other].map(|verdict| serde_json::to_value(verdict).expect("a verdict is JSON"));
    let differs = |paths: &[&str]| {
        paths.iter().any(|path| {
            let steps: Vec<&str> = path.split('/').skip(1).collect();
            pick(&good, &steps) != pick(&other, &steps)
        })
    };
    PARTS.iter().filter(|(_, paths)| differs(paths)).map(|(name, _)| *name).collect()
}

/// What stands at a path; `*` gathers all elements of a list.
fn pick(value: &Value, steps: &[&str]) -> Value {
    match (steps.split_first(), value) {
        (None, _) => value.clone(),
        (Some((&"*", rest)), Value::Array(all)) => all.iter().map(|one| pick(one, rest)).collect(),
        (Some((key, rest)), _) => value.get(key).map_or(json!(null), |one| pick(one, rest)),
    }
}
