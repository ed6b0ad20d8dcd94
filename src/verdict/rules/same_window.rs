//! What a difference comes to where both sides were run again in the same window of time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Part, Ruling};
use crate::verdict::rounding::round;

/// One number of one comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowDifference {
    /// What tells the comparison from others, for example the load mode.
    pub key: BTreeMap<String, String>,
    /// What was measured.
    pub metric: String,
    /// Candidate minus baseline, lower better, and half of its last printed digit.
    pub difference: (f64, f64),
    /// The unit of the metric.
    pub in_unit: String,
    /// Whether both sides were run in the same window.
    pub is_same_window: bool,
    /// The row.
    pub source: String,
}

/// A rerun and what was known before it.
#[derive(Debug, Clone, PartialEq)]
pub struct SameWindowRerun {
    /// All numbers; of each comparison, metric and kind of window at most one.
    pub differences: Vec<WindowDifference>,
    /// Metric to the largest difference that is near flat.
    pub near_flat: BTreeMap<String, f64>,
    /// Whether the rows show in which window either side ran, or the plan says so.
    pub windows_are_shown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Better,
    NearFlat,
    Worse,
    /// The printed digits leave open on which side of the tolerance it lies.
    Edge,
}

impl Size {
    const fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::NearFlat => "near_flat",
            Self::Worse => "worse",
            Self::Edge => "edge",
        }
    }
}

/// Reads each comparison by Treni's rule: a rerun in one window is preferred to a comparison across windows, because what
/// else changes with time stands on both sides of it.
///
/// | numbers of the same window | label of the comparison |
/// |---|---|
/// | none | `not_comparable` |
/// | one is worse by more than its tolerance | `worse` |
/// | none is worse, the printed digits of one touch its tolerance | `edge` |
/// | one is better by more than its tolerance, none is worse | `better` |
/// | all lie within | `near_flat` |
///
/// The ruling is `regresses` where a comparison is `worse`; else `inconclusive` where one is `edge` or `not_comparable`; else
/// `improves` where one is `better`, and `near_flat` where all are; `invalid` where a number is none.
#[must_use]
pub fn same_window_rerun(input: &SameWindowRerun) -> Ruling {
    // A row prints several metrics.
    let mut sources: Vec<&String> = input.differences.iter().map(|found| &found.source).collect();
    sources.dedup();
    let unit_of = |metric: &String| input.differences.iter().find(|found| found.metric == *metric).map(|f| &f.in_unit);
    input.near_flat.iter().fold(rule(input).resting_on(sources), |ruling, (metric, most)| {
        ruling.against(&format!("near_flat.{metric}"), *most, unit_of(metric).map_or("", String::as_str))
    })
}

fn rule(input: &SameWindowRerun) -> Ruling {
    if let Some(fault) = fault(input) {
        return Ruling::invalid(fault);
    }
    let keys: BTreeSet<&BTreeMap<String, String>> = input.differences.iter().map(|found| &found.key).collect();
    let parts: Vec<Part> = keys.into_iter().map(|key| part(input, key)).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    parts.iter().for_each(|part| *counts.entry(part.label.as_str()).or_insert(0) += 1);
    let told: Vec<String> = counts.iter().map(|(label, count)| format!("{label} {count}")).collect();
    let told = format!("of {} comparisons in one window: {}", parts.len(), told.join(", "));
    let has = |label: &str| counts.contains_key(label);
    let ruling = match () {
        () if has("worse") => Ruling::decided("regresses").because(told),
        () if has("edge") || has("not_comparable") => Ruling::inconclusive(told),
        () if has("better") => Ruling::decided("improves").because(told),
        () => Ruling::decided("near_flat").because(told),
    };
    let stated = (!input.windows_are_shown).then(|| {
        "no row shows when either side ran: that the rerun's sides shared a window is the plan's word".to_owned()
    });
    ruling
        .because_all(stated)
        .because("the differences are printed without an interval, so that their values decide")
        .in_parts(parts)
}

fn fault(input: &SameWindowRerun) -> Option<String> {
    let mut seen = BTreeSet::new();
    for found in &input.differences {
        let WindowDifference { key, metric, difference: (value, half), in_unit: _, is_same_window, source } = found;
        if !(value.is_finite() && half.is_finite() && *half >= 0.0) {
            return Some(format!("{source}: {metric} is {value}, not a finite number"));
        }
        if !input.near_flat.get(metric).is_some_and(|most| most.is_finite() && *most >= 0.0) {
            return Some(format!("{source}: no tolerance of {metric} is given"));
        }
        if !seen.insert((key, metric, is_same_window)) {
            let key: Vec<&str> = key.values().map(String::as_str).collect();
            return Some(format!("{source}: {metric} of {} stands twice", key.join(" ")));
        }
    }
    input.differences.is_empty().then(|| "no difference was given".to_owned())
}

fn part(input: &SameWindowRerun, key: &BTreeMap<String, String>) -> Part {
    let of = |same: bool| {
        let own = input.differences.iter().filter(move |found| found.key == *key && found.is_same_window == same);
        own.map(|found| (found, size(found, input.near_flat[&found.metric])))
    };
    let has = |wanted: Size| of(true).any(|(_, size)| size == wanted);
    let label = match () {
        () if of(true).next().is_none() => "not_comparable",
        () if has(Size::Worse) => Size::Worse.name(),
        () if has(Size::Edge) => Size::Edge.name(),
        () if has(Size::Better) => Size::Better.name(),
        () => Size::NearFlat.name(),
    };
    let mut part = Part::new(key.clone(), label);
    for (found, _) in of(true) {
        part = part.number(&found.metric, found.difference.0);
    }
    let mut across = Vec::new();
    for (found, size) in of(false) {
        let metric = &found.metric;
        part = part.number(&format!("{metric}_across_windows"), found.difference.0);
        across.push(format!("{metric} {} ({})", round(found.difference.0), size.name()));
    }
    match across.is_empty() {
        true => part,
        false => part.because(format!("across windows, which decides nothing: {}", across.join(", "))),
    }
}

fn size(found: &WindowDifference, most: f64) -> Size {
    let (value, half) = found.difference;
    match () {
        () if value - half > most => Size::Worse,
        () if value + half < -most => Size::Better,
        () if value.abs() + half <= most => Size::NearFlat,
        () => Size::Edge,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn ruled(numbers: &[(&str, f64, bool)]) -> Ruling {
        let number = |&(mode, difference, is_same_window): &(&str, f64, bool)| WindowDifference {
            key: BTreeMap::from([("mode".to_owned(), mode.to_owned())]),
            metric: "ms".to_owned(),
            difference: (difference, 0.0005),
            in_unit: "ms".to_owned(),
            is_same_window,
            source: format!("t:{mode}"),
        };
        same_window_rerun(&SameWindowRerun {
            differences: numbers.iter().map(number).collect(),
            near_flat: BTreeMap::from([("ms".to_owned(), 0.05)]),
            windows_are_shown: false,
        })
    }

    #[test]
    fn the_rerun_decides_whatever_was_seen_across_windows() {
        let found = ruled(&[("warm", 1.317, false), ("warm", -0.2, true), ("mixed", 0.004, true)]);
        assert_eq!((found.label.as_str(), found.standing), ("improves", Standing::Decided));
        let labels: Vec<&str> = found.parts.iter().map(|part| part.label.as_str()).collect();
        assert_eq!(labels, ["near_flat", "better"]);
        assert_eq!(found.parts[1].numbers["ms_across_windows"], 1.317);
        assert!(found.reasons[1].contains("the plan's word"), "{:?}", found.reasons);
        assert_eq!(ruled(&[("warm", -9.0, false), ("warm", 0.2, true)]).label, "regresses");
        assert_eq!(ruled(&[("warm", 0.049, true)]).label, "near_flat");
    }

    #[test]
    fn what_was_never_run_again_in_one_window_is_not_decided_and_a_regression_beside_it_stands() {
        let found = ruled(&[("warm", 1.317, false), ("mixed", -0.6, true)]);
        assert_eq!((found.standing, found.parts[1].label.as_str()), (Standing::Inconclusive, "not_comparable"));
        assert_eq!(ruled(&[("warm", 1.3, false), ("mixed", 0.6, true)]).label, "regresses");
        assert_eq!(ruled(&[("warm", 1.3, false)]).standing, Standing::Inconclusive);
    }

    #[test]
    fn digits_that_touch_the_tolerance_leave_it_open_and_what_is_no_number_is_invalid() {
        assert_eq!(ruled(&[("warm", 0.05, true)]).standing, Standing::Inconclusive);
        assert_eq!(ruled(&[("warm", f64::NAN, true)]).standing, Standing::Invalid);
        assert_eq!(ruled(&[("warm", 0.0, true), ("warm", 1.0, true)]).standing, Standing::Invalid);
        assert_eq!(ruled(&[]).standing, Standing::Invalid);
    }
}
