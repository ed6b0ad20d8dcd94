//! From the tables that a plan names to what a rule takes: stacks, runs, and what a benchmark states of itself.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{Read, Ruled, Settings};
use super::counts::{tally, whole};
use super::crashes::mean_effect;
use super::keys::{check_distinct, key};
use super::tables::{Gap, TableRow, Tables, must_number, must_text, number, source, text};
use crate::plan::{self, FusedColumns, PerformanceIs, ProbeColumns, Withdrawn};
use crate::verdict::rules::{
    CleanRuns, CompileRobustness, Estimate, FusedArm, Probes, PublishedFacts, RegimeOutcomes, Ruling, RunFacts,
    StackMean, StackPoint, clean_runs, compile_robustness, five_gates, intervals_together,
};

pub(super) fn robustness_rule(tables: &Tables<'_>, rule: &plan::CompileRobustness, settings: &Settings) -> Ruled {
    Ok(robustness(tables, rule, settings)?.map(|input| compile_robustness(&input)))
}

/// The stacks and what came of each.
pub(super) fn robustness(
    tables: &Tables<'_>,
    rule: &plan::CompileRobustness,
    settings: &Settings,
) -> Read<CompileRobustness> {
    let (confidence, power) = (settings.confidence()?, settings.power()?);
    let read = || -> Result<CompileRobustness, Gap> {
        let (mut points, mut means) = (Vec::new(), Vec::new());
        for row in tables.rows(&rule.rows)? {
            let survived = tally(tables, row, &rule.survived, &rule.tried)?;
            let value = match &rule.performance {
                Some(column) => number(row, column)?.map(|found| found.value),
                None => None,
            };
            let cv = match &rule.cv {
                Some(column) => number(row, column)?.map(|found| found.value),
                None => None,
            };
            if survived.count.hits > 0 && value.is_some() {
                tables.check_times(row)?;
            }
            let replicates = if tables.are_measured() { whole(row, "launches")? } else { survived.count.hits };
            let is_time = rule.performance_is == PerformanceIs::Time;
            let mean = value.zip(cv).and_then(|(value, cv)| mean_effect(replicates, value, cv));
            let measured = mean.map(|mean| StackMean { mean, is_time });
            means.extend(measured);
            points.push(StackPoint {
                stack: must_text(row, &rule.stack)?,
                performance: value.map(|value| Estimate {
                    value: if is_time { 1e3 / value } else { value },
                    interval: None,
                    launches: tables.are_measured().then_some(replicates),
                }),
                measured,
                survived,
                sources: vec![source(row)],
            });
        }
        let intervals = intervals_together(&means, confidence).unwrap_or_default();
        let spread = points.iter_mut().filter(|point| point.measured.is_some());
        for (performance, interval) in spread.filter_map(|point| point.performance.as_mut()).zip(intervals) {
            performance.interval = Some(interval);
        }
        let plan::CompileRobustness { robust_pct, sensitive_pct, fragile_pct, .. } = *rule;
        let also_in_family = settings.also_in_family.clone();
        Ok(CompileRobustness { points, robust_pct, sensitive_pct, fragile_pct, confidence, power, also_in_family })
    };
    Ok(read())
}

pub(super) fn clean_rule(tables: &Tables<'_>, rule: &plan::CleanRuns) -> Result<Ruling, Gap> {
    let mut runs = Vec::new();
    for row in tables.rows(&rule.rows)? {
        let name = |column: &Option<String>| match column {
            Some(column) => text(row, column),
            None => Ok(None),
        };
        let fused = match &rule.fused {
            Some(FusedColumns { log_marker, built_with_it }) => {
                Some(FusedArm { log_marker: flag(row, log_marker)?, built_with_it: flag(row, built_with_it)? })
            }
            None => None,
        };
        let probes = match &rule.probes {
            Some(ProbeColumns { requests, ok, fallbacks, errors }) => Some(Probes {
                requests: whole(row, requests)?,
                ok: whole(row, ok)?,
                fallbacks: whole(row, fallbacks)?,
                errors: whole(row, errors)?,
            }),
            None => None,
        };
        runs.push(RunFacts {
            run: must_text(row, &rule.run)?,
            other_gpu_processes: name(&rule.other_gpu_processes)?.map(|told| others(&told)),
            refused_without_inference: match &rule.refused_without_inference {
                Some(column) if text(row, column)?.is_some() => Some(whole(row, column)?),
                _ => None,
            },
            fused,
            probes,
            retry_or_vote_arms: match &rule.retry_or_vote_arms {
                Some(column) => Some(flag(row, column)?),
                None => None,
            },
            reverse_order_of: name(&rule.reverse_order_of)?,
            superseded_by: name(&rule.superseded_by)?,
            withdrawn: match &rule.withdrawn {
                Some(Withdrawn { column, remarks }) => text(row, column)?.filter(|told| remarks.contains(told)),
                None => None,
            },
            source: source(row),
        });
    }
    Ok(clean_runs(&CleanRuns { runs, order_matters: rule.order_matters }))
}

/// Processes by name, or so many without one.
fn others(told: &str) -> Vec<String> {
    match told.trim().parse::<u64>() {
        Ok(0) => Vec::new(),
        Ok(count) => vec![format!("{count} other processes")],
        Err(_) => told.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
    }
}

fn flag(row: &TableRow<'_>, column: &str) -> Result<bool, Gap> {
    let told = must_text(row, column)?;
    told.parse().map_err(|_| Gap::of(format!("{}: {column} is {told}, and true or false is needed", source(row))))
}

pub(super) fn five_gates_rule(tables: &Tables<'_>, rule: &plan::FiveGates) -> Result<Ruling, Gap> {
    let (phases, environment, results) =
        (tables.column(&rule.phases)?, tables.rows(&rule.environment)?, tables.rows(&rule.results)?);
    let mut phases_reported = BTreeSet::new();
    for row in &phases {
        phases_reported.extend(text(row, &rule.phases.column)?);
    }
    let behind = |row: &&&TableRow<'_>| matches!(number(row, &rule.rows_behind), Ok(Some(count)) if count.value > 0.0);
    let regimes = tables.rows(&rule.regimes.rows)?;
    [&environment, &results, &regimes].into_iter().try_for_each(|rows| check_distinct(rows))?;
    let all = phases.iter().chain(&environment).chain(&results).chain(&regimes);
    let sources: BTreeSet<String> = all.map(|row| source(row)).collect();
    Ok(five_gates(&PublishedFacts {
        phases_reported,
        phases_needed: rule.phases_needed.iter().cloned().collect(),
        environment: stated(&environment, &rule.environment_needed),
        environment_needed: rule.environment_needed.keys().cloned().collect(),
        cells: results.len() as u64,
        cells_with_rows: results.iter().filter(behind).count() as u64,
        artifact_share: rule.artifact_share,
        surfaced: stated(&results, &rule.surfaced_needed),
        surfaced_needed: rule.surfaced_needed.keys().cloned().collect(),
        regimes: outcomes(tables, &regimes, &rule.regimes)?,
        combinations_needed: rule.combinations_needed,
        crashes_from: rule.regimes.crashes_from,
        sources: sources.into_iter().collect(),
    }))
}

/// The axes that every row states.
fn stated(rows: &[&TableRow<'_>], needed: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (axis, column) in needed {
        let values: Option<BTreeSet<String>> = rows.iter().map(|row| text(row, column).ok().flatten()).collect();
        if let Some(values) = values {
            found.insert(axis.clone(), values.into_iter().collect::<Vec<_>>().join(", "));
        }
    }
    found
}

fn outcomes(tables: &Tables<'_>, rows: &[&TableRow<'_>], regimes: &plan::Regimes) -> Result<Vec<RegimeOutcomes>, Gap> {
    let mut found: BTreeMap<String, RegimeOutcomes> = BTreeMap::new();
    for row in rows {
        let combination: Vec<String> = key(row, &regimes.combination)?.into_values().collect();
        let combination = combination.join(" | ");
        // What was not seen in a regime says nothing of it.
        if text(row, &regimes.outcome)?.is_none() {
            continue;
        }
        tables.check_numbers(row, &[&regimes.outcome])?;
        let outcome = match regimes.crashes_from {
            Some(from) if must_number(row, &regimes.outcome)?.value >= from => "crashes".to_owned(),
            Some(_) => "runs".to_owned(),
            None => must_text(row, &regimes.outcome)?,
        };
        let entry = found
            .entry(combination.clone())
            .or_insert_with(|| RegimeOutcomes { combination, by_regime: BTreeMap::new() });
        let regime = must_text(row, &regimes.regime)?;
        if entry.by_regime.insert(regime.clone(), outcome).is_some() {
            return Err(Gap::of(format!("{}: {regime} stands twice for {}", source(row), entry.combination)));
        }
    }
    Ok(found.into_values().collect())
}
