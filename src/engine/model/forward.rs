//! A loaded model: checks what it is asked, and runs the forward pass of its family.

use std::path::Path;

use candle_core::{Device, Result as TensorResult, Tensor};

use super::decoder::Decoder;
use super::gpt2::Gpt2;
use crate::engine::cache::{DecodeState, KvCacheKind};
use crate::engine::config::{Architecture, ModelConfig};
use crate::engine::error::{Error, Result};
use crate::engine::weights::{BoundWeights, Weights};

/// A model that is ready to run. It holds no state of a sequence, so one model serves many [`DecodeState`]s.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
    blocks: Blocks,
}

#[derive(Debug)]
enum Blocks {
    Gpt2(Gpt2),
    Decoder(Decoder),
}

impl Model {
    /// Loads a Hugging Face checkpoint folder: `config.json` with `model.safetensors`, or with shards and their index.
    ///
    /// # Errors
    /// As [`ModelConfig::load`], [`Weights::open`] and [`Model::from_parts`].
    pub fn load(dir: &Path) -> Result<Self> {
        Self::load_reporting(dir, &mut |_| ())
    }

    /// As [`Model::load`]; `on_bytes` hears how many bytes of weights were read since it was last called.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_reporting(dir: &Path, on_bytes: &mut dyn FnMut(u64)) -> Result<Self> {
        let config = ModelConfig::load(dir)?;
        let weights = Weights::open(dir)?;
        Self::build(config, weights, on_bytes)
    }

    /// Builds a model from a config and its weights, under their names in a Hugging Face checkpoint.
    ///
    /// # Errors
    /// [`Error::InvalidField`] for an impossible config; [`Error::MissingTensor`], [`Error::TensorShape`],
    /// [`Error::TensorDtype`] or [`Error::UnexpectedTensors`] when the weights are not those of the config;
    /// [`Error::Read`] when a file cannot be read.
    pub fn from_parts(config: ModelConfig, weights: Weights) -> Result<Self> {
        Self::build(config, weights, &mut |_| ())
    }

    fn build(config: ModelConfig, weights: Weights, on_bytes: &mut dyn FnMut(u64)) -> Result<Self> {
        config.check()?;
        let mut weights = BoundWeights::bind(&config, weights, on_bytes)?;
        let blocks = match config.architecture {
            Architecture::Gpt2 => Blocks::Gpt2(Gpt2::build(&config, &mut weights)?),
            Architecture::Qwen2 | Architecture::Llama => Blocks::Decoder(Decoder::build(&config, &mut weights)?),
        };
        Ok(Self { config, blocks })
    }

    /// The shape of the model.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Runs new tokens through the model, behind those that `state` already holds, and returns the logits of the last
    /// one. On an error the state still holds what it held before.
    ///
    /// # Errors
    /// [`Error::EmptyPrompt`], [`Error::TokenOutsideVocabulary`], [`Error::PositionsExceeded`],
    /// [`Error::CacheOverflow`], [`Error::StateMismatch`] or [`Error::Compute`].
    pub fn forward(&self, tokens: &[u32], state: &mut DecodeState) -> Result<Logits> {
        if tokens.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let vocab_size = self.config.vocab_size;
        if let Some((index, &token)) = tokens.iter().enumerate().find(|(_, token)| **token as usize >= vocab_size) {
            return Err(Error::TokenOutsideVocabulary { index, token, vocab_size });
        }
        state.admit(&self.config, tokens.len())?;
        let logits = self.logits(tokens, state).map_err(Error::compute("forward pass"))?;
        state.advance(tokens);
        Ok(Logits(logits))
    }

    fn logits(&self, tokens: &[u32], state: &mut DecodeState) -> TensorResult<Vec<f32>> {
        let held = state.tokens().len();
        let (ids, held) = match state.kind() {
            KvCacheKind::None => {
                (Tensor::from_vec([state.tokens(), tokens].concat(), held + tokens.len(), &Device::Cpu)?, 0)
            }
            KvCacheKind::Dynamic | KvCacheKind::Static => (Tensor::new(tokens, &Device::Cpu)?, held),
        };
        let logits = match &self.blocks {
            Blocks::Gpt2(gpt2) => gpt2.forward(&ids, held, state.layers_mut())?,
            Blocks::Decoder(decoder) => decoder.forward(&ids, held, state.layers_mut())?,
        };
        logits.flatten_all()?.to_vec1()
    }
}

/// Number of threads that a forward pass may use.
#[must_use]
pub fn compute_threads() -> usize {
    candle_core::utils::get_num_threads()
}

/// Unnormalized log-probabilities of the next token, one a token id.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits(Vec<f32>);

impl Logits {
    /// Wraps values computed elsewhere, one a token id.
    #[must_use]
    pub fn new(values: Vec<f32>) -> Self {
        Self(values)
    }

    /// The values, indexed by token id.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }
}
