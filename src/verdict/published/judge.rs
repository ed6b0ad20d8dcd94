//! The verdict on a published report: one ruling for each hypothesis, and one conclusion.

use super::printed_tables::printed_tables;
use super::{AtLaunchLevel, ImportedFacts, PublishedHypothesis, PublishedVerdict, SourceFile};
use crate::journal::{ImportedFrom, Journal};
use crate::plan::{Design, DesignHypothesis, Published, Replication};
use crate::stats::PValue;
use crate::verdict::adapters::{Asked, Decided, Settings, Tables, apply, family, others};
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
    let tables = || printed_tables(&design.published, journal);
    let (by_iteration, by_launch) = (tables(), tables().by_launch());
    let families = Families::of(design, &by_iteration, &by_launch)?;
    let mut hypotheses: Vec<PublishedHypothesis> = Vec::with_capacity(design.hypotheses.len());
    let mut before: Vec<Decided> = Vec::with_capacity(design.hypotheses.len());
    for (index, DesignHypothesis { name, claim, expect, rule }) in design.hypotheses.iter().enumerate() {
        let launches = families.others(index, Replication::Launch);
        let by_launches = || match rule.names_launches() {
            true => apply(rule, &by_launch, &settings(design, launches.clone(), Vec::new()), &before),
            false => Ok(Ruling::invalid(NO_LAUNCHES)),
        };
        let by_iterations = || {
            let iterations = families.others(index, Replication::Iteration);
            apply(rule, &by_iteration, &settings(design, iterations, launches.clone()), &before)
        };
        let (ruling, beside) = match (rule.counts_observations(), design.published.replication) {
            (false, _) => (by_iterations()?, None),
            (true, Replication::Launch) => (by_launches()?, None),
            (true, Replication::Iteration) => (by_iterations()?, Some(at_launch_level(by_launches()?))),
        };
        before.push(Decided {
            name: name.clone(),
            label: ruling.label.clone(),
            is_decided: ruling.standing == Standing::Decided,
            rests_on: ruling.rests_on.clone(),
        });
        hypotheses.push(PublishedHypothesis {
            name: name.clone(),
            claim: claim.clone(),
            kind: rule.kind().to_owned(),
            expected: expect.clone(),
            ruling,
            at_launch_level: beside,
        });
    }
    let (conclusion, reasons) = conclude(&hypotheses, imported.sealed);
    Ok(PublishedVerdict {
        format: FORMAT,
        plan: design.name.clone(),
        plan_sha256: design.digest(),
        report: design.published.report.clone(),
        conclusion,
        reasons,
        replication: design.published.replication,
        alpha: design.published.alpha,
        imported,
        hypotheses,
    })
}

/// What each hypothesis adds to the plan's family, in either unit.
struct Families {
    by_iteration: Vec<Vec<Asked>>,
    by_launch: Vec<Vec<Asked>>,
}

impl Families {
    fn of(design: &Design, by_iteration: &Tables<'_>, by_launch: &Tables<'_>) -> Result<Self, Error> {
        let alone = settings(design, Vec::new(), Vec::new());
        let mut found = Self { by_iteration: Vec::new(), by_launch: Vec::new() };
        for DesignHypothesis { rule, .. } in &design.hypotheses {
            found.by_iteration.push(family(rule, by_iteration, &alone)?);
            let launches = if rule.names_launches() { family(rule, by_launch, &alone)? } else { Vec::new() };
            found.by_launch.push(launches);
        }
        Ok(found)
    }

    /// What all others add.
    fn others(&self, index: usize, unit: Replication) -> Vec<PValue> {
        match unit {
            Replication::Iteration => others(&self.by_iteration, index),
            Replication::Launch => others(&self.by_launch, index),
        }
    }
}

fn settings(design: &Design, also_in_family: Vec<PValue>, also_by_launch: Vec<PValue>) -> Settings {
    let Published { alpha, power, bootstrap_resamples, bootstrap_seed, .. } = design.published;
    Settings { alpha, power, bootstrap_resamples, bootstrap_seed, also_in_family, also_by_launch }
}

/// No column is named that would tell launches apart.
const NO_LAUNCHES: &str = "nothing in the imported journal names a launch that these numbers were measured in: what is \
                           printed is a summary over iterations, and a test over launches needs their rows";

fn at_launch_level(ruling: Ruling) -> AtLaunchLevel {
    let Ruling { label, standing, reasons, settled_by, .. } = ruling;
    AtLaunchLevel { label, standing, reasons, settled_by }
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

/// What a journal without its end says of itself.
const UNSEALED: &str = "the journal is not sealed: rows may be missing at its end; import the files again";

/// What the hypotheses come to together. A hypothesis that was not decided is never a pass, and neither is a journal whose
/// end is missing.
fn conclude(hypotheses: &[PublishedHypothesis], sealed: bool) -> (Conclusion, Vec<String>) {
    let first = |hypothesis: &PublishedHypothesis| hypothesis.ruling.reasons.first().cloned().unwrap_or_default();
    let unexpected: Vec<String> = hypotheses
        .iter()
        .filter(|hypothesis| hypothesis.is_unexpected())
        .map(|h| format!("{} is {}, expected {}: {}", h.name, h.ruling.label, h.expected.join(" or "), first(h)))
        .collect();
    let undecided = hypotheses
        .iter()
        .filter(|hypothesis| hypothesis.ruling.standing != Standing::Decided)
        .map(|h| format!("{} is {}: {}", h.name, h.ruling.label, first(h)));
    let undecided: Vec<String> = (!sealed).then(|| UNSEALED.to_owned()).into_iter().chain(undecided).collect();
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
