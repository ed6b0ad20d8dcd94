//! The verdict as data. It serialises to the same bytes for the same content: maps are ordered, numbers rounded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rules::{Ruling, RulingTest, Threshold};
use super::{BlockControl, ExpectedFailureVerdict};
use crate::journal::{Calibration, LaneState};
use crate::stats::PValue;
use crate::terms::{Axes, CellId, Digest, Failure, HostFacts, Outcome, Phase};

/// What the rows of a journal say about a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Format version.
    pub format: u32,
    /// The plan's name.
    pub plan: String,
    /// The plan's canonical digest.
    pub plan_sha256: Digest,
    /// The model's name.
    pub model: String,
    /// Where its weights come from: generated from a seed, published, or given.
    #[serde(default)]
    pub weights: String,
    /// The plan's level: intervals are at 1 - alpha.
    pub alpha: f64,
    /// The overall conclusion.
    pub conclusion: Conclusion,
    /// Why, most important first.
    pub reasons: Vec<String>,
    /// The journal it was derived from.
    pub journal: JournalFacts,
    /// Others' use of the host in the measured windows.
    pub contamination: Contamination,
    /// How far the host of the last segment can be believed, where `calibrate` had measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Eager work across blocks, where the plan's negative controls compare it across lanes; empty: they do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub block_controls: Vec<BlockControl>,
    /// Where coverage is below the plan's floors, in plan order; empty: nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coverage_gaps: Vec<CoverageGap>,
    /// What the plan's expected failures came to, by expectation, lane and cell; empty: the plan expects none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_failures: Vec<ExpectedFailureVerdict>,
    /// The hypotheses, in plan order.
    pub hypotheses: Vec<HypothesisVerdict>,
    /// The lanes, in plan order.
    pub lanes: Vec<LaneVerdict>,
    /// The cells, in plan order.
    pub cells: Vec<CellVerdict>,
}

/// The overall conclusion. Where several apply it is the first of: refused, nothing measured, not as expected,
/// inconclusive, as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// A lane was refused.
    Refused,
    /// No row is `ok`.
    NothingMeasured,
    /// A hypothesis came out otherwise than the plan expects, or a cell passed that the plan expects to fail.
    NotAsExpected,
    /// A hypothesis could not be decided, coverage is below its floor, or the host was contaminated.
    Inconclusive,
    /// Every hypothesis came out as expected.
    AsExpected,
}

impl Conclusion {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::NothingMeasured => "nothing_measured",
            Self::NotAsExpected => "not_as_expected",
            Self::Inconclusive => "inconclusive",
            Self::AsExpected => "as_expected",
        }
    }
}

/// The journal a verdict was derived from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JournalFacts {
    /// The run.
    pub run: String,
    /// Chain digest of the last record: the seal, when the journal is sealed.
    pub head: Digest,
    /// Whether the journal ends with a seal.
    pub sealed: bool,
    /// Bytes of a torn last line that were left out.
    pub torn_bytes: u64,
    /// Rows.
    pub rows: u64,
    /// The segments.
    pub segments: Vec<SegmentFacts>,
}

/// A segment of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentFacts {
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// Version of lockstep.
    pub version: String,
    /// Digest of its executable.
    pub binary: Digest,
    /// What was typed to start it; absent where the journal does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The host.
    pub host: HostFacts,
}

/// Others' use of the host in the measured windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contamination {
    /// Whether a share is above the plan's limit.
    pub contaminated: bool,
    /// Share of the host's processor time that others and the hypervisor took, in percent, in the windows of the lane
    /// where it was largest; absent when no window was measured.
    pub share_pct: Option<f64>,
    /// Share of the windows in which some task waited for a processor that neither lane nor supervisor took, in percent,
    /// for the lane where it was largest; absent on a kernel without pressure accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure_pct: Option<f64>,
    /// Share of a cell's measured time, in percent, in which a GPU was throttled or shared with others, for the lane and
    /// cell where it was largest; absent where no GPU was sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_pct: Option<f64>,
    /// What that was, by name: clock reasons, `shared`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpu_disturbances: Vec<String>,
    /// Timed rows beside which it was seen, in all cells.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpu_rows: u64,
    /// Launches that came to their end without an account of what others did in their windows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown_launches: u64,
    /// The plan's limit, for each share.
    pub limit_pct: f64,
    /// Length of all measured windows, in milliseconds.
    pub window_ms: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A place where coverage is below a floor of the plan, so that the verdict abstains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CoverageGap {
    /// The lane.
    pub lane: String,
    /// The cell; absent when the floor is the lane's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<CellId>,
    /// Where, and what was found against which floor, in one sentence.
    pub message: String,
}

/// What a hypothesis came out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Tokens are identical.
    Identical,
    /// Tokens differ.
    NotIdentical,
    /// The candidate takes less time.
    Faster,
    /// The candidate takes more time.
    Slower,
    /// The difference lies within the margin.
    Equivalent,
    /// Cells differ in their result.
    Mixed,
    /// Phases must be reported apart.
    Required,
    /// Phases need not be reported apart.
    NotRequired,
    /// The rows do not decide it.
    CouldNotTell,
    /// A negative control showed something, or an order effect did: the contrast says nothing.
    Void,
    /// A lane that it needs took no part.
    NotMeasured,
    /// A decision rule gave one of its labels.
    Ruled,
}

impl Finding {
    /// The name used in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::NotIdentical => "not_identical",
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Equivalent => "equivalent",
            Self::Mixed => "mixed",
            Self::Required => "required",
            Self::NotRequired => "not_required",
            Self::CouldNotTell => "could_not_tell",
            Self::Void => "void",
            Self::NotMeasured => "not_measured",
            Self::Ruled => "ruled",
        }
    }

    /// Whether the rows decide it, one way or another.
    #[must_use]
    pub const fn is_decided(self) -> bool {
        !matches!(self, Self::CouldNotTell | Self::Void | Self::NotMeasured)
    }
}

/// A hypothesis decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HypothesisVerdict {
    /// Name.
    pub name: String,
    /// The claim, as the plan words it.
    pub claim: String,
    /// The lanes it is about; of a contrast the baseline, then the candidate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<String>,
    /// For a contrast: the margin of equivalence, in percent of the baseline's mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_pct: Option<f64>,
    /// Whether it must show nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub negative_control: bool,
    /// What it came out as.
    pub finding: Finding,
    /// The results that the plan expects; empty: anything.
    pub expected: Vec<String>,
    /// Why, in sentences with numbers.
    pub reasons: Vec<String>,
    /// For a decision rule over the rows: the kind of the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// For a decision rule over the rows: what it says, and everything that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
    /// For a contrast or a comparison of tokens: the rows it rests on, cell and lane of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<String>,
    /// For these: the tests it rests on. Where one was made in each cell, its numbers stand with the cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<RulingTest>,
    /// For these: the thresholds it was held against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// For a contrast: its cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<ContrastCell>,
    /// For a negative control: the noise floor that it states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_floor: Option<NoiseFloor>,
    /// For a contrast that could not be told: launches a side that would settle it at the plan's power, if every open
    /// cell's difference is what it seems to be; absent where no number would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launches_to_settle: Option<u64>,
}

impl HypothesisVerdict {
    /// What it came out as in one word: a rule's own label, else the finding's name.
    #[must_use]
    pub fn result(&self) -> &str {
        match (&self.ruling, self.finding) {
            (Some(ruling), Finding::Ruled | Finding::CouldNotTell) => &ruling.label,
            (_, finding) => finding.name(),
        }
    }

    /// Whether the plan expects something and not `result`.
    #[must_use]
    pub fn forbids(&self, result: &str) -> bool {
        !self.expected.is_empty() && !self.expected.iter().any(|expected| expected == result)
    }

    /// Whether the rows decide it otherwise than the plan expects.
    #[must_use]
    pub fn is_unexpected(&self) -> bool {
        self.finding.is_decided() && self.forbids(self.result())
    }
}

/// What an A/A contrast says about the smallest difference worth believing on this host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoiseFloor {
    /// The largest absolute difference that the cells' TOST intervals still allow, in percent.
    pub bound_pct: f64,
    /// The largest minimal detectable effect of the cells, in percent.
    pub mde_pct: f64,
}

/// A contrast in one cell. Differences are candidate minus baseline, in percent of the baseline's mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContrastCell {
    /// The cell.
    pub cell: CellId,
    /// Its phase.
    pub phase: Phase,
    /// The result.
    pub finding: Finding,
    /// Launches of the baseline and of the candidate.
    pub launches: [u64; 2],
    /// Means of the launches, baseline and candidate, in milliseconds.
    pub mean_ms: [f64; 2],
    /// The difference.
    pub difference_pct: Option<f64>,
    /// Its confidence interval at 1 - alpha, which counts the error of both means.
    pub interval_pct: Option<[f64; 2]>,
    /// The interval that TOST decides by, at 1 - 2 alpha, formed alike.
    pub tost_interval_pct: Option<[f64; 2]>,
    /// Cohen's d, pooled.
    pub cohen_d: Option<f64>,
    /// Welch's p, two-sided.
    pub p: Option<PValue>,
    /// The same after Holm's adjustment over the plan's family, or over its negative controls.
    pub p_adjusted: Option<PValue>,
    /// The larger of TOST's two p.
    pub p_tost: Option<PValue>,
    /// The same after Bonferroni's adjustment over what the plan may find equivalent, and where not every cell passes after Holm's
    /// over the cells, too.
    pub p_tost_adjusted: Option<PValue>,
    /// Minimal detectable effect at the plan's power, in percent.
    pub mde_pct: Option<f64>,
    /// Why no number stands where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A lane's part in the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneVerdict {
    /// The lane.
    pub lane: String,
    /// Whether the plan marks it optional.
    pub optional: bool,
    /// Whether it took part, by the last segment.
    pub state: LaneState,
    /// Whether it ran without a lock.
    pub unlocked: bool,
    /// Launches.
    pub launches: u64,
    /// Rows by outcome, every attempt counted; outcomes that did not occur are left out.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Axes that manifest, lock and plan declare.
    pub declared: Axes,
    /// Axes that preflight observed.
    pub observed: Axes,
    /// Observed axes that rest on the runner's own word: nothing was seen of them from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_own_word: Vec<String>,
    /// How much it was slowed down on purpose, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowdown_pct: Option<f64>,
    /// Why it took no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// A cell in every lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CellVerdict {
    /// The cell.
    pub cell: CellId,
    /// Its phase.
    pub phase: Phase,
    /// Its workload.
    pub workload: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens to produce.
    pub new_tokens: u64,
    /// Axes that the cell itself fixes.
    #[serde(default, skip_serializing_if = "Axes::is_empty")]
    pub axes: Axes,
    /// The lanes that met it, in plan order.
    pub lanes: Vec<LaneCell>,
}

/// A cell in one lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneCell {
    /// The lane.
    pub lane: String,
    /// Rows by outcome, every attempt counted.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Repetitions whose last attempt is `ok`.
    pub ok: u64,
    /// Repetitions planned.
    pub planned: u64,
    /// Digest of the output tokens; absent when no row is `ok` or rows disagree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_sha256: Option<Digest>,
    /// Different outputs seen; more than 1 means that the lane disagrees with itself.
    pub distinct_outputs: u64,
    /// Times of the launches; absent when no row is `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeSummary>,
    /// The numbers that the statistics are formed from, one per launch, in journal order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_launch: Vec<LaunchNumber>,
}

/// A launch's one number in a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaunchNumber {
    /// The segment it was made in; effects are formed within one.
    pub segment: u32,
    /// Number of the launch in the journal.
    pub launch: u32,
    /// Repetitions that entered it.
    pub repetitions: u64,
    /// Their mean or median, as the plan says, in milliseconds.
    pub ms: f64,
}

/// Times of a cell in a lane, in milliseconds; the sample is one number per launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeSummary {
    /// Launches.
    pub launches: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Standard deviation (n - 1); absent with one launch.
    pub sd_ms: Option<f64>,
    /// Coefficient of variation, in percent.
    pub cv_pct: Option<f64>,
    /// Least.
    pub min_ms: f64,
    /// Percentiles 50, 90, 95 and 99 of all repetitions (not of launches).
    pub p50_ms: f64,
    /// See `p50_ms`.
    pub p90_ms: f64,
    /// See `p50_ms`.
    pub p95_ms: f64,
    /// See `p50_ms`.
    pub p99_ms: f64,
    /// Greatest.
    pub max_ms: f64,
    /// Student interval of the mean at 1 - alpha; absent where launches of several segments are summarised.
    pub student_ms: Option<[f64; 2]>,
    /// Percentile-bootstrap interval of the mean at 1 - alpha; absent as `student_ms` is.
    pub bootstrap_ms: Option<[f64; 2]>,
}
