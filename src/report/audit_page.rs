//! An audit for a terminal: what changes a verdict first, what holds last.

use super::page::{Page, Table, Tone, words};
use super::terminal::{self, Style};
use crate::audit::{Answer, Audited};

/// The audit of the claims in `file`.
#[must_use]
pub fn audit_text(file: &str, audited: &[Audited], style: Style) -> String {
    let mut page = Page::new(file);
    banner(file, audited, &mut page);
    let contradicted =
        |changes| move |claim: &&Audited| is(claim, Answer::Contradicted) && claim.changes_verdict == changes;
    section("Contradicted, and it changes a verdict", audited.iter().filter(contradicted(true)), &mut page);
    section("Contradicted", audited.iter().filter(contradicted(false)), &mut page);
    section("Wrong form", audited.iter().filter(|claim| is(claim, Answer::WrongForm)), &mut page);
    section("Not checkable", audited.iter().filter(|claim| is(claim, Answer::NotCheckable)), &mut page);
    let confirmed: Vec<&str> =
        audited.iter().filter(|claim| is(claim, Answer::Confirmed)).map(|claim| claim.id.as_str()).collect();
    if !confirmed.is_empty() {
        page.heading(format!("Confirmed ({})", confirmed.len()));
        page.paragraph(confirmed.join(", "));
    }
    terminal::render(&page, style)
}

fn is(claim: &Audited, answer: Answer) -> bool {
    claim.answer == answer
}

fn banner(file: &str, audited: &[Audited], page: &mut Page) {
    let count = |answer| audited.iter().filter(|claim| is(claim, answer)).count();
    let (contradicted, confirmed) = (count(Answer::Contradicted), count(Answer::Confirmed));
    let changing = audited.iter().filter(|claim| is(claim, Answer::Contradicted) && claim.changes_verdict).count();
    let (tone, word) = match (contradicted, confirmed) {
        (0, 0) => (Tone::Bad, "NOTHING CHECKED"),
        (0, all) if all == audited.len() => (Tone::Good, "CONFIRMED"),
        (0, _) => (Tone::Doubt, "CONFIRMED AS FAR AS IT COULD BE CHECKED"),
        _ => (Tone::Bad, "CONTRADICTED"),
    };
    page.banner(
        tone,
        format!(
            "{word}: {file}, {} claims: {contradicted} contradicted ({changing} change a verdict), {confirmed} confirmed, \
             {} not checkable, {} of wrong form",
            audited.len(),
            count(Answer::NotCheckable),
            count(Answer::WrongForm)
        ),
    );
}

fn section<'a>(heading: &str, claims: impl Iterator<Item = &'a Audited>, page: &mut Page) {
    let mut table = Table::new([words("claim"), words("says").wraps_sentences(), words("because").wraps_sentences()]);
    for claim in claims {
        table.row([claim.id.clone(), claim.claim.clone(), claim.reason.clone()]);
    }
    if !table.rows.is_empty() {
        page.heading(format!("{heading} ({})", table.rows.len()));
        page.table(table);
    }
}
