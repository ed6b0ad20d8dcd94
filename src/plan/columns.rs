//! Which columns a rule reads, and whether the tables have them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Document, key};
use super::{Efficiencies, Error, Hangs, MeanSide, PrintedEffects, Rows, Rule, TokenParity};
use crate::terms::{AXIS_NAMES, nearest};

/// A column that a rule reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRead {
    /// Where the plan names it, below the hypothesis: for example `rule.baseline.mean`.
    pub path: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub column: String,
}

/// Table to the columns that it has.
pub type Columns = BTreeMap<String, BTreeSet<String>>;

/// Refuses the first table of a rule that is none of `known`; `whose` says of which those are.
pub(super) fn check_tables(
    document: &Document<'_>,
    hypothesis: usize,
    rule: &Rule,
    known: &[&str],
    whose: &str,
) -> Result<(), Error> {
    let tables = rule.tables();
    let Some((path, table)) = tables.iter().find(|(_, table)| !known.contains(&table.as_str())) else { return Ok(()) };
    let hint = match nearest(table, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{whose} {}", known.join(", ")),
    };
    Err(document.fault(&format!("hypothesis[{hypothesis}].{path}"), format!("no table {table:?}"), Some(hint)))
}

/// Refuses the first column that its table does not have. A table that `known` does not name is left alone: whether it is
/// there at all is another question.
pub(super) fn check(document: &Document<'_>, hypothesis: usize, rule: &Rule, known: &Columns) -> Result<(), Error> {
    for ColumnRead { path, table, column } in rule.columns() {
        let Some(columns) = known.get(&table).filter(|columns| !columns.contains(&column)) else { continue };
        let axis = column.strip_prefix(LANE_AXES).filter(|_| columns.contains(LANE_AXES));
        if axis.is_some_and(|axis| AXIS_NAMES.contains(&axis)) {
            continue;
        }
        let hint = match axis {
            Some(axis) => near_axis(axis),
            None => near_column(&column, columns),
        };
        let message = format!("table {table} has no column {column:?}");
        return Err(document.fault(&format!("hypothesis[{hypothesis}].{path}"), message, Some(hint)));
    }
    Ok(())
}

fn near_axis(axis: &str) -> String {
    match nearest(axis, AXIS_NAMES.iter().copied()) {
        Some(near) => format!("did you mean `{LANE_AXES}{near}`?"),
        None => format!("the axes of a lane: {}", AXIS_NAMES.join(", ")),
    }
}

fn near_column(column: &str, columns: &BTreeSet<String>) -> String {
    let known = || columns.iter().map(String::as_str).filter(|column| *column != LANE_AXES);
    match nearest(column, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its columns: {}", known().collect::<Vec<_>>().join(", ")),
    }
}

/// Stands among a table's columns for all of a lane's axes.
pub(super) const LANE_AXES: &str = "lane.";

impl Rule {
    /// Every table that the rule names, and where below the hypothesis: for example at `rule.rows.table`.
    fn tables(&self) -> Vec<(String, String)> {
        Reads::named(self).tables
    }

    /// Every column that the rule cannot do without, in the order of its kind. What it takes as not stated where the table
    /// lacks it (the five gates' environment, surfaced axes and rows behind) is none of them.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnRead> {
        let mut reads = Reads::named(self);
        match self {
            Self::FalsificationLadder(_)
            | Self::HangLedger(_)
            | Self::MatchedPairs(_)
            | Self::SingleDelta(_)
            | Self::AxisDecomposition(_)
            | Self::Licence(_)
            | Self::CorrelationCriterion(_)
            | Self::Saturation(_)
            | Self::StatedDifferences(_)
            | Self::ParallelEfficiency(_) => reads.of_evidence(self),
            Self::MeanContrast(_)
            | Self::DifferenceCriterion(_)
            | Self::EffectBand(_)
            | Self::PhaseSeparation(_)
            | Self::GainReplication(_)
            | Self::ScaleCrossover(_)
            | Self::MatchedContrasts(_)
            | Self::EffectSize(_) => reads.of_means(self),
            Self::StaticCacheRescue(_)
            | Self::CrashBoundary(_)
            | Self::Portability(_)
            | Self::Reproduction(_)
            | Self::TokenParity(_)
            | Self::WeightParity(_) => reads.of_cells(self),
            Self::Promotion(_) | Self::ColdStart(_) | Self::CommercialRouting(_) | Self::SameWindowRerun(_) => {
                reads.of_gates(self)
            }
            Self::CompileRobustness(_)
            | Self::CleanRuns(_)
            | Self::FiveGates(_)
            | Self::Ranking(_)
            | Self::Consistency(_)
            | Self::LadderOfBands(_)
            | Self::ScoreAndLatency(_)
            | Self::MultipleComparisons(_)
            | Self::BenchmarkIdentity(_) => reads.of_printed(self),
        }
        reads.found
    }
}

#[derive(Default)]
struct Reads {
    /// Tables, behind where they are named.
    tables: Vec<(String, String)>,
    found: Vec<ColumnRead>,
}

impl Reads {
    /// What the rule's written form names as tables, as columns beside them, and to choose rows by.
    fn named(rule: &Rule) -> Self {
        let mut reads = Self::default();
        // A checked rule holds finite numbers, which all have a JSON form.
        if let Ok(written) = serde_json::to_value(rule) {
            reads.chosen("rule", &written);
        }
        reads
    }

    fn one(&mut self, path: &str, rows: &Rows, column: &str) {
        self.found.push(ColumnRead { path: path.to_owned(), table: rows.table.clone(), column: column.to_owned() });
    }

    fn all<'c>(&mut self, path: &str, rows: &Rows, columns: impl IntoIterator<Item = &'c String>) {
        columns.into_iter().for_each(|column| self.one(path, rows, column));
    }

    /// Columns by the key of the rule that names them.
    fn by_key(&mut self, rows: &Rows, columns: &[(&str, Option<&String>)]) {
        for (key, column) in columns {
            self.all(&format!("rule.{key}"), rows, *column);
        }
    }

    /// What rows are chosen by, and columns that stand beside their table: found in the rule's written form, so that no kind
    /// of rule can be forgotten here.
    fn chosen(&mut self, path: &str, written: &Value) {
        match written {
            Value::Object(keys) => {
                if let Some(Value::String(table)) = keys.get("table") {
                    self.tables.push((format!("{path}.table"), table.clone()));
                    let rows = Rows { table: table.clone(), only: BTreeMap::new() };
                    if let Some(Value::String(column)) = keys.get("column") {
                        self.one(&format!("{path}.column"), &rows, column);
                    }
                    for column in keys.get("where").and_then(Value::as_object).into_iter().flat_map(|only| only.keys())
                    {
                        self.one(&format!("{path}.where.{}", key(column)), &rows, column);
                    }
                }
                keys.iter().for_each(|(name, value)| self.chosen(&format!("{path}.{}", key(name)), value));
            }
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(at, value)| self.chosen(&format!("{path}[{at}]"), value));
            }
            _ => {}
        }
    }

    fn side(&mut self, name: &str, side: &MeanSide) {
        let MeanSide { rows, mean, sd, n, interval, launch } = side;
        self.one(&format!("rule.{name}.mean"), rows, mean);
        self.all(&format!("rule.{name}.sd"), rows, sd);
        self.all(&format!("rule.{name}.n"), rows, n);
        self.all(&format!("rule.{name}.interval"), rows, interval.iter().flatten());
        self.all(&format!("rule.{name}.launch"), rows, launch);
    }

    /// Both sides, and what tells comparisons apart on either.
    fn sides(&mut self, key: &str, apart: &[String], [(a, one), (b, other)]: [(&str, &MeanSide); 2]) {
        for side in [one, other] {
            self.all(&format!("rule.{key}"), &side.rows, apart);
        }
        self.side(a, one);
        self.side(b, other);
    }

    fn hangs(&mut self, hangs: &Hangs) {
        let Hangs { rows, key, outcome, resolved: _, unresolved: _, ok_rate, wall, tokens } = hangs;
        self.all("rule.hangs.key", rows, key);
        self.all("rule.hangs.tokens", rows, tokens);
        self.by_key(
            rows,
            &[("hangs.outcome", Some(outcome)), ("hangs.ok_rate", Some(ok_rate)), ("hangs.wall", Some(wall))],
        );
    }

    fn of_evidence(&mut self, rule: &Rule) {
        match rule {
            Rule::FalsificationLadder(rule) => {
                let Efficiencies { rows, key, baseline, candidate } = &rule.efficiencies;
                self.all("rule.efficiencies.key", rows, key);
                self.one("rule.efficiencies.baseline", rows, baseline);
                self.one("rule.efficiencies.candidate", rows, candidate);
                rule.hangs.iter().for_each(|hangs| self.hangs(hangs));
                for (at, stated) in rule.preconditions.iter().enumerate() {
                    let path = |key: &str| format!("rule.preconditions[{at}].{key}");
                    self.all(&path("key"), &stated.rows, &stated.key);
                    self.one(&path("expected"), &stated.rows, &stated.expected);
                    self.one(&path("observed"), &stated.rows, &stated.observed);
                }
            }
            Rule::HangLedger(rule) => {
                self.hangs(&rule.hangs);
                let before = rule.before.as_ref().map(|before| &before.outcome);
                let named =
                    [("by", Some(&rule.by)), ("baseline_wall", Some(&rule.baseline_wall)), ("before.outcome", before)];
                self.by_key(&rule.hangs.rows, &named);
            }
            Rule::MatchedPairs(rule) => {
                for side in [&rule.left, &rule.right] {
                    let rows = Rows { table: side.table.clone(), only: BTreeMap::new() };
                    self.all("rule.key", &rows, &rule.key);
                }
            }
            Rule::SingleDelta(rule) => {
                self.all("rule.key", &rule.rows, &rule.key);
                self.by_key(&rule.rows, &[("left", Some(&rule.left)), ("right", Some(&rule.right))]);
            }
            Rule::AxisDecomposition(rule) => {
                for rows in rule.axes.values() {
                    let columns = [("effect", Some(&rule.effect)), ("cells", Some(&rule.cells))];
                    self.by_key(rows, &columns);
                    self.one("rule.levels", rows, &rule.levels);
                }
            }
            Rule::CorrelationCriterion(rule) => {
                self.by_key(&rule.rows, &[("x", Some(&rule.x)), ("y", Some(&rule.y))]);
            }
            Rule::StatedDifferences(rule) => {
                self.all("rule.key", &rule.rows, &rule.key);
                self.by_key(&rule.rows, &[("left", Some(&rule.left)), ("right", Some(&rule.right))]);
            }
            Rule::ParallelEfficiency(rule) => {
                self.all("rule.key", &rule.rows, &rule.key);
                self.by_key(&rule.rows, &[("speedup", Some(&rule.speedup)), ("efficiency", Some(&rule.efficiency))]);
            }
            // Their columns stand beside their tables.
            _ => {}
        }
    }

    fn of_means(&mut self, rule: &Rule) {
        match rule {
            Rule::MeanContrast(rule) => {
                self.side("left", &rule.left);
                self.side("right", &rule.right);
            }
            Rule::DifferenceCriterion(rule) => {
                self.side("left", &rule.left);
                self.side("right", &rule.right);
            }
            Rule::EffectBand(rule) => {
                self.side("baseline", &rule.baseline);
                self.side("candidate", &rule.candidate);
            }
            Rule::PhaseSeparation(rule) => {
                let sides = [("baseline", &rule.baseline), ("candidate", &rule.candidate)];
                self.sides("phase", std::slice::from_ref(&rule.phase), sides);
            }
            Rule::GainReplication(rule) => {
                let sides = [("baseline", &rule.baseline), ("candidate", &rule.candidate)];
                self.sides("model", std::slice::from_ref(&rule.model), sides);
            }
            Rule::ScaleCrossover(rule) => {
                let sides = [("baseline", &rule.baseline), ("candidate", &rule.candidate)];
                self.sides("model", std::slice::from_ref(&rule.model), sides);
            }
            Rule::MatchedContrasts(rule) => {
                let sides = [("baseline", &rule.baseline), ("candidate", &rule.candidate)];
                self.sides("key", &rule.key, sides);
            }
            Rule::EffectSize(rule) => {
                if let (Some(baseline), Some(candidate)) = (&rule.baseline, &rule.candidate) {
                    self.sides("key", &rule.key, [("baseline", baseline), ("candidate", candidate)]);
                }
                if let Some(PrintedEffects { rows, d, n }) = &rule.printed {
                    self.all("rule.key", rows, &rule.key);
                    self.by_key(rows, &[("printed.d", Some(d)), ("printed.n", n.as_ref())]);
                }
            }
            _ => {}
        }
    }

    fn parity(&mut self, path: &str, rule: &TokenParity) {
        for side in &rule.sides {
            self.all(&format!("{path}.key"), &side.rows, &rule.key);
            self.one(&format!("{path}.output"), &side.rows, &rule.output);
            self.one(&format!("{path}.tokens"), &side.rows, &rule.tokens);
        }
    }

    fn of_cells(&mut self, rule: &Rule) {
        match rule {
            Rule::StaticCacheRescue(rule) => {
                for rows in rule.hosts.values().chain(rule.growing.values()) {
                    let columns =
                        [("model", Some(&rule.model)), ("crashes", Some(&rule.crashes)), ("n", Some(&rule.n))];
                    self.by_key(rows, &columns);
                }
            }
            Rule::CrashBoundary(rule) => {
                let columns = [("at", Some(&rule.at)), ("crashes", Some(&rule.crashes)), ("n", Some(&rule.n))];
                self.by_key(&rule.rows, &columns);
            }
            Rule::Portability(rule) => {
                for side in &rule.sides {
                    self.all("rule.key", &side.rows, &rule.key);
                    let columns = [("crashes", Some(&rule.crashes)), ("n", Some(&rule.n)), ("mean", Some(&rule.mean))];
                    self.by_key(&side.rows, &columns);
                }
            }
            Rule::Reproduction(rule) => {
                let columns = [("value", Some(&rule.value)), ("cv", Some(&rule.cv))];
                self.by_key(&rule.rows, &columns);
                self.by_key(&rule.rows, &[("survived", Some(&rule.survived)), ("crashed", Some(&rule.crashed))]);
            }
            Rule::TokenParity(rule) => self.parity("rule", rule),
            Rule::WeightParity(rule) => {
                self.parity("rule.outputs", &rule.outputs);
                for side in &rule.outputs.sides {
                    self.all("rule.position", &side.rows, &rule.position);
                    self.all("rule.logit_tolerances", &side.rows, rule.logit_tolerances.keys());
                }
            }
            _ => {}
        }
    }

    fn of_gates(&mut self, rule: &Rule) {
        match rule {
            Rule::Promotion(rule) => {
                self.one("rule.stage", &rule.deltas, &rule.stage);
                for rows in [Some(&rule.deltas), rule.foundation.as_ref()].into_iter().flatten() {
                    self.one("rule.mode", rows, &rule.mode);
                    self.all("rule.near_flat_ms", rows, rule.near_flat_ms.keys());
                    self.all("rule.intervals", rows, rule.intervals.values().flatten());
                }
            }
            Rule::ColdStart(rule) => {
                for rows in rule.lanes.values() {
                    self.by_key(
                        rows,
                        &[("startup", Some(&rule.startup)), ("first_request", Some(&rule.first_request))],
                    );
                    let columns = [("total", Some(&rule.total)), ("launch", rule.launch.as_ref())];
                    self.by_key(rows, &columns);
                    self.by_key(rows, &[("n", rule.n.as_ref()), ("sd", rule.sd.as_ref())]);
                }
            }
            Rule::CommercialRouting(rule) => {
                self.all("rule.key", &rule.rows, &rule.key);
                self.by_key(&rule.rows, &[("difference", Some(&rule.difference)), ("pairs", Some(&rule.pairs))]);
                self.all("rule.interval", &rule.rows, &rule.interval);
                self.all("rule.scores", &rule.rows, rule.scores.iter().flatten());
                self.all("rule.costs", &rule.rows, rule.costs.iter().flatten());
                self.all("rule.tools.task", &rule.rows, rule.tools.iter().map(|tools| &tools.task));
                if let Some(profiles) = &rule.profiles {
                    self.one("rule.profiles.provider", &rule.rows, &profiles.provider);
                    self.one("rule.profiles.matrix", &profiles.rows, &profiles.matrix);
                    self.one("rule.profiles.ratio", &profiles.rows, &profiles.ratio);
                    self.one("rule.profiles.external_error", &profiles.rows, &profiles.external_error);
                }
            }
            Rule::SameWindowRerun(rule) => {
                self.all("rule.windows", &rule.rerun, rule.windows.iter().flatten());
                for rows in [Some(&rule.rerun), rule.earlier.as_ref()].into_iter().flatten() {
                    self.all("rule.key", rows, &rule.key);
                    self.all("rule.near_flat", rows, rule.near_flat.keys());
                }
            }
            _ => {}
        }
    }

    fn of_printed(&mut self, rule: &Rule) {
        match rule {
            Rule::CompileRobustness(rule) => {
                self.by_key(&rule.rows, &[("stack", Some(&rule.stack)), ("performance", rule.performance.as_ref())]);
                self.by_key(&rule.rows, &[("cv", rule.cv.as_ref()), ("survived", Some(&rule.survived))]);
                self.one("rule.tried", &rule.rows, &rule.tried);
            }
            Rule::CleanRuns(rule) => {
                self.one("rule.run", &rule.rows, &rule.run);
                let columns = [
                    ("other_gpu_processes", rule.other_gpu_processes.as_ref()),
                    ("refused_without_inference", rule.refused_without_inference.as_ref()),
                    ("fused.log_marker", rule.fused.as_ref().map(|fused| &fused.log_marker)),
                    ("fused.built_with_it", rule.fused.as_ref().map(|fused| &fused.built_with_it)),
                    ("probes.requests", rule.probes.as_ref().map(|probes| &probes.requests)),
                    ("probes.ok", rule.probes.as_ref().map(|probes| &probes.ok)),
                    ("probes.fallbacks", rule.probes.as_ref().map(|probes| &probes.fallbacks)),
                    ("probes.errors", rule.probes.as_ref().map(|probes| &probes.errors)),
                    ("retry_or_vote_arms", rule.retry_or_vote_arms.as_ref()),
                    ("reverse_order_of", rule.reverse_order_of.as_ref()),
                    ("superseded_by", rule.superseded_by.as_ref()),
                    ("withdrawn.column", rule.withdrawn.as_ref().map(|withdrawn| &withdrawn.column)),
                ];
                self.by_key(&rule.rows, &columns);
            }
            Rule::FiveGates(rule) => {
                self.all("rule.regimes.combination", &rule.regimes.rows, &rule.regimes.combination);
                self.one("rule.regimes.regime", &rule.regimes.rows, &rule.regimes.regime);
                self.one("rule.regimes.outcome", &rule.regimes.rows, &rule.regimes.outcome);
            }
            Rule::Ranking(rule) => {
                self.by_key(&rule.rows, &[("candidate", rule.candidate.as_ref()), ("unit", Some(&rule.unit))]);
                self.by_key(&rule.rows, &[("mean", rule.mean.as_ref()), ("n", rule.n.as_ref())]);
                self.all("rule.side_by_side", &rule.rows, rule.side_by_side.values());
            }
            Rule::Consistency(rule) => {
                self.all("rule.key", &rule.rows, &rule.key);
                self.by_key(&rule.rows, &[("left", Some(&rule.left)), ("right", Some(&rule.right))]);
            }
            Rule::LadderOfBands(rule) => {
                self.all("rule.key", &rule.rows, &rule.key);
                self.one("rule.value", &rule.rows, &rule.value);
                self.all("rule.holds.column", &rule.rows, rule.holds.iter().map(|holds| &holds.column));
            }
            Rule::ScoreAndLatency(rule) => {
                self.all("rule.key", &rule.rows, &rule.key);
                self.all("rule.scores", &rule.rows, &rule.scores);
                self.all("rule.latencies", &rule.rows, &rule.latencies);
                self.all("rule.score_interval", &rule.rows, rule.score_interval.iter().flatten());
            }
            Rule::MultipleComparisons(rule) => {
                self.all("rule.key", &rule.rows, &rule.key);
                self.one("rule.p", &rule.rows, &rule.p);
            }
            // The columns of an identity stand beside their tables.
            _ => {}
        }
    }
}
