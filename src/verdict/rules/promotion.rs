//! Whether a switch becomes the default: the gates AB2, AB3 and AB5.

use std::collections::{BTreeMap, BTreeSet};

use super::estimate::{Estimate, Levels};
use super::{Part, Ruling, RulingTest};
use crate::stats::{Confidence, Power};
use crate::verdict::rounding::round;

/// How the system is loaded while a delta is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadMode {
    /// Requests of one kind after warmup.
    Warm,
    /// The first request of a process.
    Cold,
    /// Requests of several kinds.
    Mixed,
}

impl LoadMode {
    const ALL: [Self; 3] = [Self::Warm, Self::Cold, Self::Mixed];

    const fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Mixed => "mixed",
        }
    }
}

/// What a delta is of.
#[derive(Debug, Clone, PartialEq)]
pub struct GateDelta {
    /// The load.
    pub mode: LoadMode,
    /// The metric, for example `request_ms` or `p99_ms`.
    pub metric: String,
    /// On minus off, in milliseconds: negative is better.
    pub delta_ms: Estimate,
    /// The row that says so.
    pub source: String,
}

/// One stage, in the order AB2, AB3, AB5 (the number is that of the repetitions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The gate.
    Ab2,
    /// The confirmation.
    Ab3,
    /// More repetitions, where the effect is small.
    Ab5,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Ab2 => "AB2",
            Self::Ab3 => "AB3",
            Self::Ab5 => "AB5",
        }
    }

    /// Repetitions a side.
    const fn repetitions(self) -> u64 {
        match self {
            Self::Ab2 => 2,
            Self::Ab3 => 3,
            Self::Ab5 => 5,
        }
    }
}

/// Where the switched path was seen at work, by physical evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnobEvidence {
    /// In every record of the arm that has it on.
    pub active_when_on: bool,
    /// In any record of the arm that has it off.
    pub active_when_off: bool,
    /// The rows that say so.
    pub sources: Vec<String>,
}

/// Strict parity: models whose output was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrictParity {
    /// Compared.
    pub checked: u64,
    /// Of those, different.
    pub failed: u64,
    /// Marked as skipped, not counted; absent where nothing says how many.
    pub skipped: Option<u64>,
}

/// Everything that a promotion rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    /// The switch.
    pub knob: String,
    /// The stages that were run.
    pub stages: BTreeMap<Stage, Vec<GateDelta>>,
    /// For each metric the largest delta that counts as near-flat, in milliseconds. Required for each metric that occurs.
    pub near_flat_ms: BTreeMap<String, f64>,
    /// For each mode the metric by which it is judged, for example `request_ms` when warm and `full_ms` when cold.
    pub judged_by: BTreeMap<LoadMode, String>,
    /// The tail that must not get worse where the judged metric is near-flat, for example `p99_ms`.
    pub tail: String,
    /// Where no judged improvement of AB3 is larger than this, AB5 has to confirm it, in milliseconds.
    pub small_effect_ms: f64,
    /// Whether a delta without an interval is judged by its value, as its authors did. The ruling then says so.
    pub values_without_interval: bool,
    /// Where the path was at work; absent where nothing shows it.
    pub evidence: Option<KnobEvidence>,
    /// Strict parity; absent where it was not run.
    pub parity: Option<StrictParity>,
    /// The rows that strict parity was read from.
    pub parity_sources: Vec<String>,
    /// Strict parity needs at least this many models checked.
    pub parity_checked: u64,
    /// Confidence of the printed intervals.
    pub confidence: Confidence,
    /// Power that the stated number of repetitions is to have; absent where the plan states none, and then no number is told.
    pub power: Option<Power>,
    /// The foundation pack against the previous one, new minus old; absent where the plan does not ask for it.
    pub foundation: Option<Vec<GateDelta>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Improves,
    NearFlat,
    Regresses,
    Open,
}

impl Class {
    const fn name(self) -> &'static str {
        match self {
            Self::Improves => "improves",
            Self::NearFlat => "near_flat",
            Self::Regresses => "regresses",
            Self::Open => "open",
        }
    }
}

/// One stage's deltas, classed; judged ones by mode.
type Classed = BTreeMap<(LoadMode, String), Class>;

/// Walks the gates in the reports' order: first those that forbid a promotion whatever else is missing, then those that
/// everything has to be there for.
///
/// | gate | label |
/// |---|---|
/// | both arms, or neither, had the path at work | `not_causal` |
/// | AB2: a mode regresses, or is near-flat with a worse tail | `rejected_at_gate` |
/// | strict parity failed | `keep_off` |
/// | a mode that improved at AB2 regresses at AB3 or AB5 (sign reversed) | `keep_off` |
/// | AB3 or AB5: a mode regresses, or modes conflict | `keep_off` |
/// | the foundation pack regresses | `revert` |
/// | evidence, a stage, a mode, parity, or a foundation pack that is asked for, is missing; a delta is open | `inconclusive` |
/// | no mode improves at AB3 or AB5 | `keep_off` |
/// | warm, cold and mixed improve or are near-flat, at least one improves | `promote` |
///
/// `invalid` where a tolerance is missing or a number is none. An improvement is a delta wholly below minus its tolerance, a regression one
/// wholly above it, near-flat one wholly within, both edges included; a delta whose interval reaches over an edge is
/// open, and so is one without an interval unless the plan judges values. The reports state no tolerance at all and judge
/// every delta by its value.
///
/// A delta that is open at AB3 or AB5 is one of three or five repetitions a side, so that its interval says how many would
/// settle it. Of a delta without an interval, and of the foundation pack's, which are of no stage, no number is known.
///
/// The gates stand outside the plan's family, each at the plan's level. A promotion needs all of them, at every stage and in
/// every mode, and is no likelier for their number (R. L. Berger, "Multiparameter hypothesis testing and acceptance sampling",
/// Technometrics 24, 1982); whatever else is found leaves the switch as it is. That holds of one switch: a plan that asks for
/// several may promote one of them by chance more often than its level says.
#[must_use]
pub fn promotion(input: &Promotion) -> Ruling {
    let all = || input.stages.values().flatten().chain(input.foundation.iter().flatten());
    let ruling = match class_all(input) {
        Ok((stages, foundation)) => {
            let mut ruling =
                gates(input, &stages, foundation.as_ref()).in_parts(parts(input, &stages, foundation.as_ref()));
            if input.values_without_interval && all().any(|delta| delta.delta_ms.interval.is_none()) {
                ruling = ruling
                    .because("deltas are printed without intervals and judged by their values, as the plan states");
            }
            ruling
        }
        Err(reason) => Ruling::invalid(reason),
    };
    let skipped = input.parity.and_then(|parity| parity.skipped).filter(|skipped| *skipped > 0);
    let ruling =
        ruling.because_all(skipped.map(|skipped| format!("strict parity skipped {skipped}, which counts for nothing")));
    let tests = all().filter(|delta| delta.delta_ms.interval.is_some()).map(|delta| {
        RulingTest::of(format!("confidence interval, {} {} ({})", delta.mode.name(), delta.metric, delta.source))
            .estimating(delta.delta_ms.value, delta.delta_ms.interval)
    });
    let seen = input.evidence.iter().flat_map(|seen| &seen.sources).chain(&input.parity_sources);
    let ruling = ruling.resting_on(seen.chain(all().map(|delta| &delta.source))).tested(tests);
    let ruling = input
        .near_flat_ms
        .iter()
        .fold(ruling, |ruling, (metric, tolerance)| ruling.against(&format!("near_flat {metric}"), *tolerance, "ms"));
    ruling
        .against("small_effect", input.small_effect_ms, "ms")
        .against("parity_checked", input.parity_checked as f64, "models")
        .against("confidence", input.confidence.get(), "share")
        .against_some("power", input.power.map(Power::get), "share")
}

fn class_all(input: &Promotion) -> Result<(BTreeMap<Stage, Classed>, Option<Classed>), String> {
    for (name, value) in input.near_flat_ms.iter().map(|(metric, value)| (metric.as_str(), *value)) {
        if !(value >= 0.0 && value.is_finite()) {
            return Err(format!("{name} is near-flat within {value} ms, which must be at least 0 and finite"));
        }
    }
    if !(input.small_effect_ms >= 0.0 && input.small_effect_ms.is_finite()) {
        return Err(format!(
            "an effect is small up to {} ms, which must be at least 0 and finite",
            input.small_effect_ms
        ));
    }
    if let Some(mode) = LoadMode::ALL.into_iter().find(|mode| !input.judged_by.contains_key(mode)) {
        return Err(format!("the plan does not say by which metric {} is judged", mode.name()));
    }
    let mut stages = BTreeMap::new();
    for (stage, deltas) in &input.stages {
        stages.insert(*stage, class_stage(input, stage.name(), deltas)?);
    }
    let foundation = input.foundation.as_ref().map(|deltas| class_stage(input, "foundation", deltas)).transpose()?;
    Ok((stages, foundation))
}

fn class_stage(input: &Promotion, stage: &str, deltas: &[GateDelta]) -> Result<Classed, String> {
    let mut classed = Classed::new();
    for GateDelta { mode, metric, delta_ms, .. } in deltas {
        let name = format!("{stage} {} {metric}", mode.name());
        let Some(tolerance) = input.near_flat_ms.get(metric) else {
            return Err(format!("{name}: the plan states no tolerance for {metric}"));
        };
        if let Some(fault) = delta_ms.fault(&name) {
            return Err(fault);
        }
        if classed.insert((*mode, metric.clone()), class(delta_ms, *tolerance, input.values_without_interval)).is_some()
        {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(classed)
}

fn class(delta: &Estimate, tolerance: f64, by_value: bool) -> Class {
    let ends = delta.interval.or(by_value.then_some([delta.value; 2]));
    match ends {
        Some([_, high]) if high < -tolerance => Class::Improves,
        Some([low, _]) if low > tolerance => Class::Regresses,
        Some([low, high]) if low >= -tolerance && high <= tolerance => Class::NearFlat,
        _ => Class::Open,
    }
}

fn judged<'a>(input: &'a Promotion, classed: &'a Classed) -> impl Iterator<Item = (LoadMode, Class)> + 'a {
    let of = |mode: LoadMode| input.judged_by.get(&mode).and_then(|metric| classed.get(&(mode, metric.clone())));
    LoadMode::ALL.into_iter().filter_map(move |mode| Some((mode, *of(mode)?)))
}

fn gates(input: &Promotion, stages: &BTreeMap<Stage, Classed>, foundation: Option<&Classed>) -> Ruling {
    let gate = stages.get(&Stage::Ab2).filter(|classed| judged(input, classed).next().is_some());
    let forbidden = [
        not_causal(input),
        gate.and_then(|classed| rejected(input, classed)),
        parity_failed(input),
        against(input, stages, Stage::Ab3),
        against(input, stages, Stage::Ab5),
        foundation.and_then(|classed| reverted(input, classed)),
    ];
    let open = [
        input.evidence.is_none().then(|| missing(told(input, "nothing shows in which arm its path was at work"))),
        gate.is_none().then(|| missing("AB2 was not run, or has no judged metric")),
        parity_missing(input),
        (!stages.contains_key(&Stage::Ab3)).then(|| missing("AB3 was not run")),
        confirm(input, stages, Stage::Ab3),
        needs_ab5(input, stages),
        confirm(input, stages, Stage::Ab5),
        foundation.and_then(|classed| steady(input, classed)),
        covered(input, stages),
    ];
    let first = forbidden.into_iter().chain(open).flatten().next();
    first.unwrap_or_else(|| {
        let with = if input.foundation.is_some() { ", and the foundation pack does not regress" } else { "" };
        Ruling::decided("promote")
            .because(format!("warm, cold and mixed improve or are near-flat, with strict parity, at every stage{with}"))
    })
}

fn missing(reason: impl Into<String>) -> Ruling {
    Ruling::inconclusive(reason)
}

fn told(input: &Promotion, reason: &str) -> String {
    format!("no delta can be put down to {}: {reason}", input.knob)
}

fn not_causal(input: &Promotion) -> Option<Ruling> {
    let reason = match input.evidence.as_ref()? {
        KnobEvidence { active_when_on: true, active_when_off: false, .. } => return None,
        KnobEvidence { active_when_on: true, active_when_off: true, .. } => "both arms had its path at work",
        KnobEvidence { active_when_on: false, .. } => "the arm that has it on did not have its path at work throughout",
    };
    Some(Ruling::decided("not_causal").because(told(input, reason)))
}

/// AB2: what stops a candidate before it costs more.
fn rejected(input: &Promotion, classed: &Classed) -> Option<Ruling> {
    let tail = |mode: LoadMode| classed.get(&(mode, input.tail.clone())).copied();
    let worse: Vec<String> = judged(input, classed)
        .filter_map(|(mode, class)| match (class, tail(mode)) {
            (Class::Regresses, _) => Some(format!("AB2 {} regresses", mode.name())),
            (Class::NearFlat, Some(Class::Regresses)) => {
                Some(format!("AB2 {} is near-flat with a worse {}", mode.name(), input.tail))
            }
            _ => None,
        })
        .collect();
    (!worse.is_empty()).then(|| Ruling::decided("rejected_at_gate").because_all(worse))
}

fn parity_failed(input: &Promotion) -> Option<Ruling> {
    let StrictParity { checked, failed, .. } = input.parity.filter(|parity| parity.failed > 0)?;
    Some(Ruling::decided("keep_off").because(format!("strict parity failed for {failed} of {checked} models")))
}

fn parity_missing(input: &Promotion) -> Option<Ruling> {
    match input.parity {
        None => Some(missing("strict parity was not run")),
        Some(StrictParity { checked, skipped, .. }) if checked < input.parity_checked || checked == 0 => {
            Some(missing(format!(
                "strict parity checked {checked} models ({}), and {} are asked for",
                skipped
                    .map_or_else(|| "how many were skipped is not told".to_owned(), |count| format!("{count} skipped")),
                input.parity_checked.max(1)
            )))
        }
        Some(_) => None,
    }
}

/// The modes of a stage that have the class.
fn modes(now: &[(LoadMode, Class)], wanted: Class) -> Vec<&'static str> {
    now.iter().filter(|(_, class)| *class == wanted).map(|(mode, _)| mode.name()).collect()
}

/// AB3 or AB5: what speaks against the switch, whatever else is missing.
fn against(input: &Promotion, stages: &BTreeMap<Stage, Classed>, stage: Stage) -> Option<Ruling> {
    let name = stage.name();
    let now: Vec<(LoadMode, Class)> = judged(input, stages.get(&stage)?).collect();
    let earlier: BTreeMap<LoadMode, Class> =
        stages.get(&Stage::Ab2).map(|gate| judged(input, gate).collect()).unwrap_or_default();
    let reversed: Vec<&str> = now
        .iter()
        .filter(|(mode, class)| *class == Class::Regresses && earlier.get(mode) == Some(&Class::Improves))
        .map(|(mode, _)| mode.name())
        .collect();
    let (improves, regresses) = (modes(&now, Class::Improves), modes(&now, Class::Regresses));
    let told = match (reversed.is_empty(), regresses.is_empty(), improves.is_empty()) {
        (false, ..) => {
            format!("the sign reversed: {} improved at AB2 and regresses at {name}", reversed.join(" and "))
        }
        (true, true, _) => return None,
        (true, false, true) => format!("{} regresses at {name}", regresses.join(" and ")),
        (true, false, false) => format!(
            "modes conflict at {name}: {} improves, {} regresses",
            improves.join(" and "),
            regresses.join(" and ")
        ),
    };
    Some(Ruling::decided("keep_off").because(told))
}

/// AB3 or AB5: whether the direction survives.
fn confirm(input: &Promotion, stages: &BTreeMap<Stage, Classed>, stage: Stage) -> Option<Ruling> {
    let now: Vec<(LoadMode, Class)> = judged(input, stages.get(&stage)?).collect();
    let (name, open) = (stage.name(), modes(&now, Class::Open));
    if !open.is_empty() {
        let told =
            format!("at {name} {} is open: no interval, or one that reaches over the tolerance", open.join(" and "));
        return Some(match to_settle(input, stage) {
            Ok(repetitions) => missing(told).settled_by(Some(repetitions)),
            Err(why) => missing(told).because(why),
        });
    }
    if now.is_empty() {
        return Some(missing(format!("{name} has no judged metric")));
    }
    let noise = || Ruling::decided("keep_off").because(format!("near noise: no mode improves at {name}"));
    modes(&now, Class::Improves).is_empty().then(noise)
}

/// Repetitions a side with which every judged delta of the stage that is open would lie clear of its tolerance; in words why
/// none is known.
fn to_settle(input: &Promotion, stage: Stage) -> Result<u64, String> {
    let power = input.power.ok_or("the plan states no power, so that no number of repetitions is told")?;
    let levels = Levels { confidence: input.confidence, power };
    let mut most = 0;
    for GateDelta { mode, metric, delta_ms, .. } in input.stages.get(&stage).into_iter().flatten() {
        let tolerance = input.near_flat_ms.get(metric).filter(|_| input.judged_by.get(mode) == Some(metric));
        let Some(tolerance) =
            tolerance.filter(|tolerance| class(delta_ms, **tolerance, input.values_without_interval) == Class::Open)
        else {
            continue;
        };
        let Some([low, high]) = delta_ms.interval else {
            let name = mode.name();
            return Err(format!("{name} {metric} has no interval, so that no number of repetitions can be told"));
        };
        let of_stage = Estimate { launches: Some(stage.repetitions()), ..*delta_ms };
        for edge in [-tolerance, *tolerance].into_iter().filter(|edge| (low..=high).contains(edge)) {
            let needed = of_stage.launches_to_clear(edge, levels).ok_or_else(|| {
                format!("no number of repetitions would settle {} {metric}: it lies on its tolerance", mode.name())
            })?;
            most = most.max(needed);
        }
    }
    Ok(most)
}

/// Whether AB3's effect is so small that more repetitions have to confirm it, and they were not made.
fn needs_ab5(input: &Promotion, stages: &BTreeMap<Stage, Classed>) -> Option<Ruling> {
    let deltas = input.stages.get(&Stage::Ab3)?;
    let counted = |delta: &&GateDelta| input.judged_by.get(&delta.mode) == Some(&delta.metric);
    let largest = deltas.iter().filter(counted).map(|delta| -delta.delta_ms.value).fold(0.0, f64::max);
    let small = largest <= input.small_effect_ms && !stages.contains_key(&Stage::Ab5);
    small.then(|| {
        let told = format!(
            "the largest improvement at AB3 is {} ms, at most {}: AB5 has to confirm it",
            round(largest),
            input.small_effect_ms
        );
        missing(told).settled_by(Some(5))
    })
}

/// A foundation pack that regresses with the new default takes a temporary promotion back.
fn reverted(input: &Promotion, classed: &Classed) -> Option<Ruling> {
    let worse = modes(&judged(input, classed).collect::<Vec<_>>(), Class::Regresses);
    let told =
        || format!("the foundation pack regresses in {}: a temporary promotion is reverted", worse.join(" and "));
    (!worse.is_empty()).then(|| Ruling::decided("revert").because(told()))
}

fn steady(input: &Promotion, classed: &Classed) -> Option<Ruling> {
    let now: Vec<(LoadMode, Class)> = judged(input, classed).collect();
    if now.is_empty() {
        return Some(missing("the foundation pack has no judged metric"));
    }
    let open = modes(&now, Class::Open);
    (!open.is_empty()).then(|| {
        missing(format!("the foundation pack is open in {}", open.join(" and "))).because(
            "how many repetitions its deltas are of is not stated, so that no number can be told that would settle it",
        )
    })
}

/// Every mode has to be judged, at AB3 or AB5.
fn covered(input: &Promotion, stages: &BTreeMap<Stage, Classed>) -> Option<Ruling> {
    let late = [Stage::Ab3, Stage::Ab5].into_iter().filter_map(|stage| stages.get(&stage));
    let seen: BTreeSet<LoadMode> = late.flat_map(|classed| judged(input, classed)).map(|(mode, _)| mode).collect();
    let absent: Vec<&str> = LoadMode::ALL.into_iter().filter(|mode| !seen.contains(mode)).map(LoadMode::name).collect();
    (!absent.is_empty()).then(|| missing(format!("{} was not confirmed at AB3 or AB5", absent.join(" and "))))
}

fn parts(input: &Promotion, stages: &BTreeMap<Stage, Classed>, foundation: Option<&Classed>) -> Vec<Part> {
    let staged = input.stages.iter().map(|(stage, deltas)| (stage.name(), deltas, stages.get(stage)));
    let founded = input.foundation.iter().map(|deltas| ("foundation", deltas, foundation));
    let mut parts = Vec::new();
    for (stage, deltas, classed) in staged.chain(founded) {
        for GateDelta { mode, metric, delta_ms, .. } in deltas {
            let class =
                classed.and_then(|classed| classed.get(&(*mode, metric.clone()))).copied().unwrap_or(Class::Open);
            let key = [("stage", stage), ("mode", mode.name()), ("metric", metric.as_str())];
            let key = key.into_iter().map(|(name, word)| (name.to_owned(), word.to_owned())).collect();
            parts.push(Part::new(key, class.name()).number("delta_ms", delta_ms.value));
        }
    }
    parts
}

#[cfg(test)]
mod tests;
