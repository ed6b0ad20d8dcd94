//! Analysis of variance, from raw values or from the printed means and spreads of groups.
//!
//! This module owns the sums of squares of one and of two factors, their degrees of freedom and effect sizes. Groups
//! may differ in size, cells of two factors may be empty: degrees of freedom are ranks of the design, never products of
//! numbers of levels.
//!
//! ```text
//! Sample, or n + mean + sd -> Group --------------> one_way
//!                               |
//!                             Cell -> Layout -----> two_way
//! ```

mod group;
mod one_way;
mod term;
mod two_way;

pub use group::{Cell, Group, Layout};
pub use one_way::{OneWay, one_way};
pub use term::{Squares, Term};
pub use two_way::{SumsOfSquares, TwoWay, two_way};
