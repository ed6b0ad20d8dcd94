//! From the tables that a plan names to what a rule takes: two sides, phase by phase, model by model, prompt by prompt.

use std::collections::BTreeMap;

use super::apply::{Read, Ruled, Settings};
use super::keys::key;
use super::means::{Change, both, change, matched};
use super::tables::{Gap, TableRow, Tables, must_number, must_text, number, source, text};
use crate::plan::{self, InteractionSums, MeanSide};
use crate::stats::{Alpha, Cell, Confidence, Group, Layout, Power, SumsOfSquares};
use crate::terms::Digest;
use crate::verdict::rules::{
    Estimate, GainReplication, InteractionRows, Levels, MeasuredChange, ModelChange, Output, PhaseEffect,
    PhaseSeparation, PromptOutputs, Ruling, ScaleCrossover, SizedEffect, TokenParity, TwoMeans, gain_replication,
    phase_separation, scale_crossover, token_parity,
};

pub(super) fn phase_rule(tables: &Tables<'_>, rule: &plan::PhaseSeparation, settings: &Settings) -> Ruled {
    Ok(phases(tables, rule, settings)?.map(|(input, left_out)| phase_separation(&input).because_all(left_out)))
}

/// The effects on all phases that both sides have, and what was left out.
pub(super) fn phases(
    tables: &Tables<'_>,
    rule: &plan::PhaseSeparation,
    settings: &Settings,
) -> Read<(PhaseSeparation, Vec<String>)> {
    let (confidence, alpha, power) = (settings.confidence()?, Alpha::new(settings.alpha)?, Power::new(rule.power)?);
    let read = || -> Result<(PhaseSeparation, Vec<String>), Gap> {
        let found = matched(tables, std::slice::from_ref(&rule.phase), &rule.baseline, &rule.candidate)?;
        let mut phases = Vec::new();
        for (key, [left, right]) in &found.pairs {
            let means = both(tables, confidence, (&rule.baseline, left), (&rule.candidate, right))?;
            phases.push(PhaseEffect {
                phase: words(key),
                change_pct: means.change_pct().map_err(|error| Gap::of(error.to_string()))?,
                launches: means.launches(),
                sources: means.sources,
            });
        }
        let also_in_family = settings.also_in_family.clone();
        let input = PhaseSeparation { phases, margin_pp: rule.margin_pp, alpha, power, also_in_family };
        Ok((input, found.left_out()))
    };
    Ok(read())
}

pub(super) fn gain_rule(tables: &Tables<'_>, rule: &plan::GainReplication, settings: &Settings) -> Ruled {
    Ok(gains(tables, rule, settings)?.map(|(input, left_out)| gain_replication(&input).because_all(left_out)))
}

/// The changes of all models that both sides have, and what was left out.
pub(super) fn gains(
    tables: &Tables<'_>,
    rule: &plan::GainReplication,
    settings: &Settings,
) -> Read<(GainReplication, Vec<String>)> {
    let levels = Levels { confidence: settings.confidence()?, power: Power::new(rule.power)? };
    let read = || -> Result<(GainReplication, Vec<String>), Gap> {
        let found = matched(tables, std::slice::from_ref(&rule.model), &rule.baseline, &rule.candidate)?;
        let mut models = Vec::new();
        for (key, [left, right]) in &found.pairs {
            let sides = ((&rule.baseline, &left[..]), (&rule.candidate, &right[..]));
            let Change { estimate: change_pct, means, sources } = change(tables, levels.confidence, sides.0, sides.1)?;
            let p = means.map(|means| means.p_of_change(-rule.gain_pct)).transpose();
            let p_at_target = p.map_err(|error| Gap::of(error.to_string()))?;
            models.push(ModelChange { model: words(key), change_pct, p_at_target, sources });
        }
        let (gain_pct, models_needed) = (rule.gain_pct, rule.models_needed);
        let also_in_family = settings.also_in_family.clone();
        let input = GainReplication { models, gain_pct, models_needed, levels, also_in_family };
        Ok((input, found.left_out()))
    };
    Ok(read())
}

pub(super) fn crossover_rule(tables: &Tables<'_>, rule: &plan::ScaleCrossover, settings: &Settings) -> Ruled {
    Ok(crossover(tables, rule, settings)?.map(|(input, left_out)| scale_crossover(&input).because_all(left_out)))
}

/// The effects on all models that both sides have, and what was left out.
///
/// The models' intervals hold together: each at the confidence that leaves the plan's to all of them (Bonferroni).
pub(super) fn crossover(
    tables: &Tables<'_>,
    rule: &plan::ScaleCrossover,
    settings: &Settings,
) -> Read<(ScaleCrossover, Vec<String>)> {
    let confidence = settings.confidence()?;
    let (alpha, power) = (Alpha::new(settings.alpha)?, Power::new(rule.power)?);
    let each = Confidence::new(1.0 - settings.alpha / rule.sizes.len().max(1) as f64)?;
    let read = || -> Result<(ScaleCrossover, Vec<String>), Gap> {
        let found = matched(tables, std::slice::from_ref(&rule.model), &rule.baseline, &rule.candidate)?;
        let (mut models, mut cells) = (Vec::new(), Vec::new());
        let mut unsized_models = Vec::new();
        for (key, [left, right]) in &found.pairs {
            let model = words(key);
            let Some(size) = rule.sizes.get(&model).copied() else {
                unsized_models.push(model);
                continue;
            };
            let sides = ((&rule.baseline, &left[..]), (&rule.candidate, &right[..]));
            if rule.interaction.is_some() {
                // The printed interval is at the plan's confidence, whatever the family's is.
                cells.extend(groups(&model, &both(tables, confidence, sides.0, sides.1)?)?);
            }
            let neutral = rule.neutral_pct;
            let (change_pct, measured, sources) = adjusted(tables, (confidence, each), neutral, sides.0, sides.1)?;
            models.push(SizedEffect { model, size, change_pct, measured, sources });
        }
        let rows = rule.interaction.map(|sums| interaction(&cells, sums)).transpose()?;
        let levels = Levels { confidence: each, power };
        let also_in_family = settings.also_in_family.clone();
        let input = ScaleCrossover { models, neutral_pct: rule.neutral_pct, rows, alpha, levels, also_in_family };
        let no_size = (!unsized_models.is_empty())
            .then(|| format!("of {} the plan states no size, left out", unsized_models.join(", ")));
        Ok((input, found.left_out().into_iter().chain(no_size).collect()))
    };
    Ok(read())
}

type Rows<'s, 't, 'a> = (&'s MeanSide, &'s [&'t TableRow<'a>]);

/// The change with its interval at the confidence of each, and what it was formed from; a printed interval is read at the plan's.
fn adjusted(
    tables: &Tables<'_>,
    (printed, each): (Confidence, Confidence),
    neutral_pct: f64,
    left: Rows<'_, '_, '_>,
    right: Rows<'_, '_, '_>,
) -> Result<(Estimate, Option<MeasuredChange>, Vec<String>), Gap> {
    let Change { mut estimate, means, sources } = change(tables, printed, left, right)?;
    let Some(means) = means else { return Ok((estimate, None, sources)) };
    let refused = |error: crate::stats::Error| Gap::of(error.to_string());
    let change_pct = means.change_pct().map_err(refused)?;
    let interval = crate::stats::difference_interval(&change_pct, each).map_err(refused)?;
    estimate.interval = Some([interval.low, interval.high]);
    let at = |edge: f64| means.p_of_change(edge).map_err(refused);
    let at_edges = [at(-neutral_pct)?, at(neutral_pct)?];
    Ok((estimate, Some(MeasuredChange { change_pct, at_edges }), sources))
}

/// Baseline and candidate of a model as cells of an analysis of variance.
fn groups(model: &str, means: &TwoMeans) -> Result<[Cell; 2], Gap> {
    let [[left, right]] = means.segments[..] else {
        return Err(Gap::of(format!(
            "{model} was measured in several segments, and an analysis of variance takes one"
        )));
    };
    let cell = |side: &str, moments: crate::stats::Moments| {
        let group = Group::new(moments.n() as u64, moments.mean(), moments.sd());
        let group = group.map_err(|error| Gap::of(error.to_string()))?;
        Ok::<_, Gap>(Cell { a: side.to_owned(), b: model.to_owned(), group })
    };
    Ok([cell("baseline", left)?, cell("candidate", right)?])
}

fn interaction(cells: &[Cell], sums: InteractionSums) -> Result<InteractionRows, Gap> {
    let sums_of_squares = match sums {
        InteractionSums::TypeTwo => SumsOfSquares::TypeTwo,
        InteractionSums::TypeThree => SumsOfSquares::TypeThree,
    };
    let layout = Layout::new(cells).map_err(|error| Gap::of(error.to_string()))?;
    Ok(InteractionRows { layout, sums_of_squares })
}

fn words(key: &BTreeMap<String, String>) -> String {
    key.values().cloned().collect::<Vec<_>>().join(" ")
}

pub(super) fn token_rule(tables: &Tables<'_>, rule: &plan::TokenParity) -> Result<Ruling, Gap> {
    parity(tables, rule, None, &BTreeMap::new())
}

/// Logit statistics are compared position by position where the rows tell positions.
pub(super) fn weight_rule(tables: &Tables<'_>, rule: &plan::WeightParity) -> Result<Ruling, Gap> {
    parity(tables, &rule.outputs, rule.position.as_deref(), &rule.logit_tolerances)
}

fn parity(
    tables: &Tables<'_>,
    rule: &plan::TokenParity,
    position: Option<&str>,
    statistics: &BTreeMap<String, f64>,
) -> Result<Ruling, Gap> {
    let [one, other] = &rule.sides[..] else { return Err(Gap::of("two sides are needed")) };
    let mut prompts: BTreeMap<String, PromptOutputs> = BTreeMap::new();
    let mut logit_tolerances = BTreeMap::new();
    for (side, rows) in [&one.rows, &other.rows].into_iter().enumerate() {
        for row in tables.rows(rows)? {
            let prompt = words(&key(row, &rule.key)?);
            let found = prompts.entry(prompt.clone()).or_insert_with(|| PromptOutputs {
                prompt,
                outputs: [None, None],
                logits: BTreeMap::new(),
                sources: Vec::new(),
            });
            let put_out = output(row, rule)?;
            if position.is_some() && found.outputs[side].is_some() && found.outputs[side] != put_out {
                return Err(Gap::of(format!(
                    "{}: its output is not that of the prompt's other positions",
                    source(row)
                )));
            }
            if position.is_none() && found.outputs[side].is_some() {
                return Err(Gap::of(format!("{}: the key names a prompt twice on one side", source(row))));
            }
            found.outputs[side] = put_out;
            found.sources.push(source(row));
            for (statistic, tolerance) in statistics {
                let name = match position {
                    Some(column) => format!("{statistic} at {column} {}", must_text(row, column)?),
                    None => statistic.clone(),
                };
                found.logits.entry(name.clone()).or_default()[side] = number(row, statistic)?.map(|found| found.value);
                logit_tolerances.insert(name, *tolerance);
            }
        }
    }
    let sides = [one.name.clone(), other.name.clone()];
    Ok(token_parity(&TokenParity { sides, prompts: prompts.into_values().collect(), logit_tolerances }))
}

/// The token ids, or their digest with their number; nothing where none was recorded.
fn output(row: &TableRow<'_>, rule: &plan::TokenParity) -> Result<Option<Output>, Gap> {
    let Some(told) = text(row, &rule.output)? else { return Ok(None) };
    if let Ok(digest) = told.parse::<Digest>() {
        return Ok(Some(Output::Digest { digest, tokens: must_number(row, &rule.tokens)?.value as u64 }));
    }
    let ids: Result<Vec<u32>, _> =
        told.trim_matches(['[', ']']).split([',', ' ']).filter(|word| !word.is_empty()).map(str::parse).collect();
    match ids {
        Ok(ids) => Ok(Some(Output::Ids(ids))),
        Err(_) => {
            Err(Gap::of(format!("{}: {} is {told:?}, and token ids or a SHA-256 are needed", source(row), rule.output)))
        }
    }
}
