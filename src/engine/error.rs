use std::io;
use std::path::PathBuf;

/// Everything the engine can refuse or fail at, with what was being done, to what, what was found and what to try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of a checkpoint could not be read.
    #[error("cannot read {what} `{}`: {source}", path.display())]
    Read { what: &'static str, path: PathBuf, source: io::Error },
    /// A file of a checkpoint could not be written.
    #[error("cannot write {what} `{}`: {source}", path.display())]
    Write { what: &'static str, path: PathBuf, source: io::Error },
    /// A file is far larger than its kind ever is, so it is not read into memory.
    #[error("{what} `{}` has {found_bytes} bytes, more than the {limit_bytes} that such a file may have", path.display())]
    FileTooLarge { what: &'static str, path: PathBuf, found_bytes: u64, limit_bytes: u64 },
    /// A JSON file does not parse, or is not a JSON object.
    #[error("{what} is not valid JSON of the expected form: {source}")]
    Json { what: String, source: serde_json::Error },

    /// `model_type` names a family that the engine does not implement.
    #[error("model_type `{found}` is not implemented; the engine runs `gpt2`, `qwen2` and `llama` checkpoints")]
    UnsupportedModelType { found: String },
    /// An option of `config.json` asks for mathematics that the engine does not implement.
    #[error("config of model_type `{model_type}`: `{option}` = {found} is not implemented; supported: {supported}")]
    UnsupportedOption { model_type: &'static str, option: String, found: String, supported: &'static str },
    /// A field without a default is absent.
    #[error("config of model_type `{model_type}`: field `{field}` is missing")]
    MissingField { model_type: &'static str, field: String },
    /// A field is there, with a value that cannot be meant.
    #[error("config field `{field}` is {found}; expected {expected}")]
    InvalidField { field: String, found: String, expected: String },

    /// A folder holds no weights that can be read.
    #[error("`{}` holds neither `model.safetensors` nor `model.safetensors.index.json`; {hint}", dir.display())]
    NoWeights { dir: PathBuf, hint: &'static str },
    /// A file is not a well-formed safetensors file.
    #[error("`{}` is not a complete safetensors file: {found}", path.display())]
    MalformedSafetensors { path: PathBuf, found: String },
    /// The index of a sharded checkpoint contradicts its shards.
    #[error("`{}`: {found}", path.display())]
    ShardIndex { path: PathBuf, found: String },
    /// The config implies a tensor that the checkpoint lacks.
    #[error(
        "tensor `{name}` of shape {expected:?} is missing from the checkpoint; do config.json and weights belong together?"
    )]
    MissingTensor { name: String, expected: Vec<usize> },
    /// A tensor has another shape than the config implies.
    #[error(
        "tensor `{name}` has shape {found:?}, the config implies {expected:?}; do config.json and weights belong together?"
    )]
    TensorShape { name: String, expected: Vec<usize>, found: Vec<usize> },
    /// A tensor is stored in a number format that the engine does not read.
    #[error("tensor `{name}` is stored as {found}; the engine reads F32, F16 and BF16")]
    TensorDtype { name: String, found: String },
    /// The checkpoint holds tensors that no part of the model uses, so it is not the model that the config describes.
    #[error(
        "the checkpoint holds {count} tensors that a `{model_type}` model of this config does not use, among them {examples:?}"
    )]
    UnexpectedTensors { model_type: &'static str, count: usize, examples: Vec<String> },

    /// The name of a KV cache kind is unknown.
    #[error("KV cache kind `{found}` is unknown; use `none`, `dynamic` or `static`")]
    UnknownKvCacheKind { found: String },
    /// A static cache was asked for with a capacity that the model cannot use.
    #[error("a static KV cache of {capacity} positions was asked for; this model takes 1 to {max_positions}")]
    InvalidCapacity { capacity: usize, max_positions: usize },
    /// A static cache has no room for the tokens of this forward pass.
    #[error(
        "static KV cache of {capacity} positions holds {held} and cannot take {adding} more; create it with a larger capacity"
    )]
    CacheOverflow { capacity: usize, held: usize, adding: usize },
    /// A decode state is used with another model than it was made for.
    #[error("decode state was made for a model of {found} (layers, kv heads, head dim), this one has {expected}")]
    StateMismatch { expected: String, found: String },

    /// A forward pass over no tokens.
    #[error("a forward pass needs at least one token, the prompt is empty")]
    EmptyPrompt,
    /// A token id lies outside the vocabulary.
    #[error("token {token} at index {index} lies outside the vocabulary of {vocab_size} ids")]
    TokenOutsideVocabulary { index: usize, token: u32, vocab_size: usize },
    /// The sequence would become longer than the model has positions.
    #[error("the sequence holds {held} tokens and cannot take {adding} more: the model has {max_positions} positions")]
    PositionsExceeded { held: usize, adding: usize, max_positions: usize },
    /// A tensor operation failed.
    #[error("{doing}: {source}")]
    Compute { doing: String, source: candle_core::Error },

    /// An option of seeded sampling has a value outside its range.
    #[error("sampling option `{option}` is {found}; expected {expected}")]
    InvalidSampling { option: &'static str, found: String, expected: &'static str },
    /// A logit is NaN or infinite, so no token can be chosen.
    #[error("the logit of token {token} is {found}; the weights or the computation are broken")]
    NonFiniteLogit { token: u32, found: f32 },
    /// There are no logits to choose from.
    #[error("there are no logits to choose a token from")]
    EmptyLogits,

    /// The tokenizer could not be loaded, or could not convert a text or ids.
    #[error("tokenizer: {doing}: {found}")]
    Tokenizer { doing: String, found: String },
}

impl Error {
    /// Wraps a failed tensor operation with what was being computed.
    pub(crate) fn compute(doing: impl Into<String>) -> impl FnOnce(candle_core::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Compute { doing, source }
    }
}

/// Result of every fallible function of the room.
pub type Result<T, E = Error> = std::result::Result<T, E>;
