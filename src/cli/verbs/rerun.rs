//! `lockstep rerun RUN --failed`.

use super::resume::go_on;
use super::run::Pause;
use crate::cli::output::Format;
use crate::cli::{Error, Exit, Project};
use crate::supervise::Mode;

/// Options of `rerun`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep rerun latest --failed")]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    run: String,
    /// Run again what failed. The failed rows stay; the new ones are further attempts.
    #[arg(long, required = true)]
    failed: bool,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    // Clap requires the flag, which keeps room for reruns of another choice.
    debug_assert!(options.failed);
    go_on(project, &options.run, Mode::MissingAndFailed, Pause::default(), options.format)
}
