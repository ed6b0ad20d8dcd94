//! The order in which a plan is run: which lane starts when, and in which order it meets the cells.
//!
//! Lanes share the host one at a time. A block launches each lane once. Blocks come in pairs: the first of a pair
//! takes the lanes in a seeded order, the second in the reverse of it (ABBA), so that a slow drift of the host falls
//! on every lane alike. Within a block every lane meets the same repetitions in the same seeded order.
//!
//! A plan of several stages runs them one after the other, each with blocks of its own: stage 1 begins at the block
//! after the last one of stage 0.

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use super::{CellOrder, Plan, PlannedLane};

/// Every launch of a plan, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The launches.
    pub launches: Vec<PlannedLaunch>,
}

/// One start of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLaunch {
    /// The block, from 0.
    pub block: u32,
    /// Place in the block, from 0.
    pub position: u32,
    /// The lane.
    pub lane: String,
    /// Unrecorded repetitions of each cell.
    pub warmup: u32,
    /// What is measured, in order.
    pub repetitions: Vec<Repetition>,
}

/// One repetition of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repetition {
    /// Index into the plan's cells.
    pub cell: usize,
    /// Repetition, from 0.
    pub rep: u32,
}

impl Schedule {
    /// The schedule of `plan` over cells of these `stages` ([`Plan::stages`]): a pure function of the plan's seed.
    #[must_use]
    pub fn of(plan: &Plan, stages: &[u32]) -> Self {
        let blocks = stages.iter().max().map_or(0, |last| (last + 1) * Self::blocks_a_stage(plan));
        let mut launches = Vec::new();
        for block in 0..blocks {
            let order = Self::repetitions(plan, stages, block);
            for (position, lane) in (0..).zip(Self::lanes(plan, block)) {
                launches.push(PlannedLaunch {
                    block,
                    position,
                    lane: lane.name.clone(),
                    warmup: lane.warmup,
                    repetitions: order.iter().copied().filter(|r| r.rep < lane.repetitions).collect(),
                });
            }
        }
        Self { launches }
    }

    fn blocks_a_stage(plan: &Plan) -> u32 {
        plan.lanes.iter().map(|lane| lane.launches).max().unwrap_or(0)
    }

    /// The first block of a stage.
    #[must_use]
    pub fn first_block(plan: &Plan, stage: u32) -> u32 {
        stage * Self::blocks_a_stage(plan)
    }

    /// Whether `lane` is to run a cell of `stage` in `block`.
    #[must_use]
    pub fn is_planned(plan: &Plan, lane: &PlannedLane, stage: u32, block: u32) -> bool {
        let blocks = Self::blocks_a_stage(plan).max(1);
        block / blocks == stage && block % blocks < lane.launches
    }

    /// The lanes of a block, in the order of their launches.
    #[must_use]
    pub fn lanes(plan: &Plan, block: u32) -> Vec<&PlannedLane> {
        let mut lanes: Vec<_> = plan.lanes.iter().collect();
        shuffle(&mut lanes, stream(plan.seed, 0, u64::from(block / 2)));
        if block % 2 == 1 {
            lanes.reverse();
        }
        let block = block % Self::blocks_a_stage(plan).max(1);
        lanes.retain(|lane| block < lane.launches);
        lanes
    }

    /// What is repeated in a block, in order; a lane with fewer repetitions leaves out the later ones.
    #[must_use]
    pub fn repetitions(plan: &Plan, stages: &[u32], block: u32) -> Vec<Repetition> {
        let most = plan.lanes.iter().map(|lane| lane.repetitions).max().unwrap_or(0);
        let stage = block / Self::blocks_a_stage(plan).max(1);
        let mut cells: Vec<usize> = (0..stages.len()).filter(|cell| stages.get(*cell) == Some(&stage)).collect();
        let random = stream(plan.seed, 1, u64::from(block));
        match plan.run.order {
            CellOrder::Interleaved => {
                let of_rep = |rep| cells.iter().map(move |&cell| Repetition { cell, rep });
                let mut order: Vec<_> = (0..most).flat_map(of_rep).collect();
                shuffle(&mut order, random);
                order
            }
            CellOrder::CellByCell => {
                shuffle(&mut cells, random);
                cells.into_iter().flat_map(|cell| (0..most).map(move |rep| Repetition { cell, rep })).collect()
            }
        }
    }
}

/// A stream of its own for each purpose and index, so that adding a block changes no earlier one.
fn stream(seed: u64, purpose: u64, index: u64) -> SplitMix64 {
    let mut root = SplitMix64::seed_from_u64(seed ^ (purpose << 56));
    let mut mixed = root.next_u64() ^ index;
    mixed = SplitMix64::seed_from_u64(mixed).next_u64();
    SplitMix64::seed_from_u64(mixed)
}

/// Fisher–Yates. The remainder's bias is below 2^-40 for any list that fits in memory here.
fn shuffle<T>(items: &mut [T], mut random: SplitMix64) {
    for last in (1..items.len()).rev() {
        let other = (random.next_u64() % (last as u64 + 1)) as usize;
        items.swap(last, other);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn plan() -> Plan {
        Plan::parse("plan.toml", include_str!("../../tests/fixtures/plan/plan.toml")).unwrap()
    }

    /// Plans that differ in what the schedule depends on.
    fn any_plan() -> impl Strategy<Value = Plan> {
        let lane = (3_u32..9, 1_u32..4, 0_u32..3);
        (any::<u64>(), prop::collection::vec(lane, 1..6)).prop_map(|(seed, lanes)| {
            let mut plan = plan();
            let template = plan.lanes[0].clone();
            plan.seed = seed;
            plan.lanes = (0..)
                .zip(lanes)
                .map(|(index, (launches, repetitions, warmup))| PlannedLane {
                    name: format!("lane-{index}"),
                    launches,
                    repetitions,
                    warmup,
                    ..template.clone()
                })
                .collect();
            plan
        })
    }

    fn order_of(schedule: &Schedule, block: u32) -> Vec<&str> {
        schedule.launches.iter().filter(|launch| launch.block == block).map(|launch| launch.lane.as_str()).collect()
    }

    proptest! {
        #[test]
        fn every_lane_is_launched_as_often_as_planned_and_meets_every_repetition(plan in any_plan(), cells in 1_usize..6) {
            let schedule = Schedule::of(&plan, &vec![0; cells]);
            for lane in &plan.lanes {
                let launches: Vec<_> = schedule.launches.iter().filter(|launch| launch.lane == lane.name).collect();
                prop_assert!(launches.iter().map(|launch| launch.block).eq(0..lane.launches));
                let all: BTreeSet<_> =
                    (0..lane.repetitions).flat_map(|rep| (0..cells).map(move |cell| Repetition { cell, rep })).collect();
                for launch in launches {
                    prop_assert_eq!(launch.warmup, lane.warmup);
                    prop_assert_eq!(launch.repetitions.len(), all.len());
                    prop_assert_eq!(&launch.repetitions.iter().copied().collect::<BTreeSet<_>>(), &all);
                }
            }
            let mut positions: BTreeMap<u32, u32> = BTreeMap::new();
            for launch in &schedule.launches {
                let next = positions.entry(launch.block).or_default();
                prop_assert_eq!(launch.position, *next);
                *next += 1;
            }
        }

        #[test]
        fn blocks_come_in_counterbalanced_pairs(plan in any_plan()) {
            let schedule = Schedule::of(&plan, &[0; 2]);
            let least = plan.lanes.iter().map(|lane| lane.launches).min().unwrap_or(0);
            for first in (0..least.saturating_sub(1)).step_by(2) {
                let mut second = order_of(&schedule, first + 1);
                second.reverse();
                prop_assert_eq!(order_of(&schedule, first), second);
            }
        }

        #[test]
        fn in_a_block_every_lane_meets_its_repetitions_in_the_same_order(plan in any_plan(), cells in 1_usize..6) {
            let schedule = Schedule::of(&plan, &vec![0; cells]);
            for launch in &schedule.launches {
                let block = schedule.launches.iter().filter(|other| other.block == launch.block);
                let longest = block.max_by_key(|other| other.repetitions.len()).unwrap();
                let expected: Vec<_> =
                    longest.repetitions.iter().filter(|repetition| launch.repetitions.contains(repetition)).collect();
                prop_assert_eq!(launch.repetitions.iter().collect::<Vec<_>>(), expected);
            }
        }

        #[test]
        fn a_schedule_is_a_function_of_the_seed_and_more_blocks_change_no_earlier_one(plan in any_plan(), more in 1_u32..5) {
            let schedule = Schedule::of(&plan, &[0; 3]);
            prop_assert_eq!(&schedule, &Schedule::of(&plan.clone(), &[0; 3]));
            let mut longer = plan.clone();
            for lane in &mut longer.lanes {
                lane.launches += more;
            }
            let longer = Schedule::of(&longer, &[0; 3]);
            let least = plan.lanes.iter().map(|lane| lane.launches).min().unwrap_or(0);
            let head = |schedule: &Schedule| -> Vec<_> {
                schedule.launches.iter().filter(|launch| launch.block < least).cloned().collect()
            };
            prop_assert_eq!(head(&schedule), head(&longer));
        }
    }

    #[test]
    fn stages_run_one_after_the_other_each_with_all_its_blocks() {
        let plan = plan();
        let stages = [0, 1, 0, 1];
        let schedule = Schedule::of(&plan, &stages);
        let blocks = plan.lanes.iter().map(|lane| lane.launches).max().unwrap();
        let mut met: BTreeMap<(&str, usize), BTreeSet<u32>> = BTreeMap::new();
        for launch in &schedule.launches {
            let lane = plan.lane(&launch.lane).unwrap();
            for repetition in &launch.repetitions {
                let stage = stages[repetition.cell];
                assert_eq!(launch.block / blocks, stage);
                assert!(Schedule::is_planned(&plan, lane, stage, launch.block));
                assert!(!Schedule::is_planned(&plan, lane, 1 - stage, launch.block));
                met.entry((&launch.lane, repetition.cell)).or_default().insert(launch.block);
            }
        }
        assert_eq!(met.len(), plan.lanes.len() * stages.len());
        for ((lane, _), blocks) in met {
            assert_eq!(blocks.len(), plan.lane(lane).unwrap().launches as usize);
        }
    }

    #[test]
    fn cell_by_cell_keeps_the_repetitions_of_a_cell_together() {
        let mut plan = plan();
        plan.run.order = CellOrder::CellByCell;
        plan.lanes[0].repetitions = 3;
        let first = |block| -> Vec<usize> {
            let order = Schedule::repetitions(&plan, &[0; 5], block);
            for three in order.chunks(3) {
                assert!(three.iter().map(|r| (r.cell, r.rep)).eq((0..3).map(|rep| (three[0].cell, rep))));
            }
            order.chunks(3).map(|three| three[0].cell).collect()
        };
        assert_eq!(first(0).into_iter().collect::<BTreeSet<_>>(), (0..5).collect());
        assert!((1..20).any(|block| first(block) != first(0)), "no block shuffles its cells");
    }

    #[test]
    fn another_seed_gives_another_order() {
        let order = |seed| {
            Schedule::of(&Plan { seed, ..plan() }, &[0; 4]).launches.into_iter().map(|launch| launch.repetitions)
        };
        let orders: BTreeSet<Vec<_>> = (0..20).filter_map(|seed| order(seed).find(|order| order.len() == 12)).collect();
        assert_eq!(orders.len(), 20);
    }
}
