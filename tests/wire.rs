//! The wire: properties of its codec, and its conformance kit (`tests/wire/*.jsonl`, described in
//! `containers/WIRE.md`) played against the native runner, the Python runner and, on request, any other.
//!
//! A runner that cannot be started here (no Python, or one that is too old) shows as ignored with the reason.

#[path = "wire/checkpoints.rs"]
mod checkpoints;
#[path = "wire/differential.rs"]
mod differential;
#[path = "wire/document.rs"]
mod document;
#[path = "wire/kit.rs"]
mod kit;
#[path = "wire/launch.rs"]
mod launch;
#[path = "wire/participants.rs"]
mod participants;
#[path = "wire/pattern.rs"]
mod pattern;
#[path = "wire/property.rs"]
mod property;

use std::process::ExitCode;
use std::sync::Arc;

use checkpoints::Models;
use kit::{Played, Script};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use participants::Participant;

fn main() -> ExitCode {
    // The noisy runner is this very program, started with one word.
    if std::env::args().nth(1).as_deref() == Some(participants::NATIVE_NOISY) {
        return participants::noisy_native_main();
    }
    let arguments = Arguments::from_args();
    let models = Arc::new(Models::default());
    let mut trials = property::trials();
    trials.extend(differential::trials());
    trials.extend(document::trials());
    trials.push(Trial::test("the Python runner has this package's version", same_version));
    trials.extend(kit_trials(&models));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Every script against every runner; where a script saves tokens, they are compared with the native runner's.
fn kit_trials(models: &Arc<Models>) -> Vec<Trial> {
    let scripts = kit::scripts();
    assert!(scripts.len() > 15, "the kit's scripts were not found");
    let mut trials = Vec::new();
    for participant in participants::all() {
        for script in scripts.iter().filter(|script| !participant.noisy || script.name == "greedy") {
            let (participant, script, models) = (participant.clone(), script.clone(), Arc::clone(models));
            let name = format!("{}::{}", participant.name, script.name);
            trials.push(Trial::ignorable_test(name, move || play(&script, &participant, &models)));
        }
    }
    trials
}

fn play(script: &Script, participant: &Participant, models: &Models) -> Result<Completion, Failed> {
    if let Some(reason) = &participant.absent {
        return Ok(Completion::ignored_with(reason));
    }
    let tokens = match kit::play(script, participant, models)? {
        Played::Lacking(reason) => return Ok(Completion::ignored_with(reason)),
        Played::Through(tokens) => tokens,
    };
    if !script.saves_tokens() || participant.name == participants::NATIVE {
        return Ok(Completion::Completed);
    }
    match kit::play(script, &participants::native(), models)? {
        Played::Lacking(reason) => Err(reason.into()),
        Played::Through(expected) if expected == tokens => Ok(Completion::Completed),
        Played::Through(expected) => {
            Err(format!("tokens differ from the native runner's:\n{tokens:?}\n{expected:?}").into())
        }
    }
}

/// The greeting's version is the package's in both runners.
fn same_version() -> Result<(), Failed> {
    let path = participants::python_path().join("lockstep_runner/__init__.py");
    let wanted = format!("VERSION = \"{}\"\n", env!("CARGO_PKG_VERSION"));
    if std::fs::read_to_string(&path)?.contains(&wanted) {
        return Ok(());
    }
    Err(format!("{} lacks the line {wanted}", path.display()).into())
}
