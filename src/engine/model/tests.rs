use candle_core::{DType, Device, Tensor};
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

use super::reference::{ReferenceWeights, reference_logits};
use super::*;
use crate::engine::cache::{DecodeState, KvCacheKind};
use crate::engine::config::{Architecture, Llama3Scaling, ModelConfig, Rope};
use crate::engine::error::Error;
use crate::engine::layout::{Role, tensor_slots};
use crate::engine::weights::Weights;

/// Largest distance between the engine's f32 logits and the reference's f64 logits, as a share of the largest logit.
/// f32 has 24 bits (6e-8); sums of some hundred terms over a few layers lose about one decimal digit, and a wrong
/// formula is wrong by far more than this.
const F32_TOLERANCE: f64 = 1e-5;

fn config(architecture: Architecture) -> ModelConfig {
    let is_gpt2 = architecture == Architecture::Gpt2;
    ModelConfig {
        architecture,
        hidden_size: 24,
        intermediate_size: 40,
        layers: 3,
        heads: 4,
        kv_heads: if is_gpt2 { 4 } else { 2 },
        head_dim: 6,
        vocab_size: 50,
        max_positions: 64,
        norm_eps: 1e-5,
        rope: (!is_gpt2).then_some(Rope { theta: 10_000.0, scaling: None }),
        qkv_bias: architecture != Architecture::Llama,
        attention_output_bias: is_gpt2,
        mlp_bias: is_gpt2,
        tied_embeddings: false,
        eos_token_ids: Vec::new(),
    }
}

/// Configs that together use every option of the three families.
fn all_configs() -> Vec<(&'static str, ModelConfig)> {
    let llama3 = |factor: f64| Rope {
        theta: 10_000.0,
        // A short original context, so that six pairs fall into all three bands.
        scaling: Some(Llama3Scaling {
            factor,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_positions: 64,
        }),
    };
    let (gpt2, qwen2, llama) = (config(Architecture::Gpt2), config(Architecture::Qwen2), config(Architecture::Llama));
    vec![
        ("gpt2", gpt2.clone()),
        ("gpt2 tied", ModelConfig { tied_embeddings: true, ..gpt2 }),
        ("qwen2", qwen2.clone()),
        ("qwen2 tied, one kv head", ModelConfig { tied_embeddings: true, kv_heads: 1, ..qwen2 }),
        ("llama", ModelConfig { kv_heads: 4, ..llama.clone() }),
        ("llama3", ModelConfig { rope: Some(llama3(8.0)), head_dim: 12, ..llama.clone() }),
        (
            "llama with biases and wide heads",
            ModelConfig { qkv_bias: true, attention_output_bias: true, mlp_bias: true, head_dim: 16, ..llama },
        ),
    ]
}

/// Random weights, also for the factors of normalizations, for the engine and for the reference. `dtype` is the
/// number format that they are rounded to.
fn random_weights(config: &ModelConfig, seed: u64, dtype: DType) -> (Vec<(String, Tensor)>, ReferenceWeights) {
    let mut stream = SplitMix64::seed_from_u64(seed);
    let mut tensors = Vec::new();
    let mut reference = ReferenceWeights::new();
    for slot in tensor_slots(config) {
        let scale = match slot.role {
            Role::Projection { inputs } | Role::OffCentre { inputs } | Role::Output { inputs } => {
                3.0 / (inputs as f64).sqrt()
            }
            Role::Embedding | Role::NormScale | Role::Bias => 1.0,
        };
        let uniform = |x: u64| ((x >> 40) as f64 / (1u64 << 23) as f64 - 1.0) * scale;
        let values: Vec<f32> = (0..slot.elements()).map(|_| uniform(stream.next_u64()) as f32).collect();
        let tensor = Tensor::from_vec(values, slot.shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let widened = tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        reference.insert(slot.name.clone(), widened);
        tensors.push((slot.name, tensor));
    }
    (tensors, reference)
}

fn random_model(config: &ModelConfig, seed: u64) -> (Model, ReferenceWeights) {
    let (tensors, reference) = random_weights(config, seed, DType::F32);
    (Model::from_parts(config.clone(), Weights::from_tensors(tensors)).unwrap(), reference)
}

fn fresh(model: &Model, kind: KvCacheKind) -> DecodeState {
    DecodeState::new(model.config(), kind, model.config().max_positions).unwrap()
}

fn prompt(length: u32) -> Vec<u32> {
    (0..length).map(|i| (i * 17 + 3) % 50).collect()
}

/// Distance of the logits as a share of the largest.
fn distance(found: &Logits, expected: &[f64]) -> f64 {
    assert_eq!(found.as_slice().len(), expected.len());
    let largest = expected.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    let differences =
        found.as_slice().iter().zip(expected).map(|(found, expected)| (f64::from(*found) - expected).abs());
    differences.fold(0.0, f64::max) / largest
}

#[test]
fn every_family_agrees_with_the_reference() {
    for (name, config) in all_configs() {
        let (model, weights) = random_model(&config, 11);
        let expected = reference_logits(&config, &weights, &prompt(64));
        for length in [1, 2, 7, 33, 64] {
            let tokens = prompt(length);
            let logits = model.forward(&tokens, &mut fresh(&model, KvCacheKind::None)).unwrap();
            let distance = distance(&logits, &expected[tokens.len() - 1]);
            assert!(distance < F32_TOLERANCE, "{name}, {length} tokens: {distance:e}");
        }
    }
}

#[test]
fn every_cache_and_every_way_to_cut_the_prompt_agrees_with_the_reference() {
    for (name, config) in all_configs() {
        let (model, weights) = random_model(&config, 12);
        let tokens = prompt(29);
        let expected = reference_logits(&config, &weights, &tokens);
        for kind in KvCacheKind::ALL {
            for cuts in [vec![29], vec![1; 29], vec![5, 1, 1, 9, 1, 12], vec![28, 1], vec![1, 28]] {
                let mut state = fresh(&model, kind);
                let mut done = 0;
                for length in cuts.clone() {
                    let logits = model.forward(&tokens[done..done + length], &mut state).unwrap();
                    done += length;
                    let distance = distance(&logits, &expected[done - 1]);
                    assert!(distance < F32_TOLERANCE, "{name}, {kind} cache, cut {cuts:?} at {done}: {distance:e}");
                }
                assert_eq!(state.tokens(), tokens);
            }
        }
    }
}

#[test]
fn a_reset_state_starts_a_new_sequence() {
    for kind in KvCacheKind::ALL {
        let (model, _) = random_model(&config(Architecture::Qwen2), 14);
        let mut state = fresh(&model, kind);
        let first = model.forward(&prompt(9), &mut state).unwrap();
        model.forward(&[1, 2, 3], &mut state).unwrap();
        state.reset();
        assert!(state.tokens().is_empty());
        assert_eq!(model.forward(&prompt(9), &mut state).unwrap(), first, "{kind}");
    }
}

#[test]
fn one_model_serves_interleaved_sequences() {
    let (model, _) = random_model(&config(Architecture::Llama), 15);
    for kind in KvCacheKind::ALL {
        let alone = |tokens: &[u32]| {
            let mut state = fresh(&model, kind);
            model.forward(&tokens[..1], &mut state).unwrap();
            model.forward(&tokens[1..], &mut state).unwrap()
        };
        let (mut a, mut b) = (fresh(&model, kind), fresh(&model, kind));
        model.forward(&[1], &mut a).unwrap();
        model.forward(&[7], &mut b).unwrap();
        assert_eq!(model.forward(&[2, 3], &mut a).unwrap(), alone(&[1, 2, 3]), "{kind}");
        assert_eq!(model.forward(&[8, 9], &mut b).unwrap(), alone(&[7, 8, 9]), "{kind}");
    }
}

#[test]
fn tokens_that_the_model_cannot_take_are_typed_errors_and_leave_the_state_alone() {
    for architecture in Architecture::ALL {
        let (model, _) = random_model(&config(architecture), 16);
        let mut state = DecodeState::new(model.config(), KvCacheKind::Static, 10).unwrap();
        let mut dynamic = fresh(&model, KvCacheKind::Dynamic);
        let before = model.forward(&prompt(8), &mut state).unwrap();
        model.forward(&prompt(60), &mut dynamic).unwrap();

        let error = model.forward(&[], &mut state).unwrap_err();
        assert!(matches!(error, Error::EmptyPrompt), "{error}");
        let error = model.forward(&[1, 50], &mut state).unwrap_err();
        assert!(matches!(error, Error::TokenOutsideVocabulary { index: 1, token: 50, vocab_size: 50 }), "{error}");
        let error = model.forward(&[1, 2, 3], &mut state).unwrap_err();
        assert!(matches!(error, Error::CacheOverflow { capacity: 10, held: 8, adding: 3 }), "{error}");
        let error = model.forward(&prompt(5), &mut dynamic).unwrap_err();
        assert!(matches!(error, Error::PositionsExceeded { held: 60, adding: 5, max_positions: 64 }), "{error}");

        assert_eq!(state.tokens(), prompt(8));
        state.reset();
        assert_eq!(model.forward(&prompt(8), &mut state).unwrap(), before);
        model.forward(&[1, 2], &mut state).unwrap();
    }
}

#[test]
fn a_state_of_another_model_is_refused() {
    let (model, _) = random_model(&config(Architecture::Llama), 17);
    let other = ModelConfig { layers: 2, ..config(Architecture::Llama) };
    let mut state = DecodeState::new(&other, KvCacheKind::Dynamic, 8).unwrap();
    let error = model.forward(&[1], &mut state).unwrap_err();
    assert!(matches!(error, Error::StateMismatch { .. }), "{error}");
}

#[test]
fn a_static_cache_needs_a_capacity_that_the_model_has() {
    for capacity in [0, 65, usize::MAX] {
        let config = config(Architecture::Gpt2);
        let error = DecodeState::new(&config, KvCacheKind::Static, capacity).unwrap_err();
        assert!(matches!(error, Error::InvalidCapacity { max_positions: 64, .. }), "{error}");
        assert!(DecodeState::new(&config, KvCacheKind::Dynamic, capacity).is_ok());
    }
}

#[test]
fn cache_kinds_are_read_by_their_names() {
    for kind in KvCacheKind::ALL {
        assert_eq!(kind.to_string().parse::<KvCacheKind>().unwrap(), kind);
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
    let error = "paged".parse::<KvCacheKind>().unwrap_err();
    assert!(error.to_string().contains("`paged`"), "{error}");
}

#[test]
fn half_precision_weights_are_widened_exactly() {
    for dtype in [DType::F16, DType::BF16] {
        for (name, config) in all_configs() {
            let (tensors, weights) = random_weights(&config, 18, dtype);
            let model = Model::from_parts(config.clone(), Weights::from_tensors(tensors)).unwrap();
            let logits = model.forward(&prompt(12), &mut fresh(&model, KvCacheKind::Dynamic)).unwrap();
            let distance = distance(&logits, &reference_logits(&config, &weights, &prompt(12))[11]);
            assert!(distance < F32_TOLERANCE, "{name} as {dtype:?}: {distance:e}");
        }
    }
}
