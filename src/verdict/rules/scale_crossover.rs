//! Whether an effect turns round as models grow.

use crate::stats::{Alpha, Layout, PValue, SumsOfSquares, holm, two_way};

use super::estimate::{Estimate, Levels};
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
    /// The rows.
    pub sources: Vec<String>,
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
    /// p values of the plan's other tests in the same family, with which the interaction is tested.
    pub also_in_family: Vec<PValue>,
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

/// The p value of the interaction: what the analysis adds to the plan's family.
pub(in crate::verdict) fn crossover_family(input: &ScaleCrossover) -> Vec<PValue> {
    let analysed = input.rows.as_ref().and_then(|rows| two_way(&rows.layout, rows.sums_of_squares).ok());
    analysed.and_then(|table| table.interaction).map(|term| term.p).into_iter().collect()
}

fn rule(input: &ScaleCrossover) -> Ruling {
    if let Some(fault) = fault(input) {
        return Ruling::invalid(fault);
    }
    let mut models: Vec<&SizedEffect> = input.models.iter().collect();
    models.sort_by(|one, other| one.size.total_cmp(&other.size));
    let placed: Vec<(&SizedEffect, Direction)> =
        models.iter().map(|model| (*model, Direction::of(&model.change_pct, input.neutral_pct))).collect();
    let parts: Vec<Part> = placed.iter().map(|(model, direction)| part(model, *direction)).collect();
    let mut tests: Vec<RulingTest> = models
        .iter()
        .map(|model| {
            RulingTest::of(format!("confidence interval, change of {}, %", model.model))
                .estimating(model.change_pct.value, model.change_pct.interval)
        })
        .collect();
    let analysis = input.rows.as_ref().map(|rows| interaction(rows, input, &mut tests));
    let ruling = conclude(input, &placed, analysis);
    ruling.in_parts(parts).tested(tests)
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

fn part(model: &SizedEffect, direction: Direction) -> Part {
    let part = Part::of("model", &model.model, direction.name()).number("size", model.size);
    let part = part.number("change_pct", model.change_pct.value);
    let Some([low, high]) = model.change_pct.interval else { return part.because("no interval is printed") };
    part.number("change_low_pct", low).number("change_high_pct", high)
}

/// Whether the analysis of variance shows an interaction; in words why it could not be made.
fn interaction(rows: &InteractionRows, input: &ScaleCrossover, tests: &mut Vec<RulingTest>) -> Result<bool, String> {
    let table = two_way(&rows.layout, rows.sums_of_squares).map_err(|error| error.to_string())?;
    let Some(term) = table.interaction else { return Err("no cell is left to show an interaction".to_owned()) };
    let test = RulingTest::of(format!(
        "two-way analysis of variance, interaction, F({}, {}) = {}",
        term.df,
        table.residual.df,
        round(term.f)
    ));
    let family: Vec<PValue> = [term.p].into_iter().chain(input.also_in_family.iter().copied()).collect();
    let adjusted = holm(&family, input.alpha).first().map_or(term.p, |decision| decision.adjusted);
    tests.push(test.p(term.p, Some(adjusted)));
    Ok(adjusted.is_below(input.alpha))
}

fn conclude(
    input: &ScaleCrossover,
    placed: &[(&SizedEffect, Direction)],
    analysis: Option<Result<bool, String>>,
) -> Ruling {
    let moved: Vec<&(&SizedEffect, Direction)> =
        placed.iter().filter(|(_, direction)| matches!(direction, Direction::Faster | Direction::Slower)).collect();
    let turns: Vec<String> = moved
        .windows(2)
        .filter_map(|pair| match pair {
            [(one, from), (other, to)] if from != to && one.size < other.size => Some(format!(
                "{} (size {}) is {}, {} (size {}) is {}",
                one.model,
                round(one.size),
                from.name(),
                other.model,
                round(other.size),
                to.name()
            )),
            _ => None,
        })
        .collect();
    let refused = analysis.as_ref().and_then(|result| result.as_ref().err()).cloned();
    let refused = refused.map(|reason| format!("no analysis of variance: {reason}"));
    let open: Vec<&SizedEffect> =
        placed.iter().filter(|(_, direction)| *direction == Direction::Open).map(|(model, _)| *model).collect();
    let shown = analysis.and_then(Result::ok);
    let ruling = match (turns.len(), open.is_empty()) {
        (1, _) => Ruling::decided("crossover").because_all(turns),
        (2.., _) => Ruling::decided("several_crossovers").because_all(turns),
        (0, false) => undecided(input, &open),
        (0, true) => match (apart(placed), shown) {
            (Some(apart), _) => Ruling::decided("interaction").because(apart),
            (None, Some(true)) => Ruling::decided("interaction")
                .because("the analysis of variance shows that the effect depends on the model, and none turns round"),
            (None, Some(false)) => Ruling::decided("no_interaction")
                .because("neither the intervals nor the analysis of variance show that the effect depends on size"),
            (None, None) => Ruling::decided("no_interaction")
                .because("every two models' intervals share values, and no model turns round"),
        },
    };
    ruling.because_all(refused)
}

fn undecided(input: &ScaleCrossover, open: &[&SizedEffect]) -> Ruling {
    let names: Vec<&str> = open.iter().map(|model| model.model.as_str()).collect();
    let needed: Option<Vec<u64>> = open
        .iter()
        .map(|model| {
            let edge = if model.change_pct.value < 0.0 { -input.neutral_pct } else { input.neutral_pct };
            model.change_pct.launches_to_clear(edge, input.levels)
        })
        .collect();
    Ruling::inconclusive(format!("the direction is open for {}, and no decided model turns round", names.join(", ")))
        .settled_by(needed.and_then(|needed| needed.into_iter().max()))
}

/// Two models of different size whose intervals share no value, in words.
fn apart(placed: &[(&SizedEffect, Direction)]) -> Option<String> {
    for (position, (one, _)) in placed.iter().enumerate() {
        for (other, _) in placed.iter().skip(position + 1).filter(|(other, _)| other.size > one.size) {
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::{Cell, Confidence, Group, Power};
    use crate::verdict::rules::Standing;

    fn ruled_with(models: &[(f64, f64, Option<[f64; 2]>)], rows: Option<InteractionRows>) -> Ruling {
        let models = models.iter().map(|&(size, value, interval)| SizedEffect {
            model: format!("model-{size}"),
            size,
            change_pct: Estimate { value, interval, launches: Some(4) },
            sources: vec![format!("row:{size}")],
        });
        scale_crossover(&ScaleCrossover {
            models: models.collect(),
            neutral_pct: 3.0,
            rows,
            alpha: Alpha::new(0.05).expect("a level"),
            levels: Levels {
                confidence: Confidence::new(0.95).expect("a level"),
                power: Power::new(0.8).expect("a power"),
            },
            also_in_family: Vec::new(),
        })
    }

    fn ruled(models: &[(f64, f64, f64)]) -> Ruling {
        let models: Vec<_> =
            models.iter().map(|&(size, value, reach)| (size, value, Some([value - reach, value + reach]))).collect();
        ruled_with(&models, None)
    }

    #[test]
    fn an_effect_that_turns_round_is_a_crossover_between_the_nearest_decided_sizes() {
        let ruling = ruled(&[(3e9, 12.0, 2.0), (1e8, -40.0, 2.0), (5e8, -20.0, 2.0), (1e9, 0.0, 9.0)]);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("crossover", Standing::Decided));
        assert!(
            ruling.reasons[0].contains("model-500000000 (size 500000000) is faster, model-3000000000"),
            "{:?}",
            ruling.reasons
        );
        assert_eq!(ruled(&[(1.0, -9.0, 1.0), (2.0, 9.0, 1.0), (3.0, -9.0, 1.0)]).label, "several_crossovers");
    }

    #[test]
    fn the_neutral_edge_is_no_direction() {
        // Ends at exactly -3 and +3 are inside; one beyond them is open.
        assert_eq!(ruled(&[(1.0, 0.0, 3.0), (2.0, 0.0, 3.0)]).label, "no_interaction");
        assert_eq!(ruled(&[(1.0, 0.0, 3.1), (2.0, 0.0, 3.0)]).label, "inconclusive");
        assert_eq!(ruled(&[(1.0, -4.0, 1.0), (2.0, 4.1, 1.0)]).label, "inconclusive");
        assert_eq!(ruled(&[(1.0, -4.1, 1.0), (2.0, 4.1, 1.0)]).label, "crossover");
    }

    #[test]
    fn an_effect_that_only_grows_is_an_interaction() {
        assert_eq!(ruled(&[(1.0, -60.0, 5.0), (2.0, -40.0, 5.0)]).label, "interaction");
        assert_eq!(ruled(&[(1.0, -60.0, 12.0), (2.0, -40.0, 12.0)]).label, "no_interaction");
    }

    #[test]
    fn where_rows_exist_the_analysis_of_variance_is_asked() {
        let rows = |last: f64| {
            let cell = |a: &str, b: &str, mean| Cell {
                a: a.to_owned(),
                b: b.to_owned(),
                group: Group::new(135, mean, 1.7).expect("a group"),
            };
            let cells = [
                cell("eager", "s", 10.0),
                cell("eager", "l", 20.0),
                cell("compiled", "s", 5.0),
                cell("compiled", "l", last),
            ];
            Some(InteractionRows {
                layout: Layout::new(&cells).expect("a layout"),
                sums_of_squares: SumsOfSquares::TypeTwo,
            })
        };
        let models = [(1.0, -50.0, Some([-70.0, -30.0])), (2.0, -40.0, Some([-60.0, -20.0]))];
        let shown = ruled_with(&models, rows(12.0));
        assert_eq!(shown.label, "interaction");
        assert!(shown.tests[2].test.contains("F(1, 536)"), "{:?}", shown.tests);
        assert_eq!(ruled_with(&models, rows(15.0)).label, "no_interaction");
        assert_eq!(ruled_with(&models, None).label, "no_interaction");
    }

    #[test]
    fn open_models_leave_it_open_with_the_launches_that_would_settle_them() {
        let ruling = ruled(&[(1.0, -20.0, 1.0), (2.0, -5.0, 4.0)]);
        assert_eq!((ruling.label.as_str(), ruling.settled_by.is_some()), ("inconclusive", true));
        let printed = ruled_with(&[(1.0, -20.0, None), (2.0, 20.0, None)], None);
        assert_eq!((printed.label.as_str(), printed.settled_by), ("inconclusive", None));
    }

    #[test]
    fn one_size_or_an_impossible_one_is_invalid() {
        assert_eq!(ruled(&[(1.0, 1.0, 1.0), (1.0, 2.0, 1.0)]).standing, Standing::Invalid);
        assert_eq!(ruled(&[]).standing, Standing::Invalid);
        assert_eq!(ruled(&[(0.0, 1.0, 1.0), (1.0, 2.0, 1.0)]).standing, Standing::Invalid);
    }

    proptest! {
        #[test]
        fn any_input_has_a_ruling(
            models in prop::collection::vec((proptest::num::f64::ANY, proptest::num::f64::ANY, proptest::num::f64::ANY), 0..4),
            tame in prop::collection::vec((0.1..9.0_f64, -20.0..20.0_f64, 0.0..9.0_f64), 2..6),
        ) {
            prop_assert!(!ruled(&models).reasons.is_empty());
            prop_assert!(!ruled(&tame).reasons.is_empty());
        }
    }
}
