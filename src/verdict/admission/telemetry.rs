//! What a row says of its GPUs against header and plan.

use crate::journal::{GpuTelemetry, Header, Row, SegmentTelemetry, Spread};
use crate::plan::PlannedLane;

/// Samples beside those that a window has room for: one at either end.
const ENDS: u64 = 2;

/// What in the row's telemetry cannot be, if anything.
pub(super) fn contradiction(header: &Header, planned: &PlannedLane, row: &Row) -> Option<String> {
    if row.telemetry.is_empty() {
        return None;
    }
    let Some(SegmentTelemetry::Sampled { period_ms, absent, .. }) = &header.telemetry else {
        return Some("holds samples of a GPU, and by the header none are taken".to_owned());
    };
    if !planned.telemetry {
        return Some("holds samples of a GPU, and by the plan its lane is not sampled".to_owned());
    }
    // A repetition that gave no answer has no length by any clock, so nothing bounds its samples.
    let room = row.outside_ns.map(|ns| ns / 1_000_000 / (*period_ms).max(1) + ENDS);
    row.telemetry.iter().find_map(|seen| {
        let GpuTelemetry { gpu, samples, metrics, .. } = seen;
        let Some(absent) = absent.get(*gpu as usize) else {
            return Some(format!("was sampled on GPU {gpu}, and the header has {}", absent.len()));
        };
        if let Some(room) = room.filter(|room| u64::from(*samples) > *room) {
            return Some(format!("counts {samples} samples of GPU {gpu}, and its time has room for {room}"));
        }
        let disordered = |Spread(least, mean, most): &Spread| !(least <= mean && mean <= most);
        let (metric, what) = metrics.iter().find_map(|(metric, spread)| match absent.get(metric) {
            Some(why) if *why != crate::journal::Absence::Failed => Some((metric, "which the header says is absent")),
            _ => disordered(spread).then_some((metric, "and its least, mean and most are out of order")),
        })?;
        Some(format!("states {metric:?} of GPU {gpu}, {what}"))
    })
}
