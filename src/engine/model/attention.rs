//! Scaled dot-product attention over a cache (Vaswani et al. 2017, section 3.2), with grouped queries
//! (Ainslie et al. 2023).

use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Result as TensorResult, Tensor, bail};
use candle_nn::ops::softmax_last_dim;

/// Splits a projection into heads: `[seq, heads * head_dim]` → `[heads, seq, head_dim]`, contiguous.
pub(super) fn split_heads(x: &Tensor, heads: usize, head_dim: usize) -> TensorResult<Tensor> {
    let seq = x.dim(0)?;
    if seq == 1 {
        // One position: the heads already lie one after another.
        return x.reshape((heads, 1, head_dim));
    }
    x.reshape((seq, heads, head_dim))?.transpose(0, 1)?.contiguous()
}

/// Attention of new positions over all positions up to their own.
///
/// - `queries`: `[heads, seq, head_dim]`, contiguous
/// - `keys`, `values`: `[kv_heads, total, head_dim]`; query head `h` reads key head `h / (heads / kv_heads)`
/// - `mask`: what [`causal_mask`] gave for these positions
///
/// Returns `[seq, heads * head_dim]`.
pub(super) fn attend(queries: &Tensor, keys: &Tensor, values: &Tensor, mask: Option<&Tensor>) -> TensorResult<Tensor> {
    let (heads, seq, head_dim) = queries.dims3()?;
    let (kv_heads, total, _) = keys.dims3()?;
    // The query heads of one key head are neighbours, so they stack into one multiplication a key head.
    let rows = heads / kv_heads * seq;
    let scale = 1.0 / (head_dim as f64).sqrt();
    let queries = (queries * scale)?.reshape((kv_heads, rows, head_dim))?;
    let mut scores = queries.matmul(&keys.transpose(1, 2)?)?;
    if seq == 1 {
        scores.inplace_op1(&SoftmaxInPlace)?;
        return scores.matmul(values)?.reshape((1, heads * head_dim));
    }
    if let Some(mask) = mask {
        scores = scores.reshape((heads, seq, total))?.broadcast_add(mask)?.reshape((kv_heads, rows, total))?;
    }
    let mixed = softmax_last_dim(&scores)?.matmul(values)?;
    mixed.reshape((heads, seq, head_dim))?.transpose(0, 1)?.reshape((seq, heads * head_dim))
}

/// What is added to the scores so that position `held + i` sees positions `0..=held + i`: `[seq, held + seq]` of zero
/// and minus infinity. A single new position sees everything and needs none.
pub(super) fn causal_mask(seq: usize, held: usize) -> TensorResult<Option<Tensor>> {
    if seq == 1 {
        return Ok(None);
    }
    let total = held + seq;
    let row = |i| (0..total).map(move |j| if j <= held + i { 0.0 } else { f32::NEG_INFINITY });
    let mask: Vec<f32> = (0..seq).flat_map(row).collect();
    Tensor::from_vec(mask, (seq, total), &Device::Cpu).map(Some)
}

/// Softmax over the last dimension, on the calling thread. Candle's own hands rows to the thread pool, and for the few
/// rows of a decode pass waking a thread costs more than the work.
struct SoftmaxInPlace;

impl InplaceOp1 for SoftmaxInPlace {
    fn name(&self) -> &'static str {
        "softmax-in-place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> TensorResult<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            bail!("softmax in place needs contiguous f32 values")
        };
        let Some(values) = values.get_mut(start..end) else { bail!("softmax in place beyond its storage") };
        let width = layout.dims().last().copied().unwrap_or(1).max(1);
        for row in values.chunks_mut(width) {
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for value in row.iter_mut() {
                *value = (*value - max).exp();
                sum += *value;
            }
            for value in row {
                *value /= sum;
            }
        }
        Ok(())
    }
}
