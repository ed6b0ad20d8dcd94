//! `lockstep calibrate PLAN`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::run::lanes_of;
use crate::cli::assemble::{Assembly, check_cells, check_model, own_executable};
use crate::cli::calibrations;
use crate::cli::counts::Counts;
use crate::cli::durable::write_whole;
use crate::cli::output::{Format, emit, emit_json, note, style};
use crate::cli::pair_plan::{control, pair_text, with_seed};
use crate::cli::prepare::{Experiment, Model, experiment};
use crate::cli::progress::Progress;
use crate::cli::run_folder::{RunFacts, RunFolder};
use crate::cli::{Error, Exit, Project};
use crate::journal::{CalibrationState, compress, read_file};
use crate::plan::Plan;
use crate::report;
use crate::snapshot::host_class;
use crate::supervise::{self, Ended, Event};
use crate::terms::{Digest, HostFacts, significant};
use crate::verdict::{CalibrationFacts, Conclusion, PAIRS_NEEDED, PairFinding, calibration, judge, pair_finding};

/// Options of `calibrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep calibrate quickstart\n  lockstep calibrate quickstart --slowdown 1,3 \
                        --launches 6\n\nStopped, the same command goes on where it was.")]
pub(in crate::cli) struct Options {
    /// Name of a plan that holds a lane against itself (a negative control), or a file ending in .toml.
    plan: String,
    /// Checkpoint folder to run it on, in place of the plan's own model.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// Pairs of equal lanes; below 200 the false-positive rate stays unknown.
    #[arg(long, value_name = "N", default_value_t = PAIRS_NEEDED)]
    verdicts: u64,
    /// Sizes of the slowdown that one lane of a pair gets, in percent.
    #[arg(long, value_name = "PCT,PCT…", value_delimiter = ',', default_values_t = [2.0, 5.0, 10.0, 20.0])]
    slowdown: Vec<f64>,
    /// Pairs for each size.
    #[arg(long, value_name = "N", default_value_t = 20)]
    slowed_verdicts: u64,
    #[command(flatten)]
    counts: Counts,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Launches and repetitions of a pair where the options name none: little enough for hundreds of pairs.
const PAIR: Counts = Counts::of(4, 5, 1);

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    if let Some(pct) = options.slowdown.iter().find(|pct| !(**pct > 0.0 && **pct <= 500.0)) {
        return Err(Error::usage(format!("--slowdown {pct}"), "give sizes above 0 and up to 500 percent"));
    }
    let mut bench = Bench::set_up(project, options)?;
    let mut slowed = Vec::with_capacity(options.slowdown.len());
    let Some(pairs) = bench.pairs(None, options.verdicts)? else { return Ok(stopped(options)) };
    for pct in &options.slowdown {
        let Some(found) = bench.pairs(Some(*pct), options.slowed_verdicts)? else { return Ok(stopped(options)) };
        slowed.push((*pct, found));
    }
    let Some(measured_at) = bench.measured_at.clone() else {
        let hint = "ask for more with --verdicts or --slowed-verdicts";
        return Err(Error::usage("no pair was asked for".to_owned(), hint));
    };
    let facts = CalibrationFacts {
        measured_at,
        plan: bench.name.clone(),
        lane: bench.lane.clone(),
        binary: bench.binary,
        host_class: host_class(&bench.host).as_str().to_owned(),
    };
    let found = calibration(facts, &bench.experiment.plan, &pairs, &slowed)?;
    let kept = calibrations::keep(project, &bench.host, &found)?;
    match options.format {
        Format::Json => emit_json(&found)?,
        Format::Text => emit(&report::calibration_text(&found, style()))?,
    }
    note(&format!("kept in {}; later journals of this host carry it", kept.display()));
    Ok(match found.state {
        CalibrationState::Passed => Exit::AsExpected,
        CalibrationState::Failed => Exit::Changed,
        CalibrationState::Unknown => Exit::Inconclusive,
    })
}

fn stopped(options: &Options) -> Exit {
    note(&format!("stopped; `lockstep calibrate {}` with the same options goes on", options.plan));
    Exit::Inconclusive
}

/// What all pairs share.
struct Bench<'a> {
    project: &'a Project,
    experiment: Experiment,
    name: String,
    lane: String,
    slowed_lane: String,
    host: HostFacts,
    binary: Digest,
    folder: PathBuf,
    /// When the first of the pairs was measured.
    measured_at: Option<String>,
}

impl<'a> Bench<'a> {
    fn set_up(project: &'a Project, options: &Options) -> Result<Self, Error> {
        let (plan, found) = project.plan(&options.plan)?;
        let text = pair_text(&found.text, &plan)?;
        let lanes = lanes_of(project, &Plan::parse(&options.plan, &text)?)?;
        let model = Model::chosen(options.model.as_deref());
        let experiment = experiment(project, &options.plan, &text, model, options.counts.or(PAIR))?;
        let contrast = control(&experiment.plan)?;
        check_cells(&experiment.plan, &lanes)?;
        check_model(&experiment, &lanes)?;
        let (lane, slowed_lane) = (contrast.baseline.clone(), contrast.candidate.clone());
        let executable = own_executable()?;
        let binary = Digest::of_file(&executable).map_err(Error::file("reading", &executable))?;
        let host = supervise::host_facts();
        let folder = calibrations::pairs(project, &host, experiment.plan.digest(), binary);
        let name = plan.name;
        Ok(Self { project, experiment, name, lane, slowed_lane, host, binary, folder, measured_at: None })
    }

    /// The findings of `count` pairs, one lane slowed down by `slowdown_pct`; those that an earlier command measured are
    /// judged again, the others measured. None when stopped.
    fn pairs(&mut self, slowdown_pct: Option<f64>, count: u64) -> Result<Option<Vec<PairFinding>>, Error> {
        let what =
            slowdown_pct.map_or("pairs of equal lanes".to_owned(), |pct| format!("pairs with a slowdown of {pct} %"));
        let mut progress = Progress::new();
        progress.begin_of(&what, 0, count);
        let mut found = Vec::new();
        for index in 0..count {
            let kind = slowdown_pct.map_or("equal".to_owned(), |pct| format!("slowed-{}", significant(pct, 6)));
            let name = format!("{kind}-{index:04}");
            let seed = seed(self.experiment.plan.seed, &name);
            let text = with_seed(&self.experiment.text, seed)?;
            let plan = Plan::parse(&name, &text)?;
            let journal = self.folder.join(format!("{name}.jsonl.xz"));
            if !journal.exists() && !self.measure(&name, &plan, &text, slowdown_pct, &mut progress)? {
                progress.finish();
                return Ok(None);
            }
            let journal = read_file(&journal)?;
            let verdict = judge(&plan, &journal)?;
            if matches!(verdict.conclusion, Conclusion::Refused | Conclusion::NothingMeasured) {
                progress.finish();
                let found = format!("pair {name}: {}", verdict.reasons.join("; "));
                return Err(Error::usage(found, "see `lockstep preflight` of the lane, and set it right"));
            }
            let started = verdict.journal.segments.first().map(|segment| segment.started_at.clone());
            self.measured_at = self.measured_at.take().into_iter().chain(started).min();
            let finding = pair_finding(&verdict);
            progress.count(if finding.different { "different" } else { "not different" });
            found.push(finding);
        }
        progress.finish();
        Ok(Some(found))
    }

    /// Measures one pair in a folder that goes afterwards; its plan and its journal stay. False when stopped.
    fn measure(
        &self,
        name: &str,
        plan: &Plan,
        text: &str,
        slowdown_pct: Option<f64>,
        progress: &mut Progress,
    ) -> Result<bool, Error> {
        let passing = self.folder.join(format!(".{name}"));
        remove(&passing)?;
        let folder = RunFolder::aside(passing.clone());
        let lanes = lanes_of(self.project, plan)?;
        let mut facts = RunFacts {
            schema: 1,
            run: String::new(),
            plan_source: self.name.clone(),
            lane_sources: lanes.iter().map(|l| (l.lane.name.clone(), l.source.clone())).collect::<BTreeMap<_, _>>(),
            model_dir: self.experiment.model_dir.clone(),
            unlocked: false,
            no_telemetry: false,
            confirms: None,
            bundle: None,
            executables: BTreeMap::new(),
        };
        folder.fill(&mut facts, text, &lanes)?;
        let inputs = Assembly {
            plan: plan.clone(),
            slowdowns: slowdown_pct.map(|pct| (self.slowed_lane.clone(), pct)).into_iter().collect(),
            ..Assembly::of(self.experiment.clone(), lanes, &folder)
        }
        .inputs()?;
        let ended = supervise::run(&inputs, &mut |event| match event {
            Event::Warning(_) | Event::Stopping | Event::OrphanRemoved(_) => progress.show(event),
            Event::Lane { reason: Some(_), .. } => progress.show(event),
            _ => {}
        });
        if ended? == Ended::Paused {
            remove(&passing)?;
            return Ok(false);
        }
        let journal = folder.file("journal.jsonl");
        let bytes = std::fs::read(&journal).map_err(Error::file("reading", &journal))?;
        write_whole(&self.folder.join(format!("{name}.toml")), text.as_bytes())?;
        write_whole(&self.folder.join(format!("{name}.jsonl.xz")), &compress(&bytes))?;
        remove(&passing)?;
        Ok(true)
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file("removing", folder)(error)),
        _ => Ok(()),
    }
}

/// The seed of a pair's order: its own, and the same whenever it is measured.
fn seed(plan_seed: u64, name: &str) -> u64 {
    let digest = Digest::of(format!("{plan_seed} {name}").as_bytes()).hex();
    digest.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(plan_seed)
}
