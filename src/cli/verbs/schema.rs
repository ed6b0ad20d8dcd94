//! `lockstep schema NAME`.

use schemars::{Schema, schema_for};

use crate::audit::{Audited, ClaimLine};
use crate::bundle::Contents;
use crate::cli::output::emit_json;
use crate::cli::run_folder::RunFacts;
use crate::cli::{Error, Exit};
use crate::journal::{Calibration, Record};
use crate::plan;
use crate::snapshot::{Comparison, Snapshot};
use crate::terms::nearest;
use crate::verdict::{PublishedVerdict, Verdict};
use crate::wire::{Reply, Request};

/// Options of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep schema\n  lockstep schema plan > plan.schema.json")]
pub(in crate::cli) struct Options {
    /// The format; without one the names are listed.
    name: Option<String>,
}

/// Formats that are no plan, lane or lock.
const OTHERS: [&str; 12] = [
    "audit",
    "bundle",
    "calibration",
    "claims",
    "comparison",
    "journal",
    "published-verdict",
    "run",
    "snapshot",
    "verdict",
    "wire-request",
    "wire-reply",
];

pub(in crate::cli) fn execute(options: &Options) -> Result<Exit, Error> {
    let names = || plan::SCHEMA_NAMES.into_iter().chain(OTHERS);
    let Some(name) = options.name.as_deref() else {
        emit_json(&names().collect::<Vec<_>>())?;
        return Ok(Exit::AsExpected);
    };
    let schema: Option<Schema> = match name {
        "audit" => Some(schema_for!(Vec<Audited>)),
        "bundle" => Some(schema_for!(Contents)),
        "calibration" => Some(schema_for!(Calibration)),
        "claims" => Some(schema_for!(ClaimLine)),
        "comparison" => Some(schema_for!(Comparison)),
        "journal" => Some(journal_line()),
        "published-verdict" => Some(schema_for!(PublishedVerdict)),
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

/// A record as it stands in the file: with its place in the chain as last key.
fn journal_line() -> Schema {
    let mut schema = schema_for!(Record);
    let chain = serde_json::json!({
        "description": "SHA-256, in hex, of the previous line's chain, a line feed and this record without this key.",
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
    });
    let kinds = schema.get_mut("oneOf").and_then(serde_json::Value::as_array_mut);
    for kind in kinds.into_iter().flatten() {
        if let Some(properties) = kind.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
            properties.insert("chain".to_owned(), chain.clone());
        }
        if let Some(required) = kind.get_mut("required").and_then(serde_json::Value::as_array_mut) {
            required.push("chain".into());
        }
    }
    schema
}
