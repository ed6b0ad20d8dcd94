//! What a run needs, all of it checked before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::journal::Calibration;
use crate::lock::{FolderDigest, OverlayCache};
use crate::plan::{Lane, Lock, OverlayPin, Plan, PlannedLane};
use crate::supervise::Mode;
use crate::terms::{Axes, Cell, Digest};

/// What a run needs.
#[derive(Debug)]
pub struct Inputs {
    /// The run's id.
    pub run: String,
    /// The run's folder.
    pub directory: PathBuf,
    /// The plan.
    pub plan: Plan,
    /// Its cells.
    pub cells: Vec<Cell>,
    /// Its lanes, in plan order.
    pub lanes: Vec<LaneInput>,
    /// The checkpoint's folder.
    pub model_dir: PathBuf,
    /// The checkpoint's files.
    pub model: FolderDigest,
    /// Identity axes that the model brings.
    pub model_axes: Axes,
    /// Positions that the longest cell needs.
    pub max_positions: u32,
    /// The executable of lockstep itself.
    pub own_executable: PathBuf,
    /// Its digest.
    pub binary: Digest,
    /// Folders that programs are searched in.
    pub search_path: String,
    /// Address of the Docker engine, when one is set.
    pub docker_host: Option<String>,
    /// Which repetitions are due.
    pub mode: Mode,
    /// What is known of how far this host can be believed.
    pub calibration: Option<Calibration>,
    /// Lanes that are slowed down on purpose, and by how much in percent.
    pub slowdowns: BTreeMap<String, f64>,
    /// How long the run may take until it pauses by itself.
    pub time_budget: Option<Duration>,
    /// Whether GPUs are sampled while lanes are measured.
    pub telemetry: bool,
}

/// A lane with everything its launches need.
#[derive(Debug)]
pub struct LaneInput {
    /// Its part in the plan.
    pub planned: PlannedLane,
    /// The lane.
    pub lane: Lane,
    /// Its lock, where there is one.
    pub lock: Option<Lock>,
    /// Where manifest and lock came from.
    pub source: String,
    /// Files that it executes, by path below `containers/`.
    pub files: BTreeMap<String, Digest>,
    /// The folder those files were written to.
    pub files_dir: Option<PathBuf>,
    /// Whether it may run without a lock.
    pub unlocked: bool,
    /// Where overlays are packed and unpacked.
    pub overlays: OverlayCache,
    /// Where the overlay that its lock names is unpacked.
    pub overlay_dir: Option<PathBuf>,
    /// Where everything that it writes to standard error is kept, for a lane that runs a program of others.
    pub stderr_file: Option<PathBuf>,
    /// Which of the environment variables that it needs are set.
    pub variables: BTreeSet<String>,
}

impl LaneInput {
    /// The overlay that its lock names.
    #[must_use]
    pub fn overlay(&self) -> Option<&OverlayPin> {
        self.lock.as_ref()?.overlay()
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Everything planned was attempted; the journal is sealed.
    Sealed,
    /// It was stopped; `resume` goes on.
    Paused,
    /// There was nothing left to do.
    NothingToDo,
}
