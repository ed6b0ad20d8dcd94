//! From the tables that a plan names to what a rule takes: efficiencies, hang shapes, pairs.

use super::apply::{Ruled, Settings};
use super::keys::{Key, key, keyed};
use super::tables::{Gap, Printed, Tables, must_text, number, percent, source, text};
use crate::plan::{Efficiencies, FalsificationLadder, HangLedger, Hangs, MatchedPairs, Precondition};
use crate::stats::{Alpha, Bootstrap, Margin};
use crate::verdict::rules::{
    Combination, LadderRules, Ruling, RuntimeFact, RuntimeFacts, Shape, ShapeState, SideCell, hang_ledger, ladder,
    matched_pairs,
};

pub(super) fn falsification_ladder(tables: &Tables<'_>, rule: &FalsificationLadder, settings: &Settings) -> Ruled {
    let rules = LadderRules {
        min_combinations: rule.min_combinations,
        min_hang_shapes: rule.min_hang_shapes,
        names_hangs: rule.hangs.is_some(),
        improvement_above: rule.improvement_above,
        improvement_unit: rule.improvement_unit,
        null: rule.null,
        null_margin: Margin::absolute(rule.null_margin_pp)?,
        alpha: Alpha::new(settings.alpha)?,
        bootstrap: Bootstrap {
            resamples: settings.bootstrap_resamples,
            seed: settings.bootstrap_seed,
            confidence: settings.confidence()?,
        },
    };
    let ruled = || -> Result<Ruling, Gap> {
        let combinations = combinations(tables, &rule.efficiencies)?;
        let shapes = rule.hangs.as_ref().map_or(Ok(Vec::new()), |hangs| shapes(tables, hangs, None))?;
        let facts = facts(tables, &rule.preconditions)?;
        Ok(ladder(&combinations, &shapes, &facts, &rules))
    };
    Ok(ruled())
}

/// Combinations of which both sides are printed.
fn combinations(tables: &Tables<'_>, efficiencies: &Efficiencies) -> Result<Vec<Combination>, Gap> {
    let Efficiencies { rows, key: columns, baseline, candidate } = efficiencies;
    let mut found = Vec::new();
    for (key, row) in keyed(tables.rows(rows)?, columns)? {
        let (Some(before), Some(after)) = (percent(row, baseline)?, percent(row, candidate)?) else { continue };
        found.push(Combination {
            key,
            source: source(row),
            baseline_pct: before.value,
            candidate_pct: after.value,
            slack_pp: before.half + after.half,
        });
    }
    Ok(found)
}

fn facts(tables: &Tables<'_>, preconditions: &[Precondition]) -> Result<RuntimeFacts, Gap> {
    let mut found = RuntimeFacts::default();
    for Precondition { rows, key: columns, required, expected, observed } in preconditions {
        let chosen = tables.rows(rows)?;
        // Where the plan lists no statements, each word that it chooses rows by has to stand in one.
        for (column, words) in rows.only.iter().filter(|_| required.is_empty()) {
            let told = chosen.iter().map(|row| text(row, column)).collect::<Result<Vec<_>, Gap>>()?;
            let unsaid = words.iter().filter(|word| !told.contains(&Some(word.to_string())));
            found.absent.extend(unsaid.map(|word| format!("{column} {word} in table {}", rows.table)));
        }
        let told = keyed(chosen, columns)?;
        for statement in required {
            let wanted: Key = columns.iter().cloned().zip(statement.iter().cloned()).collect();
            if told.iter().all(|(key, _)| *key != wanted) {
                found.absent.push(format!("{} in table {}", statement.join(", "), rows.table));
            }
        }
        for (key, row) in told {
            found.told.push(RuntimeFact {
                name: key.into_values().collect::<Vec<_>>().join(", "),
                source: source(row),
                expected: must_text(row, expected)?,
                observed: text(row, observed)?.unwrap_or_else(|| "not recorded".to_owned()),
            });
        }
    }
    Ok(found)
}

pub(super) fn hang_rule(tables: &Tables<'_>, rule: &HangLedger, settings: &Settings) -> Ruled {
    let confidence = settings.confidence()?;
    Ok(shapes(tables, &rule.hangs, Some(rule)).map(|shapes| hang_ledger(&shapes, confidence)))
}

fn shapes(tables: &Tables<'_>, hangs: &Hangs, ledger: Option<&HangLedger>) -> Result<Vec<Shape>, Gap> {
    let Hangs { rows, key: columns, outcome, resolved, unresolved, ok_rate, wall } = hangs;
    let mut found = Vec::new();
    for (key, row) in keyed(tables.rows(rows)?, columns)? {
        let word = must_text(row, outcome)?;
        let (ok_rate, wall) = (number(row, ok_rate)?, number(row, wall)?);
        let ran_through = matches!((ok_rate, wall), (Some(rate), Some(wall)) if rate.value == 1.0 && wall.value > 0.0);
        let state = match (resolved.contains(&word), unresolved.contains(&word)) {
            (true, _) if ran_through => ShapeState::Resolved,
            (_, true) if ok_rate.is_none_or(|rate| rate.value < 1.0) && wall.is_none() => ShapeState::Unresolved,
            (false, false) => return Err(Gap::of(format!("{}: the design knows no outcome {word:?}", source(row)))),
            _ => ShapeState::Contradictory,
        };
        let (group, before) = match ledger {
            Some(HangLedger { by, baseline_wall, baseline_wall_absent, .. }) => {
                let before = number(row, baseline_wall)?.filter(|wall| wall.value != *baseline_wall_absent);
                (must_text(row, by)?, before)
            }
            None => (String::new(), None),
        };
        let hung_before = match ledger.and_then(|ledger| ledger.before.as_ref()) {
            Some(before) => before.unresolved.contains(&must_text(row, &before.outcome)?),
            None => true,
        };
        found.push(Shape {
            key,
            source: source(row),
            hung_before,
            state,
            baseline_wall_ms: before.map(|wall| wall.value),
            wall_ms: wall.map(|wall| wall.value),
            group,
        });
    }
    Ok(found)
}

pub(super) fn pairs_rule(tables: &Tables<'_>, rule: &MatchedPairs, settings: &Settings) -> Ruled {
    let confidence = settings.confidence()?;
    let side = |column: &crate::plan::Column| -> Result<Vec<SideCell>, Gap> {
        let mut cells = Vec::new();
        for row in tables.column(column)? {
            let Some(Printed { value, .. }) = number(row, &column.column)? else { continue };
            cells.push(SideCell { key: key(row, &rule.key)?, source: source(row), value });
        }
        Ok(cells)
    };
    let ruled = || Ok(matched_pairs(&side(&rule.left)?, &side(&rule.right)?, confidence));
    Ok(ruled())
}
