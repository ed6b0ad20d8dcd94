//! Whether conditions come out alike on two hosts or in two lanes.

use std::collections::BTreeMap;

use crate::stats::{Confidence, PValue};
use crate::verdict::rounding::round;

use super::estimate::{Estimate, InFamily, OtherTests};
use super::rates::{Count, Tally, unit_told};
use super::{Part, Ruling, RulingTest};

mod latency;

pub use latency::Latency;

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
    /// How its means compare, where launches were measured; absent where they are printed.
    pub latency: Option<Latency>,
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
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// The levels that intervals and launches to come are held to.
#[derive(Clone, Copy)]
struct Held {
    /// Of each interval.
    each: Confidence,
    /// Of an interval that would hold in the family, too.
    in_family: Confidence,
}

/// A condition's tests in the plan's family.
#[derive(Clone, Copy)]
struct Decided {
    /// That both sides have the classes that they seem to have.
    outcome: Option<InFamily>,
    /// That their means are similar, or are not.
    latency: Option<InFamily>,
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
/// | either side between the two rates (nothing, where they are one and the same) | | `unstable` |
/// | covered | absent | `missing_` and the absent side's name in small letters, as `missing_ada`; `missing_both` |
///
/// The report gives no rate that separates ok from crash, and has no name for a condition that flips. A condition is
/// classed by its observed rate, as the report does; the exact interval stands beside it, and a label that the interval
/// does not bear out on both sides is counted in a reason of its own.
///
/// By launches that label is what was seen, and the ruling rests on intervals: `flipped` takes a condition whose intervals
/// bear it out on both sides, anything else that they do so in every covered condition, all intervals holding together
/// (Bonferroni); it is `inconclusive` otherwise. Each condition is a test of the plan's family: the larger of both sides' tail
/// probabilities at the rate that ends their class, adjusted (Holm) over it, must not be above the level. A condition with so few
/// launches that no outcome would give both sides a class asks nothing and is none. With `ok_rate = 0` that is so of every side
/// that looks ok: no number of launches shows a rate of exactly 0. What is printed is no test, however many conditions there are:
/// its label is that of the rates as they stand.
///
/// The ruling is `flipped` when any condition flips, else `unstable` when any is, else `same_outcome` when at least one
/// was covered on both sides, which includes crashing on both; else `inconclusive`. Printed means are compared as they stand, the
/// way the report compares them: a shift is no tested difference. Measured ones are tested over three launches a side or more:
/// similar where the whole interval of the change lies within `similar_pct` and the tests of both edges hold in the family,
/// shifted where it lies beyond one edge and its test holds; what is neither is `portable_latency_inconclusive`.
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
    if !((0.0..1.0).contains(&ok_rate) && (ok_rate..=1.0).contains(&crash_rate)) {
        return Ruling::invalid(format!(
            "a side is ok up to a rate of {ok_rate} and crashes from {crash_rate}; the first must lie in 0 to below 1, the \
             second from there to 1"
        ));
    }
    if !(similar_pct > 0.0 && similar_pct.is_finite()) {
        return Ruling::invalid(format!("means are similar within {similar_pct} %, which must be positive and finite"));
    }
    if input.conditions.is_empty() {
        return Ruling::invalid("no condition was given");
    }
    let held = match held(input) {
        Ok(held) => held,
        Err(reason) => return Ruling::invalid(reason),
    };
    let (mut parts, mut tests, mut unsure) = (Vec::new(), Vec::new(), Vec::new());
    for (condition, decided) in input.conditions.iter().zip(decisions(input, held.each)) {
        match judge(input, condition, (held, decided), &mut tests) {
            Ok((part, doubts)) => {
                parts.push(part);
                unsure.push(doubts);
            }
            Err(reason) => {
                return Ruling::invalid(format!("{}: {reason}", told(condition)));
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

/// The confidence of each interval, so that by launches all of them hold together, and what would hold in the family.
fn held(input: &Portability) -> Result<Held, String> {
    let alpha = 1.0 - input.confidence.get();
    let intervals = sides(input).filter(|side| side.failed.is_by_launch()).count().max(1);
    let each = alpha / intervals as f64;
    // One tail is the side's p value, and either end of the interval has half of what it leaves.
    let tests = 2 * input.conditions.len() + input.also_in_family.in_time();
    let in_family = each.min(2.0 * alpha / tests as f64);
    let of = |left: f64| Confidence::new(1.0 - left).map_err(|error| error.to_string());
    Ok(Held { each: of(each)?, in_family: of(in_family)? })
}

/// The p values by which it is decided: what it adds to the plan's family.
pub(in crate::verdict) fn portability_family(input: &Portability) -> Vec<Option<PValue>> {
    let Ok(held) = held(input) else { return Vec::new() };
    let asked = asked(input, held.each).into_iter().zip(&input.conditions);
    let of = |([outcome, latency], condition): ([Option<PValue>; 2], &Condition)| {
        let is_reached = input.ok_rate > 0.0 && input.crash_rate < 1.0;
        let by_launch = || both(condition).is_some_and(|sides| sides.iter().all(|side| side.failed.is_by_launch()));
        let later = || is_reached && by_launch();
        let outcome = (outcome.is_some() || later()).then_some(outcome);
        outcome.into_iter().chain(latency.map(Some)).collect::<Vec<_>>()
    };
    asked.flat_map(of).collect()
}

/// The tests of every condition: of its outcome, and of its means.
fn asked(input: &Portability, each: Confidence) -> Vec<[Option<PValue>; 2]> {
    let of = |condition: &Condition| {
        let Some(sides) = both(condition) else { return [None, None] };
        let are_ok = sides.iter().all(|side| side.failed.count.share().is_some_and(|rate| rate <= input.ok_rate));
        let latency = condition.latency.as_ref().filter(|_| are_ok).and_then(|it| it.p(input.similar_pct));
        [outcome_p(input, sides, each), latency]
    };
    input.conditions.iter().map(of).collect()
}

fn decisions(input: &Portability, each: Confidence) -> Vec<Decided> {
    let asked = asked(input, each);
    let own: Vec<Option<PValue>> = asked.into_iter().flatten().collect();
    let decided = InFamily::each(&own, &input.also_in_family, input.confidence);
    let of = |pair: &[Option<InFamily>]| Decided {
        outcome: pair.first().copied().flatten(),
        latency: pair.get(1).copied().flatten(),
    };
    decided.chunks(2).map(of).collect()
}

/// The p value of both sides having the classes that they seem to have: one that has not is enough. Nothing where launches are not
/// counted, or where no outcome of so many would show a class.
fn outcome_p(input: &Portability, sides: [&SideRows; 2], each: Confidence) -> Option<PValue> {
    let tail = (1.0 - each.get()) / 2.0;
    let of = |side: &SideRows| {
        let failed = side.failed;
        let shows = |hits: u64| p_of_class(input, Count { hits, ..failed.count }).is_some_and(|p| p.get() <= tail);
        let asks = failed.is_by_launch() && !failed.is_too_few() && (0..=failed.count.trials).any(shows);
        asks.then(|| p_of_class(input, failed.count)).flatten()
    };
    let [one, other] = [of(sides[0])?, of(sides[1])?];
    Some(if other.get() > one.get() { other } else { one })
}

/// The p value of the rate having another class than it seems to.
fn p_of_class(input: &Portability, count: Count) -> Option<PValue> {
    match class_of(input, count.share()?) {
        Class::Ok => count.p_below(input.ok_rate),
        Class::Crash => count.p_above(input.crash_rate),
        Class::Unstable => {
            let ends = [count.p_above(input.ok_rate)?, count.p_below(input.crash_rate)?];
            ends.into_iter().max_by(PValue::order)
        }
    }
}

fn class_of(input: &Portability, rate: f64) -> Class {
    match rate {
        rate if rate <= input.ok_rate => Class::Ok,
        rate if rate >= input.crash_rate => Class::Crash,
        _ => Class::Unstable,
    }
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
    (held, decided): (Held, Decided),
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
    let one = class(input, a, &input.sides[0], held, tests)?;
    let other = class(input, b, &input.sides[1], held, tests)?;
    let delta_pct = delta(a.mean_ms, b.mean_ms)?;
    let (label, why) = match (one.class, other.class) {
        (Class::Ok, Class::Ok) => match (&condition.latency, delta_pct) {
            (Some(latency), Some(_)) => {
                tests.extend(latency.test(&told(condition), decided.latency.as_ref()));
                latency.label(input.similar_pct, decided.latency.as_ref())
            }
            (None, Some(delta)) if delta.abs() < input.similar_pct => ("portable_similar_latency", None),
            (None, Some(_)) => ("portable_latency_shift", None),
            (_, None) => ("portable_latency_unknown", None),
        },
        (Class::Crash, Class::Crash) => ("confirmed_crash_both", None),
        (Class::Ok, Class::Crash) | (Class::Crash, Class::Ok) => ("flipped", None),
        (Class::Unstable, _) | (_, Class::Unstable) => ("unstable", None),
    };
    let rate = |side: &SideRows| side.failed.count.share().unwrap_or(f64::NAN);
    let part = Part::new(condition.key.clone(), label).number("rate_a", rate(a)).number("rate_b", rate(b));
    let part = delta_pct.into_iter().fold(part, |part, delta| part.number("mean_b_minus_a_pct", delta));
    let counted = a
        .failed
        .is_by_launch()
        .then(|| format!("{}: {}; {}: {}", input.sides[0], a.failed.told(), input.sides[1], b.failed.told()));
    let reasons: Vec<String> = counted.into_iter().chain(why).collect();
    let part = if reasons.is_empty() { part } else { part.because(reasons.join("; ")) };
    let mut unsure: Vec<Unsure> = one.unsure.into_iter().chain(other.unsure).collect();
    if let Some(decision) = decided.outcome.filter(|decision| unsure.is_empty() && !decision.rejected()) {
        let needed = |side: &SideRows, class| settled_by(input, side.failed, class, held.in_family);
        unsure.push(Unsure {
            told: format!("{}: the intervals bear out {label}, and {}", told(condition), decision.why_open()),
            settled_by: needed(a, one.class).and_then(|one| Ok(one.max(needed(b, other.class)?))),
        });
    }
    Ok((part, unsure))
}

/// The condition in words.
fn told(condition: &Condition) -> String {
    condition.key.values().map(String::as_str).collect::<Vec<_>>().join(" ")
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
    held: Held,
    tests: &mut Vec<RulingTest>,
) -> Result<Classed, String> {
    let interval = side.failed.count.exact(held.each)?;
    let of = |rate: f64| class_of(input, rate);
    tests.push(
        RulingTest::of(format!("Clopper-Pearson, rate of failed rows, {name} ({})", side.source))
            .estimating(interval.estimate, Some([interval.low, interval.high])),
    );
    let class = of(interval.estimate);
    let is_sure = of(interval.low) == class && of(interval.high) == class && !side.failed.is_too_few();
    let (low, high) = (round(interval.low), round(interval.high));
    let unsure = || Unsure {
        told: format!("{name} failed in {}, which leaves a rate from {low} to {high}", side.failed.told()),
        settled_by: settled_by(input, side.failed, class, held.in_family),
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
mod tests;
