//! `lockstep explain RUN CELL`.

use crate::cli::output::{Format, emit, emit_json, style};
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::journal::Row;
use crate::report;
use crate::terms::CellId;

/// Options of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep explain latest /a1b2c3d4")]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    run: String,
    /// The cell, as `lockstep plan` and the report name it.
    cell: CellId,
    /// How it is printed; `json` gives the cell's rows.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let (_, journal, verdict) = RunFolder::find(project, &options.run)?.judge()?;
    let rows: Vec<Row> = journal.rows().map(|(_, row)| row.clone()).filter(|row| row.cell == options.cell).collect();
    let text = report::cell_text(&verdict, &rows, &options.cell, style())?;
    match options.format {
        Format::Json => emit_json(&rows)?,
        Format::Text => emit(&text)?,
    }
    Ok(Exit::AsExpected)
}
