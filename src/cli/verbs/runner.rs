//! `lockstep runner`: the process inside a native lane.

use crate::cli::{Error, Exit};
use crate::runner::{NativeBackend, serve, take_stdout};

pub(in crate::cli) fn execute() -> Result<Exit, Error> {
    let wire = take_stdout().map_err(Error::file("keeping for the wire", "standard output"))?;
    // A supervisor that vanished needs no answer, and whoever finds this process needs it gone.
    serve(std::io::stdin(), wire, NativeBackend::default(), || std::process::exit(i32::from(Exit::Usage.code())))?;
    Ok(Exit::AsExpected)
}
