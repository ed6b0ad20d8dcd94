//! Two groups of trials and how the odds of a hit compare: in one table, or over the strata of several.
//!
//! This module owns the exact test of a two-by-two table, the odds ratio pooled over strata with its test, and the exact
//! bounds that say something where an odds ratio is infinite or 0.
//!
//! ```text
//! Proportion, Proportion ----> fisher_exact, odds_ratio_bound
//!            |                          ^
//!            v (per stratum)            |  the conditional distribution given all margins
//!         Stratum ----> mantel_haenszel, common_odds_ratio_bound
//! ```

mod conditional;
mod fisher;
mod mantel_haenszel;
mod ratio;

pub use fisher::{FisherExact, fisher_exact, odds_ratio_bound};
pub use mantel_haenszel::{
    MantelHaenszel, StratifiedTest, Stratum, ZeroCells, common_odds_ratio_bound, mantel_haenszel,
};
pub use ratio::{OddsBound, OddsRatio};
