use proptest::prelude::*;

use super::*;
use crate::stats::{Cell, Group, Power};
use crate::verdict::rules::Standing;
use crate::verdict::rules::estimate::p_of_clearing;

/// What an interval that holds together with `models` others says at any level, with 6 degrees of freedom.
fn measured(change_pct: &Estimate, models: usize) -> Option<MeasuredChange> {
    let each = Confidence::new(1.0 - 0.05 / models as f64).expect("a level");
    let at = |edge| p_of_clearing(change_pct, edge, each, 6.0);
    let [low, high] = change_pct.interval?;
    let quantile = student_t_upper_quantile(0.025 / models as f64, 6.0).expect("a quantile");
    let effect = Effect::new(change_pct.value, (high - low) / 2.0 / quantile, 6.0).ok()?;
    Some(MeasuredChange { change_pct: effect, at_edges: [at(-3.0)?, at(3.0)?] })
}

fn ruled_with(models: &[(f64, f64, Option<[f64; 2]>)], rows: Option<InteractionRows>) -> Ruling {
    scale_crossover(&given(models, rows, &[]))
}

fn given(models: &[(f64, f64, Option<[f64; 2]>)], rows: Option<InteractionRows>, others: &[f64]) -> ScaleCrossover {
    let count = models.len();
    let models = models.iter().map(|&(size, value, interval)| {
        let change_pct = Estimate { value, interval, launches: Some(4) };
        SizedEffect {
            model: format!("model-{size}"),
            size,
            change_pct,
            measured: measured(&change_pct, count),
            sources: vec![format!("row:{size}")],
        }
    });
    ScaleCrossover {
        models: models.collect(),
        neutral_pct: 3.0,
        rows,
        alpha: Alpha::new(0.05).expect("a level"),
        levels: Levels {
            confidence: Confidence::new(0.95).expect("a level"),
            power: Power::new(0.8).expect("a power"),
        },
        also_in_family: others.iter().map(|p| PValue::new(*p).expect("a p")).collect(),
    }
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
    let of = |value: f64, reach: f64| {
        let interval = Some([value - reach, value + reach]);
        Direction::of(&Estimate { value, interval, launches: None }, 3.0)
    };
    assert_eq!([of(0.0, 3.0), of(0.0, 3.1)], [Direction::Neutral, Direction::Open]);
    assert_eq!([of(-4.0, 1.0), of(-4.5, 1.0), of(4.5, 1.0)], [Direction::Open, Direction::Faster, Direction::Slower]);
    assert_eq!(ruled(&[(1.0, 0.0, 2.0), (2.0, 0.0, 2.0)]).label, "no_interaction");
    assert_eq!(ruled(&[(1.0, -5.0, 1.0), (2.0, 5.0, 1.0)]).label, "crossover");
}

#[test]
fn an_effect_that_only_grows_is_an_interaction() {
    assert_eq!(ruled(&[(1.0, -60.0, 5.0), (2.0, -40.0, 5.0)]).label, "interaction");
    assert_eq!(
        ruled(&[(1.0, -60.0, 12.0), (2.0, -40.0, 12.0)]).label,
        "inconclusive",
        "not shown is not shown to be none"
    );
    // From -62 to -56.5: 5.5 points, and the neutral band has 6.
    assert_eq!(ruled(&[(1.0, -60.0, 2.0), (2.0, -58.5, 2.0)]).label, "no_interaction");
    assert_eq!(ruled(&[(1.0, -60.0, 2.0), (2.0, -57.5, 2.0)]).label, "inconclusive");
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
    assert!(shown.tests[3].test.contains("F(1, 536)"), "{:?}", shown.tests);
    assert_eq!(ruled_with(&models, rows(15.0)).label, "inconclusive");
    assert_eq!(ruled_with(&models, None).label, "inconclusive");
}

#[test]
fn directions_and_interactions_hold_by_their_p_in_the_plans_family() {
    let around = |size: f64, value: f64, reach: f64| (size, value, Some([value - reach, value + reach]));
    let turned = [around(1.0, -9.0, 5.0), around(2.0, 9.0, 5.0)];
    let with = |others: usize| scale_crossover(&given(&turned, None, &vec![0.9; others]));
    // The nearer edge is 6 away, the interval reaches 5 at 0.05 / 2: p = 0.012 for either, and 0.005 or so for both being apart.
    assert_eq!(crossover_family(&given(&turned, None, &[])).len(), 3);
    assert_eq!(with(0).label, "crossover", "{:?}", with(0).tests);
    let many = with(9);
    assert_eq!((many.standing, many.parts[0].label.as_str()), (Standing::Inconclusive, "open"));
    assert!(many.parts[0].reason.as_ref().is_some_and(|why| why.contains("of 12 tests")), "{many:?}");
    assert!(many.settled_by > Some(4), "{many:?}");
    // Both directions are sure, and that they are apart is not.
    let apart = [around(1.0, -60.0, 5.0), around(2.0, -48.0, 5.0)];
    assert_eq!(scale_crossover(&given(&apart, None, &[])).label, "interaction");
    let many = scale_crossover(&given(&apart, None, &[0.9; 40]));
    assert_eq!(many.label, "inconclusive", "no interaction is not said: {:?}", many.reasons);
    assert!(many.reasons[0].contains("tests in the plan's family"), "{:?}", many.reasons);
    let p = crossover_family(&given(&apart, None, &[]))[2].get();
    let [one, other] = [0, 1].map(|at| given(&apart, None, &[]).models[at].measured.expect("measured").change_pct);
    let reach = student_t_upper_quantile(p / 4.0, 6.0).expect("a quantile") * (one.se() + other.se());
    assert!((reach - 12.0).abs() < 1e-6, "at that level the intervals just touch: {reach}");
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
