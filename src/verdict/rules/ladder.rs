//! The falsification ladder: no effect, all of the effect, or part of it; and abstention below the coverage floors.
//!
//! A combination improves when its gain exceeds the threshold; a gain on the threshold does not. Gains are formed from
//! printed numbers, so each carries half of the last printed digits as slack, and a gain whose slack reaches over the
//! threshold is `edge`: neither improved nor not.

use std::collections::BTreeMap;

use super::Cells;
use super::hangs::{Shape, ShapeState, resolution};
use super::ladder_null::{NullFound, null_found, own_p, tests};
use super::ruling::{Part, Ruling, Standing};
use crate::plan::{GainUnit, Null};
use crate::stats::{Alpha, Bootstrap, Margin, PValue, Power, Replicates, Sample, summary};
use crate::terms::significant;

/// One combination on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Combination {
    /// What tells it from others.
    pub key: BTreeMap<String, String>,
    /// The row it stands in.
    pub source: String,
    /// Efficiency of the side compared against, in percent; above 0.
    pub baseline_pct: f64,
    /// Efficiency of the side compared, in percent; not below 0.
    pub candidate_pct: f64,
    /// How far rounding may have moved the difference of the two, in percentage points.
    pub slack_pp: f64,
}

/// Something that must hold before anything is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeFact {
    /// What it is.
    pub name: String,
    /// The row it stands in.
    pub source: String,
    /// What it must be.
    pub expected: String,
    /// What it was.
    pub observed: String,
}

/// Everything that must hold before anything is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeFacts {
    /// What the rows tell.
    pub told: Vec<RuntimeFact>,
    /// What they would have to tell and do not, in words.
    pub absent: Vec<String>,
}

/// What the ladder is held against.
#[derive(Debug, Clone, PartialEq)]
pub struct LadderRules {
    /// Combinations below which it abstains.
    pub min_combinations: u64,
    /// Hang shapes attempted below which it abstains; at 0 the hang clause of H1 cannot be tested.
    pub min_hang_shapes: u64,
    /// Whether the design names hang shapes. Where it can name none, H1 rests on its gains alone.
    pub names_hangs: bool,
    /// What combinations are to each other. Where they are different, no test is formed over them.
    pub combinations_are: Cells,
    /// A combination improves when it gains more than this.
    pub improvement_above: f64,
    /// What that counts.
    pub improvement_unit: GainUnit,
    /// What H0 is.
    pub null: Null,
    /// The band around 0 that stands for no effect.
    pub null_margin: Margin,
    /// Level of the tests.
    pub alpha: Alpha,
    /// Power that the stated number of combinations is to have; absent where the plan states none, and then none is told.
    pub power: Option<Power>,
    /// The bootstrap of the mean gain.
    pub bootstrap: Bootstrap,
    /// p values of the plan's other tests in the same family.
    pub also_in_family: Vec<PValue>,
}

/// What a combination came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gain {
    Pass,
    Fail,
    Edge,
}

/// Climbs the ladder.
///
/// Labels: `H0_pass`, `H1_pass`, `H2_partial`; `abstain` below a coverage floor, and `inconclusive` where the gains cannot tell:
/// both say how many combinations (or hang shapes) would settle it, where any number would.
#[must_use]
pub fn ladder(combinations: &[Combination], shapes: &[Shape], facts: &RuntimeFacts, rules: &LadderRules) -> Ruling {
    if let Some(fault) = combinations.iter().find_map(fault) {
        return Ruling::invalid(fault);
    }
    let gains: Vec<(f64, Gain)> = combinations.iter().map(|c| gain(c, rules)).collect();
    let shortfalls = shortfalls(combinations.len() as u64, shapes, facts, rules);
    let ruling = if shortfalls.is_empty() {
        decide(combinations, &gains, shapes, rules)
    } else {
        let settled_by = coverage_to_settle(combinations.len() as u64, shapes, facts, rules);
        Ruling::new("abstain", Standing::Inconclusive).because_all(shortfalls).settled_by(settled_by)
    };
    let sources = combinations.iter().map(|c| &c.source).chain(shapes.iter().map(|shape| &shape.source));
    ruling
        .resting_on(sources.chain(facts.told.iter().map(|fact| &fact.source)))
        .tested(deltas(combinations).map(|deltas| tests(&deltas, rules)).unwrap_or_default())
        .tested(resolution(shapes, rules.combinations_are, rules.bootstrap.confidence))
        .against("alpha", rules.alpha.get(), "share")
        .against_some("power", rules.power.map(Power::get), "share")
        .against("improvement_above", rules.improvement_above, unit(rules))
        .against("null_margin_pp", rules.null_margin.get(), "pp")
        .against("min_combinations", rules.min_combinations as f64, "count")
        .against("min_hang_shapes", rules.min_hang_shapes as f64, "count")
        .in_parts(combinations.iter().zip(&gains).map(|(combination, gain)| part(combination, gain.1)))
}

/// The p value by which the null hypothesis falls: what the ladder adds to the plan's family. None where it abstains.
pub(in crate::verdict) fn ladder_family(
    combinations: &[Combination],
    shapes: &[Shape],
    facts: &RuntimeFacts,
    rules: &LadderRules,
) -> Vec<PValue> {
    let climbs = !combinations.iter().any(|combination| fault(combination).is_some())
        && shortfalls(combinations.len() as u64, shapes, facts, rules).is_empty();
    deltas(combinations).filter(|_| climbs).and_then(|deltas| own_p(&deltas, rules)).into_iter().collect()
}

/// All gains in percentage points; nothing where one is no finite number.
fn deltas(combinations: &[Combination]) -> Option<Replicates> {
    Replicates::new(combinations.iter().map(delta_pp).collect::<Vec<_>>()).ok()
}

/// What no efficiency can be.
fn fault(Combination { source, baseline_pct, candidate_pct, .. }: &Combination) -> Option<String> {
    if !(*baseline_pct > 0.0 && baseline_pct.is_finite()) {
        return Some(format!("{source}: an efficiency of {baseline_pct} % cannot be compared against"));
    }
    let is_one = *candidate_pct >= 0.0 && candidate_pct.is_finite();
    (!is_one).then(|| format!("{source}: {candidate_pct} % is no efficiency"))
}

fn unit(rules: &LadderRules) -> &'static str {
    match rules.improvement_unit {
        GainUnit::Pp => "pp",
        GainUnit::PctOfBaseline => "percent of the baseline",
    }
}

fn delta_pp(combination: &Combination) -> f64 {
    combination.candidate_pct - combination.baseline_pct
}

/// The gain in the threshold's unit, and on which side of it that lies.
fn gain(combination: &Combination, rules: &LadderRules) -> (f64, Gain) {
    let scale = match rules.improvement_unit {
        GainUnit::Pp => 1.0,
        GainUnit::PctOfBaseline => 100.0 / combination.baseline_pct,
    };
    let (value, slack) = (delta_pp(combination) * scale, combination.slack_pp * scale);
    let side = if value - slack > rules.improvement_above {
        Gain::Pass
    } else if value + slack <= rules.improvement_above {
        Gain::Fail
    } else {
        Gain::Edge
    };
    (value, side)
}

fn shortfalls(combinations: u64, shapes: &[Shape], facts: &RuntimeFacts, rules: &LadderRules) -> Vec<String> {
    let mut found: Vec<String> =
        facts.absent.iter().map(|absent| format!("nothing tells of {absent}, which must hold")).collect();
    let unmet = facts
        .told
        .iter()
        .filter(|fact| fact.expected != fact.observed)
        .map(|fact| format!("{} is {}, and must be {}", fact.name, fact.observed, fact.expected));
    found.extend(unmet);
    if combinations < rules.min_combinations {
        found.push(format!("{combinations} combinations were compared, floor {}", rules.min_combinations));
    }
    let attempted = shapes.len() as u64;
    if attempted < rules.min_hang_shapes {
        found.push(format!("{attempted} hang shapes were attempted, floor {}", rules.min_hang_shapes));
    }
    if combinations < 2 {
        found.push(format!("{combinations} combinations have no spread"));
    }
    found
}

/// Combinations, or hang shapes, with which the ladder would no longer abstain: the floor, where only numbers are short of one.
fn coverage_to_settle(combinations: u64, shapes: &[Shape], facts: &RuntimeFacts, rules: &LadderRules) -> Option<u64> {
    if !facts.absent.is_empty() || facts.told.iter().any(|fact| fact.expected != fact.observed) {
        return None;
    }
    let floors = [(combinations, rules.min_combinations.max(2)), (shapes.len() as u64, rules.min_hang_shapes)];
    floors.into_iter().filter(|(found, floor)| found < floor).map(|(_, floor)| floor).max()
}

fn decide(combinations: &[Combination], gains: &[(f64, Gain)], shapes: &[Shape], rules: &LadderRules) -> Ruling {
    let Some(deltas) = deltas(combinations) else { return Ruling::invalid("the gains are no finite numbers") };
    let count = |side: Gain| gains.iter().filter(|(_, found)| *found == side).count();
    let (pass, fail, edge) = (count(Gain::Pass), count(Gain::Fail), count(Gain::Edge));
    let clause = hang_clause(shapes, rules);
    let gains_clause = if fail > 0 { Some(false) } else { (edge == 0).then_some(true) };
    let h1 = match (gains_clause, clause) {
        (Some(false), _) | (_, Clause::Fails) => Some(false),
        (Some(true), Clause::Holds) => Some(true),
        (Some(true), Clause::NotTestable) if !rules.names_hangs => Some(true),
        _ => None,
    };
    let ruling = match (null_found(&deltas, rules), h1) {
        (NullFound::Holds, _) => Ruling::decided("H0_pass"),
        (NullFound::Fails, Some(true)) => Ruling::decided("H1_pass"),
        (NullFound::Fails, Some(false)) => Ruling::decided("H2_partial"),
        (NullFound::Open(needed), _) => null_is_open(needed),
        (NullFound::Fails, None) => {
            Ruling::inconclusive("H1 can be neither upheld nor refuted").because(no_number(edge, clause))
        }
    };
    ruling.because_all([
        format!(
            "{pass}/{} combinations gain more than {} {}; {}",
            gains.len(),
            rules.improvement_above,
            unit(rules),
            hang_reason(shapes, clause, rules)
        ),
        format!("the mean gain is {} pp, the median {} pp", significant(deltas.mean(), 4), median(deltas.sample())),
        sensitivity(gains, edge),
    ])
}

fn null_is_open(needed: Result<u64, String>) -> Ruling {
    let ruling = Ruling::inconclusive("the mean gain is neither different from 0 nor within the margin");
    match needed {
        Ok(combinations) => ruling
            .because(format!("if the gains are what they seem, {combinations} combinations would settle it"))
            .settled_by(Some(combinations)),
        Err(why) => ruling.because(why),
    }
}

/// Why no number of repetitions would tell whether H1 holds.
fn no_number(edge: usize, clause: Clause) -> &'static str {
    match clause {
        _ if edge > 0 => "no number of repetitions would settle it: the printed digits of a gain do not tell",
        Clause::Unclear => "no number of repetitions would settle it: the numbers of a hang shape deny its outcome",
        _ => "no number of repetitions would settle it: the design asks for no hang shape",
    }
}

/// What became of H1's second clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    Holds,
    Fails,
    Unclear,
    NotTestable,
}

fn hang_clause(shapes: &[Shape], rules: &LadderRules) -> Clause {
    let any = |state: ShapeState| shapes.iter().any(|shape| shape.state == state);
    if rules.min_hang_shapes == 0 || shapes.is_empty() {
        Clause::NotTestable
    } else if any(ShapeState::Unresolved) {
        Clause::Fails
    } else if any(ShapeState::Contradictory) {
        Clause::Unclear
    } else {
        Clause::Holds
    }
}

fn hang_reason(shapes: &[Shape], clause: Clause, rules: &LadderRules) -> String {
    let resolved = shapes.iter().filter(|shape| shape.state == ShapeState::Resolved).count();
    match clause {
        Clause::NotTestable if !rules.names_hangs => {
            "H1's hang clause is not_testable: the design can name no hang shape, so H1 rests on the gains alone"
                .to_owned()
        }
        Clause::NotTestable => "H1's hang clause is not_testable: the design asks for no hang shape".to_owned(),
        _ => format!("{resolved}/{} hang shapes are resolved", shapes.len()),
    }
}

fn median(deltas: &Sample) -> String {
    summary(deltas).map_or_else(|_| "unknown".to_owned(), |found| significant(found.p50, 4))
}

/// Which thresholds would have counted the same: the design's own is often one of several that the report allows.
fn sensitivity(gains: &[(f64, Gain)], edge: usize) -> String {
    let of = |side: Gain| gains.iter().filter(move |(_, found)| *found == side).map(|(gain, _)| *gain);
    let highest_fail = of(Gain::Fail).max_by(f64::total_cmp).map(|value| significant(value, 4));
    let lowest_pass = of(Gain::Pass).min_by(f64::total_cmp).map(|value| significant(value, 4));
    let told = match (highest_fail, lowest_pass) {
        (Some(fail), Some(pass)) => format!("any threshold from {fail} to below {pass} gives the same count"),
        (None, Some(pass)) => format!("any threshold below {pass} gives the same count"),
        (Some(fail), None) => format!("any threshold from {fail} on gives the same count"),
        (None, None) => "no gain lies clear of the threshold".to_owned(),
    };
    if edge == 0 { told } else { format!("{told}; {edge} lie so near that their printed digits do not tell") }
}

fn part(combination: &Combination, gain: Gain) -> Part {
    let label = match gain {
        Gain::Pass => "pass",
        Gain::Fail => "fail",
        Gain::Edge => "edge",
    };
    let delta = delta_pp(combination);
    let part = Part::new(combination.key.clone(), label)
        .number("baseline_pct", combination.baseline_pct)
        .number("candidate_pct", combination.candidate_pct)
        .number("delta_pp", delta)
        .number("change_pct", 100.0 * delta / combination.baseline_pct);
    if combination.candidate_pct > 100.0 || combination.baseline_pct > 100.0 {
        return part.because("an efficiency above 100 %: more than its own single run explains");
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Confidence;

    fn rules() -> LadderRules {
        let confidence = Confidence::new(0.95).expect("a level");
        LadderRules {
            min_combinations: 3,
            min_hang_shapes: 1,
            names_hangs: true,
            combinations_are: Cells::Replicates,
            improvement_above: 5.0,
            improvement_unit: GainUnit::Pp,
            null: Null::MeanNotAboveZero,
            null_margin: Margin::absolute(3.0).expect("a margin"),
            alpha: Alpha::new(0.05).expect("a level"),
            power: Power::new(0.8).ok(),
            bootstrap: Bootstrap { resamples: 200, seed: 1, confidence },
            also_in_family: Vec::new(),
        }
    }

    fn combination(gain: f64, slack_pp: f64) -> Combination {
        Combination {
            key: BTreeMap::new(),
            source: "row".to_owned(),
            baseline_pct: 50.0,
            candidate_pct: 50.0 + gain,
            slack_pp,
        }
    }

    fn shape(state: ShapeState) -> Shape {
        Shape {
            key: BTreeMap::new(),
            source: "shape".to_owned(),
            hung_before: true,
            state,
            baseline_wall_ms: None,
            wall_ms: None,
            group: String::new(),
        }
    }

    fn climbed(gains: &[f64], shapes: &[ShapeState], rules: &LadderRules) -> Ruling {
        let combinations: Vec<Combination> = gains.iter().map(|gain| combination(*gain, 0.0)).collect();
        let shapes: Vec<Shape> = shapes.iter().map(|state| shape(*state)).collect();
        ladder(&combinations, &shapes, &RuntimeFacts::default(), rules)
    }

    const RESOLVED: &[ShapeState] = &[ShapeState::Resolved];

    #[test]
    fn the_rungs_are_no_effect_all_of_it_and_part_of_it() {
        let label = |gains: &[f64], shapes: &[ShapeState]| climbed(gains, shapes, &rules()).label;
        assert_eq!(label(&[-1.0, -2.0, 3.0], RESOLVED), "H0_pass");
        assert_eq!(label(&[6.0, 7.0, 8.0], RESOLVED), "H1_pass");
        assert_eq!(label(&[6.0, 7.0, 4.0], RESOLVED), "H2_partial");
        assert_eq!(label(&[6.0, 7.0, 8.0], &[ShapeState::Resolved, ShapeState::Unresolved]), "H2_partial");
        assert_eq!(label(&[6.0, 7.0, 5.0], RESOLVED), "H2_partial", "a gain on the threshold does not improve");
    }

    #[test]
    fn any_threshold_between_the_gains_that_fail_and_pass_counts_the_same_and_the_text_says_which() {
        let at = |threshold: f64| {
            let rules = LadderRules { improvement_above: threshold, ..rules() };
            let ruling = climbed(&[1.0, 11.72, 12.15, 20.0], RESOLVED, &rules);
            (ruling.parts.iter().filter(|part| part.label == "pass").count(), ruling.reasons[2].clone())
        };
        let interval = "any threshold from 11.72 to below 12.15 gives the same count";
        // The lower end belongs to the interval and the upper does not: a gain on the threshold fails.
        for (threshold, passes) in [(11.72, 2), (12.0, 2), (12.149_999, 2), (12.16, 1), (11.71, 3)] {
            let (counted, told) = at(threshold);
            assert_eq!((counted, told == interval), (passes, passes == 2), "{threshold}: {told}");
        }
    }

    #[test]
    fn printed_digits_that_do_not_tell_leave_a_gain_on_the_edge() {
        let combinations = [combination(5.01, 0.1), combination(9.0, 0.1), combination(8.0, 0.1)];
        let ruling = ladder(&combinations, &[shape(ShapeState::Resolved)], &RuntimeFacts::default(), &rules());
        assert_eq!((ruling.label.as_str(), ruling.parts[0].label.as_str()), ("inconclusive", "edge"));
        assert!(ruling.settled_by.is_none() && ruling.reasons[1].contains("printed digits"), "{:?}", ruling.reasons);
        let relative = LadderRules { improvement_unit: GainUnit::PctOfBaseline, improvement_above: 10.0, ..rules() };
        // 5 pp of 50 % are exactly 10 %, which does not exceed it.
        assert_eq!(climbed(&[5.0, 6.0, 7.0], RESOLVED, &relative).parts[0].label, "fail");
    }

    #[test]
    fn below_a_floor_it_abstains_however_favourable_the_gains_are() {
        let few = climbed(&[9.0, 9.5], RESOLVED, &rules());
        assert_eq!((few.label.as_str(), few.standing), ("abstain", Standing::Inconclusive));
        assert_eq!(few.reasons, ["2 combinations were compared, floor 3"]);
        assert_eq!(few.settled_by, Some(3));
        let shapeless = LadderRules { min_hang_shapes: 4, ..rules() };
        let shapeless = climbed(&[9.0, 9.5, 9.1], &[], &shapeless);
        assert_eq!((shapeless.label.as_str(), shapeless.settled_by), ("abstain", Some(4)));
        let gil = RuntimeFact {
            name: "GIL disabled".to_owned(),
            source: "row:gil".to_owned(),
            expected: "true".to_owned(),
            observed: "false".to_owned(),
        };
        let combinations = [9.0, 9.5, 9.1].map(|gain| combination(gain, 0.0));
        let facts = RuntimeFacts { told: vec![gil], absent: vec!["a build in table t".to_owned()] };
        let ruling = ladder(&combinations, &[shape(ShapeState::Resolved)], &facts, &rules());
        let reasons =
            ["nothing tells of a build in table t, which must hold", "GIL disabled is false, and must be true"];
        assert_eq!((ruling.label.as_str(), &ruling.reasons[..]), ("abstain", &reasons.map(str::to_owned)[..]));
        assert_eq!(ruling.rests_on.last().map(String::as_str), Some("row:gil"));
        assert_eq!(ruling.settled_by, None, "no number of combinations gives another interpreter");
    }

    #[test]
    fn a_null_within_a_margin_is_tested_and_may_be_open() {
        let rules = LadderRules { null: Null::WithinMargin, ..rules() };
        let label = |gains: &[f64]| climbed(gains, RESOLVED, &rules).label;
        assert_eq!(label(&[0.1, -0.1, 0.2, 0.0]), "H0_pass");
        assert_eq!(label(&[6.0, 7.0, 8.0, 7.0]), "H1_pass");
        assert_eq!(label(&[20.0, -15.0, 9.0, -4.0]), "inconclusive");
        assert_eq!(label(&[1.0, 1.0, 1.0]), "H0_pass", "equal gains have no spread: the margin decides");
    }

    #[test]
    fn over_different_cells_the_ladder_lists_no_test_and_is_climbed_all_the_same() {
        let different = LadderRules { combinations_are: Cells::Different, ..rules() };
        let [apart, together] = [&different, &rules()].map(|it| climbed(&[6.0, 7.0, 4.0], RESOLVED, it));
        assert_eq!((apart.label.as_str(), &apart.parts), ("H2_partial", &together.parts));
        assert_eq!((apart.tests.len(), together.tests.len()), (0, 4));
        let tested = LadderRules { null: Null::WithinMargin, ..different };
        assert_eq!(climbed(&[0.1, -0.1, 0.2], RESOLVED, &tested).label, "inconclusive");
    }

    #[test]
    fn without_hang_shapes_to_attempt_the_clause_cannot_be_tested() {
        let rules = LadderRules { min_hang_shapes: 0, ..rules() };
        let ruling = climbed(&[6.0, 7.0, 8.0], &[], &rules);
        assert_eq!(ruling.standing, Standing::Inconclusive);
        assert!(ruling.reasons[1].contains("asks for no hang shape"), "{:?}", ruling.reasons);
        assert!(ruling.reasons[2].contains("hang clause is not_testable"), "{:?}", ruling.reasons);
        assert_eq!(climbed(&[6.0, 7.0, 4.0], &[], &rules).label, "H2_partial", "the gains alone refute H1");
        let nameless = LadderRules { min_hang_shapes: 0, names_hangs: false, ..self::rules() };
        let ruling = climbed(&[6.0, 7.0, 8.0], &[], &nameless);
        assert_eq!(ruling.label, "H1_pass", "where no shape can be named the gains decide");
        assert!(ruling.reasons.iter().any(|reason| reason.contains("not_testable")), "{:?}", ruling.reasons);
        let none = Combination { baseline_pct: 0.0, ..combination(1.0, 0.0) };
        assert_eq!(ladder(&[none], &[], &RuntimeFacts::default(), &rules).standing, Standing::Invalid);
    }

    #[test]
    fn what_no_efficiency_can_be_is_refused_however_good_the_others_are() {
        for candidate_pct in [-0.5, f64::NAN, f64::INFINITY] {
            let bad = Combination { candidate_pct, source: "row 2".to_owned(), ..combination(0.0, 0.0) };
            let combinations = [combination(9.0, 0.0), bad, combination(9.0, 0.0)];
            let shapes = [shape(ShapeState::Resolved)];
            let ruling = ladder(&combinations, &shapes, &RuntimeFacts::default(), &rules());
            assert_eq!(ruling.standing, Standing::Invalid);
            assert!(ruling.reasons[0].starts_with("row 2: "), "{:?}", ruling.reasons);
        }
        assert_eq!(climbed(&[-50.0, -49.0, -48.0], RESOLVED, &rules()).label, "H0_pass", "0 % is an efficiency");
    }
}
