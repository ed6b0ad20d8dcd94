//! From the tables that a plan names to what a rule takes: which axes moved, shares of an effect, licences.

use std::collections::BTreeMap;

use super::apply::Decided;
use super::keys::keyed;
use super::tables::{Gap, Tables, must_number, must_text, source, text, unit};
use crate::plan::{AxisDecomposition, FindingNeed, Floor, Licence, Need, SingleDelta};
use crate::verdict::rules::{
    AxisEffect, Checked, Claimed, Ruling, Threshold, Told, axis_decomposition, licence, single_delta,
};

pub(super) fn single_delta_rule(tables: &Tables<'_>, rule: &SingleDelta) -> Result<Ruling, Gap> {
    let mut told = Vec::new();
    for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
        let (left, right) = (text(row, &rule.left)?, text(row, &rule.right)?);
        let value = |side: &Option<String>, values: &BTreeMap<String, Vec<String>>| {
            side.as_deref().and_then(|side| value_told(side, values))
        };
        let axes = rule.axes.iter().map(|(axis, values)| (axis.clone(), [value(&left, values), value(&right, values)]));
        told.push(Told { key, source: source(row), axes: axes.collect() });
    }
    Ok(single_delta(&told, &rule.intended))
}

/// The one value whose words stand in the text.
fn value_told(side: &str, values: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let mut told = values.iter().filter(|(_, words)| words.iter().any(|word| side.contains(word.as_str())));
    match (told.next(), told.next()) {
        (Some((value, _)), None) => Some(value.clone()),
        _ => None,
    }
}

pub(super) fn decomposition_rule(tables: &Tables<'_>, rule: &AxisDecomposition) -> Result<Ruling, Gap> {
    let mut effects = Vec::new();
    for (axis, rows) in &rule.axes {
        let row = tables.row(rows)?;
        let effect = must_number(row, &rule.effect)?;
        effects.push(AxisEffect {
            axis: axis.clone(),
            source: source(row),
            effect_pp: effect.value,
            slack_pp: effect.half,
            cells: must_number(row, &rule.cells)?.value,
            levels: must_text(row, &rule.levels)?,
        });
    }
    Ok(axis_decomposition(&effects))
}

pub(super) fn licence_rule(tables: &Tables<'_>, rule: &Licence, before: &[Decided]) -> Ruling {
    let mut claimed = Vec::new();
    for statement in &rule.statements {
        let needs = statement.needs.iter().map(|need| check(tables, need, before)).collect();
        claimed.push(Claimed { name: statement.name.clone(), says: statement.says.clone(), needs });
    }
    licence(&claimed)
}

/// What cannot be looked up licenses nothing.
fn check(tables: &Tables<'_>, need: &Need, before: &[Decided]) -> Checked {
    match need {
        Need::Finding(need) => finding(need, before),
        Need::EveryAtLeast(need) => every_at_least(tables, need).unwrap_or_else(|Gap { reason: found, .. }| Checked {
            found,
            holds: None,
            sources: Vec::new(),
            floor: Some(floor(need, String::new())),
        }),
        Need::Table(need) => {
            let is_there = tables.has(&need.table);
            let what = if is_there { "is there" } else { "is not there: no such table was published" };
            let found = format!("{} {what}", need.about);
            Checked { found, holds: Some(is_there), sources: Vec::new(), floor: None }
        }
    }
}

/// What every number of the column had to reach.
fn floor(need: &Floor, in_unit: String) -> Threshold {
    Threshold { name: format!("floor of {}", need.of.column), value: need.floor, unit: in_unit }
}

fn finding(need: &FindingNeed, before: &[Decided]) -> Checked {
    let Some(found) = before.iter().find(|hypothesis| hypothesis.name == need.hypothesis) else {
        let found = format!("{} was not judged", need.hypothesis);
        return Checked { found, holds: None, sources: Vec::new(), floor: None };
    };
    let label = &found.label;
    let holds = found.is_decided.then(|| need.is.contains(label));
    let wanted = need.is.join(" or ");
    let told = if holds == Some(true) {
        format!("{} is {label}", need.hypothesis)
    } else {
        format!("{} is {label}, and {wanted} is needed", need.hypothesis)
    };
    Checked { found: told, holds, sources: found.rests_on.clone(), floor: None }
}

fn every_at_least(tables: &Tables<'_>, need: &Floor) -> Result<Checked, Gap> {
    let (mut sources, mut below, mut near) = (Vec::new(), 0, 0);
    let (mut least, mut in_unit) = (f64::INFINITY, String::new());
    if tables.count_launches() && !tables.are_measured() {
        return Err(Gap::too_few(format!("of how many launches the values of {} are is not known", need.of.column)));
    }
    for row in tables.column(&need.of)? {
        let printed = must_number(row, &need.of.column)?;
        least = least.min(printed.value);
        in_unit = unit(row, &need.of.column);
        sources.push(source(row));
        if printed.value + printed.half < need.floor {
            below += 1;
        } else if printed.value - printed.half < need.floor {
            near += 1;
        }
    }
    let holds = if below > 0 { Some(false) } else { (near == 0).then_some(true) };
    let found = format!(
        "{} of {} values of {} reach {} (the least is {least})",
        sources.len() - below - near,
        sources.len(),
        need.of.column,
        need.floor
    );
    Ok(Checked { found, holds, sources, floor: Some(floor(need, in_unit)) })
}
