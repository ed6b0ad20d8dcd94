//! Plans, lanes and lockfiles: what was written down before anything was measured.
//!
//! Data takes one way: TOML text → [`document::Document`] (which knows where every key stands) → a raw type that
//! mirrors the file → a checked type whose invariants hold. Only checked types leave this room.
//!
//! | file | raw | checked |
//! |---|---|---|
//! | `plans/NAME.toml` | `raw_plan::RawPlan` | [`Plan`] |
//! | `lanes/NAME.toml` | `raw_lane::RawLane` | [`Lane`] |
//! | `lockfiles/NAME.lock` | – | [`Lock`] |

mod check_plan;
mod document;
mod error;
mod lane;
mod lock_file;
mod model;
mod plan_file;
mod raw_lane;
mod raw_plan;
mod schedule;
mod schema;

pub use error::{Error, Fault};
pub use lane::{DockerLane, Gate, GateTest, Lane, Launcher, Limits, ProcessLane, Program};
pub use lock_file::{ImagePin, Lock, SelfImagePin};
pub use model::{ModelSpec, Synthetic};
pub use plan_file::{
    Contrast, Coverage, Expectation, Hypothesis, HypothesisKind, LaunchStatistic, Plan, PlannedLane, Prompt,
    RunSettings, StatisticsSettings, Workload,
};
pub use schedule::{PlannedLaunch, Repetition, Schedule};
pub use schema::{SCHEMA_NAMES, schema};

#[cfg(test)]
mod tests;
