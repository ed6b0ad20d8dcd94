//! A run's `verdict.json` against the verdict that plan and journal give now.

use serde_json::Value;

use super::Error;
use super::run_folder::RunFolder;
use crate::report;
use crate::verdict::Verdict;

/// How a stored verdict relates to the derived one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Agreement {
    /// The same bytes.
    Same,
    /// Only sentences or their layout differ: another build wrote them.
    WordingOnly,
    /// A number, finding, outcome or digest differs; the first such place, in words.
    Different(String),
}

/// Holds `verdict.json` of the run against `derived`. Sentences are no evidence: builds may word them differently.
pub(super) fn check(folder: &RunFolder, derived: &Verdict) -> Result<Agreement, Error> {
    let path = folder.file("verdict.json");
    let stored = match std::fs::read_to_string(&path) {
        Ok(stored) => stored,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let found = format!("run {} has no verdict yet", folder.id);
            return Err(Error::usage(found, format!("`lockstep resume {}` finishes it", folder.id)));
        }
        Err(error) => return Err(Error::file("reading", path)(error)),
    };
    agreement(&stored, derived).map_err(|error| Error::RunFile {
        path,
        message: format!(
            "no verdict in the form of this build ({error}); `lockstep judge PLAN JOURNAL --format json` writes one anew"
        ),
    })
}

fn agreement(stored: &str, derived: &Verdict) -> Result<Agreement, Box<dyn std::error::Error>> {
    if stored == report::json(derived)? {
        return Ok(Agreement::Same);
    }
    let parsed: Verdict = serde_json::from_str(stored)?;
    let (then, now) = (without_wording(parsed), without_wording(derived.clone()));
    let difference = first_difference("verdict", &serde_json::to_value(then)?, &serde_json::to_value(now)?);
    Ok(difference.map_or(Agreement::WordingOnly, Agreement::Different))
}

/// The verdict without the sentences that `judge` composes. What lanes said of themselves is evidence and stays.
fn without_wording(mut verdict: Verdict) -> Verdict {
    verdict.reasons.clear();
    for hypothesis in &mut verdict.hypotheses {
        hypothesis.reasons.clear();
        for cell in &mut hypothesis.cells {
            cell.note = None;
        }
    }
    for gap in &mut verdict.coverage_gaps {
        gap.message.clear();
    }
    verdict
}

fn first_difference(place: &str, then: &Value, now: &Value) -> Option<String> {
    match (then, now) {
        (Value::Object(old), Value::Object(new)) => {
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
            keys.sort();
            keys.dedup();
            let of = |values: &serde_json::Map<String, Value>, key| values.get(key).cloned().unwrap_or_default();
            keys.into_iter().find_map(|key| first_difference(&format!("{place}.{key}"), &of(old, key), &of(new, key)))
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let pairs = old.iter().zip(new).enumerate();
            pairs.filter_map(|(index, (old, new))| first_difference(&format!("{place}[{index}]"), old, new)).next()
        }
        (Value::Array(old), Value::Array(new)) => {
            Some(format!("{place} has {} entries there, and {} are derived", old.len(), new.len()))
        }
        _ if then == now => None,
        _ => Some(format!("{place} is {then} there, and {now} is derived")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::fixture::good;
    use crate::verdict::Conclusion;

    fn stored(change: impl FnOnce(&mut Verdict)) -> Agreement {
        let mut verdict = good();
        change(&mut verdict);
        agreement(&report::json(&verdict).expect("a verdict has a JSON form"), &good()).expect("it parses")
    }

    #[test]
    fn a_verdict_in_other_words_agrees() {
        assert_eq!(stored(|_| {}), Agreement::Same);
        let reworded = stored(|verdict| {
            verdict.reasons = vec!["said otherwise".to_owned()];
            verdict.hypotheses[0].reasons.push("and more".to_owned());
        });
        assert_eq!(reworded, Agreement::WordingOnly);
    }

    #[test]
    fn a_changed_number_or_finding_is_named_with_its_place() {
        let Agreement::Different(sentence) = stored(|verdict| verdict.conclusion = Conclusion::NotAsExpected) else {
            panic!("another conclusion is a difference")
        };
        assert_eq!(sentence, "verdict.conclusion is \"not_as_expected\" there, and \"as_expected\" is derived");
        let number = stored(|verdict| verdict.contamination.limit_pct += 1.0);
        assert!(
            matches!(number, Agreement::Different(text) if text.starts_with("verdict.contamination.limit_pct is "))
        );
        let fewer = stored(|verdict| drop(verdict.cells.pop()));
        assert!(matches!(fewer, Agreement::Different(text) if text.starts_with("verdict.cells has ")));
    }

    #[test]
    fn text_that_is_no_verdict_is_an_error() {
        assert!(agreement("{}", &good()).is_err());
    }
}
