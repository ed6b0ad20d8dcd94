//! `lockstep judge PLAN JOURNAL`.

use std::path::PathBuf;

use crate::cli::output::{Format, emit, style};
use crate::cli::{Error, Exit, Project};
use crate::journal::read_file;
use crate::report;
use crate::verdict::judge;

/// Options of `judge`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep judge runs/ID/plan.toml runs/ID/journal.jsonl --format json\n  \
                        lockstep judge quickstart runs/ID/journal.jsonl")]
pub(in crate::cli) struct Options {
    /// The plan's file, or else the name of a plan.
    plan: String,
    /// The journal's file; `.gz` is unpacked.
    journal: PathBuf,
    /// How the verdict is printed; `json` is byte for byte what a run's verdict.json holds.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let (plan, _) = project.plan_at(&options.plan)?;
    let verdict = judge(&plan, &read_file(&options.journal)?)?;
    match options.format {
        Format::Json => emit(&report::json(&verdict)?)?,
        Format::Text => emit(&report::text(&verdict, style()))?,
    }
    Ok(Exit::from(verdict.conclusion))
}
