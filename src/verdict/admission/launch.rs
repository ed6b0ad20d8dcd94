//! A launch: what stands between its start and its end.

use std::collections::BTreeSet;

use crate::journal::{LaneDeclaration, LaunchEnd, LaunchStart, Preflight};
use crate::plan::Repetition;
use crate::terms::{Outcome, Stage, axis_contradictions, observed_axes};

/// The looks at a launch, in order; the first three precede its first repetition, the last follows the last one.
const LOOKS: [Stage; 4] = [Stage::BeforeImports, Stage::AfterImports, Stage::AfterWarmup, Stage::AtExit];

/// Slack between the measured windows and what lies in them: windows are cut to whole milliseconds.
const WINDOW_SLACK_NS: u64 = 1_000_000;

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
    /// Sum over its rows, on the supervisor's clock.
    outside_ns: u64,
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
            outside_ns: 0,
            last: None,
        }
    }

    /// Takes a look; says what is wrong with its place.
    pub(super) fn look(&mut self, declared: &LaneDeclaration, preflight: &Preflight) -> Option<String> {
        let stage = preflight.stage;
        if LOOKS.get(self.looks) != Some(&stage) {
            return Some(format!("was looked at `{stage}`, and that is not the look that comes next"));
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
        outside_ns: u64,
    ) -> Option<String> {
        // One that the host disturbed is tried again before the next; that it was, the journal's structure shows.
        let before = self.next.checked_sub(1).and_then(|last| order.get(last));
        if self.last != Some(Outcome::Refused) || before != Some(&at) {
            let ahead = order.get(self.next..).unwrap_or_default().iter().position(|planned| *planned == at);
            let Some(ahead) = ahead else { return Some("comes after a repetition that the plan has later".to_owned()) };
            self.next += ahead + 1;
        }
        self.last = Some(outcome);
        self.outside_ns = self.outside_ns.saturating_add(outside_ns);
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

    /// Whether it was looked at as it left.
    pub(super) fn is_complete(&self) -> bool {
        self.looks == LOOKS.len()
    }

    /// Whether its last look is missing, and only a pause of the run explains that.
    pub(super) fn owes_a_look(&self, end: &LaunchEnd) -> bool {
        end.disowned.is_none() && !self.is_complete() && self.last == Some(Outcome::Ok)
    }

    /// What is wrong with its end.
    pub(super) fn end(&self, end: &LaunchEnd, cores: u32) -> Option<String> {
        if let (Some(found), None, false) = (&self.contradiction, &end.disowned, self.ok.is_empty()) {
            return Some(format!("was not the header's stack as it left, and is not disowned: {found}"));
        }
        let busy = end.busy.as_ref()?;
        if busy.cores != cores {
            return Some(format!("counts {} processors, and the header's host has {cores}", busy.cores));
        }
        let window_ns = busy.window_ms.saturating_mul(1_000_000).saturating_add(WINDOW_SLACK_NS);
        (self.is_complete() && self.outside_ns > window_ns).then(|| {
            let claimed_ms = self.outside_ns / 1_000_000;
            format!("was measured for {} ms, and its rows claim {claimed_ms} ms", busy.window_ms)
        })
    }
}
