//! Whether two measurements are of the same object: the identity by which they may be compared.

use std::collections::{BTreeMap, BTreeSet};

use super::{Part, Ruling};

/// What is stated of one measurement, for example TR147's six-tuple: GPU, Triton, PyTorch, cache, compile mode, code SHA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchmarkIdentity {
    /// What it is called.
    pub name: String,
    /// Axis to what its rows state. What no column states is absent.
    pub axes: BTreeMap<String, AxisStated>,
    /// The rows.
    pub sources: Vec<String>,
}

/// What the rows of a measurement state of an axis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AxisStated {
    /// The values, more than one where rows do not agree.
    pub values: BTreeSet<String>,
    /// Rows that leave it blank, which may be any value.
    pub blank: u64,
}

/// Whether two measurements are of the same object by `axes`: `same`, `different` (naming the axes), or `inconclusive` where
/// an axis that might differ is not stated on both sides, or is left blank by a row or stated with several values on one.
#[must_use]
pub fn same_benchmark(axes: &BTreeSet<String>, [a, b]: [&BenchmarkIdentity; 2]) -> Ruling {
    rule(axes, [a, b]).resting_on(a.sources.iter().chain(&b.sources).collect::<BTreeSet<_>>())
}

fn rule(axes: &BTreeSet<String>, [a, b]: [&BenchmarkIdentity; 2]) -> Ruling {
    if axes.is_empty() {
        return Ruling::invalid("no axis is asked for, so nothing tells the two apart");
    }
    let (mut parts, mut apart, mut unknown, mut blank) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for axis in axes {
        let [one, other] = [a, b].map(|side| value(side, axis));
        parts.push(match (one, other) {
            (Ok(one), Ok(other)) if one == other => Part::of("axis", axis, "same").because(one),
            (Ok(one), Ok(other)) => {
                apart.push(format!("{axis} is {one} in {} and {other} in {}", a.name, b.name));
                Part::of("axis", axis, "different").because(format!("{one} and {other}"))
            }
            (one, other) => {
                unknown.push(axis.as_str());
                let why: Vec<String> = [one.err(), other.err()].into_iter().flatten().collect();
                if [a, b].iter().any(|side| blanks(side, axis) > 0) {
                    blank.push(format!("{axis}: {}", why.join(", ")));
                }
                Part::of("axis", axis, "unknown").because(why.join(", "))
            }
        });
    }
    let unstated = (!unknown.is_empty()).then(|| format!("not told on both sides: {}", unknown.join(", ")));
    let ruling = match (apart.is_empty(), &unstated) {
        (false, _) => Ruling::decided("different").because_all(apart).because_all(unstated),
        (true, Some(unstated)) => Ruling::inconclusive(unstated),
        (true, None) => Ruling::decided("same").because(format!("all {} axes are equal", axes.len())),
    };
    ruling.because_all(blank).in_parts(parts)
}

/// Rows of the side that leave the axis blank.
fn blanks(side: &BenchmarkIdentity, axis: &str) -> u64 {
    side.axes.get(axis).map_or(0, |stated| stated.blank)
}

/// The one value of the axis; else in words why there is none.
fn value<'a>(side: &'a BenchmarkIdentity, axis: &str) -> Result<&'a str, String> {
    let mut values = side.axes.get(axis).into_iter().flat_map(|stated| &stated.values);
    match (values.next(), values.next(), blanks(side, axis)) {
        (Some(only), None, 0) => Ok(only),
        (_, _, blank @ 1..) => Err(format!("{} leaves it blank in {blank} of its rows", side.name)),
        (None, ..) => Err(format!("{} does not state it", side.name)),
        (Some(_), Some(_), _) => Err(format!("{} states several values", side.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    const SIX: [&str; 6] = ["gpu", "triton", "torch", "cache", "compile_mode", "code_sha"];

    fn axes() -> BTreeSet<String> {
        SIX.map(str::to_owned).into()
    }

    fn stated(values: &[&str], blank: u64) -> AxisStated {
        AxisStated { values: values.iter().map(|value| (*value).to_owned()).collect(), blank }
    }

    fn head() -> BenchmarkIdentity {
        let values = ["A100-SXM4-80GB sm_80", "3.6.0", "2.11.0", "static", "reduce-overhead", "6ecad9b5b6"];
        let stated = SIX.into_iter().zip(values).map(|(axis, value)| (axis.to_owned(), stated(&[value], 0)));
        BenchmarkIdentity { name: "HEAD".to_owned(), axes: stated.collect(), sources: vec!["t:2".to_owned()] }
    }

    /// The same with the values of one axis.
    fn with(axis: &str, values: &[&str]) -> BenchmarkIdentity {
        let mut other = head();
        other.axes.insert(axis.to_owned(), stated(values, 0));
        BenchmarkIdentity { name: "other".to_owned(), sources: vec!["t:1".to_owned()], ..other }
    }

    #[test]
    fn two_measurements_are_the_same_object_only_if_all_axes_are_stated_and_equal() {
        let ruled = |a: &BenchmarkIdentity, b: &BenchmarkIdentity| same_benchmark(&axes(), [a, b]);
        let same = ruled(&head(), &head());
        assert_eq!((same.label.as_str(), same.rests_on.len()), ("same", 1));
        let pinned = with("code_sha", &["d2c5d8223f"]);
        let ruling = ruled(&head(), &pinned);
        assert_eq!((ruling.label.as_str(), ruling.rests_on), ("different", vec!["t:1".to_owned(), "t:2".to_owned()]));
        assert_eq!(ruling.reasons, ["code_sha is 6ecad9b5b6 in HEAD and d2c5d8223f in other"]);
        let unstated = with("triton", &[]);
        assert_eq!(ruled(&head(), &unstated).standing, Standing::Inconclusive);
        assert_eq!(ruled(&unstated, &unstated).standing, Standing::Inconclusive);
        assert_eq!(ruled(&unstated, &pinned).label, "different");
    }

    #[test]
    fn rows_that_do_not_agree_state_no_value() {
        let several = with("triton", &["3.3.1", "3.6.0"]);
        let ruling = same_benchmark(&axes(), [&head(), &several]);
        assert_eq!(ruling.standing, Standing::Inconclusive);
        let triton = ruling.parts.iter().find(|part| part.key["axis"] == "triton").expect("the axis");
        assert_eq!(triton.reason.as_deref(), Some("other states several values"));
    }

    #[test]
    fn a_row_that_leaves_an_axis_blank_makes_it_neither_equal_nor_different() {
        for value in ["3.6.0", "3.3.1"] {
            let mut gap = with("triton", &[]);
            gap.axes.insert("triton".to_owned(), stated(&[value], 2));
            let ruling = same_benchmark(&axes(), [&head(), &gap]);
            assert_eq!((ruling.standing, ruling.reasons.len()), (Standing::Inconclusive, 2), "{value}");
            assert_eq!(ruling.reasons[1], "triton: other leaves it blank in 2 of its rows");
        }
    }

    #[test]
    fn without_an_axis_nothing_is_the_same() {
        assert_eq!(same_benchmark(&BTreeSet::new(), [&head(), &head()]).standing, Standing::Invalid);
    }
}
