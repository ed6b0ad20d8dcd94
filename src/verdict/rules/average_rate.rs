//! What launches that tried some places each say of the mean rate over all places.
//!
//! A launch that tried several places is one trial. Where it hit none of them it says something of all of them at once: the
//! chance that a launch hits any of its places is at least the rate at each. So with `n_i` launches that tried place `i` of `P`,
//! the mean rate is at most `sum w_j q_j`, where `q_j` is the chance that launch `j` hits any of its places and its share
//! `w_j = sum over its places of 1 / (n_i P)`; the shares sum to 1. Counted the other way round, by misses, the same bounds the
//! mean rate from below.
//!
//! Where all shares are equal, that is a bound on the mean of the `q_j`: Clopper and Pearson's of their sum covers it, though they
//! differ (Hoeffding 1956, <https://doi.org/10.1214/aoms/1177728178>, for sums beyond the mean). Where they are not:
//!
//! - No launch hit anything. With the chances `q_j` that has probability `prod (1 - q_j)`. The largest mean under which it still
//!   is `t` has, by Lagrange's condition, `1 - q_j = min(1, l / w_j)` with the `l` for which the product is `t`; the bound is
//!   `u = 1 - sum min(w_j, l)`. With `m` launches that tried `s_j` places each, every place once, and `l` below every share:
//!   `1 - u = m / P * (t * prod s_j)^(1/m)`.
//! - Some did. Clopper and Pearson's bound holds for `sum q_j`, and `sum w_j q_j` is largest where that sum lies on the launches
//!   with the largest shares, each `q_j` being at most 1. It holds, and is wider than it need be.

use std::collections::BTreeMap;

use super::boundaries::BoundaryPoint;
use super::rates::{Count, Where};
use super::three_answers::MIN_LAUNCHES;
use crate::stats::{Confidence, PValue};

/// Shares that differ by no more than rounding are equal.
const EQUAL: f64 = 1e-9;

/// Launches that stand for the same share of the places.
#[derive(Debug, Clone, Copy)]
struct Alike {
    share: f64,
    launches: u64,
}

/// What was tried at several places, by launches or, where these are not what is counted, by trials.
#[derive(Debug)]
pub(super) struct Average {
    /// By falling share.
    alike: Vec<Alike>,
    /// Launches in which it happened at any place that they tried.
    anywhere: u64,
    /// Launches in which it happened at every place that they tried.
    everywhere: u64,
    /// The fewest that decide anything.
    at_least: u64,
}

impl Average {
    /// Nothing where fewer than two places were tried, or where it is not known by which launches.
    pub(super) fn of(points: &[BoundaryPoint]) -> Option<Self> {
        let tried: Vec<&BoundaryPoint> = points.iter().filter(|point| point.tally.count.trials > 0).collect();
        if tried.len() < 2 {
            return None;
        }
        if !tried.iter().any(|point| point.tally.is_by_launch()) {
            return Some(Self::of_trials(&tried));
        }
        Self::of_launches(&tried)
    }

    fn of_trials(tried: &[&BoundaryPoint]) -> Self {
        let share = |count: Count| 1.0 / (count.trials as f64 * tried.len() as f64);
        let counts = tried.iter().map(|point| point.tally.count);
        let hits = counts.clone().map(|count| count.hits).fold(0, u64::saturating_add);
        let shares = counts.map(|count| Alike { share: share(count), launches: count.trials });
        Self { alike: grouped(shares.collect()), anywhere: hits, everywhere: hits, at_least: 1 }
    }

    fn of_launches(tried: &[&BoundaryPoint]) -> Option<Self> {
        // Share, happened anywhere, happened everywhere.
        let mut launches: BTreeMap<(u32, u32), (f64, bool, bool)> = BTreeMap::new();
        for point in tried {
            if point.launches.is_empty() {
                return None;
            }
            let share = 1.0 / (point.launches.len() as f64 * tried.len() as f64);
            for (launch, happened) in &point.launches {
                let (all, anywhere, everywhere) = launches.entry(*launch).or_insert((0.0, false, true));
                *all += share;
                *anywhere |= happened;
                *everywhere &= happened;
            }
        }
        let count = |of: fn(&(f64, bool, bool)) -> bool| launches.values().filter(|it| of(it)).count() as u64;
        Some(Self {
            alike: grouped(launches.values().map(|(share, ..)| Alike { share: *share, launches: 1 }).collect()),
            anywhere: count(|(_, anywhere, _)| *anywhere),
            everywhere: count(|(.., everywhere)| *everywhere),
            at_least: MIN_LAUNCHES,
        })
    }

    pub(super) fn launches(&self) -> u64 {
        self.alike.iter().map(|alike| alike.launches).fold(0, u64::saturating_add)
    }

    /// Whether all stand for equally much of the places.
    pub(super) fn is_even(&self) -> bool {
        self.alike.len() == 1
    }

    /// The launches that count for a side: those that hit all of their places for above, any of them for below.
    pub(super) fn count(&self, side: Where) -> Count {
        let hits = if side == Where::Above { self.everywhere } else { self.anywhere };
        Count { hits, trials: self.launches() }
    }

    /// The p value of the mean rate being on the other side of `cut`: the largest probability of what was seen, or of more of it,
    /// that any rates there give.
    pub(super) fn p(&self, side: Where, cut: f64) -> Option<PValue> {
        let Count { hits, trials } = self.count(side);
        match side {
            Where::Below => p_at_most(&self.alike, hits, cut),
            Where::Above => p_at_most(&self.alike, trials - hits, 1.0 - cut),
            Where::Open => None,
        }
    }

    /// The least p value that any outcome of so many launches gives; nothing where there are fewer than decide anything.
    pub(super) fn least_p(&self, cut: f64) -> Option<PValue> {
        if self.launches() < self.at_least {
            return None;
        }
        let ends = [p_at_most(&self.alike, 0, cut)?, p_at_most(&self.alike, 0, 1.0 - cut)?];
        ends.into_iter().min_by(PValue::order)
    }

    /// The mean rate's interval.
    pub(super) fn interval(&self, confidence: Confidence) -> Option<[f64; 2]> {
        let high = upper(&self.alike, self.anywhere, confidence)?;
        let low = 1.0 - upper(&self.alike, self.launches() - self.everywhere, confidence)?;
        Some([low, high])
    }
}

/// Launches of equal shares together, by falling share.
fn grouped(mut all: Vec<Alike>) -> Vec<Alike> {
    all.sort_by(|one, other| other.share.total_cmp(&one.share));
    let mut found: Vec<Alike> = Vec::new();
    for next in all {
        match found.last_mut() {
            Some(last) if last.share - next.share <= EQUAL * last.share => last.launches += next.launches,
            _ => found.push(next),
        }
    }
    found
}

/// The p value of the mean being above `cut`, of which `hits` launches are so few.
fn p_at_most(alike: &[Alike], hits: u64, cut: f64) -> Option<PValue> {
    let trials: u64 = alike.iter().map(|alike| alike.launches).sum();
    if alike.len() == 1 {
        return Count { hits, trials }.p_below(cut);
    }
    if hits == 0 {
        let level = level_of_sum(alike, 1.0 - cut);
        let probability =
            alike.iter().map(|it| it.launches as f64 * libm::log10((level / it.share).min(1.0))).sum::<f64>();
        return PValue::from_decimal_log(probability.min(0.0)).ok();
    }
    let sum = largest_sum(alike, cut);
    // Hoeffding's inequality is of sums beyond the mean.
    if hits as f64 > sum - 1.0 {
        return PValue::new(1.0).ok();
    }
    Count { hits, trials }.p_below(sum / trials as f64)
}

/// The mean's upper end, at the tail of a two-sided interval.
fn upper(alike: &[Alike], hits: u64, confidence: Confidence) -> Option<f64> {
    let trials: u64 = alike.iter().map(|alike| alike.launches).sum();
    let exact = Count { hits, trials }.exact(confidence).ok()?.high;
    if alike.len() == 1 {
        return Some(exact);
    }
    if hits == 0 {
        let level = level_of_product(alike, (1.0 - confidence.get()) / 2.0);
        return Some(1.0 - alike.iter().map(|it| it.launches as f64 * it.share.min(level)).sum::<f64>());
    }
    Some(largest_mean(alike, exact * trials as f64))
}

/// The `l` with `sum min(w_j, l) = sum`.
fn level_of_sum(alike: &[Alike], sum: f64) -> f64 {
    let (mut above, mut below) = (alike.iter().map(|it| it.launches as f64).sum::<f64>(), 0.0);
    // From the smallest share up: those below the level stand with their own share.
    for it in alike.iter().rev() {
        let level = (sum - below) / above;
        if level <= it.share {
            return level;
        }
        below += it.launches as f64 * it.share;
        above -= it.launches as f64;
    }
    alike.first().map_or(0.0, |largest| largest.share)
}

/// The `l` with `prod min(1, l / w_j) = product`.
fn level_of_product(alike: &[Alike], product: f64) -> f64 {
    for at in (0..alike.len()).rev() {
        let above = &alike[..=at];
        let launches: f64 = above.iter().map(|it| it.launches as f64).sum();
        let logs: f64 = above.iter().map(|it| it.launches as f64 * libm::log(it.share)).sum();
        let level = libm::exp((libm::log(product) + logs) / launches);
        if level <= alike[at].share {
            return level;
        }
    }
    alike.first().map_or(0.0, |largest| largest.share)
}

/// The largest mean that chances with this sum give.
fn largest_mean(alike: &[Alike], sum: f64) -> f64 {
    let (mut left, mut mean) = (sum, 0.0);
    for it in alike {
        let here = left.min(it.launches as f64);
        mean += here * it.share;
        left -= here;
    }
    mean.min(1.0)
}

/// The largest sum of chances that gives a mean of at most `cut` wherever it lies.
fn largest_sum(alike: &[Alike], cut: f64) -> f64 {
    let (mut left, mut sum) = (cut, 0.0);
    for it in alike {
        let here = (left / it.share).min(it.launches as f64);
        sum += here;
        left -= here * it.share;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::rules::Tally;

    fn level() -> Confidence {
        Confidence::new(0.95).expect("a level")
    }

    /// Launches that tried so many places each, every place once; `hit` says in which it happened at all of them.
    fn tried(places: &[u32], hit: &[usize]) -> Average {
        let mut points = Vec::new();
        for (launch, places) in places.iter().enumerate() {
            for _ in 0..*places {
                let happened = hit.contains(&launch);
                let count = Count { hits: u64::from(happened), trials: 1 };
                points.push(BoundaryPoint {
                    at: points.len() as f64,
                    tally: Tally { count, attempts: Some(count) },
                    launches: BTreeMap::from([((0, launch as u32), happened)]),
                    source: String::new(),
                });
            }
        }
        Average::of(&points).expect("an average")
    }

    /// The probability that at most `hits` of independent launches with these chances hit, by going through all outcomes.
    fn at_most(chances: &[f64], hits: u32) -> f64 {
        let outcomes = (0..1_u32 << chances.len()).filter(|outcome| outcome.count_ones() <= hits);
        let of_one = |outcome: u32, at: usize| if outcome >> at & 1 == 1 { chances[at] } else { 1.0 - chances[at] };
        outcomes.map(|outcome| (0..chances.len()).map(|at| of_one(outcome, at)).product::<f64>()).sum()
    }

    #[test]
    fn launches_that_tried_unequal_numbers_of_places_bound_their_mean_by_the_stated_formula() {
        // 8 places: 1 - u = 6/8 (0.025 * 4)^(1/6), and 7/8 (0.025 * 2)^(1/7).
        let end = |places: &[u32]| tried(places, &[]).interval(level()).expect("an interval")[1];
        let formula = |m: f64, product: f64| 1.0 - m / 8.0 * libm::pow(0.025 * product, 1.0 / m);
        assert!((end(&[2, 2, 1, 1, 1, 1]) - formula(6.0, 4.0)).abs() < 1e-12);
        assert!((formula(6.0, 4.0) - 0.489_0).abs() < 5e-5 && (end(&[2, 1, 1, 1, 1, 1, 1]) - 0.429_6).abs() < 5e-5);
        // As if all had tried equally many: 1 - 0.025^(1/6) = 0.459, which is too little.
        assert!((end(&[1; 6]) - 0.459_258).abs() < 1e-6);
        // All of the misses: the other end.
        let all = tried(&[2, 2, 1, 1, 1, 1], &[0, 1, 2, 3, 4, 5]).interval(level()).expect("an interval");
        assert!((all[0] - (1.0 - formula(6.0, 4.0))).abs() < 1e-12 && all[1] == 1.0, "{all:?}");
    }

    #[test]
    fn launches_that_tried_the_same_places_are_counted_as_they_are() {
        let points: Vec<BoundaryPoint> = (0..3)
            .map(|at| BoundaryPoint {
                at: f64::from(at),
                tally: Tally { count: Count { hits: 0, trials: 6 }, attempts: Some(Count { hits: 0, trials: 6 }) },
                launches: (0..6).map(|launch| ((0, launch), false)).collect(),
                source: String::new(),
            })
            .collect();
        let found = Average::of(&points).expect("an average");
        assert!(found.is_even() && found.launches() == 6);
        assert_eq!(found.p(Where::Below, 0.5), Count { hits: 0, trials: 6 }.p_below(0.5));
    }

    #[test]
    fn no_rates_on_the_other_side_make_what_was_seen_likelier_than_the_p_value_says() {
        let (places, cut) = ([3_u32, 2, 1, 1, 1], 0.45);
        let shares = places.map(|places| f64::from(places) / 8.0);
        let p = |hits: usize| {
            let all: Vec<usize> = (0..hits).collect();
            tried(&places, &all).p(Where::Below, cut).expect("a p").get()
        };
        let steps = 8_u32;
        let mut worst = [0.0_f64; 5];
        // Every grid of chances whose mean lies above the cut.
        for at in 0..(steps + 1).pow(5) {
            let chances: Vec<f64> =
                (0..5).map(|launch| f64::from(at / (steps + 1).pow(launch) % (steps + 1)) / f64::from(steps)).collect();
            let mean: f64 = chances.iter().zip(shares).map(|(chance, share)| chance * share).sum();
            if mean >= cut {
                for (hits, worst) in worst.iter_mut().enumerate() {
                    *worst = worst.max(at_most(&chances, hits as u32));
                }
            }
        }
        for (hits, worst) in worst.into_iter().enumerate() {
            assert!(worst <= p(hits) + 1e-12, "{hits}: {worst} {}", p(hits));
        }
        // Without a hit it is met: 1 - q_j = 0.11 / w_j has the mean 0.45.
        let likeliest = at_most(&shares.map(|share| 1.0 - 0.11 / share), 0);
        assert!((likeliest - p(0)).abs() < 1e-12, "{likeliest} {}", p(0));
        // As if all had tried equally many: not what these rates allow.
        assert!(likeliest > Count { hits: 0, trials: 5 }.p_below(cut).expect("a p").get());
    }

    #[test]
    fn the_bound_covers_the_mean_in_simulated_runs_as_often_as_it_says() {
        let (places, chances) = ([4_u32, 1, 1, 1, 1], [0.15, 0.9, 0.85, 0.8, 0.9]);
        let mean: f64 = chances.iter().zip(places).map(|(chance, places)| chance * f64::from(places) / 8.0).sum();
        // Every outcome with its probability stands for the runs.
        let covered: f64 = (0..32_u32)
            .map(|outcome| {
                let hit: Vec<usize> = (0..5).filter(|at| outcome >> at & 1 == 1).collect();
                let likely: f64 =
                    (0..5).map(|at| if hit.contains(&at) { chances[at] } else { 1.0 - chances[at] }).product();
                let [low, high] = tried(&places, &hit).interval(level()).expect("an interval");
                if (low..=high).contains(&mean) { likely } else { 0.0 }
            })
            .sum();
        assert!(covered >= 0.95, "{covered}");
    }

    #[test]
    fn fewer_than_three_launches_decide_no_average_and_unknown_ones_have_none() {
        let point = |launches: &[u32]| BoundaryPoint {
            at: launches.len() as f64,
            tally: Tally { count: Count { hits: 0, trials: 1 }, attempts: Some(Count { hits: 0, trials: 1 }) },
            launches: launches.iter().map(|launch| ((0, *launch), false)).collect(),
            source: String::new(),
        };
        let of = |points: &[BoundaryPoint]| Average::of(points).map(|found| found.least_p(0.5));
        assert_eq!(of(&[point(&[0]), point(&[1])]), Some(None));
        assert_eq!(of(&[point(&[0]), point(&[1]), point(&[])]), None);
        let three = of(&[point(&[0]), point(&[1]), point(&[2])]).flatten().expect("a p");
        assert!((three.get() - 0.125).abs() < 1e-12, "{three:?}");
    }
}
