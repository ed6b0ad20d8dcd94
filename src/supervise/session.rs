//! One launched lane: its conversation, its deadlines, its end.
//!
//! ```text
//!   open ──▶ Session ──ask──▶ answer            every wait ends by one of:
//!              │  │                               a message, the end of the output,
//!              │  └─ halt: broken or stopped      the step's inactivity budget, the wall cap,
//!              ▼                                  or the wish to stop
//!            leave / kill ──▶ Gone  (nothing of the lane is left)
//! ```
//!
//! The inactivity budget of a repetition is renewed by progress, not by signs of life: a beat that reports no more work
//! than the one before shows that the process lives, not that its work goes on.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::stop::Stop;
use crate::launch::{self, Engine, Exit, LaneInput, LaneOutput, LaunchRequest, Launched};
use crate::plan::Limits;
use crate::terms::{Evidence, Failure, FailureClass, Outcome, Signal, Stage};
use crate::wire::{
    self, Conversation, FailureKind, Greeting, LineDecoder, Meaning, Reply, Request, RunRequest, RunResult, Step,
    encode,
};

/// A lane that was started and has introduced itself.
pub(super) struct Session {
    launched: Launched,
    input: LaneInput,
    output: LaneOutput,
    decoder: LineDecoder<Reply>,
    conversation: Conversation,
    limits: Limits,
    wall_deadline: Instant,
    stop: Stop,
    greeting: Option<Greeting>,
}

/// Why a conversation cannot go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// The lane broke down: the outcome of the attempt that was under way, and what is known.
    Broken(Outcome, Failure),
    /// The run is asked to stop.
    Stopped,
}

/// What came of a repetition that the runner survived.
#[derive(Debug)]
pub(super) enum Answer {
    /// It was done; the time between request and answer on our clock.
    Done { result: RunResult, outside_ns: u64 },
    /// It failed; the evidence is what was known of the work by then.
    Failed { class: FailureClass, message: String, evidence: Evidence },
}

/// A lane of which nothing is left.
#[derive(Debug, Default)]
pub(super) struct Gone {
    pub exit: Option<Exit>,
    /// Why it could not be confirmed gone, if so.
    pub trouble: Option<String>,
    /// Bytes of its standard error that its file lacks.
    pub stderr_unwritten: u64,
}

impl Gone {
    /// What is to be said of a lane whose words could not all be kept.
    pub(super) fn lost_words(&self, lane: &str) -> Option<String> {
        let bytes = self.stderr_unwritten;
        let told = || {
            format!(
                "lane {lane}: {bytes} bytes of its standard error could not be written to its file in the run's folder (is \
                 the disk full?); its last lines are in the journal where it failed"
            )
        };
        (bytes > 0).then(told)
    }
}

impl Session {
    /// Starts the lane and waits for its greeting.
    pub(super) async fn open(
        request: &LaunchRequest<'_>,
        engine: Option<&Engine>,
        stop: &Stop,
    ) -> Result<Self, (Halt, Gone)> {
        let limits = request.lane.limits.clone();
        let mut launched = start(request, engine).await?;
        let (Some(input), Some(output)) = (launched.take_stdin(), launched.take_stdout()) else {
            let message = "the launcher handed out no streams".to_owned();
            return Err((broken(FailureClass::Launch, message), Gone::default()));
        };
        let mut session = Self {
            launched,
            input,
            output,
            decoder: LineDecoder::default(),
            conversation: Conversation::default(),
            wall_deadline: Instant::now() + seconds(limits.wall_s),
            limits,
            stop: stop.clone(),
            greeting: None,
        };
        match session.greet(&request.lane.runner).await {
            Ok(()) => Ok(session),
            Err(halt) => Err(session.kill_for(halt).await),
        }
    }

    async fn greet(&mut self, runner: &str) -> Result<(), Halt> {
        let mut budget = Budget::of(Step::Load, &self.limits);
        loop {
            let (reply, _) = self.next(&mut budget).await?;
            if let Reply::Hello(greeting) = reply {
                if greeting.runner != runner {
                    let message =
                        format!("the lane declares the runner {runner:?}, and {:?} answered", greeting.runner);
                    return Err(Halt::Broken(Outcome::Refused, Failure::new(FailureClass::Preflight, message)));
                }
                self.greeting = Some(greeting);
                return self.send(&Request::Hello { protocol: wire::PROTOCOL }, &budget).await;
            }
        }
    }

    /// Signals at `stage`: those seen from outside and those the runner tells.
    pub(super) async fn preflight(&mut self, stage: Stage) -> Result<Vec<Signal>, Halt> {
        let (reply, _) = self.ask(&Request::Preflight { stage }, Step::Load).await?;
        let mut signals = match self.launched.observe().await {
            Ok(signals) => signals,
            Err(error) => {
                return Err(broken(FailureClass::Launch, format!("looking at the lane from outside: {error}")));
            }
        };
        if let Some(greeting) = &self.greeting {
            signals.push(Signal::inside("runner.name", greeting.runner.as_str()));
            signals.push(Signal::inside("runner.version", greeting.version.as_str()));
        }
        if let Reply::Signals { signals: told, .. } = reply {
            let known: Vec<String> = signals.iter().map(|signal| signal.name.clone()).collect();
            let fresh = told.into_iter().filter(|(name, _)| !(name.starts_with("runner.") && known.contains(name)));
            signals.extend(fresh.map(|(name, value)| Signal::inside(&name, value)));
        }
        Ok(signals)
    }

    /// Has the model loaded.
    pub(super) async fn load(&mut self, axes: &crate::terms::Axes, max_positions: u32) -> Result<(), Halt> {
        let model_dir = self.launched.model_dir_inside().display().to_string();
        let request = Request::Load { model_dir, axes: axes.clone(), max_positions };
        self.ask(&request, Step::Load).await.map(|_| ())
    }

    /// One repetition.
    pub(super) async fn repetition(&mut self, run: RunRequest) -> Result<Answer, Halt> {
        let step = if run.warmup { Step::Warmup } else { Step::Measure };
        let (reply, outside) = self.ask(&Request::Run(run), step).await?;
        match reply {
            Reply::Result(result) => {
                Ok(Answer::Done { result, outside_ns: u64::try_from(outside.as_nanos()).unwrap_or(u64::MAX) })
            }
            Reply::Failed { out_of_memory, class, message, evidence, .. } => {
                Ok(Answer::Failed { class: class_of(out_of_memory, class), message, evidence: evidence.into() })
            }
            // The conversation takes no other answer to `run`.
            other => Err(self.violation(&format!("{other:?} is no answer to `run`"))),
        }
    }

    /// The runner's process on this host, where it is visible.
    pub(super) fn pid(&self) -> Option<u32> {
        self.launched.pid()
    }

    /// Processor time of the lane so far, in nanoseconds.
    pub(super) async fn cpu_ns(&self) -> Option<u64> {
        self.launched.cpu_ns().await
    }

    /// Asks the runner to leave, and sees to it that it does.
    pub(super) async fn leave(mut self) -> Gone {
        let mut budget = Budget { step: Step::Load, within: seconds(self.limits.grace_s), since: Instant::now() };
        if self.send(&Request::Bye, &budget).await.is_ok() {
            while let Ok((_, meaning)) = self.next(&mut budget).await {
                if meaning == Meaning::Left {
                    break;
                }
            }
        }
        self.end().await.0
    }

    /// Ends the lane at once, and says what it died of where that is known.
    pub(super) async fn kill_for(self, halt: Halt) -> (Halt, Gone) {
        let (gone, stderr) = self.end().await;
        (explained(halt, &gone, stderr), gone)
    }

    async fn end(self) -> (Gone, String) {
        let Self { launched, input, output, limits, .. } = self;
        drop((input, output));
        end(launched, &limits).await
    }

    /// Sends `request` and waits for its answer; the time between both on our clock.
    async fn ask(&mut self, request: &Request, step: Step) -> Result<(Reply, Duration), Halt> {
        let mut budget = Budget::of(step, &self.limits);
        let started = Instant::now();
        self.send(request, &budget).await?;
        loop {
            let (reply, meaning) = self.next(&mut budget).await?;
            match meaning {
                Meaning::Answered => return Ok((reply, started.elapsed())),
                // A load has no count that must grow. A compilation that hangs beats on, and counts nothing.
                Meaning::Beat { step, advanced } if advanced || step == Step::Load => {
                    budget.renew(step, &self.limits);
                }
                Meaning::Left => return Err(self.left(&reply)),
                Meaning::Beat { .. } | Meaning::Greeted => {}
            }
        }
    }

    async fn send(&mut self, request: &Request, budget: &Budget) -> Result<(), Halt> {
        self.conversation.request(request).map_err(|error| self.violation(&error.to_string()))?;
        let line = encode(request).map_err(|error| self.violation(&error.to_string()))?;
        let deadline = budget.deadline().min(self.wall_deadline);
        tokio::select! {
            biased;
            () = self.stop.asked() => Err(Halt::Stopped),
            () = tokio::time::sleep_until(deadline.into()) => Err(self.overdue(budget)),
            written = async { self.input.write_all(&line).await?; self.input.flush().await } => match written {
                Ok(()) => Ok(()),
                Err(error) => Err(broken(FailureClass::Died, format!("the runner takes no more input: {error}"))),
            }
        }
    }

    /// The next message that the conversation accepts.
    async fn next(&mut self, budget: &mut Budget) -> Result<(Reply, Meaning), Halt> {
        let mut buffer = vec![0_u8; 64 << 10];
        loop {
            // Looked at first: a runner that floods its output must not put its deadline off.
            let deadline = budget.deadline().min(self.wall_deadline);
            if Instant::now() >= deadline {
                return Err(self.overdue(budget));
            }
            if let Some(decoded) = self.decoder.take() {
                let reply = decoded.map_err(|error| self.violation(&error.to_string()))?;
                let meaning = self.conversation.reply(&reply).map_err(|error| self.violation(&error.to_string()))?;
                return Ok((reply, meaning));
            }
            let read = tokio::select! {
                biased;
                () = self.stop.asked() => return Err(Halt::Stopped),
                read = self.output.read(&mut buffer) => read,
                () = tokio::time::sleep_until(deadline.into()) => return Err(self.overdue(budget)),
            };
            match read {
                Ok(0) => return Err(self.ended()),
                Ok(count) => self.decoder.push(buffer.get(..count).unwrap_or_default()),
                Err(error) => return Err(broken(FailureClass::Died, format!("reading from the runner: {error}"))),
            }
        }
    }

    fn ended(&self) -> Halt {
        let torn = self.decoder.end().err().map(|error| format!("; {error}")).unwrap_or_default();
        let message = match self.conversation.ended() {
            Ok(()) => "the runner left".to_owned(),
            Err(error) => error.to_string(),
        };
        broken(FailureClass::Died, format!("{message}{torn}"))
    }

    fn left(&self, reply: &Reply) -> Halt {
        match reply {
            Reply::Fatal { message } => broken(FailureClass::Exception, format!("the runner cannot go on: {message}")),
            _ => broken(FailureClass::Died, "the runner left in the middle of its work".to_owned()),
        }
    }

    fn overdue(&self, budget: &Budget) -> Halt {
        let (class, message) = if Instant::now() >= self.wall_deadline {
            (FailureClass::WallCap, format!("the launch reached its wall cap of {} s", self.limits.wall_s))
        } else {
            let message = format!("no progress for {:.1} s in step {:?}", budget.within.as_secs_f64(), budget.step);
            (FailureClass::Inactive, message.to_lowercase())
        };
        Halt::Broken(Outcome::Hung, Failure::new(class, message))
    }

    fn violation(&self, message: &str) -> Halt {
        broken(FailureClass::Wire, message.to_owned())
    }
}

/// Starts a lane, or says as what that failed.
pub(super) async fn start(request: &LaunchRequest<'_>, engine: Option<&Engine>) -> Result<Launched, (Halt, Gone)> {
    launch::start(request, engine).await.map_err(|error| {
        let (outcome, class) = if error.is_refusal() {
            (Outcome::Refused, FailureClass::Preflight)
        } else {
            (Outcome::Crashed, FailureClass::Launch)
        };
        (Halt::Broken(outcome, Failure::new(class, error.to_string())), Gone::default())
    })
}

/// Sees to it that nothing of the lane is left; with the last lines of its standard error.
pub(super) async fn end(mut launched: Launched, limits: &Limits) -> (Gone, String) {
    let (exit, trouble) = match launched.stop(seconds(limits.grace_s)).await {
        Ok(exit) => (Some(exit), None),
        Err(error) if error.is_gone() => (None, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let gone = Gone { exit, trouble, stderr_unwritten: launched.stderr_unwritten() };
    (gone, launched.stderr_tail())
}

/// Adds to what broke a lane what its end says about it.
pub(super) fn explained(halt: Halt, gone: &Gone, stderr: String) -> Halt {
    match halt {
        Halt::Broken(outcome, mut failure) => {
            failure.stderr_tail = stderr;
            if let Some(exit) = gone.exit {
                explain_exit(&mut failure, &exit);
            }
            Halt::Broken(outcome, failure)
        }
        stopped => stopped,
    }
}

/// What the runner says of a failed repetition: that memory ran out goes before any other word of it.
fn class_of(out_of_memory: bool, kind: Option<FailureKind>) -> FailureClass {
    match kind {
        _ if out_of_memory => FailureClass::OutOfMemory,
        Some(FailureKind::OutOfMemory) => FailureClass::OutOfMemory,
        Some(FailureKind::CudagraphOverwritten) => FailureClass::CudagraphOverwritten,
        Some(FailureKind::InductorError) => FailureClass::InductorError,
        Some(FailureKind::CompileError) => FailureClass::CompileError,
        Some(FailureKind::IllegalAccess) => FailureClass::IllegalAccess,
        Some(FailureKind::Assertion) => FailureClass::Assertion,
        Some(FailureKind::Exception) | None => FailureClass::Exception,
    }
}

pub(super) fn broken(class: FailureClass, message: String) -> Halt {
    Halt::Broken(Outcome::Crashed, Failure::new(class, message))
}

/// Adds to a failure what the process's end says about it. Only a process that ended by itself says something: one
/// that we killed died of us.
fn explain_exit(failure: &mut Failure, exit: &Exit) {
    if failure.class != FailureClass::Died {
        return;
    }
    failure.exit_status = exit.status;
    failure.signal = exit.signal;
    if exit.oom_killed {
        failure.class = FailureClass::OutOfMemory;
        failure.message = format!("the kernel ended the lane for want of memory; {}", failure.message);
        failure.remedy = Some("raise limits.memory_mib, or take a smaller model".to_owned());
    }
}

/// How long a step may go without progress.
#[derive(Debug, Clone, Copy)]
struct Budget {
    step: Step,
    within: Duration,
    since: Instant,
}

impl Budget {
    fn of(step: Step, limits: &Limits) -> Self {
        let within_s = match step {
            Step::Load => limits.load_s,
            Step::Compile => limits.compile_s,
            Step::Warmup => limits.warmup_s,
            Step::Measure => limits.measure_s,
        };
        Self { step, within: seconds(within_s), since: Instant::now() }
    }

    fn renew(&mut self, step: Step, limits: &Limits) {
        *self = Self::of(step, limits);
    }

    fn deadline(&self) -> Instant {
        self.since + self.within
    }
}

/// Limits were checked to be positive and below a million seconds.
pub(super) fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::from_secs(1_000_000))
}
