//! `lockstep model pin REPOSITORY`.

use std::fmt::Write as _;
use std::path::Path;

use crate::cli::leftovers::{Passing, partial_folder};
use crate::cli::output::{Format, emit, emit_json};
use crate::cli::prepare::file_name;
use crate::cli::{Error, Exit, Project, environment};
use crate::engine::ModelSizes;
use crate::lock::{pin_checkpoint, pinned_digest};
use crate::plan::{Hub, HubFile, ModelSpec};

const PIN_EXAMPLES: &str = "Examples:\n  lockstep model pin Qwen/Qwen2.5-0.5B\n  \
                            lockstep model pin meta-llama/Llama-3.2-1B --revision main    (with HF_TOKEN, since it is gated)";

/// Options of `model`.
#[derive(Debug, clap::Args)]
#[command(after_help = PIN_EXAMPLES)]
pub(in crate::cli) struct Options {
    #[command(subcommand)]
    action: Action,
}

/// What is done with models.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print the tables of a plan that pin a model hub's checkpoint: its commit, and each file's size and SHA-256.
    ///
    /// The hub is https://huggingface.co, or what HF_ENDPOINT names; an access token is taken from HF_TOKEN. No weights
    /// are downloaded; the first run of the plan does that.
    #[command(after_help = PIN_EXAMPLES)]
    Pin {
        /// The repository, OWNER/NAME.
        repository: String,
        /// A branch, tag or commit.
        #[arg(long, default_value = "main")]
        revision: String,
        /// How the answer is printed; text is TOML.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let Action::Pin { repository, revision, format } = &options.action;
    let model = pinned(repository, revision, Passing::create(partial_folder(&project.models()))?.path())?;
    match format {
        Format::Json => emit_json(&model)?,
        Format::Text => emit(&text(&model))?,
    }
    Ok(Exit::AsExpected)
}

fn pinned(repository: &str, revision: &str, scratch: &Path) -> Result<ModelSpec, Error> {
    let hub = pin_checkpoint(&environment::hub()?, repository, revision, scratch)?;
    let sizes = ModelSizes::load(scratch)?;
    let vocab_size = u32::try_from(sizes.vocab_size).map_err(|_| {
        let found = format!("{repository} has a vocabulary of {}", sizes.vocab_size);
        Error::usage(found, "no plan takes that: give another model")
    })?;
    let name = file_name(repository.rsplit('/').next().unwrap_or(repository));
    Ok(ModelSpec { name, sha256: pinned_digest(&hub), vocab_size, synthetic: None, hub: Some(hub) })
}

/// The tables as they stand in a plan. Names and digests hold nothing that TOML would have to escape.
fn text(model: &ModelSpec) -> String {
    let ModelSpec { name, sha256, vocab_size, synthetic: _, hub } = model;
    let mut text = format!("[model]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nvocab_size = {vocab_size}\n");
    let Some(Hub { repository, revision, files }) = hub else { return text };
    let _ = write!(text, "\n[model.hub]\nrepository = \"{repository}\"\nrevision = \"{revision}\"\nfiles = [\n");
    for HubFile { name, bytes, sha256 } in files {
        let _ = writeln!(text, "    {{ name = \"{name}\", bytes = {bytes}, sha256 = \"{sha256}\" }},");
    }
    text.push_str("]\n");
    text
}
