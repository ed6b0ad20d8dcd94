//! Tables for rotary position embedding.

use std::sync::{PoisonError, RwLock};

use candle_core::{Device, Result as TensorResult, Tensor};
use candle_nn::rotary_emb::rope;

use crate::engine::config::Rope;
use crate::engine::error::{Error, Result};

/// Positions that a table starts with. Long-context models name up to a million, which few sequences reach.
const FIRST_POSITIONS: usize = 4096;

/// Cosines and sines of every position, computed once.
#[derive(Debug)]
pub(super) struct RotaryTable {
    /// Radians per position of each pair, rounded to f32 as the checkpoints' own implementation rounds them.
    frequencies: Vec<f32>,
    max_positions: usize,
    rows: RwLock<Rows>,
}

/// Cosines and sines, each `[positions, head_dim / 2]`.
#[derive(Debug, Clone)]
struct Rows {
    cos: Tensor,
    sin: Tensor,
    positions: usize,
}

impl RotaryTable {
    pub(super) fn new(config: &Rope, head_dim: usize, max_positions: usize) -> Result<Self> {
        let frequencies: Vec<f32> = config.frequencies(head_dim).into_iter().map(|f| f as f32).collect();
        let positions = max_positions.min(FIRST_POSITIONS);
        let rows = Rows::compute(&frequencies, positions).map_err(Error::compute("rotary tables"))?;
        Ok(Self { frequencies, max_positions, rows: RwLock::new(rows) })
    }

    /// Rotates heads, `[heads, seq, head_dim]` and contiguous, whose first position is `held`. Pairs are the two
    /// halves of a head, as in Hugging Face checkpoints.
    pub(super) fn rotate(&self, heads: &Tensor, held: usize) -> TensorResult<Tensor> {
        let seq = heads.dim(1)?;
        let rows = self.rows_up_to(held + seq)?;
        let cos = rows.cos.narrow(0, held, seq)?;
        let sin = rows.sin.narrow(0, held, seq)?;
        rope(&heads.unsqueeze(0)?, &cos, &sin)?.squeeze(0)
    }

    /// The tables, grown to hold at least this many positions.
    fn rows_up_to(&self, positions: usize) -> TensorResult<Rows> {
        // A thread that panicked can only have left the old rows or the new ones, both whole.
        let known = self.rows.read().unwrap_or_else(PoisonError::into_inner).clone();
        if positions <= known.positions {
            return Ok(known);
        }
        let grown = Rows::compute(&self.frequencies, positions.next_power_of_two().min(self.max_positions))?;
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = grown.clone();
        Ok(grown)
    }
}

impl Rows {
    /// Angles are the f32 product of position and frequency, as transformers computes them, because checkpoints were
    /// trained with that rounding; cosine and sine come from `libm`, so they are the same on every host.
    fn compute(frequencies: &[f32], positions: usize) -> TensorResult<Self> {
        let angles = || {
            let at = |position: usize| frequencies.iter().map(move |frequency| position as f32 * frequency);
            (0..positions).flat_map(at).map(f64::from)
        };
        let shape = (positions, frequencies.len());
        let cos: Vec<f32> = angles().map(|angle| libm::cos(angle) as f32).collect();
        let sin: Vec<f32> = angles().map(|angle| libm::sin(angle) as f32).collect();
        Ok(Self {
            cos: Tensor::from_vec(cos, shape, &Device::Cpu)?,
            sin: Tensor::from_vec(sin, shape, &Device::Cpu)?,
            positions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An f32 angle of up to 10,000 radians is off by half its last bit, 4.9e-4.
    const ANGLE_TOLERANCE: f32 = 5e-4;

    #[test]
    fn positions_beyond_the_first_table_are_rotated_by_their_own_angles() {
        let table = RotaryTable::new(&Rope { theta: 10_000.0, scaling: None }, 4, 10_000).unwrap();
        // Heads of (1, 1, 0, 0): the halves become cosines and sines.
        let heads = Tensor::new(&[[[1f32, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]], &Device::Cpu).unwrap();
        for held in [0, 4094, 4095, 4096, 9998, 1] {
            let rotated = table.rotate(&heads, held).unwrap().squeeze(0).unwrap().to_vec2::<f32>().unwrap();
            for (row, position) in rotated.iter().zip([held, held + 1]) {
                let (fast, slow) = (position as f64, position as f64 / 100.0);
                let expected = [fast.cos(), slow.cos(), fast.sin(), slow.sin()].map(|value| value as f32);
                for (found, expected) in row.iter().zip(expected) {
                    assert!((found - expected).abs() < ANGLE_TOLERANCE, "position {position}: {row:?}");
                }
            }
        }
        assert_eq!(table.rows.read().unwrap().positions, 10_000);
    }
}
