//! Correlations and analysis of variance against exact fractions and 50-digit values; the reference's script says how
//! it was made.

use serde::Deserialize;

use super::reference_values::{close, read};
use crate::stats::*;

/// Where the reference is exact to a double: what our own roundings may add up to.
const EXACT: f64 = 1e-12;

const REFERENCE: &str = include_str!("../../../tests/reference/association.json");

#[derive(Deserialize)]
struct Reference {
    correlations: Vec<CorrelationCase>,
    spearman_exact: Vec<ExactCase>,
    effective_sizes: Vec<SeriesCase>,
    regressions: Vec<RegressionCase>,
    one_way: Vec<OneWayCase>,
    two_way: Vec<TwoWayCase>,
}

#[derive(Deserialize)]
struct CorrelationCase {
    x: Vec<f64>,
    y: Vec<f64>,
    pearson: Tested,
    spearman: Tested,
    interval_95: Option<[f64; 2]>,
}

#[derive(Deserialize)]
struct Tested {
    r: f64,
    unexplained: f64,
    t: Option<f64>,
    p: Option<f64>,
}

#[derive(Deserialize)]
struct ExactCase {
    x: Vec<f64>,
    y: Vec<f64>,
    p: f64,
    p_greater: f64,
    p_less: f64,
}

#[derive(Deserialize)]
struct SeriesCase {
    values: Vec<f64>,
    time: f64,
    lags: usize,
    standard_error: f64,
}

#[derive(Deserialize)]
struct RegressionCase {
    name: String,
    predictors: Vec<Vec<f64>>,
    response: Vec<f64>,
    coefficients: Vec<f64>,
    se: Vec<f64>,
    t: Vec<f64>,
    p: Vec<f64>,
    residual_sd: f64,
    df: u64,
    r2: f64,
    adjusted_r2: f64,
    f: f64,
    f_p: f64,
}

#[derive(Deserialize)]
struct OneWayCase {
    groups: Vec<Vec<f64>>,
    between: Line,
    residual: f64,
    df_residual: u64,
    total: f64,
}

#[derive(Deserialize)]
struct TwoWayCase {
    name: String,
    cells: Vec<CellCase>,
    two: Factors,
    three: Option<Factors>,
    interaction: Option<Line>,
    residual: Squares,
    total: Squares,
}

#[derive(Deserialize)]
struct CellCase {
    a: String,
    b: String,
    values: Vec<f64>,
}

#[derive(Deserialize)]
struct Factors {
    a: Option<Line>,
    b: Option<Line>,
}

#[derive(Deserialize)]
struct Line {
    ss: f64,
    df: u64,
    f: f64,
    p: f64,
    eta2: f64,
    partial_eta2: f64,
    omega2: f64,
}

fn reference() -> Reference {
    read(REFERENCE)
}

fn tested(found: &Correlation, expected: &Tested, what: &str) {
    close(found.r, expected.r, EXACT, 0.0, what);
    // What the means lose by rounding weighs more, the closer the points lie to a line.
    let lost = 1e-9_f64.min(EXACT / expected.unexplained.max(1e-300));
    close(found.unexplained, expected.unexplained, lost, 0.0, what);
    match (expected.t, expected.p) {
        (Some(t), Some(p)) => {
            let test = correlation_test(found).expect("a test");
            close(test.t, t, lost, 0.0, what);
            close(test.p.get(), p, 10.0 * lost, 0.0, what);
        }
        _ => assert!(matches!(correlation_test(found), Err(Error::NoResidual { .. })), "{what}"),
    }
}

#[test]
fn correlations_and_their_tests_agree_with_the_reference() {
    for case in reference().correlations {
        let points = Points::new(case.x.clone(), case.y.clone()).expect("usable points");
        let what = format!("{} points", points.n());
        let found = pearson(&points).expect("a coefficient");
        tested(&found, &case.pearson, &format!("Pearson, {what}"));
        tested(&spearman(&points).expect("a coefficient"), &case.spearman, &format!("Spearman, {what}"));
        if let Some([low, high]) = case.interval_95 {
            let level = Confidence::new(0.95).expect("a level");
            let interval = fisher_interval(&found, level).expect("an interval");
            close(interval.low, low, EXACT, 1.0, &what);
            close(interval.high, high, EXACT, 1.0, &what);
        }
    }
}

#[test]
fn the_exact_rank_test_counts_what_enumerating_every_order_counts() {
    for ExactCase { x, y, p, p_greater, p_less } in reference().spearman_exact {
        let what = format!("{x:?} {y:?}");
        let found = spearman_exact(&Points::new(x, y).expect("usable points")).expect("a test");
        assert_eq!([found.p, found.p_greater, found.p_less].map(PValue::get), [p, p_greater, p_less], "{what}");
    }
}

#[test]
fn effective_sizes_agree_with_exact_autocorrelations() {
    for case in reference().effective_sizes {
        let found = effective_size(&Replicates::new(case.values).expect("usable values")).expect("a size");
        let what = format!("{} values", found.n);
        assert_eq!(found.lags, case.lags, "{what}");
        close(found.autocorrelation_time, case.time, EXACT, 1.0, &what);
        close(found.standard_error, case.standard_error, EXACT, 0.0, &what);
    }
}

#[test]
fn regressions_agree_with_exact_coefficients() {
    for case in reference().regressions {
        let found = Observations::new(case.predictors, case.response).and_then(|given| regress(&given));
        let found = found.expect("a fit");
        // Longley's predictors are nearly dependent: seven digits go lost on the way from data to coefficients.
        let tolerance = if case.name == "longley" { 1e-9 } else { 1e-11 };
        let what = &case.name;
        let coefficients = std::iter::once(&found.intercept).chain(&found.coefficients);
        for (i, coefficient) in coefficients.enumerate() {
            close(coefficient.estimate, case.coefficients[i], tolerance, 0.0, what);
            close(coefficient.se, case.se[i], tolerance, 0.0, what);
            close(coefficient.t, case.t[i], tolerance, 0.0, what);
            close(coefficient.p.get(), case.p[i], 10.0 * tolerance, 0.0, what);
        }
        assert_eq!((found.coefficients.len() + 1, found.df), (case.coefficients.len(), case.df), "{what}");
        close(found.residual_sd, case.residual_sd, tolerance, 0.0, what);
        close(found.r2, case.r2, tolerance, 0.0, what);
        close(found.adjusted_r2, case.adjusted_r2, tolerance, 0.0, what);
        close(found.f, case.f, tolerance, 0.0, what);
        close(found.f_p.get(), case.f_p, 10.0 * tolerance, 0.0, what);
    }
}

/// Sums of squares are compared on the scale of the total: an effect of nearly nothing is a sum of what cancels.
fn line(found: &Option<Term>, expected: &Option<Line>, total: f64, what: &str) {
    let (found, expected) = match (found, expected) {
        (None, None) => return,
        (Some(found), Some(expected)) => (found, expected),
        _ => panic!("{what}: one of them is absent"),
    };
    assert_eq!(found.df, expected.df, "{what}");
    close(found.ss, expected.ss, EXACT, 1e-3 * total, what);
    close(found.f, expected.f, EXACT, 1e-3 * expected.f / expected.eta2, what);
    close(found.p.get(), expected.p, 1e-10, 0.0, what);
    close(found.eta2, expected.eta2, EXACT, 1e-3, what);
    close(found.partial_eta2, expected.partial_eta2, EXACT, 1e-3, what);
    close(found.omega2, expected.omega2, EXACT, 1e-3, what);
}

#[test]
fn one_way_tables_agree_with_exact_sums_of_squares() {
    for case in reference().one_way {
        let of = |values: &Vec<f64>| Group::of(&Sample::new(values.clone()).expect("values")).expect("a group");
        let found = one_way(&case.groups.iter().map(of).collect::<Vec<_>>()).expect("a table");
        let what = format!("{} groups", case.groups.len());
        close(found.total.ss, case.total, EXACT, 0.0, &what);
        close(found.residual.ss, case.residual, EXACT, 0.0, &what);
        assert_eq!(found.residual.df, case.df_residual);
        line(&Some(found.between), &Some(case.between), case.total, &what);
    }
}

#[test]
fn two_way_tables_agree_with_exact_projections() {
    for case in reference().two_way {
        let cell = |cell: &CellCase| {
            let group = Group::of(&Sample::new(cell.values.clone()).expect("values")).expect("a group");
            Cell { a: cell.a.clone(), b: cell.b.clone(), group }
        };
        let layout = Layout::new(&case.cells.iter().map(cell).collect::<Vec<_>>()).expect("a layout");
        let types = [(SumsOfSquares::TypeTwo, Some(&case.two)), (SumsOfSquares::TypeThree, case.three.as_ref())];
        for (kind, expected) in types {
            let what = format!("{}, {kind:?}", case.name);
            let Some(expected) = expected else {
                assert!(matches!(two_way(&layout, kind), Err(Error::Undefined { .. })), "{what}");
                continue;
            };
            let found = two_way(&layout, kind).expect("a table");
            line(&found.a, &expected.a, case.total.ss, &format!("{what}, first factor"));
            line(&found.b, &expected.b, case.total.ss, &format!("{what}, second factor"));
            line(&found.interaction, &case.interaction, case.total.ss, &format!("{what}, interaction"));
            for (found, expected) in [(found.residual, case.residual), (found.total, case.total)] {
                close(found.ss, expected.ss, EXACT, 0.0, &what);
                assert_eq!(found.df, expected.df, "{what}");
            }
        }
    }
}
