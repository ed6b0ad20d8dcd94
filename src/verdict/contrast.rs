//! Two lanes compared on time, cell by cell.
//!
//! Within a segment: Welch's test, interval and TOST on the launches' numbers, as percent of the baseline's mean, whose own
//! error the interval and TOST carry. Over segments: inverse-variance pooling of those effects; never a comparison across
//! segments.

use std::collections::{BTreeMap, BTreeSet};

use super::reduce::{Entry, LaunchTime, Table};
use super::rounding::{round, round_p, round_pair};
use super::rules::{Levels, MIN_LAUNCHES, OtherTests};
use super::{ContrastCell, Error, Finding, parallel};
use crate::plan::{Contrast, Hypothesis, HypothesisKind, Plan};
use crate::stats::{
    Alpha, Confidence, Effect, EquivalenceTests, Heterogeneity, Interval, Margin, PValue, Power, RelativeEffect,
    Replicates, StudentIntervals, Tost, Welch, cohen_d, detectable_differences, difference_interval, difference_test,
    holm, pool_relative, relative_effect, welch,
};
use crate::terms::{Cell, CellId, Phase};

/// Baseline, candidate, cell.
pub(super) type Comparison<'a> = (&'a str, &'a str, &'a CellId);

/// All comparisons that a plan asks for, each tested once, adjusted as one family with what the plan's rules test.
pub(super) struct Comparisons<'a> {
    tested: BTreeMap<Comparison<'a>, Tested>,
    pub(super) families: Families,
    intervals: StudentIntervals,
    equivalence: EquivalenceTests,
}

/// How many tests were adjusted together.
pub(super) struct Families {
    /// Those of the plan: of its contrasts and its rules.
    pub(super) plan: usize,
    /// Those of its negative controls.
    pub(super) controls: usize,
    /// What of the plan asks nothing of so few launches, and is a test with more.
    pub(super) later: usize,
    /// Those of which lane went first.
    pub(super) orders: usize,
    /// What the plan may find equivalent: each contrast, not each of its cells, and each test of its rules.
    pub(super) equivalence: usize,
    /// The same of its negative controls.
    pub(super) equivalence_of_controls: usize,
    /// Cells of two phases that are held apart, either way round.
    pub(super) phase_pairs: usize,
}

/// What of a plan's contrasts is asked beside whether there is a difference.
pub(super) struct Claims {
    /// How many findings of equivalence its contrasts may come to.
    pub(super) contrasts: usize,
    /// The same of its negative controls.
    pub(super) controls: usize,
    /// Cells of two phases that are held apart, either way round.
    pub(super) phase_pairs: usize,
}

impl Families {
    /// Among how many tests a contrast's differences and its equivalence stand.
    pub(super) fn around(&self, is_control: bool) -> [usize; 2] {
        if is_control { [self.controls, self.equivalence_of_controls] } else { [self.plan, self.equivalence] }
    }
}

/// How many findings of equivalence these hypotheses may come to, those of one question once. That of a contrast needs every cell to
/// pass its own test, which makes it no likelier; of several contrasts one is likelier to. Phases that are held apart are found
/// equivalent each by itself.
pub(super) fn claims<'a>(hypotheses: impl Iterator<Item = &'a Hypothesis>) -> usize {
    let mut asked: BTreeSet<(&str, &str, u64, Vec<Phase>)> = BTreeSet::new();
    for hypothesis in hypotheses {
        let (contrast, apart) = match &hypothesis.kind {
            HypothesisKind::Contrast(contrast) => (contrast, vec![contrast.phases.clone()]),
            HypothesisKind::PhaseSeparation(contrast) => {
                (contrast, contrast.phases.iter().map(|it| vec![*it]).collect())
            }
            HypothesisKind::TokensIdentical { .. } | HypothesisKind::Ruled { .. } => continue,
        };
        let Contrast { baseline, candidate, margin_pct, .. } = contrast;
        asked.extend(apart.into_iter().map(|phases| (&**baseline, &**candidate, margin_pct.to_bits(), phases)));
    }
    asked.len()
}

/// A comparison before its margin is known.
#[derive(Debug, Clone)]
struct Tested {
    launches: [u64; 2],
    mean_ms: [f64; 2],
    /// Candidate minus baseline, in percent of the baseline's mean.
    effect: Option<RelativeEffect>,
    /// p-value of the test that it is 0.
    p: Option<PValue>,
    cohen_d: Option<f64>,
    p_adjusted: Option<PValue>,
    /// Minimal detectable effect, in percent: what Welch's test finds, which is a test of the null effect.
    mde_pct: Option<f64>,
    order: Option<OrderEffect>,
    note: Option<String>,
}

/// How far the result depends on which lane went first.
#[derive(Debug, Clone)]
struct OrderEffect {
    effect: Effect,
    p_adjusted: PValue,
}

impl<'a> Comparisons<'a> {
    /// `of_rules` holds the p values of the plan's decision rules, `claims` what else its contrasts ask.
    pub(super) fn of(
        plan: &Plan,
        table: &Table,
        wanted: &BTreeSet<Comparison<'a>>,
        controls: &BTreeSet<Comparison<'a>>,
        of_rules: &OtherTests,
        claims: &Claims,
    ) -> Result<Self, Error> {
        let alpha = Alpha::new(plan.statistics.alpha)?;
        let tested = parallel::map(table.threads, wanted.iter().collect(), |comparison| {
            let (baseline, candidate, cell) = *comparison;
            let (base, cand) = (table.entry(baseline, cell)?, table.entry(candidate, cell)?);
            Some((*comparison, test(plan, base, cand)))
        });
        let mut tested: BTreeMap<Comparison<'_>, Tested> = tested.into_iter().flatten().collect();
        let (changes, nulls): (Vec<Effect>, Vec<Effect>) =
            tested.values().filter_map(|tested| tested.effect).map(|effect| (effect.change, effect.null)).unzip();
        let (power, confidence) = (Power::new(plan.statistics.power)?, Confidence::new(1.0 - plan.statistics.alpha)?);
        let (others, detectable) = parallel::both(
            table.threads,
            || -> Result<_, Error> {
                adjust(&mut tested, controls, of_rules, alpha);
                with_order_effects(&mut tested, table, alpha);
                let intervals = StudentIntervals::of(confidence, changes.iter().map(Effect::df))?;
                Ok((intervals, EquivalenceTests::of(alpha, changes.iter().map(Effect::df))?))
            },
            || detectable_differences(&nulls, alpha, power),
        );
        let (intervals, equivalence) = others?;
        for (tested, mde_pct) in tested.values_mut().filter(|tested| tested.effect.is_some()).zip(detectable?) {
            tested.mde_pct = Some(mde_pct);
        }
        let count = |of: &dyn Fn(&Comparison<'_>, &Tested) -> bool| tested.iter().filter(|(at, it)| of(at, it)).count();
        let families = Families {
            plan: count(&|at, it| it.p.is_some() && !controls.contains(at)) + of_rules.len(),
            controls: count(&|at, it| it.p.is_some() && controls.contains(at)),
            later: of_rules.later() + count(&|at, it| it.p.is_none() && !controls.contains(at)),
            orders: count(&|_, it| it.order.is_some()),
            equivalence: claims.contrasts + of_rules.len(),
            equivalence_of_controls: claims.controls,
            phase_pairs: claims.phase_pairs,
        };
        Ok(Self { tested, families, intervals, equivalence })
    }

    /// What the comparisons add to the plan's family. `controls` are a family of their own.
    pub(super) fn family(&self, controls: &BTreeSet<Comparison<'_>>) -> OtherTests {
        let tested = || self.tested.iter().filter(|(comparison, _)| !controls.contains(comparison)).map(|(_, it)| it.p);
        let later = tested().filter(Option::is_none).count();
        tested().flatten().collect::<OtherTests>().and_later(later)
    }

    /// The interval of the contrast's difference in a cell, so that every two cells of phases which the plan holds apart hold
    /// together (Bonferroni).
    pub(super) fn held_apart(&self, plan: &Plan, contrast: &Contrast, id: &CellId) -> Option<[f64; 2]> {
        let tested = self.tested.get(&(contrast.baseline.as_str(), contrast.candidate.as_str(), id))?;
        let effect = tested.effect.as_ref().filter(|_| tested.note.is_none())?;
        let interval = difference_interval(&effect.change, self.of_phases(plan).ok()?.confidence).ok()?;
        Some([interval.low, interval.high])
    }

    /// How sure that interval is, and what would settle it.
    pub(super) fn of_phases(&self, plan: &Plan) -> Result<Levels, Error> {
        let confidence = Confidence::new(1.0 - plan.statistics.alpha / self.families.phase_pairs.max(1) as f64)?;
        Ok(Levels { confidence, power: Power::new(plan.statistics.power)? })
    }

    /// The contrast's result in `cell`.
    pub(super) fn cell(
        &self,
        plan: &Plan,
        contrast: &Contrast,
        id: &CellId,
        cell: &Cell,
    ) -> Result<ContrastCell, Error> {
        let key = (contrast.baseline.as_str(), contrast.candidate.as_str(), id);
        let mut result = ContrastCell {
            cell: id.clone(),
            phase: cell.phase,
            finding: Finding::CouldNotTell,
            launches: [0, 0],
            mean_ms: [0.0, 0.0],
            difference_pct: None,
            interval_pct: None,
            tost_interval_pct: None,
            cohen_d: None,
            p: None,
            p_adjusted: None,
            p_tost: None,
            p_tost_adjusted: None,
            mde_pct: None,
            note: None,
        };
        let Some(tested) = self.tested.get(&key) else { return Ok(result) };
        result.launches = tested.launches;
        result.mean_ms = round_pair(tested.mean_ms);
        result.cohen_d = tested.cohen_d.map(round);
        result.note.clone_from(&tested.note);
        let Some(RelativeEffect { change: effect, .. }) = &tested.effect else { return Ok(result) };
        let interval = self.intervals.difference(effect)?;
        let equivalence = self.equivalence.tost(effect, Margin::absolute(contrast.margin_pct)?)?;
        let [_, tests] = self.families.around(contrast.negative_control);
        fill(&mut result, plan, contrast, tested, effect, (interval, equivalence, tests))?;
        Ok(result)
    }
}

/// Puts the effect's numbers and the finding into `result`. The test of equivalence is one of so many (Bonferroni): that another
/// contrast is sure to be different says nothing of whether this one is equivalent.
fn fill(
    result: &mut ContrastCell,
    plan: &Plan,
    contrast: &Contrast,
    tested: &Tested,
    effect: &Effect,
    (interval, equivalence, tests): (Interval, Tost, usize),
) -> Result<(), Error> {
    let alpha = Alpha::new(plan.statistics.alpha)?;
    result.difference_pct = Some(round(effect.difference()));
    result.interval_pct = Some(round_pair([interval.low, interval.high]));
    result.tost_interval_pct = Some(round_pair([equivalence.interval.low, equivalence.interval.high]));
    result.p = tested.p.map(round_p);
    result.p_adjusted = tested.p_adjusted.map(round_p);
    let of_equivalence = equivalence.p.times(tests as f64);
    result.p_tost = Some(round_p(equivalence.p));
    result.p_tost_adjusted = Some(round_p(of_equivalence));
    result.mde_pct = tested.mde_pct.map(round);
    if tested.note.is_some() {
        return Ok(());
    }
    let different = tested.p_adjusted.is_some_and(|p| p.is_below(alpha));
    let equivalent = equivalence.equivalent && of_equivalence.is_below(alpha);
    result.finding = match (&tested.order, equivalent, different) {
        (Some(order), ..)
            if order.p_adjusted.is_below(alpha) && order.effect.difference().abs() > contrast.margin_pct =>
        {
            result.note = Some(format!(
                "the difference depends on which lane goes first by {} percentage points (adjusted p {})",
                round(order.effect.difference()),
                round_p(order.p_adjusted)
            ));
            Finding::Void
        }
        (_, true, _) => Finding::Equivalent,
        (_, false, true) if effect.difference() < 0.0 => Finding::Faster,
        (_, false, true) => Finding::Slower,
        (_, false, false) => Finding::CouldNotTell,
    };
    Ok(())
}

fn test(plan: &Plan, base: &Entry, cand: &Entry) -> Tested {
    let mean = |entry: &Entry| entry.launches.iter().map(|l| l.ms).sum::<f64>() / (entry.launches.len().max(1) as f64);
    let mut tested = Tested {
        launches: [base.launches.len() as u64, cand.launches.len() as u64],
        mean_ms: [mean(base), mean(cand)],
        effect: None,
        p: None,
        cohen_d: None,
        p_adjusted: None,
        mde_pct: None,
        order: None,
        note: coverage_note(plan, base, cand),
    };
    match compare(&base.launches, &cand.launches) {
        Ok(Compared { effect, heterogeneity, p, cohen_d }) => {
            if let Some(apart) = heterogeneity.filter(|h| h.p.get() < plan.statistics.alpha) {
                let note = format!("the segments do not agree on one difference (p {})", round_p(apart.p));
                tested.note = tested.note.or(Some(note));
            }
            tested.effect = Some(effect);
            tested.p = Some(p);
            tested.cohen_d = Some(cohen_d);
        }
        Err(note) => tested.note = tested.note.or(Some(note)),
    }
    tested
}

/// Why the floor of coverage is not reached, if it is not.
fn coverage_note(plan: &Plan, base: &Entry, cand: &Entry) -> Option<String> {
    for (side, entry) in [("baseline", base), ("candidate", cand)] {
        let launches = entry.replicates();
        let floor = u64::from(plan.coverage.min_launches).max(MIN_LAUNCHES);
        if launches < floor {
            return Some(format!(
                "the {side} has {launches} launches in segments of at least two, below the floor of {floor}"
            ));
        }
        let share = entry.ok as f64 / entry.planned.max(1) as f64;
        if share < plan.coverage.min_ok_share {
            return Some(format!(
                "{} of the {side}'s {} repetitions are ok, below the floor of {}",
                entry.ok, entry.planned, plan.coverage.min_ok_share
            ));
        }
    }
    None
}

/// What the launches of two lanes say together.
struct Compared {
    /// Candidate minus baseline, in percent of the baseline's mean.
    effect: RelativeEffect,
    heterogeneity: Option<Heterogeneity>,
    p: PValue,
    /// Weighted by launches.
    cohen_d: f64,
}

/// Segment by segment, and pooled; or why there is no effect.
fn compare(base: &[LaunchTime], cand: &[LaunchTime]) -> Result<Compared, String> {
    let mut segments: Vec<u32> = base.iter().chain(cand).map(|launch| launch.segment).collect();
    segments.sort_unstable();
    segments.dedup();
    let (mut effects, mut weighted_d, mut weight) = (Vec::new(), 0.0, 0.0);
    for segment in segments {
        let side = |list: &[LaunchTime]| list.iter().filter(|l| l.segment == segment).map(|l| l.ms).collect::<Vec<_>>();
        let (base, cand) = (side(base), side(cand));
        if base.len() < 2 || cand.len() < 2 {
            continue;
        }
        let launches = (base.len() + cand.len()) as f64;
        let (base, cand) = (replicates(base)?, replicates(cand)?);
        effects.push(relative_effect(&cand, &base).map_err(|error| error.to_string())?);
        weighted_d += launches * cohen_d(&cand, &base).map_err(|error| error.to_string())?.d;
        weight += launches;
    }
    if effects.is_empty() {
        return Err("no segment has two launches of each lane".to_owned());
    }
    let (effect, heterogeneity) = pool_relative(&effects).map_err(|error| error.to_string())?;
    let p = difference_test(&effect.null).map_err(|error| error.to_string())?.p;
    Ok(Compared { effect, heterogeneity, p, cohen_d: weighted_d / weight })
}

fn replicates(values: Vec<f64>) -> Result<Replicates, String> {
    Replicates::new(values).map_err(|error| error.to_string())
}

/// Holm's adjustment: one family of the negative controls, one of everything else that the plan tests, be it asked as a contrast
/// or by a rule. A control guards the others, and a large family around it would make it deaf.
fn adjust(
    tested: &mut BTreeMap<Comparison<'_>, Tested>,
    controls: &BTreeSet<Comparison<'_>>,
    of_rules: &[PValue],
    alpha: Alpha,
) {
    for guards in [true, false] {
        let mine = |comparison: &Comparison<'_>| controls.contains(comparison) == guards;
        let own = tested.iter().filter(|(comparison, _)| mine(comparison)).filter_map(|(_, tested)| tested.p);
        let others = if guards { &[] } else { of_rules };
        let family: Vec<PValue> = own.chain(others.iter().copied()).collect();
        let mut adjusted = holm(&family, alpha).into_iter();
        for (comparison, tested) in tested.iter_mut() {
            if tested.p.is_some() && mine(comparison) {
                tested.p_adjusted = adjusted.next().map(|decision| decision.adjusted);
            }
        }
    }
}

/// Puts in the order effects of all comparisons, adjusted as a family of their own.
fn with_order_effects(tested: &mut BTreeMap<Comparison<'_>, Tested>, table: &Table, alpha: Alpha) {
    let found: Vec<Option<Welch>> = tested
        .keys()
        .map(|(baseline, candidate, cell)| {
            order_effect(&table.entry(baseline, cell)?.launches, &table.entry(candidate, cell)?.launches)
        })
        .collect();
    let family: Vec<PValue> = found.iter().flatten().map(|found| found.test.p).collect();
    let mut adjusted = holm(&family, alpha).into_iter();
    for (tested, found) in tested.values_mut().zip(found) {
        if let Some((found, decision)) = found.and_then(|found| Some((found, adjusted.next()?))) {
            tested.order = Some(OrderEffect { effect: found.effect, p_adjusted: decision.adjusted });
        }
    }
}

/// The blocks where the baseline went first against those where it went second: candidate minus baseline within each
/// block, in percent. Nothing with fewer than two blocks of either order, or without spread.
fn order_effect(base: &[LaunchTime], cand: &[LaunchTime]) -> Option<Welch> {
    let (mut first, mut second) = (Vec::with_capacity(base.len()), Vec::with_capacity(base.len()));
    let block = |launch: &LaunchTime| (launch.segment, launch.block);
    for (at, b) in base.iter().enumerate() {
        // A block that was interrupted has several launches of a lane; its first stands for it.
        if base.iter().take(at).any(|before| block(before) == block(b)) {
            continue;
        }
        let Some(c) = cand.iter().find(|c| block(c) == block(b)) else { continue };
        let difference = 100.0 * (c.ms - b.ms) / b.ms;
        if b.launch < c.launch { first.push(difference) } else { second.push(difference) }
    }
    let (first, second) = (Replicates::new(first).ok()?, Replicates::new(second).ok()?);
    welch(&first, &second).ok()
}

/// What several cells say together. `Faster` and `Slower`: at least one cell shows it and none shows anything else.
/// `Equivalent`: every cell shows it. `Mixed`: cells show different things.
pub(super) fn together<'a>(cells: impl IntoIterator<Item = &'a ContrastCell>) -> Finding {
    let findings: BTreeSet<Finding> = cells.into_iter().map(|cell| cell.finding).collect();
    let decided: Vec<Finding> = findings.iter().copied().filter(|finding| *finding != Finding::CouldNotTell).collect();
    match decided[..] {
        _ if findings.contains(&Finding::Void) => Finding::Void,
        [] => Finding::CouldNotTell,
        [Finding::Equivalent] if findings.len() > 1 => Finding::CouldNotTell,
        [only] => only,
        _ => Finding::Mixed,
    }
}
