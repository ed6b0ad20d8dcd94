//! `lockstep lane NAME`.

use std::path::PathBuf;

use super::run::{Pause, begin};
use crate::cli::counts::Counts;
use crate::cli::output::Format;
use crate::cli::prepare::{Model, experiment, with_lane_alone};
use crate::cli::{Error, Exit, Project};

/// Options of `lane`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep lane native\n  nix run .#lane -- native --plan quickstart")]
pub(in crate::cli) struct Options {
    /// Name of the lane; `lockstep lanes` lists them.
    name: String,
    /// Plan whose cells it runs.
    #[arg(long, value_name = "PLAN", default_value = "quickstart")]
    plan: String,
    /// Checkpoint folder to run the plan on, in place of its own model.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    #[command(flatten)]
    counts: Counts,
    /// Let the lane run without a lock.
    #[arg(long)]
    unlocked: bool,
    #[command(flatten)]
    pause: Pause,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    project.lane(&options.name)?;
    let (plan, found) = project.plan(&options.plan)?;
    let text = with_lane_alone(&found.text, &plan, &options.name)?;
    let experiment =
        experiment(project, &options.plan, &text, Model::chosen(options.model.as_deref()), options.counts)?;
    begin(project, experiment, &found.source, options.unlocked, options.pause, options.format)
}
