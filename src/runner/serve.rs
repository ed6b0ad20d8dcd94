//! The loop: greet, then answer one request at a time.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::repetition::{catching, repetition, timed};
use super::speaker::Speaker;
use super::{Backend, Error, LoadOrder, Pulse};
use crate::wire::{Conversation, Greeting, LineDecoder, PROTOCOL, Reply, Request, RunRequest, RunResult, Step};

/// How a launch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// The supervisor said `bye`, and so did this runner.
    Bye,
    /// The input ended without `bye`: the supervisor is gone.
    Orphaned,
}

/// Speaks the wire until the supervisor says `bye` or is gone.
///
/// Requests are read on a thread of their own. When the input ends while one is being worked on, that thread calls
/// `on_orphaned`, which is expected to end the process: nobody is left to take the answer, and computing on would
/// only disturb whoever measures next. When nothing is being worked on, the function returns instead.
///
/// # Errors
/// The supervisor broke the wire, the model could not be loaded, or the output could not be written. The reason was
/// sent as `fatal` where that was still possible.
pub fn serve<B: Backend>(
    input: impl Read + Send + 'static,
    output: impl Write + Send,
    backend: B,
    on_orphaned: impl FnOnce() + Send + 'static,
) -> Result<Farewell, Error> {
    let (sender, events) = channel();
    let unanswered = Arc::new(AtomicUsize::new(0));
    let pending = Arc::clone(&unanswered);
    thread::Builder::new()
        .name("wire-reader".to_owned())
        .spawn(move || read(input, &sender, &pending, on_orphaned))
        .map_err(|source| Error::Thread { thread: "reading", source })?;

    let speaker = Speaker::new(output);
    let pulse = Pulse::new(Step::Load);
    thread::scope(|scope| {
        thread::Builder::new()
            .name("wire-beats".to_owned())
            .spawn_scoped(scope, || speaker.beat(&pulse))
            .map_err(|source| Error::Thread { thread: "beating", source })?;
        let session = Session {
            backend,
            speaker: &speaker,
            pulse: &pulse,
            talk: Conversation::default(),
            max_positions: 0,
            unanswered: &unanswered,
        };
        let end = catching("answering a request", || session.run(&events));
        speaker.close();
        end
    })
}

/// What the reading thread hands on.
enum Event {
    Request(Request),
    Broken(Error),
    Ended,
}

fn read(mut input: impl Read, sender: &Sender<Event>, unanswered: &AtomicUsize, on_orphaned: impl FnOnce()) {
    let mut decoder = LineDecoder::default();
    let mut chunk = vec![0; 64 << 10];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => decoder.push(chunk.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                // Only a failed send means that nobody listens any more, here and below; then there is nothing to do.
                let _ = sender.send(Event::Broken(Error::Input { source }));
                break;
            }
        }
        while let Some(decoded) = decoder.take() {
            let event = match decoded {
                Ok(request) => {
                    if is_work(&request) {
                        unanswered.fetch_add(1, Ordering::SeqCst);
                    }
                    Event::Request(request)
                }
                Err(error) => Event::Broken(error.into()),
            };
            let _ = sender.send(event);
        }
    }
    if let Err(torn) = decoder.end() {
        let _ = sender.send(Event::Broken(torn.into()));
    }
    let _ = sender.send(Event::Ended);
    if unanswered.load(Ordering::SeqCst) > 0 {
        on_orphaned();
    }
}

/// Whether leaving without an answer leaves work behind: an input that ends right after `bye` is a proper end.
fn is_work(request: &Request) -> bool {
    !matches!(request, Request::Hello { .. } | Request::Bye)
}

struct Session<'a, B, W> {
    backend: B,
    speaker: &'a Speaker<W>,
    pulse: &'a Pulse,
    talk: Conversation,
    max_positions: u32,
    unanswered: &'a AtomicUsize,
}

impl<B: Backend, W: Write> Session<'_, B, W> {
    fn run(mut self, events: &Receiver<Event>) -> Result<Farewell, Error> {
        self.say(&Reply::Hello(Greeting {
            protocol: PROTOCOL,
            runner: self.backend.name().to_owned(),
            version: self.backend.version().to_owned(),
            pid: std::process::id(),
        }))?;
        loop {
            let step = match events.recv() {
                Ok(Event::Request(request)) => self.answer(&request),
                Ok(Event::Broken(error)) => Err(error),
                // The sender is gone only after it has sent `Ended`.
                Ok(Event::Ended) | Err(_) => return Ok(Farewell::Orphaned),
            };
            match step {
                Ok(None) => {}
                Ok(Some(farewell)) => return Ok(farewell),
                Err(error) => {
                    self.say_fatal(&error);
                    return Err(error);
                }
            }
        }
    }

    /// Answers one request; gives a farewell when it was the last.
    fn answer(&mut self, request: &Request) -> Result<Option<Farewell>, Error> {
        self.talk.request(request)?;
        let answer = match request {
            Request::Hello { .. } => None,
            Request::Bye => {
                self.say(&Reply::Bye)?;
                return Ok(Some(Farewell::Bye));
            }
            Request::Preflight { stage } => {
                self.begin_work(Step::Load);
                let signals = catching("taking signals", || self.backend.signals(*stage, self.pulse))?;
                Some(Reply::Signals { stage: *stage, signals })
            }
            Request::Load { model_dir, axes, max_positions } => {
                self.begin_work(Step::Load);
                self.max_positions = *max_positions;
                let order = LoadOrder { model_dir, axes, max_positions: *max_positions };
                let (wall_ns, loaded) =
                    timed(|| catching("loading the model", || self.backend.load(order, self.pulse)));
                loaded?;
                Some(Reply::Loaded { wall_ns })
            }
            Request::Run(run) => Some(self.repeat(run)),
        };
        if let Some(answer) = answer {
            self.say(&answer)?;
        }
        if is_work(request) {
            self.unanswered.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(None)
    }

    fn repeat(&mut self, run: &RunRequest) -> Reply {
        self.begin_work(if run.warmup { Step::Warmup } else { Step::Measure });
        match repetition(&mut self.backend, &run.work, run.slowdown_pct, self.max_positions, self.pulse) {
            Ok(timed) => Reply::Result(RunResult {
                id: run.id,
                cell: run.cell.clone(),
                wall_ns: timed.wall_ns,
                tokens: timed.finished.tokens,
                stop: timed.finished.stop,
                evidence: timed.finished.evidence,
            }),
            Err(error) => Reply::Failed {
                id: run.id,
                cell: run.cell.clone(),
                out_of_memory: error.is_out_of_memory(),
                class: None,
                message: bounded(&error),
                evidence: BTreeMap::new(),
            },
        }
    }

    fn begin_work(&self, step: Step) {
        self.pulse.enter(step);
        self.speaker.begin_work();
    }

    fn say(&mut self, reply: &Reply) -> Result<(), Error> {
        self.talk.reply(reply)?;
        self.speaker.say(reply)
    }

    /// The last word. That it cannot be sent changes nothing: the runner leaves with the reason itself.
    fn say_fatal(&mut self, error: &Error) {
        if !matches!(error, Error::Output { .. }) {
            let _ = self.say(&Reply::Fatal { message: bounded(error) });
        }
    }
}

/// Errors may quote what was found; a message for people needs no more than this of it.
fn bounded(error: &impl std::fmt::Display) -> String {
    const SHOWN_CHARS: usize = 4000;
    error.to_string().chars().take(SHOWN_CHARS).collect()
}
