//! Values as pretty JSON with a final newline. Equal values give equal bytes.

use serde::Serialize;

use super::Error;
use crate::snapshot::{Comparison, RunComparison};
use crate::verdict::{PublishedVerdict, Sensitivity, Verdict};

/// The verdict: what stands in `verdict.json`.
///
/// # Errors
/// [`Error::Json`] when a value has no JSON form.
pub fn json(verdict: &Verdict) -> Result<String, Error> {
    pretty("the verdict", verdict)
}

/// The verdict on a published report: what stands in `snapshots/PLAN/published.json`.
///
/// # Errors
/// [`Error::Json`] when a value has no JSON form.
pub fn published_json(verdict: &PublishedVerdict) -> Result<String, Error> {
    pretty("the verdict", verdict)
}

/// A comparison with a snapshot.
///
/// # Errors
/// [`Error::Json`] when a value has no JSON form.
pub fn comparison_json(comparison: &Comparison) -> Result<String, Error> {
    pretty("the comparison", comparison)
}

/// Two runs side by side.
///
/// # Errors
/// [`Error::Json`] when a value has no JSON form.
pub fn run_comparison_json(comparison: &RunComparison) -> Result<String, Error> {
    pretty("the comparison", comparison)
}

/// How far the results of a run depend on choices.
///
/// # Errors
/// [`Error::Json`] when a value has no JSON form.
pub fn sensitivity_json(found: &[Sensitivity]) -> Result<String, Error> {
    pretty("the sensitivity", &found)
}

fn pretty(what: &'static str, value: &impl Serialize) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(value).map_err(|source| Error::Json { what, source })?;
    text.push('\n');
    Ok(text)
}
