//! One launch of one lane, from open to gone: preflight, load, warmup, repetitions.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use super::agenda::{Due, DueLaunch};
use super::busy::Reading;
use super::gates::gate_contradictions;
use super::segment::{Recorder, Track};
use super::session::{Answer, Gone, Halt, Session};
use super::telemetry::Watch;
use super::{Error, Event, host};
use crate::journal::{Busy, LaunchEnd, LaunchStart, Preflight, Record, Row};
use crate::launch::LaunchRequest;
use crate::plan::CellOrder;
use crate::terms::{
    self, Cell, Contradiction, Digest, Evidence, Expectations, Failure, FailureClass, Outcome, Signal, Stage, assess,
    axis_contradictions, canonical_json, observed_axes,
};
use crate::wire::{self, RunRequest, Work};

/// How a launch ended.
pub(super) enum LaunchOutcome {
    /// Everything that was due has its row.
    Done,
    /// The lane broke down; what is left needs a fresh process.
    Broke {
        /// What has no row yet.
        left: Vec<Due>,
        /// The cell that was under way, by index; none before the first repetition was asked for.
        cell: Option<usize>,
        /// Whether it hung, so that each further try costs its whole budget.
        hung: bool,
    },
    /// The run is asked to stop.
    Stopped,
}

/// Why a launch does not go on.
enum Trouble {
    /// Ours: the journal, for example.
    Ours(Error),
    /// The lane's, or the wish to stop.
    Halt(Halt),
    /// A repetition failed and has its row; the process that it failed in is not to be trusted with another.
    Replace,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<Halt> for Trouble {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// A launch under way.
struct Launch<'a, 'r> {
    track: &'a Track<'a>,
    recorder: &'a mut Recorder<'r>,
    planned: &'a DueLaunch,
    number: u32,
    next_id: u64,
    /// Items of what is due that have their row, from the front.
    done: usize,
    /// The cell under way.
    cell: Option<usize>,
    /// What the kernel had charged when measuring began, and when it was last read.
    charged: Option<(Reading, Reading)>,
    /// How long cells were warmed up since then.
    warmed: Duration,
    /// The GPUs, from before the lane was started.
    watch: Watch,
}

/// How often a repetition is tried until the control around it says that the host had the processors for it.
const DISTURBED_ATTEMPTS: u32 = 3;

/// How long measuring goes on before the kernel's accounts are read again: a lane that breaks down leaves no account, so
/// its windows end at the last reading.
const READ_EVERY: Duration = Duration::from_millis(200);

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
    let watch = track.telemetry.watch(track.input.planned.telemetry);
    let warmed = Duration::ZERO;
    let mut launch =
        Launch { track, recorder, planned, number, next_id: 0, done: 0, cell: None, charged: None, warmed, watch };
    if let Err(failure) = track.check_files() {
        return launch.halted(Halt::Broken(Outcome::Refused, failure), due, Gone::default());
    }
    match Session::open(&request, track.engine, track.stop).await {
        Ok(session) => launch.converse(session, due).await,
        Err((halt, gone)) => {
            if matches!(halt, Halt::Stopped) {
                launch.recorder.tell(Event::Stopping);
            }
            launch.halted(halt, due, gone)
        }
    }
}

impl Launch<'_, '_> {
    async fn converse(mut self, mut session: Session, due: &[Due]) -> Result<LaunchOutcome, Error> {
        if let Err(trouble) = self.prepare(&mut session, due).await {
            return self.troubled(session, trouble, due).await;
        }
        if let Err(reason) = self.watch.begin(session.pid()) {
            self.recorder.tell(Event::Warning(format!("lane {}: {reason}", self.planned.lane)));
        }
        let measured = self.measure_all(&mut session, due).await;
        self.watch.end();
        if let Err(trouble) = measured {
            return self.troubled(session, trouble, due).await;
        }
        // A lane that gives no account of itself as it leaves has not passed its last preflight, whatever kept it.
        let (gone, disowned) = match self.look(&mut session, Stage::AtExit).await {
            Ok(()) | Err(Trouble::Replace) => (session.leave().await, None),
            Err(Trouble::Ours(error)) => return Err(error),
            Err(Trouble::Halt(halt)) => match session.kill_for(halt).await {
                (Halt::Broken(_, failure), gone) => (gone, Some(failure)),
                (Halt::Stopped, gone) => (gone, None),
            },
        };
        if let Some(failure) = &disowned {
            let told = format!("lane {}: its rows do not count: {}", self.planned.lane, failure.message);
            self.recorder.tell(Event::Warning(told));
        }
        self.end(gone, disowned)?;
        Ok(LaunchOutcome::Done)
    }

    async fn troubled(&mut self, session: Session, trouble: Trouble, due: &[Due]) -> Result<LaunchOutcome, Error> {
        match trouble {
            // Dropping the session kills the lane.
            Trouble::Ours(error) => Err(error),
            Trouble::Halt(halt) => {
                if matches!(halt, Halt::Stopped) {
                    self.recorder.tell(Event::Stopping);
                }
                let (halt, gone) = session.kill_for(halt).await;
                self.halted(halt, due, gone)
            }
            Trouble::Replace => {
                self.end(session.leave().await, None)?;
                let left = due.get(self.done..).unwrap_or_default().to_vec();
                Ok(if left.is_empty() {
                    LaunchOutcome::Done
                } else {
                    LaunchOutcome::Broke { left, cell: self.cell, hung: false }
                })
            }
        }
    }

    /// Preflight, load, warmup.
    async fn prepare(&mut self, session: &mut Session, due: &[Due]) -> Result<(), Trouble> {
        self.look(session, Stage::BeforeImports).await?;
        session.load(&self.track.declared, self.track.max_positions).await?;
        self.look(session, Stage::AfterImports).await?;
        let cells: BTreeSet<usize> = match self.track.inputs.plan.run.order {
            CellOrder::Interleaved => due.iter().map(|item| item.cell).collect(),
            CellOrder::CellByCell => due.iter().take(1).map(|item| item.cell).collect(),
        };
        self.warm_up(session, &cells).await?;
        self.cell = None;
        self.look(session, Stage::AfterWarmup).await
    }

    /// Unrecorded repetitions, each cell in turn.
    async fn warm_up(&mut self, session: &mut Session, cells: &BTreeSet<usize>) -> Result<(), Trouble> {
        for _ in 0..self.planned.warmup {
            for index in cells {
                let Some(cell) = self.track.cells.get(*index) else { continue };
                self.cell = Some(*index);
                if let Answer::Failed { class, message, .. } = session.repetition(self.request(cell, true)).await? {
                    let failure = Failure::new(class, format!("in warmup: {message}"));
                    return Err(Halt::Broken(Outcome::Crashed, failure).into());
                }
            }
        }
        Ok(())
    }

    async fn measure_all(&mut self, session: &mut Session, due: &[Due]) -> Result<(), Trouble> {
        self.charged = reading(session).await.map(|reading| (reading, reading));
        let mut warm = match self.track.inputs.plan.run.order {
            CellOrder::Interleaved => None,
            CellOrder::CellByCell => due.first().map(|item| item.cell),
        };
        for item in due {
            self.cell = Some(item.cell);
            if warm.is_some_and(|cell| cell != item.cell) {
                let began = Instant::now();
                self.warm_up(session, &BTreeSet::from([item.cell])).await?;
                self.warmed += began.elapsed();
                warm = Some(item.cell);
            }
            let outcome = self.measure_undisturbed(session, item).await?;
            self.done += 1;
            if outcome == Outcome::Crashed {
                self.read_charges(session).await;
                return Err(Trouble::Replace);
            }
            if self.charged.is_some_and(|(_, last)| last.age() >= READ_EVERY) {
                self.read_charges(session).await;
            }
        }
        self.cell = None;
        self.read_charges(session).await;
        Ok(())
    }

    /// Between two repetitions: nothing is read while one is timed.
    async fn read_charges(&mut self, session: &Session) {
        if let (Some((_, last)), Some(now)) = (&mut self.charged, reading(session).await) {
            *last = now;
        }
    }

    /// A preflight look: journalled, then held against gates and axes.
    async fn look(&mut self, session: &mut Session, stage: Stage) -> Result<(), Trouble> {
        let mut signals = session.preflight(stage).await?;
        if stage == Stage::BeforeImports {
            signals.extend(host::state());
        }
        let contradictions = self.contradictions(stage, &signals);
        self.recorder.append(&Record::Preflight(Preflight {
            lane: self.planned.lane.clone(),
            launch: Some(self.number),
            stage,
            signals,
        }))?;
        if contradictions.is_empty() {
            return Ok(());
        }
        Err(Halt::Broken(Outcome::Refused, contradiction_failure(stage, &contradictions)).into())
    }

    fn contradictions(&self, stage: Stage, signals: &[Signal]) -> Vec<Contradiction> {
        let observed = observed_axes(&self.track.declared, signals);
        let mut found = gate_contradictions(&self.track.input.lane.gates, stage, signals);
        found.extend(axis_contradictions(&self.track.declared, &observed));
        found.extend(
            axis_contradictions(&self.track.observed, &observed)
                .into_iter()
                .map(|c| Contradiction { message: c.message.replace("declared", "at the segment's start"), ..c }),
        );
        found
    }

    /// One measured repetition; where the host was too busy for it to count, a few more attempts at it, each with a row.
    async fn measure_undisturbed(&mut self, session: &mut Session, item: &Due) -> Result<Outcome, Trouble> {
        for attempt in item.attempt..item.attempt + DISTURBED_ATTEMPTS - 1 {
            let outcome = self.measure(session, &Due { attempt, ..*item }).await?;
            if outcome != Outcome::Refused {
                return Ok(outcome);
            }
        }
        self.measure(session, &Due { attempt: item.attempt + DISTURBED_ATTEMPTS - 1, ..*item }).await
    }

    /// One measured repetition and its row.
    async fn measure(&mut self, session: &mut Session, item: &Due) -> Result<Outcome, Trouble> {
        let Some(cell) = self.track.cells.get(item.cell) else { return Ok(Outcome::Skipped) };
        let asked = Instant::now();
        let answer = session.repetition(self.request(cell, false)).await?;
        let mut row = self.row(cell, item);
        row.telemetry = self.watch.between(asked, Instant::now());
        match answer {
            Answer::Done { result, outside_ns } => {
                let expect = Expectations {
                    cell,
                    declared: &self.track.declared,
                    floor_ns_per_forward: self.track.floor_ns_per_forward,
                    vocab_size: self.track.inputs.plan.model.vocab_size,
                    min_two_process_speedup: self.track.inputs.plan.run.min_two_process_speedup,
                    needs_region_calls: true,
                };
                let wire::RunResult { wall_ns, tokens, stop, evidence, .. } = result;
                let evidence = Evidence::from(evidence);
                let answer = terms::Answer { wall_ns, outside_ns, tokens: &tokens, stop, evidence: &evidence };
                (row.outcome, row.failure) = assess(&answer, &expect);
                row.wall_ns = Some(wall_ns);
                row.outside_ns = Some(outside_ns);
                row.output_sha256 = canonical_json(&tokens).ok().map(|text| Digest::of(text.as_bytes()));
                row.tokens = tokens;
                row.stop = Some(stop);
                row.evidence = evidence;
            }
            Answer::Failed { class, message, evidence } => {
                row.failure = Some(Failure::new(class, message));
                row.evidence = evidence;
            }
        }
        let outcome = row.outcome;
        self.recorder.row(row)?;
        Ok(outcome)
    }

    fn request(&mut self, cell: &Cell, warmup: bool) -> RunRequest {
        let id = self.next_id;
        self.next_id += 1;
        let Cell { phase, workload: _, model: _, prompt, new_tokens, sampling, ignore_eos, axes } = cell.clone();
        let work = Work { phase, prompt, new_tokens, sampling, ignore_eos, axes };
        RunRequest { id, cell: cell.id(), warmup, work, slowdown_pct: self.slowdown_pct(id) }
    }

    /// The lane's slowdown in this repetition: drawn evenly from half to one and a half of what was asked for, so that
    /// it is no constant that a comparison could see by its lack of spread.
    fn slowdown_pct(&self, id: u64) -> Option<f64> {
        let pct = self.track.inputs.slowdowns.get(&self.planned.lane)?;
        let seed = self.track.inputs.plan.seed ^ (u64::from(self.number) << 32) ^ id;
        let draw = SplitMix64::seed_from_u64(seed).next_u64() as f64 / u64::MAX as f64;
        Some(pct * (0.5 + draw))
    }

    fn row(&self, cell: &Cell, item: &Due) -> Row {
        self.track.row(cell, self.planned.block, item.rep, item.attempt, Some(self.number))
    }

    /// Writes down why the lane broke, against the repetition that was under way or the next one, and says what is left
    /// for a fresh process. A lane that was refused is refused for everything that was due.
    fn halted(&mut self, halt: Halt, due: &[Due], gone: Gone) -> Result<LaunchOutcome, Error> {
        let mut left: Vec<Due> = due.get(self.done..).unwrap_or_default().to_vec();
        let outcome = match halt {
            Halt::Stopped => LaunchOutcome::Stopped,
            Halt::Broken(Outcome::Refused, failure) => {
                for item in &left {
                    self.broken_row(item, Outcome::Refused, &failure)?;
                }
                LaunchOutcome::Done
            }
            Halt::Broken(outcome, failure) => {
                let at = left.iter().position(|item| Some(item.cell) == self.cell).unwrap_or(0);
                if at < left.len() {
                    self.broken_row(&left.remove(at), outcome, &failure)?;
                }
                let hung = outcome == Outcome::Hung;
                LaunchOutcome::Broke { left, cell: self.cell, hung }
            }
        };
        self.end(gone, None)?;
        Ok(outcome)
    }

    fn broken_row(&mut self, item: &Due, outcome: Outcome, failure: &Failure) -> Result<(), Error> {
        let Some(cell) = self.track.cells.get(item.cell) else { return Ok(()) };
        let row = Row { outcome, failure: Some(failure.clone()), ..self.row(cell, item) };
        self.recorder.row(row)
    }

    /// The launch's end, once nothing of the lane is left; a lane that is still there ends the run.
    fn end(&mut self, gone: Gone, disowned: Option<Failure>) -> Result<(), Error> {
        if let Some(trouble) = gone.trouble {
            return Err(Error::LaneStillThere { lane: self.planned.lane.clone(), trouble });
        }
        if let Some(told) = gone.lost_words(&self.planned.lane) {
            self.recorder.tell(Event::Warning(told));
        }
        let stderr_unwritten_bytes = Some(gone.stderr_unwritten).filter(|bytes| *bytes > 0);
        let charged = self.charged.filter(|(first, last)| first != last);
        let one_by_one = self.track.inputs.plan.run.order == CellOrder::CellByCell;
        let warmup_ms = one_by_one.then_some(self.warmed.as_millis() as u64);
        let busy = charged.map(|(first, last)| Busy { warmup_ms, ..first.until(&last, self.track.cores) });
        let (exit_status, signal) = gone.exit.map_or((None, None), |exit| (exit.status, exit.signal));
        let (launch, telemetry) = (self.number, self.watch.account());
        let end = LaunchEnd { launch, exit_status, signal, busy, disowned, stderr_unwritten_bytes, telemetry };
        self.recorder.append(&Record::LaunchEnd(Box::new(end)))
    }
}

/// What the kernel has charged so far; nothing when the lane's own share is not known.
async fn reading(session: &Session) -> Option<Reading> {
    Reading::take(session.cpu_ns().await?.saturating_add(own_cpu_ns()))
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
