//! From the tables that a plan names to the rules on printed numbers as they stand.

use super::counts::whole;
use super::keys::keyed;
use super::tables::{Gap, Printed, TableRow, Tables, must_number, must_text, number, source, unit};
use crate::plan;
use crate::verdict::rules::{
    BandLadder, Consistency, Placed, PrintedTwice, RankedMean, Ranking, Ruling, ScoredLane, band_ladder, consistency,
    ranking, score_and_latency,
};

/// The number with half of its last printed digit.
pub(super) fn pair(Printed { value, half }: Printed) -> (f64, f64) {
    (value, half)
}

pub(super) fn ranking_rule(tables: &Tables<'_>, rule: &plan::Ranking) -> Result<Ruling, Gap> {
    let (mut means, mut in_unit) = (Vec::new(), String::new());
    for row in tables.rows(&rule.rows)? {
        for (candidate, column, n) in ranked(row, rule)? {
            tables.check_numbers(row, &[column])?;
            in_unit = unit(row, column);
            means.push(RankedMean {
                candidate,
                unit: must_text(row, &rule.unit)?,
                mean: pair(must_number(row, column)?),
                n,
                source: source(row),
            });
        }
    }
    Ok(ranking(&Ranking { candidates: rule.candidates.clone(), means, in_unit }))
}

/// The candidates of a row, each with the column of its mean and the count behind it. Side by side no count is printed: a unit
/// then weighs as much as any other.
fn ranked<'r>(row: &TableRow<'_>, rule: &'r plan::Ranking) -> Result<Vec<(String, &'r String, u64)>, Gap> {
    if let (Some(candidate), Some(mean), Some(n)) = (&rule.candidate, &rule.mean, &rule.n) {
        let candidate = must_text(row, candidate)?;
        let is_asked = rule.candidates.contains(&candidate);
        return if is_asked { Ok(vec![(candidate, mean, whole(row, n)?)]) } else { Ok(Vec::new()) };
    }
    let mut found = Vec::with_capacity(rule.candidates.len());
    for candidate in &rule.candidates {
        let Some(column) = rule.side_by_side.get(candidate) else { continue };
        if number(row, column)?.is_some() {
            found.push((candidate.clone(), column, 1));
        }
    }
    Ok(found)
}

pub(super) fn consistency_rule(tables: &Tables<'_>, rule: &plan::Consistency) -> Result<Ruling, Gap> {
    let mut numbers = Vec::new();
    for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
        tables.check_numbers(row, &[&rule.left, &rule.right])?;
        numbers.push(PrintedTwice {
            key,
            left: pair(must_number(row, &rule.left)?),
            right: pair(must_number(row, &rule.right)?),
            source: source(row),
        });
    }
    let plan::Consistency { consistent_pct, acceptable_pct, .. } = *rule;
    Ok(consistency(&Consistency { numbers, consistent_pct, acceptable_pct }))
}

pub(super) fn ladder_of_bands_rule(tables: &Tables<'_>, rule: &plan::LadderOfBands) -> Result<Ruling, Gap> {
    let (mut numbers, mut in_unit) = (Vec::new(), String::new());
    for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
        tables.check_numbers(row, &[&rule.value])?;
        in_unit = unit(row, &rule.value);
        let where_it_holds = match &rule.holds {
            Some(holds) => Some(must_number(row, &holds.column)?.value),
            None => None,
        };
        let value = pair(must_number(row, &rule.value)?);
        numbers.push(Placed { key, value, where_it_holds, source: source(row) });
    }
    Ok(band_ladder(&BandLadder {
        numbers,
        lowest: rule.lowest.clone(),
        above: rule.above.clone(),
        holds_above: rule.holds.as_ref().map(|holds| holds.above),
        unit: in_unit,
    }))
}

pub(super) fn score_rule(tables: &Tables<'_>, rule: &plan::ScoreAndLatency) -> Result<Ruling, Gap> {
    let mut lanes = Vec::new();
    for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
        let read: Vec<&String> = rule.scores.iter().chain(&rule.latencies).collect();
        tables.check_numbers(row, &read)?;
        let both = |[one, other]: &[String; 2]| -> Result<[Printed; 2], Gap> {
            Ok([must_number(row, one)?, must_number(row, other)?])
        };
        let score_interval = match &rule.score_interval {
            Some(ends) => Some(both(ends)?.map(|end| end.value)),
            None => None,
        };
        lanes.push(ScoredLane {
            key,
            scores: both(&rule.scores)?.map(pair),
            latencies: both(&rule.latencies)?.map(pair),
            score_interval,
            source: source(row),
        });
    }
    Ok(score_and_latency(&lanes))
}
