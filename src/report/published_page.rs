//! The verdict on a published report, as a terminal summary and as Markdown.

use super::markdown_page;
use super::number::{NONE, probability, significant};
use super::page::{Page, Table, Tone, numbers, words as text};
use super::sections::conclusion_words;
use super::terminal::{self, Style};
use crate::terms::words;
use crate::verdict::rules::{Part, Ruling, RulingTest};
use crate::verdict::{AtLaunchLevel, Conclusion, PublishedHypothesis, PublishedVerdict, Replication};

/// The verdict for a terminal.
#[must_use]
pub fn published_text(verdict: &PublishedVerdict, style: Style) -> String {
    let mut page = Page::new(&verdict.plan);
    head(verdict, &mut page);
    for hypothesis in &verdict.hypotheses {
        page.heading(&hypothesis.name);
        page.bullets(hypothesis.ruling.reasons.clone());
    }
    unit(verdict, &mut page);
    page.paragraph(origin(verdict));
    terminal::render(&page, style)
}

/// The verdict for review and publication, as GitHub-flavoured Markdown.
#[must_use]
pub fn published_markdown(verdict: &PublishedVerdict) -> String {
    let mut page = Page::new(format!("Verdict on {}", verdict.report));
    head(verdict, &mut page);
    unit(verdict, &mut page);
    for hypothesis in &verdict.hypotheses {
        details(hypothesis, &mut page);
    }
    provenance(verdict, &mut page);
    markdown_page::render(&page)
}

fn head(verdict: &PublishedVerdict, page: &mut Page) {
    let tone = match verdict.conclusion {
        Conclusion::AsExpected => Tone::Good,
        Conclusion::NotAsExpected | Conclusion::Refused | Conclusion::NothingMeasured => Tone::Bad,
        Conclusion::Inconclusive => Tone::Doubt,
    };
    let conclusion = conclusion_words(verdict.conclusion);
    page.banner(tone, format!("{conclusion}: {}, judged from its printed tables", verdict.report));
    page.bullets(verdict.reasons.clone());
    let mut table = Table::new([text("Hypothesis"), text("Result"), text("Expected"), text("Why").wraps_sentences()]);
    for PublishedHypothesis { name, expected, ruling, .. } in &verdict.hypotheses {
        let expected = if expected.is_empty() { "anything".to_owned() } else { expected.join(" or ") };
        let why = ruling.reasons.first().cloned().unwrap_or_default();
        table.row([name.clone(), ruling.label.clone(), expected, why]);
    }
    page.heading("Hypotheses");
    page.table(table);
}

/// What counts as one observation, and what comes out when the launch does.
fn unit(verdict: &PublishedVerdict, page: &mut Page) {
    page.heading("Unit of replication");
    page.paragraph(match verdict.replication {
        Replication::Iteration => {
            "Judged as the authors did: each iteration or printed cell is one observation. With the launch as unit the \
             answers are:"
        }
        Replication::Launch => "The unit is the launch of a stack: iterations of one launch are no repetitions of it.",
    });
    // Most answers are alike, so that they are told once with all that they are about.
    let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
    for hypothesis in &verdict.hypotheses {
        let Some(at_launch) = &hypothesis.at_launch_level else { continue };
        let told = by_launches(at_launch);
        match answers.iter_mut().find(|(known, _)| *known == told) {
            Some((_, names)) => names.push(&hypothesis.name),
            None => answers.push((told, vec![&hypothesis.name])),
        }
    }
    page.bullets(answers.into_iter().map(|(told, names)| format!("{}: {told}", names.join(", "))).collect());
}

fn by_launches(at_launch: &AtLaunchLevel) -> String {
    format!("{}: {}", at_launch.label, at_launch.reasons.join("; "))
}

fn origin(verdict: &PublishedVerdict) -> String {
    let imported = &verdict.imported;
    let stated: Vec<String> = imported.axes.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let known = if stated.is_empty() { "none".to_owned() } else { stated.join(", ") };
    format!(
        "Imported ({}): {} printed rows and {} raw rows of {} files. Identity axes stated: {known}; all others, the host \
         and the time are unknown.",
        imported.kind,
        imported.summaries,
        imported.observations,
        imported.files.len()
    )
}

fn details(hypothesis: &PublishedHypothesis, page: &mut Page) {
    let PublishedHypothesis { name, claim, kind, expected: _, ruling, at_launch_level } = hypothesis;
    page.heading(format!("{name}: {}", ruling.label));
    let claimed = if claim.is_empty() { String::new() } else { format!("Claim: {claim} ") };
    page.paragraph(format!("{claimed}Rule: {}.", words(kind)));
    page.bullets(ruling.reasons.clone());
    if let Some(at_launch) = at_launch_level {
        page.paragraph(format!("By launches {}.", by_launches(at_launch)));
        page.table(tests(&at_launch.tests));
        page.table(parts(&at_launch.parts));
    }
    grounds(ruling, page);
}

/// Everything that a ruling rests on.
pub(super) fn grounds(ruling: &Ruling, page: &mut Page) {
    page.table(tests(&ruling.tests));
    page.table(thresholds(ruling));
    page.table(parts(&ruling.parts));
    if let Some(repetitions) = ruling.settled_by {
        page.paragraph(format!(
            "If its numbers are what they seem, {repetitions} repetitions a side would settle it: launches in a run, else what \
             the rule counts."
        ));
    }
    if !ruling.rests_on.is_empty() {
        page.paragraph(format!("Rests on {}.", ruling.rests_on.join(", ")));
    }
}

fn tests(tests: &[RulingTest]) -> Table {
    let headings = [text("Test"), numbers("Estimate"), numbers("Interval"), numbers("p"), numbers("p adjusted")];
    let mut table = Table::new(headings);
    let digits = |value: f64| significant(value, 4);
    for RulingTest { test, estimate, interval, p, p_adjusted } in tests {
        table.row([
            test.clone(),
            estimate.map_or_else(|| NONE.to_owned(), digits),
            interval.map_or_else(|| NONE.to_owned(), |[low, high]| format!("[{}, {}]", digits(low), digits(high))),
            probability(*p),
            probability(*p_adjusted),
        ]);
    }
    table
}

fn thresholds(ruling: &Ruling) -> Table {
    let mut table = Table::new([text("Threshold"), numbers("Value"), text("Unit")]);
    for threshold in &ruling.thresholds {
        table.row([threshold.name.clone(), threshold.value.to_string(), threshold.unit.clone()]);
    }
    table
}

fn parts(parts: &[Part]) -> Table {
    let mut table = Table::new([text("Condition"), text("Result"), text("Numbers"), text("Why").wraps_sentences()]);
    for Part { key, label, numbers, reason } in parts {
        let key: Vec<&str> = key.values().map(String::as_str).collect();
        let numbers: Vec<String> = numbers.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let numbers = if numbers.is_empty() { NONE.to_owned() } else { numbers.join(", ") };
        table.row([key.join(" / "), label.clone(), numbers, reason.clone().unwrap_or_default()]);
    }
    table
}

fn provenance(verdict: &PublishedVerdict, page: &mut Page) {
    page.heading("Provenance");
    page.paragraph(origin(verdict));
    let mut table = Table::new([text("Fact"), text("Value")]);
    let mut fact = |name: &str, value: String| table.row([name.to_owned(), value]);
    fact("Import", verdict.imported.run.clone());
    fact("Design digest", verdict.plan_sha256.to_string());
    let sealed = if verdict.imported.sealed { "Seal" } else { "Head of the unsealed journal" };
    fact(sealed, verdict.imported.head.to_string());
    for file in &verdict.imported.files {
        fact(&file.name, file.sha256.to_string());
    }
    page.table(table);
    page.commands(vec![(
        "The verdict is a pure function of design and journal; it is derived anew by".to_owned(),
        format!("lockstep judge {} JOURNAL", verdict.plan),
    )]);
}
