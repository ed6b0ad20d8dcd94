//! Which lane is ready first: startup and first request together.

use super::three_answers::MIN_LAUNCHES;
use super::{Part, Ruling};
use crate::verdict::rounding::round;

/// One lane's cold start, each number the mean over its launches.
#[derive(Debug, Clone, PartialEq)]
pub struct ColdLane {
    /// The lane.
    pub lane: String,
    /// From the start of the process until it says that it is ready, in milliseconds.
    pub startup_ms: f64,
    /// The first request, from sending it to its last token, in milliseconds.
    pub first_request_ms: f64,
    /// How finely the startup was seen, in milliseconds: the interval at which its readiness was asked for.
    pub resolution_ms: f64,
    /// Launches behind the means.
    pub launches: u64,
    /// The row that says so.
    pub source: String,
}

/// Lanes that are ranked by their cold start.
#[derive(Debug, Clone, PartialEq)]
pub struct ColdStart {
    /// The lanes.
    pub lanes: Vec<ColdLane>,
}

/// Ranks lanes by `startup + first request`, lower first.
///
/// A lane's rank is one more than the number of lanes that are faster by more than the resolution of the coarser of both:
/// readiness that is asked for every second comes up to a second late, so that a smaller difference is a tie. Ties are not
/// transitive, ranks of this form are.
///
/// Labels: the lane that alone has rank 1; `tie` where several have it; `inconclusive` where one of those that could be
/// first has fewer than three launches; `invalid`.
#[must_use]
pub fn cold_start(input: &ColdStart) -> Ruling {
    let ruling = rule(input).resting_on(input.lanes.iter().map(|lane| &lane.source));
    let ruling = ruling.against("min_launches", MIN_LAUNCHES as f64, "launches");
    input
        .lanes
        .iter()
        .fold(ruling, |ruling, lane| ruling.against(&format!("resolution {}", lane.lane), lane.resolution_ms, "ms"))
}

fn rule(input: &ColdStart) -> Ruling {
    if input.lanes.len() < 2 {
        return Ruling::invalid(format!("{} lane was given; a ranking needs two", input.lanes.len()));
    }
    for (position, lane) in input.lanes.iter().enumerate() {
        let ColdLane { startup_ms, first_request_ms, resolution_ms, .. } = lane;
        let usable = |ms: f64| ms.is_finite() && ms >= 0.0;
        let total = startup_ms + first_request_ms;
        if !(usable(*startup_ms) && usable(*first_request_ms) && total.is_finite() && total > 0.0) {
            return Ruling::invalid(format!(
                "lane {} started in {startup_ms} ms and answered in {first_request_ms} ms, which are no times",
                lane.lane
            ));
        }
        if !usable(*resolution_ms) {
            return Ruling::invalid(format!("lane {} has a resolution of {resolution_ms} ms", lane.lane));
        }
        if input.lanes.iter().skip(position + 1).any(|other| other.lane == lane.lane) {
            return Ruling::invalid(format!("lane {} is given twice", lane.lane));
        }
    }
    let mut ranked: Vec<(usize, &ColdLane)> = input.lanes.iter().map(|lane| (rank(input, lane), lane)).collect();
    ranked.sort_by(|(rank, one), (other, two)| rank.cmp(other).then(total_ms(one).total_cmp(&total_ms(two))));
    let first: Vec<&ColdLane> = ranked.iter().filter(|(rank, _)| *rank == 1).map(|(_, lane)| *lane).collect();
    let parts = ranked.iter().map(|(rank, lane)| {
        Part::of("lane", &lane.lane, format!("rank_{rank}"))
            .number("total_ms", total_ms(lane))
            .number("startup_ms", lane.startup_ms)
            .number("first_request_ms", lane.first_request_ms)
    });
    conclude(&ranked, &first).in_parts(parts.collect::<Vec<_>>())
}

fn conclude(ranked: &[(usize, &ColdLane)], first: &[&ColdLane]) -> Ruling {
    let told = |lane: &ColdLane| format!("{} {} ms", lane.lane, round(total_ms(lane)));
    if let Some((_, few)) = ranked.iter().find(|(_, lane)| lane.launches < MIN_LAUNCHES) {
        return Ruling::inconclusive(format!(
            "{} has {} launches; fewer than {MIN_LAUNCHES} rank nothing",
            few.lane, few.launches
        ))
        .settled_by(Some(MIN_LAUNCHES));
    }
    let all: Vec<String> = ranked.iter().map(|(_, lane)| told(lane)).collect();
    match first {
        [only] => Ruling::decided(&only.lane).because(format!("total from start to first answer: {}", all.join(", "))),
        several => {
            let several: Vec<String> = several.iter().map(|lane| told(lane)).collect();
            Ruling::decided("tie").because(format!("within the resolution of each other: {}", several.join(", ")))
        }
    }
}

fn total_ms(lane: &ColdLane) -> f64 {
    lane.startup_ms + lane.first_request_ms
}

/// One more than the lanes that are faster by more than either one's resolution.
fn rank(input: &ColdStart, lane: &ColdLane) -> usize {
    let resolved = |other: &&ColdLane| total_ms(lane) - total_ms(other) > lane.resolution_ms.max(other.resolution_ms);
    1 + input.lanes.iter().filter(resolved).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::rules::Standing;

    fn ruled(lanes: &[(&str, f64, f64, f64, u64)]) -> Ruling {
        let lanes = lanes.iter().map(|&(lane, startup_ms, first_request_ms, resolution_ms, launches)| ColdLane {
            lane: lane.to_owned(),
            startup_ms,
            first_request_ms,
            resolution_ms,
            launches,
            source: format!("row:{lane}"),
        });
        cold_start(&ColdStart { lanes: lanes.collect() })
    }

    #[test]
    fn the_lane_that_is_ready_and_has_answered_first_wins_though_it_starts_later() {
        let ruling = ruled(&[("vllm", 200.0, 900.0, 50.0, 3), ("runtime", 500.0, 100.0, 50.0, 3)]);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("runtime", Standing::Decided));
        let ranks: Vec<(&str, &str)> =
            ruling.parts.iter().map(|part| (part.key["lane"].as_str(), part.label.as_str())).collect();
        assert_eq!(ranks, [("runtime", "rank_1"), ("vllm", "rank_2")]);
    }

    #[test]
    fn a_difference_up_to_the_coarser_resolution_is_a_tie() {
        let at = |total: f64| ruled(&[("a", 1000.0, 0.0, 50.0, 3), ("b", total, 0.0, 1000.0, 3)]).label;
        assert_eq!([2000.0, 2000.0_f64.next_up(), 1000.0].map(at), ["tie", "a", "tie"]);
    }

    #[test]
    fn ties_chain_without_dragging_the_last_to_the_first() {
        let ruling = ruled(&[("a", 100.0, 0.0, 50.0, 3), ("b", 140.0, 0.0, 50.0, 3), ("c", 180.0, 0.0, 50.0, 3)]);
        let ranks: Vec<&str> = ruling.parts.iter().map(|part| part.label.as_str()).collect();
        assert_eq!((ruling.label.as_str(), ranks), ("tie", vec!["rank_1", "rank_1", "rank_2"]));
    }

    #[test]
    fn fewer_than_three_launches_rank_nothing() {
        let ruling = ruled(&[("a", 100.0, 0.0, 1.0, 3), ("b", 900.0, 0.0, 1.0, 2)]);
        assert_eq!((ruling.standing, ruling.settled_by), (Standing::Inconclusive, Some(3)));
    }

    #[test]
    fn what_is_no_time_and_a_lane_against_itself_are_invalid() {
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(ruled(&[("a", bad, 1.0, 1.0, 3), ("b", 1.0, 1.0, 1.0, 3)]).standing, Standing::Invalid, "{bad}");
            assert_eq!(ruled(&[("a", 1.0, 1.0, bad, 3), ("b", 1.0, 1.0, 1.0, 3)]).standing, Standing::Invalid, "{bad}");
        }
        assert_eq!(ruled(&[("a", 0.0, 0.0, 1.0, 3), ("b", 1.0, 1.0, 1.0, 3)]).standing, Standing::Invalid);
        assert_eq!(ruled(&[("a", 1.0, 1.0, 1.0, 3)]).standing, Standing::Invalid);
        assert_eq!(ruled(&[("a", 1.0, 1.0, 1.0, 3), ("a", 1.0, 1.0, 1.0, 3)]).standing, Standing::Invalid);
    }

    proptest! {
        #[test]
        fn any_numbers_have_a_ruling_and_the_fastest_always_has_rank_one(
            wild in [proptest::num::f64::ANY, proptest::num::f64::ANY, proptest::num::f64::ANY],
            totals in prop::collection::vec(1.0..1e4_f64, 2..6),
            resolution in 0.0..500.0_f64,
        ) {
            prop_assert!(!ruled(&[("a", wild[0], wild[1], wild[2], 3), ("b", 1.0, 1.0, 1.0, 3)]).reasons.is_empty());
            let names = ["a", "b", "c", "d", "e", "f"];
            let lanes: Vec<_> = totals.iter().zip(names).map(|(total, name)| (name, *total, 0.0, resolution, 3)).collect();
            let ruling = ruled(&lanes);
            prop_assert_eq!(&ruling.parts[0].label, "rank_1");
            let best = totals.iter().copied().fold(f64::INFINITY, f64::min);
            prop_assert!((ruling.parts[0].numbers["total_ms"] - best).abs() <= best * 1e-5);
        }
    }
}
