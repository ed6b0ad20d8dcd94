//! Projections, laid out once for the multiplication.

use candle_core::{Result as TensorResult, Tensor};

use crate::engine::error::{Error, Result};
use crate::engine::weights::BoundWeights;

/// `x W + b`, with `W` seen as `[inputs, outputs]`.
#[derive(Debug)]
pub(super) struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// One projection out of several that read the same input, as `torch.nn.Linear` stores them (`[outputs, inputs]`):
    /// their outputs stand side by side, in the given order. One multiplication instead of several.
    pub(super) fn fused(weights: &mut BoundWeights<'_>, names: &[String], bias: bool) -> Result<Self> {
        let stack = |parts: Vec<Tensor>| match parts.as_slice() {
            [only] => Ok(only.clone()),
            parts => Tensor::cat(parts, 0),
        };
        let failed = || Error::compute(format!("laying out {names:?}"));
        let matrices = names.iter().map(|name| weights.take(&format!("{name}.weight"))).collect::<Result<Vec<_>>>()?;
        let weight = stack(matrices).and_then(|weight| weight.t()).map_err(failed())?;
        let bias = if bias {
            let parts = names.iter().map(|name| weights.take(&format!("{name}.bias"))).collect::<Result<Vec<_>>>()?;
            Some(stack(parts).map_err(failed())?)
        } else {
            None
        };
        Ok(Self { weight, bias })
    }

    /// A projection as GPT-2's `Conv1D` stores it, `[inputs, outputs]`, with its bias.
    pub(super) fn conv1d(weights: &mut BoundWeights<'_>, name: &str) -> Result<Self> {
        let weight = weights.take(&format!("{name}.weight"))?;
        let bias = Some(weights.take(&format!("{name}.bias"))?);
        Ok(Self { weight, bias })
    }

    /// The output projection: a matrix `[vocab, hidden]` of its own, or the token embedding.
    pub(super) fn output(weights: &mut BoundWeights<'_>, tied_to: Option<&Tensor>) -> Result<Self> {
        let matrix = match tied_to {
            Some(embedding) => embedding.clone(),
            None => weights.take("lm_head.weight")?,
        };
        let weight = matrix.t().map_err(Error::compute("laying out the output projection"))?;
        Ok(Self { weight, bias: None })
    }

    /// `[seq, inputs]` → `[seq, outputs]`.
    pub(super) fn forward(&self, x: &Tensor) -> TensorResult<Tensor> {
        let y = x.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
