//! The row shapes that the reports describe for their own files. A report never prints a whole file, so a shape names
//! what the text names, with the spellings that the reports use beside each other; other scalar fields are kept as they
//! are.

/// What a reader looks for in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The reader.
    pub kind: &'static str,
    /// Of each list, a row has at least one.
    pub required: &'static [&'static [&'static str]],
    /// The fields that name the arm; the first that is there counts.
    pub arm: &'static [&'static str],
    /// Numbers that tell rows apart and are no measurement, although their name may end like a unit.
    pub keys: &'static [&'static str],
    /// Of `keys` those that number the repetitions of one measurement; empty where rows are samples of a run.
    pub repetitions: &'static [&'static str],
    /// The attempt's own time; the first that is measured counts. Empty: a row need not have one.
    pub time: &'static [&'static str],
    /// The number of output tokens.
    pub tokens: &'static [&'static str],
    /// What names the phase.
    pub phase: &'static [&'static str],
}

/// TR147: v4 JSON lines (`wall_ms`, `latency_ms` in the large-model probe), v1–v3 CSV (`latency_ms`), and the gpt-fast
/// probe (`inference_total_s`, `tokps`, …). Metric definitions, SS2.1, SS2.4, SS11, appendices C.7 and E.
pub(super) const TR147: Shape = Shape {
    kind: "tr147",
    required: &[&["status"], &["wall_ms", "latency_ms", "inference_total_s"]],
    arm: &["compile_mode", "backend", "variant"],
    keys: &["token_len", "token_length", "prompt_tokens", "iteration", "rep", "repetition", "sample", "seed"],
    repetitions: &["iteration", "rep", "repetition", "sample"],
    time: &["wall_ms", "latency_ms", "inference_total_s"],
    tokens: &["decode_tokens", "tokens", "tokens_generated", "new_tokens", "output_tokens"],
    phase: &["mode", "phase"],
};

/// TR126: `metrics.csv` of each phase and mode; latency, tokens, tokens per second and status for each model, backend,
/// scenario and repetition (4.7, 12, appendix A).
pub(super) const TR126: Shape = Shape {
    kind: "tr126",
    required: &[&["status"], &["latency_ms", "wall_ms"], &["backend"]],
    arm: &["backend"],
    keys: &["repetition", "rep", "iteration", "prompt_tokens", "seed", "max_new_tokens"],
    repetitions: &["repetition", "rep", "iteration"],
    time: &["latency_ms", "wall_ms"],
    tokens: &["tokens_generated", "completion_tokens", "output_tokens", "new_tokens", "tokens"],
    phase: &["mode", "phase"],
};

/// TR165: `metrics.csv`, raw rows under the join key (phase, model, workload, n_agents, rep) with skip markers (7.1,
/// 7.3, 10.1, 10.2).
pub(super) const TR165: Shape = Shape {
    kind: "tr165",
    required: &[&["phase"], &["model"], &["workload"], &["n_agents"]],
    arm: &["backend"],
    keys: &["n_agents", "rep", "step", "seed", "prompt_tokens"],
    repetitions: &["rep"],
    time: &["wall_ms", "latency_ms", "ttft_ms"],
    tokens: &["completion_tokens"],
    phase: &[],
};

/// TR117: per-run metrics (3.5, 5.2, appendix C) and the raw samples of `loop_lag.csv`, `chunk_metrics.csv` and
/// `gpu_metrics.csv` (2.2, 2.3). A run has no time of its own.
pub(super) const TR117: Shape = Shape {
    kind: "tr117",
    required: &[],
    arm: &["agent_id", "runtime", "language"],
    keys: &["run", "timestamp", "seed"],
    repetitions: &[],
    time: &[],
    tokens: &[],
    phase: &[],
};
