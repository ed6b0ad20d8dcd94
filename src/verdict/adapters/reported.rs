//! From the tables that a plan names to what a rule takes: standardised differences, a report's own family of tests, what was
//! measured.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{Read, Ruled, Settings};
use super::counts::whole;
use super::keys::{check_distinct, keyed};
use super::means::{both, matched};
use super::printed::pair;
use super::tables::{Gap, Printed, Tables, must_number, number, source, text};
use crate::plan::{self, IdentitySide, MeanSide, PrintedEffects};
use crate::stats::{Alpha, Confidence, Power, cohen_d, difference_test};
use crate::verdict::rules::{
    BenchmarkIdentity, EffectCuts, EffectSizes, Levels, MIN_LAUNCHES, MultipleComparisons, PrintedP, Ruling,
    SizedDifference, TwoMeans, effect_size, multiple_comparisons, same_benchmark,
};

pub(super) fn effect_size_rule(tables: &Tables<'_>, rule: &plan::EffectSizes, settings: &Settings) -> Ruled {
    Ok(sizes(tables, rule, settings)?.map(|(input, left_out)| effect_size(&input).because_all(left_out)))
}

/// The differences of all keys that both sides have, or of all rows that print one, and what was left out.
pub(super) fn sizes(
    tables: &Tables<'_>,
    rule: &plan::EffectSizes,
    settings: &Settings,
) -> Read<(EffectSizes, Vec<String>)> {
    let levels = Levels { confidence: settings.confidence()?, power: Power::new(rule.power)? };
    let read = || -> Result<(EffectSizes, Vec<String>), Gap> {
        let (differences, left_out) = match (&rule.baseline, &rule.candidate, &rule.printed) {
            (Some(baseline), Some(candidate), _) => {
                formed(tables, &rule.key, (baseline, candidate), levels.confidence)?
            }
            (.., Some(printed)) => (as_printed(tables, &rule.key, printed)?, Vec::new()),
            _ => return Err(Gap::of("neither two sides nor a printed effect are named")),
        };
        let cuts = EffectCuts { small: rule.small, medium: rule.medium, large: rule.large };
        let also_in_family = settings.also_in_family.clone();
        Ok((EffectSizes { differences, cuts, levels, also_in_family }, left_out))
    };
    Ok(read())
}

/// d of the means and deviations of both sides.
fn formed(
    tables: &Tables<'_>,
    key: &[String],
    (baseline, candidate): (&MeanSide, &MeanSide),
    confidence: Confidence,
) -> Result<(Vec<SizedDifference>, Vec<String>), Gap> {
    let found = matched(tables, key, baseline, candidate)?;
    let mut differences = Vec::with_capacity(found.pairs.len());
    for (key, [left, right]) in &found.pairs {
        let means = both(tables, confidence, (baseline, left), (candidate, right))?;
        differences.push(of_means(key.clone(), means)?);
    }
    Ok((differences, found.left_out()))
}

fn of_means(key: BTreeMap<String, String>, means: TwoMeans) -> Result<SizedDifference, Gap> {
    let refused = |error: crate::stats::Error| Gap::of(format!("{}: {error}", means.sources.join(", ")));
    let [[base, cand]] = means.segments[..] else {
        return Err(Gap::of("it was measured in several segments, and a standardised difference is of one"));
    };
    if means.launches() < MIN_LAUNCHES {
        return Err(Gap::too_few(format!(
            "{}: {} values a side; fewer than {MIN_LAUNCHES} decide nothing",
            means.sources.join(", "),
            means.launches()
        )));
    }
    Ok(SizedDifference {
        key,
        d: cohen_d(cand, base).map_err(refused)?.d,
        half: 0.0,
        n: Some([base.n() as u64, cand.n() as u64]),
        p: Some(difference_test(&means.effect().map_err(refused)?).map_err(refused)?.p),
        sources: means.sources,
    })
}

fn as_printed(tables: &Tables<'_>, key: &[String], printed: &PrintedEffects) -> Result<Vec<SizedDifference>, Gap> {
    let mut differences = Vec::new();
    for (key, row) in keyed(tables.rows(&printed.rows)?, key)? {
        let Some(Printed { value, half }) = number(row, &printed.d)? else { continue };
        let n = printed.n.as_ref().map(|n| whole(row, n)).transpose()?;
        let sources = vec![source(row)];
        differences.push(SizedDifference { key, d: value, half, n: n.map(|n| [n, n]), p: None, sources });
    }
    Ok(differences)
}

pub(super) fn comparisons_rule(tables: &Tables<'_>, rule: &plan::MultipleComparisons, settings: &Settings) -> Ruled {
    let alpha = Alpha::new(settings.alpha)?;
    let ruled = || -> Result<Ruling, Gap> {
        let mut tests = Vec::new();
        for (key, row) in keyed(tables.rows(&rule.rows)?, &rule.key)? {
            tests.push(PrintedP { key, p: pair(must_number(row, &rule.p)?), source: source(row) });
        }
        Ok(multiple_comparisons(&MultipleComparisons { tests, family: rule.family, alpha }))
    };
    Ok(ruled())
}

pub(super) fn identity_rule(tables: &Tables<'_>, rule: &plan::BenchmarkIdentity) -> Result<Ruling, Gap> {
    let [one, other] = &rule.sides[..] else { return Err(Gap::of("two sides are needed")) };
    Ok(same_benchmark(&rule.axes, [&identity(tables, one)?, &identity(tables, other)?]))
}

fn identity(tables: &Tables<'_>, side: &IdentitySide) -> Result<BenchmarkIdentity, Gap> {
    let (mut axes, mut sources) = (BTreeMap::new(), Vec::new());
    for (axis, column) in &side.stated {
        let (mut values, rows) = (BTreeSet::new(), tables.column(column)?);
        check_distinct(&rows)?;
        for row in rows {
            values.extend(text(row, &column.column)?);
            sources.push(source(row));
        }
        axes.insert(axis.clone(), values);
    }
    Ok(BenchmarkIdentity { name: side.name.clone(), axes, sources })
}
