//! Whether two phases of an experiment agree on the same numbers.

use std::collections::BTreeMap;

use super::{Part, Ruling};
use crate::verdict::rounding::round;

/// A number that both phases print, each with half of its last printed digit.
#[derive(Debug, Clone, PartialEq)]
pub struct PrintedTwice {
    /// What it is of.
    pub key: BTreeMap<String, String>,
    /// In the phase compared against.
    pub left: (f64, f64),
    /// In the phase compared.
    pub right: (f64, f64),
    /// The row.
    pub source: String,
}

/// Numbers that both phases print, and how far apart they may lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Consistency {
    /// The numbers.
    pub numbers: Vec<PrintedTwice>,
    /// Changes up to this are consistent, in percent of the first phase's number.
    pub consistent_pct: f64,
    /// Changes up to this are acceptable.
    pub acceptable_pct: f64,
}

/// In the order from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Agreement {
    Consistent,
    Acceptable,
    NotConsistent,
}

impl Agreement {
    const fn name(self) -> &'static str {
        match self {
            Self::Consistent => "consistent",
            Self::Acceptable => "acceptable",
            Self::NotConsistent => "not_consistent",
        }
    }
}

/// The worst agreement of all numbers (TR126 12.1, whose cuts the report does not state).
///
/// Labels: `consistent`, `acceptable`, `not_consistent`; `inconclusive` where the printed digits of a number do not tell and
/// no other is worse; `invalid`.
#[must_use]
pub fn consistency(input: &Consistency) -> Ruling {
    rule(input)
        .resting_on(input.numbers.iter().map(|number| &number.source))
        .against("consistent", input.consistent_pct, "%")
        .against("acceptable", input.acceptable_pct, "%")
}

fn rule(input: &Consistency) -> Ruling {
    if !(input.consistent_pct >= 0.0 && input.consistent_pct < input.acceptable_pct && input.acceptable_pct.is_finite())
    {
        return Ruling::invalid(format!(
            "changes up to {} % are consistent and up to {} % acceptable, which are no two cuts",
            input.consistent_pct, input.acceptable_pct
        ));
    }
    if input.numbers.is_empty() {
        return Ruling::invalid("no number that both phases print was given");
    }
    let (mut parts, mut surely, mut perhaps) = (Vec::new(), Agreement::Consistent, Agreement::Consistent);
    for number in &input.numbers {
        let Some((change, [least, most])) = change_pct(number) else {
            return Ruling::invalid(format!("{}: its change in percent is not to be formed", number.source));
        };
        let of = |size: f64| match size {
            size if size <= input.consistent_pct => Agreement::Consistent,
            size if size <= input.acceptable_pct => Agreement::Acceptable,
            _ => Agreement::NotConsistent,
        };
        let (best, worst) = (of(least), of(most));
        (surely, perhaps) = (surely.max(best), perhaps.max(worst));
        let label = if best == worst { best.name() } else { "edge" };
        parts.push(
            Part::new(number.key.clone(), label)
                .number("change_pct", change)
                .number("least_size_pct", least)
                .number("largest_size_pct", most),
        );
    }
    let count = |label: &str| parts.iter().filter(|part| part.label == label).count();
    let told = format!(
        "of {} numbers {} are consistent, {} acceptable, {} not; {} lie on the edge of their printed digits",
        parts.len(),
        count("consistent"),
        count("acceptable"),
        count("not_consistent"),
        count("edge")
    );
    let ruling =
        if surely == perhaps { Ruling::decided(surely.name()).because(told) } else { Ruling::inconclusive(told) };
    let worst = parts.iter().filter_map(|part| part.numbers.get("change_pct")).copied();
    let worst = worst.max_by(|one, other| one.abs().total_cmp(&other.abs()));
    ruling.because_all(worst.map(|worst| format!("the largest change is {} %", round(worst)))).in_parts(parts)
}

/// The change in percent, and the least and largest size that the printed digits allow.
fn change_pct(number: &PrintedTwice) -> Option<(f64, [f64; 2])> {
    let ((left, left_half), (right, right_half)) = (number.left, number.right);
    if left - left_half <= 0.0 {
        return None;
    }
    let of = |left: f64, right: f64| 100.0 * (right - left) / left;
    let ends = [of(left + left_half, right - right_half), of(left - left_half, right + right_half)];
    let [low, high] = ends;
    let least = if low <= 0.0 && high >= 0.0 { 0.0 } else { low.abs().min(high.abs()) };
    let change = of(left, right);
    let most = low.abs().max(high.abs());
    (change.is_finite() && most.is_finite()).then_some((change, [least, most]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn ruled(numbers: &[(f64, f64)], half: f64) -> Ruling {
        let number = |(at, (left, right)): (usize, &(f64, f64))| PrintedTwice {
            key: BTreeMap::from([("metric".to_owned(), at.to_string())]),
            left: (*left, half),
            right: (*right, half),
            source: format!("t:{at}"),
        };
        consistency(&Consistency {
            numbers: numbers.iter().enumerate().map(number).collect(),
            consistent_pct: 5.0,
            acceptable_pct: 25.0,
        })
    }

    #[test]
    fn the_worst_number_decides_and_a_cut_belongs_to_the_better_side() {
        assert_eq!(ruled(&[(100.0, 102.0), (100.0, 95.0)], 0.0).label, "consistent");
        assert_eq!(ruled(&[(100.0, 102.0), (100.0, 122.0)], 0.0).label, "acceptable");
        let worst = ruled(&[(100.0, 102.0), (100.0, 54.4)], 0.0);
        assert_eq!(
            (worst.label.as_str(), worst.reasons[1].as_str()),
            ("not_consistent", "the largest change is -45.6 %")
        );
    }

    #[test]
    fn digits_that_do_not_tell_are_an_edge_unless_another_number_is_worse() {
        let edge = ruled(&[(0.13, 0.16)], 0.005);
        assert_eq!((edge.standing, edge.parts[0].label.as_str()), (Standing::Inconclusive, "edge"), "14.8 to 32 %");
        assert_eq!(ruled(&[(0.13, 0.16), (2.95, 1.6)], 0.005).label, "not_consistent");
    }

    #[test]
    fn what_has_no_change_in_percent_is_invalid() {
        for bad in [[(0.0, 1.0)], [(f64::NAN, 1.0)], [(1.0, f64::INFINITY)], [(-1.0, 1.0)]] {
            assert_eq!(ruled(&bad, 0.0).standing, Standing::Invalid, "{bad:?}");
        }
        assert_eq!(ruled(&[], 0.0).standing, Standing::Invalid);
    }
}
