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
    counts: BTreeMap<&'static str, u64>,
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
            counts: BTreeMap::new(),
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
            Event::Stopping => self.line("stopping, which may take the lane's grace; once more to stop at once; `lockstep resume latest` goes on"),
            Event::Lane { lane, state, reason } => {
                let word = match state {
                    LaneState::Ready => "ready",
                    LaneState::Skipped => "skipped",
                    LaneState::Refused => "REFUSED",
                };
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                self.line(&format!("lane {lane} {word}{reason}"));
            }
            Event::Begin { segment: _, done, total } => self.begin_of("repetitions", done, total),
            Event::Launch { lane, block } => {
                self.lane = format!("{lane} #{block}");
                if let Some(bar) = &self.bar {
                    bar.set_message(self.lane.clone());
                }
            }
            Event::Row { lane, cell, outcome, message } => {
                if outcome.is_failure() && outcome != Outcome::Refused {
                    self.line(&format!("{lane} {cell} {outcome}: {}", message.unwrap_or_default()));
                }
                match outcome {
                    Outcome::Skipped | Outcome::Refused => *self.counts.entry(outcome.name()).or_insert(0) += 1,
                    _ => self.count(outcome.name()),
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

    /// Begins to count.
    pub(super) fn begin_of(&mut self, what: &str, done: u64, total: u64) {
        (self.done, self.total) = (done, total);
        self.line(&format!("{} {what} to measure", total.saturating_sub(done)));
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

    /// One more is done, and this is what came of it.
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_insert(0) += 1;
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return;
        }
        let pct = (100 * self.done).checked_div(self.total).unwrap_or(100);
        if pct >= self.next_line_pct {
            self.next_line_pct = pct - pct % LINE_EVERY_PCT + LINE_EVERY_PCT;
            let counts: Vec<String> = self.counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
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
