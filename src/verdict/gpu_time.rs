//! In how much of a cell's measured time its GPU was throttled or shared with others.

use std::collections::{BTreeMap, BTreeSet};

use crate::journal::{LaunchEnd, Row};
use crate::terms::{CellId, Outcome};

/// A timed row with samples: lane, cell, nanoseconds, and whether something disturbed it. Its time is the one that is
/// compared: what it settled and profiled before, untimed, would hide how much of it was disturbed.
type Timed = (String, CellId, u64, bool);

/// The rows of a journal that GPUs were sampled beside.
#[derive(Debug, Default)]
pub(super) struct GpuTime {
    /// Disturbed nanoseconds, and all of them, by lane and cell.
    cells: BTreeMap<(String, CellId), (u64, u64)>,
    /// Rows of launches that have not ended: they may yet turn out to have shared their GPU.
    open: BTreeMap<u32, Vec<Timed>>,
    disturbances: BTreeSet<&'static str>,
    touched: u64,
}

/// What disturbed GPUs beside the rows of a journal.
pub(super) struct Disturbed {
    /// Disturbed nanoseconds, and all of them, for each lane and cell.
    pub cells: Vec<(u64, u64)>,
    /// What it was, by name.
    pub by: Vec<String>,
    /// Timed rows that something disturbed.
    pub rows: u64,
}

impl GpuTime {
    pub(super) fn row(&mut self, row: &Row) {
        let (Some(launch), Some(ns), Outcome::Ok) = (row.launch, row.wall_ns, row.outcome) else { return };
        if row.telemetry.is_empty() {
            return;
        }
        let seen: BTreeSet<&str> = row.telemetry.iter().flat_map(|gpu| gpu.disturbances()).collect();
        let timed = (row.lane.clone(), row.cell.clone(), ns, !seen.is_empty());
        self.disturbances.extend(seen);
        self.open.entry(launch).or_default().push(timed);
    }

    /// Memory that others held before or after the lane was held beside all of its rows.
    pub(super) fn end(&mut self, end: &LaunchEnd) {
        let held = end.telemetry.iter().any(|gpu| gpu.seen.shared.is_some_and(|shared| shared.memory_mib > 0));
        let rows = self.open.remove(&end.launch).unwrap_or_default();
        if held && !rows.is_empty() {
            self.disturbances.insert("shared");
        }
        rows.into_iter().for_each(|(lane, cell, ns, disturbed)| self.count(lane, cell, ns, disturbed || held));
    }

    fn count(&mut self, lane: String, cell: CellId, ns: u64, disturbed: bool) {
        self.touched += u64::from(disturbed);
        let (part, of) = self.cells.entry((lane, cell)).or_default();
        *part = part.saturating_add(if disturbed { ns } else { 0 });
        *of = of.saturating_add(ns);
    }

    pub(super) fn finish(mut self) -> Disturbed {
        for (lane, cell, ns, disturbed) in std::mem::take(&mut self.open).into_values().flatten() {
            self.count(lane, cell, ns, disturbed);
        }
        let by = self.disturbances.into_iter().map(str::to_owned).collect();
        Disturbed { cells: self.cells.into_values().collect(), by, rows: self.touched }
    }
}
