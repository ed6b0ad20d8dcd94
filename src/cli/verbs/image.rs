//! `lockstep image build NAME` and `lockstep image import LANE INPUT FILE`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::assemble::{docker_host, own_executable};
use crate::cli::durable::write_whole;
use crate::cli::output::{Format, emit, emit_json, note};
use crate::cli::project::FoundLane;
use crate::cli::{Error, Exit, Project};
use crate::launch::archive_path;
use crate::lock::{DebianFile, RegistryOptions, as_of, debian_files, unresolved, verify_lock};
use crate::plan::{Build, Content, DockerLane, ImageSource, Input, Launcher, Lock, LockedInput, archive_name};
use crate::supervise::{build_from_lock, build_image, import_base_image};
use crate::terms::Digest;

/// Options of `image`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lockstep image build native-container\n  lockstep image import python-gil base base.tar"
)]
pub(in crate::cli) struct Options {
    #[command(subcommand)]
    action: Action,
}

/// What is done with images.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Build a lane's image from the executable or from its Dockerfile and lock, into the Docker engine.
    #[command(after_help = "Examples:\n  lockstep image build native-container\n  lockstep image build aot-eager")]
    Build {
        /// Name of a lane whose image is `self` or built.
        name: String,
        /// How the answer is printed.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Give the Docker engine a root file system in place of a base image that no registry serves here, and write into the
    /// lane's lock which it is.
    #[command(after_help = "Example:\n  lockstep image import python-gil base base.tar")]
    Import {
        /// Name of a lane whose image is built.
        lane: String,
        /// The input that the root file system stands in for, an image.
        input: String,
        /// The root file system, a tar archive.
        file: PathBuf,
        /// Take it although the lock names another.
        #[arg(long)]
        replace: bool,
    },
}

/// What was built, as `--format json` prints it.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Built<'a> {
    Own {
        reference: &'a str,
        config: Digest,
        diff_ids: &'a [Digest],
    },
    Lane {
        reference: &'a str,
        id: Digest,
        /// Digest of the normalised file tree.
        tree: Digest,
    },
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let (name, format) = match &options.action {
        Action::Build { name, format } => (name, format),
        Action::Import { lane, input, file, replace } => return import(project, lane, input, file, *replace),
    };
    let found = project.lane(name)?;
    match &found.lane.launcher {
        Launcher::Docker(DockerLane { image: ImageSource::OwnExecutable, .. }) => own(*format),
        Launcher::Docker(DockerLane { image: ImageSource::Build(build), .. }) => {
            from_dockerfile(project, &found, build, *format)
        }
        Launcher::Docker(DockerLane { image: ImageSource::Registry(reference), .. }) => {
            let found = format!("lane {name} runs the image {reference}, which is pulled by digest and not built");
            Err(Error::usage(found, format!("`lockstep lock {name}` resolves it")))
        }
        Launcher::Process(_) => {
            let found = format!("lane {name} is a process and has no image");
            Err(Error::usage(found, "`lockstep lanes` lists launchers"))
        }
    }
}

fn own(format: Format) -> Result<Exit, Error> {
    let image = build_image(docker_host().as_deref(), &own_executable()?)?;
    match format {
        Format::Json => {
            emit_json(&Built::Own { reference: &image.reference, config: image.config, diff_ids: &image.diff_ids })?
        }
        Format::Text => {
            let layers: Vec<String> = image.diff_ids.iter().map(|digest| format!("  layer {digest}\n")).collect();
            emit(&format!("{}\n  config {}\n{}", image.reference, image.config, layers.concat()))?;
        }
    }
    Ok(Exit::AsExpected)
}

/// Builds from the lock, and holds the result against what an earlier build of the same lock gave.
fn from_dockerfile(project: &Project, found: &FoundLane, build: &Build, format: Format) -> Result<Exit, Error> {
    let name = &found.lane.name;
    let relock = format!("run `lockstep lock {name}`");
    let Some(lock) = &found.lock else {
        return Err(Error::usage(format!("lane {name} has no lock to build from"), relock));
    };
    verify_lock(&found.lane, lock, &found.file_digests(), None)?;
    if let Some((text, resolve)) = unresolved(&found.lane, lock).into_iter().next() {
        note(&format!("{name}: {text}; to resolve: {resolve}"));
        return Ok(Exit::Refused);
    }
    let host = docker_host();
    let files = context(project, found, lock)?;
    let image = build_from_lock(host.as_deref(), &found.lane, build, lock, &files, &mut |step| note(&step))?;
    match format {
        Format::Json => emit_json(&Built::Lane { reference: &image.reference, id: image.id, tree: image.tree })?,
        Format::Text => emit(&format!("{}\n  id {}\n  tree {}\n", image.reference, image.id, image.tree))?,
    }
    match lock.built {
        Some(before) if before != image.tree => {
            note(&format!("{name}: this is another stack than the one that was built before (tree {before})"));
            Ok(Exit::Refused)
        }
        Some(_) => Ok(Exit::AsExpected),
        None => {
            let lock = Lock { built: Some(image.tree), ..lock.clone() };
            let path = project.root().join("lockfiles").join(format!("{name}.lock"));
            write_whole(&path, lock.to_toml().as_bytes())?;
            note(&format!("{name}: its lock says now what it builds: {}", path.display()));
            Ok(Exit::AsExpected)
        }
    }
}

/// All that the build sees: the lane's shipped files, and the archives and Debian's packages among its inputs.
fn context(project: &Project, found: &FoundLane, lock: &Lock) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = found.files.clone();
    let archives = project.archives();
    for (name, input) in &found.lane.inputs {
        let wanted = match input {
            Input::Archive { url, sha256 } => vec![DebianFile { url: url.clone(), sha256: *sha256 }],
            Input::Debian { .. } => listed(found, input)?,
            _ => continue,
        };
        note(&format!("{}: {}", found.lane.name, input.words()));
        let day = match lock.inputs.get(name) {
            Some(LockedInput::Verified { seen, .. }) => Some(seen),
            _ => None,
        };
        for DebianFile { url, sha256 } in wanted {
            let dated = day.and_then(|day| as_of(&url, day));
            let bytes = archives.bytes(&url, dated.as_deref(), sha256, &RegistryOptions::default())?;
            files.insert(archive_path(name, archive_name(&url)), bytes);
        }
    }
    Ok(files)
}

/// The files of a list of Debian's packages, which the lock was compared with before.
fn listed(found: &FoundLane, input: &Input) -> Result<Vec<DebianFile>, Error> {
    let path = input.files().unwrap_or_default();
    let text = found.files.get(&path).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    Ok(debian_files(&format!("containers/{path}"), &text)?)
}

/// Takes in a root file system for an input, and says in the lock which it is.
fn import(project: &Project, name: &str, input: &str, file: &Path, replace: bool) -> Result<Exit, Error> {
    let found = project.lane(name)?;
    let images = || found.lane.inputs.iter().filter(|(_, input)| matches!(input, Input::Image { .. }));
    let Some((_, Input::Image { reference, .. })) = images().find(|(known, _)| *known == input) else {
        let known: Vec<&str> = images().map(|(known, _)| known.as_str()).collect();
        let hint = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        return Err(Error::usage(format!("lane {name} has no input {input:?} that is an image"), hint));
    };
    let relock = format!("run `lockstep lock {name}`");
    let Some(lock) = &found.lock else {
        return Err(Error::usage(format!("lane {name} has no lock that could say what its {input} is"), relock));
    };
    // A base is what it is whatever has become of the files that go into the image: `lockstep lock` itself needs it first.
    verify_lock(&found.lane, lock, &lock.files, None)?;
    let archive = std::fs::read(file).map_err(Error::file("reading the root file system", file))?;
    let image = import_base_image(docker_host().as_deref(), file, archive)?;
    emit(&format!("{}\n  tree {}\n", image.reference, image.tree))?;
    let content = Content::LocalImage { reference: reference.clone(), tree: image.tree };
    match lock.inputs.get(input).and_then(LockedInput::content) {
        Some(known) if *known == content => {
            note(&format!("{name}: its lock names this very tree for {input}"));
            return Ok(Exit::AsExpected);
        }
        Some(known @ (Content::LocalImage { .. } | Content::Image(_))) if !replace => {
            note(&format!(
                "{name}: its lock names {} for {input}; --replace takes this one in its place",
                known.short()
            ));
            return Ok(Exit::Refused);
        }
        _ => {}
    }
    let entry = LockedInput::Verified {
        seen: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        by: "the Docker engine of one host, which was given its files; no registry was asked".to_owned(),
        content,
    };
    let mut lock = Lock { built: None, ..lock.clone() };
    lock.inputs.insert(input.to_owned(), entry);
    let path = project.root().join("lockfiles").join(format!("{name}.lock"));
    write_whole(&path, lock.to_toml().as_bytes())?;
    note(&format!("{name}: its lock says now what {input} is: {}", path.display()));
    Ok(Exit::AsExpected)
}
