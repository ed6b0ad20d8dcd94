//! A real registry, and a way to it that breaks.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use lockstep::launch::ImageArchive;
use lockstep::terms::{FailureClass, Outcome};

use crate::block_on;
use crate::daemon::{Daemon, Settings};
use crate::images::Pusher;
use crate::lane_project::{ContainerLane, archive, lockstep, settled};
use crate::project::{PlanText, Project};
use crate::server::{Absence, PROGRAMS, Server};

/// Why no registry can be started.
pub fn no_registry() -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let found = PROGRAMS.iter().any(installed);
    (!found).then(|| "no registry: install the package docker-registry".to_owned())
}

/// An image in a registry, reached through a proxy.
pub struct Served {
    /// The image's name, by the proxy's address.
    pub reference: String,
    pub proxy: Proxy,
    _server: Server,
}

impl Served {
    pub fn start(repository: &str, archive: &ImageArchive) -> Self {
        let server = match Server::start(None) {
            Ok(server) => server,
            Err(Absence::NotInstalled) => panic!("a registry was installed before"),
            Err(Absence::Broken(problem)) => panic!("{problem}"),
        };
        let proxy = Proxy::to(server.address);
        let pusher = Pusher::new(&server.address.to_string(), repository, None).expect("a client");
        block_on(async {
            let manifest = pusher.archive(archive).await.expect("the image is pushed");
            pusher.document(&manifest, "1").await.expect("its manifest is pushed");
        });
        Self { reference: format!("{}/{repository}:1", proxy.address), proxy, _server: server }
    }
}

impl Served {
    /// The image's name without its tag.
    pub fn repository(&self) -> String {
        self.reference.trim_end_matches(":1").to_owned()
    }
}

/// Passes bytes on, and cuts an answer short while it is told to.
pub struct Proxy {
    pub address: SocketAddr,
    cuts: Arc<AtomicBool>,
    /// How many answers it has cut.
    cut: Arc<AtomicUsize>,
}

/// More than any manifest, and a small part of the scripted runner.
const CUT_AFTER_BYTES: usize = 8 << 20;

impl Proxy {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the port is known");
        let (cuts, cut) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (cuts_too, cut_too) = (Arc::clone(&cuts), Arc::clone(&cut));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let copies = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
                let Ok((mut client_too, mut server_too)) = copies else { continue };
                let (cuts, cut) = (Arc::clone(&cuts_too), Arc::clone(&cut_too));
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut client_too, &mut server_too);
                    let _ = server_too.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || answers(server, client, &cuts, &cut));
            }
        });
        Self { address, cuts, cut }
    }

    pub fn cut(&self, cuts: bool) {
        self.cuts.store(cuts, Ordering::SeqCst);
    }

    pub fn cut_answers(&self) -> usize {
        self.cut.load(Ordering::SeqCst)
    }
}

fn answers(mut server: TcpStream, mut client: TcpStream, cuts: &AtomicBool, cut: &AtomicUsize) {
    let (mut passed, mut buffer) = (0, vec![0; 64 << 10]);
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        passed += read;
        if cuts.load(Ordering::SeqCst) && passed > CUT_AFTER_BYTES {
            cut.fetch_add(1, Ordering::SeqCst);
            break;
        }
        if client.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

pub fn broken_pull(_: &Daemon) {
    let daemon = Daemon::start(Settings::default()).expect("a daemon started before");
    let archive = archive();
    let served = Served::start("pulls/half", &archive);
    let project = Project::new();
    ContainerLane::new("pulled", "none").write(&project, &served.reference);
    project.plan(&PlanText { repetitions: 1, ..PlanText::new("one", &["pulled"]) });
    lockstep(&project, &daemon, &["lock", "pulled"]).exits(0);
    let by_digest = |client: &bollard::Docker| {
        let name = format!("{}@{}", served.repository(), archive.manifest);
        block_on(client.inspect_image(&name)).is_ok()
    };

    served.proxy.cut(true);
    let (run, ledger) = settled(&project, &daemon, lockstep(&project, &daemon, &["run", "one"]));
    run.ended.exits(3);
    assert!(served.proxy.cut_answers() > 0, "{:?}", run.ended);
    for row in ledger.rows_of("pulled") {
        let failure = row.failure.as_ref().expect("a row that is not ok says why");
        assert_eq!((row.outcome, failure.class), (Outcome::Refused, FailureClass::Launch), "{failure:?}");
        assert!(failure.message.contains("pulling") && failure.message.contains("EOF"), "{failure:?}");
    }
    assert!(!by_digest(&daemon.client()), "half an image is none");

    served.proxy.cut(false);
    let (run, ledger) = settled(&project, &daemon, lockstep(&project, &daemon, &["run", "one"]));
    run.exits(0);
    assert_eq!(ledger.outcomes("pulled"), [(Outcome::Ok, 6)].into());
    assert!(by_digest(&daemon.client()));
}
