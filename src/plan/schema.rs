//! JSON Schema of the files that this room reads.

use schemars::{Schema, schema_for};

use super::Lock;
use super::raw_design::RawDesign;
use super::raw_lane::RawLane;
use super::raw_plan::RawPlan;

/// The files that [`schema`] knows.
pub const SCHEMA_NAMES: [&str; 3] = ["plan", "lane", "lock"];

/// What a file in `plans/` holds: an experiment, or the design of a published report.
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is asked for")]
enum RawPlanFile {
    Measured(Box<RawPlan>),
    Published(RawDesign),
}

/// The schema of the file kind `name`.
#[must_use]
pub fn schema(name: &str) -> Option<Schema> {
    match name {
        "plan" => Some(schema_for!(RawPlanFile)),
        "lane" => Some(schema_for!(RawLane)),
        "lock" => Some(schema_for!(Lock)),
        _ => None,
    }
}
