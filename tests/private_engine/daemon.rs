//! A Docker daemon of a test's own: its own store, state, socket, containerd namespace and bridge, and no rules in the host's
//! firewall, so that nobody else's engine is touched whatever a test does to this one. (A daemon that is told to do without a
//! bridge removes `docker0`, which is another daemon's.)

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bollard::query_parameters::{ListContainersOptionsBuilder, PruneNetworksOptions, RemoveContainerOptionsBuilder};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::block_on;

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How a daemon differs from the plain one.
#[derive(Default)]
pub struct Settings {
    /// Searched for programs before everything else.
    pub programs: Option<PathBuf>,
    /// Size of a file system in memory that holds its images and containers, in MiB.
    pub disk_mib: Option<u32>,
}

/// The daemon. Dropping it removes its containers, ends it and removes everything it kept.
pub struct Daemon {
    folder: TempDir,
    settings: Settings,
    bridge: Bridge,
    child: Option<Child>,
}

/// A network device of the daemon's own, gone with it.
struct Bridge(String);

/// Daemons of this process so far: each has a subnet of its own.
static DAEMONS: AtomicU32 = AtomicU32::new(0);

/// Why there can be no daemon here.
pub fn absence() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("a daemon of the test's own needs root".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = installed.into_iter().any(|folder: PathBuf| folder.join("dockerd").is_file());
    if !found {
        return Some("a daemon of the test's own needs dockerd, which is not installed".to_owned());
    }
    Bridge::new().err().map(|why| format!("a daemon of the test's own needs a network device of its own: {why}"))
}

impl Bridge {
    fn new() -> Result<Self, String> {
        let (process, number) = (std::process::id(), DAEMONS.fetch_add(1, Ordering::Relaxed));
        let bridge = Self(format!("lsb{process}-{number}"));
        ip(&["link", "add", &bridge.0, "type", "bridge"])?;
        let subnet = process.wrapping_add(number) % 250;
        ip(&["address", "add", &format!("10.213.{subnet}.1/24"), "dev", &bridge.0])?;
        Ok(bridge)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = ip(&["link", "delete", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let path = search_path(None);
    let done = Command::new("ip").args(arguments).env("PATH", path).stdin(Stdio::null()).output();
    let done = done.map_err(|error| format!("ip: {error}"))?;
    let told = || format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr).trim());
    if done.status.success() { Ok(()) } else { Err(told()) }
}

impl Daemon {
    pub fn start(settings: Settings) -> Result<Self, String> {
        let io = |error: std::io::Error| error.to_string();
        // A socket's path must be short.
        let folder = tempfile::Builder::new().prefix("lsd").tempdir_in("/tmp").map_err(io)?;
        // A daemon refuses what stands both in the host's configuration and in its arguments.
        std::fs::write(folder.path().join("daemon.json"), "{}").map_err(io)?;
        std::fs::create_dir(folder.path().join("data")).map_err(io)?;
        let bridge = Bridge::new()?;
        let mut daemon = Self { folder, settings, bridge, child: None };
        if let Some(mib) = daemon.settings.disk_mib {
            let status = Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
                .arg(daemon.data())
                .status();
            if !status.map_err(io)?.success() {
                return Err("no small file system can be mounted".to_owned());
            }
        }
        daemon.wake()?;
        Ok(daemon)
    }

    /// Where it keeps images and containers.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Its address, as `DOCKER_HOST` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A connection to it, past the room that is under test.
    pub fn client(&self) -> bollard::Docker {
        block_on(self.client_within())
    }

    /// As [`Self::client`], from where something is awaited already.
    pub async fn client_within(&self) -> bollard::Docker {
        let path = self.socket().display().to_string();
        let client = bollard::Docker::connect_with_unix(&path, 120, bollard::API_DEFAULT_VERSION);
        let client = client.expect("a socket's path is an address");
        client.negotiate_version().await.expect("the daemon answered before")
    }

    /// The lane's search path: the daemon's own programs first.
    pub fn search_path(&self) -> OsString {
        search_path(self.settings.programs.as_deref())
    }

    /// Starts it, or starts it again over what it kept.
    pub fn wake(&mut self) -> Result<(), String> {
        let at = |name: &str| self.folder.path().join(name);
        let log = std::fs::File::options().create(true).append(true).open(at("log")).map_err(|e| e.to_string())?;
        let namespace = self.folder.path().file_name().expect("it has a name").to_string_lossy().into_owned();
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let child = Command::new("dockerd")
            .arg("--config-file")
            .arg(at("daemon.json"))
            .arg("--data-root")
            .arg(self.data())
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .args(["--host", &self.host()])
            .args(["--bridge", &self.bridge.0])
            .args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"])
            // Where the host's containerd is used, its other users are not.
            .args(["--containerd-namespace", &namespace])
            .args(["--containerd-plugins-namespace", &format!("{namespace}-plugins")])
            // One try: a test does not wait for four more.
            .args(["--max-download-attempts=1", "--shutdown-timeout=2"])
            .env("PATH", self.search_path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // A signal from the terminal is for the test, which ends the daemon in good order.
            .process_group(0)
            .spawn();
        self.child = Some(child.map_err(|error| format!("dockerd: {error}"))?);
        self.wait_until_it_answers()
    }

    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        let path = self.socket().display().to_string();
        loop {
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                return Err(format!("dockerd ended with {status}: {}", self.last_words()));
            }
            let client = bollard::Docker::connect_with_unix(&path, 5, bollard::API_DEFAULT_VERSION);
            if client.is_ok_and(|client| block_on(client.ping()).is_ok()) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!("dockerd did not answer within {START_LIMIT:?}: {}", self.last_words()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or("it said nothing").to_owned()
    }

    /// Ends it in good order; it ends its containers.
    pub fn sleep(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let deadline = Instant::now() + STOP_LIMIT;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ids of all containers, running or not.
    pub fn containers(&self) -> Vec<String> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let listed = block_on(self.client().list_containers(Some(options))).expect("the daemon answers");
        listed.into_iter().filter_map(|container| container.id).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.is_some() && std::os::unix::net::UnixStream::connect(self.socket()).is_ok() {
            let client = self.client();
            for id in self.containers() {
                let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
                let _ = block_on(client.remove_container(&id, Some(options)));
            }
            // A network of the bridge driver is a device of the host.
            let _ = block_on(client.prune_networks(None::<PruneNetworksOptions>));
        }
        self.sleep();
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let mut ours: Vec<&str> = places.filter(|place| Path::new(place).starts_with(self.folder.path())).collect();
        // The innermost first.
        ours.sort_by_key(|place| std::cmp::Reverse(place.len()));
        for place in ours {
            let _ = Command::new("umount").arg(place).status();
        }
    }
}

fn search_path(first: Option<&Path>) -> OsString {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let folders = first.map(Path::to_owned).into_iter().chain(std::env::split_paths(&inherited));
    let folders = folders.chain(["/usr/sbin".into(), "/sbin".into()]);
    std::env::join_paths(folders).expect("folders of a search path hold no colon")
}
