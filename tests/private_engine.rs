//! What may befall an engine while Lockstep uses it, on engines that the tests start for themselves: other people's
//! containers, a restart, an image that goes or comes with a bundle, a pull that breaks, a full disk, a runner that eats
//! memory or does not listen, a hook for GPUs. Each ends in a typed row or a typed refusal, with nothing left running.

#[path = "private_engine/bundled.rs"]
mod bundled;
#[path = "private_engine/daemon.rs"]
mod daemon;
#[path = "private_engine/disk.rs"]
mod disk;
#[path = "private_engine/foreign.rs"]
mod foreign;
#[path = "private_engine/gpu.rs"]
mod gpu;
#[path = "registry/images.rs"]
#[allow(dead_code, reason = "the images of the registry's own tests are not needed here")]
mod images;
#[path = "private_engine/project.rs"]
mod lane_project;
#[allow(dead_code, unused_imports, reason = "each test takes of the shared parts what it needs")]
mod project;
#[path = "private_engine/pulls.rs"]
mod pulls;
#[path = "private_engine/recorder.rs"]
mod recorder;
#[path = "private_engine/restart.rs"]
mod restart;
#[path = "private_engine/runners.rs"]
mod runners;
#[path = "registry/server.rs"]
mod server;
#[path = "private_engine/servers.rs"]
mod servers;
#[path = "private_engine/vanish.rs"]
mod vanish;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use daemon::{Daemon, Settings};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// What proves a statement about behaviour, given an engine that holds the scripted runner's image and that is shared with
/// other tests. What must disturb an engine starts one of its own.
type Test = fn(&Daemon);

const TESTS: &[(&str, Test)] = &[
    ("what_lockstep_did_not_make_is_left_alone_and_clean_says_what_went", foreign::left_alone),
    ("a_daemon_that_restarts_costs_the_launch_that_it_ended", restart::restart),
    ("a_daemon_that_stays_away_ends_the_run_and_resume_goes_on", restart::away),
    ("a_container_that_somebody_removes_costs_its_launch_alone", vanish::container),
    ("an_image_that_vanishes_gives_typed_rows", vanish::image),
    ("a_built_image_comes_with_its_bundle_and_is_known_by_its_files", bundled::built),
    ("a_runner_that_the_kernel_kills_for_memory_is_a_row_that_says_so", runners::out_of_memory),
    ("a_runner_that_ignores_term_is_killed_and_gone", runners::deaf),
    ("a_gpu_request_reaches_the_engine_and_the_hook", gpu::hook),
    ("a_hook_that_fails_is_a_refusal", gpu::failing_hook),
];

/// Those that need a registry besides.
const WITH_REGISTRY: &[(&str, Test)] = &[
    ("a_pull_that_breaks_at_half_is_refused_and_works_later", pulls::broken_pull),
    ("a_full_disk_is_refused_and_the_lane_runs_once_there_is_room", disk::full),
];

/// Those that need a registry and the stand-in for servers.
const WITH_SERVERS: &[(&str, Test)] = &[
    ("each_server_of_the_catalogue_is_started_and_proven_up_to_its_health", servers::proven),
    ("a_server_of_another_version_is_refused_by_the_axis", servers::other_version),
    ("a_server_that_does_not_come_up_is_refused_with_the_end_of_its_log", servers::broken_start),
    ("a_server_may_load_for_as_long_as_it_says_so", servers::slow_start),
    ("container_and_network_of_a_killed_supervisors_server_are_cleaned_away", servers::killed),
];

/// Those that need a Python.
const WITH_PYTHON: &[(&str, Test)] =
    &[("a_server_that_is_a_process_is_started_and_proven_up_to_its_health", servers::process)];

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(future)
}

/// The engine that most tests share. It starts with the first of them, so that listing tests starts none.
#[derive(Default)]
struct Shared {
    daemon: OnceLock<Result<Daemon, String>>,
}

impl Shared {
    /// Runs `test`, or says why it cannot run.
    fn run(&self, test: Test) -> Result<Completion, Failed> {
        match self.daemon.get_or_init(start) {
            Ok(daemon) => {
                test(daemon);
                Ok(Completion::Completed)
            }
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }
    }
}

fn start() -> Result<Daemon, String> {
    if let Some(reason) = daemon::absence() {
        return Err(reason);
    }
    project::faulty_runner()?;
    let daemon = Daemon::start(Settings::default())?;
    lane_project::load(&daemon);
    Ok(daemon)
}

/// Why a test cannot run here, if it cannot.
type Absence = fn() -> Option<String>;

fn main() -> ExitCode {
    let shared = Arc::new(Shared::default());
    let trial = |(name, test): &(&'static str, Test), needed: Absence| {
        let (shared, test) = (Arc::clone(&shared), *test);
        Trial::ignorable_test(*name, move || match needed() {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None => shared.run(test),
        })
    };
    let groups: [(&[(&'static str, Test)], Absence); 4] = [
        (TESTS, || None),
        (WITH_REGISTRY, pulls::no_registry),
        (WITH_SERVERS, servers::absence),
        (WITH_PYTHON, servers::no_python),
    ];
    let trials = groups.iter().flat_map(|(tests, needed)| tests.iter().map(|test| trial(test, *needed))).collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    // The last of its holders: the daemon ends with it.
    drop(shared);
    conclusion.exit_code()
}
