//! `lockstep image build NAME`.

use crate::cli::assemble::{docker_host, own_executable};
use crate::cli::durable::write_whole;
use crate::cli::output::{Format, emit, emit_json, note};
use crate::cli::project::FoundLane;
use crate::cli::{Error, Exit, Project};
use crate::lock::{unresolved, verify_lock};
use crate::plan::{Build, DockerLane, ImageSource, Launcher, Lock};
use crate::supervise::{build_from_lock, build_image};
use crate::terms::Digest;

/// Options of `image`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lockstep image build native-container")]
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
    let Action::Build { name, format } = &options.action;
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
    let image = build_from_lock(host.as_deref(), &found.lane, build, lock, &found.files, &mut |step| note(&step))?;
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
