//! In which of several bands printed numbers lie.

use std::collections::BTreeMap;

use super::{Part, Ruling};

/// A number that is placed, with half of its last printed digit.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// What it is of.
    pub key: BTreeMap<String, String>,
    /// The number.
    pub value: (f64, f64),
    /// The number that says whether the ladder is said to hold here; absent where it holds everywhere.
    pub where_it_holds: Option<f64>,
    /// The row.
    pub source: String,
}

/// Numbers and the bands that they may lie in.
#[derive(Debug, Clone, PartialEq)]
pub struct BandLadder {
    /// The numbers.
    pub numbers: Vec<Placed>,
    /// The band of everything up to the first edge.
    pub lowest: String,
    /// Band to the number above which it begins.
    pub above: BTreeMap<String, f64>,
    /// The ladder is said to hold above this.
    pub holds_above: Option<f64>,
    /// The unit of the numbers.
    pub unit: String,
}

/// Places every number: an edge belongs to the band below it, as in TR117's `<= 60 tok/s` and `lag > 15 ms`.
///
/// Labels: the band that all numbers share, `mixed` where they do not; `inconclusive` where the printed digits of a number
/// reach into another band, or where the ladder holds for none; `invalid`.
#[must_use]
pub fn band_ladder(input: &BandLadder) -> Ruling {
    let ruling = rule(input).resting_on(input.numbers.iter().map(|number| &number.source));
    let ruling = input.above.iter().fold(ruling, |ruling, (band, above)| ruling.against(band, *above, &input.unit));
    input.holds_above.into_iter().fold(ruling, |ruling, above| ruling.against("holds_above", above, ""))
}

fn rule(input: &BandLadder) -> Ruling {
    let mut bands: Vec<(&str, f64)> = input.above.iter().map(|(band, above)| (band.as_str(), *above)).collect();
    bands.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let same = bands.windows(2).find(|pair| matches!(pair, [(_, one), (_, other)] if one == other));
    if bands.is_empty()
        || same.is_some()
        || bands.iter().any(|(name, above)| !above.is_finite() || *name == input.lowest)
    {
        return Ruling::invalid("the bands are no ladder: each needs an edge of its own");
    }
    let of = |value: f64| {
        bands.iter().rev().find(|(_, above)| value > *above).map_or(input.lowest.as_str(), |(band, _)| *band)
    };
    let (mut parts, mut found, mut outside) = (Vec::new(), Vec::new(), 0);
    for Placed { key, value: (value, half), where_it_holds, source } in &input.numbers {
        if !value.is_finite() || half.is_nan() || *half < 0.0 || where_it_holds.is_some_and(f64::is_nan) {
            return Ruling::invalid(format!("{source}: {value} {} is no number to place", input.unit));
        }
        let part = |label: &str| Part::new(key.clone(), label).number("value", *value);
        if let (Some(holds), Some(above)) = (where_it_holds, input.holds_above)
            && *holds <= above
        {
            outside += 1;
            parts.push(
                part("not_asked").because(format!("{holds} is not above {above}, where the ladder is said to hold")),
            );
            continue;
        }
        let (low, high) = (of(value - half), of(value + half));
        let label = if low == high { low } else { "edge" };
        found.push(label);
        parts.push(part(label));
    }
    conclude(&found, outside).in_parts(parts)
}

fn conclude(found: &[&str], outside: usize) -> Ruling {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    found.iter().for_each(|band| *counts.entry(band).or_insert(0) += 1);
    let told: Vec<String> = counts.iter().map(|(band, count)| format!("{band} {count}")).collect();
    let told = format!("of {} placed: {}", found.len(), told.join(", "));
    let bands: Vec<&str> = counts.keys().copied().filter(|band| *band != "edge").collect();
    let ruling = match (bands.len(), counts.contains_key("edge")) {
        (0, false) => Ruling::inconclusive("the ladder is said to hold for none of them"),
        (2.., _) => Ruling::decided("mixed").because(told),
        (1, false) => Ruling::decided(bands.concat()).because(told),
        (_, true) => Ruling::inconclusive(told),
    };
    ruling.because_all((outside > 0).then(|| format!("{outside} lie where the ladder is not said to hold")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn ruled(numbers: &[(f64, f64)], half: f64) -> Ruling {
        let number = |(at, (value, rate)): (usize, &(f64, f64))| Placed {
            key: BTreeMap::from([("run".to_owned(), at.to_string())]),
            value: (*value, half),
            where_it_holds: Some(*rate),
            source: format!("t:{at}"),
        };
        band_ladder(&BandLadder {
            numbers: numbers.iter().enumerate().map(number).collect(),
            lowest: "throttle".to_owned(),
            above: BTreeMap::from([("optimise".to_owned(), 60.0), ("migrate".to_owned(), 100.0)]),
            holds_above: Some(0.0),
            unit: "tok/s".to_owned(),
        })
    }

    #[test]
    fn an_edge_belongs_to_the_band_below_it() {
        let label = |value: f64| ruled(&[(value, 1.0)], 0.0).label;
        assert_eq!([60.0, 60.1, 100.0, 100.1].map(label), ["throttle", "optimise", "optimise", "migrate"]);
        assert_eq!(ruled(&[(50.0, 1.0), (70.0, 1.0)], 0.0).label, "mixed");
    }

    #[test]
    fn printed_digits_that_reach_into_another_band_do_not_tell() {
        let edge = ruled(&[(100.0, 1.0), (68.0, 1.0)], 0.5);
        assert_eq!((edge.standing, edge.parts[0].label.as_str()), (Standing::Inconclusive, "edge"));
        assert_eq!(
            ruled(&[(100.0, 1.0), (68.0, 1.0), (10.0, 1.0)], 0.5).label,
            "mixed",
            "two bands are there for sure"
        );
    }

    #[test]
    fn where_the_ladder_is_not_said_to_hold_it_decides_nothing() {
        let found = ruled(&[(70.0, 1.0), (10.0, 0.0)], 0.0);
        assert_eq!((found.label.as_str(), found.parts[1].label.as_str()), ("optimise", "not_asked"));
        assert_eq!(ruled(&[(10.0, 0.0)], 0.0).standing, Standing::Inconclusive);
        assert_eq!(ruled(&[(f64::NAN, 1.0)], 0.0).standing, Standing::Invalid);
    }
}
