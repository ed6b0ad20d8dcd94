//! What others did to the measured windows. The load average is no evidence; what the kernel charged is.

use std::collections::{BTreeMap, BTreeSet};

use super::Contamination;
use super::gpu_time::{Disturbed, GpuTime};
use super::rounding::round;
use crate::journal::{Busy, LaunchEnd, LaunchStart, Preflight, Row};
use crate::plan::Plan;
use crate::terms::{Stage, significant};

/// A lane's windows together, in milliseconds.
#[derive(Debug, Default)]
struct Windows {
    /// Length.
    window: u64,
    /// Length times processors.
    capacity: u64,
    /// Processor time of others and of the hypervisor.
    taken: u64,
    /// Windows for which pressure is known, and the part of it that the lane does not explain.
    pressed: (u64, u64),
}

impl Windows {
    fn take(&mut self, busy: &Busy) {
        let cores = u64::from(busy.cores.max(1));
        self.window = self.window.saturating_add(busy.window_ms);
        self.capacity = self.capacity.saturating_add(busy.window_ms.saturating_mul(cores));
        self.taken = self.taken.saturating_add(busy.others_ms).saturating_add(busy.steal_ms);
        if let Some(unexplained_ms) = busy.unexplained_pressure_ms() {
            self.pressed.0 = self.pressed.0.saturating_add(busy.window_ms);
            self.pressed.1 = self.pressed.1.saturating_add(unexplained_ms);
        }
    }
}

impl Contamination {
    /// What is known, in words, for example `others took 1.25 % of the host's processor time`.
    #[must_use]
    pub fn told(&self) -> String {
        let gpu = self.gpu_told();
        let Some(share) = self.share_pct else {
            return format!("nothing is known of others' use of the host{gpu}");
        };
        let share = significant(share, 3);
        let waited = self.pressure_pct.map(|pct| {
            format!(
                ", and tasks waited for {} % of the time beyond what lane and supervisor explain",
                significant(pct, 3)
            )
        });
        format!("others took {share} % of the host's processor time{}{gpu}", waited.unwrap_or_default())
    }

    /// The rows whose times stand although a GPU was disturbed beside them: too few for the plan to call the run contaminated.
    pub(super) fn rows_that_stay(&self) -> Option<String> {
        let share = self.gpu_pct.filter(|_| !self.contaminated && self.gpu_rows > 0)?;
        let (rows, what) = (self.gpu_rows, self.gpu_disturbances.join(", "));
        Some(format!(
            "rows whose times stand although the GPU was disturbed beside them ({what}): {rows}, {} % of a cell's time at \
             most, limit {} %",
            significant(share, 3),
            self.limit_pct
        ))
    }

    fn gpu_told(&self) -> String {
        match self.gpu_pct {
            None => String::new(),
            Some(pct) if pct > 0.0 => {
                let what = self.gpu_disturbances.join(", ");
                let (share, rows) = (significant(pct, 3), self.gpu_rows);
                format!(", and the GPU was disturbed ({what}) in {share} % of a cell's time, beside {rows} rows in all")
            }
            Some(_) => ", and no GPU was seen throttled or shared".to_owned(),
        }
    }
}

/// The launches of a journal and their windows, by lane.
#[derive(Debug, Default)]
pub(super) struct Disturbance {
    lanes: BTreeMap<u32, String>,
    windows: BTreeMap<String, Windows>,
    /// Launches that were looked at as they left.
    finished: BTreeSet<u32>,
    unknown_launches: u64,
    gpus: GpuTime,
}

impl Disturbance {
    pub(super) fn start(&mut self, start: &LaunchStart) {
        self.lanes.insert(start.launch, start.lane.clone());
    }

    pub(super) fn look(&mut self, look: &Preflight) {
        if look.stage == Stage::AtExit {
            self.finished.extend(look.launch);
        }
    }

    pub(super) fn row(&mut self, row: &Row) {
        self.gpus.row(row);
    }

    /// A launch that broke down may have left no account of itself; one that came to its end has.
    pub(super) fn end(&mut self, end: &LaunchEnd) {
        self.gpus.end(end);
        match (&end.busy, self.lanes.get(&end.launch)) {
            (Some(busy), Some(lane)) => self.windows.entry(lane.clone()).or_default().take(busy),
            _ => self.unknown_launches += u64::from(self.finished.contains(&end.launch)),
        }
    }

    /// By the lane that others disturbed most: a lane with long windows must not hide what hit one with short ones.
    pub(super) fn contamination(self, plan: &Plan) -> Contamination {
        let share_pct = worst_pct(self.windows.values().map(|windows| (windows.taken, windows.capacity)));
        let pressure_pct = worst_pct(self.windows.values().map(|windows| (windows.pressed.1, windows.pressed.0)));
        let Disturbed { cells, by: gpu_disturbances, rows: gpu_rows } = self.gpus.finish();
        let gpu_pct = worst_pct(cells.into_iter());
        let limit_pct = plan.run.busy_limit_pct;
        let beyond = |pct: Option<f64>| pct.is_some_and(|pct| pct > limit_pct);
        Contamination {
            contaminated: beyond(share_pct) || beyond(pressure_pct) || beyond(gpu_pct),
            share_pct,
            pressure_pct,
            gpu_pct,
            gpu_disturbances,
            gpu_rows,
            limit_pct,
            unknown_launches: self.unknown_launches,
            window_ms: self.windows.values().map(|windows| windows.window).fold(0, u64::saturating_add),
        }
    }
}

/// The largest of the shares, in percent; nothing where nothing was measured.
fn worst_pct(shares: impl Iterator<Item = (u64, u64)>) -> Option<f64> {
    let pct = shares.filter(|(_, of)| *of > 0).map(|(part, of)| 100.0 * part as f64 / of as f64);
    pct.max_by(f64::total_cmp).map(round)
}
