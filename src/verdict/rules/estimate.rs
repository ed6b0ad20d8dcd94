//! A number with what is known of its error, and how many launches would make that error small enough.

use std::ops::Deref;

use crate::stats::distribution::{normal_quantile, student_t_upper_quantile};
use crate::stats::{
    Alpha, Confidence, Effect, FamilyDecision, Margin, PValue, Pairing, Power, difference_test, holm,
    launches_for_difference, launches_for_equivalence,
};
use crate::verdict::rounding::round_p;

use super::RulingTest;

/// A number with what is known of its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Its two-sided confidence interval, at the confidence that the rule's input states; absent where the source prints
    /// none.
    pub interval: Option<[f64; 2]>,
    /// Launches a side that it was formed from, the fewer of both, or iterations where the plan counts these; absent where the
    /// source does not say.
    pub launches: Option<u64>,
}

impl Estimate {
    /// A number without any statement of its error.
    #[must_use]
    pub fn printed(value: f64) -> Self {
        Self { value, interval: None, launches: None }
    }

    /// What makes it unusable, if anything does. `what` names it in the sentence.
    pub(super) fn fault(&self, what: &str) -> Option<String> {
        if !self.value.is_finite() {
            return Some(format!("{what} is {}, not a finite number", self.value));
        }
        let [low, high] = self.interval?;
        if !low.is_finite() || !high.is_finite() {
            return Some(format!("the interval of {what} runs from {low} to {high}, which is not finite"));
        }
        (!(low..=high).contains(&self.value)).then(|| {
            format!("the interval of {what} runs from {low} to {high} and does not hold its value {}", self.value)
        })
    }

    /// Launches a side with which the interval would keep clear of `edge`, if the value is what it seems to be.
    pub(in crate::verdict) fn launches_to_clear(&self, edge: f64, levels: Levels) -> Option<u64> {
        let ([low, high], launches) = (self.interval?, self.launches?);
        let reach = (high - low) / 2.0;
        let df = 2.0 * launches as f64 - 2.0;
        let quantile = student_t_upper_quantile((1.0 - levels.confidence.get()) / 2.0, df).ok()?;
        let effect = Effect::new(self.value - edge, reach / quantile, df).ok()?;
        let alpha = Alpha::new(1.0 - levels.confidence.get()).ok()?;
        let d = in_deviations(effect.difference(), &effect, (launches, Pairing::Unpaired))?;
        let needed = launches_for_difference(Pairing::Unpaired, d, alpha, levels.power).ok()?;
        Some(needed.max(launches.saturating_add(1)))
    }
}

/// How sure an interval is, and how likely a larger experiment is to settle what this one leaves open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Confidence of the intervals.
    pub confidence: Confidence,
    /// Power that the stated number of repetitions is to have.
    pub power: Power,
}

impl Levels {
    /// The same for each of so many tests, so that it holds for all of them together (Bonferroni).
    pub(super) fn over(self, tests: usize) -> Option<Self> {
        let alpha = (1.0 - self.confidence.get()) / tests.max(1) as f64;
        Some(Self { confidence: Confidence::new(1.0 - alpha).ok()?, ..self })
    }
}

/// The other tests of a plan's family: their p values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OtherTests {
    tests: Vec<PValue>,
    /// What so few launches could not decide whatever came of them: no test now, and one of the family with more.
    later: usize,
}

impl OtherTests {
    /// The same, and so many that ask nothing yet.
    #[must_use]
    pub fn and_later(mut self, more: usize) -> Self {
        self.later += more;
        self
    }

    /// These before the others.
    #[must_use]
    pub fn after(&self, own: impl IntoIterator<Item = PValue>) -> Self {
        Self { tests: own.into_iter().chain(self.tests.iter().copied()).collect(), later: self.later }
    }

    /// These and those.
    pub(in crate::verdict) fn beside(self, first: &Self) -> Self {
        self.after(first.iter().copied()).and_later(first.later)
    }

    /// How many ask nothing yet.
    pub(in crate::verdict) fn later(&self) -> usize {
        self.later
    }

    /// How many they are once all of them ask, by which it is planned what would settle something.
    pub(in crate::verdict) fn in_time(&self) -> usize {
        self.tests.len() + self.later
    }
}

impl Deref for OtherTests {
    type Target = [PValue];

    fn deref(&self) -> &[PValue] {
        &self.tests
    }
}

impl FromIterator<PValue> for OtherTests {
    fn from_iter<I: IntoIterator<Item = PValue>>(tests: I) -> Self {
        Self { tests: tests.into_iter().collect(), later: 0 }
    }
}

/// A test in the plan's family: its decision after Holm, how many tests the family holds, and how many it will.
#[derive(Debug, Clone, Copy)]
pub(super) struct InFamily {
    decision: FamilyDecision,
    size: usize,
    pub(super) in_time: usize,
}

impl InFamily {
    /// The test with `p` among `others`, at the level that `confidence` leaves.
    pub(super) fn of(p: PValue, others: &OtherTests, confidence: Confidence) -> Option<Self> {
        let family = others.after([p]);
        let alpha = Alpha::new(1.0 - confidence.get()).ok()?;
        Some(Self { decision: *holm(&family, alpha).first()?, size: family.len(), in_time: family.in_time() })
    }

    /// Each of a rule's own tests, among themselves and `others`; nothing for what is no test.
    pub(super) fn each(own: &[Option<PValue>], others: &OtherTests, confidence: Confidence) -> Vec<Option<Self>> {
        let family = others.after(own.iter().flatten().copied());
        let (size, in_time) = (family.len(), family.in_time());
        let decided = Alpha::new(1.0 - confidence.get()).map(|alpha| holm(&family, alpha)).unwrap_or_default();
        let mut decided = decided.into_iter();
        own.iter().map(|p| p.and_then(|_| Some(Self { decision: decided.next()?, size, in_time }))).collect()
    }

    /// Whether the test rejects in the family.
    pub(super) fn rejected(&self) -> bool {
        self.decision.rejected
    }

    /// The same of a test that an interval turns round. A single one is decided by its interval as it stands.
    pub(super) fn holds(&self) -> bool {
        self.size == 1 || self.decision.rejected
    }

    /// Whether the test would reject if it were the only one.
    pub(super) fn alone(&self, alpha: Alpha) -> bool {
        self.decision.p.is_below(alpha)
    }

    /// Why an interval decides nothing that keeps clear of every edge.
    pub(super) fn why_open(&self) -> String {
        let Self { decision, size, .. } = self;
        let adjusted = round_p(decision.adjusted);
        match size {
            1 => format!("that may be so by chance: p {adjusted}"),
            _ => format!("of {size} tests in the plan's family one may do so by chance: adjusted p {adjusted}"),
        }
    }

    /// The test with both p values, and the family in its name.
    pub(super) fn on(&self, mut test: RulingTest) -> RulingTest {
        test.test = format!("{}, Holm over {}", test.test, self.size);
        test.p(self.decision.p, Some(self.decision.adjusted))
    }
}

/// The p value of the two-sided Student test that a number is `edge`, which its interval at `confidence` with `df` degrees of
/// freedom turns round: 1 - confidence where the interval ends at the edge. Of an interval that is longer to one side the side
/// counts on which the edge lies. Nothing without an interval.
pub(super) fn p_of_clearing(estimate: &Estimate, edge: f64, confidence: Confidence, df: f64) -> Option<PValue> {
    let [low, high] = estimate.interval?;
    let reach = if edge < estimate.value { estimate.value - low } else { high - estimate.value };
    if reach == 0.0 {
        return PValue::new(if edge == estimate.value { 1.0 } else { 0.0 }).ok();
    }
    let quantile = student_t_upper_quantile((1.0 - confidence.get()) / 2.0, df).ok()?;
    Some(difference_test(&Effect::new(estimate.value - edge, reach / quantile, df).ok()?).ok()?.p)
}

/// Launches a side that would show a difference to lie inside or outside `margin`, if it is what it seems to be:
/// equivalence for one inside, a difference for one outside, each at its level. Nothing for a difference on the margin's edge,
/// which no number settles.
///
/// `null` is the difference with the error by which it is tested against 0; equivalence is by that of `effect`.
pub(in crate::verdict) fn launches_to_decide(
    [effect, null]: [&Effect; 2],
    (launches, pairing): (u64, Pairing),
    margin: Margin,
    [of_equivalence, of_difference]: [Alpha; 2],
    power: Power,
) -> Option<u64> {
    let needed = if effect.difference().abs() < margin.get() {
        let d = in_deviations(effect.difference(), effect, (launches, pairing))?;
        let margin = Margin::absolute(in_deviations(margin.get(), effect, (launches, pairing))?).ok()?;
        launches_for_equivalence(pairing, d, margin, of_equivalence, power).ok()?
    } else if effect.difference().abs() > margin.get() {
        let d = in_deviations(effect.difference(), null, (launches, pairing))?;
        launches_for_difference(pairing, d, of_difference, power).ok()?
    } else {
        return None;
    };
    Some(needed.max(launches.saturating_add(1)))
}

/// Runs with which Fisher's interval of a correlation of `r` would keep clear of `edge`, if it is what it seems to be; `runs`
/// are those that there are. Nothing for a correlation on the edge, or of 1.
pub(super) fn runs_to_clear(r: f64, edge: f64, runs: u64, levels: Levels) -> Option<u64> {
    let apart = (libm::atanh(r) - libm::atanh(edge)).abs();
    let tail = (1.0 - levels.confidence.get()) / 2.0;
    let reach = -normal_quantile(tail).ok()? - normal_quantile(1.0 - levels.power.get()).ok()?;
    // The transformed correlation has a standard error of 1 / sqrt(n - 3) (R. A. Fisher, Metron 1, 1921).
    let needed = 3.0 + (reach / apart) * (reach / apart);
    (r.abs() < 1.0 && needed < 1e9).then(|| (needed.ceil() as u64).max(runs.saturating_add(1)))
}

/// `difference` in standard deviations of one launch, for an effect whose standard error is `sd sqrt(2 / launches)`, or of one pair
/// of launches, where it is `sd / sqrt(launches)`.
fn in_deviations(difference: f64, effect: &Effect, (launches, pairing): (u64, Pairing)) -> Option<f64> {
    let sides = if pairing == Pairing::Paired { 1.0 } else { 2.0 };
    let d = difference / (effect.se() * (launches as f64 / sides).sqrt());
    d.is_finite().then_some(d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels() -> Levels {
        Levels { confidence: Confidence::new(0.95).expect("a level"), power: Power::new(0.8).expect("a power") }
    }

    #[test]
    fn an_interval_that_leaves_its_value_out_is_a_fault_and_so_is_one_without_ends() {
        let with = |interval| Estimate { value: 1.0, interval: Some(interval), launches: None };
        assert_eq!(with([0.0, 2.0]).fault("it"), None);
        assert_eq!(with([1.0, 1.0]).fault("it"), None);
        for bad in [[1.1, 2.0], [2.0, 0.0], [f64::NAN, 2.0], [0.0, f64::INFINITY]] {
            assert!(with(bad).fault("it").is_some(), "{bad:?}");
        }
        assert!(Estimate::printed(f64::NAN).fault("it").is_some_and(|reason| reason.contains("NaN")));
    }

    #[test]
    fn clearing_a_nearer_edge_takes_more_launches_and_clearing_ones_own_value_is_impossible() {
        let estimate = Estimate { value: 4.0, interval: Some([1.0, 7.0]), launches: Some(5) };
        let far = estimate.launches_to_clear(0.0, levels()).expect("a number");
        let near = estimate.launches_to_clear(3.0, levels()).expect("a number");
        assert!(5 < far && far < near, "{far} {near}");
        assert_eq!(estimate.launches_to_clear(4.0, levels()), None);
        assert_eq!(Estimate::printed(4.0).launches_to_clear(3.0, levels()), None);
    }

    #[test]
    fn launches_that_decide_are_those_of_the_planning_statistics() {
        // sd = se sqrt(n / 2) = 1 for se = sqrt(2 / 4).
        let alpha = Alpha::new(0.05).expect("a level");
        let margin = Margin::absolute(0.5).expect("a margin");
        let decide = |difference, tests| {
            let effect = Effect::new(difference, 0.5_f64.sqrt(), 6.0).expect("an effect");
            let among = Alpha::new(alpha.get() / tests).expect("a level");
            launches_to_decide([&effect, &effect], (4, Pairing::Unpaired), margin, [alpha, among], levels().power)
        };
        // statsmodels: TTestIndPower().solve_power(1.0, power=0.8, alpha=0.05) = 16.7.
        assert_eq!(decide(1.0, 1.0), Some(17));
        assert!(decide(1.0, 10.0) > decide(1.0, 1.0));
        assert_eq!(decide(0.5, 1.0), None);
        let inside = launches_for_equivalence(Pairing::Unpaired, 0.1, margin, alpha, levels().power).expect("a number");
        assert_eq!(decide(0.1, 10.0), Some(inside));
        let by_either = |difference: f64| {
            let effect = |se: f64| Effect::new(difference, se, 6.0).expect("an effect");
            launches_to_decide(
                [&effect(0.5_f64.sqrt()), &effect(0.1)],
                (4, Pairing::Unpaired),
                margin,
                [alpha; 2],
                levels().power,
            )
        };
        assert!(by_either(1.0) < decide(1.0, 1.0), "a difference is found by the error that it is tested by");
        assert_eq!(by_either(0.1), decide(0.1, 1.0));
    }

    #[test]
    fn runs_that_settle_a_correlation_are_those_of_fishers_transform() {
        // (1.959964 + 0.841621)^2 / (atanh 0.9 - atanh 0.8)^2 + 3 = 59.2.
        assert_eq!(runs_to_clear(0.9, 0.8, 6, levels()), Some(60));
        assert_eq!(runs_to_clear(0.9, 0.8, 100, levels()), Some(101));
        assert_eq!([runs_to_clear(0.8, 0.8, 6, levels()), runs_to_clear(1.0, 0.8, 6, levels())], [None, None]);
    }
}
