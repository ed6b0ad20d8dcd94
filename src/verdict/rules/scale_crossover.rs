//! Whether an effect turns round as models grow.

use crate::stats::distribution::student_t_upper_quantile;
use crate::stats::{Alpha, Confidence, Effect, Layout, PValue, SumsOfSquares, two_way};

use super::estimate::{Estimate, InFamily, Levels, OtherTests};
use super::{Part, Ruling, RulingTest};
use crate::verdict::rounding::round;

/// The effect on one model.
#[derive(Debug, Clone, PartialEq)]
pub struct SizedEffect {
    /// The model.
    pub model: String,
    /// Its size, for example in parameters; positive, in the same unit for all.
    pub size: f64,
    /// Change in percent of the baseline, faster negative. The intervals must hold together: adjust their confidence for
    /// the number of models.
    pub change_pct: Estimate,
    /// What the interval was formed from; absent where there is none.
    pub measured: Option<MeasuredChange>,
    /// The rows.
    pub sources: Vec<String>,
}

/// A change with its error, at any level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredChange {
    /// In percent, with its standard error and degrees of freedom.
    pub change_pct: Effect,
    /// The p values of the change being just at the lower, and just at the upper edge of what is neutral.
    pub at_edges: [PValue; 2],
}

/// The rows behind the effects, by candidate or baseline (first factor) and model (second).
#[derive(Debug, Clone, PartialEq)]
pub struct InteractionRows {
    /// The cells.
    pub layout: Layout,
    /// Which sums of squares.
    pub sums_of_squares: SumsOfSquares,
}

/// Effects by model size, and what counts as none.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleCrossover {
    /// One for each model.
    pub models: Vec<SizedEffect>,
    /// Changes within this are no effect in either direction, in percent.
    pub neutral_pct: f64,
    /// Where the rows exist: for the two-way analysis of variance.
    pub rows: Option<InteractionRows>,
    /// Level of the test for an interaction.
    pub alpha: Alpha,
    /// Confidence of the intervals, and the power that the stated number of launches is to have.
    pub levels: Levels,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Faster,
    Neutral,
    Slower,
    Open,
}

impl Direction {
    fn of(change: &Estimate, neutral: f64) -> Self {
        match change.interval {
            Some([_, high]) if high < -neutral => Self::Faster,
            Some([low, _]) if low > neutral => Self::Slower,
            Some([low, high]) if low >= -neutral && high <= neutral => Self::Neutral,
            _ => Self::Open,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Neutral => "neutral",
            Self::Slower => "slower",
            Self::Open => "open",
        }
    }
}

/// Reads the models in the order of their size.
///
/// Labels:
/// - `crossover`: a model is faster, a larger one slower, or the other way round, each by its whole interval; the reason
///   names the pair nearest to each other. `several_crossovers` when it turns back again.
/// - `interaction`: the effect depends on size without turning round: two models' intervals share no value, or the
///   analysis of variance shows an interaction, and every model is decided.
/// - `no_interaction`: every model is decided, all in one direction, and neither intervals nor analysis show a
///   dependence on size. With rows this is the analysis' answer at its level; without, that of the intervals.
/// - `inconclusive`: some model is open and nothing turned round. `invalid`: fewer than two sizes, or impossible numbers.
///
/// Every direction, and either way to show an interaction, is a test of the plan's family; adjusted (Holm) over it, its p value
/// must not be above the level, and a model of which that is not so is open. A direction's is that of the change being just at the
/// edge of what is neutral, for `neutral` the larger of both edges'. That two models' intervals share no value is one test for all
/// pairs: its p value is the least level at which the intervals, all holding together, share none. Where only the family is too
/// large to show an interaction, `inconclusive` is said, and not that there is none.
///
/// An interaction alone is no crossover: TR126's ANOVA shows one (F = 453) that no change of sign need stand behind.
#[must_use]
pub fn scale_crossover(input: &ScaleCrossover) -> Ruling {
    rule(input)
        .resting_on(input.models.iter().flat_map(|model| &model.sources))
        .against("neutral", input.neutral_pct, "%")
        .against("alpha", input.alpha.get(), "share")
        .against("confidence", input.levels.confidence.get(), "share")
        .against("power", input.levels.power.get(), "share")
}

/// The p values by which it is decided: what it adds to the plan's family.
pub(in crate::verdict) fn crossover_family(input: &ScaleCrossover) -> Vec<PValue> {
    if fault(input).is_some() {
        return Vec::new();
    }
    asked(input, analysed(input).and_then(Result::ok).map(|term| term.p)).into_iter().flatten().collect()
}

/// The tests of every model's direction, of intervals that share no value, and of the analysis of variance.
fn asked(input: &ScaleCrossover, analysis: Option<PValue>) -> Vec<Option<PValue>> {
    let models = input.models.iter().map(|model| direction_p(model, input.neutral_pct));
    models.chain([apart_p(&input.models), analysis]).collect()
}

/// The p value of the change having another direction than it seems to.
fn direction_p(model: &SizedEffect, neutral: f64) -> Option<PValue> {
    let [below, above] = model.measured?.at_edges;
    Some(match model.change_pct.value {
        change if change < -neutral => below,
        change if change > neutral => above,
        _ if above.get() > below.get() => above,
        _ => below,
    })
}

/// The least level at which the intervals of two models of different size share no value, all models' holding together.
fn apart_p(models: &[SizedEffect]) -> Option<PValue> {
    let mut least: Option<PValue> = None;
    for (position, one) in models.iter().enumerate() {
        for other in models.iter().skip(position + 1).filter(|other| other.size.total_cmp(&one.size).is_ne()) {
            let (Some(one), Some(other)) = (one.measured, other.measured) else { continue };
            let p = level_apart([&one.change_pct, &other.change_pct], models.len())?;
            least = Some(least.filter(|least| least.order(&p).is_le()).unwrap_or(p));
        }
    }
    least
}

/// Decimal logarithms of levels between which a p value is looked for, and how often the span is halved: to below the digits that
/// a ruling prints.
const SPAN: (f64, u32) = (-300.0, 64);

fn level_apart(pair: [&Effect; 2], models: usize) -> Option<PValue> {
    let [one, other] = pair;
    let distance = (one.difference() - other.difference()).abs();
    let are_apart = |log10: f64| {
        let tail = libm::exp10(log10) / (2.0 * models as f64);
        let reach = pair.map(|effect| Some(effect.se() * student_t_upper_quantile(tail, effect.df()).ok()?));
        matches!(reach, [Some(one), Some(other)] if distance > one + other)
    };
    let (mut open, mut apart) = (SPAN.0, 0.0);
    if !are_apart(apart) {
        return PValue::new(1.0).ok();
    }
    if are_apart(open) {
        return PValue::from_decimal_log(open).ok();
    }
    for _ in 0..SPAN.1 {
        let middle = f64::midpoint(open, apart);
        if are_apart(middle) {
            apart = middle;
        } else {
            open = middle;
        }
    }
    PValue::from_decimal_log(apart).ok()
}

/// A model with its direction, and its test.
struct Directed<'a> {
    model: &'a SizedEffect,
    direction: Direction,
    decision: Option<InFamily>,
}

fn rule(input: &ScaleCrossover) -> Ruling {
    if let Some(fault) = fault(input) {
        return Ruling::invalid(fault);
    }
    let Ok(confidence) = Confidence::new(1.0 - input.alpha.get()) else {
        return Ruling::invalid(format!("no interval has a confidence of 1 - {}", input.alpha.get()));
    };
    let analysis = analysed(input);
    let own = asked(input, analysis.as_ref().and_then(|found| found.as_ref().ok()).map(|term| term.p));
    let mut decisions = InFamily::each(&own, &input.also_in_family, confidence).into_iter();
    let mut placed: Vec<Directed<'_>> = Vec::with_capacity(input.models.len());
    for model in &input.models {
        let decision = decisions.next().flatten();
        let seen = Direction::of(&model.change_pct, input.neutral_pct);
        let holds = decision.as_ref().is_some_and(InFamily::rejected);
        placed.push(Directed { model, direction: if holds { seen } else { Direction::Open }, decision });
    }
    let (of_intervals, of_analysis) = (decisions.next().flatten(), decisions.next().flatten());
    placed.sort_by(|one, other| one.model.size.total_cmp(&other.model.size));
    let parts: Vec<Part> = placed.iter().map(|place| part(place, input.neutral_pct)).collect();
    let mut tests: Vec<RulingTest> = placed.iter().map(test).collect();
    tests.extend(of_intervals.map(|decision| decision.on(RulingTest::of("two models' intervals share no value"))));
    if let (Some(Ok(term)), Some(decision)) = (&analysis, &of_analysis) {
        tests.push(decision.on(RulingTest::of(format!("two-way analysis of variance, {}", term.name))));
    }
    let refused = analysis.and_then(Result::err).map(|reason| format!("no analysis of variance: {reason}"));
    let ruling = conclude(input, &placed, (of_intervals, of_analysis)).because_all(refused);
    ruling.in_parts(parts).tested(tests)
}

fn test(place: &Directed<'_>) -> RulingTest {
    let SizedEffect { model, change_pct, .. } = place.model;
    let test = RulingTest::of(format!("confidence interval, change of {model}, %"))
        .estimating(change_pct.value, change_pct.interval);
    place.decision.as_ref().map_or(test.clone(), |decision| decision.on(test))
}

fn fault(input: &ScaleCrossover) -> Option<String> {
    if !(input.neutral_pct >= 0.0 && input.neutral_pct.is_finite()) {
        return Some(format!(
            "changes within {} % are neutral, which must be at least 0 and finite",
            input.neutral_pct
        ));
    }
    for model in &input.models {
        if !(model.size > 0.0 && model.size.is_finite()) {
            return Some(format!("the size of {} is {}, which must be positive and finite", model.model, model.size));
        }
        if let Some(fault) = model.change_pct.fault(&format!("the change of {}", model.model)) {
            return Some(fault);
        }
    }
    let mut sizes: Vec<f64> = input.models.iter().map(|model| model.size).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    (sizes.len() < 2).then(|| format!("{} size was given; a crossover needs two", sizes.len()))
}

fn part(place: &Directed<'_>, neutral: f64) -> Part {
    let Directed { model, direction, decision } = place;
    let part = Part::of("model", &model.model, direction.name()).number("size", model.size);
    let part = part.number("change_pct", model.change_pct.value);
    let Some([low, high]) = model.change_pct.interval else { return part.because("no interval is printed") };
    let part = part.number("change_low_pct", low).number("change_high_pct", high);
    let is_clear = Direction::of(&model.change_pct, neutral) != Direction::Open;
    match decision.as_ref().filter(|_| is_clear && *direction == Direction::Open) {
        Some(decision) => part.because(decision.why_open()),
        None => part,
    }
}

/// The interaction of an analysis of variance.
struct Interaction {
    name: String,
    p: PValue,
}

/// The analysis of variance, where there are rows; in words why it could not be made.
fn analysed(input: &ScaleCrossover) -> Option<Result<Interaction, String>> {
    let rows = input.rows.as_ref()?;
    Some(match two_way(&rows.layout, rows.sums_of_squares) {
        Err(error) => Err(error.to_string()),
        Ok(table) => match table.interaction {
            None => Err("no cell is left to show an interaction".to_owned()),
            Some(term) => Ok(Interaction {
                name: format!("interaction, F({}, {}) = {}", term.df, table.residual.df, round(term.f)),
                p: term.p,
            }),
        },
    })
}

fn conclude(
    input: &ScaleCrossover,
    placed: &[Directed<'_>],
    (of_intervals, of_analysis): (Option<InFamily>, Option<InFamily>),
) -> Ruling {
    let moved: Vec<&Directed<'_>> =
        placed.iter().filter(|it| matches!(it.direction, Direction::Faster | Direction::Slower)).collect();
    let turn = |pair: &[&Directed<'_>]| match pair {
        [one, other] if one.direction != other.direction && one.model.size < other.model.size => Some(format!(
            "{} (size {}) is {}, {} (size {}) is {}",
            one.model.model,
            round(one.model.size),
            one.direction.name(),
            other.model.model,
            round(other.model.size),
            other.direction.name()
        )),
        _ => None,
    };
    let turns: Vec<String> = moved.windows(2).filter_map(turn).collect();
    let open: Vec<&SizedEffect> =
        placed.iter().filter(|it| it.direction == Direction::Open).map(|it| it.model).collect();
    let apart = apart(placed).zip(of_intervals);
    match (turns.len(), open.is_empty()) {
        (1, _) => return Ruling::decided("crossover").because_all(turns),
        (2.., _) => return Ruling::decided("several_crossovers").because_all(turns),
        (0, false) => return undecided(input, &open),
        (0, true) => {}
    }
    match (apart, of_analysis) {
        (Some((apart, decision)), _) if decision.rejected() => Ruling::decided("interaction").because(apart),
        (_, Some(decision)) if decision.rejected() => Ruling::decided("interaction")
            .because("the analysis of variance shows that the effect depends on the model, and none turns round"),
        (Some((apart, decision)), _) => Ruling::inconclusive(format!("{apart}, and {}", decision.why_open())),
        (None, Some(decision)) if decision.alone(input.alpha) => Ruling::inconclusive(format!(
            "the analysis of variance shows by itself that the effect depends on the model, and {}",
            decision.why_open()
        )),
        (None, _) => match spread_pct(placed) {
            Some(spread) if spread <= 2.0 * input.neutral_pct => Ruling::decided("no_interaction").because(format!(
                "all models' intervals lie within {} points, which is no more than the neutral band",
                round(spread)
            )),
            _ => Ruling::inconclusive(
                "nothing shows that the effect depends on size, and the intervals leave differences beyond the neutral band",
            ),
        },
    }
}

/// From the lowest end of all models' intervals to the highest: no two effects differ by more.
fn spread_pct(placed: &[Directed<'_>]) -> Option<f64> {
    let intervals: Option<Vec<[f64; 2]>> = placed.iter().map(|it| it.model.change_pct.interval).collect();
    let intervals = intervals?;
    let low = intervals.iter().map(|[low, _]| *low).fold(f64::INFINITY, f64::min);
    Some(intervals.iter().map(|[_, high]| *high).fold(f64::NEG_INFINITY, f64::max) - low)
}

fn undecided(input: &ScaleCrossover, open: &[&SizedEffect]) -> Ruling {
    let names: Vec<&str> = open.iter().map(|model| model.model.as_str()).collect();
    // In a family of that size, whose tests are the models', two of an interaction, and the others.
    let tests = (input.models.len() + 2 + input.also_in_family.in_time()) as f64;
    let left = (input.alpha.get() / tests).min(1.0 - input.levels.confidence.get());
    let levels = Confidence::new(1.0 - left).ok().map(|confidence| Levels { confidence, ..input.levels });
    let needed: Option<Vec<u64>> = open
        .iter()
        .map(|model| {
            let edge = if model.change_pct.value < 0.0 { -input.neutral_pct } else { input.neutral_pct };
            model.change_pct.launches_to_clear(edge, levels?)
        })
        .collect();
    Ruling::inconclusive(format!("the direction is open for {}, and no decided model turns round", names.join(", ")))
        .settled_by(needed.and_then(|needed| needed.into_iter().max()))
}

/// Two models of different size whose intervals share no value, in words.
fn apart(placed: &[Directed<'_>]) -> Option<String> {
    for (position, one) in placed.iter().enumerate() {
        let larger = placed.iter().skip(position + 1).filter(|other| other.model.size > one.model.size);
        for (one, other) in larger.map(|other| (one.model, other.model)) {
            let ([low, high], [other_low, other_high]) = (one.change_pct.interval?, other.change_pct.interval?);
            if high < other_low || other_high < low {
                return Some(format!(
                    "the intervals of {} ({} to {} %) and {} ({} to {} %) share no value, and no model turns round",
                    one.model,
                    round(low),
                    round(high),
                    other.model,
                    round(other_low),
                    round(other_high)
                ));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
