//! `lockstep exit-codes`, which is also `lockstep help exit-codes`.

use crate::cli::exit::table_text;
use crate::cli::output::emit;
use crate::cli::{Error, Exit};

pub(in crate::cli) fn execute() -> Result<Exit, Error> {
    emit(&table_text())?;
    Ok(Exit::AsExpected)
}
