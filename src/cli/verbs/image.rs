//! `lockstep image build NAME`.

use crate::cli::assemble::{docker_host, own_executable};
use crate::cli::output::{Format, emit, emit_json};
use crate::cli::{Error, Exit, Project};
use crate::plan::Launcher;
use crate::supervise::build_image;
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
    /// Build a lane's image and load it into the Docker engine.
    #[command(after_help = "Example:\n  lockstep image build native-container")]
    Build {
        /// Name of a lane whose image is `self`.
        name: String,
        /// How the answer is printed.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// What was built, as `--format json` prints it.
#[derive(serde::Serialize)]
struct Built<'a> {
    reference: &'a str,
    config: Digest,
    diff_ids: &'a [Digest],
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let Action::Build { name, format } = &options.action;
    let found = project.lane(name)?;
    match &found.lane.launcher {
        Launcher::Docker(docker) if docker.image == "self" => {}
        Launcher::Docker(docker) => {
            let found = format!("lane {name} runs the image {}, which is pulled by digest and not built", docker.image);
            return Err(Error::usage(found, format!("`lockstep lock {name}` resolves it")));
        }
        Launcher::Process(_) => {
            return Err(Error::usage(
                format!("lane {name} is a process and has no image"),
                "`lockstep lanes` lists launchers",
            ));
        }
    }
    let image = build_image(docker_host().as_deref(), &own_executable()?)?;
    match format {
        Format::Json => {
            emit_json(&Built { reference: &image.reference, config: image.config, diff_ids: &image.diff_ids })?
        }
        Format::Text => {
            let layers: Vec<String> = image.diff_ids.iter().map(|digest| format!("  layer {digest}\n")).collect();
            emit(&format!("{}\n  config {}\n{}", image.reference, image.config, layers.concat()))?;
        }
    }
    Ok(Exit::AsExpected)
}
