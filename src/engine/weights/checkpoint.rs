//! The weights of one model: where each tensor lies, by name.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use super::shard::{Shard, is_readable};
use crate::engine::error::{Error, Result};
use crate::engine::files::read_bounded;

const SINGLE_FILE: &str = "model.safetensors";
const INDEX_FILE: &str = "model.safetensors.index.json";

/// Named tensors that have not been read yet, or are in memory already.
#[derive(Debug, Default)]
pub struct Weights {
    entries: BTreeMap<String, Entry>,
    shards: Vec<Shard>,
}

#[derive(Debug)]
enum Entry {
    /// In a file; read when it is taken.
    Stored { shard: usize },
    /// Given as a tensor.
    Given(Tensor),
}

/// What is known of a tensor before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorFacts {
    pub(super) shape: Vec<usize>,
    /// The stored number format, for messages.
    pub(super) dtype: String,
    /// Whether the engine can widen it to f32.
    pub(super) readable: bool,
}

/// `model.safetensors.index.json`; its `metadata` is informative only.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens the safetensors files of a checkpoint folder and reads their headers. A single `model.safetensors` wins
    /// over an index, as it does in transformers.
    ///
    /// # Errors
    /// [`Error::NoWeights`], [`Error::Read`], [`Error::MalformedSafetensors`] or [`Error::ShardIndex`].
    pub fn open(dir: &Path) -> Result<Self> {
        if dir.join(SINGLE_FILE).exists() {
            return Self::open_single(&dir.join(SINGLE_FILE));
        }
        let index = read_index(dir)?;
        let mut weights = Self::default();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, file) in &index {
            let shard = match numbers.get(file.as_str()) {
                Some(&number) => number,
                None => {
                    weights.shards.push(Shard::open(&dir.join(file))?);
                    numbers.insert(file, weights.shards.len() - 1);
                    weights.shards.len() - 1
                }
            };
            let listed = weights.shards.get(shard).is_some_and(|shard| shard.info(name).is_some());
            if !listed {
                let found = format!("it says that tensor `{name}` lies in `{file}`, which does not hold it");
                return Err(Error::ShardIndex { path: dir.join(INDEX_FILE), found });
            }
            weights.entries.insert(name.clone(), Entry::Stored { shard });
        }
        Ok(weights)
    }

    /// Takes tensors that are in memory already. They are converted to f32 on the CPU when the model is built.
    #[must_use]
    pub fn from_tensors(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        let entries = tensors.into_iter().map(|(name, tensor)| (name, Entry::Given(tensor))).collect();
        Self { entries, shards: Vec::new() }
    }

    /// Names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// What is known of a tensor without reading it.
    pub(super) fn facts(&self, name: &str) -> Option<TensorFacts> {
        match self.entries.get(name)? {
            Entry::Given(tensor) => Some(TensorFacts {
                shape: tensor.dims().to_vec(),
                dtype: format!("{:?}", tensor.dtype()),
                readable: matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16),
            }),
            Entry::Stored { shard } => {
                let info = self.shards.get(*shard)?.info(name)?;
                Some(TensorFacts {
                    shape: info.shape.clone(),
                    dtype: info.dtype.to_string(),
                    readable: is_readable(info.dtype),
                })
            }
        }
    }

    /// Reads a tensor as f32 and forgets it. `None` when there is none of this name.
    pub(super) fn take(&mut self, name: &str, on_bytes: &mut dyn FnMut(u64)) -> Result<Option<Tensor>> {
        let failed = || Error::compute(format!("reading tensor `{name}`"));
        match self.entries.remove(name) {
            None => Ok(None),
            Some(Entry::Given(tensor)) => {
                let tensor = tensor.to_device(&Device::Cpu).and_then(|tensor| tensor.to_dtype(DType::F32));
                tensor.and_then(|tensor| tensor.contiguous()).map(Some).map_err(failed())
            }
            Some(Entry::Stored { shard }) => {
                let Some(shard) = self.shards.get_mut(shard) else { return Ok(None) };
                let Some(shape) = shard.info(name).map(|info| info.shape.clone()) else { return Ok(None) };
                let values = shard.read_f32(name, on_bytes)?;
                Tensor::from_vec(values, shape, &Device::Cpu).map(Some).map_err(failed())
            }
        }
    }

    fn open_single(path: &Path) -> Result<Self> {
        let shard = Shard::open(path)?;
        let entries = shard.names().into_iter().map(|name| (name, Entry::Stored { shard: 0 })).collect();
        Ok(Self { entries, shards: vec![shard] })
    }
}

/// The weight files of a checkpoint folder, sorted by name, for hashing: the single file, or the index and its shards.
///
/// # Errors
/// [`Error::NoWeights`], [`Error::Read`] or [`Error::ShardIndex`].
pub fn weight_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let single = dir.join(SINGLE_FILE);
    if single.exists() {
        return Ok(vec![single]);
    }
    let mut files: Vec<PathBuf> = read_index(dir)?.into_values().map(|file| dir.join(file)).collect();
    files.push(dir.join(INDEX_FILE));
    files.sort();
    files.dedup();
    Ok(files)
}

/// Tensor name to file name, each a plain name inside the folder.
fn read_index(dir: &Path) -> Result<BTreeMap<String, String>> {
    let path = dir.join(INDEX_FILE);
    if !path.exists() {
        return Err(Error::NoWeights { dir: dir.to_owned(), hint: missing_hint(dir) });
    }
    let bytes = read_bounded(&path, "index of the weights")?;
    let index: ShardIndex = serde_json::from_slice(&bytes).map_err(|error| Error::ShardIndex {
        path: path.clone(),
        found: format!("it is not a weight index: {error}"),
    })?;
    // The file comes from outside: it must not lead out of its folder.
    let is_plain = |file: &str| {
        let mut parts = Path::new(file).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
    };
    if let Some(file) = index.weight_map.values().find(|file| !is_plain(file)) {
        let found = format!("shard `{file}` is no plain file name");
        return Err(Error::ShardIndex { path, found });
    }
    if index.weight_map.is_empty() {
        return Err(Error::ShardIndex { path, found: "it lists no tensors".to_owned() });
    }
    Ok(index.weight_map)
}

fn missing_hint(dir: &Path) -> &'static str {
    if !dir.is_dir() {
        "it is not a folder"
    } else if dir.join("pytorch_model.bin").exists() || dir.join("pytorch_model.bin.index.json").exists() {
        "convert its `pytorch_model.bin` to safetensors (`save_pretrained(..., safe_serialization=True)`)"
    } else {
        "give the folder that holds the safetensors files"
    }
}
