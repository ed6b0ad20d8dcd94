//! Nothing of a lane outlives its launch.

use lockstep::terms::Outcome;

use crate::project::{Lane, Project};
use crate::scene::{Named, run_beside_healthy};

pub fn trials() -> Vec<Named> {
    let variants = ["", "--hold-stdout", "--new-session", "--hold-stdout --new-session"];
    let trial = |options: &'static str| -> Named {
        let name = format!("a_child_that_a_runner_leaves_is_ended_with_the_lane {options}");
        (name.trim_end().replace(" --", "_").replace('-', "_"), Box::new(move || child_is_gone(options)))
    };
    variants.into_iter().map(trial).collect()
}

fn child_is_gone(options: &str) {
    let project = Project::new();
    let lane = Lane::faulty("faulty", &format!("spawn-child --pid-file child.pid {options}"));
    let (run, ledger) = run_beside_healthy(&project, &lane);
    run.exits(0);
    assert_eq!((ledger.outcomes("faulty"), ledger.launches("faulty")), ([(Outcome::Ok, 12)].into(), 3));
    // By its marks it is gone already (see `run_faults`); this looks at the process itself.
    let pid = project.read("child.pid");
    let program = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(!String::from_utf8_lossy(&program).contains("sleeper"), "child {pid} lives on");
}
