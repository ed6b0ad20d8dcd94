//! GPUs sampled beside rows, with a scripted `libnvidia-ml.so.1` in the driver's place (`tests/fixtures/nvml.c`): what
//! rows, launches and header say of it, and what a throttled or shared GPU does to a verdict.

#[path = "telemetry/fake.rs"]
mod fake;
#[allow(dead_code, unused_imports, reason = "each test takes of the shared parts what it needs")]
mod project;
#[path = "telemetry/runs.rs"]
mod runs;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

fn main() -> ExitCode {
    let trials = runs::TESTS.into_iter().map(|(name, test)| {
        Trial::ignorable_test(name, move || match project::faulty_runner().and_then(|_| fake::library()) {
            Ok(library) => {
                test(library);
                Ok(Completion::Completed)
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
