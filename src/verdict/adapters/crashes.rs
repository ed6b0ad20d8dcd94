//! From the tables that a plan names to what a rule takes: crash counts, hosts, survivors.

use std::collections::BTreeMap;

use super::apply::{Read, Ruled, Settings};
use super::counts::{launches, survival, tally, whole};
use super::keys::keyed;
use super::means::{Change, change};
use super::tables::{Gap, TableRow, Tables, must_number, must_text, number, source};
use crate::plan::{self, Counted, CrashBoundary, MeanSide, PortabilitySide};
use crate::stats::{Confidence, Effect, Moments, Power, difference_interval, one_sample_t};
use crate::verdict::rules::{
    BoundaryInput, BoundaryPoint, Condition, Estimate, Latency, Levels, Occurrence, Portability, Reproduction,
    ReproductionBand, RescueCell, SideRows, StaticCacheRescue, Tally, boundary, portability, reproduction,
    static_cache_rescue,
};

pub(super) fn rescue_rule(tables: &Tables<'_>, rule: &plan::StaticCacheRescue, settings: &Settings) -> Ruled {
    Ok(rescued(tables, rule, settings)?.map(|input| static_cache_rescue(&input)))
}

/// The cells under both caches.
pub(super) fn rescued(
    tables: &Tables<'_>,
    rule: &plan::StaticCacheRescue,
    settings: &Settings,
) -> Read<StaticCacheRescue> {
    let confidence = settings.confidence()?;
    let read = || -> Result<StaticCacheRescue, Gap> {
        let mut growing: BTreeMap<(String, String), (Tally, String)> = BTreeMap::new();
        for (host, rows) in &rule.growing {
            for (_, row) in keyed(tables.rows(rows)?, std::slice::from_ref(&rule.model))? {
                let found = (tally(tables, row, &rule.crashes, &rule.n)?, source(row));
                growing.insert((host.clone(), must_text(row, &rule.model)?), found);
            }
        }
        let mut cells = Vec::new();
        for (host, rows) in &rule.hosts {
            for (_, row) in keyed(tables.rows(rows)?, std::slice::from_ref(&rule.model))? {
                let model = must_text(row, &rule.model)?;
                let before = growing.get(&(host.clone(), model.clone()));
                cells.push(RescueCell {
                    model,
                    host: host.clone(),
                    fixed: tally(tables, row, &rule.crashes, &rule.n)?,
                    growing: before.map(|(tally, _)| *tally),
                    sources: [source(row)].into_iter().chain(before.map(|(_, source)| source.clone())).collect(),
                });
            }
        }
        let also_in_family = settings.also_in_family.clone();
        Ok(StaticCacheRescue { cells, max_rate: rule.max_rate, confidence, also_in_family })
    };
    Ok(read())
}

pub(super) fn boundary_rule(tables: &Tables<'_>, rule: &CrashBoundary, settings: &Settings) -> Ruled {
    Ok(places(tables, rule, settings)?.map(|input| boundary(&input)))
}

/// The places, and what happened at each.
pub(super) fn places(tables: &Tables<'_>, rule: &CrashBoundary, settings: &Settings) -> Read<BoundaryInput> {
    let confidence = settings.confidence()?;
    let read = || -> Result<BoundaryInput, Gap> {
        let mut points = Vec::new();
        for row in tables.rows(&rule.rows)? {
            points.push(BoundaryPoint {
                at: must_number(row, &rule.at)?.value,
                tally: tally(tables, row, &rule.crashes, &rule.n)?,
                launches: launches(tables, row, &rule.crashes),
                source: source(row),
            });
        }
        let occurrence = match rule.counts {
            Counted::Crashes => Occurrence::Crash,
            Counted::Fallbacks => Occurrence::Fallback,
            Counted::Hangs => Occurrence::Hang,
        };
        let (axis, also_in_family) = (rule.at.clone(), settings.also_in_family.clone());
        Ok(BoundaryInput { occurrence, axis, points, cut: rule.cut, confidence, also_in_family })
    };
    Ok(read())
}

pub(super) fn portability_rule(tables: &Tables<'_>, rule: &plan::Portability, settings: &Settings) -> Ruled {
    Ok(conditions(tables, rule, settings)?.map(|input| portability(&input)))
}

/// The conditions of both sides, and what came of each.
pub(super) fn conditions(tables: &Tables<'_>, rule: &plan::Portability, settings: &Settings) -> Read<Portability> {
    let confidence = settings.confidence()?;
    let read = || -> Result<Portability, Gap> {
        let [a, b] = &rule.sides[..] else { return Err(Gap::of("two hosts are needed".to_owned())) };
        let mut found: BTreeMap<BTreeMap<String, String>, [Option<&TableRow<'_>>; 2]> = BTreeMap::new();
        let mut order = Vec::new();
        for (index, PortabilitySide { host: _, rows }) in [a, b].into_iter().enumerate() {
            for (key, row) in keyed(tables.rows(rows)?, &rule.key)? {
                if !found.contains_key(&key) {
                    order.push(key.clone());
                }
                found.entry(key).or_default()[index] = Some(row);
            }
        }
        let side = |row: Option<&TableRow<'_>>| -> Result<Option<SideRows>, Gap> {
            let Some(row) = row else { return Ok(None) };
            Ok(Some(SideRows {
                failed: tally(tables, row, &rule.crashes, &rule.n)?,
                mean_ms: number(row, &rule.mean)?.map(|mean| mean.value),
                source: source(row),
            }))
        };
        let mut conditions = Vec::with_capacity(order.len());
        for key in order {
            let [a_row, b_row] = found.get(&key).copied().unwrap_or_default();
            let latency = match (a_row, b_row) {
                (Some(one), Some(other)) if tables.are_measured() => {
                    Some(latency(tables, rule, confidence, [one, other]))
                }
                _ => None,
            };
            conditions.push(Condition { key, a: side(a_row)?, b: side(b_row)?, latency });
        }
        Ok(Portability {
            sides: [a.host.clone(), b.host.clone()],
            conditions,
            ok_rate: rule.ok_rate,
            crash_rate: rule.crash_rate,
            similar_pct: rule.similar_pct,
            confidence,
            also_in_family: settings.also_in_family.clone(),
        })
    };
    Ok(read())
}

/// How the means of both rows compare by the launches behind them.
fn latency(
    tables: &Tables<'_>,
    rule: &plan::Portability,
    confidence: Confidence,
    [one, other]: [&TableRow<'_>; 2],
) -> Latency {
    let [a, b] = [0, 1].map(|side| MeanSide {
        rows: rule.sides[side].rows.clone(),
        mean: rule.mean.clone(),
        sd: Some("sd_ms".to_owned()),
        n: Some("launches".to_owned()),
        interval: None,
        launch: None,
    });
    let read = || -> Result<Latency, Gap> {
        let Change { estimate, means, .. } = change(tables, confidence, (&a, &[one]), (&b, &[other]))?;
        let means = means.ok_or_else(|| Gap::of("the means have no spread"))?;
        let at = |edge: f64| means.p_of_change(edge).map_err(|error| Gap::of(error.to_string()));
        Ok(Latency::Tested { change_pct: estimate, at_edges: [at(-rule.similar_pct)?, at(rule.similar_pct)?] })
    };
    read().unwrap_or_else(|gap| Latency::Untested(gap.reason))
}

pub(super) fn reproduction_rule(tables: &Tables<'_>, rule: &plan::ReproductionBands, settings: &Settings) -> Ruled {
    Ok(reproduced(tables, rule, settings)?.map(|input| reproduction(&input)))
}

/// The target, and what came of the attempt.
pub(super) fn reproduced(
    tables: &Tables<'_>,
    rule: &plan::ReproductionBands,
    settings: &Settings,
) -> Read<Reproduction> {
    let levels = Levels { confidence: settings.confidence()?, power: Power::new(rule.power)? };
    let read = || -> Result<Reproduction, Gap> {
        let row = tables.row(&rule.rows)?;
        let survived = survival(tables, row, &rule.survived, &rule.crashed)?;
        // A run's spread is that of its launches, a printed one that of its samples.
        let replicates = if tables.are_measured() { whole(row, "launches")? } else { survived.count.hits };
        if survived.attempts.unwrap_or(survived.count).hits > 0 {
            tables.check_times(row)?;
        }
        let measured = match (number(row, &rule.value)?, number(row, &rule.cv)?) {
            (Some(value), cv) => Some(Estimate {
                value: value.value,
                interval: cv.and_then(|cv| mean_interval(replicates, value.value, cv.value, levels.confidence)),
                launches: tables.are_measured().then_some(replicates),
            }),
            (None, _) => None,
        };
        Ok(Reproduction {
            target: rule.target,
            unit: row.values.get(&rule.value).map_or_else(String::new, |cell| cell.unit.clone()),
            bands: rule.bands.iter().map(|(name, from)| ReproductionBand { name: name.clone(), from: *from }).collect(),
            measured,
            survived,
            levels,
            also_in_family: settings.also_in_family.clone(),
            sources: vec![source(row)],
        })
    };
    Ok(read())
}

/// A mean that is printed with its coefficient of variation, with its standard error.
pub(super) fn mean_effect(n: u64, mean: f64, cv: f64) -> Option<Effect> {
    let moments = Moments::new(usize::try_from(n).ok()?, mean, cv * mean).ok()?;
    Some(one_sample_t(moments, 0.0).ok()?.effect)
}

/// Student's interval of such a mean.
fn mean_interval(n: u64, mean: f64, cv: f64, confidence: Confidence) -> Option<[f64; 2]> {
    let interval = difference_interval(&mean_effect(n, mean, cv)?, confidence).ok()?;
    Some([interval.low, interval.high])
}
