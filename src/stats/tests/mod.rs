//! The room against the outside: independent references, invariants over random input, and its own sources.

mod association;
mod distributions;
mod effect_intervals;
mod families;
mod means;
mod odds;
mod order_statistics;
mod pinned;
mod planning;
mod properties;
mod proportions;
mod rank_tests;
mod reference_values;
mod relative;
mod resampling;
mod sources;
mod statrs_grid;
mod wild_input;
