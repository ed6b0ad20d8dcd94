//! Reports: values go in, text comes out. Nothing is printed and nothing is decided here.
//!
//! The way data takes: `Verdict`, `Comparison` or `RunComparison` → a page (`sections`, `verdict_pages`,
//! `comparison_pages`, `cell_page`, `published_page`, `audit_page`), which says what is told in which order → `terminal` or
//! `markdown_page`, which say how it looks; `json`, `junit` and `comparison_junit` take the values directly. Foreign text
//! (a lane's messages, its standard error) is made safe for its form by the renderers and nowhere else.

mod audit_page;
mod calibration_pages;
mod cell_page;
mod comparison_junit;
mod comparison_pages;
mod error;
mod expected_section;
mod gpu_section;
mod json;
mod junit;
mod markdown_page;
mod number;
mod page;
mod plain;
mod published_page;
mod sections;
mod sensitivity_page;
mod terminal;
#[cfg(test)]
mod tests;
mod verdict_pages;

pub use audit_page::audit_text;
pub use calibration_pages::calibration_text;
pub use cell_page::cell_text;
pub use comparison_junit::{comparison_junit, missing_snapshot_junit};
pub use comparison_pages::{comparison_text, run_comparison_text};
pub use error::Error;
pub use json::{comparison_json, json, published_json, run_comparison_json, sensitivity_json};
pub use junit::junit;
pub use published_page::{published_markdown, published_text};
pub use sensitivity_page::{sensitivity_markdown, sensitivity_text};
pub use terminal::{Style, table};
pub use verdict_pages::{markdown, text};
