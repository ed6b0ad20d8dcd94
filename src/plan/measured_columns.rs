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
const AGENT_HANGS: [&str; 9] = [
    "attempted_launches",
    "attempts",
    "failed",
    "failed_launches",
    "hung",
    "hung_launches",
    "ok_rate",
    "outcome",
    "wall_ms",
];

/// Of each lane, behind its name and a dot.
const AGENT_SCALING: [&str; 6] =
    ["decode_tps", "launches", "p95_latency_multiplier", "parallel_efficiency", "samples", "ttft_ms"];

/// A count that a run's tables hold of launches, of attempts and, but for what was tried at all, as a share of attempts.
struct Counted {
    launches: &'static str,
    attempts: &'static str,
    share: Option<&'static str>,
}

/// What was tried.
const TRIED: Counted = counted("attempted_launches", "attempts", None);

/// What came of it.
const CAME_OF_IT: [Counted; 7] = [
    counted("ok_launches", "ok", Some("ok_rate")),
    counted("failed_launches", "failed", Some("failure_rate")),
    counted("crashed_launches", "crashed", Some("crash_rate")),
    counted("hung_launches", "hung", Some("hang_rate")),
    counted("fell_back_launches", "fell_back", Some("fall_back_rate")),
    counted("fell_through_launches", "fell_through", Some("fall_through_rate")),
    counted("unequal_work_launches", "unequal_work", Some("unequal_work_rate")),
];

const fn counted(launches: &'static str, attempts: &'static str, share: Option<&'static str>) -> Counted {
    Counted { launches, attempts, share }
}

impl Counted {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.launches), Some(self.attempts), self.share].into_iter().flatten()
    }

    /// The columns of the lane that `column` is of: its own stand behind its name and a dot.
    fn of_lane(&self, column: &str) -> LaunchCount {
        let lane = column.rsplit_once('.').map_or(String::new(), |(lane, _)| format!("{lane}."));
        LaunchCount { launches: format!("{lane}{}", self.launches), attempts: format!("{lane}{}", self.attempts) }
    }
}

/// The columns of a run's table that count the same thing in launches and in attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchCount {
    /// The count of launches.
    pub launches: String,
    /// The count of attempts.
    pub attempts: String,
}

impl LaunchCount {
    /// Of what was tried, if `column` counts it, in whichever way.
    #[must_use]
    pub fn tried(column: &str) -> Option<Self> {
        Self::among(std::slice::from_ref(&TRIED), column)
    }

    /// Of what came of it, if `column` counts it, in whichever way.
    #[must_use]
    pub fn came_of_it(column: &str) -> Option<Self> {
        Self::among(&CAME_OF_IT, column)
    }

    /// Of what was tried, where `column` counts what came of it.
    #[must_use]
    pub fn tried_for(column: &str) -> Option<Self> {
        Self::came_of_it(column).map(|_| TRIED.of_lane(column))
    }

    fn among(known: &[Counted], column: &str) -> Option<Self> {
        let name = column.rsplit_once('.').map_or(column, |(_, name)| name);
        let found = known.iter().find(|counted| counted.names().any(|known| known == name))?;
        Some(found.of_lane(column))
    }

    /// The columns that count what was tried, and those that count what came of it.
    #[must_use]
    pub fn known() -> [Vec<&'static str>; 2] {
        [TRIED.names().collect(), CAME_OF_IT.iter().flat_map(Counted::names).collect()]
    }
}

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
        ("agent_samples", cells(&[&COVERAGE, &AGENTS, &AGENT_SAMPLES])),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_by_launches_is_counted_in_the_tables() {
        let [tried, came_of_it] = LaunchCount::known();
        assert_eq!(tried, ["attempted_launches", "attempts"]);
        for column in tried.iter().chain(&came_of_it) {
            assert!(CELLS.contains(column), "{column}");
        }
        for name in ["attempted_launches", "attempts", "failed", "failed_launches", "hung", "hung_launches"] {
            assert!(AGENT_HANGS.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_count_is_that_of_the_same_lane_in_launches() {
        let columns = |counted: Option<LaunchCount>| counted.map(|it| [it.launches, it.attempts].join(" "));
        let told = |column| columns(LaunchCount::came_of_it(column));
        assert_eq!(told("crash_rate").as_deref(), Some("crashed_launches crashed"));
        assert_eq!(told("a-1.5.hung_launches").as_deref(), Some("a-1.5.hung_launches a-1.5.hung"));
        let tried = columns(LaunchCount::tried_for("a.hung"));
        assert_eq!(tried.as_deref(), Some("a.attempted_launches a.attempts"));
        let unknown = [told("refused"), told("attempts"), columns(LaunchCount::tried("launches"))];
        assert_eq!(unknown, [None, None, None]);
    }
}
