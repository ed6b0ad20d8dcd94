//! `lockstep clean`.

use crate::cli::assemble::docker_host;
use crate::cli::output::{Format, emit, emit_json};
use crate::cli::{Error, Exit, Project, leftovers};
use crate::supervise;

/// Options of `clean`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep clean\n  lockstep clean --images --models")]
pub(in crate::cli) struct Options {
    /// Also remove the images that lockstep made: those built from its own executable or from a lane's lock, with the
    /// nameless stages of such builds, and those loaded from bundles. Base images that were imported stay, and so do images
    /// of others that a bundle brought, which carry no label of lockstep's: they are named.
    #[arg(long)]
    images: bool,
    /// Also remove generated and downloaded models; the next run generates or downloads them again.
    #[arg(long)]
    models: bool,
    /// Also remove extracted bundles; `run --bundle` extracts them again.
    #[arg(long)]
    bundles: bool,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What went, as `--format json` prints it.
#[derive(serde::Serialize)]
struct Removed<'a> {
    #[serde(flatten)]
    cleaned: &'a supervise::Cleaned,
    /// Half-made folders of processes that are no more, generated models and extracted bundles.
    folders: &'a [String],
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let cleaned = supervise::clean(docker_host().as_deref(), options.images)?;
    let mut folders = leftovers::remove(project)?;
    for (asked, folder) in [(options.models, project.models()), (options.bundles, project.bundles())] {
        if asked {
            folders.extend(leftovers::remove_all(&folder)?);
        }
    }
    match options.format {
        Format::Json => emit_json(&Removed { cleaned: &cleaned, folders: &folders })?,
        Format::Text => {
            let list =
                |word: &str, items: &[String]| items.iter().map(|item| format!("{word} {item}\n")).collect::<String>();
            let removed = [
                list("removed", &cleaned.orphans),
                list("removed image", &cleaned.images),
                list("removed folder", &folders),
            ]
            .concat();
            let removed = if removed.is_empty() { "nothing was left behind\n".to_owned() } else { removed };
            emit(&format!("{removed}{}", list("not looked at or not removed:", &cleaned.left)))?;
        }
    }
    Ok(Exit::AsExpected)
}
