//! The connection to a Docker engine, and why there is none.

use std::cmp::Ordering;
use std::error::Error as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::SystemInfo;
use bollard::{API_DEFAULT_VERSION, Docker};

use crate::launch::availability::EngineFacts;
use crate::launch::{Error, interpreter};
use crate::terms::compare_versions;

/// Where an engine listens unless told otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// How long an engine may take to say that it is there.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long a question may take until it is answered in full.
const QUESTION_DEADLINE: Duration = Duration::from_secs(20);
/// How long creating, attaching to or starting a container may take: file systems are mounted and hooks run.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long the engine may be silent while it loads or pulls an image.
pub(in crate::launch) const NEWS_DEADLINE: Duration = Duration::from_secs(REQUEST_DEADLINE_S);
/// The client's own limit on the time until an answer begins; each request has a shorter one of its own, except
/// loading, pulling and waiting for a container to end.
const REQUEST_DEADLINE_S: u64 = 600;
/// The oldest API whose requests are understood in full: with an older one a request for GPUs is dropped silently.
const OLDEST_API: &str = "1.40";

/// A Docker engine that answers this user.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    facts: EngineFacts,
    store: ImageStore,
    gpu_runtime: bool,
    local: bool,
}

/// How an engine keeps images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageStore {
    /// The classic store: an image's `Id` is the digest of its configuration.
    GraphDriver,
    /// The containerd store: an image's `Id` is the digest of its manifest or index.
    Containerd,
}

impl ImageStore {
    /// The name used in signals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GraphDriver => "graphdriver",
            Self::Containerd => "containerd",
        }
    }

    fn of(info: &SystemInfo) -> Self {
        let rows = info.driver_status.iter().flatten();
        let snapshotter = rows.into_iter().any(|row| match row.as_slice() {
            [key, value, ..] => key == "driver-type" && value.starts_with("io.containerd.snapshotter"),
            _ => false,
        });
        if snapshotter { Self::Containerd } else { Self::GraphDriver }
    }
}

impl Engine {
    /// Connects to the engine at `docker_host`, or at the usual socket, and agrees on an API version.
    ///
    /// # Errors
    /// [`Error::Absent`] with the remedy: no socket, no permission, nobody listening, no answer, too old.
    pub async fn connect(docker_host: Option<&str>) -> Result<Self, Error> {
        Self::connect_within(docker_host, ANSWER_DEADLINE).await
    }

    async fn connect_within(docker_host: Option<&str>, deadline: Duration) -> Result<Self, Error> {
        let host = docker_host.map(str::trim).filter(|host| !host.is_empty()).unwrap_or(DEFAULT_HOST);
        let absent = |error: &bollard::errors::Error| explain(host, error);
        let docker = open(host).map_err(|error| absent(&error))?;
        let silent = |_| Error::Absent {
            reason: format!("the Docker engine at {host} gave no answer within {} s", deadline.as_secs_f64()),
            remedy: "restart the Docker daemon, or point DOCKER_HOST at one that answers".to_owned(),
        };
        let greeting = async {
            let docker = docker.negotiate_version().await?;
            let info = docker.info().await?;
            Ok((docker, info))
        };
        let (docker, info) =
            tokio::time::timeout(deadline, greeting).await.map_err(silent)?.map_err(|error| absent(&error))?;
        let api_version = docker.client_version().to_string();
        if compare_versions(&api_version, OLDEST_API) == Some(Ordering::Less) {
            return Err(Error::Absent {
                reason: format!("the Docker engine at {host} speaks API {api_version}, older than {OLDEST_API}"),
                remedy: "update the engine to Docker 19.03 or newer".to_owned(),
            });
        }
        let store = ImageStore::of(&info);
        let local = host.starts_with("unix://");
        let facts = EngineFacts {
            host: host.to_owned(),
            version: info.server_version.clone().unwrap_or_default(),
            api_version,
            image_store: store.name().to_owned(),
            root: info.docker_root_dir.as_ref().map(PathBuf::from).filter(|_| local),
        };
        let gpu_runtime = knows_gpus(&info);
        Ok(Self { docker, facts, store, gpu_runtime, local })
    }

    /// What the engine says about itself.
    #[must_use]
    pub const fn facts(&self) -> &EngineFacts {
        &self.facts
    }

    /// How it keeps images.
    #[must_use]
    pub const fn store(&self) -> ImageStore {
        self.store
    }

    /// Whether the engine can hand GPUs to a container. The classic toolkit leaves no trace in the engine's own
    /// answer when it is installed as a hook alone, so the hook is looked for too.
    #[must_use]
    pub fn offers_gpus(&self, search_path: &str) -> bool {
        let hook = || {
            let places = format!("{search_path}:/usr/bin:/usr/local/bin");
            interpreter::find("nvidia-container-runtime-hook", &places).is_some()
        };
        self.gpu_runtime || (self.local && hook())
    }

    /// Waits for the answer to a question: inspecting, listing, removing an image.
    pub(in crate::launch) async fn ask<T>(
        &self,
        doing: impl Into<String>,
        question: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, Error> {
        within(QUESTION_DEADLINE, doing.into(), question).await
    }

    /// Waits for a step of starting a container.
    pub(in crate::launch) async fn bring_up<T>(
        &self,
        doing: impl Into<String>,
        step: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, Error> {
        within(START_DEADLINE, doing.into(), step).await
    }

    /// Whether the engine's containers may be processes of this host.
    pub(in crate::launch) const fn is_local(&self) -> bool {
        self.local
    }

    pub(in crate::launch) const fn docker(&self) -> &Docker {
        &self.docker
    }
}

/// Waits for an answer in full: the client's own limit ends where the answer begins.
pub(in crate::launch) async fn within<T>(
    deadline: Duration,
    doing: String,
    request: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(deadline, request).await {
        Ok(answer) => answer.map_err(Error::engine(doing)),
        Err(_) => Err(Error::Slow { doing, waited_s: deadline.as_secs_f64() }),
    }
}

fn open(host: &str) -> Result<Docker, bollard::errors::Error> {
    let docker = match host.strip_prefix("unix://") {
        Some(path) => Docker::connect_with_unix(path, REQUEST_DEADLINE_S, API_DEFAULT_VERSION),
        None => Docker::connect_with_host(host),
    };
    docker.map(|docker| docker.with_timeout(Duration::from_secs(REQUEST_DEADLINE_S)))
}

fn knows_gpus(info: &SystemInfo) -> bool {
    let runtime = info.runtimes.iter().flatten().any(|(name, _)| name.contains("nvidia"));
    let device = |id: &String| id.starts_with("nvidia.com/gpu");
    runtime || info.discovered_devices.iter().flatten().any(|found| found.id.as_ref().is_some_and(device))
}

/// The kind of the system error at the bottom of a chain of errors.
fn system_error(error: &bollard::errors::Error) -> Option<ErrorKind> {
    if let bollard::errors::Error::IOError { err } = error {
        return Some(err.kind());
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        source = inner.source();
    }
    None
}

fn explain(host: &str, error: &bollard::errors::Error) -> Error {
    use bollard::errors::Error as Cause;
    let (reason, remedy) = match (error, system_error(error)) {
        (Cause::SocketNotFoundError(path), _) => (
            format!("no Docker engine: there is no socket {path}"),
            "install and start Docker, or set DOCKER_HOST to the engine's address",
        ),
        (Cause::UnsupportedURISchemeError { uri }, _) => (
            format!("the engine address {uri} is of a kind that is not supported"),
            "set DOCKER_HOST to unix://PATH or tcp://HOST:PORT",
        ),
        (_, Some(ErrorKind::PermissionDenied)) => (
            format!("the Docker engine at {host} does not let this user in (permission denied)"),
            "add the user to the group `docker` and log in again",
        ),
        (_, Some(ErrorKind::ConnectionRefused)) => (
            format!("no Docker engine listens at {host} (connection refused)"),
            "start the Docker daemon (`systemctl start docker`)",
        ),
        (_, Some(ErrorKind::NotFound)) => (
            format!("no Docker engine at {host}: not found"),
            "install and start Docker, or set DOCKER_HOST to the engine's address",
        ),
        _ => (format!("the Docker engine at {host} cannot be used: {error}"), "check `docker info` as this user"),
    };
    // A socket in a folder that this user may not enter looks as if it did not exist.
    let hidden = host
        .strip_prefix("unix://")
        .and_then(|path| Path::new(path).parent())
        .is_some_and(|folder| folder.metadata().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied));
    let remedy = if hidden { "add the user to the group `docker` and log in again" } else { remedy };
    Error::Absent { reason, remedy: remedy.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_read_from_the_driver_status() {
        let info = |rows: &[[&str; 2]]| SystemInfo {
            driver_status: Some(rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect()),
            ..SystemInfo::default()
        };
        let classic = info(&[["Backing Filesystem", "extfs"], ["Supports d_type", "true"]]);
        let containerd = info(&[["driver-type", "io.containerd.snapshotter.v1"]]);
        assert_eq!(ImageStore::of(&classic), ImageStore::GraphDriver);
        assert_eq!(ImageStore::of(&containerd), ImageStore::Containerd);
        assert_eq!(ImageStore::of(&SystemInfo::default()), ImageStore::GraphDriver);
    }

    #[test]
    fn gpus_are_offered_by_a_runtime_or_by_discovered_devices() {
        let runtimes = |name: &str| SystemInfo {
            runtimes: Some([(name.to_owned(), bollard::models::Runtime::default())].into()),
            ..SystemInfo::default()
        };
        assert!(knows_gpus(&runtimes("nvidia")));
        assert!(!knows_gpus(&runtimes("runc")));
        let device = bollard::models::DeviceInfo { id: Some("nvidia.com/gpu=0".into()), source: Some("cdi".into()) };
        assert!(knows_gpus(&SystemInfo { discovered_devices: Some(vec![device]), ..SystemInfo::default() }));
    }

    #[tokio::test]
    async fn an_engine_that_hangs_or_babbles_counts_as_absent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        // The kernel takes the connection, and nobody ever answers.
        let silent = Engine::connect_within(Some(&host), Duration::from_millis(200)).await.unwrap_err();
        assert!(
            matches!(&silent, Error::Absent { reason, .. } if reason.contains("no answer within 0.2 s")),
            "{silent}"
        );
        let babbler = std::thread::spawn(move || {
            use std::io::Write as _;
            // The first connection is the one that was given up above.
            for _ in 0..2 {
                let _ = listener.accept().unwrap().0.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
            }
        });
        let other = Engine::connect_within(Some(&host), ANSWER_DEADLINE).await.unwrap_err();
        assert!(matches!(&other, Error::Absent { reason, .. } if reason.contains("cannot be used")), "{other}");
        babbler.join().unwrap();
    }

    #[tokio::test]
    async fn a_request_that_is_not_answered_in_time_says_so() {
        let never = std::future::pending::<Result<(), bollard::errors::Error>>();
        let error = within(Duration::from_millis(5), "listing containers".into(), never).await.unwrap_err();
        assert!(matches!(&error, Error::Slow { doing, .. } if doing == "listing containers"), "{error}");
    }

    #[test]
    fn a_user_who_may_not_enter_is_told_about_the_group() {
        let refused = |kind| bollard::errors::Error::IOError { err: std::io::Error::from(kind) };
        let text = |kind| explain("unix:///var/run/docker.sock", &refused(kind)).to_string();
        assert!(text(ErrorKind::PermissionDenied).contains("group `docker`"));
        assert!(text(ErrorKind::ConnectionRefused).contains("start the Docker daemon"));
        assert!(text(ErrorKind::Other).contains("docker info"));
    }
}
