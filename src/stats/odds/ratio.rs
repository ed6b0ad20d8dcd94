//! An odds ratio, which may be infinite, and its bounds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::probability::Confidence;
use crate::stats::proportion::Side;

/// The odds of a hit in a over those in b.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OddsRatio {
    /// A number, which may be 0: a had no hit, or b nothing else.
    Finite(f64),
    /// Larger than every number: b had no hit, or a nothing else. What can be said in numbers is its lower bound.
    Infinite,
}

impl OddsRatio {
    /// `over / under`, both of which are not negative; none for 0 over 0.
    pub(super) fn of(over: f64, under: f64) -> Option<Self> {
        if under > 0.0 {
            return Some(OddsRatio::Finite(over / under));
        }
        (over > 0.0).then_some(OddsRatio::Infinite)
    }
}

/// One end of an exact interval of an odds ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OddsBound {
    /// Which end it is.
    pub side: Side,
    /// The end; a lower one may be 0 and an upper one infinite, which both say nothing.
    pub bound: OddsRatio,
    /// Its confidence level, as a fraction.
    pub confidence: Confidence,
}
