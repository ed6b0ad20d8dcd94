//! Where along an axis something starts to fail.

use std::collections::BTreeMap;

use super::average_rate::Average;
use super::estimate::{InFamily, OtherTests};
use super::rates::{Count, Tally, Where, cut_fault, unit_told};
use super::three_answers::MIN_LAUNCHES;
use super::{Part, Ruling, RulingTest};
use crate::stats::{Confidence, Interval, PValue};

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
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// A place with the side that it is shown to be on.
struct Placed<'a> {
    point: &'a BoundaryPoint,
    /// Of its rate; nothing where nothing was tried.
    interval: Option<Interval>,
    side: Where,
    /// Its test in the plan's family; nothing where no outcome of so many trials would put it on a side.
    decision: Option<InFamily>,
    /// Repetitions that would put an open one on a side.
    settled_by: Option<u64>,
}

/// Says between which values of the axis the rate crosses the cut.
///
/// Labels: `located` (one crossing, the reason says between which values and in which direction), `several` (more than
/// one), `none_within_range` (free everywhere), `everywhere` (affected everywhere), `inconclusive`, `invalid`. Places
/// that are on neither side only widen the bracket between two decided ones; at an end of the axis they leave open whether
/// there is a boundary. The number of trials that would settle it is that of the open place which needs most; where one is settled
/// by no number, or was not tried, there is none, and a reason names the place.
///
/// Each place has Clopper and Pearson's interval at confidence `1 - (1 - confidence) / places`, so that all of them hold
/// together (Bonferroni): one place on the wrong side would move the boundary. And each place is a test of the plan's family: it
/// is on the side on which its interval lies where the probability of its tail at the cut, adjusted (Holm) over the family, is
/// not above the level. A place with so few trials that no outcome would put it on a side asks nothing and is none.
///
/// Where that is so of every place, all of them together may have enough: `affected_on_average` and `free_on_average` speak of
/// the mean rate over the places that were tried, and leave open where a boundary lies. That is one test of the family, and it
/// is asked by the numbers of trials alone, whatever came of them. By launches, one launch that tried several places is one
/// trial: affected where it happened at all of them, free where it happened at none, and at least three launches must have tried
/// any. How launches are weighed that tried unequal numbers of places, `average_rate` says.
#[must_use]
pub fn boundary(input: &BoundaryInput) -> Ruling {
    let ruling = match place(input) {
        Ok(placed) => {
            let ruling = rule(input, &placed).in_parts(placed.iter().map(|place| part(input, place)));
            let ruling = ruling.tested(placed.iter().filter_map(|place| test(input, place)));
            let ruling = match asks_together(input, &placed) {
                Some(together) => on_average(input, &together, ruling),
                None => ruling,
            };
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

/// The p values by which it is decided: what it adds to the plan's family.
pub(in crate::verdict) fn boundary_family(input: &BoundaryInput) -> Vec<Option<PValue>> {
    let Ok((points, each)) = checked(input) else { return Vec::new() };
    let mut own: Vec<Option<PValue>> = points.iter().map(|point| own_p(input, point, each)).collect();
    if own.iter().all(Option::is_none) {
        // Asked instead of the places, until these ask by themselves.
        let together = Average::of(&input.points).and_then(|together| p_together(input, &together));
        own.iter_mut().take(1).for_each(|first| *first = together);
    }
    own
}

/// The places in the order of the axis, and the confidence of each interval; in words why they cannot be judged.
fn checked(input: &BoundaryInput) -> Result<(Vec<&BoundaryPoint>, Confidence), String> {
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
    let each = Confidence::new(1.0 - (1.0 - input.confidence.get()) / tried as f64);
    Ok((points, each.map_err(|error| error.to_string())?))
}

/// The place's test; nothing where it asks nothing.
fn own_p(input: &BoundaryInput, point: &BoundaryPoint, each: Confidence) -> Option<PValue> {
    let BoundaryPoint { tally, .. } = point;
    let asks = tally.count.trials > 0 && !tally.is_too_few() && tally.count.can_be_clear(input.cut, each);
    asks.then(|| tally.count.p_of_side(input.cut)).flatten()
}

/// Puts every place on its side, in the order of the axis; in words why that cannot be done.
fn place(input: &BoundaryInput) -> Result<Vec<Placed<'_>>, String> {
    let (points, each) = checked(input)?;
    let own: Vec<Option<PValue>> = points.iter().map(|point| own_p(input, point, each)).collect();
    let decisions = InFamily::each(&own, &input.also_in_family, input.confidence);
    let mut placed = Vec::with_capacity(points.len());
    for (point, decision) in points.into_iter().zip(decisions) {
        let BoundaryPoint { tally, .. } = point;
        if tally.count.trials == 0 {
            placed.push(Placed { point, interval: None, side: Where::Open, decision: None, settled_by: None });
            continue;
        }
        let interval = Some(tally.count.exact(each)?);
        let side = match &decision {
            Some(decision) if decision.rejected() => tally.count.side(input.cut, each)?,
            _ => Where::Open,
        };
        let settled_by = (side == Where::Open).then(|| launches_needed(input, point, each)).flatten();
        placed.push(Placed { point, interval, side, decision, settled_by });
    }
    Ok(placed)
}

/// Trials with which the place would be on a side, and its test would hold in the family, if its rate is what it seems, all places
/// of this axis ask, and so do the plan's other tests.
fn launches_needed(input: &BoundaryInput, point: &BoundaryPoint, each: Confidence) -> Option<u64> {
    let tests = (input.points.len() + input.also_in_family.in_time()) as f64;
    // One tail is the place's p value, and either end of the interval has half of what it leaves.
    let in_family = 2.0 * (1.0 - input.confidence.get()) / tests;
    let both = Confidence::new(1.0 - in_family.min(1.0 - each.get())).ok()?;
    Some(point.tally.count.trials_to_settle(input.cut, both)?.max(point.tally.at_least()))
}

fn part(input: &BoundaryInput, place: &Placed<'_>) -> Part {
    let BoundaryPoint { at, tally, .. } = place.point;
    let key = |label| Part::of(&input.axis, at.to_string(), label);
    let Some(interval) = place.interval else { return key("not_tried").because("no repetition was made here") };
    let label = match place.side {
        Where::Below => "free",
        Where::Above => "affected",
        Where::Open => "open",
    };
    let part = key(label)
        .number("rate", interval.estimate)
        .number("rate_low", interval.low)
        .number("rate_high", interval.high)
        .number("hits", tally.count.hits as f64)
        .number("trials", tally.count.trials as f64);
    let part = tally.beside(part);
    match clear_but_for_the_family(input, place) {
        Some(decision) => part.because(decision.why_open()),
        None => part,
    }
}

/// The test of an open place whose interval does not hold the cut.
fn clear_but_for_the_family<'a>(input: &BoundaryInput, place: &'a Placed<'_>) -> Option<&'a InFamily> {
    let (interval, decision) = (place.interval?, place.decision.as_ref()?);
    let is_clear = interval.high <= input.cut || interval.low > input.cut;
    (is_clear && place.side == Where::Open).then_some(decision)
}

fn test(input: &BoundaryInput, place: &Placed<'_>) -> Option<RulingTest> {
    let interval = place.interval?;
    let (what, axis, at) = (input.occurrence.name(), &input.axis, place.point.at);
    let test = RulingTest::of(format!("Clopper-Pearson, {what} rate at {axis} {at}"))
        .estimating(interval.estimate, Some([interval.low, interval.high]));
    Some(match &place.decision {
        Some(decision) => decision.on(test),
        None => test,
    })
}

/// What leaves places open, in words.
fn left_open(input: &BoundaryInput, placed: &[Placed<'_>]) -> Vec<String> {
    let axis = &input.axis;
    let of = |wanted: &dyn Fn(&Placed<'_>) -> bool| -> Option<String> {
        let open = placed.iter().filter(|place| place.side == Where::Open && wanted(place));
        let places: Vec<String> = open.map(|place| place.point.at.to_string()).collect();
        (!places.is_empty()).then(|| places.join(", "))
    };
    let clear = |place: &Placed<'_>| clear_but_for_the_family(input, place).is_some();
    let holds = of(&|place| !clear(place))
        .map(|places| format!("the interval of the rate holds the cut {} at {axis} {places}", input.cut));
    let of_many = placed.iter().find_map(|place| clear_but_for_the_family(input, place)).zip(of(&clear));
    let of_many = of_many.map(|(decision, places)| {
        format!("the interval of the rate is clear of the cut at {axis} {places}, and {}", decision.why_open())
    });
    let never = of(&|place| place.interval.is_some() && place.settled_by.is_none()).map(|places| {
        format!("no number of launches or rows settles {axis} {places}: the rate there is, or is next to, the cut")
    });
    [holds, of_many, never].into_iter().flatten().collect()
}

fn rule(input: &BoundaryInput, placed: &[Placed<'_>]) -> Ruling {
    let (what, axis) = (input.occurrence.name(), &input.axis);
    let decided: Vec<&Placed<'_>> = placed.iter().filter(|place| place.side != Where::Open).collect();
    let open = || placed.iter().filter(|place| place.side == Where::Open);
    let crossings: Vec<String> = decided.windows(2).filter_map(|pair| crossing(what, axis, pair)).collect();
    let at_an_end = [placed.first(), placed.last()].into_iter().flatten().any(|place| place.side == Where::Open);
    // A place that no number settles, or of which nothing is known, leaves the ruling without a number, too.
    let settled_by: Option<Vec<u64>> = open().map(|place| place.settled_by).collect();
    let settled_by = settled_by.and_then(|needed| needed.into_iter().max());
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
    ruling.because_all(left_open(input, placed)).settled_by(settled_by)
}

/// What all places may be shown to be together.
const AVERAGES: [(Where, &str, &str); 2] =
    [(Where::Below, "free_on_average", "at most"), (Where::Above, "affected_on_average", "above")];

/// All trials together, where no place has enough of them to ask anything by itself.
fn asks_together(input: &BoundaryInput, placed: &[Placed<'_>]) -> Option<Average> {
    let apart = placed.iter().all(|place| place.decision.is_none());
    apart.then(|| Average::of(&input.points)).flatten()
}

/// The p value of the side on which the mean seems to lie; nothing where no outcome of so many trials would decide it.
fn p_together(input: &BoundaryInput, together: &Average) -> Option<PValue> {
    let tail = (1.0 - input.confidence.get()) / 2.0;
    together.least_p(input.cut).filter(|least| least.get() <= tail)?;
    AVERAGES.iter().filter_map(|(side, ..)| together.p(*side, input.cut)).min_by(PValue::order)
}

/// How many launches would decide the mean over all places, if they come out as those that there are; nothing where none
/// would, or where launches are not what is counted.
fn average_settled(input: &BoundaryInput, together: &Average) -> Option<String> {
    if !input.points.iter().any(|point| point.tally.is_by_launch()) {
        return None;
    }
    let tests = (input.also_in_family.in_time() + 1) as f64;
    let in_family = 2.0 * (1.0 - input.confidence.get()) / tests;
    let level = Confidence::new(1.0 - in_family.min(1.0 - input.confidence.get())).ok()?;
    let needed = AVERAGES.iter().filter_map(|(side, ..)| {
        let count = together.count(*side);
        let share = count.share()?;
        let is_there = if *side == Where::Below { share < input.cut } else { share > input.cut };
        Some(count.trials_to_settle(input.cut, level).filter(|_| is_there)?.max(MIN_LAUNCHES))
    });
    let (needed, axis, made) = (needed.min()?, &input.axis, together.launches());
    // By then a place may have trials enough to ask by itself, and nothing is asked of the mean.
    let (points, each) = checked(input).ok()?;
    let by_then = |trials: u64| (trials as f64 * needed as f64 / made as f64).ceil() as u64;
    let asks = |point: &&BoundaryPoint| {
        Count { hits: 0, trials: by_then(point.tally.count.trials) }.can_be_clear(input.cut, each)
    };
    if points.iter().any(asks) {
        return None;
    }
    let evenly = if together.is_even() { "" } else { "each try equally many of them and " };
    Some(format!(
        "{made} launches tried places on {axis}; {needed} that {evenly}come out as they did would decide the mean over all"
    ))
}

/// What all places say together, when none can say anything by itself.
fn on_average(input: &BoundaryInput, together: &Average, apart: Ruling) -> Ruling {
    let decision = p_together(input, together).and_then(|p| InFamily::of(p, &input.also_in_family, input.confidence));
    let interval = together.interval(input.confidence);
    let (Some(decision), Some(interval)) = (decision, interval) else {
        return apart.because_all(average_settled(input, together));
    };
    let of_side = |side: Where| {
        let [low, high] = interval;
        if side == Where::Below { high <= input.cut } else { low > input.cut }
    };
    let found = AVERAGES.into_iter().find(|(side, ..)| of_side(*side));
    let (what, axis) = (input.occurrence.name(), &input.axis);
    let seen = found.map_or(Where::Below, |(side, ..)| side);
    let count = together.count(seen);
    let weighed = if together.is_even() { "" } else { ", launches weighed by how much of the places they tried" };
    let test = RulingTest::of(format!("Clopper-Pearson, {what} rate of {} of {}{weighed}", count.hits, count.trials));
    let test = decision.on(test.estimating(count.share().unwrap_or(f64::NAN), Some(interval)));
    let Some((_, label, lies)) = found.filter(|_| decision.rejected()) else {
        let clear = found.map(|_| {
            format!("the interval of the mean rate over all places is clear of the cut, and {}", decision.why_open())
        });
        return apart.because_all(clear).because_all(average_settled(input, together)).tested([test]);
    };
    let mean = format!("over all places on {axis} together the {what} rate is {lies} {} on average", input.cut);
    let ruling = Ruling::decided(label).because(mean).because_all(apart.reasons).settled_by(apart.settled_by);
    ruling.in_parts(apart.parts).tested(apart.tests).tested([test])
}

/// The crossing between two neighbours on the decided places, in words.
fn crossing(what: &str, axis: &str, pair: &[&Placed<'_>]) -> Option<String> {
    let [one, other] = pair else { return None };
    let direction = match (one.side, other.side) {
        (Where::Below, Where::Above) => "rises above",
        (Where::Above, Where::Below) => "falls below",
        _ => return None,
    };
    let [from, to] = [one, other].map(|place| place.point.at);
    Some(format!("the {what} rate {direction} the cut between {axis} {from} and {to}"))
}

#[cfg(test)]
mod tests;
