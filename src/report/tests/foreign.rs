use proptest::prelude::*;
use quick_junit::Report;

use super::forms::row;
use crate::report::{Style, cell_text, comparison_text, junit, markdown, table, text};
use crate::snapshot::fixture::{self, cell_id};
use crate::snapshot::{Snapshot, compare};
use crate::terms::{Digest, Failure, FailureClass, Outcome};
use crate::verdict::Verdict;

/// A verdict that says `foreign` wherever a lane or a host may put its own words.
fn infested(foreign: &str) -> Verdict {
    let mut verdict = fixture::skipped_and_refused();
    for lane in &mut verdict.lanes {
        lane.declared.insert("patches".into(), foreign.into());
        if let Some(failure) = &mut lane.failure {
            failure.message = foreign.into();
            failure.remedy = Some(foreign.into());
            failure.stderr_tail = foreign.into();
        }
    }
    verdict.reasons = vec![foreign.into()];
    verdict.model = foreign.into();
    verdict.weights = foreign.into();
    verdict.journal.run = foreign.into();
    verdict.journal.segments[0].started_at = foreign.into();
    verdict.journal.segments[0].host.os = foreign.into();
    verdict.hypotheses[0].reasons = vec![foreign.into()];
    verdict.hypotheses[0].claim = foreign.into();
    verdict.cells[0].workload = foreign.into();
    verdict
}

/// Words that markup, terminals and XML take for their own.
fn foreign() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("|"),
        Just("\n"),
        Just("\r\n"),
        Just("`"),
        Just("```"),
        Just("\\"),
        Just("]]>"),
        Just("<script>"),
        Just("</testcase>"),
        Just("&amp;"),
        Just("--"),
        Just("# "),
        Just("- "),
        Just("1. "),
        Just("\u{1b}[31m"),
        Just("\u{1b}]0;"),
        Just("\u{0}"),
        Just("\u{ffff}"),
        Just("\u{202e}"),
        Just("\""),
        Just("'"),
        Just("**"),
        Just("word"),
        Just(" "),
        Just("é"),
        Just("界"),
    ];
    prop_oneof![prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()), any::<String>()]
}

/// Bars that end a cell: those without a backslash before them.
fn bars(line: &str) -> usize {
    let mut escaped = false;
    line.chars()
        .filter(|c| {
            let bar = *c == '|' && !escaped;
            escaped = *c == '\\' && !escaped;
            bar
        })
        .count()
}

/// Every table row has as many cells as its heading, and every fence that opens closes.
fn check_markdown(markdown: &str) -> Result<(), TestCaseError> {
    let mut fence: Option<String> = None;
    let mut heading: Option<usize> = None;
    for line in markdown.lines() {
        if let Some(open) = &fence {
            if line == open {
                fence = None;
            }
            continue;
        }
        if line.starts_with("```") {
            fence = Some(line.chars().take_while(|c| *c == '`').collect());
            continue;
        }
        if line.starts_with('|') {
            let expected = *heading.get_or_insert_with(|| bars(line));
            prop_assert_eq!(bars(line), expected, "{}", line);
        } else {
            heading = None;
            let known = line.is_empty() || ["# ", "## ", "- ", "**"].iter().any(|it| line.starts_with(it));
            let escaped = line.starts_with('\\') || line.starts_with(|c: char| c.is_alphanumeric());
            prop_assert!(known || escaped, "{:?} begins with markup", line);
        }
        prop_assert!(!line.contains("<script>") || line.contains("`") || line.contains("\\<script>"), "{:?}", line);
        prop_assert!(!line.chars().any(char::is_control), "{:?}", line);
    }
    prop_assert!(fence.is_none(), "a fence never closes");
    Ok(())
}

fn check_terminal(text: &str) -> Result<(), TestCaseError> {
    prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{:?}", text);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn foreign_text_breaks_no_form_of_a_verdict(foreign in foreign()) {
        let verdict = infested(&foreign);
        check_markdown(&markdown(&verdict))?;
        check_terminal(&text(&verdict, Style { width: 80, color: false }))?;
        let xml = junit(&verdict).unwrap();
        let report = Report::deserialize_from_str(&xml);
        prop_assert!(report.is_ok(), "{:?}\n{}", report, xml);
        let forbidden = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}');
        prop_assert!(!xml.contains(forbidden));
    }

    #[test]
    fn foreign_text_breaks_no_comparison_and_no_explanation(foreign in foreign()) {
        let snapshot = Snapshot::from_verdict(&fixture::good(), Digest::of(b"journal")).unwrap();
        let comparison = compare(&snapshot, &infested(&foreign), 10.0);
        check_terminal(&comparison_text(&comparison, Style { width: 80, color: false }))?;
        let failure = Failure { stderr_tail: foreign.clone(), ..Failure::new(FailureClass::Died, foreign.clone()) };
        let mut failed = row(&foreign, 0, 0, 0, Outcome::Crashed);
        failed.failure = Some(failure);
        let style = Style { width: 40, color: false };
        check_terminal(&cell_text(&infested(&foreign), &[failed], &cell_id("/0a0a0a02"), style).unwrap())?;
    }

    #[test]
    fn a_table_holds_any_text_at_any_width(cells in prop::collection::vec(foreign(), 0..6), width in any::<u16>()) {
        let rows = [cells.clone(), cells];
        check_terminal(&table(&["One", "#Two", "Three"], &rows, Style { width, color: true }))?;
    }
}
