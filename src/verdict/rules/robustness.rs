//! CRI: how much of a compiled performance survives a change of stack.

use super::estimate::{Estimate, InFamily, Levels, OtherTests};
use super::loss::{StackMean, loss_pct, p_of_class, repetitions_to_settle, span_pct, together};
use super::rates::{Count, Tally, unit_told};
use super::{Part, Ruling, RulingTest};
use crate::stats::{Confidence, PValue, Power};
use crate::verdict::rounding::round;

/// One stack on which the compiled path was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct StackPoint {
    /// The stack, for example `Triton 3.4.0`.
    pub stack: String,
    /// Compiled performance, larger is better, for example tok/s; absent where no repetition survived.
    pub performance: Option<Estimate>,
    /// What its interval was formed from, where that is known.
    pub measured: Option<StackMean>,
    /// Repetitions or launches that survived, of those tried.
    pub survived: Tally,
    /// The rows.
    pub sources: Vec<String>,
}

/// Stack points, and the largest loss of each class.
#[derive(Debug, Clone, PartialEq)]
pub struct CompileRobustness {
    /// The points; all else is the same at each.
    pub points: Vec<StackPoint>,
    /// `robust` up to this loss, in percent of the best point.
    pub robust_pct: f64,
    /// `sensitive` up to this one.
    pub sensitive_pct: f64,
    /// `fragile` up to this one, `catastrophic` beyond; below 100.
    pub fragile_pct: f64,
    /// Confidence that the intervals of performances hold at together, and those of survival by launches.
    pub confidence: Confidence,
    /// Power that the stated number of repetitions is to have; absent where the plan states none, and then no number is told.
    pub power: Option<Power>,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// The worst point's loss against the best: `100 (1 - min / max)` over the stack points, which lies in 0 to 100.
///
/// Labels: `robust`, `sensitive`, `fragile`, `catastrophic`, each up to and including its edge; `inconclusive` where the
/// intervals of worst and best allow two classes (both named), with the repetitions of each stack that would settle it, or are
/// not printed, or where the family is too large for them to decide; `invalid`.
///
/// Which stack is the worst is not known beforehand, so that the intervals of all have to hold together: each is at its share of
/// the level (Bonferroni). The least level at which they allow one class alone is the class' p value, one of the plan's family:
/// adjusted (Holm) over it, it must not be above the level. A dead stack of repetitions is a count, and no test of the family.
///
/// The report prints neither formula nor thresholds, and calls its classes undefined for a stack on which nothing
/// survives. Here a dead point has lost everything, so that beside two that live it makes the loss 100 % and the class
/// `catastrophic`: leaving it out would be judging the survivors, and a stack that crashes would look better than one that
/// is slow. With fewer than two living points the report's own answer holds, `invalid` with "need >= 2 stack points, got
/// k": the index compares performances, and there is at most one. Where that path dies is the crash boundary's to say.
///
/// By launches a stack is dead where none survived whole, and a launch to come may. A launch that does not survive is taken to
/// perform nothing, and one that does no better than the best stack: so the loss of a dead stack is at least what the upper end of
/// the exact interval of survival leaves, all stacks' intervals holding together (Bonferroni). Each stack is a test of
/// the plan's family, whatever came of it, that its survival is not so rare as to lose more than `fragile`: the probability that
/// no more launches survive if it were just that, adjusted (Holm) over the family, must not be above the level. One of so few
/// launches that it never is asks nothing. The class is `catastrophic` where that holds of a dead one, and else `inconclusive`,
/// with the launches that would bear it out; fewer than three launches of any stack leave it open, too, and so does a stack of
/// whose launches some were lost: what the others performed is of survivors alone.
#[must_use]
pub fn compile_robustness(input: &CompileRobustness) -> Ruling {
    rule(input)
        .resting_on(input.points.iter().flat_map(|point| &point.sources))
        .against("robust", input.robust_pct, "%")
        .against("sensitive", input.sensitive_pct, "%")
        .against("fragile", input.fragile_pct, "%")
        .against("confidence", input.confidence.get(), "share")
        .against_some("power", input.power.map(Power::get), "share")
}

/// The p values by which it is decided: what it adds to the plan's family.
pub(in crate::verdict) fn robustness_family(input: &CompileRobustness) -> Vec<Option<PValue>> {
    let by_launch = input.points.iter().filter(|point| point.survived.is_by_launch());
    let of_survival = by_launch.map(|point| survival_p(input, point));
    robustness_p(input).map(Some).into_iter().chain(of_survival).collect()
}

/// How many stacks are counted by launch: chosen by what was tried, not by what came of it.
fn by_launch(input: &CompileRobustness) -> usize {
    input.points.iter().filter(|point| point.survived.is_by_launch()).count()
}

/// The share of launches whose survival loses just `fragile`.
fn fragile_survival(input: &CompileRobustness) -> f64 {
    1.0 - input.fragile_pct / 100.0
}

/// The test of the stack's survival; nothing where so few launches never show its loss to be that large.
fn survival_p(input: &CompileRobustness, point: &StackPoint) -> Option<PValue> {
    let StackPoint { survived, .. } = point;
    let tail = (1.0 - input.confidence.get()) / (2.0 * by_launch(input) as f64);
    let none = Count { hits: 0, ..survived.count }.p_below(fragile_survival(input))?;
    let asks = survived.is_by_launch() && survived.count.trials > 0 && !survived.is_too_few() && none.get() <= tail;
    asks.then(|| survived.count.p_below(fragile_survival(input))).flatten()
}

/// A stack of whose launches some were lost, and not all.
fn survived_in_part(input: &CompileRobustness) -> Option<&StackPoint> {
    let in_part = |Count { hits, trials }: Count| hits > 0 && hits < trials;
    input.points.iter().find(|point| point.survived.is_by_launch() && in_part(point.survived.count))
}

/// The p value of the class that the values lie in. Nothing where no interval decides.
fn robustness_p(input: &CompileRobustness) -> Option<PValue> {
    let living = living(input)?;
    let values = living.iter().map(|(value, _)| *value);
    let worst = values.clone().fold(f64::INFINITY, f64::min);
    let of = class(input, loss_pct(worst, values.fold(0.0, f64::max)));
    let measured: Vec<StackMean> = living.into_iter().map(|(_, measured)| measured).collect();
    p_of_class(&measured, |span| span.map(|loss| class(input, loss)) == [of; 2])
}

/// The performances and what they were read from, where two stacks live, none is dead, and every spread is known.
fn living(input: &CompileRobustness) -> Option<Vec<(f64, StackMean)>> {
    let of = |point: &StackPoint| {
        let performance = point.performance.filter(|_| point.survived.count.hits > 0)?;
        fault(&point.stack, &performance, true).is_none().then_some((performance.value, point.measured?))
    };
    input.points.iter().map(of).collect::<Option<Vec<_>>>().filter(|living| living.len() >= 2)
}

fn rule(input: &CompileRobustness) -> Ruling {
    let edges = [0.0, input.robust_pct, input.sensitive_pct, input.fragile_pct, 100.0];
    if !edges.windows(2).all(|pair| matches!(pair, [one, other] if one < other)) {
        return Ruling::invalid(format!(
            "the classes end at losses of {}, {} and {} %; they must rise within 0 to 100",
            input.robust_pct, input.sensitive_pct, input.fragile_pct
        ));
    }
    let (mut living, mut dead, mut parts, mut tests) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for point in &input.points {
        let StackPoint { stack, performance, survived, .. } = point;
        let count = survived.count;
        if (count.trials == 0 && !survived.is_by_launch()) || count.hits > count.trials {
            return Ruling::invalid(format!("on {stack} {} of {} repetitions survived", count.hits, count.trials));
        }
        let part = |label| {
            let part = Part::of("stack", stack, label).number("survived", count.hits as f64);
            survived.beside(part.number("tried", count.trials as f64))
        };
        match (count.hits, performance) {
            (0, None) => {
                dead.push(point);
                parts.push(part("dead"));
            }
            // Some attempts of a launch that did not survive whole.
            (0, Some(_)) if survived.is_by_launch() => {
                dead.push(point);
                parts.push(part("dead"));
            }
            (1.., Some(performance)) => {
                if let Some(fault) = fault(stack, performance, point.measured.is_some()) {
                    return Ruling::invalid(fault);
                }
                living.push(*performance);
                parts.push(part("living").number("performance", performance.value));
                tests.push(
                    RulingTest::of(format!("confidence interval, performance on {stack}"))
                        .estimating(performance.value, performance.interval),
                );
            }
            _ => {
                return Ruling::invalid(format!(
                    "on {stack} survivors and performance do not agree: one is given without the other"
                ));
            }
        }
    }
    let unit = unit_told(input.points.iter().map(|point| point.survived));
    conclude(input, &living, &dead).because_all(unit).in_parts(parts).tested(tests)
}

/// An interval that was formed from a mean may reach down to 0, or have no bound: then the rows cannot tell, and more of them
/// might. A stated one may not.
fn fault(stack: &str, performance: &Estimate, is_formed: bool) -> Option<String> {
    let name = format!("the performance on {stack}");
    let stated = Estimate { interval: performance.interval.filter(|_| !is_formed), ..*performance };
    stated.fault(&name).or_else(|| {
        let low = stated.interval.map_or(performance.value, |[low, _]| low);
        (low <= 0.0).then(|| format!("{name} is, or may be, {low}, which must be positive"))
    })
}

fn conclude(input: &CompileRobustness, living: &[Estimate], dead: &[&StackPoint]) -> Ruling {
    let names = dead.iter().map(|point| point.stack.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(point) = input.points.iter().find(|point| point.survived.is_too_few()) {
        let told = format!("{} survived in {}: too few launches decide nothing", point.stack, point.survived.told());
        let of_dead = (!dead.is_empty()).then(|| of_dead(input, living.len(), dead).settled_by).flatten();
        return Ruling::inconclusive(told).settled_by(of_dead.max(Some(point.survived.at_least())));
    }
    if living.len() < 2 {
        let ruling = Ruling::invalid(format!("need >= 2 stack points, got {}", living.len()));
        return ruling.because_all((!dead.is_empty()).then(|| format!("nothing survived on {names}")));
    }
    if !dead.is_empty() && !dead.iter().any(|point| point.survived.is_by_launch()) {
        return Ruling::decided("catastrophic").because(format!(
            "nothing survived on {names}, where {} other stacks ran: the loss is 100 %",
            living.len()
        ));
    }
    match survived_in_part(input) {
        _ if !dead.is_empty() => of_dead(input, living.len(), dead),
        Some(StackPoint { stack, survived, .. }) => Ruling::inconclusive(format!(
            "on {stack} {} survived: what they performed is of survivors alone, and no sample of the stack",
            survived.told()
        )),
        None => of_living(input, living),
    }
}

/// What launches of which none survived whole say of the loss.
fn of_dead(input: &CompileRobustness, living: usize, dead: &[&StackPoint]) -> Ruling {
    let each = Confidence::new(1.0 - (1.0 - input.confidence.get()) / by_launch(input) as f64);
    let each = match each {
        Ok(each) => each,
        Err(error) => return Ruling::invalid(error.to_string()),
    };
    let own: Vec<Option<PValue>> = input.points.iter().map(|point| survival_p(input, point)).collect();
    let decisions = InFamily::each(&own, &input.also_in_family, input.confidence);
    let of_point = input.points.iter().zip(decisions);
    let decisions: Vec<Option<InFamily>> =
        of_point.filter(|(point, _)| dead.iter().any(|dead| std::ptr::eq(*dead, *point))).map(|(_, it)| it).collect();
    // One tail is the stack's p value, and either end of the interval has half of what it leaves.
    let tests_in_family = (by_launch(input) + input.also_in_family.in_time()) as f64;
    let to_settle = (2.0 * (1.0 - input.confidence.get()) / tests_in_family).min(1.0 - each.get());
    let (mut shown, mut told, mut needed, mut tests) = (false, Vec::new(), Vec::new(), Vec::new());
    for (StackPoint { stack, survived, .. }, decision) in dead.iter().zip(&decisions) {
        let interval = match survived.count.exact(each) {
            Ok(interval) => interval,
            Err(reason) => return Ruling::invalid(format!("{stack}: {reason}")),
        };
        let loss = 100.0 * (1.0 - interval.high);
        let is_lost = class(input, loss) == "catastrophic";
        shown |= is_lost && decision.as_ref().is_some_and(InFamily::rejected);
        let only_alone = decision.as_ref().filter(|decision| is_lost && !decision.rejected());
        let chance = only_alone.map_or_else(String::new, |decision| format!("; {}", decision.why_open()));
        told.push(format!("on {stack} {} survived: a loss of at least {} %{chance}", survived.told(), round(loss)));
        let level = Confidence::new(1.0 - to_settle).ok();
        needed.push(level.and_then(|level| survived.count.trials_to_settle(fragile_survival(input), level)));
        let test = RulingTest::of(format!("Clopper-Pearson, share of launches that survive on {stack}"));
        let test = test.estimating(interval.estimate, Some([interval.low, interval.high]));
        tests.push(decision.as_ref().map_or(test.clone(), |decision| decision.on(test)));
    }
    let ruling = match shown {
        true => Ruling::decided("catastrophic").because(format!("{living} other stacks ran")),
        false => Ruling::inconclusive(format!(
            "no launch survived on {} stacks where {living} others ran, and too few launches show a loss of more than {} %",
            dead.len(),
            input.fragile_pct
        ))
        .settled_by(needed.into_iter().flatten().min()),
    };
    let taken =
        "a launch that does not survive is taken to perform nothing, and one that does no better than the best stack";
    ruling.because_all(told).because(taken).tested(tests)
}

/// The worst of the stacks that ran against the best.
fn of_living(input: &CompileRobustness, performances: &[Estimate]) -> Ruling {
    let values = performances.iter().map(|performance| performance.value);
    let seen = loss_pct(values.clone().fold(f64::INFINITY, f64::min), values.fold(0.0, f64::max));
    let told = format!("the worst stack has {} % less than the best", round(seen));
    let intervals: Option<Vec<[f64; 2]>> = performances.iter().map(|performance| performance.interval).collect();
    let Some([least, most]) = intervals.and_then(|intervals| span_pct(&intervals)) else {
        return Ruling::inconclusive(told)
            .because(format!("the values alone are {}, but a point has no interval", class(input, seen)))
            .because("how many repetitions would settle it cannot be told without one");
    };
    let (from, to) = (class(input, least), class(input, most));
    let decision = robustness_p(input).and_then(|p| InFamily::of(p, &input.also_in_family, input.confidence));
    let ruling = match &decision {
        _ if from != to => settled(
            input,
            decision.as_ref(),
            Ruling::inconclusive(told).because(format!(
                "the intervals allow a loss from {} to {} %: {from} or up to {to}",
                round(least),
                round(most)
            )),
        ),
        Some(decision) if !decision.holds() => settled(
            input,
            Some(decision),
            Ruling::inconclusive(told)
                .because(format!("the intervals allow {from} alone, and {}", decision.why_open())),
        ),
        _ => Ruling::decided(from).because(told),
    };
    let test = RulingTest::of("loss of the worst stack against the best, %").estimating(seen, Some([least, most]));
    ruling.tested([decision.map_or(test.clone(), |decision| decision.on(test))])
}

/// An open ruling with the repetitions that would settle it in a family of that size, or why none is told.
fn settled(input: &CompileRobustness, decision: Option<&InFamily>, ruling: Ruling) -> Ruling {
    let (Some(power), Some(living)) = (input.power, living(input)) else {
        return ruling.because(
            "how many repetitions would settle it cannot be told: the plan states no power, or a stack no spread",
        );
    };
    let measured: Vec<StackMean> = living.into_iter().map(|(_, measured)| measured).collect();
    let levels = Levels { confidence: input.confidence, power }.over(decision.map_or(1, |decision| decision.in_time));
    let is_one = |[least, most]: [f64; 2]| class(input, least) == class(input, most);
    match levels.and_then(|levels| repetitions_to_settle(&measured, levels, is_one)) {
        Some(repetitions) => ruling.settled_by(Some(repetitions)),
        None => ruling.because("no number of repetitions would settle it: the loss lies on the edge of a class"),
    }
}

/// The intervals of performances that hold together at a confidence, in the order of what was measured; nothing where one has no
/// spread.
pub(in crate::verdict) fn intervals_together(measured: &[StackMean], confidence: Confidence) -> Option<Vec<[f64; 2]>> {
    together(measured, 1.0 - confidence.get())
}

fn class(input: &CompileRobustness, loss: f64) -> &'static str {
    match loss {
        loss if loss <= input.robust_pct => "robust",
        loss if loss <= input.sensitive_pct => "sensitive",
        loss if loss <= input.fragile_pct => "fragile",
        _ => "catastrophic",
    }
}

#[cfg(test)]
mod tests;
