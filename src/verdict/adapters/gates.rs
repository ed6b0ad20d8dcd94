//! From the tables that a plan names to what a rule takes: a switch's gates, cold starts.

use std::collections::BTreeMap;

use super::apply::{Read, Ruled, Settings};
use super::counts::whole;
use super::tables::{Gap, TableRow, Tables, must_number, must_text, number, source, text};
use crate::plan::{ColdStartRanking, Column, ModeWords, PromotionGates, StageWords, SwitchEvidence};
use crate::stats::{Alpha, Confidence, Moments, Power, Replicates};
use crate::verdict::rules::{
    ColdLane, ColdStart, Estimate, GateDelta, KnobEvidence, LoadMode, Promotion, Stage, StrictParity, cold_start,
    promotion,
};

pub(super) fn promotion_rule(tables: &Tables<'_>, rule: &PromotionGates, settings: &Settings) -> Ruled {
    let levels = (settings.confidence()?, settings.power()?);
    Ok(gated(tables, rule, levels).map(|input| promotion(&input)))
}

/// All that the gates are held against.
fn gated(
    tables: &Tables<'_>,
    rule: &PromotionGates,
    (confidence, power): (Confidence, Option<Power>),
) -> Result<Promotion, Gap> {
    let mut stages: BTreeMap<Stage, Vec<GateDelta>> = BTreeMap::new();
    for row in tables.rows(&rule.deltas)? {
        stages.entry(stage(row, rule)?).or_default().extend(deltas(row, rule)?);
    }
    let foundation = match &rule.foundation {
        Some(rows) => {
            let found = tables.rows(rows)?.into_iter().map(|row| deltas(row, rule)).collect::<Result<Vec<_>, _>>()?;
            Some(found.concat())
        }
        None => None,
    };
    let judged_by = [
        (LoadMode::Warm, &rule.judged_by.warm),
        (LoadMode::Cold, &rule.judged_by.cold),
        (LoadMode::Mixed, &rule.judged_by.mixed),
    ];
    let (parity, parity_sources) = parity(tables, &rule.parity)?;
    Ok(Promotion {
        knob: rule.knob.clone(),
        stages,
        near_flat_ms: rule.near_flat_ms.clone(),
        judged_by: judged_by.map(|(mode, metric)| (mode, metric.clone())).into(),
        tail: rule.tail.clone(),
        small_effect_ms: rule.small_effect_ms,
        values_without_interval: rule.values_without_interval,
        evidence: match &rule.evidence {
            Some(columns) => evidence(tables, columns)?,
            None => None,
        },
        parity,
        parity_sources,
        parity_checked: rule.parity_checked,
        confidence,
        power,
        foundation,
    })
}

/// What a row prints of each metric that is judged.
fn deltas(row: &TableRow<'_>, rule: &PromotionGates) -> Result<Vec<GateDelta>, Gap> {
    let (mode, mut found) = (mode(row, rule)?, Vec::new());
    for metric in rule.near_flat_ms.keys() {
        let Some(delta) = number(row, metric)? else { continue };
        let interval = rule.intervals.get(metric).map(|ends| interval(row, ends)).transpose()?.flatten();
        let delta_ms = Estimate { interval, ..Estimate::printed(delta.value) };
        found.push(GateDelta { mode, metric: metric.clone(), delta_ms, source: source(row) });
    }
    Ok(found)
}

/// Both ends of an interval; nothing where the row prints one end at most.
fn interval(row: &TableRow<'_>, [low, high]: &[String; 2]) -> Result<Option<[f64; 2]>, Gap> {
    Ok(number(row, low)?.zip(number(row, high)?).map(|(low, high)| [low.value, high.value]))
}

/// What every row of both arms records; nothing where one records nothing.
fn evidence(tables: &Tables<'_>, columns: &SwitchEvidence) -> Result<Option<KnobEvidence>, Gap> {
    let mut sources = Vec::new();
    let mut arm = |column: &Column| -> Result<Option<Vec<bool>>, Gap> {
        let rows = tables.column(column)?;
        sources.extend(rows.iter().map(|row| source(row)));
        rows.into_iter().map(|row| at_work(row, &column.column)).collect()
    };
    let (Some(on), Some(off)) = (arm(&columns.on)?, arm(&columns.off)?) else { return Ok(None) };
    let (active_when_on, active_when_off) = (on.iter().all(|seen| *seen), off.iter().any(|seen| *seen));
    Ok(Some(KnobEvidence { active_when_on, active_when_off, sources }))
}

/// Yes or no, or a count that is above zero.
pub(super) fn at_work(row: &TableRow<'_>, column: &str) -> Result<Option<bool>, Gap> {
    let Some(told) = text(row, column)? else { return Ok(None) };
    match told.parse::<bool>() {
        Ok(seen) => Ok(Some(seen)),
        Err(_) => Ok(number(row, column)?.map(|count| count.value > 0.0)),
    }
}

fn stage(row: &TableRow<'_>, rule: &PromotionGates) -> Result<Stage, Gap> {
    let StageWords { ab2, ab3, ab5 } = &rule.stages;
    one_of(row, &rule.stage, [(ab2, Stage::Ab2), (ab3, Stage::Ab3), (ab5, Stage::Ab5)])
}

fn mode(row: &TableRow<'_>, rule: &PromotionGates) -> Result<LoadMode, Gap> {
    let ModeWords { warm, cold, mixed } = &rule.modes;
    one_of(row, &rule.mode, [(warm, LoadMode::Warm), (cold, LoadMode::Cold), (mixed, LoadMode::Mixed)])
}

/// What the word in the column stands for.
fn one_of<T>(row: &TableRow<'_>, column: &str, known: [(&Vec<String>, T); 3]) -> Result<T, Gap> {
    let word = must_text(row, column)?;
    let found = known.into_iter().find(|(words, _)| words.contains(&word)).map(|(_, meaning)| meaning);
    found.ok_or_else(|| Gap::of(format!("{}: the design knows no {column} {word:?}", source(row))))
}

/// Passed and compared models, as in `3/3`, and how many were skipped where the text says so, as in `3/3, 1 skipped`; and the
/// row that says so.
fn parity(tables: &Tables<'_>, column: &Column) -> Result<(Option<StrictParity>, Vec<String>), Gap> {
    let rows = tables.column(column)?;
    let [row] = rows[..] else {
        return Err(Gap::of(format!("table {} has {} such rows, and one is needed", column.table, rows.len())));
    };
    let told = text(row, &column.column)?.unwrap_or_default();
    let words: Vec<&str> = told.split([' ', ',', ';', '(', ')']).filter(|word| !word.is_empty()).collect();
    let skipped = words.windows(2).find_map(|pair| match pair {
        [count, "skipped"] => count.parse().ok(),
        _ => None,
    });
    let counts = words.iter().find_map(|word| {
        let (passed, checked) = word.split_once('/')?;
        let (passed, checked): (u64, u64) = (passed.parse().ok()?, checked.parse().ok()?);
        Some(StrictParity { checked, failed: checked.checked_sub(passed)?, skipped })
    });
    Ok((counts, vec![source(row)]))
}

pub(super) fn cold_start_rule(tables: &Tables<'_>, rule: &ColdStartRanking, settings: &Settings) -> Ruled {
    Ok(cold_starts(tables, rule, settings)?.map(|input| cold_start(&input)))
}

/// The cold starts of all lanes.
pub(super) fn cold_starts(tables: &Tables<'_>, rule: &ColdStartRanking, settings: &Settings) -> Read<ColdStart> {
    let (alpha, power) = (Alpha::new(settings.alpha)?, Power::new(rule.power)?);
    let read = || -> Result<ColdStart, Gap> {
        check_starts(tables, rule)?;
        let lanes = rule.lanes.iter().map(|(lane, rows)| match &rule.launch {
            Some(launch) => launched(lane, &tables.rows(rows)?, rule, launch),
            None => {
                let row = tables.row(rows)?;
                tables.check_numbers(row, &[&rule.startup, &rule.first_request, &rule.total])?;
                printed(lane, row, rule)
            }
        });
        let lanes = lanes.collect::<Result<_, _>>()?;
        Ok(ColdStart { lanes, alpha, power, also_in_family: settings.also_in_family.clone() })
    };
    Ok(read())
}

/// Startup and first request of a row.
fn times(row: &TableRow<'_>, rule: &ColdStartRanking) -> Result<[f64; 2], Gap> {
    let first_request_ms = must_number(row, &rule.first_request)?.value;
    let startup_ms = match number(row, &rule.startup)? {
        Some(startup) => startup.value,
        None => must_number(row, &rule.total)?.value - first_request_ms,
    };
    Ok([startup_ms, first_request_ms])
}

/// That what the plan takes for one start is a launch, where rows were measured.
fn check_starts(tables: &Tables<'_>, rule: &ColdStartRanking) -> Result<(), Gap> {
    let by_launch = match (&rule.launch, &rule.n) {
        (Some(launch), _) => launch == "launch",
        (None, n) => n.as_ref().is_some_and(|n| n == "launches"),
    };
    if by_launch || !tables.are_measured() {
        return Ok(());
    }
    Err(Gap::of(
        "a start is a launch: give launch = \"launch\" with a row for each, or n = \"launches\" with a mean over them",
    ))
}

/// A lane of which one row prints means.
fn printed(lane: &str, row: &TableRow<'_>, rule: &ColdStartRanking) -> Result<ColdLane, Gap> {
    let [startup_ms, first_request_ms] = times(row, rule)?;
    let launches = match (&rule.n, rule.launches) {
        (Some(n), _) => whole(row, n)?,
        (None, Some(launches)) => launches,
        (None, None) => return Err(Gap::of("nothing says how many launches are behind the means")),
    };
    let totals = match &rule.sd {
        Some(sd) if launches >= 2 => {
            let n = usize::try_from(launches).unwrap_or(usize::MAX);
            let moments = Moments::new(n, startup_ms + first_request_ms, must_number(row, sd)?.value);
            Some(moments.map_err(|error| Gap::of(format!("{}: {error}", source(row))))?)
        }
        _ => None,
    };
    let (lane, source) = (lane.to_owned(), source(row));
    Ok(ColdLane { lane, startup_ms, first_request_ms, resolution_ms: rule.resolution_ms, launches, totals, source })
}

/// A lane of which each row is one launch.
fn launched(lane: &str, rows: &[&TableRow<'_>], rule: &ColdStartRanking, launch: &str) -> Result<ColdLane, Gap> {
    let mut starts: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    for row in rows {
        let name = must_text(row, launch)?;
        if starts.insert(name.clone(), times(row, rule)?).is_some() {
            return Err(Gap::of(format!("{}: launch {name} stands twice, and it starts once", source(row))));
        }
    }
    let mean = |which: usize| starts.values().map(|times| times[which]).sum::<f64>() / starts.len() as f64;
    let totals: Vec<f64> = starts.values().map(|[startup, first]| startup + first).collect();
    let totals = Replicates::new(totals).ok().filter(|_| starts.len() >= 2).map(|totals| Moments::from(&totals));
    Ok(ColdLane {
        lane: lane.to_owned(),
        startup_ms: mean(0),
        first_request_ms: mean(1),
        resolution_ms: rule.resolution_ms,
        launches: starts.len() as u64,
        totals,
        source: rows.iter().map(|row| source(row)).collect::<Vec<_>>().join(", "),
    })
}
