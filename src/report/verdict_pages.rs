//! The verdict as a terminal summary and as a Markdown report.

use super::expected_section::expected_failures;
use super::markdown_page;
use super::number::NONE;
use super::page::{Page, Table, words};
use super::published_page::grounds;
use super::sections;
use super::terminal::{self, Style};
use crate::snapshot::host_class;
use crate::verdict::rules::Threshold;
use crate::verdict::{HypothesisVerdict, Verdict};

/// What a reader meets in the tables, once.
const TERMS: &[&str] = &[
    "Lane: one pinned software stack. Cell: one piece of work, the same in every lane. Row: one attempt at a cell.",
    "Launch: one start of a lane's process or container. It is the unit of replication: each launch gives one number per \
     cell, and every test and interval of a mean is over launches. Percentiles are over repetitions.",
    "Difference: candidate minus baseline, in percent of the baseline's mean; negative means that the candidate takes \
     less time. Its intervals count the error of both means.",
    "p adjusted: Welch's two-sided p after Holm's adjustment over all tests of the plan, those of its decision rules among \
     them, or over its negative controls.",
    "Equivalent: two one-sided tests (TOST) put the difference inside the margin. Could not tell: neither different \
     nor equivalent.",
    "d: Cohen's d with pooled standard deviation. MDE: the smallest true difference that would be found at the plan's \
     power. CV: standard deviation divided by mean.",
    "prefill: one forward pass over the prompt. kv_decode: the passes after it, without it. e2e_kv: both as one call.",
    "ok: did the work asked. fell_through: returned without doing it. fell_back: another path ran than was asked for. \
     unequal_work: other work than the cell fixes. crashed, hung: as they say. refused: preflight failed, not attempted. \
     skipped: an optional lane whose launcher is absent.",
    "Noise floor: what a lane against itself shows on this host.",
];

/// The verdict for a terminal: the conclusion first, then what it rests on, then what to do next.
#[must_use]
pub fn text(verdict: &Verdict, style: Style) -> String {
    let mut page = Page::new(&verdict.plan);
    sections::conclusion(verdict, &mut page);
    sections::hypotheses(verdict, &mut page);
    sections::contrasts(verdict, false, &mut page);
    sections::noise_floor(verdict, &mut page);
    sections::block_controls(verdict, &mut page);
    sections::lanes(verdict, &mut page);
    expected_failures(verdict, &mut page);
    sections::cells(verdict, false, &mut page);
    sections::host(verdict, false, &mut page);
    sections::next(verdict, &mut page);
    terminal::render(&page, style)
}

/// The verdict for review and publication, as GitHub-flavoured Markdown.
#[must_use]
pub fn markdown(verdict: &Verdict) -> String {
    let mut page = Page::new(format!("Verdict on plan {}", verdict.plan));
    sections::conclusion(verdict, &mut page);
    sections::hypotheses(verdict, &mut page);
    reasons(verdict, &mut page);
    sections::contrasts(verdict, true, &mut page);
    rulings(verdict, &mut page);
    sections::noise_floor(verdict, &mut page);
    sections::block_controls(verdict, &mut page);
    sections::lanes(verdict, &mut page);
    expected_failures(verdict, &mut page);
    sections::cells(verdict, true, &mut page);
    sections::host(verdict, true, &mut page);
    axes(verdict, &mut page);
    provenance(verdict, &mut page);
    page.heading("Terms");
    page.bullets(TERMS.iter().map(|term| (*term).to_owned()).collect());
    sections::next(verdict, &mut page);
    markdown_page::render(&page)
}

/// Every claim, with the reasons that the table of hypotheses has no room for.
fn reasons(verdict: &Verdict, page: &mut Page) {
    let lines = |hypothesis: &HypothesisVerdict| {
        let mut lines = Vec::new();
        if !hypothesis.claim.is_empty() {
            lines.push(format!("{} claims: {}", hypothesis.name, hypothesis.claim));
        }
        lines.extend(hypothesis.reasons.iter().skip(1).map(|reason| format!("{}: {reason}", hypothesis.name)));
        lines
    };
    page.bullets(verdict.hypotheses.iter().flat_map(lines).collect());
}

/// What each hypothesis rests on: every decision rule by itself, all others as a list.
fn rulings(verdict: &Verdict, page: &mut Page) {
    for hypothesis in &verdict.hypotheses {
        let (Some(rule), Some(ruling)) = (&hypothesis.rule, &hypothesis.ruling) else { continue };
        page.heading(format!("{}: {}", hypothesis.name, ruling.label));
        page.paragraph(format!("Rule: {}, over tables that the rows give.", crate::terms::words(rule)));
        grounds(ruling, page);
    }
    let others = verdict.hypotheses.iter().filter(|hypothesis| !hypothesis.tests.is_empty());
    let others: Vec<String> = others.map(rests_on).collect();
    if !others.is_empty() {
        page.heading("What contrasts and comparisons of tokens rest on");
        page.bullets(others);
    }
}

/// Tests, thresholds and rows in one line: the numbers of the tests stand in the table of contrasts.
fn rests_on(hypothesis: &HypothesisVerdict) -> String {
    let tests: Vec<&str> = hypothesis.tests.iter().map(|test| test.test.as_str()).collect();
    let thresholds: Vec<String> = hypothesis
        .thresholds
        .iter()
        .map(|Threshold { name, value, unit }| format!("{} {value} {unit}", crate::terms::words(name)))
        .collect();
    format!(
        "{}: {}. Held against {}. Rests on {}.",
        hypothesis.name,
        tests.join("; "),
        thresholds.join(", "),
        hypothesis.rests_on.join(", ")
    )
}

/// The identity of each lane: what it declares beside what preflight observed.
fn axes(verdict: &Verdict, page: &mut Page) {
    let mut table = Table::new(["Lane", "Axis", "Declared", "Observed"].map(words));
    for lane in &verdict.lanes {
        let mut names: Vec<_> = lane.declared.keys().chain(lane.observed.keys()).collect();
        names.sort();
        names.dedup();
        for (index, name) in names.into_iter().enumerate() {
            let value = |axes: &crate::terms::Axes| axes.get(name).cloned().unwrap_or_else(|| NONE.to_owned());
            let first = if index == 0 { lane.lane.clone() } else { String::new() };
            let observed = match lane.observed.get(name) {
                Some(seen) if lane.by_own_word.contains(name) => format!("{seen} (by its own word)"),
                Some(seen) => seen.clone(),
                None => "not seen".to_owned(),
            };
            table.row([first, name.clone(), value(&lane.declared), observed]);
        }
    }
    if !table.rows.is_empty() {
        page.heading("Identity axes");
        page.table(table);
    }
}

fn provenance(verdict: &Verdict, page: &mut Page) {
    let journal = &verdict.journal;
    page.heading("Provenance");
    let mut table = Table::new(["Fact", "Value"].map(words));
    let mut fact = |name: &str, value: String| table.row([name.to_owned(), value]);
    fact("Run", journal.run.clone());
    fact("Plan digest", verdict.plan_sha256.to_string());
    fact(if journal.sealed { "Seal" } else { "Head of the unsealed journal" }, journal.head.to_string());
    if journal.torn_bytes > 0 {
        fact("Torn last line, left out", format!("{} bytes", journal.torn_bytes));
    }
    fact("Rows", journal.rows.to_string());
    for (index, segment) in journal.segments.iter().enumerate() {
        let name = |what: &str| format!("Segment {index}: {what}");
        fact(&name("start"), segment.started_at.clone());
        fact(&name("lockstep"), format!("{}, {}", segment.version, segment.binary));
        if !segment.command.is_empty() {
            fact(&name("command"), segment.command.join(" "));
        }
        fact(&name("host class"), host_class(&segment.host).to_string());
        fact(&name("machine"), segment.host.machine.to_string());
    }
    page.table(table);
    page.commands(vec![(
        "The verdict is a pure function of plan and journal; in the run's folder it is derived anew by".to_owned(),
        "lockstep judge plan.toml journal.jsonl".to_owned(),
    )]);
}
