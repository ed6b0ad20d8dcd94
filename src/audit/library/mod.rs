//! The functions of formulas, under the names, signatures and keywords that published claims are written with.
//!
//! `FORMULAS.md` documents them for those who write claims. Tables are read through [`super::cells`], so that every
//! cell that a function reads is known; distributions, ranks, quantiles and models come from `stats`.
//!
//! | part | what it registers |
//! |---|---|
//! | `table` | `cell`, `col`, `rows` |
//! | `numbers` | what Python has and Starlark lacks: `sum`, `round`, `pow`, `sqrt`, … |
//! | `statistics` | summaries, changes, effect sizes, tests |
//! | `designs` | statistics of whole tables |
//! | `rules` | decision rules of the reports |

mod carried;
mod designs;
mod globals;
mod numbers;
mod rules;
mod statistics;
mod table;
mod unpack;

pub(super) use carried::Store;
pub(super) use globals::globals;
pub use globals::{FUNCTIONS, function_names};
