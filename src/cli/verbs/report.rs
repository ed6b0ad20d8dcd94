//! `lockstep report RUN`.

use crate::cli::output::emit;
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::report;

/// Options of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep report latest\n  lockstep report latest --format junit > junit.xml")]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    #[arg(default_value = "latest")]
    run: String,
    /// The report's form.
    #[arg(long, value_enum, default_value_t = Form::Md)]
    format: Form,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For the terminal.
    Text,
    /// Markdown, for review and publication.
    Md,
    /// The verdict.
    Json,
    /// JUnit XML, for CI.
    Junit,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let (_, _, verdict) = RunFolder::find(project, &options.run)?.judge()?;
    match options.format {
        Form::Text => emit(&report::text(&verdict, crate::cli::output::style()))?,
        Form::Md => emit(&report::markdown(&verdict))?,
        Form::Json => emit(&report::json(&verdict)?)?,
        Form::Junit => emit(&report::junit(&verdict)?)?,
    }
    Ok(Exit::AsExpected)
}
