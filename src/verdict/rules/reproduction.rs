//! How near a run comes to a published target, and how much of a performance survives a change of stack.

use super::estimate::{Estimate, Levels};
use super::rates::Count;
use super::{Part, Ruling, RulingTest};
use crate::verdict::rounding::round;

/// A band of results: from `from` up to where the next one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct ReproductionBand {
    /// Its name, for example `strong_match`.
    pub name: String,
    /// Its lower edge, which belongs to it, in the target's unit.
    pub from: f64,
}

/// A published target, the bands around it, and what came of the attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Reproduction {
    /// The published number.
    pub target: f64,
    /// Its unit, for example `tok/s`.
    pub unit: String,
    /// The bands, in any order. The lowest begins at 0, so that they tile everything that can be measured; one that
    /// begins above the target gives a result that is too good its own name.
    pub bands: Vec<ReproductionBand>,
    /// What was measured; absent where no sample survived.
    pub measured: Option<Estimate>,
    /// Samples that survived, of those attempted.
    pub survived: Count,
    /// Confidence of the intervals, and the power that the stated number of launches is to have.
    pub levels: Levels,
    /// The rows.
    pub sources: Vec<String>,
}

/// Names the band that holds the whole interval of the measured number.
///
/// Labels: the bands' names; `no_survivor`; `inconclusive` where the interval reaches over an edge (naming both bands) or
/// where there is none; `invalid`.
///
/// TR147 gives a stack without any surviving sample the band `null`. Here it is `no_survivor`, and decided: the published
/// number was tried for and did not come, which is a result, and not the lowest band, because nothing was measured that
/// could be low. Without an attempt it is `invalid`.
#[must_use]
pub fn reproduction(input: &Reproduction) -> Ruling {
    let ruling = match survival(input.survived, "samples", input.levels) {
        Ok((test, part)) => reproduce(input).tested([test]).in_parts([part]),
        Err(reason) => Ruling::invalid(reason),
    };
    let ruling = ruling.resting_on(&input.sources).against("target", input.target, &input.unit);
    let ruling = input.bands.iter().fold(ruling, |ruling, band| ruling.against(&band.name, band.from, &input.unit));
    ruling.against("confidence", input.levels.confidence.get(), "share").against(
        "power",
        input.levels.power.get(),
        "share",
    )
}

/// The share that survived, with its exact interval.
fn survival(survived: Count, of: &str, levels: Levels) -> Result<(RulingTest, Part), String> {
    let interval = survived.exact(levels.confidence).map_err(|reason| format!("how many {of} survived: {reason}"))?;
    let test = RulingTest::of(format!("Clopper-Pearson, share of {of} that survived"))
        .estimating(interval.estimate, Some([interval.low, interval.high]));
    let part = Part::of("of", of, if survived.hits == 0 { "none_survived" } else { "survived" });
    Ok((test, part.number("survived", survived.hits as f64).number("attempted", survived.trials as f64)))
}

fn reproduce(input: &Reproduction) -> Ruling {
    let bands = match in_order(&input.bands) {
        Ok(bands) => bands,
        Err(reason) => return Ruling::invalid(reason),
    };
    if !(input.target > 0.0 && input.target.is_finite()) {
        return Ruling::invalid(format!(
            "the target is {} {}, which must be positive and finite",
            input.target, input.unit
        ));
    }
    let measured = match (input.survived.hits, &input.measured) {
        (0, None) => {
            return Ruling::decided("no_survivor").because(format!(
                "none of {} samples survived, so there is no number to compare",
                input.survived.trials
            ));
        }
        (0, Some(_)) => return Ruling::invalid("a number is given although no sample survived"),
        (_, None) => return Ruling::invalid("samples survived, and no number of them is given"),
        (_, Some(measured)) => measured,
    };
    if let Some(fault) = measured.fault("the measured number") {
        return Ruling::invalid(fault);
    }
    if measured.value < 0.0 {
        return Ruling::invalid(format!("the measured number is {} {}, below 0", measured.value, input.unit));
    }
    let ratio = 100.0 * measured.value / input.target;
    let told = format!("{} {} is {} % of the target {}", round(measured.value), input.unit, round(ratio), input.target);
    let here = band(&bands, measured.value);
    let ruling = match measured.interval {
        None => {
            Ruling::inconclusive(told).because(format!("the value lies in {here}, but no interval says how surely"))
        }
        Some([low, high]) => {
            let (from, to) = (band(&bands, low), band(&bands, high));
            if from == to {
                Ruling::decided(from).because(told)
            } else {
                let edges = bands.iter().map(|band| band.from).filter(|edge| low < *edge && *edge <= high);
                let needed: Option<Vec<u64>> =
                    edges.map(|edge| measured.launches_to_clear(edge, input.levels)).collect();
                Ruling::inconclusive(told)
                    .because(format!("the interval reaches from {from} to {to}"))
                    .settled_by(needed.and_then(|needed| needed.into_iter().max()))
            }
        }
    };
    let test =
        RulingTest::of(format!("confidence interval, {}", input.unit)).estimating(measured.value, measured.interval);
    let part = Part::of("of", "value", here).number("value", measured.value).number("of_target_pct", ratio);
    ruling.tested([test]).in_parts([part])
}

/// The bands from the lowest up; in words why they do not tile what can be measured.
fn in_order(bands: &[ReproductionBand]) -> Result<Vec<&ReproductionBand>, String> {
    let mut bands: Vec<&ReproductionBand> = bands.iter().collect();
    bands.sort_by(|one, other| one.from.total_cmp(&other.from));
    if let Some(bad) = bands.iter().find(|band| !band.from.is_finite()) {
        return Err(format!("band {} begins at {}, which is not finite", bad.name, bad.from));
    }
    if let Some([_, again]) = bands.windows(2).find(|pair| matches!(pair, [one, other] if one.from == other.from)) {
        return Err(format!("band {} begins where another does", again.name));
    }
    match bands.first() {
        Some(lowest) if lowest.from == 0.0 => Ok(bands),
        Some(lowest) => Err(format!("the lowest band, {}, begins at {} instead of 0", lowest.name, lowest.from)),
        None => Err("no band was given".to_owned()),
    }
}

/// The band that holds a value; below 0, where only an interval's end can lie, the lowest.
fn band<'a>(bands: &[&'a ReproductionBand], value: f64) -> &'a str {
    let held = bands.iter().rev().find(|band| value >= band.from).or(bands.first());
    held.map_or("", |band| band.name.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::{Confidence, Power};
    use crate::verdict::rules::Standing;

    fn bands(edges: &[(&str, f64)]) -> Vec<ReproductionBand> {
        edges.iter().map(|&(name, from)| ReproductionBand { name: name.to_owned(), from }).collect()
    }

    fn gpt_fast() -> Vec<ReproductionBand> {
        // The report prints the strong edge alone; the others are this test's.
        bands(&[("strong_match", 90.0), ("weak_match", 60.0), ("no_match", 0.0), ("above_target", 130.0)])
    }

    fn ruled(
        bands: Vec<ReproductionBand>,
        measured: Option<(f64, Option<[f64; 2]>)>,
        hits: u64,
        trials: u64,
    ) -> Ruling {
        reproduction(&Reproduction {
            target: 104.9,
            unit: "tok/s".to_owned(),
            bands,
            measured: measured.map(|(value, interval)| Estimate { value, interval, launches: Some(5) }),
            survived: Count { hits, trials },
            levels: Levels {
                confidence: Confidence::new(0.95).expect("a level"),
                power: Power::new(0.8).expect("a power"),
            },
            sources: vec!["tr147_gptfast_dual:2".to_owned()],
        })
    }

    #[test]
    fn tr147s_two_variants_are_a_strong_match_and_no_survivor() {
        let head = ruled(gpt_fast(), Some((106.74, Some([105.43, 107.73]))), 25, 25);
        assert_eq!((head.label.as_str(), head.standing), ("strong_match", Standing::Decided));
        assert_eq!(head.reasons, ["106.74 tok/s is 101.754 % of the target 104.9"]);
        let pinned = ruled(gpt_fast(), None, 0, 5);
        assert_eq!((pinned.label.as_str(), pinned.standing), ("no_survivor", Standing::Decided));
        // 1 - 0.025^(1/5): five attempts do not show that none ever survives.
        assert_eq!(pinned.tests[0].interval, Some([0.0, 0.521824]));
    }

    #[test]
    fn an_edge_belongs_to_the_band_that_begins_there() {
        let at = |value: f64| ruled(gpt_fast(), Some((value, Some([value, value]))), 5, 5).label;
        assert_eq!(
            [90.0, 90.0_f64.next_down(), 130.0, 0.0].map(at),
            ["strong_match", "weak_match", "above_target", "no_match"]
        );
    }

    #[test]
    fn an_interval_over_an_edge_names_both_bands_and_what_would_settle_it() {
        let ruling = ruled(gpt_fast(), Some((92.0, Some([88.0, 96.0]))), 5, 5);
        assert_eq!((ruling.standing, ruling.settled_by.is_some()), (Standing::Inconclusive, true));
        assert_eq!(ruling.reasons[1], "the interval reaches from weak_match to strong_match");
        let printed = ruled(gpt_fast(), Some((92.0, None)), 5, 5);
        assert!(printed.reasons[1].contains("lies in strong_match"), "{:?}", printed.reasons);
    }

    #[test]
    fn bands_with_a_gap_and_numbers_without_survivors_are_invalid() {
        let some = Some((92.0, Some([91.0, 93.0])));
        for edges in
            [vec![], bands(&[("a", 1.0)]), bands(&[("a", 0.0), ("b", 0.0)]), bands(&[("a", 0.0), ("b", f64::NAN)])]
        {
            assert_eq!(ruled(edges.clone(), some, 5, 5).standing, Standing::Invalid, "{edges:?}");
        }
        assert_eq!(ruled(gpt_fast(), some, 0, 5).standing, Standing::Invalid);
        assert_eq!(ruled(gpt_fast(), None, 5, 5).standing, Standing::Invalid);
        assert_eq!(ruled(gpt_fast(), None, 0, 0).standing, Standing::Invalid);
        assert_eq!(ruled(gpt_fast(), Some((-1.0, None)), 5, 5).standing, Standing::Invalid);
    }

    proptest! {
        #[test]
        fn bands_tile_everything_that_can_be_measured(
            edges in prop::collection::btree_set(1_u32..1000, 0..5),
            value in 0.0..2000.0_f64,
        ) {
            let mut given = vec![("zero".to_owned(), 0.0)];
            given.extend(edges.iter().map(|edge| (edge.to_string(), f64::from(*edge))));
            let given: Vec<_> = given.into_iter().map(|(name, from)| ReproductionBand { name, from }).collect();
            let held: Vec<&ReproductionBand> = given
                .iter()
                .filter(|band| band.from <= value && given.iter().all(|other| other.from <= band.from || other.from > value))
                .collect();
            prop_assert_eq!(held.len(), 1);
            let ruling = ruled(given.clone(), Some((value, Some([value, value]))), 1, 1);
            prop_assert_eq!(&ruling.label, &held[0].name);
        }

        #[test]
        fn any_number_has_a_ruling(value in proptest::num::f64::ANY, ends in [proptest::num::f64::ANY, proptest::num::f64::ANY]) {
            prop_assert!(!ruled(gpt_fast(), Some((value, Some(ends))), 1, 1).reasons.is_empty());
            prop_assert!(!ruled(bands(&[("a", 0.0), ("b", value)]), Some((1.0, Some([0.5, 2.0]))), 1, 1).reasons.is_empty());
        }
    }
}
