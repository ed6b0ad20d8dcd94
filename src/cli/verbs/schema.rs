//! `lockstep schema NAME`.

use schemars::{Schema, schema_for};

use crate::cli::output::emit_json;
use crate::cli::run_folder::RunFacts;
use crate::cli::{Error, Exit};
use crate::journal::Record;
use crate::plan;
use crate::snapshot::Snapshot;
use crate::terms::nearest;
use crate::verdict::Verdict;
use crate::wire::{Reply, Request};

/// Options of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep schema\n  lockstep schema plan > plan.schema.json")]
pub(in crate::cli) struct Options {
    /// The format; without one the names are listed.
    name: Option<String>,
}

/// Formats that are no plan, lane or lock.
const OTHERS: [&str; 6] = ["journal", "run", "snapshot", "verdict", "wire-request", "wire-reply"];

pub(in crate::cli) fn execute(options: &Options) -> Result<Exit, Error> {
    let names = || plan::SCHEMA_NAMES.into_iter().chain(OTHERS);
    let Some(name) = options.name.as_deref() else {
        emit_json(&names().collect::<Vec<_>>())?;
        return Ok(Exit::AsExpected);
    };
    let schema: Option<Schema> = match name {
        "journal" => Some(schema_for!(Record)),
        "run" => Some(schema_for!(RunFacts)),
        "snapshot" => Some(schema_for!(Snapshot)),
        "verdict" => Some(schema_for!(Verdict)),
        "wire-request" => Some(schema_for!(Request)),
        "wire-reply" => Some(schema_for!(Reply)),
        other => plan::schema(other),
    };
    let Some(schema) = schema else {
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known: {}", names().collect::<Vec<_>>().join(", ")),
        };
        return Err(Error::usage(format!("there is no schema {name:?}"), hint));
    };
    emit_json(&schema)?;
    Ok(Exit::AsExpected)
}
