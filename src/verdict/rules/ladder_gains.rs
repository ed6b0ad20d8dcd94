//! Which combinations of the falsification ladder improve: by their printed digits, or by the launches of a run.

use std::collections::BTreeMap;

use super::criteria::TwoMeans;
use super::estimate::{Estimate, InFamily, Levels, OtherTests};
use super::ladder::{Combination, LadderRules, unit};
use super::ruling::RulingTest;
use super::three_answers::MIN_LAUNCHES;
use crate::plan::{GainUnit, Null};
use crate::stats::{Confidence, Effect, Moments, PValue, Replicates, difference_interval, difference_test};
use crate::terms::significant;

/// What launches of a run gave of a combination's efficiencies, in percent, by segment and launch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LaunchSides {
    /// Of the side compared against.
    pub baseline: BTreeMap<(u32, u32), f64>,
    /// Of the side compared.
    pub candidate: BTreeMap<(u32, u32), f64>,
}

/// On which side of the threshold a gain lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Pass,
    Fail,
    /// The printed digits, or the launches, do not tell.
    Edge,
}

/// What a combination came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gained {
    /// The gain in the threshold's unit.
    pub value: f64,
    pub side: Side,
    /// What the launches say; absent for printed numbers.
    pub by_launch: Option<Answer>,
}

/// On which side of an edge a number of launches lies.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub side: Side,
    /// The interval at the plan's confidence; absent where the launches give none.
    pub interval: Option<[f64; 2]>,
    /// Launches a side, the fewer of both.
    pub launches: u64,
    /// Why it is told or is not, as a sentence.
    pub told: String,
    /// Launches a side that would tell, where it is not told.
    pub settled_by: Option<u64>,
    pub test: Option<RulingTest>,
}

/// A question that launches answer: whether a number of theirs lies above an edge.
struct Question {
    name: String,
    edge: f64,
    asked: Result<Asked, TooFew>,
}

struct Asked {
    effect: Effect,
    p: PValue,
    launches: u64,
}

/// Why a question has no test.
struct TooFew {
    launches: u64,
    why: String,
    settled_by: Option<u64>,
}

impl LaunchSides {
    /// Both sides segment by segment: what was measured in different segments is never compared.
    fn means(&self) -> Result<TwoMeans, TooFew> {
        let by_segment = |side: &BTreeMap<(u32, u32), f64>| {
            let mut found: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
            side.iter().for_each(|((segment, _), value)| found.entry(*segment).or_default().push(*value));
            found
        };
        let (baseline, mut candidate) = (by_segment(&self.baseline), by_segment(&self.candidate));
        let mut segments = Vec::new();
        for (segment, left) in baseline {
            let right = candidate.remove(&segment).unwrap_or_default();
            let of = |values| Replicates::new(values).ok().map(|values| Moments::from(&values));
            segments.extend(of(left).zip(of(right)).map(|(left, right)| [left, right]));
        }
        let means = TwoMeans { segments, unit: "percent".to_owned(), sources: Vec::new() };
        match means.launches() {
            MIN_LAUNCHES.. => Ok(means),
            launches => Err(TooFew {
                launches,
                why: format!(
                    "{launches} launches a side were made in segments that hold two of either side; fewer than \
                     {MIN_LAUNCHES} decide nothing"
                ),
                settled_by: Some(MIN_LAUNCHES),
            }),
        }
    }

    /// The test of the gain against `edge`.
    fn against(&self, edge: f64, unit: GainUnit) -> Result<Asked, TooFew> {
        let means = self.means()?;
        let launches = means.launches();
        let test = || -> Result<Asked, crate::stats::Error> {
            let (effect, p) = match unit {
                GainUnit::Pp => {
                    let effect = means.effect()?;
                    let beyond = Effect::new(effect.difference() - edge, effect.se(), effect.df())?;
                    (effect, difference_test(&beyond)?.p)
                }
                GainUnit::PctOfBaseline => (means.change_pct()?, means.p_of_change(edge)?),
            };
            Ok(Asked { effect, p, launches })
        };
        test().map_err(|error| TooFew { launches, why: error.to_string(), settled_by: None })
    }
}

/// The mean gain in percentage points, and the test that it is 0.
///
/// Combinations share launches, so that their errors may go together. The mean's error is taken for the mean of theirs, which is
/// the most that it can be whatever they have in common (Minkowski's inequality), at the fewest of their degrees of freedom.
fn mean_gain(combinations: &[Combination]) -> Result<Asked, TooFew> {
    let none = LaunchSides::default();
    let sides = combinations.iter().map(|combination| combination.launches.as_ref().unwrap_or(&none));
    let gains = sides.map(|sides| sides.against(0.0, GainUnit::Pp)).collect::<Result<Vec<Asked>, TooFew>>()?;
    let launches = gains.iter().map(|gain| gain.launches).min().unwrap_or(0);
    let mean =
        |of: &dyn Fn(&Effect) -> f64| gains.iter().map(|gain| of(&gain.effect)).sum::<f64>() / gains.len() as f64;
    let df = gains.iter().map(|gain| gain.effect.df()).fold(f64::INFINITY, f64::min);
    let effect = Effect::new(mean(&Effect::difference), mean(&Effect::se), df);
    let asked = effect.and_then(|effect| Ok(Asked { effect, p: difference_test(&effect)?.p, launches }));
    asked.map_err(|error| TooFew { launches, why: error.to_string(), settled_by: None })
}

/// Whether launches of a run are behind the combinations.
pub(super) fn are_of_launches(combinations: &[Combination]) -> bool {
    combinations.iter().any(|combination| combination.launches.is_some())
}

/// Every combination's gain against the threshold, and last the mean gain against 0 where that is the null hypothesis; nothing
/// for printed numbers.
fn questions(combinations: &[Combination], rules: &LadderRules) -> Vec<Question> {
    if !are_of_launches(combinations) {
        return Vec::new();
    }
    let none = LaunchSides::default();
    let gain = |combination: &Combination| Question {
        name: format!("gain of {}", combination.key.values().cloned().collect::<Vec<_>>().join(" / ")),
        edge: rules.improvement_above,
        asked: combination.launches.as_ref().unwrap_or(&none).against(rules.improvement_above, rules.improvement_unit),
    };
    let mut found: Vec<Question> = combinations.iter().map(gain).collect();
    if rules.null == Null::MeanNotAboveZero {
        let (name, asked) = ("mean gain over the combinations".to_owned(), mean_gain(combinations));
        found.push(Question { name, edge: 0.0, asked });
    }
    found
}

/// The p value of each question that launches answer, with the number of its combination; that of the mean gain has none.
pub(super) fn own_ps(combinations: &[Combination], rules: &LadderRules) -> Vec<(Option<usize>, PValue)> {
    let of =
        |(at, question): (usize, Question)| Some(((at < combinations.len()).then_some(at), question.asked.ok()?.p));
    questions(combinations, rules).into_iter().enumerate().filter_map(of).collect()
}

/// What every combination came to, and what launches say of the mean gain; nothing of it where numbers are printed.
pub(super) fn gained(combinations: &[Combination], rules: &LadderRules) -> (Vec<Gained>, Option<Answer>) {
    let questions = questions(combinations, rules);
    let p_of = |question: &Question| question.asked.as_ref().ok().map(|asked| asked.p);
    let of = |at: usize, question: &Question| {
        let own = questions.iter().enumerate().filter(|(other, _)| *other != at).filter_map(|(_, it)| p_of(it));
        let others = rules.also_in_family.after(own);
        let unit = if at < combinations.len() { unit(rules) } else { "pp" };
        question.answer(&others, unit, rules)
    };
    let mut answers: Vec<Answer> = questions.iter().enumerate().map(|(at, question)| of(at, question)).collect();
    let mean = (answers.len() > combinations.len()).then(|| answers.pop()).flatten();
    let gain = |(at, combination): (usize, &Combination)| match answers.get(at) {
        Some(answer) => {
            let value = questions.get(at).and_then(|it| Some(it.asked.as_ref().ok()?.effect.difference()));
            let value = value.unwrap_or_else(|| in_unit(combination, rules).0);
            Gained { value, side: answer.side, by_launch: Some(answer.clone()) }
        }
        None => printed(combination, rules),
    };
    (combinations.iter().enumerate().map(gain).collect(), mean)
}

impl Question {
    /// The interval has to keep clear of the edge, and the test against it, which that turns round, has to reject in the plan's
    /// family.
    fn answer(&self, others: &OtherTests, unit: &str, rules: &LadderRules) -> Answer {
        let none = |launches, told, settled_by| Answer {
            side: Side::Edge,
            interval: None,
            launches,
            told,
            settled_by,
            test: None,
        };
        let Asked { effect, p, launches } = match &self.asked {
            Ok(asked) => asked,
            Err(TooFew { launches, why, settled_by }) => return none(*launches, why.clone(), *settled_by),
        };
        let confidence = Confidence::new(1.0 - rules.alpha.get()).ok();
        let found =
            confidence.and_then(|it| Some((it, InFamily::of(*p, others, it)?, difference_interval(effect, it))));
        let Some((confidence, decision, Ok(interval))) = found else {
            return none(*launches, format!("the {} has no interval", self.name), None);
        };
        let (value, [low, high]) = (effect.difference(), [interval.low, interval.high]);
        let test = RulingTest::of(format!("Welch t of the {} against {} {unit}", self.name, self.edge));
        let test = decision.on(test.estimating(value, Some([low, high])));
        let [at, from, to] = [value, low, high].map(|number| significant(number, 4));
        let told = format!("{at} {unit} [{from}, {to}]");
        let estimate = Estimate { value, interval: Some([low, high]), launches: Some(*launches) };
        let needed = |tests| {
            let levels = Levels { confidence, power: rules.power? }.over(tests)?;
            estimate.launches_to_clear(self.edge, levels)
        };
        let (side, told, settled_by) = match (low > self.edge, high <= self.edge) {
            (false, false) => (Side::Edge, format!("{told} holds {}", self.edge), needed(decision.in_time)),
            _ if !decision.holds() => {
                let told = format!("{told} is clear of {}, and {}", self.edge, decision.why_open());
                (Side::Edge, told, needed(decision.in_time))
            }
            (above, _) => (if above { Side::Pass } else { Side::Fail }, told, None),
        };
        Answer { side, interval: Some([low, high]), launches: *launches, told, settled_by, test: Some(test) }
    }
}

pub(super) fn delta_pp(combination: &Combination) -> f64 {
    combination.candidate_pct - combination.baseline_pct
}

/// The gain in the threshold's unit, and how far rounding may have moved it.
fn in_unit(combination: &Combination, rules: &LadderRules) -> (f64, f64) {
    let scale = match rules.improvement_unit {
        GainUnit::Pp => 1.0,
        GainUnit::PctOfBaseline => 100.0 / combination.baseline_pct,
    };
    (delta_pp(combination) * scale, combination.slack_pp * scale)
}

fn printed(combination: &Combination, rules: &LadderRules) -> Gained {
    let (value, slack) = in_unit(combination, rules);
    let side = if value - slack > rules.improvement_above {
        Side::Pass
    } else if value + slack <= rules.improvement_above {
        Side::Fail
    } else {
        Side::Edge
    };
    Gained { value, side, by_launch: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Alpha, Bootstrap, Margin, Power};
    use crate::verdict::rules::{Cells, Combinations, LeftOut, Ruling, RuntimeFacts, Standing, ladder, ladder_family};

    fn rules() -> LadderRules {
        let confidence = Confidence::new(0.95).expect("a level");
        LadderRules {
            min_combinations: 2,
            min_hang_shapes: 0,
            names_hangs: false,
            combinations_are: Cells::Different,
            improvement_above: 12.0,
            improvement_unit: GainUnit::Pp,
            null: Null::MeanNotAboveZero,
            null_margin: Margin::absolute(3.0).expect("a margin"),
            alpha: Alpha::new(0.05).expect("a level"),
            power: Power::new(0.8).ok(),
            bootstrap: Bootstrap { resamples: 200, seed: 1, confidence },
            also_in_family: OtherTests::default(),
        }
    }

    /// A combination whose sides have these efficiencies, launch by launch, the candidate's launches behind the baseline's.
    fn combination(name: &str, baseline: &[f64], candidate: &[f64]) -> Combination {
        let side = |from: u32, values: &[f64]| -> BTreeMap<(u32, u32), f64> {
            (from..).zip(values).map(|(launch, value)| ((0, launch), *value)).collect()
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Combination {
            key: BTreeMap::from([("workload".to_owned(), name.to_owned())]),
            source: name.to_owned(),
            baseline_pct: mean(baseline),
            candidate_pct: mean(candidate),
            slack_pp: 0.0,
            launches: Some(LaunchSides { baseline: side(0, baseline), candidate: side(100, candidate) }),
        }
    }

    /// Four launches a side that scatter by `apart` around 50 % and around 50 % and `gain`.
    fn gaining(name: &str, gain: f64, apart: f64) -> Combination {
        let around = |mean: f64| [-3.0, -1.0, 1.0, 3.0].map(|at| mean + apart * at);
        combination(name, &around(50.0), &around(50.0 + gain))
    }

    fn climbed(compared: &[Combination], rules: &LadderRules) -> Ruling {
        let combinations = Combinations { compared: compared.to_vec(), left_out: Vec::new() };
        ladder(&combinations, &[], &RuntimeFacts::default(), rules)
    }

    fn labels(ruling: &Ruling) -> Vec<&str> {
        ruling.parts.iter().map(|part| part.label.as_str()).collect()
    }

    #[test]
    fn a_mean_of_launches_that_scatter_across_the_threshold_improves_nothing() {
        let sure = climbed(&[gaining("a", 20.0, 0.5), gaining("b", 30.0, 0.5)], &rules());
        assert_eq!((sure.label.as_str(), labels(&sure)), ("H1_pass", vec!["pass", "pass"]));
        // By hand: sd 0.5 sqrt(20/3) = 1.29099, se sqrt(2/4) sd = 0.912871, t(0.975; 6) = 2.446912: 20 -+ 2.23371.
        assert_eq!(
            ["delta_low_pp", "delta_high_pp", "launches"].map(|name| sure.parts[0].numbers[name]),
            [17.7663, 22.2337, 4.0]
        );
        // The same means, and 20 pp is 8 above a threshold of which the launches are 9 to either side.
        let scattered = climbed(&[gaining("a", 20.0, 2.0), gaining("b", 40.0, 2.0)], &rules());
        assert_eq!((scattered.label.as_str(), labels(&scattered)), ("inconclusive", vec!["edge", "pass"]));
        assert!(
            scattered.parts[0].reason.as_ref().is_some_and(|why| why.ends_with("holds 12")),
            "{:?}",
            scattered.parts
        );
        assert!(scattered.settled_by.is_some_and(|launches| launches > 4), "{scattered:?}");
        let below = climbed(&[gaining("a", 3.0, 0.5), gaining("b", 40.0, 0.5)], &rules());
        assert_eq!((below.label.as_str(), labels(&below)), ("H2_partial", vec!["fail", "pass"]));
    }

    #[test]
    fn a_gain_stands_only_in_the_family_of_all_that_is_asked() {
        let compared = [gaining("a", 20.0, 1.2), gaining("b", 40.0, 0.5)];
        let alone = climbed(&compared, &rules());
        assert_eq!((alone.label.as_str(), alone.tests.len()), ("H1_pass", 3));
        // The mean gain against 0 stands first, then each combination against 12: three tests.
        assert_eq!(alone.tests[1].test, "Welch t of the gain of a against 12 pp, Holm over 3");
        let also_in_family = (0..40).map(|_| PValue::new(0.9).expect("a p")).collect();
        let many = climbed(&compared, &LadderRules { also_in_family, ..rules() });
        assert_eq!((many.label.as_str(), labels(&many)), ("inconclusive", vec!["edge", "pass"]));
        assert!(many.parts[0].reason.as_ref().is_some_and(|why| why.contains("of 43 tests")), "{:?}", many.parts);
        let combinations = Combinations { compared: compared.to_vec(), left_out: Vec::new() };
        let family = ladder_family(&combinations, &[], &RuntimeFacts::default(), &rules());
        assert_eq!(family.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [Some(0), Some(1), None]);
        assert_eq!(family[0].1, own_ps(&compared, &rules())[0].1);
    }

    #[test]
    fn that_the_mean_gain_is_above_zero_is_for_launches_to_show() {
        let gains = |gain: f64, apart: f64| climbed(&[gaining("a", gain, apart), gaining("b", gain, apart)], &rules());
        assert_eq!(gains(2.0, 0.2).label, "H2_partial");
        assert_eq!(gains(-2.0, 0.2).label, "H0_pass");
        for open in [gains(0.5, 1.0), gains(-0.5, 1.0)] {
            assert_eq!(open.standing, Standing::Inconclusive, "{open:?}");
            assert!(open.reasons[0].contains("whether the mean gain is above 0"), "{:?}", open.reasons);
            assert!(open.settled_by.is_some_and(|launches| launches > 4), "{open:?}");
        }
    }

    #[test]
    fn the_mean_gain_has_the_error_that_combinations_of_the_same_launches_may_share() {
        let (quiet, loud) = (gaining("a", 20.0, 0.5), gaining("b", 30.0, 1.5));
        let mean = climbed(&[quiet.clone(), loud], &rules()).tests[0].clone();
        assert!(mean.test.starts_with("Welch t of the mean gain over the combinations against 0 pp"), "{}", mean.test);
        // By hand: sds 1.29099 and 3.87298, errors 0.912871 and 2.738613, 1.825742 on average, 6 degrees of freedom.
        assert_eq!((mean.estimate, mean.interval), (Some(25.0), Some([20.5326, 29.4674])));
        // A copy of a combination adds nothing that is known.
        let [once, twice] = [1, 2].map(|copies| mean_gain(&vec![quiet.clone(); copies]).ok().map(|it| it.effect.se()));
        assert_eq!(once, twice);
    }

    #[test]
    fn fewer_than_three_launches_of_one_segment_are_an_edge() {
        let few = combination("b", &[50.0, 50.1], &[80.0, 80.1, 80.2]);
        let ruling = climbed(&[gaining("a", 20.0, 0.5), few.clone()], &rules());
        assert_eq!((ruling.label.as_str(), labels(&ruling)), ("inconclusive", vec!["pass", "edge"]));
        assert_eq!(ruling.settled_by, Some(3), "{:?}", ruling.reasons);
        // Six launches a side in six segments: none of them holds two of either side.
        let apart =
            |side: &BTreeMap<(u32, u32), f64>| (0..).zip(side.values()).map(|(at, it)| ((at, at), *it)).collect();
        let mut one_each = gaining("a", 20.0, 0.5);
        one_each.launches = one_each.launches.map(|LaunchSides { baseline, candidate }| LaunchSides {
            baseline: apart(&baseline),
            candidate: apart(&candidate),
        });
        assert_eq!(labels(&climbed(&[one_each, gaining("b", 20.0, 0.5)], &rules())), ["edge", "pass"]);
        // Without a spread there is no interval, however far the gain lies.
        let equal = climbed(&[gaining("a", 20.0, 0.0), gaining("b", 20.0, 0.5)], &rules());
        assert_eq!((equal.label.as_str(), labels(&equal)), ("inconclusive", vec!["edge", "pass"]));
    }

    #[test]
    fn a_relative_threshold_is_held_against_relative_changes_of_launches() {
        let rules = LadderRules { improvement_unit: GainUnit::PctOfBaseline, improvement_above: 30.0, ..rules() };
        // 20 pp of 50 % are 40 %.
        let ruling = climbed(&[gaining("a", 20.0, 0.5), gaining("b", 10.0, 0.5)], &rules);
        assert_eq!((ruling.label.as_str(), labels(&ruling)), ("H2_partial", vec!["pass", "fail"]));
        let [low, high] = ["change_low_pct", "change_high_pct"].map(|name| ruling.parts[0].numbers[name]);
        assert!(30.0 < low && low < 40.0 && 40.0 < high, "{low} {high}");
    }

    #[test]
    fn what_is_not_compared_is_listed_and_h1_is_of_every_combination() {
        let left_out = |settled_by| LeftOut {
            key: BTreeMap::from([("workload".to_owned(), "c".to_owned())]),
            source: "c".to_owned(),
            reason: "times of survivors are no sample".to_owned(),
            settled_by,
        };
        let climbed = |gains: [f64; 2], settled_by, min_combinations| {
            let compared = gains.map(|gain| gaining("a", gain, 0.5)).to_vec();
            let combinations = Combinations { compared, left_out: vec![left_out(settled_by)] };
            ladder(&combinations, &[], &RuntimeFacts::default(), &LadderRules { min_combinations, ..rules() })
        };
        let survivors = climbed([20.0, 30.0], None, 2);
        assert_eq!(
            (survivors.label.as_str(), labels(&survivors)),
            ("inconclusive", vec!["pass", "pass", "not_compared"])
        );
        assert_eq!((survivors.rests_on.last().map(String::as_str), survivors.settled_by), (Some("c"), None));
        let told = "1 combinations are not compared, the first because times of survivors are no sample";
        assert!(survivors.reasons.contains(&told.to_owned()), "{:?}", survivors.reasons);
        assert_eq!(climbed([20.0, 30.0], Some(3), 2).settled_by, Some(3));
        assert_eq!(climbed([20.0, 3.0], None, 2).label, "inconclusive", "that there is a gain is said of all of them");
        assert_eq!(climbed([0.0, 0.0], None, 2).label, "inconclusive", "and so is that there is none");
        let short = climbed([20.0, 30.0], None, 3);
        assert_eq!((short.label.as_str(), short.settled_by), ("abstain", None));
        assert_eq!(short.reasons, ["2 combinations were compared, floor 3", told]);
        assert_eq!(climbed([20.0, 30.0], Some(3), 3).settled_by, Some(3));
        assert_eq!(climbed([20.0, 30.0], Some(3), 4).settled_by, None, "the plan has no fourth one");
    }
}
