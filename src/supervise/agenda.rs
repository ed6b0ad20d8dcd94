//! What is still to do: the schedule less what the journal already holds. Pure.

use std::collections::HashMap;

use crate::journal::Row;
use crate::plan::{PlannedLaunch, Schedule};
use crate::terms::{CellId, FailureClass, Outcome};

/// Which repetitions are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Those that the journal does not hold: all of a fresh run, the rest of an interrupted one.
    Missing,
    /// Those, and those whose last attempt failed.
    MissingAndFailed,
}

/// A launch with something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DueLaunch {
    pub lane: String,
    pub block: u32,
    pub position: u32,
    pub warmup: u32,
    pub due: Vec<Due>,
}

/// A repetition to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// Index into the plan's cells.
    pub cell: usize,
    pub rep: u32,
    pub attempt: u32,
}

/// A repetition's place in the plan.
type Place = (String, u32, CellId, u32);

/// The last attempt at a repetition: its number, what came of it, and why.
type Last = (u32, Outcome, Option<FailureClass>);

/// The launches with something to do, in schedule order.
pub(super) fn agenda(schedule: &Schedule, cells: &[CellId], rows: &[&Row], mode: Mode) -> Vec<DueLaunch> {
    let last = last_attempts(rows);
    let launch = |planned: &PlannedLaunch| {
        let due: Vec<Due> = planned
            .repetitions
            .iter()
            .filter_map(|repetition| {
                let cell = cells.get(repetition.cell)?;
                let place = (planned.lane.clone(), planned.block, cell.clone(), repetition.rep);
                let attempt = match last.get(&place) {
                    None => 0,
                    Some((attempt, outcome, class)) if is_due(*outcome, *class, mode) => attempt + 1,
                    Some(_) => return None,
                };
                Some(Due { cell: repetition.cell, rep: repetition.rep, attempt })
            })
            .collect();
        DueLaunch {
            lane: planned.lane.clone(),
            block: planned.block,
            position: planned.position,
            warmup: planned.warmup,
            due,
        }
    };
    schedule.launches.iter().map(launch).filter(|launch| !launch.due.is_empty()).collect()
}

fn last_attempts(rows: &[&Row]) -> HashMap<Place, Last> {
    let mut last: HashMap<Place, Last> = HashMap::new();
    for row in rows {
        let place = (row.lane.clone(), row.block, row.cell.clone(), row.rep);
        let this = (row.attempt, row.outcome, row.failure.as_ref().map(|failure| failure.class));
        let entry = last.entry(place).or_insert(this);
        if row.attempt >= entry.0 {
            *entry = this;
        }
    }
    last
}

/// What was not attempted because its lane could not take part is due as soon as the lane can. What failed, or was given
/// up after failures, is due when asked for.
fn is_due(outcome: Outcome, class: Option<FailureClass>, mode: Mode) -> bool {
    match outcome {
        Outcome::Ok => false,
        Outcome::Refused => true,
        Outcome::Skipped if class != Some(FailureClass::Launch) => true,
        _ => mode == Mode::MissingAndFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Repetition;
    use crate::terms::Digest;

    fn schedule() -> Schedule {
        let repetitions = vec![Repetition { cell: 0, rep: 0 }, Repetition { cell: 0, rep: 1 }];
        let launch =
            |block| PlannedLaunch { block, position: 0, lane: "a".into(), warmup: 1, repetitions: repetitions.clone() };
        Schedule { launches: vec![launch(0), launch(1)] }
    }

    fn row(block: u32, rep: u32, attempt: u32, outcome: Outcome) -> Row {
        Row {
            plan: Digest::of(b"plan"),
            lane: "a".into(),
            block,
            cell: "/00000000".parse().unwrap(),
            rep,
            attempt,
            launch: Some(0),
            outcome,
            unlocked: false,
            wall_ns: None,
            outside_ns: None,
            tokens: Vec::new(),
            output_sha256: None,
            stop: None,
            evidence: Default::default(),
            telemetry: Vec::new(),
            failure: None,
        }
    }

    fn due(rows: &[Row], mode: Mode) -> Vec<(u32, u32, u32)> {
        let cells = ["/00000000".parse().unwrap()];
        let launches = agenda(&schedule(), &cells, &rows.iter().collect::<Vec<_>>(), mode);
        launches.iter().flat_map(|l| l.due.iter().map(move |d| (l.block, d.rep, d.attempt))).collect()
    }

    #[test]
    fn a_fresh_run_does_everything_once() {
        assert_eq!(due(&[], Mode::Missing), [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]);
    }

    #[test]
    fn resume_repeats_no_finished_row_and_leaves_failures_alone() {
        let rows = [row(0, 0, 0, Outcome::Ok), row(0, 1, 0, Outcome::Crashed)];
        assert_eq!(due(&rows, Mode::Missing), [(1, 0, 0), (1, 1, 0)]);
    }

    #[test]
    fn rerun_failed_tries_again_under_the_next_attempt() {
        let rows = [row(0, 0, 0, Outcome::Hung), row(0, 0, 1, Outcome::Ok), row(0, 1, 0, Outcome::FellBack)];
        assert_eq!(due(&rows, Mode::MissingAndFailed), [(0, 1, 1), (1, 0, 0), (1, 1, 0)]);
    }

    #[test]
    fn what_was_refused_or_skipped_is_due_once_its_lane_can_run() {
        let rows = [row(0, 0, 0, Outcome::Skipped)];
        assert_eq!(due(&rows, Mode::Missing)[0], (0, 0, 1));
    }
}
