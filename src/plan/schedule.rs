//! The order in which a plan is run: which lane starts when, and in which order it meets the cells.
//!
//! Lanes share the host one at a time. A block launches each lane once. Blocks come in pairs: the first of a pair
//! takes the lanes in a seeded order, the second in the reverse of it (ABBA), so that a slow drift of the host falls
//! on every lane alike. Within a block every lane meets the same repetitions in the same seeded order.

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

use super::Plan;

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
    /// The schedule of `plan` over `cells` cells: a pure function of the plan's seed.
    #[must_use]
    pub fn of(plan: &Plan, cells: usize) -> Self {
        let blocks = plan.lanes.iter().map(|lane| lane.launches).max().unwrap_or(0);
        let mut launches = Vec::new();
        for block in 0..blocks {
            let mut lanes: Vec<_> = plan.lanes.iter().collect();
            shuffle(&mut lanes, stream(plan.seed, 0, u64::from(block / 2)));
            if block % 2 == 1 {
                lanes.reverse();
            }
            let order = repetitions(plan, cells, block);
            let running = lanes.into_iter().filter(|lane| block < lane.launches);
            for (position, lane) in (0..).zip(running) {
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
}

fn repetitions(plan: &Plan, cells: usize, block: u32) -> Vec<Repetition> {
    let most = plan.lanes.iter().map(|lane| lane.repetitions).max().unwrap_or(0);
    let mut order: Vec<_> = (0..most).flat_map(|rep| (0..cells).map(move |cell| Repetition { cell, rep })).collect();
    shuffle(&mut order, stream(plan.seed, 1, u64::from(block)));
    order
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
