//! CRI: how much of a compiled performance survives a change of stack.

use super::estimate::Estimate;
use super::rates::Count;
use super::{Part, Ruling, RulingTest};
use crate::verdict::rounding::round;

/// One stack on which the compiled path was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct StackPoint {
    /// The stack, for example `Triton 3.4.0`.
    pub stack: String,
    /// Compiled performance, larger is better, for example tok/s; absent where no repetition survived.
    pub performance: Option<Estimate>,
    /// Repetitions that survived, of those tried.
    pub survived: Count,
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
}

/// The worst point's loss against the best: `100 (1 - min / max)` over the stack points, which lies in 0 to 100.
///
/// Labels: `robust`, `sensitive`, `fragile`, `catastrophic`, each up to and including its edge; `inconclusive` where the
/// intervals of worst and best allow two classes (both named) or are not printed; `invalid`.
///
/// The report prints neither formula nor thresholds, and calls its classes undefined for a stack on which nothing
/// survives. Here a dead point has lost everything, so that beside two that live it makes the loss 100 % and the class
/// `catastrophic`: leaving it out would be judging the survivors, and a stack that crashes would look better than one that
/// is slow. With fewer than two living points the report's own answer holds, `invalid` with "need >= 2 stack points, got
/// k": the index compares performances, and there is at most one. Where that path dies is the crash boundary's to say.
#[must_use]
pub fn compile_robustness(input: &CompileRobustness) -> Ruling {
    rule(input)
        .resting_on(input.points.iter().flat_map(|point| &point.sources))
        .against("robust", input.robust_pct, "%")
        .against("sensitive", input.sensitive_pct, "%")
        .against("fragile", input.fragile_pct, "%")
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
        if survived.trials == 0 || survived.hits > survived.trials {
            return Ruling::invalid(format!(
                "on {stack} {} of {} repetitions survived",
                survived.hits, survived.trials
            ));
        }
        let part = |label| {
            let part = Part::of("stack", stack, label).number("survived", survived.hits as f64);
            part.number("tried", survived.trials as f64)
        };
        match (survived.hits, performance) {
            (0, None) => {
                dead.push(stack.as_str());
                parts.push(part("dead"));
            }
            (1.., Some(performance)) => {
                if let Some(fault) = fault(stack, performance) {
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
    conclude(input, &living, &dead).in_parts(parts).tested(tests)
}

fn fault(stack: &str, performance: &Estimate) -> Option<String> {
    let name = format!("the performance on {stack}");
    performance.fault(&name).or_else(|| {
        let low = performance.interval.map_or(performance.value, |[low, _]| low);
        (low <= 0.0).then(|| format!("{name} is, or may be, {low}, which must be positive"))
    })
}

fn conclude(input: &CompileRobustness, living: &[Estimate], dead: &[&str]) -> Ruling {
    if living.len() < 2 {
        let ruling = Ruling::invalid(format!("need >= 2 stack points, got {}", living.len()));
        return ruling.because_all((!dead.is_empty()).then(|| format!("nothing survived on {}", dead.join(", "))));
    }
    if !dead.is_empty() {
        return Ruling::decided("catastrophic").because(format!(
            "nothing survived on {}, where {} other stacks ran: the loss is 100 %",
            dead.join(", "),
            living.len()
        ));
    }
    let span = |ends: &dyn Fn(&Estimate) -> Option<f64>| -> Option<[f64; 2]> {
        let values: Vec<f64> = living.iter().map(ends).collect::<Option<_>>()?;
        Some([values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max)])
    };
    let loss = |worst: f64, best: f64| (100.0 * (1.0 - worst / best)).max(0.0);
    let Some([worst, best]) = span(&|point| Some(point.value)) else { return Ruling::invalid("no point was given") };
    let seen = loss(worst, best);
    let told = format!("the worst stack has {} % less than the best", round(seen));
    let (Some([low_worst, low_best]), Some([high_worst, high_best])) =
        (span(&|point| Some(point.interval?[0])), span(&|point| Some(point.interval?[1])))
    else {
        return Ruling::inconclusive(told)
            .because(format!("the values alone are {}, but a point has no interval", class(input, seen)));
    };
    // The least loss has every point as near to the others as its interval lets it, the greatest as far.
    let (least, most) = (loss(high_worst, low_best), loss(low_worst, high_best));
    let (from, to) = (class(input, least), class(input, most));
    let test = RulingTest::of("loss of the worst stack against the best, %").estimating(seen, Some([least, most]));
    let ruling = if from == to {
        Ruling::decided(from).because(told)
    } else {
        Ruling::inconclusive(told).because(format!(
            "the intervals allow a loss from {} to {} %: {from} or up to {to}",
            round(least),
            round(most)
        ))
    };
    ruling.tested([test])
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::rules::Standing;

    fn point(performance: Option<(f64, Option<[f64; 2]>)>) -> StackPoint {
        StackPoint {
            stack: "stack".to_owned(),
            performance: performance.map(|(value, interval)| Estimate { value, interval, launches: None }),
            survived: Count { hits: if performance.is_some() { 5 } else { 0 }, trials: 5 },
            sources: vec!["row".to_owned()],
        }
    }

    fn ruled(points: Vec<StackPoint>) -> Ruling {
        compile_robustness(&CompileRobustness { points, robust_pct: 5.0, sensitive_pct: 20.0, fragile_pct: 50.0 })
    }

    fn exact(values: &[f64]) -> Vec<StackPoint> {
        values.iter().map(|value| point(Some((*value, Some([*value, *value]))))).collect()
    }

    #[test]
    fn each_class_holds_its_upper_edge() {
        let at = |worst: f64| ruled(exact(&[128.0, worst, 128.0])).label;
        let edge = |loss: f64| 128.0 * (1.0 - loss / 100.0);
        assert_eq!(at(127.0), "robust");
        assert_eq!([edge(20.0), edge(50.0)].map(at), ["sensitive", "fragile"]);
        assert_eq!(
            [edge(5.1), edge(20.1), edge(50.1), 1e-9].map(at),
            ["sensitive", "fragile", "catastrophic", "catastrophic"]
        );
    }

    #[test]
    fn fewer_than_two_living_points_are_invalid_in_the_reports_words() {
        // TR147 SS11.2: no compiled repetition on any of three Triton versions.
        let none = ruled(vec![point(None), point(None), point(None)]);
        assert_eq!((none.label.as_str(), none.reasons[0].as_str()), ("invalid", "need >= 2 stack points, got 0"));
        let mut one = exact(&[100.0]);
        one.push(point(None));
        assert_eq!(ruled(one).reasons[0], "need >= 2 stack points, got 1");
        assert_eq!(ruled(vec![]).standing, Standing::Invalid);
    }

    #[test]
    fn a_stack_on_which_nothing_survives_beside_two_that_run_is_catastrophic() {
        let mut points = exact(&[100.0, 100.0]);
        points.push(point(None));
        let ruling = ruled(points);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("catastrophic", Standing::Decided));
    }

    #[test]
    fn intervals_that_allow_two_classes_leave_it_open_and_so_does_a_missing_one() {
        let wide = ruled(vec![point(Some((100.0, Some([95.0, 105.0])))), point(Some((96.0, Some([91.0, 101.0]))))]);
        assert_eq!(wide.standing, Standing::Inconclusive);
        assert!(wide.reasons[1].ends_with("robust or up to sensitive"), "{:?}", wide.reasons);
        let printed = ruled(vec![point(Some((100.0, None))), point(Some((96.0, Some([91.0, 101.0]))))]);
        assert!(printed.reasons[1].starts_with("the values alone are robust"), "{:?}", printed.reasons);
    }

    #[test]
    fn survivors_without_a_number_and_edges_that_fall_are_invalid() {
        let mut odd = point(None);
        odd.survived.hits = 2;
        assert_eq!(ruled(vec![odd, point(Some((1.0, None)))]).standing, Standing::Invalid);
        for (robust, sensitive, fragile) in [(0.0, 1.0, 2.0), (5.0, 5.0, 6.0), (5.0, 6.0, 100.0), (f64::NAN, 6.0, 7.0)]
        {
            let input = CompileRobustness {
                points: exact(&[1.0, 2.0]),
                robust_pct: robust,
                sensitive_pct: sensitive,
                fragile_pct: fragile,
            };
            assert_eq!(compile_robustness(&input).standing, Standing::Invalid, "{robust} {sensitive} {fragile}");
        }
    }

    proptest! {
        #[test]
        fn any_number_has_a_ruling(
            values in prop::collection::vec(proptest::num::f64::ANY, 0..4),
            ends in [proptest::num::f64::ANY, proptest::num::f64::ANY],
        ) {
            let points: Vec<StackPoint> = values.iter().map(|value| point(Some((*value, Some(ends))))).collect();
            prop_assert!(!ruled(points).reasons.is_empty());
            prop_assert!(!ruled(exact(&values)).reasons.is_empty());
        }

        #[test]
        fn a_greater_loss_is_never_a_milder_class(mut worst in prop::collection::vec(0.01..100.0_f64, 2..20)) {
            worst.sort_by(f64::total_cmp);
            let order = ["catastrophic", "fragile", "sensitive", "robust"];
            let places: Vec<usize> = worst
                .iter()
                .map(|worst| {
                    let label = ruled(exact(&[100.0, *worst])).label;
                    order.iter().position(|class| *class == label).expect("a class")
                })
                .collect();
            prop_assert!(places.is_sorted(), "{places:?}");
        }
    }
}
