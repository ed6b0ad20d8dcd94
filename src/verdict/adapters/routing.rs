//! From the tables that a plan names to a router's matched pairs, and to reruns in one window.

use std::collections::BTreeMap;

use super::apply::{Read, Ruled, Settings};
use super::counts::whole;
use super::gates::at_work;
use super::keys::{key, keyed};
use super::printed::pair;
use super::tables::{Gap, TableRow, Tables, must_number, must_text, number, source, unit};
use crate::plan::{self, RoutingProfiles, Rows, ToolTasks};
use crate::stats::{Alpha, Power};
use crate::verdict::rounding::round;
use crate::verdict::rules::{
    CommercialRouting, RoutedFamily, Ruling, SameWindowRerun, ToolParity, WindowDifference, commercial_routing,
    same_window_rerun,
};

pub(super) fn routing_rule(tables: &Tables<'_>, rule: &plan::CommercialRouting, settings: &Settings) -> Ruled {
    Ok(routing(tables, rule, settings)?.map(|input| commercial_routing(&input)))
}

/// The task families with what is known of their providers and tools.
pub(super) fn routing(
    tables: &Tables<'_>,
    rule: &plan::CommercialRouting,
    settings: &Settings,
) -> Read<CommercialRouting> {
    let (alpha, power) = (Alpha::new(settings.alpha)?, Power::new(rule.power)?);
    let read = || -> Result<CommercialRouting, Gap> {
        let no_direction = match &rule.profiles {
            Some(profiles) => no_directions(tables, profiles)?,
            None => BTreeMap::new(),
        };
        let (mut families, mut in_unit) = (Vec::new(), String::new());
        for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
            let both = |columns: &Option<[String; 2]>| -> Result<Option<[(f64, f64); 2]>, Gap> {
                let Some([external, internal]) = columns else { return Ok(None) };
                Ok(Some([pair(must_number(row, external)?), pair(must_number(row, internal)?)]))
            };
            let [low, high] = &rule.interval;
            let no_direction = match &rule.profiles {
                Some(profiles) => {
                    let unknown = || Some("the plan names no profiles of the provider".to_owned());
                    no_direction.get(&must_text(row, &profiles.provider)?).cloned().unwrap_or_else(unknown)
                }
                None => None,
            };
            in_unit = unit(row, &rule.difference);
            families.push(RoutedFamily {
                key,
                difference: must_number(row, &rule.difference)?.value,
                interval: [must_number(row, low)?.value, must_number(row, high)?.value],
                pairs: whole(row, &rule.pairs)?,
                scores: both(&rule.scores)?,
                costs: both(&rule.costs)?,
                no_direction,
                tools: tool_parity(tables, rule.tools.as_ref(), row)?,
                source: source(row),
            });
        }
        let (parity_within, also_in_family) = (rule.parity_within, settings.also_in_family.clone());
        let max_external_error = rule.profiles.as_ref().map(|profiles| profiles.max_external_error);
        let looked_up = looked_up(tables, rule);
        Ok(CommercialRouting {
            families,
            parity_within,
            in_unit,
            looked_up,
            max_external_error,
            alpha,
            power,
            also_in_family,
        })
    };
    Ok(read())
}

/// The rows of load profiles and of tools.
fn looked_up(tables: &Tables<'_>, rule: &plan::CommercialRouting) -> Vec<String> {
    let profiles = rule.profiles.iter().map(|profiles| tables.rows(&profiles.rows));
    let tools = rule.tools.iter().filter_map(|tools| tools.parity.as_ref()).map(|column| tables.column(column));
    profiles.chain(tools).flatten().flatten().map(source).collect()
}

/// Provider to why its direction does not count; nothing where it does.
fn no_directions(tables: &Tables<'_>, profiles: &RoutingProfiles) -> Result<BTreeMap<String, Option<String>>, Gap> {
    let rows = tables.rows(&profiles.rows)?;
    let mut found = BTreeMap::new();
    for (provider, matrices) in &profiles.matrices {
        let (mut ratios, mut errors) = (Vec::new(), Vec::new());
        for row in &rows {
            if matrices.contains(&must_text(row, &profiles.matrix)?) {
                ratios.push(pair(must_number(row, &profiles.ratio)?));
                errors.extend(number(row, &profiles.external_error)?.map(|error| error.value));
            }
        }
        found.insert(provider.clone(), no_direction(&ratios, &errors, profiles.max_external_error));
    }
    Ok(found)
}

fn no_direction(ratios: &[(f64, f64)], errors: &[f64], max_external_error: f64) -> Option<String> {
    let one_way =
        ratios.iter().all(|(ratio, half)| ratio - half > 1.0) || ratios.iter().all(|(ratio, half)| ratio + half < 1.0);
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (low, high) = ends(&mut ratios.iter().map(|(ratio, _)| *ratio));
    let (_, worst) = ends(&mut errors.iter().copied());
    let mut why = Vec::new();
    if ratios.is_empty() {
        why.push("no profile of it is printed".to_owned());
    } else if !one_way {
        why.push(format!("its profiles point both ways (ratios {} to {})", round(low), round(high)));
    }
    if errors.is_empty() {
        why.push("none of its profiles prints how many external requests failed".to_owned());
    } else if worst > max_external_error {
        why.push(format!(
            "a share of {} of its external requests failed in a profile, above {max_external_error}",
            round(worst)
        ));
    }
    (!why.is_empty()).then(|| why.join("; "))
}

fn tool_parity(tables: &Tables<'_>, tools: Option<&ToolTasks>, row: &TableRow<'_>) -> Result<ToolParity, Gap> {
    let Some(ToolTasks { task, families, parity }) = tools else { return Ok(ToolParity::NotNeeded) };
    if !families.contains(&must_text(row, task)?) {
        return Ok(ToolParity::NotNeeded);
    }
    let Some(column) = parity else { return Ok(ToolParity::NotRecorded) };
    let rows = tables.column(column)?;
    let seen: Option<Vec<bool>> = rows.into_iter().map(|row| at_work(row, &column.column)).collect::<Result<_, _>>()?;
    Ok(match seen {
        Some(seen) if seen.iter().all(|same| *same) => ToolParity::Shown,
        Some(_) => ToolParity::Broken,
        None => ToolParity::NotRecorded,
    })
}

pub(super) fn same_window_rule(tables: &Tables<'_>, rule: &plan::SameWindowRerun) -> Result<Ruling, Gap> {
    let mut differences = Vec::new();
    for row in tables.rows(&rule.rerun)? {
        tables.check_numbers(row, &rule.near_flat.keys().collect::<Vec<_>>())?;
        let is_same_window = match &rule.windows {
            Some([baseline, candidate]) => must_text(row, baseline)? == must_text(row, candidate)?,
            None => true,
        };
        differences.extend(of_row(rule, row, is_same_window)?);
    }
    for row in rule.earlier.iter().map(|rows: &Rows| tables.rows(rows)).collect::<Result<Vec<_>, _>>()?.concat() {
        tables.check_numbers(row, &rule.near_flat.keys().collect::<Vec<_>>())?;
        differences.extend(of_row(rule, row, false)?);
    }
    let (near_flat, windows_are_shown) = (rule.near_flat.clone(), rule.windows.is_some());
    Ok(same_window_rerun(&SameWindowRerun { differences, near_flat, windows_are_shown }))
}

/// What the row prints of each metric that is judged.
fn of_row(
    rule: &plan::SameWindowRerun,
    row: &TableRow<'_>,
    is_same_window: bool,
) -> Result<Vec<WindowDifference>, Gap> {
    let mut found = Vec::new();
    for metric in rule.near_flat.keys() {
        let Some(difference) = number(row, metric)? else { continue };
        let (key, metric, difference) = (key(row, &rule.key)?, metric.clone(), pair(difference));
        let (in_unit, source) = (unit(row, &metric), source(row));
        found.push(WindowDifference { key, metric, difference, in_unit, is_same_window, source });
    }
    Ok(found)
}
