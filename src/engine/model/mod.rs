//! The forward pass of a decoder-only model, in f32 on the CPU.
//!
//! Way of the data: token ids → [`Model::forward`] (limits, then ids as a tensor) → `gpt2` or `decoder` (embedding,
//! blocks, last position, output projection) → [`Logits`] of the last position. `attention` serves both families,
//! `linear` holds weights laid out once for the multiplication, `rotary` the tables of cosines and sines.
//!
//! There is no batch dimension: a sequence is `[seq, hidden]`, its heads `[heads, seq, head_dim]`.
//!
//! Candle takes its number of threads from the environment variable `RAYON_NUM_THREADS` ([`compute_threads`] tells
//! it). Whoever starts a process that measures should set it: where it is unset, candle 0.11 reads `/proc/cpuinfo`
//! anew for every multiplication, which made decoding a small model several times slower.

mod attention;
mod decoder;
mod forward;
mod gpt2;
mod linear;
mod rotary;

pub use forward::{Logits, Model, compute_threads};

#[cfg(test)]
pub(super) mod reference;
#[cfg(test)]
mod tests;
