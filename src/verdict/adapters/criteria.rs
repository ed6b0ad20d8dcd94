//! From the tables that a plan names to what a rule takes: correlations, limits, differences, means.

use super::apply::{Read, Ruled, Settings};
use super::keys::{check_distinct, keyed};
use super::means::{Change, change, two_means};
use super::survivors;
use super::tables::{Gap, Tables, must_number, number, percent, source, unit};
use crate::plan::{
    Column, CorrelationCriterion, DifferenceCriterion, Direction, EffectBands, MeanContrast, ParallelEfficiency,
    Saturation, StatedDifferences,
};
use crate::stats::{Alpha, Margin, Points, Power};
use crate::verdict::rules::{
    BandEdges, ContrastTerms, EffectBand, Levels, Ruling, SpeedUp, Stated, correlation_criterion, difference_criterion,
    effect_band, mean_contrast, parallel_efficiency, saturation, stated_differences,
};

pub(super) fn correlation_rule(tables: &Tables<'_>, rule: &CorrelationCriterion, settings: &Settings) -> Ruled {
    let levels = Levels { confidence: settings.confidence()?, power: Power::new(rule.power)? };
    let rule_on = |(points, sources): (Points, Vec<String>)| {
        correlation_criterion(&points, rule.above, levels, &settings.also_in_family, &sources)
    };
    Ok(points(tables, rule).map(rule_on))
}

/// Both columns, the second so that it is meant to rise, and the rows.
pub(super) fn points(tables: &Tables<'_>, rule: &CorrelationCriterion) -> Result<(Points, Vec<String>), Gap> {
    let (mut x, mut y, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let rows = tables.rows(&rule.rows)?;
    check_distinct(&rows)?;
    for row in rows {
        tables.check_point(row, &[&rule.x, &rule.y])?;
        let sign = if rule.direction == Direction::Falling { -1.0 } else { 1.0 };
        x.push(must_number(row, &rule.x)?.value);
        y.push(sign * must_number(row, &rule.y)?.value);
        sources.push(source(row));
    }
    Ok((Points::new(x, y).map_err(|error| Gap::of(error.to_string()))?, sources))
}

pub(super) fn saturation_rule(tables: &Tables<'_>, rule: &Saturation) -> Result<Ruling, Gap> {
    let readings = |column: &Column| -> Result<(Vec<f64>, Vec<String>), Gap> {
        let rows = tables.column(column)?;
        let values = rows.iter().map(|row| Ok(must_number(row, &column.column)?.value)).collect::<Result<_, _>>()?;
        Ok((values, rows.iter().map(|row| source(row)).collect()))
    };
    let (spot, spot_sources) = readings(&rule.spot)?;
    let unit = tables.column(&rule.spot)?.first().map_or_else(String::new, |row| unit(row, &rule.spot.column));
    let highest = spot.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let series = tables.column(&rule.series).and_then(|rows| tables.check_readings(&rows, &rule.series.column));
    match series.and_then(|()| readings(&rule.series)) {
        Ok((series, sources)) => Ok(saturation(&series, rule.above, rule.sustained_readings, &unit, &sources)),
        Err(gap) if gap.is_open() => Err(gap),
        Err(Gap { reason, .. }) => Err(Gap::of(format!(
            "that something is sustained takes a series of readings, and {reason}; the highest of {} single readings is \
             {highest} ({}), the limit {}",
            spot.len(),
            spot_sources.join(", "),
            rule.above
        ))),
    }
}

pub(super) fn stated_rule(tables: &Tables<'_>, rule: &StatedDifferences) -> Result<Ruling, Gap> {
    let (mut stated, mut in_unit) = (Vec::new(), String::new());
    for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
        tables.check_numbers(row, &[&rule.left, &rule.right])?;
        let difference = match (number(row, &rule.left)?, number(row, &rule.right)?) {
            (Some(left), Some(right)) => Some((right.value - left.value, left.half + right.half)),
            _ => None,
        };
        in_unit = unit(row, &rule.left);
        stated.push(Stated { key, source: source(row), difference });
    }
    Ok(stated_differences(&stated, rule.at_least, &in_unit))
}

pub(super) fn efficiency_rule(tables: &Tables<'_>, rule: &ParallelEfficiency) -> Result<Ruling, Gap> {
    let mut runs = Vec::new();
    for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
        tables.check_numbers(row, &[&rule.speedup, &rule.efficiency])?;
        let speedup = must_number(row, &rule.speedup)?;
        let Some(efficiency) = percent(row, &rule.efficiency)? else {
            return Err(Gap::of(format!("{}: {} is empty", source(row), rule.efficiency)));
        };
        runs.push(SpeedUp {
            key,
            source: source(row),
            speedup: (speedup.value, speedup.half),
            efficiency_pct: (efficiency.value, efficiency.half),
        });
    }
    Ok(parallel_efficiency(&runs, rule.agents))
}

pub(super) fn mean_contrast_rule(tables: &Tables<'_>, rule: &MeanContrast, settings: &Settings) -> Ruled {
    let terms = ContrastTerms {
        margin: Margin::absolute(rule.margin)?,
        alpha: Alpha::new(settings.alpha)?,
        power: Power::new(rule.power)?,
        also_in_family: settings.also_in_family.clone(),
    };
    let means = two_means(tables, settings.confidence()?, &rule.left, &rule.right);
    Ok(means.map(|(means, lost)| mean_contrast(&means, &terms).because_all(lost)))
}

pub(super) fn difference_rule(tables: &Tables<'_>, rule: &DifferenceCriterion, settings: &Settings) -> Ruled {
    let levels = Levels { confidence: settings.confidence()?, power: Power::new(rule.power)? };
    let means = two_means(tables, levels.confidence, &rule.left, &rule.right);
    let rule_on =
        |(means, lost)| difference_criterion(&means, rule.at_least, levels, &settings.also_in_family).because_all(lost);
    Ok(means.map(rule_on))
}

pub(super) fn effect_rule(tables: &Tables<'_>, rule: &EffectBands, settings: &Settings) -> Ruled {
    Ok(effect(tables, rule, settings)?.map(|(input, lost)| effect_band(&input).because_all(lost)))
}

/// The change in percent of the baseline's mean, with its interval, and what was lost.
pub(super) fn effect(tables: &Tables<'_>, rule: &EffectBands, settings: &Settings) -> Read<(EffectBand, Vec<String>)> {
    let levels = Levels { confidence: settings.confidence()?, power: Power::new(rule.power)? };
    let EffectBands { phase, baseline, candidate, neutral_pct, strong_pct, power: _ } = rule;
    let read = || -> Result<(EffectBand, Vec<String>), Gap> {
        let left = survivors::side(tables, "baseline", baseline)?;
        let right = survivors::side(tables, "candidate", candidate)?;
        let sides = ((baseline, &left.rows[..]), (candidate, &right.rows[..]));
        let Change { estimate, means, sources } = change(tables, levels.confidence, sides.0, sides.1)?;
        let edges = BandEdges { neutral_pct: *neutral_pct, strong_pct: *strong_pct };
        let p = |edge: f64| {
            let p = means.as_ref()?.p_of_change(edge);
            Some(p.map(|p| (edge, p)).map_err(|error| Gap::of(error.to_string())))
        };
        let at_edges = edges.on_the_line().filter_map(p).collect::<Result<_, _>>()?;
        let also_in_family = settings.also_in_family.clone();
        let phase = phase.clone();
        let input = EffectBand { phase, change_pct: estimate, at_edges, edges, levels, sources, also_in_family };
        Ok((input, left.lost.into_iter().chain(right.lost).collect()))
    };
    Ok(read())
}
