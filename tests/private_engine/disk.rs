//! An engine whose disk is full.

use std::fs::File;
use std::io::Write as _;

use lockstep::terms::{FailureClass, Outcome};

use crate::daemon::{Daemon, Settings};
use crate::lane_project::{ContainerLane, archive, lockstep, settled};
use crate::project::{PlanText, Project};
use crate::pulls::Served;

/// Twice the image and what the daemon itself keeps.
const DISK_MIB: u32 = 320;

pub fn full(_: &Daemon) {
    let served = Served::start("disk/full", &archive());
    let settings = Settings { disk_mib: Some(DISK_MIB), ..Settings::default() };
    let daemon = Daemon::start(settings).expect("a daemon started before");
    let project = Project::new();
    ContainerLane::new("roomy", "none").write(&project, &served.reference);
    project.plan(&PlanText { repetitions: 1, ..PlanText::new("one", &["roomy"]) });
    lockstep(&project, &daemon, &["lock", "roomy"]).exits(0);

    let ballast = daemon.data().join("ballast");
    fill(&ballast, 16);
    let (run, ledger) = settled(&project, &daemon, lockstep(&project, &daemon, &["run", "one"]));
    run.ended.exits(3);
    let refused = ledger.rows_of("roomy");
    assert!(refused.iter().all(|row| row.outcome == Outcome::Refused), "{:?}", ledger.outcomes("roomy"));
    let failure = refused.first().and_then(|row| row.failure.clone()).expect("a refusal says why");
    assert_eq!(failure.class, FailureClass::Launch, "{failure:?}");
    assert!(failure.message.contains("no space left on device"), "{failure:?}");

    std::fs::remove_file(&ballast).expect("there is room again");
    let (run, ledger) = settled(&project, &daemon, lockstep(&project, &daemon, &["run", "one"]));
    run.exits(0);
    assert_eq!(ledger.outcomes("roomy"), [(Outcome::Ok, 6)].into());

    // The image is there now, and a container takes room too.
    fill(&ballast, 0);
    let (run, ledger) = settled(&project, &daemon, lockstep(&project, &daemon, &["run", "one"]));
    let row = ledger.rows_of("roomy").first().copied().cloned().expect("there is a row");
    let failure = row.failure.expect("a row that is not ok says why");
    assert_eq!(failure.class, FailureClass::Launch, "{failure:?}, {:?}", run.ended);
    assert!(failure.message.contains("no space left on device"), "{failure:?}");
}

/// Writes until only `left_mib` are free.
fn fill(path: &std::path::Path, left_mib: u64) {
    let folder = path.parent().expect("a file has a folder");
    let stat = rustix::fs::statvfs(folder).expect("a file system says how much is free");
    let wanted = (stat.f_bavail * stat.f_frsize).saturating_sub(left_mib << 20);
    let mut file = File::create(path).expect("a file can be made");
    let chunk = vec![0_u8; 1 << 20];
    let mut written = 0_u64;
    while written < wanted {
        let next = chunk.len().min(usize::try_from(wanted - written).unwrap_or(chunk.len()));
        match file.write(&chunk[..next]) {
            Ok(count) => written += count as u64,
            // The daemon writes meanwhile.
            Err(_) => break,
        }
    }
}
