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

/// What is shown of the sizes that were tried: the smallest that is found often enough, and those below it of which that
/// is unknown.
fn smallest(calibration: &Calibration) -> String {
    if calibration.slowdowns.is_empty() {
        return "No slowdown was tried.".to_owned();
    }
    let below = |pct: f64| calibration.smallest_found_pct.is_none_or(|smallest| pct < smallest);
    let is_unknown = |pairs: &Detections| calibration.power.is_some_and(|power| pairs.reaches(power).is_none());
    let slowdowns = calibration.slowdowns.iter();
    let mut unknown: Vec<f64> = slowdowns
        .filter(|slowdown| below(slowdown.slowdown_pct) && is_unknown(&slowdown.pairs))
        .map(|slowdown| slowdown.slowdown_pct)
        .collect();
    unknown.sort_by(f64::total_cmp);
    let sizes: Vec<String> = unknown.iter().map(|pct| format!("{} %", significant(*pct, 3))).collect();
    let mut told = Vec::new();
    match calibration.smallest_found_pct {
        Some(pct) => {
            told.push(format!("A slowdown of {} % is found as often as the plan's power asks.", significant(pct, 3)));
        }
        None if unknown.len() == calibration.slowdowns.len() => {}
        None => {
            let other = if unknown.is_empty() { "" } else { "other " };
            told.push(format!("No {other}slowdown that was tried is found as often as the plan's power asks."));
        }
    }
    if !unknown.is_empty() {
        told.push(format!(
            "Whether one of {} is found as often as the plan's power asks is unknown: by so few pairs its rate may be above \
             that or below (--slowed-verdicts asks for more).",
            sizes.join(" or ")
        ));
    }
    told.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Slowdown;
    use crate::terms::Digest;

    #[test]
    fn what_the_pairs_do_not_show_is_told_as_unknown() {
        let slowdown = |slowdown_pct, verdicts, found, interval| Slowdown {
            slowdown_pct,
            pairs: Detections { verdicts, found, rate_interval: Some(interval) },
        };
        let all = slowdown(10.0, 20, 20, [0.8316, 1.0]);
        let most = slowdown(5.0, 20, 17, [0.6211, 0.9679]);
        let few = slowdown(2.0, 20, 3, [0.0321, 0.3789]);
        let of = |slowdowns: &[&Slowdown], smallest_found_pct, power| {
            smallest(&Calibration {
                measured_at: "2026-01-01T00:00:00Z".into(),
                plan: "p".into(),
                plan_sha256: Digest::of(b"p"),
                lane: "a".into(),
                binary: Digest::of(b"b"),
                host_class: None,
                launches: 4,
                alpha: 0.05,
                pairs: Detections { verdicts: 0, found: 0, rate_interval: None },
                order_effects: 0,
                contaminated: 0,
                state: CalibrationState::Unknown,
                power,
                slowdowns: slowdowns.iter().map(|slowdown| (*slowdown).clone()).collect(),
                smallest_found_pct,
            })
        };
        let found = "A slowdown of 10.0 % is found as often as the plan's power asks.";
        let unknown = "Whether one of 5.00 % is found as often as the plan's power asks is unknown";
        let none = "No slowdown that was tried is found as often as the plan's power asks.";
        let whole = of(&[&all, &most, &few], Some(10.0), Some(0.8));
        assert!(whole.starts_with(found) && whole.contains(unknown) && !whole.contains("2.00 %"), "{whole}");
        assert!(of(&[&most], None, Some(0.8)).starts_with(unknown));
        assert!(of(&[&most, &few], None, Some(0.8)).starts_with(&none.replace("No ", "No other ")));
        assert_eq!(of(&[&few], None, Some(0.8)), none);
        assert_eq!(of(&[&all, &few], Some(10.0), Some(0.8)), found);
        assert_eq!(of(&[&most], None, None), none, "a calibration of before says what it said");
    }
}
