//! What signals show of a stack's axes, and where that contradicts what is declared. Pure. The supervisor asks before it
//! lets a lane run, the judge asks again of what the journal keeps.

use super::{Axes, Observer, Signal};

/// A contradiction between what a lane declares and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The signal or axis.
    pub name: String,
    /// What was declared, and what was seen.
    pub message: String,
}

/// Axis, and the signals that show it, best witness first. Where a signal from outside exists, it decides.
const WITNESSES: &[(&str, &[&str])] = &[
    ("binary", &["process.exe_sha256"]),
    ("cache", &["engine.cache"]),
    ("device", &["engine.device"]),
    ("dtype", &["engine.dtype"]),
    ("gcc", &["python.compiler"]),
    ("gil", &["python.gil_enabled"]),
    ("image", &["image.config"]),
    ("llama_cpp", &["llama_cpp.version"]),
    ("ollama", &["ollama.version"]),
    ("python", &["python.version"]),
    ("runner", &["runner.name"]),
    ("runtime", &["engine.name"]),
    ("sglang", &["sglang.version"]),
    ("tgi", &["tgi.version"]),
    ("threads", &["process.environ.RAYON_NUM_THREADS", "threads"]),
    ("torch", &["torch.version"]),
    ("triton", &["triton.version"]),
    ("vllm", &["vllm.version"]),
];

/// Axes that are seen where a lane declares them. What compiled an interpreter is part of a stack that builds its own.
const WHERE_DECLARED: &[&str] = &["gcc"];

/// The axes that `signals` show of a lane that declares `declared`.
#[must_use]
pub fn observed_axes(declared: &Axes, signals: &[Signal]) -> Axes {
    shown(declared, signals).map(|(axis, signal)| (axis.to_owned(), value(axis, signal))).collect()
}

/// What the signal says of the axis: of a compiler, its version.
fn value(axis: &str, signal: &Signal) -> String {
    let text = signal.value.to_string();
    match (axis, text.strip_prefix("GCC ")) {
        ("gcc", Some(version)) => version.to_owned(),
        _ => text,
    }
}

/// The axes that `signals` show by the runner's word alone, of a lane that declares `declared`.
#[must_use]
pub fn axes_by_own_word(declared: &Axes, signals: &[Signal]) -> Vec<String> {
    let by_runner = shown(declared, signals).filter(|(_, signal)| signal.observer == Observer::Runner);
    by_runner.map(|(axis, _)| axis.to_owned()).collect()
}

/// Each axis with the best witness among `signals`, in order of name.
fn shown<'a>(declared: &Axes, signals: &'a [Signal]) -> impl Iterator<Item = (&'static str, &'a Signal)> {
    let is_asked = |axis: &str| !WHERE_DECLARED.contains(&axis) || declared.contains_key(axis);
    WITNESSES.iter().filter(move |(axis, _)| is_asked(axis)).filter_map(|(axis, names)| {
        let seen = [Observer::Supervisor, Observer::Runner].into_iter().find_map(|observer| {
            let find = |name: &&str| signals.iter().find(|s| s.observer == observer && s.name == **name);
            names.iter().find_map(find)
        });
        Some((*axis, seen?))
    })
}

/// Axes that are both declared and observed, and differ.
#[must_use]
pub fn axis_contradictions(declared: &Axes, observed: &Axes) -> Vec<Contradiction> {
    declared
        .iter()
        .filter_map(|(axis, want)| {
            let seen = observed.get(axis)?;
            (seen != want).then(|| Contradiction {
                name: format!("axis {axis}"),
                message: format!("declared {want:?}, observed {seen:?}"),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_is_what_was_seen_from_outside() {
        let signals = [Signal::inside("python.gil_enabled", false), Signal::outside("python.gil_enabled", true)];
        assert_eq!(observed_axes(&Axes::new(), &signals).get("gil").map(String::as_str), Some("true"));
    }

    #[test]
    fn the_compiler_of_an_interpreter_is_an_axis_of_lanes_that_declare_it() {
        let declared = Axes::from([("gcc".into(), "14.2.0".into())]);
        let signals = [Signal::inside("python.compiler", "GCC 14.2.0")];
        assert_eq!(observed_axes(&declared, &signals), declared);
        assert_eq!(observed_axes(&Axes::new(), &signals), Axes::new());
        let other = [Signal::inside("python.compiler", "Clang 19.1.7")];
        let found = axis_contradictions(&declared, &observed_axes(&declared, &other));
        assert_eq!(found[0].message, r#"declared "14.2.0", observed "Clang 19.1.7""#);
    }

    #[test]
    fn only_axes_known_on_both_sides_can_contradict() {
        let declared = Axes::from([("cache".into(), "none".into()), ("dtype".into(), "f32".into())]);
        let observed = Axes::from([("cache".into(), "dynamic".into()), ("python".into(), "3.11".into())]);
        let found = axis_contradictions(&declared, &observed);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, r#"declared "none", observed "dynamic""#);
    }
}
