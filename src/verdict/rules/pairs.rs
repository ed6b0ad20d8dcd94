//! Matched pairs: every cell is matched, or only on the left, or only on the right. None is dropped.

use std::collections::BTreeMap;

use super::ruling::{Part, Ruling, RulingTest};
use crate::stats::{Confidence, Pairs, difference_interval, paired_t};

/// One cell of one side.
#[derive(Debug, Clone, PartialEq)]
pub struct SideCell {
    /// The join key.
    pub key: BTreeMap<String, String>,
    /// The row it stands in.
    pub source: String,
    /// Its value.
    pub value: f64,
}

/// Joins both sides by key.
#[must_use]
pub fn matched_pairs(left: &[SideCell], right: &[SideCell], confidence: Confidence) -> Ruling {
    let (left_by_key, right_by_key) = match (by_key("left", left), by_key("right", right)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(reason), _) | (_, Err(reason)) => return Ruling::invalid(reason),
    };
    let mut parts = Vec::new();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for (key, cell) in &left_by_key {
        match right_by_key.get(key) {
            None => parts.push(Part::new(cell.key.clone(), "only_left").number("left", cell.value)),
            Some(other) => {
                let part = Part::new(cell.key.clone(), "matched").number("left", cell.value);
                parts.push(part.number("right", other.value).number("difference", other.value - cell.value));
                a.push(other.value);
                b.push(cell.value);
            }
        }
    }
    for (_, cell) in right_by_key.iter().filter(|(key, _)| !left_by_key.contains_key(*key)) {
        parts.push(Part::new(cell.key.clone(), "only_right").number("right", cell.value));
    }
    let count = |label: &str| parts.iter().filter(|part| part.label == label).count();
    let (matched, only_left, only_right) = (count("matched"), count("only_left"), count("only_right"));
    let label = match (matched, only_left + only_right) {
        (0, _) => "none_matched",
        (_, 0) => "all_matched",
        _ => "some_unmatched",
    };
    Ruling::decided(label)
        .because(format!("{matched} cells matched, {only_left} only left, {only_right} only right"))
        .resting_on(left.iter().chain(right).map(|cell| &cell.source))
        .tested(difference(a, b, confidence))
        .in_parts(parts)
}

fn by_key<'a>(
    side: &str,
    cells: &'a [SideCell],
) -> Result<BTreeMap<&'a BTreeMap<String, String>, &'a SideCell>, String> {
    let mut found: BTreeMap<_, &SideCell> = BTreeMap::new();
    for cell in cells {
        if let Some(other) = found.insert(&cell.key, cell) {
            return Err(format!("{side}: {} and {} have the same key, which pairs nothing", other.source, cell.source));
        }
    }
    Ok(found)
}

fn difference(right: Vec<f64>, left: Vec<f64>, confidence: Confidence) -> Option<RulingTest> {
    let test = paired_t(&Pairs::new(right, left).ok()?).ok()?;
    let interval = difference_interval(&test.effect, confidence).ok()?;
    let named = RulingTest::of("paired t of right minus left over the matched cells");
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
            value: *value,
        };
        values.iter().map(cell).collect()
    }

    fn ruled(left: &[(&str, f64)], right: &[(&str, f64)]) -> Ruling {
        matched_pairs(&cells("left", left), &cells("right", right), Confidence::new(0.95).expect("a level"))
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
    fn what_is_matched_is_tested_in_pairs() {
        // Differences 1, 2, 3: mean 2, sd 1, t = 2 sqrt(3); t(0.975, 2) = 4.30265, so 2 -+ 2.48414.
        let ruling = ruled(&[("a", 1.0), ("b", 1.0), ("c", 1.0)], &[("c", 4.0), ("b", 3.0), ("a", 2.0)]);
        assert_eq!((ruling.label.as_str(), ruling.tests[0].estimate), ("all_matched", Some(2.0)));
        assert_eq!(ruling.tests[0].interval, Some([-0.484_138, 4.484_14]));
        assert_eq!(ruled(&[("a", 1.0)], &[("a", 2.0)]).tests, [], "one pair has no spread");
    }

    #[test]
    fn sides_without_a_common_cell_are_none_matched_and_a_key_that_stands_twice_pairs_nothing() {
        assert_eq!(ruled(&[("a", 1.0)], &[("b", 1.0)]).label, "none_matched");
        let twice = ruled(&[("a", 1.0), ("a", 2.0)], &[("a", 1.0)]);
        assert_eq!(twice.standing, Standing::Invalid);
        assert!(twice.reasons[0].contains("left:a and left:a have the same key"), "{:?}", twice.reasons);
    }
}
