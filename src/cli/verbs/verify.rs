//! `lockstep verify RUN`.

use super::conclude::class_of;
use crate::cli::output::{Format, emit, emit_json, note, style};
use crate::cli::run_folder::RunFolder;
use crate::cli::stored_verdict::{self, Agreement};
use crate::cli::{Error, Exit, Project};
use crate::journal::{MAX_JOURNAL_BYTES, decompress, read};
use crate::report;
use crate::snapshot::store::{self, Found, Place};
use crate::snapshot::{HostClass, Snapshot, compare, refusal_reasons};
use crate::verdict::Verdict;

/// Options of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep verify latest")]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    #[arg(default_value = "latest")]
    run: String,
    /// How the comparison is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What `--format json` prints where there is nothing to compare with.
#[derive(serde::Serialize)]
struct Missing<'a> {
    run: &'a str,
    plan: &'a str,
    host_class: &'a HostClass,
    /// Always null: a reader looks at one key to know.
    snapshot: Option<()>,
    message: &'a str,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let folder = RunFolder::find(project, &options.run)?;
    let (plan, _, verdict) = folder.judge()?;
    // That of an unfinished run may be missing or older than its last rows, and nobody's edit.
    if verdict.journal.sealed {
        check_stored_verdict(&folder, &verdict)?;
    }
    let class = class_of(&verdict)?;
    let found = store::find(&project.snapshots(), &plan.name, &class)?;
    let (Found::Own(place, then) | Found::Other(place, then)) = &found else {
        let text = format!("no snapshot of plan {} is in {}", plan.name, project.snapshots().display());
        let hint = match refusal_reasons(&verdict)[..] {
            [] => format!("; `lockstep accept {}` makes this run's verdict the snapshot of {class}", folder.id),
            _ => String::new(),
        };
        note(&format!("{text}{hint}"));
        if options.format == Format::Json {
            let (run, plan) = (&folder.id, &plan.name);
            emit_json(&Missing { run, plan, host_class: &class, snapshot: None, message: &text })?;
        }
        return Ok(Exit::first_of([Exit::SnapshotMissing, Exit::from(verdict.conclusion)]));
    };
    check_origin(place, then, &folder, &verdict)?;
    let comparison = compare(then, &verdict, plan.statistics.band_pct);
    match options.format {
        Format::Json => emit(&report::comparison_json(&comparison)?)?,
        Format::Text => emit(&report::comparison_text(&comparison, style()))?,
    }
    Ok(Exit::of(verdict.conclusion, Some((then.conclusion, comparison.status()))))
}

/// A verdict in other words is told; one with other content ends the command.
fn check_stored_verdict(folder: &RunFolder, derived: &Verdict) -> Result<(), Error> {
    let path = folder.file("verdict.json");
    match stored_verdict::check(folder, derived)? {
        Agreement::Same => Ok(()),
        Agreement::WordingOnly => {
            note(&format!(
                "warning: another build of lockstep wrote {}: it says the same in other words",
                path.display()
            ));
            Ok(())
        }
        Agreement::Different(difference) => {
            let found = format!("{} is not what plan and journal give: {difference}", path.display());
            let hint = format!(
                "`lockstep judge` derives it again; plan, journal or verdict was changed afterwards, or the run went on \
                 without being concluded, which `lockstep resume {}` does",
                folder.id
            );
            Err(Error::usage(found, hint))
        }
    }
}

/// The journal beside the snapshot must be the one that was accepted; and where the run itself is the accepted one, its
/// own journal must be that, or go on from it.
fn check_origin(place: &Place, then: &Snapshot, folder: &RunFolder, verdict: &Verdict) -> Result<(), Error> {
    let stored = decompress(&store::read_archive(place)?, MAX_JOURNAL_BYTES)?;
    store::check_seal(then, &stored, read(&stored)?.head)?;
    let path = folder.file("journal.jsonl");
    let own = std::fs::read(&path).map_err(Error::file("reading", &path))?;
    if verdict.journal.run != then.run || own.starts_with(&stored) {
        return Ok(());
    }
    Ok(store::check_seal(then, &own, verdict.journal.head)?)
}
