//! The loop against a backend whose every moment the test decides.

use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::*;
use crate::terms::{Phase, SamplingSpec, SignalValue, Stage, StopReason};
use crate::wire::{self, Conversation, LineDecoder, PROTOCOL, Reply, Request, RunRequest, Step, Work};

/// Longer than any healthy machine needs; reached only by a defect.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the timed part of a repetition does.
enum Script {
    /// Returns at once.
    Work,
    /// Advances the pulse by 3 and waits for word from the test.
    Wait(Receiver<()>),
    Fail(Error),
    Panic,
}

/// Tokens count up from the prompt's last; the moments around the timed part are noted.
struct Scripted {
    scripts: std::vec::IntoIter<Script>,
    moments: Arc<Mutex<Vec<(&'static str, Instant)>>>,
    loads: bool,
}

impl Scripted {
    fn new(scripts: Vec<Script>) -> Self {
        Self { scripts: scripts.into_iter(), moments: Arc::default(), loads: true }
    }

    fn note(&self, what: &'static str) {
        self.moments.lock().unwrap().push((what, Instant::now()));
    }
}

impl Backend for Scripted {
    type Job = Work;

    fn name(&self) -> &str {
        "scripted"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn signals(&mut self, stage: Stage, _: &Pulse) -> Result<Signals, Error> {
        Ok(BTreeMap::from([("seen".to_owned(), SignalValue::from(stage.name()))]))
    }

    fn load(&mut self, order: LoadOrder<'_>, _: &Pulse) -> Result<(), Error> {
        if self.loads {
            return Ok(());
        }
        let message = format!("nothing at {}", order.model_dir);
        Err(Error::Backend { doing: "loading", message, out_of_memory: false })
    }

    fn prepare(&mut self, work: &Work, _: &Pulse) -> Result<Work, Error> {
        self.note("prepared");
        Ok(work.clone())
    }

    fn measure(&mut self, _: &mut Work, pulse: &Pulse) -> Result<(), Error> {
        self.note("begun");
        match self.scripts.next().expect("the test scripted too few repetitions") {
            Script::Work => {}
            Script::Wait(word) => {
                pulse.advance(3);
                // The sender is dropped when the test is over.
                let _ = word.recv();
            }
            Script::Fail(error) => return Err(error),
            Script::Panic => panic!("the scripted panic"),
        }
        self.note("done");
        Ok(())
    }

    fn finish(&mut self, work: Work) -> Result<Finished, Error> {
        self.note("finished");
        let last = work.prompt.last().copied().unwrap_or(0);
        let tokens = (1..=work.new_tokens).map(|n| last + n).collect();
        Ok(Finished { tokens, stop: StopReason::Length, evidence: BTreeMap::new() })
    }
}

/// A launch of the loop, with the supervisor's side in the test's hands.
struct Launch {
    input: Option<PipeWriter>,
    output: PipeReader,
    decoder: LineDecoder<Reply>,
    talk: Conversation,
    orphaned: Receiver<()>,
    end: JoinHandle<Result<Farewell, Error>>,
}

impl Launch {
    fn start(backend: Scripted) -> Self
    where
        Scripted: Send,
    {
        let (runner_input, input) = pipe().unwrap();
        let (output, runner_output) = pipe().unwrap();
        let (hook, orphaned): (Sender<()>, _) = channel();
        let end =
            std::thread::spawn(move || serve(runner_input, runner_output, backend, move || hook.send(()).unwrap()));
        let decoder = LineDecoder::default();
        let mut launch = Self { input: Some(input), output, decoder, talk: Conversation::default(), orphaned, end };
        assert!(matches!(launch.reply(), Some(Reply::Hello(_))));
        launch
    }

    /// Greeted and loaded.
    fn ready(scripts: Vec<Script>) -> Self {
        let mut launch = Self::start(Scripted::new(scripts));
        launch.greet_and_load();
        launch
    }

    fn greet_and_load(&mut self) {
        self.send(&Request::Hello { protocol: PROTOCOL });
        self.send(&load());
        assert!(matches!(self.answer(), Some(Reply::Loaded { .. })));
    }

    fn send(&mut self, request: &Request) {
        self.talk.request(request).unwrap();
        self.send_raw(&wire::encode(request).unwrap());
    }

    fn send_raw(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// The next reply, beats included; `None` at the end.
    fn reply(&mut self) -> Option<Reply> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(reply) = self.decoder.take() {
                let reply = reply.unwrap();
                self.talk.reply(&reply).unwrap();
                return Some(reply);
            }
            match self.output.read(&mut chunk).unwrap() {
                0 => {
                    assert_eq!(self.decoder.end(), Ok(()));
                    return None;
                }
                length => self.decoder.push(&chunk[..length]),
            }
        }
    }

    /// The next reply that is no beat; on a busy machine even instant work may be said to go on.
    fn answer(&mut self) -> Option<Reply> {
        loop {
            match self.reply() {
                Some(Reply::Progress(_)) => {}
                other => return other,
            }
        }
    }

    fn run(&mut self, id: u64, work: Work) -> Reply {
        self.send(&run(id, false, work));
        self.answer().unwrap()
    }

    fn close_input(&mut self) {
        self.input = None;
    }

    fn end(self) -> Result<Farewell, Error> {
        drop(self.input);
        self.end.join().unwrap()
    }
}

fn load() -> Request {
    Request::Load { model_dir: "/model".into(), axes: BTreeMap::new(), max_positions: 64 }
}

fn work() -> Work {
    Work {
        phase: Phase::KvDecode,
        prompt: vec![5, 6],
        new_tokens: 3,
        sampling: SamplingSpec::Greedy,
        ignore_eos: true,
        axes: Default::default(),
    }
}

fn run(id: u64, warmup: bool, work: Work) -> Request {
    Request::Run(RunRequest { id, cell: "/a1b2c3d4".parse().unwrap(), warmup, work, slowdown_pct: None })
}

fn failure(reply: Reply) -> (u64, bool, String) {
    match reply {
        Reply::Failed { id, out_of_memory, message, .. } => (id, out_of_memory, message),
        other => panic!("expected a failure, got {other:?}"),
    }
}

#[test]
fn a_launch_goes_from_greeting_to_goodbye() {
    let mut launch = Launch::start(Scripted::new(vec![Script::Work]));
    launch.send(&Request::Hello { protocol: PROTOCOL });
    launch.send(&Request::Preflight { stage: Stage::BeforeImports });
    let Some(Reply::Signals { stage, signals }) = launch.answer() else { panic!("no signals") };
    assert_eq!((stage, &signals["seen"]), (Stage::BeforeImports, &SignalValue::from("before_imports")));
    launch.send(&load());
    assert!(matches!(launch.answer(), Some(Reply::Loaded { .. })));
    let Reply::Result(result) = launch.run(9, work()) else { panic!("no result") };
    assert_eq!((result.id, result.cell.to_string().as_str()), (9, "/a1b2c3d4"));
    assert_eq!((result.tokens, result.stop), (vec![7, 8, 9], StopReason::Length));
    launch.send(&Request::Bye);
    assert_eq!(launch.answer(), Some(Reply::Bye));
    assert_eq!(launch.answer(), None);
    assert_eq!(launch.end().unwrap(), Farewell::Bye);
}

#[test]
fn the_clock_covers_the_timed_part_and_neither_preparation_nor_finish() {
    let backend = Scripted::new(vec![Script::Work]);
    let moments = Arc::clone(&backend.moments);
    let mut launch = Launch::start(backend);
    launch.greet_and_load();
    let Reply::Result(result) = launch.run(1, work()) else { panic!("no result") };
    let moments: Vec<_> = moments.lock().unwrap().clone();
    let names: Vec<_> = moments.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["prepared", "begun", "done", "finished"]);
    let between = |from: usize, to: usize| moments[to].1.duration_since(moments[from].1).as_nanos();
    let wall = u128::from(result.wall_ns);
    assert!(wall >= between(1, 2), "{wall} ns is less than the timed part took");
    assert!(wall <= between(0, 3), "{wall} ns is more than passed between preparation and finish");
}

#[test]
fn work_that_goes_on_is_said_to_until_its_answer_and_not_longer() {
    let (word, wait) = channel();
    let mut launch = Launch::ready(vec![Script::Wait(wait), Script::Work]);
    launch.send(&run(1, true, work()));
    for _ in 0..2 {
        let Some(Reply::Progress(beat)) = launch.reply() else { panic!("no beat") };
        assert_eq!((beat.step, beat.done), (Step::Warmup, 3));
    }
    word.send(()).unwrap();
    assert!(matches!(launch.answer(), Some(Reply::Result(_))));
    // A beat that came after the answer would break the conversation that `reply` checks.
    assert!(matches!(launch.run(2, work()), Reply::Result(_)));
}

#[test]
fn an_input_that_ends_in_the_middle_of_work_calls_the_hook() {
    let (word, wait) = channel();
    let mut launch = Launch::ready(vec![Script::Wait(wait)]);
    launch.send(&run(1, false, work()));
    assert!(matches!(launch.reply(), Some(Reply::Progress(_))), "the work is under way");
    launch.close_input();
    assert_eq!(launch.orphaned.recv_timeout(PATIENCE), Ok(()));
    drop(word);
    assert_eq!(launch.end().unwrap(), Farewell::Orphaned);
}

#[test]
fn an_input_that_ends_between_requests_ends_the_loop_without_the_hook() {
    let mut launch = Launch::ready(vec![Script::Work]);
    assert!(matches!(launch.run(1, work()), Reply::Result(_)));
    // The next answer proves that the last one is accounted for.
    launch.send(&Request::Preflight { stage: Stage::AtExit });
    assert!(matches!(launch.answer(), Some(Reply::Signals { .. })));
    launch.close_input();
    assert_eq!(launch.answer(), None);
    assert_eq!(launch.end().unwrap(), Farewell::Orphaned);
}

#[test]
fn a_goodbye_is_answered_though_the_input_ends_right_after_it() {
    let mut launch = Launch::start(Scripted::new(vec![]));
    launch.send(&Request::Hello { protocol: PROTOCOL });
    launch.send(&Request::Bye);
    launch.close_input();
    assert_eq!(launch.answer(), Some(Reply::Bye));
    assert!(launch.orphaned.recv().is_err(), "the hook was called");
    assert_eq!(launch.end().unwrap(), Farewell::Bye);
}

#[test]
fn a_failed_repetition_and_a_panic_leave_the_runner_alive() {
    let memory = Error::Backend { doing: "decoding", message: "no memory".into(), out_of_memory: true };
    let mut launch = Launch::ready(vec![Script::Fail(memory), Script::Panic, Script::Work]);
    assert_eq!(failure(launch.run(1, work())), (1, true, "decoding: no memory".into()));
    let (id, out_of_memory, message) = failure(launch.run(2, work()));
    assert_eq!((id, out_of_memory), (2, false));
    assert_eq!(message, "panic while running a cell: the scripted panic");
    assert!(matches!(launch.run(3, work()), Reply::Result(_)));
}

#[test]
fn work_that_contradicts_itself_fails_by_the_name_of_its_field() {
    let seeded = |temperature, top_k, top_p| Work {
        sampling: SamplingSpec::Seeded { seed: 1, temperature, top_k, top_p },
        ..work()
    };
    let cases = [
        (Work { prompt: vec![], ..work() }, "prompt"),
        (Work { new_tokens: 0, ..work() }, "new_tokens"),
        (Work { phase: Phase::Prefill, new_tokens: 2, ..work() }, "new_tokens"),
        (Work { new_tokens: 63, ..work() }, "new_tokens"),
        (seeded(0.0, None, None), "sampling.temperature"),
        (seeded(1.0, Some(0), None), "sampling.top_k"),
        (seeded(1.0, None, Some(0.0)), "sampling.top_p"),
        (seeded(1.0, None, Some(1.5)), "sampling.top_p"),
    ];
    let mut launch = Launch::ready(vec![]);
    for (id, (work, field)) in (1..).zip(cases) {
        let (_, _, message) = failure(launch.run(id, work));
        assert!(message.starts_with(&format!("work field `{field}` is ")), "{message}");
    }
}

#[test]
fn a_model_that_cannot_be_loaded_is_fatal() {
    let mut launch = Launch::start(Scripted { loads: false, ..Scripted::new(vec![]) });
    launch.send(&Request::Hello { protocol: PROTOCOL });
    launch.send(&load());
    assert_eq!(launch.answer(), Some(Reply::Fatal { message: "loading: nothing at /model".into() }));
    assert_eq!(launch.answer(), None);
    assert!(matches!(launch.end(), Err(Error::Backend { .. })));
}

#[test]
fn a_supervisor_that_breaks_the_wire_is_told_why() {
    let run = wire::encode(&run(1, false, work())).unwrap();
    for (bytes, why) in [
        (&b"hello?\n"[..], "is not JSON"),
        (b"{\"type\":\"hello\",\"protocol\":2}\n", "wire protocol 2"),
        (b"{\"type\":\"hello\",\"protocl\":1}\n", "did you mean `protocol`"),
        (&run, "expected request `hello`, got request `run` 1"),
    ] {
        let mut launch = Launch::start(Scripted::new(vec![]));
        launch.send_raw(bytes);
        let Some(Reply::Fatal { message }) = launch.answer() else { panic!("no reason for {why}") };
        assert!(message.contains(why), "{message}");
        assert!(matches!(launch.end(), Err(Error::Wire(_))));
    }
}

#[test]
fn a_supervisor_that_stops_reading_ends_the_loop_with_an_error() {
    let Launch { input, output, end, .. } = Launch::ready(vec![]);
    drop(output);
    let mut input = input.unwrap();
    input.write_all(&wire::encode(&Request::Preflight { stage: Stage::AtExit }).unwrap()).unwrap();
    assert!(matches!(end.join().unwrap(), Err(Error::Output { .. })));
}
