//! The shape of a model: `config.json` of a Hugging Face checkpoint, read and checked.
//!
//! Way of the data: bytes → JSON object → `fields` (typed reads that name the field they fail at) → one function a
//! family (`gpt2`, `decoder` for qwen2 and llama, `rope`), which refuses by name whatever would change the mathematics
//! and is not implemented → [`ModelConfig::check`] (sizes) → [`ModelConfig`]. `json` goes the other way. `sizes` is what a plan has to
//! know of any checkpoint, this engine's or not.
//!
//! Unknown keys are let through, because every checkpoint carries dozens that concern training or the tokenizer.

mod decoder;
mod fields;
mod gpt2;
mod json;
mod model_config;
mod rope;
mod sizes;

pub use model_config::{Architecture, ModelConfig};
pub use rope::{Llama3Scaling, Rope};
pub use sizes::ModelSizes;

#[cfg(test)]
mod tests;
