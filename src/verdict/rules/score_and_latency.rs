//! Whether one side has the better score and the lower latency.

use std::collections::BTreeMap;

use super::{Part, Ruling};

/// One lane of a matrix; each number with half of its last printed digit.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredLane {
    /// Its name.
    pub key: BTreeMap<String, String>,
    /// Scores, higher better: of the side compared against, and of the side compared.
    pub scores: [(f64, f64); 2],
    /// Latencies in milliseconds, in the same order.
    pub latencies: [(f64, f64); 2],
    /// The interval of the score's difference, compared minus compared against; absent where none is printed.
    pub score_interval: Option<[f64; 2]>,
    /// The row.
    pub source: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Better,
    Worse,
    /// No more apart than their printed digits.
    Same,
}

/// Reads each lane by Treni's rule: a win needs score and latency, and a score whose interval holds zero is exploratory.
///
/// | score | latency | label of the lane |
/// |---|---|---|
/// | better, and its interval lies above zero | better | `wins` |
/// | not worse, the interval holds zero or none is printed | better | `exploratory` |
/// | worse | better | `not_promotable` |
/// | not worse | not better | `no_latency_gain` |
/// | worse | not better | `loses` |
///
/// The ruling has the label that all lanes share, `mixed` where they do not; where all are `exploratory` it is `inconclusive`,
/// because nothing may be claimed; `invalid` where a number is none.
#[must_use]
pub fn score_and_latency(lanes: &[ScoredLane]) -> Ruling {
    rule(lanes).resting_on(lanes.iter().map(|lane| &lane.source))
}

fn rule(lanes: &[ScoredLane]) -> Ruling {
    if lanes.is_empty() {
        return Ruling::invalid("no lane was given");
    }
    let mut parts = Vec::new();
    for lane in lanes {
        let all = lane.scores.iter().chain(&lane.latencies);
        let ends = lane.score_interval.iter().flatten();
        if all.clone().any(|(value, half)| !value.is_finite() || half.is_nan() || *half < 0.0)
            || !ends.clone().all(|e| e.is_finite())
        {
            return Ruling::invalid(format!("{}: a score or latency is no finite number", lane.source));
        }
        if lane.latencies.iter().any(|(ms, _)| *ms <= 0.0) {
            return Ruling::invalid(format!("{}: a latency is not above 0 ms", lane.source));
        }
        let [before, after] = lane.scores;
        let [slow, fast] = lane.latencies;
        parts.push(
            Part::new(lane.key.clone(), label(lane))
                .number("score_difference", after.0 - before.0)
                .number("latency_difference_ms", fast.0 - slow.0),
        );
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    parts.iter().for_each(|part| *counts.entry(part.label.as_str()).or_insert(0) += 1);
    let told: Vec<String> = counts.iter().map(|(label, count)| format!("{label} {count}")).collect();
    let told = format!("of {} lanes: {}", parts.len(), told.join(", "));
    let bare = lanes.iter().filter(|lane| lane.score_interval.is_none()).count();
    let bare = (bare > 0).then(|| format!("of {bare} lanes no interval of the score's difference is printed"));
    let labels: Vec<&str> = counts.keys().copied().collect();
    let ruling = match labels[..] {
        ["exploratory"] => Ruling::inconclusive(told),
        [only] => Ruling::decided(only).because(told),
        _ => Ruling::decided("mixed").because(told),
    };
    ruling.because_all(bare).in_parts(parts)
}

fn label(lane: &ScoredLane) -> &'static str {
    let [before, after] = lane.scores;
    let score = side((after.0 - before.0, before.1 + after.1));
    let [slow, fast] = lane.latencies;
    let latency = side((slow.0 - fast.0, slow.1 + fast.1));
    let is_safe = lane.score_interval.is_some_and(|[low, _]| low > 0.0);
    match (score, latency) {
        (Side::Better, Side::Better) if is_safe => "wins",
        (Side::Better | Side::Same, Side::Better) => "exploratory",
        (Side::Worse, Side::Better) => "not_promotable",
        (Side::Better | Side::Same, _) => "no_latency_gain",
        (Side::Worse, _) => "loses",
    }
}

fn side((gain, slack): (f64, f64)) -> Side {
    match gain {
        gain if gain > slack => Side::Better,
        gain if gain < -slack => Side::Worse,
        _ => Side::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn lane(score: f64, ms: f64, score_interval: Option<[f64; 2]>) -> ScoredLane {
        ScoredLane {
            key: BTreeMap::from([("lane".to_owned(), format!("{score} {ms}"))]),
            scores: [(0.30, 0.005), (score, 0.005)],
            latencies: [(100.0, 0.5), (ms, 0.5)],
            score_interval,
            source: "t:1".to_owned(),
        }
    }

    fn label_of(score: f64, ms: f64, interval: Option<[f64; 2]>) -> String {
        score_and_latency(&[lane(score, ms, interval)]).parts[0].label.clone()
    }

    #[test]
    fn a_win_needs_score_and_latency_and_an_interval_above_zero() {
        let sure = Some([0.01, 0.2]);
        assert_eq!(label_of(0.4, 90.0, sure), "wins");
        assert_eq!(label_of(0.4, 90.0, Some([-0.01, 0.2])), "exploratory");
        assert_eq!(label_of(0.4, 90.0, None), "exploratory");
        assert_eq!(label_of(0.305, 90.0, sure), "exploratory", "no more apart than its digits");
        assert_eq!(label_of(0.2, 90.0, sure), "not_promotable", "faster and worse");
        assert_eq!(label_of(0.4, 101.0, sure), "no_latency_gain", "no more apart than its digits");
        assert_eq!(label_of(0.2, 110.0, sure), "loses");
    }

    #[test]
    fn what_may_only_be_explored_decides_nothing() {
        assert_eq!(score_and_latency(&[lane(0.4, 90.0, None)]).standing, Standing::Inconclusive);
        let two = [lane(0.4, 90.0, None), lane(0.2, 90.0, None)];
        assert_eq!(score_and_latency(&two).label, "mixed");
        assert_eq!(score_and_latency(&[lane(0.2, 90.0, None)]).label, "not_promotable");
        for bad in [lane(f64::NAN, 1.0, None), lane(0.1, 0.0, None), lane(0.1, 1.0, Some([f64::NAN, 1.0]))] {
            assert_eq!(score_and_latency(&[bad]).standing, Standing::Invalid);
        }
        assert_eq!(score_and_latency(&[]).standing, Standing::Invalid);
    }
}
