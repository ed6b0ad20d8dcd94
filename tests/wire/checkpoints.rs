//! The tiny checkpoints that the kit's scripts load, made once a run, each when it is first asked for.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use half::f16;
use lockstep::engine::{
    Architecture, KvCacheKind, Model as EngineModel, Sampler, Sampling, Session, Stop, SyntheticSpec,
    generate_checkpoint,
};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The prompt whose greedy continuation decides which id ends a sequence of [`Model::LlamaEos`].
const PROMPT: [u32; 4] = [3, 1, 4, 1];
const SCRIPT_TOKENS: usize = 12;

/// The models a script may name.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    #[default]
    Llama,
    Gpt2,
    Qwen2,
    /// `Llama` in two shards of bf16.
    LlamaBf16Shards,
    /// `Gpt2` in f16, its names without their first part.
    Gpt2F16Bare,
    /// `Llama` with an end-of-sequence id that its greedy continuation of the prompt reaches.
    LlamaEos,
}

#[derive(Default)]
pub struct Models {
    llama: OnceLock<Made>,
    gpt2: OnceLock<Made>,
    qwen2: OnceLock<Made>,
    llama_bf16: OnceLock<Made>,
    gpt2_f16: OnceLock<Made>,
    llama_eos: OnceLock<Made>,
}

struct Made {
    folder: TempDir,
    /// A prompt after which the greedy token ends the sequence; only [`Model::LlamaEos`] has one.
    eos_prompt: Vec<u32>,
}

impl Models {
    /// The message with `"$MODEL_DIR"` and `"$EOS_PROMPT"` replaced.
    pub fn fill_in(&self, model: Model, message: &Value) -> Value {
        match message {
            Value::String(text) if text == "$MODEL_DIR" => {
                json!(self.made(model).folder.path().to_str().expect("temporary folders have UTF-8 paths"))
            }
            Value::String(text) if text == "$EOS_PROMPT" => json!(self.made(model).eos_prompt),
            Value::Array(items) => items.iter().map(|item| self.fill_in(model, item)).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), self.fill_in(model, value))).collect(),
            leaf => leaf.clone(),
        }
    }

    fn made(&self, model: Model) -> &Made {
        match model {
            Model::Llama => self.llama.get_or_init(|| synthetic(Architecture::Llama)),
            Model::Gpt2 => self.gpt2.get_or_init(|| synthetic(Architecture::Gpt2)),
            Model::Qwen2 => self.qwen2.get_or_init(|| synthetic(Architecture::Qwen2)),
            Model::LlamaBf16Shards => self.llama_bf16.get_or_init(|| bf16_shards(self.made(Model::Llama))),
            Model::Gpt2F16Bare => self.gpt2_f16.get_or_init(|| f16_bare(self.made(Model::Gpt2))),
            Model::LlamaEos => self.llama_eos.get_or_init(|| with_eos(self.made(Model::Llama))),
        }
    }
}

impl Made {
    fn in_folder(fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fill(folder.path());
        Self { folder, eos_prompt: Vec::new() }
    }
}

/// Small enough for a pure-Python decoder, long enough in positions for a repetition that does not end by itself.
fn synthetic(architecture: Architecture) -> Made {
    let spec = SyntheticSpec {
        architecture,
        hidden_size: 32,
        intermediate_size: 64,
        layers: 2,
        heads: 4,
        kv_heads: if architecture == Architecture::Gpt2 { 4 } else { 2 },
        vocab_size: 96,
        max_positions: if architecture == Architecture::Llama { 32768 } else { 128 },
        seed: 20,
        dtype: Default::default(),
        tied_embeddings: false,
        rope_theta: 10_000,
    };
    Made::in_folder(|dir| generate_checkpoint(&spec, dir).expect("a small checkpoint can be written"))
}

fn with_eos(llama: &Made) -> Made {
    let model = EngineModel::load(llama.folder.path()).expect("the generated checkpoint loads");
    let mut session = Session::new(&model, KvCacheKind::Dynamic, 0).expect("a dynamic cache needs no capacity");
    let mut greedy = Sampler::new(&Sampling::Greedy).expect("greedy has no options");
    let generated = session
        .generate(&PROMPT, SCRIPT_TOKENS, &mut greedy, &Stop::at_length(), &mut |_| ())
        .expect("the generated checkpoint runs");
    let tokens = generated.tokens;
    let index = (2..SCRIPT_TOKENS - 2)
        .find(|&index| !tokens[..index].contains(&tokens[index]))
        .expect("the continuation does not repeat itself from the start; choose another seed if it does");
    let mut made = Made::in_folder(|dir| {
        for file in ["config.json", "model.safetensors"] {
            fs::copy(llama.folder.path().join(file), dir.join(file)).expect("a checkpoint can be copied");
        }
        let generation = json!({"eos_token_id": [95, tokens[index]]});
        fs::write(dir.join("generation_config.json"), generation.to_string()).expect("a small file can be written");
    });
    made.eos_prompt = PROMPT.iter().chain(&tokens[..index]).copied().collect();
    made
}

fn bf16_shards(llama: &Made) -> Made {
    rewritten(llama, Dtype::BF16, |value| half::bf16::from_f32(value).to_le_bytes(), |name| name.to_owned(), 2)
}

fn f16_bare(gpt2: &Made) -> Made {
    let bare = |name: &str| name.strip_prefix("transformer.").unwrap_or(name).to_owned();
    rewritten(gpt2, Dtype::F16, |value| f16::from_f32(value).to_le_bytes(), bare, 1)
}

/// The same model in another number format, under other names, in so many files.
fn rewritten(
    made: &Made,
    dtype: Dtype,
    narrow: fn(f32) -> [u8; 2],
    rename: impl Fn(&str) -> String,
    files: usize,
) -> Made {
    let from = made.folder.path();
    let bytes = fs::read(from.join("model.safetensors")).expect("the generated checkpoint can be read");
    let tensors = SafeTensors::deserialize(&bytes).expect("the generated checkpoint is well-formed");
    let narrowed: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, view)| {
            let (numbers, _) = view.data().as_chunks::<4>();
            let data = numbers.iter().flat_map(|&number| narrow(f32::from_le_bytes(number))).collect();
            (rename(name), view.shape().to_vec(), data)
        })
        .collect();
    Made::in_folder(|dir| {
        fs::copy(from.join("config.json"), dir.join("config.json")).expect("a small file can be copied");
        let mut weight_map = serde_json::Map::new();
        for number in 0..files {
            let file = if files == 1 { "model.safetensors".to_owned() } else { format!("model-{number}.safetensors") };
            let part = narrowed.iter().skip(number).step_by(files);
            let views = part.map(|(name, shape, data)| {
                weight_map.insert(name.clone(), json!(file));
                (name, TensorView::new(dtype, shape.clone(), data).expect("two bytes a number"))
            });
            let views: Vec<_> = views.collect();
            safetensors::serialize_to_file(views, None, &dir.join(&file)).expect("weights can be written");
        }
        if files > 1 {
            let index = json!({"metadata": {}, "weight_map": weight_map});
            fs::write(dir.join("model.safetensors.index.json"), index.to_string())
                .expect("a small file can be written");
        }
    })
}
