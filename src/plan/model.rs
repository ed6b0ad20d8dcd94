//! Which weights a plan is about.

use serde::{Deserialize, Serialize};

use super::Hub;
use crate::terms::Digest;

/// The model of a plan, pinned by the digest of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Name for people and reports.
    pub name: String,
    /// Digest over the checkpoint folder's files, as `lock::folder_digest` takes it.
    pub sha256: Digest,
    /// Vocabulary size; prompts are generated below it.
    pub vocab_size: u32,
    /// How to generate the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<Synthetic>,
    /// Where to download the checkpoint. Without this and `synthetic` it is a folder that `--model` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<Hub>,
}

/// A checkpoint that is generated from a seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    /// `gpt2`, `qwen2` or `llama`.
    pub architecture: String,
    /// Seed of the weights.
    pub seed: u64,
    /// Width of the residual stream.
    pub hidden_size: u32,
    /// Width of the feed-forward block.
    pub intermediate_size: u32,
    /// Decoder blocks.
    pub layers: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// Longest sequence.
    pub max_positions: u32,
    /// Number format of the weights: `f32` (the default) or `bf16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Whether the output projection is the embedding.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tied_embeddings: bool,
    /// Base of the rotary frequencies; 10,000 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<u32>,
}
