//! Writes a checkpoint folder: `config.json` and `model.safetensors`.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use candle_core::{DType, Tensor};
use safetensors::tensor::View;
use safetensors::{Dtype, SafeTensorError};

use crate::engine::config::ModelConfig;
use crate::engine::error::{Error, Result};

/// Writes a model as a Hugging Face checkpoint folder, weights as f32. The folder is made where it is missing; files
/// of the same names are replaced. The bytes depend on the arguments alone.
///
/// # Errors
/// [`Error::InvalidField`] for an impossible config, [`Error::TensorDtype`] for tensors that are not floating point,
/// [`Error::Write`] when a file cannot be written.
pub fn write_checkpoint(dir: &Path, config: &ModelConfig, tensors: &[(String, Tensor)]) -> Result<()> {
    let views = tensors
        .iter()
        .map(|(name, tensor)| {
            if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16) {
                return Err(Error::TensorDtype { name: name.clone(), found: format!("{:?}", tensor.dtype()) });
            }
            let values = tensor
                .to_dtype(DType::F32)
                .and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>())
                .map_err(Error::compute(format!("converting tensor `{name}`")))?;
            Ok((name.clone(), Given { shape: tensor.dims().to_vec(), values }))
        })
        .collect::<Result<Vec<_>>>()?;
    write_files(dir, config, views)
}

/// Writes the two files. Views give their bytes one after another, so lazy ones need not be in memory together.
pub(in crate::engine) fn write_files<V: View>(dir: &Path, config: &ModelConfig, views: Vec<(String, V)>) -> Result<()> {
    config.check()?;
    fs::create_dir_all(dir).map_err(|source| write_error("checkpoint folder", dir, source))?;
    let path = dir.join("model.safetensors");
    // Transformers refuses files whose metadata does not name the framework.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(views, Some(metadata), &path).map_err(|error| {
        let source = match error {
            SafeTensorError::IoError(source) => source,
            other => std::io::Error::other(other.to_string()),
        };
        write_error("weights", &path, source)
    })?;
    make_readable(&path)?;
    let path = dir.join("config.json");
    let text = format!("{:#}\n", config.to_json());
    fs::write(&path, text).map_err(|source| write_error("model config", &path, source))
}

fn write_error(what: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Write { what, path: path.to_owned(), source }
}

/// The library writes through a temporary file that only its owner may read; a lane that runs as another user has to
/// read the weights too.
#[cfg(unix)]
fn make_readable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(path, mode).map_err(|source| write_error("weights", path, source))
}

#[cfg(not(unix))]
fn make_readable(_: &Path) -> Result<()> {
    Ok(())
}

struct Given {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl View for Given {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}
