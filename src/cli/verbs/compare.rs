//! `lockstep compare RUN RUN`.

use crate::cli::output::{Format, emit, style};
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::report;
use crate::snapshot::compare_runs;

/// Options of `compare`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep compare 20260101T120000123Z-ab12 latest")]
pub(in crate::cli) struct Options {
    /// The first run.
    first: String,
    /// The second run.
    second: String,
    /// How the comparison is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let (_, _, first) = RunFolder::find(project, &options.first)?.judge()?;
    let (_, _, second) = RunFolder::find(project, &options.second)?.judge()?;
    let comparison = compare_runs(&first, &second);
    match options.format {
        Format::Json => emit(&report::run_comparison_json(&comparison)?)?,
        Format::Text => emit(&report::run_comparison_text(&comparison, style()))?,
    }
    Ok(if comparison.differs() { Exit::Changed } else { Exit::AsExpected })
}
