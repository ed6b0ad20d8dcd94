//! Whether compiled code really did the work. Pure: from what a cell asks for and what a runner shows, never from the
//! absence of an error.
//!
//! `containers/WIRE.md` lists the evidence and this rule for those who write a runner. A mechanism that leaves its own trace is
//! named; where the proof is missing without a known cause, that is `unexplained`, which is a fall-back too.

use super::{Evidence, FailureClass, SignalValue};

/// The least share of the profiled time that generated kernels must have had. A matrix product stays with the vendor's
/// library, so the share is far from one where all is well, and the wider the model the less of it is left: prefill of wide
/// models on a processor shows less than a hundredth. Where nothing was generated it is zero.
pub const MIN_GENERATED_SHARE: f64 = 0.001;

/// Compile modes that ask for nothing to be compiled.
const UNCOMPILED: [&str; 2] = ["none", "eager"];

/// The mode that traces and runs the traced operations one by one.
const AOT_EAGER: &str = "aot_eager";
const COMPILED_MODE: &str = "compile.mode";
const GENERATED_CALLS: &str = "inductor.generated_calls";
const REGION_CALLS: &str = "profile.region_calls";

/// The mode whose point is replaying CUDA graphs.
const REDUCE_OVERHEAD: &str = "reduce-overhead";

/// What a piece of evidence has to be, to be read: one of another type tells nothing.
#[derive(Clone, Copy)]
enum Shown {
    Flag,
    List,
    Number,
    Text,
}

impl Shown {
    fn is_in(self, evidence: &Evidence, name: &str) -> bool {
        let Some(value) = evidence.get(name) else { return false };
        match self {
            Self::Flag => matches!(value, SignalValue::Bool(_)),
            Self::List => matches!(value, SignalValue::List(_)),
            Self::Number => number(evidence, name).is_some(),
            Self::Text => matches!(value, SignalValue::Text(_)),
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Self::Flag => "a flag",
            Self::List => "a list",
            Self::Number => "a number",
            Self::Text => "a text",
        }
    }
}

/// What has to be shown of every compiled cell: a runner that does not tell of a mechanism has not excluded it.
const NEEDED: [(&str, Shown); 9] = [
    ("compile.backend", Shown::Text),
    ("compile.dynamo_disabled", Shown::Flag),
    ("compile.graph_breaks", Shown::Number),
    (COMPILED_MODE, Shown::Text),
    ("compile.recompile_limit_hits", Shown::Number),
    ("compile.settled", Shown::Flag),
    ("compile.skipped_frames", Shown::List),
    ("compile.suppressed_errors", Shown::List),
    ("profile.passes", Shown::Number),
];

/// What has to be shown beside it: how often generated kernels were called in the profiled passes, and on a GPU what Triton the
/// compiler finds, and with CUDA graphs which were left out.
fn needed_by(mode: &str, evidence: &Evidence) -> Vec<(&'static str, Shown)> {
    let on_cuda = text(evidence, "device") == Some("cuda");
    let calls = (mode != AOT_EAGER).then_some((GENERATED_CALLS, Shown::Number));
    let triton = (on_cuda && mode != AOT_EAGER).then_some(("inductor.sees_triton", Shown::Flag));
    let graphs = (on_cuda && mode == REDUCE_OVERHEAD).then_some(("cuda_graphs.skips", Shown::Number));
    calls.into_iter().chain(triton).chain(graphs).collect()
}

/// Whether a compile mode asks for anything to be compiled.
#[must_use]
pub fn asks_for_compiled_code(mode: &str) -> bool {
    !UNCOMPILED.contains(&mode)
}

/// Why the work of a cell that asks for compile mode `mode` was not done by compiled code, if it was not.
#[must_use]
pub fn fell_back(mode: &str, evidence: &Evidence) -> Option<(FailureClass, String)> {
    if !asks_for_compiled_code(mode) {
        return compiled_all_the_same(mode, evidence);
    }
    known_mechanism(mode, evidence).or_else(|| unproven(mode, evidence))
}

/// Compiled code where none was asked for: an eager arm that is none makes every gain over it vanish.
fn compiled_all_the_same(mode: &str, evidence: &Evidence) -> Option<(FailureClass, String)> {
    let calls = |name| number(evidence, name).filter(|calls| *calls > 0.0).map(|calls| (name, calls));
    let (name, calls) = calls(GENERATED_CALLS).or_else(|| calls(REGION_CALLS))?;
    Some((FailureClass::Unexplained, format!("mode {mode} compiles nothing, and {name} is {calls}")))
}

/// A mechanism that left a trace of its own.
fn known_mechanism(mode: &str, evidence: &Evidence) -> Option<(FailureClass, String)> {
    if flag(evidence, "compile.dynamo_disabled") == Some(true) {
        return Some((FailureClass::DynamoDisabled, "torch.compile is switched off in this process".to_owned()));
    }
    let wanted = if mode == AOT_EAGER { AOT_EAGER } else { "inductor" };
    if let Some(backend) = text(evidence, "compile.backend").filter(|backend| *backend != wanted) {
        let class = if backend == AOT_EAGER { FailureClass::BackendIsAotEager } else { FailureClass::Unexplained };
        return Some((class, format!("mode {mode} takes the backend {wanted}, and {backend} compiled")));
    }
    // Before what follows from it: with errors suppressed, a compiler without Triton leaves both.
    let on_cuda = text(evidence, "device") == Some("cuda");
    if mode != AOT_EAGER && on_cuda && flag(evidence, "inductor.sees_triton") == Some(false) {
        let why = text(evidence, "inductor.triton_error").unwrap_or("no reason is given");
        return Some((FailureClass::NoTriton, format!("the compiler finds no Triton: {why}")));
    }
    if let Some(error) = list(evidence, "compile.suppressed_errors").first() {
        return Some((FailureClass::SuppressedError, format!("the compiler failed, and eager ran instead: {error}")));
    }
    match number(evidence, "compile.recompile_limit_hits") {
        Some(hits) if hits > 0.0 => {
            let reason = list(evidence, "compile.recompile_reasons").last().map_or("not recorded", String::as_str);
            let message = format!("the recompile limit was hit {hits} times, after which eager runs: {reason}");
            Some((FailureClass::RecompileLimit, message))
        }
        _ => None,
    }
}

/// That the calls of compiled regions were not counted. Segments from before 2026-11-23T04:00Z lack them, and the judge still reads
/// those; whoever measures now has to show them.
#[must_use]
pub(super) fn uncounted(mode: &str, evidence: &Evidence) -> Option<(FailureClass, String)> {
    let is_counted = Shown::Number.is_in(evidence, REGION_CALLS);
    let message = format!("{REGION_CALLS} is not shown, so nothing says that compiled code was called in each pass");
    (asks_for_compiled_code(mode) && !is_counted).then_some((FailureClass::Unexplained, message))
}

/// What of the proof is missing.
fn unproven(mode: &str, evidence: &Evidence) -> Option<(FailureClass, String)> {
    let unexplained = |message: &str| Some((FailureClass::Unexplained, message.to_owned()));
    match number(evidence, "compile.graphs") {
        None => return unexplained("nothing shows that a graph was compiled"),
        Some(graphs) if graphs < 1.0 => return unexplained("no graph was compiled"),
        Some(_) => {}
    }
    if let Some(message) = not_shown(mode, evidence) {
        return unexplained(&message);
    }
    if flag(evidence, "compile.settled") == Some(false) {
        return unexplained("each untimed iteration compiled something, so that what was timed may have, too");
    }
    let share = number(evidence, "profile.generated_share");
    if let Some(reason) = untraced(evidence) {
        // Which of the work such a part had is not measured: any may have been most of it.
        let share =
            share.map_or(String::new(), |share| format!("; generated kernels had {:.2} % of the time", 100.0 * share));
        return Some((FailureClass::GraphBreakShare, format!("{reason}{share}")));
    }
    if let Some(message) = uncalled(mode, evidence) {
        return unexplained(&message);
    }
    // aot_eager generates no kernels whose share would show how much of the work the graphs did.
    let of_generating = if mode == AOT_EAGER { None } else { ungenerated(share) };
    let of_generating = of_generating.map(|message| (FailureClass::Unexplained, message));
    of_generating.or_else(|| unreplayed(mode, evidence)).or_else(|| of_another_mode(mode, evidence))
}

/// What has to be shown and is not.
fn not_shown(mode: &str, evidence: &Evidence) -> Option<String> {
    let needed = NEEDED.into_iter().chain(needed_by(mode, evidence));
    let (missing, kind) = needed.into_iter().find(|(name, kind)| !kind.is_in(evidence, name))?;
    let found =
        if evidence.contains_key(missing) { format!("is not {}", kind.told()) } else { "is not shown".to_owned() };
    Some(format!("{missing} {found}, so what it would tell of is not excluded"))
}

/// That compiled code was not called in each profiled pass. A pass calls many kernels, so that those of a prompt may be more
/// than all passes; of compiled regions it calls one or more. They are not counted in journals from before they were.
fn uncalled(mode: &str, evidence: &Evidence) -> Option<String> {
    let passes = number(evidence, "profile.passes")? * number(evidence, "profile.iterations").unwrap_or(1.0);
    let kernels = (mode != AOT_EAGER).then_some((GENERATED_CALLS, "generated kernels"));
    let counted = [(REGION_CALLS, "compiled regions")].into_iter().chain(kernels);
    counted.into_iter().find_map(|(name, called)| {
        let calls = number(evidence, name).filter(|calls| *calls < passes)?;
        Some(format!("{called} were called {calls} times in {passes} profiled passes"))
    })
}

/// That generated kernels are not shown to have had a part of the work.
fn ungenerated(share: Option<f64>) -> Option<String> {
    match share {
        None => Some("no profile shows what ran, so nothing proves that generated kernels did".to_owned()),
        Some(share) if share < MIN_GENERATED_SHARE => {
            Some(format!("generated kernels had {:.2} % of the profiled time", 100.0 * share))
        }
        Some(_) => None,
    }
}

/// That CUDA graphs were asked for, and not each profiled pass was replayed from one.
fn unreplayed(mode: &str, evidence: &Evidence) -> Option<(FailureClass, String)> {
    if mode != REDUCE_OVERHEAD {
        return None;
    }
    let replays = number(evidence, "cuda_graphs.replays").unwrap_or(0.0);
    let passes = number(evidence, "profile.passes").unwrap_or(1.0);
    let is_skipped = number(evidence, "cuda_graphs.skips").is_some_and(|skips| skips > 0.0);
    // Not on a processor either, which has none.
    let found = match () {
        () if replays == 0.0 => "no CUDA graph was replayed".to_owned(),
        () if is_skipped => "a part was left out of CUDA graphs".to_owned(),
        () if replays < passes => {
            format!("CUDA graphs were replayed {replays} times in {passes} profiled passes")
        }
        () => return None,
    };
    let why = list(evidence, "cuda_graphs.skip_reasons").first().map_or("no reason is given", String::as_str);
    Some((FailureClass::NoCudaGraph, format!("{found}: {why}")))
}

/// That what was compiled is of another mode than the one that was asked for.
fn of_another_mode(mode: &str, evidence: &Evidence) -> Option<(FailureClass, String)> {
    let compiled = text(evidence, COMPILED_MODE).filter(|compiled| *compiled != mode)?;
    Some((FailureClass::Unexplained, format!("mode {mode} was asked for, and {compiled} is what was compiled")))
}

/// That a part of the work was not traced, and so ran as eager code, with the reason that was given.
fn untraced(evidence: &Evidence) -> Option<String> {
    let breaks = number(evidence, "compile.graph_breaks").unwrap_or(0.0);
    let skipped = list(evidence, "compile.skipped_frames");
    let of_break = list(evidence, "compile.break_reasons").first();
    let reason = of_break.or(skipped.first()).map_or("not recorded", String::as_str);
    let found = format!("{breaks} graph breaks and {} skipped frames: {reason}", skipped.len());
    (breaks >= 1.0 || !skipped.is_empty()).then_some(found)
}

fn flag(evidence: &Evidence, name: &str) -> Option<bool> {
    match evidence.get(name)? {
        SignalValue::Bool(value) => Some(*value),
        _ => None,
    }
}

fn text<'a>(evidence: &'a Evidence, name: &str) -> Option<&'a str> {
    match evidence.get(name)? {
        SignalValue::Text(value) => Some(value),
        _ => None,
    }
}

fn list<'a>(evidence: &'a Evidence, name: &str) -> &'a [String] {
    match evidence.get(name) {
        Some(SignalValue::List(values)) => values,
        _ => &[],
    }
}

fn number(evidence: &Evidence, name: &str) -> Option<f64> {
    match evidence.get(name)? {
        SignalValue::Int(value) => Some(*value as f64),
        SignalValue::Float(value) => Some(*value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An iteration compiled in this mode on a GPU where all is well, but for these.
    fn shown(mode: &str, other: &[(&str, SignalValue)]) -> Evidence {
        let good = [
            ("device", SignalValue::from("cuda")),
            ("compile.backend", if mode == AOT_EAGER { AOT_EAGER } else { "inductor" }.into()),
            ("compile.mode", mode.into()),
            ("compile.dynamo_disabled", false.into()),
            ("compile.graphs", 1.into()),
            ("compile.graph_breaks", 0.into()),
            ("compile.recompile_limit_hits", 0.into()),
            ("compile.settled", true.into()),
            ("compile.skipped_frames", SignalValue::List(Vec::new())),
            ("compile.suppressed_errors", SignalValue::List(Vec::new())),
            ("cuda_graphs.replays", 3.into()),
            ("cuda_graphs.skips", 0.into()),
            ("inductor.generated_calls", 6.into()),
            ("inductor.sees_triton", true.into()),
            ("profile.generated_share", SignalValue::Float(0.2)),
            ("profile.passes", 3.into()),
            ("profile.region_calls", 3.into()),
        ];
        good.into_iter().chain(other.iter().cloned()).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Mode, evidence that is otherwise than it should be, and what that is called.
    type Case<'a> = (&'a str, &'a [(&'a str, SignalValue)], FailureClass);

    fn class(mode: &str, evidence: &Evidence) -> Option<FailureClass> {
        fell_back(mode, evidence).map(|(class, _)| class)
    }

    #[test]
    fn compiled_work_is_proven_by_what_it_shows() {
        for mode in ["default", "reduce-overhead", "aot_eager"] {
            assert_eq!(class(mode, &shown(mode, &[])), None, "{mode}");
        }
        for mode in ["eager", "none"] {
            let calls = |name: &str, count: i64| Evidence::from([(name.to_owned(), count.into())]);
            assert_eq!(class(mode, &Evidence::default()), None);
            for name in ["inductor.generated_calls", "profile.region_calls"] {
                assert_eq!(class(mode, &calls(name, 0)), None, "{mode} {name}");
                assert_eq!(class(mode, &calls(name, 1)), Some(FailureClass::Unexplained), "{mode} {name}");
            }
        }
    }

    #[test]
    fn each_mechanism_is_named() {
        let errors = SignalValue::List(vec!["SubprocException".to_owned()]);
        let none = SignalValue::Float(0.0);
        let skipped = SignalValue::List(vec!["a frame".to_owned()]);
        let cases: [Case<'_>; 24] = [
            ("aot_eager", &[("compile.graph_breaks", 1.into())], FailureClass::GraphBreakShare),
            ("aot_eager", &[("compile.skipped_frames", skipped.clone())], FailureClass::GraphBreakShare),
            // Compiled for the prompt, and each token by the eager model.
            ("aot_eager", &[("profile.region_calls", 0.into())], FailureClass::Unexplained),
            ("aot_eager", &[("compile.mode", "default".into())], FailureClass::Unexplained),
            // However much of the time generated kernels had, beside a part that was not traced.
            ("default", &[("compile.graph_breaks", 1.into())], FailureClass::GraphBreakShare),
            ("reduce-overhead", &[("compile.skipped_frames", skipped)], FailureClass::GraphBreakShare),
            ("reduce-overhead", &[("cuda_graphs.skips", 1.into())], FailureClass::NoCudaGraph),
            (
                "reduce-overhead",
                &[("cuda_graphs.replays", 0.into()), ("device", "another".into())],
                FailureClass::NoCudaGraph,
            ),
            ("default", &[("compile.dynamo_disabled", true.into())], FailureClass::DynamoDisabled),
            ("default", &[("compile.backend", "aot_eager".into())], FailureClass::BackendIsAotEager),
            ("default", &[("compile.backend", "another".into())], FailureClass::Unexplained),
            ("default", &[("compile.suppressed_errors", errors)], FailureClass::SuppressedError),
            ("default", &[("inductor.sees_triton", false.into())], FailureClass::NoTriton),
            ("default", &[("compile.recompile_limit_hits", 1.into())], FailureClass::RecompileLimit),
            (
                "default",
                &[("profile.generated_share", none.clone()), ("compile.graph_breaks", 4.into())],
                FailureClass::GraphBreakShare,
            ),
            ("default", &[("profile.generated_share", none)], FailureClass::Unexplained),
            ("reduce-overhead", &[("cuda_graphs.replays", 0.into())], FailureClass::NoCudaGraph),
            // A pass over the prompt that was replayed, and others that were not.
            ("reduce-overhead", &[("cuda_graphs.replays", 2.into())], FailureClass::NoCudaGraph),
            ("default", &[("inductor.generated_calls", 2.into())], FailureClass::Unexplained),
            // The kernels of a long prompt alone, beside tokens by the eager model.
            ("default", &[("profile.region_calls", 1.into())], FailureClass::Unexplained),
            ("default", &[("compile.mode", "reduce-overhead".into())], FailureClass::Unexplained),
            ("default", &[("profile.iterations", 3.into())], FailureClass::Unexplained),
            ("default", &[("compile.settled", false.into())], FailureClass::Unexplained),
            ("aot_eager", &[("compile.settled", false.into())], FailureClass::Unexplained),
        ];
        for (mode, other, expected) in cases {
            assert_eq!(class(mode, &shown(mode, other)), Some(expected), "{other:?}");
        }
    }

    #[test]
    fn what_is_not_shown_is_not_proven() {
        let without = |missing: &str, mode: &str| {
            let mut evidence = shown(mode, &[]);
            evidence.remove(missing);
            class(mode, &evidence)
        };
        let of_every_mode = [
            "compile.backend",
            "compile.dynamo_disabled",
            "compile.graph_breaks",
            "compile.graphs",
            "compile.mode",
            "compile.recompile_limit_hits",
            "compile.settled",
            "compile.skipped_frames",
            "compile.suppressed_errors",
            "profile.passes",
        ];
        let of_generating = ["inductor.generated_calls", "inductor.sees_triton", "profile.generated_share"];
        for (names, modes) in [(&of_every_mode[..], &["default", AOT_EAGER][..]), (&of_generating, &["default"])] {
            for (name, mode) in names.iter().flat_map(|name| modes.iter().map(move |mode| (*name, *mode))) {
                assert_eq!(without(name, mode), Some(FailureClass::Unexplained), "{mode} without {name}");
                // As little as nothing: what cannot be read.
                let is_text = ["compile.backend", "compile.mode"].contains(&name);
                let unread = if is_text { SignalValue::from(1) } else { "boom".into() };
                assert_eq!(class(mode, &shown(mode, &[(name, unread)])), Some(FailureClass::Unexplained), "{name}");
            }
        }
        for mode in ["default", AOT_EAGER] {
            assert_eq!(without(REGION_CALLS, mode), None, "as in journals from before they were counted");
            let mut evidence = shown(mode, &[]);
            assert_eq!(uncounted(mode, &evidence), None);
            evidence.remove(REGION_CALLS);
            assert_eq!(uncounted(mode, &evidence).map(|(class, _)| class), Some(FailureClass::Unexplained), "{mode}");
        }
        assert_eq!(uncounted("eager", &Evidence::default()), None);
        assert_eq!(without("cuda_graphs.skips", "reduce-overhead"), Some(FailureClass::Unexplained));
        assert_eq!(without("cuda_graphs.skips", "default"), None, "which replays nothing");
        assert_eq!(without("cuda_graphs.replays", "reduce-overhead"), Some(FailureClass::NoCudaGraph));
        assert_eq!(class("default", &Evidence::default()), Some(FailureClass::Unexplained));
    }
}
