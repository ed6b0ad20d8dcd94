//! How near a run comes to a published target, and how much of a performance survives a change of stack.

use super::estimate::{Estimate, InFamily, Levels, OtherTests, p_of_clearing};
use super::rates::{Tally, unit_told};
use super::{Part, Ruling, RulingTest};
use crate::stats::PValue;
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
    /// Samples or launches that survived, of those attempted.
    pub survived: Tally,
    /// Confidence of the intervals, and the power that the stated number of launches is to have.
    pub levels: Levels,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
    /// The rows.
    pub sources: Vec<String>,
}

/// Names the band that holds the whole interval of the measured number.
///
/// The interval keeps within its band where Student's two-sided tests of the number being either of the band's edges reject: the
/// larger of their p values is the band's, and one of the plan's family. Adjusted (Holm) over it, it must not be above the level.
/// That nothing survived is a count, and no test of the family.
///
/// Labels: the bands' names; `no_survivor`; `inconclusive` where the interval reaches over an edge (naming both bands) or
/// where there is none; `invalid`.
///
/// TR147 gives a stack without any surviving sample the band `null`. Here it is `no_survivor`, and decided: the published
/// number was tried for and did not come, which is a result, and not the lowest band, because nothing was measured that
/// could be low. Without an attempt it is `invalid`. By launches, of which fewer than three decide nothing, a launch survives
/// whole or not at all; the attempts that gave the number may be of some that did not.
#[must_use]
pub fn reproduction(input: &Reproduction) -> Ruling {
    let of = if input.survived.is_by_launch() { "launches" } else { "samples" };
    let ruling = match survival(input.survived, of, input.levels) {
        Ok((test, part)) => {
            reproduce(input, of).because_all(unit_told([input.survived])).tested([test]).in_parts([part])
        }
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

/// The p value of the band that holds the number: what it adds to the plan's family. Nothing where no interval decides, and
/// nothing where the one band has no edge.
pub(in crate::verdict) fn reproduction_p(input: &Reproduction) -> Option<PValue> {
    let bands = in_order(&input.bands).ok()?;
    let measured = input.measured.as_ref().filter(|_| input.survived.count.hits > 0)?;
    measured.interval.filter(|_| measured.fault("it").is_none())?;
    // The spread of a run is that of its launches, a printed one that of its samples.
    let df = measured.launches.unwrap_or(input.survived.count.hits) as f64 - 1.0;
    let p = |edge| p_of_clearing(measured, edge, input.levels.confidence, df);
    let tests: Vec<PValue> = around(&bands, measured.value).map(p).collect::<Option<_>>()?;
    tests.into_iter().max_by(PValue::order)
}

/// The edges of the band that holds a value; nothing lies below 0, which is no edge to keep clear of.
fn around(bands: &[&ReproductionBand], value: f64) -> impl Iterator<Item = f64> {
    let from = bands.iter().rev().map(|band| band.from).find(|from| value >= *from);
    let to = bands.iter().map(|band| band.from).find(|from| value < *from);
    from.filter(|from| *from > 0.0).into_iter().chain(to)
}

/// The share that survived, with its exact interval.
fn survival(survived: Tally, of: &str, levels: Levels) -> Result<(RulingTest, Part), String> {
    let count = survived.count;
    let interval = count.exact(levels.confidence).map_err(|reason| format!("how many {of} survived: {reason}"))?;
    let test = RulingTest::of(format!("Clopper-Pearson, share of {of} that survived"))
        .estimating(interval.estimate, Some([interval.low, interval.high]));
    let part = Part::of("of", of, if count.hits == 0 { "none_survived" } else { "survived" });
    let part = part.number("survived", count.hits as f64).number("attempted", count.trials as f64);
    Ok((test, survived.beside(part)))
}

fn reproduce(input: &Reproduction, of: &str) -> Ruling {
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
    if input.survived.is_too_few() {
        let told = format!("{} survived, and too few launches decide nothing", input.survived.told());
        return Ruling::inconclusive(told).settled_by(Some(input.survived.at_least()));
    }
    // A number is that of attempts, some of which may have survived in launches that did not.
    let survivors = input.survived.attempts.unwrap_or(input.survived.count).hits;
    let measured = match (survivors, &input.measured) {
        (0, None) => {
            return Ruling::decided("no_survivor").because(format!(
                "none of {} {of} survived, so there is no number to compare",
                input.survived.count.trials
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
    let decision = reproduction_p(input);
    let decision = decision.and_then(|p| InFamily::of(p, &input.also_in_family, input.levels.confidence));
    let ruling = match measured.interval {
        None => {
            Ruling::inconclusive(told).because(format!("the value lies in {here}, but no interval says how surely"))
        }
        Some([low, high]) => {
            let (from, to) = (band(&bands, low), band(&bands, high));
            if let Some(decision) = decision.filter(|decision| from == to && !decision.holds()) {
                let levels = input.levels.over(decision.in_time);
                let needed: Option<Vec<u64>> =
                    around(&bands, measured.value).map(|edge| measured.launches_to_clear(edge, levels?)).collect();
                Ruling::inconclusive(told)
                    .because(format!("the whole interval lies in {from}, and {}", decision.why_open()))
                    .settled_by(needed.and_then(|needed| needed.into_iter().max()))
            } else if from == to {
                Ruling::decided(from).because(told)
            } else {
                let edges = bands.iter().map(|band| band.from).filter(|edge| low < *edge && *edge <= high);
                let levels = input.levels.over(decision.map_or(1, |decision| decision.in_time));
                let needed: Option<Vec<u64>> = edges.map(|edge| measured.launches_to_clear(edge, levels?)).collect();
                Ruling::inconclusive(told)
                    .because(format!("the interval reaches from {from} to {to}"))
                    .settled_by(needed.and_then(|needed| needed.into_iter().max()))
            }
        }
    };
    let test =
        RulingTest::of(format!("confidence interval, {}", input.unit)).estimating(measured.value, measured.interval);
    let test = decision.map_or(test.clone(), |decision| decision.on(test));
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
    use crate::verdict::rules::{Count, Standing};

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
        among(bands, measured, (hits, trials), &[])
    }

    fn among(
        bands: Vec<ReproductionBand>,
        measured: Option<(f64, Option<[f64; 2]>)>,
        (hits, trials): (u64, u64),
        others: &[f64],
    ) -> Ruling {
        reproduction(&Reproduction {
            target: 104.9,
            unit: "tok/s".to_owned(),
            bands,
            measured: measured.map(|(value, interval)| Estimate { value, interval, launches: Some(5) }),
            survived: Tally::printed(Count { hits, trials }),
            levels: Levels {
                confidence: Confidence::new(0.95).expect("a level"),
                power: Power::new(0.8).expect("a power"),
            },
            also_in_family: others.iter().map(|p| PValue::new(*p).expect("a p")).collect(),
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
    fn by_launches_three_say_that_none_survived_and_fewer_say_nothing() {
        let of = |launches: u64, attempts: u64, measured| {
            let count = |hits, trials| Count { hits, trials };
            let survived = Tally { count: count(0, launches), attempts: Some(count(attempts, 5 * launches)) };
            let levels = Levels {
                confidence: Confidence::new(0.95).expect("a level"),
                power: Power::new(0.8).expect("a power"),
            };
            let measured = Option::map(measured, |value| Estimate {
                value,
                interval: Some([value, value]),
                launches: Some(launches),
            });
            let (unit, sources) = ("tok/s".to_owned(), Vec::new());
            let also_in_family = OtherTests::default();
            reproduction(&Reproduction {
                target: 104.9,
                unit,
                bands: gpt_fast(),
                measured,
                survived,
                levels,
                also_in_family,
                sources,
            })
        };
        let three = of(3, 0, None);
        assert_eq!(
            (three.label.as_str(), three.reasons[0].as_str()),
            ("no_survivor", "none of 3 launches survived, so there is no number to compare")
        );
        // 1 - 0.025^(1/3), whatever the fifteen attempts.
        assert_eq!(three.tests[0].interval, Some([0.0, 0.707598]));
        let two = of(2, 0, None);
        assert_eq!((two.label.as_str(), two.settled_by), ("inconclusive", Some(3)));
        assert_eq!(of(3, 12, Some(100.0)).label, "strong_match", "its number is that of twelve attempts");
        assert_eq!(of(3, 12, None).standing, Standing::Invalid);
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
    fn a_band_holds_by_its_p_in_the_plans_family() {
        // 95 -+ 4 at 4 degrees of freedom: se = 4 / 2.776445, t = 5 / se = 3.470556, p = 0.025568.
        let near = Some((95.0, Some([91.0, 99.0])));
        let alone = ruled(gpt_fast(), near, 5, 5);
        let test = |ruling: &Ruling| ruling.tests.iter().find(|test| test.p.is_some()).cloned().expect("a test");
        assert_eq!((alone.label.as_str(), test(&alone).p), ("strong_match", test(&alone).p_adjusted));
        assert!((test(&alone).p.expect("a p").get() - 0.025_57).abs() < 1e-4, "{alone:?}");
        let of_three = among(gpt_fast(), near, (5, 5), &[0.5, 0.6]);
        assert_eq!(of_three.standing, Standing::Inconclusive);
        assert!(of_three.reasons[1].contains("of 3 tests in the plan's family"), "{:?}", of_three.reasons);
        assert!(of_three.settled_by > Some(5), "{of_three:?}");
        assert_eq!(among(gpt_fast(), near, (5, 5), &[1e-9]).label, "strong_match", "what is surer is stepped over");
        let lost = among(gpt_fast(), None, (0, 5), &[0.5, 0.6]);
        assert_eq!((lost.label.as_str(), lost.tests[0].p), ("no_survivor", None), "a count is no test");
        let all = among(bands(&[("any", 0.0)]), near, (5, 5), &[0.5, 0.6]);
        assert_eq!((all.label.as_str(), all.tests[0].p), ("any", None), "one band has no edge");
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
