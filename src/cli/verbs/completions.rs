//! `lockstep completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::arguments::Arguments;
use crate::cli::output::emit;
use crate::cli::{Error, Exit};

/// Options of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep completions bash > ~/.local/share/bash-completion/completions/lockstep")]
pub(in crate::cli) struct Options {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(in crate::cli) fn execute(options: &Options) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "lockstep", &mut script);
    emit(&String::from_utf8_lossy(&script))?;
    Ok(Exit::AsExpected)
}
