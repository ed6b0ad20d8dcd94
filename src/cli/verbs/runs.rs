//! `lockstep runs`.

use crate::cli::output::{Format, emit, emit_json, style};
use crate::cli::run_folder::{RunFolder, ids};
use crate::cli::{Error, Exit, Project};
use crate::report;

/// Options of `runs`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep runs")]
pub(in crate::cli) struct Options {
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A run as the list shows it.
#[derive(serde::Serialize)]
struct Listed {
    run: String,
    plan: String,
    state: String,
    rows: u64,
    conclusion: Option<String>,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let mut listed = Vec::new();
    for id in ids(project) {
        listed.push(list_one(&RunFolder::find(project, &id)?));
    }
    match options.format {
        Format::Json => emit_json(&listed)?,
        Format::Text => {
            let rows: Vec<Vec<String>> = listed
                .into_iter()
                .map(|run| vec![run.run, run.plan, run.state, run.rows.to_string(), run.conclusion.unwrap_or_default()])
                .collect();
            emit(&report::table(&["run", "plan", "state", "rows", "conclusion"], &rows, style()))?;
        }
    }
    Ok(Exit::AsExpected)
}

/// A run that cannot be read is listed with the reason, not left out.
fn list_one(folder: &RunFolder) -> Listed {
    let plan = folder.plan().map_or_else(|error| error.to_string(), |(plan, _)| plan.name);
    let (state, rows, conclusion) = match folder.judge() {
        Ok((_, journal, verdict)) => {
            let state = if journal.sealed { "sealed" } else { "unfinished" };
            let word = serde_json::to_value(verdict.conclusion).ok().and_then(|v| v.as_str().map(str::to_owned));
            (state.to_owned(), verdict.journal.rows, word)
        }
        Err(_) if !folder.has_begun() => (format!("not started; `lockstep resume {}`", folder.id), 0, None),
        Err(error) => (format!("unreadable: {error}"), 0, None),
    };
    Listed { run: folder.id.clone(), plan, state, rows, conclusion }
}
