//! The formula's own process, seen from inside: it confines itself, then reads one job and writes one reply.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::Error;
use super::formula::answer;
use super::job::{Job, Reply};

/// The longest job that is read, in bytes.
const MAX_JOB_BYTES: u64 = 64 << 20;

/// The stack that a formula may use. The language refuses recursion long before; nested brackets use more.
const STACK_BYTES: usize = 64 << 20;

/// Files that the process may have open: its three streams, and what the C library opens to start a thread.
const OPEN_FILES: u64 = 16;

/// How often it is looked whether the formula has used up its time.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Processor time of this process so far. Answers depend on it and not on how busy the host is.
pub(super) fn cpu_time() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(spent).unwrap_or_default()
}

/// What the process may use. Its environment is cleared, and its files are closed, by who starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confinement {
    /// Address space, the executable included.
    pub memory_bytes: u64,
    /// Processor time.
    pub cpu_s: u64,
}

impl Confinement {
    /// The limits in force.
    pub const FORMULA: Self = Self { memory_bytes: 1 << 30, cpu_s: 8 };
}

/// Limits this process for good. Nothing that it runs later can undo it.
///
/// # Errors
/// [`Error::Confine`]: then nothing may be run.
pub fn confine(limits: Confinement) -> Result<(), Error> {
    let Confinement { memory_bytes, cpu_s } = limits;
    let limits = [
        ("the address space", Resource::As, memory_bytes, memory_bytes),
        // At the first the kernel says so by its own signal, at the second it kills.
        ("the processor time", Resource::Cpu, cpu_s, cpu_s + 1),
        ("the size of files", Resource::Fsize, 0, 0),
        ("core files", Resource::Core, 0, 0),
        ("open files", Resource::Nofile, OPEN_FILES, OPEN_FILES),
    ];
    for (what, resource, current, maximum) in limits {
        let limit = Rlimit { current: Some(current), maximum: Some(maximum) };
        setrlimit(resource, limit).map_err(|error| Error::Confine { what, source: error.into() })?;
    }
    Ok(())
}

/// Reads a job, does it, writes the reply; where the formula does not end in time, the reply says so and the caller ends
/// the process, and with it the formula.
///
/// # Errors
/// What comes in is no job, or the reply cannot be written.
pub fn serve(input: impl Read, mut output: impl Write) -> Result<(), Error> {
    let stream = |doing, source| Error::Io { doing, path: PathBuf::from("a formula's process"), source };
    let mut bytes = Vec::new();
    input.take(MAX_JOB_BYTES).read_to_end(&mut bytes).map_err(|source| stream("reading the job of", source))?;
    let job: Job = serde_json::from_slice(&bytes).map_err(|error| Error::Job(error.to_string()))?;
    drop(bytes);
    let worker = std::thread::Builder::new().name("formula".to_owned()).stack_size(STACK_BYTES);
    let (sender, receiver) = mpsc::channel();
    let patience = Duration::from_millis(job.budget_ms);
    let began = cpu_time();
    // The effects of rounding leave time for what is begun last and for the reply.
    let job = Job { budget_ms: job.budget_ms * 3 / 4, ..job };
    // If nobody waits for it any more, the answer came too late.
    let work = move || drop(sender.send(answer(&job)));
    worker.spawn(work).map_err(|source| stream("starting the thread of", source))?;
    let reply = loop {
        match receiver.recv_timeout(LOOK_EVERY) {
            Ok(reply) => break reply,
            Err(RecvTimeoutError::Timeout) if cpu_time().saturating_sub(began) < patience => {}
            Err(RecvTimeoutError::Timeout) => break Reply::OutOfTime,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::Job("the formula made the language panic".to_owned()));
            }
        }
    };
    let reply = serde_json::to_vec(&reply).map_err(|error| Error::Job(error.to_string()))?;
    output.write_all(&reply).and_then(|()| output.flush()).map_err(|source| stream("writing the reply of", source))
}
