//! `lockstep accept RUN`.

use crate::cli::calibrations;
use crate::cli::output::{Format, emit, emit_json};
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::journal::{Calibration, CalibrationState, compress};
use crate::snapshot::{Snapshot, store};
use crate::terms::Digest;

/// Options of `accept`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lockstep accept latest\n  lockstep accept latest --force \"shared machine, tokens only\""
)]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    run: String,
    /// Accept although the host's calibration failed, and say why; the reason stands in the snapshot.
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let folder = RunFolder::find(project, &options.run)?;
    let (_, _, verdict) = folder.judge()?;
    let path = folder.file("journal.jsonl");
    let journal = std::fs::read(&path).map_err(Error::file("reading", &path))?;
    let known = match verdict.journal.segments.last() {
        Some(segment) => calibrations::known(project, &segment.host)?,
        None => None,
    };
    let forced = options.force.as_deref().map(str::trim);
    check_force(forced, [verdict.calibration.as_ref(), known.as_ref()])?;
    let snapshot = Snapshot::accept(&verdict, Digest::of(&journal), known.as_ref(), forced)
        .map_err(crate::snapshot::Error::from)?;
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

/// Force is for one thing alone, and its reason is read in review.
fn check_force(forced: Option<&str>, calibrations: [Option<&Calibration>; 2]) -> Result<(), Error> {
    let failed = calibrations.into_iter().flatten().any(|it| it.state == CalibrationState::Failed);
    match forced {
        Some("") => Err(Error::usage("--force without a reason", "say in a few words why the run may be accepted")),
        Some(_) if !failed => Err(Error::usage("--force, and no calibration of the host failed", "accept without it")),
        _ => Ok(()),
    }
}
