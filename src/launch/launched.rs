//! The handle on a started lane, the same for a process and a container.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::docker::{ContainerLaunch, Engine};
use super::process::ProcessLaunch;
use super::supervisor::{Marker, Supervisor};
use super::{Error, Exit, LaneInput, LaneOutput, LaunchRequest};
use crate::plan::Launcher;
use crate::terms::Signal;

/// A started lane. Dropping it kills what is left of it; [`Launched::stop`] does so in good order and says how it
/// ended.
pub struct Launched {
    lane: Lane,
}

enum Lane {
    Process(Box<ProcessLaunch>),
    Container(Box<ContainerLaunch>),
}

/// Starts a lane. `engine` is needed for a container lane alone.
///
/// # Errors
/// The program or the engine is absent, the start failed, or a container runs another image than the expected one
/// ([`Error::WrongImage`]) or is less confined than was asked ([`Error::Unconfined`]); nothing of the lane is left then.
pub async fn start(request: &LaunchRequest<'_>, engine: Option<&Engine>) -> Result<Launched, Error> {
    let lacks = |missing, remedy| Error::Request { lane: request.lane.name.clone(), missing, remedy };
    let marker = Marker {
        run: request.run.to_owned(),
        lane: request.lane.name.clone(),
        launch: request.launch,
        supervisor: Supervisor::current()?,
    };
    let lane = match &request.lane.launcher {
        Launcher::Process(process) => Lane::Process(Box::new(ProcessLaunch::start(request, process, marker)?)),
        Launcher::Docker(docker) => {
            let engine = engine.ok_or_else(|| lacks("a Docker engine", "connect to one before the lane starts"))?;
            let image = request.image.ok_or_else(|| lacks("a resolved image", "resolve its image before it starts"))?;
            Lane::Container(Box::new(ContainerLaunch::start(request, docker, engine, image, &marker).await?))
        }
    };
    Ok(Launched { lane })
}

impl Launched {
    /// The runner's standard input; `None` when it was taken before.
    pub fn take_stdin(&mut self) -> Option<LaneInput> {
        match &mut self.lane {
            Lane::Process(process) => process.streams.take_stdin(),
            Lane::Container(container) => container.streams.take_stdin(),
        }
    }

    /// The runner's standard output; `None` when it was taken before.
    pub fn take_stdout(&mut self) -> Option<LaneOutput> {
        match &mut self.lane {
            Lane::Process(process) => process.streams.take_stdout(),
            Lane::Container(container) => container.streams.take_stdout(),
        }
    }

    /// The last lines of standard error, at most 40 lines and 8 KiB.
    #[must_use]
    pub fn stderr_tail(&self) -> String {
        match &self.lane {
            Lane::Process(process) => process.stderr_tail(),
            Lane::Container(container) => container.stderr_tail(),
        }
    }

    /// Bytes of standard error that were to be kept in a file and could not be written there; 0 where none is kept.
    #[must_use]
    pub fn stderr_unwritten(&self) -> u64 {
        match &self.lane {
            Lane::Process(process) => process.stderr_unwritten(),
            Lane::Container(container) => container.stderr_unwritten(),
        }
    }

    /// Bytes that it wrote to standard error so far, and of a server to standard output too.
    #[must_use]
    pub fn output_bytes(&self) -> u64 {
        match &self.lane {
            Lane::Process(process) => process.output_bytes(),
            Lane::Container(container) => container.output_bytes(),
        }
    }

    /// Where a server is reached from this host; `None` of a lane that is none, and of one that ended as it started.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.lane {
            Lane::Process(process) => process.address(),
            Lane::Container(container) => container.address(),
        }
    }

    /// Where the runner finds the model.
    #[must_use]
    pub fn model_dir_inside(&self) -> &Path {
        match &self.lane {
            Lane::Process(process) => process.model_dir(),
            Lane::Container(container) => container.model_dir(),
        }
    }

    /// The runner's process id on this host, where it is visible. Of a container this is the runner's, not its
    /// init's, and `None` until the runner's program has been executed.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match &self.lane {
            Lane::Process(process) => process.pid(),
            Lane::Container(container) => container.pid(),
        }
    }

    /// What is seen of the lane from outside, now. What the system does not permit to see is left out.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn observe(&self) -> Result<Vec<Signal>, Error> {
        match &self.lane {
            Lane::Process(process) => Ok(process.observe().await),
            Lane::Container(container) => container.observe().await,
        }
    }

    /// Processor time of the whole lane so far, in nanoseconds; never falls. A process lane's grain is a clock tick
    /// (10 ms). `None` where it is not known, and always after the end: the last value that was read before it lacks
    /// what the lane did since, and that must not count as the work of others.
    pub async fn cpu_ns(&self) -> Option<u64> {
        match &self.lane {
            Lane::Process(process) => process.cpu_ns(),
            Lane::Container(container) => container.cpu_ns().await,
        }
    }

    /// Waits until the runner ends by itself. May be given up and called again; what the runner wrote last to
    /// standard error is in the tail afterwards.
    ///
    /// # Errors
    /// The system or the engine cannot say.
    pub async fn wait(&mut self) -> Result<Exit, Error> {
        match &mut self.lane {
            Lane::Process(process) => process.wait().await,
            Lane::Container(container) => container.wait().await,
        }
    }

    /// Ends the lane: TERM to all of it, `grace`, KILL, removal. Returns when nothing of it is left, with how the
    /// runner ended. Standard output stays readable to its end.
    ///
    /// # Errors
    /// [`Error::StillThere`] when something of the lane survives KILL; otherwise the engine's own error.
    pub async fn stop(&mut self, grace: Duration) -> Result<Exit, Error> {
        match &mut self.lane {
            Lane::Process(process) => process.stop(grace).await,
            Lane::Container(container) => container.stop(grace).await,
        }
    }
}

impl std::fmt::Debug for Launched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.lane {
            Lane::Process(_) => "process",
            Lane::Container(_) => "container",
        };
        f.debug_struct("Launched").field("kind", &kind).field("pid", &self.pid()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_may_be_held_and_looked_at_by_any_task() {
        fn shared_between_threads<T: Send + Sync>(_: fn() -> T) {}
        shared_between_threads::<Launched>(|| unreachable!("only the type matters"));
    }
}
