//! The tables that the rows of a run give to decision rules.
//!
//! | table | one row for | columns beside the cell's and the lane's |
//! |---|---|---|
//! | `cells` | each lane and cell that was met | counts and rates of attempts, launches, mean and spread over launches, `compile_s` over the `compiled_launches` |
//! | `launches` | each launch that gave the cell a time | `segment`, `launch`, `block`, `repetitions`, `ms` |
//! | `positions` | each position of an output whose lane tells of its logits | `position`, `logit_mean`, `logit_std`, `logit_min`, `logit_max`, `output_sha256` |
//!
//! All have `lane`, `cell`, `workload`, `phase`, `prompt_tokens`, `new_tokens`, every axis of the cell, and the lane's axes as
//! `lane.AXIS` (observed where preflight saw one, else declared). An attempt is a row that was tried: neither refused nor
//! skipped. What was tried again counts each time, so that no retry hides a failure. A launch is `ok` where all its attempts
//! at the cell are; any other outcome is that of a launch in which one attempt had it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::adapters::{LaunchesBehind, TableRow};
use super::expected::Expectations;
use super::logits::{Logits, STATISTICS};
use super::reduce::{Entry, LaunchTime, Table};
use super::{LaneVerdict, grounds};
use crate::journal::SummaryCell;
use crate::terms::{Axes, Cell, CellId, Outcome, SamplingSpec, Scalar};

pub(super) type Values = BTreeMap<String, SummaryCell>;

/// The rows of all tables.
///
/// Where a lane fails as the plan expects, what is left of its times is no sample and stands in no table.
pub(super) fn measured_tables(
    table: &Table,
    lanes: &[LaneVerdict],
    expectations: &Expectations,
) -> Vec<TableRow<'static>> {
    let mut rows = Vec::new();
    for lane in lanes {
        for (id, cell) in table.cells() {
            let Some(entry) = table.entry(&lane.lane, id).filter(|entry| !entry.outcomes.is_empty()) else { continue };
            let mut shared = identity(lane, id, cell);
            coverage(entry, &mut shared);
            let is_excused = expectations.excused(&lane.lane, id) > 0;
            for launch in entry.launches.iter().filter(|_| !is_excused) {
                let source = format!("{id} {} launch {}", lane.lane, launch.launch);
                rows.push(row("launches", source, launch_values(&shared, launch)));
            }
            if let Some(logits) = &entry.logits {
                let of = |(at, values)| row("positions", format!("{id} {} position {at}", lane.lane), values);
                rows.extend((1..).zip(position_values(&shared, entry, logits)).map(of));
            }
            rows.push(row("cells", grounds::row(id, &lane.lane), cell_values(shared, entry, is_excused)));
        }
    }
    rows
}

fn row(table: &str, source: String, values: Values) -> TableRow<'static> {
    TableRow { table: table.to_owned(), source, values: Cow::Owned(values) }
}

/// Columns and their values, which a table's own name for a thing takes from an axis of the same name.
pub(super) fn put(values: &mut Values, column: &str, value: Option<Scalar>, unit: &str) {
    values.insert(column.to_owned(), SummaryCell { value, unit: unit.to_owned(), resolution: None });
}

pub(super) fn count(values: &mut Values, column: &str, number: u64) {
    put(values, column, Some(Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX))), "count");
}

pub(super) fn text(values: &mut Values, column: &str, value: impl Into<String>) {
    put(values, column, Some(Scalar::Text(value.into())), "text");
}

/// A share; null where there is nothing to be a share of.
pub(super) fn share(values: &mut Values, column: &str, part: u64, whole: u64) {
    let share = (whole > 0).then(|| Scalar::Float(part as f64 / whole as f64));
    put(values, column, share, "fraction");
}

/// What tells the row from others.
pub(super) fn identity(lane: &LaneVerdict, id: &CellId, cell: &Cell) -> Values {
    let mut values = Values::new();
    for (axis, value) in axes_of(cell) {
        put(&mut values, &axis, Some(scalar(value)), "text");
    }
    // A version looks like a number and is none: 3.10 is not 3.1.
    for (axis, value) in lane.declared.iter().chain(&lane.observed) {
        text(&mut values, &format!("lane.{axis}"), value);
    }
    text(&mut values, "lane", &lane.lane);
    text(&mut values, "cell", id.to_string());
    text(&mut values, "workload", &cell.workload);
    text(&mut values, "phase", cell.phase.to_string());
    count(&mut values, "prompt_tokens", cell.prompt.len() as u64);
    count(&mut values, "new_tokens", u64::from(cell.new_tokens));
    values
}

/// What the cell fixes beside its work, by name: its axes, and how it picks tokens.
fn axes_of(cell: &Cell) -> Axes {
    let sampling = match cell.sampling {
        SamplingSpec::Greedy => "greedy",
        SamplingSpec::Seeded { .. } => "seeded",
    };
    let mut axes = cell.axes.clone();
    axes.insert("sampling".to_owned(), sampling.to_owned());
    axes.insert("ignore_eos".to_owned(), cell.ignore_eos.to_string());
    axes
}

/// An axis' value as what it is written like: a number, yes or no, else a text.
fn scalar(value: String) -> Scalar {
    let written = [value.parse().map(Scalar::Int).ok(), value.parse().map(Scalar::Bool).ok()];
    let read = written.into_iter().flatten().find(|read| read.to_string() == value);
    read.unwrap_or(Scalar::Text(value))
}

/// What both tables say of how much of the cell was measured.
pub(super) fn coverage(entry: &Entry, values: &mut Values) {
    count(values, "planned", entry.planned);
    count(values, "launches", entry.launches.len() as u64);
    share(values, "ok_share", entry.ok, entry.ok + entry.failures.values().sum::<u64>());
}

fn launch_values(shared: &Values, launch: &LaunchTime) -> Values {
    let mut values = shared.clone();
    count(&mut values, "segment", u64::from(launch.segment));
    count(&mut values, "launch", u64::from(launch.launch));
    count(&mut values, "block", u64::from(launch.block));
    count(&mut values, "repetitions", launch.repetitions);
    put(&mut values, "ms", Some(Scalar::Float(launch.ms)), "ms");
    values
}

/// Positions count from 1, as an output's tokens do.
fn position_values<'a>(shared: &'a Values, entry: &'a Entry, logits: &'a Logits) -> impl Iterator<Item = Values> + 'a {
    (1..).zip(&logits.positions).map(|(at, statistics)| {
        let mut values = shared.clone();
        count(&mut values, "position", at);
        for (name, value) in STATISTICS.iter().zip(statistics) {
            put(&mut values, &format!("logit_{name}"), Some(Scalar::Float(*value)), "logit");
        }
        put(&mut values, "output_sha256", only_output(entry), "text");
        values
    })
}

/// The output, where all repetitions gave the same.
fn only_output(entry: &Entry) -> Option<Scalar> {
    let digest = entry.outputs.keys().next().filter(|_| entry.outputs.len() == 1)?;
    Some(Scalar::Text(digest.to_string()))
}

/// Outcomes, with the columns of their counts, rates and launches.
const COUNTED: [(Outcome, &str, &str, &str); 6] = [
    (Outcome::Ok, "ok", "ok_rate", "ok_launches"),
    (Outcome::Crashed, "crashed", "crash_rate", "crashed_launches"),
    (Outcome::Hung, "hung", "hang_rate", "hung_launches"),
    (Outcome::FellBack, "fell_back", "fall_back_rate", "fell_back_launches"),
    (Outcome::FellThrough, "fell_through", "fall_through_rate", "fell_through_launches"),
    (Outcome::UnequalWork, "unequal_work", "unequal_work_rate", "unequal_work_launches"),
];

/// Whether a launch with these attempts at a cell is one of those that the column counts.
pub(super) fn is_counted(by_launch: &str, attempts: &BTreeMap<Outcome, u64>) -> bool {
    let any = |which: &dyn Fn(Outcome) -> bool| attempts.keys().any(|outcome| which(*outcome));
    let failed = any(&|outcome| is_attempt(outcome) && outcome != Outcome::Ok);
    match by_launch {
        "attempted_launches" => any(&is_attempt),
        "failed_launches" => failed,
        _ => COUNTED.iter().filter(|(.., name)| *name == by_launch).any(|(outcome, ..)| match outcome {
            Outcome::Ok => any(&|found| found == Outcome::Ok) && !failed,
            outcome => any(&|found| found == *outcome),
        }),
    }
}

/// The attempts of every launch, by the name of the row of table `cells` that counts them.
pub(super) fn launches_behind(table: &Table, lanes: &[LaneVerdict]) -> LaunchesBehind {
    let mut found = LaunchesBehind::new();
    for LaneVerdict { lane, .. } in lanes {
        for (id, _) in table.cells() {
            if let Some(entry) = table.entry(lane, id) {
                found.insert(grounds::row(id, lane), entry.attempts.clone());
            }
        }
    }
    found
}

/// Whether the cell was tried, whatever came of it.
pub(super) fn is_attempt(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Refused | Outcome::Skipped)
}

/// The launches that the column counts.
pub(super) fn launches_of(entry: &Entry, by_launch: &str) -> u64 {
    entry.attempts.values().filter(|attempts| is_counted(by_launch, attempts)).count() as u64
}

fn cell_values(mut values: Values, entry: &Entry, is_excused: bool) -> Values {
    let of = |outcome: Outcome| entry.outcomes.get(&outcome).copied().unwrap_or(0);
    let attempts: u64 = Outcome::ALL.into_iter().filter(|outcome| is_attempt(*outcome)).map(of).sum();
    let refused = of(Outcome::Refused);
    let launches = |column: &str| launches_of(entry, column);
    count(&mut values, "attempts", attempts);
    count(&mut values, "attempted_launches", launches("attempted_launches"));
    for (outcome, number, rate, by_launch) in COUNTED {
        count(&mut values, number, of(outcome));
        share(&mut values, rate, of(outcome), attempts);
        count(&mut values, by_launch, launches(by_launch));
    }
    count(&mut values, "failed", attempts - of(Outcome::Ok));
    share(&mut values, "failure_rate", attempts - of(Outcome::Ok), attempts);
    count(&mut values, "failed_launches", launches("failed_launches"));
    count(&mut values, "refused", refused);
    share(&mut values, "refusal_rate", refused, attempts + refused);
    count(&mut values, "distinct_outputs", entry.outputs.len() as u64);
    put(&mut values, "output_sha256", only_output(entry), "text");
    if let Some(teacher) = entry.logits.as_ref().and_then(|logits| logits.teacher) {
        count(&mut values, "teacher_positions", teacher.positions);
        // Where no position decides, agreement at all of them says nothing: a rule over them finds no number.
        let decided =
            |number: u64| (teacher.decisive > 0).then(|| Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX)));
        put(&mut values, "teacher_decisive", decided(teacher.decisive), "count");
        put(&mut values, "teacher_agreeing", decided(teacher.agreeing), "count");
        share(&mut values, "teacher_decisive_share", teacher.decisive, teacher.positions);
        put(&mut values, "teacher_rms_error", Some(Scalar::Float(teacher.rms_error)), "logit");
    }
    let compiled = &entry.compile_s;
    let compile_s = (!compiled.is_empty()).then(|| compiled.iter().sum::<f64>() / compiled.len() as f64);
    count(&mut values, "compiled_launches", compiled.len() as u64);
    put(&mut values, "compile_s", compile_s.map(Scalar::Float), "s");
    // Launches of several segments are no sample of one thing, so that they have no spread.
    let segment = entry.launches.first().filter(|_| entry.is_of_one_segment()).map(|launch| launch.segment);
    put(&mut values, "segment", segment.map(|segment| Scalar::Int(i64::from(segment))), "count");
    let time = entry.time.as_ref().filter(|_| !is_excused);
    let spread = time.filter(|_| segment.is_some());
    put(&mut values, "mean_ms", time.map(|time| Scalar::Float(time.mean_ms)), "ms");
    put(&mut values, "sd_ms", spread.and_then(|time| time.sd_ms).map(Scalar::Float), "ms");
    put(&mut values, "cv", spread.and_then(|time| time.cv_pct).map(|cv| Scalar::Float(cv / 100.0)), "fraction");
    values
}
