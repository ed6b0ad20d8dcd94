//! Whether conditions come out alike on two hosts or in two lanes.

use std::collections::BTreeMap;

use crate::stats::Confidence;

use super::rates::Count;
use super::{Part, Ruling, RulingTest};

/// One condition on one side.
#[derive(Debug, Clone, PartialEq)]
pub struct SideRows {
    /// Rows that are not ok.
    pub failed: Count,
    /// Mean of the ok rows; absent where none is or none is printed.
    pub mean_ms: Option<f64>,
    /// The row that says so.
    pub source: String,
}

/// One condition, measured on either side, both or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What tells it from the others, for example model, phase, backend and token length.
    pub key: BTreeMap<String, String>,
    /// The first side.
    pub a: Option<SideRows>,
    /// The second side.
    pub b: Option<SideRows>,
}

/// Conditions on two sides, and where the classes end.
#[derive(Debug, Clone, PartialEq)]
pub struct Portability {
    /// What the sides are called, for example `Ada` and `A100`.
    pub sides: [String; 2],
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// A side is ok when its rate of failed rows is at most this.
    pub ok_rate: f64,
    /// A side crashes when its rate of failed rows is at least this; between both it is unstable.
    pub crash_rate: f64,
    /// Means that differ by less than this are similar, in percent of the first side's.
    pub similar_pct: f64,
    /// Confidence of the exact intervals that are stated beside the rates.
    pub confidence: Confidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Ok,
    Unstable,
    Crash,
}

/// TR147's label for each condition, and those that its table leaves out.
///
/// | a | b | label |
/// |---|---|---|
/// | ok | ok, means differ by less than `similar_pct` | `portable_similar_latency` |
/// | ok | ok, otherwise | `portable_latency_shift` |
/// | ok | ok, a mean is missing | `portable_latency_unknown` |
/// | crash | crash | `confirmed_crash_both` |
/// | ok | crash, or the other way round | `flipped` |
/// | either side between the two rates | | `unstable` |
/// | covered | absent | `missing_` and the absent side's name in small letters, as `missing_ada`; `missing_both` |
///
/// The report gives no rate that separates ok from crash, and has no name for a condition that flips. A condition is
/// classed by its observed rate, as the report does; the exact interval stands beside it, and a label that the interval
/// does not bear out on both sides is counted in a reason of its own.
///
/// The ruling is `flipped` when any condition flips, else `unstable` when any is, else `same_outcome` when at least one
/// was covered on both sides, which includes crashing on both; else `inconclusive`. Means are compared as they stand, the
/// way the report compares them: a shift is no tested difference.
#[must_use]
pub fn portability(input: &Portability) -> Ruling {
    let sources = input.conditions.iter().flat_map(|condition| [&condition.a, &condition.b]);
    rule(input)
        .resting_on(sources.flatten().map(|side| &side.source))
        .against("ok_rate", input.ok_rate, "share")
        .against("crash_rate", input.crash_rate, "share")
        .against("similar", input.similar_pct, "%")
        .against("confidence", input.confidence.get(), "share")
}

fn rule(input: &Portability) -> Ruling {
    let Portability { ok_rate, crash_rate, similar_pct, .. } = *input;
    if !(ok_rate >= 0.0 && ok_rate < crash_rate && crash_rate <= 1.0) {
        return Ruling::invalid(format!(
            "a side is ok up to a rate of {ok_rate} and crashes from {crash_rate}; both must lie in 0 to 1, the first below"
        ));
    }
    if !(similar_pct > 0.0 && similar_pct.is_finite()) {
        return Ruling::invalid(format!("means are similar within {similar_pct} %, which must be positive and finite"));
    }
    if input.conditions.is_empty() {
        return Ruling::invalid("no condition was given");
    }
    let (mut parts, mut tests, mut unsure) = (Vec::new(), Vec::new(), 0);
    for condition in &input.conditions {
        match judge(input, condition, &mut tests) {
            Ok((part, sure)) => {
                unsure += usize::from(!sure);
                parts.push(part);
            }
            Err(reason) => {
                let told: Vec<&str> = condition.key.values().map(String::as_str).collect();
                return Ruling::invalid(format!("{}: {reason}", told.join(" ")));
            }
        }
    }
    conclude(input, &parts, unsure).in_parts(parts).tested(tests)
}

fn conclude(input: &Portability, parts: &[Part], unsure: usize) -> Ruling {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for part in parts {
        *counts.entry(&part.label).or_insert(0) += 1;
    }
    let missing: usize = counts.iter().filter(|(label, _)| label.starts_with("missing")).map(|(_, count)| count).sum();
    let covered = parts.len() - missing;
    let told: Vec<String> = counts.iter().map(|(label, count)| format!("{label} {count}")).collect();
    let told = format!("{covered} of {} conditions were covered on both sides: {}", parts.len(), told.join(", "));
    let ruling = match (counts.contains_key("flipped"), counts.contains_key("unstable"), covered) {
        (_, _, 0) => {
            Ruling::inconclusive(format!("no condition was covered on both {} and {}", input.sides[0], input.sides[1]))
        }
        (true, ..) => Ruling::decided("flipped"),
        (false, true, _) => Ruling::decided("unstable"),
        (false, false, _) => Ruling::decided("same_outcome"),
    };
    let doubt = (unsure > 0).then(|| {
        format!("in {unsure} of the covered conditions the exact interval of a rate reaches into another class than the rate")
    });
    ruling.because(told).because_all(doubt)
}

/// The condition's label, and whether the exact intervals bear it out.
fn judge(input: &Portability, condition: &Condition, tests: &mut Vec<RulingTest>) -> Result<(Part, bool), String> {
    let (a, b) = match (covered(condition.a.as_ref()), covered(condition.b.as_ref())) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => {
            let [one, other] = &input.sides;
            let (label, absent) = match (a.is_some(), b.is_some()) {
                (false, false) => ("missing_both".to_owned(), format!("neither {one} nor {other} covers it")),
                (false, true) => (missing(one), format!("{one} does not cover it")),
                (true, _) => (missing(other), format!("{other} does not cover it")),
            };
            return Ok((Part::new(condition.key.clone(), label).because(absent), true));
        }
    };
    let (class_a, sure_a) = class(input, a, &input.sides[0], tests)?;
    let (class_b, sure_b) = class(input, b, &input.sides[1], tests)?;
    let delta_pct = delta(a.mean_ms, b.mean_ms)?;
    let label = match (class_a, class_b) {
        (Class::Ok, Class::Ok) => match delta_pct {
            Some(delta) if delta.abs() < input.similar_pct => "portable_similar_latency",
            Some(_) => "portable_latency_shift",
            None => "portable_latency_unknown",
        },
        (Class::Crash, Class::Crash) => "confirmed_crash_both",
        (Class::Ok, Class::Crash) | (Class::Crash, Class::Ok) => "flipped",
        (Class::Unstable, _) | (_, Class::Unstable) => "unstable",
    };
    let rate = |side: &SideRows| side.failed.share().unwrap_or(f64::NAN);
    let part = Part::new(condition.key.clone(), label).number("rate_a", rate(a)).number("rate_b", rate(b));
    let part = delta_pct.into_iter().fold(part, |part, delta| part.number("mean_b_minus_a_pct", delta));
    Ok((part, sure_a && sure_b))
}

/// The report's label for a side that does not cover a condition.
fn missing(side: &str) -> String {
    let word = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    format!("missing_{}", side.chars().map(word).collect::<String>())
}

fn covered(side: Option<&SideRows>) -> Option<&SideRows> {
    side.filter(|side| side.failed.trials > 0)
}

/// The class of the observed rate, and whether the whole exact interval has it.
fn class(
    input: &Portability,
    side: &SideRows,
    name: &str,
    tests: &mut Vec<RulingTest>,
) -> Result<(Class, bool), String> {
    let interval = side.failed.exact(input.confidence)?;
    let of = |rate: f64| match rate {
        rate if rate <= input.ok_rate => Class::Ok,
        rate if rate >= input.crash_rate => Class::Crash,
        _ => Class::Unstable,
    };
    tests.push(
        RulingTest::of(format!("Clopper-Pearson, rate of failed rows, {name} ({})", side.source))
            .estimating(interval.estimate, Some([interval.low, interval.high])),
    );
    let found = of(interval.estimate);
    Ok((found, of(interval.low) == found && of(interval.high) == found))
}

/// The second mean against the first, in percent of it.
fn delta(a: Option<f64>, b: Option<f64>) -> Result<Option<f64>, String> {
    for mean in [a, b].into_iter().flatten() {
        if !(mean > 0.0 && mean.is_finite()) {
            return Err(format!("a mean of {mean} ms is no time that work took"));
        }
    }
    let (Some(a), Some(b)) = (a, b) else { return Ok(None) };
    Ok(Some(100.0 * (b - a) / a).filter(|delta| delta.is_finite()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::rules::Standing;

    type Given = Option<(u64, u64, Option<f64>)>;

    fn ruled(ok_rate: f64, crash_rate: f64, conditions: &[(Given, Given)]) -> Ruling {
        let side = |given: Given, name: &str| {
            given.map(|(hits, trials, mean_ms)| SideRows {
                failed: Count { hits, trials },
                mean_ms,
                source: format!("table:{name}"),
            })
        };
        let conditions = conditions.iter().enumerate().map(|(at, &(a, b))| Condition {
            key: BTreeMap::from([("cell".to_owned(), at.to_string())]),
            a: side(a, "a"),
            b: side(b, "b"),
        });
        portability(&Portability {
            sides: ["Ada".to_owned(), "A100".to_owned()],
            conditions: conditions.collect(),
            ok_rate,
            crash_rate,
            similar_pct: 5.0,
            confidence: Confidence::new(0.95).expect("a level"),
        })
    }

    fn label(a: Given, b: Given) -> String {
        ruled(0.0, 0.5, &[(a, b)]).parts[0].label.clone()
    }

    fn ok(mean: f64) -> Given {
        Some((0, 60, Some(mean)))
    }

    #[test]
    fn every_combination_has_its_label() {
        let crash = Some((60, 60, None));
        let some = Some((10, 60, Some(5.0)));
        assert_eq!(label(ok(100.0), ok(104.9)), "portable_similar_latency");
        assert_eq!(label(ok(100.0), ok(105.0)), "portable_latency_shift");
        assert_eq!(label(ok(100.0), ok(95.0)), "portable_latency_shift");
        assert_eq!(label(ok(100.0), ok(95.1)), "portable_similar_latency");
        assert_eq!(label(ok(100.0), Some((0, 60, None))), "portable_latency_unknown");
        assert_eq!(label(crash, crash), "confirmed_crash_both");
        assert_eq!((label(ok(1.0), crash), label(crash, ok(1.0))), ("flipped".to_owned(), "flipped".to_owned()));
        assert_eq!((label(ok(1.0), some), label(some, crash)), ("unstable".to_owned(), "unstable".to_owned()));
        assert_eq!((label(None, ok(1.0)), label(ok(1.0), None)), ("missing_ada".to_owned(), "missing_a100".to_owned()));
        assert_eq!(
            (label(None, None), label(Some((0, 0, None)), ok(1.0))),
            ("missing_both".to_owned(), "missing_ada".to_owned())
        );
    }

    #[test]
    fn the_cuts_belong_to_ok_and_to_crash() {
        let classed =
            |hits| ruled(0.1, 0.5, &[(Some((hits, 100, None)), Some((100, 100, None)))]).parts[0].label.clone();
        assert_eq!([10, 11, 49, 50].map(classed), ["flipped", "unstable", "unstable", "confirmed_crash_both"]);
    }

    #[test]
    fn tr147s_sixteen_covered_conditions_have_one_outcome_each_and_the_rest_say_nothing() {
        // SS5.2: 70 and 8 conditions on one host only, 8 shifted, 7 crashing on both, 1 similar.
        let crash = Some((60, 60, None));
        let mut conditions = vec![(ok(20.0), None); 70];
        conditions.extend(vec![(None, ok(20.0)); 8]);
        conditions.extend(vec![(ok(20.0), ok(25.0)); 8]);
        conditions.extend(vec![(crash, crash); 7]);
        conditions.push((ok(20.0), ok(20.5)));
        let ruling = ruled(0.0, 1.0, &conditions);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("same_outcome", Standing::Decided));
        assert_eq!(
            ruling.reasons[0],
            "16 of 94 conditions were covered on both sides: confirmed_crash_both 7, missing_a100 70, missing_ada 8, \
             portable_latency_shift 8, portable_similar_latency 1"
        );
    }

    #[test]
    fn one_flip_outweighs_everything_and_no_coverage_decides_nothing() {
        let crash = Some((60, 60, None));
        assert_eq!(
            ruled(0.0, 0.5, &[(ok(1.0), ok(1.0)), (ok(1.0), crash), (Some((9, 60, None)), crash)]).label,
            "flipped"
        );
        assert_eq!(ruled(0.0, 0.5, &[(ok(1.0), None)]).standing, Standing::Inconclusive);
    }

    #[test]
    fn a_rate_that_few_rows_stand_behind_is_said_to_be_unsure() {
        let ruling = ruled(0.05, 0.5, &[(Some((0, 3, Some(1.0))), ok(1.0))]);
        assert_eq!(ruling.parts[0].label, "portable_similar_latency");
        assert!(ruling.reasons[1].starts_with("in 1 of the covered"), "{:?}", ruling.reasons);
    }

    #[test]
    fn impossible_numbers_and_overlapping_cuts_are_invalid() {
        for (low, high) in [(0.5, 0.5), (-0.1, 0.5), (0.1, 1.1), (f64::NAN, 0.5), (0.0, f64::NAN)] {
            assert_eq!(ruled(low, high, &[(ok(1.0), ok(1.0))]).standing, Standing::Invalid, "{low} {high}");
        }
        for mean in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(ruled(0.0, 0.5, &[(ok(1.0), ok(mean))]).standing, Standing::Invalid, "{mean}");
        }
        assert_eq!(ruled(0.0, 0.5, &[]).standing, Standing::Invalid);
    }

    proptest! {
        #[test]
        fn any_input_has_a_ruling(
            cuts in [proptest::num::f64::ANY, proptest::num::f64::ANY],
            mean in proptest::num::f64::ANY,
            hits in 0..9_u64,
            trials in 0..9_u64,
        ) {
            let side = Some((hits, trials, Some(mean)));
            prop_assert!(!ruled(cuts[0], cuts[1], &[(side, ok(1.0))]).reasons.is_empty());
            prop_assert!(!ruled(0.0, 0.5, &[(side, side)]).reasons.is_empty());
        }
    }
}
