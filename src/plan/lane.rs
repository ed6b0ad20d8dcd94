//! The checked lane: one stack, how it starts, what it declares and how far it may go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Document, key};
use super::launcher::{Launcher, check_launcher};
use super::raw_lane::{RawGate, RawLane};
use super::{EXEC_VARIABLE, Error, Exec, IMAGE_INPUT, Input, Needs, Server, check_plan, input, needs, server};
use crate::terms::{AXIS_NAMES, Axes, Digest, SignalValue, Stage, canonical_json, nearest};

/// What stands for the run's folder in the environment of a process.
pub const RUN_FOLDER: &str = "{run}";

/// One stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lane {
    /// Name; that of the file.
    pub name: String,
    /// One sentence for people. No part of the lane's digest.
    #[serde(skip)]
    pub description: String,
    /// How the lane starts.
    pub launcher: Launcher,
    /// The runner's name, which its greeting must repeat.
    pub runner: String,
    /// Declared axes; every name is one of [`AXIS_NAMES`].
    pub axes: Axes,
    /// Environment of the lane's process: exactly this, and what the launcher must add.
    pub environment: BTreeMap<String, String>,
    /// Signals that must be as declared.
    pub gates: Vec<Gate>,
    /// Budgets.
    pub limits: Limits,
    /// What it needs of its host.
    #[serde(skip_serializing_if = "Needs::is_empty")]
    pub needs: Needs,
    /// What its stack is made of, by name; the image of a lane that runs one from a registry is no part of this.
    #[serde(rename = "input", skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    /// The program that the `exec` backend runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<Exec>,
    /// How it is asked, where its process is a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
}

/// A signal that must be as declared, or the lane is refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// When it is looked at.
    pub stage: Stage,
    /// The signal's name.
    pub signal: String,
    /// The test.
    pub test: GateTest,
}

/// A test of a signal's value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateTest {
    /// Exactly this value.
    Equals(SignalValue),
    /// One of these texts.
    OneOf(Vec<String>),
    /// A number no smaller.
    AtLeast(f64),
    /// A number no larger.
    AtMost(f64),
    /// A dotted version no older.
    MinimumVersion(String),
    /// A dotted version that is older than this one.
    BelowVersion(String),
}

/// Budgets. Inactivity is counted from the last sign of life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Inactivity while starting and loading, in seconds.
    pub load_s: f64,
    /// How long one compilation may take, in seconds: beats alone do not prolong it.
    pub compile_s: f64,
    /// Inactivity in a warmup repetition, in seconds.
    pub warmup_s: f64,
    /// Inactivity in a measured repetition, in seconds.
    pub measure_s: f64,
    /// Cap on the launch as a whole, in seconds.
    pub wall_s: f64,
    /// Time between TERM and KILL, in seconds.
    pub grace_s: f64,
    /// Processors a container may use.
    pub cpus: f64,
    /// Memory a container may use, in MiB.
    pub memory_mib: u64,
    /// Processes and threads a container may hold.
    pub pids: u32,
    /// Size of a container's scratch directory, in MiB.
    pub scratch_mib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            load_s: 120.0,
            compile_s: 600.0,
            warmup_s: 120.0,
            measure_s: 120.0,
            wall_s: 3_600.0,
            grace_s: 3.0,
            cpus: 1.0,
            memory_mib: 4_096,
            pids: 256,
            scratch_mib: 64,
        }
    }
}

impl Lane {
    /// Reads a lane; `file` names it in errors.
    ///
    /// # Errors
    /// A fault with file, line, key path and what to try.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let document = Document::new(file, text);
        let RawLane {
            schema,
            name,
            description,
            launcher,
            runner,
            process,
            docker,
            axes,
            environment,
            gates,
            limits,
            needs,
            inputs,
            exec,
            server,
        } = document.read()?;
        check_plan::schema_version(&document, schema)?;
        check_plan::name(&document, "name", &name)?;
        check_plan::name(&document, "runner", &runner)?;
        check_axes(&document, &axes)?;
        check_limits(&document, &limits)?;
        needs::check(&document, &needs)?;
        exec.iter().try_for_each(|exec| super::exec::check(&document, exec))?;
        let launcher = check_launcher(&document, launcher, process, docker)?;
        check_environment(&document, &environment, &launcher)?;
        check_inputs(&document, &launcher, &inputs, &environment)?;
        server::check(&document, &runner, server.as_ref(), &launcher)?;
        Ok(Self {
            launcher,
            gates: check_gates(&document, gates)?,
            name,
            description,
            runner,
            axes,
            environment,
            limits,
            needs,
            inputs,
            exec,
            server,
        })
    }

    /// The environment that the lane's process is given: the declared one, and what the `exec` backend is to run.
    #[must_use]
    pub fn given_environment(&self) -> BTreeMap<String, String> {
        let exec = self.exec.as_ref().and_then(|exec| canonical_json(exec).ok());
        let exec = exec.map(|text| (EXEC_VARIABLE.to_owned(), text));
        self.environment.clone().into_iter().chain(exec).collect()
    }

    /// Whether its process is a server, which speaks HTTP and no wire.
    #[must_use]
    pub const fn is_server(&self) -> bool {
        self.server.is_some()
    }

    /// The lane's canonical digest, which its lock repeats. Descriptions and comments are no part of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let text = canonical_json(self).expect("a checked lane holds strings, integers and finite numbers only");
        Digest::of(text.as_bytes())
    }
}

fn check_axes(document: &Document<'_>, axes: &Axes) -> Result<(), Error> {
    for name in axes.keys() {
        if !AXIS_NAMES.contains(&name.as_str()) {
            let hint = match nearest(name, AXIS_NAMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known axes: {}", AXIS_NAMES.join(", ")),
            };
            return Err(document.fault(
                &format!("axes.{}", key(name)),
                format!("unknown key `{}`", name.escape_debug()),
                Some(hint),
            ));
        }
    }
    Ok(())
}

/// The system takes no name with `=` and no text with a zero byte, and a container does not see the run's folder.
fn check_environment(
    document: &Document<'_>,
    environment: &BTreeMap<String, String>,
    launcher: &Launcher,
) -> Result<(), Error> {
    for (name, value) in environment {
        let message = if name.is_empty() || name.contains(['=', '\0']) {
            format!("{name:?} is no name of a variable")
        } else if value.contains('\0') {
            "the value holds a zero byte".to_owned()
        } else if value.contains(RUN_FOLDER) && matches!(launcher, Launcher::Docker(_)) {
            format!("a container does not see the run's folder, `{RUN_FOLDER}`; what it may write to is /scratch")
        } else {
            continue;
        };
        return Err(document.fault(&format!("environment.{}", key(name)), message, None));
    }
    Ok(())
}

/// Which inputs a lane can take depends on how it starts.
fn check_inputs(
    document: &Document<'_>,
    launcher: &Launcher,
    inputs: &BTreeMap<String, Input>,
    environment: &BTreeMap<String, String>,
) -> Result<(), Error> {
    input::check(document, inputs, launcher.build().is_some())?;
    let overlays: Vec<&String> =
        inputs.iter().filter(|(_, input)| matches!(input, Input::Overlay { .. })).map(|(name, _)| name).collect();
    let fault = |name: &str, message: &str| Err(document.fault(&format!("input.{}", key(name)), message, None));
    match (&overlays[..], launcher) {
        ([], _) => {}
        ([name, ..], Launcher::Docker(_)) => return fault(name, "an overlay is for process lanes"),
        ([_, name, ..], _) => return fault(name, "is a second overlay, and a lane takes one"),
        ([name], Launcher::Process(_)) if environment.contains_key("PYTHONPATH") => {
            return fault(name, "an overlay sets PYTHONPATH, and so does the table [environment]");
        }
        ([_], Launcher::Process(_)) => {}
    }
    let targeted = inputs.iter().find(|(_, input)| matches!(input, Input::Model { target: Some(_), .. }));
    if let (Some((name, _)), Launcher::Process(_)) = (targeted, launcher) {
        return fault(name, "has a `target`, which is a place in a container, and the lane is a process");
    }
    if let Some(name) = inputs.keys().find(|name| *name == IMAGE_INPUT).filter(|_| launcher.registry_image().is_some())
    {
        return fault(name, "is the name of the lane's own image; call it otherwise");
    }
    Ok(())
}

/// A version is compared number by number.
pub(super) fn check_version(document: &Document<'_>, path: &str, version: &str) -> Result<(), Error> {
    if version.split('.').all(|part| part.parse::<u32>().is_ok()) {
        return Ok(());
    }
    let message = format!("{version:?} is no version: expected numbers with dots between them");
    Err(document.fault(path, message, None))
}

fn check_limits(document: &Document<'_>, limits: &Limits) -> Result<(), Error> {
    let Limits { load_s, compile_s, warmup_s, measure_s, wall_s, grace_s, cpus, memory_mib, pids, scratch_mib } =
        limits;
    let seconds = [
        ("load_s", load_s),
        ("compile_s", compile_s),
        ("warmup_s", warmup_s),
        ("measure_s", measure_s),
        ("wall_s", wall_s),
        ("grace_s", grace_s),
        ("cpus", cpus),
    ];
    for (key, value) in seconds {
        if !(*value > 0.0 && *value <= 1.0e6) {
            let message = format!("{value} is out of range: expected a number above 0 and up to 1000000");
            return Err(document.fault(&format!("limits.{key}"), message, None));
        }
    }
    for (key, value, most) in [
        ("memory_mib", *memory_mib, 1 << 24),
        ("pids", u64::from(*pids), 1 << 20),
        ("scratch_mib", *scratch_mib, 1 << 20),
    ] {
        if value == 0 || value > most {
            let message = format!("{value} is out of range: expected 1 to {most}");
            return Err(document.fault(&format!("limits.{key}"), message, None));
        }
    }
    Ok(())
}

fn check_gates(document: &Document<'_>, raw: Vec<RawGate>) -> Result<Vec<Gate>, Error> {
    let mut gates = Vec::with_capacity(raw.len());
    for (index, gate) in raw.into_iter().enumerate() {
        let at = |key: &str| format!("gate[{index}].{key}");
        let (stage, signal) = (gate.stage, gate.signal.clone());
        if signal.trim().is_empty() {
            return Err(document.fault(&at("signal"), "is empty", None));
        }
        let test = gate.test().map_err(|count| {
            let message = format!("a gate takes exactly one test, and {count} are given");
            let hint = "tests: equals, one_of, at_least, at_most, minimum_version, below_version".to_owned();
            document.fault(&format!("gate[{index}]"), message, Some(hint))
        })?;
        check_test(document, &at, &test)?;
        gates.push(Gate { stage, signal, test });
    }
    Ok(gates)
}

fn check_test(document: &Document<'_>, at: &dyn Fn(&str) -> String, test: &GateTest) -> Result<(), Error> {
    let finite = |key: &str, number: f64| match number.is_finite() {
        true => Ok(()),
        false => Err(document.fault(&at(key), format!("{number} is no finite number"), None)),
    };
    match test {
        GateTest::Equals(SignalValue::Float(number)) => finite("equals", *number),
        GateTest::AtLeast(number) => finite("at_least", *number),
        GateTest::AtMost(number) => finite("at_most", *number),
        GateTest::MinimumVersion(version) => check_version(document, &at("minimum_version"), version),
        GateTest::BelowVersion(version) => check_version(document, &at("below_version"), version),
        GateTest::OneOf(texts) if texts.is_empty() => {
            Err(document.fault(&at("one_of"), "is empty, so that no signal could pass", None))
        }
        GateTest::Equals(_) | GateTest::OneOf(_) => Ok(()),
    }
}
