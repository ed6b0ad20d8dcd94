//! What a lane can do wrong, and what the supervisor makes of it: one row for every planned repetition, a typed
//! outcome, a fresh process after a crash or hang, and nothing left behind. Real processes, scripted by
//! `tests/fixtures/faulty_runner.rs`.

#[path = "supervision/confirmation.rs"]
mod confirmation;
#[path = "supervision/expectations.rs"]
mod expectations;
#[path = "supervision/launches.rs"]
mod launches;
#[path = "supervision/leftovers.rs"]
mod leftovers;
#[allow(dead_code, unused_imports, reason = "each test takes of the shared parts what it needs")]
mod project;
#[path = "supervision/repetitions.rs"]
mod repetitions;
#[path = "supervision/scene.rs"]
mod scene;
#[path = "supervision/stages.rs"]
mod stages;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, test) in repetitions::trials()
        .into_iter()
        .chain(launches::trials())
        .chain(leftovers::trials())
        .chain(expectations::trials())
        .chain(confirmation::trials())
        .chain(stages::trials())
    {
        trials.push(Trial::ignorable_test(name, move || match project::faulty_runner() {
            Ok(_) => {
                test();
                Ok(Completion::Completed)
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
