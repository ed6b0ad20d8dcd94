//! How far the results of a run depend on choices, as a table.

use super::page::{Page, Table, words};
use super::{Style, markdown_page, terminal};
use crate::verdict::{Choice, Sensitivity};

/// For the terminal.
#[must_use]
pub fn sensitivity_text(found: &[Sensitivity], style: Style) -> String {
    terminal::render(&page(found), style)
}

/// In Markdown.
#[must_use]
pub fn sensitivity_markdown(found: &[Sensitivity]) -> String {
    markdown_page::render(&page(found))
}

fn page(found: &[Sensitivity]) -> Page {
    let mut page = Page::new("How far the results depend on choices");
    let headings =
        ["hypothesis", "as registered"].into_iter().chain(Choice::ALL.map(heading)).chain(["the same without a block"]);
    let mut table = Table::new(headings.map(|heading| words(heading).wraps()));
    for entry in found {
        let otherwise = Choice::ALL.map(|choice| match entry.otherwise.get(&choice) {
            Some(Some(result)) => result.clone(),
            _ => none(choice).to_owned(),
        });
        table.row(
            [entry.hypothesis.clone(), entry.registered.clone()]
                .into_iter()
                .chain(otherwise)
                .chain([entry.told_without_a_block()]),
        );
    }
    page.table(table);
    let changed = found.iter().filter(|entry| {
        let otherwise = entry.otherwise.values().flatten().any(|result| *result != entry.registered);
        otherwise || entry.without_a_block.values().any(|result| *result != entry.registered)
    });
    let names: Vec<&str> = changed.map(|entry| entry.hypothesis.as_str()).collect();
    page.paragraph(match names.as_slice() {
        [] => "No result depends on any of the choices that could be made otherwise.".to_owned(),
        names => format!("Another choice gives another result of {}.", names.join(", ")),
    });
    page
}

fn heading(choice: Choice) -> &'static str {
    match choice {
        Choice::OtherStatistic => "means, not medians (or medians)",
        Choice::WithoutFirst => "first repetition left out",
        Choice::AnotherSeed => "another seed",
        Choice::EagerHeld => "eager work held within 5 % over the blocks",
    }
}

/// What stands where the run leaves no such choice.
fn none(choice: Choice) -> &'static str {
    match choice {
        Choice::WithoutFirst => "no such rows",
        Choice::EagerHeld => "no eager work, or held so already",
        Choice::OtherStatistic | Choice::AnotherSeed => "-",
    }
}
