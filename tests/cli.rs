//! The command line, as a user meets it: the real executable in folders of the tests' own. What verbs say, refuse,
//! write and exit with.

#[path = "cli/acceptance.rs"]
mod acceptance;
#[path = "cli/builds.rs"]
mod builds;
#[path = "cli/bundles.rs"]
mod bundles;
#[path = "cli/calibrations.rs"]
mod calibrations;
#[path = "cli/gates.rs"]
mod gates;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/hubs.rs"]
mod hubs;
#[path = "cli/imports.rs"]
mod imports;
#[path = "cli/inputs.rs"]
mod inputs;
#[path = "cli/lanes.rs"]
mod lanes;
#[path = "cli/locks.rs"]
mod locks;
#[path = "cli/models.rs"]
mod models;
#[path = "cli/own_models.rs"]
mod own_models;
#[path = "cli/own_scripts.rs"]
mod own_scripts;
#[path = "cli/patches.rs"]
mod patches;
#[path = "cli/places.rs"]
mod places;
#[path = "cli/prepared.rs"]
mod prepared;
#[allow(dead_code, unused_imports, reason = "each test takes of the shared parts what it needs")]
mod project;
#[path = "cli/schemas.rs"]
mod schemas;
#[path = "cli/sensitivities.rs"]
mod sensitivities;
#[path = "cli/skipped.rs"]
mod skipped;
#[path = "cli/streams.rs"]
mod streams;

use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Completion, Trial};

/// What a test needs of the machine.
#[derive(Clone, Copy)]
pub enum Needs {
    Nothing,
    /// The scripted runner of `tests/fixtures`.
    Scripted,
    /// The slow lockstep of `tests/fixtures`.
    Slowed,
    /// A program on the search path, here for its own sake.
    Program(&'static str),
    /// What puts patches in, and what runs the patched.
    Patch,
    /// To run a command where there is no network.
    NetworkNamespace,
    /// That, and a Docker engine.
    EngineAndNamespace,
}

/// A test.
#[derive(Clone, Copy)]
pub struct Named(&'static str, Needs, fn());

fn main() -> ExitCode {
    let files = [
        acceptance::TRIALS,
        builds::TRIALS,
        bundles::TRIALS,
        calibrations::TRIALS,
        gates::TRIALS,
        help::TRIALS,
        hubs::TRIALS,
        imports::TRIALS,
        inputs::TRIALS,
        lanes::TRIALS,
        locks::TRIALS,
        models::TRIALS,
        own_models::TRIALS,
        own_scripts::TRIALS,
        patches::TRIALS,
        places::TRIALS,
        schemas::TRIALS,
        sensitivities::TRIALS,
        skipped::TRIALS,
        streams::TRIALS,
    ];
    let trial = |Named(name, needs, test)| {
        Trial::ignorable_test(name, move || match lacking(needs) {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None => {
                test();
                Ok(Completion::Completed)
            }
        })
    };
    let conclusion = libtest_mimic::run(&Arguments::from_args(), files.concat().into_iter().map(trial).collect());
    prepared::remove();
    conclusion.exit_code()
}

fn lacking(needs: Needs) -> Option<String> {
    match needs {
        Needs::Nothing => None,
        Needs::Scripted => project::faulty_runner().err(),
        Needs::Slowed => project::example("slowed_lockstep").err(),
        Needs::Program(name) => no_program(name),
        Needs::Patch => no_program("patch").or_else(|| no_program("python3")),
        Needs::NetworkNamespace => no_namespace(),
        Needs::EngineAndNamespace => no_namespace().or_else(no_engine),
    }
}

fn no_program(name: &str) -> Option<String> {
    let asked = Command::new(name).arg("--version").stdin(Stdio::null()).output();
    asked.err().map(|error| format!("{name} cannot be started: {error}"))
}

fn no_namespace() -> Option<String> {
    let words = ["--user", "--map-root-user", "--net", "true"];
    let asked = Command::new("unshare").args(words).stdin(Stdio::null()).output();
    match asked {
        Err(error) => Some(format!("unshare cannot be started: {error}")),
        Ok(ended) if ended.status.success() => None,
        Ok(ended) => {
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            Some(format!("this user may not make a network namespace: {said}"))
        }
    }
}

fn no_engine() -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let host = std::env::var("DOCKER_HOST").ok();
    runtime.block_on(lockstep::launch::Engine::connect(host.as_deref())).err().map(|error| error.to_string())
}
