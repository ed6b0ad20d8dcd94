//! Which lane is ready first: startup and first request together.

use super::estimate::{OtherTests, launches_to_decide};
use super::three_answers::{MIN_LAUNCHES, own_p};
use super::{Part, Ruling, RulingTest};
use crate::stats::{
    Alpha, Confidence, Effect, FamilyDecision, Margin, Moments, PValue, Pairing, Power, difference_interval, holm,
    welch,
};
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
    /// The totals of those launches; absent where only their means are printed.
    pub totals: Option<Moments>,
    /// The row that says so.
    pub source: String,
}

/// Lanes that are ranked by their cold start.
#[derive(Debug, Clone, PartialEq)]
pub struct ColdStart {
    /// The lanes.
    pub lanes: Vec<ColdLane>,
    /// Level of the tests.
    pub alpha: Alpha,
    /// Power that the stated number of launches is to have.
    pub power: Power,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// Ranks lanes by `startup + first request`, lower first.
///
/// A lane's rank is one more than the number of lanes that are faster: by more than the resolution of the coarser of both
/// (readiness that is asked for every second comes up to a second late, so that a smaller difference is a tie), and, where
/// the spread of both over launches is known, with Welch's p, adjusted (Holm) over all pairs and the plan's family, below
/// alpha. Where it is not, the printed means alone rank, and the ruling says so. Ties are not transitive, ranks of this form
/// are.
///
/// Labels: the lane that alone has rank 1; `tie` where several have it and lie within the resolution of each other;
/// `inconclusive` where the launches do not tell which of them is first, with the number that would, or where one has fewer
/// than three; `invalid`.
#[must_use]
pub fn cold_start(input: &ColdStart) -> Ruling {
    let ruling = rule(input).resting_on(input.lanes.iter().map(|lane| &lane.source));
    let ruling = ruling
        .against("alpha", input.alpha.get(), "share")
        .against("power", input.power.get(), "share")
        .against("min_launches", MIN_LAUNCHES as f64, "launches");
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
    let pairs = tested(input);
    let mut ranked: Vec<(usize, &ColdLane)> =
        input.lanes.iter().map(|lane| (rank(input, &pairs, lane), lane)).collect();
    ranked.sort_by(|(rank, one), (other, two)| rank.cmp(other).then(total_ms(one).total_cmp(&total_ms(two))));
    let first: Vec<&ColdLane> = ranked.iter().filter(|(rank, _)| *rank == 1).map(|(_, lane)| *lane).collect();
    let parts = ranked.iter().map(|(rank, lane)| {
        Part::of("lane", &lane.lane, format!("rank_{rank}"))
            .number("total_ms", total_ms(lane))
            .number("startup_ms", lane.startup_ms)
            .number("first_request_ms", lane.first_request_ms)
    });
    let bare = input.lanes.iter().any(|lane| lane.totals.is_none());
    let bare =
        bare.then(|| "of some totals no spread over launches is known, and those rank by their means".to_owned());
    let ruling = conclude(&ranked, &first, &pairs, input).in_parts(parts.collect::<Vec<_>>());
    ruling.because_all(bare).tested(pairs.iter().map(|pair| pair.test(input.alpha)))
}

/// Two lanes' totals, tested against each other.
struct Pair<'a> {
    lanes: [&'a ColdLane; 2],
    effect: Effect,
    decision: FamilyDecision,
    family: usize,
}

impl Pair<'_> {
    fn test(&self, alpha: Alpha) -> RulingTest {
        let [one, other] = self.lanes;
        let interval = Confidence::new(1.0 - alpha.get()).and_then(|level| difference_interval(&self.effect, level));
        RulingTest::of(format!("Welch t, total of {} minus {}, ms, Holm over {}", other.lane, one.lane, self.family))
            .estimating(self.effect.difference(), interval.ok().map(|interval| [interval.low, interval.high]))
            .p(self.decision.p, Some(self.decision.adjusted))
    }

    fn is_of(&self, one: &ColdLane, other: &ColdLane) -> bool {
        let names = self.lanes.map(|lane| lane.lane.as_str());
        names == [one.lane.as_str(), other.lane.as_str()] || names == [other.lane.as_str(), one.lane.as_str()]
    }
}

/// The differences of all pairs whose spread is known, each with its p.
fn differences(input: &ColdStart) -> Vec<([&ColdLane; 2], Effect, PValue)> {
    let mut found = Vec::new();
    for (position, one) in input.lanes.iter().enumerate() {
        for other in input.lanes.iter().skip(position + 1) {
            let (Some(before), Some(after)) = (one.totals, other.totals) else { continue };
            let Ok(tested) = welch(after, before) else { continue };
            found.extend(own_p(&tested.effect).map(|p| ([one, other], tested.effect, p)));
        }
    }
    found
}

/// The p values of the totals' differences: what they add to the plan's family.
pub(in crate::verdict) fn cold_family(input: &ColdStart) -> Vec<PValue> {
    differences(input).into_iter().map(|(.., p)| p).collect()
}

fn tested(input: &ColdStart) -> Vec<Pair<'_>> {
    let found = differences(input);
    let mut family: Vec<PValue> = found.iter().map(|(.., p)| *p).collect();
    family.extend_from_slice(&input.also_in_family);
    let size = family.len();
    let decisions = holm(&family, input.alpha);
    let pair = |((lanes, effect, _), decision)| Pair { lanes, effect, decision, family: size };
    found.into_iter().zip(decisions).map(pair).collect()
}

fn conclude(ranked: &[(usize, &ColdLane)], first: &[&ColdLane], pairs: &[Pair<'_>], input: &ColdStart) -> Ruling {
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
        [lowest, rest @ ..] if rest.iter().any(|other| is_resolved(other, lowest)) => {
            let apart = rest.iter().filter(|other| is_resolved(other, lowest));
            let needed: Option<Vec<u64>> = apart.map(|other| launches_needed(lowest, other, pairs, input)).collect();
            let several: Vec<String> = first.iter().map(|lane| told(lane)).collect();
            Ruling::inconclusive(format!("the launches do not tell which is first: {}", several.join(", ")))
                .settled_by(needed.and_then(|needed| needed.into_iter().max()))
        }
        several => {
            let several: Vec<String> = several.iter().map(|lane| told(lane)).collect();
            Ruling::decided("tie").because(format!("within the resolution of each other: {}", several.join(", ")))
        }
    }
}

fn total_ms(lane: &ColdLane) -> f64 {
    lane.startup_ms + lane.first_request_ms
}

/// Whether the lane is slower than the other by more than either one's resolution.
fn is_resolved(lane: &ColdLane, other: &ColdLane) -> bool {
    total_ms(lane) - total_ms(other) > lane.resolution_ms.max(other.resolution_ms)
}

/// Launches a side with which the difference would show, if it is what it seems to be.
fn launches_needed(one: &ColdLane, other: &ColdLane, pairs: &[Pair<'_>], input: &ColdStart) -> Option<u64> {
    let pair = pairs.iter().find(|pair| pair.is_of(one, other))?;
    let margin = Margin::absolute(one.resolution_ms.max(other.resolution_ms).max(f64::MIN_POSITIVE)).ok()?;
    let launches = one.launches.min(other.launches);
    let in_time = differences(input).len() + input.also_in_family.in_time();
    let among = Alpha::new(input.alpha.get() / in_time as f64).ok()?;
    launches_to_decide(
        [&pair.effect, &pair.effect],
        (launches, Pairing::Unpaired),
        margin,
        [input.alpha, among],
        input.power,
    )
}

/// One more than the lanes that are faster.
fn rank(input: &ColdStart, pairs: &[Pair<'_>], lane: &ColdLane) -> usize {
    let shown = |other: &ColdLane| match pairs.iter().find(|pair| pair.is_of(lane, other)) {
        Some(pair) => pair.decision.adjusted.is_below(input.alpha),
        // Without a spread on both sides the means are all there is; with one that no test can be made of, nothing is shown.
        None => lane.totals.is_none() || other.totals.is_none(),
    };
    1 + input.lanes.iter().filter(|other| is_resolved(lane, other) && shown(other)).count()
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
            totals: None,
            source: format!("row:{lane}"),
        });
        cold_start(&among(lanes.collect()))
    }

    fn among(lanes: Vec<ColdLane>) -> ColdStart {
        let (alpha, power) = (Alpha::new(0.05).expect("a level"), Power::new(0.8).expect("a power"));
        ColdStart { lanes, alpha, power, also_in_family: OtherTests::default() }
    }

    /// Lanes whose five launches scatter by `sd`.
    fn scattered(lanes: &[(&str, f64, f64)]) -> Vec<ColdLane> {
        let lane = |&(lane, total, sd): &(&str, f64, f64)| ColdLane {
            lane: lane.to_owned(),
            startup_ms: total - 10.0,
            first_request_ms: 10.0,
            resolution_ms: 50.0,
            launches: 5,
            totals: Some(Moments::new(5, total, sd).expect("moments")),
            source: format!("row:{lane}"),
        };
        lanes.iter().map(lane).collect()
    }

    #[test]
    fn a_lane_is_first_by_its_launches_and_not_by_its_mean_alone() {
        let sure = cold_start(&among(scattered(&[("a", 1000.0, 20.0), ("b", 1200.0, 20.0)])));
        assert_eq!((sure.label.as_str(), sure.tests.len()), ("a", 1));
        let open = cold_start(&among(scattered(&[("a", 1000.0, 300.0), ("b", 1200.0, 300.0)])));
        assert_eq!(open.standing, Standing::Inconclusive, "{open:?}");
        assert!(open.settled_by.is_some_and(|launches| launches > 5), "{open:?}");
        assert_eq!(cold_start(&among(scattered(&[("a", 1000.0, 20.0), ("b", 1050.0, 20.0)]))).label, "tie");
        let weak = among(scattered(&[("a", 1000.0, 100.0), ("b", 1200.0, 100.0)]));
        assert_eq!(cold_start(&weak).label, "a");
        let also_in_family = (0..10).map(|_| PValue::new(0.9).expect("a p")).collect();
        assert_eq!(cold_start(&ColdStart { also_in_family, ..weak }).standing, Standing::Inconclusive);
    }

    #[test]
    fn means_without_a_spread_rank_and_the_ruling_says_so() {
        let bare = ruled(&[("a", 1000.0, 0.0, 50.0, 3), ("b", 3000.0, 0.0, 50.0, 3)]);
        assert_eq!((bare.label.as_str(), bare.tests.len()), ("a", 0));
        assert!(bare.reasons[1].contains("rank by their means"), "{:?}", bare.reasons);
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
