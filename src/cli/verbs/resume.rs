//! `lockstep resume RUN`.

use std::collections::BTreeMap;

use super::conclude::{conclude, measure};
use super::run::{Pause, show_unchanged};
use crate::bundle::Bundle;
use crate::cli::assemble::{Assembly, check_cells};
use crate::cli::bundled::BundleFacts;
use crate::cli::calibrations;
use crate::cli::counts::Counts;
use crate::cli::output::Format;
use crate::cli::prepare::{Experiment, Model, experiment};
use crate::cli::project::FoundLane;
use crate::cli::run_folder::{ExecutableFacts, RunFacts, RunFolder};
use crate::cli::{Error, Exit, Project};
use crate::supervise::{self, LaneExecutable, Mode};
use crate::terms::Digest;

/// Options of `resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep resume latest")]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    #[arg(default_value = "latest")]
    run: String,
    #[command(flatten)]
    pause: Pause,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    go_on(project, &options.run, Mode::Missing, options.pause, options.format)
}

/// Goes on with a run: its plan, lanes and files are those of its folder, its locks those that are current.
pub(super) fn go_on(project: &Project, run: &str, mode: Mode, pause: Pause, format: Format) -> Result<Exit, Error> {
    let folder = RunFolder::find(project, run)?;
    let Again { project, experiment, text: _, lanes, facts, bundle, executables } = again(project, &folder)?;
    let assembly = Assembly {
        unlocked: facts.unlocked,
        telemetry: !facts.no_telemetry,
        mode,
        calibration: calibrations::known(&project, &supervise::host_facts())?,
        time_budget: pause.after(),
        bundle: bundle.clone(),
        executables,
        ..Assembly::of(experiment, lanes, &folder)
    };
    if !measure(assembly)? {
        return Ok(Exit::Inconclusive);
    }
    if let Some(bundle) = &bundle {
        show_unchanged(&folder, bundle)?;
    }
    conclude(&project, &folder, format)
}

/// What a run was made of, found again.
pub(super) struct Again {
    /// The project, or the bundle that the run takes everything from.
    pub project: Project,
    pub experiment: Experiment,
    /// The plan's text.
    pub text: String,
    pub lanes: Vec<FoundLane>,
    pub facts: RunFacts,
    pub bundle: Option<Bundle>,
    pub executables: BTreeMap<String, LaneExecutable>,
}

/// Finds again what the run was made of; a lane that is no longer what it was is an error.
pub(super) fn again(project: &Project, folder: &RunFolder) -> Result<Again, Error> {
    let facts = folder.facts()?;
    let bundle = facts.bundle.as_ref().map(BundleFacts::open).transpose()?;
    let project = &facts.project(project);
    let executables = given_executables(&facts)?;
    let (plan, text) = folder.plan()?;
    let mut lanes = Vec::with_capacity(plan.lanes.len());
    for lane in &plan.lanes {
        let mut found = project.lane(&lane.name)?;
        if let Some(changed) = folder.changed(&found)? {
            let found = format!("lane {} is not what it was when run {} began: {changed}", lane.name, folder.id);
            return Err(Error::usage(found, "start a new run, or restore the lane's manifest and files"));
        }
        found.source = facts.lane_sources.get(&lane.name).cloned().unwrap_or(found.source);
        lanes.push(found);
    }
    let file = folder.file("plan.toml").display().to_string();
    let is_own = plan.model.synthetic.is_some() || plan.model.hub.is_some();
    let model = if is_own && bundle.is_none() { Model::OfPlan } else { Model::Known(&facts.model_dir) };
    let experiment = experiment(project, &file, &text, model, Counts::default())?;
    // Also a run that an older lockstep began, which did not ask.
    check_cells(&experiment.plan, &lanes)?;
    Ok(Again { project: project.clone(), experiment, text, lanes, facts, bundle, executables })
}

/// The executables that lanes were given when the run began; one that is another by now is an error.
fn given_executables(facts: &RunFacts) -> Result<BTreeMap<String, LaneExecutable>, Error> {
    let mut executables = BTreeMap::new();
    for (lane, ExecutableFacts { path, sha256 }) in &facts.executables {
        let digest = Digest::of_file(path).map_err(Error::file("reading the executable", path))?;
        if digest != *sha256 {
            let found = format!("lane {lane} began with {sha256}, and {} is {digest} now", path.display());
            return Err(Error::usage(found, "put that executable back, or start a new run"));
        }
        executables.insert(lane.clone(), LaneExecutable { path: path.clone(), digest });
    }
    Ok(executables)
}
