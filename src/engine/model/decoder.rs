//! Llama (Touvron et al. 2023; transformers `LlamaForCausalLM`) and Qwen2 (Yang et al. 2024; `Qwen2ForCausalLM`),
//! which differ in their biases alone.

use candle_core::{Result as TensorResult, Tensor};
use candle_nn::ops::{rms_norm, swiglu};

use super::attention::{attend, causal_mask, split_heads};
use super::linear::Linear;
use super::rotary::RotaryTable;
use crate::engine::cache::LayerCache;
use crate::engine::config::ModelConfig;
use crate::engine::error::{Error, Result};
use crate::engine::weights::BoundWeights;

#[derive(Debug)]
pub(super) struct Decoder {
    /// `[vocab, hidden]`
    tokens: Tensor,
    rotary: RotaryTable,
    blocks: Vec<Block>,
    final_norm: RmsNorm,
    output: Linear,
}

#[derive(Debug)]
struct Block {
    attention_norm: RmsNorm,
    /// To q, k and v side by side.
    attention_in: Linear,
    attention_out: Linear,
    mlp_norm: RmsNorm,
    /// To gate and up side by side.
    mlp_in: Linear,
    mlp_out: Linear,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

/// Root mean square normalization (Zhang and Sennrich 2019).
#[derive(Debug)]
struct RmsNorm {
    scale: Tensor,
    eps: f32,
}

impl Decoder {
    pub(super) fn build(config: &ModelConfig, weights: &mut BoundWeights<'_>) -> Result<Self> {
        let Some(rope) = &config.rope else {
            let field = "rope".to_owned();
            return Err(Error::InvalidField {
                field,
                found: "absent".to_owned(),
                expected: "a rotary embedding".to_owned(),
            });
        };
        let rotary = RotaryTable::new(rope, config.head_dim, config.max_positions)?;
        let tokens = weights.take("model.embed_tokens.weight")?;
        let blocks = (0..config.layers).map(|layer| Block::build(config, layer, weights)).collect::<Result<_>>()?;
        let final_norm = RmsNorm::build(config, "model.norm.weight", weights)?;
        let output = Linear::output(weights, config.tied_embeddings.then_some(&tokens))?;
        Ok(Self { tokens, rotary, blocks, final_norm, output })
    }

    /// `ids`: `[seq]`; `held`: positions already in the caches. Returns the last position's logits, `[1, vocab]`.
    pub(super) fn forward(&self, ids: &Tensor, held: usize, caches: &mut [LayerCache]) -> TensorResult<Tensor> {
        let seq = ids.dim(0)?;
        let mask = causal_mask(seq, held)?;
        let mut x = self.tokens.index_select(ids, 0)?;
        for (block, cache) in self.blocks.iter().zip(caches) {
            x = block.attend(&x, held, mask.as_ref(), &self.rotary, cache)?;
            x = block.feed_forward(&x)?;
        }
        self.output.forward(&self.final_norm.forward(&x.narrow(0, seq - 1, 1)?)?)
    }
}

impl Block {
    fn build(config: &ModelConfig, layer: usize, weights: &mut BoundWeights<'_>) -> Result<Self> {
        let at = |part: &str| format!("model.layers.{layer}.{part}");
        let qkv = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"].map(at);
        Ok(Self {
            attention_norm: RmsNorm::build(config, &at("input_layernorm.weight"), weights)?,
            attention_in: Linear::fused(weights, &qkv, config.qkv_bias)?,
            attention_out: Linear::fused(weights, &[at("self_attn.o_proj")], config.attention_output_bias)?,
            mlp_norm: RmsNorm::build(config, &at("post_attention_layernorm.weight"), weights)?,
            mlp_in: Linear::fused(weights, &["mlp.gate_proj", "mlp.up_proj"].map(at), config.mlp_bias)?,
            mlp_out: Linear::fused(weights, &[at("mlp.down_proj")], config.mlp_bias)?,
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
        })
    }

    /// `[seq, hidden]` → `[seq, hidden]`, the residual included.
    fn attend(
        &self,
        x: &Tensor,
        held: usize,
        mask: Option<&Tensor>,
        rotary: &RotaryTable,
        cache: &mut LayerCache,
    ) -> TensorResult<Tensor> {
        let qkv = self.attention_in.forward(&self.attention_norm.forward(x)?)?;
        // Queries and keys are neighbours and rotate alike, so they do it together.
        let rotated_heads = self.heads + self.kv_heads;
        let rotated_width = rotated_heads * self.head_dim;
        let rotated = split_heads(&qkv.narrow(1, 0, rotated_width)?, rotated_heads, self.head_dim)?;
        let rotated = rotary.rotate(&rotated, held)?;
        let queries = rotated.narrow(0, 0, self.heads)?;
        let keys = rotated.narrow(0, self.heads, self.kv_heads)?;
        let values = qkv.narrow(1, rotated_width, self.kv_heads * self.head_dim)?;
        let values = split_heads(&values, self.kv_heads, self.head_dim)?;
        let (keys, values) = cache.append(held, keys, values)?;
        let mixed = attend(&queries, &keys, &values, mask)?;
        x + self.attention_out.forward(&mixed)?
    }

    /// SwiGLU (Shazeer 2020): `down(silu(gate(x)) * up(x))`, the residual included.
    fn feed_forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let inner = swiglu(&self.mlp_in.forward(&self.mlp_norm.forward(x)?)?)?;
        x + self.mlp_out.forward(&inner)?
    }
}

impl RmsNorm {
    fn build(config: &ModelConfig, name: &str, weights: &mut BoundWeights<'_>) -> Result<Self> {
        Ok(Self { scale: weights.take(name)?, eps: config.norm_eps as f32 })
    }

    fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        rms_norm(x, &self.scale, self.eps)
    }
}
