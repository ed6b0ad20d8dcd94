//! What a cell times, and when a preflight looks.

use serde::{Deserialize, Serialize};

/// The measured part of a generation. `containers/WIRE.md` defines each to the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// One forward pass over the prompt; output: one token.
    Prefill,
    /// `n` forward passes after an untimed prefill; output: the `n` tokens they gave.
    KvDecode,
    /// Prefill and decode as one call; output: `n` tokens, `n - 1` of them by decode passes.
    E2eKv,
}

impl Phase {
    /// All phases, in report order.
    pub const ALL: [Self; 3] = [Self::Prefill, Self::KvDecode, Self::E2eKv];

    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::KvDecode => "kv_decode",
            Self::E2eKv => "e2e_kv",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// The moment of a preflight look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The host, before any lane starts.
    Host,
    /// The lane's process runs, nothing heavy is imported yet.
    BeforeImports,
    /// The model is loaded.
    AfterImports,
    /// The warmup repetitions are done.
    AfterWarmup,
    /// The last cell is done, the runner is about to leave.
    AtExit,
}

impl Stage {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::BeforeImports => "before_imports",
            Self::AfterImports => "after_imports",
            Self::AfterWarmup => "after_warmup",
            Self::AtExit => "at_exit",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
