//! From the tables that a plan names to what a rule takes: a switch's gates, cold starts.

use std::collections::BTreeMap;

use super::tables::{Gap, TableRow, Tables, must_number, must_text, number, source, text};
use crate::plan::{ColdStartRanking, Column, ModeWords, PromotionGates, StageWords};
use crate::verdict::rules::{
    ColdLane, ColdStart, Estimate, GateDelta, KnobEvidence, LoadMode, Promotion, Ruling, Stage, StrictParity,
    cold_start, promotion,
};

/// Deltas are printed without intervals, and the authors judge their values.
const VALUES_WITHOUT_INTERVAL: bool = true;

pub(super) fn promotion_rule(tables: &Tables<'_>, rule: &PromotionGates) -> Result<Ruling, Gap> {
    let mut stages: BTreeMap<Stage, Vec<GateDelta>> = BTreeMap::new();
    for row in tables.rows(&rule.deltas)? {
        let deltas = stages.entry(stage(row, rule)?).or_default();
        let mode = mode(row, rule)?;
        for metric in rule.near_flat_ms.keys() {
            let Some(delta) = number(row, metric)? else { continue };
            let (metric, delta_ms) = (metric.clone(), Estimate::printed(delta.value));
            deltas.push(GateDelta { mode, metric, delta_ms, source: source(row) });
        }
    }
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
        evidence: rule
            .evidence
            .as_ref()
            .map(|seen| KnobEvidence { active_when_on: seen.active_when_on, active_when_off: seen.active_when_off }),
        parity: parity(tables, &rule.parity)?,
        parity_checked: rule.parity_checked,
        foundation: None,
    }))
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
