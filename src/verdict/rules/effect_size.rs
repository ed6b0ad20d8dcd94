//! What to call a standardised difference: Cohen's d in bands, with how surely it lies in one.

use std::collections::BTreeMap;

use super::estimate::{InFamily, Levels, OtherTests};
use super::{Part, Ruling, RulingTest};
use crate::stats::distribution::normal_quantile;
use crate::stats::{Alpha, Design, PValue, cohen_d_interval, cohen_d_test, detectable_d};
use crate::terms::significant;

/// Where the bands begin, on the absolute scale. J. Cohen's own are 0.2, 0.5 and 0.8 ("Statistical Power Analysis for the
/// Behavioral Sciences", 2nd ed. 1988, section 2.2.4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectCuts {
    /// Below it a difference is negligible; above 0.
    pub small: f64,
    /// Above `small`.
    pub medium: f64,
    /// Above `medium`.
    pub large: f64,
}

impl EffectCuts {
    fn fault(&self) -> Option<String> {
        let Self { small, medium, large } = *self;
        let is_ladder = small > 0.0 && small < medium && medium < large && large.is_finite();
        (!is_ladder).then(|| format!("{small}, {medium} and {large} are no rising edges above 0"))
    }

    /// The edges on the scale of signed differences, from the lowest up.
    fn on_the_line(&self) -> [f64; 6] {
        let Self { small, medium, large } = *self;
        [-large, -medium, -small, small, medium, large]
    }

    /// The band of a difference, as its place on that scale. An edge belongs to the larger claim but for that of `large`:
    /// TR126 says "< 0.2 negligible" and "> 0.8 large".
    fn place(&self, d: f64) -> usize {
        let size = if d.abs() > self.large {
            3
        } else {
            usize::from(d.abs() >= self.small) + usize::from(d.abs() >= self.medium)
        };
        if d < 0.0 { 3 - size } else { 3 + size }
    }

    /// The edges of a place.
    fn around(&self, place: usize) -> impl Iterator<Item = f64> {
        let edges = self.on_the_line();
        [place.checked_sub(1), Some(place)].into_iter().flatten().filter_map(move |at| edges.get(at).copied())
    }
}

/// The names of the places on the scale of signed differences.
const BANDS: [&str; 7] = ["large", "medium", "small", "negligible", "small", "medium", "large"];

/// One standardised difference.
#[derive(Debug, Clone, PartialEq)]
pub struct SizedDifference {
    /// What tells it from the others; empty where there is one.
    pub key: BTreeMap<String, String>,
    /// Candidate minus baseline, in units of the pooled standard deviation.
    pub d: f64,
    /// How far the printed digits may have moved it: its own, or those of the numbers that it was formed from; 0 where it was
    /// formed from what was measured.
    pub half: f64,
    /// Values of baseline and candidate; absent where nothing says how many.
    pub n: Option<[u64; 2]>,
    /// p value of there being no difference, where one was formed from the values themselves, the largest that printed digits
    /// allow; without it Student's of d.
    pub p: Option<PValue>,
    /// The rows.
    pub sources: Vec<String>,
}

/// Standardised differences and what they are called by.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectSizes {
    /// The differences.
    pub differences: Vec<SizedDifference>,
    /// Where the bands begin.
    pub cuts: EffectCuts,
    /// Confidence of the intervals, and the power that the stated number of repetitions is to have.
    pub levels: Levels,
    /// The plan's other tests in the same family.
    pub also_in_family: OtherTests,
}

/// Names the band that holds the whole interval of every difference.
///
/// The exact interval ([`cohen_d_interval`]), widened by the printed digits of d, has to lie in one band, and the test that d
/// is at the nearer of the band's edges has to reject, adjusted (Holm) over the plan's family. A difference that is decided to
/// be negligible, and whose test of no difference rejects in the same family, is told to be so: TR126 calls it "significant but
/// not meaningful" (p below alpha and |d| below the first edge, neither of them adjusted nor with an interval).
///
/// Labels: `negligible`, `small`, `medium` and `large`, where all differences share one, `mixed` where two are decided and
/// differ; `inconclusive` where an interval reaches over an edge (its part names the band of the value) or nothing says how
/// many values there were; `invalid`. Each part has the smallest d that its numbers of values detect.
#[must_use]
pub fn effect_size(input: &EffectSizes) -> Ruling {
    let EffectCuts { small, medium, large } = input.cuts;
    rule(input)
        .resting_on(input.differences.iter().flat_map(|difference| &difference.sources))
        .against("small", small, "d")
        .against("medium", medium, "d")
        .against("large", large, "d")
        .against("confidence", input.levels.confidence.get(), "share")
        .against("power", input.levels.power.get(), "share")
}

/// The p values of the bands that hold the differences, and of there being none: what they add to the plan's family.
pub(in crate::verdict) fn size_family(input: &EffectSizes) -> Vec<PValue> {
    if fault(input).is_some() {
        return Vec::new();
    }
    let bands = input.differences.iter().filter_map(|difference| band_p(difference, &input.cuts));
    bands.chain(input.differences.iter().filter_map(no_difference_p)).collect()
}

fn fault(input: &EffectSizes) -> Option<String> {
    if input.differences.is_empty() {
        return Some("no difference was given".to_owned());
    }
    let odd = input.differences.iter().find(|it| !(it.d.is_finite() && it.half >= 0.0 && it.half.is_finite()));
    let odd = odd.map(|it| format!("{}: {} is no standardised difference", it.sources.join(", "), it.d));
    input.cuts.fault().or(odd)
}

fn design(difference: &SizedDifference) -> Option<Design> {
    difference.n.map(|[n_a, n_b]| Design::Unpaired { n_a, n_b })
}

/// The larger of the p values of the band's edges, each tested from where the printed digits bring d nearest to it.
fn band_p(difference: &SizedDifference, cuts: &EffectCuts) -> Option<PValue> {
    let (design, SizedDifference { d, half, .. }) = (design(difference)?, difference);
    let p = |edge: f64| {
        let nearest = if edge < *d { (d - half).max(edge) } else { (d + half).min(edge) };
        cohen_d_test(nearest, edge, design).ok()
    };
    let tests: Option<Vec<PValue>> = cuts.around(cuts.place(*d)).map(p).collect();
    tests?.into_iter().max_by(PValue::order)
}

/// The p value of there being no difference, from where the printed digits bring d nearest to none.
fn no_difference_p(difference: &SizedDifference) -> Option<PValue> {
    let nearest = difference.d.signum() * (difference.d.abs() - difference.half).max(0.0);
    difference.p.or_else(|| cohen_d_test(nearest, 0.0, design(difference)?).ok())
}

/// What Holm's correction says of a difference.
struct Decisions {
    /// Of its band.
    band: Option<InFamily>,
    /// Of there being none.
    none: Option<InFamily>,
}

/// What came out for one difference.
struct Placed {
    part: Part,
    tests: Vec<RulingTest>,
    decided: Option<&'static str>,
    reason: Option<String>,
    settled_by: Option<u64>,
}

fn rule(input: &EffectSizes) -> Ruling {
    if let Some(fault) = fault(input) {
        return Ruling::invalid(fault);
    }
    let bands = input.differences.iter().map(|it| band_p(it, &input.cuts));
    let own: Vec<Option<PValue>> = bands.chain(input.differences.iter().map(no_difference_p)).collect();
    let decision = |at: usize| {
        let others = own.iter().enumerate().filter(|(other, _)| *other != at).filter_map(|(_, p)| *p);
        let family = input.also_in_family.after(others);
        InFamily::of((*own.get(at)?)?, &family, input.levels.confidence)
    };
    let all = input.differences.iter().enumerate().map(|(at, difference)| {
        let decisions = Decisions { band: decision(at), none: decision(input.differences.len() + at) };
        sized(difference, &input.cuts, input.levels, &decisions)
    });
    let all = all.collect();
    conclude(all)
}

fn sized(difference: &SizedDifference, cuts: &EffectCuts, levels: Levels, decisions: &Decisions) -> Placed {
    let SizedDifference { key, d, half, .. } = difference;
    let place = cuts.place(*d);
    let part = Part::new(key.clone(), BANDS[place]).number("d", *d);
    let name = key.values().cloned().collect::<Vec<_>>().join(" ");
    let told = format!("{}d {}", if name.is_empty() { String::new() } else { format!("{name}: ") }, significant(*d, 3));
    let ends = design(difference).and_then(|design| {
        let low = cohen_d_interval(d - half, design, levels.confidence).ok()?.low;
        Some((design, [low, cohen_d_interval(d + half, design, levels.confidence).ok()?.high]))
    });
    let (Some((design, [low, high])), Some(decision)) = (ends, decisions.band) else {
        let reason = format!("{told} is {}, but nothing says of how many values", BANDS[place]);
        return Placed { part, tests: Vec::new(), decided: None, reason: Some(reason), settled_by: None };
    };
    let alpha = Alpha::new(1.0 - levels.confidence.get()).ok();
    let detectable = alpha.and_then(|alpha| detectable_d(design, alpha, levels.power).ok());
    let part = part.number("d_low", low).number("d_high", high).number("detectable_d", detectable.unwrap_or(f64::NAN));
    let part = if *half > 0.0 { part.number("d_rounding", *half) } else { part };
    let what = if name.is_empty() { "Cohen's d".to_owned() } else { format!("Cohen's d of {name}") };
    let mut tests = vec![decision.on(RulingTest::of(what.clone()).estimating(*d, Some([low, high])))];
    tests.extend(decisions.none.map(|none| none.on(RulingTest::of(format!("t of no difference, {what}")))));
    let (from, to) = (cuts.place(low), cuts.place(high));
    let open = if from != to {
        Some(format!("{told} may be {}", touched(from, to).join(" or ")))
    } else if decision.rejected() {
        None
    } else {
        Some(format!("{told} lies in {} with its whole interval, and {}", BANDS[place], decision.why_open()))
    };
    let settled_by = open.as_ref().and_then(|_| values_to_clear(difference, cuts, levels.over(decision.in_time)?));
    let decided = open.is_none().then_some(BANDS[place]);
    let is_significant = decisions.none.is_some_and(|none| none.rejected());
    let hollow = (decided == Some("negligible") && is_significant)
        .then(|| format!("{told}: significant but not meaningful, the one and the other after Holm's correction"));
    let part = match &open {
        Some(reason) => part.because(reason.clone()),
        None => part,
    };
    let reason = [open, hollow].into_iter().flatten().collect::<Vec<_>>().join("; ");
    Placed { part, tests, decided, reason: (!reason.is_empty()).then_some(reason), settled_by }
}

/// The bands from one place to another, each once.
fn touched(from: usize, to: usize) -> Vec<&'static str> {
    let mut bands: Vec<&str> = Vec::new();
    for band in BANDS.iter().take(to + 1).skip(from) {
        if !bands.contains(band) {
            bands.push(band);
        }
    }
    bands
}

/// Values a side with which the interval would keep clear of the nearest edge, if d is what it seems to be: its error is near
/// `sqrt((2 + d^2 / 4) / n)` for n values a side (L. V. Hedges and I. Olkin, "Statistical Methods for Meta-Analysis", 1985,
/// chapter 5). Nothing for a d whose printed digits reach the edge.
fn values_to_clear(difference: &SizedDifference, cuts: &EffectCuts, levels: Levels) -> Option<u64> {
    let SizedDifference { d, half, n, .. } = difference;
    let apart = cuts.around(cuts.place(*d)).map(|edge| (d - edge).abs() - half).fold(f64::INFINITY, f64::min);
    let tail = (1.0 - levels.confidence.get()) / 2.0;
    let reach = -normal_quantile(tail).ok()? - normal_quantile(1.0 - levels.power.get()).ok()?;
    let needed = (2.0 + d * d / 4.0) * (reach / apart) * (reach / apart);
    let [a, b] = (*n)?;
    (apart > 0.0 && needed < 1e9).then(|| (needed.ceil() as u64).max(a.min(b).saturating_add(1)))
}

fn conclude(all: Vec<Placed>) -> Ruling {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for placed in &all {
        *counts.entry(placed.decided.unwrap_or("open")).or_insert(0) += 1;
    }
    let told: Vec<String> = counts.iter().map(|(band, count)| format!("{band} {count}")).collect();
    let told = format!("of {} differences: {}", all.len(), told.join(", "));
    let open = counts.remove("open").unwrap_or(0);
    let decided: Vec<&str> = counts.into_keys().collect();
    let ruling = match decided[..] {
        [only] if open == 0 => Ruling::decided(only).because(told),
        [_, _, ..] => Ruling::decided("mixed").because(told),
        _ => {
            let needed: Option<Vec<u64>> =
                all.iter().filter(|placed| placed.decided.is_none()).map(|placed| placed.settled_by).collect();
            Ruling::inconclusive(told).settled_by(needed.and_then(|needed| needed.into_iter().max()))
        }
    };
    all.into_iter()
        .fold(ruling, |ruling, placed| ruling.because_all(placed.reason).in_parts([placed.part]).tested(placed.tests))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Confidence, Power};
    use crate::verdict::rules::Standing;

    const COHEN: EffectCuts = EffectCuts { small: 0.2, medium: 0.5, large: 0.8 };

    fn difference(name: &str, d: f64, n: u64) -> SizedDifference {
        let key = BTreeMap::from([("model".to_owned(), name.to_owned())]);
        SizedDifference { key, d, half: 0.0, n: Some([n, n]), p: None, sources: vec![format!("t:{name}")] }
    }

    fn among(differences: Vec<SizedDifference>, cuts: EffectCuts, also_in_family: Vec<PValue>) -> Ruling {
        let also_in_family = also_in_family.into_iter().collect();
        let levels =
            Levels { confidence: Confidence::new(0.95).expect("a level"), power: Power::new(0.8).expect("a power") };
        effect_size(&EffectSizes { differences, cuts, levels, also_in_family })
    }

    fn ruled(d: f64, n: u64) -> Ruling {
        among(vec![difference("m", d, n)], COHEN, Vec::new())
    }

    #[test]
    fn the_whole_interval_lies_in_the_band_that_is_named() {
        // TR126's own, N = 1620 and 540 a side.
        assert_eq!(
            [ruled(-0.59, 1620), ruled(-1.21, 540), ruled(0.3, 3000)].map(|it| it.label),
            ["medium", "large", "small"]
        );
        assert_eq!(ruled(0.0, 1000).label, "negligible");
        let open = ruled(-0.18, 540);
        assert_eq!((open.standing, open.parts[0].label.as_str()), (Standing::Inconclusive, "negligible"));
        assert!(open.reasons[1].starts_with("m: d -0.180 may be small or negligible"), "{:?}", open.reasons);
        // Its interval is that of tests/reference/effect_intervals.json.
        assert_eq!(open.tests[0].interval, Some([-0.299_48, -0.060_437_1]));
        // (2 + 0.0081) (2.241403 + 0.841621)^2 / 0.02^2 = 47718 values a side: the band and no difference at all are two tests.
        assert_eq!(open.settled_by, Some(47_718));
    }

    #[test]
    fn what_is_significant_and_negligible_is_told_so() {
        let said = |ruling: &Ruling| ruling.reasons.iter().any(|it| it.contains("significant but not meaningful"));
        assert!(said(&ruled(0.1, 3000)));
        assert!(!said(&ruled(-0.18, 540)), "p is 0.003, and it may be small");
        assert!(!said(&ruled(0.026, 1890)), "p is 0.42");
        assert!(!said(&ruled(0.3, 3000)), "it is small");
        let own = SizedDifference { p: PValue::new(0.2).ok(), ..difference("m", 0.1, 3000) };
        assert!(!said(&among(vec![own], COHEN, Vec::new())), "the test of the values counts");
        // p of no difference is 0.0019, and that of the nearer edge 4e-6: of 32 tests the one stands and the other does not.
        let with = |others: usize| {
            let p = PValue::new(0.9).expect("a p");
            among(vec![difference("m", 0.08, 3000)], COHEN, vec![p; others])
        };
        assert!(said(&with(0)));
        assert_eq!((with(30).label.as_str(), said(&with(30))), ("negligible", false));
        let none = &with(30).tests[1];
        assert!(none.test.ends_with("Holm over 32") && none.p_adjusted > none.p, "{none:?}");
        // Digits that reach 0 leave nothing that is significant.
        let coarse = SizedDifference { half: 0.03, ..difference("m", 0.05, 9000) };
        assert!(!said(&among(vec![coarse.clone()], COHEN, Vec::new())));
        assert!(said(&among(vec![SizedDifference { half: 0.0, ..coarse }], COHEN, Vec::new())));
    }

    #[test]
    fn printed_digits_widen_the_interval() {
        let coarse = SizedDifference { half: 0.05, ..difference("m", -0.59, 1620) };
        assert_eq!(among(vec![coarse], COHEN, Vec::new()).standing, Standing::Inconclusive);
    }

    #[test]
    fn without_a_number_of_values_a_band_is_told_and_not_decided() {
        let printed = SizedDifference { n: None, ..difference("m", -1.21, 0) };
        let ruling = among(vec![printed], COHEN, Vec::new());
        assert_eq!((ruling.standing, ruling.parts[0].label.as_str()), (Standing::Inconclusive, "large"));
        assert!(ruling.reasons[1].ends_with("nothing says of how many values"), "{:?}", ruling.reasons);
    }

    #[test]
    fn differences_in_several_bands_are_mixed_and_an_open_one_leaves_the_rest_open() {
        let of = |sizes: &[(f64, u64)]| {
            let all = sizes.iter().enumerate().map(|(at, (d, n))| difference(&at.to_string(), *d, *n)).collect();
            among(all, COHEN, Vec::new())
        };
        assert_eq!(of(&[(2.0, 100), (-3.0, 100)]).label, "large", "whichever way");
        assert_eq!(of(&[(2.0, 100), (0.0, 9000)]).label, "mixed");
        assert_eq!(of(&[(2.0, 100), (0.8, 10)]).standing, Standing::Inconclusive);
        assert_eq!(of(&[]).standing, Standing::Invalid);
    }

    #[test]
    fn a_family_makes_a_band_harder_to_decide() {
        let with = |others: usize| {
            let p = PValue::new(0.9).expect("a p");
            among(vec![difference("m", -0.59, 1620)], COHEN, vec![p; others])
        };
        assert_eq!(with(0).label, "medium");
        let many = with(20);
        assert_eq!(many.standing, Standing::Inconclusive);
        assert!(many.reasons[1].contains("of 22 tests"), "{:?}", many.reasons);
        assert!(many.settled_by.is_some_and(|values| values > 1620), "{many:?}");
    }

    #[test]
    fn edges_belong_to_the_claims_that_the_report_gives_them_and_must_rise() {
        let band = |d: f64| BANDS[COHEN.place(d)];
        assert_eq!([0.199, 0.2, 0.5, 0.8, 0.801].map(band), ["negligible", "small", "medium", "medium", "large"]);
        assert_eq!([-0.2, -0.8, -0.81].map(band), ["small", "medium", "large"]);
        for cuts in [
            EffectCuts { small: 0.0, ..COHEN },
            EffectCuts { medium: 0.9, ..COHEN },
            EffectCuts { large: f64::NAN, ..COHEN },
        ] {
            assert_eq!(among(vec![difference("m", 1.0, 9)], cuts, Vec::new()).standing, Standing::Invalid);
        }
        assert_eq!(ruled(f64::NAN, 9).standing, Standing::Invalid);
    }
}
