//! Which identity axes differ between two measurements.

use std::collections::BTreeMap;

use super::comparison::{AxisDifference, AxisScope};
use super::value::SnapshotSegment;
use crate::terms::Axes;

/// The identity of a measurement's side: its tool and host per segment, and its lanes' axes.
pub(super) struct Identity<'a> {
    pub segments: Vec<SnapshotSegment>,
    pub lanes: Vec<LaneAxes<'a>>,
}

pub(super) struct LaneAxes<'a> {
    pub lane: &'a str,
    pub declared: &'a Axes,
    pub observed: &'a Axes,
}

/// Every axis that differs: tool, host, then the lanes that both sides have.
pub(super) fn differences(a: &Identity<'_>, b: &Identity<'_>) -> Vec<AxisDifference> {
    let mut found = Vec::new();
    for (scope, of) in [(AxisScope::Tool, tool_axes as fn(&SnapshotSegment) -> Axes), (AxisScope::Host, host_axes)] {
        maps(scope, None, &over_segments(&a.segments, of), &over_segments(&b.segments, of), &mut found);
    }
    for ours in &a.lanes {
        if let Some(theirs) = b.lanes.iter().find(|lane| lane.lane == ours.lane) {
            maps(AxisScope::Declared, Some(ours.lane), ours.declared, theirs.declared, &mut found);
            maps(AxisScope::Observed, Some(ours.lane), ours.observed, theirs.observed, &mut found);
        }
    }
    found
}

/// The differences that bear on `lanes`: their own, the host's and the tool's. Without a lane named, all bear.
pub(super) fn bearing(differences: &[AxisDifference], lanes: &[String]) -> Vec<AxisDifference> {
    let bears = |difference: &&AxisDifference| match &difference.lane {
        Some(lane) => lanes.is_empty() || lanes.contains(lane),
        None => true,
    };
    differences.iter().filter(bears).cloned().collect()
}

fn maps(scope: AxisScope, lane: Option<&str>, a: &Axes, b: &Axes, found: &mut Vec<AxisDifference>) {
    let mut names: Vec<_> = a.keys().chain(b.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (from, to) = (a.get(name).cloned(), b.get(name).cloned());
        if from != to {
            found.push(AxisDifference { scope, lane: lane.map(str::to_owned), axis: name.clone(), from, to });
        }
    }
}

fn tool_axes(segment: &SnapshotSegment) -> Axes {
    BTreeMap::from([
        ("lockstep".to_owned(), segment.lockstep.clone()),
        ("binary".to_owned(), segment.binary.to_string()),
    ])
}

fn host_axes(segment: &SnapshotSegment) -> Axes {
    let SnapshotSegment { started_at: _, lockstep: _, binary: _, machine, os, kernel, cpu, cores, .. } = segment;
    let mut axes = BTreeMap::from([
        ("machine".to_owned(), machine.to_string()),
        ("os".to_owned(), os.clone()),
        ("kernel".to_owned(), kernel.clone()),
        ("cpu".to_owned(), cpu.clone()),
        ("cores".to_owned(), cores.to_string()),
        // The kernel keeps a little for itself, more or less of it by version, so bytes would differ without meaning.
        ("memory".to_owned(), format!("{:.1} GiB", segment.memory_bytes as f64 / f64::from(1 << 30))),
    ]);
    if !segment.gpus.is_empty() {
        axes.insert("gpus".to_owned(), segment.gpus.join(", "));
    }
    if let Some(driver) = &segment.driver {
        axes.insert("driver".to_owned(), driver.clone());
    }
    axes
}

/// One map for all segments: where they differ, the values stand beside each other in journal order.
fn over_segments(segments: &[SnapshotSegment], of: fn(&SnapshotSegment) -> Axes) -> Axes {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for segment in segments {
        for (axis, value) in of(segment) {
            let seen = values.entry(axis).or_default();
            if !seen.contains(&value) {
                seen.push(value);
            }
        }
    }
    values.into_iter().map(|(axis, values)| (axis, values.join(" and "))).collect()
}
