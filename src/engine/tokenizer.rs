//! Text to token ids and back, by a checkpoint's `tokenizer.json`.

use std::path::Path;

use super::error::{Error, Result};
use super::files::read_bounded;

/// A tokenizer of a checkpoint.
#[derive(Debug, Clone)]
pub struct Tokenizer(Box<tokenizers::Tokenizer>);

impl Tokenizer {
    /// Loads `tokenizer.json` from a checkpoint folder.
    ///
    /// # Errors
    /// [`Error::Read`] when there is none, [`Error::Tokenizer`] when it is not a tokenizer.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        let bytes = read_bounded(&path, "tokenizer")?;
        Self::from_json(&bytes).map_err(|error| match error {
            Error::Tokenizer { found, .. } => {
                Error::Tokenizer { doing: format!("loading `{}`", path.display()), found }
            }
            other => other,
        })
    }

    /// Parses the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`]
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        tokenizers::Tokenizer::from_bytes(bytes)
            .map(|tokenizer| Self(Box::new(tokenizer)))
            .map_err(|error| Error::Tokenizer { doing: "parsing".to_owned(), found: error.to_string() })
    }

    /// Token ids of a text, with the special tokens that the tokenizer puts around a sequence.
    ///
    /// # Errors
    /// [`Error::Tokenizer`]
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.0
            .encode_fast(text, true)
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| Error::Tokenizer { doing: "encoding a text".to_owned(), found: error.to_string() })
    }

    /// Text of token ids, special tokens left out.
    ///
    /// # Errors
    /// [`Error::Tokenizer`], also for an id that the tokenizer does not know.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let doing = || format!("decoding {} ids", ids.len());
        // The library leaves unknown ids out, which would hide that model and tokenizer do not belong together.
        if let Some(id) = ids.iter().find(|id| self.0.id_to_token(**id).is_none()) {
            return Err(Error::Tokenizer { doing: doing(), found: format!("id {id} is not in the vocabulary") });
        }
        self.0.decode(ids, true).map_err(|error| Error::Tokenizer { doing: doing(), found: error.to_string() })
    }

    /// Number of token ids, added tokens included. A model may have more rows than that, as padding.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.0.get_vocab_size(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = r#"{
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": 3, "content": "<eos>", "single_word": false, "lstrip": false, "rstrip": false,
                          "normalized": false, "special": true}],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"hello": 0, "world": 1, "<unk>": 2}, "unk_token": "<unk>"}
    }"#;

    #[test]
    fn text_goes_to_ids_and_back() {
        let tokenizer = Tokenizer::from_json(WORDS.as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("hello world other<eos>").unwrap(), [0, 1, 2, 3]);
        assert_eq!(tokenizer.decode(&[0, 1, 3]).unwrap(), "hello world");
        assert_eq!(tokenizer.vocab_size(), 4);
    }

    #[test]
    fn an_unknown_id_is_an_error_and_not_left_out() {
        let error = Tokenizer::from_json(WORDS.as_bytes()).unwrap().decode(&[0, 77]).unwrap_err();
        assert!(error.to_string().contains("id 77"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = Tokenizer::load(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Read { .. }) && error.to_string().contains("tokenizer.json"), "{error}");
        std::fs::write(dir.path().join("tokenizer.json"), b"{\"model\": 1}").unwrap();
        let error = Tokenizer::load(dir.path()).unwrap_err();
        assert!(error.to_string().contains("tokenizer.json"), "{error}");
    }
}
