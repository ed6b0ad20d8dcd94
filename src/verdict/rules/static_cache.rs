//! Whether a static cache lets compiled decode run, and whether a prefill gain repeats on enough models.

use super::estimate::{Estimate, Levels};
use super::rates::{Count, cut_fault};
use super::{Part, Ruling, RulingTest};
use crate::stats::{Confidence, Side, clopper_pearson_bound};

/// Compiled decode of one model on one host, in both caches.
#[derive(Debug, Clone, PartialEq)]
pub struct RescueCell {
    /// The model.
    pub model: String,
    /// The host, for example `A100`.
    pub host: String,
    /// Rows that are not ok under the static cache.
    pub fixed: Count,
    /// The same under the growing cache; absent where it was not measured.
    pub growing: Option<Count>,
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
/// either) or `open` (no crash, in too few rows). The ruling is `rescued` when every cell is, `not_rescued` when one is
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
    let (mut parts, mut tests, mut needed) = (Vec::new(), Vec::new(), Vec::new());
    for cell in &input.cells {
        let bound = match upper_bound(cell.fixed, input.confidence) {
            Ok(bound) => bound,
            Err(reason) => return Ruling::invalid(format!("{} on {}: {reason}", cell.model, cell.host)),
        };
        let label = match (cell.fixed.hits, cell.growing) {
            (1.., _) => "not_rescued",
            (0, Some(Count { hits: 0, trials: 1.. })) => "nothing_to_rescue",
            (0, _) if bound <= input.max_rate => "rescued",
            (0, _) => "open",
        };
        if label == "open" {
            needed.push(clean_trials(input.max_rate, input.confidence));
        }
        let key = [("model", &cell.model), ("host", &cell.host)].map(|(name, value)| (name.to_owned(), value.clone()));
        let part =
            Part::new(key.into(), label).number("rate_at_most", bound).number("trials", cell.fixed.trials as f64);
        parts.push(part.number("crashes", cell.fixed.hits as f64));
        let test = format!("Clopper-Pearson upper bound, crash rate of {} on {}", cell.model, cell.host);
        tests.push(RulingTest::of(test).estimating(cell.fixed.share().unwrap_or(f64::NAN), Some([0.0, bound])));
    }
    let unknown = input.cells.iter().filter(|cell| cell.growing.is_none_or(|count| count.trials == 0)).count();
    let unknown = (unknown > 0)
        .then(|| format!("of {unknown} cells it is not known whether they crashed under the growing cache"));
    conclude(&parts, input.max_rate, &needed).because_all(unknown).in_parts(parts).tested(tests)
}

fn conclude(parts: &[Part], max_rate: f64, needed: &[Option<u64>]) -> Ruling {
    let with = |label: &str| parts.iter().filter(|part| part.label == label).count();
    let all = parts.len();
    match (with("not_rescued"), with("open"), with("rescued"), with("nothing_to_rescue")) {
        (1.., ..) => Ruling::decided("not_rescued")
            .because(format!("decode crashed under the static cache in {} of {all} cells", with("not_rescued"))),
        (0, 1.., ..) => Ruling::inconclusive(format!(
            "no decode crashed, but in {} of {all} cells too few rows show a rate of at most {max_rate}",
            with("open")
        ))
        .settled_by(needed.iter().copied().collect::<Option<Vec<u64>>>().and_then(|all| all.into_iter().max())),
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

fn upper_bound(count: Count, confidence: Confidence) -> Result<f64, String> {
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
}

/// Counts the models whose whole interval meets the target.
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
    let GainReplication { models, gain_pct, models_needed, levels } = input;
    if !(*gain_pct > 0.0 && *gain_pct <= 100.0) || *models_needed == 0 {
        return Ruling::invalid(format!(
            "the target is a gain of {gain_pct} % on {models_needed} models; it must be above 0 and at most 100 % on at least 1"
        ));
    }
    let (mut parts, mut tests, mut needed) = (Vec::new(), Vec::new(), Vec::new());
    for ModelChange { model, change_pct, .. } in models {
        if let Some(fault) = change_pct.fault(&format!("the change of {model}")) {
            return Ruling::invalid(fault);
        }
        let label = match change_pct.interval {
            Some([_, high]) if high <= -gain_pct => "meets",
            Some([low, _]) if low > -gain_pct => "misses",
            _ => "open",
        };
        if label == "open" {
            needed.push(change_pct.launches_to_clear(-gain_pct, *levels));
        }
        parts.push(Part::of("model", model, label).number("change_pct", change_pct.value));
        let test = RulingTest::of(format!("confidence interval, change of {model}, %"));
        tests.push(test.estimating(change_pct.value, change_pct.interval));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::Power;
    use crate::verdict::rules::Standing;

    fn level() -> Confidence {
        Confidence::new(0.95).expect("a level")
    }

    fn cell(hits: u64, trials: u64, growing: Option<(u64, u64)>) -> RescueCell {
        RescueCell {
            model: "gpt2-100m".to_owned(),
            host: "Ada".to_owned(),
            fixed: Count { hits, trials },
            growing: growing.map(|(hits, trials)| Count { hits, trials }),
            sources: vec!["row".to_owned()],
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
        let models = changes.iter().enumerate().map(|(at, &(value, interval))| ModelChange {
            model: format!("model {at}"),
            change_pct: Estimate { value, interval, launches: Some(5) },
            sources: Vec::new(),
        });
        let levels = Levels { confidence: level(), power: Power::new(0.8).expect("a power") };
        gain_replication(&GainReplication { models: models.collect(), gain_pct, models_needed, levels })
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
