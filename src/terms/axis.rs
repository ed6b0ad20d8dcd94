//! The named parts of a benchmark's identity.

use std::collections::BTreeMap;

/// Axis name to value, as text. Declared axes come from lane manifest, lock and plan; observed ones from preflight.
pub type Axes = BTreeMap<String, String>;

/// Every axis a lane may declare; an unknown one in a manifest is an error.
pub const AXIS_NAMES: &[&str] = &[
    "agents",
    "attention",
    "binary",
    "cache",
    "clocks",
    "code",
    "compile_mode",
    "compile_target",
    "cuda",
    "cuda_graphs",
    "cudagraph_mark_step",
    "device",
    "driver",
    "dtype",
    "dynamic",
    "gcc",
    "gil",
    "gpu",
    "image",
    "kernel",
    "kernels",
    "layers",
    "llama_cpp",
    "llvm",
    "model",
    "nvcc",
    "ollama",
    "padded",
    "patches",
    "ptxas",
    "python",
    "quantization",
    "runner",
    "runtime",
    "sglang",
    "sm",
    "stream",
    "tgi",
    "threads",
    "tokenizer",
    "torch",
    "transformers",
    "triton",
    "vllm",
];

/// Axes that a cell may fix for itself, over its lane's: what a runner can change from one repetition to the next.
pub const CELL_AXES: &[&str] = &[
    "agents",
    "attention",
    "cache",
    "compile_mode",
    "compile_target",
    "cudagraph_mark_step",
    "dtype",
    "dynamic",
    "kernels",
    "layers",
    "padded",
    "quantization",
    "stream",
];

/// The known name nearest to `name`, when one is near enough to be a slip of the pen.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_word_and_a_stranger_finds_none() {
        assert_eq!(nearest("tritn", AXIS_NAMES.iter().copied()), Some("triton"));
        assert_eq!(nearest("zzzz", AXIS_NAMES.iter().copied()), None);
    }

    #[test]
    fn axis_names_are_sorted_and_unique() {
        assert!(AXIS_NAMES.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
