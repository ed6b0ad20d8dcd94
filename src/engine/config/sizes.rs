//! What a plan has to know of a checkpoint, whichever lane runs it.

use std::path::Path;

use serde_json::{Map, Value};

use super::ModelConfig;
use super::fields::abridged;
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
                let stated = Stated(&object);
                let max_positions = stated.size(&["max_position_embeddings", "n_positions"], "max_positions")?;
                Ok(Self { vocab_size: stated.size(&["vocab_size"], "vocab_size")?, max_positions })
            }
            Err(error) => Err(error),
        }
    }
}

/// A config of whatever family. A model of texts and pictures keeps its decoder's sizes apart.
struct Stated<'a>(&'a Map<String, Value>);

impl Stated<'_> {
    /// What any of the names stands for; null is as absent as elsewhere.
    fn size(&self, names: &[&str], kind: &str) -> Result<usize> {
        let Self(object) = self;
        let apart = object.get("text_config").and_then(Value::as_object).map(|apart| ("text_config.", apart));
        let places = apart.into_iter().chain([("", *object)]);
        let mut stated = places.flat_map(|(path, place)| {
            names.iter().filter_map(move |name| Some((format!("{path}{name}"), place.get(*name)?)))
        });
        let limit = limit(kind);
        let expected = || format!("a whole number from 1 to {limit}");
        let Some((field, found)) = stated.find(|(_, found)| !found.is_null()) else {
            return Err(invalid(&names.join("` or `"), "absent", expected()));
        };
        let size = found.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|size| (1..=limit).contains(size));
        size.ok_or_else(|| invalid(&field, abridged(&found.to_string()), expected()))
    }
}
