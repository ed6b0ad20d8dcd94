//! The tables of what the lanes are, and of what a plan states that others were.
//!
//! | table | one row for | columns |
//! |---|---|---|
//! | `lane_axes` | each lane that was launched and axis that it declares | `lane`, `axis`, `declared`, `observed` (null where nobody saw it) |
//! | `lane_stacks` | all lanes together | `where`, and for each lane a column of its name: its axes as `AXIS=VALUE; …` |
//! | `stated` | each `[[stated]]` of the plan | `where`, `left`, `right` |

use std::borrow::Cow;

use super::LaneVerdict;
use super::adapters::TableRow;
use super::measured_tables::{Values, put, text};
use crate::plan::Plan;
use crate::terms::{Axes, Scalar};

/// The rows of all three.
pub(super) fn stack_tables(plan: &Plan, lanes: &[LaneVerdict]) -> Vec<TableRow<'static>> {
    let row = |table: &str, source: String, columns: &[(&str, &str)]| {
        let mut values = Values::new();
        columns.iter().for_each(|(column, value)| text(&mut values, column, *value));
        TableRow { table: table.to_owned(), source, values: Cow::Owned(values) }
    };
    let mut rows = Vec::new();
    for lane in lanes {
        for (axis, declared) in &lane.declared {
            // Of a lane that was never launched it is told as far as its looks showed it.
            let observed = lane.observed.get(axis);
            if observed.is_none() && lane.launches == 0 {
                continue;
            }
            let columns = [("lane", lane.lane.as_str()), ("axis", axis), ("declared", declared)];
            let mut row = row("lane_axes", format!("lane {} axis {axis}", lane.lane), &columns);
            put(row.values.to_mut(), "observed", observed.cloned().map(Scalar::Text), "text");
            rows.push(row);
        }
    }
    let stacks: Vec<(&str, String)> = lanes.iter().map(|lane| (lane.lane.as_str(), stack(lane))).collect();
    let columns: Vec<(&str, &str)> = stacks.iter().map(|(lane, stack)| (*lane, stack.as_str())).collect();
    rows.push(row("lane_stacks", "the lanes".to_owned(), &[&[("where", "the lanes")], &columns[..]].concat()));
    for stated in &plan.stated {
        let columns = [("where", stated.place.as_str()), ("left", &stated.left), ("right", &stated.right)];
        rows.push(row("stated", format!("the plan's statement of {}", stated.place), &columns));
    }
    rows
}

/// A lane's axes, observed where they were, else declared.
fn stack(lane: &LaneVerdict) -> String {
    let mut axes: Axes = lane.declared.clone();
    axes.extend(lane.observed.clone());
    let axes: Vec<String> = axes.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
    axes.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_axis_that_is_declared_and_was_not_seen_is_told_as_that_where_the_lane_was_launched() {
        let plan = "schema = 1\nname = \"p\"\nseed = 1\n[model]\nname = \"m\"\nvocab_size = 9\n\
                    sha256 = \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n\
                    [run]\nlaunches = 4\nrepetitions = 2\nwarmup = 0\n[[workload]]\nname = \"w\"\nprompt = [1]\nnew_tokens = 1\n\
                    phases = [\"prefill\"]\n[[lane]]\nname = \"a\"\n";
        let plan = Plan::parse("p", plan).expect("a plan");
        let lane = |name: &str, launches: u64| -> LaneVerdict {
            let lane = json!({
                "lane": name, "optional": true, "state": "ready", "unlocked": false, "launches": launches, "outcomes": {},
                "declared": {"gil": "false", "python": "3.13.5"}, "observed": {"python": "3.13.5", "torch": "2.11.0"},
            });
            serde_json::from_value(lane).expect("a lane")
        };
        let tables = stack_tables(&plan, &[lane("a", 4), lane("b", 0)]);
        let of = |row: &TableRow<'_>, column: &str| row.values[column].value.as_ref().map(ToString::to_string);
        let axes = tables.iter().filter(|row| row.table == "lane_axes");
        let told: Vec<String> = axes
            .map(|row| ["lane", "axis", "observed"].map(|column| of(row, column).unwrap_or_default()).join(" "))
            .collect();
        assert_eq!(told, ["a gil ", "a python 3.13.5", "b python 3.13.5"]);
    }
}
