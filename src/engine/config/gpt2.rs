//! GPT-2's fields (transformers `GPT2Config`).

use super::fields::Fields;
use super::{Architecture, ModelConfig};
use crate::engine::error::Result;

pub(super) fn parse(fields: Fields<'_>) -> Result<ModelConfig> {
    fields.require_text(
        "activation_function",
        &["gelu_new", "gelu_pytorch_tanh"],
        "`gelu_new`, `gelu_pytorch_tanh`",
    )?;
    fields.refuse_flag("scale_attn_weights", false, "true")?;
    fields.refuse_flag("scale_attn_by_inverse_layer_idx", true, "false")?;
    fields.refuse_flag("add_cross_attention", true, "false")?;

    let hidden_size = fields.required_size("n_embd")?;
    let heads = fields.required_size("n_head")?;
    if heads == 0 || !hidden_size.is_multiple_of(heads) {
        return Err(fields.invalid("n_head", &heads.to_string(), format!("a divisor of n_embd = {hidden_size}")));
    }
    let intermediate_size = match fields.size("n_inner")? {
        Some(n_inner) => n_inner,
        None => hidden_size
            .checked_mul(4)
            .ok_or_else(|| fields.invalid("n_embd", &hidden_size.to_string(), "a possible size"))?,
    };
    Ok(ModelConfig {
        architecture: Architecture::Gpt2,
        hidden_size,
        intermediate_size,
        layers: fields.required_size("n_layer")?,
        heads,
        kv_heads: heads,
        head_dim: hidden_size / heads,
        vocab_size: fields.required_size("vocab_size")?,
        max_positions: fields.required_size("n_positions")?,
        norm_eps: fields.number("layer_norm_epsilon")?.unwrap_or(1e-5),
        rope: None,
        qkv_bias: true,
        attention_output_bias: true,
        mlp_bias: true,
        tied_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(true),
        eos_token_ids: fields.token_ids("eos_token_id")?,
    })
}
