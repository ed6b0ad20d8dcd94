//! From a run's folder to what the supervisor needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bundled;
use super::prepare::Experiment;
use super::project::FoundLane;
use super::run_folder::RunFolder;
use super::{Error, Project};
use crate::bundle::Bundle;
use crate::engine::ModelConfig;
use crate::journal::Calibration;
use crate::launch::ModelMount;
use crate::lock::{FolderDigest, model_input_files};
use crate::plan::{Input, Lane, Lock, Plan, PlannedLane, cannot_do};
use crate::runner::NATIVE;
use crate::supervise::{
    Inputs, LaneExecutable, LaneInput, Missing, Mode, Question, Surroundings, lock_faults, missing,
};
use crate::terms::{Axes, Digest};

/// What differs between a first run, a resumed one and a rerun.
pub(super) struct Assembly<'a> {
    pub plan: Plan,
    pub lanes: Vec<FoundLane>,
    pub folder: &'a RunFolder,
    pub model_dir: PathBuf,
    pub model: FolderDigest,
    pub model_axes: Axes,
    pub max_positions: u32,
    pub unlocked: bool,
    pub mode: Mode,
    /// What is known of the host.
    pub calibration: Option<Calibration>,
    /// Lanes that are slowed down on purpose, and by how much in percent.
    pub slowdowns: BTreeMap<String, f64>,
    /// How long the run may take until it pauses by itself.
    pub time_budget: Option<Duration>,
    /// Whether GPUs are sampled while lanes are measured.
    pub telemetry: bool,
    /// What everything is taken from, if that is a bundle.
    pub bundle: Option<Bundle>,
    /// The lockstep that a lane runs in place of this one, by lane.
    pub executables: BTreeMap<String, LaneExecutable>,
}

impl<'a> Assembly<'a> {
    /// What a first run takes, of an unknown host, with nothing slowed down and no end set.
    pub(super) fn of(experiment: Experiment, lanes: Vec<FoundLane>, folder: &'a RunFolder) -> Self {
        let Experiment { plan, text: _, model_dir, model, axes, max_positions } = experiment;
        Self {
            plan,
            lanes,
            folder,
            model_dir,
            model,
            model_axes: axes,
            max_positions,
            unlocked: false,
            mode: Mode::Missing,
            calibration: None,
            slowdowns: BTreeMap::new(),
            time_budget: None,
            telemetry: true,
            bundle: None,
            executables: BTreeMap::new(),
        }
    }

    pub(super) fn inputs(self) -> Result<Inputs, Error> {
        let own_executable = own_executable()?;
        let binary = Digest::of_file(&own_executable).map_err(Error::file("reading", &own_executable))?;
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for found in self.lanes {
            let planned = planned(&self.plan, &found.lane.name)?;
            let executable = self.executables.get(&found.lane.name).cloned();
            let mut lane = lane_input(found, planned, self.folder, self.unlocked, self.bundle.as_ref());
            lane.executable = executable.or(lane.executable);
            lanes.push(lane);
        }
        Ok(Inputs {
            run: self.folder.id.clone(),
            directory: self.folder.path.clone(),
            cells: self.plan.cells()?,
            plan: self.plan,
            lanes,
            model_dir: self.model_dir,
            model: self.model,
            model_axes: self.model_axes,
            max_positions: self.max_positions,
            own_executable,
            binary,
            command: super::environment::command(),
            search_path: search_path(),
            docker_host: docker_host(),
            visible_gpus: visible_gpus(),
            mode: self.mode,
            calibration: self.calibration,
            slowdowns: self.slowdowns,
            time_budget: self.time_budget,
            telemetry: self.telemetry,
            signals: self.bundle.as_ref().map(bundled::signals).unwrap_or_default(),
        })
    }
}

fn planned(plan: &Plan, lane: &str) -> Result<PlannedLane, Error> {
    let planned = plan.lane(lane).cloned();
    planned.ok_or_else(|| Error::Internal(format!("lane {lane} was assembled and is not in the plan")))
}

fn lane_input(
    found: FoundLane,
    planned: PlannedLane,
    folder: &RunFolder,
    unlocked: bool,
    bundle: Option<&Bundle>,
) -> LaneInput {
    let (files, stderr) = (folder.file("files"), folder.file("stderr"));
    let digests = found.file_digests();
    let files_dir = match &found.lane.launcher {
        crate::plan::Launcher::Process(_) => Some(files),
        crate::plan::Launcher::Docker(_) => None,
    };
    let overlay = found.lock.as_ref().and_then(Lock::overlay);
    let models = own_models(&found.lane, &found.models_root);
    LaneInput {
        planned,
        files: digests,
        files_dir,
        unlocked,
        overlay_dir: overlay.map(|pin| found.overlays.unpacked(pin)),
        stderr_file: found.lane.exec.as_ref().map(|_| stderr.join(format!("{}.log", found.lane.name))),
        variables: variables(&found.lane),
        executable: bundle.filter(|_| found.lane.launcher.is_own_executable()).map(bundled::executable),
        packed: bundle.and_then(|bundle| bundled::packed(bundle, &found)),
        lock: found.lock,
        lane: found.lane,
        source: found.source,
        overlays: found.overlays,
        trees: found.trees,
        models,
        models_root: found.models_root,
    }
}

/// The files of the lane's own models, each where its container finds it. What cannot be listed is refused by the lock.
fn own_models(lane: &Lane, root: &Path) -> Vec<ModelMount> {
    let mut mounts = Vec::new();
    for input in lane.inputs.values() {
        let Input::Model { path, target: Some(target), .. } = input else { continue };
        for (name, file) in model_input_files(&root.join(path)).unwrap_or_default() {
            let target = if name.is_empty() { target.clone() } else { format!("{target}/{name}") };
            if let Some(source) = file.canonicalize().ok().as_deref().and_then(Path::to_str) {
                mounts.push(ModelMount { source: source.to_owned(), target });
            }
        }
    }
    mounts
}

/// That each lane can do the plan's cells at all, whatever the host has.
pub(super) fn check_cells(plan: &Plan, lanes: &[FoundLane]) -> Result<(), Error> {
    let cells = plan.cells()?;
    let faults = lanes.iter().flat_map(|found| cells.iter().filter_map(|cell| cannot_do(&found.lane, cell)));
    match faults.into_iter().next() {
        None => Ok(()),
        Some(found) => Err(Error::usage(found, "take the lane out of the plan, or a plan of cells that it can do")),
    }
}

/// That the built-in engine can run the checkpoint, where a lane that the plan needs is its.
pub(super) fn check_model<'a>(
    experiment: &Experiment,
    lanes: impl IntoIterator<Item = &'a FoundLane>,
) -> Result<(), Error> {
    let needed = |found: &&FoundLane| experiment.plan.lane(&found.lane.name).is_some_and(|planned| !planned.optional);
    let Some(native) = lanes.into_iter().filter(needed).find(|found| found.lane.runner == NATIVE) else {
        return Ok(());
    };
    ModelConfig::load(&experiment.model_dir).map(drop).map_err(|error| {
        let found = format!("lane {} runs the built-in engine: {error}", native.lane.name);
        Error::usage(found, "take the lane out of the plan, or give a checkpoint that the engine runs")
    })
}

/// Which of the environment variables that the lane needs are set.
pub(super) fn variables(lane: &Lane) -> BTreeSet<String> {
    let is_set = |name: &&String| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    lane.needs.credentials.iter().filter(is_set).cloned().collect()
}

/// Why a lane's lock keeps it from running, here and everywhere.
pub(super) fn lock_faults_of(found: &FoundLane) -> Vec<Missing> {
    let (files, variables) = (found.file_digests(), variables(&found.lane));
    lock_faults(Question {
        lane: &found.lane,
        lock: found.lock.as_ref(),
        files: &files,
        unlocked: false,
        overlays: &found.overlays,
        models_root: &found.models_root,
        variables: &variables,
    })
}

/// What keeps a lane from running here, its lock included.
pub(super) fn missing_of(project: &Project, found: &FoundLane, unlocked: bool) -> Result<Vec<Missing>, Error> {
    let (files, variables) = (found.file_digests(), variables(&found.lane));
    let question = Question {
        lane: &found.lane,
        lock: found.lock.as_ref(),
        files: &files,
        unlocked,
        overlays: &found.overlays,
        models_root: &found.models_root,
        variables: &variables,
    };
    let (path, engine, gpus) = (search_path(), docker_host(), visible_gpus());
    let (docker_host, visible_gpus) = (engine.as_deref(), gpus.as_deref());
    let around = Surroundings { search_path: &path, docker_host, visible_gpus, folder: project.root() };
    Ok(missing(question, around)?)
}

/// The executable of this process, as a path that other processes can start.
pub(super) fn own_executable() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(Error::file("finding", "the executable of this process"))
}

/// Folders that programs are searched in.
pub(super) fn search_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

/// Which GPUs are ours, as CUDA's programs are told it, when they are told.
fn visible_gpus() -> Option<String> {
    std::env::var("CUDA_VISIBLE_DEVICES").ok()
}

/// The Docker engine's address, when one is set.
pub(super) fn docker_host() -> Option<String> {
    std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty())
}
