//! From the tables that a plan names to what a rule takes: crash counts, hosts, survivors.

use std::collections::BTreeMap;

use super::apply::{Ruled, Settings};
use super::keys::keyed;
use super::tables::{Gap, TableRow, Tables, must_number, must_text, number, source};
use crate::plan::{Counted, CrashBoundary, PortabilitySide};
use crate::stats::{Confidence, Moments, Power, difference_interval, one_sample_t};
use crate::verdict::rules::{
    BoundaryInput, BoundaryPoint, Condition, Count, Estimate, Levels, Occurrence, Portability, Reproduction,
    ReproductionBand, RescueCell, Ruling, SideRows, StaticCacheRescue, boundary, portability, reproduction,
    static_cache_rescue,
};

/// The column that counts launches, the unit of replication.
const LAUNCHES: &str = "attempted_launches";

/// Crashes of attempts, which at least three launches made.
fn count(tables: &Tables<'_>, row: &TableRow<'_>, crashes: &str, n: &str) -> Result<Count, Gap> {
    tables.check_attempts(row)?;
    counted(row, crashes, n)
}

/// Crashes of attempts; the crashes are printed as a count, or as a share that stands for a whole number of them.
fn counted(row: &TableRow<'_>, crashes: &str, n: &str) -> Result<Count, Gap> {
    let trials = whole(row, n)?;
    let printed = must_number(row, crashes)?;
    let is_share = row.values.get(crashes).is_some_and(|cell| cell.unit == "fraction");
    let hits = if is_share { printed.value * trials as f64 } else { printed.value };
    let rounded = hits.round();
    if !(0.0..=trials as f64).contains(&rounded) || (hits - rounded).abs() > printed.half * trials as f64 + 1e-9 {
        return Err(Gap::of(format!(
            "{}: {crashes} of {trials} is {}, no whole number of them",
            source(row),
            printed.value
        )));
    }
    Ok(Count { hits: rounded as u64, trials })
}

pub(super) fn whole(row: &TableRow<'_>, column: &str) -> Result<u64, Gap> {
    let text = must_text(row, column)?;
    text.parse().map_err(|_| Gap::of(format!("{}: {column} is {text}, and a count is needed", source(row))))
}

pub(super) fn rescue_rule(tables: &Tables<'_>, rule: &crate::plan::StaticCacheRescue, settings: &Settings) -> Ruled {
    let confidence = settings.confidence()?;
    let ruled = || -> Result<Ruling, Gap> {
        let mut growing: BTreeMap<(String, String), (Count, String)> = BTreeMap::new();
        for (host, rows) in &rule.growing {
            for (_, row) in keyed(tables.rows(rows)?, std::slice::from_ref(&rule.model))? {
                let counted = (count(tables, row, &rule.crashes, &rule.n)?, source(row));
                growing.insert((host.clone(), must_text(row, &rule.model)?), counted);
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
                    fixed: count(tables, row, &rule.crashes, &rule.n)?,
                    growing: before.map(|(count, _)| *count),
                    sources: [source(row)].into_iter().chain(before.map(|(_, source)| source.clone())).collect(),
                });
            }
        }
        Ok(static_cache_rescue(&StaticCacheRescue { cells, max_rate: rule.max_rate, confidence }))
    };
    Ok(ruled())
}

pub(super) fn boundary_rule(tables: &Tables<'_>, rule: &CrashBoundary, settings: &Settings) -> Ruled {
    let confidence = settings.confidence()?;
    let ruled = || -> Result<Ruling, Gap> {
        let mut points = Vec::new();
        for row in tables.rows(&rule.rows)? {
            let at = must_number(row, &rule.at)?.value;
            // An exact interval over launches says itself what few of them decide, apart and together; attempts of one launch
            // are one observation, however many.
            let count = match rule.n.as_str() {
                LAUNCHES => counted(row, &rule.crashes, &rule.n)?,
                _ => count(tables, row, &rule.crashes, &rule.n)?,
            };
            points.push(BoundaryPoint { at, count, source: source(row) });
        }
        let occurrence = match rule.counts {
            Counted::Crashes => Occurrence::Crash,
            Counted::Fallbacks => Occurrence::Fallback,
            Counted::Hangs => Occurrence::Hang,
        };
        let axis = rule.at.clone();
        Ok(boundary(&BoundaryInput { occurrence, axis, points, cut: rule.cut, confidence }))
    };
    Ok(ruled())
}

pub(super) fn portability_rule(tables: &Tables<'_>, rule: &crate::plan::Portability, settings: &Settings) -> Ruled {
    let confidence = settings.confidence()?;
    let ruled = || -> Result<Ruling, Gap> {
        let [a, b] = &rule.sides[..] else { return Err(Gap::of("two hosts are needed".to_owned())) };
        let mut conditions: Vec<Condition> = Vec::new();
        for (index, PortabilitySide { host: _, rows }) in [a, b].into_iter().enumerate() {
            for (key, row) in keyed(tables.rows(rows)?, &rule.key)? {
                let side = Some(SideRows {
                    failed: count(tables, row, &rule.crashes, &rule.n)?,
                    mean_ms: number(row, &rule.mean)?.map(|mean| mean.value),
                    source: source(row),
                });
                match conditions.iter_mut().find(|condition| condition.key == key) {
                    Some(condition) => condition.b = side,
                    None if index == 1 => conditions.push(Condition { key, a: None, b: side }),
                    None => conditions.push(Condition { key, a: side, b: None }),
                }
            }
        }
        Ok(portability(&Portability {
            sides: [a.host.clone(), b.host.clone()],
            conditions,
            ok_rate: rule.ok_rate,
            crash_rate: rule.crash_rate,
            similar_pct: rule.similar_pct,
            confidence,
        }))
    };
    Ok(ruled())
}

pub(super) fn reproduction_rule(
    tables: &Tables<'_>,
    rule: &crate::plan::ReproductionBands,
    settings: &Settings,
) -> Ruled {
    let levels = Levels { confidence: settings.confidence()?, power: Power::new(rule.power)? };
    let ruled = || -> Result<Ruling, Gap> {
        let row = tables.row(&rule.rows)?;
        let (survived, crashed) = (whole(row, &rule.survived)?, whole(row, &rule.crashed)?);
        // A run's spread is that of its launches, a printed one that of its samples.
        let replicates = if tables.are_measured() { whole(row, "launches")? } else { survived };
        if survived > 0 {
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
        Ok(reproduction(&Reproduction {
            target: rule.target,
            unit: row.values.get(&rule.value).map_or_else(String::new, |cell| cell.unit.clone()),
            bands: rule.bands.iter().map(|(name, from)| ReproductionBand { name: name.clone(), from: *from }).collect(),
            measured,
            survived: Count { hits: survived, trials: survived + crashed },
            levels,
            sources: vec![source(row)],
        }))
    };
    Ok(ruled())
}

/// Student's interval of a mean that is printed with its coefficient of variation.
pub(super) fn mean_interval(n: u64, mean: f64, cv: f64, confidence: Confidence) -> Option<[f64; 2]> {
    let moments = Moments::new(usize::try_from(n).ok()?, mean, cv * mean).ok()?;
    let tested = one_sample_t(moments, 0.0).ok()?;
    let interval = difference_interval(&tested.effect, confidence).ok()?;
    Some([interval.low, interval.high])
}
