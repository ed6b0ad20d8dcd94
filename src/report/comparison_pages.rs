//! A comparison with a snapshot, and two runs side by side, for a terminal.

use super::number::{NONE, significant};
use super::page::{Page, Table, Tone, numbers, words as text};
use super::sections::conclusion_words;
use super::terminal::{self, Style};
use crate::snapshot::{
    AxisDifference, Change, Comparison, ConfirmationState, GateStanding, HostClass, Magnitudes, Part, RunComparison,
    RunLaneCell, Severity, Side, Status,
};
use crate::terms::{Digest, words};

/// A comparison with a snapshot, for a terminal.
#[must_use]
pub fn comparison_text(comparison: &Comparison, style: Style) -> String {
    terminal::render(&comparison_page(comparison), style)
}

/// Two runs side by side, for a terminal.
#[must_use]
pub fn run_comparison_text(comparison: &RunComparison, style: Style) -> String {
    terminal::render(&run_page(comparison), style)
}

fn comparison_page(comparison: &Comparison) -> Page {
    let mut page = Page::new(format!("Plan {} against its snapshot", comparison.plan));
    banner(comparison, &mut page);
    page.paragraph(match &comparison.magnitudes {
        Magnitudes::Compared { band_pct } => format!(
            "Times were compared: a mean has changed when it lies more than {} % from the snapshot's and the intervals of \
             both lie apart.",
            significant(*band_pct, 1)
        ),
        Magnitudes::NotCompared { reason } => format!("Times and timing findings were NOT compared: {reason}."),
    });
    sides(["snapshot", "run"], &comparison.then, &comparison.now, &mut page);
    if let Some(confirmation) = &comparison.confirmation {
        page.heading("Confirmation");
        page.bullets(vec![confirmation.sentence()]);
    }
    gates(comparison, &mut page);
    for severity in Severity::ALL {
        changes(comparison, severity, &mut page);
    }
    axes(&comparison.axes, ["Snapshot", "Run"], &mut page);
    next(comparison, &mut page);
    page
}

fn banner(comparison: &Comparison, page: &mut Page) {
    let count = |severity| match comparison.of(severity).count() {
        0 => None,
        n => Some(format!("{n} {}", label(severity, n))),
    };
    let counts: Vec<String> = Severity::ALL.into_iter().filter_map(count).collect();
    let counts = counts.join(", ");
    let worse = comparison.changes.iter().any(|c| matches!(c.severity, Severity::Regression | Severity::Missing));
    let (tone, text) = match comparison.status() {
        Status::Same if counts.is_empty() => (Tone::Good, "SAME: nothing changed since the snapshot".to_owned()),
        Status::Same => (Tone::Good, format!("SAME: nothing changed since the snapshot; {counts}")),
        Status::Changed if worse => (Tone::Bad, format!("CHANGED since the snapshot: {counts}")),
        Status::Changed => (Tone::Doubt, format!("CHANGED since the snapshot: {counts}")),
        Status::Inconclusive if comparison.confirmation.is_some() => {
            (Tone::Doubt, format!("INCONCLUSIVE: the regression in times is not confirmed; {counts}"))
        }
        Status::Inconclusive => (Tone::Doubt, format!("INCONCLUSIVE: nothing is known to have changed; {counts}")),
        Status::OtherHostClass => (
            Tone::Doubt,
            "OTHER HOST CLASS: tokens, parity, outcomes and coverage are as in the snapshot; times were not compared"
                .to_owned(),
        ),
    };
    page.banner(tone, text);
}

/// A severity in words, for `count` changes.
fn label(severity: Severity, count: usize) -> String {
    match severity {
        Severity::Regression | Severity::Improvement if count != 1 => format!("{}s", severity.name()),
        Severity::CouldNotCompare => "could not be compared".to_owned(),
        Severity::Skipped => "not on this host".to_owned(),
        _ => words(severity.name()),
    }
}

fn sides(names: [&str; 2], a: &Side, b: &Side, page: &mut Page) {
    let mut table = Table::new([text(""), text(names[0]).wraps(), text(names[1]).wraps()]);
    let classes = |side: &Side| side.host_classes.iter().map(HostClass::as_str).collect::<Vec<_>>().join(", ");
    let plan = |side: &Side| format!("{} {}", side.plan, shown(&side.plan_sha256.to_string()));
    for (what, of_a, of_b) in [
        ("Run", a.run.clone(), b.run.clone()),
        ("Measured at", or_nothing(a.measured_at.clone()), or_nothing(b.measured_at.clone())),
        ("Plan", plan(a), plan(b)),
        ("Model", a.model.clone(), b.model.clone()),
        ("Host class", classes(a), classes(b)),
        ("Conclusion", conclusion_words(a.conclusion), conclusion_words(b.conclusion)),
    ] {
        table.row([what.to_owned(), of_a, of_b]);
    }
    page.table(table);
}

fn or_nothing(value: Option<String>) -> String {
    value.unwrap_or_else(|| NONE.to_owned())
}

/// A digest in short; any other text as it is.
fn shown(value: &str) -> String {
    value.parse::<Digest>().map_or_else(|_| value.to_owned(), |digest| digest.short())
}

fn shown_or_nothing(value: Option<&String>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| shown(value))
}

/// The gates that did not pass, each with what it means.
fn gates(comparison: &Comparison, page: &mut Page) {
    let mut table = Table::new([text("Gate"), text(""), numbers("Changes"), text("Meaning").wraps_sentences()]);
    for gate in comparison.gates.iter().filter(|gate| gate.standing != GateStanding::Passed) {
        table.row([
            gate.kind.name().to_owned(),
            words(gate.standing.name()),
            gate.changes.to_string(),
            gate.kind.meaning().to_owned(),
        ]);
    }
    if !table.rows.is_empty() {
        page.heading(format!("Gates that did not pass, of {}", comparison.gates.len()));
        page.table(table);
    }
}

fn changes(comparison: &Comparison, severity: Severity, page: &mut Page) {
    let mut table = Table::new([
        text("Gate"),
        text("Where").wraps(),
        text("Snapshot").wraps(),
        text("Run").wraps(),
        text("Why").wraps(),
        text("Axes that differ").optional().wraps(),
    ]);
    for change in comparison.of(severity) {
        table.row([
            change.kind.name().to_owned(),
            place(change),
            value(change, change.from.as_ref()),
            value(change, change.to.as_ref()),
            change.note.clone().unwrap_or_default(),
            axis_names(change),
        ]);
    }
    if !table.rows.is_empty() {
        let name = label(severity, table.rows.len());
        let mut letters = name.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
        page.heading(format!("{} ({})", first.chain(letters).collect::<String>(), table.rows.len()));
        page.table(table);
    }
}

/// Lane, cell and what it is about, as far as they are known.
fn place(change: &Change) -> String {
    let cell = change.cell.as_ref().map(ToString::to_string);
    let known = [change.lane.clone(), cell, Some(change.what.clone())];
    let what = known.into_iter().flatten().collect::<Vec<_>>().join(" ");
    // The part already says that it is a lane.
    if change.part == Part::Lane { change.lane.clone().unwrap_or(what) } else { what }
}

fn value(change: &Change, value: Option<&String>) -> String {
    let shown = shown_or_nothing(value);
    if change.part == Part::Finding { words(&shown) } else { shown }
}

/// The axes beside a change, each once; their values stand in a table of their own.
fn axis_names(change: &Change) -> String {
    let mut names: Vec<&str> = change.axes.iter().map(|axis| axis.axis.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn axes(differences: &[AxisDifference], names: [&str; 2], page: &mut Page) {
    page.heading("Identity axes that differ");
    if differences.is_empty() {
        page.paragraph("None: tool, host and lanes are the same in every axis on record.");
        return;
    }
    let mut table =
        Table::new([text("Of"), text("Lane"), text("Axis"), text(names[0]).wraps(), text(names[1]).wraps()]);
    for axis in differences {
        table.row([
            axis.scope.name().to_owned(),
            or_nothing(axis.lane.clone()),
            axis.axis.clone(),
            shown_or_nothing(axis.from.as_ref()),
            shown_or_nothing(axis.to.as_ref()),
        ]);
    }
    page.table(table);
}

fn next(comparison: &Comparison, page: &mut Page) {
    let run = &comparison.now.run;
    let accept = |what: &str| (what.to_owned(), format!("lockstep accept {run}"));
    let mut commands = Vec::new();
    if let Some(cell) = comparison.changes.iter().find_map(|change| change.cell.as_ref()) {
        commands.push(("See a changed cell row by row".to_owned(), format!("lockstep explain {run} {cell}")));
    }
    if comparison.changes.iter().any(|change| change.part == Part::Journal) {
        commands.push(("Finish the run, if it was stopped".to_owned(), format!("lockstep resume {run}")));
    }
    if comparison.confirmation_state() == Some(ConfirmationState::Asked) {
        let what = "Make the runs that the plan asks for before the regression stands".to_owned();
        commands.push((what, format!("lockstep verify {run} --confirm")));
    }
    match comparison.status() {
        Status::Same => return,
        Status::Changed => commands.push(accept("If the change is meant, make this run the snapshot")),
        Status::OtherHostClass => commands.push(accept("Make this run the snapshot of its host class")),
        Status::Inconclusive => commands.push((
            "Run again where nothing else uses the host".to_owned(),
            format!("lockstep run {}", comparison.plan),
        )),
    }
    page.heading("Next");
    page.commands(commands);
}

fn run_page(comparison: &RunComparison) -> Page {
    let mut page = Page::new(format!("Run {} against run {}", comparison.b.run, comparison.a.run));
    let (tone, text) = if !comparison.not_comparable.is_empty() {
        (Tone::Doubt, "NOT COMPARABLE")
    } else if comparison.differs() {
        (Tone::Doubt, "THE RUNS DIFFER in a finding, an output or a time")
    } else {
        (Tone::Good, "NO DIFFERENCE in findings, outputs or times that lie apart")
    };
    page.banner(tone, text);
    page.bullets(comparison.not_comparable.clone());
    page.bullets(comparison.notes.clone());
    sides(["first run", "second run"], &comparison.a, &comparison.b, &mut page);
    run_findings(comparison, &mut page);
    run_cells(comparison, &mut page);
    for (heading, only) in
        [("Only in the first run", &comparison.only_in_a), ("Only in the second run", &comparison.only_in_b)]
    {
        if !only.is_empty() {
            page.heading(heading);
            page.bullets(only.clone());
        }
    }
    axes(&comparison.axes, ["First run", "Second run"], &mut page);
    page
}

fn run_findings(comparison: &RunComparison, page: &mut Page) {
    let mut table = Table::new(["Hypothesis", "First run", "Second run", ""].map(text));
    let told = |result: &Option<String>| or_nothing(result.as_deref().map(words));
    for pair in &comparison.findings {
        let mark = if pair.a == pair.b { "" } else { "differs" };
        table.row([pair.hypothesis.clone(), told(&pair.a), told(&pair.b), mark.to_owned()]);
    }
    if !table.rows.is_empty() {
        page.heading("Findings");
        page.table(table);
    }
}

fn run_cells(comparison: &RunComparison, page: &mut Page) {
    let mut table = Table::new([
        text("Cell"),
        text("Work").wraps(),
        text("Lane"),
        text("Tokens"),
        numbers("Ratio"),
        text("Apart").optional(),
        numbers("First ms").optional(),
        numbers("Second ms").optional(),
        numbers("First ok").optional(),
        numbers("Second ok").optional(),
    ]);
    for cell in &comparison.cells {
        for (index, lane) in cell.lanes.iter().enumerate() {
            let head = if index == 0 { [cell.cell.to_string(), cell.what.clone()] } else { Default::default() };
            table.row(head.into_iter().chain(run_lane(lane)));
        }
    }
    if !table.rows.is_empty() {
        page.heading("Cells");
        page.paragraph(
            "Ratio: second mean divided by first, with what the intervals of both means allow. Apart: whether those \
             intervals share no point.",
        );
        page.table(table);
    }
}

fn run_lane(lane: &RunLaneCell) -> Vec<String> {
    let tokens = match lane.same_tokens {
        Some(true) => "same",
        Some(false) => "DIFFER",
        None => NONE,
    };
    let ok = |side: usize| match (lane.ok.get(side), lane.planned.get(side)) {
        (Some(ok), Some(planned)) => format!("{ok}/{planned}"),
        _ => NONE.to_owned(),
    };
    let [first, second] = lane.mean_ms.map(|mean| super::number::or_none(mean, 4));
    let ratio = match (lane.ratio, lane.ratio_interval) {
        (Some(ratio), Some([low, high])) => {
            format!("{} [{}, {}]", significant(ratio, 3), significant(low, 3), significant(high, 3))
        }
        (Some(ratio), None) => significant(ratio, 3),
        (None, _) => NONE.to_owned(),
    };
    let apart = lane.apart.map_or(NONE, |apart| if apart { "yes" } else { "no" });
    vec![lane.lane.clone(), tokens.to_owned(), ratio, apart.to_owned(), first, second, ok(0), ok(1)]
}
