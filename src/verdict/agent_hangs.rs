//! The table that cells of several agents give to the hang ledger.
//!
//! | table | one row for | columns beside what tells the row from others |
//! |---|---|---|
//! | `agent_hangs` | each cell of more than one agent, all lanes in it | for each lane `LANE.` and `outcome`, `attempts`, `hung`, `failed`, `ok_rate`, `wall_ms`, and `attempted_launches`, `hung_launches`, `failed_launches` |
//!
//! `outcome` is `ran_through` where every attempt did, `hung` where one hung, else `failed`; null where there was none.
//! `wall_ms` is the mean of launches, and null unless the cell ran through. An attempt is a row that was tried: neither
//! refused nor skipped. What was tried again counts each time, so that no retry hides a hang.

use std::borrow::Cow;

use super::LaneVerdict;
use super::adapters::TableRow;
use super::agent_tables::{agents_of, number, of_all_lanes, shared};
use super::measured_tables::{Values, count, is_attempt, launches_of, put, share};
use super::reduce::{Entry, Table};
use crate::plan::Plan;
use crate::terms::{Outcome, Scalar};

/// The rows of the table.
pub(super) fn agent_hangs(plan: &Plan, table: &Table, lanes: &[LaneVerdict]) -> Vec<TableRow<'static>> {
    let mut rows = Vec::new();
    for (id, cell) in table.cells() {
        let agents = agents_of(cell);
        let Some(first) = lanes.first().filter(|_| agents > 1) else { continue };
        let mut values = of_all_lanes(shared(plan, first, id, cell, agents));
        for LaneVerdict { lane, .. } in lanes {
            came_of_it(table.entry(lane, id), lane, &mut values);
        }
        let source = format!("{id} agents {agents} hangs");
        rows.push(TableRow { table: "agent_hangs".to_owned(), source, values: Cow::Owned(values) });
    }
    rows
}

/// A lane's columns.
fn came_of_it(entry: Option<&Entry>, lane: &str, values: &mut Values) {
    let column = |name: &str| format!("{lane}.{name}");
    let of = |outcome: Outcome| entry.and_then(|entry| entry.outcomes.get(&outcome)).copied().unwrap_or(0);
    let attempts: u64 = Outcome::ALL.into_iter().filter(|outcome| is_attempt(*outcome)).map(of).sum();
    let (ok, hung) = (of(Outcome::Ok), of(Outcome::Hung));
    let outcome = match (attempts, hung) {
        (0, _) => None,
        (_, 0) if ok == attempts => Some("ran_through"),
        (_, 0) => Some("failed"),
        _ => Some("hung"),
    };
    let wall_ms = entry.filter(|_| ok == attempts).and_then(|entry| entry.time.as_ref()).map(|time| time.mean_ms);
    put(values, &column("outcome"), outcome.map(|word| Scalar::Text(word.to_owned())), "text");
    count(values, &column("attempts"), attempts);
    count(values, &column("hung"), hung);
    count(values, &column("failed"), attempts - ok);
    for by_launch in ["attempted_launches", "hung_launches", "failed_launches"] {
        count(values, &column(by_launch), entry.map_or(0, |entry| launches_of(entry, by_launch)));
    }
    share(values, &column("ok_rate"), ok, attempts);
    number(values, &column("wall_ms"), wall_ms, "ms");
}
