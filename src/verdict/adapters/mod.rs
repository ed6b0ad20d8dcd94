//! From tables to rules: what stands in the rows that a plan chooses becomes the typed input of a rule in `super::rules`.
//!
//! One adapter for each kind of rule (`ladders`, `evidence`, `criteria`, `crashes`, `gates`, `compared`, `contrasts`, `citable`, `printed`, `routing`, `reported`), whatever the tables are:
//! those of a report, or those that the rows of a run give (`super::measured_tables`). In the latter the launch is the unit of
//! replication, by which everything is counted (`counts`, `launch_values`), and fewer than three launches a side are inconclusive. A rule that needs what no table holds says `invalid`, and
//! so does one whose key stands twice (`keys`).

mod apply;
mod citable;
mod compared;
mod contrasts;
mod counts;
mod crashes;
mod criteria;
mod evidence;
mod family;
mod gates;
mod keys;
mod ladders;
mod launch_values;
mod means;
mod printed;
mod reported;
mod routing;
mod survivors;
mod tables;

pub(super) use apply::{Decided, Settings, apply};
pub(super) use family::{Asked, all, family, others};
pub(super) use launch_values::{LaunchValues, ValuesBehind};
pub(super) use tables::{Counted, LaunchesBehind, OBSERVATIONS, TableRow, Tables};

#[cfg(test)]
mod tests;
