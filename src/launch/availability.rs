//! Whether a lane's launcher is there at all. Absence is no failure: an optional lane that is absent is skipped.

use std::path::PathBuf;

use super::docker::Engine;
use super::{Error, interpreter};
use crate::plan::{DockerLane, Lane, Launcher, Program};
use crate::terms::Signal;

/// Whether a lane can be started here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Its launcher is there.
    Ready(Found),
    /// It is not, or not for this user, or too old.
    Absent {
        /// What was found.
        reason: String,
        /// What to try.
        remedy: String,
        /// The engine that answers all the same, and lacks what this lane wants of it.
        engine: Option<EngineFacts>,
    },
}

/// What a lane will be started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The running executable itself.
    OwnExecutable,
    /// An interpreter.
    Interpreter {
        /// Where it was found.
        path: PathBuf,
        /// What it said its version is; `None` when the lane asks for no minimum, since then it is not asked.
        version: Option<String>,
    },
    /// A Docker engine.
    Engine(EngineFacts),
}

/// What an engine says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Where it was reached.
    pub host: String,
    /// Its version.
    pub version: String,
    /// The API version that was agreed on.
    pub api_version: String,
    /// Which image store it uses; decides what an image's `Id` means.
    pub image_store: String,
    /// The folder of this host that holds its images, when it is an engine of this host.
    pub root: Option<PathBuf>,
}

impl Found {
    /// The same as signals of the launcher.
    #[must_use]
    pub fn signals(&self) -> Vec<Signal> {
        match self {
            Self::OwnExecutable => Vec::new(),
            Self::Interpreter { path, version } => {
                let mut signals = vec![Signal::outside("launcher.interpreter", path.to_string_lossy().into_owned())];
                if let Some(version) = version {
                    signals.push(Signal::outside("launcher.interpreter_version", version.clone()));
                }
                signals
            }
            Self::Engine(EngineFacts { host, version, api_version, image_store, root: _ }) => vec![
                Signal::outside("launcher.engine_host", host.clone()),
                Signal::outside("launcher.engine_version", version.clone()),
                Signal::outside("launcher.engine_api", api_version.clone()),
                Signal::outside("launcher.image_store", image_store.clone()),
            ],
        }
    }
}

/// Looks for what `lane` is started with. `docker_host` is the address of the engine, `None` for the usual socket.
pub async fn availability(lane: &Lane, search_path: &str, docker_host: Option<&str>) -> Availability {
    match &lane.launcher {
        Launcher::Process(process) => match &process.program {
            Program::OwnExecutable => Availability::Ready(Found::OwnExecutable),
            Program::Interpreter { name, minimum_version } => {
                find_interpreter(name, minimum_version.as_deref(), search_path).await
            }
        },
        Launcher::Docker(docker) => find_engine(docker, search_path, docker_host).await,
    }
}

async fn find_interpreter(name: &str, minimum: Option<&str>, search_path: &str) -> Availability {
    let Some(path) = interpreter::find(name, search_path) else {
        return absent(interpreter::missing(name));
    };
    let Some(minimum) = minimum else {
        return Availability::Ready(Found::Interpreter { path, version: None });
    };
    match interpreter::version(&path, minimum, search_path, interpreter::VERSION_DEADLINE).await {
        Ok(version) => Availability::Ready(Found::Interpreter { path, version: Some(version) }),
        Err(interpreter::Unusable { reason, remedy }) => Availability::Absent { reason, remedy, engine: None },
    }
}

async fn find_engine(lane: &DockerLane, search_path: &str, docker_host: Option<&str>) -> Availability {
    let engine = match Engine::connect(docker_host).await {
        Ok(engine) => engine,
        Err(error) => return absent(error),
    };
    if !lane.gpus.is_empty() && !engine.offers_gpus(search_path) {
        return Availability::Absent {
            reason: format!("the Docker engine at {} has no runtime for NVIDIA GPUs", engine.facts().host),
            remedy: "install nvidia-container-toolkit and run `nvidia-ctk runtime configure --runtime=docker`, then \
                     restart the engine"
                .to_owned(),
            engine: Some(engine.facts().clone()),
        };
    }
    Availability::Ready(Found::Engine(engine.facts().clone()))
}

fn absent(error: Error) -> Availability {
    match error {
        Error::Absent { reason, remedy } => Availability::Absent { reason, remedy, engine: None },
        other => Availability::Absent {
            reason: other.to_string(),
            remedy: "check `docker info` as this user, and restart the engine or point DOCKER_HOST at another"
                .to_owned(),
            engine: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(tables: &str) -> Lane {
        Lane::parse("lanes/test.toml", &format!("schema = 1\nname = \"test\"\nrunner = \"test\"\n{tables}")).unwrap()
    }

    fn reason(availability: Availability) -> (String, String) {
        match availability {
            Availability::Absent { reason, remedy, .. } => (reason, remedy),
            Availability::Ready(found) => panic!("{found:?} was taken for absent"),
        }
    }

    #[tokio::test]
    async fn the_own_executable_is_always_there() {
        let lane = lane("launcher = \"process\"\n[process]\nprogram = \"self\"");
        assert_eq!(availability(&lane, "", None).await, Availability::Ready(Found::OwnExecutable));
    }

    #[tokio::test]
    async fn an_interpreter_that_is_missing_is_absent_with_a_remedy() {
        let lane = lane("launcher = \"process\"\n[process]\nprogram = \"no-such-interpreter\"");
        let (reason, remedy) = reason(availability(&lane, "/usr/bin:/bin", None).await);
        assert!(reason.contains("no-such-interpreter") && remedy.starts_with("install"), "{reason}; {remedy}");
    }

    #[tokio::test]
    async fn an_interpreter_that_needs_no_version_is_not_asked() {
        let lane = lane("launcher = \"process\"\n[process]\nprogram = \"sh\"");
        let Availability::Ready(found) = availability(&lane, "/bin", None).await else { panic!("no shell") };
        assert_eq!(found, Found::Interpreter { path: "/bin/sh".into(), version: None });
        assert_eq!(found.signals(), [Signal::outside("launcher.interpreter", "/bin/sh")]);
    }

    #[tokio::test]
    async fn an_engine_that_is_not_there_is_absent_whatever_the_way_to_it() {
        let lane = lane("launcher = \"docker\"\n[docker]\nimage = \"self\"");
        let at = |host| availability(&lane, "", Some(host));
        let (no_socket, remedy) = reason(at("unix:///nowhere/docker.sock").await);
        assert!(no_socket.contains("/nowhere/docker.sock") && remedy.contains("DOCKER_HOST"), "{no_socket}; {remedy}");
        let (scheme, _) = reason(at("ssh://host").await);
        assert!(scheme.contains("ssh://host"), "{scheme}");
        let (down, remedy) = reason(at("tcp://127.0.0.1:1").await);
        assert!(down.contains("refused") && remedy.contains("daemon"), "{down}; {remedy}");
    }

    #[test]
    fn an_engine_that_fails_in_another_way_is_absent_with_something_to_do() {
        let (reason, remedy) = reason(absent(Error::Slow { doing: "asking for its facts".into(), waited_s: 5.0 }));
        assert!(reason.contains("asking for its facts"), "{reason}");
        assert!(["docker info", "restart", "DOCKER_HOST"].iter().all(|word| remedy.contains(word)), "{remedy}");
    }

    #[tokio::test]
    async fn a_socket_that_nobody_serves_names_the_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let lane = lane("launcher = \"docker\"\n[docker]\nimage = \"self\"");
        let host = format!("unix://{}", socket.display());
        let (reason, remedy) = reason(availability(&lane, "", Some(&host)).await);
        assert!(reason.contains("refused") && remedy.contains("daemon"), "{reason}; {remedy}");
    }
}
