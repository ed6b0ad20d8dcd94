//! Fields of Qwen2 (transformers `Qwen2Config`) and Llama (`LlamaConfig`).

use serde_json::Value;

use super::fields::Fields;
use super::{Architecture, ModelConfig, Rope};
use crate::engine::error::Result;

pub(super) fn parse(fields: Fields<'_>) -> Result<ModelConfig> {
    fields.require_text("hidden_act", &["silu", "swish"], "`silu`")?;

    let hidden_size = fields.required_size("hidden_size")?;
    let layers = fields.required_size("num_hidden_layers")?;
    let heads = fields.required_size("num_attention_heads")?;
    let max_positions = fields.required_size("max_position_embeddings")?;
    refuse_sliding_window(fields, layers, max_positions)?;
    let head_dim = match fields.size("head_dim")? {
        Some(head_dim) => head_dim,
        None if heads == 0 || !hidden_size.is_multiple_of(heads) => {
            let expected = format!("a divisor of hidden_size = {hidden_size}, where head_dim is not given");
            return Err(fields.invalid("num_attention_heads", &heads.to_string(), expected));
        }
        None => hidden_size / heads,
    };
    let is_llama = fields.architecture() == Architecture::Llama;
    // Qwen2 has these biases fixed in its code; its configs need not mention them.
    let attention_bias = is_llama && fields.flag("attention_bias")?.unwrap_or(false);
    let mlp_bias = is_llama && fields.flag("mlp_bias")?.unwrap_or(false);
    Ok(ModelConfig {
        architecture: fields.architecture(),
        hidden_size,
        intermediate_size: fields.required_size("intermediate_size")?,
        layers,
        heads,
        kv_heads: fields.size("num_key_value_heads")?.unwrap_or(heads),
        head_dim,
        vocab_size: fields.required_size("vocab_size")?,
        max_positions,
        norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
        rope: Some(Rope::parse(fields)?),
        qkv_bias: !is_llama || attention_bias,
        attention_output_bias: attention_bias,
        mlp_bias,
        tied_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
        eos_token_ids: fields.token_ids("eos_token_id")?,
    })
}

/// Refuses a sliding window that some layer would really apply. Published Qwen2.5 configs carry a window size with
/// `use_sliding_window: false`, and a window as long as the model's positions hides nothing.
fn refuse_sliding_window(fields: Fields<'_>, layers: usize, max_positions: usize) -> Result<()> {
    const SUPPORTED: &str = "full attention in every layer";
    if let Some(found @ Value::Array(types)) = fields.get("layer_types") {
        let other = |kind: &Value| kind.as_str() != Some("full_attention");
        if types.iter().take(layers).any(other) {
            return Err(fields.unsupported("layer_types", found, SUPPORTED));
        }
    }
    if fields.flag("use_sliding_window")? != Some(true) {
        return Ok(());
    }
    // The two defaults are those of `Qwen2Config`.
    let window = fields.size("sliding_window")?.unwrap_or(4096);
    let first_sliding_layer = fields.size("max_window_layers")?.unwrap_or(28);
    if window < max_positions && first_sliding_layer < layers {
        return Err(fields.unsupported("use_sliding_window", &Value::Bool(true), SUPPORTED));
    }
    Ok(())
}
