//! What this project knows of how far its hosts can be believed.
//!
//! A host is a machine of a host class: copies of one disk share their machine id on unlike hardware, and a machine whose
//! processors or GPUs were changed is another host.
//!
//! ```text
//! runs/.calibrations/
//!   MACHINE-CLASS.json      the newest calibration of a host
//!   MACHINE-CLASS/KEY/      the pairs it rests on, by plan and executable: PAIR.toml, PAIR.jsonl.xz
//! ```

use std::path::PathBuf;

use super::durable::write_whole;
use super::output::note;
use super::{Error, Project};
use crate::journal::Calibration;
use crate::snapshot::host_class;
use crate::terms::{Digest, HostFacts};

/// The newest calibration of a host, where there is one; says so where there is one of its machine id alone.
pub(super) fn known(project: &Project, host: &HostFacts) -> Result<Option<Calibration>, Error> {
    let (path, class) = (file(project, host), host_class(host));
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            for other in others(project, host) {
                leave_out(&other, class.as_str());
            }
            return Ok(None);
        }
        Err(error) => return Err(Error::file("reading", &path)(error)),
    };
    let found: Calibration = serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("{error}; remove the file, or measure again with `lockstep calibrate PLAN`");
        Error::RunFile { path, message }
    })?;
    if found.host_class.as_deref() == Some(class.as_str()) {
        return Ok(Some(found));
    }
    leave_out(found.host_class.as_deref().unwrap_or_default(), class.as_str());
    Ok(None)
}

/// Makes it the newest of the host.
pub(super) fn keep(project: &Project, host: &HostFacts, calibration: &Calibration) -> Result<PathBuf, Error> {
    let path = file(project, host);
    let text = serde_json::to_string_pretty(calibration).map_err(|error| Error::Internal(error.to_string()))?;
    write_whole(&path, format!("{text}\n").as_bytes())?;
    Ok(path)
}

/// The folder of the pairs that were measured on the host by one plan and one executable.
pub(super) fn pairs(project: &Project, host: &HostFacts, plan: Digest, binary: Digest) -> PathBuf {
    folder(project).join(name(host)).join(Digest::of(format!("{plan}\n{binary}").as_bytes()).short())
}

fn leave_out(other: &str, class: &str) {
    let other = if other.is_empty() { "a host class that it does not name" } else { other };
    note(&format!(
        "the calibration of this machine id was measured on {other}, and this host is {class}: it says nothing of this \
         host and is left out; `lockstep calibrate PLAN` measures this one"
    ));
}

/// Host classes of which calibrations with this machine id lie here; empty for one that an earlier version kept.
fn others(project: &Project, host: &HostFacts) -> Vec<String> {
    let machine = host.machine.short();
    let class = |name: &str| {
        let rest = name.strip_suffix(".json")?.strip_prefix(&machine)?;
        if rest.is_empty() { Some(String::new()) } else { rest.strip_prefix('-').map(str::to_owned) }
    };
    let entries = std::fs::read_dir(folder(project)).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<String> = entries.filter_map(|entry| class(&entry.file_name().to_string_lossy())).collect();
    found.sort();
    found
}

fn file(project: &Project, host: &HostFacts) -> PathBuf {
    folder(project).join(format!("{}.json", name(host)))
}

fn name(host: &HostFacts) -> String {
    format!("{}-{}", host.machine.short(), host_class(host).as_str())
}

fn folder(project: &Project) -> PathBuf {
    project.runs().join(".calibrations")
}
