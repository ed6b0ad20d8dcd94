//! The single-delta rule: an effect may be put down to an axis when that axis moved and no other did. And what follows
//! from it for a decomposition: shares of an effect may be subtracted when they were measured on the same cells.

use std::collections::{BTreeMap, BTreeSet};

use super::ruling::{Part, Ruling};

/// What one statement tells of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What names the statement.
    pub key: BTreeMap<String, String>,
    /// The row it stands in.
    pub source: String,
    /// Axis to its value on the left and on the right; absent where the statement does not tell.
    pub axes: BTreeMap<String, [Option<String>; 2]>,
}

/// Which axes moved, by any of the statements.
#[must_use]
pub fn single_delta(told: &[Told], intended: &str) -> Ruling {
    let moves = |told: &Told| -> Vec<String> {
        let moved = |sides: &[Option<String>; 2]| matches!(sides, [Some(left), Some(right)] if left != right);
        told.axes.iter().filter(|(_, sides)| moved(sides)).map(|(axis, _)| axis.clone()).collect()
    };
    let known: BTreeSet<&String> =
        told.iter().flat_map(|told| &told.axes).filter(|(_, sides)| tells(sides)).map(|(axis, _)| axis).collect();
    let silent: Vec<&String> = told
        .iter()
        .flat_map(|told| told.axes.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|a| !known.contains(a))
        .collect();
    let moved: BTreeSet<String> = told.iter().flat_map(moves).collect();
    let names = |axes: &BTreeSet<String>| axes.iter().cloned().collect::<Vec<_>>().join(" and ");
    let ruling = match moved.len() {
        _ if told.is_empty() => Ruling::invalid("nothing tells what either side was"),
        0 | 1 if !silent.is_empty() => {
            let silent: Vec<&str> = silent.iter().map(|axis| axis.as_str()).collect();
            Ruling::inconclusive(format!("nothing tells whether {} moved", silent.join(" and ")))
        }
        0 => Ruling::decided("nothing_moved").because("no axis moved, so there is nothing to put an effect down to"),
        1 if moved.contains(intended) => Ruling::decided("single_delta").because(format!("only {intended} moved")),
        1 => Ruling::decided("other_axis").because(format!("{} moved, and {intended} did not", names(&moved))),
        _ => {
            let reason = format!("{} moved together: the effect belongs to none of them alone", names(&moved));
            Ruling::decided("confounded").because(reason)
        }
    };
    ruling
        .because_all(contradictions(told))
        .resting_on(told.iter().map(|told| &told.source))
        .in_parts(told.iter().map(|told| part(told, &moves(told))))
}

fn tells(sides: &[Option<String>; 2]) -> bool {
    sides.iter().all(Option::is_some)
}

/// Axes of which statements say different things.
fn contradictions(told: &[Told]) -> Vec<String> {
    let mut values: BTreeMap<(&str, usize), BTreeSet<&str>> = BTreeMap::new();
    for (axis, sides) in told.iter().flat_map(|told| &told.axes) {
        for (side, value) in sides.iter().enumerate().filter_map(|(side, value)| Some((side, value.as_deref()?))) {
            values.entry((axis, side)).or_default().insert(value);
        }
    }
    let several = values.into_iter().filter(|(_, values)| values.len() > 1);
    let sentence = |((axis, side), values): ((&str, usize), BTreeSet<&str>)| {
        let side = ["left", "right"][side];
        let values: Vec<&str> = values.into_iter().collect();
        format!("the statements contradict each other on {axis} of the {side} side: {}", values.join(", "))
    };
    several.map(sentence).collect()
}

fn part(told: &Told, moved: &[String]) -> Part {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "not told".to_owned());
    let sides =
        |(axis, [left, right]): (&String, &[Option<String>; 2])| format!("{axis}: {} to {}", shown(left), shown(right));
    let label = if moved.is_empty() { "nothing_moved".to_owned() } else { moved.join("+") };
    Part::new(told.key.clone(), label).because(told.axes.iter().map(sides).collect::<Vec<_>>().join("; "))
}

/// The effect of one axis, and the cells it was measured on.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisEffect {
    /// The axis.
    pub axis: String,
    /// The row it stands in.
    pub source: String,
    /// The effect, in percentage points.
    pub effect_pp: f64,
    /// How far rounding may have moved it.
    pub slack_pp: f64,
    /// How many cells it is the mean of.
    pub cells: f64,
    /// The levels that went in.
    pub levels: String,
}

/// Whether the effects may be subtracted from each other.
#[must_use]
pub fn axis_decomposition(effects: &[AxisEffect]) -> Ruling {
    let mut sorted: Vec<&AxisEffect> = effects.iter().collect();
    sorted.sort_by(|a, b| b.effect_pp.total_cmp(&a.effect_pp).then_with(|| a.axis.cmp(&b.axis)));
    let Some((largest, others)) = sorted.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Ruling::invalid("a decomposition needs the effects of two axes");
    };
    let unlike: Vec<String> = others
        .iter()
        .filter(|other| other.cells != largest.cells || other.levels != largest.levels)
        .map(|other| {
            format!(
                "{} is the mean of {} cells (levels {}), {} of {} (levels {}): their difference mixes the axis with the cells",
                largest.axis, largest.cells, largest.levels, other.axis, other.cells, other.levels
            )
        })
        .collect();
    let ruling = if unlike.is_empty() {
        Ruling::decided("decomposed").because("all effects were measured on the same cells")
    } else {
        Ruling::decided("confounded").because_all(unlike)
    };
    let share = |effect: &&AxisEffect| {
        Part::of("axis", &effect.axis, if effect.axis == largest.axis { "whole" } else { "share" })
            .number("effect_pp", effect.effect_pp)
            .number("cells", effect.cells)
    };
    let rest = others.iter().map(|other| {
        Part::of("axis", format!("{} without {}", largest.axis, other.axis), "remainder")
            .number("effect_pp", largest.effect_pp - other.effect_pp)
            .number("slack_pp", largest.slack_pp + other.slack_pp)
    });
    ruling
        .resting_on(effects.iter().map(|effect| &effect.source))
        .in_parts(sorted.iter().map(share))
        .in_parts(rest.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    /// One statement; each axis with its value on the left and on the right.
    fn told(name: &str, axes: &[(&str, Option<&str>, Option<&str>)]) -> Told {
        let axis = |(axis, left, right): &(&str, Option<&str>, Option<&str>)| {
            ((*axis).to_owned(), [left.map(str::to_owned), right.map(str::to_owned)])
        };
        Told {
            key: BTreeMap::from([("place".to_owned(), name.to_owned())]),
            source: format!("row:{name}"),
            axes: axes.iter().map(axis).collect(),
        }
    }

    #[test]
    fn an_effect_belongs_to_an_axis_that_moved_alone() {
        let moved = |gil: &str, python: &str| {
            let axes = [("gil", Some("on"), Some(gil)), ("python", Some("3.13"), Some(python))];
            single_delta(&[told("a", &axes)], "gil").label
        };
        assert_eq!(moved("off", "3.13"), "single_delta");
        assert_eq!(moved("on", "3.14"), "other_axis");
        assert_eq!(moved("on", "3.13"), "nothing_moved");
        assert_eq!(moved("off", "3.14"), "confounded");
    }

    #[test]
    fn axes_that_move_in_different_statements_move_together() {
        let statements =
            [told("a", &[("gil", Some("on"), Some("off"))]), told("b", &[("python", Some("3.13"), Some("3.14"))])];
        let ruling = single_delta(&statements, "gil");
        assert_eq!(ruling.reasons[0], "gil and python moved together: the effect belongs to none of them alone");
        assert_eq!(ruling.parts[1].label, "python");
    }

    #[test]
    fn an_axis_that_nothing_tells_of_may_have_moved() {
        let axes = [("gil", Some("on"), Some("off")), ("torch", Some("2.6"), None)];
        let ruling = single_delta(&[told("a", &axes)], "gil");
        assert_eq!(
            (ruling.standing, ruling.reasons[0].as_str()),
            (Standing::Inconclusive, "nothing tells whether torch moved")
        );
        // Two that moved are confounded whatever the third did.
        let two = [axes[0], ("python", Some("3.13"), Some("3.14")), ("torch", None, None)];
        assert_eq!(single_delta(&[told("a", &two)], "gil").label, "confounded");
        assert_eq!(single_delta(&[], "gil").standing, Standing::Invalid);
    }

    #[test]
    fn statements_that_disagree_on_one_side_are_named() {
        let statements =
            [told("a", &[("gil", Some("on"), Some("off"))]), told("b", &[("gil", Some("on"), Some("unknown"))])];
        let ruling = single_delta(&statements, "gil");
        assert_eq!(ruling.reasons[1], "the statements contradict each other on gil of the right side: off, unknown");
    }

    #[test]
    fn shares_are_subtracted_only_where_they_were_measured_on_the_same_cells() {
        let effect = |axis: &str, effect_pp, cells| AxisEffect {
            axis: axis.to_owned(),
            source: format!("row:{axis}"),
            effect_pp,
            slack_pp: 0.05,
            cells,
            levels: "N=2".to_owned(),
        };
        let ruling = axis_decomposition(&[effect("python", 5.0, 24.0), effect("both", 17.9, 24.0)]);
        assert_eq!(ruling.label, "decomposed");
        let rest = ruling.parts.last().expect("a remainder");
        assert_eq!((rest.key["axis"].as_str(), rest.numbers["effect_pp"]), ("both without python", 12.9));
        assert_eq!(rest.numbers["slack_pp"], 0.1);
        let unlike = axis_decomposition(&[effect("python", 5.0, 48.0), effect("both", 17.9, 24.0)]);
        assert_eq!(unlike.label, "confounded");
        assert!(unlike.reasons[0].contains("both is the mean of 24 cells"), "{:?}", unlike.reasons);
        assert_eq!(axis_decomposition(&[effect("both", 1.0, 1.0)]).standing, Standing::Invalid);
    }
}
