//! A launch: what stands between its start and its end.

use std::collections::BTreeSet;

use crate::journal::{Busy, LaneDeclaration, LaunchEnd, LaunchStart, Preflight};
use crate::plan::{CellOrder, Repetition};
use crate::terms::{Outcome, Stage, axis_contradictions, observed_axes};

/// The looks at a launch, in order; the first three precede its first repetition, the last follows the last one.
const LOOKS: [Stage; 4] = [Stage::BeforeImports, Stage::AfterImports, Stage::AfterWarmup, Stage::AtExit];

/// Slack between the measured windows and what lies in them: windows are cut to whole milliseconds.
const WINDOW_SLACK_NS: u64 = 1_000_000;

/// How much longer measuring may last than its rows, and than the samples of its GPUs: both begin and end beside it.
const BESIDE_MS: u64 = 1_000;

/// What may pass between two rows: one is written down and synced, and the kernel's accounts are read.
const BETWEEN_ROWS_MS: u64 = 250;

/// A launch that has begun and not ended.
#[derive(Debug)]
pub(super) struct OpenLaunch {
    pub number: u32,
    pub lane: String,
    pub block: u32,
    /// Place in the block's repetitions up to which rows stand.
    next: usize,
    looks: usize,
    /// Axes that the looks before its rows showed.
    seen: BTreeSet<String>,
    /// What a look showed against the header.
    contradiction: Option<String>,
    /// Repetitions that are `ok`, by cell and repetition.
    pub ok: Vec<(usize, u32)>,
    rows: u64,
    /// Sum over its rows, on the supervisor's clock.
    outside_ns: u64,
    /// Whether a repetition failed in it, of which no time is known.
    lacks_time: bool,
    last: Option<Outcome>,
}

impl OpenLaunch {
    pub(super) fn new(start: &LaunchStart) -> Self {
        Self {
            number: start.launch,
            lane: start.lane.clone(),
            block: start.block,
            next: 0,
            looks: 0,
            seen: BTreeSet::new(),
            contradiction: None,
            ok: Vec::new(),
            rows: 0,
            outside_ns: 0,
            lacks_time: false,
            last: None,
        }
    }

    /// Takes a look; says what is wrong with its place.
    pub(super) fn look(&mut self, declared: &LaneDeclaration, preflight: &Preflight) -> Option<String> {
        let stage = preflight.stage;
        if LOOKS.get(self.looks) != Some(&stage) {
            return Some(format!("was looked at `{stage}`, and that is not the look that comes next"));
        }
        if self.is_broken() {
            return Some(format!("was looked at `{stage}`, after a repetition that ended its process"));
        }
        self.looks += 1;
        let seen = observed_axes(&declared.declared, &preflight.signals);
        self.seen.extend(seen.keys().cloned());
        let mut found = axis_contradictions(&declared.declared, &seen);
        found.extend(axis_contradictions(&declared.observed, &seen));
        if let Some(first) = found.first() {
            self.contradiction.get_or_insert_with(|| {
                format!("{} at `{stage}`: by the header {}", first.name, first.message.replace("declared", "it is"))
            });
        }
        // The supervisor hashes the model's folder itself; no signal shows it.
        let unseen = declared.observed.keys().find(|axis| *axis != "model" && !self.seen.contains(*axis));
        if let (Stage::AfterWarmup, Some(axis)) = (stage, unseen) {
            self.contradiction.get_or_insert_with(|| format!("no look at it shows {axis}"));
        }
        None
    }

    /// Takes a row at a place of the block's `order`; says what is wrong with it.
    pub(super) fn row(
        &mut self,
        order: &[Repetition],
        at: Repetition,
        outcome: Outcome,
        outside_ns: Option<u64>,
    ) -> Option<String> {
        if self.is_broken() {
            return Some(
                "comes after one that crashed or hung in the same launch, whose process takes no other".to_owned(),
            );
        }
        // One that the host disturbed is tried again before the next; that it was, the journal's structure shows.
        let before = self.next.checked_sub(1).and_then(|last| order.get(last));
        if self.last != Some(Outcome::Refused) || before != Some(&at) {
            let ahead = order.get(self.next..).unwrap_or_default().iter().position(|planned| *planned == at);
            let Some(ahead) = ahead else { return Some("comes after a repetition that the plan has later".to_owned()) };
            self.next += ahead + 1;
        }
        self.last = Some(outcome);
        self.rows += 1;
        self.outside_ns = self.outside_ns.saturating_add(outside_ns.unwrap_or(0));
        self.lacks_time |= outside_ns.is_none() && outcome == Outcome::Crashed;
        if outcome != Outcome::Ok {
            return None;
        }
        self.ok.push((at.cell, at.rep));
        if self.looks != LOOKS.len() - 1 {
            return Some(
                "is ok, and its launch was not looked at three times before and once after its rows".to_owned(),
            );
        }
        self.contradiction
            .as_ref()
            .map(|found| format!("is ok, and its launch is not shown to be the header's stack: {found}"))
    }

    /// Whether its last repetition ended its process: one that something crashed or hung in is not trusted with another.
    fn is_broken(&self) -> bool {
        matches!(self.last, Some(Outcome::Crashed | Outcome::Hung))
    }

    /// Whether it was looked at as it left.
    pub(super) fn is_complete(&self) -> bool {
        self.looks == LOOKS.len()
    }

    /// Whether its last look is missing, and only a pause of the run explains that.
    pub(super) fn owes_a_look(&self, end: &LaunchEnd) -> bool {
        end.disowned.is_none() && !self.is_complete() && self.last == Some(Outcome::Ok)
    }

    /// What is wrong with its end, on a host of so many processors, under a plan of that order.
    pub(super) fn end(&self, end: &LaunchEnd, cores: u32, order: CellOrder) -> Option<String> {
        if let (Some(found), None, false) = (&self.contradiction, &end.disowned, self.ok.is_empty()) {
            return Some(format!("was not the header's stack as it left, and is not disowned: {found}"));
        }
        let busy = end.busy.as_ref()?;
        if busy.cores != cores {
            return Some(format!("counts {} processors, and the header's host has {cores}", busy.cores));
        }
        let window_ns = busy.window_ms.saturating_mul(1_000_000).saturating_add(WINDOW_SLACK_NS);
        let claimed_ms = self.outside_ns / 1_000_000;
        if self.is_complete() && self.outside_ns > window_ns {
            return Some(format!("was measured for {} ms, and its rows claim {claimed_ms} ms", busy.window_ms));
        }
        let warmup_ms = busy.warmup_ms.unwrap_or(0);
        let held_ms = busy.window_ms.saturating_add(WINDOW_SLACK_NS / 1_000_000);
        if self.is_complete() && claimed_ms.saturating_add(warmup_ms) > held_ms {
            return Some(format!(
                "was measured for {} ms, and its rows claim {claimed_ms} ms beside {warmup_ms} ms of warmup",
                busy.window_ms
            ));
        }
        self.too_long(busy, end, order)
    }

    /// Why its window cannot be that long, if it cannot: others' share of a longer one looks smaller.
    ///
    /// The GPUs are sampled for as long as is measured. Rows fill the window, but for what failed without a time; where cells
    /// come one after the other, so does the warmup of each, which journals before it was written down do not tell.
    fn too_long(&self, busy: &Busy, end: &LaunchEnd, order: CellOrder) -> Option<String> {
        let window_ms = busy.window_ms;
        let sampled_ms = end.telemetry.iter().map(|gpu| gpu.window_ms).min();
        if let Some(sampled_ms) = sampled_ms.filter(|most| window_ms > most.saturating_add(BESIDE_MS)) {
            return Some(format!("was measured for {window_ms} ms, and its GPUs were sampled for {sampled_ms} ms"));
        }
        let warmup_ms = if order == CellOrder::Interleaved { Some(0) } else { busy.warmup_ms };
        let is_filled = !self.lacks_time;
        let between_ms = BESIDE_MS.saturating_add(self.rows.saturating_mul(BETWEEN_ROWS_MS));
        let claimed_ms = self.outside_ns.div_ceil(1_000_000).saturating_add(warmup_ms.filter(|_| is_filled)?);
        (window_ms > claimed_ms.saturating_add(between_ms)).then(|| {
            let rows = self.rows;
            let beside = if order == CellOrder::Interleaved { "" } else { " and the warmup of their cells" };
            format!("was measured for {window_ms} ms, and its {rows} rows{beside} fill {claimed_ms} ms of them")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{GpuTelemetry, LaunchTelemetry};

    /// What is wrong with a launch of two rows of 2 s each that says it was measured for so long.
    fn end(window_ms: u64, sampled_ms: Option<u64>, order: CellOrder, last: (Outcome, Option<u64>)) -> Option<String> {
        warmed(window_ms, None, sampled_ms, order, last)
    }

    /// The same, with warmup between its cells.
    fn warmed(
        window_ms: u64,
        warmup_ms: Option<u64>,
        sampled_ms: Option<u64>,
        order: CellOrder,
        last: (Outcome, Option<u64>),
    ) -> Option<String> {
        let start = LaunchStart { launch: 0, lane: "native".into(), block: 0, position: 0 };
        let mut launch = OpenLaunch { looks: LOOKS.len() - 1, ..OpenLaunch::new(&start) };
        let places = [0, 1].map(|rep| Repetition { cell: 0, rep });
        for (place, (outcome, ns)) in places.into_iter().zip([(Outcome::Ok, Some(2_000_000_000)), last]) {
            assert_eq!(launch.row(&places, place, outcome, ns), None);
        }
        let busy = Busy { window_ms, others_ms: 0, steal_ms: 0, pressure_ms: None, own_ms: None, warmup_ms, cores: 2 };
        let seen = GpuTelemetry::default();
        let sampled = sampled_ms.map(|window_ms| LaunchTelemetry {
            window_ms,
            seen,
            before_mib: None,
            after_mib: None,
            failed: Default::default(),
        });
        let telemetry = sampled.into_iter().collect();
        let busy = Some(busy);
        let (exit_status, signal, disowned, stderr_unwritten_bytes) = (None, None, None, None);
        let end = LaunchEnd { launch: 0, exit_status, signal, busy, disowned, stderr_unwritten_bytes, telemetry };
        launch.end(&end, 2, order)
    }

    const TIMED: (Outcome, Option<u64>) = (Outcome::Ok, Some(2_000_000_000));

    #[test]
    fn a_window_is_no_longer_than_its_rows_and_what_lies_between_them() {
        let interleaved = |window_ms| end(window_ms, None, CellOrder::Interleaved, TIMED);
        assert_eq!(interleaved(5_500), None);
        let fault = interleaved(5_501).expect("its rows do not fill it");
        assert_eq!(fault, "was measured for 5501 ms, and its 2 rows fill 4000 ms of them");
        // A cell's warmup lies in the window, and has no row; older journals do not say how long it took.
        assert_eq!(end(60_000, None, CellOrder::CellByCell, TIMED), None);
        let one_by_one = |window_ms| warmed(window_ms, Some(3_000), None, CellOrder::CellByCell, TIMED);
        assert_eq!(one_by_one(8_500), None);
        let fault = one_by_one(8_501).expect("nothing fills the rest of it");
        assert_eq!(
            fault,
            "was measured for 8501 ms, and its 2 rows and the warmup of their cells fill 7000 ms of them"
        );
        // How long it took until a repetition failed is in no row; one that hung was not waited for in the window.
        assert_eq!(end(60_000, None, CellOrder::Interleaved, (Outcome::Crashed, None)), None);
        assert!(end(60_000, None, CellOrder::Interleaved, (Outcome::Hung, None)).is_some());
    }

    #[test]
    fn a_window_is_no_longer_than_the_samples_of_its_gpus() {
        for order in [CellOrder::Interleaved, CellOrder::CellByCell] {
            assert_eq!(end(5_000, Some(4_000), order, TIMED), None);
            let fault = end(5_001, Some(4_000), order, TIMED).expect("nothing was sampled in the rest of it");
            assert_eq!(fault, "was measured for 5001 ms, and its GPUs were sampled for 4000 ms");
        }
    }

    #[test]
    fn a_window_holds_its_rows_and_the_warmup_between_them() {
        let start = LaunchStart { launch: 0, lane: "native".into(), block: 0, position: 0 };
        let end = |warmup_ms, looks| {
            let launch = OpenLaunch { looks, outside_ns: 2_000_000_000, rows: 1, ..OpenLaunch::new(&start) };
            let warmup_ms = Some(warmup_ms);
            let busy = Busy {
                window_ms: 5_000,
                others_ms: 0,
                steal_ms: 0,
                pressure_ms: None,
                own_ms: None,
                warmup_ms,
                cores: 2,
            };
            let busy = Some(busy);
            let telemetry = Vec::new();
            let (exit_status, signal, disowned, stderr_unwritten_bytes) = (None, None, None, None);
            let end = LaunchEnd { launch: 0, exit_status, signal, busy, disowned, telemetry, stderr_unwritten_bytes };
            launch.end(&end, 2, CellOrder::CellByCell)
        };
        assert_eq!(end(3_000, LOOKS.len()), None);
        let fault = end(3_002, LOOKS.len()).expect("it is longer than what holds it");
        assert_eq!(fault, "was measured for 5000 ms, and its rows claim 2000 ms beside 3002 ms of warmup");
        assert_eq!(end(3_002, 0), None, "the account of one that broke down ends before it does");
    }
}
