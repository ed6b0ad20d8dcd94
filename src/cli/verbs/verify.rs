//! `lockstep verify RUN`.

use super::conclude::class_of;
use crate::cli::output::{Format, emit, emit_json, note, style};
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::report;
use crate::snapshot::compare;
use crate::snapshot::store::{self, Found};

/// Options of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep verify latest")]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    #[arg(default_value = "latest")]
    run: String,
    /// How the comparison is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let folder = RunFolder::find(project, &options.run)?;
    let (plan, _, verdict) = folder.judge()?;
    let stored = std::fs::read_to_string(folder.file("verdict.json")).unwrap_or_default();
    if stored != report::json(&verdict)? {
        let found = format!("{} is not what plan and journal give", folder.file("verdict.json").display());
        return Err(Error::usage(
            found,
            "`lockstep judge` derives it again; somebody edited one of the three, or the run is unfinished",
        ));
    }
    let class = class_of(&verdict)?;
    let found = store::find(&project.snapshots(), &plan.name, &class)?;
    let (Found::Own(_, then) | Found::Other(_, then)) = &found else {
        let text = format!("no snapshot of plan {} is in {}", plan.name, project.snapshots().display());
        note(&format!("{text}; `lockstep accept {}` makes this run's verdict the snapshot of {class}", folder.id));
        return Ok(Exit::first_of([Exit::SnapshotMissing, Exit::from(verdict.conclusion)]));
    };
    let comparison = compare(then, &verdict, plan.statistics.band_pct);
    match options.format {
        Format::Json => emit_json(&comparison)?,
        Format::Text => emit(&report::comparison_text(&comparison, style()))?,
    }
    Ok(Exit::first_of([Exit::from(comparison.status()), Exit::from(verdict.conclusion)]))
}
