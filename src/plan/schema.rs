//! JSON Schema of the files that this room reads.

use schemars::{Schema, schema_for};

use super::Lock;
use super::raw_lane::RawLane;
use super::raw_plan::RawPlan;

/// The files that [`schema`] knows.
pub const SCHEMA_NAMES: [&str; 3] = ["plan", "lane", "lock"];

/// The schema of the file kind `name`.
#[must_use]
pub fn schema(name: &str) -> Option<Schema> {
    match name {
        "plan" => Some(schema_for!(RawPlan)),
        "lane" => Some(schema_for!(RawLane)),
        "lock" => Some(schema_for!(Lock)),
        _ => None,
    }
}
