//! The connection to a Docker engine, and why there is none.

use std::error::Error as _;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use bollard::models::SystemInfo;
use bollard::{API_DEFAULT_VERSION, Docker};

use crate::launch::availability::EngineFacts;
use crate::launch::{Error, interpreter};

/// Where an engine listens unless told otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// How long an engine may take to say that it is there.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
/// How long one request may take until its answer begins; loading an image takes longest.
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
        let host = docker_host.map(str::trim).filter(|host| !host.is_empty()).unwrap_or(DEFAULT_HOST);
        let absent = |error: &bollard::errors::Error| explain(host, error);
        let docker = open(host).map_err(|error| absent(&error))?;
        let silent = |_| Error::Absent {
            reason: format!("the Docker engine at {host} gave no answer within {} s", ANSWER_DEADLINE.as_secs()),
            remedy: "restart the Docker daemon, or point DOCKER_HOST at one that answers".to_owned(),
        };
        let greeting = async {
            let docker = docker.negotiate_version().await?;
            let info = docker.info().await?;
            Ok((docker, info))
        };
        let (docker, info) =
            tokio::time::timeout(ANSWER_DEADLINE, greeting).await.map_err(silent)?.map_err(|error| absent(&error))?;
        let api_version = docker.client_version().to_string();
        if interpreter::compare(&api_version, OLDEST_API).is_lt() {
            return Err(Error::Absent {
                reason: format!("the Docker engine at {host} speaks API {api_version}, older than {OLDEST_API}"),
                remedy: "update the engine to Docker 19.03 or newer".to_owned(),
            });
        }
        let store = ImageStore::of(&info);
        let facts = EngineFacts {
            host: host.to_owned(),
            version: info.server_version.clone().unwrap_or_default(),
            api_version,
            image_store: store.name().to_owned(),
        };
        let gpu_runtime = knows_gpus(&info);
        Ok(Self { docker, facts, store, gpu_runtime, local: host.starts_with("unix://") })
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

    /// Whether the engine's containers may be processes of this host.
    pub(in crate::launch) const fn is_local(&self) -> bool {
        self.local
    }

    pub(in crate::launch) const fn docker(&self) -> &Docker {
        &self.docker
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

    #[test]
    fn a_user_who_may_not_enter_is_told_about_the_group() {
        let refused = |kind| bollard::errors::Error::IOError { err: std::io::Error::from(kind) };
        let text = |kind| explain("unix:///var/run/docker.sock", &refused(kind)).to_string();
        assert!(text(ErrorKind::PermissionDenied).contains("group `docker`"));
        assert!(text(ErrorKind::ConnectionRefused).contains("start the Docker daemon"));
        assert!(text(ErrorKind::Other).contains("docker info"));
    }
}
