//! Whether phases of inference must be reported apart.

use super::estimate::OtherTests;
use crate::stats::{Alpha, Effect, PValue, Pairing, Power};

use super::three_answers::{Answer, Answered, Question, Terms, answer, own_p};
use super::{Part, Ruling};
use crate::verdict::rounding::round;

/// The effect of the same change on one phase.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseEffect {
    /// The phase, for example `prefill`.
    pub phase: String,
    /// Candidate minus baseline, in percent of the baseline.
    pub change_pct: Effect,
    /// Launches a side, the fewer of both.
    pub launches: u64,
    /// The rows that it was formed from.
    pub sources: Vec<String>,
}

/// Effects on several phases, and how far apart they may lie and still be told as one.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseSeparation {
    /// The phases.
    pub phases: Vec<PhaseEffect>,
    /// Two phases' effects that lie within this of each other may be told as one, in percentage points.
    pub margin_pp: f64,
    /// Level of the tests.
    pub alpha: Alpha,
    /// Power that the stated number of launches is to have.
    pub power: Power,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// Decides by the differences between every two phases' effects, each tested for a difference (Holm over all of them and
/// the rest of the family) and for equivalence within the margin.
///
/// Labels: `required` when two phases differ, `not_required` when every two are equivalent, `could_not_tell`, `invalid`.
/// That every pair is equivalent is claimed only where all tests agree, which makes it no likelier for their number (R. L. Berger,
/// "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24, 1982); each is adjusted over the family all the same.
///
/// Effects are taken as independent, which those of phases measured in rows of their own are; for phases timed within
/// the same launches the test is conservative when they go up and down together.
#[must_use]
pub fn phase_separation(input: &PhaseSeparation) -> Ruling {
    rule(input)
        .resting_on(input.phases.iter().flat_map(|phase| &phase.sources))
        .against("margin", input.margin_pp, "pp")
        .against("alpha", input.alpha.get(), "share")
        .against("power", input.power.get(), "share")
}

/// The p values of the differences between phases: what they add to the plan's family.
pub(in crate::verdict) fn phases_family(input: &PhaseSeparation) -> Vec<PValue> {
    if input.phases.iter().any(|phase| phase.launches < super::MIN_LAUNCHES) {
        return Vec::new();
    }
    let pairs = input.phases.iter().enumerate().flat_map(|(position, one)| {
        input.phases.iter().skip(position + 1).filter_map(move |other| between(one, other).ok())
    });
    pairs.filter_map(|question| own_p(&question.null)).collect()
}

fn rule(input: &PhaseSeparation) -> Ruling {
    if input.phases.len() < 2 {
        return Ruling::invalid(format!("{} phase was given; a separation needs two", input.phases.len()));
    }
    let mut pairs = Vec::new();
    for (position, one) in input.phases.iter().enumerate() {
        for other in input.phases.iter().skip(position + 1) {
            if one.phase == other.phase {
                return Ruling::invalid(format!("phase {} is given twice", one.phase));
            }
            match between(one, other) {
                Ok(question) => pairs.push((one, other, question)),
                Err(reason) => return Ruling::invalid(reason),
            }
        }
    }
    if let Some(short) = input.phases.iter().find(|phase| phase.launches < super::MIN_LAUNCHES) {
        return Ruling::could_not_tell(format!(
            "{} has {} launches a side; fewer than {} decide nothing",
            short.phase,
            short.launches,
            super::MIN_LAUNCHES
        ))
        .settled_by(Some(super::MIN_LAUNCHES));
    }
    let questions: Vec<Question> = pairs.iter().map(|(.., question)| question.clone()).collect();
    let terms = Terms { margin: input.margin_pp, alpha: input.alpha, power: input.power, pairing: Pairing::Unpaired };
    let answers = match answer(&questions, &input.also_in_family, terms) {
        Ok(answers) => answers,
        Err(reason) => return Ruling::invalid(reason),
    };
    let parts = pairs.iter().zip(&answers).map(|((one, other, _), answered)| part(one, other, answered));
    let ruling = conclude(&pairs, &answers, input.margin_pp);
    ruling.in_parts(parts.collect::<Vec<_>>()).tested(answers.iter().flat_map(|answered| answered.tests.clone()))
}

type Pair<'a> = (&'a PhaseEffect, &'a PhaseEffect, Question);

fn conclude(pairs: &[Pair], answers: &[Answered], margin_pp: f64) -> Ruling {
    let apart: Vec<String> = pairs
        .iter()
        .zip(answers)
        .filter(|(_, answered)| answered.answer == Answer::Different)
        .map(|((one, other, _), answered)| told_apart(one, other, answered))
        .collect();
    if !apart.is_empty() {
        return Ruling::decided("required").because_all(apart);
    }
    let within = pairs.iter().zip(answers).filter(|(_, answered)| answered.significant).map(|((one, other, _), a)| {
        let apart = round(a.effect.difference().abs());
        format!("{} and {} do differ, by {apart} pp, which is inside the margin", one.phase, other.phase)
    });
    if answers.iter().all(|answered| answered.answer == Answer::Equivalent) {
        return Ruling::decided("not_required")
            .because(format!("every two phases' effects lie within ±{margin_pp} pp of each other"))
            .because_all(within);
    }
    let open = pairs.iter().zip(answers).filter(|(_, answered)| answered.answer == Answer::CouldNotTell);
    let open: Vec<String> = open
        .map(|((one, other, _), answered)| {
            let [low, high] = answered.interval.map(round);
            format!("{} and {} differ by {low} to {high} pp", one.phase, other.phase)
        })
        .collect();
    let needed: Option<Vec<u64>> = answers
        .iter()
        .filter(|answered| answered.answer == Answer::CouldNotTell)
        .map(|answered| answered.settled_by)
        .collect();
    Ruling::could_not_tell(format!("neither a difference nor equivalence within ±{margin_pp} pp is shown"))
        .because_all(open)
        .settled_by(needed.and_then(|needed| needed.into_iter().max()))
}

fn told_apart(one: &PhaseEffect, other: &PhaseEffect, answered: &Answered) -> String {
    let (a, b) = (one.change_pct.difference(), other.change_pct.difference());
    let turned = if a * b < 0.0 { ", with opposite signs" } else { "" };
    format!(
        "{} changes by {} %, {} by {} %: {} pp apart{turned}",
        one.phase,
        round(a),
        other.phase,
        round(b),
        round(answered.effect.difference().abs())
    )
}

fn part(one: &PhaseEffect, other: &PhaseEffect, answered: &Answered) -> Part {
    Part::of("phases", format!("{} - {}", one.phase, other.phase), answered.answer.name())
        .number("difference_pp", answered.effect.difference())
        .number("difference_low_pp", answered.interval[0])
        .number("difference_high_pp", answered.interval[1])
}

/// The difference of two independent effects, with Welch and Satterthwaite's degrees of freedom.
fn between(one: &PhaseEffect, other: &PhaseEffect) -> Result<Question, String> {
    let (a, b) = (one.change_pct, other.change_pct);
    let se = libm::hypot(a.se(), b.se());
    let (share_a, share_b) = ((a.se() / se) * (a.se() / se), (b.se() / se) * (b.se() / se));
    let df = 1.0 / (share_a * share_a / a.df() + share_b * share_b / b.df());
    let effect = Effect::new(a.difference() - b.difference(), se, df).map_err(|error| error.to_string())?;
    let name = format!("change of {} minus change of {}, pp", one.phase, other.phase);
    // That both changes are equal says nothing of their size, so the test of it has the same error as the interval.
    Ok(Question { name, effect, null: effect, launches: one.launches.min(other.launches) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn phase(name: &str, change: f64, se: f64, launches: u64) -> PhaseEffect {
        let change_pct = Effect::new(change, se, 2.0 * launches as f64 - 2.0).expect("an effect");
        PhaseEffect { phase: name.to_owned(), change_pct, launches, sources: vec![format!("row:{name}")] }
    }

    fn ruled(phases: Vec<PhaseEffect>) -> Ruling {
        phase_separation(&PhaseSeparation {
            phases,
            margin_pp: 3.0,
            alpha: Alpha::new(0.05).expect("a level"),
            power: Power::new(0.8).expect("a power"),
            also_in_family: OtherTests::default(),
        })
    }

    #[test]
    fn a_compiler_that_helps_prefill_and_hurts_decode_requires_separation() {
        // TR147 SS6: prefill -55.48 %, decode +3.16 % under StaticCache on Ada.
        let ruling = ruled(vec![phase("prefill", -55.48, 0.5, 5), phase("kv_decode", 3.16, 0.5, 5)]);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("required", Standing::Decided));
        assert!(ruling.reasons[0].ends_with("58.64 pp apart, with opposite signs"), "{:?}", ruling.reasons);
        assert_eq!(ruling.rests_on, ["row:prefill", "row:kv_decode"]);
    }

    #[test]
    fn a_difference_that_is_significant_and_inside_the_margin_does_not_require_it() {
        let ruling = ruled(vec![phase("prefill", -1.0, 0.1, 5), phase("kv_decode", 1.0, 0.1, 5)]);
        assert_eq!(ruling.label, "not_required");
        assert!(ruling.reasons[1].contains("do differ, by 2 pp"), "{:?}", ruling.reasons);
        assert!(ruling.tests[0].p_adjusted.is_some_and(|p| p.get() < 0.001), "{:?}", ruling.tests);
    }

    #[test]
    fn what_is_neither_is_open_with_the_launches_that_would_settle_it() {
        let ruling = ruled(vec![phase("prefill", -2.0, 2.0, 4), phase("kv_decode", 2.0, 2.0, 4)]);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("could_not_tell", Standing::Inconclusive));
        assert!(ruling.settled_by.is_some_and(|launches| launches > 4), "{ruling:?}");
        let few = ruled(vec![phase("prefill", -55.0, 0.1, 2), phase("kv_decode", 3.0, 0.1, 2)]);
        assert_eq!((few.label.as_str(), few.settled_by), ("could_not_tell", Some(3)));
    }

    #[test]
    fn one_pair_that_differs_is_enough_and_the_family_makes_each_harder() {
        let three = |change| {
            vec![phase("prefill", 0.0, 0.8, 5), phase("kv_decode", 0.1, 0.8, 5), phase("e2e_kv", change, 0.8, 5)]
        };
        assert_eq!(ruled(three(9.0)).label, "required");
        let alone = ruled(vec![phase("prefill", 0.0, 0.8, 5), phase("e2e_kv", 2.9, 0.8, 5)]);
        assert_eq!((alone.label.as_str(), ruled(three(2.9)).label.as_str()), ("required", "could_not_tell"));
    }

    #[test]
    fn fewer_than_two_phases_or_the_same_twice_is_invalid() {
        assert_eq!(ruled(vec![]).standing, Standing::Invalid);
        assert_eq!(ruled(vec![phase("prefill", 1.0, 1.0, 5)]).standing, Standing::Invalid);
        assert_eq!(
            ruled(vec![phase("prefill", 1.0, 1.0, 5), phase("prefill", 1.0, 1.0, 5)]).standing,
            Standing::Invalid
        );
    }
}
