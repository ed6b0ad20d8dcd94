//! The checked shape of a model.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::{Fields, abridged};
use super::{Rope, decoder, gpt2};
use crate::engine::error::{Error, Result};
use crate::engine::files::read_bounded;
use crate::engine::layout::tensor_slots;

/// The families of decoders that the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Radford et al. 2019: learned positions, LayerNorm before each block, GELU.
    Gpt2,
    /// Qwen2 and Qwen2.5: RoPE, RMSNorm, SwiGLU, grouped-query attention, bias on q, k and v.
    Qwen2,
    /// Llama 2 and 3: as Qwen2 without those biases, with Llama 3's RoPE scaling.
    Llama,
}

impl Architecture {
    /// The families, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::Gpt2, Self::Qwen2, Self::Llama];

    /// The `model_type` of `config.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt2",
            Self::Qwen2 => "qwen2",
            Self::Llama => "llama",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Architecture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.name() == text)
            .ok_or_else(|| Error::UnsupportedModelType { found: abridged(text) })
    }
}

/// The shape of one model: all that the engine needs to know besides the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Family.
    pub architecture: Architecture,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head; `heads * head_dim` need not be `hidden_size`.
    pub head_dim: usize,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Longest sequence, in tokens.
    pub max_positions: usize,
    /// Added to the variance (GPT-2) or the mean square (others) before the root.
    pub norm_eps: f64,
    /// Rotary embedding; `None` for GPT-2, whose positions are learned.
    pub rope: Option<Rope>,
    /// Whether the projections to q, k and v add a bias.
    pub qkv_bias: bool,
    /// Whether the projection after attention adds a bias.
    pub attention_output_bias: bool,
    /// Whether the feed-forward projections add a bias.
    pub mlp_bias: bool,
    /// Whether the output projection is the token embedding itself.
    pub tied_embeddings: bool,
    /// Ids that end a sequence; may be empty.
    pub eos_token_ids: Vec<u32>,
}

/// Upper bounds of the sizes. Far above every published model and small enough that products of two sizes and the
/// number of layers cannot overflow, so that a damaged file is refused before any memory is asked for.
const SIZE_LIMITS: [(&str, usize); 8] = [
    ("hidden_size", 1 << 17),
    ("intermediate_size", 1 << 20),
    ("layers", 1 << 12),
    ("heads", 1 << 12),
    ("kv_heads", 1 << 12),
    ("head_dim", 1 << 12),
    ("vocab_size", 1 << 22),
    ("max_positions", 1 << 24),
];

impl ModelConfig {
    /// Reads `config.json` of a checkpoint folder. Where `generation_config.json` names end-of-sequence ids, these
    /// count instead, as they do when transformers generates.
    ///
    /// # Errors
    /// As [`ModelConfig::from_json`], and when a file cannot be read.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("config.json");
        let mut config = Self::from_json(&read_bounded(&path, "model config")?)?;
        let path = dir.join("generation_config.json");
        if path.exists() {
            let object = parse_object(&read_bounded(&path, "generation config")?, "generation_config.json")?;
            let fields = Fields::new(&object, config.architecture);
            if fields.get("eos_token_id").is_some() {
                config.eos_token_ids = fields.token_ids("eos_token_id")?;
            }
        }
        Ok(config)
    }

    /// Parses and checks the bytes of a `config.json`.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::UnsupportedModelType`], [`Error::UnsupportedOption`], [`Error::MissingField`] or
    /// [`Error::InvalidField`], each naming the field.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let object = parse_object(bytes, "config.json")?;
        let architecture: Architecture = match object.get("model_type") {
            Some(Value::String(name)) => name.parse()?,
            Some(other) => return Err(Error::UnsupportedModelType { found: abridged(&other.to_string()) }),
            None => return Err(Error::UnsupportedModelType { found: "absent".to_owned() }),
        };
        let fields = Fields::new(&object, architecture);
        refuse_quantization(fields)?;
        let config = match architecture {
            Architecture::Gpt2 => gpt2::parse(fields)?,
            Architecture::Qwen2 | Architecture::Llama => decoder::parse(fields)?,
        };
        config.check()?;
        Ok(config)
    }

    /// Checks that the sizes are possible and fit together.
    ///
    /// # Errors
    /// [`Error::InvalidField`] naming the size, what was found and what is expected.
    pub fn check(&self) -> Result<()> {
        let sizes = [
            self.hidden_size,
            self.intermediate_size,
            self.layers,
            self.heads,
            self.kv_heads,
            self.head_dim,
            self.vocab_size,
            self.max_positions,
        ];
        for ((name, limit), found) in SIZE_LIMITS.into_iter().zip(sizes) {
            if found == 0 || found > limit {
                return Err(invalid(name, found, format!("a whole number from 1 to {limit}")));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(invalid("kv_heads", self.kv_heads, format!("a divisor of the {} heads", self.heads)));
        }
        if !(self.norm_eps.is_finite() && self.norm_eps > 0.0 && self.norm_eps < 1.0) {
            return Err(invalid("norm_eps", self.norm_eps, "a number between 0 and 1"));
        }
        self.check_biases()?;
        match (self.architecture, &self.rope) {
            (Architecture::Gpt2, None) => self.check_gpt2(),
            (Architecture::Gpt2, Some(_)) => Err(invalid("rope", "given", "none for gpt2")),
            (_, None) => Err(invalid("rope", "absent", "a rotary embedding")),
            (_, Some(rope)) => {
                if !self.head_dim.is_multiple_of(2) {
                    return Err(invalid("head_dim", self.head_dim, "an even number, for rotary embedding"));
                }
                rope.check()
            }
        }
    }

    /// Number of weights, biases included.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        tensor_slots(self).iter().map(|slot| slot.elements() as u64).sum()
    }

    /// Each family fixes some biases in its code.
    fn check_biases(&self) -> Result<()> {
        let found = (self.qkv_bias, self.attention_output_bias, self.mlp_bias);
        let (possible, expected) = match self.architecture {
            Architecture::Gpt2 => (found == (true, true, true), "all of them"),
            Architecture::Qwen2 => (found == (true, false, false), "those of q, k and v alone"),
            Architecture::Llama => (found.0 == found.1, "q, k, v and attention output alike"),
        };
        if possible {
            Ok(())
        } else {
            Err(invalid("biases (qkv, attention output, mlp)", format!("{found:?}"), expected))
        }
    }

    /// GPT-2's fused projection leaves no room for fewer key heads or another head width.
    fn check_gpt2(&self) -> Result<()> {
        if self.kv_heads != self.heads {
            return Err(invalid("kv_heads", self.kv_heads, format!("{} for gpt2", self.heads)));
        }
        if self.heads * self.head_dim != self.hidden_size {
            return Err(invalid("heads", self.heads, format!("a divisor of the hidden size {}", self.hidden_size)));
        }
        Ok(())
    }
}

pub(super) fn invalid(field: &str, found: impl fmt::Display, expected: impl Into<String>) -> Error {
    Error::InvalidField { field: field.to_owned(), found: found.to_string(), expected: expected.into() }
}

/// The upper bound of a size of [`SIZE_LIMITS`].
pub(super) fn limit(size: &str) -> usize {
    SIZE_LIMITS.iter().find(|(name, _)| *name == size).map_or(0, |(_, limit)| *limit)
}

pub(super) fn parse_object(bytes: &[u8], what: &str) -> Result<Map<String, Value>> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json { what: what.to_owned(), source })
}

/// Quantized checkpoints keep their weights in other tensors and need other kernels.
fn refuse_quantization(fields: Fields<'_>) -> Result<()> {
    match fields.get("quantization_config") {
        Some(found) => Err(fields.unsupported("quantization_config", found, "unquantized weights")),
        None => Ok(()),
    }
}
