//! The messages. Every type refuses unknown fields: a word that the other side does not know is a wrong version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::terms::{Axes, CellId, Phase, SamplingSpec, SignalValue, Stage, StopReason};

/// The protocol's version. A change that an older peer would misread raises it.
pub const PROTOCOL: u32 = 1;

/// The longest line either side may send, in bytes, newline included.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// What the supervisor sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Accepts the runner's greeting.
    Hello {
        /// The protocol that both will speak.
        protocol: u32,
    },
    /// Asks for the runner's own signals at a stage.
    Preflight {
        /// The stage.
        stage: Stage,
    },
    /// Asks the runner to load the model.
    Load {
        /// Folder of the checkpoint, as the runner sees it.
        model_dir: String,
        /// The lane's declared axes; the backend takes `cache`, `dtype`, `threads`, … from here.
        axes: Axes,
        /// Positions that the longest cell needs: prompt plus new tokens.
        max_positions: u32,
    },
    /// Asks for one repetition of one cell.
    Run(RunRequest),
    /// Asks the runner to leave.
    Bye,
}

/// One repetition of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Number of the request in this launch; the answer repeats it.
    pub id: u64,
    /// The cell's name; the answer repeats it.
    pub cell: CellId,
    /// Whether this is a warmup, which is done like any other repetition and not recorded as a row.
    pub warmup: bool,
    /// The work itself.
    pub work: Work,
    /// How much longer the timed part is to last than it would, in percent: a slowdown of known size, by which
    /// `calibrate` learns what the judge can see. Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowdown_pct: Option<f64>,
}

/// The work of a cell, self-contained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// What is timed.
    pub phase: Phase,
    /// The prompt, as token ids.
    pub prompt: Vec<u32>,
    /// Tokens to produce.
    pub new_tokens: u32,
    /// How tokens are picked.
    pub sampling: SamplingSpec,
    /// Whether an end-of-sequence token is ignored.
    pub ignore_eos: bool,
    /// What the cell itself fixes, over the lane's axes of the same name.
    #[serde(default, skip_serializing_if = "Axes::is_empty")]
    pub axes: Axes,
}

/// What the runner sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// The first line of all.
    Hello(Greeting),
    /// The runner's own signals.
    Signals {
        /// The stage that was asked for.
        stage: Stage,
        /// Name to value.
        signals: BTreeMap<String, SignalValue>,
    },
    /// A sign of life.
    Progress(Progress),
    /// The model is loaded.
    Loaded {
        /// Time that loading took, by the runner's clock.
        wall_ns: u64,
    },
    /// A repetition was done.
    Result(RunResult),
    /// A repetition failed; the runner itself lives on.
    Failed {
        /// Number of the request.
        id: u64,
        /// The cell's name.
        cell: CellId,
        /// Whether memory ran out.
        out_of_memory: bool,
        /// The kind of the failure, where the runner can tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<FailureKind>,
        /// What was found.
        message: String,
        /// What was known of the work when it failed.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        evidence: BTreeMap<String, SignalValue>,
    },
    /// The runner cannot go on: it says why and leaves.
    Fatal {
        /// What was found.
        message: String,
    },
    /// The runner leaves because it was asked to.
    Bye,
}

/// Kinds of failure that a runner can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// None of the others.
    Exception,
    /// Memory ran out.
    OutOfMemory,
    /// A CUDA graph's output was read after a later replay had overwritten it.
    CudagraphOverwritten,
    /// The compiler's code generation failed.
    InductorError,
    /// Compilation failed before code was generated.
    CompileError,
    /// A kernel touched memory that is not its own.
    IllegalAccess,
    /// An assertion did not hold.
    Assertion,
}

/// The runner's greeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    /// The protocol that the runner speaks.
    pub protocol: u32,
    /// The runner's name, for example `native`.
    pub runner: String,
    /// The runner's version.
    pub version: String,
    /// The process id, as the runner sees it.
    pub pid: u32,
}

/// A sign of life within a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The step that is under way.
    pub step: Step,
    /// Units done so far within the step: tokens, tensors, bytes, as the runner likes. Grows while work goes on.
    pub done: u64,
}

/// A step with an inactivity budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Start, imports and reading the weights.
    Load,
    /// Compiling kernels or graphs.
    Compile,
    /// Warmup repetitions.
    Warmup,
    /// Measured repetitions.
    Measure,
}

impl Step {
    /// The name used on the wire and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Compile => "compile",
            Self::Warmup => "warmup",
            Self::Measure => "measure",
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What came of a repetition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Number of the request.
    pub id: u64,
    /// The cell's name.
    pub cell: CellId,
    /// Time of the phase's timed part, by the runner's monotonic clock.
    pub wall_ns: u64,
    /// The output, as token ids.
    pub tokens: Vec<u32>,
    /// Why generation ended.
    pub stop: StopReason,
    /// What shows which path did the work, for example `cache` or `forward_passes`.
    pub evidence: BTreeMap<String, SignalValue>,
}
