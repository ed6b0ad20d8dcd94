//! What `calibrate` found out about a host, as the headers of its later journals carry it.

use serde::{Deserialize, Serialize};

use crate::terms::{Digest, significant};

/// How far a host can be believed: how often it finds a difference where there is none, and how small a one it sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// When its first pair was measured, RFC 3339 in UTC.
    pub measured_at: String,
    /// The plan whose cells and lane it used.
    pub plan: String,
    /// Digest of the plan by which each pair was judged.
    pub plan_sha256: Digest,
    /// The lane that was held against itself.
    pub lane: String,
    /// The executable that measured.
    pub binary: Digest,
    /// The class of the host that was measured; absent in calibrations of versions that knew a host by its machine id alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_class: Option<String>,
    /// Launches a side in each pair.
    pub launches: u32,
    /// Level of the tests: the false-positive rate that they promise not to exceed.
    pub alpha: f64,
    /// Pairs of equal lanes, each from fresh launches.
    pub pairs: Detections,
    /// Pairs where the result hung on which lane went first.
    pub order_effects: u64,
    /// Pairs during which others used the host beyond the plan's limit.
    pub contaminated: u64,
    /// What the false-positive rate says of the host.
    pub state: CalibrationState,
    /// How often the plan asks a difference to be found, as a fraction; absent in calibrations of versions that took a
    /// rate for shown when it was only seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<f64>,
    /// Pairs in which one lane was slowed down by a known size, by that size.
    pub slowdowns: Vec<Slowdown>,
    /// The smallest of these sizes whose rate is shown to reach that power: even the exact interval's lower end does.
    /// Absent where none is, which is not to say that none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_found_pct: Option<f64>,
}

impl Calibration {
    /// The false-positive rate as a reader wants it, for example `9 of 200 pairs of equal lanes differ: 4.5 % (exact
    /// 95 % interval 2.08 to 8.37 %), nominal 5 %`.
    #[must_use]
    pub fn false_positives(&self) -> String {
        let nominal = significant(100.0 * self.alpha, 3);
        format!("{} of equal lanes differ{}, nominal {nominal} %", self.pairs.counts(), self.pairs.rate())
    }
}

impl Detections {
    /// Whether the rate reaches `power`: yes where the exact interval's lower end does, no where not even its upper end
    /// does, and unknown between.
    #[must_use]
    pub fn reaches(&self, power: f64) -> Option<bool> {
        match self.rate_interval {
            Some([low, _]) if low >= power => Some(true),
            Some([_, high]) if high < power => Some(false),
            _ => None,
        }
    }

    /// For example `9 of 200 pairs`.
    #[must_use]
    pub fn counts(&self) -> String {
        format!("{} of {} pairs", self.found, self.verdicts)
    }

    /// For example `: 4.5 % (exact 95 % interval 2.08 to 8.37 %)`; empty without a verdict.
    #[must_use]
    pub fn rate(&self) -> String {
        let Some([low, high]) = self.rate_interval else { return String::new() };
        let pct = |share: f64| significant(100.0 * share, 3);
        let rate = pct(self.found as f64 / self.verdicts as f64);
        format!(": {rate} % (exact 95 % interval {} to {} %)", pct(low), pct(high))
    }
}

/// How often a difference was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detections {
    /// Verdicts.
    pub verdicts: u64,
    /// Those that found a difference.
    pub found: u64,
    /// Exact (Clopper–Pearson) 95 % interval of the rate; absent without a verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_interval: Option<[f64; 2]>,
}

/// Pairs with a slowdown of known size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slowdown {
    /// Its mean size, in percent.
    pub slowdown_pct: f64,
    /// How often it was found.
    pub pairs: Detections,
}

/// What a false-positive rate says of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationState {
    /// The rate may be what the tests promise.
    Passed,
    /// Even the exact interval's lower end is above what the tests promise.
    Failed,
    /// Too few pairs to say.
    Unknown,
}

impl CalibrationState {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}
