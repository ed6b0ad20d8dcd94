//! `lockstep judge PLAN JOURNAL`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::cli::output::{emit, note, style};
use crate::cli::{Error, Exit, Project};
use crate::journal::read_file;
use crate::plan::PlanFile;
use crate::report;
use crate::verdict::{judge_file, judge_published, sensitivity};

/// Options of `judge`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep judge runs/ID/plan.toml runs/ID/journal.jsonl --format json\n  \
                        lockstep judge quickstart runs/ID/journal.jsonl\n  \
                        lockstep judge quickstart runs/ID/journal.jsonl --sensitivity\n  \
                        lockstep judge tr165 tests/journals/tr165.jsonl.xz --format md")]
pub(in crate::cli) struct Options {
    /// The file of a plan or of a published report's design, or else its name.
    plan: String,
    /// The journal's file, plain or compressed by xz or gzip.
    journal: PathBuf,
    /// How the verdict is printed; `json` is byte for byte what a run's verdict.json holds.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Show, in place of the verdict, what each result would have been with one choice made otherwise: the statistic of a launch,
    /// the first repetition, the seed of resampling, how still eager work has to hold, and each block of launches left out. The
    /// exit code is 0 whatever it shows.
    #[arg(long)]
    sensitivity: bool,
}

/// Forms of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For the terminal.
    Text,
    /// Markdown, for review and publication.
    Md,
    /// The verdict itself.
    Json,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let (plan, found) = project.plan_file_at(&options.plan)?;
    let (text, conclusion) = match plan {
        PlanFile::Published(_) if options.sensitivity => {
            let found = format!("{} is the design of a published report, which holds no repetitions", options.plan);
            return Err(Error::usage(found, "leave --sensitivity out: it judges the rows of a run again"));
        }
        PlanFile::Measured(plan) if options.sensitivity => {
            let journal = read_file(&options.journal)?;
            let found = sensitivity(&plan, &journal)?;
            if !journal.sealed {
                note(
                    "the journal is not sealed: the run has not come to its end, and these results are of what it has so far",
                );
            }
            emit(&match options.format {
                Form::Json => report::sensitivity_json(&found)?,
                Form::Md => report::sensitivity_markdown(&found),
                Form::Text => report::sensitivity_text(&found, style()),
            })?;
            return Ok(Exit::AsExpected);
        }
        PlanFile::Measured(plan) => {
            let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
            let verdict = judge_file(&plan, &options.journal, threads)?;
            let text = match options.format {
                Form::Json => report::json(&verdict)?,
                Form::Md => report::markdown(&verdict),
                Form::Text => report::text(&verdict, style()),
            };
            (text, verdict.conclusion)
        }
        PlanFile::Published(design) => {
            let journal = read_file(&options.journal)?;
            let verdict = judge_published(&design, &journal)?;
            Project::check_columns(&options.plan, &found, &design, &journal)?;
            let text = match options.format {
                Form::Json => report::published_json(&verdict)?,
                Form::Md => report::published_markdown(&verdict),
                Form::Text => report::published_text(&verdict, style()),
            };
            (text, verdict.conclusion)
        }
    };
    emit(&text)?;
    Ok(Exit::from(conclusion))
}
