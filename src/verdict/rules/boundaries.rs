//! Where along an axis something starts to fail.

use crate::stats::Confidence;

use std::collections::BTreeMap;

use super::rates::{Count, Tally, Where, cut_fault, unit_told};
use super::three_answers::MIN_LAUNCHES;
use super::{Part, Ruling, RulingTest};

/// What is counted along the axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// Rows that crashed.
    Crash,
    /// Rows that another path served.
    Fallback,
    /// Rows without an end.
    Hang,
}

impl Occurrence {
    fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Fallback => "fallback",
            Self::Hang => "hang",
        }
    }
}

/// One place on the axis, with all its repetitions.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundaryPoint {
    /// The axis' value, for example a token length.
    pub at: f64,
    /// How often it happened there.
    pub tally: Tally,
    /// The launches that it counts, by segment and launch, with whether it happened in them; empty where they are not known.
    pub launches: BTreeMap<(u32, u32), bool>,
    /// The row that says so.
    pub source: String,
}

/// Rates along an ordered axis, and the rate that separates its two sides.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundaryInput {
    /// What is counted.
    pub occurrence: Occurrence,
    /// The axis, for example `token_len`.
    pub axis: String,
    /// Its places, in any order.
    pub points: Vec<BoundaryPoint>,
    /// A place is free of it when its rate is shown to be at most this, and affected when shown to be above.
    pub cut: f64,
    /// Confidence with which all places together are on the side that is said.
    pub confidence: Confidence,
}

/// A place with the side that its interval puts it on.
struct Placed {
    at: f64,
    side: Where,
    /// Repetitions that would put an open one on a side.
    settled_by: Option<u64>,
}

/// Says between which values of the axis the rate crosses the cut.
///
/// Labels: `located` (one crossing, the reason says between which values and in which direction), `several` (more than
/// one), `none_within_range` (free everywhere), `everywhere` (affected everywhere), `inconclusive`, `invalid`. Places
/// whose interval holds the cut are on neither side; between two decided places they only widen the bracket, at an end
/// of the axis they leave open whether there is a boundary.
///
/// Each place has Clopper and Pearson's interval at confidence `1 - (1 - confidence) / places`, so that all of them hold
/// together (Bonferroni): one place on the wrong side would move the boundary.
///
/// Where each place has too few trials to be on a side, all of them together may have enough: `affected_on_average` and
/// `free_on_average` speak of the mean rate over the places that were tried, and leave open where a boundary lies. With
/// rates that differ from place to place Clopper and Pearson's interval of the sum covers their mean at least as often as it
/// says (Hoeffding 1956, <https://doi.org/10.1214/aoms/1177728178>, for sums beyond the mean). By launches, one launch that
/// tried several places is one trial: affected where it happened at all of them, free where it happened at none, and at least
/// three launches must have tried any.
#[must_use]
pub fn boundary(input: &BoundaryInput) -> Ruling {
    let ruling = match place(input) {
        Ok((placed, parts, tests)) => {
            let ruling = rule(input, &placed).in_parts(parts).tested(tests);
            let apart = placed.iter().all(|place| place.side == Where::Open);
            let ruling = if apart { on_average(input, ruling) } else { ruling };
            ruling.because_all(unit_told(input.points.iter().map(|point| point.tally)))
        }
        Err(reason) => Ruling::invalid(reason),
    };
    ruling.resting_on(input.points.iter().map(|point| &point.source)).against("cut", input.cut, "share").against(
        "confidence",
        input.confidence.get(),
        "share",
    )
}

type PlacedParts = (Vec<Placed>, Vec<Part>, Vec<RulingTest>);

/// Puts every place on its side, in the order of the axis; in words why that cannot be done.
fn place(input: &BoundaryInput) -> Result<PlacedParts, String> {
    if let Some(fault) = cut_fault("the cut", input.cut) {
        return Err(fault);
    }
    let mut points: Vec<&BoundaryPoint> = input.points.iter().collect();
    points.sort_by(|one, other| one.at.total_cmp(&other.at));
    if let Some(point) = points.iter().find(|point| !point.at.is_finite()) {
        return Err(format!("a place on {} is {}, not a finite number", input.axis, point.at));
    }
    if let Some(twice) = points.windows(2).find(|pair| matches!(pair, [one, other] if one.at == other.at)) {
        return Err(format!(
            "{} {} is given twice; give each place once, with all its repetitions",
            input.axis, twice[0].at
        ));
    }
    let tried = points.iter().filter(|point| point.tally.count.trials > 0).count();
    if tried == 0 {
        return Err(format!("nothing was tried anywhere on {}", input.axis));
    }
    let each =
        Confidence::new(1.0 - (1.0 - input.confidence.get()) / tried as f64).map_err(|error| error.to_string())?;
    let (mut placed, mut parts, mut tests) = (Vec::new(), Vec::new(), Vec::new());
    for BoundaryPoint { at, tally, .. } in points {
        let count = tally.count;
        let key = |label| Part::of(&input.axis, at.to_string(), label);
        if count.trials == 0 {
            placed.push(Placed { at: *at, side: Where::Open, settled_by: None });
            parts.push(key("not_tried").because("no repetition was made here"));
            continue;
        }
        let interval = count.exact(each)?;
        let side = if tally.is_too_few() { Where::Open } else { count.side(input.cut, each)? };
        let settled_by = (side == Where::Open).then(|| count.trials_to_settle(input.cut, each)).flatten();
        let settled_by = settled_by.map(|trials| trials.max(tally.at_least()));
        let label = match side {
            Where::Below => "free",
            Where::Above => "affected",
            Where::Open => "open",
        };
        let part = key(label)
            .number("rate", interval.estimate)
            .number("rate_low", interval.low)
            .number("rate_high", interval.high)
            .number("hits", count.hits as f64)
            .number("trials", count.trials as f64);
        parts.push(tally.beside(part));
        tests.push(
            RulingTest::of(format!("Clopper-Pearson, {} rate at {} {at}", input.occurrence.name(), input.axis))
                .estimating(interval.estimate, Some([interval.low, interval.high])),
        );
        placed.push(Placed { at: *at, side, settled_by });
    }
    Ok((placed, parts, tests))
}

fn rule(input: &BoundaryInput, placed: &[Placed]) -> Ruling {
    let (what, axis) = (input.occurrence.name(), &input.axis);
    let decided: Vec<&Placed> = placed.iter().filter(|place| place.side != Where::Open).collect();
    let open: Vec<&Placed> = placed.iter().filter(|place| place.side == Where::Open).collect();
    let crossings: Vec<String> = decided.windows(2).filter_map(|pair| crossing(what, axis, pair)).collect();
    let at_an_end =
        [placed.first(), placed.last()].into_iter().flatten().filter(|place| place.side == Where::Open).count() > 0;
    let settled_by = open.iter().filter_map(|place| place.settled_by).max();
    let left_open = (!open.is_empty()).then(|| {
        let places: Vec<String> = open.iter().map(|place| place.at.to_string()).collect();
        format!("the interval of the rate holds the cut {} at {axis} {}", input.cut, places.join(", "))
    });
    let ruling = match (crossings.len(), decided.first().map(|place| place.side)) {
        (1, _) => Ruling::decided("located").because_all(crossings),
        (2.., _) => Ruling::decided("several")
            .because(format!("the {what} rate crosses {} more than once along {axis}", input.cut))
            .because_all(crossings),
        (0, None) => Ruling::inconclusive(format!("no place on {axis} is shown to be on either side of the cut")),
        (0, Some(_)) if placed.len() < 2 => {
            Ruling::inconclusive(format!("one place on {axis} was tried; a boundary lies between two"))
        }
        (0, Some(_)) if at_an_end => Ruling::inconclusive(format!(
            "an end of {axis} is open, so a boundary there can be neither shown nor excluded"
        )),
        (0, Some(Where::Below)) => Ruling::decided("none_within_range").because(format!(
            "the {what} rate is at most {} at both ends of {axis} and wherever it is decided",
            input.cut
        )),
        (0, Some(_)) => Ruling::decided("everywhere").because(format!(
            "the {what} rate is above {} at both ends of {axis} and wherever it is decided",
            input.cut
        )),
    };
    ruling.because_all(left_open).settled_by(settled_by)
}

/// What all places may be shown to be together.
const AVERAGES: [(Where, &str, &str); 2] =
    [(Where::Below, "free_on_average", "at most"), (Where::Above, "affected_on_average", "above")];

/// All trials of all places, to be held against one side of the cut; nothing where there are fewer than decide anything.
///
/// A launch that tried several places is one trial, which counts for the side only if it is on it at all of them.
fn together(input: &BoundaryInput, side: Where) -> Option<Count> {
    let sum =
        |of: fn(Count) -> u64| input.points.iter().map(|point| of(point.tally.count)).fold(0, u64::saturating_add);
    let all = Count { hits: sum(|count| count.hits), trials: sum(|count| count.trials) };
    if !input.points.iter().any(|point| point.tally.is_by_launch()) {
        return Some(all);
    }
    Some(of_launches(input, side)).filter(|count| count.trials >= MIN_LAUNCHES)
}

/// The launches that tried any place, and those among them that count for the side.
fn of_launches(input: &BoundaryInput, side: Where) -> Count {
    let mut launches: BTreeMap<(u32, u32), bool> = BTreeMap::new();
    for (launch, happened) in input.points.iter().flat_map(|point| &point.launches) {
        let known = launches.entry(*launch).or_insert(*happened);
        *known = if side == Where::Above { *known && *happened } else { *known || *happened };
    }
    let count = |which: bool| launches.values().filter(|happened| **happened || !which).count() as u64;
    Count { hits: count(true), trials: count(false) }
}

/// How many launches would decide the mean over all places, if they come out as those that there are; nothing where none
/// would, or where launches are not what is counted.
fn average_settled(input: &BoundaryInput) -> Option<String> {
    let needed = AVERAGES.iter().filter_map(|(side, ..)| {
        let count = of_launches(input, *side);
        let share = count.share()?;
        let is_there = if *side == Where::Below { share < input.cut } else { share > input.cut };
        Some(count.trials_to_settle(input.cut, input.confidence).filter(|_| is_there)?.max(MIN_LAUNCHES))
    });
    let (needed, axis) = (needed.min()?, &input.axis);
    let made = of_launches(input, Where::Below).trials;
    Some(format!(
        "{made} launches tried places on {axis}; {needed} that come out as they did would decide the mean over all"
    ))
}

/// What all places say together, when none says anything by itself.
fn on_average(input: &BoundaryInput, apart: Ruling) -> Ruling {
    let tried = input.points.iter().filter(|point| point.tally.count.trials > 0).count();
    if tried < 2 {
        return apart;
    }
    let Some((label, lies, together, interval)) = AVERAGES.into_iter().find_map(|(side, label, lies)| {
        let together = together(input, side)?;
        let is_there = together.side(input.cut, input.confidence).ok()? == side;
        Some((label, lies, together, together.exact(input.confidence).ok()?)).filter(|_| is_there)
    }) else {
        return apart.because_all(average_settled(input));
    };
    let (what, axis) = (input.occurrence.name(), &input.axis);
    let mean = format!("over all places on {axis} together the {what} rate is {lies} {} on average", input.cut);
    let test = RulingTest::of(format!("Clopper-Pearson, {what} rate of {} of {}", together.hits, together.trials));
    let test = test.estimating(interval.estimate, Some([interval.low, interval.high]));
    let ruling = Ruling::decided(label).because(mean).because_all(apart.reasons).settled_by(apart.settled_by);
    ruling.in_parts(apart.parts).tested(apart.tests).tested([test])
}

/// The crossing between two neighbours on the decided places, in words.
fn crossing(what: &str, axis: &str, pair: &[&Placed]) -> Option<String> {
    let [one, other] = pair else { return None };
    let direction = match (one.side, other.side) {
        (Where::Below, Where::Above) => "rises above",
        (Where::Above, Where::Below) => "falls below",
        _ => return None,
    };
    Some(format!("the {what} rate {direction} the cut between {axis} {} and {}", one.at, other.at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::rules::Standing;

    fn input(cut: f64, points: &[(f64, u64, u64)]) -> BoundaryInput {
        BoundaryInput {
            occurrence: Occurrence::Crash,
            axis: "token_len".to_owned(),
            points: points
                .iter()
                .map(|&(at, hits, trials)| BoundaryPoint {
                    at,
                    tally: Tally::printed(Count { hits, trials }),
                    launches: BTreeMap::new(),
                    source: format!("table:{at}"),
                })
                .collect(),
            cut,
            confidence: Confidence::new(0.95).expect("a level"),
        }
    }

    #[test]
    fn tr147s_large_model_crashes_from_somewhere_above_one_token() {
        // Appendix A.3: 0 of 60 at 1 token, 60 of 60 at 8, 32, 128 and 512.
        let table = [(1.0, 0, 60), (8.0, 60, 60), (32.0, 60, 60), (128.0, 60, 60), (512.0, 60, 60)];
        let ruling = boundary(&input(0.1, &table));
        assert_eq!((ruling.label.as_str(), ruling.standing), ("located", Standing::Decided));
        assert_eq!(ruling.reasons, ["the crash rate rises above the cut between token_len 1 and 8"]);
        assert_eq!(ruling.rests_on.len(), 5);
        // 0 of 60 at confidence 0.99: the interval ends at 1 - 0.005^(1/60).
        assert_eq!(ruling.tests[0].interval, Some([0.0, 0.0845187]));
    }

    #[test]
    fn the_same_counts_do_not_locate_it_under_a_cut_that_sixty_clean_rows_cannot_reach() {
        let ruling = boundary(&input(0.05, &[(1.0, 0, 60), (8.0, 60, 60)]));
        assert_eq!((ruling.label.as_str(), ruling.standing), ("inconclusive", Standing::Inconclusive));
        // 1 - 0.0125^(1/n) <= 0.05 from n = 86 on.
        assert_eq!(ruling.settled_by, Some(86));
        let settled = boundary(&input(0.05, &[(1.0, 0, 86), (8.0, 86, 86)]));
        assert_eq!(settled.label, "located");
        assert_eq!(boundary(&input(0.05, &[(1.0, 0, 85), (8.0, 86, 86)])).label, "inconclusive");
    }

    #[test]
    fn an_axis_without_a_crossing_says_on_which_side_it_lies() {
        let awq = [(1.0, 0, 60), (8.0, 0, 60), (512.0, 0, 60)];
        assert_eq!(boundary(&input(0.1, &awq)).label, "none_within_range");
        assert_eq!(boundary(&input(0.1, &[(64.0, 60, 60), (128.0, 60, 60)])).label, "everywhere");
        assert_eq!(boundary(&input(0.1, &[(64.0, 60, 60)])).label, "inconclusive");
    }

    #[test]
    fn an_open_place_in_the_middle_widens_the_bracket_and_one_at_the_end_forbids_a_ruling() {
        let middle = boundary(&input(0.1, &[(1.0, 0, 100), (2.0, 1, 10), (3.0, 100, 100)]));
        assert_eq!(middle.label, "located");
        assert!(middle.reasons[0].ends_with("between token_len 1 and 3"), "{:?}", middle.reasons);
        let end = boundary(&input(0.1, &[(1.0, 0, 100), (2.0, 0, 100), (3.0, 2, 10)]));
        assert_eq!((end.label.as_str(), end.settled_by.is_some()), ("inconclusive", true));
        let untried = boundary(&input(0.1, &[(1.0, 0, 100), (2.0, 0, 100), (3.0, 0, 0)]));
        assert_eq!((untried.label.as_str(), untried.settled_by), ("inconclusive", None));
    }

    #[test]
    fn places_that_say_nothing_apart_may_say_something_together() {
        let eight = |hits: u64| (0..8).map(|at| (f64::from(at), hits, 1)).collect::<Vec<_>>();
        let affected = boundary(&input(0.5, &eight(1)));
        assert_eq!((affected.label.as_str(), affected.standing), ("affected_on_average", Standing::Decided));
        // 0.025^(1/8), and 1 less that.
        assert_eq!(affected.tests.last().and_then(|test| test.interval), Some([0.630583, 1.0]));
        assert!(affected.reasons[1].contains("no place on token_len is shown"), "{:?}", affected.reasons);
        assert_eq!(boundary(&input(0.5, &eight(0))).label, "free_on_average");
        let mixed = [(1.0, 0, 1), (2.0, 1, 1), (3.0, 1, 1), (4.0, 0, 1)];
        assert_eq!(boundary(&input(0.5, &mixed)).label, "inconclusive");
        assert_eq!(boundary(&input(0.5, &eight(1)[..5])).label, "inconclusive", "0.025^(1/5) is below the cut");
        assert_eq!(boundary(&input(0.5, &[(1.0, 0, 6), (2.0, 0, 0)])).label, "inconclusive", "one place is no average");
    }

    /// Places that so many launches tried, each of which hit all of them or none: one launch for each place, or the same ones
    /// for all.
    fn by_launch(places: u32, launches: u32, same: bool, happened: fn(u32, u32) -> bool) -> BoundaryInput {
        let of_place = |place: u32| -> BTreeMap<(u32, u32), bool> {
            let number = |launch: u32| if same { launch } else { place * launches + launch };
            (0..launches).map(|launch| ((0, number(launch)), happened(place, launch))).collect()
        };
        let point = |place: u32| {
            let launches = of_place(place);
            let hits = launches.values().filter(|happened| **happened).count() as u64;
            let count = Count { hits, trials: launches.len() as u64 };
            let attempts = Some(Count { hits: 3 * hits, trials: 3 * count.trials });
            BoundaryPoint {
                at: f64::from(place),
                tally: Tally { count, attempts },
                launches,
                source: format!("{place}"),
            }
        };
        BoundaryInput { points: (0..places).map(point).collect(), ..input(0.5, &[]) }
    }

    #[test]
    fn a_launch_that_tried_all_places_is_one_trial_of_their_average() {
        let [always, never]: [fn(u32, u32) -> bool; 2] = [|_, _| true, |_, _| false];
        let label = |input: &BoundaryInput| boundary(input).label;
        assert_eq!(label(&by_launch(8, 1, false, always)), "affected_on_average");
        assert_eq!(label(&by_launch(8, 1, false, never)), "free_on_average");
        for happened in [always, never] {
            let one = boundary(&by_launch(8, 1, true, happened));
            assert_eq!(one.label, "inconclusive", "eight places of one launch");
            let told =
                "1 launches tried places on token_len; 6 that come out as they did would decide the mean over all";
            assert!(one.reasons.iter().any(|reason| reason == told), "{:?}", one.reasons);
            assert_eq!(label(&by_launch(8, 5, true, happened)), "inconclusive", "0.025^(1/5) is below the cut");
        }
        let [affected, free] = [always, never].map(|happened| boundary(&by_launch(8, 6, true, happened)));
        // Six launches say it of all places together; of eight at once, each at 1 - 0.05/8, they do not.
        assert_eq!([affected.label.as_str(), &free.label], ["affected_on_average", "free_on_average"]);
        assert!(affected.tests.last().is_some_and(|test| test.test.ends_with("6 of 6")), "{:?}", affected.tests);
        let one_place_each = by_launch(8, 6, true, |place, launch| place == launch);
        assert_eq!(label(&one_place_each), "inconclusive", "no launch is free of it at all places");
        assert_eq!(affected.parts[0].numbers["attempts"], 18.0);
    }

    #[test]
    fn fewer_than_three_launches_put_a_place_on_neither_side_however_loose_the_level_is() {
        let loose = Confidence::new(0.1).expect("a level");
        let ruled = |launches| {
            boundary(&BoundaryInput { cut: 0.4, confidence: loose, ..by_launch(2, launches, true, |_, _| true) })
        };
        // 0.225^(1/2) = 0.474 would be clear of the cut.
        assert_eq!((ruled(2).label.as_str(), ruled(2).settled_by), ("inconclusive", Some(3)));
        assert_eq!(ruled(3).label, "everywhere");
    }

    #[test]
    fn a_rate_that_goes_up_and_down_has_several_boundaries() {
        let ruling = boundary(&input(0.1, &[(3.0, 0, 100), (1.0, 0, 100), (2.0, 100, 100)]));
        assert_eq!((ruling.label.as_str(), ruling.reasons.len()), ("several", 3));
        assert!(ruling.reasons[2].contains("falls below the cut between token_len 2 and 3"), "{:?}", ruling.reasons);
    }

    #[test]
    fn what_cannot_be_placed_is_invalid_with_its_reason() {
        let why = |cut, points: &[(f64, u64, u64)]| {
            let ruling = boundary(&input(cut, points));
            assert_eq!(ruling.standing, Standing::Invalid);
            ruling.reasons.join(" ")
        };
        assert!(why(0.1, &[]).contains("nothing was tried"));
        assert!(why(0.1, &[(1.0, 0, 0)]).contains("nothing was tried"));
        assert!(why(0.1, &[(1.0, 0, 5), (1.0, 1, 5)]).contains("given twice"));
        assert!(why(0.1, &[(f64::NAN, 0, 5)]).contains("NaN"));
        assert!(why(0.1, &[(1.0, 6, 5)]).contains("hits"));
        for cut in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(why(cut, &[(1.0, 0, 5)]).contains("above 0 and below 1"));
        }
    }

    proptest! {
        #[test]
        fn any_input_has_a_ruling_with_a_reason(
            cut in proptest::num::f64::ANY,
            points in prop::collection::vec((proptest::num::f64::ANY, 0_u64..40, 0_u64..40), 0..5),
        ) {
            prop_assert!(!boundary(&input(cut, &points)).reasons.is_empty());
            prop_assert!(!boundary(&input(0.2, &points)).reasons.is_empty());
        }
    }
}
