//! Whether a static cache lets compiled decode run, and whether a prefill gain repeats on enough models.

use super::estimate::{Estimate, InFamily, Levels};
use super::rates::{Tally, cut_fault, unit_told};
use super::{Part, Ruling, RulingTest};
use crate::stats::{Confidence, PValue, Side, clopper_pearson_bound};

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
}

/// TR147's binary rule, with the bound that makes "0" a statement: decode never crashed under the static cache, and so
/// often that its rate is at most `max_rate`. It says nothing of speed.
///
/// A cell is `rescued`, `not_rescued` (a row crashed), `nothing_to_rescue` (no row crashed under the growing cache
/// either) or `open` (no crash, in too few rows). By launches fewer than three under either cache leave it open, and
/// `nothing_to_rescue` needs as many launches of the growing cache as show that its rate is at most `max_rate`, too: nobody
/// printed that it never crashes. The ruling is `rescued` when every cell is, `not_rescued` when one is
/// not, `nothing_to_rescue` when no cell crashed before, else `inconclusive`. Whether a cell without counts of the growing
/// cache had anything to be rescued from is not known, and the reason says so.
#[must_use]
pub fn static_cache_rescue(input: &StaticCacheRescue) -> Ruling {
    rescue(input)
        .resting_on(input.cells.iter().flat_map(|cell| &cell.sources))
        .against("max_rate", input.max_rate, "share")
        .against("confidence", input.confidence.get(), "share")
}

fn rescue(input: &StaticCacheRescue) -> Ruling {
    if let Some(fault) = cut_fault("the largest crash rate", input.max_rate) {
        return Ruling::invalid(fault);
    }
    if input.cells.is_empty() {
        return Ruling::invalid("no cell with a static cache was given");
    }
    let (mut parts, mut tests, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for cell in &input.cells {
        let of_cell = |reason: String| Ruling::invalid(format!("{} on {}: {reason}", cell.model, cell.host));
        let bound = upper_bound(cell.fixed, input.confidence);
        let (bound, label) = match bound.and_then(|bound| Ok((bound, label(input, cell, bound)?))) {
            Ok(found) => found,
            Err(reason) => return of_cell(reason),
        };
        if label == "open" {
            open.push((cell, launches_needed(input, cell)));
        }
        let key = [("model", &cell.model), ("host", &cell.host)].map(|(name, value)| (name.to_owned(), value.clone()));
        let count = cell.fixed.count;
        let part = Part::new(key.into(), label).number("rate_at_most", bound).number("trials", count.trials as f64);
        parts.push(cell.fixed.beside(part.number("crashes", count.hits as f64)));
        let test = format!("Clopper-Pearson upper bound, crash rate of {} on {}", cell.model, cell.host);
        tests.push(RulingTest::of(test).estimating(count.share().unwrap_or(f64::NAN), Some([0.0, bound])));
    }
    let unknown = input.cells.iter().filter(|cell| cell.growing.is_none_or(|tally| tally.count.trials == 0)).count();
    let unknown = (unknown > 0)
        .then(|| format!("of {unknown} cells it is not known whether they crashed under the growing cache"));
    let ruling = conclude(&parts, input.max_rate, &open).because_all(unknown);
    ruling.because_all(unit_told(input.cells.iter().map(|cell| cell.fixed))).in_parts(parts).tested(tests)
}

/// What becomes of one cell, whose rate under the static cache is at most `bound`.
fn label(input: &StaticCacheRescue, cell: &RescueCell, bound: f64) -> Result<&'static str, String> {
    let RescueCell { fixed, growing, .. } = cell;
    if fixed.is_too_few() || growing.is_some_and(Tally::is_too_few) {
        return Ok("open");
    }
    let never_before = growing.filter(|growing| growing.count.hits == 0 && growing.count.trials > 0);
    Ok(match (fixed.count.hits, never_before) {
        (1.., _) => "not_rescued",
        (0, Some(growing)) if !growing.is_by_launch() => "nothing_to_rescue",
        (0, _) if bound > input.max_rate => "open",
        (0, Some(growing)) if upper_bound(growing, input.confidence)? > input.max_rate => "open",
        (0, Some(_)) => "nothing_to_rescue",
        (0, None) => "rescued",
    })
}

/// Trials of either cache that would settle an open cell, if they come out as those that there are.
fn launches_needed(input: &StaticCacheRescue, cell: &RescueCell) -> Option<u64> {
    match cell.fixed.count.hits {
        0 => Some(clean_trials(input.max_rate, input.confidence)?.max(cell.fixed.at_least())),
        _ => Some(cell.fixed.at_least()),
    }
}

fn conclude(parts: &[Part], max_rate: f64, open: &[(&RescueCell, Option<u64>)]) -> Ruling {
    let with = |label: &str| parts.iter().filter(|part| part.label == label).count();
    let all = parts.len();
    match (with("not_rescued"), with("open"), with("rescued"), with("nothing_to_rescue")) {
        (1.., ..) => Ruling::decided("not_rescued")
            .because(format!("decode crashed under the static cache in {} of {all} cells", with("not_rescued"))),
        (0, 1.., ..) => too_few(open, all, max_rate).settled_by(
            open.iter().map(|(_, needed)| *needed).collect::<Option<Vec<_>>>().and_then(|n| n.into_iter().max()),
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
fn too_few(open: &[(&RescueCell, Option<u64>)], all: usize, max_rate: f64) -> Ruling {
    if open.iter().all(|(cell, _)| !cell.fixed.is_by_launch()) {
        let few = open.len();
        return Ruling::inconclusive(format!(
            "no decode crashed, but in {few} of {all} cells too few rows show a rate of at most {max_rate}"
        ));
    }
    let told = open.iter().map(|(cell, _)| {
        let RescueCell { model, host, fixed, growing, .. } = cell;
        let before = growing.map(|growing| format!(", and under the growing cache {}", growing.told()));
        format!("{model} on {host} failed in {}{}", fixed.told(), before.unwrap_or_default())
    });
    let few = format!("in {} of {all} cells too few launches show a rate of at most {max_rate}", open.len());
    Ruling::inconclusive(few).because_all(told)
}

fn upper_bound(tally: Tally, confidence: Confidence) -> Result<f64, String> {
    let count = tally.count;
    if tally.is_by_launch() && count.trials == 0 {
        return Ok(1.0);
    }
    let share = crate::stats::Proportion::new(count.hits, count.trials).map_err(|error| error.to_string())?;
    Ok(clopper_pearson_bound(share, Side::Upper, confidence).map_err(|error| error.to_string())?.bound)
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
    /// p values of the plan's other tests in the same family.
    pub also_in_family: Vec<PValue>,
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
            let levels = levels.over(decision.as_ref().map_or(1, |decision| decision.size));
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
    let others = others.filter_map(|(_, model)| model.p_at_target).chain(input.also_in_family.iter().copied());
    InFamily::of(own, &others.collect::<Vec<_>>(), input.levels.confidence)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::Power;
    use crate::verdict::rules::estimate::p_of_clearing;
    use crate::verdict::rules::{Count, Standing};

    fn level() -> Confidence {
        Confidence::new(0.95).expect("a level")
    }

    fn cell(hits: u64, trials: u64, growing: Option<(u64, u64)>) -> RescueCell {
        RescueCell {
            model: "gpt2-100m".to_owned(),
            host: "Ada".to_owned(),
            fixed: Tally::printed(Count { hits, trials }),
            growing: growing.map(|(hits, trials)| Tally::printed(Count { hits, trials })),
            sources: vec!["row".to_owned()],
        }
    }

    /// The same by launches of three attempts each.
    fn launches(hits: u64, trials: u64, growing: (u64, u64)) -> RescueCell {
        let by_launch = |hits, trials| Tally {
            count: Count { hits, trials },
            attempts: Some(Count { hits: 3 * hits, trials: 3 * trials }),
        };
        RescueCell {
            fixed: by_launch(hits, trials),
            growing: Some(by_launch(growing.0, growing.1)),
            ..cell(0, 1, None)
        }
    }

    fn ruled(max_rate: f64, cells: Vec<RescueCell>) -> Ruling {
        static_cache_rescue(&StaticCacheRescue { cells, max_rate, confidence: level() })
    }

    #[test]
    fn tr147s_six_cells_without_a_crash_in_three_hundred_rows_are_rescued_and_bounded() {
        let ruling = ruled(0.01, vec![cell(0, 300, Some((240, 300))); 6]);
        assert_eq!((ruling.label.as_str(), ruling.standing), ("rescued", Standing::Decided));
        // 1 - 0.05^(1/300).
        assert_eq!(ruling.parts[0].numbers["rate_at_most"], 0.009_936_08);
        assert_eq!(ruled(0.009_936, vec![cell(0, 300, Some((240, 300)))]).label, "inconclusive");
    }

    #[test]
    fn one_crash_is_enough_for_no_rescue() {
        assert_eq!(ruled(0.5, vec![cell(0, 300, Some((1, 1))), cell(1, 300, Some((1, 1)))]).label, "not_rescued");
    }

    #[test]
    fn too_few_clean_rows_are_open_and_the_number_that_settles_them_is_the_least() {
        let ruling = ruled(0.05, vec![cell(0, 58, Some((1, 1)))]);
        assert_eq!((ruling.label.as_str(), ruling.settled_by), ("inconclusive", Some(59)));
        assert_eq!(ruled(0.05, vec![cell(0, 59, Some((1, 1)))]).label, "rescued");
    }

    #[test]
    fn attempts_of_few_launches_rescue_nothing_however_many_they_are() {
        // 0 of 3 launches: at most 1 - 0.05^(1/3) = 0.632; 7 are the fewest with 1 - 0.05^(1/n) <= 0.35.
        let ruling = ruled(0.35, vec![launches(0, 3, (3, 3))]);
        assert_eq!((ruling.label.as_str(), ruling.settled_by), ("inconclusive", Some(7)));
        assert_eq!(
            ruling.reasons,
            [
                "in 1 of 1 cells too few launches show a rate of at most 0.35",
                "gpt2-100m on Ada failed in 0 of 3 launches (0 of 9 attempts), and under the growing cache 3 of 3 launches (9 of \
                 9 attempts)",
                "the launch is the unit, whatever column the plan names: one attempt that failed makes it a failed launch",
            ]
        );
        assert_eq!(ruling.parts[0].numbers["attempts"], 9.0);
        let settled = ruled(0.35, vec![launches(0, 7, (3, 3))]);
        assert_eq!(settled.label, "rescued");
        assert_eq!(ruled(0.35, vec![launches(0, 6, (3, 3))]).label, "inconclusive");
        assert_eq!(ruled(0.35, vec![launches(1, 3, (3, 3))]).label, "not_rescued");
        let two = ruled(0.35, vec![launches(1, 2, (3, 3))]);
        assert_eq!((two.label.as_str(), two.settled_by), ("inconclusive", Some(3)));
        let never = |growing| ruled(0.35, vec![launches(0, 7, (0, growing))]).label;
        assert_eq!([never(3), never(7)], ["inconclusive", "nothing_to_rescue"]);
        assert_eq!(ruled(0.35, vec![launches(0, 7, (2, 2))]).label, "inconclusive");
    }

    #[test]
    fn what_never_crashed_cannot_be_rescued_and_what_was_not_measured_is_said() {
        assert_eq!(ruled(0.05, vec![cell(0, 59, Some((0, 59)))]).label, "nothing_to_rescue");
        let unknown = ruled(0.05, vec![cell(0, 59, None)]);
        assert!(unknown.reasons[1].contains("not known"), "{:?}", unknown.reasons);
    }

    #[test]
    fn nothing_tried_or_a_rate_of_zero_is_invalid() {
        assert_eq!(ruled(0.05, vec![cell(0, 0, None)]).standing, Standing::Invalid);
        assert_eq!(ruled(0.0, vec![cell(0, 9, None)]).standing, Standing::Invalid);
        assert_eq!(ruled(0.05, vec![]).standing, Standing::Invalid);
    }

    fn gains(gain_pct: f64, models_needed: u64, changes: &[(f64, Option<[f64; 2]>)]) -> Ruling {
        among(gain_pct, models_needed, changes, &[])
    }

    fn among(gain_pct: f64, models_needed: u64, changes: &[(f64, Option<[f64; 2]>)], others: &[f64]) -> Ruling {
        let models = changes.iter().enumerate().map(|(at, &(value, interval))| {
            let change_pct = Estimate { value, interval, launches: Some(5) };
            let p_at_target = p_of_clearing(&change_pct, -gain_pct, level(), 8.0);
            ModelChange { model: format!("model {at}"), change_pct, p_at_target, sources: Vec::new() }
        });
        let levels = Levels { confidence: level(), power: Power::new(0.8).expect("a power") };
        let also_in_family = others.iter().map(|p| PValue::new(*p).expect("a p")).collect();
        let models = models.collect();
        gain_replication(&GainReplication { models, gain_pct, models_needed, levels, also_in_family })
    }

    fn around(value: f64) -> (f64, Option<[f64; 2]>) {
        (value, Some([value - 1.0, value + 1.0]))
    }

    #[test]
    fn tr147s_three_models_meet_fifty_percent() {
        let ada = [-55.48, -61.62, -63.25].map(around);
        assert_eq!(gains(50.0, 3, &ada).label, "replicated");
        assert_eq!(gains(54.0, 3, &ada).label, "replicated");
        let at_the_edge = gains(55.0, 3, &ada);
        assert_eq!((at_the_edge.label.as_str(), at_the_edge.settled_by.is_some()), ("inconclusive", true));
        assert_eq!(gains(57.0, 3, &ada).label, "not_replicated");
        assert_eq!(gains(50.0, 4, &ada).label, "inconclusive");
    }

    #[test]
    fn a_model_meets_the_target_by_its_p_in_the_plans_family() {
        // The interval ends 0.1 short of the target, so that p is just below 0.05 alone.
        let near = [(-51.1, Some([-52.1, -50.1]))];
        let alone = gains(50.0, 1, &near);
        let p = alone.tests[0].p.expect("a p").get();
        assert_eq!((alone.label.as_str(), alone.tests[0].p), ("replicated", alone.tests[0].p_adjusted));
        assert!((0.02..0.05).contains(&p), "{p}");
        let of_four = among(50.0, 1, &near, &[0.5, 0.6, 0.7]);
        assert_eq!((of_four.standing, of_four.parts[0].label.as_str()), (Standing::Inconclusive, "open"));
        assert!(of_four.parts[0].reason.as_ref().is_some_and(|why| why.contains("of 4 tests")), "{of_four:?}");
        assert!((of_four.tests[0].p_adjusted.expect("a p").get() / p - 4.0).abs() < 1e-5, "{of_four:?}");
        assert!(of_four.settled_by > Some(5), "{of_four:?}");
        let missed = [(-48.9, Some([-49.9, -47.9]))];
        assert_eq!(gains(50.0, 1, &missed).label, "not_replicated");
        assert_eq!(among(50.0, 1, &missed, &[0.5, 0.6, 0.7]).standing, Standing::Inconclusive);
        let two = gains(50.0, 2, &[near[0], near[0]]);
        assert_eq!(two.standing, Standing::Inconclusive, "each is one of two tests: {two:?}");
    }

    #[test]
    fn a_gain_of_exactly_the_target_meets_it_and_one_without_interval_is_open() {
        assert_eq!(gains(50.0, 1, &[(-51.0, Some([-52.0, -50.0]))]).label, "replicated");
        assert_eq!(gains(50.0, 1, &[(-60.0, None)]).label, "inconclusive");
    }

    proptest! {
        #[test]
        fn any_input_has_a_ruling(
            number in proptest::num::f64::ANY,
            ends in [proptest::num::f64::ANY, proptest::num::f64::ANY],
            hits in 0..9_u64,
            trials in 0..9_u64,
        ) {
            prop_assert!(!ruled(number, vec![cell(hits, trials, Some((trials, hits)))]).reasons.is_empty());
            prop_assert!(!gains(number, 1, &[(number, Some(ends))]).reasons.is_empty());
            prop_assert!(!gains(50.0, hits, &[(number, Some(ends))]).reasons.is_empty());
        }
    }
}
