//! The null hypothesis of the falsification ladder: whether the mean gain over combinations is none, tested in the plan's family,
//! and how many combinations would settle what the test leaves open.

use super::Cells;
use super::estimate::InFamily;
use super::ladder::LadderRules;
use super::ladder_gains::{Answer, Side};
use super::ruling::RulingTest;
use crate::plan::Null;
use crate::stats::{
    Alpha, Confidence, Margin, OneSampleT, PValue, Pairing, Replicates, bootstrap_mean_interval, difference_interval,
    launches_for_difference, launches_for_equivalence, one_sample_t, tost,
};

/// What became of the null hypothesis.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NullFound {
    Holds,
    Fails,
    /// The gains cannot tell. So many combinations would settle it, or in words why none is known.
    Open(Result<u64, String>),
    /// The launches of a run cannot tell, in words. So many of either side would.
    OpenOfLaunches {
        told: String,
        settled_by: Option<u64>,
    },
}

/// What launches say of the mean gain: above 0, not above it, or neither for sure.
pub(super) fn null_of_launches(mean: Answer) -> NullFound {
    match mean.side {
        Side::Pass => NullFound::Fails,
        Side::Fail => NullFound::Holds,
        Side::Edge => NullFound::OpenOfLaunches {
            told: format!("the launches do not tell whether the mean gain is above 0: {}", mean.told),
            settled_by: mean.settled_by,
        },
    }
}

/// Whether the null hypothesis holds.
///
/// That the mean gain is not above 0 is asked of printed means as they stand, as their authors did: no test decides it, and none
/// counts in the plan's family. Launches of a run are asked by [`null_of_launches`]. That it is none within a margin has the three answers of any contrast: equivalent by TOST, adjusted over as
/// many tests as the family has (Bonferroni), else different by Student's test of the mean gain against 0, adjusted (Holm) over the plan's family, else open.
pub(super) fn null_found(deltas: &Replicates, rules: &LadderRules) -> NullFound {
    let holds = |holds: bool| if holds { NullFound::Holds } else { NullFound::Fails };
    match rules.null {
        Null::MeanNotAboveZero => holds(deltas.mean() <= 0.0),
        // By a test over combinations, which different ones do not bear.
        Null::WithinMargin if rules.combinations_are == Cells::Different => NullFound::Open(Err(
            "combinations of a run are different cells and no replicates, so that no number of them tests a margin"
                .to_owned(),
        )),
        Null::WithinMargin => match one_sample_t(deltas, 0.0) {
            // Equal gains have no spread: the margin alone decides.
            Err(_) => holds(deltas.mean().abs() < rules.null_margin.get()),
            Ok(test) if within(&test, rules).is_some_and(|p| p.is_below(rules.alpha)) => NullFound::Holds,
            Ok(test) => match among(&test, rules) {
                Some(decision) if decision.rejected() => NullFound::Fails,
                decision => NullFound::Open(to_settle(&test, rules, decision.map_or(1, |decision| decision.in_time))),
            },
        },
    }
}

/// The p value of the mean gain being 0, where that decides: what the ladder adds to the plan's family.
pub(super) fn own_p(deltas: &Replicates, rules: &LadderRules) -> Option<PValue> {
    let is_tested = rules.null == Null::WithinMargin && rules.combinations_are == Cells::Replicates;
    is_tested.then(|| one_sample_t(deltas, 0.0).ok().map(|test| test.test.p))?
}

/// The p value of the mean gain being none within the margin, adjusted.
fn within(test: &OneSampleT, rules: &LadderRules) -> Option<PValue> {
    let found = tost(&test.effect, rules.null_margin, rules.alpha).ok()?;
    Some(found.p.times((1 + rules.also_in_family.len()) as f64))
}

fn among(test: &OneSampleT, rules: &LadderRules) -> Option<InFamily> {
    let confidence = Confidence::new(1.0 - rules.alpha.get()).ok()?;
    InFamily::of(test.test.p, &rules.also_in_family, confidence)
}

/// Combinations with which the mean gain would lie inside or outside the margin, if it is what it seems to be.
fn to_settle(test: &OneSampleT, rules: &LadderRules, family: usize) -> Result<u64, String> {
    let power = rules.power.ok_or("the plan states no power, so that no number of combinations is told")?;
    let n = test.effect.df() + 1.0;
    let sd = test.effect.se() * n.sqrt();
    let (d, margin) = (test.mean / sd, rules.null_margin.get());
    let alpha = Alpha::new(rules.alpha.get() / family.max(1) as f64).ok();
    let needed = if test.mean.abs() < margin {
        let margin = Margin::absolute(margin / sd).ok().zip(alpha);
        margin.and_then(|(margin, alpha)| launches_for_equivalence(Pairing::Paired, d, margin, alpha, power).ok())
    } else if test.mean.abs() > margin {
        alpha.and_then(|alpha| launches_for_difference(Pairing::Paired, d, alpha, power).ok())
    } else {
        None
    };
    let needed = needed.map(|needed| needed.max(n as u64 + 1));
    needed
        .ok_or_else(|| "no number of combinations would settle it: the mean gain lies on the margin's edge".to_owned())
}

/// Tests of the mean gain over combinations: against 0, against the margin, and by resampling.
pub(super) fn tests(deltas: &Replicates, rules: &LadderRules) -> Vec<RulingTest> {
    if rules.combinations_are == Cells::Different {
        return Vec::new();
    }
    let Ok(confidence) = Confidence::new(1.0 - rules.alpha.get()) else { return Vec::new() };
    let mut tests = Vec::new();
    if let Ok(test) = one_sample_t(deltas, 0.0) {
        let ends = difference_interval(&test.effect, confidence).ok().map(|i| [i.low, i.high]);
        let named = RulingTest::of("one-sample t of the mean gain against 0, pp").estimating(test.mean, ends);
        tests.push(match among(&test, rules).filter(|_| rules.null == Null::WithinMargin) {
            Some(decision) => decision.on(named),
            None => named.p(test.test.p, None),
        });
        if let Ok(equivalence) = tost(&test.effect, rules.null_margin, rules.alpha) {
            let adjusted = within(&test, rules).filter(|_| rules.null == Null::WithinMargin);
            tests.push(RulingTest::of("TOST of the mean gain within the margin, pp").p(equivalence.p, adjusted));
        }
    }
    if let Ok(interval) = bootstrap_mean_interval(deltas, rules.bootstrap) {
        let named = RulingTest::of("percentile bootstrap of the mean gain, pp");
        tests.push(named.estimating(interval.estimate, Some([interval.low, interval.high])));
    }
    tests
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::GainUnit;
    use crate::stats::{Bootstrap, Power};
    use crate::verdict::rules::{
        Combination, Combinations, OtherTests, Ruling, RuntimeFacts, Standing, ladder, ladder_family,
    };

    fn rules(null_margin: f64) -> LadderRules {
        let confidence = Confidence::new(0.95).expect("a level");
        LadderRules {
            min_combinations: 2,
            min_hang_shapes: 0,
            names_hangs: false,
            combinations_are: Cells::Replicates,
            improvement_above: 5.0,
            improvement_unit: GainUnit::Pp,
            null: Null::WithinMargin,
            null_margin: Margin::absolute(null_margin).expect("a margin"),
            alpha: Alpha::new(0.05).expect("a level"),
            power: Power::new(0.8).ok(),
            bootstrap: Bootstrap { resamples: 200, seed: 1, confidence },
            also_in_family: OtherTests::default(),
        }
    }

    fn combinations(gains: &[f64]) -> Combinations {
        let combination = |gain: &f64| Combination {
            key: BTreeMap::new(),
            source: "row".to_owned(),
            baseline_pct: 50.0,
            candidate_pct: 50.0 + gain,
            slack_pp: 0.0,
            launches: None,
        };
        Combinations { compared: gains.iter().map(combination).collect(), left_out: Vec::new() }
    }

    fn climbed(gains: &[f64], rules: &LadderRules) -> Ruling {
        ladder(&combinations(gains), &[], &RuntimeFacts::default(), rules)
    }

    fn found(gains: &[f64], null_margin: f64) -> NullFound {
        null_found(&Replicates::new(gains.to_vec()).expect("gains"), &rules(null_margin))
    }

    #[test]
    fn combinations_that_settle_an_open_null_are_those_of_the_planning_statistics() {
        // Mean 1, sum of squares 34: the variance is 8.5.
        let gains = [-3.0, 0.0, 1.0, 2.0, 5.0];
        let sd = 8.5_f64.sqrt();
        let power = Power::new(0.8).expect("a power");
        let alpha = Alpha::new(0.05).expect("a level");
        let difference = launches_for_difference(Pairing::Paired, 1.0 / sd, alpha, power).expect("a number");
        assert_eq!(found(&gains, 0.5), NullFound::Open(Ok(difference)));
        let margin = Margin::absolute(2.0 / sd).expect("a margin");
        let inside = launches_for_equivalence(Pairing::Paired, 1.0 / sd, margin, alpha, power).expect("a number");
        assert_eq!(found(&gains, 2.0), NullFound::Open(Ok(inside)));
        let NullFound::Open(Err(why)) = found(&gains, 1.0) else { panic!("it lies on the edge") };
        assert!(why.contains("lies on the margin's edge"), "{why}");
    }

    #[test]
    fn a_null_within_a_margin_falls_by_its_adjusted_p_and_says_how_many_combinations_would_do() {
        let gains = [6.0, 1.0, 9.0, 3.0, 8.0];
        let among = |others: &[f64], power| {
            let also_in_family = others.iter().map(|p| PValue::new(*p).expect("a p")).collect();
            climbed(&gains, &LadderRules { power, also_in_family, ..rules(3.0) })
        };
        let power = Power::new(0.8).ok();
        let alone = among(&[], power);
        // By hand: mean 5.4, sd 3.36155, t = 5.4 / (3.36155 / sqrt 5) = 3.59199 at 4 degrees of freedom, p = 0.022915.
        let test = &alone.tests[0];
        assert_eq!((alone.label.as_str(), test.p), ("H2_partial", test.p_adjusted));
        assert!((test.p.expect("a p").get() - 0.022_9).abs() < 1e-4, "{test:?}");
        let of_four = among(&[0.5, 0.6, 0.7], power);
        assert_eq!((of_four.label.as_str(), of_four.standing), ("inconclusive", Standing::Inconclusive));
        assert!(of_four.tests[0].test.ends_with("Holm over 4"), "{:?}", of_four.tests);
        let needed = of_four.settled_by.expect("a number");
        assert!(needed > 5 && of_four.reasons[1].contains(&format!("{needed} combinations")), "{:?}", of_four.reasons);
        let stated = among(&[0.5, 0.6, 0.7], None);
        assert!(stated.settled_by.is_none() && stated.reasons[1].contains("states no power"), "{:?}", stated.reasons);
        let sign = climbed(&gains, &LadderRules { null: Null::MeanNotAboveZero, ..rules(3.0) });
        assert_eq!((sign.label.as_str(), sign.tests[0].p_adjusted), ("H2_partial", None), "no test decides it");
    }

    #[test]
    fn only_a_null_that_a_test_decides_is_of_the_plans_family() {
        let of = |null, min_combinations| {
            let rules = LadderRules { null, min_combinations, ..rules(3.0) };
            ladder_family(&combinations(&[6.0, 1.0, 9.0]), &[], &RuntimeFacts::default(), &rules).len()
        };
        assert_eq!([of(Null::WithinMargin, 3), of(Null::MeanNotAboveZero, 3), of(Null::WithinMargin, 4)], [1, 0, 0]);
    }

    #[test]
    fn what_is_listed_holds_every_number_that_the_ladder_is_held_against() {
        let ruling = climbed(&[6.0, 7.0, 8.0], &rules(3.0));
        let listed: Vec<(&str, f64)> = ruling.thresholds.iter().map(|it| (it.name.as_str(), it.value)).collect();
        for wanted in [("alpha", 0.05), ("power", 0.8), ("improvement_above", 5.0), ("min_combinations", 2.0)] {
            assert!(listed.contains(&wanted), "{wanted:?} of {listed:?}");
        }
    }
}
