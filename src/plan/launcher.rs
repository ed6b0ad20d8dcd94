//! How a lane starts: as a process, or in a container of a named, an own or a built image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::document::{Document, key};
use super::lane::check_version;
use super::raw_lane::{RawDocker, RawLauncher, RawProcess};
use super::{Error, check_plan};

/// What a manifest writes for Lockstep's own executable, and for the image that is built from it.
const OWN: &str = "self";

/// How a lane starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Launcher {
    /// As a process on this host.
    Process(ProcessLane),
    /// In a container of the Docker engine.
    Docker(DockerLane),
}

/// A process lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessLane {
    /// What is executed.
    pub program: Program,
    /// Its arguments; `{files}` and `{own_files}` stand for the folders of `files` and `own_files` on the host.
    pub arguments: Vec<String>,
    /// A shipped folder below `containers/` that the lane executes from, for example `runner`; pinned by the lock.
    pub files: Option<String>,
    /// A further folder below `containers/`, for what is the user's own beside the shipped one; pinned by the lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_files: Option<String>,
}

impl ProcessLane {
    /// What an argument may name: the word, the key that gives it a meaning, and the folder below `containers/`.
    #[must_use]
    pub fn folders(&self) -> [(&'static str, &'static str, Option<&str>); 2] {
        [("{files}", "files", self.files.as_deref()), ("{own_files}", "own_files", self.own_files.as_deref())]
    }
}

/// What a process lane executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// The running `lockstep` executable itself, written `self`.
    OwnExecutable,
    /// A program found on the search path.
    Interpreter {
        /// Its name.
        name: String,
        /// The least version; an older one counts as absent. `--version` is asked.
        minimum_version: Option<String>,
    },
}

/// A container lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DockerLane {
    /// The image that it runs.
    pub image: ImageSource,
    /// Command inside; `{files}` has no meaning here.
    pub command: Vec<String>,
    /// GPUs, by UUID or index; empty: none.
    pub gpus: Vec<String>,
    /// Whether code may be executed and mapped from the scratch folder. A stack that compiles while it runs needs that: it
    /// writes shared libraries there and loads them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scratch_exec: bool,
    /// Files of the image that are read from outside once it runs.
    #[serde(rename = "proof", skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<Proof>,
}

/// A file of the image that shows what the stack was made of. The engine is asked for it, not the runner; it becomes the
/// signals `container.proof.NAME`, which says whether it holds what is named here, and `container.proof.NAME.sha256`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The name in the signals.
    pub name: String,
    /// Where the file stands in the image.
    pub path: String,
    /// Texts that must all stand in it.
    pub holds: Vec<String>,
}

/// Where a container lane's image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// Lockstep makes it from its own executable; written `self`.
    OwnExecutable,
    /// A registry serves it under this reference.
    Registry(String),
    /// It is built from `containers/NAME/Dockerfile`.
    Build(Build),
}

/// An image that is built from a shipped Dockerfile. Everything that the build sees is below `containers/` and pinned
/// by the lock, or is an input of the lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The folder below `containers/` that holds the Dockerfile.
    pub folder: String,
    /// Build arguments that the manifest fixes; the lock fills those that inputs name.
    pub arguments: BTreeMap<String, String>,
    /// A further shipped folder that the build may copy from, for example `runner`.
    pub files: Option<String>,
    /// A shipped folder whose image is built first and kept for each content of it: what takes long and changes seldom.
    /// The lane's own Dockerfile starts from it by the argument `FOUNDATION`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foundation: Option<String>,
}

impl Serialize for ImageSource {
    /// As it stands in the manifest, so that a lane's digest tells what its file tells.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::OwnExecutable => serializer.serialize_str(OWN),
            Self::Registry(reference) => serializer.serialize_str(reference),
            Self::Build(build) => build.serialize(serializer),
        }
    }
}

impl Launcher {
    /// The build of the lane's image, where it has one.
    #[must_use]
    pub fn build(&self) -> Option<&Build> {
        match self {
            Self::Docker(DockerLane { image: ImageSource::Build(build), .. }) => Some(build),
            _ => None,
        }
    }

    /// The reference of the image that the lane runs from a registry.
    #[must_use]
    pub fn registry_image(&self) -> Option<&str> {
        match self {
            Self::Docker(DockerLane { image: ImageSource::Registry(reference), .. }) => Some(reference),
            _ => None,
        }
    }

    /// Whether Lockstep's own executable is what runs.
    #[must_use]
    pub fn is_own_executable(&self) -> bool {
        match self {
            Self::Process(process) => process.program == Program::OwnExecutable,
            Self::Docker(docker) => docker.image == ImageSource::OwnExecutable,
        }
    }

    /// Shipped folders below `containers/` that the lane executes or builds from.
    #[must_use]
    pub fn folders(&self) -> Vec<&str> {
        match self {
            Self::Process(process) => process.folders().into_iter().filter_map(|(_, _, folder)| folder).collect(),
            Self::Docker(_) => self
                .build()
                .map(|build| {
                    let also = [&build.files, &build.foundation].into_iter().filter_map(|folder| folder.as_deref());
                    also.chain([build.folder.as_str()]).collect()
                })
                .unwrap_or_default(),
        }
    }
}

pub(super) fn check_launcher(
    document: &Document<'_>,
    launcher: RawLauncher,
    process: Option<RawProcess>,
    docker: Option<RawDocker>,
) -> Result<Launcher, Error> {
    match (launcher, process, docker) {
        (RawLauncher::Process, Some(process), None) => Ok(Launcher::Process(check_process(document, process)?)),
        (RawLauncher::Docker, None, Some(docker)) => Ok(Launcher::Docker(check_docker(document, docker)?)),
        (RawLauncher::Process, None, _) => {
            Err(document.fault("process", "launcher `process` needs the table [process]", None))
        }
        (RawLauncher::Docker, _, None) => {
            Err(document.fault("docker", "launcher `docker` needs the table [docker]", None))
        }
        (RawLauncher::Process, Some(_), Some(_)) => {
            Err(document.fault("docker", "stands beside launcher `process`", Some("remove the table".to_owned())))
        }
        (RawLauncher::Docker, Some(_), Some(_)) => {
            Err(document.fault("process", "stands beside launcher `docker`", Some("remove the table".to_owned())))
        }
    }
}

fn check_docker(document: &Document<'_>, raw: RawDocker) -> Result<DockerLane, Error> {
    let RawDocker { image, build, foundation, arguments, files, command, gpus, scratch_exec, proofs } = raw;
    let image = match (image, build) {
        (Some(image), None) if image.trim().is_empty() => {
            return Err(document.fault("docker.image", "is empty", Some("give a reference, or `self`".to_owned())));
        }
        (Some(_), None) if !arguments.is_empty() || files.is_some() || foundation.is_some() => {
            let path = match (&files, &foundation) {
                (Some(_), _) => "docker.files",
                (None, Some(_)) => "docker.foundation",
                (None, None) => "docker.arguments",
            };
            return Err(document.fault(path, "is for images that are built", Some("name `docker.build`".to_owned())));
        }
        (Some(image), None) if image == OWN => ImageSource::OwnExecutable,
        (Some(image), None) => ImageSource::Registry(image),
        (None, Some(folder)) => {
            ImageSource::Build(check_build(document, Build { folder, arguments, files, foundation })?)
        }
        (Some(_), Some(_)) => {
            let hint = "a lane has one image: remove one of them".to_owned();
            return Err(document.fault("docker.build", "stands beside `docker.image`", Some(hint)));
        }
        (None, None) => {
            let hint = "give `image`, a reference or `self`, or `build`, a folder below containers/".to_owned();
            return Err(document.fault("docker", "names no image", Some(hint)));
        }
    };
    check_proofs(document, &proofs)?;
    Ok(DockerLane { image, command, gpus, scratch_exec, proofs })
}

fn check_proofs(document: &Document<'_>, proofs: &[Proof]) -> Result<(), Error> {
    for (index, Proof { name, path, holds }) in proofs.iter().enumerate() {
        let at = |key: &str| format!("docker.proof[{index}].{key}");
        check_plan::name(document, &at("name"), name)?;
        if proofs.iter().take(index).any(|other| other.name == *name) {
            return Err(document.fault(&at("name"), format!("{name:?} stands twice"), None));
        }
        if !path.starts_with('/') || path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(document.fault(&at("path"), format!("{path:?} is no absolute path of a file"), None));
        }
        if holds.is_empty() || holds.iter().any(|text| text.trim().is_empty()) {
            return Err(document.fault(&at("holds"), "names no text, so that any file would do", None));
        }
    }
    Ok(())
}

fn check_build(document: &Document<'_>, build: Build) -> Result<Build, Error> {
    let Build { folder, arguments, files, foundation } = &build;
    check_plan::name(document, "docker.build", folder)?;
    for (key, folder) in [("docker.files", files), ("docker.foundation", foundation)] {
        folder.iter().try_for_each(|folder| check_plan::name(document, key, folder))?;
    }
    for (name, value) in arguments {
        let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good || value.contains('\0') {
            let path = format!("docker.arguments.{}", key(name));
            return Err(document.fault(&path, "is no build argument", None));
        }
    }
    Ok(build)
}

fn check_process(document: &Document<'_>, raw: RawProcess) -> Result<ProcessLane, Error> {
    let RawProcess { program, arguments, files, own_files, minimum_version } = raw;
    let program = match program.as_str() {
        "" => return Err(document.fault("process.program", "is empty", Some("give a program, or `self`".to_owned()))),
        "self" if minimum_version.is_some() => {
            return Err(document.fault("process.minimum_version", "has no meaning for `self`", None));
        }
        "self" => Program::OwnExecutable,
        _ => Program::Interpreter { name: program, minimum_version },
    };
    if let Program::Interpreter { minimum_version: Some(version), .. } = &program {
        check_version(document, "process.minimum_version", version)?;
    }
    let process = ProcessLane { program, arguments, files, own_files };
    for (word, key, folder) in process.folders() {
        if let Some(folder) = folder {
            check_plan::name(document, &format!("process.{key}"), folder)?;
        } else if process.arguments.iter().any(|argument| argument.contains(word)) {
            let message = format!("`{word}` is used, and the lane names no `{key}`");
            return Err(document.fault("process.arguments", message, None));
        }
    }
    Ok(process)
}
