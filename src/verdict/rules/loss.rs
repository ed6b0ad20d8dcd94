//! The loss of the worst of several stacks against the best, at any level: its interval, the p value of its class, and how many
//! repetitions would settle it.

use super::estimate::Levels;
use crate::stats::distribution::student_t_upper_quantile;
use crate::stats::{Alpha, Effect, PValue, Power};

/// The mean that a performance is read from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StackMean {
    /// The mean with its standard error and degrees of freedom.
    pub mean: Effect,
    /// Whether it is a time, in milliseconds, of which the performance is the inverse, per second.
    pub is_time: bool,
}

/// Repetitions beyond which no number is looked for.
const MOST: u64 = 1_000_000;

/// Decimal logarithms of levels between which a p value is looked for, and how often the span is halved: to below the digits that
/// a ruling prints.
const SPAN: (f64, u32) = (-300.0, 64);

/// The loss in percent: `100 (1 - worst / best)`.
pub(super) fn loss_pct(worst: f64, best: f64) -> f64 {
    if best > 0.0 { (100.0 * (1.0 - worst / best)).clamp(0.0, 100.0) } else { 0.0 }
}

/// The least and the greatest loss that the performances' intervals allow: the least has every stack as near to the others as its
/// interval lets it, the greatest as far. Nothing without two of them.
pub(super) fn span_pct(intervals: &[[f64; 2]]) -> Option<[f64; 2]> {
    if intervals.len() < 2 {
        return None;
    }
    let lowest = |end: usize| intervals.iter().map(|ends| ends[end]).fold(f64::INFINITY, f64::min);
    let highest = |end: usize| intervals.iter().map(|ends| ends[end]).fold(0.0, f64::max);
    Some([loss_pct(lowest(1), highest(0)), loss_pct(lowest(0), highest(1))])
}

impl StackMean {
    fn repetitions(&self) -> f64 {
        self.mean.df() + 1.0
    }

    /// The performance's interval where the mean may lie so many standard errors to either side. A time that may be 0 stands for
    /// a performance without bound.
    fn within(&self, reach: f64) -> [f64; 2] {
        let (mean, aside) = (self.mean.difference(), reach * self.mean.se());
        let (low, high) = ((mean - aside).max(0.0), mean + aside);
        if self.is_time { [1e3 / high, if low > 0.0 { 1e3 / low } else { f64::INFINITY }] } else { [low, high] }
    }
}

/// The intervals at a level that they hold at together: each at its share of it (Bonferroni).
pub(super) fn together(stacks: &[StackMean], alpha: f64) -> Option<Vec<[f64; 2]>> {
    let tail = alpha / (2.0 * stacks.len() as f64);
    stacks.iter().map(|stack| Some(stack.within(student_t_upper_quantile(tail, stack.mean.df()).ok()?))).collect()
}

/// The p value of the loss being of another class than it seems: the least level at which the intervals, holding together, allow
/// no other. They hold all true values but for that level, and what they shut out is false at most that often, so that it is a
/// p value. `is_one` says whether a span of losses is of one class.
pub(super) fn p_of_class(stacks: &[StackMean], is_one: impl Fn([f64; 2]) -> bool) -> Option<PValue> {
    let decides = |log10: f64| {
        let spans = together(stacks, libm::exp10(log10)).and_then(|intervals| span_pct(&intervals));
        spans.is_some_and(&is_one)
    };
    if !decides(0.0) {
        return PValue::new(1.0).ok();
    }
    let (mut open, mut decided) = (SPAN.0, 0.0);
    if decides(open) {
        return PValue::from_decimal_log(open).ok();
    }
    for _ in 0..SPAN.1 {
        let middle = f64::midpoint(open, decided);
        if decides(middle) {
            decided = middle;
        } else {
            open = middle;
        }
    }
    PValue::from_decimal_log(decided).ok()
}

/// Repetitions of each stack with which the loss would be of one class, if all means and their scatter are what they seem: every
/// interval is taken so much wider that it holds its place with the power (the sum of both quantiles, as in any sample size for
/// means). Nothing where no number does, because the loss lies on an edge.
pub(super) fn repetitions_to_settle(
    stacks: &[StackMean],
    levels: Levels,
    is_one: impl Fn([f64; 2]) -> bool,
) -> Option<u64> {
    let alpha = Alpha::new(1.0 - levels.confidence.get()).ok()?;
    let with = |repetitions: u64| {
        let found = stacks.iter().map(|stack| within_with(stack, repetitions, (alpha, stacks.len()), levels.power));
        let intervals: Option<Vec<[f64; 2]>> = found.collect();
        intervals.and_then(|intervals| span_pct(&intervals)).is_some_and(&is_one)
    };
    let most = stacks.iter().map(StackMean::repetitions).fold(1.0, f64::max) as u64;
    let (mut short, mut enough) = (most, (2 * most).min(MOST));
    while !with(enough) {
        if enough == MOST {
            return None;
        }
        (short, enough) = (enough, (2 * enough).min(MOST));
    }
    while enough - short > 1 {
        let middle = short + (enough - short) / 2;
        if with(middle) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Some(enough)
}

/// The performance's interval with so many repetitions, widened by the power.
fn within_with(stack: &StackMean, repetitions: u64, (alpha, stacks): (Alpha, usize), power: Power) -> Option<[f64; 2]> {
    let df = repetitions as f64 - 1.0;
    let level = student_t_upper_quantile(alpha.get() / (2.0 * stacks as f64), df).ok()?;
    let kept = student_t_upper_quantile(1.0 - power.get(), df).ok()?;
    Some(stack.within((level + kept) * (stack.repetitions() / repetitions as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Confidence;

    fn rate(mean: f64, se: f64, n: u64) -> StackMean {
        StackMean { mean: Effect::new(mean, se, n as f64 - 1.0).expect("an effect"), is_time: false }
    }

    fn levels() -> Levels {
        Levels { confidence: Confidence::new(0.95).expect("a level"), power: Power::new(0.8).expect("a power") }
    }

    #[test]
    fn the_span_of_losses_is_that_of_the_nearest_and_the_farthest_ends() {
        let found = span_pct(&[[95.0, 105.0], [76.0, 84.0]]).expect("two stacks");
        assert_eq!(found, [loss_pct(84.0, 95.0), loss_pct(76.0, 105.0)]);
        assert_eq!(span_pct(&[[90.0, 110.0], [95.0, 105.0]]).expect("two stacks")[0], 0.0, "they overlap");
        assert_eq!(span_pct(&[[1.0, 2.0]]), None);
        assert_eq!([loss_pct(1.0, 0.0), loss_pct(0.0, 2.0), loss_pct(3.0, 2.0)], [0.0, 100.0, 0.0]);
    }

    #[test]
    fn a_time_is_turned_into_a_rate_with_its_ends_swapped() {
        let time = StackMean { is_time: true, ..rate(10.0, 1.0, 5) };
        assert_eq!(time.within(2.0), [1e3 / 12.0, 125.0]);
        assert_eq!(time.within(11.0)[1], f64::INFINITY);
        assert_eq!(rate(10.0, 1.0, 5).within(11.0)[0], 0.0, "no rate is below 0");
    }

    #[test]
    fn the_p_value_of_a_class_is_the_level_at_which_the_intervals_just_allow_no_other() {
        // The best is known exactly enough, so that the worst's own interval decides: a loss of 10 % against an edge of 20 %.
        let stacks = [rate(100.0, 1e-9, 5), rate(90.0, 3.0, 5)];
        let is_one = |[_, most]: [f64; 2]| most <= 20.0;
        let p = p_of_class(&stacks, is_one).expect("a p").get();
        // t = 10 / 3 with 4 degrees of freedom: 2 sf(3.3333) = 0.0290; two stacks share the level.
        assert!((p - 0.058_0).abs() < 2e-4, "{p}");
        let at = |alpha: f64| is_one(span_pct(&together(&stacks, alpha).expect("intervals")).expect("a span"));
        assert!(at(p * 1.001) && !at(p * 0.999));
        assert_eq!(p_of_class(&stacks, |_| false).map(PValue::get), Some(1.0));
        assert!(p_of_class(&stacks, |_| true).expect("a p").get() < 1e-299);
    }

    #[test]
    fn repetitions_that_settle_a_class_are_the_fewest_with_which_widened_intervals_hold_one() {
        let stacks = [rate(100.0, 2.0, 5), rate(90.0, 2.0, 5)];
        let is_one = |[least, most]: [f64; 2]| least > 5.0 && most <= 20.0;
        let needed = repetitions_to_settle(&stacks, levels(), is_one).expect("a number");
        let alpha = Alpha::new(0.05).expect("a level");
        let holds = |n: u64| {
            let intervals: Vec<[f64; 2]> =
                stacks.iter().filter_map(|stack| within_with(stack, n, (alpha, 2), levels().power)).collect();
            is_one(span_pct(&intervals).expect("a span"))
        };
        assert!(needed > 5 && holds(needed) && !holds(needed - 1), "{needed}");
        assert_eq!(repetitions_to_settle(&stacks, levels(), |_| false), None, "no number settles a loss on an edge");
        let surer = Levels { power: Power::new(0.95).expect("a power"), ..levels() };
        assert!(repetitions_to_settle(&stacks, surer, is_one) > Some(needed));
    }
}
