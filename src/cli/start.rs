//! From arguments to an exit code.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::fmt::format::FmtSpan;

use super::arguments::{Arguments, Verb};
use super::output::{note, note_style};
use super::verbs;
use super::{Error, Exit, Project};

/// Runs the command that the process's arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, not errors; clap knows which stream each belongs to.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::AsExpected.code() });
        }
    };
    start_tracing();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&arguments)));
    let exit = match ended {
        Ok(Ok(code)) => return code,
        Ok(Err(error)) => {
            let (bold, plain) = if note_style().color { ("\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "") };
            note(&format!("{bold}error:{plain} {error}"));
            error.exit()
        }
        // The panic has printed itself.
        Err(_) => Exit::Internal,
    };
    ExitCode::from(exit.code())
}

/// `LOCKSTEP_LOG=lockstep=debug` shows which files, folders and digests are used and how long each step took; without
/// it only warnings appear.
fn start_tracing() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LOCKSTEP_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt()
        // It would tell of a closed standard error on standard error, and panic.
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
        .with_span_events(FmtSpan::CLOSE)
        .try_init();
}

fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    // Inside a lane there is no project, and exit statuses are the wire's.
    if matches!(arguments.verb, Verb::Runner) {
        return Ok(verbs::runner::execute());
    }
    if matches!(arguments.verb, Verb::AuditFormula) {
        return Ok(verbs::audit_formula::execute());
    }
    let project = arguments.project()?;
    let version = env!("CARGO_PKG_VERSION");
    tracing::debug!(version, project = %project.root().display(), arguments = ?arguments.verb, "lockstep");
    let exit = of_project(&project, &arguments.verb)?;
    tracing::debug!(code = exit.code(), "ending");
    Ok(ExitCode::from(exit.code()))
}

fn of_project(project: &Project, verb: &Verb) -> Result<Exit, Error> {
    match verb {
        Verb::Run(options) => verbs::run::execute(project, options),
        Verb::Lane(options) => verbs::lane::execute(project, options),
        Verb::Lanes(options) => verbs::lanes::execute(project, options),
        Verb::Plan(options) => verbs::plan::execute(project, options),
        Verb::Preflight(options) => verbs::preflight::execute(project, options),
        Verb::Calibrate(options) => verbs::calibrate::execute(project, options),
        Verb::Resume(options) => verbs::resume::execute(project, options),
        Verb::Rerun(options) => verbs::rerun::execute(project, options),
        Verb::Bundle(options) => verbs::bundle::execute(project, options),
        Verb::Runs(options) => verbs::runs::execute(project, options),
        Verb::Judge(options) => verbs::judge::execute(project, options),
        Verb::Import(options) => verbs::import::execute(project, options),
        Verb::Audit(options) => verbs::audit::execute(options),
        Verb::Verify(options) => verbs::verify::execute(project, options),
        Verb::Accept(options) => verbs::accept::execute(project, options),
        Verb::Report(options) => verbs::report::execute(project, options),
        Verb::Explain(options) => verbs::explain::execute(project, options),
        Verb::Compare(options) => verbs::compare::execute(project, options),
        Verb::Lock(options) => verbs::lock::execute(project, options),
        Verb::Model(options) => verbs::model::execute(project, options),
        Verb::Image(options) => verbs::image::execute(project, options),
        Verb::Clean(options) => verbs::clean::execute(project, options),
        Verb::Schema(options) => verbs::schema::execute(options),
        Verb::Completions(options) => verbs::completions::execute(options),
        Verb::ExitCodes => verbs::exit_codes::execute(),
        Verb::Runner | Verb::AuditFormula => {
            Err(Error::Internal("a process inside was started as a verb of a project".to_owned()))
        }
    }
}
