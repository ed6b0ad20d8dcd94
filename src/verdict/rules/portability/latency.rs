//! Whether the means of a condition that runs on both sides are similar, by the launches that they were measured over.

use super::{Estimate, InFamily};
use crate::stats::PValue;
use crate::verdict::rounding::round;
use crate::verdict::rules::RulingTest;

/// What the launches of both sides say of their means.
#[derive(Debug, Clone, PartialEq)]
pub enum Latency {
    /// The change from the first side to the second.
    Tested {
        /// In percent of the first side's mean, with its interval.
        change_pct: Estimate,
        /// The p values of the change being just `-similar_pct`, and just `similar_pct`.
        at_edges: [PValue; 2],
    },
    /// There is no such change, and why: fewer than three launches a side, or none in the same segment.
    Untested(String),
}

impl Latency {
    /// The p value of the means not being what they seem to be: similar, where both edges have to be excluded, or shifted, where
    /// the nearer one has to. Nothing where they are not tested.
    pub(super) fn p(&self, similar_pct: f64) -> Option<PValue> {
        let Self::Tested { change_pct, at_edges: [below, above] } = self else { return None };
        Some(match change_pct.value {
            change if change <= -similar_pct => *below,
            change if change >= similar_pct => *above,
            _ if above.get() > below.get() => *above,
            _ => *below,
        })
    }

    /// The condition's label, and why it is open where it is.
    pub(super) fn label(&self, similar_pct: f64, decision: Option<&InFamily>) -> (&'static str, Option<String>) {
        const OPEN: &str = "portable_latency_inconclusive";
        let (change_pct, decision) = match (self, decision) {
            (Self::Untested(reason), _) => return (OPEN, Some(reason.clone())),
            (Self::Tested { change_pct, .. }, Some(decision)) => (change_pct, decision),
            (Self::Tested { .. }, None) => return (OPEN, None),
        };
        let label = match change_pct.interval {
            Some([low, high]) if low > -similar_pct && high < similar_pct => "portable_similar_latency",
            Some([low, high]) if high <= -similar_pct || low >= similar_pct => "portable_latency_shift",
            Some([low, high]) => {
                let reach = format!("the change of the mean lies between {} and {} %", round(low), round(high));
                return (OPEN, Some(reach));
            }
            None => return (OPEN, None),
        };
        if decision.rejected() { (label, None) } else { (OPEN, Some(decision.why_open())) }
    }

    pub(super) fn test(&self, name: &str, decision: Option<&InFamily>) -> Option<RulingTest> {
        let Self::Tested { change_pct, .. } = self else { return None };
        let test = RulingTest::of(format!("confidence interval, change of the mean of {name}, %"))
            .estimating(change_pct.value, change_pct.interval);
        Some(decision.map_or(test.clone(), |decision| decision.on(test)))
    }
}
