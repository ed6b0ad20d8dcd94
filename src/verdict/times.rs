//! The times of a cell in a lane, summarised.

use super::reduce::Entry;
use super::rounding::round;
use super::{Error, TimeSummary};
use crate::plan::Plan;
use crate::stats::{Bootstrap, Confidence, MeanBootstrap, Replicates, Sample, StudentIntervals, summary};

/// Summarises times: what does not depend on them is prepared once.
pub(super) struct Summaries {
    student: StudentIntervals,
    bootstrap: MeanBootstrap,
}

impl Summaries {
    pub(super) fn of(plan: &Plan) -> Result<Self, Error> {
        let confidence = Confidence::new(1.0 - plan.statistics.alpha)?;
        let most = plan.lanes.iter().map(|lane| lane.launches).max().unwrap_or(0);
        let (resamples, seed) = (plan.statistics.bootstrap_resamples, plan.statistics.bootstrap_seed);
        Ok(Self {
            student: StudentIntervals::of(confidence, (1..most).map(f64::from))?,
            bootstrap: MeanBootstrap::new(Bootstrap { resamples, seed, confidence }),
        })
    }

    /// Summarises the launches of `entry` and `times_ms` of all its repetitions; nothing where nothing was timed.
    pub(super) fn of_entry(&self, entry: &Entry, times_ms: Vec<f64>) -> Result<Option<TimeSummary>, Error> {
        if entry.launches.is_empty() {
            return Ok(None);
        }
        let launches = Sample::new(entry.launches.iter().map(|launch| launch.ms).collect::<Vec<_>>())?;
        let over_launches = summary(&launches)?;
        let over_repetitions = summary(&Sample::new(times_ms)?)?;
        // Launches of several segments are no sample of one thing: hosts, boots or binaries lie between them.
        let replicates = Replicates::try_from(launches).ok().filter(|_| entry.is_of_one_segment());
        // No interval where the launches show no spread at all: both refuse to claim certainty from equal numbers.
        let student = replicates.as_ref().and_then(|r| self.student.mean(r).ok());
        let resampled = replicates.as_ref().and_then(|r| self.bootstrap.interval(r).ok());
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
}
