//! Synthetic checkpoints: a small model with weights from a seed, the same bytes on every machine.
//!
//! Every tensor has a stream of its own: SplitMix64 seeded with the next number of a SplitMix64 that starts with the
//! checkpoint's seed, in the order of the forward pass. A value is `(k - 2^(b-1)) * a * 2^(1-b)`, with `k` the top `b`
//! bits of the stream's next number and `a` a power of two, so it is uniform in `[-a, a)` and exact in the file's number
//! format: `b` is 24 for f32 and 8 for bf16. Factors of normalizations are 1.
//!
//! GPT-2's activation has a mean of its own. It would add the same to every position in every block, and outvote in a deep
//! model what the input adds. So every second row of the matrix behind it is the negative of the row before: the mean goes out.
//!
//! The amplitudes make greedy output lively and stable. With the spread of a usual initialization the residual stream
//! stays close to the embedding of the last token, and the model maps each token to a fixed next one: a short cycle.
//! So blocks add about as much as the embedding, attention is peaked enough to depend on what came before, and the
//! output projection is a matrix of its own, because one tied to the embedding repeats the last token. Where a published
//! model ties the two, the embedding is drawn so small that what the blocks add decides: the last token's own share of its
//! logit is then below the spread of all logits.

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
    /// Number format of the file.
    #[serde(default)]
    pub dtype: WeightsDtype,
    /// Whether the output projection is the embedding.
    #[serde(default)]
    pub tied_embeddings: bool,
    /// Base of the rotary frequencies, where the family has them.
    #[serde(default = "rope_theta")]
    pub rope_theta: u32,
}

/// Number format of a synthetic checkpoint's weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightsDtype {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits with the exponent of 32.
    Bf16,
}

fn rope_theta() -> u32 {
    10_000
}

/// More parameters than any model that a host can be expected to generate are a typing error.
const PARAMETER_LIMIT: u64 = 1 << 34;

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
        if is_gpt2 && self.tied_embeddings {
            // The mean of its activation is not zero: what the blocks add is nearly the same for every input.
            let expected = "false: with tied embeddings random weights of this family repeat one token".to_owned();
            return Err(invalid("tied_embeddings", "true".to_owned(), expected));
        }
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
            rope: (!is_gpt2).then_some(Rope { theta: f64::from(self.rope_theta), scaling: None }),
            qkv_bias: self.architecture != Architecture::Llama,
            attention_output_bias: is_gpt2,
            mlp_bias: is_gpt2,
            tied_embeddings: self.tied_embeddings,
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
        .map(|slot| {
            let amplitude = amplitude(slot.role, spec);
            (slot.name.clone(), Synthetic { slot, amplitude, dtype: spec.dtype, seed: seeds.next_u64() })
        })
        .collect();
    write_files(dir, &config, tensors)
}

/// A tensor whose values are computed when its bytes are asked for.
struct Synthetic {
    slot: TensorSlot,
    /// Largest size of the values; `None` where all are 1.
    amplitude: Option<f32>,
    dtype: WeightsDtype,
    seed: u64,
}

/// Values that one thread makes at a time.
const CHUNK: usize = 1 << 20;

impl Synthetic {
    fn bytes(&self) -> Vec<u8> {
        let width = self.width();
        let mut bytes = vec![0; self.slot.elements() * width];
        let chunks: Vec<_> = bytes.chunks_mut(CHUNK * width).enumerate().collect();
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(chunks.len()).max(1);
        let shares: Vec<Vec<_>> = deal(chunks, workers);
        std::thread::scope(|scope| {
            for share in shares {
                scope.spawn(move || {
                    for (number, chunk) in share {
                        self.fill(number * CHUNK, chunk);
                    }
                });
            }
        });
        bytes
    }

    /// The values from index `first` on.
    fn fill(&self, first: usize, chunk: &mut [u8]) {
        for (index, value) in (first..).zip(chunk.chunks_exact_mut(self.width())) {
            value.copy_from_slice(&self.encoded(self.value(index))[..self.width()]);
        }
    }

    fn value(&self, index: usize) -> f32 {
        match (self.slot.role, &self.slot.shape[..]) {
            (Role::OffCentre { .. }, &[_, outputs]) if index / outputs % 2 == 1 => -self.drawn(index - outputs),
            _ => self.drawn(index),
        }
    }

    /// The generator counts: what it gives at an index needs nothing that came before.
    fn drawn(&self, index: usize) -> f32 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let Some(amplitude) = self.amplitude else { return 1.0 };
        let mut stream = SplitMix64::seed_from_u64(self.seed.wrapping_add(GAMMA.wrapping_mul(index as u64)));
        let bits = self.bits();
        let centred = (stream.next_u64() >> (64 - bits)) as i32 - (1 << (bits - 1));
        centred as f32 * (amplitude / (1_u32 << (bits - 1)) as f32)
    }

    /// Significant bits of a value.
    fn bits(&self) -> u32 {
        match self.dtype {
            WeightsDtype::F32 => 24,
            WeightsDtype::Bf16 => 8,
        }
    }

    fn width(&self) -> usize {
        match self.dtype {
            WeightsDtype::F32 => 4,
            WeightsDtype::Bf16 => 2,
        }
    }

    /// The value in the file's format, in the first bytes; bf16 is the upper half of f32.
    fn encoded(&self, value: f32) -> [u8; 4] {
        match self.dtype {
            WeightsDtype::F32 => value.to_le_bytes(),
            WeightsDtype::Bf16 => (value.to_bits() >> 16).to_le_bytes(),
        }
    }
}

impl View for Synthetic {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            WeightsDtype::F32 => Dtype::F32,
            WeightsDtype::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.slot.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.bytes())
    }

    fn data_len(&self) -> usize {
        self.slot.elements() * self.width()
    }
}

/// Largest size of the values of a tensor, a power of two; `None` where all are 1.
///
/// The gains were chosen by trying: with them, 64 greedy tokens of models of two and four layers are mostly distinct;
/// logits have a standard deviation of about 6, so that the two highest seldom come close; and f32 stays within 2e-4
/// of exact arithmetic (with attention four times as steep it is 5e-4, since small differences grow).
fn amplitude(role: Role, spec: &SyntheticSpec) -> Option<f32> {
    match role {
        Role::NormScale => None,
        Role::Embedding if spec.tied_embeddings => Some(power_of_two(TIED_GAIN, spec.hidden_size)),
        Role::Embedding => Some(1.0),
        Role::Bias => Some(0.25),
        Role::Projection { inputs } => Some(power_of_two(8.0, inputs)),
        // What is left of the activation without its mean is small.
        Role::OffCentre { inputs } => Some(power_of_two(32.0, inputs)),
        Role::Output { inputs } => Some(power_of_two(128.0, inputs)),
    }
}

/// Gain of an embedding that is the output projection too.
const TIED_GAIN: f64 = 0.5;

/// Deals `items` out to `hands`, one after the other.
fn deal<T>(items: Vec<T>, hands: usize) -> Vec<Vec<T>> {
    let mut dealt: Vec<Vec<T>> = (0..hands).map(|_| Vec::new()).collect();
    for (index, item) in items.into_iter().enumerate() {
        if let Some(hand) = dealt.get_mut(index % hands) {
            hand.push(item);
        }
    }
    dealt
}

/// The largest power of two `a`, at most 1 and at least 2^-20, with `a^2 * inputs <= gain`. Features of variance 1
/// then give outputs of variance `a^2 * inputs / 3`, which is a twelfth to a third of `gain`.
fn power_of_two(gain: f64, inputs: usize) -> f32 {
    let fits = |halvings: &i32| inputs as f64 * 0.25f64.powi(*halvings) <= gain;
    let halvings = (0..20).find(fits).unwrap_or(20);
    0.5f32.powi(halvings)
}

#[cfg(test)]
mod decisive_tests;
#[cfg(test)]
mod tests;
