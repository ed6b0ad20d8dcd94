//! Records as a supervisor leaves them where repetitions break their processes down, and what cannot be left so.

use super::*;

/// The journal of `records` in which every repetition that crashed or hung ended a launch of its own.
pub(super) fn journal_of(records: Vec<Record>) -> Journal {
    journal::read(&journal::encode(&one_breakdown_each(records)).unwrap()).unwrap()
}

/// The same, every launch measured for as long as its rows took.
pub(super) fn filled_journal_of(records: Vec<Record>) -> Journal {
    let mut records = one_breakdown_each(records);
    let mut outside_ns = 0;
    for record in &mut records {
        match record {
            Record::LaunchStart(_) => outside_ns = 0,
            Record::Row(row) => outside_ns += row.outside_ns.unwrap_or(0),
            Record::LaunchEnd(end) => {
                end.busy.iter_mut().for_each(|busy| busy.window_ms = outside_ns.div_ceil(1_000_000));
            }
            _ => {}
        }
    }
    journal::read(&journal::encode(&records).unwrap()).unwrap()
}

/// Launches with a repetition that crashed or hung are taken apart: what went well stays together, and each of the others
/// is made in another process after it. Launches are numbered as they then stand, and the seal counts anew.
fn one_breakdown_each(records: Vec<Record>) -> Vec<Record> {
    let (mut laid, mut launch, mut next): (Vec<Record>, Vec<Record>, u32) = (Vec::new(), Vec::new(), 0);
    for mut record in records {
        if let Record::Seal(seal) = &mut record {
            seal.records = laid.len() as u64;
            seal.rows = laid.iter().filter(|record| matches!(record, Record::Row(_))).count() as u64;
        }
        let ends = matches!(record, Record::LaunchEnd(_));
        if matches!(record, Record::LaunchStart(_)) || !launch.is_empty() {
            launch.push(record);
        } else {
            laid.push(record);
        }
        if ends {
            for mut process in processes(std::mem::take(&mut launch)) {
                process.iter_mut().for_each(|record| number(record, next));
                next += 1;
                laid.append(&mut process);
            }
        }
    }
    laid.append(&mut launch);
    laid
}

fn processes(launch: Vec<Record>) -> Vec<Vec<Record>> {
    let outcome = |record: &Record| if let Record::Row(row) = record { Some(row.outcome) } else { None };
    let is_broken = |record: &Record| matches!(outcome(record), Some(Outcome::Crashed | Outcome::Hung));
    let (broken, rest): (Vec<Record>, Vec<Record>) = launch.into_iter().partition(is_broken);
    // What is given up is so once all launches broke down.
    let (given_up, whole): (Vec<Record>, Vec<Record>) =
        rest.into_iter().partition(|record| outcome(record) == Some(Outcome::Skipped));
    let at_exit = |record: &Record| matches!(record, Record::Preflight(look) if look.stage == Stage::AtExit);
    let frame = whole.iter().filter(|record| outcome(record).is_none() && !at_exit(record)).cloned();
    let frame: Vec<Record> = frame.collect();
    let alone = |row: Record| {
        let (end, before) = frame.split_last().unwrap();
        [before, &[row], std::slice::from_ref(end)].concat()
    };
    let has_rows = whole.iter().any(|record| outcome(record).is_some());
    let whole = (has_rows || broken.is_empty()).then_some(whole);
    let mut processes: Vec<Vec<Record>> = whole.into_iter().chain(broken.into_iter().map(alone)).collect();
    processes.last_mut().unwrap().extend(given_up);
    processes
}

fn number(record: &mut Record, launch: u32) {
    match record {
        Record::LaunchStart(start) => start.launch = launch,
        Record::LaunchEnd(end) => end.launch = launch,
        Record::Preflight(look) => look.launch = Some(launch),
        Record::Row(row) => row.launch = row.launch.map(|_| launch),
        _ => {}
    }
}

/// What the judge says of the fixture's journal after `edit` of the rows of its second launch, first to last.
fn refused(edit: impl Fn(usize, &mut Row)) -> String {
    let mut records = Fixture::default().journal().records;
    let rows = records.iter_mut().filter_map(|record| match record {
        Record::Row(row) if row.launch == Some(1) => Some(row),
        _ => None,
    });
    rows.enumerate().for_each(|(at, row)| edit(at, row));
    let journal = journal::read(&journal::encode(&records).unwrap()).unwrap();
    judge(&Fixture::plan(), &journal).unwrap_err().to_string()
}

fn fails(row: &mut Row, outcome: Outcome, class: FailureClass) {
    row.outcome = outcome;
    row.failure = Some(Failure::new(class, "it broke"));
    (row.wall_ns, row.outside_ns, row.output_sha256, row.stop) = (None, None, None, None);
    row.tokens.clear();
}

#[test]
fn a_process_that_a_repetition_crashed_or_hung_in_does_nothing_more() {
    for (outcome, class) in [(Outcome::Crashed, FailureClass::Exception), (Outcome::Hung, FailureClass::Inactive)] {
        let first = refused(|at, row| {
            if at == 0 {
                fails(row, outcome, class);
            }
        });
        assert!(first.contains("comes after one that crashed or hung in the same launch"), "{first}");
        let last = refused(|at, row| {
            if at == 1 {
                fails(row, outcome, class);
            }
        });
        assert!(last.contains("was looked at `at_exit`, after a repetition that ended its process"), "{last}");
    }
    // Where it is left in a launch of its own, it is counted; other failures leave their process as it was.
    for outcome in [Outcome::Crashed, Outcome::FellBack] {
        let mut records = Fixture::default().journal().records;
        let row = records.iter_mut().find_map(|record| if let Record::Row(row) = record { Some(row) } else { None });
        fails(row.unwrap(), outcome, FailureClass::Exception);
        let verdict = judge(&Fixture::plan(), &journal_of(records)).unwrap();
        let counted: u64 = verdict.lanes.iter().filter_map(|lane| lane.outcomes.get(&outcome)).sum();
        let launches: u64 = verdict.lanes.iter().map(|lane| lane.launches).sum();
        assert_eq!((counted, launches), (1, 18 + u64::from(outcome == Outcome::Crashed)));
    }
}

#[test]
fn nothing_is_given_up_in_a_launch_or_in_a_lane_that_never_broke_down() {
    let in_launch = refused(|at, row| {
        if at == 0 {
            fails(row, Outcome::Skipped, FailureClass::Launch);
        }
    });
    assert!(in_launch.contains("is skipped in a launch, and its lane is ready"), "{in_launch}");
    let alone = |class| {
        refused(move |at, row| {
            if at == 0 {
                fails(row, Outcome::Skipped, class);
                row.launch = None;
            }
        })
    };
    let unbroken = alone(FailureClass::Launch);
    assert!(unbroken.contains("is skipped, and no breakdown of its lane before it is the reason"), "{unbroken}");
    // In a lane that broke down before, what is skipped for another reason is no more given up than that.
    let after_a_crash = |class| {
        let mut records = Fixture::default().journal().records;
        let rows = records.iter_mut().filter_map(|record| match record {
            Record::Row(row) if row.lane == "other" => Some(row),
            _ => None,
        });
        for (at, row) in rows.take(2).enumerate() {
            if at == 0 {
                fails(row, Outcome::Crashed, FailureClass::Died);
            } else {
                fails(row, Outcome::Skipped, class);
                row.launch = None;
            }
        }
        judge(&Fixture::plan(), &journal_of(records)).map(|verdict| verdict.lanes[2].outcomes[&Outcome::Skipped])
    };
    assert_eq!(after_a_crash(FailureClass::Launch).unwrap(), 1);
    let other = after_a_crash(FailureClass::Exception).unwrap_err().to_string();
    assert!(other.contains("no breakdown of its lane before it is the reason"), "{other}");
}
