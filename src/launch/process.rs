//! A lane as a process: a group of its own, a cleared environment, marks by which it is found again.
//!
//! ```text
//! start ──> running ──(exit by itself)──> ended ──stop──> ended, nothing left
//!              └──stop: TERM to all, grace, KILL until none is seen──────┘
//! ```
//! The working folder is the supervisor's own, so that relative arguments mean what they mean to the user.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::outside::children::{self, OwnChild};
use super::outside::tree::{self, Member};
use super::outside::{DigestCache, ProcessTree, procfs, signals};
use super::pipes::{LaneInput, LaneOutput, StderrTail, Streams};
use super::supervisor::Marker;
use super::{Error, Exit, LaunchRequest, interpreter, visible_gpus};
use crate::plan::{ProcessLane, Program, RUN_FOLDER, Server};
use crate::terms::Signal;

/// How long KILL may take until nothing of the lane is left.
const KILL_DEADLINE: Duration = Duration::from_secs(10);
/// How long standard error may stay open after the process ended, because somebody else holds it.
const DRAIN_DEADLINE: Duration = Duration::from_millis(500);

/// A running process lane.
pub(super) struct ProcessLaunch {
    lane: String,
    child: Child,
    leader: Member,
    tree: ProcessTree,
    pub(super) streams: Streams,
    tail: StderrTail,
    drain: JoinHandle<()>,
    model_dir: PathBuf,
    declared: Vec<String>,
    digests: DigestCache,
    /// Kept until nothing of the lane is left.
    own: Option<OwnChild>,
    exit: Option<Exit>,
    /// We have sent it a signal.
    stopped: bool,
    /// Nothing of it is left.
    gone: bool,
    cpu_ns: AtomicU64,
    oom_kills: Option<u64>,
    address: Option<SocketAddr>,
}

impl ProcessLaunch {
    /// Starts the lane.
    pub(super) fn start(request: &LaunchRequest<'_>, process: &ProcessLane, marker: Marker) -> Result<Self, Error> {
        let lane = request.lane.name.clone();
        let program = program(request, process)?;
        let oom_kills = oom_kills();
        let failed = |doing, source| Error::Lane { lane: lane.clone(), doing, source };
        children::adopt_orphans().map_err(|source| failed("become the reaper of its processes", source))?;
        let address = request.lane.is_server().then(free_address).transpose();
        let address = address.map_err(|source| failed("find a free port", source))?;
        let mut command = Command::new(&program);
        command
            .args(arguments(request, process, address)?)
            .env_clear()
            .env("PATH", request.search_path)
            .envs(visible_gpus::given_on(request.visible_gpus))
            .envs(environment(request))
            .envs(request.overlay_dir.map(|folder| ("PYTHONPATH", folder)))
            .envs(marker.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let vanished = |doing| failed(doing, std::io::ErrorKind::NotFound.into());
        let ((mut child, leader), own) = children::start_lane(|| {
            let child = command.spawn().map_err(|source| Error::Spawn {
                lane: lane.clone(),
                program: program.clone(),
                source,
            })?;
            // Not reaped yet, so the entry is there even when the process has ended already.
            let pid = child.id().ok_or_else(|| vanished("read the process's id"))?;
            let stat = procfs::stat(pid).ok_or_else(|| vanished("read the process's entry in /proc"))?;
            let leader = tree::member(&stat);
            Ok(((child, leader), leader))
        })?;
        let tail =
            StderrTail::with_whole(request.stderr_file).map_err(|source| failed("keep its standard error", source))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stderr = child.stderr.take().ok_or_else(|| vanished("open the process's standard error"))?;
        // A server's standard output is a log like its standard error, and goes the same way.
        let (stdout, log) = if address.is_some() { (None, stdout) } else { (stdout, None) };
        Ok(Self {
            tree: ProcessTree::new(leader, marker),
            streams: Streams::new(
                stdin.map(|pipe| LaneInput::new(Box::pin(pipe))),
                stdout.map(|pipe| Box::new(pipe) as LaneOutput),
            ),
            drain: tokio::spawn(drain(tail.clone(), stderr, log)),
            tail,
            model_dir: request.model_dir.to_owned(),
            declared: declared(request),
            digests: DigestCache::default(),
            own: Some(own),
            exit: None,
            stopped: false,
            gone: false,
            cpu_ns: AtomicU64::new(0),
            oom_kills,
            address,
            lane,
            child,
            leader,
        })
    }

    pub(super) fn model_dir(&self) -> &Path {
        &self.model_dir
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.exit.is_none().then_some(self.leader.pid)
    }

    pub(super) fn stderr_tail(&self) -> String {
        self.tail.text()
    }

    pub(super) fn stderr_unwritten(&self) -> u64 {
        self.tail.unwritten()
    }

    pub(super) fn output_bytes(&self) -> u64 {
        self.tail.bytes()
    }

    /// Where a server is reached.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What is seen of the first process; empty once it has ended.
    pub(super) async fn observe(&self) -> Vec<Signal> {
        if !tree::is_living(self.leader) {
            return Vec::new();
        }
        let (pid, declared, digests) = (self.leader.pid, self.declared.clone(), self.digests.clone());
        // Hashing an executable takes long enough to hold up others on the same thread.
        let look = tokio::task::spawn_blocking(move || signals::of_process(pid, &declared, &digests));
        look.await.unwrap_or_default()
    }

    /// Processor time so far; never falls, also when a process of the tree took its count with it. `None` once the first
    /// process is gone: what it did after the last look is not known.
    pub(super) fn cpu_ns(&self) -> Option<u64> {
        let ticks_per_second = rustix::param::clock_ticks_per_second();
        let ticks = u128::from(self.tree.cpu_ticks()?);
        let now = u64::try_from(ticks * 1_000_000_000 / u128::from(ticks_per_second.max(1))).ok()?;
        Some(now.max(self.cpu_ns.fetch_max(now, Ordering::Relaxed)))
    }

    /// Waits until the first process ends. May be given up and called again.
    pub(super) async fn wait(&mut self) -> Result<Exit, Error> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let status = self.child.wait().await.map_err(|source| self.error("wait for the process", source))?;
        let exit = self.exit_of(status);
        self.exit = Some(exit);
        if !self.drain.is_finished() {
            // What the process wrote last is on its way; a grandchild may hold the pipe for as long as it likes.
            let _ = tokio::time::timeout(DRAIN_DEADLINE, &mut self.drain).await;
        }
        Ok(exit)
    }

    /// Ends the lane and returns when nothing of it is left.
    pub(super) async fn stop(&mut self, grace: Duration) -> Result<Exit, Error> {
        drop(self.streams.take_stdin());
        let asked = self.living().await?;
        if !asked.is_empty() && !self.stopped {
            self.stopped = true;
            tree::send(&asked, rustix::process::Signal::TERM);
            self.wait_until_gone(grace, None).await?;
        }
        if !self.wait_until_gone(KILL_DEADLINE, Some(rustix::process::Signal::KILL)).await? {
            let left = self.living().await?.iter().map(|member| member.pid.to_string()).collect::<Vec<_>>().join(", ");
            let waited_s = KILL_DEADLINE.as_secs_f64();
            return Err(Error::StillThere { lane: self.lane.clone(), what: format!("process {left}"), waited_s });
        }
        self.gone = true;
        let exit = self.wait().await?;
        self.own = None;
        Ok(exit)
    }

    /// Looks until none of the lane's processes lives, sending `signal` at each look; false when `limit` passed.
    async fn wait_until_gone(
        &mut self,
        limit: Duration,
        signal: Option<rustix::process::Signal>,
    ) -> Result<bool, Error> {
        let deadline = Instant::now() + limit;
        let mut pause = Duration::from_millis(2);
        loop {
            let living = self.living().await?;
            if living.is_empty() {
                return Ok(true);
            }
            if let Some(signal) = signal {
                tree::send(&living, signal);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + pause)).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    async fn living(&self) -> Result<Vec<Member>, Error> {
        let tree = self.tree.clone();
        let look = tokio::task::spawn_blocking(move || tree.living()).await;
        look.map_err(|error| self.error("look for its processes", std::io::Error::other(error)))
    }

    fn exit_of(&self, status: ExitStatus) -> Exit {
        let killed = status.signal() == Some(rustix::process::Signal::KILL.as_raw()) && !self.stopped;
        let counted = self.oom_kills.zip(oom_kills()).is_some_and(|(before, now)| now > before);
        Exit { status: status.code(), signal: status.signal(), oom_killed: killed && counted }
    }

    fn error(&self, doing: &'static str, source: std::io::Error) -> Error {
        Error::Lane { lane: self.lane.clone(), doing, source }
    }
}

impl Drop for ProcessLaunch {
    fn drop(&mut self) {
        self.drain.abort();
        if !self.gone {
            self.tree.kill_at_once();
        }
    }
}

/// The lane's environment, with the run's folder where it stands for one.
fn environment(request: &LaunchRequest<'_>) -> impl Iterator<Item = (String, String)> {
    let run = std::path::absolute(request.run_dir).unwrap_or_else(|_| request.run_dir.to_owned());
    let run = run.to_string_lossy().into_owned();
    request.lane.given_environment().into_iter().map(move |(name, value)| (name, value.replace(RUN_FOLDER, &run)))
}

/// Names of the variables that the lane is given, for the look from outside.
fn declared(request: &LaunchRequest<'_>) -> Vec<String> {
    let overlay = request.overlay_dir.map(|_| "PYTHONPATH".to_owned());
    let gpus = visible_gpus::given_on(request.visible_gpus).into_iter().map(|(name, _)| name.to_owned());
    request.lane.given_environment().into_keys().chain(overlay).chain(gpus).collect()
}

fn program(request: &LaunchRequest<'_>, process: &ProcessLane) -> Result<PathBuf, Error> {
    match &process.program {
        Program::OwnExecutable => Ok(request.own_executable.to_owned()),
        Program::Interpreter { name, .. } => {
            interpreter::find(name, request.search_path).ok_or_else(|| interpreter::missing(name))
        }
    }
}

/// Reads standard error, and the log that a server writes to standard output, to their ends.
async fn drain(tail: StderrTail, stderr: ChildStderr, log: Option<ChildStdout>) {
    let log = async {
        if let Some(log) = log {
            tail.clone().fill_from(log).await;
        }
    };
    tokio::join!(tail.clone().fill_from(stderr), log);
}

/// A port of this host that nobody listens on now. The server is told of it and takes it a moment later; should somebody
/// else be quicker, the server says so and ends.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr())
}

fn arguments(
    request: &LaunchRequest<'_>,
    process: &ProcessLane,
    address: Option<SocketAddr>,
) -> Result<Vec<String>, Error> {
    let mut arguments = process.arguments.clone();
    for (word, _, folder) in process.folders() {
        if !arguments.iter().any(|argument| argument.contains(word)) {
            continue;
        }
        let Some(path) = request.files_dir.zip(folder).map(|(files, folder)| files.join(folder)) else {
            return Err(Error::Request {
                lane: request.lane.name.clone(),
                missing: "the folder that its files were written to",
                remedy: "write the lane's files out before it starts",
            });
        };
        arguments = arguments.iter().map(|argument| argument.replace(word, &path.to_string_lossy())).collect();
    }
    Ok(match address {
        Some(address) => Server::filled(&arguments, address.port(), &request.model_dir.to_string_lossy()),
        None => arguments,
    })
}

/// Out-of-memory kills that the kernel counted since boot.
fn oom_kills() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests;
