//! The formula's process, seen from outside: a fresh one for each formula, killed when its time is over.

use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Error;
use super::job::{Job, Reply};
use super::process::Confinement;

/// The longest reply that is read, in bytes.
const MAX_REPLY_BYTES: u64 = 16 << 20;

/// How much of what the process says on standard error is looked at.
const MAX_SAID_BYTES: u64 = 4096;

/// How often it is looked whether the process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How long a formula may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// After this much processor time the formula is given up, and its process answers.
    pub budget_ms: u64,
    /// After this the process is killed.
    pub wall_ms: u64,
}

impl Limits {
    /// The limits in force.
    pub const FORMULA: Self = Self { budget_ms: 5_000, wall_ms: 60_000 };
}

/// Computes formulas in processes of their own.
#[derive(Debug, Clone)]
pub struct Evaluator {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments: those that make it [`super::serve`].
    pub arguments: Vec<String>,
    /// How long each formula may take.
    pub limits: Limits,
}

/// What came of one process.
#[derive(Debug)]
pub(super) enum Ended {
    Replied(Reply),
    /// It did not answer; why.
    Lost(String),
}

impl Evaluator {
    /// Does a job in a fresh process.
    ///
    /// # Errors
    /// Only where no process could be started: whatever a formula does is [`Ended::Lost`].
    pub(super) fn run(&self, job: &Job) -> Result<Ended, Error> {
        let failed = |doing, source| Error::Io { doing, path: self.program.clone(), source };
        let bytes = serde_json::to_vec(job).map_err(|error| Error::Job(error.to_string()))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| failed("starting", source))?;
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (status, reply, said) = thread::scope(|scope| {
            // A process that dies early does not read its job to the end; its status tells.
            scope.spawn(move || input.map(|mut input| input.write_all(&bytes)));
            let reply = scope.spawn(move || output.map(|output| at_most(output, MAX_REPLY_BYTES)));
            let said = scope.spawn(move || errors.map(|errors| at_most(errors, MAX_SAID_BYTES)));
            let status = self.wait(&mut child);
            (status, reply.join().ok().flatten(), said.join().ok().flatten())
        });
        let Some(status) = status.map_err(|source| failed("waiting for", source))? else {
            return Ok(Ended::Lost(format!("the formula ran longer than {} s", self.limits.wall_ms as f64 / 1000.0)));
        };
        let reply = reply.unwrap_or_default();
        if status.success() {
            return Ok(match serde_json::from_slice(&reply) {
                Ok(reply) => Ended::Replied(reply),
                Err(_) => Ended::Lost("the formula's process gave no answer that can be read".to_owned()),
            });
        }
        let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
        Ok(Ended::Lost(why(status, &said, Confinement::FORMULA)))
    }

    /// Its status, or none where it had to be killed.
    fn wait(&self, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + Duration::from_millis(self.limits.wall_ms);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

fn at_most(stream: impl Read, limit_bytes: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is all there is.
    let _ = stream.take(limit_bytes).read_to_end(&mut bytes);
    bytes
}

/// Why a process ended without an answer.
fn why(status: ExitStatus, said: &str, limits: Confinement) -> String {
    let Confinement { memory_bytes, cpu_s } = limits;
    let signal = status.signal().and_then(rustix::process::Signal::from_named_raw);
    if signal == Some(rustix::process::Signal::XCPU) {
        return format!("the formula used more than {cpu_s} s of processor time");
    }
    if said.contains("memory allocation of") || said.contains("capacity overflow") || said.contains("out of memory") {
        return format!("the formula needs more than {} MiB of memory", memory_bytes >> 20);
    }
    if said.contains("overflowed its stack") {
        return "the formula nests too deep for its stack".to_owned();
    }
    // A panic's first line names a place in the source, its second says what was wrong.
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("thread '"));
    format!("the formula brought its process down ({status}): {}", lines.next().unwrap_or("it said nothing"))
}
