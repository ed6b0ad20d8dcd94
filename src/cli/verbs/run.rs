//! `lockstep run PLAN`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::conclude::measure_and_conclude;
use crate::cli::assemble::Assembly;
use crate::cli::calibrations;
use crate::cli::counts::Counts;
use crate::cli::output::{Format, note};
use crate::cli::prepare::{Experiment, Model, experiment};
use crate::cli::run_folder::{RunFacts, RunFolder};
use crate::cli::{Error, Exit, Project};
use crate::supervise;

/// Options of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep run quickstart\n  lockstep run quickstart --model ~/models/Qwen2.5-0.5B")]
pub(in crate::cli) struct Options {
    /// Name of a plan, or a file ending in .toml.
    plan: String,
    /// Checkpoint folder (config.json, safetensors, tokenizer.json) to run the plan on, in place of its own model.
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

/// How a run goes about it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(in crate::cli) struct Way {
    /// Let lanes without a lock run; their rows say so, and no snapshot can be accepted from them.
    #[arg(long)]
    pub(super) unlocked: bool,
    /// Do not sample GPUs (power, clocks, heat, memory, PCIe) while lanes are measured; the journal says so.
    #[arg(long)]
    no_telemetry: bool,
    #[command(flatten)]
    pause: Pause,
}

/// When a run pauses by itself.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(in crate::cli) struct Pause {
    /// Pause after so many seconds, as after Ctrl-C; `lockstep resume` goes on where the run stopped.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    time_budget: Option<u32>,
}

impl Pause {
    pub(super) fn after(self) -> Option<Duration> {
        self.time_budget.map(|seconds| Duration::from_secs(u64::from(seconds)))
    }
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let (_, found) = project.plan(&options.plan)?;
    let model = Model::chosen(options.model.as_deref());
    let experiment = experiment(project, &options.plan, &found.text, model, options.counts)?;
    begin(project, experiment, &found.source, options.way, options.format)
}

/// Makes the run's folder and measures.
pub(super) fn begin(
    project: &Project,
    experiment: Experiment,
    plan_source: &str,
    way: Way,
    format: Format,
) -> Result<Exit, Error> {
    let Way { unlocked, no_telemetry, pause } = way;
    let lanes = experiment.plan.lanes.iter().map(|lane| project.lane(&lane.name)).collect::<Result<Vec<_>, _>>()?;
    let mut facts = RunFacts {
        schema: 1,
        run: String::new(),
        plan_source: plan_source.to_owned(),
        lane_sources: lanes.iter().map(|l| (l.lane.name.clone(), l.source.clone())).collect::<BTreeMap<_, _>>(),
        model_dir: experiment.model_dir.clone(),
        unlocked,
        no_telemetry,
        confirms: None,
    };
    let folder = RunFolder::create(project, &mut facts, &experiment.text, &lanes)?;
    note(&format!("run {} of plan {} ({plan_source})", folder.id, experiment.plan.name));
    let assembly = Assembly {
        unlocked,
        telemetry: !no_telemetry,
        calibration: calibrations::known(project, supervise::host_facts().machine)?,
        time_budget: pause.after(),
        ..Assembly::of(experiment, lanes, &folder)
    };
    measure_and_conclude(project, assembly, format)
}
