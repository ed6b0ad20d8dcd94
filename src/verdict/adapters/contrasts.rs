//! From the tables that a plan names to a family of contrasts.

use std::collections::BTreeMap;

use super::apply::{Read, Ruled, Settings};
use super::means::{both, iterations, matched, values};
use super::tables::{Gap, TableRow, Tables, must_number, source};
use crate::plan::{self, MeanSide};
use crate::stats::{Alpha, Confidence, Power};
use crate::verdict::rules::{
    LaunchValue, MatchedContrast, MatchedContrasts, ReplicationUnit, SideValues, matched_contrasts,
};

pub(super) fn contrasts_rule(tables: &Tables<'_>, rule: &plan::MatchedContrasts, settings: &Settings) -> Ruled {
    Ok(contrasts(tables, rule, settings)?.map(|(input, left_out)| matched_contrasts(&input).because_all(left_out)))
}

/// The contrasts of all keys that both sides have, and what was left out.
pub(super) fn contrasts(
    tables: &Tables<'_>,
    rule: &plan::MatchedContrasts,
    settings: &Settings,
) -> Read<(MatchedContrasts, Vec<String>)> {
    let (alpha, power) = (Alpha::new(settings.alpha)?, Power::new(rule.power)?);
    let confidence = settings.confidence()?;
    let read = || -> Result<(MatchedContrasts, Vec<String>), Gap> {
        let found = matched(tables, &rule.key, &rule.baseline, &rule.candidate)?;
        let mut contrasts = Vec::new();
        for (key, sides) in &found.pairs {
            contrasts.push(contrast(tables, rule, confidence, key, sides)?);
        }
        let unit = if tables.count_launches() { ReplicationUnit::Launch } else { ReplicationUnit::Iteration };
        let input = MatchedContrasts {
            contrasts,
            unit,
            pair_by_block: rule.pair_by_block,
            margin_pct: rule.margin_pct,
            alpha,
            power,
            also_in_family: settings.also_in_family.clone(),
        };
        Ok((input, found.left_out()))
    };
    Ok(read())
}

fn contrast(
    tables: &Tables<'_>,
    rule: &plan::MatchedContrasts,
    confidence: Confidence,
    key: &BTreeMap<String, String>,
    [left, right]: &[Vec<&TableRow<'_>>; 2],
) -> Result<MatchedContrast, Gap> {
    let key = key.clone();
    let sources = left.iter().chain(right).map(|row| source(row)).collect();
    if tables.are_measured() {
        let [baseline, candidate] =
            [launches(tables, &rule.baseline, left)?, launches(tables, &rule.candidate, right)?];
        return Ok(MatchedContrast { key, baseline, candidate, sources });
    }
    if rule.baseline.n.is_none() && rule.candidate.n.is_none() {
        let [baseline, candidate] = [recorded(&rule.baseline, left)?, recorded(&rule.candidate, right)?];
        return Ok(MatchedContrast { key, baseline, candidate, sources });
    }
    let means = both(tables, confidence, (&rule.baseline, left), (&rule.candidate, right))?;
    let [[baseline, candidate]] = means.segments[..] else {
        return Err(Gap::of("a printed contrast has one mean a side"));
    };
    let [baseline, candidate] = [baseline, candidate].map(SideValues::Summary);
    Ok(MatchedContrast { key, baseline, candidate, sources: means.sources })
}

/// Every row one iteration, in the launch that it names; without a name all are taken as of one.
fn recorded(side: &MeanSide, rows: &[&TableRow<'_>]) -> Result<SideValues, Gap> {
    Ok(SideValues::Rows(match &side.launch {
        Some(launch) => iterations(side, rows, launch)?,
        None => vec![values(side, rows)?],
    }))
}

/// One value for each launch, from rows of table `launches`.
fn launches(tables: &Tables<'_>, side: &MeanSide, rows: &[&TableRow<'_>]) -> Result<SideValues, Gap> {
    let mut found: BTreeMap<(u64, u64), (LaunchValue, u64)> = BTreeMap::new();
    for row in rows {
        if !row.values.contains_key("launch") {
            return Err(Gap::of(format!("a row of table {} is no launch; choose rows of table launches", row.table)));
        }
        tables.check_times(row)?;
        let of = |column: &str| Ok::<u64, Gap>(must_number(row, column)?.value as u64);
        let (segment, block) = (of("segment")?, of("block")?);
        let entry = found.entry((segment, of("launch")?)).or_insert((LaunchValue { segment, block, ms: 0.0 }, 0));
        entry.0.ms += must_number(row, &side.mean)?.value;
        entry.1 += 1;
    }
    if let Some((_, (launch, several))) = found.iter().find(|(_, (_, cells))| *cells > 1) {
        return Err(Gap::of(format!(
            "the key names {several} cells of a launch in block {} on one side; give a key that tells them apart",
            launch.block
        )));
    }
    Ok(SideValues::Launches(found.into_values().map(|(launch, _)| launch).collect()))
}
