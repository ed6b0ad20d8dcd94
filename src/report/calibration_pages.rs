//! A host's calibration: in brief beside a verdict, and whole as the answer of `calibrate`.

use super::page::{Page, Table, Tone, numbers, words};
use super::terminal::{self, Style};
use crate::terms::significant;
use crate::verdict::{Calibration, CalibrationState, Detections};

/// One paragraph beside a verdict.
pub(super) fn in_brief(calibration: &Calibration) -> String {
    let state = match calibration.state {
        CalibrationState::Passed => "Calibrated",
        CalibrationState::Failed => "CALIBRATION FAILED",
        CalibrationState::Unknown => "Calibrated, false-positive rate unknown (too few pairs)",
    };
    format!(
        "{state}: {} ({}, lane {}, {} launches a side). {}",
        calibration.false_positives(),
        calibration.measured_at,
        calibration.lane,
        calibration.launches,
        smallest(calibration)
    )
}

/// The whole of it, for a terminal.
#[must_use]
pub fn calibration_text(calibration: &Calibration, style: Style) -> String {
    let (tone, told) = match calibration.state {
        CalibrationState::Passed => (Tone::Good, "This host passed: it may be believed at the level of its tests."),
        CalibrationState::Failed => (
            Tone::Bad,
            "This host FAILED: it shows differences where there are none, more often than its tests promise.",
        ),
        CalibrationState::Unknown => (Tone::Doubt, "Unknown: too few pairs to state how often this host errs."),
    };
    let mut page = Page::new(format!("Calibration by plan {}", calibration.plan));
    page.banner(tone, told);
    page.paragraph(format!(
        "Lane {} against itself, {} launches a side, every pair judged by the plan's own rules: {}.",
        calibration.lane,
        calibration.launches,
        calibration.false_positives()
    ));
    let columns =
        vec![words("injected slowdown"), numbers("pairs"), numbers("found"), words("rate, exact 95 % interval")];
    let mut table = Table::new(columns);
    table.row(row("none", &calibration.pairs));
    for slowdown in &calibration.slowdowns {
        table.row(row(&format!("{} %", significant(slowdown.slowdown_pct, 3)), &slowdown.pairs));
    }
    page.table(table);
    page.paragraph(format!(
        "{} In {} pairs of equal lanes the result hung on which lane went first; others used the host beyond the plan's \
         limit in {}.",
        smallest(calibration),
        calibration.order_effects,
        calibration.contaminated
    ));
    terminal::render(&page, style)
}

fn row(name: &str, pairs: &Detections) -> [String; 4] {
    let rate = pairs.rate();
    [name.to_owned(), pairs.verdicts.to_string(), pairs.found.to_string(), rate.trim_start_matches(": ").to_owned()]
}

fn smallest(calibration: &Calibration) -> String {
    match (calibration.smallest_found_pct, calibration.slowdowns.is_empty()) {
        (Some(pct), _) => {
            format!("A slowdown of {} % is found as often as the plan's power asks.", significant(pct, 3))
        }
        (None, true) => "No slowdown was tried.".to_owned(),
        (None, false) => "No slowdown that was tried is found as often as the plan's power asks.".to_owned(),
    }
}
