//! Everything that a run of a plan uses, gathered for a bundle.

use std::collections::BTreeMap;
use std::path::Path;

use super::assemble::{check_cells, check_model, docker_host, lock_faults_of, own_executable};
use super::leftovers::{Passing, partial_folder};
use super::output::note;
use super::prepare::Experiment;
use super::project::{FoundLane, OWN_MODELS};
use super::{Error, Project};
use crate::bundle::{Contents, Executable, Image, Lane, LeftOut, MadeBy, Model, Source};
use crate::journal::{MAX_JOURNAL_BYTES, decompress, read};
use crate::launch::{ImageLayout, LaidImage};
use crate::lock::{Platform, model_input_files, verify_models};
use crate::plan::{DockerLane, ImageSource, Input, Launcher, Lock, Program};
use crate::snapshot::store;
use crate::supervise::{ImageOrigin, pack_image};
use crate::terms::Digest;

/// Where the executable stands in a bundle.
const EXECUTABLE: &str = "bin/lockstep";

/// What a bundle is written from.
pub(super) struct Gathered {
    pub contents: Contents,
    pub sources: BTreeMap<String, Source>,
    /// The day on which the last accepted verdict was measured, `YYYY-MM-DD`.
    pub measured: Option<String>,
    /// Holds the images until the bundle is written.
    _staging: Passing,
}

/// Gathers what the plan, its lanes (those that were `found` of it) and its model are made of.
pub(super) fn gather(project: &Project, experiment: &Experiment, found: &[FoundLane]) -> Result<Gathered, Error> {
    let plan = &experiment.plan;
    let staging = Passing::create(partial_folder(&project.bundles()))?;
    let mut sources = BTreeMap::new();
    sources.insert(format!("plans/{}.toml", plan.name), Source::Bytes(experiment.text.clone().into_bytes()));
    let executable = own_executable()?;
    let sha256 = Digest::of_file(&executable).map_err(Error::file("reading", &executable))?;
    let mut images = ImageLayout::create(&staging.path().join("images")).map_err(crate::supervise::Error::from)?;
    let mut lanes = Vec::new();
    check_cells(plan, found)?;
    check_model(experiment, found)?;
    for (planned, found) in plan.lanes.iter().zip(found) {
        add_lane(&mut sources, project, found)?;
        lanes.push(lane_of(found, planned.optional, &executable, &mut images, staging.path())?);
    }
    if lanes.iter().any(|lane| lane.image.is_some()) {
        images.finish().map_err(crate::supervise::Error::from)?;
        add_below(&mut sources, &staging.path().join("images"), "images")?;
    }
    let folder = format!("models/{}", plan.model.name);
    for name in experiment.model.files.keys() {
        sources.insert(format!("{folder}/{name}"), Source::File(experiment.model_dir.join(name)));
    }
    sources.insert(EXECUTABLE.to_owned(), Source::Executable(executable));
    let (snapshots, measured) = add_snapshots(&mut sources, project, &plan.name)?;
    let contents = Contents {
        schema: Contents::SCHEMA,
        plan: plan.name.clone(),
        plan_sha256: plan.digest(),
        platform: Platform::host().to_string(),
        made_by: MadeBy { version: env!("CARGO_PKG_VERSION").to_owned() },
        executable: Executable { path: EXECUTABLE.to_owned(), sha256 },
        model: Model { folder, sha256: plan.model.sha256 },
        lanes,
        snapshots,
        files: Vec::new(),
        digest: Digest::of(b""),
    };
    Ok(Gathered { contents, sources, measured, _staging: staging })
}

/// Manifest, lock, shipped files and overlay of a lane. A lock that would keep the lane from running is told here and not
/// on the reviewer's host.
fn add_lane(sources: &mut BTreeMap<String, Source>, project: &Project, found: &FoundLane) -> Result<(), Error> {
    let FoundLane { lane, text, lock, files, source: _, overlays, trees: _, models_root } = found;
    if let Some(fault) = lock_faults_of(found).into_iter().next() {
        return Err(Error::usage(format!("lane {}: {}", lane.name, fault.sentence()), fault.remedy));
    }
    let Some(lock) = lock else {
        return Err(Error::usage(format!("lane {} has no lock", lane.name), format!("`lockstep lock {}`", lane.name)));
    };
    sources.insert(format!("lanes/{}.toml", lane.name), Source::Bytes(text.clone().into_bytes()));
    sources.insert(format!("lockfiles/{}.lock", lane.name), Source::Bytes(lock.to_toml().into_bytes()));
    for (path, bytes) in files {
        sources.insert(format!("containers/{path}"), Source::Bytes(bytes.clone()));
    }
    verify_models(lane, lock, models_root)?;
    for input in lane.inputs.values() {
        let Input::Model { path, .. } = input else { continue };
        for (name, file) in model_input_files(&models_root.join(path))? {
            let inside = if name.is_empty() { path.clone() } else { format!("{path}/{name}") };
            sources.insert(format!("{OWN_MODELS}/{inside}"), Source::File(file));
        }
    }
    let Some(pin) = lock.overlay() else { return Ok(()) };
    let packed = overlays.packed(&pin.recipe, pin.sha256);
    if !packed.is_dir() {
        let found = format!("lane {}: its overlay {} is not packed here", lane.name, pin.recipe);
        return Err(Error::usage(found, format!("`lockstep lock --pack {}` packs it", lane.name)));
    }
    let name = packed.file_name().unwrap_or_default().to_string_lossy().into_owned();
    add_below(sources, &packed, &format!("overlays/packed/{name}"))?;
    if let Some(tool) = project.shipped("overlays/wheel_overlay.py")? {
        sources.insert("containers/overlays/wheel_overlay.py".to_owned(), Source::Bytes(tool));
    }
    Ok(())
}

/// What the list says of a lane, its image put into the layout.
fn lane_of(
    found: &FoundLane,
    optional: bool,
    executable: &Path,
    images: &mut ImageLayout,
    staging: &Path,
) -> Result<Lane, Error> {
    let mut lane = Lane { name: found.lane.name.clone(), image: None, left_out: None, from_host: Vec::new() };
    let docker = match &found.lane.launcher {
        Launcher::Process(process) => {
            if let Program::Interpreter { name, .. } = &process.program {
                lane.from_host.push(name.clone());
            }
            return Ok(lane);
        }
        Launcher::Docker(docker) => docker,
    };
    let mut told = |news: String| note(&format!("{}: {news}", found.lane.name));
    let origin = origin(docker, found, executable)?;
    match pack_image(docker_host().as_deref(), images, origin, &staging.join("image.tar"), &mut told) {
        Ok(LaidImage { reference, config, manifest, diff_ids }) => {
            lane.image = Some(Image { reference, config, manifest, diff_ids });
        }
        Err(error) if optional => {
            note(&format!("lane {} is optional and left out: {error}", lane.name));
            lane.left_out = Some(LeftOut { reason: error.to_string() });
        }
        Err(error) => return Err(error.into()),
    }
    Ok(lane)
}

fn origin<'a>(docker: &DockerLane, found: &'a FoundLane, executable: &'a Path) -> Result<ImageOrigin<'a>, Error> {
    let lock = found.lock.as_ref();
    let unlocked = || Error::Internal("a lane whose lock was checked has none".to_owned());
    Ok(match &docker.image {
        ImageSource::OwnExecutable => ImageOrigin::Executable(executable),
        ImageSource::Registry(_) => ImageOrigin::Pinned(lock.and_then(Lock::image).ok_or_else(unlocked)?),
        ImageSource::Build(_) => ImageOrigin::Built(lock.ok_or_else(unlocked)?, &found.trees),
    })
}

/// The plan's accepted verdicts with their journals, each pair checked; with the day of the last one.
fn add_snapshots(
    sources: &mut BTreeMap<String, Source>,
    project: &Project,
    plan: &str,
) -> Result<(Vec<String>, Option<String>), Error> {
    let mut names = Vec::new();
    let mut measured = None;
    for class in store::classes(&project.snapshots(), plan)? {
        let place = store::place(&project.snapshots(), plan, &class)?;
        let Some(snapshot) = store::read(&place)? else { continue };
        let (stored, archive) = store::read_archive(&place)?;
        let journal = decompress(&archive, MAX_JOURNAL_BYTES)?;
        store::check_seal(&snapshot, &journal, read(&journal)?.head)?;
        measured = measured.max(Some(day(&snapshot.measured_at)));
        let inside = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("snapshots/{plan}/{name}")
        };
        names.push(inside(&place.snapshot));
        sources.insert(inside(&place.snapshot), Source::File(place.snapshot.clone()));
        sources.insert(inside(&stored), Source::Bytes(archive));
    }
    Ok((names, measured))
}

/// The day of an RFC 3339 time.
fn day(time: &str) -> String {
    time.chars().take("YYYY-MM-DD".len()).collect()
}

/// Every file below `folder`, under `inside`.
fn add_below(sources: &mut BTreeMap<String, Source>, folder: &Path, inside: &str) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(Error::file("listing", folder))? {
        let path = entry.map_err(Error::file("listing", folder))?.path();
        let inside = format!("{inside}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            add_below(sources, &path, &inside)?;
        } else {
            sources.insert(inside, Source::File(path));
        }
    }
    Ok(())
}
