//! Which tensors a model of a given config has: their names in a Hugging Face checkpoint, shapes and roles.
//!
//! One list serves the loader (what must be there), the generator (what to write, in which order) and the count of
//! parameters. Names are those of the full model with language-modelling head; bare models leave out the first part
//! (`transformer.` or `model.`), which the loader accepts too.

use super::config::{Architecture, ModelConfig};

/// What a tensor is for. The generator chooses its values by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// One row of hidden size a token or position.
    Embedding,
    /// `[hidden]`, factor of a normalization.
    NormScale,
    /// A vector that is added: bias of a normalization or projection.
    Bias,
    /// A projection between features, from `inputs` of them.
    Projection { inputs: usize },
    /// A projection, `[inputs, outputs]`, from features whose mean is not zero.
    OffCentre { inputs: usize },
    /// `[vocab, hidden]`, from hidden state to logits.
    Output { inputs: usize },
}

/// One tensor that a model needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorSlot {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) role: Role,
}

impl TensorSlot {
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The tensors of a model, in the order of the forward pass.
pub(super) fn tensor_slots(config: &ModelConfig) -> Vec<TensorSlot> {
    let mut slots = Slots(Vec::new());
    match config.architecture {
        Architecture::Gpt2 => gpt2(config, &mut slots),
        Architecture::Qwen2 | Architecture::Llama => decoder(config, &mut slots),
    }
    if !config.tied_embeddings {
        let role = Role::Output { inputs: config.hidden_size };
        slots.add("lm_head.weight", &[config.vocab_size, config.hidden_size], role);
    }
    slots.0
}

/// First part of the names in a full model; bare models leave it out.
pub(super) const fn prefix(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Gpt2 => "transformer.",
        Architecture::Qwen2 | Architecture::Llama => "model.",
    }
}

/// Tensors that checkpoints carry and no forward pass of ours reads: buffers that are computed from the config, and a
/// copy of the embedding where the output projection is tied to it.
pub(super) fn is_redundant(config: &ModelConfig, name: &str) -> bool {
    match config.architecture {
        Architecture::Gpt2 if name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") => true,
        Architecture::Qwen2 | Architecture::Llama if name.ends_with("rotary_emb.inv_freq") => true,
        _ => config.tied_embeddings && name == "lm_head.weight",
    }
}

struct Slots(Vec<TensorSlot>);

impl Slots {
    fn add(&mut self, name: impl Into<String>, shape: &[usize], role: Role) {
        self.0.push(TensorSlot { name: name.into(), shape: shape.to_vec(), role });
    }

    /// A projection as `torch.nn.Linear` stores it, `[outputs, inputs]`, with its bias.
    fn linear(&mut self, name: &str, outputs: usize, inputs: usize, bias: bool, role: Role) {
        self.add(format!("{name}.weight"), &[outputs, inputs], role);
        if bias {
            self.add(format!("{name}.bias"), &[outputs], Role::Bias);
        }
    }

    /// A projection as GPT-2's `Conv1D` stores it, `[inputs, outputs]`, with its bias.
    fn conv1d(&mut self, name: &str, outputs: usize, inputs: usize, role: Role) {
        self.add(format!("{name}.weight"), &[inputs, outputs], role);
        self.add(format!("{name}.bias"), &[outputs], Role::Bias);
    }

    fn layer_norm(&mut self, name: &str, hidden: usize) {
        self.add(format!("{name}.weight"), &[hidden], Role::NormScale);
        self.add(format!("{name}.bias"), &[hidden], Role::Bias);
    }
}

fn gpt2(config: &ModelConfig, slots: &mut Slots) {
    let hidden = config.hidden_size;
    let inner = config.intermediate_size;
    slots.add("transformer.wte.weight", &[config.vocab_size, hidden], Role::Embedding);
    slots.add("transformer.wpe.weight", &[config.max_positions, hidden], Role::Embedding);
    for layer in 0..config.layers {
        let at = |part: &str| format!("transformer.h.{layer}.{part}");
        slots.layer_norm(&at("ln_1"), hidden);
        slots.conv1d(&at("attn.c_attn"), 3 * hidden, hidden, Role::Projection { inputs: hidden });
        slots.conv1d(&at("attn.c_proj"), hidden, hidden, Role::Projection { inputs: hidden });
        slots.layer_norm(&at("ln_2"), hidden);
        slots.conv1d(&at("mlp.c_fc"), inner, hidden, Role::Projection { inputs: hidden });
        slots.conv1d(&at("mlp.c_proj"), hidden, inner, Role::OffCentre { inputs: inner });
    }
    slots.layer_norm("transformer.ln_f", hidden);
}

fn decoder(config: &ModelConfig, slots: &mut Slots) {
    let hidden = config.hidden_size;
    let inner = config.intermediate_size;
    let queries = config.heads * config.head_dim;
    let keys = config.kv_heads * config.head_dim;
    slots.add("model.embed_tokens.weight", &[config.vocab_size, hidden], Role::Embedding);
    for layer in 0..config.layers {
        let at = |part: &str| format!("model.layers.{layer}.{part}");
        slots.add(at("input_layernorm.weight"), &[hidden], Role::NormScale);
        let role = Role::Projection { inputs: hidden };
        slots.linear(&at("self_attn.q_proj"), queries, hidden, config.qkv_bias, role);
        slots.linear(&at("self_attn.k_proj"), keys, hidden, config.qkv_bias, role);
        slots.linear(&at("self_attn.v_proj"), keys, hidden, config.qkv_bias, role);
        let role = Role::Projection { inputs: queries };
        slots.linear(&at("self_attn.o_proj"), hidden, queries, config.attention_output_bias, role);
        slots.add(at("post_attention_layernorm.weight"), &[hidden], Role::NormScale);
        let role = Role::Projection { inputs: hidden };
        slots.linear(&at("mlp.gate_proj"), inner, hidden, config.mlp_bias, role);
        slots.linear(&at("mlp.up_proj"), inner, hidden, config.mlp_bias, role);
        let role = Role::Projection { inputs: inner };
        slots.linear(&at("mlp.down_proj"), hidden, inner, config.mlp_bias, role);
    }
    slots.add("model.norm.weight", &[hidden], Role::NormScale);
}
