//! `lockstep resume RUN`.

use super::conclude::measure_and_conclude;
use crate::cli::assemble::Assembly;
use crate::cli::counts::Counts;
use crate::cli::output::Format;
use crate::cli::prepare::{Experiment, Model, experiment};
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::supervise::Mode;

/// Options of `resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep resume latest")]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    #[arg(default_value = "latest")]
    run: String,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    go_on(project, &options.run, Mode::Missing, options.format)
}

/// Goes on with a run: its plan, lanes and files are those of its folder, its locks those that are current.
pub(super) fn go_on(project: &Project, run: &str, mode: Mode, format: Format) -> Result<Exit, Error> {
    let folder = RunFolder::find(project, run)?;
    let facts = folder.facts()?;
    let (plan, text) = folder.plan()?;
    let mut lanes = Vec::with_capacity(plan.lanes.len());
    for lane in &plan.lanes {
        let mut found = project.lane(&lane.name)?;
        if !folder.holds(&found)? {
            let found = format!("lane {} is not what it was when run {} began", lane.name, folder.id);
            return Err(Error::usage(found, "start a new run, or restore the lane's manifest and files"));
        }
        found.source = facts.lane_sources.get(&lane.name).cloned().unwrap_or(found.source);
        lanes.push(found);
    }
    let file = folder.file("plan.toml").display().to_string();
    let model = if plan.model.synthetic.is_some() { Model::OfPlan } else { Model::Known(&facts.model_dir) };
    let Experiment { plan, text: _, model_dir, model, axes, max_positions } =
        experiment(project, &file, &text, model, Counts::default())?;
    let assembly = Assembly {
        plan,
        lanes,
        folder: &folder,
        model_dir,
        model,
        model_axes: axes,
        max_positions,
        unlocked: facts.unlocked,
        mode,
    };
    measure_and_conclude(project, assembly, format)
}
