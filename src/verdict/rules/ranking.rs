//! Which candidate has the lowest mean over what every candidate ran.

use std::collections::{BTreeMap, BTreeSet};

use super::{Part, Ruling};
use crate::verdict::rounding::round;

/// A candidate's printed mean on one unit, for example a model.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedMean {
    /// The candidate.
    pub candidate: String,
    /// The unit.
    pub unit: String,
    /// The mean, and half of its last printed digit.
    pub mean: (f64, f64),
    /// Values behind it.
    pub n: u64,
    /// The row.
    pub source: String,
}

/// Means by candidate and unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The candidates.
    pub candidates: Vec<String>,
    /// Their means; of each candidate and unit at most one.
    pub means: Vec<RankedMean>,
    /// The unit of the numbers.
    pub in_unit: String,
}

/// Ranks candidates by the mean over the units that all of them ran, lower first (TR126 9.1). What one candidate ran and another
/// did not is left out: a mean over other units is a mean of other work. So is a mean over other shares of the same units, which
/// could rank a candidate first that is last on every unit: a unit has the same weight for every candidate, the fewest values
/// that one of them has there. Where all have as many, that is the mean over all values, as the report prints it.
///
/// A candidate's rank is one more than the number of candidates that are lower by more than rounding explains.
///
/// Labels: the candidate that alone has rank 1; `tie` where several have it; `invalid` where no unit was run by all.
#[must_use]
pub fn ranking(input: &Ranking) -> Ruling {
    rule(input).resting_on(input.means.iter().map(|mean| &mean.source))
}

fn rule(input: &Ranking) -> Ruling {
    if let Some(fault) = fault(input) {
        return Ruling::invalid(fault);
    }
    let units_of = |candidate: &String| -> BTreeSet<&str> {
        input.means.iter().filter(|mean| mean.candidate == *candidate).map(|mean| mean.unit.as_str()).collect()
    };
    let all: BTreeSet<&str> = input.means.iter().map(|mean| mean.unit.as_str()).collect();
    let paired: BTreeSet<&str> =
        all.iter().copied().filter(|unit| input.candidates.iter().all(|one| units_of(one).contains(unit))).collect();
    let unpaired: Vec<&str> = all.difference(&paired).copied().collect();
    if paired.is_empty() {
        return Ruling::invalid(format!("no unit was run by all of {}", input.candidates.join(", ")));
    }
    let mut placed: Vec<(&String, Slack, Slack)> = input
        .candidates
        .iter()
        .map(|one| (one, pooled(input, one, |unit| paired.contains(unit)), pooled(input, one, |_| true)))
        .collect();
    placed.sort_by(|(_, (one, _), _), (_, (other, _), _)| one.total_cmp(other));
    let rank = |of: (f64, f64), others: &mut dyn Iterator<Item = (f64, f64)>| {
        1 + others.filter(|other| other.0 + other.1 < of.0 - of.1).count()
    };
    let fair: Vec<(&String, usize)> =
        placed.iter().map(|(one, of, _)| (*one, rank(*of, &mut placed.iter().map(|(_, other, _)| *other)))).collect();
    let parts = placed.iter().zip(&fair).map(|((one, (mean, slack), (pooled, _)), (_, rank))| {
        Part::of("candidate", one.as_str(), format!("rank_{rank}"))
            .number("mean", *mean)
            .number("slack", *slack)
            .number("mean_with_unpaired", *pooled)
    });
    let parts: Vec<Part> = parts.collect();
    let told: Vec<String> = placed.iter().map(|(one, (mean, _), _)| format!("{one} {}", round(*mean))).collect();
    let told = format!("means over {} paired units, {}: {}", paired.len(), input.in_unit, told.join(", "));
    let first: Vec<&str> = fair.iter().filter(|(_, rank)| *rank == 1).map(|(one, _)| one.as_str()).collect();
    let ruling = match first[..] {
        [only] => Ruling::decided(only).because(told),
        _ => Ruling::decided("tie").because(told).because("the first ones differ by no more than their printed digits"),
    };
    let left_out = (!unpaired.is_empty()).then(|| format!("not every candidate ran {}, left out", unpaired.join(", ")));
    let lowest = placed.iter().min_by(|(.., (one, _)), (.., (other, _))| one.total_cmp(other)).map(|(one, ..)| *one);
    let turned = lowest.filter(|lowest| !first.contains(&lowest.as_str()) && !unpaired.is_empty());
    let turned = turned.map(|lowest| format!("with what is left out {lowest} would have the lowest mean"));
    ruling.because_all(left_out).because_all(turned).in_parts(parts)
}

fn fault(input: &Ranking) -> Option<String> {
    if input.candidates.len() < 2 {
        return Some(format!("{} candidate was given; a ranking needs two", input.candidates.len()));
    }
    let mut seen: BTreeMap<(&str, &str), &RankedMean> = BTreeMap::new();
    for mean in &input.means {
        let RankedMean { candidate, unit, mean: (value, slack), n, source } = mean;
        if !(value.is_finite() && *value >= 0.0 && slack.is_finite() && *slack >= 0.0) || *n == 0 {
            return Some(format!("{source}: a mean of {value} over {n} values is none that work took"));
        }
        if seen.insert((candidate, unit), mean).is_some() {
            return Some(format!("{source}: {candidate} stands twice for {unit}"));
        }
    }
    None
}

/// A mean, and how far rounding may have moved it.
type Slack = (f64, f64);

/// The candidate's mean over the units, and how far rounding may have moved it.
fn pooled(input: &Ranking, candidate: &str, takes: impl Fn(&str) -> bool) -> Slack {
    let own: Vec<&RankedMean> =
        input.means.iter().filter(|mean| mean.candidate == candidate && takes(&mean.unit)).collect();
    let weights: Vec<f64> = own.iter().map(|mean| weight(input, &mean.unit)).collect();
    let whole: f64 = weights.iter().sum();
    let sum = |of: &dyn Fn(&RankedMean) -> f64| {
        own.iter().zip(&weights).map(|(mean, weight)| of(mean) * weight).sum::<f64>() / whole
    };
    (sum(&|mean| mean.mean.0), sum(&|mean| mean.mean.1))
}

/// What the unit weighs, for whichever candidate: the fewest values that one of those who ran it has.
fn weight(input: &Ranking, unit: &str) -> f64 {
    let counts = input.means.iter().filter(|mean| mean.unit == unit).map(|mean| mean.n);
    counts.min().unwrap_or(0) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn ruled(means: &[(&str, &str, f64, u64)]) -> Ruling {
        let mean = |&(candidate, unit, ms, n): &(&str, &str, f64, u64)| RankedMean {
            candidate: candidate.to_owned(),
            unit: unit.to_owned(),
            mean: (ms, 0.005),
            n,
            source: format!("t:{candidate} {unit}"),
        };
        let means: Vec<RankedMean> = means.iter().map(mean).collect();
        let candidates: BTreeSet<String> = means.iter().map(|mean| mean.candidate.clone()).collect();
        ranking(&Ranking { candidates: candidates.into_iter().collect(), means, in_unit: "ms".to_owned() })
    }

    #[test]
    fn a_unit_that_one_candidate_alone_ran_does_not_decide_the_ranking() {
        // On what both ran b is faster; that a ran the small model too makes its pooled mean lower.
        let found = ruled(&[("a", "small", 1.0, 100), ("a", "large", 18.0, 100), ("b", "large", 12.0, 100)]);
        assert_eq!((found.label.as_str(), found.standing), ("b", Standing::Decided));
        assert!(found.reasons.contains(&"not every candidate ran small, left out".to_owned()), "{:?}", found.reasons);
        assert_eq!(found.reasons[2], "with what is left out a would have the lowest mean");
        let ranks: Vec<&str> = found.parts.iter().map(|part| part.label.as_str()).collect();
        assert_eq!(ranks, ["rank_1", "rank_2"]);
    }

    #[test]
    fn a_candidate_that_is_slower_on_every_unit_is_not_first_because_it_ran_more_of_the_quick_one() {
        let found = ruled(&[("a", "x", 10.0, 9), ("a", "y", 20.0, 1), ("b", "x", 9.0, 1), ("b", "y", 19.0, 9)]);
        assert_eq!(found.label, "b");
        assert_eq!((found.parts[0].numbers["mean"], found.parts[1].numbers["mean"]), (14.0, 15.0));
    }

    #[test]
    fn means_are_weighted_and_printed_digits_that_touch_are_a_tie() {
        let found = ruled(&[("a", "x", 10.0, 3), ("a", "y", 20.0, 1), ("b", "x", 11.0, 3), ("b", "y", 18.0, 1)]);
        assert_eq!((found.parts[0].numbers["mean"], found.parts[1].numbers["mean"]), (12.5, 12.75));
        assert_eq!(ruled(&[("a", "x", 10.0, 1), ("b", "x", 10.01, 1)]).label, "tie");
        assert_eq!(ruled(&[("a", "x", 10.0, 1), ("b", "x", 10.02, 1)]).label, "a");
    }

    #[test]
    fn without_a_common_unit_or_with_one_twice_nothing_is_ranked() {
        assert_eq!(ruled(&[("a", "x", 1.0, 1), ("b", "y", 2.0, 1)]).standing, Standing::Invalid);
        assert_eq!(ruled(&[("a", "x", 1.0, 1)]).standing, Standing::Invalid);
        assert_eq!(ruled(&[("a", "x", 1.0, 1), ("a", "x", 1.0, 1), ("b", "x", 1.0, 1)]).standing, Standing::Invalid);
        assert_eq!(ruled(&[("a", "x", f64::NAN, 1), ("b", "x", 1.0, 1)]).standing, Standing::Invalid);
    }
}
