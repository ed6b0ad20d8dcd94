//! What every verb that measures ends with: go through the run, judge, report, compare with the snapshot.

use crate::cli::assemble::Assembly;
use crate::cli::output::{Format, emit, emit_json, note, style};
use crate::cli::progress::Progress;
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::plan::Plan;
use crate::report;
use crate::snapshot::{Comparison, HostClass, compare, host_class, store};
use crate::supervise::{self, Ended};
use crate::verdict::Verdict;

/// Measures what is due, and concludes.
pub(super) fn measure_and_conclude(project: &Project, assembly: Assembly<'_>, format: Format) -> Result<Exit, Error> {
    let folder = assembly.folder.clone();
    let inputs = assembly.inputs()?;
    let mut progress = Progress::new();
    let ended = supervise::run(&inputs, &mut |event| progress.show(event));
    progress.finish();
    match ended? {
        Ended::Paused => {
            note(&format!("stopped; `lockstep resume {}` goes on", folder.id));
            // Stopped before the header: there are no rows to judge yet.
            if folder.journal().is_err() {
                return Ok(Exit::Inconclusive);
            }
        }
        Ended::NothingToDo => note(&format!("nothing is left to do in {}", folder.id)),
        Ended::Sealed => {}
    }
    conclude(project, &folder, format)
}

/// Judges the run, writes its verdict and report, prints it, and compares it with the host class's snapshot.
fn conclude(project: &Project, folder: &RunFolder, format: Format) -> Result<Exit, Error> {
    let (plan, _, verdict) = folder.judge()?;
    folder.write("verdict.json", report::json(&verdict)?.as_bytes())?;
    folder.write("report.md", report::markdown(&verdict).as_bytes())?;
    match format {
        Format::Json => emit_json(&verdict)?,
        Format::Text => emit(&report::text(&verdict, style()))?,
    }
    let mut exits = vec![Exit::from(verdict.conclusion)];
    match own_snapshot(project, &plan, &verdict)? {
        Some(comparison) => {
            exits.push(Exit::from(comparison.status()));
            note(&report::comparison_text(&comparison, style()));
        }
        None => note(&format!(
            "no snapshot of this host class ({}) yet: the verdict stands alone; `lockstep accept {}` makes it the snapshot",
            class_of(&verdict)?,
            folder.id
        )),
    }
    note(&format!("run {}: {}", folder.id, folder.file("report.md").display()));
    Ok(Exit::first_of(exits))
}

/// The host class of a verdict's last segment.
pub(super) fn class_of(verdict: &Verdict) -> Result<HostClass, Error> {
    let last = verdict.journal.segments.last();
    let segment = last.ok_or_else(|| Error::Internal("a verdict without a segment".to_owned()))?;
    Ok(host_class(&segment.host))
}

/// The comparison with the snapshot of the verdict's own host class, where there is one.
fn own_snapshot(project: &Project, plan: &Plan, verdict: &Verdict) -> Result<Option<Comparison>, Error> {
    let place = store::place(&project.snapshots(), &plan.name, &class_of(verdict)?)?;
    Ok(store::read(&place)?.map(|then| compare(&then, verdict, plan.statistics.band_pct)))
}
