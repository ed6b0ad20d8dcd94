//! Synthetic checkpoints: a small model with weights from a seed, the same bytes on every machine.
//!
//! Every tensor has a stream of its own: SplitMix64 seeded with the next number of a SplitMix64 that starts with the
//! checkpoint's seed, in the order of the forward pass. A value is `(k - 2^23) * a * 2^-23`, with `k` the top 24 bits
//! of the stream's next number and `a` a power of two, so it is uniform in `[-a, a)` and every step is exact in f32.
//! Factors of normalizations are 1.
//!
//! The amplitudes make greedy output lively and stable. With the spread of a usual initialization the residual stream
//! stays close to the embedding of the last token, and the model maps each token to a fixed next one: a short cycle.
//! So blocks add about as much as the embedding, attention is peaked enough to depend on what came before, and the
//! output projection is a matrix of its own, because one tied to the embedding repeats the last token.

use std::borrow::Cow;
use std::path::Path;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;
use safetensors::Dtype;
use safetensors::tensor::View;
use serde::{Deserialize, Serialize};

use super::config::{Architecture, ModelConfig, Rope};
use super::error::{Error, Result};
use super::layout::{Role, TensorSlot, tensor_slots};
use super::weights::write_files;

/// The shape and the seed of a synthetic model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntheticSpec {
    /// Family.
    pub architecture: Architecture,
    /// Width of the residual stream; a multiple of `heads`.
    pub hidden_size: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`, and equals it for GPT-2.
    pub kv_heads: usize,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Longest sequence, in tokens.
    pub max_positions: usize,
    /// Seed of the weights.
    pub seed: u64,
}

/// A synthetic checkpoint is for tests and quick runs; more than 1 GiB of weights are a typing error.
const PARAMETER_LIMIT: u64 = 1 << 28;

impl SyntheticSpec {
    /// The config of the model. There is no end-of-sequence token, so every run has its full length.
    ///
    /// # Errors
    /// [`Error::InvalidField`] naming the size that is impossible.
    pub fn config(&self) -> Result<ModelConfig> {
        let invalid = |field: &str, found: String, expected: String| Error::InvalidField {
            field: field.to_owned(),
            found,
            expected,
        };
        if self.heads == 0 || !self.hidden_size.is_multiple_of(self.heads) {
            let expected = format!("a divisor of the hidden size {}", self.hidden_size);
            return Err(invalid("heads", self.heads.to_string(), expected));
        }
        let is_gpt2 = self.architecture == Architecture::Gpt2;
        let config = ModelConfig {
            architecture: self.architecture,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.hidden_size / self.heads,
            vocab_size: self.vocab_size,
            max_positions: self.max_positions,
            norm_eps: if is_gpt2 { 1e-5 } else { 1e-6 },
            rope: (!is_gpt2).then_some(Rope { theta: 10_000.0, scaling: None }),
            qkv_bias: self.architecture != Architecture::Llama,
            attention_output_bias: is_gpt2,
            mlp_bias: is_gpt2,
            tied_embeddings: false,
            eos_token_ids: Vec::new(),
        };
        config.check()?;
        let parameters = config.parameters();
        if parameters > PARAMETER_LIMIT {
            let expected = format!("at most {PARAMETER_LIMIT} for a synthetic checkpoint");
            return Err(invalid("number of parameters", parameters.to_string(), expected));
        }
        Ok(config)
    }
}

/// Writes `config.json` and `model.safetensors` of a synthetic model into a folder. The bytes depend on the spec alone.
///
/// # Errors
/// [`Error::InvalidField`] for an impossible spec, [`Error::Write`] when a file cannot be written.
pub fn generate_checkpoint(spec: &SyntheticSpec, dir: &Path) -> Result<()> {
    let config = spec.config()?;
    let mut seeds = SplitMix64::seed_from_u64(spec.seed);
    let tensors = tensor_slots(&config)
        .into_iter()
        .map(|slot| (slot.name.clone(), Synthetic { slot, seed: seeds.next_u64() }))
        .collect();
    write_files(dir, &config, tensors)
}

/// A tensor whose values are computed when its bytes are asked for.
struct Synthetic {
    slot: TensorSlot,
    seed: u64,
}

impl Synthetic {
    fn bytes(&self) -> Vec<u8> {
        let Some(amplitude) = amplitude(self.slot.role) else {
            return 1f32.to_le_bytes().repeat(self.slot.elements());
        };
        let mut stream = SplitMix64::seed_from_u64(self.seed);
        let step = amplitude / (1 << 23) as f32;
        (0..self.slot.elements())
            .flat_map(|_| {
                let centred = (stream.next_u64() >> 40) as i32 - (1 << 23);
                (centred as f32 * step).to_le_bytes()
            })
            .collect()
    }
}

impl View for Synthetic {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.slot.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.bytes())
    }

    fn data_len(&self) -> usize {
        self.slot.elements() * size_of::<f32>()
    }
}

/// Largest size of the values of a tensor, a power of two; `None` where all are 1.
///
/// The gains were chosen by trying: with them, 64 greedy tokens of models of two and four layers are mostly distinct;
/// logits have a standard deviation of about 6, so that the two highest seldom come close; and f32 stays within 2e-4
/// of exact arithmetic (with attention four times as steep it is 5e-4, since small differences grow).
fn amplitude(role: Role) -> Option<f32> {
    match role {
        Role::NormScale => None,
        Role::Embedding => Some(1.0),
        Role::Bias => Some(0.25),
        Role::Projection { inputs } => Some(power_of_two(8, inputs)),
        Role::Output { inputs } => Some(power_of_two(128, inputs)),
    }
}

/// The largest power of two `a`, at most 1 and at least 2^-20, with `a^2 * inputs <= gain`. Features of variance 1
/// then give outputs of variance `a^2 * inputs / 3`, which is a twelfth to a third of `gain`.
fn power_of_two(gain: usize, inputs: usize) -> f32 {
    let fits = |halvings: &i32| inputs as f64 * 0.25f64.powi(*halvings) <= gain as f64;
    let halvings = (0..20).find(fits).unwrap_or(20);
    0.5f32.powi(halvings)
}

#[cfg(test)]
mod tests;
