//! From the tables that a plan names to what a rule takes: efficiencies, hang shapes, pairs.

use serde_json::json;

use super::apply::{Read, Ruled, Settings};
use super::keys::{Key, key, keyed};
use super::launch_values::{Share, Unusable, share};
use super::tables::{Gap, TableRow, Tables, must_text, number, source, text};
use crate::plan::{Efficiencies, FalsificationLadder, HangLedger, Hangs, MatchedPairs, Precondition};
use crate::stats::{Alpha, Bootstrap, Margin, PValue};
use crate::verdict::rules::{
    Cells, Combination, Combinations, LadderRules, LaunchSides, LeftOut, RuntimeFact, RuntimeFacts, Shape, ShapeState,
    SideCell, hang_ledger, ladder, ladder_family, matched_pairs,
};

pub(super) fn falsification_ladder(tables: &Tables<'_>, rule: &FalsificationLadder, settings: &Settings) -> Ruled {
    let ruled = |Rungs { combinations, shapes, facts, rules }| {
        let ruling = ladder(&combinations, &shapes, &facts, &rules);
        ruling.against_some("min_ok_share", tables.min_ok_share(), "share")
    };
    Ok(rungs(tables, rule, settings)?.map(ruled))
}

/// The tests by which the ladder is decided, each with what it asks. A combination that two ladders hold against the same
/// threshold is asked once.
pub(super) fn asked(
    tables: &Tables<'_>,
    rule: &FalsificationLadder,
    settings: &Settings,
) -> Read<Vec<(String, PValue)>> {
    let Efficiencies { baseline, candidate, .. } = &rule.efficiencies;
    let own = |Rungs { combinations, shapes, facts, rules }: Rungs| {
        let asked = ladder_family(&combinations, &shapes, &facts, &rules);
        let question = |(at, p): (Option<usize>, PValue)| {
            let row = at.and_then(|at| combinations.compared.get(at)).map(|combination| &combination.source);
            let asked = match row {
                Some(row) => json!(["gain", row, baseline, candidate, rule.improvement_above, rule.improvement_unit]),
                None => json!(["mean gain", rule.efficiencies]),
            };
            (asked.to_string(), p)
        };
        asked.into_iter().map(question).collect()
    };
    Ok(rungs(tables, rule, settings)?.map(own))
}

/// All that the ladder is climbed with.
struct Rungs {
    combinations: Combinations,
    shapes: Vec<Shape>,
    facts: RuntimeFacts,
    rules: LadderRules,
}

/// What the tables hold of it.
fn rungs(tables: &Tables<'_>, rule: &FalsificationLadder, settings: &Settings) -> Read<Rungs> {
    let rules = LadderRules {
        min_combinations: rule.min_combinations,
        min_hang_shapes: rule.min_hang_shapes,
        names_hangs: rule.hangs.is_some(),
        combinations_are: replicates_or_cells(tables),
        improvement_above: rule.improvement_above,
        improvement_unit: rule.improvement_unit,
        null: rule.null,
        null_margin: Margin::absolute(rule.null_margin_pp)?,
        alpha: Alpha::new(settings.alpha)?,
        power: settings.power()?,
        bootstrap: Bootstrap {
            resamples: settings.bootstrap_resamples,
            seed: settings.bootstrap_seed,
            confidence: settings.confidence()?,
        },
        also_in_family: settings.also_in_family.clone(),
    };
    let read = || -> Result<Rungs, Gap> {
        let combinations = combinations(tables, &rule.efficiencies)?;
        let shapes = rule.hangs.as_ref().map_or(Ok(Vec::new()), |hangs| shapes(tables, hangs, None))?;
        let facts = facts(tables, &rule.preconditions)?;
        Ok(Rungs { combinations, shapes, facts, rules })
    };
    Ok(read())
}

/// A report takes the cells that it prints for replicates of one another; those of a run are what they are.
fn replicates_or_cells(tables: &Tables<'_>) -> Cells {
    if tables.are_measured() { Cells::Different } else { Cells::Replicates }
}

/// Combinations of which both sides are known, and those of which one is not.
fn combinations(tables: &Tables<'_>, efficiencies: &Efficiencies) -> Result<Combinations, Gap> {
    let Efficiencies { rows, key: columns, baseline, candidate } = efficiencies;
    let mut found = Combinations::default();
    for (key, row) in keyed(tables.rows(rows)?, columns)? {
        match (share(tables, row, baseline)?, share(tables, row, candidate)?) {
            (Ok(before), Ok(after)) => found.compared.push(combination(key, row, before, after)),
            (Err(Unusable { reason, settled_by }), Ok(_)) | (Ok(_), Err(Unusable { reason, settled_by })) => {
                found.left_out.push(LeftOut { key, source: source(row), reason, settled_by });
            }
            (Err(before), Err(after)) => {
                let settled_by = before.settled_by.zip(after.settled_by).map(|(one, other)| one.max(other));
                let reason = format!("{}; {}", before.reason, after.reason);
                found.left_out.push(LeftOut { key, source: source(row), reason, settled_by });
            }
        }
    }
    Ok(found)
}

fn combination(key: Key, row: &TableRow<'_>, before: Share, after: Share) -> Combination {
    Combination {
        key,
        source: source(row),
        baseline_pct: before.printed.value,
        candidate_pct: after.printed.value,
        slack_pp: before.printed.half + after.printed.half,
        launches: before.launches.zip(after.launches).map(|(baseline, candidate)| LaunchSides { baseline, candidate }),
    }
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
    Ok(shapes(tables, &rule.hangs, Some(rule))
        .map(|shapes| hang_ledger(&shapes, replicates_or_cells(tables), confidence)))
}

fn shapes(tables: &Tables<'_>, hangs: &Hangs, ledger: Option<&HangLedger>) -> Result<Vec<Shape>, Gap> {
    let Hangs { rows, key: columns, outcome, resolved, unresolved, ok_rate, wall, tokens } = hangs;
    let mut found = Vec::new();
    for (key, row) in keyed(tables.rows(rows)?, columns)? {
        let word = must_text(row, outcome)?;
        let before = ledger.map(|ledger| &ledger.baseline_wall);
        tables.check_numbers(row, &[outcome].into_iter().chain(before).collect::<Vec<_>>())?;
        let (ok_rate, wall) = (number(row, ok_rate)?, number(row, wall)?);
        let tokens = tokens.as_ref().map(|tokens| number(row, tokens)).transpose()?;
        let has_tokens = tokens.is_none_or(|tokens| tokens.is_some_and(|tokens| tokens.value > 0.0));
        let ran_through =
            has_tokens && matches!((ok_rate, wall), (Some(rate), Some(wall)) if rate.value == 1.0 && wall.value > 0.0);
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
            let value = number(row, &column.column)?.map(|printed| printed.value);
            cells.push(SideCell { key: key(row, &rule.key)?, source: source(row), value });
        }
        Ok(cells)
    };
    let ruled = || Ok(matched_pairs(&side(&rule.left)?, &side(&rule.right)?, replicates_or_cells(tables), confidence));
    Ok(ruled())
}
