//! The end of orphans: lanes whose supervisor is gone, because it was killed or its host went down.
//!
//! A lane of a supervisor that is alive is never touched. One whose supervisor cannot be judged from here (another
//! process id namespace, another machine on the same engine) is left alone too, and reported.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bollard::models::{ContainerSummary, Network};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use rustix::process::Signal;
use tokio::time::Instant;

use super::Error;
use super::docker::{Engine, remove_container, remove_network};
use super::outside::procfs;
use super::outside::tree::{self, Member};
use super::supervisor::{Fate, Marker, SUPERVISOR_LABEL, Supervisor};

/// How long a killed process may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// A process, container or network of a lane whose supervisor is not known to be alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// What it is.
    pub kind: OrphanKind,
    /// Whose it was.
    pub marker: Marker,
    /// What became of its supervisor; [`Fate::Unknown`] means that it is left alone.
    pub fate: Fate,
}

/// What an orphan is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrphanKind {
    /// A process of this host.
    Process {
        /// Its id.
        pid: u32,
        /// Its start time, in clock ticks since boot.
        start_ticks: u64,
    },
    /// A container of the engine, running or not.
    Container {
        /// The engine's id.
        id: String,
    },
    /// The network of a server's container.
    Network {
        /// The engine's id.
        id: String,
    },
}

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Killed or removed, and confirmed gone.
    pub removed: Vec<Orphan>,
    /// Left alone, because the supervisor cannot be judged from here.
    pub left: Vec<Orphan>,
    /// Could not be removed, and why.
    pub failed: Vec<(Orphan, Error)>,
    /// Why the engine did not list its containers, so that none of them was looked at.
    pub unlisted: Option<Error>,
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Marker { run, lane, launch, .. } = &self.marker;
        let short = |id: &str| id.chars().take(12).collect::<String>();
        match &self.kind {
            OrphanKind::Process { pid, .. } => write!(f, "process {pid}")?,
            OrphanKind::Container { id } => write!(f, "container {}", short(id))?,
            OrphanKind::Network { id } => write!(f, "network {}", short(id))?,
        }
        match lane.as_str() {
            "" => f.write_str(" of no lane"),
            lane => write!(f, " of lane {lane}, launch {launch}, run {run}"),
        }
    }
}

/// Ends the orphans of this host and, when it answers, of the engine, and confirms that they are gone.
///
/// # Errors
/// `/proc` cannot be read. An orphan that cannot be ended is reported in [`Sweep::failed`], and an engine that does
/// not list its containers in [`Sweep::unlisted`]; neither keeps the others from being ended.
pub async fn sweep(engine: Option<&Engine>) -> Result<Sweep, Error> {
    let here = Supervisor::current()?;
    let mut report = Sweep::default();
    let mut orphans = orphan_processes(&here);
    if let Some(engine) = engine {
        match orphans_of_engine(engine, &here).await {
            Ok(containers) => orphans.extend(containers),
            Err(error) => report.unlisted = Some(error),
        }
    }
    for orphan in orphans {
        if orphan.fate != Fate::Gone {
            report.left.push(orphan);
            continue;
        }
        let ended = match (&orphan.kind, engine) {
            (OrphanKind::Process { pid, start_ticks }, _) => {
                end_process(Member { pid: *pid, start_ticks: *start_ticks }, &orphan.marker.lane).await
            }
            (OrphanKind::Container { id }, Some(engine)) => remove_container(engine, id, &orphan.marker.lane).await,
            (OrphanKind::Network { id }, Some(engine)) => remove_network(engine, id, &orphan.marker.lane).await,
            // These are found through an engine alone.
            (OrphanKind::Container { .. } | OrphanKind::Network { .. }, None) => continue,
        };
        match ended {
            Ok(()) => report.removed.push(orphan),
            Err(error) => report.failed.push((orphan, error)),
        }
    }
    Ok(report)
}

fn orphan_processes(here: &Supervisor) -> Vec<Orphan> {
    let kin = own_line(here.pid);
    let mut orphans = Vec::new();
    for stat in procfs::all_stats() {
        // This process may itself run inside a lane; it does not end its own line.
        if stat.is_dead() || kin.contains(&stat.pid) {
            continue;
        }
        let environment = procfs::environment(stat.pid).unwrap_or_default();
        let Some(marker) = Marker::of_environment(&environment) else { continue };
        let fate = marker.supervisor.fate(here);
        if fate != Fate::Alive {
            let kind = OrphanKind::Process { pid: stat.pid, start_ticks: stat.start_ticks };
            orphans.push(Orphan { kind, marker, fate });
        }
    }
    orphans
}

/// This process and those it descends from.
fn own_line(pid: u32) -> Vec<u32> {
    let mut line = Vec::new();
    let mut next = Some(pid);
    while let Some(pid) = next.filter(|pid| *pid > 0 && !line.contains(pid)) {
        line.push(pid);
        next = procfs::stat(pid).map(|stat| stat.ppid);
    }
    line
}

async fn orphans_of_engine(engine: &Engine, here: &Supervisor) -> Result<Vec<Orphan>, Error> {
    let filters = HashMap::from([("label", vec![SUPERVISOR_LABEL])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let question = engine.docker().list_containers(Some(options));
    let listed = engine.ask("listing the containers of lanes", question).await?;
    let containers = listed.into_iter().filter_map(|container| orphan_container(container, here));
    // Behind the containers that are on them.
    Ok(containers.chain(orphan_networks(engine, here).await?).collect())
}

async fn orphan_networks(engine: &Engine, here: &Supervisor) -> Result<Vec<Orphan>, Error> {
    let filters = HashMap::from([("label", vec![SUPERVISOR_LABEL])]);
    let options = ListNetworksOptionsBuilder::default().filters(&filters).build();
    let question = engine.docker().list_networks(Some(options));
    let listed = engine.ask("listing the networks of lanes", question).await?;
    let orphan = |network: Network| {
        let marker = Marker::of_labels(&network.labels?)?;
        let fate = marker.supervisor.fate(here);
        let kind = OrphanKind::Network { id: network.id? };
        (fate != Fate::Alive).then_some(Orphan { kind, marker, fate })
    };
    Ok(listed.into_iter().filter_map(orphan).collect())
}

fn orphan_container(container: ContainerSummary, here: &Supervisor) -> Option<Orphan> {
    let marker = Marker::of_labels(&container.labels?)?;
    let fate = marker.supervisor.fate(here);
    let kind = OrphanKind::Container { id: container.id? };
    (fate != Fate::Alive).then_some(Orphan { kind, marker, fate })
}

async fn end_process(orphan: Member, lane: &str) -> Result<(), Error> {
    let deadline = Instant::now() + KILL_DEADLINE;
    while tree::is_living(orphan) {
        tree::send(&[orphan], Signal::KILL);
        if Instant::now() >= deadline {
            return Err(Error::StillThere {
                lane: lane.to_owned(),
                what: format!("process {}", orphan.pid),
                waited_s: KILL_DEADLINE.as_secs_f64(),
            });
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    /// A sweep finds the orphans of every test.
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    /// A process that is marked as a lane of `supervisor`.
    fn lane_of(supervisor: Supervisor) -> (Child, Marker) {
        let marker = Marker { run: "sweep-test".into(), lane: "orphan".into(), launch: 1, supervisor };
        let child = Command::new("sleep").arg("600").envs(marker.environment()).spawn().unwrap();
        // The mark shows once the new program has been executed.
        while !procfs::environment(child.id()).is_some_and(|environment| marker.is_on(&environment)) {
            std::thread::yield_now();
        }
        (child, marker)
    }

    fn pids(orphans: &[Orphan]) -> Vec<u32> {
        let pid = |orphan: &Orphan| match orphan.kind {
            OrphanKind::Process { pid, .. } => Some(pid),
            OrphanKind::Container { .. } | OrphanKind::Network { .. } => None,
        };
        orphans.iter().filter_map(pid).collect()
    }

    #[tokio::test]
    async fn only_lanes_of_dead_supervisors_are_swept() {
        let _alone = ALONE.lock().await;
        let here = Supervisor::current().unwrap();
        let (mut orphan, _) = lane_of(Supervisor { start_ticks: here.start_ticks + 1, ..here.clone() });
        let (mut ours, _) = lane_of(here.clone());
        let (mut foreign, _) = lane_of(Supervisor { pid_namespace: here.pid_namespace + 1, ..here });
        let report = sweep(None).await.unwrap();
        assert!(pids(&report.removed).contains(&orphan.id()));
        assert!(!pids(&report.removed).contains(&ours.id()) && !pids(&report.left).contains(&ours.id()));
        assert!(pids(&report.left).contains(&foreign.id()), "who cannot be judged is left alone and reported");
        assert!(!report.removed.iter().any(|orphan| orphan.fate != Fate::Gone));
        let line = format!("process {} of lane orphan, launch 1, run sweep-test", orphan.id());
        assert!(report.removed.iter().any(|orphan| orphan.to_string() == line));
        assert!(orphan.try_wait().unwrap().is_some(), "the orphan was killed");
        assert!(ours.try_wait().unwrap().is_none() && foreign.try_wait().unwrap().is_none());
        for child in [&mut ours, &mut foreign] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// An engine that says who it is and fails at everything else.
    async fn failing_engine() -> Engine {
        use std::io::{BufRead, BufReader, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let lines = BufReader::new(connection.try_clone().unwrap()).lines();
                let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let asked = head.first().map(String::as_str).unwrap_or_default();
                let (status, body) = match asked {
                    path if path.contains("/version") => ("200 OK", r#"{"ApiVersion":"1.41"}"#),
                    path if path.contains("/info") => ("200 OK", "{}"),
                    _ => ("500 Internal Server Error", r#"{"message":"the store is damaged"}"#),
                };
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\n");
                let _ = write!(connection, "{head}Content-Length: {length}\r\n\r\n{body}");
            }
        });
        Engine::connect(Some(&host)).await.unwrap()
    }

    #[tokio::test]
    async fn an_engine_that_fails_is_reported_and_keeps_no_process_from_being_swept() {
        let _alone = ALONE.lock().await;
        let engine = failing_engine().await;
        let here = Supervisor::current().unwrap();
        let (mut orphan, _) = lane_of(Supervisor { start_ticks: here.start_ticks + 2, ..here });
        let report = sweep(Some(&engine)).await.unwrap();
        let unlisted = report.unlisted.unwrap().to_string();
        assert!(unlisted.contains("listing the containers") && unlisted.contains("store is damaged"), "{unlisted}");
        assert!(pids(&report.removed).contains(&orphan.id()));
        assert!(orphan.wait().unwrap().code().is_none(), "the orphan was killed");
    }

    #[test]
    fn a_process_that_sweeps_spares_its_own_line() {
        let line = own_line(std::process::id());
        assert_eq!(line.first(), Some(&std::process::id()));
        assert!(line.contains(&std::os::unix::process::parent_id()));
    }
}
