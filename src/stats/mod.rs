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
//! values -> Sample -----> summary, percentile
//!             |
//!             v
//!        Replicates ----> student_interval, bootstrap_interval
//!             |
//!             v  (two of them)
//!           welch ------> Effect (difference, se, df) <------ pool (one Effect per segment)
//!             |              |
//!         cohen_d            +--> difference_test, difference_interval, tost, detectable_difference
//!           mde              |
//!                         PValue -> holm
//! ```
//!
//! Three promises hold everywhere:
//!
//! - **No NaN and no infinity leaves the room.** A statistic that is undefined for its input is an [`Error`] that says
//!   why. Zero spread is never widened into an epsilon, and an overflow is never a verdict.
//! - **The same input gives the same bits on every host.** Sums run left to right with Neumaier's compensation.
//!   Every logarithm, exponential, power and error function comes from the pure-Rust `libm` crate, never from `std`,
//!   which asks the host's C library. Only operations that IEEE 754 rounds exactly (`+ - * /`, `sqrt`, `abs`,
//!   `floor`) come from `std`. A test in this room reads its sources for offenders.
//! - **Signs are a minus b.** In every two-sample function the difference, t and d are `a - b`.

mod arithmetic;
mod compare;
pub mod distribution;
mod error;
mod interval;
mod multiplicity;
mod pool;
mod power;
mod probability;
mod sample;
mod summary;

#[cfg(test)]
mod tests;

pub use compare::{
    CohenD, DifferenceTest, Effect, Margin, Tost, Welch, cohen_d, difference_interval, difference_test, tost, welch,
};
pub use error::{EqualValues, Error};
pub use interval::{Bootstrap, Interval, bootstrap_interval, bootstrap_mean_interval, student_interval};
pub use multiplicity::{HolmDecision, holm};
pub use pool::{Heterogeneity, Pooled, pool};
pub use power::{Mde, MdeBetween, detectable_difference, mde, mde_between};
pub use probability::{Alpha, Confidence, PValue, Power};
pub use sample::{Replicates, Sample};
pub use summary::{Percent, Summary, percentile, summary};
