//! The times of a cell in a lane, summarised.

use super::reduce::Entry;
use super::rounding::round;
use super::{Error, TimeSummary};
use crate::plan::Plan;
use crate::stats::{Bootstrap, Confidence, Replicates, Sample, bootstrap_mean_interval, student_interval, summary};

/// Summarises the launches of `entry` and `times_ms` of all its repetitions; nothing where nothing was timed.
pub(super) fn summarise(plan: &Plan, entry: &Entry, times_ms: Vec<f64>) -> Result<Option<TimeSummary>, Error> {
    if entry.launches.is_empty() {
        return Ok(None);
    }
    let launches = Sample::new(entry.launches.iter().map(|launch| launch.ms).collect::<Vec<_>>())?;
    let over_launches = summary(&launches)?;
    let over_repetitions = summary(&Sample::new(times_ms)?)?;
    let confidence = Confidence::new(1.0 - plan.statistics.alpha)?;
    // Launches of several segments are no sample of one thing: hosts, boots or binaries lie between them.
    let replicates = Replicates::try_from(launches).ok().filter(|_| entry.is_of_one_segment());
    let bootstrap =
        Bootstrap { resamples: plan.statistics.bootstrap_resamples, seed: plan.statistics.bootstrap_seed, confidence };
    // No interval where the launches show no spread at all: both refuse to claim certainty from equal numbers.
    let student = replicates.as_ref().and_then(|r| student_interval(r, confidence).ok());
    let resampled = replicates.as_ref().and_then(|r| bootstrap_mean_interval(r, bootstrap).ok());
    Ok(Some(TimeSummary {
        launches: over_launches.n as u64,
        mean_ms: round(over_launches.mean),
        sd_ms: over_launches.sd.map(round),
        cv_pct: over_launches.cv.map(|cv| round(100.0 * cv)),
        min_ms: round(over_launches.min),
        p50_ms: round(over_repetitions.p50),
        p90_ms: round(over_repetitions.p90),
        p95_ms: round(over_repetitions.p95),
        p99_ms: round(over_repetitions.p99),
        max_ms: round(over_launches.max),
        student_ms: student.map(|i| [round(i.low), round(i.high)]),
        bootstrap_ms: resampled.map(|i| [round(i.low), round(i.high)]),
    }))
}
