//! A bundle as the one source of a run: where it is extracted to, and what of it each lane takes.
//!
//! ```text
//! FILE ──extract, every byte compared──▶ runs/.bundles/DIGEST ──▶ plan, lanes, locks, files, model, images, executable
//!                                              │ compared again when the run has measured
//!                                              ▼
//!                                        runs/ID/bundle.json, and signals in the journal's header
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::leftovers::{Passing, partial_folder};
use super::project::FoundLane;
use super::{Error, Project};
use crate::bundle::{self, Bundle};
use crate::launch::{LaidImage, PackedImage};
use crate::lock::Platform;
use crate::plan::Launcher;
use crate::supervise::{LaneExecutable, Packed};
use crate::terms::{Digest, Signal};

/// The bundle that a run takes everything from, as `run.json` names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BundleFacts {
    /// The bundle's digest.
    pub sha256: Digest,
    /// Where it was extracted to.
    pub folder: PathBuf,
}

impl BundleFacts {
    pub(super) fn of(bundle: &Bundle) -> Self {
        Self { sha256: bundle.contents.digest, folder: bundle.folder.clone() }
    }

    /// The extracted bundle, every byte of it compared again.
    pub(super) fn open(&self) -> Result<Bundle, Error> {
        if !self.folder.is_dir() {
            let found = format!("the extracted bundle {} is not there any more", self.folder.display());
            return Err(Error::usage(found, "`lockstep run --bundle FILE` begins anew"));
        }
        let bundle = bundle::check(&self.folder)?;
        if bundle.contents.digest != self.sha256 {
            let found = format!("{} holds another bundle than the run began with", self.folder.display());
            return Err(Error::usage(found, "`lockstep run --bundle FILE` begins anew"));
        }
        Ok(bundle)
    }
}

/// Extracts `file` below the project's runs; a bundle that was extracted before is compared and taken as it is.
pub(super) fn unpack(project: &Project, file: &Path, expected: Option<Digest>) -> Result<Bundle, Error> {
    std::fs::File::open(file).map_err(Error::file("opening the bundle", file))?;
    let folder = project.bundles();
    let partial = Passing::place(partial_folder(&folder))?;
    let _extracting = tracing::debug_span!("extracting the bundle", file = %file.display()).entered();
    let bundle = bundle::extract(file, partial.path())?;
    check_fits(&bundle, file, expected)?;
    settle(&bundle, &folder)
}

fn check_fits(bundle: &Bundle, file: &Path, expected: Option<Digest>) -> Result<(), Error> {
    let digest = bundle.contents.digest;
    if let Some(expected) = expected.filter(|expected| *expected != digest) {
        let found = format!("{} is the bundle {digest}, and {expected} was asked for", file.display());
        return Err(Error::usage(found, "take the bundle from whoever published that digest"));
    }
    let (host, meant) = (Platform::host().to_string(), &bundle.contents.platform);
    if host != *meant {
        let found = format!("{} is for {meant}, and this host is {host}", file.display());
        return Err(Error::usage(found, format!("run it on such a host, or ask for a bundle for {host}")));
    }
    Ok(())
}

/// Moves the extracted bundle to where it is found by its digest.
fn settle(bundle: &Bundle, folder: &Path) -> Result<Bundle, Error> {
    let target = folder.join(bundle.contents.digest.hex());
    if target.exists() {
        if let Ok(known) = bundle::check(&target) {
            std::fs::remove_dir_all(&bundle.folder).map_err(Error::file("removing", &bundle.folder))?;
            return Ok(known);
        }
        std::fs::remove_dir_all(&target).map_err(Error::file("removing", &target))?;
    }
    std::fs::rename(&bundle.folder, &target).map_err(Error::file("moving into place", &target))?;
    Ok(Bundle { folder: target, contents: bundle.contents.clone() })
}

/// The lockstep that lanes run where their manifest says `self`.
pub(super) fn executable(bundle: &Bundle) -> LaneExecutable {
    let own = &bundle.contents.executable;
    LaneExecutable { path: bundle.path(&own.path), digest: own.sha256 }
}

/// What the bundle holds of a container lane; nothing for a lane that is none.
pub(super) fn packed(bundle: &Bundle, found: &FoundLane) -> Option<Packed> {
    let Launcher::Docker(_) = &found.lane.launcher else { return None };
    let listed = bundle.contents.lane(&found.lane.name);
    let image = listed.and_then(|lane| lane.image.clone()).map(|image| {
        let bundle::Image { reference, config, manifest, diff_ids } = image;
        let image = LaidImage { reference, config, manifest, diff_ids };
        Packed::Image(PackedImage { layout: bundle.path("images"), image })
    });
    let missing = || {
        let reason = listed.and_then(|lane| lane.left_out.clone()).map(|left| left.reason);
        Packed::Missing(reason.unwrap_or_else(|| "its list does not say why".to_owned()))
    };
    Some(image.unwrap_or_else(missing))
}

/// What stands in the journal about it: which bundle, and whether anything else could have been reached.
pub(super) fn signals(bundle: &Bundle) -> Vec<Signal> {
    let from_host = bundle.contents.lanes.iter().flat_map(|lane| lane.from_host.clone());
    vec![
        Signal::outside("bundle.sha256", bundle.contents.digest.to_string()),
        Signal::outside("bundle.files", i64::try_from(bundle.contents.files.len()).unwrap_or(i64::MAX)),
        Signal::outside("bundle.programs_of_host", from_host.collect::<Vec<_>>().join(" ")),
        Signal::outside("host.has_route", has_route()),
    ]
}

/// Whether this process can reach other hosts at all: some network interface but the loopback has a route.
pub(super) fn has_route() -> bool {
    let lines = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let v4 = lines("/proc/self/net/route").lines().skip(1).any(|line| !line.starts_with("lo\t"));
    let v6 = lines("/proc/self/net/ipv6_route").lines().any(|line| line.split_whitespace().last() != Some("lo"));
    v4 || v6
}

/// Puts the packed overlays of a bundle where lanes unpack them from; what they hold is compared with the lock there.
pub(super) fn lay_out_overlays(project: &Project, bundle: &Bundle) -> Result<(), Error> {
    let target = project.overlay_folder();
    for file in &bundle.contents.files {
        let Some(inside) = file.path.strip_prefix("overlays/") else { continue };
        let path = target.join(inside);
        if Digest::of_file(&path).is_ok_and(|found| found == file.sha256) {
            continue;
        }
        let bytes = std::fs::read(bundle.path(&file.path)).map_err(Error::file("reading", bundle.path(&file.path)))?;
        super::durable::write_whole(&path, &bytes)?;
    }
    Ok(())
}
