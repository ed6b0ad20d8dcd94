//! A [`ModelConfig`] as `config.json`.

use serde_json::{Map, Value, json};

use super::{Architecture, ModelConfig, Rope};

impl ModelConfig {
    /// The config as a Hugging Face `config.json`: reading it back gives an equal config, and transformers loads it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let class = match self.architecture {
            Architecture::Gpt2 => "GPT2LMHeadModel",
            Architecture::Qwen2 => "Qwen2ForCausalLM",
            Architecture::Llama => "LlamaForCausalLM",
        };
        let family = match self.architecture {
            Architecture::Gpt2 => self.gpt2_fields(),
            Architecture::Qwen2 | Architecture::Llama => self.decoder_fields(),
        };
        let shared = json!({
            "architectures": [class],
            "model_type": self.architecture.name(),
            "torch_dtype": "float32",
            "vocab_size": self.vocab_size,
            "tie_word_embeddings": self.tied_embeddings,
            "eos_token_id": match self.eos_token_ids.as_slice() {
                [] => Value::Null,
                [id] => json!(id),
                ids => json!(ids),
            },
        });
        for part in [shared, family] {
            if let Value::Object(part) = part {
                fields.extend(part);
            }
        }
        Value::Object(fields)
    }

    fn gpt2_fields(&self) -> Value {
        json!({
            "activation_function": "gelu_new",
            "layer_norm_epsilon": self.norm_eps,
            "n_embd": self.hidden_size,
            "n_head": self.heads,
            "n_inner": self.intermediate_size,
            "n_layer": self.layers,
            "n_positions": self.max_positions,
            "scale_attn_weights": true,
        })
    }

    fn decoder_fields(&self) -> Value {
        let mut fields = json!({
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_positions,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "rms_norm_eps": self.norm_eps,
        });
        if let Some(rope) = &self.rope {
            fields["rope_theta"] = json!(rope.theta);
            fields["rope_scaling"] = rope_scaling(rope);
        }
        match self.architecture {
            Architecture::Qwen2 => fields["use_sliding_window"] = json!(false),
            Architecture::Llama => {
                fields["attention_bias"] = json!(self.qkv_bias);
                fields["mlp_bias"] = json!(self.mlp_bias);
            }
            Architecture::Gpt2 => {}
        }
        fields
    }
}

fn rope_scaling(rope: &Rope) -> Value {
    rope.scaling.as_ref().map_or(Value::Null, |scaling| {
        json!({
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_max_positions,
        })
    })
}
