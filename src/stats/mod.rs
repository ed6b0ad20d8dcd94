//! Pure numbers: what a verdict may be computed with.
//!
//! This room owns every statistic that Lockstep prints. It knows nothing of rows, lanes or plans, reads no clock and
//! draws no randomness of its own: a bootstrap is handed its seed. It imports no other room.
//!
//! The way data takes: raw numbers enter once, through [`Sample`] (n >= 1, all finite) or [`Replicates`] (n >= 2,
//! standard deviation defined), which refuse what a statistic could not be computed from. From there it is free
//! functions to small structs:
//!
//! ```text
//! values -> Sample -----> summary, quantile, trimmed_mean, outliers, rank tests
//!             |
//!             v
//!        Replicates ----> bootstrap intervals (also of Pairs and Clusters)
//!             |                                printed n, mean, sd
//!             v                                        |
//!          Moments <------------------------------------
//!             |
//!             v  (one, or two of them)
//!  t tests, welch -------> Effect (difference, se, df) <------ pool (one Effect per segment)
//!  relative_effect -----> two of them, in percent of b <----- pool_relative
//!             |              |
//!     effect sizes           +--> difference_test, difference_interval, tost, detectable_difference
//!           mde              |
//!                         PValue -> holm, bonferroni, benjamini_hochberg
//! ```
//!
//! A function that takes `impl Into<Moments>` takes values and printed summaries alike. Two sides that belong together
//! value by value are [`Pairs`], whose differences are a [`Sample`]; values that one launch produced are a cluster of
//! [`Clusters`].
//!
//! Beside them stand: [`Proportion`]s with their intervals and, in tables, odds ratios; [`Points`] with correlations and
//! [`Observations`] with regression; [`Group`]s and [`Layout`]s with analysis of variance; a series' [`effective_size`]
//! and a history's [`change_points`]; and what a [`Design`] could see before anything is measured.
//!
//! Three promises hold everywhere:
//!
//! - **No NaN and no infinity leaves the room.** A statistic that is undefined for its input is an [`Error`] that says
//!   why. Zero spread is never widened into an epsilon, and an overflow is never a verdict. A p-value below the doubles
//!   is no 0 but a [`PValue`] with its decimal logarithm.
//! - **The same input gives the same bits on every host.** Sums run left to right with Neumaier's compensation.
//!   Every logarithm, exponential, power and error function comes from the pure-Rust `libm` crate, never from `std`,
//!   which asks the host's C library. Only operations that IEEE 754 rounds exactly (`+ - * /`, `sqrt`, `abs`,
//!   `floor`) come from `std`. A test in this room reads its sources for offenders.
//! - **Signs are a minus b.** In every two-sample function the difference, t and d are `a - b`.

mod anova;
mod arithmetic;
mod bootstrap;
mod change_points;
mod compare;
mod correlation;
mod detectable;
pub mod distribution;
mod effect_intervals;
mod effect_sizes;
mod effective_size;
mod equivalence;
mod error;
mod interval;
mod least_squares;
mod mann_whitney;
mod many;
mod midranks;
mod moments;
mod multiplicity;
mod odds;
mod outliers;
mod over_df;
mod p_value;
mod pairs;
mod planning;
mod pool;
mod power;
mod probability;
mod proportion;
mod quantile;
mod regression;
mod relative;
mod sample;
mod signed_rank;
mod spearman_exact;
mod student_tests;
mod summary;

#[cfg(test)]
mod tests;

pub use anova::{Cell, Group, Layout, OneWay, Squares, SumsOfSquares, Term, TwoWay, one_way, two_way};
pub use bootstrap::{
    Bootstrap, BootstrapMethod, Clusters, MeanBootstrap, bootstrap_clustered_difference_interval,
    bootstrap_clustered_interval, bootstrap_difference_interval, bootstrap_interval, bootstrap_interval_by,
    bootstrap_mean_interval, bootstrap_mean_interval_by, bootstrap_paired_interval,
};
pub use change_points::{ChangePoint, ChangePoints, EDivisive, change_points};
pub use compare::{
    CohenD, DifferenceTest, Effect, Margin, Tost, Welch, cohen_d, difference_interval, difference_test, tost, welch,
    welch_effect,
};
pub use correlation::{
    Correlation, CorrelationTest, Points, correlation_test, fisher_interval, fisher_test, pearson, spearman,
};
pub use detectable::detectable_differences;
pub use effect_intervals::{cohen_d_interval, cohen_d_test};
pub use effect_sizes::{CliffDelta, HedgesCorrection, HedgesG, PairedD, cliff_delta, hedges_g, paired_d};
pub use effective_size::{EffectiveSize, effective_size};
pub use equivalence::{RatioMargin, RatioTost, tost_paired, tost_ratio_paired, tost_ratio_unpaired, tost_unpaired};
pub use error::{EqualValues, Error};
pub use interval::{Interval, student_interval};
pub use mann_whitney::{MannWhitney, mann_whitney};
pub use many::{EquivalenceTests, StudentIntervals};
pub use midranks::RankNull;
pub use moments::Moments;
pub use multiplicity::{FamilyDecision, benjamini_hochberg, bonferroni, holm};
pub use odds::{
    FisherExact, MantelHaenszel, OddsBound, OddsRatio, StratifiedTest, Stratum, ZeroCells, common_odds_ratio_bound,
    fisher_exact, mantel_haenszel, odds_ratio_bound,
};
pub use outliers::{ModifiedZ, TukeyOutliers, modified_z, tukey_outliers};
pub use p_value::PValue;
pub use pairs::Pairs;
pub use planning::{
    Design, Pairing, detectable_d, launches_for_difference, launches_for_equivalence, power_of_difference,
    power_of_equivalence,
};
pub use pool::{Heterogeneity, Pooled, pool};
pub use power::{Mde, MdeBetween, detectable_difference, mde, mde_between};
pub use probability::{Alpha, Confidence, Power};
pub use proportion::{
    Bound, Proportion, Side, TwoProportions, clopper_pearson, clopper_pearson_bound, two_proportions, wilson,
    wilson_bound,
};
pub use quantile::{QuantileMethod, TrimmedMean, quantile, trimmed_mean};
pub use regression::{Coefficient, Observations, Regression, regress};
pub use relative::{RelativeEffect, pool_relative, relative_effect, relative_effect_beyond, relative_effect_paired};
pub use sample::{Replicates, Sample};
pub use signed_rank::{SignedRank, ZeroMethod, signed_rank};
pub use spearman_exact::{SpearmanExact, spearman_exact};
pub use student_tests::{OneSampleT, PooledT, one_sample_t, paired_t, pooled_t};
pub use summary::{Percent, Summary, percentile, summary};
