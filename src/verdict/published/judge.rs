//! The verdict on a published report: one ruling for each hypothesis, and one conclusion.

use super::printed_tables::printed_tables;
use super::{AtLaunchLevel, ImportedFacts, PublishedHypothesis, PublishedVerdict, SourceFile};
use crate::journal::{ImportedFrom, Journal};
use crate::plan::{Design, DesignHypothesis, Published, Replication, Rule};
use crate::verdict::adapters::{Asked, Decided, Settings, Tables, apply, family, others};
use crate::verdict::rules::{MIN_LAUNCHES, OtherTests, Ruling, Standing};
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
    let (mut of_iterations, mut of_launches) = (Vec::new(), Vec::new());
    for (index, DesignHypothesis { name, claim, expect, rule }) in design.hypotheses.iter().enumerate() {
        let iterations = settings(design, families.others(index, Replication::Iteration));
        let by_iterations = apply(rule, &by_iteration, &iterations, &of_iterations)?;
        let launches = settings(design, families.others(index, Replication::Launch));
        let by_launches = by_launches(rule, &by_iterations, || apply(rule, &by_launch, &launches, &of_launches))?;
        of_iterations.push(decided(name, &by_iterations));
        of_launches.push(decided(name, &by_launches));
        let (ruling, beside) = match design.published.replication {
            Replication::Launch => (by_launches, None),
            Replication::Iteration => (by_iterations, Some(at_launch_level(rule, by_launches))),
        };
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
        let alone = settings(design, OtherTests::default());
        let mut found = Self { by_iteration: Vec::new(), by_launch: Vec::new() };
        for DesignHypothesis { rule, .. } in &design.hypotheses {
            found.by_iteration.push(family(rule, by_iteration, &alone)?);
            let launches = if rule.names_launches() { family(rule, by_launch, &alone)? } else { Vec::new() };
            found.by_launch.push(launches);
        }
        Ok(found)
    }

    /// What all others add.
    fn others(&self, index: usize, unit: Replication) -> OtherTests {
        match unit {
            Replication::Iteration => others(&self.by_iteration, index),
            Replication::Launch => others(&self.by_launch, index),
        }
    }
}

fn settings(design: &Design, also_in_family: OtherTests) -> Settings {
    let Published { alpha, power, bootstrap_resamples, bootstrap_seed, .. } = design.published;
    Settings { alpha, power, bootstrap_resamples, bootstrap_seed, also_in_family }
}

/// No column is named that would tell launches apart.
const NO_LAUNCHES: &str = "nothing in the imported journal names a launch that these numbers were measured in: what is \
                           printed is a summary over iterations, and fewer than three known launches a side decide nothing; \
                           how many would is not known without them";

/// What is read is stated, and not repeated.
const NO_REPETITIONS: &str = "it counts no repetitions: the answer is the same whatever one observation is";

/// The answer with the launch as one observation. Where the rule counts repetitions and no column tells of which launches they
/// are, it is open, unless the rule cannot be applied at all; else the rule itself is asked.
fn by_launches(
    rule: &Rule,
    by_iterations: &Ruling,
    ask: impl FnOnce() -> Result<Ruling, Error>,
) -> Result<Ruling, Error> {
    if !rule.counts_observations() || rule.names_launches() {
        return ask();
    }
    let Ruling { standing, reasons, rests_on, thresholds, .. } = by_iterations;
    let ruling = match standing {
        Standing::Invalid => Ruling::invalid(reasons.join("; ")),
        _ => Ruling::inconclusive(NO_LAUNCHES),
    };
    let mut ruling = ruling.resting_on(rests_on);
    ruling.thresholds.clone_from(thresholds);
    let is_listed = thresholds.iter().any(|listed| listed.name == "min_launches");
    Ok(ruling.against_some("min_launches", (!is_listed).then_some(MIN_LAUNCHES as f64), "launches"))
}

fn at_launch_level(rule: &Rule, ruling: Ruling) -> AtLaunchLevel {
    let Ruling { label, standing, reasons, settled_by, rests_on, tests, thresholds, parts } = ruling;
    // What a licence is derived from may count repetitions.
    if rule.counts_observations() || matches!(rule, Rule::Licence(_)) {
        return AtLaunchLevel { label, standing, reasons, settled_by, rests_on, tests, thresholds, parts };
    }
    let (reasons, tests, parts) = (vec![NO_REPETITIONS.to_owned()], Vec::new(), Vec::new());
    AtLaunchLevel { label, standing, reasons, settled_by, rests_on, tests, thresholds, parts }
}

fn decided(name: &str, ruling: &Ruling) -> Decided {
    Decided {
        name: name.to_owned(),
        label: ruling.label.clone(),
        is_decided: ruling.standing == Standing::Decided,
        rests_on: ruling.rests_on.clone(),
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
