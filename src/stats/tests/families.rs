//! Procedures for many tests against `tests/reference/families.json`.

use serde::Deserialize;

use super::reference_values::{close, read};
use crate::stats::*;

#[derive(Deserialize)]
struct Reference {
    families: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    p: Vec<PValue>,
    holm: Vec<f64>,
    bonferroni: Vec<f64>,
    benjamini_hochberg: Vec<f64>,
}

#[test]
fn adjusted_p_values_and_decisions_agree() {
    let alpha = Alpha::new(0.05).expect("a level");
    let reference: Reference = read(include_str!("../../../tests/reference/families.json"));
    for case in reference.families {
        for (name, found, expected) in [
            ("Holm", holm(&case.p, alpha), case.holm),
            ("Bonferroni", bonferroni(&case.p, alpha), case.bonferroni),
            ("Benjamini-Hochberg", benjamini_hochberg(&case.p, alpha), case.benjamini_hochberg),
        ] {
            assert_eq!(found.len(), expected.len());
            for (decision, expected) in found.iter().zip(expected) {
                close(decision.adjusted.get(), expected, 1e-15, 0.0, &format!("{name} of {:?}", case.p));
                assert_eq!(decision.rejected, expected <= 0.05, "{name} of {:?}", case.p);
            }
        }
    }
}
