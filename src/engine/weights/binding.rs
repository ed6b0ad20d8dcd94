//! Compares a checkpoint with what a config implies, then hands the tensors out one at a time.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Tensor;

use super::Weights;
use crate::engine::config::ModelConfig;
use crate::engine::error::{Error, Result};
use crate::engine::layout::{is_redundant, prefix, tensor_slots};

/// Weights that are known to be all that a config needs, each of the right shape and a readable dtype.
pub(in crate::engine) struct BoundWeights<'a> {
    weights: Weights,
    /// Name in a full model → name in this checkpoint.
    stored_names: BTreeMap<String, String>,
    on_bytes: &'a mut dyn FnMut(u64),
}

impl<'a> BoundWeights<'a> {
    /// Checks names, shapes and dtypes; reads no weights. `on_bytes` hears of every piece that is read later.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::TensorDtype`] or [`Error::UnexpectedTensors`].
    pub(in crate::engine) fn bind(
        config: &ModelConfig,
        weights: Weights,
        on_bytes: &'a mut dyn FnMut(u64),
    ) -> Result<Self> {
        let prefix = prefix(config.architecture);
        let mut stored_names = BTreeMap::new();
        for slot in tensor_slots(config) {
            let bare = slot.name.strip_prefix(prefix).unwrap_or(&slot.name);
            let found = [slot.name.as_str(), bare].into_iter().find_map(|name| Some((name, weights.facts(name)?)));
            let Some((stored_name, facts)) = found else {
                return Err(Error::MissingTensor { name: slot.name, expected: slot.shape });
            };
            if facts.shape != slot.shape {
                let name = stored_name.to_owned();
                return Err(Error::TensorShape { name, expected: slot.shape, found: facts.shape });
            }
            if !facts.readable {
                return Err(Error::TensorDtype { name: stored_name.to_owned(), found: facts.dtype });
            }
            let stored_name = stored_name.to_owned();
            stored_names.insert(slot.name, stored_name);
        }
        refuse_surplus(config, &weights, &stored_names)?;
        Ok(Self { weights, stored_names, on_bytes })
    }

    /// Reads one tensor as f32, by its name in a full model.
    pub(in crate::engine) fn take(&mut self, name: &str) -> Result<Tensor> {
        let stored_name = self.stored_names.get(name).map_or(name, String::as_str);
        let tensor = self.weights.take(stored_name, self.on_bytes)?;
        tensor.ok_or_else(|| Error::MissingTensor { name: name.to_owned(), expected: Vec::new() })
    }
}

/// A tensor that the forward pass would leave out means that the checkpoint is another model than its config says.
fn refuse_surplus(config: &ModelConfig, weights: &Weights, used: &BTreeMap<String, String>) -> Result<()> {
    const SHOWN: usize = 4;
    let used: BTreeSet<&str> = used.values().map(String::as_str).collect();
    let surplus: Vec<&str> =
        weights.names().filter(|name| !used.contains(name) && !is_redundant(config, name)).collect();
    if surplus.is_empty() {
        return Ok(());
    }
    Err(Error::UnexpectedTensors {
        model_type: config.architecture.name(),
        count: surplus.len(),
        examples: surplus.into_iter().take(SHOWN).map(str::to_owned).collect(),
    })
}
