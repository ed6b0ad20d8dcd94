//! A healthy lane beside a faulty one, and what is expected of both.

use lockstep::terms::{FailureClass, Outcome};

use crate::project::{Lane, Ledger, PlanText, Project, Run, processes_of};

/// A named test.
pub type Named = (String, Box<dyn FnOnce() + Send>);

/// What a fault must come to. Each launch has four repetitions, and there are three launches.
pub struct Expected {
    pub outcome: Outcome,
    pub class: FailureClass,
    /// What the failure's message must hold.
    pub message: &'static str,
    /// Rows with that outcome; all others must be `ok`.
    pub rows: usize,
    /// Launches of the faulty lane.
    pub launches: usize,
    pub exit: i32,
}

/// Runs the plan `faults` over `healthy` and the lane given, and looks at what must hold always.
pub fn run_beside_healthy(project: &Project, faulty: &Lane) -> (Run, Ledger) {
    project.lanes(&[&Lane::faulty("healthy", "none"), faulty]);
    project.plan(&PlanText::new("faults", &["healthy", faulty.name]));
    run_faults(project)
}

pub fn run_faults(project: &Project) -> (Run, Ledger) {
    let run = project.run(&["run", "faults"]);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete().replaced_what_broke();
    assert_eq!(processes_of(&run.id), [], "processes are left of {:?}", run.ended);
    (run, ledger)
}

/// Runs a faulty lane and holds it against what is expected.
pub fn check(faulty: &Lane, expected: &Expected) -> Ledger {
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, faulty);
    let Expected { outcome, class, message, rows, launches, exit } = expected;
    run.exits(*exit);
    assert_eq!(ledger.outcomes("healthy"), [(Outcome::Ok, 12)].into(), "the healthy lane suffered");
    let found = ledger.outcomes(faulty.name);
    let all_bad = [(*outcome, *rows)].into();
    let some_ok = [(*outcome, *rows), (Outcome::Ok, 12 - rows.min(&12))].into();
    assert_eq!(found, if *rows == 12 { all_bad } else { some_ok });
    for row in ledger.rows_of(faulty.name).into_iter().filter(|row| row.outcome == *outcome) {
        let failure = row.failure.as_ref().expect("a row that is not ok says why");
        assert!(failure.message.contains(message), "{failure:?} lacks {message:?}");
        assert_eq!(failure.class, *class, "{failure:?}");
    }
    assert_eq!(ledger.launches(faulty.name), *launches);
    // Every launch was a process of its own, and so was the look before the first one.
    let pids: Vec<String> = project.read(&format!("{}.pids", faulty.name)).lines().map(str::to_owned).collect();
    let distinct: std::collections::BTreeSet<&String> = pids.iter().collect();
    assert_eq!((pids.len(), distinct.len()), (launches + 1, launches + 1), "process ids {pids:?}");
    ledger
}
