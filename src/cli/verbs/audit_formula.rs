//! `lockstep audit-formula`: the process in which one formula is computed. Reads a job on standard input, after it has
//! limited itself, and writes one reply on standard output.

use std::process::ExitCode;

use crate::audit::{Confinement, confine, serve};
use crate::cli::Exit;
use crate::cli::output::note;

pub(in crate::cli) fn execute() -> ExitCode {
    let served = confine(Confinement::FORMULA).and_then(|()| serve(std::io::stdin(), std::io::stdout()));
    match served {
        Ok(()) => ExitCode::from(Exit::AsExpected.code()),
        Err(error) => {
            note(&error.to_string());
            ExitCode::from(Exit::Internal.code())
        }
    }
}
