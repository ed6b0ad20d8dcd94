//! The times of a cell in a lane, summarised.

use super::reduce::Entry;
use super::rounding::round;
use super::{Error, TimeSummary};
use crate::plan::Plan;
use crate::stats::{Bootstrap, Confidence, MeanBootstrap, Percent, Replicates, Sample, StudentIntervals, percentile};

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
        let (count, mean, min, max) = (launches.n(), launches.mean(), launches.min(), launches.max());
        let replicates = if count < 2 { None } else { Some(Replicates::try_from(launches)?) };
        let sd = replicates.as_ref().map(Replicates::sd);
        let cv = replicates.as_ref().map_or(Ok(None), Replicates::cv)?;
        // Launches of several segments are no sample of one thing: hosts, boots or binaries lie between them.
        let replicates = replicates.filter(|_| entry.is_of_one_segment());
        // No interval where the launches show no spread at all: both refuse to claim certainty from equal numbers.
        let student = replicates.as_ref().and_then(|r| self.student.mean(r).ok());
        let resampled = replicates.as_ref().and_then(|r| self.bootstrap.interval(r).ok());
        let repetitions = Sample::new(times_ms)?;
        let percentile = |rank| round(percentile(&repetitions, rank));
        Ok(Some(TimeSummary {
            launches: count as u64,
            mean_ms: round(mean),
            sd_ms: sd.map(round),
            cv_pct: cv.map(|cv| round(100.0 * cv)),
            min_ms: round(min),
            p50_ms: percentile(Percent::P50),
            p90_ms: percentile(Percent::P90),
            p95_ms: percentile(Percent::P95),
            p99_ms: percentile(Percent::P99),
            max_ms: round(max),
            student_ms: student.map(|i| [round(i.low), round(i.high)]),
            bootstrap_ms: resampled.map(|i| [round(i.low), round(i.high)]),
        }))
    }
}
