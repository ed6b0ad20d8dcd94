//! What every verb that measures ends with: go through the run, judge, report, compare with the snapshot.

use crate::cli::assemble::Assembly;
use crate::cli::output::{Format, emit, emit_json, note, style};
use crate::cli::progress::Progress;
use crate::cli::run_folder::RunFolder;
use crate::cli::{Error, Exit, Project};
use crate::plan::Plan;
use crate::report;
use crate::snapshot::store::Found;
use crate::snapshot::{Comparison, HostClass, Snapshot, Status, compare, host_class, refusal_reasons, store};
use crate::supervise::{self, Ended};
use crate::verdict::Verdict;

/// What was concluded, as `--format json` prints it.
#[derive(serde::Serialize)]
struct Concluded<'a> {
    verdict: &'a Verdict,
    comparison: Option<&'a Comparison>,
}

/// Measures what is due; says whether there is anything to judge.
pub(super) fn measure(assembly: Assembly<'_>) -> Result<bool, Error> {
    let folder = assembly.folder.clone();
    let inputs = assembly.inputs()?;
    tracing::debug!(executable = %inputs.own_executable.display(), digest = %inputs.binary, "this lockstep");
    let mut progress = Progress::new();
    let measuring = tracing::debug_span!("measuring", run = folder.id).entered();
    let ended = supervise::run(&inputs, &mut |event| progress.show(event));
    drop(measuring);
    progress.finish();
    match ended? {
        Ended::Paused => {
            note(&format!("stopped; `lockstep resume {}` goes on", folder.id));
            // Stopped before the header: there are no rows to judge yet.
            return Ok(folder.journal().is_ok());
        }
        Ended::NothingToDo => note(&format!("nothing is left to do in {}", folder.id)),
        Ended::Sealed => {}
    }
    Ok(true)
}

/// Judges the run, and writes its verdict and report.
pub(super) fn judged(folder: &RunFolder) -> Result<(Plan, Verdict), Error> {
    let (plan, _, verdict) = folder.judge()?;
    folder.write("verdict.json", report::json(&verdict)?.as_bytes())?;
    folder.write("report.md", report::markdown(&verdict).as_bytes())?;
    Ok((plan, verdict))
}

/// Judges the run, writes its verdict and report, prints it, and compares it with the host class's snapshot.
pub(super) fn conclude(project: &Project, folder: &RunFolder, format: Format) -> Result<Exit, Error> {
    let (plan, verdict) = judged(folder)?;
    // A run that confirms another is asked for no confirmation of its own.
    let asked = if folder.facts()?.confirms.is_none() { plan.gate.confirm_by_rerun } else { 0 };
    let accepted = own_snapshot(project, &plan, &verdict, asked)?;
    let comparison = accepted.as_ref().map(|(_, comparison)| comparison);
    match format {
        Format::Json => emit_json(&Concluded { verdict: &verdict, comparison })?,
        Format::Text => {
            emit(&report::text(&verdict, style()))?;
            match comparison {
                Some(comparison) => emit(&report::comparison_text(comparison, style()))?,
                None => emit(&alone(folder, &verdict)?)?,
            }
        }
    }
    note(&format!("run {}: {}", folder.id, folder.file("report.md").display()));
    let accepted = accepted.map(|(then, comparison)| (then.conclusion, comparison.status()));
    // What a reviewer's host of another class reproduces of a bundle is all that it can: its times are its own.
    let accepted = accepted.filter(|(_, status)| *status != Status::OtherHostClass);
    Ok(Exit::of(verdict.conclusion, accepted))
}

/// What stands where a comparison would. Only a verdict that can be accepted is offered for it.
fn alone(folder: &RunFolder, verdict: &Verdict) -> Result<String, Error> {
    let hint = match refusal_reasons(verdict)[..] {
        [] => format!("; `lockstep accept {}` makes it the first", folder.id),
        _ => String::new(),
    };
    Ok(format!("\nNo snapshot of this host class ({}) yet: the verdict stands alone{hint}.\n", class_of(verdict)?))
}

/// The host class of a verdict's last segment.
pub(super) fn class_of(verdict: &Verdict) -> Result<HostClass, Error> {
    let last = verdict.journal.segments.last();
    let segment = last.ok_or_else(|| Error::Internal("a verdict without a segment".to_owned()))?;
    Ok(host_class(&segment.host))
}

/// The comparison with the snapshot of the verdict's own host class, where there is one. A bundle is there to be held
/// against: of that, another class's snapshot will do for all but times.
fn own_snapshot(
    project: &Project,
    plan: &Plan,
    verdict: &Verdict,
    asked: u32,
) -> Result<Option<(Snapshot, Comparison)>, Error> {
    let (place, then) = match store::find(&project.snapshots(), &plan.name, &class_of(verdict)?)? {
        Found::Own(place, then) => (place, *then),
        Found::Other(place, then) if project.is_bundled() => (place, *then),
        Found::Other(..) | Found::None => return Ok(None),
    };
    tracing::debug!(snapshot = %place.snapshot.display(), seal = %then.seal, "comparing with the accepted verdict");
    let comparison = compare(&then, verdict, plan.statistics.band_pct).confirmed_by(asked, &[]);
    Ok(Some((then, comparison)))
}
