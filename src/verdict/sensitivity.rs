//! How far each result of a run depends on what might as well have been chosen otherwise.
//!
//! The same rows are judged again, each time with one choice changed: how repetitions become a launch's number (the trim), whether
//! the first repetition counts (the warm-up), the seed of resampling, how still eager work has to hold, and each block of launches
//! left out in its turn.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Error, judge};
use crate::journal::{Journal, Record};
use crate::plan::{CellOrder, LaunchStatistic, Plan, Workload};
use crate::terms::{Outcome, asks_for_compiled_code};

/// Within how many percent eager work has to hold still where a plan asks for less or nothing.
const HELD_WITHIN_PCT: f64 = 5.0;

/// What a hypothesis came out as, and what it would have come out as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sensitivity {
    /// The hypothesis.
    pub hypothesis: String,
    /// Its result as the plan is registered.
    pub registered: String,
    /// Its result with each choice made otherwise; nothing where the run leaves no such choice, or nothing to judge by it.
    pub otherwise: BTreeMap<Choice, Option<String>>,
    /// Its result without each of the blocks that can be left out, by the block; none where no lane has more than three launches.
    /// Floors of coverage are lowered by what one block is of them.
    pub without_a_block: BTreeMap<u32, String>,
}

impl Sensitivity {
    /// In how many blocks the result stays, and without which of them it is another.
    #[must_use]
    pub fn told_without_a_block(&self) -> String {
        let Self { registered, without_a_block: results, .. } = self;
        if results.is_empty() {
            return "too few launches".to_owned();
        }
        let mut others: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (block, result) in results.iter().filter(|(_, result)| *result != registered) {
            others.entry(result).or_default().push(block.to_string());
        }
        let same = results.values().filter(|result| *result == registered).count();
        let others = others.iter().map(|(result, blocks)| format!("; {result} without {}", blocks.join(", ")));
        format!("{same} of {}{}", results.len(), others.collect::<String>())
    }
}

/// What is chosen otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// A launch counts by the mean of its repetitions where it counts by their median, or the other way round.
    OtherStatistic,
    /// Without the first repetition of each cell in each launch, where a launch takes cell after cell.
    WithoutFirst,
    /// Another seed of resampling.
    AnotherSeed,
    /// Eager work has to hold within 5 % over the blocks.
    EagerHeld,
}

impl Choice {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OtherStatistic, Self::WithoutFirst, Self::AnotherSeed, Self::EagerHeld];

    /// The plan and the rows with this choice made otherwise.
    fn made(self, plan: &Plan, journal: &Journal) -> Option<(Plan, Journal)> {
        let mut changed = plan.clone();
        match self {
            Self::OtherStatistic => {
                changed.run.launch_statistic = match plan.run.launch_statistic {
                    LaunchStatistic::Mean => LaunchStatistic::Median,
                    LaunchStatistic::Median => LaunchStatistic::Mean,
                }
            }
            Self::WithoutFirst => {
                let few = plan.run.repetitions < 2 || plan.lanes.iter().any(|lane| lane.repetitions < 2);
                if few || plan.run.order == CellOrder::Interleaved {
                    return None;
                }
                changed.run.repetitions -= 1;
                changed.lanes.iter_mut().for_each(|lane| lane.repetitions -= 1);
                return Some((changed, without_first(plan, journal)));
            }
            Self::AnotherSeed => changed.statistics.bootstrap_seed = plan.statistics.bootstrap_seed.wrapping_add(1),
            Self::EagerHeld => {
                for workload in changed.workloads.iter_mut().filter(|workload| takes_eager_work(workload)) {
                    let limit = workload.steady_within_pct.unwrap_or(HELD_WITHIN_PCT);
                    workload.steady_within_pct = Some(limit.min(HELD_WITHIN_PCT));
                }
                if changed == *plan {
                    return None;
                }
            }
        }
        Some((changed, journal.clone()))
    }
}

/// What each hypothesis of `plan` would have come out as over the rows of `journal`, one choice at a time.
///
/// # Errors
/// As [`judge`].
pub fn sensitivity(plan: &Plan, journal: &Journal) -> Result<Vec<Sensitivity>, Error> {
    let mut found: Vec<Sensitivity> = results(plan, journal)?
        .into_iter()
        .map(|(hypothesis, registered)| Sensitivity {
            hypothesis,
            registered,
            otherwise: BTreeMap::new(),
            without_a_block: BTreeMap::new(),
        })
        .collect();
    for choice in Choice::ALL {
        let came = choice.made(plan, journal).and_then(|(changed, rows)| rejudged(&changed, rows));
        for (number, entry) in found.iter_mut().enumerate() {
            entry.otherwise.insert(choice, came.as_ref().and_then(|came| came.get(number).cloned()));
        }
    }
    let (lenient, blocks) = blocks(plan, journal);
    for block in blocks {
        let came = rejudged(&lenient, without_block(journal, block)).into_iter().flatten();
        for (entry, result) in found.iter_mut().zip(came) {
            entry.without_a_block.insert(block, result);
        }
    }
    Ok(found)
}

/// The results of rows that were taken out of a journal; nothing where what is left is no journal that could have been written, as
/// where a later row rests on one that is gone.
pub(super) fn rejudged(plan: &Plan, mut rows: Journal) -> Option<Vec<String>> {
    adopt(plan, &mut rows);
    Some(results(plan, &rows).ok()?.into_iter().map(|(_, result)| result).collect())
}

/// The blocks with rows that may be left out, and the plan by whose floors of coverage one of them may: three launches are the least that
/// anything is decided from, and where workloads come in stages a block is one of them.
fn blocks(plan: &Plan, journal: &Journal) -> (Plan, BTreeSet<u32>) {
    let launches = || plan.lanes.iter().map(|lane| lane.launches);
    let (fewest, most) = (launches().min().unwrap_or(0), launches().max().unwrap_or(0));
    let staged = plan.workloads.iter().any(|workload| workload.stage > 0);
    let mut lenient = plan.clone();
    lenient.coverage.min_launches = plan.coverage.min_launches.min(fewest.saturating_sub(1));
    lenient.coverage.min_ok_share *= f64::from(fewest.saturating_sub(1)) / f64::from(fewest.max(1));
    let may = most >= 4 && !staged;
    (lenient, journal.rows().map(|(_, row)| row.block).filter(|_| may).collect())
}

/// As if the run had been stopped with this block still to come.
fn without_block(journal: &Journal, block: u32) -> Journal {
    let mut left = journal.clone();
    left.sealed = false;
    let mut out = BTreeSet::new();
    left.records.retain(|record| {
        if let Record::LaunchStart(start) = record
            && start.block == block
        {
            out.insert(start.launch);
        }
        match record {
            Record::LaunchStart(start) => start.block != block,
            Record::Preflight(look) => look.launch.is_none_or(|launch| !out.contains(&launch)),
            Record::LaunchEnd(end) => !out.contains(&end.launch),
            Record::Row(row) => row.block != block,
            Record::Seal(_) => false,
            _ => true,
        }
    });
    left
}

/// Whether some of its cells compile nothing, by their own axes.
fn takes_eager_work(workload: &Workload) -> bool {
    let modes = workload.axes.get("compile_mode");
    modes.is_some_and(|modes| modes.iter().any(|mode| !asks_for_compiled_code(mode)))
}

fn results(plan: &Plan, journal: &Journal) -> Result<Vec<(String, String)>, Error> {
    let verdict = judge(plan, journal)?;
    Ok(verdict.hypotheses.iter().map(|it| (it.name.clone(), it.result().to_owned())).collect())
}

/// Makes the rows those of `plan`.
fn adopt(plan: &Plan, journal: &mut Journal) {
    let digest = plan.digest();
    for record in &mut journal.records {
        match record {
            Record::Header(header) => header.plan_sha256 = digest,
            Record::Row(row) => row.plan = digest,
            _ => {}
        }
    }
}

/// Without the first repetition of each cell in each launch; where that broke its process it stays, and the last one goes. The time
/// that it took is the next one's to wait, so that the launch is filled as it was.
fn without_first(plan: &Plan, journal: &Journal) -> Journal {
    let repetitions = |lane: &str| plan.lane(lane).map_or(0, |planned| planned.repetitions);
    let broke: BTreeSet<_> = journal
        .rows()
        .filter(|(_, row)| row.rep == 0 && matches!(row.outcome, Outcome::Crashed | Outcome::Hung))
        .map(|(_, row)| (row.lane.clone(), row.block, row.cell.clone()))
        .collect();
    let (mut left, mut waited) = (journal.clone(), BTreeMap::new());
    left.records.retain_mut(|record| {
        let Record::Row(row) = record else { return true };
        if broke.contains(&(row.lane.clone(), row.block, row.cell.clone())) {
            return row.rep + 1 < repetitions(&row.lane);
        }
        if row.rep == 0 {
            *waited.entry((row.launch, row.cell.clone())).or_insert(0) += row.outside_ns.unwrap_or(0);
            return false;
        }
        let before = waited.remove(&(row.launch, row.cell.clone())).unwrap_or(0);
        row.outside_ns = row.outside_ns.map(|own| own + before);
        row.rep -= 1;
        true
    });
    left
}
