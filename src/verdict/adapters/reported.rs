//! From the tables that a plan names to what a rule takes: standardised differences, a report's own family of tests, what was
//! measured.

use std::collections::BTreeMap;

use super::apply::{Read, Ruled, Settings};
use super::counts::whole;
use super::keys::{check_distinct, keyed};
use super::means::{both, matched};
use super::printed::pair;
use super::tables::{Gap, Printed, TableRow, Tables, must_number, number, source, text};
use crate::plan::{self, IdentitySide, MeanSide, PrintedEffects};
use crate::stats::{Alpha, Confidence, Moments, Power, cohen_d, difference_test};
use crate::verdict::rules::{
    AxisStated, BenchmarkIdentity, EffectCuts, EffectSizes, Levels, MIN_LAUNCHES, MultipleComparisons, PrintedP,
    Ruling, SizedDifference, TwoMeans, effect_size, multiple_comparisons, same_benchmark,
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
        differences.push(of_means(key.clone(), means, [(baseline, left), (candidate, right)])?);
    }
    Ok((differences, found.left_out()))
}

/// The rows of a side.
type Chosen<'s, 't, 'a> = (&'s MeanSide, &'s [&'t TableRow<'a>]);

fn of_means(
    key: BTreeMap<String, String>,
    means: TwoMeans,
    sides: [Chosen<'_, '_, '_>; 2],
) -> Result<SizedDifference, Gap> {
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
    let d = cohen_d(cand, base).map_err(refused)?.d;
    let [(one, left), (other, right)] = sides;
    let rounded = Rounded { sides: [base, cand], by: [digits(one, left, base)?, digits(other, right, cand)?] };
    let half = rounded.half_of(d).ok_or_else(|| {
        Gap::of(format!("{}: the digits of its deviations may stand for none at all", means.sources.join(", ")))
    })?;
    let segments = vec![rounded.nearest().map_err(refused)?];
    let nearest = TwoMeans { segments, unit: means.unit.clone(), sources: Vec::new() };
    Ok(SizedDifference {
        key,
        d,
        half,
        n: Some([base.n() as u64, cand.n() as u64]),
        p: Some(difference_test(&nearest.effect().map_err(refused)?).map_err(refused)?.p),
        sources: means.sources,
    })
}

/// How far printed digits may have moved the mean and the deviation of a side.
#[derive(Debug, Clone, Copy)]
struct Digits {
    mean: f64,
    sd: f64,
}

/// Half of the last digit of everything that the side's mean and deviation are read from; nothing for what was measured.
///
/// Values that are each off by at most h move their mean by at most h, and their deviation by at most that of the errors, which is
/// `h sqrt(n / (n - 1))`. A deviation that is read from an interval is in proportion to its length.
fn digits(side: &MeanSide, rows: &[&TableRow<'_>], of: Moments) -> Result<Digits, Gap> {
    let mut mean: f64 = 0.0;
    for row in rows {
        mean = mean.max(must_number(row, &side.mean)?.half);
    }
    let sd = match (rows, &side.sd, &side.interval) {
        (..) if side.n.is_none() => mean * (of.n() as f64 / (of.n() as f64 - 1.0)).sqrt(),
        ([row], Some(sd), _) => must_number(row, sd)?.half,
        ([row], None, Some([low, high])) => {
            let (low, high) = (must_number(row, low)?, must_number(row, high)?);
            of.sd() * (low.half + high.half) / (high.value - low.value)
        }
        _ => 0.0,
    };
    Ok(Digits { mean, sd })
}

/// Both sides as they were printed, and how far each may be off.
struct Rounded {
    sides: [Moments; 2],
    by: [Digits; 2],
}

impl Rounded {
    /// How far d may be off: it is largest and smallest where the means are as far apart or as near as the digits allow, and the
    /// pooled deviation as small or as large. Nothing where no deviation may be left.
    fn half_of(&self, d: f64) -> Option<f64> {
        let [a, b] = self.by;
        if [a.mean, a.sd, b.mean, b.sd].iter().all(|half| *half == 0.0) {
            return Some(0.0);
        }
        let [base, cand] = self.sides;
        let (apart, slack) = (cand.mean() - base.mean(), a.mean + b.mean);
        let pooled = |sign: f64| {
            let [one, other] = [(base, a), (cand, b)].map(|(side, by)| {
                let sd = (side.sd() + sign * by.sd).max(0.0);
                (side.n() as f64 - 1.0) * sd * sd
            });
            ((one + other) / (base.n() + cand.n() - 2) as f64).sqrt()
        };
        let least = Some(pooled(-1.0)).filter(|least| *least > 0.0)?;
        let ends = [least, pooled(1.0)].map(|sd| [(apart - slack) / sd, (apart + slack) / sd]);
        Some(ends.iter().flatten().map(|end| (end - d).abs()).fold(0.0, f64::max))
    }

    /// Both sides with the means as near, and the deviations as large, as the digits allow.
    fn nearest(&self) -> Result<[Moments; 2], crate::stats::Error> {
        let ([base, cand], [a, b]) = (self.sides, self.by);
        let apart = cand.mean() - base.mean();
        let nearer = (apart.abs() - a.mean - b.mean).max(0.0).copysign(apart);
        let wider = |side: Moments, mean: f64, by: Digits| Moments::new(side.n(), mean, side.sd() + by.sd);
        Ok([wider(base, base.mean(), a)?, wider(cand, base.mean() + nearer, b)?])
    }
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
        let (mut stated, rows) = (AxisStated::default(), tables.column(column)?);
        check_distinct(&rows)?;
        for row in rows {
            match text(row, &column.column)? {
                Some(value) => drop(stated.values.insert(value)),
                None => stated.blank += 1,
            }
            sources.push(source(row));
        }
        axes.insert(axis.clone(), stated);
    }
    Ok(BenchmarkIdentity { name: side.name.clone(), axes, sources })
}
