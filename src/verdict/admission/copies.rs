//! Launches whose times are those of another launch.

use std::collections::HashMap;

/// Repetitions below which two launches may have the same times by chance, on a clock that is coarse.
const ENOUGH: u64 = 8;

/// The times of a launch, whatever their order: a copy may have been put in another block's order.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Times {
    taken: u64,
    /// Sum over what each comes to.
    sum: u128,
}

/// The launches seen, by what their times come to.
#[derive(Debug, Default)]
pub(super) struct Copies {
    seen: HashMap<Times, (u32, String)>,
}

impl Times {
    pub(super) fn take(&mut self, cell: usize, rep: u32, wall_ns: u64) {
        let place = mixed((cell as u64) << 32 | u64::from(rep));
        let [low, high] = [place, !place].map(|place| u128::from(mixed(wall_ns ^ place)));
        self.taken += 1;
        self.sum = self.sum.wrapping_add(high << 64 | low);
    }
}

/// A number of which every bit depends on every bit of this one (the last steps of SplitMix64), so that other times do not
/// come to the same sum.
fn mixed(number: u64) -> u64 {
    let number = (number.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Copies {
    /// The launch and lane that had all these times before.
    pub(super) fn find(&mut self, launch: u32, lane: &str, times: Times) -> Option<(u32, String)> {
        if times.taken < ENOUGH {
            return None;
        }
        let first = self.seen.get(&times).cloned();
        self.seen.entry(times).or_insert_with(|| (launch, lane.to_owned()));
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(of: impl IntoIterator<Item = (usize, u32, u64)>) -> Times {
        let mut times = Times::default();
        of.into_iter().for_each(|(cell, rep, wall_ns)| times.take(cell, rep, wall_ns));
        times
    }

    #[test]
    fn a_copy_is_found_in_any_order_and_other_times_are_none() {
        let launch: Vec<(usize, u32, u64)> =
            (0..40).map(|n| (n / 4, n as u32 % 4, 1_000 + 7 * n as u64 * n as u64)).collect();
        let mut copies = Copies::default();
        assert_eq!(copies.find(3, "base", times(launch.clone())), None);
        let found = copies.find(5, "other", times(launch.iter().rev().copied()));
        assert_eq!(found, Some((3, "base".to_owned())));
        // Two that changed places, and one that is a nanosecond longer while another is shorter.
        let mut swapped = launch.clone();
        (swapped[0].2, swapped[9].2) = (swapped[9].2, swapped[0].2);
        let mut shifted = launch.clone();
        (shifted[0].2, shifted[9].2) = (shifted[0].2 + 1, shifted[9].2 - 1);
        for other in [swapped, shifted] {
            assert_eq!(copies.find(6, "base", times(other)), None);
        }
    }

    #[test]
    fn a_few_times_may_be_the_same_by_chance() {
        let mut copies = Copies::default();
        let few = times((0..7).map(|n| (n, 0, 5)));
        assert_eq!((copies.find(0, "a", few), copies.find(1, "a", few)), (None, None));
    }
}
