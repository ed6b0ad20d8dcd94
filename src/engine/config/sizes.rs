//! What a plan has to know of a checkpoint, whichever lane runs it.

use std::path::Path;

use serde_json::{Map, Value};

use super::ModelConfig;
use super::model_config::{invalid, limit, parse_object};
use crate::engine::error::{Error, Result};
use crate::engine::files::read_bounded;

/// Its vocabulary and its longest sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSizes {
    /// Number of token ids.
    pub vocab_size: usize,
    /// Longest sequence, in tokens.
    pub max_positions: usize,
}

impl ModelSizes {
    /// Reads `config.json` of a checkpoint folder. What this engine does not implement, quantized weights or another family, is no
    /// matter here: a lane may have one that does, and one that has not refuses the checkpoint by name.
    ///
    /// # Errors
    /// As [`ModelConfig::load`] but for [`Error::UnsupportedOption`] and for [`Error::UnsupportedModelType`] where a family is named.
    pub fn load(dir: &Path) -> Result<Self> {
        match ModelConfig::load(dir) {
            Ok(ModelConfig { vocab_size, max_positions, .. }) => Ok(Self { vocab_size, max_positions }),
            Err(refused @ (Error::UnsupportedModelType { .. } | Error::UnsupportedOption { .. })) => {
                let object = parse_object(&read_bounded(&dir.join("config.json"), "model config")?, "config.json")?;
                if !object.get("model_type").is_some_and(Value::is_string) {
                    return Err(refused);
                }
                // A model of texts and pictures keeps its decoder's sizes apart.
                Self::of(object.get("text_config").and_then(Value::as_object).unwrap_or(&object))
            }
            Err(error) => Err(error),
        }
    }

    fn of(object: &Map<String, Value>) -> Result<Self> {
        let positions = if object.contains_key("n_positions") { "n_positions" } else { "max_position_embeddings" };
        let vocab_size = size(object, "vocab_size", "vocab_size")?;
        Ok(Self { vocab_size, max_positions: size(object, positions, "max_positions")? })
    }
}

fn size(object: &Map<String, Value>, field: &str, kind: &str) -> Result<usize> {
    let limit = limit(kind);
    let found = object.get(field).unwrap_or(&Value::Null);
    let size = found.as_u64().and_then(|size| usize::try_from(size).ok());
    size.filter(|size| (1..=limit).contains(size))
        .ok_or_else(|| invalid(field, found, format!("a whole number from 1 to {limit}")))
}
