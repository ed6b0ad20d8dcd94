//! The tables of what the lanes are, and of what a plan states that others were.
//!
//! | table | one row for | columns |
//! |---|---|---|
//! | `lane_axes` | each lane and axis that is both declared and observed | `lane`, `axis`, `declared`, `observed` |
//! | `lane_stacks` | all lanes together | `where`, and for each lane a column of its name: its axes as `AXIS=VALUE; …` |
//! | `stated` | each `[[stated]]` of the plan | `where`, `left`, `right` |

use std::borrow::Cow;

use super::LaneVerdict;
use super::adapters::TableRow;
use super::measured_tables::{Values, text};
use crate::plan::Plan;
use crate::terms::Axes;

/// The rows of all three.
pub(super) fn stack_tables(plan: &Plan, lanes: &[LaneVerdict]) -> Vec<TableRow<'static>> {
    let row = |table: &str, source: String, columns: &[(&str, &str)]| {
        let mut values = Values::new();
        columns.iter().for_each(|(column, value)| text(&mut values, column, *value));
        TableRow { table: table.to_owned(), source, values: Cow::Owned(values) }
    };
    let mut rows = Vec::new();
    for LaneVerdict { lane, declared, observed, .. } in lanes {
        for (axis, declared) in declared {
            if let Some(observed) = observed.get(axis) {
                let columns = [("lane", lane.as_str()), ("axis", axis), ("declared", declared), ("observed", observed)];
                rows.push(row("lane_axes", format!("lane {lane} axis {axis}"), &columns));
            }
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
