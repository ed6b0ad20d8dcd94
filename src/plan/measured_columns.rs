//! The columns of the tables that the rows of a run give, as far as the plan tells them.
//!
//! They are written into by the verdict's own code, of which a test says that it writes these and no others.

use std::collections::BTreeSet;

use super::columns::{Columns, LANE_AXES};
use super::{Plan, PlannedLane, Workload};

/// What tells the row from others, in every table of cells.
const IDENTITY: [&str; 8] =
    ["cell", "ignore_eos", "lane", "new_tokens", "phase", "prompt_tokens", "sampling", "workload"];

const COVERAGE: [&str; 3] = ["launches", "ok_share", "planned"];

const CELLS: [&str; 38] = [
    "attempted_launches",
    "attempts",
    "compile_s",
    "compiled_launches",
    "crash_rate",
    "crashed",
    "crashed_launches",
    "cv",
    "distinct_outputs",
    "failed",
    "failed_launches",
    "failure_rate",
    "fall_back_rate",
    "fall_through_rate",
    "fell_back",
    "fell_back_launches",
    "fell_through",
    "fell_through_launches",
    "hang_rate",
    "hung",
    "hung_launches",
    "mean_ms",
    "ok",
    "ok_launches",
    "ok_rate",
    "output_sha256",
    "refusal_rate",
    "refused",
    "sd_ms",
    "segment",
    "teacher_agreeing",
    "teacher_decisive",
    "teacher_decisive_share",
    "teacher_positions",
    "teacher_rms_error",
    "unequal_work",
    "unequal_work_launches",
    "unequal_work_rate",
];

const LAUNCHES: [&str; 5] = ["block", "launch", "ms", "repetitions", "segment"];

const POSITIONS: [&str; 6] = ["logit_max", "logit_mean", "logit_min", "logit_std", "output_sha256", "position"];

const AGENTS: [&str; 3] = ["measure", "model", "n_agents"];

const AGENT_SAMPLES: [&str; 9] =
    ["block", "control", "decode_tps", "latency_ms", "launch", "rep", "segment", "ttft_ms", "wall_ms"];

/// Of each lane, behind its name and a dot.
const AGENT_HANGS: [&str; 6] = ["attempts", "failed", "hung", "ok_rate", "outcome", "wall_ms"];

/// Of each lane, behind its name and a dot.
const AGENT_SCALING: [&str; 6] =
    ["decode_tps", "launches", "p95_latency_multiplier", "parallel_efficiency", "samples", "ttft_ms"];

impl Plan {
    /// The columns of every table that the rows of a run give; `lane.` stands for all of a lane's axes, which the plan does not
    /// know.
    #[must_use]
    pub fn table_columns(&self) -> Columns {
        measured_columns(&self.lanes, &self.workloads)
    }
}

/// Table to columns.
pub(super) fn measured_columns(lanes: &[PlannedLane], workloads: &[Workload]) -> Columns {
    let named = |columns: &[&str]| columns.iter().map(|column| (*column).to_owned()).collect::<BTreeSet<String>>();
    let cells = |own: &[&[&str]]| -> BTreeSet<String> {
        let mut columns = named(&IDENTITY);
        columns.extend(own.iter().flat_map(|own| named(own)));
        columns.extend(workloads.iter().flat_map(|workload| workload.axes.keys().cloned()));
        columns.insert(LANE_AXES.to_owned());
        columns
    };
    let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
    let of_all_lanes = |own: &[&str]| {
        let mut columns = cells(&[&AGENTS]);
        columns.remove(LANE_AXES);
        columns.remove("lane");
        columns.extend(names.iter().flat_map(|lane| own.iter().map(move |column| format!("{lane}.{column}"))));
        columns
    };
    let tables = [
        ("agent_hangs", of_all_lanes(&AGENT_HANGS)),
        ("agent_samples", cells(&[&AGENTS, &AGENT_SAMPLES])),
        ("agent_scaling", of_all_lanes(&AGENT_SCALING)),
        ("cells", cells(&[&COVERAGE, &CELLS])),
        ("lane_axes", named(&["axis", "declared", "lane", "observed"])),
        ("lane_stacks", named(&[&["where"], &names[..]].concat())),
        ("launches", cells(&[&COVERAGE, &LAUNCHES])),
        ("positions", cells(&[&COVERAGE, &POSITIONS])),
        ("stated", named(&["left", "right", "where"])),
    ];
    tables.map(|(table, columns)| (table.to_owned(), columns)).into()
}
