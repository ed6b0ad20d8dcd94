use std::collections::BTreeSet;
use std::fs;

use candle_core::{DType, Device};
use sha2::{Digest, Sha256};

use super::*;
use crate::engine::cache::KvCacheKind;
use crate::engine::model::reference::{ReferenceWeights, reference_logits};
use crate::engine::model::{Logits, Model};
use crate::engine::session::Session;

/// The model of the quickstart plan.
fn quickstart() -> SyntheticSpec {
    SyntheticSpec {
        architecture: Architecture::Qwen2,
        hidden_size: 128,
        intermediate_size: 384,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        vocab_size: 512,
        max_positions: 1024,
        seed: 7,
        dtype: Default::default(),
        tied_embeddings: false,
        rope_theta: 10_000,
    }
}

fn of_family(architecture: Architecture) -> SyntheticSpec {
    let kv_heads = if architecture == Architecture::Gpt2 { 4 } else { 2 };
    SyntheticSpec { architecture, kv_heads, ..quickstart() }
}

fn prompts() -> Vec<Vec<u32>> {
    [1, 8, 16, 32, 64, 128].map(|length: u32| (0..length).map(|i| (i * 37 + length * 11 + 5) % 512).collect()).to_vec()
}

/// The highest logit's id, and how far the second highest lies below it.
fn best_and_gap(logits: &Logits) -> (u32, f32) {
    let mut order: Vec<(u32, f32)> = (0..).zip(logits.as_slice().iter().copied()).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    (order[0].0, order[0].1 - order[1].1)
}

/// Greedy ids after a prompt, and the smallest gap between the two highest logits on the way.
fn greedy(model: &Model, prompt: &[u32], count: usize) -> (Vec<u32>, f32) {
    let mut session = Session::new(model, KvCacheKind::Dynamic, 0).unwrap();
    let (mut token, mut smallest_gap) = best_and_gap(&session.prefill(prompt).unwrap());
    let mut ids = vec![token];
    while ids.len() < count {
        let (next, gap) = best_and_gap(&session.step(token).unwrap());
        smallest_gap = smallest_gap.min(gap);
        token = next;
        ids.push(token);
    }
    (ids, smallest_gap)
}

fn generated(spec: &SyntheticSpec) -> Model {
    let dir = tempfile::tempdir().unwrap();
    generate_checkpoint(spec, dir.path()).unwrap();
    Model::load(dir.path()).unwrap()
}

#[test]
fn the_bytes_are_the_same_on_every_machine() {
    // Pinned: published rows name the model by these digests.
    let expected = [
        (
            Architecture::Gpt2,
            "d8c22fd2d00c78c8b324ef0ea0bfa7d302d6e67b47df88de57f6ff84d299e84a",
            "775f6a2181793792e3d04db0b803af2a24ae73d28949c836df0655aac91c2ba4",
        ),
        (
            Architecture::Qwen2,
            "23bb4eb088bb452b6201da0b053abc9d080f9cf1d664f8b2dc939da0be728689",
            "f4d29b473b34827827acd274d4a87a9b073baeb81e8161f8ab7ffdebafd5c260",
        ),
        (
            Architecture::Llama,
            "dcf10f265db801d9b97ff596c7ba52e139d544fd61cbd1c42c6c3afbd699af47",
            "943ab9773049457d00be3abb4a1e50e5a9628deb5ea38e38056ae7d98d497392",
        ),
    ];
    for (architecture, weights, config) in expected {
        let dir = tempfile::tempdir().unwrap();
        generate_checkpoint(&of_family(architecture), dir.path()).unwrap();
        for (file, expected) in [("model.safetensors", weights), ("config.json", config)] {
            let digest = Sha256::digest(fs::read(dir.path().join(file)).unwrap());
            let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, expected, "{architecture} {file}");
        }
    }
}

#[test]
fn another_seed_gives_other_weights_and_the_same_shape() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    generate_checkpoint(&quickstart(), a.path()).unwrap();
    generate_checkpoint(&SyntheticSpec { seed: 8, ..quickstart() }, b.path()).unwrap();
    let read = |dir: &tempfile::TempDir, file: &str| fs::read(dir.path().join(file)).unwrap();
    assert_eq!(read(&a, "config.json"), read(&b, "config.json"));
    let (a, b) = (read(&a, "model.safetensors"), read(&b, "model.safetensors"));
    assert_eq!(a.len(), b.len());
    assert_ne!(a, b);
}

/// As the published models have it: bf16, embedding and output tied, and a base of their own.
fn published_like(architecture: Architecture) -> SyntheticSpec {
    SyntheticSpec {
        hidden_size: 256,
        layers: 4,
        vocab_size: 2048,
        dtype: WeightsDtype::Bf16,
        tied_embeddings: true,
        rope_theta: 1_000_000,
        ..of_family(architecture)
    }
}

#[test]
fn values_do_not_depend_on_how_many_threads_make_them() {
    let spec = quickstart();
    let config = spec.config().unwrap();
    for slot in tensor_slots(&config) {
        let amplitude = amplitude(slot.role, &spec);
        let tensor = Synthetic { slot, amplitude, dtype: WeightsDtype::F32, seed: 5 };
        let whole = tensor.bytes();
        let mut pieces = vec![0; whole.len()];
        for (number, piece) in pieces.chunks_mut(4 * 7).enumerate() {
            tensor.fill(number * 7, piece);
        }
        assert_eq!(whole, pieces, "{}", tensor.slot.name);
    }
}

#[test]
fn what_comes_of_an_activation_with_a_mean_has_none() {
    let slots = tensor_slots(&of_family(Architecture::Gpt2).config().unwrap());
    let slot = slots.into_iter().find(|slot| slot.name.ends_with("mlp.c_proj.weight")).unwrap();
    let (inputs, outputs) = (slot.shape[0], slot.shape[1]);
    let tensor = Synthetic { slot, amplitude: Some(0.5), dtype: WeightsDtype::F32, seed: 5 };
    for output in 0..outputs {
        let sum: f64 = (0..inputs).map(|input| f64::from(tensor.value(input * outputs + output))).sum();
        assert_eq!(sum, 0.0, "output {output}");
    }
    assert_ne!(tensor.value(0), 0.0);
}

#[test]
fn a_value_in_bf16_has_eight_significant_bits_and_lies_within_the_amplitude() {
    let slot = tensor_slots(&quickstart().config().unwrap()).remove(0);
    let tensor = Synthetic { slot, amplitude: Some(0.5), dtype: WeightsDtype::Bf16, seed: 3 };
    let bytes = tensor.bytes();
    let values: BTreeSet<i64> = bytes
        .chunks_exact(2)
        .map(|two| f32::from_bits(u32::from(u16::from_le_bytes([two[0], two[1]])) << 16))
        .inspect(|value| assert!((-0.5..0.5).contains(value), "{value}"))
        .map(|value| (f64::from(value) * 256.0) as i64)
        .collect();
    assert_eq!(values, (-128..128).collect());
}

#[test]
fn greedy_output_is_lively_in_every_family() {
    let own = Architecture::ALL.into_iter().map(|family| (of_family(family), 30));
    // One that repeats itself settles on one or two ids.
    let published = [Architecture::Qwen2, Architecture::Llama].into_iter().map(|family| (published_like(family), 8));
    // As deep and as wide as `plans/pattern-gpt2-25m.toml` has it.
    let size = SyntheticSpec { hidden_size: 192, intermediate_size: 768, layers: 12, ..of_family(Architecture::Gpt2) };
    for (spec, least) in own.chain(published).chain([(SyntheticSpec { vocab_size: 2048, ..size }, 32)]) {
        let model = generated(&spec);
        for prompt in prompts() {
            let (ids, _) = greedy(&model, &prompt, 64);
            let distinct = ids.iter().collect::<BTreeSet<_>>().len();
            assert!(distinct >= least, "{}, prompt of {}: {distinct} distinct ids", spec.architecture, prompt.len());
        }
    }
}

/// Highest distance of an engine's logit from exact arithmetic that leaves the choice of tokens alone: half the
/// smallest gap between the two highest logits. f32 stays below 2e-4 (logits reach 25).
const SAFE_DISTANCE: f64 = 5e-4;

#[test]
fn the_tokens_of_the_quickstart_model_do_not_depend_on_rounding() {
    let dir = tempfile::tempdir().unwrap();
    generate_checkpoint(&quickstart(), dir.path()).unwrap();
    let model = Model::load(dir.path()).unwrap();
    let exact: ReferenceWeights = candle_core::safetensors::load(dir.path().join("model.safetensors"), &Device::Cpu)
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()))
        .collect();
    // The reference is slow in debug builds, so the longest prompt stays out.
    for prompt in &prompts()[..5] {
        let (ids, gap) = greedy(&model, prompt, 64);
        assert!(f64::from(gap) > 2.0 * SAFE_DISTANCE, "prompt of {}: gap {gap}", prompt.len());
        let exact_logits = reference_logits(model.config(), &exact, &[prompt.as_slice(), &ids[..63]].concat());
        let mut session = Session::new(&model, KvCacheKind::Dynamic, 0).unwrap();
        let mut logits = session.prefill(prompt).unwrap();
        for (&id, exact) in ids.iter().zip(&exact_logits[prompt.len() - 1..]) {
            let best = (0u32..).zip(exact).max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
            assert_eq!(best, id, "prompt of {}", prompt.len());
            for (found, exact) in logits.as_slice().iter().zip(exact) {
                let distance = (f64::from(*found) - exact).abs();
                assert!(distance < SAFE_DISTANCE, "prompt of {}: {distance}", prompt.len());
            }
            logits = session.step(id).unwrap();
        }
    }
}

#[test]
fn impossible_specs_are_refused_by_the_name_of_the_size() {
    let good = quickstart;
    for (spec, named) in [
        (SyntheticSpec { heads: 0, ..good() }, "heads"),
        (SyntheticSpec { heads: 5, ..good() }, "heads"),
        (SyntheticSpec { kv_heads: 3, ..good() }, "kv_heads"),
        (SyntheticSpec { hidden_size: 132, heads: 44, kv_heads: 44, ..good() }, "head_dim"),
        (SyntheticSpec { layers: 0, ..good() }, "layers"),
        (SyntheticSpec { vocab_size: usize::MAX, ..good() }, "vocab_size"),
        (SyntheticSpec { layers: 4096, intermediate_size: 1 << 17, ..good() }, "number of parameters"),
        (SyntheticSpec { architecture: Architecture::Gpt2, ..good() }, "kv_heads"),
        (SyntheticSpec { tied_embeddings: true, ..of_family(Architecture::Gpt2) }, "tied_embeddings"),
    ] {
        let error = spec.config().unwrap_err();
        assert!(matches!(&error, Error::InvalidField { field, .. } if field == named), "{named}: {error}");
    }
}

#[test]
fn a_spec_is_read_from_its_fields_and_unknown_ones_are_refused() {
    let text = serde_json::to_string(&quickstart()).unwrap();
    assert!(text.contains("\"architecture\":\"qwen2\""));
    assert_eq!(serde_json::from_str::<SyntheticSpec>(&text).unwrap(), quickstart());
    assert!(serde_json::from_str::<SyntheticSpec>(&text.replace("seed", "sede")).is_err());
}
