//! `lockstep verify RUN`.

use super::conclude::class_of;
use super::confirm::{confirming, run_again};
use crate::cli::exit::gates_help;
use crate::cli::output::{emit, emit_json, note, style};
use crate::cli::run_folder::RunFolder;
use crate::cli::stored_verdict::{self, Agreement};
use crate::cli::{Error, Exit, Project};
use crate::journal::{MAX_JOURNAL_BYTES, decompress, read};
use crate::plan::Plan;
use crate::report;
use crate::snapshot::store::{self, Found, Place};
use crate::snapshot::{
    Comparison, ConfirmationState, HostClass, Snapshot, compare, compare_without_times, refusal_reasons,
};
use crate::verdict::{Conclusion, Verdict};

/// Options of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = gates_help())]
pub(in crate::cli) struct Options {
    /// The run: `latest`, an id, or the head of one.
    #[arg(default_value = "latest")]
    run: String,
    /// Make the further runs that the plan asks for before a regression in times stands.
    #[arg(long)]
    confirm: bool,
    /// Hold all but times against the snapshot, on whatever host: tokens, parity, outcomes, coverage, lanes, plan.
    #[arg(long, conflicts_with = "confirm")]
    without_times: bool,
    /// How the comparison is printed.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

/// Forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// JUnit XML, for CI: one test case for each gate.
    Junit,
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
    let project = &folder.facts()?.project(project);
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
        let (run, plan) = (&folder.id, &plan.name);
        match options.format {
            Form::Text => {}
            Form::Json => emit_json(&Missing { run, plan, host_class: &class, snapshot: None, message: &text })?,
            Form::Junit => emit(&report::missing_snapshot_junit(plan, &text)?)?,
        }
        return Ok(Exit::first_of([Exit::SnapshotMissing, Exit::from(verdict.conclusion)]));
    };
    check_origin(place, then, &folder, &verdict)?;
    let (comparison, conclusions) = if options.without_times {
        (compare_without_times(then, &verdict), Vec::new())
    } else {
        with_confirmation(project, options.confirm, &folder, &plan, then, &verdict)?
    };
    match options.format {
        Form::Json => emit(&report::comparison_json(&comparison)?)?,
        Form::Junit => emit(&report::comparison_junit(&comparison)?)?,
        Form::Text => emit(&report::comparison_text(&comparison, style()))?,
    }
    // What was not confirmed is not known to be other than the plan expects.
    let own = match (comparison.confirmation_state(), verdict.conclusion) {
        (Some(ConfirmationState::NotConfirmed), Conclusion::NotAsExpected) => Conclusion::Inconclusive,
        (_, conclusion) => conclusion,
    };
    let own = Exit::of(own, Some((then.conclusion, comparison.status())));
    let grave = |it: &Conclusion| matches!(it, Conclusion::Refused | Conclusion::NothingMeasured);
    Ok(Exit::first_of(conclusions.into_iter().filter(grave).map(Exit::from).chain([own])))
}

/// The comparison with the runs that confirm its regression in times, and what those concluded. With `confirm` those that
/// the plan asks for and that are not there are made now.
fn with_confirmation(
    project: &Project,
    confirm: bool,
    folder: &RunFolder,
    plan: &Plan,
    then: &Snapshot,
    verdict: &Verdict,
) -> Result<(Comparison, Vec<Conclusion>), Error> {
    let compared = |verdict: &Verdict| compare(then, verdict, plan.statistics.band_pct);
    let mut asked = plan.gate.confirm_by_rerun;
    if let Some(first) = folder.facts()?.confirms {
        note(&format!(
            "run {} confirms run {first}: `lockstep verify {first}` tells what they come to together",
            folder.id
        ));
        asked = 0;
    }
    if confirm && asked == 0 {
        let found = format!("run {} asks for no confirming run", folder.id);
        return Err(Error::usage(found, "a plan asks for them by `confirm_by_rerun` in its table [gate]"));
    }
    let mut comparison = compared(verdict).confirmed_by(asked, &[]);
    if comparison.confirmation.is_none() {
        return Ok((comparison, Vec::new()));
    }
    let mut runs = confirming(project, folder)?;
    loop {
        for run in &runs {
            check_stored_verdict(&run.folder, &run.verdict)?;
        }
        let others: Vec<Comparison> = runs.iter().map(|run| compared(&run.verdict)).collect();
        comparison = compared(verdict).confirmed_by(asked, &others);
        if !confirm || comparison.confirmation_state() != Some(ConfirmationState::Asked) {
            break;
        }
        let Some(run) = run_again(project, folder)? else {
            note(&format!("`lockstep verify {} --confirm` goes on when that run has come to its end", folder.id));
            break;
        };
        runs.push(run);
    }
    Ok((comparison, runs.into_iter().map(|run| run.verdict.conclusion).collect()))
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
    let (_, archive) = store::read_archive(place)?;
    let stored = decompress(&archive, MAX_JOURNAL_BYTES)?;
    store::check_seal(then, &stored, read(&stored)?.head)?;
    let path = folder.file("journal.jsonl");
    let own = std::fs::read(&path).map_err(Error::file("reading", &path))?;
    if verdict.journal.run != then.run || own.starts_with(&stored) {
        return Ok(());
    }
    Ok(store::check_seal(then, &own, verdict.journal.head)?)
}
