//! What the rules of a plan test, as one family.

use std::collections::BTreeSet;

use super::apply::Settings;
use super::citable::robustness;
use super::compared::{crossover, gains, phases};
use super::contrasts::contrasts;
use super::crashes::{conditions, places, reproduced, rescued};
use super::criteria::{effect, points};
use super::gates::cold_starts;
use super::ladders;
use super::means::two_means;
use super::reported::sizes;
use super::routing::routing;
use super::tables::{Gap, Tables};
use crate::plan::Rule;
use crate::stats::PValue;
use crate::verdict::Error;
use crate::verdict::rules::{
    OtherTests, band_p, boundary_family, cold_family, contrasts_family, correlation_family, crossover_family,
    difference_family, gain_family, mean_family, phases_family, portability_family, reproduction_p, rescue_family,
    robustness_family, routing_family, size_family,
};

/// A test of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::verdict) struct Asked {
    /// What it asks: two rules that ask the same ask it once.
    question: String,
    /// Nothing where no outcome of so few launches could decide it: with more it is a test.
    p: Option<PValue>,
}

/// The rule's own tests by which it is decided: what it adds to the family of a plan. A rule that is decided otherwise adds
/// none, and so does one that cannot be applied.
///
/// # Errors
/// None for a checked plan.
pub(in crate::verdict) fn family(rule: &Rule, tables: &Tables<'_>, settings: &Settings) -> Result<Vec<Asked>, Error> {
    let of_counts = match rule {
        Rule::CompileRobustness(rule) => robustness(tables, rule, settings)?.map(|input| robustness_family(&input)),
        Rule::Portability(rule) => conditions(tables, rule, settings)?.map(|input| portability_family(&input)),
        Rule::StaticCacheRescue(rule) => rescued(tables, rule, settings)?.map(|input| rescue_family(&input)),
        Rule::CrashBoundary(rule) => places(tables, rule, settings)?.map(|input| boundary_family(&input)),
        _ => Ok(Vec::new()),
    };
    let own = match rule {
        Rule::MeanContrast(rule) => {
            two_means(tables, settings.confidence()?, &rule.left, &rule.right).map(|(means, _)| mean_family(&means))
        }
        Rule::DifferenceCriterion(rule) => two_means(tables, settings.confidence()?, &rule.left, &rule.right)
            .map(|(means, _)| difference_family(&means, rule.at_least)),
        Rule::CorrelationCriterion(rule) => {
            points(tables, rule).map(|(points, _)| correlation_family(&points, rule.above))
        }
        Rule::MatchedContrasts(rule) => contrasts(tables, rule, settings)?.map(|(input, _)| contrasts_family(&input)),
        Rule::EffectSize(rule) => sizes(tables, rule, settings)?.map(|(input, _)| size_family(&input)),
        Rule::PhaseSeparation(rule) => phases(tables, rule, settings)?.map(|(input, _)| phases_family(&input)),
        Rule::ScaleCrossover(rule) => crossover(tables, rule, settings)?.map(|(input, _)| crossover_family(&input)),
        Rule::ColdStart(rule) => cold_starts(tables, rule, settings)?.map(|input| cold_family(&input)),
        Rule::EffectBand(rule) => {
            effect(tables, rule, settings)?.map(|(input, _)| band_p(&input).into_iter().collect())
        }
        Rule::CommercialRouting(rule) => routing(tables, rule, settings)?.map(|input| routing_family(&input)),
        Rule::GainReplication(rule) => gains(tables, rule, settings)?.map(|(input, _)| gain_family(&input)),
        Rule::Reproduction(rule) => {
            reproduced(tables, rule, settings)?.map(|input| reproduction_p(&input).into_iter().collect())
        }
        Rule::FalsificationLadder(rule) => {
            let own = ladders::asked(tables, rule, settings)?.unwrap_or_default();
            return Ok(own.into_iter().map(|(question, p)| Asked { question, p: Some(p) }).collect());
        }
        _ => return Ok(asked(rule, of_counts.unwrap_or_default())),
    };
    // Of launches too few to test anything nothing is asked now, and something with more.
    let is_later = tables.count_launches() && own.as_ref().map_or_else(Gap::is_open, Vec::is_empty);
    let later = is_later.then_some(None);
    Ok(asked(rule, own.unwrap_or_default().into_iter().map(Some).chain(later)))
}

fn asked(rule: &Rule, own: impl IntoIterator<Item = Option<PValue>>) -> Vec<Asked> {
    let question = rule.question().unwrap_or_default();
    own.into_iter().enumerate().map(|(at, p)| Asked { question: format!("{question} {at}"), p }).collect()
}

/// All rules' tests, in the plan's order, those of one question once.
pub(in crate::verdict) fn all(own: &[Vec<Asked>]) -> OtherTests {
    once(own.iter().flatten(), BTreeSet::new())
}

/// Of each rule's own tests those of all others, in the plan's order, those of one question once. What the rule asks itself is
/// no other's.
pub(in crate::verdict) fn others(own: &[Vec<Asked>], index: usize) -> OtherTests {
    let asked = own.get(index).into_iter().flatten().map(|asked| asked.question.as_str()).collect();
    once(own.iter().flatten(), asked)
}

fn once<'a>(asked: impl Iterator<Item = &'a Asked>, mut known: BTreeSet<&'a str>) -> OtherTests {
    let asked: Vec<Option<PValue>> = asked.filter(|asked| known.insert(&asked.question)).map(|asked| asked.p).collect();
    let later = asked.iter().filter(|p| p.is_none()).count();
    asked.into_iter().flatten().collect::<OtherTests>().and_later(later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_two_rules_ask_counts_once_for_both_and_for_all_others() {
        let asked = |question: &str, p: f64| Asked { question: question.to_owned(), p: PValue::new(p).ok() };
        let nothing = Asked { question: "d".to_owned(), p: None };
        let last = vec![asked("c", 0.3), nothing];
        let own = [vec![asked("a", 0.1), asked("b", 0.2)], vec![], vec![asked("a", 0.1)], last];
        let told = |found: OtherTests| found.iter().map(|p| p.get()).collect::<Vec<_>>();
        assert_eq!([all(&own), others(&own, 0), others(&own, 3)].map(|found| found.in_time()), [4, 2, 2]);
        assert_eq!(told(all(&own)), [0.1, 0.2, 0.3]);
        assert_eq!(told(others(&own, 0)), [0.3]);
        assert_eq!(told(others(&own, 1)), [0.1, 0.2, 0.3]);
        assert_eq!(told(others(&own, 2)), [0.2, 0.3]);
        assert_eq!(told(others(&own, 3)), [0.1, 0.2]);
    }
}
