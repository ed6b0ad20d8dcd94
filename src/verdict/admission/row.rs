//! A row's outcome against its own numbers.

use jiff::Timestamp;

use crate::journal::{LaneDeclaration, LaneState, Row};
use crate::plan::Plan;
use crate::terms::{Answer, Cell, Expectations, Outcome, Proven};

/// Since when runners count the calls of compiled regions: rows of segments from before lack them. 2026-11-23T04:00:00Z.
const REGION_CALLS_SINCE: Timestamp = Timestamp::constant(1_795_406_400, 0);

/// What in `row` contradicts its outcome, its lane or its cell, if anything does. Its segment began at `started_at`.
pub(super) fn contradiction(
    plan: &Plan,
    started_at: Option<&str>,
    declared: &LaneDeclaration,
    cell: &Cell,
    row: &Row,
    proven: &mut Proven,
) -> Option<String> {
    let unlocked = declared.state == LaneState::Ready && declared.lock.is_none();
    if row.unlocked != unlocked {
        let told = |unlocked| if unlocked { "unlocked" } else { "locked" };
        return Some(format!("says that its lane is {}, and the header has it {}", told(row.unlocked), told(unlocked)));
    }
    if let Some(what) = without_launch(declared, row) {
        return Some(what);
    }
    let expect = Expectations {
        cell,
        declared: &declared.declared,
        floor_ns_per_forward: plan.run.floor_ns_per_forward,
        vocab_size: plan.model.vocab_size,
        min_two_process_speedup: plan.run.min_two_process_speedup,
        needs_region_calls: needs_region_calls(started_at),
    };
    let outcome = row.outcome;
    match (outcome, answer(row)) {
        (Outcome::Ok, Err(missing)) => Some(format!("is ok and has no {missing}")),
        (Outcome::Ok, Ok(answer)) => match proven.assess(&answer, &expect) {
            (Outcome::Ok, _) => row.failure.is_some().then(|| "is ok and names a failure".to_owned()),
            (other, failure) => {
                let why = failure.map(|failure| failure.message).unwrap_or_default();
                Some(format!("is ok, and what it says of itself is {other}: {why}"))
            }
        },
        (_, Ok(answer)) if proven.assess(&answer, &expect).0 == Outcome::Ok => {
            Some(format!("is {outcome}, and nothing in its numbers is wrong"))
        }
        (_, _) => row.failure.is_none().then(|| format!("is {outcome} and does not say why")),
    }
}

fn needs_region_calls(started_at: Option<&str>) -> bool {
    let started_at = started_at.and_then(|at| at.parse::<Timestamp>().ok());
    started_at.is_none_or(|at| at >= REGION_CALLS_SINCE)
}

/// What is wrong with a row that names no launch, or stands in a lane that takes no part.
fn without_launch(declared: &LaneDeclaration, row: &Row) -> Option<String> {
    let fits = match (declared.state, row.outcome, row.launch) {
        (LaneState::Ready, outcome, launch) => launch.is_some() != (outcome == Outcome::Skipped),
        (LaneState::Skipped, outcome, launch) => outcome == Outcome::Skipped && launch.is_none(),
        (LaneState::Refused, outcome, launch) => outcome == Outcome::Refused && launch.is_none(),
    };
    if !fits {
        let launch = if row.launch.is_some() { "in a launch" } else { "without a launch" };
        return Some(format!("is {} {launch}, and its lane is {}", row.outcome, declared.state.name()));
    }
    let worked = row.wall_ns.is_some() || !row.tokens.is_empty() || row.output_sha256.is_some();
    (row.launch.is_none() && worked).then(|| "names no launch and holds the result of work".to_owned())
}

/// The row's answer, or what of it is missing.
fn answer(row: &Row) -> Result<Answer<'_>, &'static str> {
    let Row { wall_ns, outside_ns, tokens, output_sha256, stop, evidence, .. } = row;
    output_sha256.ok_or("output_sha256")?;
    Ok(Answer {
        wall_ns: wall_ns.ok_or("wall_ns")?,
        outside_ns: outside_ns.ok_or("outside_ns")?,
        tokens,
        stop: stop.ok_or("stop")?,
        evidence,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segments_from_before_they_were_counted_may_lack_the_calls_of_compiled_regions() {
        for (started_at, needs) in [
            (Some("2026-11-23T01:50:00Z"), false),
            (Some("2026-11-23T03:59:59Z"), false),
            (Some("2026-11-23T04:00:00Z"), true),
            (Some("2040-01-01T00:00:00Z"), true),
            (Some("some day"), true),
            (None, true),
        ] {
            assert_eq!(needs_region_calls(started_at), needs, "{started_at:?}");
        }
    }
}
