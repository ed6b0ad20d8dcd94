//! `lockstep preflight NAME`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::assemble::Assembly;
use crate::cli::counts::Counts;
use crate::cli::leftovers::{Passing, preflight_folder};
use crate::cli::output::{Format, emit, emit_json, note, style};
use crate::cli::prepare::{Model, experiment, with_lane_alone};
use crate::cli::progress::Progress;
use crate::cli::run_folder::{RunFacts, RunFolder};
use crate::cli::{Error, Exit, Project};
use crate::journal::LaneState;
use crate::report;
use crate::supervise::{LaneLook, look_at_lane};
use crate::terms::{Observer, Signal};

/// Options of `preflight`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep preflight native-container")]
pub(in crate::cli) struct Options {
    /// Name of the lane.
    name: String,
    /// Plan whose model it loads.
    #[arg(long, value_name = "PLAN", default_value = "quickstart")]
    plan: String,
    /// Checkpoint folder to load, in place of the plan's own model.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Let the lane start without a lock.
    #[arg(long)]
    unlocked: bool,
    /// How the signals are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What is looked at, and how it is told.
pub(super) struct Looking<'a> {
    pub name: &'a str,
    pub plan: &'a str,
    pub model: Option<&'a Path>,
    pub unlocked: bool,
    pub format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let Options { name, plan, model, unlocked, format } = options;
    look(project, &Looking { name, plan, model: model.as_deref(), unlocked: *unlocked, format: *format })
}

/// Starts the lane once, and tells what was seen of it.
pub(super) fn look(project: &Project, options: &Looking<'_>) -> Result<Exit, Error> {
    let found = project.lane(options.name)?;
    let is_server = found.lane.is_server();
    let (plan, source) = project.plan(options.plan)?;
    let alone = with_lane_alone(&source.text, &plan, options.name)?;
    let model = Model::chosen(options.model);
    let experiment = experiment(project, options.plan, &alone, model, Counts::default())?;
    let lanes = vec![found];
    let mut facts = RunFacts {
        schema: 1,
        run: String::new(),
        plan_source: source.source,
        lane_sources: BTreeMap::new(),
        model_dir: experiment.model_dir.clone(),
        unlocked: options.unlocked,
        no_telemetry: true,
        confirms: None,
        bundle: None,
        executables: BTreeMap::new(),
    };
    // Nothing is measured, so no run stays behind.
    let passing = Passing::place(preflight_folder(project))?;
    let folder = RunFolder::aside(passing.path().to_owned());
    folder.fill(&mut facts, &experiment.text, &lanes)?;
    let assembly = Assembly { unlocked: options.unlocked, ..Assembly::of(experiment, lanes, &folder) };
    let inputs = assembly.inputs()?;
    let mut progress = Progress::new();
    let lane = inputs.lanes.first().ok_or_else(|| Error::Internal("a lane that was assembled is gone".to_owned()))?;
    let look = look_at_lane(&inputs, lane, &mut |event| progress.show(event));
    drop(passing);
    let Some(look) = look? else {
        note("stopped");
        return Ok(Exit::Inconclusive);
    };
    match options.format {
        Format::Json => emit_json(&look)?,
        Format::Text => emit(&text(&look))?,
    }
    if is_server && look.declaration.state == LaneState::Ready {
        note("a server is proven up to its health; no client drives its cells yet");
    }
    Ok(match look.declaration.state {
        LaneState::Ready => Exit::AsExpected,
        LaneState::Skipped | LaneState::Refused => Exit::Refused,
    })
}

fn text(look: &LaneLook) -> String {
    let row = |stage: &str, signal: &Signal| {
        let observer = match signal.observer {
            Observer::Supervisor => "supervisor",
            Observer::Runner => "runner",
        };
        vec![stage.to_owned(), signal.name.clone(), observer.to_owned(), signal.value.to_string()]
    };
    let mut rows: Vec<Vec<String>> = look.host.iter().map(|signal| row("host", signal)).collect();
    for seen in &look.looks {
        rows.extend(seen.signals.iter().map(|signal| row(seen.stage.name(), signal)));
    }
    let mut text = report::table(&["stage", "signal", "seen by", "value"], &rows, style());
    let declaration = &look.declaration;
    let names: std::collections::BTreeSet<&String> =
        declaration.declared.keys().chain(declaration.observed.keys()).collect();
    let axes: Vec<Vec<String>> = names
        .into_iter()
        .map(|name| {
            let value = |axes: &crate::terms::Axes| axes.get(name).cloned().unwrap_or_default();
            vec![name.clone(), value(&declaration.declared), value(&declaration.observed)]
        })
        .collect();
    text.push('\n');
    text.push_str(&report::table(&["axis", "declared", "observed"], &axes, style()));
    text.push_str(&match &declaration.failure {
        None => format!("\nlane {} is what it declares\n", declaration.lane),
        Some(failure) => {
            let remedy = failure.remedy.as_ref().map(|remedy| format!("\n  {remedy}")).unwrap_or_default();
            let stderr = match failure.stderr_tail.as_str() {
                "" => String::new(),
                tail => format!("\n  its standard error ends:\n    {}", tail.replace('\n', "\n    ")),
            };
            format!("\nlane {} takes no part: {}{remedy}{stderr}\n", declaration.lane, failure.message)
        }
    });
    text
}
