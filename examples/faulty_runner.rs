//! A scripted runner for the tests of the supervisor: speaks the wire well, except for one fault.
//!
//! `faulty_runner FAULT [options]`. Faults of a repetition strike at the `--at N`th `run` request of a launch
//! (default 1) and at every later one; with `--marker FILE` only while FILE does not exist, and the first strike makes it,
//! so that the next launch is healthy.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use lockstep::terms::{Phase, SignalValue, Stage, StopReason};
use lockstep::wire::{
    Greeting, LineDecoder, MAX_LINE_BYTES, PROTOCOL, Progress, Reply, Request, RunRequest, RunResult, Step, Work,
    encode,
};

const USAGE: &str = "usage: faulty_runner FAULT [--at N] [--marker FILE] [--ms N] [--work-us N] [--name NAME]
  [--ignore-term] [--oom] [--hold-stdout] [--new-session] [--pid-file FILE]
faults of a launch:     none, no-greeting, wrong-version, hang-on-load, fatal-on-load, wrong-stage,
                        spawn-child (leaves a sleeping child; the last three options concern it)
faults of a repetition: garbage, overlong, torn, stdout-noise, wrong-cell, wrong-id, double-answer, early-exit, crash,
                        crash-once (needs --marker), hang, stuck-beats, zero-tokens, too-fast, too-slow-claim,
                        wrong-count, wrong-tokens, fail, fatal, fallback, slow (by --ms)";

const FAULTS: &[&str] = &[
    "none",
    "no-greeting",
    "wrong-version",
    "hang-on-load",
    "fatal-on-load",
    "wrong-stage",
    "spawn-child",
    "garbage",
    "overlong",
    "torn",
    "stdout-noise",
    "wrong-cell",
    "wrong-id",
    "double-answer",
    "early-exit",
    "crash",
    "crash-once",
    "hang",
    "stuck-beats",
    "zero-tokens",
    "too-fast",
    "too-slow-claim",
    "wrong-count",
    "wrong-tokens",
    "fail",
    "fatal",
    "fallback",
    "slow",
];

struct Options {
    fault: String,
    at: u64,
    marker: Option<PathBuf>,
    extra: Duration,
    per_token: Duration,
    name: String,
    ignore_term: bool,
    out_of_memory: bool,
    child: Child,
}

#[derive(Default)]
struct Child {
    hold_stdout: bool,
    new_session: bool,
    pid_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "sleeper") {
        return sleeper(&arguments);
    }
    let Some(options) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if options.ignore_term && std::env::var_os("FAULTY_RUNNER_DEAF").is_none() {
        // An ignored signal stays ignored over exec, and a shell can ignore one without unsafe code.
        let program = std::env::current_exe().expect("a running program has a path");
        let error = Command::new("sh")
            .args(["-c", "trap '' TERM; exec \"$0\" \"$@\""])
            .arg(program)
            .args(&arguments)
            .env("FAULTY_RUNNER_DEAF", "1")
            .exec();
        eprintln!("cannot start sh to ignore TERM: {error}");
        return ExitCode::from(2);
    }
    Runner { options, cache: "dynamic".into(), runs: 0 }.serve()
}

fn parse(arguments: &[String]) -> Option<Options> {
    let mut arguments = arguments.iter();
    let fault = arguments.next().filter(|fault| FAULTS.contains(&fault.as_str()))?.clone();
    let mut options = Options {
        fault,
        at: 1,
        marker: None,
        extra: Duration::ZERO,
        per_token: Duration::from_micros(200),
        name: "faulty".to_owned(),
        ignore_term: false,
        out_of_memory: false,
        child: Child::default(),
    };
    while let Some(option) = arguments.next() {
        match option.as_str() {
            "--at" => options.at = arguments.next()?.parse().ok()?,
            "--marker" => options.marker = Some(arguments.next()?.into()),
            "--ms" => options.extra = Duration::from_millis(arguments.next()?.parse().ok()?),
            "--work-us" => options.per_token = Duration::from_micros(arguments.next()?.parse().ok()?),
            "--name" => options.name = arguments.next()?.clone(),
            "--ignore-term" => options.ignore_term = true,
            "--oom" => options.out_of_memory = true,
            "--hold-stdout" => options.child.hold_stdout = true,
            "--new-session" => options.child.new_session = true,
            "--pid-file" => options.child.pid_file = Some(arguments.next()?.into()),
            _ => return None,
        }
    }
    (options.fault != "crash-once" || options.marker.is_some()).then_some(options)
}

/// The child that `spawn-child` leaves: `sleeper new|same`.
fn sleeper(arguments: &[String]) -> ExitCode {
    if arguments.get(1).is_some_and(|session| session == "new")
        && let Err(error) = rustix::process::setsid()
    {
        eprintln!("cannot leave the session: {error}");
        return ExitCode::FAILURE;
    }
    // Long enough to outlive any test, short enough not to stay for ever after one that failed.
    std::thread::sleep(Duration::from_secs(300));
    ExitCode::SUCCESS
}

struct Runner {
    options: Options,
    cache: String,
    runs: u64,
}

impl Runner {
    fn serve(mut self) -> ExitCode {
        match self.options.fault.as_str() {
            "no-greeting" => {
                // Until the supervisor closes the input, or longer where it does not.
                let drained = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
                return if drained.is_ok() { ExitCode::from(3) } else { ExitCode::FAILURE };
            }
            "wrong-version" => {
                say_raw(b"{\"type\":\"hello\",\"protocol\":2,\"runner\":\"faulty\",\"version\":\"2\",\"pid\":1,\"caps\":[]}\n");
            }
            _ => {
                if self.strikes_launch("spawn-child") {
                    self.spawn_child();
                }
                say(&Reply::Hello(Greeting {
                    protocol: PROTOCOL,
                    runner: self.options.name.clone(),
                    version: "0.1.0".to_owned(),
                    pid: std::process::id(),
                }));
            }
        }
        let mut decoder = LineDecoder::<Request>::default();
        let mut chunk = [0; 4096];
        loop {
            while let Some(request) = decoder.take() {
                match request {
                    Ok(Request::Bye) => {
                        say(&Reply::Bye);
                        return ExitCode::SUCCESS;
                    }
                    Ok(request) => self.answer(request),
                    Err(error) => {
                        say(&Reply::Fatal { message: error.to_string() });
                        return ExitCode::FAILURE;
                    }
                }
            }
            match std::io::stdin().read(&mut chunk) {
                Ok(0) | Err(_) => return ExitCode::from(3),
                Ok(length) => decoder.push(&chunk[..length]),
            }
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::Hello { .. } | Request::Bye => {}
            Request::Preflight { stage } => {
                let stage = if self.strikes_launch("wrong-stage") { other_stage(stage) } else { stage };
                let signals = BTreeMap::from([
                    ("runner.name".to_owned(), SignalValue::from(self.options.name.as_str())),
                    ("runner.version".to_owned(), SignalValue::from("0.1.0")),
                    ("engine.cache".to_owned(), SignalValue::from(self.cache.as_str())),
                    ("threads".to_owned(), SignalValue::Int(1)),
                ]);
                say(&Reply::Signals { stage, signals });
            }
            Request::Load { axes, .. } => {
                if self.strikes_launch("hang-on-load") {
                    hang();
                }
                if self.strikes_launch("fatal-on-load") {
                    say(&Reply::Fatal { message: "the scripted model is not there".to_owned() });
                    std::process::exit(1);
                }
                self.cache = axes.get("cache").cloned().unwrap_or_else(|| "dynamic".to_owned());
                say(&Reply::Loaded { wall_ns: 1_000_000 });
            }
            Request::Run(run) => {
                self.runs += 1;
                let fault = if self.strikes_repetition() { self.options.fault.clone() } else { String::new() };
                self.repeat(run, &fault);
            }
        }
    }

    fn repeat(&self, run: RunRequest, fault: &str) {
        if self.break_off(&run, fault) {
            return;
        }
        let step = if run.warmup { Step::Warmup } else { Step::Measure };
        let extra = if fault == "slow" { self.options.extra } else { Duration::ZERO };
        let wall = work_for(self.options.per_token * run.work.new_tokens + extra, step);
        let mut result = RunResult {
            id: run.id,
            cell: run.cell,
            wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX),
            tokens: tokens(&run.work),
            stop: StopReason::Length,
            evidence: BTreeMap::from([
                ("cache".to_owned(), SignalValue::from(self.cache.as_str())),
                ("dtype".to_owned(), SignalValue::from("f32")),
                ("forward_passes".to_owned(), SignalValue::Int(i64::from(run.work.new_tokens))),
                ("threads".to_owned(), SignalValue::Int(1)),
            ]),
        };
        match fault {
            "wrong-cell" => result.cell = "/00000000".parse().expect("eight hex digits are a cell"),
            "wrong-id" => result.id += 1,
            "zero-tokens" => {
                result.tokens.clear();
                result.wall_ns = 500;
            }
            "too-fast" => result.wall_ns = 1,
            "too-slow-claim" => result.wall_ns = 3_600_000_000_000,
            "wrong-count" => result.tokens.truncate(result.tokens.len() - 1),
            "wrong-tokens" => result.tokens.iter_mut().for_each(|token| *token ^= 1),
            "fallback" => {
                result.evidence.insert("cache".to_owned(), SignalValue::from("none"));
            }
            _ => {}
        }
        let result = Reply::Result(result);
        if fault == "stdout-noise" {
            say_raw(b"Loading checkpoint shards: 100%\n");
        }
        say(&result);
        if fault == "double-answer" {
            say(&result);
        }
    }

    /// The faults that answer with something else than a result; says whether one struck.
    fn break_off(&self, run: &RunRequest, fault: &str) -> bool {
        match fault {
            "garbage" => say_raw(b"Traceback (most recent call last):\n"),
            "overlong" => say_raw(&vec![b'x'; MAX_LINE_BYTES + 1]),
            "torn" => {
                say_raw(b"{\"type\":\"result\",\"id\":");
                std::process::exit(0);
            }
            "early-exit" => std::process::exit(0),
            "crash" | "crash-once" => std::process::abort(),
            "hang" => hang(),
            "stuck-beats" => loop {
                beat(if run.warmup { Step::Warmup } else { Step::Measure }, 0);
                std::thread::sleep(BEAT_EVERY);
            },
            "fail" => say(&Reply::Failed {
                id: run.id,
                cell: run.cell.clone(),
                out_of_memory: self.options.out_of_memory,
                message: "the scripted failure".to_owned(),
            }),
            "fatal" => {
                say(&Reply::Fatal { message: "the scripted end".to_owned() });
                std::process::exit(1);
            }
            _ => return false,
        }
        true
    }

    fn strikes_launch(&self, fault: &str) -> bool {
        self.options.fault == fault && self.marked_now()
    }

    fn strikes_repetition(&self) -> bool {
        self.runs >= self.options.at && self.marked_now()
    }

    /// Whether the marker, if one was asked for, was made now.
    fn marked_now(&self) -> bool {
        self.options.marker.as_ref().is_none_or(|marker| std::fs::File::create_new(marker).is_ok())
    }

    fn spawn_child(&self) {
        let child = &self.options.child;
        let program = std::env::current_exe().expect("a running program has a path");
        let stdout = if child.hold_stdout { Stdio::inherit() } else { Stdio::null() };
        let spawned = Command::new(program)
            .args(["sleeper", if child.new_session { "new" } else { "same" }])
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::null())
            .spawn()
            .expect("this program can start itself");
        if let Some(path) = &child.pid_file {
            std::fs::write(path, spawned.id().to_string()).expect("the test gave a file that can be written");
        }
    }
}

const BEAT_EVERY: Duration = Duration::from_millis(200);

/// Takes this long, and says so while it does.
fn work_for(long: Duration, step: Step) -> Duration {
    let start = Instant::now();
    for beats in 1.. {
        let left = long.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(BEAT_EVERY));
        if left > BEAT_EVERY {
            beat(step, beats);
        }
    }
    start.elapsed()
}

/// Neither answers nor beats nor reads.
fn hang() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn beat(step: Step, done: u64) {
    say(&Reply::Progress(Progress { step, done }));
}

/// The sequence t0, t1, … of a prompt, cut as the phase says.
fn tokens(work: &Work) -> Vec<u32> {
    let seed = work.prompt.iter().fold(17u32, |sum, token| sum.wrapping_mul(31).wrapping_add(*token));
    let skipped = u32::from(work.phase == Phase::KvDecode);
    (skipped..skipped + work.new_tokens).map(|n| seed.wrapping_add(n.wrapping_mul(7919)) % 512).collect()
}

fn other_stage(stage: Stage) -> Stage {
    if stage == Stage::AtExit { Stage::AfterWarmup } else { Stage::AtExit }
}

fn say(reply: &Reply) {
    say_raw(&encode(reply).expect("scripted messages are short and finite"));
}

/// A supervisor that stopped reading is no fault of this program; it ends with it.
fn say_raw(bytes: &[u8]) {
    let mut stdout = std::io::stdout();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(3);
    }
}
