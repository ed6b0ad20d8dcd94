//! How the files of `tests/reference` are read and compared with: agreement to 1e-9 and better.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::stats::PValue;

/// What the references are good for: rounded once from 50 digits, while our side takes a few roundings.
pub(super) const CLOSE: f64 = 1e-11;

/// Reads one of the files.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("the file has the shape of these structs")
}

/// Asserts a relative agreement; differences below `tolerance * scale` count as none.
#[track_caller]
pub(super) fn close(found: f64, expected: f64, tolerance: f64, scale: f64, what: &str) {
    let off = (found - expected).abs() / expected.abs().max(scale);
    assert!(found == expected || off <= tolerance, "{what}: {found:e} instead of {expected:e}, off by {off:e}");
}

/// Asserts that a p-value agrees, by its logarithm where doubles lose their digits.
#[track_caller]
pub(super) fn p_close(found: PValue, expected: f64, log10: f64, tolerance: f64, what: &str) {
    if expected >= f64::MIN_POSITIVE {
        close(found.get(), expected, tolerance, 0.0, what);
    } else {
        close(found.decimal_log().expect("a size"), log10, 1e-12, 0.0, what);
    }
}

/// A t test as the reference writes it.
#[derive(Deserialize)]
pub(super) struct Tested {
    pub(super) difference: f64,
    pub(super) se: f64,
    pub(super) df: f64,
    pub(super) t: f64,
    pub(super) p: f64,
    pub(super) log10_p: f64,
    pub(super) interval_95: [f64; 2],
}

/// An equivalence test as the reference writes it.
#[derive(Deserialize)]
pub(super) struct Equivalence {
    pub(super) margin: f64,
    pub(super) p_lower: f64,
    pub(super) p_upper: f64,
    pub(super) log10_p_lower: f64,
    pub(super) log10_p_upper: f64,
}

/// An equivalence test of a ratio as the reference writes it.
#[derive(Deserialize)]
pub(super) struct RatioEquivalence {
    pub(super) percent: f64,
    pub(super) p_lower: f64,
    pub(super) p_upper: f64,
}
