//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::exit::table_text;
use super::{Error, project::Project, verbs};

/// Reproduces, judges and gates LLM-inference benchmarks.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, about, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Example:\n  lockstep run quickstart\n\nExit codes: lockstep help exit-codes")]
pub(super) struct Arguments {
    /// Folder whose plans/, lanes/, lockfiles/, snapshots/ and runs/ are used; what it lacks is built in.
    #[arg(long, global = true, value_name = "DIR", env = "LOCKSTEP_PROJECT")]
    project: Option<PathBuf>,
    #[command(subcommand)]
    pub verb: Verb,
}

impl Arguments {
    /// The project folder: the one named, or the working folder.
    pub(super) fn project(&self) -> Result<Project, Error> {
        match &self.project {
            Some(folder) if !folder.is_dir() => {
                let found = format!("--project {} is no folder", folder.display());
                Err(Error::usage(found, "name an existing folder"))
            }
            Some(folder) => Ok(Project::at(std::path::absolute(folder).map_err(Error::file("finding", folder))?)),
            None => Ok(Project::at(std::env::current_dir().map_err(Error::file("finding", "the working folder"))?)),
        }
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run a plan: launch its lanes, measure, judge, compare with the snapshot.
    Run(verbs::run::Options),
    /// Run one lane alone under a plan.
    Lane(verbs::lane::Options),
    /// List the lanes.
    Lanes(verbs::lanes::Options),
    /// Show a plan: its cells, lanes and order, without running anything.
    Plan(verbs::plan::Options),
    /// Start one lane and show what preflight sees.
    Preflight(verbs::preflight::Options),
    /// Measure how often this host shows a difference where there is none, and how small a one it finds.
    Calibrate(verbs::calibrate::Options),
    /// Go on with an interrupted run.
    Resume(verbs::resume::Options),
    /// Run again what failed in a run.
    Rerun(verbs::rerun::Options),
    /// Write one archive of everything that a run of a plan uses, for a reviewer without network.
    Bundle(verbs::bundle::Options),
    /// List the runs.
    Runs(verbs::runs::Options),
    /// Derive the verdict from a plan and a journal: the same bytes give the same verdict on any host.
    Judge(verbs::judge::Options),
    /// Turn others' result files and printed tables into a journal that says so.
    Import(verbs::import::Options),
    /// Audit published claims against the tables they were printed with.
    Audit(verbs::audit::Options),
    /// Compare a run with the accepted snapshot of its host class.
    Verify(verbs::verify::Options),
    /// Accept a run's verdict as the snapshot of its host class.
    Accept(verbs::accept::Options),
    /// Print a run's report.
    Report(verbs::report::Options),
    /// Show everything about one cell of a run.
    Explain(verbs::explain::Options),
    /// Compare two runs.
    Compare(verbs::compare::Options),
    /// Resolve a lane and write its lock.
    Lock(verbs::lock::Options),
    /// Pin a model hub's checkpoint.
    Model(verbs::model::Options),
    /// Build images.
    Image(verbs::image::Options),
    /// Remove what earlier runs left behind: processes, containers, half-made folders, and on request images and models.
    Clean(verbs::clean::Options),
    /// Print the JSON Schema of a file format.
    Schema(verbs::schema::Options),
    /// Print a completion script for a shell.
    Completions(verbs::completions::Options),
    /// Print the table of exit codes.
    #[command(name = "exit-codes", long_about = table_text())]
    ExitCodes,
    /// Serve the wire on standard input and output: the process inside a native lane.
    #[command(hide = true)]
    Runner,
    /// Compute one formula, confined, from standard input to standard output: the process inside an audit.
    #[command(hide = true)]
    AuditFormula,
}
