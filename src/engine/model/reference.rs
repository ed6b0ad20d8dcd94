//! An independent forward pass for the tests: plain loops over f64, written from the papers and sharing no code with
//! the engine beyond the config's fields. It knows no cache: it computes the whole sequence.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use crate::engine::config::{Architecture, ModelConfig};

/// Row-major values by name in a Hugging Face checkpoint.
pub(in crate::engine) type ReferenceWeights = BTreeMap<String, Vec<f64>>;

/// One vector a position.
pub(in crate::engine) type Rows = Vec<Vec<f64>>;

/// A mistake of a cache, from one position on: what was fed before is right.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::engine) struct CacheFault {
    /// The first position that suffers it.
    pub from: usize,
    /// Positions that are added to the true one.
    pub shift: usize,
    /// A position that is not seen.
    pub unseen: Option<usize>,
}

impl CacheFault {
    fn position(&self, position: usize) -> usize {
        if position < self.from { position } else { position + self.shift }
    }

    fn hides(&self, position: usize, seen_from: usize) -> bool {
        seen_from >= self.from && self.unseen == Some(position)
    }
}

/// Logits of every position.
pub(in crate::engine) fn reference_logits(config: &ModelConfig, weights: &ReferenceWeights, tokens: &[u32]) -> Rows {
    faulty_logits(config, weights, tokens, CacheFault::default())
}

/// Logits of every position, with a mistake.
pub(in crate::engine) fn faulty_logits(
    config: &ModelConfig,
    weights: &ReferenceWeights,
    tokens: &[u32],
    fault: CacheFault,
) -> Rows {
    let hidden = config.hidden_size;
    let is_gpt2 = config.architecture == Architecture::Gpt2;
    let (embedding, norm) = if is_gpt2 {
        ("transformer.wte.weight", "transformer.ln_f")
    } else {
        ("model.embed_tokens.weight", "model.norm")
    };
    let row = |name: &str, index: usize| weights[name][index * hidden..(index + 1) * hidden].to_vec();
    let mut x: Rows = tokens.iter().map(|&token| row(embedding, token as usize)).collect();
    if is_gpt2 {
        for (position, x) in x.iter_mut().enumerate() {
            *x = add(x, &row("transformer.wpe.weight", fault.position(position)));
        }
    }
    for layer in 0..config.layers {
        let block = if is_gpt2 { gpt2_block } else { llama_block };
        x = block(config, weights, layer, &x, fault);
    }
    let output = &weights[if config.tied_embeddings { embedding } else { "lm_head.weight" }];
    let logits = |x: &Vec<f64>| {
        let x = normalize(config, weights, norm, x);
        output.chunks(hidden).map(|row| dot(&x, row)).collect()
    };
    x.iter().map(logits).collect()
}

/// Radford et al. 2019: `x + attn(ln(x))`, then `x + mlp(ln(x))`.
fn gpt2_block(config: &ModelConfig, weights: &ReferenceWeights, layer: usize, x: &Rows, fault: CacheFault) -> Rows {
    let at = |part: &str| format!("transformer.h.{layer}.{part}");
    let hidden = config.hidden_size;
    let (mut queries, mut keys, mut values) = (Rows::new(), Rows::new(), Rows::new());
    for x in x {
        let normed = normalize(config, weights, &at("ln_1"), x);
        let qkv = conv1d(weights, &at("attn.c_attn"), &normed);
        queries.push(qkv[..hidden].to_vec());
        keys.push(qkv[hidden..2 * hidden].to_vec());
        values.push(qkv[2 * hidden..].to_vec());
    }
    let mixed = attention(config, &queries, &keys, &values, fault);
    x.iter()
        .zip(mixed)
        .map(|(x, mixed)| {
            let x = add(x, &conv1d(weights, &at("attn.c_proj"), &mixed));
            let inner = conv1d(weights, &at("mlp.c_fc"), &normalize(config, weights, &at("ln_2"), &x));
            let inner: Vec<f64> = inner.into_iter().map(gelu_tanh).collect();
            add(&x, &conv1d(weights, &at("mlp.c_proj"), &inner))
        })
        .collect()
}

/// Touvron et al. 2023: as above with RMSNorm, rotated queries and keys, and SwiGLU.
fn llama_block(config: &ModelConfig, weights: &ReferenceWeights, layer: usize, x: &Rows, fault: CacheFault) -> Rows {
    let at = |part: &str| format!("model.layers.{layer}.{part}");
    let (mut queries, mut keys, mut values) = (Rows::new(), Rows::new(), Rows::new());
    for (position, x) in x.iter().enumerate() {
        let normed = normalize(config, weights, &at("input_layernorm"), x);
        let position = fault.position(position);
        let project = |name: &str| linear(weights, &at(name), &normed);
        queries.push(rotate(config, &project("self_attn.q_proj"), position));
        keys.push(rotate(config, &project("self_attn.k_proj"), position));
        values.push(project("self_attn.v_proj"));
    }
    let mixed = attention(config, &queries, &keys, &values, fault);
    x.iter()
        .zip(mixed)
        .map(|(x, mixed)| {
            let x = add(x, &linear(weights, &at("self_attn.o_proj"), &mixed));
            let normed = normalize(config, weights, &at("post_attention_layernorm"), &x);
            let gate = linear(weights, &at("mlp.gate_proj"), &normed);
            let up = linear(weights, &at("mlp.up_proj"), &normed);
            let inner: Vec<f64> = gate.iter().zip(up).map(|(&gate, up)| gate / (1.0 + (-gate).exp()) * up).collect();
            add(&x, &linear(weights, &at("mlp.down_proj"), &inner))
        })
        .collect()
}

/// Vaswani et al. 2017, section 3.2.1, causal; consecutive query heads share a key head.
fn attention(config: &ModelConfig, queries: &Rows, keys: &Rows, values: &Rows, fault: CacheFault) -> Rows {
    let dim = config.head_dim;
    let queries_per_key = config.heads / config.kv_heads;
    (0..queries.len())
        .map(|i| {
            let mut out = Vec::new();
            for head in 0..config.heads {
                let kv_head = head / queries_per_key;
                let query = &queries[i][head * dim..(head + 1) * dim];
                let key = |j: usize| &keys[j][kv_head * dim..(kv_head + 1) * dim];
                let score = |j: usize| match fault.hides(j, i) {
                    true => 0.0,
                    false => (dot(query, key(j)) / (dim as f64).sqrt()).exp(),
                };
                let scores: Vec<f64> = (0..=i).map(score).collect();
                let sum: f64 = scores.iter().sum();
                for d in 0..dim {
                    out.push((0..=i).map(|j| scores[j] / sum * values[j][kv_head * dim + d]).sum());
                }
            }
            out
        })
        .collect()
}

/// Su et al. 2021, equation 34, in the pairing of Hugging Face checkpoints (`i` with `i + dim / 2`), with Meta's
/// `apply_scaling` for Llama 3.
fn rotate(config: &ModelConfig, x: &[f64], position: usize) -> Vec<f64> {
    let rope = config.rope.as_ref().unwrap();
    let dim = config.head_dim;
    let half = dim / 2;
    let mut out = vec![0.0; x.len()];
    for start in (0..x.len()).step_by(dim) {
        for i in 0..half {
            let mut frequency = rope.theta.powf(-2.0 * i as f64 / dim as f64);
            if let Some(scaling) = &rope.scaling {
                let original = scaling.original_max_positions as f64;
                let wavelength = 2.0 * PI / frequency;
                if wavelength > original / scaling.low_freq_factor {
                    frequency /= scaling.factor;
                } else if wavelength >= original / scaling.high_freq_factor {
                    let smooth = (original / wavelength - scaling.low_freq_factor)
                        / (scaling.high_freq_factor - scaling.low_freq_factor);
                    frequency = (1.0 - smooth) * frequency / scaling.factor + smooth * frequency;
                }
            }
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            let (a, b) = (x[start + i], x[start + i + half]);
            out[start + i] = a * cos - b * sin;
            out[start + i + half] = a * sin + b * cos;
        }
    }
    out
}

/// LayerNorm (Ba et al. 2016) for GPT-2, RMSNorm (Zhang and Sennrich 2019) for the others.
fn normalize(config: &ModelConfig, weights: &ReferenceWeights, name: &str, x: &[f64]) -> Vec<f64> {
    let scale = &weights[&format!("{name}.weight")];
    let n = x.len() as f64;
    if config.architecture != Architecture::Gpt2 {
        let mean_square = x.iter().map(|x| x * x).sum::<f64>() / n;
        return x.iter().zip(scale).map(|(x, scale)| x / (mean_square + config.norm_eps).sqrt() * scale).collect();
    }
    let shift = &weights[&format!("{name}.bias")];
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let unit = x.iter().map(|x| (x - mean) / (variance + config.norm_eps).sqrt());
    unit.zip(scale).zip(shift).map(|((x, scale), shift)| x * scale + shift).collect()
}

/// Hendrycks and Gimpel 2016, the tanh form.
fn gelu_tanh(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
}

/// `W x + b` with `W` stored `[outputs, inputs]`.
fn linear(weights: &ReferenceWeights, name: &str, x: &[f64]) -> Vec<f64> {
    let weight = &weights[&format!("{name}.weight")];
    let product: Vec<f64> = weight.chunks(x.len()).map(|row| dot(row, x)).collect();
    match weights.get(&format!("{name}.bias")) {
        Some(bias) => add(&product, bias),
        None => product,
    }
}

/// `x W + b` with `W` stored `[inputs, outputs]`.
fn conv1d(weights: &ReferenceWeights, name: &str, x: &[f64]) -> Vec<f64> {
    let weight = &weights[&format!("{name}.weight")];
    let mut out = weights[&format!("{name}.bias")].clone();
    let outputs = out.len();
    for (i, x) in x.iter().enumerate() {
        for (o, out) in out.iter_mut().enumerate() {
            *out += x * weight[i * outputs + o];
        }
    }
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
