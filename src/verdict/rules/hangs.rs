//! The hang ledger: which shapes that hung before run through now, and which that ran through before do not.

use std::collections::BTreeMap;

use super::Cells;
use super::ruling::{Part, Ruling, RulingTest, Standing};
use crate::stats::{Confidence, Proportion, clopper_pearson};

/// A shape that was tried before and now, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// What tells it from others.
    pub key: BTreeMap<String, String>,
    /// The row it stands in.
    pub source: String,
    /// Whether it hung or failed before.
    pub hung_before: bool,
    /// What came of it now.
    pub state: ShapeState,
    /// Wall time before, in milliseconds; absent where there was no timing.
    pub baseline_wall_ms: Option<f64>,
    /// Wall time now, in milliseconds.
    pub wall_ms: Option<f64>,
    /// What it is counted with, for example its workload; empty where it is not grouped.
    pub group: String,
}

/// What came of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShapeState {
    /// It ran through: every request answered, wall time recorded, and tokens where they are told of.
    Resolved,
    /// It hung or failed: neither recorded.
    Unresolved,
    /// Its outcome and its numbers disagree.
    Contradictory,
}

/// Counts the shapes, in all and by group.
///
/// Labels: `all_resolved`, `some_resolved`, `none_resolved`, `none_hung`, `new_hangs`, `contradictory`. Each is a count of the
/// shapes that were tried, and says nothing of others: it has no p value, and the plan's family, however large, makes it no less
/// true. The interval of the share stands beside it and decides nothing. From which rate on an axis hangs is the boundary's to say,
/// which is tested.
#[must_use]
pub fn hang_ledger(shapes: &[Shape], cells: Cells, confidence: Confidence) -> Ruling {
    if shapes.is_empty() {
        return Ruling::invalid("no hang shape was attempted, so there is no rate");
    }
    let hung: Vec<&Shape> = shapes.iter().filter(|shape| shape.hung_before).collect();
    let resolved = hung.iter().filter(|shape| shape.state == ShapeState::Resolved).count();
    let new = shapes.iter().filter(|shape| !shape.hung_before && shape.state == ShapeState::Unresolved).count();
    let contradictory = shapes.iter().filter(|shape| shape.state == ShapeState::Contradictory).count();
    let ruling = if contradictory > 0 {
        let label = Ruling::new("contradictory", Standing::Inconclusive);
        label.because(format!("{contradictory} shapes have an outcome that their own numbers deny"))
    } else {
        Ruling::decided(match (new, resolved) {
            (1.., _) => "new_hangs",
            _ if hung.is_empty() => "none_hung",
            (_, 0) => "none_resolved",
            (_, all) if all == hung.len() => "all_resolved",
            _ => "some_resolved",
        })
    };
    let mut groups: BTreeMap<&str, Vec<&Shape>> = BTreeMap::new();
    for shape in shapes {
        groups.entry(&shape.group).or_default().push(shape);
    }
    ruling
        .because_all(counted(shapes, &hung, resolved, new))
        .resting_on(shapes.iter().map(|shape| &shape.source))
        .tested(resolution(hung, cells, confidence))
        .against("confidence", confidence.get(), "share")
        .in_parts(shapes.iter().map(shape_part))
        .in_parts(groups.into_iter().map(|(group, shapes)| group_part(group, &shapes)))
}

/// The counts in words.
fn counted(shapes: &[Shape], hung: &[&Shape], resolved: usize, new: usize) -> Vec<String> {
    let mut told = Vec::new();
    if hung.is_empty() {
        told.push(format!("none of {} shapes hung or failed before, so there is nothing to resolve", shapes.len()));
    } else {
        let untimed = hung.iter().filter(|shape| shape.baseline_wall_ms.is_none()).count();
        told.push(format!("{resolved}/{} shapes are resolved", hung.len()));
        told.push(format!("{untimed} of them had no timing before, so no speed-up of theirs can be stated"));
    }
    let ran_before = shapes.len() - hung.len();
    if ran_before > 0 {
        told.push(format!("{new} of {ran_before} shapes that ran through before hang or fail now"));
    }
    told
}

/// The share of shapes that are resolved, with its exact interval where they stand for replicates of one another.
pub(super) fn resolution<'a>(
    shapes: impl IntoIterator<Item = &'a Shape>,
    cells: Cells,
    confidence: Confidence,
) -> Option<RulingTest> {
    if cells == Cells::Different {
        return None;
    }
    let resolved: Vec<bool> = shapes.into_iter().map(|shape| shape.state == ShapeState::Resolved).collect();
    let interval = Proportion::new(resolved.iter().filter(|resolved| **resolved).count() as u64, resolved.len() as u64)
        .and_then(|proportion| clopper_pearson(proportion, confidence))
        .ok()?;
    let test = RulingTest::of("share of hang shapes resolved (Clopper-Pearson)");
    Some(test.estimating(interval.estimate, Some([interval.low, interval.high])))
}

fn shape_part(shape: &Shape) -> Part {
    let label = match (shape.state, shape.hung_before) {
        (ShapeState::Resolved, true) => "resolved",
        (ShapeState::Resolved, false) => "ran_through",
        (ShapeState::Unresolved, true) => "unresolved",
        (ShapeState::Unresolved, false) => "new_hang",
        (ShapeState::Contradictory, _) => "contradictory",
    };
    let mut part = Part::new(shape.key.clone(), label);
    if let Some(wall) = shape.wall_ms {
        part = part.number("wall_ms", wall);
    }
    match shape.baseline_wall_ms {
        Some(wall) => part.number("baseline_wall_ms", wall),
        None => part.because("no timing before"),
    }
}

fn group_part(group: &str, shapes: &[&Shape]) -> Part {
    let hung = shapes.iter().filter(|shape| shape.hung_before).count();
    if hung == 0 {
        return Part::of("group", group, "none_hung").number("attempted", shapes.len() as f64);
    }
    let resolved = shapes.iter().filter(|shape| shape.hung_before && shape.state == ShapeState::Resolved).count();
    Part::of("group", group, format!("{resolved}/{hung}"))
        .number("attempted", hung as f64)
        .number("resolved", resolved as f64)
        .number("resolved_pct", 100.0 * resolved as f64 / hung as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(name: &str, group: &str, state: ShapeState, walls: [Option<f64>; 2]) -> Shape {
        Shape {
            key: BTreeMap::from([("shape".to_owned(), name.to_owned())]),
            source: format!("row:{name}"),
            hung_before: true,
            state,
            baseline_wall_ms: walls[0],
            wall_ms: walls[1],
            group: group.to_owned(),
        }
    }

    fn ruled(shapes: &[Shape]) -> Ruling {
        hang_ledger(shapes, Cells::Replicates, Confidence::new(0.95).expect("a level"))
    }

    #[test]
    fn shapes_are_counted_in_all_and_by_group_with_the_exact_interval() {
        let shapes = [
            shape("a", "short", ShapeState::Resolved, [None, Some(9.0)]),
            shape("b", "short", ShapeState::Unresolved, [None, None]),
            shape("c", "long", ShapeState::Unresolved, [Some(5.0), None]),
        ];
        let ruling = ruled(&shapes);
        assert_eq!((ruling.label.as_str(), ruling.reasons[0].as_str()), ("some_resolved", "1/3 shapes are resolved"));
        assert!(ruling.reasons[1].starts_with("2 of them had no timing before"), "{:?}", ruling.reasons);
        // 1 of 3: the lower end is 1 - 0.975^(1/3); above it 2 or 3 of 3 have probability 0.025 at 0.0943, so the upper end
        // is 1 - 0.0943.
        let [low, high] = ruling.tests[0].interval.expect("an interval");
        assert!((low - (1.0 - libm::cbrt(0.975))).abs() < 1e-6 && (high - 0.905_7).abs() < 1e-4, "{low} {high}");
        let labels: Vec<&str> = ruling.parts.iter().map(|part| part.label.as_str()).collect();
        assert_eq!(labels, ["resolved", "unresolved", "unresolved", "0/1", "1/2"]);
        assert_eq!(ruling.parts[0].reason.as_deref(), Some("no timing before"));
        assert_eq!(ruling.parts[2].numbers["baseline_wall_ms"], 5.0);
        let different = hang_ledger(&shapes, Cells::Different, Confidence::new(0.95).expect("a level"));
        assert_eq!((different.label.as_str(), different.tests.len()), ("some_resolved", 0));
    }

    #[test]
    fn all_and_none_have_labels_of_their_own_and_nothing_attempted_has_no_rate() {
        let of = |state| shape("a", "", state, [None, None]);
        assert_eq!(ruled(&[of(ShapeState::Resolved)]).label, "all_resolved");
        assert_eq!(ruled(&[of(ShapeState::Unresolved)]).label, "none_resolved");
        assert_eq!(ruled(&[]).standing, Standing::Invalid);
    }

    #[test]
    fn shapes_that_ran_through_before_resolve_nothing_and_may_hang_now() {
        let ran = |state| Shape { hung_before: false, ..shape("a", "short", state, [Some(5.0), None]) };
        let ruling = ruled(&[ran(ShapeState::Resolved), ran(ShapeState::Resolved)]);
        assert_eq!(ruling.label, "none_hung");
        assert!(ruling.tests.is_empty(), "a share of no hang shapes: {:?}", ruling.tests);
        assert_eq!(ruling.parts[0].label, "ran_through");
        assert_eq!((ruling.parts[2].label.as_str(), ruling.parts[2].numbers["attempted"]), ("none_hung", 2.0));
        let hung = shape("b", "short", ShapeState::Resolved, [None, Some(9.0)]);
        let ruling = ruled(&[hung.clone(), ran(ShapeState::Resolved)]);
        assert_eq!((ruling.label.as_str(), ruling.parts[2].label.as_str()), ("all_resolved", "1/1"));
        let ruling = ruled(&[hung, ran(ShapeState::Unresolved)]);
        assert_eq!((ruling.label.as_str(), ruling.parts[1].label.as_str()), ("new_hangs", "new_hang"));
        assert_eq!(ruling.reasons[2], "1 of 1 shapes that ran through before hang or fail now");
    }

    #[test]
    fn one_shape_whose_numbers_deny_its_outcome_leaves_the_ledger_open() {
        let shapes =
            [ShapeState::Resolved, ShapeState::Contradictory].map(|state| shape("a", "", state, [None, Some(1.0)]));
        let ruling = ruled(&shapes);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("contradictory", Standing::Inconclusive));
    }
}
