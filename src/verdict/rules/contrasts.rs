//! Different, equivalent, or could not tell: contrasts of a family, by the launch or by the unit that a plan states.

use std::collections::{BTreeMap, BTreeSet};

use crate::stats::{
    Alpha, Moments, PValue, Pairing, Pairs, Power, RelativeEffect, Replicates, pool_relative, relative_effect,
    relative_effect_paired,
};

use super::estimate::OtherTests;
use super::three_answers::{Answer, Answered, MIN_LAUNCHES, Question, Terms, answer, own_p};
use super::{Part, Ruling, RulingTest};
use crate::verdict::rounding::round;

/// What a value is a repetition of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicationUnit {
    /// One start of a lane's process: the mean of its iterations is one value.
    Launch,
    /// One iteration, whatever process it ran in. Iterations of one process share its clocks, caches and memory layout, so
    /// that their scatter says nothing of the next launch; a plan states this unit to be judged as its authors judged.
    Iteration,
}

/// One side of a contrast.
#[derive(Debug, Clone, PartialEq)]
pub enum SideValues {
    /// The iterations of every launch, in milliseconds.
    Rows(Vec<Vec<f64>>),
    /// One value for every launch, with the segment and block that it was made in.
    Launches(Vec<LaunchValue>),
    /// A printed summary over iterations; what its launches were is not known.
    Summary(Moments),
}

/// What one launch gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaunchValue {
    /// Its segment; effects are formed within one.
    pub segment: u64,
    /// Its block.
    pub block: u64,
    /// In milliseconds.
    pub ms: f64,
}

/// One contrast.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedContrast {
    /// What tells it from the others, for example model and phase.
    pub key: BTreeMap<String, String>,
    /// The baseline.
    pub baseline: SideValues,
    /// The candidate.
    pub candidate: SideValues,
    /// The rows.
    pub sources: Vec<String>,
}

/// A family of contrasts.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedContrasts {
    /// Its members.
    pub contrasts: Vec<MatchedContrast>,
    /// The unit of replication that the plan states.
    pub unit: ReplicationUnit,
    /// Whether launches are compared block by block: what both sides of a block share then cancels.
    pub pair_by_block: bool,
    /// Differences within this are equivalent, in percent of the baseline's mean.
    pub margin_pct: f64,
    /// Level of the tests.
    pub alpha: Alpha,
    /// Power that the stated number of repetitions is to have.
    pub power: Power,
    /// p values of the plan's other tests in the same family, in this unit.
    pub also_in_family: OtherTests,
}

/// One contrast in one unit.
struct Told {
    label: String,
    part: Part,
    tests: Vec<RulingTest>,
    settled_by: Option<u64>,
}

/// Answers every contrast, candidate minus baseline in percent of the baseline's mean, the error of both counted
/// ([`RelativeEffect`]).
///
/// Labels of a contrast: `equivalent` (TOST within the margin, whether or not the difference is significant; then with its
/// size), `faster` and `slower` (Holm's adjusted p below alpha), `could_not_tell`. The ruling has the label that all
/// decided contrasts share; `mixed` where they do not; `could_not_tell` where none is decided, or where all that are
/// decided are equivalent and some are not.
///
/// Fewer than three launches a side decide nothing. Under [`ReplicationUnit::Iteration`] the ruling is that of the
/// iterations and says so; who asks for it asks for the answer by launches as well, which is a ruling of its own.
#[must_use]
pub fn matched_contrasts(input: &MatchedContrasts) -> Ruling {
    rule(input)
        .resting_on(input.contrasts.iter().flat_map(|contrast| &contrast.sources))
        .against("margin", input.margin_pct, "%")
        .against("alpha", input.alpha.get(), "share")
        .against("power", input.power.get(), "share")
        .against("min_launches", MIN_LAUNCHES as f64, "launches")
}

/// The p values of the differences that are tested in the plan's unit: what the contrasts add to the plan's family.
pub(in crate::verdict) fn contrasts_family(input: &MatchedContrasts) -> Vec<PValue> {
    let asked = |contrast| question(contrast, input.unit, input.pair_by_block).ok();
    input.contrasts.iter().filter_map(asked).filter_map(|question| own_p(&question.null)).collect()
}

fn rule(input: &MatchedContrasts) -> Ruling {
    if input.contrasts.is_empty() {
        return Ruling::invalid("no contrast was given");
    }
    let mut keys = BTreeSet::new();
    if let Some(again) = input.contrasts.iter().find(|contrast| !keys.insert(&contrast.key)) {
        return Ruling::invalid(format!("the contrast {} is given twice", told(&again.key)));
    }
    let all = match answers(input) {
        Ok(all) => all,
        Err(reason) => return Ruling::invalid(reason),
    };
    let by_iterations = (input.unit == ReplicationUnit::Iteration).then(|| BY_ITERATIONS.to_owned());
    let ruling = conclude(&all, input.margin_pct).because_all(by_iterations);
    all.into_iter().fold(ruling, |ruling, told| ruling.in_parts([told.part]).tested(told.tests))
}

/// What a ruling says that counts iterations.
const BY_ITERATIONS: &str =
    "the unit of replication is the iteration, as the plan states; iterations of one launch are no repetitions of it";

/// What each contrast says; in words which one is impossible.
fn answers(input: &MatchedContrasts) -> Result<Vec<Told>, String> {
    let unit = input.unit;
    let mut measured: Vec<Result<Question, Open>> = Vec::with_capacity(input.contrasts.len());
    for contrast in &input.contrasts {
        measured.push(match question(contrast, unit, input.pair_by_block) {
            Ok(question) => Ok(question),
            Err(Refused::Open(open)) => Err(open),
            Err(Refused::Impossible(reason)) => return Err(format!("{}: {reason}", told(&contrast.key))),
        });
    }
    let questions: Vec<Question> = measured.iter().filter_map(|found| found.as_ref().ok()).cloned().collect();
    let pairing = if input.pair_by_block { Pairing::Paired } else { Pairing::Unpaired };
    let terms = Terms { margin: input.margin_pct, alpha: input.alpha, power: input.power, pairing };
    let mut answers = answer(&questions, &input.also_in_family, terms)?.into_iter();
    let mut all = Vec::with_capacity(measured.len());
    for (contrast, found) in input.contrasts.iter().zip(measured) {
        let mut key = contrast.key.clone();
        key.insert("unit".to_owned(), name(unit).to_owned());
        all.push(match (found, answers.len()) {
            (Ok(question), 1..) => answered(key, &question, answers.next(), input.margin_pct),
            (Ok(_), _) => open(key, Open { reason: "it has no answer".to_owned(), settled_by: None }),
            (Err(reason), _) => open(key, reason),
        });
    }
    Ok(all)
}

/// Why a contrast is not tested.
enum Refused {
    /// More repetitions would let it be.
    Open(Open),
    /// Its numbers are no measurements.
    Impossible(String),
}

struct Open {
    reason: String,
    settled_by: Option<u64>,
}

fn open(key: BTreeMap<String, String>, Open { reason, settled_by }: Open) -> Told {
    let label = Answer::CouldNotTell.name();
    Told { label: label.to_owned(), part: Part::new(key, label).because(reason), tests: Vec::new(), settled_by }
}

fn answered(key: BTreeMap<String, String>, question: &Question, found: Option<Answered>, margin: f64) -> Told {
    let Some(found) = found else {
        return open(key, Open { reason: "it has no answer".to_owned(), settled_by: None });
    };
    let difference = found.effect.difference();
    let label = match found.answer {
        Answer::Different if difference < 0.0 => "faster",
        Answer::Different => "slower",
        other => other.name(),
    };
    let mut part = Part::new(key, label)
        .number("difference_pct", difference)
        .number("difference_low_pct", found.interval[0])
        .number("difference_high_pct", found.interval[1])
        .number("repetitions_a_side", question.launches as f64);
    if found.answer == Answer::Equivalent && found.significant {
        let size = round(difference);
        part = part
            .because(format!("the difference of {size} % is significant and lies inside the margin of ±{margin} %"));
    }
    Told { label: label.to_owned(), part, tests: found.tests.to_vec(), settled_by: found.settled_by }
}

fn question(contrast: &MatchedContrast, unit: ReplicationUnit, pair_by_block: bool) -> Result<Question, Refused> {
    if let (SideValues::Launches(baseline), SideValues::Launches(candidate)) = (&contrast.baseline, &contrast.candidate)
    {
        let (RelativeEffect { change: effect, null }, launches) = by_segment(baseline, candidate, pair_by_block)?;
        let how = if pair_by_block { "paired by block" } else { "by launch" };
        let name = format!("{} {how}, % of the baseline", told(&contrast.key));
        return Ok(Question { name, effect, null, launches });
    }
    if pair_by_block {
        let reason = "its rows name no block, and pairs were asked for".to_owned();
        return Err(Refused::Open(Open { reason, settled_by: None }));
    }
    let baseline = side(&contrast.baseline, unit, "the baseline")?;
    let candidate = side(&contrast.candidate, unit, "the candidate")?;
    let repetitions = baseline.n().min(candidate.n()) as u64;
    let undecided = |error: crate::stats::Error| Refused::Open(Open { reason: error.to_string(), settled_by: None });
    let RelativeEffect { change: effect, null } = relative_effect(candidate, baseline).map_err(undecided)?;
    let name = format!("{} by {}, % of the baseline", told(&contrast.key), name(unit));
    Ok(Question { name, effect, null, launches: repetitions })
}

/// Candidate minus baseline in percent of the baseline's mean, formed within segments and pooled over them; with the
/// launches a side, the fewer of both, or the pairs.
fn by_segment(
    baseline: &[LaunchValue],
    candidate: &[LaunchValue],
    pair_by_block: bool,
) -> Result<(RelativeEffect, u64), Refused> {
    if let Some(bad) = baseline.iter().chain(candidate).find(|launch| !(launch.ms.is_finite() && launch.ms > 0.0)) {
        return Err(Refused::Impossible(format!("a launch has {} ms, which is no time that work took", bad.ms)));
    }
    let undecided = |error: crate::stats::Error| Refused::Open(Open { reason: error.to_string(), settled_by: None });
    let segments: BTreeSet<u64> = baseline.iter().map(|launch| launch.segment).collect();
    let (mut effects, mut launches) = (Vec::new(), 0);
    for segment in segments {
        let of = |side: &[LaunchValue]| -> Vec<LaunchValue> {
            side.iter().filter(|launch| launch.segment == segment).copied().collect()
        };
        let (base, cand) = (of(baseline), of(candidate));
        if pair_by_block {
            let pair = |cand: &LaunchValue| {
                let base = base.iter().find(|base| base.block == cand.block)?;
                Some((cand.ms, base.ms))
            };
            let (cand, base): (Vec<f64>, Vec<f64>) = cand.iter().filter_map(pair).unzip();
            if cand.len() >= 2 {
                launches += cand.len() as u64;
                let pairs = Pairs::new(cand, base).map_err(undecided)?;
                effects.push(relative_effect_paired(&pairs).map_err(undecided)?);
            }
        } else if base.len() >= 2 && cand.len() >= 2 {
            launches += base.len().min(cand.len()) as u64;
            let ms = |side: Vec<LaunchValue>| {
                Replicates::new(side.into_iter().map(|launch| launch.ms).collect::<Vec<f64>>()).map_err(undecided)
            };
            effects.push(relative_effect(&ms(cand)?, &ms(base)?).map_err(undecided)?);
        }
    }
    if launches < MIN_LAUNCHES {
        let what = if pair_by_block { "blocks with both sides" } else { "launches a side" };
        let reason = format!("it has {launches} {what}; fewer than {MIN_LAUNCHES} decide nothing");
        return Err(Refused::Open(Open { reason, settled_by: Some(MIN_LAUNCHES) }));
    }
    Ok((pool_relative(&effects).map_err(undecided)?.0, launches))
}

/// The side's values in the unit, at least three of them and all of them times.
fn side(values: &SideValues, unit: ReplicationUnit, name: &str) -> Result<Moments, Refused> {
    let too_few = |found: usize, of: &str| {
        let reason = format!("{name} has {found} {of}; fewer than {MIN_LAUNCHES} decide nothing");
        Refused::Open(Open { reason, settled_by: Some(MIN_LAUNCHES) })
    };
    let moments = match (values, unit) {
        (SideValues::Summary(_), ReplicationUnit::Launch) => {
            let reason = format!("of {name} a summary over iterations is printed, and its launches are not known");
            return Err(Refused::Open(Open { reason, settled_by: None }));
        }
        (SideValues::Summary(moments), ReplicationUnit::Iteration) => {
            if (moments.n() as u64) < MIN_LAUNCHES {
                return Err(too_few(moments.n(), "iterations"));
            }
            *moments
        }
        (SideValues::Launches(_), _) => {
            let reason = format!("{name} is told by launches, and the other side is not");
            return Err(Refused::Open(Open { reason, settled_by: None }));
        }
        (SideValues::Rows(launches), _) => {
            if let Some(bad) = launches.iter().flatten().find(|ms| !(ms.is_finite() && **ms > 0.0)) {
                return Err(Refused::Impossible(format!(
                    "{name} has a value of {bad} ms, which is no time that work took"
                )));
            }
            let mean = |launch: &Vec<f64>| launch.iter().sum::<f64>() / launch.len() as f64;
            let run: Vec<&Vec<f64>> = launches.iter().filter(|launch| !launch.is_empty()).collect();
            let (values, of) = match unit {
                ReplicationUnit::Launch => (run.into_iter().map(mean).collect::<Vec<_>>(), "launches"),
                ReplicationUnit::Iteration => (run.into_iter().flatten().copied().collect(), "iterations"),
            };
            if (values.len() as u64) < MIN_LAUNCHES {
                return Err(too_few(values.len(), of));
            }
            Moments::from(&Replicates::new(values).map_err(|error| Refused::Impossible(error.to_string()))?)
        }
    };
    if moments.mean() > 0.0 {
        return Ok(moments);
    }
    Err(Refused::Impossible(format!("the mean of {name} is {} ms, which is no time that work took", moments.mean())))
}

fn conclude(all: &[Told], margin: f64) -> Ruling {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for told in all {
        *counts.entry(&told.label).or_insert(0) += 1;
    }
    let parts: Vec<String> = counts.iter().map(|(label, count)| format!("{label} {count}")).collect();
    let said = format!("of {} contrasts: {} (margin ±{margin} %)", all.len(), parts.join(", "));
    let undecided = counts.remove(Answer::CouldNotTell.name()).unwrap_or(0);
    let decided: Vec<&str> = counts.into_keys().collect();
    let ruling = match decided[..] {
        [] => Ruling::could_not_tell(said),
        ["equivalent"] if undecided > 0 => Ruling::could_not_tell(said),
        [only] => Ruling::decided(only).because(said),
        _ => Ruling::decided("mixed").because(said),
    };
    let reasons = all.iter().filter_map(|told| told.part.reason.as_ref().map(|reason| (&told.part.key, reason)));
    let reasons: Vec<String> = reasons.map(|(key, reason)| format!("{}: {reason}", self::told(key))).collect();
    let open: Option<Vec<u64>> =
        all.iter().filter(|told| told.label == Answer::CouldNotTell.name()).map(|told| told.settled_by).collect();
    ruling.because_all(reasons).settled_by(open.and_then(|open| open.into_iter().max()))
}

fn told(key: &BTreeMap<String, String>) -> String {
    let words: Vec<&str> = key.iter().filter(|(name, _)| *name != "unit").map(|(_, word)| word.as_str()).collect();
    words.join(" ")
}

const fn name(unit: ReplicationUnit) -> &'static str {
    match unit {
        ReplicationUnit::Launch => "launch",
        ReplicationUnit::Iteration => "iteration",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::rules::Standing;

    fn contrast(name: &str, baseline: SideValues, candidate: SideValues) -> MatchedContrast {
        let key = BTreeMap::from([("model".to_owned(), name.to_owned())]);
        MatchedContrast { key, baseline, candidate, sources: vec![format!("row:{name}")] }
    }

    fn launches(values: &[f64]) -> SideValues {
        SideValues::Rows(values.iter().map(|value| vec![*value]).collect())
    }

    fn ruled(unit: ReplicationUnit, contrasts: Vec<MatchedContrast>) -> Ruling {
        matched_contrasts(&MatchedContrasts {
            contrasts,
            unit,
            pair_by_block: false,
            margin_pct: 3.0,
            alpha: Alpha::new(0.05).expect("a level"),
            power: Power::new(0.8).expect("a power"),
            also_in_family: OtherTests::default(),
        })
    }

    fn by_launch(baseline: &[f64], candidate: &[f64]) -> Ruling {
        ruled(ReplicationUnit::Launch, vec![contrast("m", launches(baseline), launches(candidate))])
    }

    #[test]
    fn there_are_three_answers_and_the_different_one_has_a_direction() {
        let base = [100.0, 100.5, 99.5, 100.2];
        assert_eq!(by_launch(&base, &[90.0, 90.5, 89.5, 90.2]).label, "faster");
        assert_eq!(by_launch(&base, &[110.0, 110.5, 109.5, 110.2]).label, "slower");
        assert_eq!(by_launch(&base, &[100.1, 100.4, 99.6, 100.2]).label, "equivalent");
        let open = by_launch(&[100.0, 90.0, 110.0], &[102.0, 92.0, 112.0]);
        assert_eq!((open.label.as_str(), open.standing), ("could_not_tell", Standing::Inconclusive));
        assert!(open.settled_by.is_some_and(|launches| launches > 3), "{open:?}");
    }

    #[test]
    fn significant_but_inside_the_margin_is_equivalent_with_its_size() {
        let ruling = by_launch(&[100.0, 100.1, 99.9, 100.0], &[101.0, 101.1, 100.9, 101.0]);
        assert_eq!(ruling.label, "equivalent");
        assert!(ruling.tests[0].p_adjusted.is_some_and(|p| p.get() < 0.001), "{:?}", ruling.tests);
        assert!(ruling.reasons[1].contains("the difference of 1 % is significant"), "{:?}", ruling.reasons);
    }

    #[test]
    fn two_launches_decide_nothing_however_far_apart_and_three_may() {
        let two = by_launch(&[100.0, 100.1], &[50.0, 50.1]);
        assert_eq!((two.label.as_str(), two.settled_by), ("could_not_tell", Some(3)));
        assert_eq!(by_launch(&[100.0, 100.1, 99.9], &[50.0, 50.1, 49.9]).label, "faster");
    }

    #[test]
    fn thirty_iterations_of_one_launch_are_no_thirty_repetitions() {
        let thirty = |mean: f64| SideValues::Rows(vec![(0..30).map(|i| mean + f64::from(i % 3)).collect()]);
        let ruling = ruled(ReplicationUnit::Iteration, vec![contrast("m", thirty(100.0), thirty(120.0))]);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("slower", Standing::Decided));
        assert!(ruling.reasons[1].contains("the iteration, as the plan states"), "{:?}", ruling.reasons);
        let told: Vec<(&str, &str)> =
            ruling.parts.iter().map(|part| (part.key["unit"].as_str(), part.label.as_str())).collect();
        assert_eq!(told, [("iteration", "slower")]);
        assert_eq!(
            ruled(ReplicationUnit::Launch, vec![contrast("m", thirty(100.0), thirty(120.0))]).label,
            "could_not_tell"
        );
    }

    #[test]
    fn a_printed_summary_is_judged_by_its_own_unit_alone() {
        let summary = |mean| SideValues::Summary(Moments::new(300, mean, 1.0).expect("a summary"));
        let contrasts = vec![contrast("m", summary(21.183), summary(7.8))];
        assert_eq!(ruled(ReplicationUnit::Iteration, contrasts.clone()).label, "faster");
        let by_launch = ruled(ReplicationUnit::Launch, contrasts);
        assert!(by_launch.reasons[1].contains("launches are not known"), "{:?}", by_launch.reasons);
    }

    #[test]
    fn the_family_makes_each_member_harder_and_members_that_disagree_are_mixed() {
        let weak = || contrast("weak", launches(&[100.0, 101.0, 99.0]), launches(&[105.0, 106.0, 102.5]));
        let equal =
            |at: usize| contrast(&at.to_string(), launches(&[100.0, 90.0, 110.0]), launches(&[100.0, 91.0, 110.0]));
        assert_eq!(ruled(ReplicationUnit::Launch, vec![weak()]).label, "slower");
        let mut family = vec![weak()];
        family.extend((0..9).map(equal));
        let ruling = ruled(ReplicationUnit::Launch, family);
        assert_eq!((ruling.label.as_str(), ruling.parts[0].label.as_str()), ("could_not_tell", "could_not_tell"));
        let fast = contrast("fast", launches(&[100.0, 100.1, 99.9]), launches(&[50.0, 50.1, 49.9]));
        let slow = contrast("slow", launches(&[100.0, 100.1, 99.9]), launches(&[150.0, 150.1, 149.9]));
        assert_eq!(ruled(ReplicationUnit::Launch, vec![fast, slow]).label, "mixed");
    }

    #[test]
    fn sides_without_scatter_are_open_and_impossible_times_invalid() {
        let flat = by_launch(&[100.0; 4], &[90.0; 4]);
        assert_eq!(flat.label, "could_not_tell");
        assert!(flat.reasons[1].contains("all values are equal"), "{:?}", flat.reasons);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(by_launch(&[100.0, 101.0, bad], &[90.0, 91.0, 92.0]).standing, Standing::Invalid, "{bad}");
        }
        let twice = || contrast("m", launches(&[1.0, 2.0, 3.0]), launches(&[1.0, 2.0, 3.0]));
        assert_eq!(ruled(ReplicationUnit::Launch, vec![twice(), twice()]).standing, Standing::Invalid);
        assert_eq!(ruled(ReplicationUnit::Launch, vec![]).standing, Standing::Invalid);
    }

    proptest! {
        #[test]
        fn any_input_has_a_ruling(
            wild in prop::collection::vec(proptest::num::f64::ANY, 0..6),
            tame in prop::collection::vec(0.1..100.0_f64, 0..6),
        ) {
            prop_assert!(!by_launch(&wild, &tame).reasons.is_empty());
            prop_assert!(!by_launch(&tame, &tame).reasons.is_empty());
            let one = || SideValues::Rows(vec![wild.clone(), tame.clone()]);
            prop_assert!(!ruled(ReplicationUnit::Iteration, vec![contrast("m", one(), one())]).reasons.is_empty());
        }
    }
}
