//! Native inference: GPT-2-, Qwen2- and Llama-shaped decoders in f32 on the CPU, with candle's tensors.
//!
//! The room owns everything between a checkpoint folder and token ids, and knows nothing of benchmarks: it offers
//! pieces that a caller times. Way of the data: folder → [`config`](ModelConfig) and [`weights`](Weights), checked
//! against each other → [`Model`] → [`Session`] (a [`DecodeState`] with its KV cache) → [`Logits`] → [`Sampler`] →
//! token ids; [`Tokenizer`] converts those to text and back. [`generate_checkpoint`] makes a small model from a seed.
//!
//! Results depend on the weights and the tokens alone: kinds of cache, threads and processors change them by f32
//! rounding at most, the folder's layout (one file or shards) not at all.

mod cache;
mod config;
mod error;
mod files;
mod generate;
mod layout;
mod model;
mod sampling;
mod session;
mod tokenizer;
mod weights;

pub use cache::{DecodeState, KvCacheKind};
pub use config::{Architecture, Llama3Scaling, ModelConfig, ModelSizes, Rope};
pub use error::{Error, Result};
pub use generate::{SyntheticSpec, WeightsDtype, generate_checkpoint};
pub use model::{Logits, Model, compute_threads};
pub use sampling::{Sampler, Sampling};
pub use session::{FinishReason, Generation, Session, Stop};
pub use tokenizer::Tokenizer;
pub use weights::{Weights, weight_files, write_checkpoint};
