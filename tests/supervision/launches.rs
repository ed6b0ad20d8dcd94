//! Faults that strike while a lane starts, loads or warms up.

use lockstep::journal::{LaneState, Record};
use lockstep::plan::Schedule;
use lockstep::terms::{FailureClass, Outcome};

use crate::project::{Lane, PlanText, Project};
use crate::scene::{Expected, Named, check, run_beside_healthy, run_faults};

/// Fault and words of the reason, when it strikes at the first look at the lane.
const AT_FIRST_LOOK: &[(&str, &str)] = &[
    ("no-greeting", "no progress for 1.0 s in step load"),
    ("wrong-version", "wire protocol 2"),
    ("wrong-stage", "at_exit"),
];

/// The same faults when they strike at a later launch, with outcome and class of the repetition that was next.
const AT_A_LATER_LAUNCH: &[(&str, Outcome, FailureClass, &str)] = &[
    ("no-greeting", Outcome::Hung, FailureClass::Inactive, "no progress for 1.0 s in step load"),
    ("wrong-version", Outcome::Crashed, FailureClass::Wire, "wire protocol 2"),
    ("hang-on-load", Outcome::Hung, FailureClass::Inactive, "no progress for 1.0 s in step load"),
    ("fatal-on-load", Outcome::Crashed, FailureClass::Exception, "the scripted model is not there"),
    ("wrong-stage", Outcome::Crashed, FailureClass::Wire, "at_exit"),
];

/// Strikes at the launch `$N` alone, where 0 is the first look, and from there on when `$N` is `N+`.
const COUNTING: &str = "n=$(cat faulty.count 2>/dev/null || echo 0); echo $((n + 1)) > faulty.count; \
                        echo $$ >> faulty.pids; if [ $n CONDITION ]; then exec faulty_runner \"$@\"; \
                        else exec faulty_runner none; fi";

pub fn trials() -> Vec<Named> {
    let mut trials: Vec<Named> = Vec::new();
    for &(fault, reason) in AT_FIRST_LOOK {
        let name = format!("{}_at_the_first_look_refuses_the_lane", fault.replace('-', "_"));
        trials.push((name, Box::new(move || refused(fault, reason))));
    }
    for &(fault, outcome, class, message) in AT_A_LATER_LAUNCH {
        let name = format!("{}_at_a_later_launch_is_{outcome}_for_one_repetition", fault.replace('-', "_"));
        let test = move || {
            let lane = lane(fault).script(&COUNTING.replace("CONDITION", "-eq 2"));
            check(&lane, &Expected { outcome, class, message, rows: 1, launches: 4, exit: 0 });
        };
        trials.push((name, Box::new(test)));
    }
    for (fault, outcome) in [("hang-on-load", Outcome::Hung), ("fatal-on-load", Outcome::Crashed)] {
        let name = format!("{}_in_every_launch_is_{outcome}_and_the_lane_is_given_up", fault.replace('-', "_"));
        trials.push((name, Box::new(move || never_loads(fault, outcome))));
    }
    let more: [(&str, fn()); 5] = [
        ("a_lane_that_never_starts_again_is_given_up", given_up),
        ("a_crash_in_a_cells_warmup_is_that_cells_crash", warmup_crash),
        ("another_runner_than_the_declared_one_is_refused", other_runner),
        ("a_launch_that_breaks_the_wire_as_it_leaves_does_not_count", disowned),
        ("a_gated_signal_that_changes_after_the_warmup_or_at_the_exit_refuses_the_launch", changed),
    ];
    trials.extend(more.map(|(name, test)| (name.to_owned(), Box::new(test) as Box<dyn FnOnce() + Send>)));
    trials
}

fn lane(fault: &str) -> Lane {
    let lane = Lane::faulty("faulty", fault);
    let hangs = matches!(fault, "no-greeting" | "hang-on-load");
    if hangs { lane.limit("load_s", 1.0).limit("grace_s", 0.2) } else { lane }
}

fn refused(fault: &str, reason: &str) {
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, &lane(fault));
    run.exits(3).ended.tells(&["lane faulty REFUSED", reason]);
    assert_eq!((ledger.state("faulty"), ledger.launches("faulty")), (LaneState::Refused, 0));
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::Refused, 2)].into());
    assert_eq!(ledger.outcomes("healthy"), [(Outcome::Ok, 12)].into(), "the other lane is measured all the same");
    for row in ledger.rows_of("faulty") {
        assert!(row.failure.as_ref().is_some_and(|failure| failure.message.contains(reason)), "{row:?}");
    }
}

/// The lane speaks, so it is no refusal: its rows say what it does.
fn never_loads(fault: &str, outcome: Outcome) {
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, &lane(fault));
    run.exits(5);
    assert_eq!((ledger.state("faulty"), ledger.launches("faulty")), (LaneState::Ready, 3));
    assert_eq!(ledger.outcomes("faulty"), [(outcome, 3), (Outcome::Skipped, 9)].into());
    assert_eq!(ledger.outcomes("healthy"), [(Outcome::Ok, 12)].into(), "the other lane is measured all the same");
}

fn given_up() {
    let project = Project::new();
    let lane = lane("fatal-on-load").script(&COUNTING.replace("CONDITION", "-ge 1"));
    let (run, ledger) = run_beside_healthy(&project, &lane);
    run.exits(5);
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::Crashed, 3), (Outcome::Skipped, 9)].into());
    assert_eq!(ledger.launches("faulty"), 3, "three in the first block");
    let without_launch = ledger.rows_of("faulty").into_iter().filter(|row| row.launch.is_none());
    let messages: Vec<&str> =
        without_launch.filter_map(|row| row.failure.as_ref()).map(|failure| failure.message.as_str()).collect();
    assert_eq!(messages.len(), 9);
    assert!(messages.iter().all(|message| message.contains("not attempted")), "{messages:?}");
}

/// The crash strikes in the warmup of the one cell that is not the next to be measured.
fn warmup_crash() {
    let plan = PlanText { warmup: 1, ..PlanText::new("faults", &["healthy", "faulty"]) };
    let project = Project::new();
    project.plan(&plan);
    let parsed = lockstep::plan::Plan::parse("faults.toml", &plan.text()).expect("the test's plan is a plan");
    let cells = parsed.cells().expect("the test's plan has cells");
    let schedule = Schedule::of(&parsed, &parsed.stages());
    let first = schedule.launches.iter().find(|launch| launch.lane == "faulty").expect("the lane is launched");
    let struck = (first.repetitions[0].cell + 1) % cells.len();
    // Cells are warmed up in the plan's order.
    let arguments = format!("crash-once --at {} --marker struck", struck + 1);
    project.lanes(&[&Lane::faulty("healthy", "none"), &Lane::faulty("faulty", &arguments)]);
    let (_, ledger) = run_faults(&project);
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::Ok, 11), (Outcome::Crashed, 1)].into());
    let crashed = ledger.rows_of("faulty").into_iter().find(|row| row.outcome == Outcome::Crashed);
    let crashed = crashed.expect("one row crashed");
    assert_eq!(crashed.cell, cells[struck].id(), "the crash is on another cell's record: {crashed:?}");
}

fn other_runner() {
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, &Lane::faulty("faulty", "none --name impostor"));
    run.exits(3).ended.tells(&["declares the runner \"faulty\"", "\"impostor\" answered"]);
    assert_eq!(ledger.launches("faulty"), 0);
}

/// The last answer comes twice, which the supervisor finds when it asks for the look at the exit.
fn disowned() {
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, &Lane::faulty("faulty", "double-answer --at 4 --marker struck"));
    run.exits(3);
    let disowned = |record: &&Record| matches!(record, Record::LaunchEnd(end) if end.disowned.is_some());
    assert_eq!(ledger.journal.records.iter().filter(disowned).count(), 1);
    let outcomes = &run.verdict().lanes[1].outcomes;
    assert_eq!(outcomes, &[(Outcome::Ok, 8), (Outcome::Refused, 4)].into(), "rows of that launch count as refused");
}

/// As an interpreter's lock that comes back: at the first look all is well, in the third launch it changes late.
fn changed() {
    for stage in ["after_warmup", "at_exit"] {
        let project = Project::new();
        let fault = format!("other-threads-{}", stage.replace('_', "-"));
        let lane = lane(&fault).script(&COUNTING.replace("CONDITION", "-eq 2"));
        project.plan(&PlanText::new("faults", &["healthy", "faulty"]));
        project.lanes(&[&Lane::faulty("healthy", "none"), &lane]);
        let gate = format!("\n[[gate]]\nstage = \"{stage}\"\nsignal = \"threads\"\nequals = 1\n");
        let gated = project.read("lanes/faulty.toml") + &gate;
        project.write("lanes/faulty.toml", gated);
        project.lockstep(&["lock", "faulty"]).exits(0);
        let (run, ledger) = run_faults(&project);
        run.exits(3);
        let told = |record: &Record| match record {
            Record::LaunchEnd(end) => end.disowned.as_ref().is_some_and(|failure| failure.message.contains("threads")),
            Record::Row(row) => row.failure.as_ref().is_some_and(|failure| failure.message.contains("threads")),
            _ => false,
        };
        assert!(ledger.journal.records.iter().any(told), "{stage}: nothing names the signal");
        assert_eq!(ledger.state("faulty"), LaneState::Ready, "{stage}");
        let outcomes = &run.verdict().lanes[1].outcomes;
        assert!(outcomes.get(&Outcome::Refused).is_some_and(|refused| *refused > 0), "{stage}: {outcomes:?}");
        assert_eq!(ledger.outcomes("healthy"), [(Outcome::Ok, 12)].into(), "{stage}");
    }
}
