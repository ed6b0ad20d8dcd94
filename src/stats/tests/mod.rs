//! The room against the outside: independent references, invariants over random input, and its own sources.

mod properties;
mod reference;
mod sources;
mod statrs_grid;
