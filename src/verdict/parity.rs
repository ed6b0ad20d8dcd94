//! Output tokens across lanes.

use std::collections::{BTreeMap, BTreeSet};

use super::expected::Expectations;
use super::reduce::Table;
use super::{Finding, HypothesisVerdict, grounds};
use crate::terms::Digest;

/// Decides whether `lanes` gave the same tokens in every cell; `absent` lanes are named and left out.
pub(super) fn decide(
    verdict: &mut HypothesisVerdict,
    lanes: &[String],
    table: &Table,
    absent: &BTreeMap<String, String>,
    expectations: &Expectations,
) {
    let present: Vec<&String> = lanes.iter().filter(|lane| !absent.contains_key(*lane)).collect();
    for lane in lanes.iter().filter(|lane| absent.contains_key(*lane)) {
        verdict.reasons.push(format!("lane {lane} took no part, so its tokens were not compared"));
    }
    if present.len() < 2 {
        verdict.finding = Finding::NotMeasured;
        verdict
            .reasons
            .insert(0, format!("{} of {} lanes took part; a comparison needs two", present.len(), lanes.len()));
        return;
    }
    let (mut rows, mut differing, mut missing, mut excused) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut compared = 0;
    for (id, cell) in table.cells() {
        let mut outputs: BTreeSet<Digest> = BTreeSet::new();
        let mut by_lane = Vec::new();
        for lane in &present {
            let seen = table.entry(lane, id).map(|entry| &entry.outputs);
            match seen {
                Some(seen) if !seen.is_empty() => {
                    outputs.extend(seen.keys());
                    rows.push(grounds::row(id, lane));
                    let digests: Vec<String> = seen.keys().map(Digest::short).collect();
                    by_lane.push(format!("{lane} {}", digests.join(" and ")));
                }
                _ if expectations.excused(lane, id) > 0 => {
                    excused.push(format!("{id} {}: left out, lane {lane} fails there as expected", cell.phase));
                }
                _ => missing.push(format!("{id} {}: no ok row of lane {lane}", cell.phase)),
            }
        }
        compared += usize::from(by_lane.len() > 1);
        if outputs.len() > 1 {
            differing.push(format!("{id} {}: {}", cell.phase, by_lane.join(", ")));
        }
    }
    let names: Vec<&str> = present.iter().map(|lane| lane.as_str()).collect();
    let cells = table.cells().len();
    let (finding, first) = match (differing.is_empty(), missing.is_empty()) {
        (false, _) => (Finding::NotIdentical, format!("outputs differ in {} of {cells} cells", differing.len())),
        (true, false) => (Finding::CouldNotTell, format!("{} outputs are missing", missing.len())),
        (true, true) if compared == 0 => {
            (Finding::NotMeasured, "no cell is left to compare: all fail as the plan expects".to_owned())
        }
        (true, true) if excused.is_empty() => {
            (Finding::Identical, format!("{} gave the same tokens in all {cells} cells", names.join(", ")))
        }
        (true, true) => (
            Finding::Identical,
            format!(
                "{} gave the same tokens where none fails as expected: in {compared} of {cells} cells",
                names.join(", ")
            ),
        ),
    };
    verdict.finding = finding;
    grounds::of_tokens(verdict, rows);
    verdict.reasons.insert(0, first);
    verdict.reasons.extend(differing);
    verdict.reasons.extend(missing);
    verdict.reasons.extend(excused);
}
