//! One cell explained: every row of it, which of them count and why, what failed, and where outputs part.

use std::collections::BTreeMap;

use super::gpu_section::gpus;
use super::number::{NONE, ms, significant};
use super::page::{Page, Table, Tone, numbers, words};
use super::sections::{coverage, describe, tokens_per_second};
use super::terminal::{self, Style};
use super::{Error, number};
use crate::journal::Row;
use crate::terms::{CellId, Failure, Outcome};
use crate::verdict::{CellVerdict, LaneState, Verdict};

/// Tokens shown before and after the first that differs.
const CONTEXT: usize = 3;

/// Explains `cell` for a terminal. `rows` are the journal's, in journal order; those of other cells are left out.
///
/// # Errors
/// [`Error::UnknownCell`] when the verdict does not have the cell.
pub fn cell_text(verdict: &Verdict, rows: &[Row], cell: &CellId, style: Style) -> Result<String, Error> {
    let Some(found) = verdict.cells.iter().find(|it| it.cell == *cell) else {
        let known = verdict.cells.iter().map(|it| (it.cell.clone(), describe(it))).collect();
        return Err(Error::UnknownCell { cell: cell.clone(), known });
    };
    let rows: Vec<&Row> = rows.iter().filter(|row| row.cell == *cell).collect();
    let mut page = Page::new(cell.to_string());
    let all_ok = rows.iter().all(|row| row.outcome == Outcome::Ok);
    page.banner(if all_ok { Tone::Good } else { Tone::Bad }, format!("{cell} {}", describe(found)));
    page.paragraph(format!(
        "Plan {}, run {}, workload {}: {} prompt tokens, {} tokens to produce.",
        verdict.plan, verdict.journal.run, found.workload, found.prompt_tokens, found.new_tokens
    ));
    lanes(verdict, found, &mut page);
    outputs(&rows, &mut page);
    failures(&rows, &mut page);
    launches(found, &mut page);
    gpus(&rows, &mut page);
    table_of_rows(&rows, found, &mut page);
    Ok(terminal::render(&page, style))
}

fn lanes(verdict: &Verdict, cell: &CellVerdict, page: &mut Page) {
    page.heading("Lanes");
    let mut table = Table::new([
        words("Lane"),
        words("Ok").wraps(),
        numbers("Mean ms"),
        numbers("CV %").optional(),
        numbers("Tokens/s").optional(),
        words("Output"),
    ]);
    for lane in &cell.lanes {
        table.row([
            lane.lane.clone(),
            coverage(lane),
            lane.time.as_ref().map_or_else(|| NONE.to_owned(), number::mean_ms),
            number::or_none(lane.time.as_ref().and_then(|time| time.cv_pct), 2),
            tokens_per_second(cell, lane).map_or_else(|| NONE.to_owned(), |rate| significant(rate, 4)),
            lane.tokens_sha256.map_or_else(|| format!("{} different", lane.distinct_outputs), |it| it.short()),
        ]);
    }
    page.table(table);
    let absent = verdict.lanes.iter().filter(|lane| !cell.lanes.iter().any(|met| met.lane == lane.lane));
    page.bullets(
        absent
            .map(|lane| {
                let why = match (&lane.failure, lane.state) {
                    (Some(it), _) => it.sentence(),
                    (None, LaneState::Ready) => "the run has not come to it".to_owned(),
                    (None, LaneState::Skipped | LaneState::Refused) => "no reason is recorded".to_owned(),
                };
                format!("{} did not meet this cell: {why}", lane.lane)
            })
            .collect(),
    );
}

/// Where the outputs part, each held against the first lane's.
fn outputs(rows: &[&Row], page: &mut Page) {
    let mut different: Vec<(&Row, usize)> = Vec::new();
    for row in rows.iter().filter(|row| row.outcome == Outcome::Ok) {
        match different.iter_mut().find(|(seen, _)| seen.lane == row.lane && seen.tokens == row.tokens) {
            Some((_, count)) => *count += 1,
            None => different.push((row, 1)),
        }
    }
    let Some(((reference, _), others)) = different.split_first() else { return };
    page.heading("Output");
    let parting: Vec<_> = others
        .iter()
        .filter_map(|(row, count)| Some((row, count, parts_at(&reference.tokens, &row.tokens)?)))
        .collect();
    if parting.is_empty() {
        page.paragraph(format!("Every ok row gave the same {} tokens.", reference.tokens.len()));
        return;
    }
    page.paragraph(format!(
        "Held against {} (block {}, repetition {}):",
        reference.lane, reference.block, reference.rep
    ));
    for (row, count, at) in parting {
        page.bullets(vec![format!(
            "{} parts at position {at} of {} (first in block {}, repetition {}; ok rows with this output: {count})",
            row.lane,
            reference.tokens.len().max(row.tokens.len()),
            row.block,
            row.rep
        )]);
        page.table(context(reference, row, at));
    }
}

/// The first position at which two outputs differ, or at which one of them ends.
fn parts_at(a: &[u32], b: &[u32]) -> Option<usize> {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (common < a.len().max(b.len())).then_some(common)
}

fn context(a: &Row, b: &Row, at: usize) -> Table {
    let longest = a.tokens.len().max(b.tokens.len());
    let positions: Vec<usize> = (at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(longest)).collect();
    let heading = |position: &usize| match *position == at {
        true => numbers(&format!(">{position}")),
        false => numbers(&position.to_string()),
    };
    let mut table = Table::new(std::iter::once(words("Position")).chain(positions.iter().map(heading)));
    for row in [a, b] {
        let token = |position: &usize| row.tokens.get(*position).map_or_else(|| "end".to_owned(), u32::to_string);
        table.row(std::iter::once(row.lane.clone()).chain(positions.iter().map(token)));
    }
    table
}

/// Equal failures stand once, with the rows that they happened in.
fn failures(rows: &[&Row], page: &mut Page) {
    let mut kinds: Vec<(&str, Outcome, Option<&Failure>, Vec<String>)> = Vec::new();
    for row in rows.iter().filter(|row| row.outcome != Outcome::Ok) {
        let place = format!("block {} repetition {} attempt {}", row.block, row.rep, row.attempt);
        let same = |(lane, outcome, failure, _): &&mut (&str, Outcome, Option<&Failure>, Vec<String>)| {
            *lane == row.lane && *outcome == row.outcome && *failure == row.failure.as_ref()
        };
        match kinds.iter_mut().find(same) {
            Some((.., places)) => places.push(place),
            None => kinds.push((&row.lane, row.outcome, row.failure.as_ref(), vec![place])),
        }
    }
    if kinds.is_empty() {
        return;
    }
    page.heading("Rows that are not ok");
    for (lane, outcome, failure, places) in kinds {
        let what = failure.map_or_else(|| "no failure is recorded".to_owned(), told);
        page.bullets(vec![format!("{lane} {outcome} ({}): {what}", places.join("; "))]);
        if let Some(tail) = failure.map(|failure| &failure.stderr_tail).filter(|tail| !tail.is_empty()) {
            page.paragraph("    standard error ended with:");
            page.verbatim(tail.clone());
        }
    }
}

fn told(it: &Failure) -> String {
    let class = serde_json::to_value(it.class).ok().and_then(|value| value.as_str().map(str::to_owned));
    let mut text = format!("{}: {}", class.unwrap_or_default(), it.sentence());
    if let Some(status) = it.exit_status {
        text.push_str(&format!("; exit status {status}"));
    }
    if let Some(signal) = it.signal {
        text.push_str(&format!("; ended by signal {signal}"));
    }
    text
}

fn launches(cell: &CellVerdict, page: &mut Page) {
    let mut table = Table::new([
        words("Lane"),
        numbers("Segment").optional(),
        numbers("Launch"),
        numbers("Repetitions"),
        numbers("Number ms"),
    ]);
    for lane in &cell.lanes {
        for (index, launch) in lane.by_launch.iter().enumerate() {
            table.row([
                if index == 0 { lane.lane.clone() } else { String::new() },
                launch.segment.to_string(),
                launch.launch.to_string(),
                launch.repetitions.to_string(),
                ms(launch.ms),
            ]);
        }
    }
    if !table.rows.is_empty() {
        page.heading("Launches");
        page.paragraph("One number per launch, the plan's statistic of its repetitions: these are what every mean and test is over.");
        page.table(table);
    }
}

fn table_of_rows(rows: &[&Row], cell: &CellVerdict, page: &mut Page) {
    let mut last: BTreeMap<(&str, u32, u32), u32> = BTreeMap::new();
    for row in rows {
        let attempt = last.entry((&row.lane, row.block, row.rep)).or_insert(row.attempt);
        *attempt = row.attempt.max(*attempt);
    }
    let mut table = Table::new([
        words("Lane"),
        numbers("Block"),
        numbers("Rep"),
        numbers("Attempt"),
        numbers("Launch").optional(),
        words("Outcome"),
        numbers("ms"),
        numbers("Seen from outside ms").optional(),
        numbers("Tokens").optional(),
        words("Counts").wraps(),
    ]);
    let time = |ns: Option<u64>| ns.map_or_else(|| NONE.to_owned(), |ns| ms(ns as f64 / 1e6));
    for row in rows {
        let last = last.get(&(row.lane.as_str(), row.block, row.rep)).copied().unwrap_or(row.attempt);
        table.row([
            row.lane.clone(),
            row.block.to_string(),
            row.rep.to_string(),
            row.attempt.to_string(),
            row.launch.map_or_else(|| NONE.to_owned(), |launch| launch.to_string()),
            row.outcome.to_string(),
            time(row.wall_ns),
            time(row.outside_ns),
            row.tokens.len().to_string(),
            counts(row, last, cell),
        ]);
    }
    page.heading("Rows");
    if table.rows.is_empty() {
        page.paragraph("The journal has no row of this cell.");
    }
    page.table(table);
}

/// Whether a row enters the statistics: the last attempt at its repetition does, when it is ok and was timed, and when
/// its launch counts, which a lane that was not itself when it left does not get.
fn counts(row: &Row, last_attempt: u32, cell: &CellVerdict) -> String {
    let counted = |launch: u32| {
        let lane = cell.lanes.iter().find(|lane| lane.lane == row.lane);
        lane.is_some_and(|lane| lane.by_launch.iter().any(|number| number.launch == launch))
    };
    if row.attempt < last_attempt {
        return format!("no: attempt {last_attempt} took its place");
    }
    match (row.outcome, row.wall_ns, row.launch) {
        (Outcome::Ok, Some(_), Some(launch)) if counted(launch) => {
            let disturbed: Vec<&str> = row.telemetry.iter().flat_map(|gpu| gpu.disturbances()).collect();
            if disturbed.is_empty() {
                "yes".to_owned()
            } else {
                format!("yes; GPU disturbed: {}", disturbed.join(", "))
            }
        }
        (Outcome::Ok, Some(_), Some(_)) => "no: at its exit the lane was not what it declares".to_owned(),
        (Outcome::Ok, ..) => "no: it has no time".to_owned(),
        (outcome, ..) => format!("no: {outcome}"),
    }
}
