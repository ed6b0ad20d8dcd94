//! From a plan's text to an experiment whose model lies in a folder and whose prompts are token ids.

use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, value};

use super::counts::Counts;
use super::hub_model::hub_model;
use super::leftovers::{Passing, partial_folder};
use super::output::note;
use super::{Error, Project};
use crate::engine::{Architecture, ModelSizes, SyntheticSpec, Tokenizer, WeightsDtype, generate_checkpoint};
use crate::lock::{FolderDigest, folder_digest};
use crate::plan::{Plan, Prompt, Synthetic};
use crate::terms::{Axes, Digest};

/// A plan with everything it needs to run.
#[derive(Debug, Clone)]
pub(super) struct Experiment {
    /// The plan as it is run.
    pub plan: Plan,
    /// Its text: the shipped one, or that with another model, lane choice or tokenized prompts.
    pub text: String,
    /// The checkpoint's folder.
    pub model_dir: PathBuf,
    /// The checkpoint's files.
    pub model: FolderDigest,
    /// Identity axes that the model brings.
    pub axes: Axes,
    /// Positions that the longest cell needs.
    pub max_positions: u32,
}

/// Which checkpoint an experiment takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Model<'a> {
    /// The plan's own, which is generated or downloaded.
    OfPlan,
    /// The one in this folder, in place of the plan's.
    InPlace(&'a Path),
    /// The plan's own, which lies in this folder.
    Known(&'a Path),
}

impl<'a> Model<'a> {
    /// What `--model` means.
    pub(super) fn chosen(folder: Option<&'a Path>) -> Self {
        folder.map_or(Self::OfPlan, Self::InPlace)
    }
}

/// Makes the experiment of the plan in `text`.
pub(super) fn experiment(
    project: &Project,
    file: &str,
    text: &str,
    model: Model<'_>,
    counts: Counts,
) -> Result<Experiment, Error> {
    let _preparing = tracing::debug_span!("preparing", plan = file).entered();
    let text = &with_counts(text, &Plan::parse(file, text)?, counts)?;
    let plan = Plan::parse(file, text)?;
    let (text, model_dir) = match model {
        Model::InPlace(folder) => (with_model(text, &plan, folder, counts)?, folder.to_owned()),
        Model::Known(folder) => (text.to_owned(), folder.to_owned()),
        Model::OfPlan => (text.to_owned(), own_model(project, &plan)?),
    };
    let model_dir = std::path::absolute(&model_dir).map_err(Error::file("finding", &model_dir))?;
    if model_dir.to_str().is_none() {
        let found =
            format!("{} holds bytes that are no UTF-8, which run.json and the wire cannot carry", model_dir.display());
        return Err(Error::usage(found, "give the folder another name, or a link to it"));
    }
    let text = with_token_ids(&text, &Plan::parse(file, &text)?, &model_dir)?;
    let plan = Plan::parse(file, &text)?;
    let model = folder_digest(&model_dir)?;
    if model.digest != plan.model.sha256 {
        let found =
            format!("{} has the digest {}, and the plan pins {}", model_dir.display(), model.digest, plan.model.sha256);
        return Err(Error::usage(found, "give the checkpoint that the plan names, or correct model.sha256"));
    }
    tracing::debug!(folder = %model_dir.display(), digest = %model.digest, "the model");
    tracing::debug!(name = plan.name, digest = %plan.digest(), lanes = plan.lanes.len(), "the plan as it is run");
    let max_positions = check_positions(&plan, ModelSizes::load(&model_dir)?)?;
    let mut axes = Axes::from([("model".to_owned(), model.digest.to_string())]);
    if let Some(tokenizer) = model.files.get("tokenizer.json") {
        axes.insert("tokenizer".to_owned(), tokenizer.to_string());
    }
    Ok(Experiment { plan, text, model_dir, model, axes, max_positions })
}

/// The folder of the checkpoint that the plan says how to come by.
fn own_model(project: &Project, plan: &Plan) -> Result<PathBuf, Error> {
    match (&plan.model.synthetic, &plan.model.hub) {
        (Some(synthetic), _) => synthetic_model(project, plan, synthetic),
        (None, Some(hub)) => hub_model(project, plan, hub),
        (None, None) => {
            let model = &plan.model.name;
            let found = format!(
                "plan {:?} is about the checkpoint {model:?}, which is neither generated nor downloaded",
                plan.name
            );
            Err(Error::usage(found, "name its folder by --model DIR"))
        }
    }
}

/// The plan's text with the checkpoint in `folder` as its model. The plan's name says so, since its snapshots are
/// others'. A large checkpoint is measured less often than the plan says, except for the counts that were asked for.
fn with_model(text: &str, plan: &Plan, folder: &Path, asked: Counts) -> Result<String, Error> {
    let sizes = ModelSizes::load(folder)?;
    let found = folder_digest(folder)?;
    let weights_bytes = weights_bytes(folder, &found)?;
    let folder = std::path::absolute(folder).map_err(Error::file("finding", folder))?;
    let name = folder.file_name().map_or_else(|| "checkpoint".to_owned(), |name| file_name(&name.to_string_lossy()));
    let mut document = parse(text)?;
    document["name"] = value(format!("{}+{name}", plan.name).chars().take(80).collect::<String>());
    let mut table = toml_edit::Table::new();
    table["name"] = value(name);
    table["sha256"] = value(found.digest.to_string());
    table["vocab_size"] = value(i64::try_from(sizes.vocab_size).unwrap_or(i64::MAX));
    document["model"] = Item::Table(table);
    let large = Counts::for_weights(weights_bytes, plan.coverage.min_launches);
    if !large.is_empty() {
        let counts = asked.or(large);
        counts.set(&mut document);
        note(&format!(
            "the checkpoint holds {} MiB of weights, so every lane is measured with {}; \
             --launches, --repetitions and --warmup set other counts",
            weights_bytes >> 20,
            counts.text()
        ));
    }
    Ok(document.to_string())
}

fn weights_bytes(folder: &Path, found: &FolderDigest) -> Result<u64, Error> {
    let weights = found.files.keys().map(|name| folder.join(name));
    let weights = weights.filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    let size = |path: PathBuf| Ok(std::fs::metadata(&path).map_err(Error::file("reading", path))?.len());
    weights.map(size).sum()
}

/// The plan's text with these counts in every lane. The plan's name says so: its snapshots are another's.
fn with_counts(text: &str, plan: &Plan, counts: Counts) -> Result<String, Error> {
    if counts.is_empty() {
        return Ok(text.to_owned());
    }
    let mut document = parse(text)?;
    document["name"] = value(format!("{}{}", plan.name, counts.suffix()).chars().take(80).collect::<String>());
    counts.set(&mut document);
    Ok(document.to_string())
}

/// The characters that a name may hold; each other becomes `-`.
pub(super) fn file_name(text: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = text.chars().map(good).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { "checkpoint".to_owned() } else { name.chars().take(60).collect() }
}

/// The plan's text with every text prompt as token ids.
fn with_token_ids(text: &str, plan: &Plan, model_dir: &Path) -> Result<String, Error> {
    if !plan.workloads.iter().any(|workload| matches!(workload.prompt, Prompt::Text(_))) {
        return Ok(text.to_owned());
    }
    if !model_dir.join("tokenizer.json").exists() {
        plan.cells()?;
    }
    let tokenizer = Tokenizer::load(model_dir)?;
    let mut document = parse(text)?;
    for (index, workload) in plan.workloads.iter().enumerate() {
        let Prompt::Text(prompt) = &workload.prompt else { continue };
        let ids: Array = tokenizer.encode(prompt)?.into_iter().map(i64::from).collect();
        let tables = document.get_mut("workload").and_then(Item::as_array_of_tables_mut);
        let Some(table) = tables.and_then(|tables| tables.get_mut(index)) else {
            let hint = "write each workload as a [[workload]] table";
            return Err(Error::usage(format!("workload {:?} is not a table of its own", workload.name), hint));
        };
        table.remove("prompt_text");
        table["prompt"] = value(ids);
    }
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, Error> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| Error::Internal(format!("a checked plan no longer parses: {error}")))
}

/// The plan narrowed to one lane: hypotheses about others go, and its name says so.
pub(super) fn with_lane_alone(text: &str, plan: &Plan, lane: &str) -> Result<String, Error> {
    let mut document = parse(text)?;
    document["name"] = value(format!("{}+{lane}", plan.name).chars().take(80).collect::<String>());
    let mut tables = toml_edit::ArrayOfTables::new();
    let listed = document.get("lane").and_then(Item::as_array_of_tables);
    let mut table = listed
        .and_then(|lanes| lanes.iter().find(|table| table.get("name").and_then(Item::as_str) == Some(lane)).cloned())
        .unwrap_or_default();
    table["name"] = value(lane);
    // Asked for by name, so its absence is no detail.
    table.remove("optional");
    tables.push(table);
    document["lane"] = Item::ArrayOfTables(tables);
    document.remove("hypothesis");
    keep_expected_failures_of(&mut document, lane);
    Ok(document.to_string())
}

/// Expected failures of other lanes go; those of all lanes are this lane's too.
fn keep_expected_failures_of(document: &mut DocumentMut, lane: &str) {
    let mine = |name: Option<&str>| matches!(name, Some("*")) || name == Some(lane);
    match document.get_mut("expected_failure") {
        Some(Item::ArrayOfTables(tables)) => tables.retain(|table| mine(table.get("lane").and_then(Item::as_str))),
        Some(Item::Value(toml_edit::Value::Array(list))) => {
            list.retain(|value| {
                let table = value.as_inline_table();
                mine(table.and_then(|table| table.get("lane")).and_then(toml_edit::Value::as_str))
            });
        }
        _ => {}
    }
}

/// The folder of the generated checkpoint; generated on first use and checked against the plan's digest.
fn synthetic_model(project: &Project, plan: &Plan, synthetic: &Synthetic) -> Result<PathBuf, Error> {
    let models = project.models();
    let folder = models.join(format!("{}-{}", plan.model.name, plan.model.sha256.short()));
    if folder_digest(&folder).is_ok_and(|found| found.digest == plan.model.sha256) {
        return Ok(folder);
    }
    let spec = synthetic_spec(plan, synthetic)?;
    let partial = Passing::create(partial_folder(&models))?;
    let _generating = tracing::debug_span!("generating the model", name = plan.model.name).entered();
    generate_checkpoint(&spec, partial.path())?;
    check_generated(plan, folder_digest(partial.path())?.digest)?;
    replace(partial.path(), &folder)?;
    Ok(folder)
}

fn check_generated(plan: &Plan, digest: Digest) -> Result<(), Error> {
    if digest == plan.model.sha256 {
        return Ok(());
    }
    let found = format!(
        "the model {:?} was generated with the digest {digest}, and the plan pins {}",
        plan.model.name, plan.model.sha256
    );
    Err(Error::usage(found, "for a new model, write the generated digest into model.sha256"))
}

/// Moves the finished folder into place, read-only; a damaged one that stood there goes.
pub(super) fn replace(partial: &Path, folder: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(partial).map_err(Error::file("listing", partial))?.filter_map(Result::ok) {
        let mut permissions = entry.metadata().map_err(Error::file("reading", entry.path()))?.permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(entry.path(), permissions).map_err(Error::file("protecting", entry.path()))?;
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(Error::file("removing", folder))?;
    }
    match std::fs::rename(partial, folder) {
        // Another lockstep was as quick; both made the same bytes.
        Err(_) if folder_digest(folder).is_ok() => {
            std::fs::remove_dir_all(partial).map_err(Error::file("removing", partial))
        }
        other => other.map_err(Error::file("moving into place", folder)),
    }
}

fn synthetic_spec(plan: &Plan, synthetic: &Synthetic) -> Result<SyntheticSpec, Error> {
    let Synthetic {
        architecture,
        seed,
        hidden_size,
        intermediate_size,
        layers,
        heads,
        kv_heads,
        max_positions,
        dtype,
        tied_embeddings,
        rope_theta,
    } = synthetic;
    let dtype = if dtype.as_deref() == Some("bf16") { WeightsDtype::Bf16 } else { WeightsDtype::F32 };
    let architecture: Architecture = serde_json::from_value(serde_json::Value::String(architecture.clone()))
        .map_err(|error| Error::Internal(format!("a checked plan names the architecture {architecture:?}: {error}")))?;
    Ok(SyntheticSpec {
        architecture,
        hidden_size: *hidden_size as usize,
        intermediate_size: *intermediate_size as usize,
        layers: *layers as usize,
        heads: *heads as usize,
        kv_heads: *kv_heads as usize,
        vocab_size: plan.model.vocab_size as usize,
        max_positions: *max_positions as usize,
        seed: *seed,
        dtype,
        tied_embeddings: *tied_embeddings,
        rope_theta: rope_theta.unwrap_or(10_000),
    })
}

/// The positions of the longest cell, which the model must have.
fn check_positions(plan: &Plan, sizes: ModelSizes) -> Result<u32, Error> {
    let mut most = 0;
    for cell in plan.cells()? {
        let positions = cell.prompt.len() as u64 + u64::from(cell.new_tokens);
        if positions > sizes.max_positions as u64 {
            let found = format!(
                "workload {:?} needs {positions} positions, and the model has {}",
                cell.workload, sizes.max_positions
            );
            return Err(Error::usage(found, "shorten the prompt or the output, or take another model"));
        }
        most = most.max(positions);
    }
    Ok(u32::try_from(most).unwrap_or(u32::MAX))
}
