//! Text to token ids and back, by a checkpoint's `tokenizer.json`.

use std::panic::{AssertUnwindSafe, catch_unwind};
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
        // The library panics on some broken syntax, so syntax is checked before it sees the file.
        serde_json::from_slice::<serde_json::Value>(bytes).map_err(|error| failed("parsing", error.to_string()))?;
        let mut tokenizer = guarded("parsing", || tokenizers::Tokenizer::from_bytes(bytes))?;
        // Files may carry the settings of somebody's last batch. Like transformers, a single text ignores them.
        tokenizer.with_padding(None);
        guarded("parsing", || tokenizer.with_truncation(None).map(|_| ()))?;
        Ok(Self(Box::new(tokenizer)))
    }

    /// Token ids of a text, with the special tokens that the tokenizer puts around a sequence.
    ///
    /// # Errors
    /// [`Error::Tokenizer`]
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        guarded("encoding a text", || Ok(self.0.encode_fast(text, true)?.get_ids().to_vec()))
    }

    /// Text of token ids, special tokens left out.
    ///
    /// # Errors
    /// [`Error::Tokenizer`], also for an id that the tokenizer does not know.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        // The library leaves unknown ids out, which would hide that model and tokenizer do not belong together.
        if let Some(id) = ids.iter().find(|id| self.0.id_to_token(**id).is_none()) {
            return Err(failed("decoding ids", format!("id {id} is not in the vocabulary")));
        }
        guarded("decoding ids", || self.0.decode(ids, true))
    }

    /// Number of token ids, added tokens included. A model may have more rows than that, as padding.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.0.get_vocab_size(true)
    }
}

/// Calls the library, which panics on some options that it has loaded without complaint (for example pieces of length
/// 0). The file comes from outside, so that has to become an error.
fn guarded<T>(doing: &str, call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(doing, error.to_string())),
        Err(_) => Err(failed(
            doing,
            "the tokenizers library panicked; an option in tokenizer.json is out of range".to_owned(),
        )),
    }
}

fn failed(doing: &str, found: String) -> Error {
    Error::Tokenizer { doing: doing.to_owned(), found }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn a_text_is_never_cut_or_padded() {
        let cut = r#""truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}"#;
        let tokenizer = Tokenizer::from_json(WORDS.replace("\"truncation\": null", cut).as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("hello world hello").unwrap(), [0, 1, 0]);
        let padding = r#""padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 2, "pad_type_id": 0, "pad_token": "<unk>"}"#;
        let tokenizer = Tokenizer::from_json(WORDS.replace("\"padding\": null", padding).as_bytes()).unwrap();
        assert_eq!(tokenizer.encode("hello world hello").unwrap(), [0, 1, 0]);
    }

    #[test]
    fn options_that_the_library_panics_on_are_an_error() {
        let broken = WORDS.replace("{\"type\": \"Whitespace\"}", "{\"type\": \"FixedLength\", \"length\": 0}");
        let error = Tokenizer::from_json(broken.as_bytes()).unwrap().encode("hello").unwrap_err();
        assert!(matches!(error, Error::Tokenizer { .. }), "{error}");
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

    const BYTE_LEVEL: &str = include_str!("../../tests/fixtures/engine/qwen2/tokenizer.json");

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn overwritten_files_load_or_are_refused_and_never_panic(
            byte_level in any::<bool>(),
            spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in prop::option::of(any::<prop::sample::Index>()),
            text in "\\PC{0,12}",
        ) {
            let mut bytes = if byte_level { BYTE_LEVEL } else { WORDS }.as_bytes().to_vec();
            for (spot, byte) in spots {
                let spot = spot.index(bytes.len());
                bytes[spot] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(tokenizer) = Tokenizer::from_json(&bytes)
                && let Ok(ids) = tokenizer.encode(&text)
            {
                prop_assert!(tokenizer.decode(&ids).is_ok() || !ids.is_empty());
            }
        }
    }
}
