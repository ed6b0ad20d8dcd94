//! Matched pairs: every cell is matched, or only on the left, or only on the right, or without a value on either. None is
//! dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::ruling::{Part, Ruling, RulingTest};
use crate::stats::{Confidence, Pairs, difference_interval, paired_t};

/// The column whose levels are measured under conditions of their own: what one agent loses and what two gain have no
/// mean that says anything of either.
const LEVELS: &str = "n_agents";

/// A level by its length and its text: numbers in their order.
type Level<'a> = (usize, &'a str);

/// Cells and their values by key.
type ByKey<'a> = BTreeMap<&'a BTreeMap<String, String>, (&'a SideCell, f64)>;

/// One cell of one side.
#[derive(Debug, Clone, PartialEq)]
pub struct SideCell {
    /// The join key.
    pub key: BTreeMap<String, String>,
    /// The row it stands in.
    pub source: String,
    /// Its value; absent where the row holds none.
    pub value: Option<f64>,
}

/// What different cells are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Replicates of one thing, as a report takes them that tests over what it prints.
    Replicates,
    /// Different things: no test is formed over them, whose n would be none of launches.
    Different,
}

/// Joins both sides by key. The differences of each level of agents are taken by themselves: tested where cells are replicates,
/// else told by their mean alone.
#[must_use]
pub fn matched_pairs(left: &[SideCell], right: &[SideCell], cells: Cells, confidence: Confidence) -> Ruling {
    let (left_by_key, right_by_key) = match (by_key("left", left), by_key("right", right)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(reason), _) | (_, Err(reason)) => return Ruling::invalid(reason),
    };
    let mut parts = Vec::new();
    let mut levels: BTreeMap<Level<'_>, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for (key, (cell, value)) in &left_by_key {
        match right_by_key.get(key) {
            None => parts.push(Part::new(cell.key.clone(), "only_left").number("left", *value)),
            Some((_, other)) => {
                let part = Part::new(cell.key.clone(), "matched").number("left", *value);
                parts.push(part.number("right", *other).number("difference", other - value));
                let level = cell.key.get(LEVELS).map_or("", String::as_str);
                let (right, left) = levels.entry((level.len(), level)).or_default();
                right.push(*other);
                left.push(*value);
            }
        }
    }
    for (_, (cell, value)) in right_by_key.iter().filter(|(key, _)| !left_by_key.contains_key(*key)) {
        parts.push(Part::new(cell.key.clone(), "only_right").number("right", *value));
    }
    let has_value = |cell: &&SideCell| left_by_key.contains_key(&cell.key) || right_by_key.contains_key(&cell.key);
    let neither: BTreeSet<&BTreeMap<String, String>> =
        left.iter().chain(right).filter(|cell| !has_value(cell)).map(|cell| &cell.key).collect();
    parts.extend(neither.iter().map(|key| Part::new((*key).clone(), "neither").because("its rows hold no number")));
    let count = |label: &str| parts.iter().filter(|part| part.label == label).count();
    let (matched, only_left, only_right) = (count("matched"), count("only_left"), count("only_right"));
    let label = match (matched, only_left + only_right + neither.len()) {
        (0, _) => "none_matched",
        (_, 0) => "all_matched",
        _ => "some_unmatched",
    };
    let several = levels.len() > 1;
    // A row without a number says nothing of a cell that has one elsewhere.
    let rests_on_it = |cell: &&SideCell| cell.value.is_some() || neither.contains(&cell.key);
    let tests = levels.into_iter().filter_map(|((_, level), (right, left))| {
        let of = if several { format!(" of {LEVELS} = {level}") } else { String::new() };
        match cells {
            Cells::Replicates => difference(&of, right, left, confidence),
            Cells::Different => Some(mean_difference(&of, &right, &left)),
        }
    });
    let tests: Vec<RulingTest> = tests.collect();
    let ruling = Ruling::decided(label)
        .because(format!("{matched} cells matched, {only_left} only left, {only_right} only right"))
        .because_all((!neither.is_empty()).then(|| format!("{} cells have a number on neither side", neither.len())))
        .resting_on(left.iter().chain(right).filter(rests_on_it).map(|cell| &cell.source))
        .tested(tests);
    match cells {
        Cells::Replicates => ruling.against("confidence", confidence.get(), "share"),
        Cells::Different => ruling,
    }
    .in_parts(parts)
}

/// The cells with a value, by key.
fn by_key<'a>(side: &str, cells: &'a [SideCell]) -> Result<ByKey<'a>, String> {
    let mut found = ByKey::new();
    for (cell, value) in cells.iter().filter_map(|cell| Some((cell, cell.value?))) {
        if let Some((other, _)) = found.insert(&cell.key, (cell, value)) {
            return Err(format!("{side}: {} and {} have the same key, which pairs nothing", other.source, cell.source));
        }
    }
    Ok(found)
}

/// Without interval and p: their n would be cells.
fn mean_difference(of: &str, right: &[f64], left: &[f64]) -> RulingTest {
    let mean = right.iter().zip(left).map(|(right, left)| right - left).sum::<f64>() / right.len() as f64;
    RulingTest::of(format!("mean of right minus left over the matched cells{of}, not tested")).estimating(mean, None)
}

fn difference(of: &str, right: Vec<f64>, left: Vec<f64>, confidence: Confidence) -> Option<RulingTest> {
    let test = paired_t(&Pairs::new(right, left).ok()?).ok()?;
    let interval = difference_interval(&test.effect, confidence).ok()?;
    let named = RulingTest::of(format!("paired t of right minus left over the matched cells{of}"));
    Some(named.estimating(test.mean, Some([interval.low, interval.high])).p(test.test.p, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn cells(side: &str, values: &[(&str, f64)]) -> Vec<SideCell> {
        let cell = |(key, value): &(&str, f64)| SideCell {
            key: BTreeMap::from([("cell".to_owned(), (*key).to_owned())]),
            source: format!("{side}:{key}"),
            value: Some(*value).filter(|value| value.is_finite()),
        };
        values.iter().map(cell).collect()
    }

    fn ruled(left: &[(&str, f64)], right: &[(&str, f64)]) -> Ruling {
        of(Cells::Replicates, left, right)
    }

    fn of(which: Cells, left: &[(&str, f64)], right: &[(&str, f64)]) -> Ruling {
        matched_pairs(&cells("left", left), &cells("right", right), which, Confidence::new(0.95).expect("a level"))
    }

    #[test]
    fn every_cell_goes_somewhere_and_none_is_dropped() {
        let ruling = ruled(&[("a", 1.0), ("b", 2.0)], &[("b", 5.0), ("c", 3.0)]);
        assert_eq!(ruling.label, "some_unmatched");
        assert_eq!(ruling.reasons, ["1 cells matched, 1 only left, 1 only right"]);
        let told: Vec<(&str, &str)> =
            ruling.parts.iter().map(|part| (part.key["cell"].as_str(), part.label.as_str())).collect();
        assert_eq!(told, [("a", "only_left"), ("b", "matched"), ("c", "only_right")]);
        assert_eq!(ruling.parts[1].numbers["difference"], 3.0);
        assert_eq!(ruling.rests_on.len(), 4);
    }

    #[test]
    fn a_cell_without_a_number_on_either_side_is_listed_and_not_matched() {
        let none = f64::NAN;
        let ruling = ruled(&[("a", 1.0), ("b", none), ("c", none)], &[("a", 2.0), ("b", none), ("c", 3.0)]);
        assert_eq!(ruling.label, "some_unmatched");
        assert_eq!(
            ruling.reasons,
            ["1 cells matched, 0 only left, 1 only right", "1 cells have a number on neither side"]
        );
        let told: Vec<(&str, &str)> =
            ruling.parts.iter().map(|part| (part.key["cell"].as_str(), part.label.as_str())).collect();
        assert_eq!(told, [("a", "matched"), ("c", "only_right"), ("b", "neither")]);
        assert_eq!(ruling.rests_on, ["left:a", "left:b", "right:a", "right:b", "right:c"]);
        assert_eq!(ruled(&[("a", 1.0), ("b", none)], &[("a", 2.0)]).label, "some_unmatched");
    }

    #[test]
    fn what_is_matched_is_tested_in_pairs() {
        // Differences 1, 2, 3: mean 2, sd 1, t = 2 sqrt(3); t(0.975, 2) = 4.30265, so 2 -+ 2.48414.
        let ruling = ruled(&[("a", 1.0), ("b", 1.0), ("c", 1.0)], &[("c", 4.0), ("b", 3.0), ("a", 2.0)]);
        assert_eq!((ruling.label.as_str(), ruling.tests[0].estimate), ("all_matched", Some(2.0)));
        assert_eq!(ruling.tests[0].interval, Some([-0.484_138, 4.484_14]));
        assert_eq!(ruled(&[("a", 1.0)], &[("a", 2.0)]).tests, [], "one pair has no spread");
        let apart = of(Cells::Different, &[("a", 1.0), ("b", 1.0), ("c", 1.0)], &[("c", 4.0), ("b", 3.0), ("a", 2.0)]);
        assert_eq!((apart.label.as_str(), &apart.parts), ("all_matched", &ruling.parts));
        let [mean] = &apart.tests[..] else { panic!("{:?}", apart.tests) };
        assert_eq!(
            (mean.estimate, mean.interval, mean.p),
            (Some(2.0), None, None),
            "different cells are no replicates"
        );
    }

    #[test]
    fn levels_of_agents_are_tested_apart_and_never_pooled() {
        let at = |side: &str, values: &[(&str, &str, f64)]| -> Vec<SideCell> {
            let cell = |(agents, workload, value): &(&str, &str, f64)| SideCell {
                key: [("n_agents", *agents), ("workload", *workload)].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
                source: format!("{side}:{agents}:{workload}"),
                value: Some(*value),
            };
            values.iter().map(cell).collect()
        };
        let left =
            at("left", &[("1", "a", 10.0), ("1", "b", 10.0), ("16", "a", 9.0), ("2", "a", 10.0), ("2", "b", 10.0)]);
        let right =
            at("right", &[("1", "a", 12.0), ("1", "b", 14.0), ("16", "a", 9.0), ("2", "a", 5.0), ("2", "b", 3.0)]);
        let confidence = Confidence::new(0.95).expect("a level");
        let ruling = matched_pairs(&left, &right, Cells::Replicates, confidence);
        let told: Vec<(&str, Option<f64>)> =
            ruling.tests.iter().map(|test| (test.test.as_str(), test.estimate)).collect();
        let name = |level| format!("paired t of right minus left over the matched cells of n_agents = {level}");
        // Of sixteen agents there is one pair, which has no spread.
        assert_eq!(told, [(name(1).as_str(), Some(3.0)), (name(2).as_str(), Some(-6.0))]);
        let one = matched_pairs(&left[..2], &right[..2], Cells::Replicates, confidence);
        assert_eq!(one.tests[0].test, "paired t of right minus left over the matched cells");
    }

    #[test]
    fn sides_without_a_common_cell_are_none_matched_and_a_key_that_stands_twice_pairs_nothing() {
        assert_eq!(ruled(&[("a", 1.0)], &[("b", 1.0)]).label, "none_matched");
        let twice = ruled(&[("a", 1.0), ("a", 2.0)], &[("a", 1.0)]);
        assert_eq!(twice.standing, Standing::Invalid);
        assert!(twice.reasons[0].contains("left:a and left:a have the same key"), "{:?}", twice.reasons);
    }
}
