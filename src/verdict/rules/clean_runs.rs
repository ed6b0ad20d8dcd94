//! Which of several runs may be cited: contamination, order of the arms, and runs that a later one replaces.

use super::{Part, Ruling};

/// What is known of the fused arm of a backend comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FusedArm {
    /// The fused path's log marker was seen.
    pub log_marker: bool,
    /// The build has the library that the fused path needs.
    pub built_with_it: bool,
}

/// What uncertainty probes did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probes {
    /// Requests.
    pub requests: u64,
    /// Of those, answered.
    pub ok: u64,
    /// Answered by another path than the one that is probed.
    pub fallbacks: u64,
    /// Failed.
    pub errors: u64,
}

/// What is known of one run. A fact that nobody recorded is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// The run.
    pub run: String,
    /// Processes other than the lane's that held memory of its GPU, by name.
    pub other_gpu_processes: Option<Vec<String>>,
    /// Requests that the server refused because no inference stood behind them (`502 inference_required`).
    pub refused_without_inference: Option<u64>,
    /// For a run with a fused arm: what is known of it.
    pub fused: Option<FusedArm>,
    /// For a run with probes: what they did.
    pub probes: Option<Probes>,
    /// For a comparison of backends: whether arms that retry or vote are in it.
    pub retry_or_vote_arms: Option<bool>,
    /// The run whose arms this one ran in the reverse order.
    pub reverse_order_of: Option<String>,
    /// The run that replaces this one, because the harness was mended in between.
    pub superseded_by: Option<String>,
    /// In their own words, why its authors took it back.
    pub withdrawn: Option<String>,
    /// The row that says so.
    pub source: String,
}

/// Runs of one comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct CleanRuns {
    /// The runs.
    pub runs: Vec<RunFacts>,
    /// Whether a first arm may have warmed something up for the second, so that a run counts only with its reverse.
    pub order_matters: bool,
}

/// Treni's conditions, run by run.
///
/// A run is, in this order:
/// - `superseded`: replaced by another; it is neither cited nor averaged with it;
/// - `withdrawn`: its authors took it back, without naming what replaces it;
/// - `contaminated`: another process held GPU memory, a request was refused for want of inference, the fused arm shows no
///   marker or could not have been fused, a probe fell back, failed, or never ran, or a backend comparison holds arms that
///   retry or vote;
/// - `order_biased`: a clean run exists that ran its arms in the reverse order, which is the canonical one;
/// - `unproven`: nobody recorded what shared the GPU or whether requests were refused;
/// - `unreversed`: its order matters, and no run has the reverse one;
/// - `canonical`.
///
/// A run that is replaced or taken back may be contaminated as well, and its reason says so. What nobody recorded of a fused arm,
/// of probes, or of arms that retry or vote is no stain, since a run may have none of these; a reason names what the others are not
/// held against.
///
/// The ruling is `clean` when a canonical run is left and none that is unproven or unreversed, `contaminated` when only
/// unusable ones are left, else `inconclusive`. Its reasons name the canonical runs: only they may be cited.
#[must_use]
pub fn clean_runs(input: &CleanRuns) -> Ruling {
    rule(input).resting_on(input.runs.iter().map(|run| &run.source))
}

fn rule(input: &CleanRuns) -> Ruling {
    if input.runs.is_empty() {
        return Ruling::invalid("no run was given");
    }
    for (position, run) in input.runs.iter().enumerate() {
        if input.runs.iter().skip(position + 1).any(|other| other.run == run.run) {
            return Ruling::invalid(format!("run {} is given twice", run.run));
        }
        if let Some(stranger) = [&run.reverse_order_of, &run.superseded_by]
            .into_iter()
            .flatten()
            .find(|name| **name == run.run || !input.runs.iter().any(|other| other.run == **name))
        {
            return Ruling::invalid(format!(
                "run {} refers to {stranger}, which is no other of the runs given",
                run.run
            ));
        }
    }
    let parts: Vec<Part> = input.runs.iter().map(|run| part(input, run)).collect();
    let with = |labels: &[&str]| -> Vec<&str> {
        let held = parts.iter().filter(|part| labels.contains(&part.label.as_str()));
        held.filter_map(|part| part.key.get("run").map(String::as_str)).collect()
    };
    let (canonical, open) = (with(&["canonical"]), with(&["unproven", "unreversed"]));
    let ruling = match (canonical.is_empty(), open.is_empty()) {
        (false, true) => Ruling::decided("clean").because(format!("canonical: {}", canonical.join(", "))),
        (true, true) => Ruling::decided("contaminated").because("no run is left that may be cited"),
        (_, false) => Ruling::inconclusive(format!("not shown to be clean: {}", open.join(", "))),
    };
    let told: Vec<String> = parts
        .iter()
        .filter_map(|part| Some(format!("{} is {}: {}", part.key.get("run")?, part.label, part.reason.as_ref()?)))
        .collect();
    ruling.because_all(told).because_all(not_told(&input.runs)).in_parts(parts)
}

/// What nothing tells of any run, so that none was held against it.
fn not_told(runs: &[RunFacts]) -> Option<String> {
    let unknown = [
        (runs.iter().all(|run| run.fused.is_none()), "a fused arm that was not fused"),
        (runs.iter().all(|run| run.probes.is_none()), "probes that fell back, failed or never ran"),
        (runs.iter().all(|run| run.retry_or_vote_arms.is_none()), "arms that retry or vote"),
    ];
    let unknown: Vec<&str> = unknown.into_iter().filter_map(|(is_unknown, what)| is_unknown.then_some(what)).collect();
    (!unknown.is_empty())
        .then(|| format!("nothing is recorded of {}: no run was held against it", unknown.join(", of ")))
}

/// The stains of a run that is out for another reason, beside that.
fn besides(run: &RunFacts, reason: String) -> String {
    let found = stains(run);
    if found.is_empty() { reason } else { format!("{reason}; besides, {}", found.join("; ")) }
}

fn part(input: &CleanRuns, run: &RunFacts) -> Part {
    let part = |label: &str| Part::of("run", &run.run, label);
    if let Some(by) = &run.superseded_by {
        return part("superseded").because(besides(run, format!("{by} replaces it")));
    }
    if let Some(why) = &run.withdrawn {
        return part("withdrawn").because(besides(run, format!("its authors say: {why}")));
    }
    let found = stains(run);
    if !found.is_empty() {
        return part("contaminated").because(found.join("; "));
    }
    let reversed = |other: &&RunFacts| {
        let is_reverse = other.reverse_order_of.as_ref() == Some(&run.run);
        is_reverse && other.superseded_by.is_none() && other.withdrawn.is_none() && stains(other).is_empty()
    };
    if let Some(reverse) = input.runs.iter().find(reversed) {
        return part("order_biased")
            .because(format!("{} ran the arms in the reverse order and is canonical", reverse.run));
    }
    let unknown: Vec<&str> = [
        (run.other_gpu_processes.is_none(), "what else held the GPU's memory"),
        (run.refused_without_inference.is_none(), "whether requests were refused for want of inference"),
    ]
    .into_iter()
    .filter_map(|(absent, what)| absent.then_some(what))
    .collect();
    if !unknown.is_empty() {
        return part("unproven").because(format!("nobody recorded {}", unknown.join(" and ")));
    }
    if input.order_matters && run.reverse_order_of.is_none() {
        return part("unreversed")
            .because("its first arm may have warmed up its second, and no run has the reverse order");
    }
    part("canonical")
}

/// Everything that contaminates the run, in words.
fn stains(run: &RunFacts) -> Vec<String> {
    let mut stains = Vec::new();
    if let Some(others) = run.other_gpu_processes.as_ref().filter(|others| !others.is_empty()) {
        stains.push(format!("{} held memory of the GPU", others.join(", ")));
    }
    if let Some(refused) = run.refused_without_inference.filter(|refused| *refused > 0) {
        stains.push(format!("{refused} requests were refused for want of inference (502)"));
    }
    if let Some(FusedArm { log_marker, built_with_it }) = run.fused {
        if !log_marker {
            stains.push("the fused arm left no fused marker in its log".to_owned());
        }
        if !built_with_it {
            stains.push("the fused arm was built without what it needs".to_owned());
        }
    }
    if let Some(Probes { requests, ok, fallbacks, errors }) = run.probes {
        if requests == 0 || ok == 0 {
            stains.push(format!("{ok} of {requests} probes were answered"));
        }
        if fallbacks > 0 {
            stains.push(format!("{fallbacks} probes fell back to another path"));
        }
        if errors > 0 {
            stains.push(format!("{errors} probes failed"));
        }
    }
    if run.retry_or_vote_arms == Some(true) {
        stains.push("arms that retry or vote are part of a comparison of backends".to_owned());
    }
    stains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn run(name: &str) -> RunFacts {
        RunFacts {
            run: name.to_owned(),
            other_gpu_processes: Some(Vec::new()),
            refused_without_inference: Some(0),
            fused: None,
            probes: None,
            retry_or_vote_arms: Some(false),
            reverse_order_of: None,
            superseded_by: None,
            withdrawn: None,
            source: format!("row:{name}"),
        }
    }

    fn ruled(runs: Vec<RunFacts>) -> Ruling {
        clean_runs(&CleanRuns { runs, order_matters: false })
    }

    fn label(run: RunFacts) -> String {
        ruled(vec![run]).parts[0].label.clone()
    }

    #[test]
    fn each_of_the_conditions_contaminates_by_itself() {
        let probes = |requests, ok, fallbacks, errors| Some(Probes { requests, ok, fallbacks, errors });
        let fused = |log_marker, built_with_it| Some(FusedArm { log_marker, built_with_it });
        let stained = [
            RunFacts { other_gpu_processes: Some(vec!["vllm".to_owned()]), ..run("a") },
            RunFacts { refused_without_inference: Some(1), ..run("a") },
            RunFacts { fused: fused(false, true), ..run("a") },
            RunFacts { fused: fused(true, false), ..run("a") },
            RunFacts { probes: probes(9, 9, 1, 0), ..run("a") },
            RunFacts { probes: probes(9, 8, 0, 1), ..run("a") },
            RunFacts { probes: probes(0, 0, 0, 0), ..run("a") },
            RunFacts { probes: probes(9, 0, 0, 0), ..run("a") },
            RunFacts { retry_or_vote_arms: Some(true), ..run("a") },
        ];
        for facts in stained {
            assert_eq!(label(facts.clone()), "contaminated", "{facts:?}");
            assert_eq!(ruled(vec![facts]).label, "contaminated");
        }
        assert_eq!(label(RunFacts { fused: fused(true, true), probes: probes(9, 9, 0, 0), ..run("a") }), "canonical");
    }

    #[test]
    fn what_nobody_recorded_is_unproven_and_not_clean() {
        let unknown = RunFacts { other_gpu_processes: None, ..run("a") };
        assert_eq!(label(unknown.clone()), "unproven");
        assert_eq!(ruled(vec![unknown, run("b")]).standing, Standing::Inconclusive);
    }

    #[test]
    fn the_reverse_order_rerun_is_canonical_and_only_if_it_is_clean() {
        let reverse = RunFacts { reverse_order_of: Some("first".to_owned()), ..run("reverse") };
        let ruling = ruled(vec![run("first"), reverse.clone()]);
        let labels: Vec<&str> = ruling.parts.iter().map(|part| part.label.as_str()).collect();
        assert_eq!((ruling.label.as_str(), labels), ("clean", vec!["order_biased", "canonical"]));
        let stained = RunFacts { refused_without_inference: Some(3), ..reverse };
        let ruling = ruled(vec![run("first"), stained.clone()]);
        assert_eq!((ruling.label.as_str(), ruling.parts[0].label.as_str()), ("clean", "canonical"));
        let ordered = clean_runs(&CleanRuns { runs: vec![run("first"), stained], order_matters: true });
        assert_eq!((ordered.standing, ordered.parts[0].label.as_str()), (Standing::Inconclusive, "unreversed"));
    }

    #[test]
    fn a_run_that_its_authors_took_back_is_never_cited_and_reverses_nothing() {
        let taken_back = RunFacts { withdrawn: Some("stale".to_owned()), ..run("old") };
        let ruling = ruled(vec![taken_back.clone(), run("new")]);
        assert_eq!((ruling.reasons[0].as_str(), ruling.parts[0].label.as_str()), ("canonical: new", "withdrawn"));
        assert_eq!(ruling.parts[0].reason.as_deref(), Some("its authors say: stale"));
        assert_eq!(ruled(vec![taken_back.clone()]).label, "contaminated");
        let reverse = RunFacts { reverse_order_of: Some("new".to_owned()), ..taken_back };
        assert_eq!(ruled(vec![run("new"), reverse]).parts[0].label, "canonical");
    }

    #[test]
    fn a_run_that_is_out_tells_of_its_stains_too_and_what_nobody_recorded_is_named() {
        let stained = RunFacts { refused_without_inference: Some(3), ..run("old") };
        let reason = |facts: RunFacts| ruled(vec![facts, run("new")]).parts[0].reason.clone().expect("a reason");
        let besides = "; besides, 3 requests were refused for want of inference (502)";
        let withdrawn = RunFacts { withdrawn: Some("stale".to_owned()), ..stained.clone() };
        assert_eq!(reason(withdrawn), format!("its authors say: stale{besides}"));
        let superseded = RunFacts { superseded_by: Some("new".to_owned()), ..stained };
        assert_eq!(reason(superseded), format!("new replaces it{besides}"));
        let told = |facts: RunFacts| ruled(vec![facts]).reasons.last().cloned().expect("a reason");
        assert_eq!(
            told(RunFacts { retry_or_vote_arms: None, ..run("a") }),
            "nothing is recorded of a fused arm that was not fused, of probes that fell back, failed or never ran, of arms that \
             retry or vote: no run was held against it"
        );
        let probes = Some(Probes { requests: 1, ok: 1, fallbacks: 0, errors: 0 });
        let fused = Some(FusedArm { log_marker: true, built_with_it: true });
        assert_eq!(told(RunFacts { probes, fused, ..run("a") }), "canonical: a");
    }

    #[test]
    fn a_superseded_run_is_never_cited_and_what_replaces_it_must_be_there() {
        let old = RunFacts { superseded_by: Some("new".to_owned()), ..run("old") };
        let ruling = ruled(vec![old.clone(), run("new")]);
        assert_eq!(ruling.reasons[0], "canonical: new");
        assert_eq!(ruled(vec![old]).standing, Standing::Invalid);
        let own = RunFacts { superseded_by: Some("a".to_owned()), ..run("a") };
        assert_eq!(ruled(vec![own]).standing, Standing::Invalid);
        assert_eq!(ruled(vec![run("a"), run("a")]).standing, Standing::Invalid);
        assert_eq!(ruled(vec![]).standing, Standing::Invalid);
    }
}
