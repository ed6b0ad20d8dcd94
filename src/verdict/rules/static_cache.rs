//! Whether a static cache lets compiled decode run, and whether a prefill gain repeats on enough models.

use super::estimate::{Estimate, InFamily, Levels, OtherTests};
use super::rates::{Count, Tally, cut_fault, unit_told};
use super::{Part, Ruling, RulingTest};
use crate::stats::{Confidence, PValue, Side, clopper_pearson_bound};
use crate::verdict::rounding::round;

/// Compiled decode of one model on one host, in both caches.
#[derive(Debug, Clone, PartialEq)]
pub struct RescueCell {
    /// The model.
    pub model: String,
    /// The host, for example `A100`.
    pub host: String,
    /// Rows or launches that are not ok under the static cache.
    pub fixed: Tally,
    /// The same under the growing cache; absent where it was not measured.
    pub growing: Option<Tally>,
    /// The rows.
    pub sources: Vec<String>,
}

/// Crash counts under a static cache, and how rare crashes must be shown to be.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticCacheRescue {
    /// One for each model and host.
    pub cells: Vec<RescueCell>,
    /// The largest crash rate that a cell without any crash may still have.
    pub max_rate: f64,
    /// Confidence of that statement, one-sided, for each cell.
    pub confidence: Confidence,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// TR147's binary rule, with the bound that makes "0" a statement: decode never crashed under the static cache, and so
/// often that its rate is at most `max_rate`. It says nothing of speed.
///
/// A cell is `rescued`, `not_rescued` (a row crashed), `nothing_to_rescue` (no row crashed under the growing cache
/// either) or `open`. It is rescued where the rate under the static cache is shown to be at most `max_rate`, and under the growing
/// one, where that was counted, to lie above it: a crash or two there may be as rare. The larger of both p values is the cell's;
/// it is one of the plan's family, and adjusted (Holm) over it must not be above the level. A cell with so few trials that no
/// outcome would rescue it asks nothing and is no test. By launches fewer than three under either cache leave a cell open, and
/// `nothing_to_rescue` needs as many launches of the growing cache as show that its rate is at most `max_rate`, too: nobody
/// printed that it never crashes.
///
/// `not_rescued` is no test: the rule says that decode does not crash, and one crash that was seen shows that it does. Neither is
/// a printed `nothing_to_rescue`, which is that count.
///
/// The ruling is `rescued` when every cell is, `not_rescued` when one is
/// not, `nothing_to_rescue` when no cell crashed before, else `inconclusive`. Whether a cell without counts of the growing
/// cache had anything to be rescued from is not known, and the reason says so.
#[must_use]
pub fn static_cache_rescue(input: &StaticCacheRescue) -> Ruling {
    rescue(input)
        .resting_on(input.cells.iter().flat_map(|cell| &cell.sources))
        .against("max_rate", input.max_rate, "share")
        .against("confidence", input.confidence.get(), "share")
}

/// The p values of the cells: what they add to the plan's family.
pub(in crate::verdict) fn rescue_family(input: &StaticCacheRescue) -> Vec<Option<PValue>> {
    if cut_fault("the largest crash rate", input.max_rate).is_some() {
        return Vec::new();
    }
    input.cells.iter().map(|cell| rescue_p(input, cell)).collect()
}

/// The cell's test; nothing where no outcome of so many trials would be more than open.
fn rescue_p(input: &StaticCacheRescue, cell: &RescueCell) -> Option<PValue> {
    let (max_rate, alpha) = (input.max_rate, 1.0 - input.confidence.get());
    let counted = cell.growing.filter(|growing| growing.count.trials > 0 || growing.is_by_launch());
    if [Some(cell.fixed), counted].into_iter().flatten().any(|tally| tally.is_too_few() || tally.count.trials == 0) {
        return None;
    }
    let of = |count: Count, hits: u64| Count { hits, ..count };
    let fixed = cell.fixed.count;
    let mut least = of(fixed, 0).p_below(max_rate)?;
    let mut own = fixed.p_below(max_rate)?;
    if let Some(growing) = counted.map(|growing| growing.count) {
        let all = of(growing, growing.trials).p_above(max_rate)?;
        let none = of(growing, 0).p_below(max_rate)?;
        least = larger(least, if all.get() < none.get() { all } else { none });
        // Of what never crashed before it is asked whether it does not.
        let before = if growing.hits == 0 { growing.p_below(max_rate)? } else { growing.p_above(max_rate)? };
        own = larger(own, before);
    }
    (least.get() <= alpha).then_some(own)
}

fn larger(one: PValue, other: PValue) -> PValue {
    if other.get() > one.get() { other } else { one }
}

fn rescue(input: &StaticCacheRescue) -> Ruling {
    if let Some(fault) = cut_fault("the largest crash rate", input.max_rate) {
        return Ruling::invalid(fault);
    }
    if input.cells.is_empty() {
        return Ruling::invalid("no cell with a static cache was given");
    }
    let own: Vec<Option<PValue>> = input.cells.iter().map(|cell| rescue_p(input, cell)).collect();
    let decisions = InFamily::each(&own, &input.also_in_family, input.confidence);
    let (mut parts, mut tests, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for (cell, decision) in input.cells.iter().zip(&decisions) {
        let of_cell = |reason: String| Ruling::invalid(format!("{} on {}: {reason}", cell.model, cell.host));
        let bound = upper_bound(cell.fixed, input.confidence);
        let found = bound.and_then(|bound| Ok((bound, label(input, cell, bound, decision.as_ref())?)));
        let (bound, (label, why_open)) = match found {
            Ok(found) => found,
            Err(reason) => return of_cell(reason),
        };
        if label == "open" {
            open.push((cell, launches_needed(input, cell), why_open.clone()));
        }
        let key = [("model", &cell.model), ("host", &cell.host)].map(|(name, value)| (name.to_owned(), value.clone()));
        let count = cell.fixed.count;
        let part = Part::new(key.into(), label).number("rate_at_most", bound).number("trials", count.trials as f64);
        let part = cell.fixed.beside(part.number("crashes", count.hits as f64));
        parts.push(why_open.into_iter().fold(part, Part::because));
        let test = format!("Clopper-Pearson upper bound, crash rate of {} on {}", cell.model, cell.host);
        let test = RulingTest::of(test).estimating(count.share().unwrap_or(f64::NAN), Some([0.0, bound]));
        tests.push(match decision {
            Some(decision) => decision.on(test),
            None => test,
        });
    }
    let unknown = input.cells.iter().filter(|cell| cell.growing.is_none_or(|tally| tally.count.trials == 0)).count();
    let unknown = (unknown > 0)
        .then(|| format!("of {unknown} cells it is not known whether they crashed under the growing cache"));
    let ruling = conclude(&parts, input.max_rate, &open).because_all(unknown);
    ruling.because_all(unit_told(input.cells.iter().map(|cell| cell.fixed))).in_parts(parts).tested(tests)
}

/// What becomes of one cell, whose rate under the static cache is at most `bound`, and why it is open where a bound of its own
/// does not say so.
fn label(
    input: &StaticCacheRescue,
    cell: &RescueCell,
    bound: f64,
    decision: Option<&InFamily>,
) -> Result<(&'static str, Option<String>), String> {
    let RescueCell { fixed, growing, .. } = cell;
    if fixed.is_too_few() || growing.is_some_and(Tally::is_too_few) {
        return Ok(("open", None));
    }
    let before = growing.filter(|growing| growing.count.trials > 0);
    let label = match (fixed.count.hits, before) {
        (1.., _) => return Ok(("not_rescued", None)),
        (0, Some(growing)) if growing.count.hits == 0 && !growing.is_by_launch() => {
            return Ok(("nothing_to_rescue", None));
        }
        (0, _) if bound > input.max_rate => return Ok(("open", None)),
        (0, Some(growing)) if growing.count.hits == 0 => {
            if upper_bound(growing, input.confidence)? > input.max_rate {
                return Ok(("open", None));
            }
            "nothing_to_rescue"
        }
        (0, Some(growing)) => {
            let low = lower_bound(growing, input.confidence)?;
            if low <= input.max_rate {
                let why = format!("under the growing cache the rate may be as low as {}", round(low));
                return Ok(("open", Some(why)));
            }
            "rescued"
        }
        (0, None) => "rescued",
    };
    Ok(match decision {
        Some(decision) if !decision.rejected() => ("open", Some(decision.why_open())),
        _ => (label, None),
    })
}

/// Trials of either cache that would settle an open cell in a family of that size, if they come out as those that there are;
/// nothing where no number of them would.
fn launches_needed(input: &StaticCacheRescue, cell: &RescueCell) -> Option<u64> {
    if cell.fixed.count.hits > 0 {
        return Some(cell.fixed.at_least());
    }
    let tests = (input.cells.len() + input.also_in_family.in_time()) as f64;
    let alpha = (1.0 - input.confidence.get()) / tests;
    let fixed = clean_trials(input.max_rate, Confidence::new(1.0 - alpha).ok()?)?.max(cell.fixed.at_least());
    let crashed_before = cell.growing.filter(|growing| growing.count.hits > 0);
    let Some(growing) = crashed_before else { return Some(fixed) };
    let before = growing.count.trials_to_settle(input.max_rate, Confidence::new(1.0 - 2.0 * alpha).ok()?)?;
    let is_above = growing.count.share()? > input.max_rate;
    is_above.then(|| fixed.max(before))
}

type Open<'a> = (&'a RescueCell, Option<u64>, Option<String>);

fn conclude(parts: &[Part], max_rate: f64, open: &[Open<'_>]) -> Ruling {
    let with = |label: &str| parts.iter().filter(|part| part.label == label).count();
    let all = parts.len();
    match (with("not_rescued"), with("open"), with("rescued"), with("nothing_to_rescue")) {
        (1.., ..) => Ruling::decided("not_rescued")
            .because(format!("decode crashed under the static cache in {} of {all} cells", with("not_rescued"))),
        (0, 1.., ..) => too_few(open, all, max_rate).settled_by(
            open.iter().map(|(_, needed, _)| *needed).collect::<Option<Vec<_>>>().and_then(|n| n.into_iter().max()),
        ),
        (0, 0, 0, _) => {
            Ruling::decided("nothing_to_rescue").because("no decode crashed under the growing cache either")
        }
        (0, 0, rescued, 0) => Ruling::decided("rescued")
            .because(format!("no decode crashed in any of {rescued} cells, so that each rate is at most {max_rate}")),
        (0, 0, rescued, nothing) => Ruling::decided("rescued").because(format!(
            "no decode crashed: {rescued} cells are rescued, and {nothing} had nothing to be rescued from"
        )),
    }
}

/// That some cells were tried too seldom, and what was seen of them by launches.
fn too_few(open: &[Open<'_>], all: usize, max_rate: f64) -> Ruling {
    let why = open
        .iter()
        .filter_map(|(RescueCell { model, host, .. }, _, why)| Some(format!("{model} on {host}: {}", why.as_ref()?)));
    if open.iter().all(|(cell, ..)| !cell.fixed.is_by_launch()) {
        let few = open.len();
        let ruling = Ruling::inconclusive(format!(
            "no decode crashed, but in {few} of {all} cells too few rows show a rate of at most {max_rate}, or of more before"
        ));
        return ruling.because_all(why);
    }
    let told = open.iter().map(|(cell, ..)| {
        let RescueCell { model, host, fixed, growing, .. } = cell;
        let before = growing.map(|growing| format!(", and under the growing cache {}", growing.told()));
        format!("{model} on {host} failed in {}{}", fixed.told(), before.unwrap_or_default())
    });
    let few = format!(
        "in {} of {all} cells too few launches show a rate of at most {max_rate}, or of more under the growing cache",
        open.len()
    );
    Ruling::inconclusive(few).because_all(told).because_all(why)
}

fn upper_bound(tally: Tally, confidence: Confidence) -> Result<f64, String> {
    let count = tally.count;
    if tally.is_by_launch() && count.trials == 0 {
        return Ok(1.0);
    }
    let share = crate::stats::Proportion::new(count.hits, count.trials).map_err(|error| error.to_string())?;
    Ok(clopper_pearson_bound(share, Side::Upper, confidence).map_err(|error| error.to_string())?.bound)
}

fn lower_bound(tally: Tally, confidence: Confidence) -> Result<f64, String> {
    let Count { hits, trials } = tally.count;
    let share = crate::stats::Proportion::new(hits, trials).map_err(|error| error.to_string())?;
    Ok(clopper_pearson_bound(share, Side::Lower, confidence).map_err(|error| error.to_string())?.bound)
}

/// Rows without a crash that show a rate of at most `max_rate`: the least n with `(1 - max_rate)^n <= 1 - confidence`.
fn clean_trials(max_rate: f64, confidence: Confidence) -> Option<u64> {
    let trials = (libm::log(1.0 - confidence.get()) / libm::log1p(-max_rate)).ceil();
    (trials.is_finite() && trials < 1e8).then_some(trials as u64)
}

/// The prefill change of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelChange {
    /// The model.
    pub model: String,
    /// Change in percent of the baseline, faster negative.
    pub change_pct: Estimate,
    /// The p value of the change being just the target; absent where there is no interval.
    pub p_at_target: Option<PValue>,
    /// The rows.
    pub sources: Vec<String>,
}

/// Prefill changes, and the target that a replication has to meet.
#[derive(Debug, Clone, PartialEq)]
pub struct GainReplication {
    /// One for each model.
    pub models: Vec<ModelChange>,
    /// A model meets the target when it is faster by at least this, in percent.
    pub gain_pct: f64,
    /// How many models have to.
    pub models_needed: u64,
    /// Confidence of the intervals, and the power that the stated number of launches is to have.
    pub levels: Levels,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// Counts the models whose whole interval meets the target.
///
/// The interval keeps clear of the target where the two-sided test that the change is just the target rejects. Every model's test
/// is one of the plan's family: adjusted (Holm) over all of them its p must not be above the level, or the model is open. So what
/// is said of any model, and with it how many meet the target, is wrong no more often than the level says.
///
/// Labels: `replicated` when enough do, `not_replicated` when so many miss it wholly that enough no longer can,
/// `inconclusive`, `invalid`. A model on the edge meets it: the report says "at least". A printed change without an
/// interval is open.
#[must_use]
pub fn gain_replication(input: &GainReplication) -> Ruling {
    replication(input)
        .resting_on(input.models.iter().flat_map(|model| &model.sources))
        .against("gain", input.gain_pct, "%")
        .against("models_needed", input.models_needed as f64, "models")
        .against("confidence", input.levels.confidence.get(), "share")
        .against("power", input.levels.power.get(), "share")
}

fn replication(input: &GainReplication) -> Ruling {
    let GainReplication { models, gain_pct, models_needed, levels, .. } = input;
    if !(*gain_pct > 0.0 && *gain_pct <= 100.0) || *models_needed == 0 {
        return Ruling::invalid(format!(
            "the target is a gain of {gain_pct} % on {models_needed} models; it must be above 0 and at most 100 % on at least 1"
        ));
    }
    let (mut parts, mut tests, mut needed) = (Vec::new(), Vec::new(), Vec::new());
    for (at, ModelChange { model, change_pct, .. }) in models.iter().enumerate() {
        if let Some(fault) = change_pct.fault(&format!("the change of {model}")) {
            return Ruling::invalid(fault);
        }
        let decision = decision_on(input, at);
        let holds = decision.as_ref().is_none_or(InFamily::holds);
        let part = |label| Part::of("model", model, label).number("change_pct", change_pct.value);
        let part = match change_pct.interval {
            Some([_, high]) if high <= -gain_pct && holds => part("meets"),
            Some([low, _]) if low > -gain_pct && holds => part("misses"),
            Some([low, high]) if high <= -gain_pct || low > -gain_pct => {
                part("open").because(decision.as_ref().map(InFamily::why_open).unwrap_or_default())
            }
            _ => part("open"),
        };
        if part.label == "open" {
            let levels = levels.over(decision.as_ref().map_or(1, |decision| decision.in_time));
            needed.push(levels.and_then(|levels| change_pct.launches_to_clear(-gain_pct, levels)));
        }
        parts.push(part);
        let test = RulingTest::of(format!("confidence interval, change of {model} against -{gain_pct} %"))
            .estimating(change_pct.value, change_pct.interval);
        tests.push(match decision {
            Some(decision) => decision.on(test),
            None => test,
        });
    }
    let with = |label: &str| parts.iter().filter(|part| part.label == label).count() as u64;
    let (meets, open) = (with("meets"), with("open"));
    let told = format!(
        "{meets} of {} models are faster by at least {gain_pct} %, {models_needed} are asked for",
        models.len()
    );
    let ruling = if meets >= *models_needed {
        Ruling::decided("replicated").because(told)
    } else if meets + open < *models_needed && (models.len() as u64) >= *models_needed {
        Ruling::decided("not_replicated").because(told)
    } else if meets + open < *models_needed {
        Ruling::inconclusive(told).because("fewer models were measured than the target asks for")
    } else {
        let settled_by = needed.into_iter().collect::<Option<Vec<u64>>>().and_then(|all| all.into_iter().max());
        Ruling::inconclusive(told).because(format!("{open} could be either")).settled_by(settled_by)
    };
    ruling.in_parts(parts).tested(tests)
}

/// The p values of the changes being just the target: what they add to the plan's family.
pub(in crate::verdict) fn gain_family(input: &GainReplication) -> Vec<PValue> {
    input.models.iter().filter_map(|model| model.p_at_target).collect()
}

/// The test of one model among all others' and the rest of the plan's family; nothing where it has no interval.
fn decision_on(input: &GainReplication, at: usize) -> Option<InFamily> {
    let own = input.models.get(at)?.p_at_target?;
    let others = input.models.iter().enumerate().filter(|(other, _)| *other != at);
    let others = input.also_in_family.after(others.filter_map(|(_, model)| model.p_at_target));
    InFamily::of(own, &others, input.levels.confidence)
}

#[cfg(test)]
mod tests;
