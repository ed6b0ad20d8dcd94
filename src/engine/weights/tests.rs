use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::engine::cache::{DecodeState, KvCacheKind};
use crate::engine::config::{Architecture, ModelConfig};
use crate::engine::error::Error;
use crate::engine::generate::{SyntheticSpec, generate_checkpoint};
use crate::engine::model::Model;

type Tensors = Vec<(String, Tensor)>;

fn spec(architecture: Architecture) -> SyntheticSpec {
    SyntheticSpec {
        architecture,
        hidden_size: 16,
        intermediate_size: 24,
        layers: 2,
        heads: 4,
        kv_heads: if architecture == Architecture::Gpt2 { 4 } else { 2 },
        vocab_size: 32,
        max_positions: 16,
        seed: 3,
        dtype: Default::default(),
        tied_embeddings: false,
        rope_theta: 10_000,
    }
}

/// A config and its weights, as tensors under their names.
fn synthetic(architecture: Architecture) -> (ModelConfig, Tensors) {
    let dir = tempfile::tempdir().unwrap();
    generate_checkpoint(&spec(architecture), dir.path()).unwrap();
    let tensors = candle_core::safetensors::load(dir.path().join("model.safetensors"), &Device::Cpu).unwrap();
    (ModelConfig::load(dir.path()).unwrap(), BTreeMap::from_iter(tensors).into_iter().collect())
}

fn logits(model: &Model) -> Vec<f32> {
    let mut state = DecodeState::new(model.config(), KvCacheKind::Dynamic, 0).unwrap();
    model.forward(&[1, 5, 9, 31], &mut state).unwrap().as_slice().to_vec()
}

fn build(config: &ModelConfig, tensors: Tensors) -> Result<Model, Error> {
    Model::from_parts(config.clone(), Weights::from_tensors(tensors))
}

/// Writes shards of two tensors each, with their index, in the names that Hugging Face uses.
fn write_sharded(dir: &Path, config: &ModelConfig, tensors: &Tensors) {
    fs::write(dir.join("config.json"), config.to_json().to_string()).unwrap();
    let mut map = BTreeMap::new();
    let count = tensors.len().div_ceil(2);
    for (number, part) in tensors.chunks(2).enumerate() {
        let file = format!("model-{:05}-of-{count:05}.safetensors", number + 1);
        safetensors::serialize_to_file(part.to_vec(), None, &dir.join(&file)).unwrap();
        map.extend(part.iter().map(|(name, _)| (name.clone(), file.clone())));
    }
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map});
    fs::write(dir.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

#[test]
fn shards_and_a_single_file_give_the_same_logits() {
    for architecture in Architecture::ALL {
        let (config, tensors) = synthetic(architecture);
        let (single, sharded) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write_checkpoint(single.path(), &config, &tensors).unwrap();
        write_sharded(sharded.path(), &config, &tensors);
        let from_single = Model::load(single.path()).unwrap();
        let from_shards = Model::load(sharded.path()).unwrap();
        assert_eq!(from_single.config(), &config);
        assert_eq!(logits(&from_single), logits(&from_shards));
        assert_eq!(logits(&from_single), logits(&build(&config, tensors.clone()).unwrap()));
        assert_eq!(weight_files(single.path()).unwrap(), [single.path().join("model.safetensors")]);
        assert_eq!(weight_files(sharded.path()).unwrap().len(), tensors.len().div_ceil(2) + 1);
    }
}

#[test]
fn half_precision_files_load_as_their_rounded_values() {
    for dtype in [DType::F16, DType::BF16] {
        let (config, tensors) = synthetic(Architecture::Qwen2);
        let halves: Tensors =
            tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_dtype(dtype).unwrap())).collect();
        let dir = tempfile::tempdir().unwrap();
        write_sharded(dir.path(), &config, &halves);
        let rounded = halves.into_iter().map(|(name, tensor)| (name, tensor.to_dtype(DType::F32).unwrap())).collect();
        let from_halves = logits(&Model::load(dir.path()).unwrap());
        assert_eq!(from_halves, logits(&build(&config, rounded).unwrap()));
        assert_ne!(from_halves, logits(&build(&config, tensors).unwrap()));
    }
}

#[test]
fn progress_counts_every_byte_of_the_weights() {
    let dir = tempfile::tempdir().unwrap();
    generate_checkpoint(&spec(Architecture::Llama), dir.path()).unwrap();
    let mut read_bytes = 0;
    let model = Model::load_reporting(dir.path(), &mut |bytes| read_bytes += bytes).unwrap();
    assert_eq!(read_bytes, 4 * model.config().parameters());
}

#[test]
fn names_without_the_first_part_load_too() {
    for (architecture, prefix) in [(Architecture::Gpt2, "transformer."), (Architecture::Llama, "model.")] {
        let (config, tensors) = synthetic(architecture);
        let bare = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_owned();
        let renamed = tensors.iter().map(|(name, tensor)| (bare(name), tensor.clone())).collect();
        assert_eq!(logits(&build(&config, renamed).unwrap()), logits(&build(&config, tensors).unwrap()));
    }
}

#[test]
fn a_tied_output_is_the_embedding_and_its_copy_is_let_through() {
    let (config, tensors) = synthetic(Architecture::Gpt2);
    let find = |name: &str| tensors.iter().position(|(found, _)| found == name).unwrap();
    let tied = ModelConfig { tied_embeddings: true, ..config.clone() };
    let mut copied = tensors.clone();
    copied[find("lm_head.weight")].1 = tensors[find("transformer.wte.weight")].1.clone();
    let mut without = tensors.clone();
    without.remove(find("lm_head.weight"));
    let expected = logits(&build(&config, copied.clone()).unwrap());
    assert_eq!(logits(&build(&tied, without).unwrap()), expected);
    assert_eq!(logits(&build(&tied, copied).unwrap()), expected);
}

#[test]
fn buffers_of_older_checkpoints_are_let_through() {
    let (config, mut tensors) = synthetic(Architecture::Gpt2);
    let expected = logits(&build(&config, tensors.clone()).unwrap());
    let buffer = Tensor::ones((1, 1, 16, 16), DType::U8, &Device::Cpu).unwrap();
    tensors.push(("transformer.h.0.attn.bias".to_owned(), buffer.clone()));
    tensors.push(("transformer.h.0.attn.masked_bias".to_owned(), buffer));
    assert_eq!(logits(&build(&config, tensors).unwrap()), expected);
}

#[test]
fn tensors_that_do_not_fit_the_config_are_named() {
    let (config, tensors) = synthetic(Architecture::Qwen2);
    let name = "model.layers.1.mlp.up_proj.weight";
    let at = tensors.iter().position(|(found, _)| found == name).unwrap();
    let replaced = |tensor: Tensor| {
        let mut tensors = tensors.clone();
        tensors[at].1 = tensor;
        build(&config, tensors).unwrap_err()
    };

    let error = replaced(Tensor::zeros((24, 17), DType::F32, &Device::Cpu).unwrap());
    let Error::TensorShape { name: named, expected, found } = &error else { panic!("{error}") };
    assert_eq!((named.as_str(), expected.as_slice(), found.as_slice()), (name, &[24, 16][..], &[24, 17][..]));

    let error = replaced(Tensor::zeros((24, 16), DType::I64, &Device::Cpu).unwrap());
    assert!(matches!(&error, Error::TensorDtype { name: named, .. } if named == name), "{error}");

    let mut fewer = tensors.clone();
    fewer.remove(at);
    let error = build(&config, fewer).unwrap_err();
    let Error::MissingTensor { name: named, expected } = &error else { panic!("{error}") };
    assert_eq!((named.as_str(), expected.as_slice()), (name, &[24, 16][..]));

    let mut more = tensors.clone();
    more.push((format!("{name}_scale"), tensors[at].1.clone()));
    let error = build(&config, more).unwrap_err();
    assert!(matches!(&error, Error::UnexpectedTensors { count: 1, .. }), "{error}");
    assert!(error.to_string().contains("up_proj.weight_scale"), "{error}");
}

#[test]
fn folders_without_readable_weights_say_what_is_missing() {
    let (config, tensors) = synthetic(Architecture::Llama);
    let dir = tempfile::tempdir().unwrap();
    let error = Weights::open(dir.path()).unwrap_err();
    assert!(matches!(&error, Error::NoWeights { .. }), "{error}");
    fs::write(dir.path().join("pytorch_model.bin"), b"").unwrap();
    assert!(Weights::open(dir.path()).unwrap_err().to_string().contains("convert"));
    assert!(Weights::open(&dir.path().join("absent")).unwrap_err().to_string().contains("not a folder"));

    write_sharded(dir.path(), &config, &tensors);
    let path = dir.path().join("model.safetensors.index.json");
    let good = fs::read_to_string(&path).unwrap();
    let index: serde_json::Value = serde_json::from_str(&good).unwrap();
    let file_of = |name: &str| index["weight_map"][name].as_str().unwrap().to_owned();
    let name = "model.norm.weight";
    let (file, first) = (file_of(name), file_of("lm_head.weight"));
    assert_ne!(file, first);
    for (from, to, named) in [
        (format!("\"{name}\":\"{file}\""), format!("\"{name}\":\"{first}\""), name),
        (file.clone(), "../elsewhere.safetensors".to_owned(), "../elsewhere"),
        (file.clone(), "/etc/passwd".to_owned(), "/etc/passwd"),
        (good.clone(), "{\"weight_map\": {}}".to_owned(), "no tensors"),
        (good.clone(), "{\"weight_map\": 5}".to_owned(), "not a weight index"),
    ] {
        fs::write(&path, good.replace(&from, &to)).unwrap();
        let error = Weights::open(dir.path()).unwrap_err();
        assert!(matches!(&error, Error::ShardIndex { .. }) && error.to_string().contains(named), "{error}");
    }
    fs::write(&path, good.replace(&file, "absent.safetensors")).unwrap();
    let error = Weights::open(dir.path()).unwrap_err();
    assert!(matches!(&error, Error::Read { path, .. } if path.ends_with("absent.safetensors")), "{error}");
}

#[test]
fn a_written_checkpoint_can_be_read_by_other_users() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    generate_checkpoint(&spec(Architecture::Llama), dir.path()).unwrap();
    let mode = fs::metadata(dir.path().join("model.safetensors")).unwrap().permissions().mode();
    assert_eq!(mode & 0o444, 0o444);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, b"").unwrap();
    let error = generate_checkpoint(&spec(Architecture::Llama), &path).unwrap_err();
    assert!(matches!(&error, Error::Write { path: named, .. } if *named == path), "{error}");
}

/// A folder with a checkpoint whose weights are these bytes.
fn folder_of(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), spec(Architecture::Llama).config().unwrap().to_json().to_string())
        .unwrap();
    fs::write(dir.path().join("model.safetensors"), bytes).unwrap();
    dir
}

fn good_bytes() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    generate_checkpoint(&spec(Architecture::Llama), dir.path()).unwrap();
    fs::read(dir.path().join("model.safetensors")).unwrap()
}

#[test]
fn every_truncation_is_refused() {
    let good = good_bytes();
    let spots = (0..300).chain((300..good.len()).step_by(997)).chain(good.len() - 9..good.len());
    for length in spots {
        let dir = folder_of(&good[..length]);
        let error = Model::load(dir.path()).unwrap_err();
        assert!(matches!(error, Error::MalformedSafetensors { .. }), "{length} bytes: {error}");
    }
    let dir = folder_of(&[good.as_slice(), b"more"].concat());
    assert!(matches!(Model::load(dir.path()).unwrap_err(), Error::MalformedSafetensors { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Model::load(folder_of(&bytes).path()).is_err());
    }

    #[test]
    fn random_headers_are_refused(header in "[\\[\\]{}:,\"a-z0-9_]{0,80}", claimed in prop::option::of(any::<u64>())) {
        let length = claimed.unwrap_or(header.len() as u64);
        let bytes = [&length.to_le_bytes()[..], header.as_bytes()].concat();
        prop_assert!(Model::load(folder_of(&bytes).path()).is_err());
    }

    #[test]
    fn overwritten_files_load_or_are_refused_and_never_panic(
        spots in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = good_bytes();
        let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        for (in_header, spot, byte) in spots {
            let spot = spot.index(if in_header { header } else { bytes.len() });
            bytes[spot] = byte;
        }
        if let Ok(model) = Model::load(folder_of(&bytes).path()) {
            let mut state = DecodeState::new(model.config(), KvCacheKind::Static, 8).unwrap();
            let logits = model.forward(&[1, 2, 3], &mut state).unwrap();
            prop_assert_eq!(logits.as_slice().len(), 32);
        }
    }
}
