//! What came of one attempt at one cell. Never a sentinel number: a row that did not do the work has no time.

use serde::{Deserialize, Serialize};

/// The typed outcome of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Did the work that was asked: token count, output and time are all present and plausible.
    Ok,
    /// Returned without doing the work: zero tokens, or faster than the cell's physical floor.
    FellThrough,
    /// Asked for one path, and the evidence says that another ran.
    FellBack,
    /// Did work, but not the amount or kind that the cell fixes.
    UnequalWork,
    /// Exception, out-of-memory, compiler error, wire violation or process death.
    Crashed,
    /// No progress within the inactivity budget, or the wall cap was reached.
    Hung,
    /// Preflight failed, so the cell was not attempted.
    Refused,
    /// The plan says so, or the lane is optional and its launcher is absent.
    Skipped,
}

impl Outcome {
    /// All outcomes, in report order.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::FellThrough,
        Self::FellBack,
        Self::UnequalWork,
        Self::Crashed,
        Self::Hung,
        Self::Refused,
        Self::Skipped,
    ];

    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::FellThrough => "fell_through",
            Self::FellBack => "fell_back",
            Self::UnequalWork => "unequal_work",
            Self::Crashed => "crashed",
            Self::Hung => "hung",
            Self::Refused => "refused",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the row was attempted and did not do its work, so that `rerun --failed` tries it again.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::Skipped)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The requested count was reached.
    Length,
    /// An end-of-sequence token came.
    Eos,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The runner reported an exception.
    Exception,
    /// Memory ran out (reported by the runner, or the kernel killed the lane for it).
    OutOfMemory,
    /// The runner's process ended before it answered.
    Died,
    /// The runner broke the wire protocol.
    Wire,
    /// No sign of life within the inactivity budget.
    Inactive,
    /// The wall cap was reached.
    WallCap,
    /// A preflight signal contradicts the lane's declaration or its lock.
    Preflight,
    /// The launcher, interpreter or engine is not there.
    Absent,
    /// The answer contradicts what the supervisor itself saw (time, token count).
    Implausible,
    /// The lane could not be started although its launcher is there.
    Launch,
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
    /// Not compiled code: the same function was recompiled too often.
    RecompileLimit,
    /// Not compiled code: the compiler's errors are suppressed.
    SuppressedError,
    /// Not compiled code: traced operations ran one by one where generated kernels were asked for.
    BackendIsAotEager,
    /// Not compiled code: compilation is switched off.
    DynamoDisabled,
    /// Not compiled code: the compiler found no Triton.
    NoTriton,
    /// Not compiled code: breaks left nothing of weight to compile.
    GraphBreakShare,
    /// No CUDA graph was replayed where that was asked for.
    NoCudaGraph,
    /// The host was too busy for the repetition to mean anything, by the control around it.
    Disturbed,
    /// Nothing proves that compiled code ran, for no known cause.
    Unexplained,
}

/// What went wrong in an attempt, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The kind.
    pub class: FailureClass,
    /// What was found, in one sentence.
    pub message: String,
    /// What to try, where something helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Exit status of the lane's process, when it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i32>,
    /// Signal that ended the lane's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The last lines that the lane wrote to standard error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr_tail: String,
}

impl Failure {
    /// A failure of `class` with `message` and nothing else known.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            remedy: None,
            exit_status: None,
            signal: None,
            stderr_tail: String::new(),
        }
    }

    /// What was found and what to try, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}; to try: {remedy}", self.message),
            None => self.message.clone(),
        }
    }

    /// The same failure with a remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}
