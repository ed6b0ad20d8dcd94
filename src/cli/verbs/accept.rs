//! `lockstep accept RUN`.

use crate::cli::output::{Format, emit, emit_json};
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::journal::compress;
use crate::snapshot::{Snapshot, store};
use crate::terms::Digest;

/// Options of `accept`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep accept latest")]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    run: String,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let folder = RunFolder::find(project, &options.run)?;
    let (_, _, verdict) = folder.judge()?;
    let path = folder.file("journal.jsonl");
    let journal = std::fs::read(&path).map_err(Error::file("reading", &path))?;
    let snapshot = Snapshot::from_verdict(&verdict, Digest::of(&journal)).map_err(crate::snapshot::Error::from)?;
    let place = store::write(&project.snapshots(), &snapshot, &compress(&journal))?;
    match options.format {
        Format::Json => emit_json(&snapshot)?,
        Format::Text => emit(&format!(
            "accepted run {} as the snapshot of plan {} on {}:\n  {}\n  {}\nreview both and commit them\n",
            folder.id,
            snapshot.plan,
            snapshot.host_class,
            place.snapshot.display(),
            place.journal.display()
        ))?,
    }
    Ok(Exit::AsExpected)
}
