//! Whether an own router wins against a commercial one, task family by task family.

use std::collections::BTreeMap;

use super::estimate::{Estimate, OtherTests, p_of_clearing};
use super::{Part, Ruling, RulingTest};
use crate::stats::distribution::student_t_upper_quantile;
use crate::stats::{Alpha, Confidence, FamilyDecision, PValue, Pairing, Power, holm, launches_for_difference};
use crate::verdict::rounding::{round, round_p};

/// One provider and task family; each number of a score or cost with half of its last printed digit.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutedFamily {
    /// Its name.
    pub key: BTreeMap<String, String>,
    /// Latency, external minus internal, over matched pairs.
    pub difference: f64,
    /// Its interval, at confidence 1 - alpha.
    pub interval: [f64; 2],
    /// Matched pairs.
    pub pairs: u64,
    /// Scores, higher better: external, internal.
    pub scores: Option<[(f64, f64); 2]>,
    /// Costs, lower better: external, internal.
    pub costs: Option<[(f64, f64); 2]>,
    /// Why the provider's direction does not count, where it does not.
    pub no_direction: Option<String>,
    /// Whether both sides were held to the same tools, where the task needs it.
    pub tools: ToolParity,
    /// The row.
    pub source: String,
}

/// What is known of the tools that both sides were held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolParity {
    /// The task calls none.
    NotNeeded,
    /// Both were held to the same.
    Shown,
    /// They were not.
    Broken,
    /// Nothing records it.
    NotRecorded,
}

/// What is asked of task families.
#[derive(Debug, Clone, PartialEq)]
pub struct CommercialRouting {
    /// The families.
    pub families: Vec<RoutedFamily>,
    /// An interval within this around 0 is parity.
    pub parity_within: f64,
    /// The unit of the differences.
    pub in_unit: String,
    /// The rows of load profiles and of tools that were looked up beside the families' own.
    pub looked_up: Vec<String>,
    /// The largest share of failed external requests with which a provider's direction counts, where the plan asks for one.
    pub max_external_error: Option<f64>,
    /// Level of the intervals.
    pub alpha: Alpha,
    /// Power of the number of pairs that would settle an open one.
    pub power: Power,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// Reads each task family by Treni's rule, which never pools them.
///
/// Where an interval decides, so does the Student test of matched pairs that it turns round: against 0, or, for parity, against
/// both ends of the tolerance, of which the larger p counts. These are adjusted (Holm) over the plan's family, and where the
/// adjusted p is above alpha the interval decides nothing.
///
/// | first of these that holds | label of the family |
/// |---|---|
/// | its task calls tools, and nothing shows that both sides were held to the same | `no_tool_parity` |
/// | the interval lies within the tolerance | `parity` |
/// | the interval holds 0, or its test does not hold in the plan's family | `could_not_tell`: the report's "parity/noise", which is no parity |
/// | the provider's direction does not count | `non_canonical` |
/// | the faster side has the worse score or the higher cost | `trade_off` |
/// | the internal side is faster | `internal_wins` |
/// | the external side is faster | `external_wins` |
///
/// The ruling has the label that all families share, `mixed` where they do not; it is `inconclusive` as long as one family
/// is not decided, and `invalid` where a number is none.
#[must_use]
pub fn commercial_routing(input: &CommercialRouting) -> Ruling {
    rule(input)
        .resting_on(input.families.iter().map(|family| &family.source).chain(&input.looked_up))
        .against("parity_within", input.parity_within, &input.in_unit)
        .against("alpha", input.alpha.get(), "share")
        .against("power", input.power.get(), "share")
        .against_some("max_external_error", input.max_external_error, "share")
}

const UNDECIDED: [&str; 3] = ["no_tool_parity", "could_not_tell", "non_canonical"];

fn rule(input: &CommercialRouting) -> Ruling {
    if input.families.is_empty() {
        return Ruling::invalid("no task family was given");
    }
    if let Some(fault) = input.families.iter().find_map(fault) {
        return Ruling::invalid(fault);
    }
    let tested = tested(input);
    let parts: Vec<Part> =
        input.families.iter().zip(&tested).map(|(family, tested)| part(input, family, tested.as_ref())).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    parts.iter().for_each(|part| *counts.entry(part.label.as_str()).or_insert(0) += 1);
    let told: Vec<String> = counts.iter().map(|(label, count)| format!("{label} {count}")).collect();
    let told = format!("of {} task families: {}", parts.len(), told.join(", "));
    let labels: Vec<&str> = counts.keys().copied().collect();
    let open = labels.iter().any(|label| UNDECIDED.contains(label));
    let settled_by = parts.iter().map(|part| part.numbers.get("pairs_to_settle").map(|pairs| *pairs as u64));
    // Pairs settle a ruling only where pairs are all that it lacks.
    let settled_by: Option<Option<u64>> =
        (labels.iter().all(|label| !UNDECIDED.contains(label) || *label == "could_not_tell"))
            .then(|| settled_by.flatten().max());
    let ruling = match labels[..] {
        _ if open => Ruling::inconclusive(told).settled_by(settled_by.flatten()),
        [only] => Ruling::decided(only).because(told),
        _ => Ruling::decided("mixed").because(told),
    };
    let bare = input.families.iter().all(|family| family.scores.is_none() && family.costs.is_none());
    let bare = bare.then(|| "neither a score nor a cost is printed: a win is one of latency alone".to_owned());
    let no_direction: Vec<String> = input
        .families
        .iter()
        .filter_map(|family| {
            Some(format!("{}: no direction counts, {}", words(&family.key), family.no_direction.as_ref()?))
        })
        .collect();
    let tests =
        input.families.iter().zip(&tested).filter_map(|(family, tested)| Some(tested.as_ref()?.told(input, family)));
    ruling.because_all(bare).because_all(no_direction).in_parts(parts).tested(tests)
}

/// A task family's test among all of the plan's.
struct Tested {
    decision: FamilyDecision,
    /// How many tests the plan's family has.
    size: usize,
    /// How many it will have once all of them ask.
    in_time: usize,
}

impl Tested {
    /// A single test is decided by its interval as it stands.
    fn holds(&self) -> bool {
        self.size == 1 || self.decision.rejected
    }

    fn told(&self, input: &CommercialRouting, family: &RoutedFamily) -> RulingTest {
        let FamilyDecision { p, adjusted, .. } = self.decision;
        let of = format!("{}, {}", words(&family.key), input.in_unit);
        RulingTest::of(format!("confidence interval of matched pairs, {of}, Holm over {}", self.size))
            .estimating(family.difference, Some(family.interval))
            .p(p, Some(adjusted))
    }
}

/// The p values of the intervals that decide: what they add to the plan's family.
pub(in crate::verdict) fn routing_family(input: &CommercialRouting) -> Vec<PValue> {
    if input.families.iter().any(|family| fault(family).is_some()) {
        return Vec::new();
    }
    input.families.iter().filter_map(|family| own_p(input, family)).collect()
}

fn tested(input: &CommercialRouting) -> Vec<Option<Tested>> {
    let own: Vec<Option<PValue>> = input.families.iter().map(|family| own_p(input, family)).collect();
    let family: Vec<PValue> = own.iter().flatten().chain(input.also_in_family.iter()).copied().collect();
    let (size, mut decisions) = (family.len(), holm(&family, input.alpha).into_iter());
    let in_time = own.iter().flatten().count() + input.also_in_family.in_time();
    own.iter().map(|p| p.and_then(|_| Some(Tested { decision: decisions.next()?, size, in_time }))).collect()
}

/// Nothing where the interval decides nothing.
fn own_p(input: &CommercialRouting, family: &RoutedFamily) -> Option<PValue> {
    if lacks_tool_parity(family) {
        return None;
    }
    let estimate = Estimate { value: family.difference, interval: Some(family.interval), launches: None };
    let confidence = Confidence::new(1.0 - input.alpha.get()).ok()?;
    let at = |edge| p_of_clearing(&estimate, edge, confidence, family.pairs as f64 - 1.0);
    if !is_parity(input, family) {
        return at(0.0);
    }
    let (below, above) = (at(-input.parity_within)?, at(input.parity_within)?);
    Some(if above.get() > below.get() { above } else { below })
}

fn lacks_tool_parity(family: &RoutedFamily) -> bool {
    matches!(family.tools, ToolParity::Broken | ToolParity::NotRecorded)
}

fn is_parity(input: &CommercialRouting, family: &RoutedFamily) -> bool {
    let [low, high] = family.interval;
    low.abs().max(high.abs()) <= input.parity_within
}

fn words(key: &BTreeMap<String, String>) -> String {
    key.values().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn fault(family: &RoutedFamily) -> Option<String> {
    let RoutedFamily { difference, interval: [low, high], pairs, scores, costs, source, .. } = family;
    let printed = [scores, costs].into_iter().flatten().flatten();
    if ![difference, low, high].into_iter().all(|number| number.is_finite())
        || printed.into_iter().any(|(value, half)| !value.is_finite() || half.is_nan() || *half < 0.0)
    {
        return Some(format!("{source}: one of its numbers is not finite"));
    }
    if !(low..=high).contains(&difference) {
        return Some(format!("{source}: the interval runs from {low} to {high} and does not hold {difference}"));
    }
    (*pairs < 2).then(|| format!("{source}: {pairs} pair has no interval"))
}

fn part(input: &CommercialRouting, family: &RoutedFamily, tested: Option<&Tested>) -> Part {
    let RoutedFamily { difference, interval: [low, high], pairs, .. } = family;
    let holds = tested.is_none_or(Tested::holds);
    let part = Part::new(family.key.clone(), label(input, family, holds))
        .number("difference", *difference)
        .number("difference_low", *low)
        .number("difference_high", *high)
        .number("pairs", *pairs as f64);
    match part.label.as_str() {
        "no_tool_parity" if family.tools == ToolParity::Broken => {
            part.because("the sides were not held to the same tools")
        }
        "no_tool_parity" => part.because("nothing records that both sides were held to the same tools"),
        "could_not_tell" => {
            let interval = format!("the interval [{}, {}] {}", round(*low), round(*high), input.in_unit);
            let because = match tested.filter(|_| !holds_zero(family)) {
                Some(Tested { decision, size, .. }) => {
                    format!(
                        "{interval} is one of {size} in the plan's family: adjusted p {}",
                        round_p(decision.adjusted)
                    )
                }
                None => format!("{interval} holds 0"),
            };
            match pairs_to_settle(input, family, tested.map_or(1, |tested| tested.in_time)) {
                Some(needed) => part.number("pairs_to_settle", needed as f64),
                None => part,
            }
            .because(because)
        }
        "non_canonical" => part.because(family.no_direction.clone().unwrap_or_default()),
        _ => part,
    }
}

fn holds_zero(family: &RoutedFamily) -> bool {
    let [low, high] = family.interval;
    low <= 0.0 && high >= 0.0
}

fn label(input: &CommercialRouting, family: &RoutedFamily, holds: bool) -> &'static str {
    if lacks_tool_parity(family) {
        return "no_tool_parity";
    }
    if is_parity(input, family) && holds {
        return "parity";
    }
    if holds_zero(family) || !holds {
        return "could_not_tell";
    }
    if family.no_direction.is_some() {
        return "non_canonical";
    }
    let internal = family.interval[0] > 0.0;
    // External first, as the columns are named; what the digits do not tell apart is no loss.
    let loses = |[(external, a), (own, b)]: [(f64, f64); 2], higher_is_better: bool| {
        let gain = if higher_is_better == internal { own - external } else { external - own };
        gain < -(a + b)
    };
    match (family.scores, family.costs) {
        (Some(scores), _) if loses(scores, true) => "trade_off",
        (_, Some(costs)) if loses(costs, false) => "trade_off",
        _ if internal => "internal_wins",
        _ => "external_wins",
    }
}

/// Pairs with which the interval would leave 0 out, and its test hold among so many, if the difference is what it seems to be. Nothing
/// where the interval lies within the tolerance: it is parity that did not hold.
fn pairs_to_settle(input: &CommercialRouting, family: &RoutedFamily, tests: usize) -> Option<u64> {
    if is_parity(input, family) {
        return None;
    }
    let [low, high] = family.interval;
    let quantile = student_t_upper_quantile(input.alpha.get() / 2.0, family.pairs as f64 - 1.0).ok()?;
    let sd = (high - low) / 2.0 / quantile * (family.pairs as f64).sqrt();
    let d = Some(family.difference / sd).filter(|d| d.is_finite() && *d != 0.0)?;
    let alpha = Alpha::new(input.alpha.get() / tests as f64).ok()?;
    let needed = launches_for_difference(Pairing::Paired, d, alpha, input.power).ok()?;
    Some(needed.max(family.pairs + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Standing;

    fn family(name: &str, difference: f64, interval: [f64; 2]) -> RoutedFamily {
        RoutedFamily {
            key: BTreeMap::from([("task".to_owned(), name.to_owned())]),
            difference,
            interval,
            pairs: 36,
            scores: None,
            costs: None,
            no_direction: None,
            tools: ToolParity::NotNeeded,
            source: format!("t:{name}"),
        }
    }

    fn in_family(families: &[RoutedFamily], also_in_family: Vec<PValue>) -> Ruling {
        commercial_routing(&CommercialRouting {
            families: families.to_vec(),
            parity_within: 20.0,
            in_unit: "ms".to_owned(),
            looked_up: vec!["t:profile".to_owned()],
            max_external_error: Some(0.1),
            alpha: Alpha::new(0.05).expect("a level"),
            power: Power::new(0.8).expect("a power"),
            also_in_family: also_in_family.into_iter().collect(),
        })
    }

    fn ruled(families: &[RoutedFamily]) -> Ruling {
        in_family(families, Vec::new())
    }

    #[test]
    fn rows_and_limits_that_were_looked_up_beside_the_families_are_listed() {
        let ruling = ruled(&[family("a", 100.0, [30.0, 170.0])]);
        assert_eq!(ruling.rests_on, ["t:a", "t:profile"]);
        assert!(ruling.thresholds.iter().any(|it| it.name == "max_external_error" && it.value == 0.1), "{ruling:?}");
    }

    #[test]
    fn an_interval_of_a_large_family_decides_only_where_its_adjusted_p_does() {
        let p = |p| PValue::new(p).expect("a p");
        let wins = family("a", 100.0, [30.0, 170.0]);
        // t = 100 / (70 / 2.030108) = 2.900154 with 35 degrees of freedom: p = 0.0064049.
        let among = in_family(std::slice::from_ref(&wins), vec![p(0.9); 6]);
        assert_eq!((among.label.as_str(), among.tests[0].p_adjusted), ("internal_wins", Some(p(0.0448341))));
        let lost = in_family(std::slice::from_ref(&wins), vec![p(0.9); 7]);
        assert_eq!((lost.standing, lost.parts[0].label.as_str()), (Standing::Inconclusive, "could_not_tell"));
        assert!(lost.parts[0].reason.as_ref().is_some_and(|reason| reason.contains("one of 8")), "{lost:?}");
        assert!(lost.settled_by.is_some_and(|pairs| pairs > 36), "{lost:?}");
        let narrow = family("c", 1.0, [-15.0, 17.0]);
        assert_eq!(in_family(std::slice::from_ref(&narrow), vec![p(0.9)]).label, "parity");
        assert_eq!(in_family(&[narrow], vec![p(0.9); 20]).parts[0].label, "could_not_tell");
    }

    #[test]
    fn an_interval_decides_by_where_it_lies() {
        let wins = family("a", 100.0, [30.0, 170.0]);
        let loses = family("b", -100.0, [-170.0, -30.0]);
        let parity = family("c", 1.0, [-19.0, 20.0]);
        assert_eq!(ruled(std::slice::from_ref(&wins)).label, "internal_wins");
        assert_eq!(ruled(std::slice::from_ref(&loses)).label, "external_wins");
        assert_eq!(ruled(std::slice::from_ref(&parity)).label, "parity");
        let narrower = family("c", 1.0, [-9.0, 11.0]);
        assert_eq!(ruled(&[wins, loses, narrower]).label, "mixed");
    }

    #[test]
    fn an_interval_that_holds_zero_is_no_parity_and_says_how_many_pairs_would_settle_it() {
        let open = ruled(&[family("model_only", -69.311, [-193.985, 61.444])]);
        assert_eq!((open.standing, open.parts[0].label.as_str()), (Standing::Inconclusive, "could_not_tell"));
        // d = 69.311 / (127.7145 / 2.030108 * 6) = 0.18363; (1.959964 + 0.841621)^2 / d^2 + 1.959964^2 / 2 = 234.7.
        assert_eq!(open.settled_by, Some(235), "{open:?}");
        assert_eq!(ruled(&[family("a", 0.0, [-90.0, 90.0])]).settled_by, None);
    }

    #[test]
    fn a_faster_side_that_is_worse_or_dearer_wins_nothing() {
        let with = |scores: Option<[f64; 2]>, costs: Option<[f64; 2]>, internal: bool| {
            let printed = |pair: Option<[f64; 2]>| pair.map(|pair| pair.map(|value| (value, 0.05)));
            let faster =
                if internal { family("a", 100.0, [30.0, 170.0]) } else { family("a", -100.0, [-170.0, -30.0]) };
            ruled(&[RoutedFamily { scores: printed(scores), costs: printed(costs), ..faster }]).label
        };
        assert_eq!(with(Some([0.9, 0.5]), None, true), "trade_off");
        assert_eq!(with(Some([0.5, 0.9]), None, true), "internal_wins");
        assert_eq!(with(Some([0.5, 0.45]), None, true), "internal_wins", "the digits do not tell them apart");
        assert_eq!(with(Some([0.5, 0.9]), None, false), "trade_off");
        assert_eq!(with(None, Some([1.0, 2.0]), true), "trade_off");
        assert_eq!(with(None, Some([2.0, 1.0]), false), "trade_off");
        assert_eq!(with(None, Some([2.0, 1.0]), true), "internal_wins");
    }

    #[test]
    fn a_direction_counts_only_for_a_provider_that_has_one_and_for_tools_that_were_the_same() {
        let wins = family("a", 100.0, [30.0, 170.0]);
        let turned = RoutedFamily { no_direction: Some("its profiles point both ways".to_owned()), ..wins.clone() };
        assert_eq!(ruled(std::slice::from_ref(&turned)).parts[0].label, "non_canonical");
        let near = RoutedFamily { no_direction: turned.no_direction.clone(), ..family("c", 1.0, [-19.0, 20.0]) };
        assert_eq!(ruled(&[near]).label, "parity", "parity has no direction");
        for tools in [ToolParity::Broken, ToolParity::NotRecorded] {
            let found = ruled(&[RoutedFamily { tools, ..wins.clone() }, family("b", 1.0, [-90.0, 90.0])]);
            assert_eq!((found.standing, found.parts[0].label.as_str()), (Standing::Inconclusive, "no_tool_parity"));
            assert_eq!(found.settled_by, None, "no number of pairs shows what tools were called");
        }
        assert_eq!(ruled(&[RoutedFamily { tools: ToolParity::Shown, ..wins }]).label, "internal_wins");
    }

    #[test]
    fn what_is_no_number_is_invalid() {
        for (difference, interval) in [(f64::NAN, [0.0, 1.0]), (2.0, [0.0, 1.0]), (0.0, [f64::NEG_INFINITY, 1.0])] {
            assert_eq!(ruled(&[family("a", difference, interval)]).standing, Standing::Invalid);
        }
        assert_eq!(ruled(&[RoutedFamily { pairs: 1, ..family("a", 1.0, [0.0, 2.0]) }]).standing, Standing::Invalid);
        assert_eq!(ruled(&[]).standing, Standing::Invalid);
    }
}
