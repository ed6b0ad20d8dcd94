//! What is said of contrasts once they are tested: how large a difference inside the margin is, and how many launches
//! would settle what could not be told.

use super::contrast::Families;
use super::rounding::round;
use super::rules::launches_to_decide;
use super::{ContrastCell, Finding, HypothesisVerdict};
use crate::plan::{HypothesisKind, Plan};
use crate::stats::distribution::student_t_upper_quantile;
use crate::stats::{Alpha, Effect, Margin, PValue, Pairing, Power};

/// Adds both to the contrasts among `verdicts`.
///
/// # Errors
/// None for a checked plan.
pub(super) fn settle(plan: &Plan, families: &Families, verdicts: &mut [HypothesisVerdict]) -> Result<(), super::Error> {
    let alpha = Alpha::new(plan.statistics.alpha)?;
    let power = Power::new(plan.statistics.power)?;
    for verdict in verdicts {
        let contrast =
            matches!(verdict.finding, Finding::Faster | Finding::Slower | Finding::Equivalent | Finding::Mixed);
        if !contrast && verdict.finding != Finding::CouldNotTell {
            continue;
        }
        let Some(margin_pct) = verdict.margin_pct else { continue };
        verdict.reasons.extend(small_but_there(&verdict.cells, margin_pct, alpha));
        let tests = families.around(verdict.negative_control);
        verdict.reasons.extend(alone_equivalent(&verdict.cells, alpha));
        // Whether phases are apart is asked of two cells at a time, and told where it is decided.
        let apart = plan.hypotheses.iter().any(|hypothesis| {
            hypothesis.name == verdict.name && matches!(hypothesis.kind, HypothesisKind::PhaseSeparation(_))
        });
        if verdict.finding == Finding::CouldNotTell && !apart {
            let later = if verdict.negative_control { 0 } else { families.later };
            let tests = tests.map(|tests| tests + later);
            verdict.launches_to_settle = Margin::absolute(margin_pct)
                .ok()
                .and_then(|margin| needed(&verdict.cells, margin, (alpha, tests), power));
            verdict.reasons.extend(verdict.launches_to_settle.map(|launches| {
                format!("if the differences are what they seem, {launches} launches a side would settle them (power {power})")
            }));
        }
    }
    Ok(())
}

/// Differences that are significant and too small to matter, with the largest of them.
fn small_but_there(cells: &[ContrastCell], margin_pct: f64, alpha: Alpha) -> Option<String> {
    let small = cells.iter().filter(|cell| cell.finding == Finding::Equivalent);
    let sizes: Vec<f64> = small
        .filter(|cell| cell.p_adjusted.is_some_and(|p| p.is_below(alpha)))
        .filter_map(|cell| cell.difference_pct)
        .collect();
    let largest = sizes.iter().copied().max_by(|one, other| one.abs().total_cmp(&other.abs()))?;
    let cells = if sizes.len() == 1 { "1 cell".to_owned() } else { format!("{} cells", sizes.len()) };
    Some(format!(
        "in {cells} the difference is significant and lies inside the margin of ±{margin_pct} %: {} % at most",
        round(largest)
    ))
}

/// Cells that would be found equivalent if nothing else were asked, with the largest of their p values.
fn alone_equivalent(cells: &[ContrastCell], alpha: Alpha) -> Option<String> {
    let others = [Finding::CouldNotTell, Finding::Faster, Finding::Slower];
    let open = cells.iter().filter(|cell| others.contains(&cell.finding) && cell.note.is_none());
    let alone: Vec<&ContrastCell> = open.filter(|cell| cell.p_tost.is_some_and(|p| p.is_below(alpha))).collect();
    let largest = |p: &dyn Fn(&ContrastCell) -> Option<PValue>| {
        alone.iter().filter_map(|cell| p(cell)).max_by(|one, other| one.get().total_cmp(&other.get()))
    };
    let (p, adjusted) = (largest(&|cell| cell.p_tost)?, largest(&|cell| cell.p_tost_adjusted)?);
    let which = if alone.len() == 1 { "1 cell is".to_owned() } else { format!("{} cells are", alone.len()) };
    Some(format!(
        "{which} equivalent alone (p {p} at most), and among all that the plan may find equivalent that may be chance \
         (adjusted p {adjusted} at most)"
    ))
}

/// Launches a side with which every cell that could not be told would be, if its difference is what it seems to be.
/// Nothing where one is not tested at all, or lies on the margin's edge.
///
/// The cells that are hardest to tell stand for all: the one whose margin, and the one whose difference, is smallest
/// against its standard error.
fn needed(
    cells: &[ContrastCell],
    margin: Margin,
    (alpha, [differences, equivalence]): (Alpha, [usize; 2]),
    power: Power,
) -> Option<u64> {
    let among = |tests: usize| Alpha::new(alpha.get() / tests.max(1) as f64).ok();
    let open: Option<Vec<(Effect, u64)>> = cells
        .iter()
        .filter(|cell| cell.finding == Finding::CouldNotTell)
        .map(|cell| if cell.note.is_none() { effect(cell, alpha) } else { None })
        .collect();
    let open = open?;
    let inside = |effect: &Effect| effect.difference().abs() <= margin.get();
    // Where one cell is not equivalent, the others have to be among them all (Holm): at worst as the first of so many.
    let others = [Finding::Faster, Finding::Slower];
    let all_pass =
        open.iter().all(|(effect, _)| inside(effect)) && !cells.iter().any(|it| others.contains(&it.finding));
    let each = if all_pass { 1 } else { cells.len() };
    let levels = [among(equivalence * each)?, among(differences)?];
    let ease = |(effect, launches): &(Effect, u64)| {
        let distance =
            if inside(effect) { margin.get() - effect.difference().abs() } else { effect.difference().abs() };
        distance / (effect.se() * (*launches as f64).sqrt())
    };
    let mut most = None;
    for side in [true, false] {
        let hardest = open.iter().filter(|(effect, _)| inside(effect) == side);
        if let Some((effect, launches)) = hardest.min_by(|one, other| ease(one).total_cmp(&ease(other))) {
            most = most.max(Some(launches_to_decide(
                [effect, effect],
                (*launches, Pairing::Unpaired),
                margin,
                levels,
                power,
            )?));
        }
    }
    most
}

/// The cell's effect, read back from its interval. Degrees of freedom are taken as those of all its launches, and the error of
/// the measured ratio for that of the test that there is no difference: a candidate that seems slower by a tenth is told a
/// tenth more launches than that would take.
fn effect(cell: &ContrastCell, alpha: Alpha) -> Option<(Effect, u64)> {
    let [low, high] = cell.interval_pct?;
    let launches = cell.launches[0].min(cell.launches[1]);
    let df = (cell.launches[0] + cell.launches[1]).checked_sub(2).filter(|df| *df > 0)? as f64;
    let se = (high - low) / 2.0 / student_t_upper_quantile(alpha.get() / 2.0, df).ok()?;
    Some((Effect::new(cell.difference_pct?, se, df).ok()?, launches))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::Phase;

    fn cell(finding: Finding, difference: f64, reach: f64, p_adjusted: f64) -> ContrastCell {
        ContrastCell {
            cell: "/0a1b2c3d".parse().expect("an id"),
            phase: Phase::Prefill,
            finding,
            launches: [4, 4],
            mean_ms: [10.0, 10.0],
            difference_pct: Some(difference),
            interval_pct: Some([difference - reach, difference + reach]),
            tost_interval_pct: None,
            cohen_d: None,
            p: PValue::new(p_adjusted).ok(),
            p_adjusted: PValue::new(p_adjusted).ok(),
            p_tost: None,
            p_tost_adjusted: None,
            mde_pct: None,
            note: None,
        }
    }

    fn launches(cells: &[ContrastCell]) -> Option<u64> {
        let (alpha, power) = (Alpha::new(0.05).expect("a level"), Power::new(0.8).expect("a power"));
        needed(cells, Margin::absolute(3.0).expect("a margin"), (alpha, [1, 1]), power)
    }

    #[test]
    fn the_hardest_open_cell_says_how_many_launches_would_settle_all() {
        let open = |difference: f64, reach: f64| cell(Finding::CouldNotTell, difference, reach, 0.4);
        let (near, far) = (open(2.0, 8.0), open(0.5, 8.0));
        let alone = launches(std::slice::from_ref(&near)).expect("a number");
        assert!(alone > launches(std::slice::from_ref(&far)).expect("a number") && alone > 4, "{alone}");
        assert_eq!(launches(&[far.clone(), near]), Some(alone));
        let outside = launches(&[open(9.0, 12.0)]).expect("a number");
        assert_eq!(launches(&[open(9.0, 12.0), cell(Finding::Equivalent, 0.0, 0.1, 1.0)]), Some(outside));
    }

    #[test]
    fn no_number_settles_a_difference_on_the_edge_or_a_cell_that_was_not_tested() {
        assert_eq!(launches(&[cell(Finding::CouldNotTell, 3.0, 8.0, 0.4)]), None);
        let untested = ContrastCell { note: Some("too few".to_owned()), ..cell(Finding::CouldNotTell, 1.0, 8.0, 0.4) };
        assert_eq!(launches(&[untested, cell(Finding::CouldNotTell, 1.0, 8.0, 0.4)]), None);
        assert_eq!(launches(&[]), None);
    }

    #[test]
    fn a_cell_that_is_equivalent_alone_and_not_among_others_is_told() {
        let alpha = Alpha::new(0.05).expect("a level");
        let with = |finding, p: f64| ContrastCell {
            p_tost: PValue::new(p).ok(),
            p_tost_adjusted: PValue::new(p * 3.0).ok(),
            ..cell(finding, 0.5, 2.0, 0.9)
        };
        let cells =
            [with(Finding::CouldNotTell, 0.03), with(Finding::CouldNotTell, 0.2), with(Finding::Equivalent, 0.01)];
        let told = alone_equivalent(&cells, alpha);
        let expected = "1 cell is equivalent alone (p 0.03 at most), and among all that the plan may find equivalent that may be \
                        chance (adjusted p 0.09 at most)";
        assert_eq!(told.as_deref(), Some(expected));
        assert_eq!(alone_equivalent(&cells[1..], alpha), None);
    }

    #[test]
    fn a_significant_difference_inside_the_margin_is_told_with_its_size() {
        let alpha = Alpha::new(0.05).expect("a level");
        let cells = [
            cell(Finding::Equivalent, -1.5, 0.5, 0.001),
            cell(Finding::Equivalent, 1.0, 0.5, 0.049),
            cell(Finding::Equivalent, 2.0, 0.5, 0.05),
            cell(Finding::Slower, 9.0, 0.5, 0.001),
        ];
        let told = small_but_there(&cells, 3.0, alpha);
        assert_eq!(
            told.as_deref(),
            Some("in 2 cells the difference is significant and lies inside the margin of ±3 %: -1.5 % at most")
        );
        assert_eq!(small_but_there(&cells[2..], 3.0, alpha), None);
    }
}
