//! Every part of a generated model decides: where one is left out or a cache is mistaken, other tokens follow. Without that,
//! equal tokens would prove little of the stacks that gave them.

use std::collections::{BTreeSet, HashMap};

use candle_core::{DType, Device, Tensor};

use super::*;
use crate::engine::cache::KvCacheKind;
use crate::engine::model::Model;
use crate::engine::model::reference::{CacheFault, ReferenceWeights, faulty_logits};
use crate::engine::session::Session;

/// Tokens that are generated, as many as the plans compare: within them a fault has to show.
const TOKENS: usize = 32;

type Tensors = HashMap<String, Tensor>;

/// A model as the named ones of plans are, but narrow: bf16, a base of its own, output and embedding tied where the
/// family allows it.
fn narrow(architecture: Architecture, layers: usize) -> SyntheticSpec {
    let is_gpt2 = architecture == Architecture::Gpt2;
    SyntheticSpec {
        architecture,
        hidden_size: 128,
        intermediate_size: if is_gpt2 { 512 } else { 384 },
        layers,
        heads: 4,
        kv_heads: if is_gpt2 { 4 } else { 2 },
        vocab_size: 1024,
        max_positions: 256,
        seed: 15,
        dtype: WeightsDtype::Bf16,
        tied_embeddings: !is_gpt2,
        rope_theta: 1_000_000,
    }
}

/// As many layers as the deepest model of the family that a plan names.
fn deepest(architecture: Architecture) -> usize {
    match architecture {
        Architecture::Gpt2 => 15,
        Architecture::Llama => 32,
        Architecture::Qwen2 => 36,
    }
}

fn prompt() -> Vec<u32> {
    (0..32).map(|i| (i * 37 + 11) % 1024).collect()
}

fn best(logits: impl IntoIterator<Item = f64>) -> u32 {
    let highest = (0..).zip(logits).max_by(|(_, a): &(u32, f64), (_, b)| a.total_cmp(b));
    highest.expect("a vocabulary has tokens").0
}

/// Greedy ids of a checkpoint folder, up to the first that is not the expected one.
fn greedy(dir: &Path, expected: Option<&[u32]>) -> Vec<u32> {
    let model = Model::load(dir).unwrap();
    let mut session = Session::new(&model, KvCacheKind::Dynamic, 0).unwrap();
    let wide = |logits: &[f32]| best(logits.iter().copied().map(f64::from));
    let mut ids = vec![wide(session.prefill(&prompt()).unwrap().as_slice())];
    while ids.len() < TOKENS && expected.is_none_or(|expected| expected.starts_with(&ids)) {
        ids.push(wide(session.step(ids[ids.len() - 1]).unwrap().as_slice()));
    }
    ids
}

fn generated(spec: &SyntheticSpec) -> (tempfile::TempDir, Tensors) {
    let dir = tempfile::tempdir().unwrap();
    generate_checkpoint(spec, dir.path()).unwrap();
    let tensors = candle_core::safetensors::load(dir.path().join("model.safetensors"), &Device::Cpu).unwrap();
    (dir, tensors)
}

/// Whether the ids are the same when the named projection, with its bias if it has one, gives nothing.
fn is_unseen(dir: &Path, tensors: &Tensors, name: &str, ids: &[u32]) -> bool {
    let cut = tempfile::tempdir().unwrap();
    std::fs::copy(dir.join("config.json"), cut.path().join("config.json")).unwrap();
    let mut tensors = tensors.clone();
    let mut left_out = 0;
    for part in ["weight", "bias"] {
        if let Some(tensor) = tensors.get_mut(&format!("{name}.{part}")) {
            *tensor = tensor.zeros_like().unwrap();
            left_out += 1;
        }
    }
    assert!(left_out > 0, "the model has no {name}");
    candle_core::safetensors::save(&tensors, cut.path().join("model.safetensors")).unwrap();
    greedy(cut.path(), Some(ids)) == ids
}

#[test]
fn no_layer_of_a_deep_model_can_lose_its_attention_or_its_mlp_unseen() {
    for architecture in Architecture::ALL {
        let spec = narrow(architecture, deepest(architecture));
        let (dir, tensors) = generated(&spec);
        let ids = greedy(dir.path(), None);
        let distinct = ids.iter().collect::<BTreeSet<_>>().len();
        assert!(distinct > TOKENS / 3, "{architecture} merely repeats: {ids:?}");
        for layer in 0..spec.layers {
            let ends = match architecture {
                Architecture::Gpt2 => ["transformer.h.{}.attn.c_proj", "transformer.h.{}.mlp.c_proj"],
                _ => ["model.layers.{}.self_attn.o_proj", "model.layers.{}.mlp.down_proj"],
            };
            for end in ends.map(|end| end.replace("{}", &layer.to_string())) {
                assert!(!is_unseen(dir.path(), &tensors, &end, &ids), "{architecture}: without {end}");
            }
        }
    }
}

#[test]
fn a_shifted_position_or_a_lost_one_changes_the_tokens() {
    for architecture in Architecture::ALL {
        let spec = narrow(architecture, 2);
        let (dir, tensors) = generated(&spec);
        let ids = greedy(dir.path(), None);
        let weights: ReferenceWeights = tensors
            .into_iter()
            .map(|(name, tensor)| {
                (name, tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap())
            })
            .collect();
        let fed = [&prompt()[..], &ids[..TOKENS - 1]].concat();
        let config = spec.config().unwrap();
        // Up to the first id that differs, what was fed is what a faulty model would have been fed.
        let under = |fault| -> Vec<u32> {
            let logits = faulty_logits(&config, &weights, &fed, fault);
            logits[prompt().len() - 1..].iter().map(|logits| best(logits.iter().copied())).collect()
        };
        assert_eq!(under(CacheFault::default()), ids, "{architecture}: the reference without a fault");
        let from = prompt().len();
        let shifted = CacheFault { from, shift: 1, unseen: None };
        assert_ne!(under(shifted), ids, "{architecture}: positions of decoding shifted by one");
        for unseen in 0..from {
            let lost = CacheFault { from, shift: 0, unseen: Some(unseen) };
            assert_ne!(under(lost), ids, "{architecture}: without position {unseen} of the cache");
        }
    }
}
