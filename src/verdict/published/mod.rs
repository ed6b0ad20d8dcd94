//! Judges the tables of a published report by the report's own design.
//!
//! The way data takes: printed rows and raw ones → `printed_tables` and `counted_tables`, looked up by the names that the design gives → `super::adapters` → a rule in
//! `super::rules` → one [`Ruling`](super::rules::Ruling) for each hypothesis → [`PublishedVerdict`]. A printed row is never turned into rows: a rule that needs what no table prints says `invalid`.

mod counted_tables;
mod judge;
mod printed_tables;
mod value;

pub use judge::judge_published;
pub use printed_tables::imported_columns;
pub use value::{AtLaunchLevel, ImportedFacts, PublishedHypothesis, PublishedVerdict, SourceFile};
