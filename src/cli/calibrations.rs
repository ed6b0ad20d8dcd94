//! What this project knows of how far its hosts can be believed.
//!
//! ```text
//! runs/.calibrations/
//!   MACHINE.json            the newest calibration of a host
//!   MACHINE/KEY/            the pairs it rests on, by plan and executable: PAIR.toml, PAIR.jsonl.xz
//! ```

use std::path::PathBuf;

use super::durable::write_whole;
use super::{Error, Project};
use crate::journal::Calibration;
use crate::terms::Digest;

/// The newest calibration of a host, where there is one.
pub(super) fn known(project: &Project, machine: Digest) -> Result<Option<Calibration>, Error> {
    let path = place(project, machine).with_extension("json");
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let message = format!("{error}; remove the file, or measure again with `lockstep calibrate PLAN`");
            Error::RunFile { path, message }
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("reading", &path)(error)),
    }
}

/// Makes it the newest of the host.
pub(super) fn keep(project: &Project, machine: Digest, calibration: &Calibration) -> Result<PathBuf, Error> {
    let path = place(project, machine).with_extension("json");
    let text = serde_json::to_string_pretty(calibration).map_err(|error| Error::Internal(error.to_string()))?;
    write_whole(&path, format!("{text}\n").as_bytes())?;
    Ok(path)
}

/// The folder of the pairs that were measured on the host by one plan and one executable.
pub(super) fn pairs(project: &Project, machine: Digest, plan: Digest, binary: Digest) -> PathBuf {
    place(project, machine).join(Digest::of(format!("{plan}\n{binary}").as_bytes()).short())
}

fn place(project: &Project, machine: Digest) -> PathBuf {
    project.runs().join(".calibrations").join(machine.short())
}
