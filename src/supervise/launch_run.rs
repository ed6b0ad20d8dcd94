//! One launch of one lane, from open to gone: preflight, load, warmup, repetitions.

use std::collections::BTreeSet;

use super::agenda::{Due, DueLaunch};
use super::assess::{Expectations, assess};
use super::busy::Reading;
use super::gates::{Contradiction, axis_contradictions, gate_contradictions, observed_axes};
use super::segment::{Recorder, Track};
use super::session::{Answer, Gone, Halt, Session};
use super::{Error, Event};
use crate::journal::{LaunchEnd, LaunchStart, Preflight, Record, Row};
use crate::launch::LaunchRequest;
use crate::terms::{Cell, Digest, Failure, FailureClass, Outcome, Signal, Stage, canonical_json};
use crate::wire::{RunRequest, Work};

/// How a launch ended.
pub(super) enum LaunchOutcome {
    /// Everything that was due has its row.
    Done,
    /// The lane broke down; what is left needs a fresh process. Whether any repetition was answered before.
    Relaunch { left: Vec<Due>, worked: bool },
    /// The run is asked to stop.
    Stopped,
}

/// A launch under way.
struct Launch<'a, 'r> {
    track: &'a Track<'a>,
    recorder: &'a mut Recorder<'r>,
    planned: &'a DueLaunch,
    number: u32,
    next_id: u64,
}

/// Runs what is due in one process.
pub(super) async fn launch_once(
    track: &Track<'_>,
    recorder: &mut Recorder<'_>,
    planned: &DueLaunch,
    due: &[Due],
) -> Result<LaunchOutcome, Error> {
    let number = recorder.next_launch();
    let DueLaunch { lane, block, position, .. } = planned;
    recorder.append(&Record::LaunchStart(LaunchStart {
        launch: number,
        lane: lane.clone(),
        block: *block,
        position: *position,
    }))?;
    recorder.tell(Event::Launch { lane: lane.clone(), block: *block });
    let request = LaunchRequest { launch: number, ..track.request() };
    let mut launch = Launch { track, recorder, planned, number, next_id: 0 };
    let session = match Session::open(&request, track.engine, track.stop).await {
        Ok(session) => session,
        Err(halt) => return launch.halted(halt, due, Gone::default(), None, false),
    };
    launch.converse(session, due).await
}

impl Launch<'_, '_> {
    async fn converse(&mut self, mut session: Session, due: &[Due]) -> Result<LaunchOutcome, Error> {
        if let Err(halt) = self.prepare(&mut session, due).await? {
            let (halt, gone) = session.kill_for(halt).await;
            return self.halted(halt, due, gone, None, false);
        }
        let before = Reading::take(session.cpu_ns().await.saturating_add(own_cpu_ns()));
        let mut done = 0;
        let mut halted = None;
        for item in due {
            match self.measure(&mut session, item).await? {
                Ok(()) => done += 1,
                Err(halt) => {
                    halted = Some(halt);
                    break;
                }
            }
        }
        let after = Reading::take(session.cpu_ns().await.saturating_add(own_cpu_ns()));
        let busy = before.zip(after).map(|(before, after)| before.until(&after, self.track.cores));
        if let Some(halt) = halted {
            let (halt, gone) = session.kill_for(halt).await;
            return self.halted(halt, due.get(done..).unwrap_or_default(), gone, busy, done > 0);
        }
        let disowned = match self.look(&mut session, Stage::AtExit).await? {
            Ok(()) => None,
            Err(Halt::Broken(_, failure)) => Some(failure),
            Err(Halt::Stopped) => None,
        };
        let gone = session.leave().await;
        self.end(gone, busy, disowned)?;
        Ok(LaunchOutcome::Done)
    }

    /// Preflight, load, warmup. The outer result is ours, the inner one the lane's.
    async fn prepare(&mut self, session: &mut Session, due: &[Due]) -> Result<Result<(), Halt>, Error> {
        if let Err(halt) = self.look(session, Stage::BeforeImports).await? {
            return Ok(Err(halt));
        }
        if let Err(halt) = session.load(&self.track.declared, self.track.max_positions).await {
            return Ok(Err(halt));
        }
        if let Err(halt) = self.look(session, Stage::AfterImports).await? {
            return Ok(Err(halt));
        }
        let cells: BTreeSet<usize> = due.iter().map(|item| item.cell).collect();
        for round in 0..self.planned.warmup {
            for cell in &cells {
                let Some(cell) = self.track.cells.get(*cell) else { continue };
                match session.repetition(self.request(cell, true)).await {
                    Ok(Answer::Done { .. }) => {}
                    // A failing cell shows in its own rows; the others still deserve their warmup.
                    Ok(Answer::Failed { message, .. }) => {
                        self.recorder.tell(Event::Warning(format!("warmup {round} of {}: {message}", cell.id())));
                    }
                    Err(halt) => return Ok(Err(halt)),
                }
            }
        }
        self.look(session, Stage::AfterWarmup).await
    }

    /// A preflight look: journalled, then held against gates and axes.
    async fn look(&mut self, session: &mut Session, stage: Stage) -> Result<Result<(), Halt>, Error> {
        let signals = match session.preflight(stage).await {
            Ok(signals) => signals,
            Err(halt) => return Ok(Err(halt)),
        };
        let contradictions = self.contradictions(stage, &signals);
        self.recorder.append(&Record::Preflight(Preflight {
            lane: self.planned.lane.clone(),
            launch: Some(self.number),
            stage,
            signals,
        }))?;
        Ok(match contradictions.first() {
            None => Ok(()),
            Some(_) => Err(Halt::Broken(Outcome::Refused, contradiction_failure(stage, &contradictions))),
        })
    }

    fn contradictions(&self, stage: Stage, signals: &[Signal]) -> Vec<Contradiction> {
        let observed = observed_axes(signals);
        let mut found = gate_contradictions(&self.track.input.lane.gates, stage, signals);
        found.extend(axis_contradictions(&self.track.declared, &observed));
        found.extend(
            axis_contradictions(&self.track.observed, &observed)
                .into_iter()
                .map(|c| Contradiction { message: c.message.replace("declared", "at the segment's start"), ..c }),
        );
        found
    }

    /// One measured repetition and its row.
    async fn measure(&mut self, session: &mut Session, item: &Due) -> Result<Result<(), Halt>, Error> {
        let Some(cell) = self.track.cells.get(item.cell) else { return Ok(Ok(())) };
        let answer = match session.repetition(self.request(cell, false)).await {
            Ok(answer) => answer,
            Err(halt) => return Ok(Err(halt)),
        };
        let mut row = self.row(cell, item);
        match answer {
            Answer::Done { result, outside_ns } => {
                let expect = Expectations {
                    cell,
                    declared: &self.track.declared,
                    outside_ns,
                    floor_ns_per_forward: self.track.floor_ns_per_forward,
                };
                (row.outcome, row.failure) = assess(&result, &expect);
                row.wall_ns = Some(result.wall_ns);
                row.outside_ns = Some(outside_ns);
                row.output_sha256 = canonical_json(&result.tokens).ok().map(|text| Digest::of(text.as_bytes()));
                row.tokens = result.tokens;
                row.stop = Some(result.stop);
                row.evidence = result.evidence;
            }
            Answer::Failed { out_of_memory, message } => {
                let class = if out_of_memory { FailureClass::OutOfMemory } else { FailureClass::Exception };
                row.failure = Some(Failure::new(class, message));
            }
        }
        self.recorder.row(row)?;
        Ok(Ok(()))
    }

    fn request(&mut self, cell: &Cell, warmup: bool) -> RunRequest {
        let id = self.next_id;
        self.next_id += 1;
        let Cell { phase, workload: _, model: _, prompt, new_tokens, sampling, ignore_eos } = cell.clone();
        RunRequest { id, cell: cell.id(), warmup, work: Work { phase, prompt, new_tokens, sampling, ignore_eos } }
    }

    fn row(&self, cell: &Cell, item: &Due) -> Row {
        self.track.row(cell, self.planned.block, item.rep, item.attempt, Some(self.number))
    }

    /// Writes down why the lane broke, against the repetition that was next, and what is left for a fresh process. A
    /// lane that was refused is refused for everything that was due.
    fn halted(
        &mut self,
        halt: Halt,
        due: &[Due],
        gone: Gone,
        busy: Option<crate::journal::Busy>,
        worked: bool,
    ) -> Result<LaunchOutcome, Error> {
        let outcome = match halt {
            Halt::Stopped => LaunchOutcome::Stopped,
            Halt::Broken(outcome, failure) => {
                let refused = outcome == Outcome::Refused;
                let (against, left) = if refused { (due, &[][..]) } else { due.split_at(due.len().min(1)) };
                for item in against {
                    let Some(cell) = self.track.cells.get(item.cell) else { continue };
                    let row = Row { outcome, failure: Some(failure.clone()), ..self.row(cell, item) };
                    self.recorder.row(row)?;
                }
                if left.is_empty() {
                    LaunchOutcome::Done
                } else {
                    LaunchOutcome::Relaunch { left: left.to_vec(), worked }
                }
            }
        };
        self.end(gone, busy, None)?;
        Ok(outcome)
    }

    fn end(&mut self, gone: Gone, busy: Option<crate::journal::Busy>, disowned: Option<Failure>) -> Result<(), Error> {
        if let Some(trouble) = gone.trouble {
            self.recorder.tell(Event::Warning(format!("lane {}: {trouble}", self.planned.lane)));
        }
        let (exit_status, signal) = gone.exit.map_or((None, None), |exit| (exit.status, exit.signal));
        let end = LaunchEnd { launch: self.number, exit_status, signal, busy, disowned };
        self.recorder.append(&Record::LaunchEnd(end))
    }
}

pub(super) fn contradiction_failure(stage: Stage, contradictions: &[Contradiction]) -> Failure {
    let listed: Vec<String> = contradictions.iter().map(|c| format!("{}: {}", c.name, c.message)).collect();
    let message = format!("preflight {stage}: {}", listed.join("; "));
    Failure::new(FailureClass::Preflight, message).with_remedy("correct the lane's manifest, or the stack it runs on")
}

/// Processor time of this process so far, in nanoseconds.
fn own_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}
