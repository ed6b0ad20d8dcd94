//! Power and numbers of launches against quadrature at 30 digits; the reference's script says how it was made.

use serde::Deserialize;

use super::reference_values::{close, read};
use crate::stats::*;

const REFERENCE: &str = include_str!("../../../tests/reference/planning.json");

#[derive(Deserialize)]
struct Reference {
    differences: Vec<DifferenceCase>,
    equivalences: Vec<EquivalenceCase>,
    launches: Vec<LaunchesCase>,
}

#[derive(Deserialize)]
struct DifferenceCase {
    design: Design,
    d: f64,
    alpha: Alpha,
    power: f64,
}

#[derive(Deserialize)]
struct EquivalenceCase {
    design: Design,
    d: f64,
    margin: Margin,
    alpha: Alpha,
    power: f64,
}

#[derive(Deserialize)]
struct LaunchesCase {
    pairing: Pairing,
    d: f64,
    margin: Option<Margin>,
    power: Power,
    n: u64,
}

#[test]
fn the_power_of_a_test_for_a_difference_agrees_with_the_reference() {
    for DifferenceCase { design, d, alpha, power } in read::<Reference>(REFERENCE).differences {
        let found = power_of_difference(design, d, alpha).expect("a power");
        close(found, power, 1e-11, 0.0, &format!("{design:?}, d {d}, alpha {alpha}"));
    }
}

#[test]
fn the_power_of_a_test_for_equivalence_agrees_with_the_reference() {
    let cases = read::<Reference>(REFERENCE).equivalences;
    assert!(cases.len() >= 20, "only {} cases", cases.len());
    for EquivalenceCase { design, d, margin, alpha, power } in cases {
        let found = power_of_equivalence(design, d, margin, alpha).expect("a power");
        close(found, power, 1e-10, 0.0, &format!("{design:?}, d {d}, margin {margin:?}, alpha {alpha}"));
    }
}

#[test]
fn numbers_of_launches_are_those_of_a_search_from_two_on() {
    let alpha = Alpha::new(0.05).expect("a level");
    for LaunchesCase { pairing, d, margin, power, n } in read::<Reference>(REFERENCE).launches {
        let found = match margin {
            None => launches_for_difference(pairing, d, alpha, power),
            Some(margin) => launches_for_equivalence(pairing, d, margin, alpha, power),
        };
        assert_eq!(found, Ok(n), "{pairing:?}, d {d}, margin {margin:?}");
    }
}
