//! The snapshot as data: what of a verdict a reviewer reads and a later run is held against.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, HostClass, layout};
use crate::terms::{Axes, CellId, Digest, Outcome, Phase};
use crate::verdict::{Calibration, Conclusion, Finding, LaneState, NoiseFloor};

/// Version of the snapshot's format. Raised when an older reader would misread a newer file.
pub const FORMAT: u32 = 1;

/// An accepted verdict of one plan on one host class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Format version.
    pub format: u32,
    /// The plan's name.
    pub plan: String,
    /// The host class it was measured on.
    pub host_class: HostClass,
    /// The model's name.
    pub model: String,
    /// The plan's canonical digest.
    pub plan_sha256: Digest,
    /// The run.
    pub run: String,
    /// Start of the run's first segment, RFC 3339 in UTC.
    pub measured_at: String,
    /// What the verdict concluded.
    pub conclusion: Conclusion,
    /// Why it was accepted although the host's calibration failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
    /// How far the host could be believed, where `calibrate` had measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// Chain digest of the journal's seal.
    pub seal: Digest,
    /// SHA-256 of the journal's bytes, uncompressed.
    pub journal_sha256: Digest,
    /// Rows in the journal.
    pub rows: u64,
    /// Share of the host's processor time that others took in the measured windows, in percent.
    pub others_share_pct: Option<f64>,
    /// Share of the windows in which tasks waited for a processor that neither lane nor supervisor had, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure_pct: Option<f64>,
    /// The plan's limit for either share.
    pub others_limit_pct: f64,
    /// The hosts and tools that measured, one per segment.
    pub segments: Vec<SnapshotSegment>,
    /// The hypotheses, in plan order.
    pub hypotheses: Vec<SnapshotHypothesis>,
    /// The lanes, in plan order.
    pub lanes: Vec<SnapshotLane>,
    /// The cells, in plan order.
    pub cells: Vec<SnapshotCell>,
}

/// The host and the tool of one segment, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotSegment {
    /// Start, RFC 3339 in UTC.
    pub started_at: String,
    /// Version of lockstep.
    pub lockstep: String,
    /// Digest of its executable.
    pub binary: Digest,
    /// Digest of the machine id.
    pub machine: Digest,
    /// Operating system.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// The processor's name.
    pub cpu: String,
    /// Logical processors online.
    pub cores: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Names of the GPUs, in index order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<String>,
    /// Driver version, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

/// A hypothesis and what it came out as.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotHypothesis {
    /// Name.
    pub name: String,
    /// What it came out as.
    pub finding: Finding,
    /// For a decision rule over the rows: its own word for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// For a decision rule over the rows: what it says of each condition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SnapshotPart>,
    /// The results that the plan expected; empty: anything.
    pub expected: Vec<String>,
    /// The lanes it is about; of a contrast the baseline, then the candidate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<String>,
    /// For a contrast: the margin of equivalence, in percent of the baseline's mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_pct: Option<f64>,
    /// For a negative control: the noise floor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_floor: Option<NoiseFloor>,
    /// For a contrast: its cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<SnapshotContrast>,
}

impl SnapshotHypothesis {
    /// What it came out as in one word, as [`crate::verdict::HypothesisVerdict::result`] says it.
    #[must_use]
    pub fn result(&self) -> &str {
        match (&self.label, self.finding) {
            (Some(label), Finding::Ruled | Finding::CouldNotTell) => label,
            (_, finding) => finding.name(),
        }
    }
}

/// What a decision rule says of one condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotPart {
    /// What tells the condition from others.
    pub key: BTreeMap<String, String>,
    /// The rule's word for it.
    pub label: String,
}

/// A contrast in one cell: candidate minus baseline, in percent of the baseline's mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotContrast {
    /// The cell.
    pub cell: CellId,
    /// The result.
    pub finding: Finding,
    /// The difference.
    pub difference_pct: Option<f64>,
    /// Its confidence interval at 1 - alpha.
    pub interval_pct: Option<[f64; 2]>,
}

/// A lane's part in the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotLane {
    /// The lane.
    pub lane: String,
    /// Whether the plan marks it optional.
    pub optional: bool,
    /// Whether it took part.
    pub state: LaneState,
    /// Launches.
    pub launches: u64,
    /// Rows by outcome, every attempt counted.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Axes that manifest, lock and plan declare.
    pub declared: Axes,
    /// Axes that preflight observed.
    pub observed: Axes,
    /// Why it took no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
}

/// A cell in every lane that took part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotCell {
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
    /// Digest of the output tokens, where all lanes agree on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_sha256: Option<Digest>,
    /// The lanes that met it, in plan order.
    pub lanes: Vec<SnapshotLaneCell>,
}

/// A cell in one lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotLaneCell {
    /// The lane.
    pub lane: String,
    /// Repetitions whose last attempt is `ok`.
    pub ok: u64,
    /// Repetitions planned.
    pub planned: u64,
    /// Rows of other outcomes, every attempt counted; left out when all are `ok`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_ok: BTreeMap<Outcome, u64>,
    /// Digest of this lane's output tokens, where the lanes do not all agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_sha256: Option<Digest>,
    /// Different outputs seen, when the lane disagrees with itself.
    #[serde(default = "one", skip_serializing_if = "is_at_most_one")]
    pub distinct_outputs: u64,
    /// Times of the launches; absent when no row is `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<SnapshotTime>,
}

/// Times of a cell in a lane; the sample is one number per launch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotTime {
    /// Launches.
    pub launches: u64,
    /// Mean, in milliseconds.
    pub mean_ms: f64,
    /// Coefficient of variation, in percent; absent with one launch.
    pub cv_pct: Option<f64>,
    /// Student interval of the mean at 1 - alpha, in milliseconds.
    pub interval_ms: Option<[f64; 2]>,
}

fn one() -> u64 {
    1
}

fn is_at_most_one(count: &u64) -> bool {
    *count <= 1
}

impl Snapshot {
    /// Reads a snapshot; `file` names it in errors.
    ///
    /// # Errors
    /// [`Error::Format`] for a version that this reader does not know, [`Error::Parse`] for anything else.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, Error> {
        /// The version stands alone, so that a newer file says so instead of naming its first unknown key.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let fault = |source| Error::Parse { file: file.to_owned(), source };
        let Version { format } = serde_json::from_slice(bytes).map_err(fault)?;
        if format != FORMAT {
            return Err(Error::Format { file: file.to_owned(), found: format, known: FORMAT });
        }
        serde_json::from_slice(bytes).map_err(fault)
    }

    /// The snapshot's file content: JSON laid out for review, with a final newline. Equal snapshots give equal bytes.
    ///
    /// # Errors
    /// [`Error::Serialize`] when a value has no JSON form.
    pub fn to_json(&self) -> Result<String, Error> {
        let compact = serde_json::to_string(self)
            .map_err(|source| Error::Serialize { what: format!("the snapshot of plan {:?}", self.plan), source })?;
        Ok(layout::lay_out(&compact))
    }

    /// The lane of that name.
    #[must_use]
    pub fn lane(&self, name: &str) -> Option<&SnapshotLane> {
        self.lanes.iter().find(|lane| lane.lane == name)
    }
}

impl SnapshotCell {
    /// The lane's part in this cell.
    #[must_use]
    pub fn lane(&self, name: &str) -> Option<&SnapshotLaneCell> {
        self.lanes.iter().find(|lane| lane.lane == name)
    }

    /// Digest of the lane's output tokens: its own, or the one that all lanes share.
    #[must_use]
    pub fn tokens_of(&self, lane: &SnapshotLaneCell) -> Option<Digest> {
        lane.tokens_sha256.or_else(|| self.tokens_sha256.filter(|_| lane.ok > 0))
    }
}
