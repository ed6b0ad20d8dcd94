//! Workloads of a plan: prompts, lengths, sampling, and the axes that their cells fix.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use super::check_plan::{between, name, range, unique};
use super::document::{Document, key};
use super::raw_plan::RawWorkload;
use super::{Error, ModelSpec, Prompt, Workload};
use crate::terms::{CELL_AXES, SamplingSpec, asks_for_compiled_code, nearest};

/// Longest prompt or output that a plan may ask for; as JSON it must fit into one line of the wire.
const MAX_TOKENS: u32 = 1 << 18;

/// Most combinations of a workload's axes.
const MAX_COMBINATIONS: usize = 10_000;

pub(super) fn check_workloads(
    document: &Document<'_>,
    raw: Vec<RawWorkload>,
    model: &ModelSpec,
) -> Result<Vec<Workload>, Error> {
    if raw.is_empty() {
        return Err(document.fault("workload", "a plan needs at least one [[workload]]", None));
    }
    unique(document, "workload", raw.iter().map(|workload| workload.name.as_str()))?;
    let mut workloads = Vec::with_capacity(raw.len());
    for (index, workload) in raw.into_iter().enumerate() {
        let at = |key: &str| format!("workload[{index}].{key}");
        name(document, &at("name"), &workload.name)?;
        range(document, &at("new_tokens"), workload.new_tokens, 1, MAX_TOKENS)?;
        if workload.phases.is_empty() {
            return Err(document.fault(&at("phases"), "is empty", Some("give at least one phase".to_owned())));
        }
        if workload.phases.iter().collect::<BTreeSet<_>>().len() != workload.phases.len() {
            return Err(document.fault(&at("phases"), "names a phase twice", None));
        }
        let prompt = check_prompt(document, &at, &workload, model)?;
        check_positions(document, &at, model, &prompt, workload.new_tokens)?;
        check_steady(document, &at("steady_within_pct"), &workload)?;
        let sampling = workload.sampling.unwrap_or(SamplingSpec::Greedy);
        check_sampling(document, &at("sampling"), &sampling)?;
        check_axes(document, &at, &workload.axes)?;
        let RawWorkload { name, phases, new_tokens, ignore_eos, axes, stage, steady_within_pct, .. } = workload;
        let told = Workload { name, phases, prompt, new_tokens, sampling, ignore_eos, axes, stage, steady_within_pct };
        workloads.push(told);
    }
    check_stages(document, &workloads)?;
    Ok(workloads)
}

/// A generated model says how long a sequence may be.
fn check_positions(
    document: &Document<'_>,
    at: &dyn Fn(&str) -> String,
    model: &ModelSpec,
    prompt: &Prompt,
    new_tokens: u32,
) -> Result<(), Error> {
    let needed = prompt.count().saturating_add(u64::from(new_tokens));
    match &model.synthetic {
        Some(synthetic) if needed > u64::from(synthetic.max_positions) => {
            let message =
                format!("needs {needed} positions with its prompt, and the model has {}", synthetic.max_positions);
            Err(document.fault(&at("new_tokens"), message, Some("shorten one of the two".to_owned())))
        }
        _ => Ok(()),
    }
}

fn check_prompt(
    document: &Document<'_>,
    at: &dyn Fn(&str) -> String,
    workload: &RawWorkload,
    model: &ModelSpec,
) -> Result<Prompt, Error> {
    match (workload.prompt_tokens, &workload.prompt, &workload.prompt_text) {
        (Some(tokens), None, None) => {
            range(document, &at("prompt_tokens"), tokens, 1, MAX_TOKENS)?;
            let seed = workload.prompt_seed.ok_or_else(|| {
                let hint = "give `prompt_seed`, so that every lane and host draws the same ids".to_owned();
                document.fault(&at("prompt_tokens"), "stands without a seed", Some(hint))
            })?;
            Ok(Prompt::Generated { tokens, seed })
        }
        (None, Some(ids), None) => {
            if ids.is_empty() || ids.len() > MAX_TOKENS as usize {
                return Err(document.fault(
                    &at("prompt"),
                    format!("holds {} ids: expected 1 to {MAX_TOKENS}", ids.len()),
                    None,
                ));
            }
            if let Some(id) = ids.iter().find(|id| **id >= model.vocab_size) {
                let message = format!("id {id} is not below the vocabulary's size {}", model.vocab_size);
                return Err(document.fault(&at("prompt"), message, None));
            }
            Ok(Prompt::Ids(ids.clone()))
        }
        (None, None, Some(text)) if text.is_empty() => Err(document.fault(&at("prompt_text"), "is empty", None)),
        (None, None, Some(text)) => Ok(Prompt::Text(text.clone())),
        _ => {
            let hint = "give exactly one of `prompt_tokens` (with `prompt_seed`), `prompt` or `prompt_text`".to_owned();
            Err(document.fault(&at("name"), "the workload has no prompt, or more than one", Some(hint)))
        }
    }
}

fn check_sampling(document: &Document<'_>, path: &str, sampling: &SamplingSpec) -> Result<(), Error> {
    let SamplingSpec::Seeded { seed: _, temperature, top_k, top_p } = sampling else { return Ok(()) };
    between(document, &format!("{path}.temperature"), *temperature, 0.0, 1_000.0)?;
    if *top_k == Some(0) {
        return Err(document.fault(&format!("{path}.top_k"), "0 keeps no token: expected at least 1", None));
    }
    match top_p {
        Some(p) if !(*p > 0.0 && *p <= 1.0) => Err(document.fault(
            &format!("{path}.top_p"),
            format!("{p} is out of range: expected above 0 and up to 1"),
            None,
        )),
        _ => Ok(()),
    }
}

/// The axes that a workload's cells fix: known ones, each with at least one value, none twice.
fn check_axes(
    document: &Document<'_>,
    at: &dyn Fn(&str) -> String,
    axes: &BTreeMap<String, Vec<String>>,
) -> Result<(), Error> {
    let mut combinations = 1_usize;
    for (axis, values) in axes {
        let path = format!("{}.{}", at("axes"), key(axis));
        if !CELL_AXES.contains(&axis.as_str()) {
            let hint = match nearest(axis, CELL_AXES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("cells may fix: {}", CELL_AXES.join(", ")),
            };
            return Err(document.fault(&path, "is no axis that a cell may fix", Some(hint)));
        }
        if values.is_empty() || values.iter().collect::<BTreeSet<_>>().len() != values.len() {
            return Err(document.fault(&path, "needs at least one value, none twice", None));
        }
        if values.iter().any(|value| value.is_empty() || value.len() > 80) {
            return Err(document.fault(&path, "holds an empty value, or one of more than 80 bytes", None));
        }
        combinations = combinations.saturating_mul(values.len());
    }
    if combinations > MAX_COMBINATIONS {
        let message = format!("gives {combinations} combinations: expected up to {MAX_COMBINATIONS}");
        return Err(document.fault(&at("axes"), message, Some("split the workload".to_owned())));
    }
    Ok(())
}

/// What has to be as it was is what nothing compiled: the rest is what an ablation asks.
fn check_steady(document: &Document<'_>, path: &str, workload: &RawWorkload) -> Result<(), Error> {
    let Some(margin_pct) = workload.steady_within_pct else { return Ok(()) };
    between(document, path, margin_pct, 0.0, 100.0)?;
    match workload.axes.get("compile_mode") {
        Some(modes) if !modes.iter().all(|mode| asks_for_compiled_code(mode)) => Ok(()),
        _ => {
            let hint = "give it `compile_mode = [\"eager\"]` among its axes, or leave the key out".to_owned();
            Err(document.fault(path, "the workload has no eager cell to hold against itself", Some(hint)))
        }
    }
}

/// Stages are numbered without a hole, so that blocks are.
fn check_stages(document: &Document<'_>, workloads: &[Workload]) -> Result<(), Error> {
    let stages: BTreeSet<u32> = workloads.iter().map(|workload| workload.stage).collect();
    let Some((expected, found)) = (0..).zip(&stages).find(|(expected, found)| expected != *found) else {
        return Ok(());
    };
    let index = workloads.iter().position(|workload| workload.stage == *found).unwrap_or(0);
    let message = format!("is {found}, and no workload has stage {expected}");
    Err(document.fault(&format!("workload[{index}].stage"), message, Some("number stages from 0".to_owned())))
}

impl Prompt {
    /// How many token ids it has, as far as that is known before a text is turned into ids.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Generated { tokens, .. } => u64::from(*tokens),
            Self::Ids(ids) => ids.len() as u64,
            Self::Text(_) => 0,
        }
    }

    /// The token ids, or nothing while the prompt is a text.
    #[must_use]
    pub fn ids(&self, vocab_size: u32) -> Option<Vec<u32>> {
        match self {
            Self::Ids(ids) => Some(ids.clone()),
            Self::Text(_) => None,
            Self::Generated { tokens, seed } => {
                let mut random = SplitMix64::seed_from_u64(*seed);
                Some((0..*tokens).map(|_| (random.next_u64() % u64::from(vocab_size.max(1))) as u32).collect())
            }
        }
    }
}
