//! The failures that the plan expects, and what came of them.

use super::page::{Page, Table, words as text};
use crate::terms::words;
use crate::verdict::{ExpectationStanding, ExpectedFailureVerdict, LaneVerdict, Verdict};

pub(super) fn expected_failures(verdict: &Verdict, page: &mut Page) {
    if verdict.expected_failures.is_empty() {
        return;
    }
    page.heading("Expected failures");
    let mut table = Table::new([
        text("Lane"),
        text("Cell"),
        text("Expected"),
        text(""),
        text("Ok"),
        text("Until"),
        text("Reason").wraps_sentences(),
    ]);
    for found in &verdict.expected_failures {
        let standing = words(found.standing.name());
        table.row([
            found.lane.clone(),
            found.cell.to_string(),
            words(found.outcome.name()),
            if found.standing == ExpectationStanding::Passed { standing.to_uppercase() } else { standing },
            format!("{}/{}", found.ok, found.planned),
            found.expires.clone(),
            found.reason.clone(),
        ]);
    }
    page.table(table);
}

/// What the plan expects of the cell in the lane, as far as it decides how the cell counts: it passed, or it failed as
/// expected.
pub(super) fn deciding<'a>(
    verdict: &'a Verdict,
    lane: &LaneVerdict,
    cell: &crate::terms::CellId,
) -> Option<&'a ExpectedFailureVerdict> {
    let decides = |it: &&ExpectedFailureVerdict| {
        matches!(it.standing, ExpectationStanding::Passed | ExpectationStanding::FailedAsExpected)
    };
    verdict.expected_failures.iter().filter(decides).find(|it| it.lane == lane.lane && it.cell == *cell)
}
