//! Intervals from resampling: percentile, basic and bias-corrected, of one sample, two, pairs and clusters.
//!
//! One way for all: [`draws`] draws from one seeded stream, [`resampled`] keeps the statistic of every resample and
//! turns them into an interval by one of three methods, [`intervals`] says what is drawn and which statistic is taken.
//! [`means`] does what the mean of a few values allows, for many samples at once.
//! [`clusters`] is the input whose units are launches or repetitions instead of single values.

mod clusters;
mod draws;
mod intervals;
mod means;
mod resampled;

pub(super) use draws::index_below;

pub use clusters::Clusters;
pub use draws::Bootstrap;
pub use intervals::{
    bootstrap_clustered_difference_interval, bootstrap_clustered_interval, bootstrap_difference_interval,
    bootstrap_interval, bootstrap_interval_by, bootstrap_mean_interval, bootstrap_mean_interval_by,
    bootstrap_paired_interval,
};
pub use means::MeanBootstrap;
pub use resampled::BootstrapMethod;
