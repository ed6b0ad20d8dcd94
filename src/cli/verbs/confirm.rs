//! Runs that confirm another: which there are, and one more of the same plan.

use super::conclude::{judged, measure};
use super::resume::{Again, again};
use crate::cli::assemble::Assembly;
use crate::cli::calibrations;
use crate::cli::output::note;
use crate::cli::run_folder::{RunFacts, RunFolder, ids};
use crate::cli::{Error, Project};
use crate::supervise;
use crate::verdict::Verdict;

/// A run that was made to confirm another.
pub(super) struct Confirming {
    pub folder: RunFolder,
    pub verdict: Verdict,
}

/// The runs that were made to confirm `first`, oldest first. One that has not come to its end is an error: leaving it out
/// would choose among runs.
pub(super) fn confirming(project: &Project, first: &RunFolder) -> Result<Vec<Confirming>, Error> {
    let mut found = Vec::new();
    for id in ids(project).into_iter().filter(|id| *id > first.id) {
        let folder = RunFolder { path: project.runs().join(&id), id };
        if folder.facts().ok().and_then(|facts| facts.confirms).as_ref() != Some(&first.id) {
            continue;
        }
        let sealed = folder.journal().is_ok_and(|journal| journal.sealed);
        if !sealed {
            let found = format!("run {}, which is to confirm {}, has not come to its end", folder.id, first.id);
            return Err(Error::usage(found, format!("`lockstep resume {}` finishes it", folder.id)));
        }
        let (_, _, verdict) = folder.judge()?;
        found.push(Confirming { folder, verdict });
    }
    Ok(found)
}

/// Runs the plan of `first` again, as a run of its own; nothing when it was stopped before its end.
pub(super) fn run_again(project: &Project, first: &RunFolder) -> Result<Option<Confirming>, Error> {
    let Again { project, experiment, text, lanes, facts, bundle, executables } = again(project, first)?;
    let project = &project;
    let mut facts = RunFacts { confirms: Some(first.id.clone()), ..facts };
    let folder = RunFolder::create(project, &mut facts, &text, &lanes)?;
    note(&format!("run {} of plan {} confirms run {}", folder.id, experiment.plan.name, first.id));
    let assembly = Assembly {
        unlocked: facts.unlocked,
        telemetry: !facts.no_telemetry,
        calibration: calibrations::known(project, &supervise::host_facts())?,
        bundle,
        executables,
        ..Assembly::of(experiment, lanes, &folder)
    };
    if !measure(assembly)? {
        return Ok(None);
    }
    let (_, verdict) = judged(&folder)?;
    Ok(verdict.journal.sealed.then_some(Confirming { folder, verdict }))
}
