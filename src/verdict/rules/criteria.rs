//! Criteria that a report sets itself: a correlation, a limit, a difference, an efficiency.

use std::collections::BTreeMap;

use super::estimate::{InFamily, Levels, OtherTests, runs_to_clear};
use super::three_answers::{self, Answer, Answered, Question, Terms, own_p};
use super::{Estimate, Part, Ruling, RulingTest};
use crate::stats::{
    Alpha, Effect, Interval, Margin, Moments, PValue, Pairing, Points, Power, difference_interval, difference_test,
    fisher_interval, fisher_test, pearson, pool, pool_relative, relative_effect, relative_effect_beyond, welch,
};
use crate::terms::significant;

/// Whether the correlation of the points exceeds `above`.
///
/// Its interval (Fisher) keeps clear of the limit where the two-sided test that the correlation is the limit rejects; adjusted
/// (Holm) with `also_in_family`, the p values of the plan's other tests, that must not be above the level.
///
/// Labels: `met`, `not_met`; `inconclusive` where the interval holds the limit, or does not and the family is too large for that
/// to decide, with the runs that would settle it; `invalid`.
#[must_use]
pub fn correlation_criterion(
    points: &Points,
    above: f64,
    levels: Levels,
    also_in_family: &OtherTests,
    sources: &[String],
) -> Ruling {
    let listed = |ruling: Ruling| ruling.resting_on(sources).against("above", above, "r").at(levels);
    let found = match pearson(points) {
        Ok(found) => found,
        Err(error) => return listed(Ruling::invalid(error.to_string())),
    };
    let needed = |levels| runs_to_clear(found.r, above, found.n as u64, levels);
    let told = format!("r is {} over {} runs", significant(found.r, 4), found.n);
    let test = RulingTest::of(format!("Pearson's correlation against {above}, Fisher's transformation"));
    let interval = fisher_interval(&found, levels.confidence).ok();
    let decision = correlation_family(points, above).pop();
    let decision = decision.and_then(|p| InFamily::of(p, also_in_family, levels.confidence));
    let (Some(Interval { low, high, .. }), Some(decision)) = (interval, decision) else {
        let open = Ruling::inconclusive(format!("{told}, which are too few for an interval"));
        let settled_by = levels.over(also_in_family.in_time() + 1).and_then(needed);
        return listed(open.settled_by(settled_by).tested([test.estimating(found.r, None)]));
    };
    let ruling = match (low > above, high <= above) {
        (false, false) => Ruling::inconclusive(format!("{told}, and its interval holds the limit {above}"))
            .settled_by(levels.over(decision.in_time).and_then(needed)),
        _ if !decision.holds() => {
            Ruling::inconclusive(format!("{told}, its interval clear of {above}, and {}", decision.why_open()))
                .settled_by(levels.over(decision.in_time).and_then(needed))
        }
        (is_met, _) => Ruling::decided(if is_met { "met" } else { "not_met" }).because(told),
    };
    let test = decision.on(test.estimating(found.r, Some([low, high])));
    listed(ruling.tested([test]))
}

/// The p value of the correlation being `above`: what the criterion adds to the plan's family.
pub(in crate::verdict) fn correlation_family(points: &Points, above: f64) -> Vec<PValue> {
    let p = pearson(points).and_then(|found| fisher_test(&found, above));
    p.into_iter().collect()
}

/// Whether so many readings in a row lie above the limit. Labels: `sustained`, `not_sustained`.
#[must_use]
pub fn saturation(series: &[f64], above: f64, sustained_readings: u64, unit: &str, sources: &[String]) -> Ruling {
    let (mut longest, mut run) = (0, 0);
    for reading in series {
        run = if *reading > above { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let label = if longest >= sustained_readings { "sustained" } else { "not_sustained" };
    Ruling::decided(label)
        .because(format!("at most {longest} readings in a row lie above {above} {unit}, of {}", series.len()))
        .resting_on(sources)
        .against("above", above, unit)
        .against("sustained_readings", sustained_readings as f64, "count")
}

/// A difference as one place of a report states it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// The place.
    pub key: BTreeMap<String, String>,
    /// The row.
    pub source: String,
    /// Right minus left, and how far rounding may have moved it; absent where the place prints no numbers.
    pub difference: Option<(f64, f64)>,
}

/// Whether all places meet the criterion. Labels: `met`, `not_met`, `contradictory` where places disagree on that or on
/// the sign; `inconclusive` where the printed digits of one that is needed do not tell; `invalid` where no place states
/// numbers.
#[must_use]
pub fn stated_differences(stated: &[Stated], at_least: f64, unit: &str) -> Ruling {
    let label = |stated: &Stated| match stated.difference {
        None => "not_stated",
        Some((difference, slack)) if difference - slack >= at_least => "met",
        Some((difference, slack)) if difference + slack < at_least => "not_met",
        Some(_) => "edge",
    };
    let count = |wanted: &str| stated.iter().filter(|stated| label(stated) == wanted).count();
    let (met, missed, edge) = (count("met"), count("not_met"), count("edge"));
    let told = format!("{met} places meet it, {missed} do not, {edge} lie on the edge of their printed digits");
    let signs: Vec<f64> = stated.iter().filter_map(|stated| Some(stated.difference?.0)).collect();
    let is_reversed = signs.iter().any(|value| *value > 0.0) && signs.iter().any(|value| *value < 0.0);
    let ruling = match (met, missed, edge) {
        (0, 0, 0) => Ruling::invalid("no place states both sides"),
        _ if is_reversed => {
            Ruling::decided("contradictory").because("the places do not agree on the sign").because(told)
        }
        (1.., 1.., _) => Ruling::decided("contradictory").because(told),
        (_, 0, 0) => Ruling::decided("met").because(told),
        (0, _, 0) => Ruling::decided("not_met").because(told),
        _ => Ruling::inconclusive(told),
    };
    let part = |stated: &Stated| {
        let part = Part::new(stated.key.clone(), label(stated));
        match stated.difference {
            Some((difference, slack)) => part.number("difference", difference).number("slack", slack),
            None => part.because("the place prints no numbers"),
        }
    };
    ruling
        .resting_on(stated.iter().map(|stated| &stated.source))
        .against("at_least", at_least, unit)
        .in_parts(stated.iter().map(part))
}

/// A speed-up and the efficiency printed beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedUp {
    /// The run.
    pub key: BTreeMap<String, String>,
    /// The row.
    pub source: String,
    /// The speed-up, and half of its last printed digit.
    pub speedup: (f64, f64),
    /// The efficiency in percent, and half of its last printed digit.
    pub efficiency_pct: (f64, f64),
}

/// Whether each efficiency is its speed-up over the agents, within what rounding explains. Labels: `consistent`,
/// `contradicted`.
#[must_use]
pub fn parallel_efficiency(runs: &[SpeedUp], agents: u64) -> Ruling {
    if runs.is_empty() || agents == 0 {
        return Ruling::invalid("no run of any agent was given");
    }
    let scale = 100.0 / agents as f64;
    let part = |run: &SpeedUp| {
        let derived = run.speedup.0 * scale;
        // A sum of halves of printed digits is no exact decimal: a billionth keeps an edge from looking crossed.
        let slack = run.speedup.1 * scale + run.efficiency_pct.1 + 1e-9;
        let label = match (derived - run.efficiency_pct.0).abs() <= slack {
            true if derived > 100.0 => "superlinear",
            true => "consistent",
            false => "contradicted",
        };
        Part::new(run.key.clone(), label)
            .number("derived_pct", derived)
            .number("printed_pct", run.efficiency_pct.0)
            .number("slack_pp", slack)
    };
    let parts: Vec<Part> = runs.iter().map(part).collect();
    let contradicted = parts.iter().filter(|part| part.label == "contradicted").count();
    let label = if contradicted == 0 { "consistent" } else { "contradicted" };
    Ruling::decided(label)
        .because(format!("{contradicted} of {} efficiencies are not their speed-up over {agents} agents", runs.len()))
        .resting_on(runs.iter().map(|run| &run.source))
        .against("agents", agents as f64, "count")
        .in_parts(parts)
}

/// Two means with their spread.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoMeans {
    /// The side compared against and the side compared, segment by segment; printed means are of one.
    pub segments: Vec<[Moments; 2]>,
    /// The unit of both.
    pub unit: String,
    /// The rows.
    pub sources: Vec<String>,
}

impl TwoMeans {
    /// Values a side, the fewer of both.
    #[must_use]
    pub fn launches(&self) -> u64 {
        let side = |which: usize| self.segments.iter().map(|segment| segment[which].n() as u64).sum::<u64>();
        side(0).min(side(1))
    }

    /// Right minus left, formed within each segment and pooled over them.
    ///
    /// # Errors
    /// No segment, or one whose values have no spread.
    pub fn effect(&self) -> Result<Effect, crate::stats::Error> {
        let effect = |[left, right]: &[Moments; 2]| Ok::<_, crate::stats::Error>(welch(*right, *left)?.effect);
        Ok(pool(&self.segments.iter().map(effect).collect::<Result<Vec<_>, _>>()?)?.effect)
    }

    /// The same in percent of the left mean, with the error of both.
    ///
    /// # Errors
    /// Those of [`TwoMeans::effect`]; a left mean of 0.
    pub fn change_pct(&self) -> Result<Effect, crate::stats::Error> {
        let effect = |[left, right]: &[Moments; 2]| relative_effect(*right, *left);
        Ok(pool_relative(&self.segments.iter().map(effect).collect::<Result<Vec<_>, _>>()?)?.0.change)
    }

    /// The p value of that being `change_pct`.
    ///
    /// # Errors
    /// Those of [`TwoMeans::change_pct`]; a change below -100 %.
    pub fn p_of_change(&self, change_pct: f64) -> Result<PValue, crate::stats::Error> {
        let effect = |[left, right]: &[Moments; 2]| relative_effect_beyond(*right, *left, change_pct);
        let beyond = pool(&self.segments.iter().map(effect).collect::<Result<Vec<_>, _>>()?)?.effect;
        Ok(difference_test(&beyond)?.p)
    }
}

/// What a contrast of means is asked against.
#[derive(Debug, Clone, PartialEq)]
pub struct ContrastTerms {
    /// Differences up to this are none, in the unit of the means.
    pub margin: Margin,
    /// Level of the tests.
    pub alpha: Alpha,
    /// Power that the stated number of repetitions is to have.
    pub power: Power,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// Different, equivalent or could not tell: Welch's test, adjusted (Holm) over the plan's family, and TOST within the margin.
/// Labels: `lower` and `higher` (right against left), `equivalent`, also for a significant difference inside the margin;
/// `inconclusive`, with the repetitions a side that would settle it; `invalid`.
#[must_use]
pub fn mean_contrast(means: &TwoMeans, terms: &ContrastTerms) -> Ruling {
    let ContrastTerms { margin, alpha, power, also_in_family } = terms;
    let judged = || -> Result<Ruling, String> {
        let effect = means.effect().map_err(|error| error.to_string())?;
        let name = format!("right minus left, {}", means.unit);
        let question = Question { name, effect, null: effect, launches: means.launches() };
        let asked = Terms { margin: margin.get(), alpha: *alpha, power: *power, pairing: Pairing::Unpaired };
        let [Answered { answer, significant: is_different, tests, settled_by, .. }] =
            <[Answered; 1]>::try_from(three_answers::answer(&[question], also_in_family, asked)?)
                .map_err(|found| format!("{} answers to one question", found.len()))?;
        let difference = effect.difference();
        let told = format!("right minus left is {} {}", significant(difference, 4), means.unit);
        let ruling = match (answer, is_different) {
            (Answer::Equivalent, true) => {
                Ruling::decided("equivalent").because(format!("{told}: significant, and inside the margin"))
            }
            (Answer::Equivalent, false) => Ruling::decided("equivalent").because(told),
            (Answer::Different, _) => Ruling::decided(if difference < 0.0 { "lower" } else { "higher" }).because(told),
            (Answer::CouldNotTell, _) => {
                Ruling::inconclusive(format!("{told}: neither different nor equivalent")).settled_by(settled_by)
            }
        };
        Ok(ruling.tested(tests))
    };
    let ruling = judged().unwrap_or_else(Ruling::invalid);
    ruling
        .resting_on(&means.sources)
        .against("margin", margin.get(), &means.unit)
        .against("alpha", alpha.get(), "share")
        .against("power", power.get(), "share")
}

/// The p value of the difference: what it adds to the plan's family.
pub(in crate::verdict) fn mean_family(means: &TwoMeans) -> Vec<PValue> {
    means.effect().ok().and_then(|effect| own_p(&effect)).into_iter().collect()
}

/// Whether right exceeds left by at least so much.
///
/// The interval (Welch) keeps clear of `at_least` where the two-sided test that the difference is just that rejects; adjusted
/// (Holm) with `also_in_family`, the p values of the plan's other tests, that must not be above the level.
///
/// Labels: `met` and `not_met` where the whole interval lies on one side of it; `inconclusive` where it does not, or does and
/// the family is too large for that to decide, with the repetitions a side that would settle it; `invalid`.
#[must_use]
pub fn difference_criterion(means: &TwoMeans, at_least: f64, levels: Levels, also_in_family: &OtherTests) -> Ruling {
    let judged = || -> Result<Ruling, crate::stats::Error> {
        let effect = means.effect()?;
        let Interval { low, high, .. } = difference_interval(&effect, levels.confidence)?;
        let (difference, unit) = (effect.difference(), &means.unit);
        let told = [difference, low, high].map(|value| significant(value, 3));
        let told = format!("right minus left is {} {unit} [{}, {}]", told[0], told[1], told[2]);
        let estimate = Estimate { value: difference, interval: Some([low, high]), launches: Some(means.launches()) };
        let needed = |levels| estimate.launches_to_clear(at_least, levels);
        let test = RulingTest::of(format!("Welch of right minus left against {at_least}, {unit}"))
            .estimating(difference, Some([low, high]));
        let p = difference_test(&beyond(&effect, at_least)?)?.p;
        let Some(decision) = InFamily::of(p, also_in_family, levels.confidence) else {
            return Ok(Ruling::invalid(format!("{told}, and {} leaves no level", levels.confidence.get())));
        };
        let ruling = match (low >= at_least, high < at_least) {
            (false, false) => Ruling::inconclusive(format!("{told}, which holds {at_least}"))
                .settled_by(levels.over(decision.in_time).and_then(needed)),
            _ if !decision.holds() => {
                Ruling::inconclusive(format!("{told}, clear of {at_least}, and {}", decision.why_open()))
                    .settled_by(levels.over(decision.in_time).and_then(needed))
            }
            (is_met, _) => Ruling::decided(if is_met { "met" } else { "not_met" }).because(told),
        };
        Ok(ruling.tested([decision.on(test)]))
    };
    let ruling = judged().unwrap_or_else(|error| Ruling::invalid(error.to_string()));
    ruling.resting_on(&means.sources).against("at_least", at_least, &means.unit).at(levels)
}

/// How far a difference lies beyond a limit.
fn beyond(effect: &Effect, limit: f64) -> Result<Effect, crate::stats::Error> {
    Effect::new(effect.difference() - limit, effect.se(), effect.df())
}

/// The p value of the difference being `at_least`: what the criterion adds to the plan's family.
pub(in crate::verdict) fn difference_family(means: &TwoMeans, at_least: f64) -> Vec<PValue> {
    let beyond = means.effect().and_then(|effect| beyond(&effect, at_least)).ok();
    beyond.and_then(|beyond| own_p(&beyond)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Confidence, Replicates};
    use crate::verdict::rounding::round_p;
    use crate::verdict::rules::Standing;

    fn level() -> Levels {
        Levels { confidence: Confidence::new(0.95).expect("a level"), power: Power::new(0.8).expect("a power") }
    }

    #[test]
    fn a_correlation_meets_its_limit_with_its_whole_interval() {
        let among = |noise: f64, n: u32, above: f64, others: &[PValue]| {
            let x: Vec<f64> = (0..n).map(f64::from).collect();
            let y: Vec<f64> =
                x.iter().enumerate().map(|(at, x)| x + if at % 2 == 0 { noise } else { -noise }).collect();
            let others = others.iter().copied().collect();
            correlation_criterion(&Points::new(x, y).expect("points"), above, level(), &others, &["row".to_owned()])
        };
        let found = |noise, n, above| among(noise, n, above, &[]);
        assert_eq!(found(0.1, 12, 0.8).label, "met");
        assert_eq!(found(30.0, 12, 0.8).label, "not_met");
        let open = found(1.5, 6, 0.8);
        assert_eq!(open.standing, Standing::Inconclusive);
        assert!(open.reasons[0].contains("holds the limit 0.8"), "{:?}", open.reasons);
        assert!(open.settled_by.is_some_and(|runs| runs > 6), "{:?}", open.settled_by);
        assert!(found(0.1, 3, 0.8).reasons[0].contains("too few for an interval"));
        let alone = found(1.1, 12, 0.8);
        let p = alone.tests[0].p.expect("a p");
        assert!(alone.label == "met" && (0.01..0.05).contains(&p.get()), "{alone:?}");
        assert_eq!(
            among(1.1, 12, 0.8, &[PValue::new(1e-9).expect("a p")]).label,
            "met",
            "what is surer is stepped over"
        );
        let of_five = among(1.1, 12, 0.8, &[PValue::new(0.9).expect("a p"); 4]);
        assert_eq!(of_five.standing, Standing::Inconclusive);
        assert!((of_five.tests[0].p_adjusted.expect("a p").get() / p.get() - 5.0).abs() < 1e-4, "{of_five:?}");
        assert!(of_five.reasons[0].contains("of 5 tests") && of_five.settled_by > Some(12), "{of_five:?}");
        let flat = Points::new(vec![1.0, 1.0, 1.0], vec![1.0, 2.0, 3.0]).expect("points");
        assert_eq!(correlation_criterion(&flat, 0.8, level(), &OtherTests::default(), &[]).standing, Standing::Invalid);
    }

    #[test]
    fn a_limit_is_sustained_by_readings_in_a_row_and_not_by_as_many_apart() {
        let label = |series: &[f64]| saturation(series, 10.0, 2, "GB/s", &[]).label;
        assert_eq!(label(&[11.0, 12.0, 3.0]), "sustained");
        assert_eq!(label(&[11.0, 3.0, 12.0]), "not_sustained");
        assert_eq!(label(&[10.0, 10.0]), "not_sustained", "the limit itself is not above it");
    }

    fn stated(difference: Option<(f64, f64)>) -> Stated {
        Stated { key: BTreeMap::new(), source: "row".to_owned(), difference }
    }

    #[test]
    fn a_difference_that_is_stated_in_several_places_must_meet_its_criterion_in_all() {
        let label = |all: &[Option<(f64, f64)>]| {
            let all: Vec<Stated> = all.iter().map(|difference| stated(*difference)).collect();
            stated_differences(&all, 2.0, "pp").label
        };
        assert_eq!(label(&[Some((2.0, 0.0)), Some((3.0, 0.1)), None]), "met");
        assert_eq!(label(&[Some((1.0, 0.1))]), "not_met");
        assert_eq!(label(&[Some((3.0, 0.1)), Some((1.0, 0.1))]), "contradictory");
        assert_eq!(label(&[Some((-1.0, 0.1)), Some((1.0, 0.1))]), "contradictory", "they disagree on the sign");
        assert_eq!(label(&[Some((2.0, 0.05)), Some((3.0, 0.1))]), "inconclusive", "its printed digits do not tell");
        assert_eq!(label(&[None]), "invalid");
    }

    #[test]
    fn an_efficiency_is_its_speed_up_over_the_agents_within_what_rounding_explains() {
        let run = |speedup: f64, printed: f64| SpeedUp {
            key: BTreeMap::new(),
            source: "row".to_owned(),
            speedup: (speedup, 0.005),
            efficiency_pct: (printed, 0.05),
        };
        let label = |runs: &[SpeedUp]| parallel_efficiency(runs, 2).label;
        // 1.74 +- 0.005 over two agents is 87 +- 0.25 %, and the printed digit adds 0.05.
        assert_eq!(label(&[run(1.74, 87.3)]), "consistent");
        assert_eq!(label(&[run(1.74, 87.31)]), "contradicted");
        assert_eq!(parallel_efficiency(&[run(2.02, 101.0)], 2).parts[0].label, "superlinear");
        assert_eq!(parallel_efficiency(&[run(1.74, 87.0)], 0).standing, Standing::Invalid);
        assert_eq!(parallel_efficiency(&[], 2).standing, Standing::Invalid);
    }

    fn moments(values: &[f64]) -> Moments {
        Moments::from(&Replicates::new(values.to_vec()).expect("values"))
    }

    fn means(segments: Vec<[Moments; 2]>) -> TwoMeans {
        TwoMeans { segments, unit: "ms".to_owned(), sources: vec!["row".to_owned()] }
    }

    fn contrast(left: &[f64], right: &[f64]) -> Ruling {
        in_family(left, right, Vec::new())
    }

    fn in_family(left: &[f64], right: &[f64], also_in_family: Vec<PValue>) -> Ruling {
        let terms = ContrastTerms {
            margin: Margin::absolute(0.5).expect("a margin"),
            alpha: Alpha::new(0.05).expect("a level"),
            power: Power::new(0.8).expect("a power"),
            also_in_family: also_in_family.into_iter().collect(),
        };
        mean_contrast(&means(vec![[moments(left), moments(right)]]), &terms)
    }

    #[test]
    fn two_means_are_lower_higher_equivalent_or_open() {
        let base = [10.0, 10.1, 9.9, 10.0];
        assert_eq!(contrast(&base, &[9.0, 9.1, 8.9, 9.0]).label, "lower");
        assert_eq!(contrast(&base, &[11.0, 11.1, 10.9, 11.0]).label, "higher");
        let small = contrast(&base, &[10.25, 10.35, 10.15, 10.25]);
        assert_eq!(small.label, "equivalent");
        assert!(small.reasons[0].ends_with("significant, and inside the margin"), "{:?}", small.reasons);
        let open = contrast(&base, &[8.0, 12.0, 9.0, 11.5]);
        assert_eq!(open.standing, Standing::Inconclusive);
        assert!(open.settled_by.is_some_and(|launches| launches > 4), "{:?}", open.settled_by);
        let (far, other) = ([11.0, 11.7, 10.2, 11.1], || PValue::new(0.5).expect("a p"));
        assert_eq!(contrast(&base, &far).label, "higher");
        let ten = in_family(&base, &far, (0..10).map(|_| other()).collect());
        assert_eq!(ten.standing, Standing::Inconclusive, "one of eleven: {ten:?}");
        assert_eq!(contrast(&[10.0, 10.0], &[10.0, 10.0]).standing, Standing::Invalid, "no spread at all");
    }

    #[test]
    fn segments_are_compared_within_and_pooled() {
        let base = [10.0, 10.1, 9.9];
        let (slower, pair) = (base.map(|ms| ms + 50.0), base.map(|ms| ms - 1.0));
        let segments = vec![[moments(&base), moments(&pair)], [moments(&slower), moments(&slower.map(|ms| ms - 1.0))]];
        let two = means(segments);
        assert_eq!(two.launches(), 6);
        let effect = two.effect().expect("an effect");
        assert!((effect.difference() + 1.0).abs() < 1e-12, "{effect:?}");
        let (none, p) = (two.p_of_change(0.0).expect("a p").get(), own_p(&effect).expect("a p").get());
        assert!(none < 1e-3 && p < 1e-3, "{none} {p}");
        let ruled = |at_least| difference_criterion(&two, at_least, level(), &OtherTests::default());
        assert_eq!(ruled(-2.0).label, "met", "{:?}", ruled(-2.0).reasons);
        assert_eq!(ruled(-0.5).label, "not_met");
        assert_eq!(ruled(-1.0).standing, Standing::Inconclusive);
        assert!(ruled(-1.05).settled_by.is_some_and(|launches| launches > 6), "{:?}", ruled(-1.05));
        assert_eq!(
            difference_criterion(&means(Vec::new()), 0.0, level(), &OtherTests::default()).standing,
            Standing::Invalid
        );
    }

    #[test]
    fn a_difference_meets_its_limit_by_the_adjusted_p_of_being_just_that() {
        let two = means(vec![[moments(&[10.0, 10.5, 9.5, 10.0]), moments(&[11.0, 11.6, 10.4, 11.0])]]);
        let among = |others: &[f64]| {
            let others = others.iter().map(|p| PValue::new(*p).expect("a p")).collect();
            difference_criterion(&two, 0.1, level(), &others)
        };
        let alone = among(&[]);
        assert_eq!((alone.label.as_str(), alone.tests[0].p), ("met", alone.tests[0].p_adjusted));
        // By hand: se^2 = (1/6 + 6/25)/4, t = 0.9 / se = 2.82263, df = 5.81104.
        assert!((alone.tests[0].p.expect("a p").get() - 0.031321).abs() < 1e-6, "{alone:?}");
        assert_eq!(difference_family(&two, 0.1).iter().map(|p| round_p(*p)).next(), alone.tests[0].p);
        let of_two = among(&[0.5]);
        assert_eq!(of_two.standing, Standing::Inconclusive);
        let adjusted = of_two.tests[0].p_adjusted.expect("a p");
        assert!((adjusted.get() / alone.tests[0].p.expect("a p").get() - 2.0).abs() < 1e-5, "{of_two:?}");
        assert!(of_two.reasons[0].contains("of 2 tests in the plan's family"), "{of_two:?}");
        assert!(of_two.settled_by > Some(4), "{of_two:?}");
        assert_eq!(among(&[1e-6]).label, "met", "what is surer is stepped over");
    }
}
