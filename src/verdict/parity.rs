//! Output tokens across lanes.

use std::collections::{BTreeMap, BTreeSet};

use super::reduce::Table;
use super::{Finding, HypothesisVerdict};
use crate::terms::Digest;

/// Decides whether `lanes` gave the same tokens in every cell; `absent` lanes are named and left out.
pub(super) fn decide(
    verdict: &mut HypothesisVerdict,
    lanes: &[String],
    table: &Table,
    absent: &BTreeMap<String, String>,
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
    let (mut differing, mut missing) = (Vec::new(), Vec::new());
    for (id, cell) in &table.cells {
        let mut outputs: BTreeSet<Digest> = BTreeSet::new();
        let mut by_lane = Vec::new();
        for lane in &present {
            let seen = table.entry(lane, id).map(|entry| &entry.outputs);
            match seen {
                Some(seen) if !seen.is_empty() => {
                    outputs.extend(seen.keys());
                    let digests: Vec<String> = seen.keys().map(Digest::short).collect();
                    by_lane.push(format!("{lane} {}", digests.join(" and ")));
                }
                _ => missing.push(format!("{id} {}: no ok row of lane {lane}", cell.phase)),
            }
        }
        if outputs.len() > 1 {
            differing.push(format!("{id} {}: {}", cell.phase, by_lane.join(", ")));
        }
    }
    let names: Vec<&str> = present.iter().map(|lane| lane.as_str()).collect();
    let (finding, first) = match (differing.is_empty(), missing.is_empty()) {
        (false, _) => {
            (Finding::NotIdentical, format!("outputs differ in {} of {} cells", differing.len(), table.cells.len()))
        }
        (true, false) => (Finding::CouldNotTell, format!("{} outputs are missing", missing.len())),
        (true, true) => (
            Finding::Identical,
            format!("{} gave the same tokens in all {} cells", names.join(", "), table.cells.len()),
        ),
    };
    verdict.finding = finding;
    verdict.reasons.insert(0, first);
    verdict.reasons.extend(differing);
    verdict.reasons.extend(missing);
}
