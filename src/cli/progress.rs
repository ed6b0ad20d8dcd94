//! A run's events as a progress bar on a terminal, and as plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::note;
use crate::journal::LaneState;
use crate::supervise::Event;
use crate::terms::Outcome;

/// Shows what a run tells.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    terminal: bool,
    done: u64,
    total: u64,
    outcomes: BTreeMap<Outcome, u64>,
    lane: String,
    next_line_pct: u64,
}

/// Without a terminal a line is written at each tenth of the way.
const LINE_EVERY_PCT: u64 = 10;

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            bar: None,
            terminal: std::io::stderr().is_terminal(),
            done: 0,
            total: 0,
            outcomes: BTreeMap::new(),
            lane: String::new(),
            next_line_pct: LINE_EVERY_PCT,
        }
    }

    /// Takes in one event.
    pub(super) fn show(&mut self, event: Event) {
        match event {
            Event::OrphanRemoved(what) => self.line(&format!("removed what an earlier run left behind: {what}")),
            Event::Preparing(what) => self.line(&format!("preparing {what}")),
            Event::Warning(what) => self.line(&format!("warning: {what}")),
            Event::Stopping => self.line("stopping; `lockstep resume latest` goes on"),
            Event::Lane { lane, state, reason } => {
                let word = match state {
                    LaneState::Ready => "ready",
                    LaneState::Skipped => "skipped",
                    LaneState::Refused => "REFUSED",
                };
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                self.line(&format!("lane {lane} {word}{reason}"));
            }
            Event::Begin { segment: _, done, total } => self.begin(done, total),
            Event::Launch { lane, block } => {
                self.lane = format!("{lane} #{block}");
                if let Some(bar) = &self.bar {
                    bar.set_message(self.lane.clone());
                }
            }
            Event::Row { lane, cell, outcome, message } => {
                *self.outcomes.entry(outcome).or_insert(0) += 1;
                if outcome.is_failure() && outcome != Outcome::Refused {
                    self.line(&format!("{lane} {cell} {outcome}: {}", message.unwrap_or_default()));
                }
                if !matches!(outcome, Outcome::Skipped | Outcome::Refused) {
                    self.step();
                }
            }
        }
    }

    /// Ends the bar.
    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn begin(&mut self, done: u64, total: u64) {
        (self.done, self.total) = (done, total);
        self.line(&format!("{} repetitions to measure", total.saturating_sub(done)));
        if self.terminal {
            let bar = ProgressBar::new(total);
            let template = "{bar:40} {pos}/{len} {msg} [{elapsed_precise} left {eta_precise}]";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_position(done);
            self.bar = Some(bar);
        }
    }

    fn step(&mut self) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return;
        }
        let pct = (100 * self.done).checked_div(self.total).unwrap_or(100);
        if pct >= self.next_line_pct {
            self.next_line_pct = pct - pct % LINE_EVERY_PCT + LINE_EVERY_PCT;
            let counts: Vec<String> =
                self.outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
            note(&format!("{pct:>3} %  {}/{}  {}  {}", self.done, self.total, self.lane, counts.join(", ")));
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }
}
