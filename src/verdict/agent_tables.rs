//! The tables that rows of agents give to decision rules: what N agents in one process did, against one of them alone.
//!
//! | table | one row for | columns beside what tells the row from others |
//! |---|---|---|
//! | `agent_samples` | each `ok` repetition | `wall_ms`, `decode_tps`, `latency_ms`, `ttft_ms`, `control`, and as in table `launches` what both cell and lane have of `planned`, `launches`, `ok_share` |
//! | `agent_scaling` | each combination, all lanes in it | for each lane `LANE.` and `decode_tps`, `parallel_efficiency`, `p95_latency_multiplier`, `ttft_ms`, `launches`, `samples` |
//!
//! A repetition is one of agents when its evidence says how long each agent's requests took. `measure` is `ttft` for a
//! prefill, which ends with the first token, and `scaling` otherwise. The parallel efficiency of N agents is the work per
//! second of all of them over N times that of one, formed within a launch and averaged over launches; fewer than three
//! launches give none. What each launch gave of it goes to the ladder beside the rows. A cell that was planned and gave no
//! sample has a row all the same, so that no combination is missing from the table. `rep` counts a lane's repetitions of a combination over all blocks, so that both lanes have the same.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::adapters::{LaunchValues, TableRow, ValuesBehind};
use super::measured_tables::{Values, count, coverage, identity, put, text};
use super::reduce::{Disowned, Entry, Table};
use super::rules::MIN_LAUNCHES;
use super::{Error, LaneVerdict};
use crate::journal::Row;
use crate::plan::Plan;
use crate::stats::{Percent, Sample, percentile};
use crate::terms::{Cell, CellId, Outcome, Phase, Scalar, SignalValue};

/// The cell's axis that says how many agents there are.
const AGENTS: &str = "agents";

/// The column of parallel efficiency, behind its lane.
const EFFICIENCY: &str = "parallel_efficiency";

/// Repetitions of agents, as they come.
#[derive(Debug, Default)]
pub(super) struct AgentRows {
    samples: Vec<AgentSample>,
}

/// The rows of both tables, and what each launch gave of their efficiencies.
pub(super) struct AgentTables {
    pub rows: Vec<TableRow<'static>>,
    pub efficiencies: ValuesBehind,
}

/// One repetition.
#[derive(Debug, Clone)]
struct AgentSample {
    lane: String,
    cell: CellId,
    segment: u32,
    launch: u32,
    block: u32,
    rep: u32,
    wall_ms: f64,
    /// How long each request of each agent took.
    request_ms: Vec<f64>,
    control: Option<f64>,
}

impl AgentRows {
    /// Takes in the next row, which stands in `segment`.
    pub(super) fn take(&mut self, segment: u32, row: &Row) {
        let (Outcome::Ok, Some(launch), Some(wall_ns)) = (row.outcome, row.launch, row.wall_ns) else { return };
        let Some(SignalValue::List(requests)) = row.evidence.get("agents.request_ns") else { return };
        let ms = |text: &String| text.parse::<u64>().ok().map(|ns| ns as f64 / 1.0e6);
        let control = match row.evidence.get("control.two_process_speedup") {
            Some(SignalValue::Float(number)) => Some(*number),
            Some(SignalValue::Int(number)) => Some(*number as f64),
            _ => None,
        };
        self.samples.push(AgentSample {
            lane: row.lane.clone(),
            cell: row.cell.clone(),
            segment,
            launch,
            block: row.block,
            rep: row.rep,
            wall_ms: wall_ns as f64 / 1.0e6,
            request_ms: requests.iter().filter_map(ms).collect(),
            control,
        });
    }

    /// The rows of both tables; `disowned` launches are left out.
    pub(super) fn tables(
        &self,
        plan: &Plan,
        table: &Table,
        lanes: &[LaneVerdict],
        disowned: &Disowned,
    ) -> Result<AgentTables, Error> {
        let (mut rows, mut efficiencies) = (Vec::new(), ValuesBehind::new());
        let mut combinations: BTreeMap<Key, Combination> = BTreeMap::new();
        for (id, cell) in table.cells() {
            let agents = agents_of(cell);
            for lane in lanes {
                let of_cell =
                    |s: &&AgentSample| s.lane == lane.lane && s.cell == *id && !disowned.contains_key(&s.launch);
                let samples: Vec<&AgentSample> = self.samples.iter().filter(of_cell).collect();
                if samples.is_empty() && (self.samples.is_empty() || !cell.axes.contains_key(AGENTS)) {
                    continue;
                }
                let shared = shared(plan, lane, id, cell, agents);
                let mut of_sample = shared.clone();
                table.entry(&lane.lane, id).into_iter().for_each(|entry| coverage(entry, &mut of_sample));
                let repetitions = plan.lane(&lane.lane).map_or(1, |planned| planned.repetitions);
                rows.extend(samples.iter().map(|sample| sample.row(&of_sample, cell, agents, repetitions)));
                let combination = combinations.entry(key(cell)).or_default();
                combination.levels.entry(agents).or_insert_with(|| shared.clone());
                let ok_share = table.entry(&lane.lane, id).and_then(Entry::ok_share);
                combination.ok_shares.insert((agents, lane.lane.clone()), ok_share);
                if !samples.is_empty() {
                    combination.sides.insert((agents, lane.lane.clone()), side(&samples)?);
                }
            }
        }
        for combination in combinations.values() {
            rows.extend(combination.rows(lanes, &mut efficiencies)?);
        }
        Ok(AgentTables { rows, efficiencies })
    }
}

/// What a combination's cells have in common: all but the number of agents.
type Key = (Phase, String, BTreeMap<String, String>);

fn key(cell: &Cell) -> Key {
    let mut axes = cell.axes.clone();
    axes.remove(AGENTS);
    (cell.phase, cell.workload.clone(), axes)
}

/// How many agents the cell asks for.
pub(super) fn agents_of(cell: &Cell) -> u32 {
    cell.axes.get(AGENTS).and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// What tells the row from others, beside the lane's own axes.
pub(super) fn shared(plan: &Plan, lane: &LaneVerdict, id: &CellId, cell: &Cell, agents: u32) -> Values {
    let mut values = identity(lane, id, cell);
    let measure = if cell.phase == Phase::Prefill { "ttft" } else { "scaling" };
    text(&mut values, "measure", measure);
    let model = match cell.axes.get("layers") {
        Some(layers) => format!("{} of {layers} layers", plan.model.name),
        None => plan.model.name.clone(),
    };
    text(&mut values, "model", model);
    count(&mut values, "n_agents", u64::from(agents));
    values
}

/// A row that stands for every lane has no lane's own columns.
pub(super) fn of_all_lanes(mut values: Values) -> Values {
    values.retain(|column, _| column != "lane" && !column.starts_with("lane."));
    values
}

impl AgentSample {
    fn row(&self, shared: &Values, cell: &Cell, agents: u32, repetitions: u32) -> TableRow<'static> {
        let mut values = shared.clone();
        count(&mut values, "segment", u64::from(self.segment));
        count(&mut values, "launch", u64::from(self.launch));
        count(&mut values, "block", u64::from(self.block));
        count(&mut values, "rep", u64::from(self.block) * u64::from(repetitions) + u64::from(self.rep));
        number(&mut values, "wall_ms", Some(self.wall_ms), "ms");
        number(&mut values, "decode_tps", self.decode_tps(cell), "tokens/s");
        let mean_ms = mean(&self.request_ms);
        number(&mut values, "latency_ms", mean_ms, "ms");
        number(&mut values, "ttft_ms", mean_ms.filter(|_| cell.phase == Phase::Prefill), "ms");
        number(&mut values, "control", self.control, "factor");
        let source = format!("{} {} launch {} rep {} of {agents}", self.cell, self.lane, self.launch, self.rep);
        TableRow { table: "agent_samples".to_owned(), source, values: Cow::Owned(values) }
    }

    /// Tokens of all agents together in a second, over all their requests.
    fn decode_tps(&self, cell: &Cell) -> Option<f64> {
        let tokens = self.request_ms.len() as f64 * f64::from(cell.new_tokens);
        (self.wall_ms > 0.0 && tokens > 0.0).then(|| 1_000.0 * tokens / self.wall_ms)
    }
}

/// A lane's samples of one level of agents.
struct Side {
    /// The median over each launch's samples of the requests served in a second, by segment and launch.
    rates: BTreeMap<(u32, u32), f64>,
    /// Every request's time.
    request_ms: Vec<f64>,
    samples: u64,
}

fn side(samples: &[&AgentSample]) -> Result<Side, Error> {
    let mut by_launch: BTreeMap<(u32, u32), Vec<f64>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.wall_ms > 0.0) {
        let rate = 1_000.0 * sample.request_ms.len() as f64 / sample.wall_ms;
        by_launch.entry((sample.segment, sample.launch)).or_default().push(rate);
    }
    let median = |(launch, rates)| Ok((launch, percentile(&Sample::new(rates)?, Percent::P50)));
    Ok(Side {
        rates: by_launch.into_iter().map(median).collect::<Result<_, Error>>()?,
        request_ms: samples.iter().flat_map(|sample| sample.request_ms.iter().copied()).collect(),
        samples: samples.len() as u64,
    })
}

/// One combination at every level of agents, in every lane.
#[derive(Default)]
struct Combination {
    /// What tells the level's row from others.
    levels: BTreeMap<u32, Values>,
    sides: BTreeMap<(u32, String), Side>,
    /// Which share of what was tried is ok.
    ok_shares: BTreeMap<(u32, String), Option<f64>>,
}

impl Combination {
    fn rows(&self, lanes: &[LaneVerdict], efficiencies: &mut ValuesBehind) -> Result<Vec<TableRow<'static>>, Error> {
        let mut rows = Vec::new();
        for (agents, shared) in &self.levels {
            let mut values = of_all_lanes(shared.clone());
            let shown = |column: &str| values.get(column).and_then(|cell| cell.value.as_ref()).map(ToString::to_string);
            let source = format!("{} agents {agents}", shown("cell").unwrap_or_default());
            for LaneVerdict { lane, .. } in lanes {
                let behind = self.efficiencies(*agents, lane);
                self.contrast((*agents, lane), &behind, &mut values)?;
                efficiencies.insert((source.clone(), format!("{lane}.{EFFICIENCY}")), behind);
            }
            rows.push(TableRow { table: "agent_scaling".to_owned(), source, values: Cow::Owned(values) });
        }
        Ok(rows)
    }

    /// The lane's efficiency in each launch that has samples of this level and of one agent alone.
    fn efficiencies(&self, agents: u32, lane: &str) -> LaunchValues {
        let of = |agents: u32| (agents, lane.to_owned());
        let both = self.sides.get(&of(agents)).zip(self.sides.get(&of(1)));
        let values = both.map(|(side, single)| {
            let within = |(launch, rate): (&(u32, u32), &f64)| {
                Some((*launch, rate / (f64::from(agents) * single.rates.get(launch)?)))
            };
            side.rates.iter().filter_map(within).collect()
        });
        let shares = [agents, 1].map(|agents| self.ok_shares.get(&of(agents)).copied().flatten());
        LaunchValues {
            values: values.unwrap_or_default(),
            ok_share: shares.into_iter().flatten().min_by(f64::total_cmp),
        }
    }

    /// A lane's columns; null where the lane has no samples of this level, or none of one agent alone.
    fn contrast(&self, (agents, lane): (u32, &str), behind: &LaunchValues, values: &mut Values) -> Result<(), Error> {
        let side = self.sides.get(&(agents, lane.to_owned()));
        let single = self.sides.get(&(1, lane.to_owned()));
        let both = side.zip(single);
        let of = |column: &str| format!("{lane}.{column}");
        let new_tokens = values.get("new_tokens").and_then(|cell| cell.value.as_ref()?.number()).unwrap_or(0.0);
        let enough = |launches: usize| launches as u64 >= MIN_LAUNCHES;
        let rate = side.filter(|side| enough(side.rates.len())).and_then(|side| mean(&values_of(&side.rates)));
        let efficiency = Some(&behind.values).filter(|found| enough(found.len())).and_then(|it| mean(&values_of(it)));
        let p95 = |side: &Side| -> Result<f64, Error> {
            Ok(percentile(&Sample::new(side.request_ms.clone())?, Percent::P95))
        };
        let multiplier = match both {
            Some((side, single)) if enough(side.rates.len()) => Some(p95(side)? / p95(single)?),
            _ => None,
        };
        let is_ttft = values.get("measure").and_then(|cell| cell.value.as_ref()?.text()) == Some("ttft");
        let ttft = side.filter(|side| is_ttft && enough(side.rates.len())).and_then(|side| mean(&side.request_ms));
        number(values, &of("decode_tps"), rate.map(|rate| rate * new_tokens), "tokens/s");
        number(values, &of(EFFICIENCY), efficiency, "fraction");
        number(values, &of("p95_latency_multiplier"), multiplier, "factor");
        number(values, &of("ttft_ms"), ttft, "ms");
        count(values, &of("launches"), side.map_or(0, |side| side.rates.len() as u64));
        count(values, &of("samples"), side.map_or(0, |side| side.samples));
        Ok(())
    }
}

fn values_of(rates: &BTreeMap<(u32, u32), f64>) -> Vec<f64> {
    rates.values().copied().collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

pub(super) fn number(values: &mut Values, column: &str, value: Option<f64>, unit: &str) {
    put(values, column, value.filter(|value| value.is_finite()).map(Scalar::Float), unit);
}
