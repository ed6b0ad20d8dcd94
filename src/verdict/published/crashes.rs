//! From the tables that a design names to what a rule takes: crash counts, hosts, survivors.

use super::adapt::{Ruled, confidence};
use super::tables::{Gap, Tables, key, must_number, must_text, number, source};
use crate::journal::Summary;
use crate::plan::{CrashBoundary, PortabilitySide, Published};
use crate::stats::{Moments, Power, difference_interval, one_sample_t};
use crate::verdict::rules::{
    BoundaryInput, BoundaryPoint, Condition, Count, Estimate, Levels, Occurrence, Portability, Reproduction,
    ReproductionBand, RescueCell, Ruling, SideRows, StaticCacheRescue, boundary, portability, reproduction,
    static_cache_rescue,
};

/// Crashes of attempts; the crashes are printed as a count, or as a share that stands for a whole number of them.
fn count(row: &Summary, crashes: &str, n: &str) -> Result<Count, Gap> {
    let trials = whole(row, n)?;
    let printed = must_number(row, crashes)?;
    let is_share = row.values.get(crashes).is_some_and(|cell| cell.unit == "fraction");
    let hits = if is_share { printed.value * trials as f64 } else { printed.value };
    let rounded = hits.round();
    if !(0.0..=trials as f64).contains(&rounded) || (hits - rounded).abs() > printed.half * trials as f64 + 1e-9 {
        return Err(Gap(format!(
            "{}: {crashes} of {trials} is {}, no whole number of them",
            source(row),
            printed.value
        )));
    }
    Ok(Count { hits: rounded as u64, trials })
}

fn whole(row: &Summary, column: &str) -> Result<u64, Gap> {
    let text = must_text(row, column)?;
    text.parse().map_err(|_| Gap(format!("{}: {column} is {text}, and a count is needed", source(row))))
}

pub(super) fn rescue_rule(tables: &Tables<'_>, rule: &crate::plan::StaticCacheRescue, published: &Published) -> Ruled {
    let confidence = confidence(published)?;
    let ruled = || -> Result<Ruling, Gap> {
        let mut cells = Vec::new();
        for (host, rows) in &rule.hosts {
            for row in tables.rows(rows)? {
                cells.push(RescueCell {
                    model: must_text(row, &rule.model)?,
                    host: host.clone(),
                    fixed: count(row, &rule.crashes, &rule.n)?,
                    growing: None,
                    sources: vec![source(row)],
                });
            }
        }
        Ok(static_cache_rescue(&StaticCacheRescue { cells, max_rate: rule.max_rate, confidence }))
    };
    Ok(ruled())
}

pub(super) fn boundary_rule(tables: &Tables<'_>, rule: &CrashBoundary, published: &Published) -> Ruled {
    let confidence = confidence(published)?;
    let ruled = || -> Result<Ruling, Gap> {
        let mut points = Vec::new();
        for row in tables.rows(&rule.rows)? {
            let at = must_number(row, &rule.at)?.value;
            points.push(BoundaryPoint { at, count: count(row, &rule.crashes, &rule.n)?, source: source(row) });
        }
        let (occurrence, axis) = (Occurrence::Crash, rule.at.clone());
        Ok(boundary(&BoundaryInput { occurrence, axis, points, cut: rule.cut, confidence }))
    };
    Ok(ruled())
}

pub(super) fn portability_rule(tables: &Tables<'_>, rule: &crate::plan::Portability, published: &Published) -> Ruled {
    let confidence = confidence(published)?;
    let ruled = || -> Result<Ruling, Gap> {
        let [a, b] = &rule.sides[..] else { return Err(Gap("two hosts are needed".to_owned())) };
        let mut conditions: Vec<Condition> = Vec::new();
        for (index, PortabilitySide { host: _, rows }) in [a, b].into_iter().enumerate() {
            for row in tables.rows(rows)? {
                let key = key(row, &rule.key)?;
                let side = Some(SideRows {
                    failed: count(row, &rule.crashes, &rule.n)?,
                    mean_ms: number(row, &rule.mean)?.map(|mean| mean.value),
                    source: source(row),
                });
                let known = conditions.iter_mut().find(|condition| condition.key == key);
                match (known, index) {
                    (Some(condition), 1) if condition.b.is_none() => condition.b = side,
                    (None, 1) => conditions.push(Condition { key, a: None, b: side }),
                    (None, _) => conditions.push(Condition { key, a: side, b: None }),
                    (Some(_), _) => {
                        return Err(Gap(format!("{}: the key names a condition twice on one side", source(row))));
                    }
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
    published: &Published,
) -> Ruled {
    let levels = Levels { confidence: confidence(published)?, power: Power::new(rule.power)? };
    let ruled = || -> Result<Ruling, Gap> {
        let row = tables.row(&rule.rows)?;
        let (survived, crashed) = (whole(row, &rule.survived)?, whole(row, &rule.crashed)?);
        let measured = match (number(row, &rule.value)?, number(row, &rule.cv)?) {
            (Some(value), cv) => Some(Estimate {
                value: value.value,
                interval: cv.and_then(|cv| mean_interval(survived, value.value, cv.value, levels)),
                launches: None,
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
fn mean_interval(n: u64, mean: f64, cv: f64, levels: Levels) -> Option<[f64; 2]> {
    let moments = Moments::new(usize::try_from(n).ok()?, mean, cv * mean).ok()?;
    let tested = one_sample_t(moments, 0.0).ok()?;
    let interval = difference_interval(&tested.effect, levels.confidence).ok()?;
    Some([interval.low, interval.high])
}
