//! Plans whose cells fix axes of their own, in stages and cell by cell.

use lockstep::journal::{Busy, LaneState, Record, Row};
use lockstep::terms::{FailureClass, Outcome};

use crate::project::{Lane, Ledger, PlanText, Project};
use crate::scene::{Named, run_faults};

pub fn trials() -> Vec<Named> {
    let trials: [(&str, fn()); 5] = [
        ("stages_run_one_after_the_other_each_in_blocks_of_its_own", stages),
        ("a_lane_that_takes_no_part_has_a_row_for_each_cell_of_each_stage", refused),
        ("cell_by_cell_a_cell_that_breaks_its_lane_is_given_up_for_the_block", broken),
        ("an_axis_of_a_cell_has_to_be_shown", unshown),
        ("a_run_pauses_when_its_time_is_over_and_goes_on", paused),
    ];
    trials.map(|(name, test)| (name.to_owned(), Box::new(test) as Box<dyn FnOnce() + Send>)).into()
}

/// A workload of the second stage.
const SECOND: &str = "\n[[workload]]\nname = \"second\"\nstage = 1\nprompt = [1, 2]\nnew_tokens = 3\n\
                      phases = [\"kv_decode\"]\naxes = { cache = [\"dynamic\"] }\n";

fn plan(project: &Project, lanes: &[&'static str], settings: &str, rest: &'static str) {
    let text = PlanText { rest, warmup: 1, ..PlanText::new("faults", lanes) }.text();
    project.write("plans/faults.toml", text.replace("[run]\n", &format!("[run]\n{settings}")));
}

fn stages() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("healthy", "none")]);
    plan(&project, &["healthy"], "order = \"cell_by_cell\"\n", SECOND);
    let (run, ledger) = run_faults(&project);
    run.exits(0);
    assert_eq!(ledger.outcomes("healthy"), [(Outcome::Ok, 18)].into());
    let blocks: Vec<u32> = ledger.rows().iter().map(|row| row.block).collect();
    assert!(blocks.is_sorted() && blocks.last() == Some(&5), "{blocks:?}");
    let second = ledger.plan.cells().expect("the plan has cells")[2].id();
    assert!(
        ledger.rows().iter().all(|row| (row.block > 2) == (row.cell == second)),
        "a stage's cell is in another's block"
    );
    let windows: Vec<&Busy> = ledger
        .journal
        .records
        .iter()
        .filter_map(|record| if let Record::LaunchEnd(end) = record { end.busy.as_ref() } else { None })
        .collect();
    assert!(!windows.is_empty(), "no launch tells of its window");
    for busy in windows {
        assert!(busy.warmup_ms.is_some_and(|warmup_ms| warmup_ms <= busy.window_ms), "{busy:?}");
    }
}

fn refused() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("healthy", "none"), &Lane::faulty("faulty", "none --name impostor")]);
    plan(&project, &["healthy", "faulty"], "", SECOND);
    let (run, ledger) = run_faults(&project);
    run.exits(3);
    assert_eq!(
        (ledger.state("faulty"), ledger.outcomes("faulty")),
        (LaneState::Refused, [(Outcome::Refused, 3)].into())
    );
    assert_eq!(ledger.rows_of("faulty").iter().map(|row| row.block).max(), Some(3));
}

fn broken() {
    let project = Project::new();
    // The fifth request of all: a warmup and two repetitions of the first cell, the warmup of the second.
    project.lanes(&[&Lane::faulty("faulty", "crash-once --at 5 --marker struck")]);
    plan(&project, &["faulty"], "order = \"cell_by_cell\"\nbreakdowns = 1\n", "\n[coverage]\nmin_ok_share = 0.5\n");
    let (_, ledger) = run_faults(&project);
    let expected = [(Outcome::Ok, 10), (Outcome::Crashed, 1), (Outcome::Skipped, 1)];
    assert_eq!(ledger.outcomes("faulty"), expected.into());
    let bad: Vec<&Row> = ledger.rows().into_iter().filter(|row| row.outcome != Outcome::Ok).collect();
    assert_eq!((&bad[0].cell, bad[0].block), (&bad[1].cell, bad[1].block), "another cell was given up: {bad:?}");
}

fn unshown() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("healthy", "none")]);
    let rest = "\n[[workload]]\nname = \"second\"\nprompt = [1, 2]\nnew_tokens = 3\nphases = [\"kv_decode\"]\n\
                axes = { padded = [\"multiple_of_8\"], cache = [\"dynamic\", \"static\"] }\n";
    plan(&project, &["healthy"], "", rest);
    let (_, ledger) = run_faults(&project);
    assert_eq!(ledger.outcomes("healthy"), [(Outcome::Ok, 12), (Outcome::FellBack, 12)].into());
    for row in ledger.rows().into_iter().filter(|row| row.outcome == Outcome::FellBack) {
        let failure = row.failure.as_ref().expect("a row that is not ok says why");
        assert_eq!(failure.class, FailureClass::Implausible);
        assert!(failure.message.contains("is declared"), "{failure:?}");
    }
}

fn paused() {
    let project = Project::new();
    let lane = Lane::faulty("faulty", "hang --at 4 --marker struck").limit("measure_s", 50.0);
    project.lanes(&[&lane]);
    plan(&project, &["faulty"], "", "");
    let run = project.run(&["run", "faults", "--time-budget", "3"]);
    run.exits(5).ended.tells(&["lockstep resume"]);
    let ledger = Ledger::of(&run.path);
    assert!(!ledger.journal.sealed && matches!(ledger.journal.records.last(), Some(Record::Pause { .. })));
    project.lockstep(&["resume", "latest"]).exits(0);
    let ledger = Ledger::of(&run.path);
    ledger.is_complete();
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::Ok, 12)].into());
}
