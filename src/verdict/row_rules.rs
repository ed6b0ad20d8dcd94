//! Hypotheses that a decision rule decides, over the tables that the rows give.

use std::collections::{BTreeMap, BTreeSet};

use super::adapters::{Asked, Decided, Settings, Tables, all, apply, family, others};
use super::agent_hangs::agent_hangs;
use super::agent_tables::AgentTables;
use super::controls::{Controls, reads_times};
use super::expected::Expectations;
use super::measured_tables::{launches_behind, measured_tables};
use super::reduce::Table;
use super::rules::{MIN_LAUNCHES, OtherTests, Ruling, Standing};
use super::stack_tables::stack_tables;
use super::{Error, Finding, HypothesisVerdict, LaneVerdict};
use crate::plan::{HypothesisKind, Plan, Rule};
use crate::terms::Scalar;

/// The plan's decision rules over the tables that the rows give.
pub(super) struct RowRules<'a> {
    tables: Tables<'static>,
    /// What each hypothesis adds to the plan's family, in plan order; nothing for one that no rule decides.
    own: Vec<Vec<Asked>>,
    /// The lanes that took no part, with the reason.
    absent: &'a BTreeMap<String, String>,
    expectations: &'a Expectations,
}

impl<'a> RowRules<'a> {
    /// Tests whatever the rules test. A rule whose lanes took no part tests nothing; one that a control voids stays in the family,
    /// as a contrast does, which was written down before the control was seen.
    pub(super) fn of(
        plan: &Plan,
        table: &Table,
        of_agents: AgentTables,
        lanes: &[LaneVerdict],
        absent: &'a BTreeMap<String, String>,
        expectations: &'a Expectations,
    ) -> Result<Self, Error> {
        let mut rows = Vec::new();
        if plan.has_rules() {
            rows = measured_tables(table, lanes, expectations);
            rows.extend(of_agents.rows);
            rows.extend(agent_hangs(plan, table, lanes));
            rows.extend(stack_tables(plan, lanes));
        }
        let behind = if plan.has_rules() { launches_behind(table, lanes) } else { BTreeMap::new() };
        let tables = Tables::measured(rows, plan.coverage.min_ok_share).behind(behind);
        let tables = tables.with_values(of_agents.efficiencies);
        debug_assert_eq!(unforeseen(plan, &tables), Vec::<String>::new(), "columns that no plan could name");
        let alone = settings(plan, OtherTests::default());
        let own = plan.hypotheses.iter().map(|hypothesis| match &hypothesis.kind {
            HypothesisKind::Ruled { rule, .. } if !named_lanes(rule).iter().any(|lane| absent.contains_key(lane)) => {
                family(rule, &tables, &alone)
            }
            _ => Ok(Vec::new()),
        });
        let own = own.collect::<Result<_, _>>()?;
        Ok(Self { tables, own, absent, expectations })
    }

    /// The cells whose times the rule might have read if they did not fail as the plan expects.
    fn left_out(&self, rule: &Rule, table: &Table, lanes: &[LaneVerdict]) -> Vec<String> {
        let reads_times = reads_times(rule);
        let named = named_lanes(rule);
        let mut told = Vec::new();
        for LaneVerdict { lane, .. } in lanes.iter().filter(|it| named.is_empty() || named.contains(&it.lane)) {
            for (id, cell) in
                table.cells().iter().filter(|(id, _)| reads_times && self.expectations.excused(lane, id) > 0)
            {
                told.push(format!(
                    "{id} {}: the times of lane {lane} are left out, it fails there as expected",
                    cell.phase
                ));
            }
        }
        told
    }

    /// What all rules add to the plan's family.
    pub(super) fn family(&self) -> OtherTests {
        all(&self.own)
    }

    /// Decides those among `verdicts`, which stand in plan order. `of_contrasts` is what the contrasts add to the plan's family,
    /// `controls` what the rules lean on.
    pub(super) fn decide(
        &self,
        plan: &Plan,
        table: &Table,
        lanes: &[LaneVerdict],
        (of_contrasts, controls): (&OtherTests, &Controls),
        verdicts: &mut [HypothesisVerdict],
    ) -> Result<(), Error> {
        let mut before: Vec<Decided> = Vec::with_capacity(verdicts.len());
        for (index, (hypothesis, verdict)) in plan.hypotheses.iter().zip(verdicts).enumerate() {
            if let HypothesisKind::Ruled { rule, .. } = &hypothesis.kind {
                verdict.rule = Some(rule.kind().to_owned());
                verdict.lanes = named_lanes(rule);
                let missing = verdict.lanes.iter().find_map(|lane| self.absent.get_key_value(lane));
                match (verdict.finding, missing) {
                    (Finding::Void, _) => {}
                    (_, Some((lane, reason))) => {
                        verdict.finding = Finding::NotMeasured;
                        verdict.reasons.push(format!("lane {lane} took no part: {reason}"));
                    }
                    (_, None) => {
                        let family = others(&self.own, index).beside(of_contrasts);
                        let ruling = apply(rule, &self.tables, &settings(plan, family), &before)?;
                        let ruling = controls.bear_on_ruling(hypothesis, rule, ruling);
                        verdict.reasons.extend(ruling.reasons.iter().cloned());
                        verdict.reasons.extend(settled_told(&ruling));
                        verdict.reasons.extend(self.left_out(rule, table, lanes));
                        verdict.reasons.extend(shares_told(rule, table, lanes));
                        verdict.reasons.extend(weights_told(rule, plan));
                        let is_decided = ruling.standing == Standing::Decided;
                        verdict.finding = if is_decided { Finding::Ruled } else { Finding::CouldNotTell };
                        verdict.ruling = Some(ruling);
                    }
                }
            }
            before.push(decided(verdict));
        }
        Ok(())
    }
}

/// Columns that the rows give and that a plan which names them would be refused for.
fn unforeseen(plan: &Plan, tables: &Tables<'_>) -> Vec<String> {
    let known = plan.table_columns();
    let foreseen = |table: &str, column: &str| {
        let columns = known.get(table)?;
        let of_lane = column.starts_with("lane.") && columns.contains("lane.");
        (of_lane || columns.contains(column)).then_some(())
    };
    let found = tables.columns().into_iter().flat_map(|(table, columns)| {
        let missing: Vec<String> = columns.into_iter().filter(|column| foreseen(&table, column).is_none()).collect();
        missing.into_iter().map(move |column| format!("{table}.{column}"))
    });
    found.collect()
}

/// How sure every answer must be.
fn settings(plan: &Plan, also_in_family: OtherTests) -> Settings {
    Settings {
        alpha: plan.statistics.alpha,
        power: Some(plan.statistics.power),
        bootstrap_resamples: plan.statistics.bootstrap_resamples,
        bootstrap_seed: plan.statistics.bootstrap_seed,
        also_in_family,
    }
}

/// How many positions a parity that a teacher decides rests on.
fn shares_told(rule: &Rule, table: &Table, lanes: &[LaneVerdict]) -> Vec<String> {
    let Rule::StatedDifferences(rule) = rule else { return Vec::new() };
    if rule.left != "teacher_decisive" {
        return Vec::new();
    }
    let told = lanes.iter().flat_map(|lane| table.cells().iter().map(move |(id, _)| (&lane.lane, id)));
    told.filter_map(|(lane, id)| {
        let teacher = table.entry(lane, id)?.logits.as_ref()?.teacher?;
        let share = 100.0 * teacher.decisive as f64 / teacher.positions as f64;
        Some(format!(
            "{id} {lane}: {} of {} positions decide ({share:.1} %), the error of the logits being {}",
            teacher.decisive, teacher.positions, teacher.rms_error
        ))
    })
    .collect()
}

/// How many launches would settle what is open.
fn settled_told(ruling: &Ruling) -> Option<String> {
    let launches = ruling.settled_by.filter(|_| ruling.standing == Standing::Inconclusive)?;
    Some(match launches {
        ..=MIN_LAUNCHES => format!("fewer than {launches} launches tell nothing, not even how many would settle it"),
        _ => format!("{launches} launches would settle it, if they come out as these seem to"),
    })
}

/// Parity is of weights, so its verdict says of which kind.
fn weights_told(rule: &Rule, plan: &Plan) -> Option<String> {
    let is_parity = matches!(rule, Rule::TokenParity(_) | Rule::WeightParity(_) | Rule::StatedDifferences(_));
    is_parity.then(|| format!("the weights of {} are {}", plan.model.name, plan.model.weights()))
}

/// The lanes that the rule chooses by name, in the order of their names.
fn named_lanes(rule: &Rule) -> Vec<String> {
    let chosen = rule.selections();
    let lanes = chosen.iter().filter_map(|rows| rows.only.get("lane")).flatten().filter_map(Scalar::text);
    lanes.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

fn decided(verdict: &HypothesisVerdict) -> Decided {
    let rests_on = match &verdict.ruling {
        Some(ruling) => ruling.rests_on.clone(),
        None => verdict.rests_on.clone(),
    };
    Decided {
        name: verdict.name.clone(),
        label: verdict.result().to_owned(),
        is_decided: verdict.finding.is_decided(),
        rests_on,
    }
}
