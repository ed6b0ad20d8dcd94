//! Plans, lanes and lockfiles: what was written down before anything was measured.
//!
//! Data takes one way: TOML text → [`document::Document`] (which knows where every key stands) → a raw type that
//! mirrors the file → a checked type whose invariants hold. Only checked types leave this room.
//!
//! | file | raw | checked |
//! |---|---|---|
//! | `plans/NAME.toml` | `raw_plan::RawPlan` | [`Plan`] |
//! | `plans/NAME.toml` with `[published]` | `raw_design::RawDesign` | [`Design`] |
//! | `lanes/NAME.toml` | `raw_lane::RawLane` | [`Lane`] |
//! | `lockfiles/NAME.lock` | – | [`Lock`] |

mod check_design;
mod check_hypothesis;
mod check_measured;
mod check_plan;
mod check_reported;
mod check_rule;
mod check_unit;
mod check_workload;
mod columns;
mod comparison;
mod criterion;
mod design;
mod document;
mod error;
mod exec;
mod expected_failure;
mod gate;
mod hub;
mod input;
mod integrity;
mod lane;
mod launcher;
mod licence;
mod lock_file;
mod locked_input;
mod measured_columns;
mod model;
mod needs;
mod plan_file;
mod printed;
mod raw_design;
mod raw_lane;
mod raw_plan;
mod reported;
mod routing;
mod rule;
mod schedule;
mod schema;
mod selection;
mod server;

pub use columns::{ColumnRead, Columns};
pub use comparison::{
    GainReplication, InteractionSums, MatchedContrasts, ParitySide, PhaseSeparation, ScaleCrossover, TokenParity,
    WeightParity,
};
pub use criterion::{
    CorrelationCriterion, Counted, CrashBoundary, DifferenceCriterion, Direction, EffectBands, MeanContrast, MeanSide,
    ParallelEfficiency, Portability, PortabilitySide, ReproductionBands, Saturation, StatedDifferences,
    StaticCacheRescue,
};
pub use design::{Design, DesignHypothesis, PlanFile, Published, Replication};
pub use error::{Error, Fault};
pub use exec::{EXEC_VARIABLE, Exec, LogLine, cannot_do};
pub use expected_failure::ExpectedFailure;
pub use gate::{ColdStartRanking, ModeColumns, ModeWords, PromotionGates, StageWords, SwitchEvidence};
pub use hub::{Hub, HubFile};
pub use input::{IMAGE_INPUT, Input, archive_name, is_web};
pub use integrity::{
    CleanRuns, CompileRobustness, FiveGates, FusedColumns, PerformanceIs, ProbeColumns, Regimes, Withdrawn,
};
pub use lane::{Gate, GateTest, Lane, Limits, RUN_FOLDER};
pub use launcher::{Build, DockerLane, ImageSource, Launcher, ProcessLane, Program, Proof};
pub use licence::{FindingNeed, Floor, Licence, Need, Statement, TableNeed};
pub use lock_file::{ImagePin, Lock, SelfImagePin};
pub use locked_input::{Candidate, Content, LockedInput, OverlayPin, is_commit};
pub use measured_columns::LaunchCount;
pub use model::{ModelSpec, Synthetic};
pub use needs::{Needs, is_version};
pub use plan_file::{
    CellOrder, Contrast, Coverage, GateSettings, Hypothesis, HypothesisKind, LaunchStatistic, Plan, PlannedLane,
    Prompt, RunSettings, StatisticsSettings, Workload,
};
pub use printed::{Consistency, LadderHolds, LadderOfBands, Ranking, ScoreAndLatency};
pub use reported::{BenchmarkIdentity, EffectSizes, IdentitySide, MultipleComparisons, PrintedEffects};
pub use routing::{CommercialRouting, RoutingProfiles, SameWindowRerun, ToolTasks};
pub use rule::{
    AxisDecomposition, Before, Column, Efficiencies, FalsificationLadder, GainUnit, HangLedger, Hangs, MatchedPairs,
    Null, Precondition, Rows, Rule, SingleDelta,
};
pub use schedule::{PlannedLaunch, Repetition, Schedule};
pub use schema::{SCHEMA_NAMES, schema};
pub use server::{Ask, Server};

#[cfg(test)]
mod tests;
