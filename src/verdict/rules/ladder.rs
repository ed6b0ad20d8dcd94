//! The falsification ladder: no effect, all of the effect, or part of it; and abstention below the coverage floors.
//!
//! A combination improves when its gain exceeds the threshold; a gain on the threshold does not. A gain of printed numbers
//! carries half of their last digits as slack, and one whose slack reaches over the threshold is `edge`: neither improved nor
//! not. A gain of a run is one of launches: it is `edge` unless its interval over launches keeps clear of the threshold and the
//! test against it stands in the plan's family (`ladder_gains`).

use std::collections::BTreeMap;

use super::Cells;
use super::estimate::OtherTests;
use super::hangs::{Shape, ShapeState, resolution};
use super::ladder_floors::{
    Combinations, LeftOut, RuntimeFacts, coverage_to_settle, missing, not_compared, shortfalls,
};
use super::ladder_gains::{Answer, Gained, LaunchSides, Side, are_of_launches, delta_pp, gained, own_ps};
use super::ladder_null::{NullFound, null_found, null_of_launches, own_p, tests};
use super::ladder_parts::{part, sensitivity};
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
    /// What its launches gave, where a run measured it.
    pub launches: Option<LaunchSides>,
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
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// Climbs the ladder.
///
/// Labels: `H0_pass`, `H1_pass`, `H2_partial`; `abstain` below a coverage floor, and `inconclusive` where the gains cannot tell:
/// both say how many combinations, hang shapes or launches would settle it, where any number would.
#[must_use]
pub fn ladder(combinations: &Combinations, shapes: &[Shape], facts: &RuntimeFacts, rules: &LadderRules) -> Ruling {
    let Combinations { compared, left_out } = combinations;
    if let Some(fault) = compared.iter().find_map(fault) {
        return Ruling::invalid(fault);
    }
    let (gains, mean) = gained(compared, rules);
    let shortfalls = shortfalls(combinations, shapes, facts, rules);
    let mean_test = mean.as_ref().and_then(|mean| mean.test.clone());
    let ruling = if shortfalls.is_empty() {
        decide(combinations, (&gains, mean), shapes, rules)
    } else {
        let settled_by = coverage_to_settle(combinations, shapes, facts, rules);
        Ruling::new("abstain", Standing::Inconclusive).because_all(shortfalls).settled_by(settled_by)
    };
    let missing: Vec<Part> = left_out.iter().map(missing).collect();
    let sources = compared.iter().map(|it| &it.source).chain(left_out.iter().map(|it| &it.source));
    ruling
        .resting_on(sources.chain(shapes.iter().map(|shape| &shape.source)))
        .resting_on(facts.told.iter().map(|fact| &fact.source))
        .tested(deltas(compared).map(|deltas| tests(&deltas, rules)).unwrap_or_default())
        .tested(mean_test)
        .tested(gains.iter().filter_map(|gain| gain.by_launch.as_ref()?.test.clone()))
        .tested(resolution(shapes, rules.combinations_are, rules.bootstrap.confidence))
        .against("alpha", rules.alpha.get(), "share")
        .against_some("power", rules.power.map(Power::get), "share")
        .against("improvement_above", rules.improvement_above, unit(rules))
        .against("null_margin_pp", rules.null_margin.get(), "pp")
        .against("min_combinations", rules.min_combinations as f64, "count")
        .against("min_hang_shapes", rules.min_hang_shapes as f64, "count")
        .in_parts(compared.iter().zip(&gains).map(|(combination, gain)| part(combination, gain, rules)))
        .in_parts(missing)
}

/// What decides the ladder by a test, each a test of the plan's family: of a run whether each combination's gain is the
/// threshold, with the combination's number, and whether the mean gain is 0; of printed numbers whether the mean gain is 0, where
/// a test decides the null hypothesis. None where it abstains.
pub(in crate::verdict) fn ladder_family(
    combinations: &Combinations,
    shapes: &[Shape],
    facts: &RuntimeFacts,
    rules: &LadderRules,
) -> Vec<(Option<usize>, PValue)> {
    let compared = &combinations.compared;
    let climbs = !compared.iter().any(|combination| fault(combination).is_some())
        && shortfalls(combinations, shapes, facts, rules).is_empty();
    if !climbs {
        return Vec::new();
    }
    let of_printed = deltas(compared).and_then(|deltas| own_p(&deltas, rules)).map(|p| (None, p));
    own_ps(compared, rules).into_iter().chain(of_printed).collect()
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

pub(super) fn unit(rules: &LadderRules) -> &'static str {
    match rules.improvement_unit {
        GainUnit::Pp => "pp",
        GainUnit::PctOfBaseline => "percent of the baseline",
    }
}

fn decide(
    Combinations { compared, left_out }: &Combinations,
    (gains, mean): (&[Gained], Option<Answer>),
    shapes: &[Shape],
    rules: &LadderRules,
) -> Ruling {
    let Some(deltas) = deltas(compared) else { return Ruling::invalid("the gains are no finite numbers") };
    let mean_told = match &mean {
        Some(mean) => mean.told.clone(),
        None => format!("{} pp", significant(deltas.mean(), 4)),
    };
    let null = mean.map_or_else(|| null_found(&deltas, rules), null_of_launches);
    let count = |side: Side| gains.iter().filter(|gain| gain.side == side).count();
    let (pass, fail, edge) = (count(Side::Pass), count(Side::Fail), count(Side::Edge));
    let clause = hang_clause(shapes, rules);
    let gains_clause = if fail > 0 { Some(false) } else { (edge == 0 && left_out.is_empty()).then_some(true) };
    let h1 = match (gains_clause, clause) {
        (Some(false), _) | (_, Clause::Fails) => Some(false),
        (Some(true), Clause::Holds) => Some(true),
        (Some(true), Clause::NotTestable) if !rules.names_hangs => Some(true),
        _ => None,
    };
    let ruling = match (null, h1) {
        // The null hypothesis and its refutation speak of all combinations.
        (NullFound::Holds, _) | (NullFound::Fails, Some(false))
            if are_of_launches(compared) && !left_out.is_empty() =>
        {
            some_are_not_compared(left_out)
        }
        (NullFound::Holds, _) => Ruling::decided("H0_pass"),
        (NullFound::Fails, Some(true)) => Ruling::decided("H1_pass"),
        (NullFound::Fails, Some(false)) => Ruling::decided("H2_partial"),
        (NullFound::Open(needed), _) => null_is_open(needed),
        (NullFound::OpenOfLaunches { told, settled_by }, _) => Ruling::inconclusive(told).settled_by(settled_by),
        (NullFound::Fails, None) => h1_is_open(compared, gains, left_out, clause, rules),
    };
    ruling
        .because_all([
            format!(
                "{pass}/{} combinations gain more than {} {}; {}",
                gains.len(),
                rules.improvement_above,
                unit(rules),
                hang_reason(shapes, clause, rules)
            ),
            format!("the mean gain is {mean_told}, the median {} pp", median(deltas.sample())),
            sensitivity(gains, rules),
        ])
        .because_all(not_compared(left_out))
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

fn some_are_not_compared(left_out: &[LeftOut]) -> Ruling {
    let needed: Option<Vec<u64>> = left_out.iter().map(|it| it.settled_by).collect();
    let count = left_out.len();
    Ruling::inconclusive(format!(
        "{count} combinations are not compared, and what the others show speaks of these alone"
    ))
    .settled_by(needed.and_then(|needed| needed.into_iter().max()))
}

/// H1 by launches is settled by those that every combination needs which is open, where no other thing leaves it open.
fn h1_is_open(
    compared: &[Combination],
    gains: &[Gained],
    left_out: &[LeftOut],
    clause: Clause,
    rules: &LadderRules,
) -> Ruling {
    let ruling = match are_of_launches(compared) {
        true => Ruling::inconclusive("the mean gain is above 0, and H1 can be neither upheld nor refuted"),
        false => Ruling::inconclusive("H1 can be neither upheld nor refuted"),
    };
    let edges = || gains.iter().filter(|gain| gain.side == Side::Edge);
    let is_open = edges().count() + left_out.len() > 0;
    let clause_is_open = match clause {
        Clause::Unclear => true,
        Clause::NotTestable => rules.names_hangs,
        Clause::Holds | Clause::Fails => false,
    };
    if !is_open || clause_is_open || !(are_of_launches(compared) || edges().count() == 0) {
        return ruling.because(no_number(edges().count(), clause, compared));
    }
    let of_edges = edges().map(|gain| gain.by_launch.as_ref()?.settled_by);
    let needed: Option<Vec<u64>> = of_edges.chain(left_out.iter().map(|it| it.settled_by)).collect();
    let first = edges().find_map(|gain| Some(gain.by_launch.as_ref()?.told.clone()));
    let first = first.map(|told| format!("the launches do not tell of the gain of a combination: {told}"));
    ruling.because_all(first).settled_by(needed.and_then(|needed| needed.into_iter().max()))
}

/// Why no number of repetitions would tell whether H1 holds.
fn no_number(edge: usize, clause: Clause, compared: &[Combination]) -> &'static str {
    match clause {
        _ if edge > 0 && !are_of_launches(compared) => {
            "no number of repetitions would settle it: the printed digits of a gain do not tell"
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Confidence;
    use crate::verdict::rules::RuntimeFact;

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
            also_in_family: OtherTests::default(),
        }
    }

    fn combination(gain: f64, slack_pp: f64) -> Combination {
        Combination {
            key: BTreeMap::new(),
            source: "row".to_owned(),
            baseline_pct: 50.0,
            candidate_pct: 50.0 + gain,
            slack_pp,
            launches: None,
        }
    }

    fn all(compared: impl IntoIterator<Item = Combination>) -> Combinations {
        Combinations { compared: compared.into_iter().collect(), left_out: Vec::new() }
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
        let combinations = all(gains.iter().map(|gain| combination(*gain, 0.0)));
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
        let combinations = all([combination(5.01, 0.1), combination(9.0, 0.1), combination(8.0, 0.1)]);
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
        let combinations = all([9.0, 9.5, 9.1].map(|gain| combination(gain, 0.0)));
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
        assert_eq!(ladder(&all([none]), &[], &RuntimeFacts::default(), &rules).standing, Standing::Invalid);
    }

    #[test]
    fn what_no_efficiency_can_be_is_refused_however_good_the_others_are() {
        for candidate_pct in [-0.5, f64::NAN, f64::INFINITY] {
            let bad = Combination { candidate_pct, source: "row 2".to_owned(), ..combination(0.0, 0.0) };
            let combinations = all([combination(9.0, 0.0), bad, combination(9.0, 0.0)]);
            let shapes = [shape(ShapeState::Resolved)];
            let ruling = ladder(&combinations, &shapes, &RuntimeFacts::default(), &rules());
            assert_eq!(ruling.standing, Standing::Invalid);
            assert!(ruling.reasons[0].starts_with("row 2: "), "{:?}", ruling.reasons);
        }
        assert_eq!(climbed(&[-50.0, -49.0, -48.0], RESOLVED, &rules()).label, "H0_pass", "0 % is an efficiency");
    }
}
