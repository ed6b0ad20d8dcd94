//! `lockstep lanes`.

use std::collections::BTreeMap;

use crate::cli::assemble::missing_of;
use crate::cli::output::{Format, emit, emit_json, style};
use crate::cli::project::FoundLane;
use crate::cli::{Error, Exit, Project};
use crate::lock::lane_inputs;
use crate::plan::{GateTest, ImageSource, Lane, Launcher, LockedInput, Program};
use crate::report;
use crate::supervise::Missing;
use crate::terms::Axes;

const HEAD: [&str; 9] = ["lane", "launcher", "locked", "runs here", "axes", "made of", "needs", "proves", "what it is"];

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
    /// What it needs of the host.
    needs: Vec<String>,
    /// What it is made of, and how far that is known.
    inputs: BTreeMap<String, String>,
    /// What it proves before its rows count.
    proves: Vec<String>,
    /// What it lacks on this host; empty: it can run.
    missing: Vec<Missing>,
    description: String,
}

/// Its gates in words.
fn proves(lane: &Lane) -> Vec<String> {
    let words = |test: &GateTest| match test {
        GateTest::Equals(value) => format!("= {value}"),
        GateTest::OneOf(values) => format!("in {}", values.join(", ")),
        GateTest::AtLeast(least) => format!(">= {least}"),
        GateTest::AtMost(most) => format!("<= {most}"),
        GateTest::MinimumVersion(version) => format!(">= {version}"),
    };
    let axes = lane.axes.keys().map(|axis| format!("axis {axis}"));
    lane.gates.iter().map(|gate| format!("{} {}", gate.signal, words(&gate.test))).chain(axes).collect()
}

/// Each input with its state in the lock.
fn inputs(found: &FoundLane) -> BTreeMap<String, String> {
    let state = |name: &String| {
        let entry = found.lock.as_ref().and_then(|lock| lock.inputs.get(name));
        entry.map_or("not locked", LockedInput::status)
    };
    let inputs = lane_inputs(&found.lane).into_iter();
    inputs.map(|(name, input)| (format!("{name}: {}", input.words()), state(&name).to_owned())).collect()
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
            Launcher::Docker(docker) => match &docker.image {
                ImageSource::OwnExecutable => "docker: self".to_owned(),
                ImageSource::Registry(reference) => format!("docker: {reference}"),
                ImageSource::Build(build) => format!("docker: built from containers/{}", build.folder),
            },
        };
        listed.push(Listed {
            name,
            launcher,
            locked: found.lock.is_some(),
            needs: found.lane.needs.words(),
            inputs: inputs(&found),
            proves: proves(&found.lane),
            missing: missing_of(project, &found, false)?,
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
                    let lacks: Vec<&str> = lane.missing.iter().map(|missing| missing.what.as_str()).collect();
                    let here = if lacks.is_empty() { "yes".to_owned() } else { format!("lacks {}", lacks.join(", ")) };
                    let inputs = lane.inputs.iter().map(|(input, state)| format!("{input} ({state})"));
                    let inputs = inputs.collect::<Vec<_>>().join("; ");
                    vec![
                        lane.name,
                        lane.launcher,
                        lock.to_owned(),
                        here,
                        axes.join(" "),
                        inputs,
                        lane.needs.join(", "),
                        lane.proves.join(", "),
                        lane.description,
                    ]
                })
                .collect();
            emit(&report::table(&HEAD, &rows, style()))?;
        }
    }
    Ok(Exit::AsExpected)
}
