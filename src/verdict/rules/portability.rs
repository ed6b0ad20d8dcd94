//! Whether conditions come out alike on two hosts or in two lanes.

use std::collections::BTreeMap;

use crate::stats::Confidence;
use crate::verdict::rounding::round;

use super::rates::{Tally, unit_told};
use super::{Part, Ruling, RulingTest};

/// One condition on one side.
#[derive(Debug, Clone, PartialEq)]
pub struct SideRows {
    /// Rows or launches that are not ok.
    pub failed: Tally,
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
    /// Confidence of the exact intervals: of each that is stated beside a printed rate, of all together by launches.
    pub confidence: Confidence,
}

/// What the rate of one side comes to.
struct Classed {
    class: Class,
    /// Why the whole exact interval does not have that class; absent where it has.
    unsure: Option<Unsure>,
}

/// An interval that reaches into another class than its rate.
struct Unsure {
    /// The side, how often it failed, and the interval.
    told: String,
    /// Trials with which the same rate would have its class by its whole interval, or why no number of them gives it.
    settled_by: Result<u64, String>,
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
/// By launches that label is what was seen, and the ruling rests on intervals: `flipped` takes a condition whose intervals
/// bear it out on both sides, anything else that they do so in every covered condition, all intervals holding together
/// (Bonferroni); it is `inconclusive` otherwise.
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
    let each = match confidence_of_each(input) {
        Ok(each) => each,
        Err(reason) => return Ruling::invalid(reason),
    };
    let (mut parts, mut tests, mut unsure) = (Vec::new(), Vec::new(), Vec::new());
    for condition in &input.conditions {
        match judge(input, condition, each, &mut tests) {
            Ok((part, doubts)) => {
                parts.push(part);
                unsure.push(doubts);
            }
            Err(reason) => {
                let told: Vec<&str> = condition.key.values().map(String::as_str).collect();
                return Ruling::invalid(format!("{}: {reason}", told.join(" ")));
            }
        }
    }
    let unit = unit_told(sides(input).map(|side| side.failed));
    conclude(input, &parts, &unsure).because_all(unit).in_parts(parts).tested(tests)
}

/// The sides of all conditions that were covered on both.
fn sides(input: &Portability) -> impl Iterator<Item = &SideRows> {
    input.conditions.iter().filter_map(both).flatten()
}

fn both(condition: &Condition) -> Option<[&SideRows; 2]> {
    Some([covered(condition.a.as_ref())?, covered(condition.b.as_ref())?])
}

/// The confidence of each interval, so that by launches all of them hold together.
fn confidence_of_each(input: &Portability) -> Result<Confidence, String> {
    let intervals = sides(input).filter(|side| side.failed.is_by_launch()).count().max(1);
    Confidence::new(1.0 - (1.0 - input.confidence.get()) / intervals as f64).map_err(|error| error.to_string())
}

fn conclude(input: &Portability, parts: &[Part], unsure: &[Vec<Unsure>]) -> Ruling {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for part in parts {
        *counts.entry(&part.label).or_insert(0) += 1;
    }
    let missing: usize = counts.iter().filter(|(label, _)| label.starts_with("missing")).map(|(_, count)| count).sum();
    let covered = parts.len() - missing;
    let told: Vec<String> = counts.iter().map(|(label, count)| format!("{label} {count}")).collect();
    let told = format!("{covered} of {} conditions were covered on both sides: {}", parts.len(), told.join(", "));
    if covered == 0 {
        let [one, other] = &input.sides;
        return Ruling::inconclusive(format!("no condition was covered on both {one} and {other}")).because(told);
    }
    let by_launch = sides(input).any(|side| side.failed.is_by_launch());
    let sure = |label: &str| parts.iter().zip(unsure).any(|(part, doubts)| part.label == label && doubts.is_empty());
    let doubted = unsure.iter().filter(|doubts| !doubts.is_empty()).count();
    if by_launch && doubted > 0 && !sure("flipped") {
        return undecided(told, doubted, unsure);
    }
    let flipped = if by_launch { sure("flipped") } else { counts.contains_key("flipped") };
    let ruling = match (flipped, counts.contains_key("unstable")) {
        (true, _) => Ruling::decided("flipped"),
        (false, true) => Ruling::decided("unstable"),
        (false, false) => Ruling::decided("same_outcome"),
    };
    let doubt = (doubted > 0).then(|| {
        format!("in {doubted} of the covered conditions the exact interval of a rate reaches into another class than the rate")
    });
    ruling.because(told).because_all(doubt)
}

/// What was seen, and which intervals do not bear it out.
fn undecided(told: String, doubted: usize, unsure: &[Vec<Unsure>]) -> Ruling {
    let all = || unsure.iter().flatten();
    let settled_by: Option<Vec<u64>> = all().map(|side| side.settled_by.as_ref().ok().copied()).collect();
    let mut never: Vec<String> = all().filter_map(|side| side.settled_by.clone().err()).collect();
    never.sort_unstable();
    never.dedup();
    Ruling::inconclusive(format!(
        "in {doubted} of the covered conditions the exact interval of a rate by launches reaches into another class than the \
         rate, so that what was seen decides nothing"
    ))
    .because(told)
    .because_all(all().map(|side| side.told.clone()))
    .because_all(never)
    .settled_by(settled_by.and_then(|needed| needed.into_iter().max()))
}

/// The condition's label, and which exact intervals do not bear it out.
fn judge(
    input: &Portability,
    condition: &Condition,
    each: Confidence,
    tests: &mut Vec<RulingTest>,
) -> Result<(Part, Vec<Unsure>), String> {
    let (a, b) = match (covered(condition.a.as_ref()), covered(condition.b.as_ref())) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => {
            let [one, other] = &input.sides;
            let (label, absent) = match (a.is_some(), b.is_some()) {
                (false, false) => ("missing_both".to_owned(), format!("neither {one} nor {other} covers it")),
                (false, true) => (missing(one), format!("{one} does not cover it")),
                (true, _) => (missing(other), format!("{other} does not cover it")),
            };
            return Ok((Part::new(condition.key.clone(), label).because(absent), Vec::new()));
        }
    };
    let one = class(input, a, &input.sides[0], each, tests)?;
    let other = class(input, b, &input.sides[1], each, tests)?;
    let delta_pct = delta(a.mean_ms, b.mean_ms)?;
    let label = match (one.class, other.class) {
        (Class::Ok, Class::Ok) => match delta_pct {
            Some(delta) if delta.abs() < input.similar_pct => "portable_similar_latency",
            Some(_) => "portable_latency_shift",
            None => "portable_latency_unknown",
        },
        (Class::Crash, Class::Crash) => "confirmed_crash_both",
        (Class::Ok, Class::Crash) | (Class::Crash, Class::Ok) => "flipped",
        (Class::Unstable, _) | (_, Class::Unstable) => "unstable",
    };
    let rate = |side: &SideRows| side.failed.count.share().unwrap_or(f64::NAN);
    let part = Part::new(condition.key.clone(), label).number("rate_a", rate(a)).number("rate_b", rate(b));
    let part = delta_pct.into_iter().fold(part, |part, delta| part.number("mean_b_minus_a_pct", delta));
    let part = match a.failed.is_by_launch() {
        true => {
            part.because(format!("{}: {}; {}: {}", input.sides[0], a.failed.told(), input.sides[1], b.failed.told()))
        }
        false => part,
    };
    Ok((part, one.unsure.into_iter().chain(other.unsure).collect()))
}

/// The report's label for a side that does not cover a condition.
fn missing(side: &str) -> String {
    let word = |letter: char| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    format!("missing_{}", side.chars().map(word).collect::<String>())
}

fn covered(side: Option<&SideRows>) -> Option<&SideRows> {
    side.filter(|side| side.failed.count.trials > 0)
}

/// The class of the observed rate, and whether the whole exact interval has it.
fn class(
    input: &Portability,
    side: &SideRows,
    name: &str,
    each: Confidence,
    tests: &mut Vec<RulingTest>,
) -> Result<Classed, String> {
    let interval = side.failed.count.exact(each)?;
    let of = |rate: f64| match rate {
        rate if rate <= input.ok_rate => Class::Ok,
        rate if rate >= input.crash_rate => Class::Crash,
        _ => Class::Unstable,
    };
    tests.push(
        RulingTest::of(format!("Clopper-Pearson, rate of failed rows, {name} ({})", side.source))
            .estimating(interval.estimate, Some([interval.low, interval.high])),
    );
    let class = of(interval.estimate);
    let is_sure = of(interval.low) == class && of(interval.high) == class && !side.failed.is_too_few();
    let (low, high) = (round(interval.low), round(interval.high));
    let unsure = || Unsure {
        told: format!("{name} failed in {}, which leaves a rate from {low} to {high}", side.failed.told()),
        settled_by: settled_by(input, side.failed, class, each),
    };
    Ok(Classed { class, unsure: (!is_sure).then(unsure) })
}

/// Trials with which the same rate would have its class by its whole interval, or why no number of them gives it.
fn settled_by(input: &Portability, failed: Tally, class: Class, each: Confidence) -> Result<u64, String> {
    let clear_of = |name: &str, edge: f64, unreachable: f64| {
        if edge == unreachable {
            return Err(format!(
                "no number of launches shows a rate to be exactly {edge}, as {name} = {edge} asks for"
            ));
        }
        let trials = failed.count.trials_to_settle(edge, each);
        trials.ok_or_else(|| {
            format!("no number of launches shows on which side of {name} = {edge} a rate lies that is there")
        })
    };
    let trials = match class {
        Class::Ok => clear_of("ok_rate", input.ok_rate, 0.0)?,
        Class::Crash => clear_of("crash_rate", input.crash_rate, 1.0)?,
        Class::Unstable => {
            clear_of("ok_rate", input.ok_rate, f64::NAN)?.max(clear_of("crash_rate", input.crash_rate, f64::NAN)?)
        }
    };
    Ok(trials.max(failed.at_least()))
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
    use crate::verdict::rules::{Count, Standing};

    type Given = Option<(u64, u64, Option<f64>)>;

    fn ruled(ok_rate: f64, crash_rate: f64, conditions: &[(Given, Given)]) -> Ruling {
        counted(Tally::printed, ok_rate, crash_rate, conditions)
    }

    /// By launches of three attempts each.
    fn by_launch(count: Count) -> Tally {
        Tally { count, attempts: Some(Count { hits: 3 * count.hits, trials: 3 * count.trials }) }
    }

    fn counted(tally: fn(Count) -> Tally, ok_rate: f64, crash_rate: f64, conditions: &[(Given, Given)]) -> Ruling {
        let side = |given: Given, name: &str| {
            given.map(|(hits, trials, mean_ms)| SideRows {
                failed: tally(Count { hits, trials }),
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
    fn by_launches_a_label_is_decided_where_the_intervals_bear_it_out() {
        let few = (Some((0, 3, Some(1.0))), Some((3, 3, None)));
        let ruling = counted(by_launch, 0.5, 0.6, &[few]);
        assert_eq!((ruling.label.as_str(), ruling.parts[0].label.as_str()), ("inconclusive", "flipped"));
        assert_eq!(ruling.reasons[1], "1 of 1 conditions were covered on both sides: flipped 1");
        // Two intervals at 1 - 0.05/2: 0.0125^(1/3) = 0.232.
        assert_eq!(
            ruling.reasons[3],
            "A100 failed in 3 of 3 launches (9 of 9 attempts), which leaves a rate from 0.232079 to 1"
        );
        // 0.0125^(1/n) >= 0.6 from n = 9 on.
        assert_eq!(ruling.settled_by, Some(9));
        let of = |n: u64| counted(by_launch, 0.5, 0.6, &[(Some((0, n, Some(1.0))), Some((n, n, None)))]);
        assert_eq!([of(8).label, of(9).label], ["inconclusive", "flipped"]);
        assert_eq!(
            of(9).parts[0].reason.as_deref(),
            Some("Ada: 0 of 9 launches (0 of 27 attempts); A100: 9 of 9 launches (27 of 27 attempts)")
        );
        let sure = (Some((0, 20, Some(1.0))), Some((20, 20, None)));
        assert_eq!(counted(by_launch, 0.5, 0.6, &[few, sure]).label, "flipped", "one that is sure is enough");
        let alike = (Some((0, 20, Some(1.0))), Some((0, 20, None)));
        assert_eq!(counted(by_launch, 0.5, 0.6, &[alike]).label, "same_outcome");
        assert_eq!(counted(by_launch, 0.5, 0.6, &[alike, few]).label, "inconclusive");
        let two = (Some((0, 2, Some(1.0))), Some((0, 2, Some(1.0))));
        assert_eq!(counted(by_launch, 0.98, 0.99, &[two]).settled_by, Some(3));
    }

    #[test]
    fn a_rate_of_exactly_nothing_is_settled_by_no_number_of_launches() {
        for n in [3, 300] {
            let ruling = counted(by_launch, 0.0, 0.5, &[(Some((0, n, Some(1.0))), Some((n, n, None)))]);
            assert_eq!((ruling.label.as_str(), ruling.settled_by), ("inconclusive", None));
            let why = "no number of launches shows a rate to be exactly 0, as ok_rate = 0 asks for";
            assert!(ruling.reasons.iter().any(|reason| reason == why), "{:?}", ruling.reasons);
        }
        let always = counted(by_launch, 0.4, 1.0, &[(Some((9, 9, None)), Some((9, 9, None)))]);
        assert!(always.reasons.iter().any(|reason| reason.contains("crash_rate = 1")), "{:?}", always.reasons);
        let edge = counted(by_launch, 0.25, 0.5, &[(Some((3, 6, None)), Some((60, 60, None)))]);
        assert_eq!(edge.settled_by, None, "{:?}", edge.reasons);
        let between = counted(by_launch, 0.25, 0.75, &[(Some((3, 6, None)), Some((3, 6, None)))]);
        let needed = between.settled_by.expect("a number");
        let settled = |n| counted(by_launch, 0.25, 0.75, &[(Some((n / 2, n, None)), Some((n / 2, n, None)))]).label;
        assert_eq!([settled(needed + needed % 2), settled(needed - 4 - needed % 2)], ["unstable", "inconclusive"]);
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
