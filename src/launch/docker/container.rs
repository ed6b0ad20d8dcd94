//! A lane as a container.
//!
//! ```text
//! create ──> attach ──> start ──> image and confinement read again and compared ──> running
//! running ──stop: TERM, grace, KILL──> ended ──remove──> confirmed gone (the engine answers 404)
//! ```
//! From the moment it is created the container belongs to an [`OwnedContainer`], which removes it when anything on
//! the way fails or is given up.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, ContainerState};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, KillContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, StatsOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::apart::remove_apart;
use super::attach::attach;
use super::confinement;
use super::container_signals;
use super::create::{MODEL_DIR_INSIDE, create_body, serve_on};
use super::engine::Engine;
use super::image::{ImageFacts, ResolvedImage};
use super::model_mounts::model_mounts;
use super::network::OwnedNetwork;
use super::proofs::read_proofs;
use crate::launch::outside::cgroup::Cgroup;
use crate::launch::outside::tree::{self, Member};
use crate::launch::outside::{DigestCache, procfs, signals};
use crate::launch::pipes::{StderrTail, Streams};
use crate::launch::supervisor::Marker;
use crate::launch::{Error, Exit, LaunchRequest};
use crate::plan::DockerLane;
use crate::terms::{Signal, SignalValue};

/// How long KILL and removal may take each.
pub(super) const END_DEADLINE: Duration = Duration::from_secs(15);
/// How long the rest of the output may take once the container has ended.
const DRAIN_DEADLINE: Duration = Duration::from_millis(500);
/// The engine learns of an out-of-memory kill and of the exit by two messages; this is how long the first may lag.
const OOM_NEWS_DEADLINE: Duration = Duration::from_millis(500);
/// Between two looks at the engine.
const PAUSE: Duration = Duration::from_millis(25);

/// A running container lane.
pub(in crate::launch) struct ContainerLaunch {
    container: OwnedContainer,
    pub(in crate::launch) streams: Streams,
    tail: StderrTail,
    parting: JoinHandle<()>,
    warnings: Vec<String>,
    declared: Vec<String>,
    /// What files of the image show; its root is read-only, so one look is enough.
    proofs: Vec<Signal>,
    digests: DigestCache,
    init: Option<Member>,
    runner: Mutex<Option<Member>>,
    cgroup: Option<Cgroup>,
    cpu_ns: AtomicU64,
    exit: Option<Exit>,
    stopped: bool,
    address: Option<SocketAddr>,
    /// A server's. Behind the container, without which it can be removed.
    network: Option<OwnedNetwork>,
}

/// A container that is ours to remove.
struct OwnedContainer {
    engine: Engine,
    id: String,
    lane: String,
    gone: bool,
}

impl ContainerLaunch {
    /// Creates, attaches to and starts the lane's container, and compares the image that runs, and how it is
    /// confined, with what was asked.
    pub(in crate::launch) async fn start(
        request: &LaunchRequest<'_>,
        docker: &DockerLane,
        engine: &Engine,
        image: &ResolvedImage,
        marker: &Marker,
    ) -> Result<Self, Error> {
        let mounts = model_mounts(request.model_dir, request.models)?;
        let mut body = create_body(request.lane, docker, &image.id.to_string(), &mounts, marker);
        let network = open_network(request, engine, marker, &mut body).await?;
        let lane = request.lane.name.clone();
        let creation = engine.docker().create_container(None::<CreateContainerOptions>, body.clone());
        let created = engine.bring_up(format!("creating the container of lane {lane}"), creation).await?;
        let container = OwnedContainer { engine: engine.clone(), id: created.id, lane, gone: false };
        let tail = StderrTail::with_whole(request.stderr_file).map_err(|source| Error::Lane {
            lane: container.lane.clone(),
            doing: "keep its standard error",
            source,
        })?;
        let attached = attach(engine, &container.id, tail.clone(), network.is_some()).await?;
        let start = engine.docker().start_container(&container.id, None::<StartContainerOptions>);
        engine.bring_up(format!("starting the container of lane {}", container.lane), start).await?;
        let inspect = container.inspect().await?;
        let facts = container.image(&inspect).await?;
        facts.check(&image.expected)?;
        confinement::check(&container.lane, &body, &inspect)?;
        let proofs = read_proofs(engine, &container.id, &docker.proofs).await?;
        let init = container.first_process(&inspect);
        // One that ended at once has no address any more; its exit says more than that.
        let reached = network.as_ref().filter(|_| is_running(&inspect));
        let address = reached.map(|network| network.address(&inspect)).transpose()?;
        Ok(Self {
            streams: attached.streams,
            parting: attached.parting,
            tail,
            warnings: created.warnings,
            declared: request.lane.given_environment().into_keys().collect(),
            proofs,
            digests: DigestCache::default(),
            cgroup: init.and_then(|init| Cgroup::of(init.pid)),
            init,
            runner: Mutex::new(None),
            cpu_ns: AtomicU64::new(0),
            exit: None,
            stopped: false,
            address,
            network,
            container,
        })
    }

    pub(in crate::launch) fn model_dir(&self) -> &Path {
        Path::new(MODEL_DIR_INSIDE)
    }

    pub(in crate::launch) fn stderr_tail(&self) -> String {
        self.tail.text()
    }

    pub(in crate::launch) fn stderr_unwritten(&self) -> u64 {
        self.tail.unwritten()
    }

    /// Bytes of its output so far, as far as nobody reads them.
    pub(in crate::launch) fn output_bytes(&self) -> u64 {
        self.tail.bytes()
    }

    /// Where a server is reached.
    pub(in crate::launch) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The runner's process id on this host: the first child of the container's init, once it runs its own program.
    pub(in crate::launch) fn pid(&self) -> Option<u32> {
        let mut known = self.runner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runner) = *known {
            return tree::is_living(runner).then_some(runner.pid);
        }
        let init = self.init.filter(|init| tree::is_living(*init))?;
        let children = procfs::children(init.pid).unwrap_or_else(|| {
            procfs::all_stats().iter().filter(|stat| stat.ppid == init.pid).map(|stat| stat.pid).collect()
        });
        let stats = children.into_iter().filter_map(procfs::stat).filter(|stat| !stat.is_dead());
        let runner = stats.map(|stat| tree::member(&stat)).min_by_key(|member| (member.start_ticks, member.pid))?;
        // Between fork and exec the child still is a copy of the init.
        let executables = procfs::executable(init.pid).zip(procfs::executable(runner.pid));
        if executables.is_some_and(|(init, runner)| init == runner) {
            return None;
        }
        *known = Some(runner);
        Some(runner.pid)
    }

    /// What the engine and, where it is permitted, `/proc` say about the container now.
    pub(in crate::launch) async fn observe(&self) -> Result<Vec<Signal>, Error> {
        let inspect = self.container.inspect().await?;
        let mut found = container_signals::of_image(&self.container.image(&inspect).await?);
        found.extend(container_signals::of_container(&inspect));
        found.extend(self.proofs.iter().cloned());
        if self.network.is_some() {
            found.push(Signal::outside("container.network_internal", true));
        }
        if !self.warnings.is_empty() {
            found.push(Signal::outside("container.warnings", SignalValue::List(self.warnings.clone())));
        }
        if let Some(pid) = self.pid() {
            let (declared, digests) = (self.declared.clone(), self.digests.clone());
            let look = tokio::task::spawn_blocking(move || signals::of_process(pid, &declared, &digests));
            found.extend(look.await.unwrap_or_default());
        }
        Ok(found)
    }

    /// Processor time so far, of everything in the container; from its control group, or else from the engine. `None`
    /// once the container has ended: its group is gone then, and the engine counts 0.
    pub(in crate::launch) async fn cpu_ns(&self) -> Option<u64> {
        let now = match self.cgroup.as_ref().and_then(Cgroup::cpu_ns) {
            None if self.exit.is_none() => self.container.cpu_ns().await,
            known => known,
        };
        let now = now.filter(|now| *now > 0)?;
        // The time of what runs never falls, so less than before is the count of something that has ended.
        let before = self.cpu_ns.fetch_max(now, Ordering::Relaxed);
        (now >= before).then_some(now)
    }

    /// Waits until the container ends. May be given up and called again.
    pub(in crate::launch) async fn wait(&mut self) -> Result<Exit, Error> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        self.container.wait().await?;
        let exit = self.read_exit().await?;
        self.exit = Some(exit);
        if !self.parting.is_finished() {
            let _ = tokio::time::timeout(DRAIN_DEADLINE, &mut self.parting).await;
        }
        Ok(exit)
    }

    /// Ends the container, removes it, and returns when the engine no longer knows it.
    pub(in crate::launch) async fn stop(&mut self, grace: Duration) -> Result<Exit, Error> {
        drop(self.streams.take_stdin());
        let mut unknown = None;
        for (signal, limit) in [("SIGTERM", grace), ("SIGKILL", END_DEADLINE)] {
            if self.exit.is_some() || unknown.is_some() {
                break;
            }
            self.container.kill(signal).await;
            self.stopped = true;
            // The engine may be restarting, or somebody else has removed it; both are looked into below.
            unknown = tokio::time::timeout(limit, self.wait()).await.ok().and_then(Result::err);
        }
        if unknown.is_some() {
            self.outlast().await?;
        }
        self.container.remove().await?;
        if let Some(network) = &mut self.network {
            network.remove().await?;
        }
        let left = [self.init, *self.runner.lock().unwrap_or_else(PoisonError::into_inner)];
        if let Some(process) = left.into_iter().flatten().find(|process| tree::is_living(*process)) {
            return Err(self.container.still_there(format!("process {} of its container", process.pid)));
        }
        self.exit.ok_or_else(|| Error::EndUnseen { lane: self.container.lane.clone() })
    }

    /// After an answer that broke off: waits until the engine, which may be restarting, says how the container ended or
    /// that it knows none.
    async fn outlast(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + END_DEADLINE;
        loop {
            match self.container.inspect().await {
                Ok(inspect) if is_running(&inspect) => {
                    self.container.kill("SIGKILL").await;
                }
                Ok(_) => {
                    self.exit = self.read_exit().await.ok();
                    return Ok(());
                }
                Err(error) if error.is_silence() && Instant::now() < deadline => {}
                Err(error) if error.is_silence() => {
                    return Err(self.container.still_there(format!("container {} ({error})", self.container.id)));
                }
                // That it knows no such container is confirmed by removing it.
                Err(_) => return Ok(()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read_exit(&self) -> Result<Exit, Error> {
        let deadline = Instant::now() + OOM_NEWS_DEADLINE;
        loop {
            let state: ContainerState = self.container.inspect().await?.state.unwrap_or_default();
            let status = state.exit_code.and_then(|code| i32::try_from(code).ok());
            let signal = status.filter(|code| (129..=192).contains(code)).map(|code| code - 128);
            let oom_killed = state.oom_killed == Some(true);
            let killed_by_others = signal == Some(rustix::process::Signal::KILL.as_raw()) && !self.stopped;
            if oom_killed || !killed_by_others || Instant::now() >= deadline {
                return Ok(Exit { status, signal, oom_killed });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The network of a server's container, with the request changed for it; nothing for any other lane.
async fn open_network(
    request: &LaunchRequest<'_>,
    engine: &Engine,
    marker: &Marker,
    body: &mut ContainerCreateBody,
) -> Result<Option<OwnedNetwork>, Error> {
    let Some(server) = &request.lane.server else { return Ok(None) };
    // A checked container lane names its port.
    let port = server.port.unwrap_or_default();
    let network = OwnedNetwork::create(engine, marker, port).await?;
    serve_on(body, network.id(), port, request.lane.limits.scratch_mib);
    Ok(Some(network))
}

impl OwnedContainer {
    async fn inspect(&self) -> Result<ContainerInspectResponse, Error> {
        let question = self.engine.docker().inspect_container(&self.id, None::<InspectContainerOptions>);
        self.engine.ask(format!("inspecting the container of lane {}", self.lane), question).await
    }

    /// Reads the image that the container was made from.
    async fn image(&self, inspect: &ContainerInspectResponse) -> Result<ImageFacts, Error> {
        let doing = || format!("reading the image of the container of lane {}", self.lane);
        let answer = |found: &str| Error::Answer { doing: doing(), found: found.to_owned() };
        let id = inspect.image.as_deref().ok_or_else(|| answer("the container names no image"))?;
        let facts = ImageFacts::read(&self.engine, id).await?;
        let mut facts = facts.ok_or_else(|| answer("the engine no longer holds the container's image"))?;
        let descriptor = inspect.image_manifest_descriptor.as_ref();
        facts.platform_manifest = descriptor.and_then(|descriptor| descriptor.digest.as_deref()?.parse().ok());
        Ok(facts)
    }

    /// The container's first process, when it is one of this host's and visible. An engine elsewhere gives ids that
    /// mean other processes here, so the control group has to name the container.
    fn first_process(&self, inspect: &ContainerInspectResponse) -> Option<Member> {
        if !self.engine.is_local() {
            return None;
        }
        let pid = inspect.state.as_ref()?.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)?;
        procfs::text(pid, "cgroup")?
            .contains(&self.id)
            .then(|| procfs::stat(pid))
            .flatten()
            .map(|stat| tree::member(&stat))
    }

    async fn wait(&self) -> Result<(), Error> {
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let mut answers = self.engine.docker().wait_container(&self.id, Some(options));
        let doing = || format!("waiting for the container of lane {}", self.lane);
        match answers.next().await {
            // A status above 0 comes as an error of its own.
            Some(Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. })) => Ok(()),
            Some(Err(error)) => Err(Error::engine(doing())(error)),
            None => {
                Err(Error::Answer { doing: doing(), found: "the answer ended before the container did".to_owned() })
            }
        }
    }

    async fn kill(&self, signal: &str) {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        let request = self.engine.docker().kill_container(&self.id, Some(options));
        // A container that has ended cannot be killed; if it has not, removing it will say so.
        let _ = tokio::time::timeout(END_DEADLINE, request).await;
    }

    async fn cpu_ns(&self) -> Option<u64> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let mut answers = self.engine.docker().stats(&self.id, Some(options));
        let question = answers.next().map(Option::transpose);
        let stats = self.engine.ask("reading a container's processor time", question).await.ok()??;
        stats.cpu_stats?.cpu_usage?.total_usage
    }

    async fn remove(&mut self) -> Result<(), Error> {
        remove_container(&self.engine, &self.id, &self.lane).await?;
        self.gone = true;
        Ok(())
    }

    fn still_there(&self, what: String) -> Error {
        Error::StillThere { lane: self.lane.clone(), what, waited_s: END_DEADLINE.as_secs_f64() }
    }
}

fn is_running(inspect: &ContainerInspectResponse) -> bool {
    inspect.state.as_ref().is_some_and(|state| state.running == Some(true))
}

/// Kills and removes a container and returns when the engine no longer knows it.
pub(in crate::launch) async fn remove_container(engine: &Engine, id: &str, lane: &str) -> Result<(), Error> {
    let mut refusal = None;
    // An engine that hangs must not hold up the end of a run.
    let removal = tokio::time::timeout(END_DEADLINE, remove_until_unknown(engine, id, lane, &mut refusal)).await;
    removal.unwrap_or_else(|_| {
        let reason = refusal.map(|error| format!(" ({error})")).unwrap_or_default();
        let what = format!("container {id}{reason}");
        Err(Error::StillThere { lane: lane.to_owned(), what, waited_s: END_DEADLINE.as_secs_f64() })
    })
}

async fn remove_until_unknown(
    engine: &Engine,
    id: &str,
    lane: &str,
    refusal: &mut Option<bollard::errors::Error>,
) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    loop {
        // "Removal is already in progress" and a device that is still busy both pass, so what counts is the look.
        *refusal = engine.docker().remove_container(id, Some(options.clone())).await.err();
        match engine.docker().inspect_container(id, None::<InspectContainerOptions>).await {
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
            Err(error @ bollard::errors::Error::DockerResponseServerError { .. }) => {
                let doing = format!("confirming that the container of lane {lane} is gone");
                return Err(Error::engine(doing)(error));
            }
            // An engine that is restarting answers again.
            Err(error) => *refusal = Some(error),
            Ok(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Drop for OwnedContainer {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        let (id, lane) = (self.id.clone(), self.lane.clone());
        remove_apart(self.engine.facts().host.clone(), async move |engine: Engine| {
            let _ = remove_container(&engine, &id, &lane).await;
        });
    }
}

impl Drop for ContainerLaunch {
    fn drop(&mut self) {
        self.parting.abort();
    }
}
