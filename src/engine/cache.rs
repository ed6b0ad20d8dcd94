//! KV caches: what a decode state keeps of the tokens that went before.

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device, Result as TensorResult, Tensor};
use serde::{Deserialize, Serialize};

use super::config::ModelConfig;
use super::error::{Error, Result};

/// How keys and values of earlier tokens are kept. The kinds differ in time and memory, never in what they compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvCacheKind {
    /// Nothing is kept but the token ids: every forward pass computes the whole sequence again.
    None,
    /// Grows by concatenation, as transformers' `DynamicCache` does: each pass copies all earlier keys and values into
    /// a new tensor.
    Dynamic,
    /// Allocated once for a fixed capacity and written in place. Unlike transformers' `StaticCache`, attention reads
    /// only the filled part.
    Static,
}

impl KvCacheKind {
    /// All kinds, in the order in which messages list them.
    pub const ALL: [Self; 3] = [Self::None, Self::Dynamic, Self::Static];

    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dynamic => "dynamic",
            Self::Static => "static",
        }
    }
}

impl fmt::Display for KvCacheKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for KvCacheKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| Error::UnknownKvCacheKind { found: text.chars().take(80).collect() })
    }
}

/// Everything that a sequence leaves behind for its next forward pass.
///
/// It is not `Clone`: a static cache is written in place, so two states must never share one.
#[derive(Debug)]
pub struct DecodeState {
    kind: KvCacheKind,
    dims: CacheDims,
    /// Positions of a static cache.
    capacity: usize,
    /// Tokens of the finished forward passes. A failed pass leaves it as it was, and the next one overwrites what
    /// the failed one wrote.
    tokens: Vec<u32>,
    layers: Vec<LayerCache>,
}

/// The sizes of a model that its cache depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CacheDims {
    layers: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl CacheDims {
    pub(super) fn of(config: &ModelConfig) -> Self {
        Self { layers: config.layers, kv_heads: config.kv_heads, head_dim: config.head_dim }
    }
}

impl fmt::Display for CacheDims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}, {})", self.layers, self.kv_heads, self.head_dim)
    }
}

impl DecodeState {
    /// An empty state for one sequence of a model. `capacity` is the number of positions of a static cache, which is
    /// allocated here; the other kinds have no use for it.
    ///
    /// # Errors
    /// [`Error::InvalidCapacity`] when a static cache would have no position or more than the model.
    pub fn new(config: &ModelConfig, kind: KvCacheKind, capacity: usize) -> Result<Self> {
        let dims = CacheDims::of(config);
        let layers = match kind {
            KvCacheKind::None => (0..dims.layers).map(|_| LayerCache::None).collect(),
            KvCacheKind::Dynamic => (0..dims.layers).map(|_| LayerCache::Dynamic(None)).collect(),
            KvCacheKind::Static => {
                if capacity == 0 || capacity > config.max_positions {
                    return Err(Error::InvalidCapacity { capacity, max_positions: config.max_positions });
                }
                let shape = (dims.kv_heads, capacity, dims.head_dim);
                let empty = || Tensor::zeros(shape, DType::F32, &Device::Cpu);
                (0..dims.layers)
                    .map(|_| Ok(LayerCache::Static { keys: empty()?, values: empty()? }))
                    .collect::<TensorResult<_>>()
                    .map_err(Error::compute("allocating a static KV cache"))?
            }
        };
        Ok(Self { kind, dims, capacity, tokens: Vec::new(), layers })
    }

    /// The kind of cache.
    #[must_use]
    pub fn kind(&self) -> KvCacheKind {
        self.kind
    }

    /// The tokens of all finished forward passes.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Forgets the sequence. A static cache keeps its memory.
    pub fn reset(&mut self) {
        self.tokens.clear();
        for layer in &mut self.layers {
            if let LayerCache::Dynamic(kept) = layer {
                *kept = None;
            }
        }
    }

    /// Checks that `adding` more tokens of a model fit.
    ///
    /// # Errors
    /// [`Error::StateMismatch`], [`Error::PositionsExceeded`] or [`Error::CacheOverflow`].
    pub(super) fn admit(&self, config: &ModelConfig, adding: usize) -> Result<()> {
        let expected = CacheDims::of(config);
        if self.dims != expected {
            return Err(Error::StateMismatch { expected: expected.to_string(), found: self.dims.to_string() });
        }
        let held = self.tokens.len();
        let total = held.saturating_add(adding);
        if total > config.max_positions {
            return Err(Error::PositionsExceeded { held, adding, max_positions: config.max_positions });
        }
        if self.kind == KvCacheKind::Static && total > self.capacity {
            return Err(Error::CacheOverflow { capacity: self.capacity, held, adding });
        }
        Ok(())
    }

    /// The caches of the layers, the first first.
    pub(super) fn layers_mut(&mut self) -> &mut [LayerCache] {
        &mut self.layers
    }

    /// Records that a forward pass over these tokens is finished.
    pub(super) fn advance(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
    }
}

/// Keys and values of one layer, each `[kv_heads, positions, head_dim]`.
#[derive(Debug)]
pub(super) enum LayerCache {
    None,
    Dynamic(Option<(Tensor, Tensor)>),
    Static { keys: Tensor, values: Tensor },
}

impl LayerCache {
    /// Adds the keys and values of new tokens, `[kv_heads, seq, head_dim]`, behind the first `held` positions, and
    /// returns those of all positions, `[kv_heads, held + seq, head_dim]`.
    pub(super) fn append(&mut self, held: usize, keys: Tensor, values: Tensor) -> TensorResult<(Tensor, Tensor)> {
        match self {
            Self::None => Ok((keys, values)),
            Self::Dynamic(kept) => {
                let grown = match kept.take() {
                    Some((old_keys, old_values)) if held > 0 => {
                        (grow(&old_keys, held, &keys)?, grow(&old_values, held, &values)?)
                    }
                    _ => (keys.contiguous()?, values.contiguous()?),
                };
                *kept = Some(grown.clone());
                Ok(grown)
            }
            Self::Static { keys: all_keys, values: all_values } => {
                let total = held + keys.dim(1)?;
                all_keys.slice_set(&keys.contiguous()?, 1, held)?;
                all_values.slice_set(&values.contiguous()?, 1, held)?;
                Ok((all_keys.narrow(1, 0, total)?, all_values.narrow(1, 0, total)?))
            }
        }
    }
}

/// The first `held` positions of `old`, then `new`. A pass that failed half-way may have left more than `held`.
fn grow(old: &Tensor, held: usize, new: &Tensor) -> TensorResult<Tensor> {
    Tensor::cat(&[&old.narrow(1, 0, held)?, new], 1)
}
