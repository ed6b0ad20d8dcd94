//! `lockstep lanes`.

use std::collections::BTreeMap;

use crate::cli::assemble::missing_of;
use crate::cli::offers::{Offers, offers};
use crate::cli::output::{Format, emit, emit_json};
use crate::cli::project::FoundLane;
use crate::cli::{Error, Exit, Project};
use crate::lock::lane_inputs;
use crate::plan::{Content, GateTest, ImageSource, Input, Lane, Launcher, LockedInput, Program};
use crate::supervise::Missing;
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
    /// What the cells of a plan may fix in it; null where only its process can tell.
    offers: Option<Offers>,
    /// What it needs of the host, beyond what it is started by.
    needs: Vec<String>,
    /// The variables with secrets that have to be set for it.
    credentials: Vec<String>,
    /// What it is made of, and how far that is known.
    inputs: BTreeMap<String, String>,
    /// What it proves before its rows count.
    proves: Vec<String>,
    /// What it lacks on this host; empty: it can run.
    missing: Vec<Missing>,
    description: String,
    #[serde(skip)]
    is_server: bool,
    #[serde(skip)]
    started_by: String,
}

/// What a lane is started by, where it needs nothing else.
fn started_by(launcher: &Launcher) -> String {
    match launcher {
        Launcher::Docker(_) => "a Docker engine".to_owned(),
        Launcher::Process(process) => match &process.program {
            Program::OwnExecutable => "lockstep itself".to_owned(),
            Program::Interpreter { name, minimum_version: None } => name.clone(),
            Program::Interpreter { name, minimum_version: Some(version) } => format!("{name} of {version} or newer"),
        },
    }
}

/// Its gates in words, each with the looks that it is held to.
fn proves(lane: &Lane) -> Vec<String> {
    let words = |test: &GateTest| match test {
        GateTest::Equals(value) => format!("= {value}"),
        GateTest::OneOf(values) => format!("in {}", values.join(", ")),
        GateTest::AtLeast(least) => format!(">= {least}"),
        GateTest::AtMost(most) => format!("<= {most}"),
        GateTest::MinimumVersion(version) => format!(">= {version}"),
        GateTest::BelowVersion(version) => format!("< {version}"),
    };
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for gate in &lane.gates {
        let proven = format!("{} {}", gate.signal, words(&gate.test));
        match found.iter_mut().find(|(known, _)| *known == proven) {
            Some((_, stages)) => stages.push(gate.stage.to_string()),
            None => found.push((proven, vec![gate.stage.to_string()])),
        }
    }
    found.into_iter().map(|(proven, stages)| format!("{proven} ({})", stages.join(" "))).collect()
}

/// Each input with its state in the lock.
fn inputs(found: &FoundLane) -> BTreeMap<String, String> {
    let entry = |name: &String| found.lock.as_ref().and_then(|lock| lock.inputs.get(name));
    let words = |name: &String, input: &Input| match entry(name).and_then(LockedInput::content) {
        // What was verified is another image than the one that is named.
        Some(Content::LocalImage { reference, .. }) => format!("local image in place of {reference}"),
        _ => input.words(),
    };
    let state = |name: &String| entry(name).map_or("not locked", LockedInput::status).to_owned();
    let inputs = lane_inputs(&found.lane).into_iter();
    inputs.map(|(name, input)| (format!("{name}: {}", words(&name, &input)), state(&name))).collect()
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
            offers: offers(&found),
            needs: found.lane.needs.words(),
            credentials: found.lane.needs.credentials.clone(),
            started_by: started_by(&found.lane.launcher),
            inputs: inputs(&found),
            proves: proves(&found.lane),
            missing: missing_of(project, &found, false)?,
            is_server: found.lane.is_server(),
            source: found.source,
            axes: found.lane.axes,
            description: found.lane.description,
        });
    }
    match options.format {
        Format::Json => emit_json(&listed)?,
        Format::Text => {
            for lane in &listed {
                emit(&text(lane))?;
            }
        }
    }
    Ok(Exit::AsExpected)
}

/// A paragraph for each lane: a table of this much would be read by nobody.
fn text(lane: &Listed) -> String {
    let Listed { name, launcher, locked, source: _, axes, offers, needs, inputs, proves, missing, .. } = lane;
    let Listed { description, is_server, credentials, started_by, .. } = lane;
    let needed = if needs.is_empty() { format!("nothing beyond {started_by}") } else { needs.join(", ") };
    let secrets = if credentials.is_empty() { "; no credentials" } else { "" };
    let offered = match offers {
        None => "what its own backend says".to_owned(),
        Some(offers) if offers.is_empty() => "no axis to a cell".to_owned(),
        Some(offers) => {
            offers.iter().map(|(axis, values)| format!("{axis}={}", values.join("|"))).collect::<Vec<_>>().join(" ")
        }
    };
    let axes: Vec<String> = axes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let inputs: Vec<String> = inputs.iter().map(|(input, state)| format!("{input} ({state})")).collect();
    let lacks: Vec<&str> = missing.iter().map(|missing| missing.what.as_str()).collect();
    let here = match (lacks.is_empty(), is_server) {
        (true, true) => "up to its health; no client drives its cells yet".to_owned(),
        (true, false) => "yes".to_owned(),
        (false, _) => format!("no; lacks {}", lacks.join(", ")),
    };
    let lines = [
        ("starts as", launcher.clone()),
        ("locked", if *locked { "yes" } else { "no" }.to_owned()),
        ("runs here", here),
        ("declares", axes.join(" ")),
        ("offers", offered),
        ("made of", inputs.join("; ")),
        ("needs", format!("{needed}{secrets}")),
        ("proves", proves.join(", ")),
    ];
    let shown = lines.iter().filter(|(_, value)| !value.is_empty());
    let body: String = shown.map(|(word, value)| format!("  {word:<9}  {value}\n")).collect();
    format!("{name}: {description}\n{body}")
}
