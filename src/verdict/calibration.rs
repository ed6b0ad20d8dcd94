//! From the verdicts of many pairs to how far a host can be believed. Pure.

use super::rounding::round_pair;
use super::{Error, Finding, Verdict};
use crate::journal::{Calibration, CalibrationState, Detections, Slowdown};
use crate::plan::Plan;
use crate::stats::{Confidence, Proportion, clopper_pearson};
use crate::terms::Digest;

/// Pairs of equal lanes below which a false-positive rate is not stated: with fewer, a rate of twice the usual level
/// would more often pass than not.
pub const PAIRS_NEEDED: u64 = 200;

/// What one pair's verdict says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairFinding {
    /// Whether some cell shows a difference, adjusted over the pair's cells.
    pub different: bool,
    /// Whether some cell shows the candidate slower, which is the lane that a slowdown is put into, and none shows it
    /// faster: that would be a difference, and not the slowdown found.
    pub slower: bool,
    /// Whether some cell shows an order effect instead.
    pub order_effect: bool,
    /// Whether the host was busy.
    pub contaminated: bool,
    /// Whether there is a finding at all: coverage was reached in every cell.
    pub valid: bool,
}

/// What the pair's verdict found, by its one contrast.
#[must_use]
pub fn pair_finding(verdict: &Verdict) -> PairFinding {
    let cells = || verdict.hypotheses.iter().flat_map(|hypothesis| &hypothesis.cells);
    let any = |finding: &[Finding]| cells().any(|cell| finding.contains(&cell.finding));
    PairFinding {
        different: any(&[Finding::Faster, Finding::Slower]),
        slower: any(&[Finding::Slower]) && !any(&[Finding::Faster]),
        order_effect: any(&[Finding::Void]),
        contaminated: verdict.contamination.contaminated,
        valid: cells().next().is_some() && cells().all(|cell| cell.difference_pct.is_some()),
    }
}

/// What identifies the measurement.
#[derive(Debug, Clone)]
pub struct CalibrationFacts {
    /// When the first pair was measured.
    pub measured_at: String,
    /// The plan that was calibrated.
    pub plan: String,
    /// The lane.
    pub lane: String,
    /// The executable.
    pub binary: Digest,
    /// The class of the host.
    pub host_class: String,
}

/// The host's calibration from its pairs; `slowed` holds the pairs of each injected size. `plan` is the plan of a pair.
///
/// # Errors
/// A rate that statistics refuse; none for counts as they come from pairs.
pub fn calibration(
    facts: CalibrationFacts,
    plan: &Plan,
    pairs: &[PairFinding],
    slowed: &[(f64, Vec<PairFinding>)],
) -> Result<Calibration, Error> {
    let CalibrationFacts { measured_at, plan: name, lane, binary, host_class } = facts;
    let valid = pairs.iter().filter(|pair| pair.valid);
    let equal = detections(pairs, |pair| pair.different)?;
    let alpha = plan.statistics.alpha;
    let state = state(&equal, alpha);
    let mut slowdowns = Vec::with_capacity(slowed.len());
    for (slowdown_pct, pairs) in slowed {
        slowdowns.push(Slowdown { slowdown_pct: *slowdown_pct, pairs: detections(pairs, |pair| pair.slower)? });
    }
    let power = plan.statistics.power;
    let smallest_found_pct = smallest_found(&slowdowns, power);
    Ok(Calibration {
        measured_at,
        plan: name,
        plan_sha256: plan.digest(),
        lane,
        binary,
        host_class: Some(host_class),
        launches: plan.run.launches,
        alpha,
        order_effects: valid.clone().filter(|pair| pair.order_effect).count() as u64,
        contaminated: valid.filter(|pair| pair.contaminated).count() as u64,
        pairs: equal,
        state,
        power: Some(power),
        slowdowns,
        smallest_found_pct,
    })
}

/// The smallest size whose rate is shown to reach the power: even its exact interval's lower end does.
fn smallest_found(slowdowns: &[Slowdown], power: f64) -> Option<f64> {
    let reached = slowdowns.iter().filter(|slowdown| slowdown.pairs.reaches(power) == Some(true));
    reached.map(|slowdown| slowdown.slowdown_pct).min_by(f64::total_cmp)
}

fn state(equal: &Detections, alpha: f64) -> CalibrationState {
    match equal.rate_interval {
        Some(_) if equal.verdicts < PAIRS_NEEDED => CalibrationState::Unknown,
        Some([low, _]) if low > alpha => CalibrationState::Failed,
        Some(_) => CalibrationState::Passed,
        None => CalibrationState::Unknown,
    }
}

/// What in a calibration that a header carries contradicts its own counts, if anything does.
pub(super) fn contradiction_in(carried: &Calibration) -> Option<String> {
    let sizes = carried.slowdowns.iter().map(|slowdown| &slowdown.pairs);
    let shifted = [&carried.pairs].into_iter().chain(sizes).find_map(|pairs| {
        let Detections { verdicts, found, rate_interval } = pairs;
        let right = counted(*verdicts, *found).ok();
        (right.as_ref() != Some(pairs)).then(|| {
            format!("carries a calibration with {found} of {verdicts} pairs and the interval {rate_interval:?}")
        })
    });
    let state = state(&carried.pairs, carried.alpha);
    let smallest = carried.power.and_then(|power| {
        let (told, right) = (carried.smallest_found_pct, smallest_found(&carried.slowdowns, power));
        let shown = |pct: Option<f64>| pct.map_or_else(|| "none".to_owned(), |pct| format!("{pct} %"));
        (told != right).then(|| {
            let (told, right) = (shown(told), shown(right));
            format!("carries a calibration whose smallest slowdown found is {told}, and its counts say {right}")
        })
    });
    shifted.or(smallest).or_else(|| {
        let told = carried.state.name();
        (state != carried.state)
            .then(|| format!("carries a calibration that is {told}, and its counts say {}", state.name()))
    })
}

fn detections(pairs: &[PairFinding], is_found: impl Fn(&PairFinding) -> bool) -> Result<Detections, Error> {
    let verdicts = pairs.iter().filter(|pair| pair.valid).count() as u64;
    let found = pairs.iter().filter(|pair| pair.valid && is_found(pair)).count() as u64;
    counted(verdicts, found)
}

fn counted(verdicts: u64, found: u64) -> Result<Detections, Error> {
    let rate_interval = match verdicts {
        0 => None,
        _ => {
            let interval = clopper_pearson(Proportion::new(found, verdicts)?, Confidence::new(0.95)?)?;
            Some(round_pair([interval.low, interval.high]))
        }
    };
    Ok(Detections { verdicts, found, rate_interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
        schema = 1
        name = "pair"
        seed = 1
        [model]
        name = "m"
        sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        vocab_size = 100
        [run]
        launches = 4
        repetitions = 1
        warmup = 0
        [[workload]]
        name = "w"
        prompt = [1, 2, 3]
        new_tokens = 4
        phases = ["kv_decode"]
        [[lane]]
        name = "a"
    "#;

    fn pairs(verdicts: usize, found: usize) -> Vec<PairFinding> {
        let pair = |index| {
            let is_found = index < found;
            PairFinding { different: is_found, slower: is_found, order_effect: false, contaminated: false, valid: true }
        };
        (0..verdicts).map(pair).collect()
    }

    fn of(equal: &[PairFinding], slowed: &[(f64, Vec<PairFinding>)]) -> Calibration {
        let facts = CalibrationFacts {
            measured_at: "2026-01-01T00:00:00Z".into(),
            plan: "p".into(),
            lane: "a".into(),
            binary: Digest::of(b"b"),
            host_class: "amd-epyc-fam25-mod17-2c".into(),
        };
        calibration(facts, &Plan::parse("pair.toml", PLAN).unwrap(), equal, slowed).unwrap()
    }

    #[test]
    fn a_host_fails_only_when_the_exact_intervals_lower_end_is_above_the_level() {
        // scipy.stats.binomtest(k, 200).proportion_ci(method="exact"): 17 -> low 0.0503, 16 -> low 0.0464.
        assert_eq!(of(&pairs(200, 17), &[]).state, CalibrationState::Failed);
        assert_eq!(of(&pairs(200, 16), &[]).state, CalibrationState::Passed);
        assert_eq!(of(&pairs(200, 0), &[]).state, CalibrationState::Passed);
    }

    #[test]
    fn with_fewer_pairs_than_needed_the_rate_is_unknown_however_it_looks() {
        for found in [0, 199] {
            assert_eq!(of(&pairs(199, found), &[]).state, CalibrationState::Unknown);
        }
        assert_eq!(of(&[], &[]).pairs, Detections { verdicts: 0, found: 0, rate_interval: None });
    }

    #[test]
    fn a_pair_without_a_finding_is_no_verdict() {
        let mut some = pairs(201, 17);
        some[0].valid = false;
        let calibration = of(&some, &[]);
        assert_eq!((calibration.pairs.verdicts, calibration.pairs.found), (200, 16));
        assert_eq!(calibration.state, CalibrationState::Passed);
    }

    #[test]
    fn the_smallest_slowdown_found_is_the_smallest_whose_rate_is_shown_to_reach_the_power() {
        // scipy.stats.binomtest(k, n).proportion_ci(method="exact"), lower end, for a power of 0.8: 20 of 20 -> 0.8316,
        // 19 of 20 -> 0.7513, 90 of 100 -> 0.8238, 85 of 100 -> 0.7647.
        let slowed = [(10.0, pairs(20, 20)), (5.0, pairs(100, 90)), (2.0, pairs(20, 19)), (1.0, pairs(100, 85))];
        assert_eq!(of(&[], &slowed).smallest_found_pct, Some(5.0));
        assert_eq!(of(&[], &slowed[2..]).smallest_found_pct, None, "its rate may be above the power, or below");
        let reached = |verdicts, found| counted(verdicts, found).unwrap().reaches(0.8);
        assert_eq!([reached(20, 20), reached(20, 19), reached(20, 11)], [Some(true), None, Some(false)]);
        assert_eq!(counted(0, 0).unwrap().reaches(0.8), None);
    }

    #[test]
    fn a_slowed_lane_that_looks_faster_is_not_found() {
        let faster: Vec<_> = pairs(20, 20).into_iter().map(|pair| PairFinding { slower: false, ..pair }).collect();
        let calibration = of(&faster, &[(10.0, faster.clone())]);
        assert_eq!(calibration.slowdowns[0].pairs.found, 0);
        assert_eq!(calibration.smallest_found_pct, None);
        assert_eq!(calibration.pairs.found, 20, "between equal lanes either direction is a false alarm");
    }

    #[test]
    fn a_header_cannot_claim_a_smaller_slowdown_than_its_counts_show() {
        let mut carried = of(&pairs(200, 9), &[(10.0, pairs(20, 20)), (5.0, pairs(20, 16))]);
        assert_eq!(contradiction_in(&carried), None);
        carried.smallest_found_pct = Some(5.0);
        let told = contradiction_in(&carried).unwrap();
        assert_eq!(told, "carries a calibration whose smallest slowdown found is 5 %, and its counts say 10 %");
        // One of an earlier version, which did not say what it was held against, is taken as it is.
        carried.power = None;
        assert_eq!(contradiction_in(&carried), None);
    }
}
