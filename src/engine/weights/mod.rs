//! Weights on disk and in memory: safetensors files in, f32 tensors out, and back.
//!
//! Way of the data: `shard` reads the header of one safetensors file → `checkpoint` finds the files of a folder and
//! knows where each tensor lies → `binding` compares names, shapes and dtypes with what the config implies, before
//! any weight is read → tensors are read one at a time and widened to f32, so that the peak is the model plus one
//! tensor. `write` is the way out. Files are read, never mapped: a mapped file that another process truncates kills
//! the reader.

mod binding;
mod checkpoint;
mod shard;
mod write;

pub(super) use binding::BoundWeights;
pub use checkpoint::{Weights, weight_files};
pub use write::write_checkpoint;
pub(super) use write::write_files;

#[cfg(test)]
mod tests;
