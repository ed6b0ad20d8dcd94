//! The verdict on a published report: one ruling for each hypothesis, and one conclusion.

use super::adapt::{Ruled, falsification_ladder, hang_rule, pairs_rule};
use super::crashes::{boundary_rule, portability_rule, reproduction_rule, rescue_rule};
use super::criteria::{
    correlation_rule, difference_rule, effect_rule, efficiency_rule, mean_contrast_rule, saturation_rule, stated_rule,
};
use super::evidence::{decomposition_rule, licence_rule, single_delta_rule};
use super::gates::{cold_start_rule, promotion_rule};
use super::tables::{Gap, Tables};
use super::{AtLaunchLevel, ImportedFacts, PublishedHypothesis, PublishedVerdict, SourceFile};
use crate::journal::{ImportedFrom, Journal};
use crate::plan::{Design, DesignHypothesis, Replication, Rule};
use crate::verdict::rules::{Ruling, Standing};
use crate::verdict::{Conclusion, Error};

/// Format version of [`PublishedVerdict`].
const FORMAT: u32 = 1;

/// Judges the imported `journal` by `design`. Pure: the same bytes give an equal verdict on any host.
///
/// # Errors
/// Design and journal are no pair. A bad result is no error.
pub fn judge_published(design: &Design, journal: &Journal) -> Result<PublishedVerdict, Error> {
    let imported = imported_facts(design, journal)?;
    let tables = Tables::of(journal);
    let mut hypotheses: Vec<PublishedHypothesis> = Vec::with_capacity(design.hypotheses.len());
    for DesignHypothesis { name, claim, expect, rule } in &design.hypotheses {
        let ruling = match launch_gap(design, rule) {
            Some(gap) => Err(gap),
            None => ruled(&tables, design, rule, &hypotheses)?,
        };
        hypotheses.push(PublishedHypothesis {
            name: name.clone(),
            claim: claim.clone(),
            kind: rule.kind().to_owned(),
            expected: expect.clone(),
            ruling: ruling.unwrap_or_else(|Gap(reason)| Ruling::invalid(reason)),
        });
    }
    let (conclusion, reasons) = conclude(&hypotheses);
    Ok(PublishedVerdict {
        format: FORMAT,
        plan: design.name.clone(),
        plan_sha256: design.digest(),
        report: design.published.report.clone(),
        conclusion,
        reasons,
        replication: design.published.replication,
        at_launch_level: at_launch_level(design),
        alpha: design.published.alpha,
        imported,
        hypotheses,
    })
}

fn ruled(tables: &Tables<'_>, design: &Design, rule: &Rule, before: &[PublishedHypothesis]) -> Ruled {
    let published = &design.published;
    match rule {
        Rule::FalsificationLadder(rule) => falsification_ladder(tables, rule, published),
        Rule::HangLedger(rule) => hang_rule(tables, rule, published),
        Rule::MatchedPairs(rule) => pairs_rule(tables, rule, published),
        Rule::SingleDelta(rule) => Ok(single_delta_rule(tables, rule)),
        Rule::AxisDecomposition(rule) => Ok(decomposition_rule(tables, rule)),
        Rule::Licence(rule) => Ok(Ok(licence_rule(tables, rule, before))),
        Rule::CorrelationCriterion(rule) => correlation_rule(tables, rule, published),
        Rule::Saturation(rule) => Ok(saturation_rule(tables, rule)),
        Rule::StatedDifferences(rule) => Ok(stated_rule(tables, rule)),
        Rule::ParallelEfficiency(rule) => Ok(efficiency_rule(tables, rule)),
        Rule::MeanContrast(rule) => mean_contrast_rule(tables, rule, published),
        Rule::DifferenceCriterion(rule) => difference_rule(tables, rule, published),
        Rule::EffectBand(rule) => effect_rule(tables, rule, published),
        Rule::StaticCacheRescue(rule) => rescue_rule(tables, rule, published),
        Rule::CrashBoundary(rule) => boundary_rule(tables, rule, published),
        Rule::Portability(rule) => portability_rule(tables, rule, published),
        Rule::Reproduction(rule) => reproduction_rule(tables, rule, published),
        Rule::Promotion(rule) => Ok(promotion_rule(tables, rule)),
        Rule::ColdStart(rule) => Ok(cold_start_rule(tables, rule)),
    }
}

/// No imported record names a launch, so a design that counts launches finds none.
const NO_LAUNCHES: &str = "an imported journal names no launch: what is printed is a summary over iterations, and a test \
                           over launches needs their rows";

fn launch_gap(design: &Design, rule: &Rule) -> Option<Gap> {
    let is_asked = design.published.replication == Replication::Launch && rule.counts_observations();
    is_asked.then(|| Gap(NO_LAUNCHES.to_owned()))
}

fn at_launch_level(design: &Design) -> AtLaunchLevel {
    let counting = design.hypotheses.iter().filter(|hypothesis| hypothesis.rule.counts_observations());
    AtLaunchLevel {
        standing: Standing::Invalid,
        reason: NO_LAUNCHES.to_owned(),
        hypotheses: counting.map(|hypothesis| hypothesis.name.clone()).collect(),
    }
}

fn imported_facts(design: &Design, journal: &Journal) -> Result<ImportedFacts, Error> {
    let digest = design.digest();
    let mut last: Option<(&str, &ImportedFrom)> = None;
    for segment in journal.segments() {
        let header = segment.header;
        let Some(from) = &header.imported else {
            return Err(Error::Measured { run: header.run.clone(), plan: design.name.clone() });
        };
        if header.plan_sha256 != digest {
            let (found, given) = (header.plan_sha256, digest);
            return Err(Error::OtherDesign { run: header.run.clone(), found, given });
        }
        last = Some((&header.run, from));
    }
    let (run, from) = last.ok_or(Error::NoHeader)?;
    let of = |file: &crate::journal::ImportedFile| SourceFile { name: file.name.clone(), sha256: file.sha256 };
    Ok(ImportedFacts {
        run: run.to_owned(),
        head: journal.head,
        sealed: journal.sealed,
        kind: from.kind.clone(),
        axes: from.axes.clone(),
        summaries: journal.summaries().count() as u64,
        observations: journal.observations().count() as u64,
        files: from.files.iter().map(of).collect(),
    })
}

/// What the hypotheses come to together. A hypothesis that was not decided is never a pass.
fn conclude(hypotheses: &[PublishedHypothesis]) -> (Conclusion, Vec<String>) {
    let first = |hypothesis: &PublishedHypothesis| hypothesis.ruling.reasons.first().cloned().unwrap_or_default();
    let unexpected: Vec<String> = hypotheses
        .iter()
        .filter(|hypothesis| hypothesis.is_unexpected())
        .map(|h| format!("{} is {}, expected {}: {}", h.name, h.ruling.label, h.expected.join(" or "), first(h)))
        .collect();
    let undecided: Vec<String> = hypotheses
        .iter()
        .filter(|hypothesis| hypothesis.ruling.standing != Standing::Decided)
        .map(|h| format!("{} is {}: {}", h.name, h.ruling.label, first(h)))
        .collect();
    let conclusion = match (unexpected.is_empty(), undecided.is_empty()) {
        (false, _) => Conclusion::NotAsExpected,
        (true, false) => Conclusion::Inconclusive,
        (true, true) => Conclusion::AsExpected,
    };
    let mut reasons = [unexpected, undecided].concat();
    if reasons.is_empty() {
        reasons = hypotheses.iter().map(|h| format!("{} is {}: {}", h.name, h.ruling.label, first(h))).collect();
    }
    (conclusion, reasons)
}
