//! Applies a plan's rule to tables.

use std::collections::BTreeSet;

use super::citable::{clean_rule, five_gates_rule, robustness_rule};
use super::compared::{crossover_rule, gain_rule, phase_rule, token_rule, weight_rule};
use super::contrasts::contrasts_rule;
use super::crashes::{boundary_rule, portability_rule, reproduction_rule, rescue_rule};
use super::criteria::{
    correlation_rule, difference_rule, effect_rule, efficiency_rule, mean_contrast_rule, saturation_rule, stated_rule,
};
use super::evidence::{decomposition_rule, licence_rule, single_delta_rule};
use super::gates::{cold_start_rule, promotion_rule};
use super::ladders::{falsification_ladder, hang_rule, pairs_rule};
use super::printed::{consistency_rule, ladder_of_bands_rule, ranking_rule, score_rule};
use super::reported::{comparisons_rule, effect_size_rule, identity_rule};
use super::routing::{routing_rule, same_window_rule};
use super::survivors;
use super::tables::{Gap, Tables, is_time};
use crate::plan::Rule;
use crate::stats::{Confidence, Power};
use crate::verdict::Error;
use crate::verdict::rules::{MIN_LAUNCHES, OtherTests, Ruling};

/// A ruling, or what no table holds.
pub(super) type Ruled = Read<Ruling>;

/// What a rule takes, or what no table holds of it.
pub(super) type Read<T> = Result<Result<T, Gap>, Error>;

/// How sure every answer of a plan must be.
pub(in crate::verdict) struct Settings {
    /// Level of every test.
    pub alpha: f64,
    /// Power of the number of repetitions that an open question is said to need, for rules that state none of their own;
    /// absent where the plan states none.
    pub power: Option<f64>,
    /// Resamples of every bootstrap.
    pub bootstrap_resamples: u32,
    /// Seed of every bootstrap.
    pub bootstrap_seed: u64,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

impl Settings {
    /// The confidence of intervals at the plan's level.
    pub(super) fn confidence(&self) -> Result<Confidence, Error> {
        Ok(Confidence::new(1.0 - self.alpha)?)
    }

    /// The plan's own power.
    pub(super) fn power(&self) -> Result<Option<Power>, Error> {
        Ok(self.power.map(Power::new).transpose()?)
    }
}

/// A hypothesis that was decided before, as a licence asks for it.
pub(in crate::verdict) struct Decided {
    /// Its name.
    pub name: String,
    /// What it came out as.
    pub label: String,
    /// Whether that is a decision.
    pub is_decided: bool,
    /// The rows it rests on.
    pub rests_on: Vec<String>,
}

/// What the rule says of the tables.
///
/// # Errors
/// None for a checked plan.
pub(in crate::verdict) fn apply(
    rule: &Rule,
    tables: &Tables<'_>,
    settings: &Settings,
    before: &[Decided],
) -> Result<Ruling, Error> {
    let ruled = match rule {
        Rule::FalsificationLadder(rule) => falsification_ladder(tables, rule, settings)?,
        Rule::HangLedger(rule) => hang_rule(tables, rule, settings)?,
        Rule::MatchedPairs(rule) => pairs_rule(tables, rule, settings)?,
        Rule::SingleDelta(rule) => single_delta_rule(tables, rule),
        Rule::AxisDecomposition(rule) => decomposition_rule(tables, rule),
        Rule::Licence(rule) => Ok(licence_rule(tables, rule, before)),
        Rule::CorrelationCriterion(rule) => correlation_rule(tables, rule, settings)?,
        Rule::Saturation(rule) => saturation_rule(tables, rule),
        Rule::StatedDifferences(rule) => stated_rule(tables, rule),
        Rule::ParallelEfficiency(rule) => efficiency_rule(tables, rule),
        Rule::MeanContrast(rule) => mean_contrast_rule(tables, rule, settings)?,
        Rule::DifferenceCriterion(rule) => difference_rule(tables, rule, settings)?,
        Rule::EffectBand(rule) => effect_rule(tables, rule, settings)?,
        Rule::StaticCacheRescue(rule) => rescue_rule(tables, rule, settings)?,
        Rule::CrashBoundary(rule) => boundary_rule(tables, rule, settings)?,
        Rule::Portability(rule) => portability_rule(tables, rule, settings)?,
        Rule::Reproduction(rule) => reproduction_rule(tables, rule, settings)?,
        Rule::Promotion(rule) => promotion_rule(tables, rule, settings)?,
        Rule::ColdStart(rule) => cold_start_rule(tables, rule, settings)?,
        Rule::PhaseSeparation(rule) => phase_rule(tables, rule, settings)?,
        Rule::GainReplication(rule) => gain_rule(tables, rule, settings)?,
        Rule::ScaleCrossover(rule) => crossover_rule(tables, rule, settings)?,
        Rule::MatchedContrasts(rule) => contrasts_rule(tables, rule, settings)?,
        Rule::TokenParity(rule) => token_rule(tables, rule),
        Rule::WeightParity(rule) => weight_rule(tables, rule),
        Rule::CompileRobustness(rule) => robustness_rule(tables, rule, settings)?,
        Rule::CleanRuns(rule) => clean_rule(tables, rule),
        Rule::FiveGates(rule) => five_gates_rule(tables, rule),
        Rule::Ranking(rule) => ranking_rule(tables, rule),
        Rule::Consistency(rule) => consistency_rule(tables, rule),
        Rule::LadderOfBands(rule) => ladder_of_bands_rule(tables, rule),
        Rule::ScoreAndLatency(rule) => score_rule(tables, rule),
        Rule::CommercialRouting(rule) => routing_rule(tables, rule, settings)?,
        Rule::SameWindowRerun(rule) => same_window_rule(tables, rule),
        Rule::EffectSize(rule) => effect_size_rule(tables, rule, settings)?,
        Rule::MultipleComparisons(rule) => comparisons_rule(tables, rule, settings)?,
        Rule::BenchmarkIdentity(rule) => identity_rule(tables, rule),
    };
    Ok(with_floors(tables, rule, ruled.unwrap_or_else(|gap| not_applied(tables, rule, gap))))
}

/// The ruling with the floors below which its rows would have decided nothing: launches, where a launch is one observation, else
/// values where a rule asks for three; and the share of what was tried that has to be ok, where times are a sample.
fn with_floors(tables: &Tables<'_>, rule: &Rule, ruling: Ruling) -> Ruling {
    let (by_launch, least) = (tables.count_launches(), MIN_LAUNCHES as f64);
    let launches = (by_launch && rule.counts_observations()).then_some(least);
    let values = (!by_launch && asks_for_three(rule)).then_some(least);
    let floors = [
        ("min_launches", launches, "launches"),
        ("min_values", values, "values a side"),
        ("min_ok_share", ok_floor(tables, rule), "share"),
    ];
    floors.into_iter().fold(ruling, |ruling, (name, floor, unit)| {
        let is_listed = ruling.thresholds.iter().any(|listed| listed.name == name);
        ruling.against_some(name, floor.filter(|_| !is_listed), unit)
    })
}

/// Whether fewer than three values a side decide nothing, whatever one observation is.
fn asks_for_three(rule: &Rule) -> bool {
    match rule {
        Rule::PhaseSeparation(_) => true,
        Rule::EffectSize(rule) => rule.printed.is_none(),
        _ => false,
    }
}

/// The share of what was tried that has to be ok for the times that the rule takes to be a sample; nothing where it takes none.
fn ok_floor(tables: &Tables<'_>, rule: &Rule) -> Option<f64> {
    let takes_times = match rule {
        Rule::MeanContrast(_)
        | Rule::DifferenceCriterion(_)
        | Rule::EffectBand(_)
        | Rule::EffectSize(_)
        | Rule::PhaseSeparation(_)
        | Rule::GainReplication(_)
        | Rule::ScaleCrossover(_)
        | Rule::MatchedContrasts(_) => true,
        Rule::Reproduction(_) | Rule::Portability(_) => tables.are_measured(),
        Rule::CompileRobustness(rule) => tables.are_measured() && rule.performance.is_some(),
        Rule::HangLedger(_)
        | Rule::CorrelationCriterion(_)
        | Rule::Saturation(_)
        | Rule::StatedDifferences(_)
        | Rule::ParallelEfficiency(_)
        | Rule::ColdStart(_)
        | Rule::Ranking(_)
        | Rule::Consistency(_)
        | Rule::LadderOfBands(_)
        | Rule::ScoreAndLatency(_)
        | Rule::SameWindowRerun(_) => tables.are_measured() && rule.columns().iter().any(|read| is_time(&read.column)),
        _ => false,
    };
    rule.selections().iter().filter(|_| takes_times).find_map(|rows| survivors::floor(tables, &rows.table))
}

/// A rule that could not be applied rests on the rows that it chose, as far as there are any, and names what these would have
/// been held against.
fn not_applied(tables: &Tables<'_>, rule: &Rule, gap: Gap) -> Ruling {
    let chosen: Vec<_> = rule.selections().iter().filter_map(|rows| tables.rows(rows).ok()).flatten().collect();
    let mut sources: Vec<&String> = Vec::with_capacity(chosen.len());
    let mut seen = BTreeSet::new();
    sources.extend(chosen.iter().map(|row| &row.source).filter(|source| seen.insert(*source)));
    let ruling = gap.ruling().resting_on(sources);
    rule.thresholds().into_iter().fold(ruling, |ruling, (name, value, unit)| ruling.against(&name, value, unit))
}
