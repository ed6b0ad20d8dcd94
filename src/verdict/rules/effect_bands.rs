//! What to call the size of an effect on time.

use std::fmt;

use super::estimate::{Estimate, InFamily, Levels, OtherTests};
use super::{Part, Ruling, RulingTest};
use crate::stats::PValue;

/// What an effect is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Band {
    /// Faster by more than the strong edge.
    StrongWin,
    /// Faster by more than the neutral edge, and not by more than the strong one.
    Win,
    /// Within the neutral edge, the edge itself included.
    Neutral,
    /// Slower by more than the neutral edge.
    Regression,
}

impl Band {
    /// The name used in rulings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StrongWin => "strong_win",
            Self::Win => "win",
            Self::Neutral => "neutral",
            Self::Regression => "regression",
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where the bands end, in percent of the baseline: `0 < neutral < strong <= 100`.
///
/// One sign for prefill and decode alike, that of every contrast: `change = 100 (candidate - baseline) / baseline`, so
/// that faster is negative. TR147 defines prefill with the opposite sign ("gain") and decode with this one ("overhead"),
/// and then prints prefill in this one. Its bands leave gains of 3 to 50 % without a name and give -3 to 0 % two,
/// "neutral" and "regression". Here:
///
/// | change | band | TR147, prefill | TR147, decode |
/// |---|---|---|---|
/// | below -strong | `strong_win` | strong win | (none) |
/// | -strong to below -neutral | `win` | (none) | (none) |
/// | -neutral to +neutral, both included | `neutral` | neutral; regression above 0 | neutral |
/// | above +neutral | `regression` | regression | measurable regression |
///
/// - What is twice labelled is neutral: the same report tests equivalence within that margin, and what a test calls
///   equivalent no band may call a regression.
/// - What is unlabelled is a win of its own name: it is neither nothing nor what the report's headline means by strong.
/// - Edges belong to the weaker claim: the report says "> 50" and "> 3", so exactly 50 % is a win and exactly 3 % neutral.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandEdges {
    /// Above 0 and below 100.
    pub neutral_pct: f64,
    /// Above the neutral edge and at most 100. Without it there is no strong win: TR147 names none for decode.
    pub strong_pct: Option<f64>,
}

impl BandEdges {
    /// What is wrong with the edges, if anything is.
    fn fault(&self) -> Option<String> {
        let Self { neutral_pct, strong_pct } = *self;
        if !(neutral_pct > 0.0 && neutral_pct < 100.0) {
            return Some(format!("the neutral edge is {neutral_pct} %; it must lie above 0 and below 100"));
        }
        let strong = strong_pct.filter(|strong| !(*strong > neutral_pct && *strong <= 100.0))?;
        Some(format!("the strong edge is {strong} %; it must lie above the neutral edge and at most at 100"))
    }

    /// The one band that holds a change; nothing for NaN.
    #[must_use]
    pub fn band(&self, change_pct: f64) -> Option<Band> {
        if change_pct.is_nan() {
            return None;
        }
        Some(match self.strong_pct {
            Some(strong) if change_pct < -strong => Band::StrongWin,
            _ if change_pct < -self.neutral_pct => Band::Win,
            _ if change_pct <= self.neutral_pct => Band::Neutral,
            _ => Band::Regression,
        })
    }

    /// The edges of the band that holds a change.
    fn around(&self, change_pct: f64) -> Vec<f64> {
        let strong = self.strong_pct.map(|strong| -strong);
        match self.band(change_pct) {
            Some(Band::StrongWin) => strong.into_iter().collect(),
            Some(Band::Win) => strong.into_iter().chain([-self.neutral_pct]).collect(),
            Some(Band::Neutral) => vec![-self.neutral_pct, self.neutral_pct],
            Some(Band::Regression) => vec![self.neutral_pct],
            None => Vec::new(),
        }
    }

    /// The edges on the scale of changes, from the lowest up.
    pub(in crate::verdict) fn on_the_line(&self) -> impl Iterator<Item = f64> {
        self.strong_pct.map(|strong| -strong).into_iter().chain([-self.neutral_pct, self.neutral_pct])
    }
}

/// A change of time, and the bands that it may fall in.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectBand {
    /// What changed, for example `prefill`.
    pub phase: String,
    /// The change in percent of the baseline, faster negative.
    pub change_pct: Estimate,
    /// For each edge the p value of the change being just there; empty where there is no interval.
    pub at_edges: Vec<(f64, PValue)>,
    /// Where the bands end.
    pub edges: BandEdges,
    /// Confidence of the interval, and the power that the stated number of launches is to have.
    pub levels: Levels,
    /// The rows that it was formed from.
    pub sources: Vec<String>,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// Names the band that holds the whole interval.
///
/// The interval has to keep within its band, and the two-sided tests of the change against both of the band's edges have to
/// reject: the larger of their p values is the band's. Adjusted (Holm) over the plan's family it must not be above alpha.
///
/// Labels: those of [`Band`]; `inconclusive` where the interval reaches over an edge (the reason names every band that it
/// touches), where it does not and the family is too large for that to decide, or where there is none (the reason names the
/// band of the value alone); `invalid`.
#[must_use]
pub fn effect_band(input: &EffectBand) -> Ruling {
    let EffectBand { phase, change_pct, edges, levels, sources, .. } = input;
    let decision = decision(input);
    let test = RulingTest::of(format!("confidence interval, change of {phase}, %"))
        .estimating(change_pct.value, change_pct.interval);
    let test = match &decision {
        Some(decision) => decision.on(test),
        None => test,
    };
    let mut ruling = rule(phase, change_pct, edges, (*levels, decision)).tested([test]).resting_on(sources).against(
        "neutral",
        edges.neutral_pct,
        "%",
    );
    if let Some(strong) = edges.strong_pct {
        ruling = ruling.against("strong", strong, "%");
    }
    ruling.against("confidence", levels.confidence.get(), "share").against("power", levels.power.get(), "share")
}

/// The p value of the band that holds the change: what it adds to the plan's family. Nothing without an interval.
pub(in crate::verdict) fn band_p(input: &EffectBand) -> Option<PValue> {
    let EffectBand { change_pct, at_edges, edges, .. } = input;
    let edges = edges.around(change_pct.value);
    let tests = edges.iter().map(|edge| at_edges.iter().find(|(at, _)| at == edge).map(|(_, p)| *p));
    tests.collect::<Option<Vec<PValue>>>()?.into_iter().max_by(PValue::order)
}

/// The band's p value in the plan's family.
fn decision(input: &EffectBand) -> Option<InFamily> {
    InFamily::of(band_p(input)?, &input.also_in_family, input.levels.confidence)
}

fn rule(phase: &str, change: &Estimate, edges: &BandEdges, (levels, decision): (Levels, Option<InFamily>)) -> Ruling {
    if let Some(fault) = edges.fault() {
        return Ruling::invalid(fault);
    }
    if let Some(fault) = change.fault(&format!("the change of {phase}")) {
        return Ruling::invalid(fault);
    }
    if change.value < -100.0 {
        return Ruling::invalid(format!("a change of {} % would make {phase} take less than no time", change.value));
    }
    let Some(band) = edges.band(change.value) else { return Ruling::invalid("the change is no number") };
    let part = Part::of("phase", phase, band.name()).number("change_pct", change.value);
    let (Some([low, high]), Some(decision)) = (change.interval, decision) else {
        return Ruling::inconclusive(format!("the value lies in {band}, but no interval says how surely"))
            .in_parts([part]);
    };
    let part = part.number("change_low_pct", low).number("change_high_pct", high);
    // The bands tile the line in order, so an interval touches those from its low end's to its high end's.
    let (Some(from), Some(to)) = (edges.band(low), edges.band(high)) else {
        return Ruling::invalid("the interval is no number");
    };
    if from == to && !decision.rejected() {
        let needed: Option<Vec<u64>> = edges
            .around(change.value)
            .into_iter()
            .map(|edge| change.launches_to_clear(edge, levels.over(decision.in_time)?))
            .collect();
        return Ruling::inconclusive(format!(
            "the whole interval of the change of {phase} lies in {band}, and {}",
            decision.why_open()
        ))
        .in_parts([part])
        .settled_by(needed.and_then(|needed| needed.into_iter().max()));
    }
    if from == to {
        return Ruling::decided(band.name())
            .because(format!("the whole interval of the change of {phase} lies in {band}"))
            .in_parts([part]);
    }
    let touched: Vec<&str> = [Band::StrongWin, Band::Win, Band::Neutral, Band::Regression]
        .into_iter()
        .filter(|band| (from..=to).contains(band) && (*band != Band::StrongWin || edges.strong_pct.is_some()))
        .map(Band::name)
        .collect();
    let crossed = edges.on_the_line().filter(|edge| (low..=high).contains(edge));
    let needed: Vec<Option<u64>> =
        crossed.map(|edge| change.launches_to_clear(edge, levels.over(decision.in_time)?)).collect();
    Ruling::inconclusive(format!("the interval of the change of {phase} reaches from {from} to {to}"))
        .because(format!("it may be {}", touched.join(" or ")))
        .in_parts([part])
        .settled_by(needed.into_iter().collect::<Option<Vec<u64>>>().and_then(|needed| needed.into_iter().max()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::{Confidence, Power};
    use crate::verdict::rules::Standing;
    use crate::verdict::rules::estimate::p_of_clearing;

    fn tr147() -> BandEdges {
        BandEdges { neutral_pct: 3.0, strong_pct: Some(50.0) }
    }

    /// What the interval says of its edges, with 8 degrees of freedom.
    fn at_edges(change_pct: Estimate, edges: BandEdges) -> Vec<(f64, PValue)> {
        let level = Confidence::new(0.95).expect("a level");
        let p = |edge| Some((edge, p_of_clearing(&change_pct, edge, level, 8.0)?));
        edges.on_the_line().filter_map(p).collect()
    }

    fn ruled(edges: BandEdges, value: f64, interval: Option<[f64; 2]>, launches: Option<u64>) -> Ruling {
        let levels =
            Levels { confidence: Confidence::new(0.95).expect("a level"), power: Power::new(0.8).expect("a power") };
        let change_pct = Estimate { value, interval, launches };
        effect_band(&EffectBand {
            phase: "prefill".to_owned(),
            change_pct,
            at_edges: at_edges(change_pct, edges),
            edges,
            levels,
            sources: vec!["row".to_owned()],
            also_in_family: OtherTests::default(),
        })
    }

    #[test]
    fn a_band_of_a_family_is_decided_where_the_adjusted_p_of_its_nearer_edge_is() {
        let p = |p| PValue::new(p).expect("a p");
        let with = |also_in_family: Vec<PValue>| {
            let levels = Levels {
                confidence: Confidence::new(0.95).expect("a level"),
                power: Power::new(0.8).expect("a power"),
            };
            let change_pct = Estimate { value: -10.0, interval: Some([-15.0, -5.0]), launches: Some(5) };
            let sources = Vec::new();
            let phase = "prefill".to_owned();
            effect_band(&EffectBand {
                phase,
                change_pct,
                at_edges: at_edges(change_pct, tr147()),
                edges: tr147(),
                levels,
                sources,
                also_in_family: also_in_family.into_iter().collect(),
            })
        };
        let alone = with(Vec::new());
        assert_eq!(alone.label, "win");
        // The edge at -3 is 7 away, the interval reaches 5 = 2.306004 standard errors: t = 3.228406 with 8 degrees of freedom.
        assert_eq!((alone.tests[0].p, alone.tests[0].p_adjusted), (Some(p(0.0120858)), Some(p(0.0120858))));
        assert_eq!(with(vec![p(0.9); 3]).label, "win");
        let among_many = with(vec![p(0.9); 4]);
        assert_eq!((among_many.standing, among_many.tests[0].p_adjusted), (Standing::Inconclusive, Some(p(0.0604292))));
        assert!(among_many.reasons[0].contains("of 5 tests"), "{:?}", among_many.reasons);
        assert!(among_many.settled_by.is_some_and(|launches| launches > 5), "{among_many:?}");
        assert_eq!(with(vec![p(1e-9); 4]).label, "win", "what is surer is stepped over");
    }

    #[test]
    fn every_edge_belongs_to_the_weaker_claim() {
        let ulp = |value: f64, up: bool| if up { value.next_up() } else { value.next_down() };
        let band = |change| tr147().band(change).expect("a number");
        assert_eq!([ulp(-50.0, false), -50.0].map(band), [Band::StrongWin, Band::Win]);
        assert_eq!(
            [ulp(-3.0, false), -3.0, 0.0, 3.0].map(band),
            [Band::Win, Band::Neutral, Band::Neutral, Band::Neutral]
        );
        assert_eq!([ulp(3.0, true), f64::INFINITY].map(band), [Band::Regression; 2]);
        assert_eq!(tr147().band(f64::NAN), None);
    }

    #[test]
    fn tr147s_printed_changes_have_one_band_each() {
        // tr147_static_summary and tr147_v1_prefill: changes of prefill and overheads of decode, compiled by default.
        for (change, expected) in [
            (-55.48, Band::StrongWin),
            (-82.4, Band::StrongWin),
            (-18.5, Band::Win),
            (-0.54, Band::Neutral),
            (1.6, Band::Neutral),
            (3.16, Band::Regression),
            (3.46, Band::Regression),
            (2.2, Band::Neutral),
        ] {
            assert_eq!(tr147().band(change), Some(expected), "{change}");
        }
    }

    #[test]
    fn a_band_is_decided_by_the_whole_interval_and_otherwise_all_are_named() {
        let ruling = ruled(tr147(), -60.0, Some([-61.0, -59.0]), Some(5));
        assert_eq!((ruling.label.as_str(), ruling.standing), ("strong_win", Standing::Decided));
        assert_eq!(ruled(tr147(), -60.0, Some([-61.0, -50.0]), Some(5)).label, "inconclusive");
        let ruling = ruled(tr147(), -10.0, Some([-60.0, 40.0]), Some(5));
        assert_eq!(ruling.standing, Standing::Inconclusive);
        assert!(ruling.reasons[1].ends_with("strong_win or win or neutral or regression"), "{:?}", ruling.reasons);
        assert!(ruling.settled_by.is_some_and(|launches| launches > 5), "{ruling:?}");
    }

    #[test]
    fn a_value_on_an_edge_is_settled_by_no_number_of_launches() {
        assert_eq!(ruled(tr147(), 3.0, Some([2.0, 4.0]), Some(5)).settled_by, None);
        assert!(ruled(tr147(), 3.1, Some([2.0, 4.2]), Some(5)).settled_by.is_some());
    }

    #[test]
    fn a_printed_value_without_an_interval_decides_nothing() {
        let ruling = ruled(tr147(), -55.48, None, None);
        assert_eq!((ruling.standing, ruling.parts[0].label.as_str()), (Standing::Inconclusive, "strong_win"));
    }

    #[test]
    fn without_a_strong_edge_no_band_is_strong() {
        let decode = BandEdges { neutral_pct: 3.0, strong_pct: None };
        assert_eq!(decode.band(-99.0), Some(Band::Win));
        let ruling = ruled(decode, 0.0, Some([-99.0, 9.0]), None);
        assert!(ruling.reasons[1].ends_with("win or neutral or regression"), "{:?}", ruling.reasons);
        assert_eq!(ruling.thresholds.len(), 3);
    }

    #[test]
    fn edges_that_would_overlap_or_leave_no_room_are_refused() {
        for (neutral_pct, strong_pct) in
            [(0.0, None), (-3.0, None), (f64::NAN, None), (3.0, Some(3.0)), (3.0, Some(101.0)), (3.0, Some(f64::NAN))]
        {
            let edges = BandEdges { neutral_pct, strong_pct };
            assert_eq!(ruled(edges, 0.0, Some([-1.0, 1.0]), None).standing, Standing::Invalid, "{edges:?}");
        }
        let widest = BandEdges { neutral_pct: 3.0, strong_pct: Some(100.0) };
        assert_eq!(ruled(widest, 0.0, Some([-1.0, 1.0]), None).label, "neutral");
    }

    proptest! {
        #[test]
        fn bands_tile_the_line_without_gap_or_overlap(
            neutral in 0.001..50.0_f64,
            wider in 0.001..50.0_f64,
            changes in prop::collection::vec(-1e3..1e3_f64, 2..40),
        ) {
            let edges = BandEdges { neutral_pct: neutral, strong_pct: Some(neutral + wider) };
            let mut changes = changes;
            changes.extend(edges.on_the_line().flat_map(|edge| [edge.next_down(), edge, edge.next_up()]));
            changes.sort_by(f64::total_cmp);
            let bands: Vec<Band> = changes.iter().map(|change| edges.band(*change).expect("a band")).collect();
            prop_assert!(bands.is_sorted(), "{bands:?}");
        }

        #[test]
        fn any_number_has_a_ruling(
            value in proptest::num::f64::ANY,
            low in proptest::num::f64::ANY,
            high in proptest::num::f64::ANY,
            launches in prop::option::of(0..20_u64),
        ) {
            prop_assert!(!ruled(tr147(), value, Some([low, high]), launches).reasons.is_empty());
            prop_assert!(!ruled(tr147(), value, None, launches).reasons.is_empty());
        }
    }
}
