//! Confirmation by rerun: a policy that the plan states, and what further runs of the plan say of a regression in times.
//!
//! Only times are ever confirmed. Tokens, outcomes, coverage and everything else that changed stand at once, because
//! another run that does not show them is no answer to one that does. A regression stands when *every* run that the plan
//! asks for shows it too, in the same lane and cell or hypothesis; the first that does not ends the matter as not
//! confirmed, which is inconclusive and no pass. Every run counts, in the order made: none can be left out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Change, ChangeKind, Comparison, GateStanding, Part, Severity, Status};
use crate::terms::CellId;

/// What further runs say of a regression in times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Runs that the plan asks for.
    pub asked: u32,
    /// What they come to.
    pub state: ConfirmationState,
    /// Regressions in times of the first run that every run so far shows.
    pub standing: u64,
    /// The runs, in the order made.
    pub runs: Vec<ConfirmingRun>,
}

/// What the confirming runs come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmationState {
    /// The plan asks for more runs than there are.
    Asked,
    /// Every run shows the regression.
    Confirmed,
    /// A run does not show it.
    NotConfirmed,
}

/// A run that was made to confirm another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmingRun {
    /// The run.
    pub run: String,
    /// Regressions in times of the first run that this one shows too.
    pub shows: u64,
    /// What it comes to by itself, against the same snapshot.
    pub status: Status,
    /// Changes that it shows besides times, which stand at once.
    pub others: u64,
}

/// What makes two regressions the same: kind, lane, cell, and what it is about.
type Key = (ChangeKind, Option<String>, Option<CellId>, String);

fn is_in_times(change: &Change) -> bool {
    match change.kind {
        ChangeKind::MagnitudeLeftBand => true,
        ChangeKind::VerdictChanged => change.part == Part::Finding,
        _ => false,
    }
}

fn regressions(comparison: &Comparison) -> BTreeSet<Key> {
    let found = comparison.of(Severity::Regression).filter(|change| is_in_times(change));
    found.map(|it| (it.kind, it.lane.clone(), it.cell.clone(), it.what.clone())).collect()
}

impl Comparison {
    /// The comparison under a plan that asks for `asked` confirming runs, which came out as `runs`, in the order made.
    /// A run in which nothing but times got worse is what can be confirmed; any other stays as it is.
    #[must_use]
    pub fn confirmed_by(mut self, asked: u32, runs: &[Self]) -> Self {
        let counts = || self.changes.iter().filter(|change| change.severity.counts());
        let only_times = counts().all(|change| is_in_times(change) && change.severity == Severity::Regression);
        if asked == 0 || !only_times || counts().next().is_none() {
            return self;
        }
        let mut standing = regressions(&self);
        let mut told = Vec::new();
        for run in runs {
            if standing.is_empty() || told.len() >= asked as usize {
                break;
            }
            let shown = regressions(run);
            standing.retain(|key| shown.contains(key));
            let others = run.changes.iter().filter(|change| change.severity.counts() && !is_in_times(change));
            told.push(ConfirmingRun {
                run: run.now.run.clone(),
                shows: standing.len() as u64,
                status: run.status,
                others: others.count() as u64,
            });
        }
        let state = match (standing.is_empty(), told.len() < asked as usize) {
            (true, _) => ConfirmationState::NotConfirmed,
            (false, true) => ConfirmationState::Asked,
            (false, false) => ConfirmationState::Confirmed,
        };
        let others: u64 = told.iter().map(|run| run.others).sum();
        if state == ConfirmationState::NotConfirmed && others == 0 {
            self.status = Status::Inconclusive;
            for gate in self.gates.iter_mut().filter(|gate| gate.standing == GateStanding::Failed) {
                gate.standing = GateStanding::Undecided;
            }
        }
        self.confirmation = Some(Confirmation { asked, state, standing: standing.len() as u64, runs: told });
        self
    }

    /// Where its regression in times stands, if the plan asks for confirmation of one.
    #[must_use]
    pub fn confirmation_state(&self) -> Option<ConfirmationState> {
        self.confirmation.as_ref().map(|confirmation| confirmation.state)
    }
}

impl Confirmation {
    /// What the runs come to, in one sentence that names each of them.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { asked, state, runs, .. } = self;
        let made = runs.len();
        let named: Vec<String> = runs
            .iter()
            .map(|run| format!("{} ({})", run.run, if run.shows > 0 { "shows it too" } else { "does not show it" }))
            .collect();
        let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
        match state {
            ConfirmationState::Asked => {
                format!("the plan asks for {asked} confirming runs of a regression in times, {made} made so far{named}")
            }
            ConfirmationState::Confirmed => {
                format!("the regression in times is confirmed by {made} of {asked} confirming runs{named}")
            }
            ConfirmationState::NotConfirmed => format!(
                "the regression in times is not confirmed, after {made} of {asked} confirming runs{named}; it is neither a \
                 regression nor a pass"
            ),
        }
    }
}
