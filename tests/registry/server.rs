//! A real registry of this test's own: Debian's `docker-registry` on a free loopback port, in a temporary folder.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Names of the program: Debian's, and upstream's.
pub const PROGRAMS: &[&str] = &["docker-registry", "registry"];
const START_LIMIT: Duration = Duration::from_secs(30);

/// The registry; it is stopped, and its folder removed, when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    child: Child,
    _folder: TempDir,
}

/// Why there is no registry.
pub enum Absence {
    /// The program is not installed: tests that need it are ignored.
    NotInstalled,
    /// It is, and does not start: tests that need it fail.
    Broken(String),
}

impl Server {
    /// Starts a registry. `users` is the content of an htpasswd file, for one that asks for Basic credentials.
    pub fn start(users: Option<&str>) -> Result<Self, Absence> {
        let mut last = String::new();
        // Another process may take the port between its choice and its use.
        for _ in 0..3 {
            match Self::start_once(users) {
                Err(Absence::Broken(problem)) => last = problem,
                started_or_absent => return started_or_absent,
            }
        }
        Err(Absence::Broken(last))
    }

    fn start_once(users: Option<&str>) -> Result<Self, Absence> {
        let broken = |problem: std::io::Error| Absence::Broken(problem.to_string());
        let folder = tempfile::tempdir().map_err(broken)?;
        let address = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).map_err(broken)?;
        let path = folder.path().display();
        let mut text = format!(
            "version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    \
             rootdirectory: {path}/data\n  delete:\n    enabled: true\nhttp:\n  addr: {address}\n  net: tcp\n"
        );
        if let Some(users) = users {
            std::fs::write(folder.path().join("htpasswd"), users).map_err(broken)?;
            text.push_str(&format!("auth:\n  htpasswd:\n    realm: test\n    path: {path}/htpasswd\n"));
        }
        let config = folder.path().join("registry.yml");
        std::fs::write(&config, text).map_err(broken)?;
        let log = std::fs::File::create(folder.path().join("log")).map_err(broken)?;
        for program in PROGRAMS {
            let errors = log.try_clone().map_err(broken)?;
            let mut command = Command::new(program);
            command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
            match command.spawn() {
                Ok(child) => {
                    let mut server = Self { address, child, _folder: folder };
                    return server.wait_until_ready().map(|()| server).map_err(Absence::Broken);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(broken(error)),
            }
        }
        Err(Absence::NotInstalled)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = std::fs::read_to_string(self._folder.path().join("log")).unwrap_or_default();
                return Err(format!("the registry ended with {status}: {log}"));
            }
            if TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("the registry did not listen within {} s", START_LIMIT.as_secs()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
