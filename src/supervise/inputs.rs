//! What a run needs, all of it checked before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::journal::Calibration;
use crate::launch::{ModelMount, PackedImage, TreeCache};
use crate::lock::{FolderDigest, OverlayCache};
use crate::plan::{Content, Input, Lane, Lock, OverlayPin, Plan, PlannedLane};
use crate::supervise::Mode;
use crate::terms::{Axes, Cell, Digest, Signal};

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
    /// What was typed to start it.
    pub command: Vec<String>,
    /// Folders that programs are searched in.
    pub search_path: String,
    /// Address of the Docker engine, when one is set.
    pub docker_host: Option<String>,
    /// The value of `CUDA_VISIBLE_DEVICES`, when it is set.
    pub visible_gpus: Option<String>,
    /// Which repetitions are due.
    pub mode: Mode,
    /// What is known of how far this host can be believed.
    pub calibration: Option<Calibration>,
    /// Lanes that are slowed down on purpose, and by how much in percent.
    pub slowdowns: BTreeMap<String, f64>,
    /// What the caller saw of where everything comes from; it stands among the signals of the segment's start.
    pub signals: Vec<Signal>,
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
    /// The folder that those of a process were written to.
    pub files_dir: Option<PathBuf>,
    /// Whether it may run without a lock.
    pub unlocked: bool,
    /// Where overlays are packed and unpacked.
    pub overlays: OverlayCache,
    /// The folder that the lane's own models lie below.
    pub models_root: PathBuf,
    /// Their files, each where a container finds it.
    pub models: Vec<ModelMount>,
    /// What is known of the files of images that were built.
    pub trees: TreeCache,
    /// Where the overlay that its lock names is unpacked.
    pub overlay_dir: Option<PathBuf>,
    /// Where everything that it writes to standard error is kept, for a lane that runs a program of others.
    pub stderr_file: Option<PathBuf>,
    /// Which of the environment variables that it needs are set.
    pub variables: BTreeSet<String>,
    /// The lockstep that it runs where its manifest says `self`; without one, the running one.
    pub executable: Option<LaneExecutable>,
    /// Where its image comes from in place of registry and build, for a container lane of a bundle.
    pub packed: Option<Packed>,
}

/// A lockstep executable that a lane runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneExecutable {
    /// Where it stands.
    pub path: PathBuf,
    /// Its digest.
    pub digest: Digest,
}

/// What a bundle holds of a container lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packed {
    /// Its image.
    Image(PackedImage),
    /// Nothing, and why.
    Missing(String),
}

impl Inputs {
    /// The lockstep that `lane` runs where its manifest says `self`.
    pub(super) fn executable<'a>(&'a self, lane: &'a LaneInput) -> (&'a Path, Digest) {
        match &lane.executable {
            Some(LaneExecutable { path, digest }) => (path, *digest),
            None => (&self.own_executable, self.binary),
        }
    }
}

impl LaneInput {
    /// The digest of the model that its program loads, where that is not the plan's but one of its own.
    #[must_use]
    pub fn own_model(&self) -> Option<Digest> {
        let inputs = &self.lock.as_ref()?.inputs;
        let placed = self.lane.inputs.iter().find(|(_, input)| matches!(input, Input::Model { target: Some(_), .. }));
        match inputs.get(placed?.0)?.content()? {
            Content::Model { sha256, .. } => Some(*sha256),
            _ => None,
        }
    }

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
