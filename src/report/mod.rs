//! Reports: values go in, text comes out. Nothing is printed and nothing is decided here.
//!
//! The way data takes: `Verdict`, `Comparison` or `RunComparison` → a page (`sections`, `verdict_pages`,
//! `comparison_pages`, `cell_page`), which says what is told in which order → `terminal` or `markdown_page`, which say
//! how it looks; `json` and `junit` take the values directly. Foreign text (a lane's messages, its standard error) is
//! made safe for its form by the renderers and nowhere else.

mod cell_page;
mod comparison_pages;
mod error;
mod json;
mod junit;
mod markdown_page;
mod number;
mod page;
mod plain;
mod sections;
mod terminal;
#[cfg(test)]
mod tests;
mod verdict_pages;

pub use cell_page::cell_text;
pub use comparison_pages::{comparison_markdown, comparison_text, run_comparison_markdown, run_comparison_text};
pub use error::Error;
pub use json::{comparison_json, json, run_comparison_json};
pub use junit::junit;
pub use terminal::{Style, table};
pub use verdict_pages::{markdown, text};
