//! `lockstep runner`: the process inside a native lane.
//!
//! Its exit statuses are those of `containers/WIRE.md`, not those of the other verbs.

use std::process::ExitCode;

use crate::cli::output::note;
use crate::runner::{Farewell, NativeBackend, serve, take_stdout};

/// `bye` was said.
const BYE: u8 = 0;
/// `fatal` was said, or the wire could not be kept or written.
const FATAL: u8 = 1;
/// The input ended without `bye`.
const ORPHANED: u8 = 3;

pub(in crate::cli) fn execute() -> ExitCode {
    let wire = match take_stdout() {
        Ok(wire) => wire,
        Err(error) => {
            note(&format!("cannot keep standard output for the wire: {error}"));
            return ExitCode::from(FATAL);
        }
    };
    // A supervisor that vanished needs no answer, and whoever finds this process needs it gone.
    let on_orphaned = || std::process::exit(i32::from(ORPHANED));
    match serve(std::io::stdin(), wire, NativeBackend::default(), on_orphaned) {
        Ok(Farewell::Bye) => ExitCode::from(BYE),
        Ok(Farewell::Orphaned) => ExitCode::from(ORPHANED),
        Err(error) => {
            note(&error.to_string());
            ExitCode::from(FATAL)
        }
    }
}
