//! Faults that strike while a cell is measured.

use lockstep::journal::{LaunchEnd, Record};
use lockstep::terms::{FailureClass, Outcome, SignalValue};
use lockstep::verdict::{Conclusion, Finding};

use crate::project::{Lane, Ledger, PlanText, Project};
use crate::scene::{Expected, Named, check, run_beside_healthy, run_faults};

/// Fault, outcome, class, words of the message. Each strikes at the third of four repetitions and costs the process,
/// so that the fourth is done by the next one.
const FATAL: &[(&str, Outcome, FailureClass, &str)] = &[
    ("garbage", Outcome::Crashed, FailureClass::Wire, "Traceback (most recent call last):"),
    ("overlong", Outcome::Crashed, FailureClass::Wire, "4194304 bytes"),
    ("torn", Outcome::Crashed, FailureClass::Died, "without a newline"),
    ("stdout-noise", Outcome::Crashed, FailureClass::Wire, "Loading checkpoint shards"),
    ("wrong-cell", Outcome::Crashed, FailureClass::Wire, "/00000000"),
    ("wrong-id", Outcome::Crashed, FailureClass::Wire, "request 2"),
    ("early-exit", Outcome::Crashed, FailureClass::Died, "the output ended where"),
    ("crash", Outcome::Crashed, FailureClass::Died, "the output ended where"),
    ("fatal", Outcome::Crashed, FailureClass::Exception, "the scripted end"),
    ("fail", Outcome::Crashed, FailureClass::Exception, "the scripted failure"),
    ("fail --oom", Outcome::Crashed, FailureClass::OutOfMemory, "the scripted failure"),
    ("too-slow-claim", Outcome::Crashed, FailureClass::Implausible, "3600000000000 ns"),
    ("hang", Outcome::Hung, FailureClass::Inactive, "no progress for 1.0 s"),
    ("hang --ignore-term", Outcome::Hung, FailureClass::Inactive, "no progress for 1.0 s"),
    ("stuck-beats", Outcome::Hung, FailureClass::Inactive, "no progress for 1.0 s"),
    ("stuck-compile", Outcome::Hung, FailureClass::Inactive, "no progress for 1.0 s in step compile"),
];

/// Fault, outcome, words of the message. These strike at the third and the fourth repetition; the process lives on.
const HARMLESS: &[(&str, Outcome, &str)] = &[
    ("zero-tokens", Outcome::FellThrough, "returned no tokens"),
    ("too-fast", Outcome::FellThrough, "below the cell's floor"),
    ("fallback", Outcome::FellBack, "cache is declared \"dynamic\", and the evidence says \"none\""),
];

pub fn trials() -> Vec<Named> {
    let mut trials: Vec<Named> = Vec::new();
    for &(fault, outcome, class, message) in FATAL {
        let test = move || {
            let expected = Expected { outcome, class, message, rows: 3, launches: 6, exit: 5 };
            check(&lane(fault), &expected);
        };
        trials.push((format!("{}_is_{outcome}_and_costs_the_process", named(fault)), Box::new(test)));
    }
    for &(fault, outcome, message) in HARMLESS {
        let test = move || {
            let class = FailureClass::Implausible;
            let expected = Expected { outcome, class, message, rows: 6, launches: 3, exit: 5 };
            let ledger = check(&lane(fault), &expected);
            let timed = |row: &&lockstep::journal::Row| row.outcome == outcome && row.wall_ns.is_some();
            assert_eq!(ledger.rows_of("faulty").into_iter().filter(timed).count(), 6, "what was claimed is kept");
        };
        trials.push((format!("{}_is_{outcome}_and_never_ok", named(fault)), Box::new(test)));
    }
    let more: [(&str, fn()); 11] = [
        ("a_hung_process_is_asked_to_end_and_a_deaf_one_is_killed", hung_processes_end),
        ("what_ended_a_crashed_process_is_on_record", how_it_died),
        ("the_end_of_standard_error_is_kept_with_the_failure", stderr_tail),
        ("what_was_known_of_failed_work_stands_in_its_row", known_of_failed_work),
        ("a_process_that_crashes_once_costs_one_row", crash_once),
        ("cells_that_do_nothing_but_hang_are_given_up_for_the_run", hopeless_cells),
        ("wrong_tokens_fail_the_plan_and_name_the_cells", wrong_tokens),
        ("one_token_too_few_is_unequal_work_and_none_at_all_fell_through", wrong_count),
        ("progress_renews_the_inactivity_budget", slow_with_progress),
        ("progress_does_not_renew_the_wall_cap", wall_cap),
        ("a_lane_alone_that_falls_through_measured_nothing", nothing_measured),
    ];
    trials.extend(more.map(|(name, test)| (name.to_owned(), Box::new(test) as Box<dyn FnOnce() + Send>)));
    trials
}

/// Both cells hang in every process: three tries each, in the first block, and none in the two after it.
fn hopeless_cells() {
    let project = Project::new();
    let lane = Lane::faulty("faulty", "hang --at 1").limit("measure_s", 0.5).limit("grace_s", 0.2);
    project.lanes(&[&Lane::faulty("healthy", "none"), &lane]);
    let rest = "\n[coverage]\nmin_ok_share = 0.0\n";
    project.plan(&PlanText { repetitions: 4, rest, ..PlanText::new("faults", &["healthy", "faulty"]) });
    let (run, ledger) = run_faults(&project);
    run.exits(5);
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::Hung, 6), (Outcome::Skipped, 18)].into());
    assert_eq!(ledger.launches("faulty"), 6);
    assert_eq!(ledger.outcomes("healthy"), [(Outcome::Ok, 24)].into());
    let hung = ledger.rows_of("faulty").into_iter().filter(|row| row.outcome == Outcome::Hung);
    assert!(hung.into_iter().all(|row| row.block == 0), "later blocks try nothing that only ever hung");
    // Three launches of one block are one try at the cell, also to a plan that takes failures for answers.
    let gaps: Vec<String> = run.verdict().coverage_gaps.into_iter().map(|gap| gap.message).collect();
    assert!(
        gaps.len() == 2 && gaps.iter().all(|gap| gap.ends_with("1 blocks of launches tried it, floor 3")),
        "{gaps:?}"
    );
}

fn named(fault: &str) -> String {
    fault.replace(" --", "_").replace('-', "_")
}

fn lane(fault: &str) -> Lane {
    let lane = Lane::faulty("faulty", &format!("{fault} --at 3"));
    let hangs = fault.starts_with("hang") || fault == "stuck-beats";
    match fault {
        "stuck-compile" => lane.limit("compile_s", 1.0).limit("grace_s", 0.2),
        _ if hangs => lane.limit("measure_s", 1.0).limit("grace_s", 0.2),
        _ => lane,
    }
}

fn launch_ends(ledger: &Ledger) -> Vec<&LaunchEnd> {
    let mut ends = Vec::new();
    for record in &ledger.journal.records {
        if let Record::LaunchEnd(end) = record {
            ends.push(end.as_ref());
        }
    }
    ends
}

fn hung_processes_end() {
    for (fault, signal) in [("hang", 15), ("hang --ignore-term", 9)] {
        let (run, ledger) = run_beside_healthy(&Project::new(), &lane(fault));
        let hung: Vec<u32> = ledger
            .rows_of("faulty")
            .iter()
            .filter(|row| row.outcome == Outcome::Hung)
            .filter_map(|row| row.launch)
            .collect();
        let signals: Vec<Option<i32>> =
            launch_ends(&ledger).iter().filter(|end| hung.contains(&end.launch)).map(|end| end.signal).collect();
        assert_eq!(signals, [Some(signal); 3], "{fault}: {:?}", run.ended);
    }
}

fn how_it_died() {
    for (fault, status, signal) in [("crash", None, Some(6)), ("early-exit", Some(0), None)] {
        let (_, ledger) = run_beside_healthy(&Project::new(), &lane(fault));
        for row in ledger.rows_of("faulty").iter().filter(|row| row.outcome == Outcome::Crashed) {
            let failure = row.failure.as_ref().expect("a crash says why");
            assert_eq!((failure.exit_status, failure.signal), (status, signal), "{fault}: {failure:?}");
            let end = launch_ends(&ledger).into_iter().find(|end| Some(end.launch) == row.launch);
            assert_eq!(end.map(|end| (end.exit_status, end.signal)), Some((status, signal)), "{fault}");
        }
    }
}

fn known_of_failed_work() {
    let (_, ledger) = run_beside_healthy(&Project::new(), &lane("fail"));
    let rows = ledger.rows_of("faulty");
    let failed: Vec<_> = rows.iter().filter(|row| row.outcome == Outcome::Crashed).collect();
    assert_eq!(failed.len(), 3);
    for row in failed {
        assert_eq!(row.evidence.get("compile.graphs"), Some(&SignalValue::Int(2)), "{row:?}");
    }
}

fn stderr_tail() {
    let project = Project::new();
    let script = "echo 'loading a model that is not there' >&2; exec faulty_runner \"$@\"";
    let (_, ledger) = run_beside_healthy(&project, &lane("crash").script(script));
    for row in ledger.rows_of("faulty").iter().filter(|row| row.outcome == Outcome::Crashed) {
        let failure = row.failure.as_ref().expect("a crash says why");
        assert!(failure.stderr_tail.contains("loading a model that is not there"), "{failure:?}");
    }
    let crashed = ledger.rows_of("faulty").into_iter().find(|row| row.outcome == Outcome::Crashed);
    let cell = crashed.expect("a row crashed").cell.to_string();
    let explained = project.lockstep(&["explain", "latest", &cell]);
    explained.exits(0).prints(&["loading a model that is not there"]);
}

fn crash_once() {
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, &Lane::faulty("faulty", "crash-once --at 2 --marker struck"));
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::Ok, 11), (Outcome::Crashed, 1)].into());
    assert_eq!(ledger.launches("faulty"), 4);
    // 11 of 12 are above the floor of 0.9, so the plan's one hypothesis decides.
    run.exits(0);
}

fn wrong_tokens() {
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, &Lane::faulty("faulty", "wrong-tokens"));
    run.exits(1);
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::Ok, 12)].into(), "the work was done, only other work");
    let verdict = run.verdict();
    assert_eq!((verdict.conclusion, verdict.hypotheses[0].finding), (Conclusion::NotAsExpected, Finding::NotIdentical));
    let reasons = verdict.hypotheses[0].reasons.join("\n");
    for cell in ledger.plan.cells().expect("the plan has cells") {
        assert!(reasons.contains(&cell.id().to_string()), "{} is not named: {reasons}", cell.id());
    }
    assert!(reasons.contains("healthy") && reasons.contains("faulty"), "{reasons}");
    run.ended.prints(&["not identical"]);
}

fn wrong_count() {
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, &Lane::faulty("faulty", "wrong-count"));
    run.exits(5);
    // Where one token was asked for, one too few is none.
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::UnequalWork, 6), (Outcome::FellThrough, 6)].into());
    let cells = ledger.plan.cells().expect("the plan has cells");
    for row in ledger.rows_of("faulty") {
        let cell = cells.iter().find(|cell| cell.id() == row.cell).expect("the row's cell is the plan's");
        let asked_one = cell.new_tokens == 1;
        assert_eq!(row.outcome, if asked_one { Outcome::FellThrough } else { Outcome::UnequalWork });
    }
}

fn slow_with_progress() {
    let slow = Lane::faulty("faulty", "slow --ms 2500 --at 4").limit("measure_s", 1.5);
    let project = Project::new();
    let (run, ledger) = run_beside_healthy(&project, &slow);
    run.exits(0);
    assert_eq!((ledger.outcomes("faulty"), ledger.launches("faulty")), ([(Outcome::Ok, 12)].into(), 3));
}

fn wall_cap() {
    let slow = Lane::faulty("faulty", "slow --ms 60000 --at 4").limit("wall_s", 2.0);
    let message = "wall cap of 2 s";
    let class = FailureClass::WallCap;
    check(&slow, &Expected { outcome: Outcome::Hung, class, message, rows: 3, launches: 3, exit: 5 });
}

fn nothing_measured() {
    let project = Project::new();
    project.lanes(&[&Lane::faulty("faulty", "zero-tokens")]);
    project.plan(&PlanText::new("faults", &["faulty"]));
    let (run, ledger) = run_faults(&project);
    run.exits(4);
    assert_eq!(ledger.outcomes("faulty"), [(Outcome::FellThrough, 12)].into());
    assert_eq!(run.verdict().conclusion, Conclusion::NothingMeasured);
}
