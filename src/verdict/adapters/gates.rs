//! From the tables that a plan names to what a rule takes: a switch's gates, cold starts.

use std::collections::BTreeMap;

use super::tables::{Gap, TableRow, Tables, must_number, must_text, number, source, text};
use crate::plan::{ColdStartRanking, Column, ModeWords, PromotionGates, StageWords, SwitchEvidence};
use crate::verdict::rules::{
    ColdLane, ColdStart, Estimate, GateDelta, KnobEvidence, LoadMode, Promotion, Ruling, Stage, StrictParity,
    cold_start, promotion,
};

/// Deltas are printed without intervals, and the authors judge their values.
const VALUES_WITHOUT_INTERVAL: bool = true;

pub(super) fn promotion_rule(tables: &Tables<'_>, rule: &PromotionGates) -> Result<Ruling, Gap> {
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
    Ok(promotion(&Promotion {
        knob: rule.knob.clone(),
        stages,
        near_flat_ms: rule.near_flat_ms.clone(),
        judged_by: judged_by.map(|(mode, metric)| (mode, metric.clone())).into(),
        tail: rule.tail.clone(),
        small_effect_ms: rule.small_effect_ms,
        values_without_interval: VALUES_WITHOUT_INTERVAL,
        evidence: match &rule.evidence {
            Some(columns) => evidence(tables, columns)?,
            None => None,
        },
        parity: parity(tables, &rule.parity)?,
        parity_checked: rule.parity_checked,
        foundation,
    }))
}

/// What a row prints of each metric that is judged.
fn deltas(row: &TableRow<'_>, rule: &PromotionGates) -> Result<Vec<GateDelta>, Gap> {
    let (mode, mut found) = (mode(row, rule)?, Vec::new());
    for metric in rule.near_flat_ms.keys() {
        let Some(delta) = number(row, metric)? else { continue };
        let (metric, delta_ms) = (metric.clone(), Estimate::printed(delta.value));
        found.push(GateDelta { mode, metric, delta_ms, source: source(row) });
    }
    Ok(found)
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
fn at_work(row: &TableRow<'_>, column: &str) -> Result<Option<bool>, Gap> {
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

/// Passed and compared models, as in `3/3`.
fn parity(tables: &Tables<'_>, column: &Column) -> Result<Option<StrictParity>, Gap> {
    let rows = tables.column(column)?;
    let [row] = rows[..] else {
        return Err(Gap::of(format!("table {} has {} such rows, and one is needed", column.table, rows.len())));
    };
    let told = text(row, &column.column)?.unwrap_or_default();
    let counts = told.split_whitespace().find_map(|word| {
        let (passed, checked) = word.split_once('/')?;
        let (passed, checked): (u64, u64) = (passed.parse().ok()?, checked.parse().ok()?);
        Some(StrictParity { checked, failed: checked.checked_sub(passed)?, skipped: 0 })
    });
    Ok(counts)
}

pub(super) fn cold_start_rule(tables: &Tables<'_>, rule: &ColdStartRanking) -> Result<Ruling, Gap> {
    let mut lanes = Vec::new();
    for (lane, rows) in &rule.lanes {
        let row = tables.row(rows)?;
        let first_request_ms = must_number(row, &rule.first_request)?.value;
        let startup_ms = match number(row, &rule.startup)? {
            Some(startup) => startup.value,
            None => must_number(row, &rule.total)?.value - first_request_ms,
        };
        lanes.push(ColdLane {
            lane: lane.clone(),
            startup_ms,
            first_request_ms,
            resolution_ms: rule.resolution_ms,
            launches: rule.launches,
            source: source(row),
        });
    }
    Ok(cold_start(&ColdStart { lanes }))
}
