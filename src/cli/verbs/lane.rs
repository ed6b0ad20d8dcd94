//! `lockstep lane NAME`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::preflight::{Looking, look};
use super::run::{Start, Way, begin};
use crate::cli::assemble::missing_of;
use crate::cli::counts::Counts;
use crate::cli::output::{Format, emit, emit_json};
use crate::cli::prepare::{Model, experiment, with_lane_alone};
use crate::cli::{Error, Exit, Project};
use crate::supervise::Missing;

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
    #[command(flatten)]
    way: Way,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let found = project.lane(&options.name)?;
    let missing = missing_of(project, &found, options.way.unlocked)?;
    if !missing.is_empty() {
        tell(&options.name, &missing, options.format)?;
        return Ok(Exit::Refused);
    }
    if found.lane.is_server() {
        let Options { name, plan, model, way, format, .. } = options;
        let looking = Looking { name, plan, model: model.as_deref(), unlocked: way.unlocked, format: *format };
        return Ok(match look(project, &looking)? {
            // It is what it declares, and of its cells none was run.
            Exit::AsExpected => Exit::NothingMeasured,
            other => other,
        });
    }
    let lanes = vec![found];
    let (plan, found) = project.plan(&options.plan)?;
    let text = with_lane_alone(&found.text, &plan, &options.name)?;
    let experiment =
        experiment(project, &options.plan, &text, Model::chosen(options.model.as_deref()), options.counts)?;
    let Options { way, format, .. } = *options;
    let executables = BTreeMap::new();
    let start = Start { plan_source: found.source, lanes, way, format, executables, bundle: None };
    begin(project, experiment, start)
}

/// What the lane lacks here, as `--format json` prints it.
#[derive(serde::Serialize)]
struct Lacking<'a> {
    lane: &'a str,
    missing: &'a [Missing],
}

/// All of it at once, each with its remedy: nothing was downloaded or started yet.
fn tell(lane: &str, missing: &[Missing], format: Format) -> Result<(), Error> {
    match format {
        Format::Json => emit_json(&Lacking { lane, missing }),
        Format::Text => {
            let mut text = format!("lane {lane} cannot run here; it lacks:\n");
            for one in missing {
                text.push_str(&format!("  {}\n    to try: {}\n", one.sentence(), one.remedy));
            }
            emit(&text)
        }
    }
}
