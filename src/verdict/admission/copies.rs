//! Launches whose times are those of another launch.

use std::collections::HashMap;

use crate::terms::{Digest, Hasher};

/// Repetitions below which two launches may have the same times by chance, on a clock that is coarse.
const ENOUGH: usize = 8;

/// The times of a launch, whatever their order: a copy may have been put in another block's order.
#[derive(Debug, Default)]
pub(super) struct Times {
    taken: Vec<(usize, u32, u64)>,
}

/// The launches seen, by what their times come to.
#[derive(Debug, Default)]
pub(super) struct Copies {
    seen: HashMap<Digest, (u32, String)>,
}

impl Times {
    pub(super) fn take(&mut self, cell: usize, rep: u32, wall_ns: u64) {
        self.taken.push((cell, rep, wall_ns));
    }
}

impl Copies {
    /// The launch and lane that had all these times before.
    pub(super) fn find(&mut self, launch: u32, lane: &str, mut times: Times) -> Option<(u32, String)> {
        if times.taken.len() < ENOUGH {
            return None;
        }
        times.taken.sort_unstable();
        let mut hasher = Hasher::default();
        for (cell, rep, wall_ns) in &times.taken {
            hasher.update(&(*cell as u64).to_le_bytes());
            hasher.update(&rep.to_le_bytes());
            hasher.update(&wall_ns.to_le_bytes());
        }
        let digest = hasher.finish();
        let first = self.seen.get(&digest).cloned();
        self.seen.entry(digest).or_insert_with(|| (launch, lane.to_owned()));
        first
    }
}
