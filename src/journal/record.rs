//! The records. A field is added with a default; a change that an older reader would misread raises `FORMAT`.

use serde::{Deserialize, Serialize};

use super::{Calibration, GpuTelemetry, ImportedFrom, LaunchTelemetry, Observation, SegmentTelemetry, Summary};
use crate::terms::{Axes, CellId, Digest, Evidence, Failure, HostFacts, Outcome, Signal, Stage, StopReason};

/// The format version that this build writes and reads.
pub const FORMAT: u32 = 1;

/// One line of the journal, without its place in the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// Opens a segment.
    Header(Box<Header>),
    /// A preflight look.
    Preflight(Preflight),
    /// A lane was started.
    LaunchStart(LaunchStart),
    /// A lane was stopped and is confirmed gone.
    LaunchEnd(Box<LaunchEnd>),
    /// One attempt at one cell.
    Row(Box<Row>),
    /// A printed row of a table, in an imported segment.
    Summary(Box<Summary>),
    /// A raw row of someone else's file, in an imported segment.
    Observation(Box<Observation>),
    /// The run was stopped before its end, by Ctrl-C for example; `resume` goes on.
    Pause {
        /// Why.
        reason: String,
    },
    /// Goes on in the segment: after an interruption, or after a seal with repetitions that failed.
    Reopen {
        /// Why.
        reason: String,
        /// What was typed to go on; absent in older journals.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        command: Vec<String>,
        /// Host signals as it goes on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signals: Vec<Signal>,
    },
    /// Closes what was planned.
    Seal(Seal),
}

impl Record {
    /// The record's `type`, as it stands in the file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Preflight(_) => "preflight",
            Self::LaunchStart(_) => "launch_start",
            Self::LaunchEnd(_) => "launch_end",
            Self::Row(_) => "row",
            Self::Summary(_) => "summary",
            Self::Observation(_) => "observation",
            Self::Pause { .. } => "pause",
            Self::Reopen { .. } => "reopen",
            Self::Seal(_) => "seal",
        }
    }
}

/// Opens a segment: the part of a journal made on one host, boot, device and binary, or imported from one set of files.
/// Holds all that `judge` needs beside plan and records. A measured segment states time, tool and host, an imported one
/// states none of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Format version of the journal.
    pub format: u32,
    /// The run.
    pub run: String,
    /// Segment, from 0.
    pub segment: u32,
    /// Start of a measured segment, RFC 3339 in UTC; the only time of day in the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// What measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolFacts>,
    /// What was typed to start the segment: the variables that choose GPUs and project, the program, its arguments;
    /// absent in older journals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostFacts>,
    /// Host signals at the segment's start.
    pub signals: Vec<Signal>,
    /// The plan's name.
    pub plan: String,
    /// The plan's canonical digest.
    pub plan_sha256: Digest,
    /// The lanes, in plan order.
    pub lanes: Vec<LaneDeclaration>,
    /// How far the host can be believed, where `calibrate` has measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How the GPUs are watched; absent in older journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<SegmentTelemetry>,
    /// Where the records come from, when others measured them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<ImportedFrom>,
}

/// What the header of a measured segment states and that of an imported one cannot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured<'a> {
    /// Start of the segment, RFC 3339 in UTC.
    pub started_at: &'a str,
    /// What measured.
    pub tool: &'a ToolFacts,
    /// The host.
    pub host: &'a HostFacts,
}

impl Header {
    /// Time, tool and host; absent in an imported segment. Every journal that was read or written has all or none.
    #[must_use]
    pub fn measured(&self) -> Option<Measured<'_>> {
        match self {
            Self { imported: None, started_at: Some(started_at), tool: Some(tool), host: Some(host), .. } => {
                Some(Measured { started_at, tool, host })
            }
            _ => None,
        }
    }

    /// Whether `next` is of the same host, boot, devices, executable and lanes, and watched alike, so that what it would
    /// open belongs to this segment.
    #[must_use]
    pub fn is_continued_by(&self, next: &Self) -> bool {
        let machine = |header: &Self| {
            let Measured { tool, host, .. } = header.measured()?;
            let devices: Vec<_> = host.gpus.iter().map(|gpu| gpu.uuid.clone()).collect();
            Some((host.machine, host.boot.clone(), tool.clone(), devices))
        };
        let same_lanes = self.lanes.len() == next.lanes.len()
            && self.lanes.iter().zip(&next.lanes).all(|(one, other)| one.is_same_as(other));
        let same_watch = SegmentTelemetry::is_same_as(self.telemetry.as_ref(), next.telemetry.as_ref());
        same_lanes && same_watch && machine(self).is_some_and(|here| Some(here) == machine(next))
    }
}

/// The tool that measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolFacts {
    /// Version of lockstep.
    pub version: String,
    /// Digest of its executable.
    pub binary: Digest,
    /// Version of the wire protocol.
    pub protocol: u32,
}

/// A lane as it stood at the segment's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneDeclaration {
    /// The lane.
    pub lane: String,
    /// Whether it takes part.
    pub state: LaneState,
    /// Digest of the lane's manifest.
    pub manifest: Digest,
    /// Digest of the run's copy of the lock; absent when the lane runs unlocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Digest>,
    /// The model that the lane's program loads in place of the plan's, as its lock names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_model: Option<Digest>,
    /// Axes that manifest, lock and plan declare.
    pub declared: Axes,
    /// Axes that preflight observed in a first launch of the lane.
    pub observed: Axes,
    /// Those of them that rest on the runner's own word: nothing was seen of them from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_own_word: Vec<String>,
    /// By how much the lane is slowed down on purpose, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowdown_pct: Option<f64>,
    /// Where manifest and lock came from: `embedded`, or a path below the project folder.
    pub source: String,
    /// Why the lane takes no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl LaneDeclaration {
    /// Whether `other` is the same stack in the same state.
    fn is_same_as(&self, other: &Self) -> bool {
        let identity = |lane: &Self| {
            (lane.lane.clone(), lane.state, lane.manifest, lane.lock, lane.declared.clone(), lane.observed.clone())
        };
        identity(self) == identity(other)
    }
}

/// Whether a lane takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaneState {
    /// It does.
    Ready,
    /// It is optional, and its launcher or interpreter is absent.
    Skipped,
    /// It is present and is not what it declares, or it is required and absent.
    Refused,
}

impl LaneState {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
        }
    }
}

/// A preflight look at a lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preflight {
    /// The lane.
    pub lane: String,
    /// Number of the launch in the journal; absent in the look that precedes the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<u32>,
    /// When.
    pub stage: Stage,
    /// What was seen, and by whom.
    pub signals: Vec<Signal>,
}

/// A lane was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchStart {
    /// Number of the launch, from 0, counted over the whole journal.
    pub launch: u32,
    /// The lane.
    pub lane: String,
    /// The planned launch.
    pub block: u32,
    /// Place in the block.
    pub position: u32,
}

/// A lane was stopped and is confirmed gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchEnd {
    /// Number of the launch.
    pub launch: u32,
    /// Exit status, when the process ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i32>,
    /// Signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// What others did on the host in the launch's measured windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<Busy>,
    /// Why the launch's rows do not count: at its exit the lane was not what it declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disowned: Option<Failure>,
    /// Bytes of standard error that the launch's file in the run's folder lacks, where all of it was to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_unwritten_bytes: Option<u64>,
    /// The GPUs that the lane used, over all that was measured; empty: none was sampled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub telemetry: Vec<LaunchTelemetry>,
}

/// Processor time that others took while this launch measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Busy {
    /// Length of the measured windows together, in milliseconds.
    pub window_ms: u64,
    /// Processor time of everything but lane and supervisor, in milliseconds, summed over processors.
    pub others_ms: u64,
    /// Time that the hypervisor gave to other guests, in milliseconds, summed over processors.
    pub steal_ms: u64,
    /// Time that some task waited for a processor (pressure stall), in milliseconds; absent without PSI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure_ms: Option<u64>,
    /// Processor time of lane and supervisor, in milliseconds, summed over processors; absent in older journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_ms: Option<u64>,
    /// How much of the windows went into warming up cells that come one after the other, which has no row, in milliseconds;
    /// absent where cells are interleaved, and in older journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_ms: Option<u64>,
    /// Logical processors.
    pub cores: u32,
}

impl Busy {
    /// What of the pressure lane and supervisor cannot have caused themselves, in milliseconds.
    ///
    /// Tasks wait for a processor while all processors are taken. Lane and supervisor alone can have taken all of them
    /// for `own / cores` at the most; whoever waited longer waited for others, or was held back by a quota, which shows
    /// in no processor's accounts.
    #[must_use]
    pub fn unexplained_pressure_ms(&self) -> Option<u64> {
        Some(self.pressure_ms?.saturating_sub(self.own_ms? / u64::from(self.cores.max(1))).min(self.window_ms))
    }
}

/// One attempt at one cell in one lane, whatever came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The plan's canonical digest.
    pub plan: Digest,
    /// The lane.
    pub lane: String,
    /// The planned launch.
    pub block: u32,
    /// The cell.
    pub cell: CellId,
    /// Repetition, from 0.
    pub rep: u32,
    /// Attempt at this repetition, from 0.
    pub attempt: u32,
    /// Number of the launch; absent when nothing was launched (refused, skipped).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<u32>,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether the lane runs without a lock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlocked: bool,
    /// Time of the phase by the runner's clock; only where work was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ns: Option<u64>,
    /// Time from request to answer by the supervisor's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside_ns: Option<u64>,
    /// The output, as token ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// Digest of the output's canonical JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_sha256: Option<Digest>,
    /// Why generation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopReason>,
    /// What shows which path did the work.
    #[serde(default, skip_serializing_if = "Evidence::is_empty")]
    pub evidence: Evidence,
    /// The GPUs that the lane used, while this was measured; empty: none was sampled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub telemetry: Vec<GpuTelemetry>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Closes what was planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Rows in the journal so far.
    pub rows: u64,
    /// Records in the journal so far, without this one.
    pub records: u64,
}
