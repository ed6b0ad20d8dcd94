//! What a run promises when it is interrupted: by KILL, by Ctrl-C, by a full disk, by an editor. No finished row is
//! lost, none stands twice, and nothing of a lane stays.

#[path = "resume/again.rs"]
mod again;
#[path = "resume/edits.rs"]
mod edits;
#[path = "resume/full_disk.rs"]
mod full_disk;
#[path = "resume/kills.rs"]
mod kills;
#[allow(dead_code, unused_imports, reason = "each test takes of the shared parts what it needs")]
mod project;
#[path = "resume/stops.rs"]
mod stops;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};

/// A test, and whether it needs the scripted runner of `tests/fixtures`.
#[derive(Clone, Copy)]
pub struct Named(&'static str, bool, fn());

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for Named(name, scripted, test) in [again::TRIALS, edits::TRIALS, kills::TRIALS, stops::TRIALS].concat() {
        trials.push(Trial::ignorable_test(name, move || match project::faulty_runner() {
            Err(reason) if scripted => Ok(Completion::ignored_with(reason)),
            _ => {
                test();
                Ok(Completion::Completed)
            }
        }));
    }
    trials.push(Trial::ignorable_test("a_full_disk_stops_the_run_and_leaves_a_readable_journal", full_disk::full_disk));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
