//! `lockstep run PLAN`, and `lockstep run --bundle FILE`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::conclude::{conclude, measure};
use crate::bundle::{self, Bundle};
use crate::cli::assemble::{Assembly, check_cells, check_model};
use crate::cli::bundled::{BundleFacts, has_route, lay_out_overlays, unpack};
use crate::cli::calibrations;
use crate::cli::counts::Counts;
use crate::cli::output::{Format, note};
use crate::cli::prepare::{Experiment, Model, experiment};
use crate::cli::project::FoundLane;
use crate::cli::run_folder::{ExecutableFacts, RunFacts, RunFolder};
use crate::cli::{Error, Exit, Project};
use crate::plan::Plan;
use crate::supervise::{self, LaneExecutable};
use crate::terms::{Axes, Digest};
use crate::verdict::undecided_without_control;

/// Options of `run`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lockstep run quickstart\n  lockstep run quickstart --model ~/models/Qwen2.5-0.5B\n  \
    lockstep run --bundle quickstart.bundle\n  \
    lockstep run gate --executable native-base=base/lockstep --executable native-base-again=base/lockstep"
)]
pub(in crate::cli) struct Options {
    /// Name of a plan, or a file ending in .toml.
    #[arg(required_unless_present = "bundle", conflicts_with = "bundle")]
    plan: Option<String>,
    /// Take plan, lanes, locks, images, model and lockstep for the lanes from this bundle, and nothing from elsewhere.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "launches", "repetitions", "warmup", "unlocked", "executable"])]
    bundle: Option<PathBuf>,
    /// The digest that the bundle was published with.
    #[arg(long, value_name = "DIGEST", requires = "bundle")]
    expect: Option<Digest>,
    /// Checkpoint folder (config.json, safetensors, tokenizer.json) to run the plan on, in place of its own model.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    #[command(flatten)]
    counts: Counts,
    /// The lockstep that a lane of the built-in engine runs in place of this one; may be given once for each lane.
    #[arg(long, value_name = "LANE=PATH", value_parser = lane_and_path)]
    executable: Vec<(String, PathBuf)>,
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

/// `LANE=PATH`.
fn lane_and_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((lane, path)) if !lane.is_empty() && !path.is_empty() => Ok((lane.to_owned(), PathBuf::from(path))),
        _ => Err("expected a lane's name, `=` and the path of a lockstep executable".to_owned()),
    }
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    if let Some(file) = &options.bundle {
        return of_bundle(project, file, options);
    }
    let Some(name) = &options.plan else {
        return Err(Error::usage("neither a plan nor a bundle", "name a plan, or a bundle by --bundle FILE"));
    };
    let (plan, found) = project.plan(name)?;
    let lanes = lanes_of(project, &plan)?;
    let executables = executables(&plan, &lanes, &options.executable)?;
    let model = Model::chosen(options.model.as_deref());
    let experiment = experiment(project, name, &found.text, model, options.counts)?;
    let Options { way, format, .. } = *options;
    let start = Start { plan_source: found.source, lanes, way, format, executables, bundle: None };
    begin(project, experiment, start)
}

/// Runs what a bundle holds. That nothing else is used is seen to by construction (the project is the extracted bundle,
/// no image is pulled, the model is not generated) and shown afterwards, by comparing every byte again.
fn of_bundle(project: &Project, file: &Path, options: &Options) -> Result<Exit, Error> {
    let bundle = unpack(project, file, options.expect)?;
    let contents = &bundle.contents;
    note(&format!("bundle {}: {} files, each as its list says", contents.digest, contents.files.len()));
    for lane in contents.lanes.iter().filter(|lane| !lane.from_host.is_empty()) {
        note(&format!("lane {} runs {} of this host, which no bundle holds", lane.name, lane.from_host.join(", ")));
    }
    lay_out_overlays(project, &bundle)?;
    let project = project.within(bundle.folder.clone());
    let (plan, found) = project.plan(&contents.plan)?;
    let lanes = lanes_of(&project, &plan)?;
    let model_dir = bundle.path(&contents.model.folder);
    let experiment = experiment(&project, &contents.plan, &found.text, Model::Known(&model_dir), Counts::default())?;
    if experiment.plan.digest() != contents.plan_sha256 {
        let found =
            format!("the bundle's plan is {}, and its list says {}", experiment.plan.digest(), contents.plan_sha256);
        return Err(Error::usage(found, "the bundle was made by another lockstep: run the one in its folder bin"));
    }
    let Options { way, format, .. } = *options;
    let start = Start {
        plan_source: found.source,
        lanes,
        way: Way { unlocked: false, ..way },
        format,
        executables: BTreeMap::new(),
        bundle: Some(bundle),
    };
    begin(&project, experiment, start)
}

/// The plan's lanes: looked for before a model is made for them, since a run that cannot begin leaves nothing behind.
pub(super) fn lanes_of(project: &Project, plan: &Plan) -> Result<Vec<FoundLane>, Error> {
    plan.lanes.iter().map(|lane| project.lane(&lane.name)).collect()
}

/// The executables that lanes were given, each read now.
fn executables(
    plan: &Plan,
    lanes: &[FoundLane],
    given: &[(String, PathBuf)],
) -> Result<BTreeMap<String, LaneExecutable>, Error> {
    let mut executables = BTreeMap::new();
    for (lane, path) in given {
        let Some(found) = lanes.iter().find(|found| found.lane.name == *lane) else {
            let names: Vec<&str> = plan.lanes.iter().map(|lane| lane.name.as_str()).collect();
            let found = format!("--executable names the lane {lane:?}, which plan {} does not have", plan.name);
            return Err(Error::usage(found, format!("its lanes: {}", names.join(", "))));
        };
        if !found.lane.launcher.is_own_executable() {
            let found = format!("lane {lane} does not run lockstep itself");
            return Err(Error::usage(found, "--executable is for lanes of the built-in engine"));
        }
        let path = std::path::absolute(path).map_err(Error::file("finding", path))?;
        let digest = Digest::of_file(&path).map_err(Error::file("reading the executable", &path))?;
        if executables.insert(lane.clone(), LaneExecutable { path, digest }).is_some() {
            return Err(Error::usage(format!("--executable names the lane {lane:?} twice"), "give one for each lane"));
        }
    }
    Ok(executables)
}

/// What will stay undecided for want of a negative control, told before time is spent on it.
pub(super) fn want_of_control(plan: &Plan, lanes: &[FoundLane]) -> Option<String> {
    let declared: Vec<&Axes> = lanes.iter().map(|found| &found.lane.axes).collect();
    let undecided = undecided_without_control(plan, &declared);
    (!undecided.is_empty()).then(|| {
        format!(
            "plan {} has no negative control, so that nothing will be decided on times, whatever is measured: {}; to try: give \
             a workload of eager cells, whose time the device decides, `steady_within_pct`, or compare two lanes of one eager stack \
             as a `negative_control`",
            plan.name,
            undecided.join(", ")
        )
    })
}

/// What differs between the ways to begin a run.
pub(super) struct Start {
    pub plan_source: String,
    /// Those of the plan.
    pub lanes: Vec<FoundLane>,
    pub way: Way,
    pub format: Format,
    pub executables: BTreeMap<String, LaneExecutable>,
    pub bundle: Option<Bundle>,
}

/// Makes the run's folder, measures and concludes.
pub(super) fn begin(project: &Project, experiment: Experiment, start: Start) -> Result<Exit, Error> {
    let Start { plan_source, lanes, way, format, executables, bundle } = start;
    let Way { unlocked, no_telemetry, pause } = way;
    check_cells(&experiment.plan, &lanes)?;
    // An executable of its own may have what this one has not.
    check_model(&experiment, lanes.iter().filter(|found| !executables.contains_key(&found.lane.name)))?;
    let named = |(lane, own): (&String, &LaneExecutable)| {
        (lane.clone(), ExecutableFacts { path: own.path.clone(), sha256: own.digest })
    };
    let mut facts = RunFacts {
        schema: 1,
        run: String::new(),
        plan_source,
        lane_sources: lanes.iter().map(|l| (l.lane.name.clone(), l.source.clone())).collect::<BTreeMap<_, _>>(),
        model_dir: experiment.model_dir.clone(),
        unlocked,
        no_telemetry,
        confirms: None,
        bundle: bundle.as_ref().map(BundleFacts::of),
        executables: executables.iter().map(named).collect(),
    };
    let folder = RunFolder::create(project, &mut facts, &experiment.text, &lanes)?;
    note(&format!("run {} of plan {} ({})", folder.id, experiment.plan.name, facts.plan_source));
    if let Some(told) = want_of_control(&experiment.plan, &lanes) {
        note(&told);
    }
    let assembly = Assembly {
        unlocked,
        telemetry: !no_telemetry,
        calibration: calibrations::known(project, &supervise::host_facts())?,
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
    conclude(project, &folder, format)
}

/// Compares the extracted bundle with its list again, and keeps the list with the run.
pub(super) fn show_unchanged(folder: &RunFolder, bundle: &Bundle) -> Result<(), Error> {
    let again = bundle::check(&bundle.folder)?;
    let list = bundle.path("bundle.json");
    folder.write("bundle.json", &std::fs::read(&list).map_err(Error::file("reading", &list))?)?;
    let network =
        if has_route() { "this host has a network, which nothing of the run asks" } else { "this host has no network" };
    note(&format!(
        "the run used bundle {} alone: its {} files are unchanged, no image was pulled, {network}",
        again.contents.digest,
        again.contents.files.len()
    ));
    Ok(())
}
