//! `lockstep lanes`.

use crate::cli::output::{Format, emit, emit_json, style};
use crate::cli::{Error, Exit, Project};
use crate::plan::{Launcher, Program};
use crate::report;
use crate::terms::Axes;

/// Options of `lanes`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep lanes --format json")]
pub(in crate::cli) struct Options {
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A lane as the list shows it.
#[derive(serde::Serialize)]
struct Listed {
    name: String,
    launcher: String,
    locked: bool,
    source: String,
    axes: Axes,
    description: String,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let mut listed = Vec::new();
    for name in project.names("lanes") {
        let found = project.lane(&name)?;
        let launcher = match &found.lane.launcher {
            Launcher::Process(process) => match &process.program {
                Program::OwnExecutable => "process: lockstep itself".to_owned(),
                Program::Interpreter { name, .. } => format!("process: {name}"),
            },
            Launcher::Docker(docker) => format!("docker: {}", docker.image),
        };
        listed.push(Listed {
            name,
            launcher,
            locked: found.lock.is_some(),
            source: found.source,
            axes: found.lane.axes,
            description: found.lane.description,
        });
    }
    match options.format {
        Format::Json => emit_json(&listed)?,
        Format::Text => {
            let rows: Vec<Vec<String>> = listed
                .into_iter()
                .map(|lane| {
                    let axes: Vec<String> = lane.axes.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    let lock = if lane.locked { "yes" } else { "no" };
                    vec![lane.name, lane.launcher, lock.to_owned(), axes.join(" "), lane.description]
                })
                .collect();
            emit(&report::table(&["lane", "launcher", "locked", "axes", "what it is"], &rows, style()))?;
        }
    }
    Ok(Exit::AsExpected)
}
