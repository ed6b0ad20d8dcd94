//! Who may say what, and when.
//!
//! ```text
//!            reply hello           request hello
//!  Unheard ──────────────▶ Greeted ─────────────▶ Idle ◀───────────────────────────────┐
//!                                                  │ request preflight | load | run    │ its answer
//!                                                  ├──────────────────────────▶ Asked ─┘
//!                                                  │ request bye                  ↺ progress
//!                                                  ▼            reply bye
//!                                               Leaving ──────────────────▶ Over
//!  after the greeting, from any state: reply fatal ───────────────────────▶ Over
//! ```
//!
//! `load` comes once, before the first `run`. Both sides feed both directions to one [`Conversation`].

use super::{Error, PROTOCOL, Progress, Reply, Request, Step};
use crate::terms::{CellId, Stage};

/// The state of one launch's conversation. Pure: no clock, no IO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    state: State,
    loaded: bool,
}

/// What a reply that was acceptable means for the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The runner has introduced itself.
    Greeted,
    /// Work goes on.
    Beat {
        /// The step that is under way.
        step: Step,
        /// Whether more is done than the last beat said, or another step began. A beat without it shows that the
        /// process lives, not that its work does.
        advanced: bool,
    },
    /// The request is answered; the next may be sent.
    Answered,
    /// The runner leaves: nothing more will come.
    Left,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Unheard,
    Greeted,
    Idle,
    Asked { question: Question, beat: Option<Progress> },
    Leaving,
    Over,
}

/// What of a request its answer must repeat, and what beats may say meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Preflight(Stage),
    Load,
    Run { id: u64, cell: CellId, warmup: bool },
}

impl Default for Conversation {
    fn default() -> Self {
        Self { state: State::Unheard, loaded: false }
    }
}

impl Conversation {
    /// Notes a request: the supervisor calls this before it sends, the runner when it receives.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when this request may not come now, [`Error::WrongVersion`] for a hello of another
    /// protocol. The state is then as before.
    pub fn request(&mut self, request: &Request) -> Result<(), Error> {
        let next = match (&self.state, request) {
            (State::Greeted, Request::Hello { protocol }) => {
                same_version(*protocol)?;
                State::Idle
            }
            (State::Idle, Request::Preflight { stage }) if *stage != Stage::Host => {
                State::asked(Question::Preflight(*stage))
            }
            (State::Idle, Request::Load { .. }) if !self.loaded => State::asked(Question::Load),
            (State::Idle, Request::Run(run)) if self.loaded => {
                State::asked(Question::Run { id: run.id, cell: run.cell.clone(), warmup: run.warmup })
            }
            (State::Idle, Request::Bye) => State::Leaving,
            _ => return Err(Error::Unexpected { expected: self.wanted_request(), found: name_request(request) }),
        };
        self.state = next;
        Ok(())
    }

    /// Notes a reply: the supervisor calls this when it receives, the runner before it sends.
    ///
    /// # Errors
    /// [`Error::Unexpected`], [`Error::WrongVersion`], [`Error::WrongId`], [`Error::WrongCell`] or
    /// [`Error::WrongStage`] when this reply is not acceptable now. The state is then as before.
    pub fn reply(&mut self, reply: &Reply) -> Result<Meaning, Error> {
        let (next, meaning) = match (&mut self.state, reply) {
            (State::Unheard, Reply::Hello(greeting)) => {
                same_version(greeting.protocol)?;
                (State::Greeted, Meaning::Greeted)
            }
            (State::Greeted | State::Idle | State::Asked { .. } | State::Leaving, Reply::Fatal { .. })
            | (State::Leaving, Reply::Bye) => (State::Over, Meaning::Left),
            (State::Asked { question, beat }, Reply::Progress(progress)) if question.allows(progress.step) => {
                let advanced = beat.as_ref().is_none_or(|last| last.step != progress.step || last.done < progress.done);
                *beat = Some(progress.clone());
                return Ok(Meaning::Beat { step: progress.step, advanced });
            }
            (State::Asked { question, .. }, answer) if question.is_answered_by(answer) => {
                question.check_echo(answer)?;
                self.loaded |= matches!(answer, Reply::Loaded { .. });
                (State::Idle, Meaning::Answered)
            }
            _ => return Err(Error::Unexpected { expected: self.wanted_reply(), found: name_reply(reply) }),
        };
        self.state = next;
        Ok(meaning)
    }

    /// Notes that the runner's output ended.
    ///
    /// # Errors
    /// [`Error::EndedEarly`] unless the runner has said `bye` or `fatal`.
    pub fn ended(&self) -> Result<(), Error> {
        match self.state {
            State::Over => Ok(()),
            State::Greeted | State::Idle => {
                Err(Error::EndedEarly { expected: "a runner that waits for the next request".to_owned() })
            }
            _ => Err(Error::EndedEarly { expected: self.wanted_reply() }),
        }
    }

    /// Whether a request waits for its answer.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Asked { .. } | State::Leaving)
    }

    fn wanted_request(&self) -> String {
        match &self.state {
            State::Unheard => "no request before the runner's greeting".to_owned(),
            State::Greeted => "request `hello`".to_owned(),
            State::Idle if self.loaded => "request `preflight` (of a lane's stage), `run` or `bye`".to_owned(),
            State::Idle => "request `preflight` (of a lane's stage), `load` or `bye`".to_owned(),
            State::Asked { .. } | State::Leaving => format!("no request before {}", self.wanted_reply()),
            State::Over => "no request after the end".to_owned(),
        }
    }

    fn wanted_reply(&self) -> String {
        match &self.state {
            State::Unheard => "reply `hello`".to_owned(),
            State::Greeted | State::Idle => "no reply before the next request".to_owned(),
            State::Asked { question, .. } => question.wanted_answer(),
            State::Leaving => "reply `bye`".to_owned(),
            State::Over => "no reply after the end".to_owned(),
        }
    }
}

impl State {
    fn asked(question: Question) -> Self {
        Self::Asked { question, beat: None }
    }
}

impl Question {
    /// A preflight may profile an untimed repetition, so it may warm up; only a repetition that counts measures.
    fn allows(&self, step: Step) -> bool {
        match self {
            Self::Preflight(_) => matches!(step, Step::Load | Step::Compile | Step::Warmup),
            Self::Load => matches!(step, Step::Load | Step::Compile),
            Self::Run { warmup: true, .. } => matches!(step, Step::Compile | Step::Warmup),
            Self::Run { warmup: false, .. } => matches!(step, Step::Compile | Step::Measure),
        }
    }

    fn is_answered_by(&self, reply: &Reply) -> bool {
        matches!(
            (self, reply),
            (Self::Preflight(_), Reply::Signals { .. })
                | (Self::Load, Reply::Loaded { .. })
                | (Self::Run { .. }, Reply::Result(_) | Reply::Failed { .. })
        )
    }

    fn check_echo(&self, answer: &Reply) -> Result<(), Error> {
        match (self, answer) {
            (Self::Preflight(expected), Reply::Signals { stage: found, .. }) if expected != found => {
                Err(Error::WrongStage { expected: *expected, found: *found })
            }
            (Self::Run { id, cell, .. }, Reply::Result(result)) => same_run(*id, cell, result.id, &result.cell),
            (Self::Run { id, cell, .. }, Reply::Failed { id: found_id, cell: found_cell, .. }) => {
                same_run(*id, cell, *found_id, found_cell)
            }
            _ => Ok(()),
        }
    }

    fn wanted_answer(&self) -> String {
        match self {
            Self::Preflight(stage) => format!("reply `signals` for stage {stage}"),
            Self::Load => "reply `loaded`, or `progress` of step load or compile".to_owned(),
            Self::Run { id, cell, warmup } => {
                let step = if *warmup { "warmup" } else { "measure" };
                format!(
                    "reply `result` or `failed` to request {id} (cell {cell}), or `progress` of step {step} or compile"
                )
            }
        }
    }
}

fn same_version(theirs: u32) -> Result<(), Error> {
    if theirs == PROTOCOL {
        return Ok(());
    }
    Err(Error::WrongVersion { ours: PROTOCOL, theirs: u64::from(theirs) })
}

fn same_run(id: u64, cell: &CellId, found_id: u64, found_cell: &CellId) -> Result<(), Error> {
    if found_cell != cell {
        return Err(Error::WrongCell { expected: cell.clone(), found: found_cell.clone() });
    }
    if found_id != id {
        return Err(Error::WrongId { expected: id, found: found_id });
    }
    Ok(())
}

fn name_request(request: &Request) -> String {
    match request {
        Request::Hello { .. } => "request `hello`".to_owned(),
        Request::Preflight { stage } => format!("request `preflight` of stage {stage}"),
        Request::Load { .. } => "request `load`".to_owned(),
        Request::Run(run) => format!("request `run` {} of cell {}", run.id, run.cell),
        Request::Bye => "request `bye`".to_owned(),
    }
}

fn name_reply(reply: &Reply) -> String {
    const SHOWN_CHARS: usize = 300;
    match reply {
        Reply::Hello(_) => "reply `hello`".to_owned(),
        Reply::Signals { stage, .. } => format!("reply `signals` for stage {stage}"),
        Reply::Progress(progress) => format!("reply `progress` of step {}", progress.step),
        Reply::Loaded { .. } => "reply `loaded`".to_owned(),
        Reply::Result(result) => format!("reply `result` to request {} of cell {}", result.id, result.cell),
        Reply::Failed { id, cell, .. } => format!("reply `failed` to request {id} of cell {cell}"),
        Reply::Fatal { message } => {
            format!("reply `fatal`: {}", message.chars().take(SHOWN_CHARS).collect::<String>())
        }
        Reply::Bye => "reply `bye`".to_owned(),
    }
}
