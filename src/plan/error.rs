//! Why a plan, lane or lock was not taken.

use std::fmt;

/// One thing wrong in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1; absent when the fault has no place of its own (a missing table, for example).
    pub line: Option<usize>,
    /// The key's path, for example `hypothesis[2].baseline`.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// An error of the room `plan`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file says something that cannot be taken.
    #[error("{0}")]
    Fault(Box<Fault>),
    /// A plan still holds a text prompt, which only a tokenizer can turn into token ids.
    #[error(
        "workload {workload:?} has a text prompt, and the model {model:?} has no tokenizer; use `prompt_tokens` or \
         `prompt`, or give a checkpoint with tokenizer.json by --model"
    )]
    TextPrompt {
        /// The workload.
        workload: String,
        /// The model.
        model: String,
    },
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}
