//! GPT-2 (Radford et al. 2019; transformers `GPT2LMHeadModel`).

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::ops::layer_norm;

use super::attention::{attend, causal_mask, split_heads};
use super::linear::Linear;
use crate::engine::cache::LayerCache;
use crate::engine::config::ModelConfig;
use crate::engine::error::Result;
use crate::engine::weights::BoundWeights;

#[derive(Debug)]
pub(super) struct Gpt2 {
    /// `[vocab, hidden]`
    tokens: Tensor,
    /// `[positions, hidden]`
    positions: Tensor,
    blocks: Vec<Block>,
    final_norm: LayerNorm,
    output: Linear,
}

#[derive(Debug)]
struct Block {
    attention_norm: LayerNorm,
    /// To q, k and v side by side.
    attention_in: Linear,
    attention_out: Linear,
    mlp_norm: LayerNorm,
    mlp_in: Linear,
    mlp_out: Linear,
    heads: usize,
    head_dim: usize,
}

#[derive(Debug)]
struct LayerNorm {
    scale: Tensor,
    shift: Tensor,
    eps: f32,
}

impl Gpt2 {
    pub(super) fn build(config: &ModelConfig, weights: &mut BoundWeights<'_>) -> Result<Self> {
        let tokens = weights.take("transformer.wte.weight")?;
        let positions = weights.take("transformer.wpe.weight")?;
        let blocks = (0..config.layers).map(|layer| Block::build(config, layer, weights)).collect::<Result<_>>()?;
        let final_norm = LayerNorm::build(config, "transformer.ln_f", weights)?;
        let output = Linear::output(weights, config.tied_embeddings.then_some(&tokens))?;
        Ok(Self { tokens, positions, blocks, final_norm, output })
    }

    /// `ids`: `[seq]`; `held`: positions already in the caches. Returns the last position's logits, `[1, vocab]`.
    pub(super) fn forward(&self, ids: &Tensor, held: usize, caches: &mut [LayerCache]) -> TensorResult<Tensor> {
        let seq = ids.dim(0)?;
        let mask = causal_mask(seq, held)?;
        let mut x = (self.tokens.index_select(ids, 0)? + self.positions.narrow(0, held, seq)?)?;
        for (block, cache) in self.blocks.iter().zip(caches) {
            x = block.forward(&x, held, mask.as_ref(), cache)?;
        }
        self.output.forward(&self.final_norm.forward(&x.narrow(0, seq - 1, 1)?)?)
    }
}

impl Block {
    fn build(config: &ModelConfig, layer: usize, weights: &mut BoundWeights<'_>) -> Result<Self> {
        let at = |part: &str| format!("transformer.h.{layer}.{part}");
        Ok(Self {
            attention_norm: LayerNorm::build(config, &at("ln_1"), weights)?,
            attention_in: Linear::conv1d(weights, &at("attn.c_attn"))?,
            attention_out: Linear::conv1d(weights, &at("attn.c_proj"))?,
            mlp_norm: LayerNorm::build(config, &at("ln_2"), weights)?,
            mlp_in: Linear::conv1d(weights, &at("mlp.c_fc"))?,
            mlp_out: Linear::conv1d(weights, &at("mlp.c_proj"))?,
            heads: config.heads,
            head_dim: config.head_dim,
        })
    }

    /// `[seq, hidden]` → `[seq, hidden]`.
    fn forward(&self, x: &Tensor, held: usize, mask: Option<&Tensor>, cache: &mut LayerCache) -> TensorResult<Tensor> {
        let width = self.heads * self.head_dim;
        let qkv = self.attention_in.forward(&self.attention_norm.forward(x)?)?;
        let part = |index: usize| split_heads(&qkv.narrow(1, index * width, width)?, self.heads, self.head_dim);
        let (keys, values) = cache.append(held, part(1)?, part(2)?)?;
        let mixed = attend(&part(0)?, &keys, &values, mask)?;
        let x = (x + self.attention_out.forward(&mixed)?)?;
        // `gelu` is the tanh approximation, which is what GPT-2 calls `gelu_new`.
        let inner = self.mlp_in.forward(&self.mlp_norm.forward(&x)?)?.gelu()?;
        x + self.mlp_out.forward(&inner)?
    }
}

impl LayerNorm {
    fn build(config: &ModelConfig, name: &str, weights: &mut BoundWeights<'_>) -> Result<Self> {
        Ok(Self {
            scale: weights.take(&format!("{name}.weight"))?,
            shift: weights.take(&format!("{name}.bias"))?,
            eps: config.norm_eps as f32,
        })
    }

    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        layer_norm(x, &self.scale, &self.shift, self.eps)
    }
}
