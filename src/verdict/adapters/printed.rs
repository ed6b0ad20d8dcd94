//! From the tables that a plan names to the rules on printed numbers as they stand.

use super::crashes::whole;
use super::keys::keyed;
use super::tables::{Gap, Printed, Tables, must_number, must_text, source, unit};
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
        let candidate = must_text(row, &rule.candidate)?;
        if !rule.candidates.contains(&candidate) {
            continue;
        }
        tables.check_point(row)?;
        in_unit = unit(row, &rule.mean);
        means.push(RankedMean {
            candidate,
            unit: must_text(row, &rule.unit)?,
            mean: pair(must_number(row, &rule.mean)?),
            n: whole(row, &rule.n)?,
            source: source(row),
        });
    }
    Ok(ranking(&Ranking { candidates: rule.candidates.clone(), means, in_unit }))
}

pub(super) fn consistency_rule(tables: &Tables<'_>, rule: &plan::Consistency) -> Result<Ruling, Gap> {
    let mut numbers = Vec::new();
    for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
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
        tables.check_point(row)?;
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
