//! Why a snapshot was not accepted, read, written or trusted.

use std::fmt;
use std::path::PathBuf;

use super::HostClass;
use crate::terms::{CellId, Digest, Failure, significant, words};
use crate::verdict::{Calibration, Contamination, Finding};

/// An error of the room `snapshot`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A verdict cannot become a snapshot.
    #[error("{0}")]
    Refused(Refusal),
    /// A text that names no host class.
    #[error("{found:?} is no host class: expected 1 to 96 of a-z, 0-9, `-` and `.`, a letter or digit first")]
    NoHostClass {
        /// The text.
        found: String,
    },
    /// A file or folder could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done, for example `read`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What was found.
        source: std::io::Error,
    },
    /// A snapshot's text is no snapshot.
    #[error("cannot read the snapshot {}: {source}; restore the file from version control, or accept a run again", file.display())]
    Parse {
        /// The file.
        file: PathBuf,
        /// What was found.
        source: serde_json::Error,
    },
    /// A snapshot of another format version.
    #[error(
        "the snapshot {} has format {found}, and this lockstep reads format {known}; use the lockstep that wrote it, or \
         accept a run again",
        file.display()
    )]
    Format {
        /// The file.
        file: PathBuf,
        /// The version found.
        found: u32,
        /// The version known.
        known: u32,
    },
    /// A value has no JSON form.
    #[error("cannot write {what} as JSON: {source}")]
    Serialize {
        /// The value.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A plan's name that is no file name.
    #[error(
        "{plan:?} cannot name a snapshot folder: expected up to 80 letters, digits, `-`, `_`, `.` or `+`, a letter or \
         digit first"
    )]
    PlanName {
        /// The name.
        plan: String,
    },
    /// A snapshot stands where another's is expected.
    #[error(
        "{} holds the snapshot of plan {found_plan:?} on {found_class}, but its place says {plan:?} on {class}; move it \
         back or accept a run again",
        file.display()
    )]
    Misplaced {
        /// The file.
        file: PathBuf,
        /// The plan that its place says.
        plan: String,
        /// The class that its place says.
        class: HostClass,
        /// The plan that it says.
        found_plan: String,
        /// The class that it says.
        found_class: HostClass,
    },
    /// The journal is not the one that the snapshot was derived from.
    #[error(
        "the journal's SHA-256 is {found}, but the snapshot of plan {plan:?} on {class} was derived from {expected}; \
         restore both files from one commit, or accept a run again"
    )]
    OtherJournal {
        /// The snapshot's plan.
        plan: String,
        /// The snapshot's host class.
        class: HostClass,
        /// The digest that the snapshot holds.
        expected: Digest,
        /// The digest found.
        found: Digest,
    },
    /// The journal ends with another seal.
    #[error(
        "the journal's chain ends at {found}, but the snapshot of plan {plan:?} on {class} holds the seal {expected}; its \
         rows were edited and chained anew; restore both files from one commit, or accept a run again"
    )]
    OtherSeal {
        /// The snapshot's plan.
        plan: String,
        /// The snapshot's host class.
        class: HostClass,
        /// The seal that the snapshot holds.
        expected: Digest,
        /// The head found.
        found: Digest,
    },
}

/// Every reason why a verdict cannot become a snapshot; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The run.
    pub run: String,
    /// The reasons.
    pub reasons: Vec<RefusalReason>,
}

/// A reason why a verdict cannot become a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub enum RefusalReason {
    /// The journal holds no segment, so nothing says where it was measured.
    NoSegment,
    /// The journal does not end with a seal.
    Unsealed,
    /// The journal's last line is torn.
    Torn {
        /// Bytes of the torn line.
        bytes: u64,
    },
    /// Others used the host in the measured windows.
    Contaminated(Contamination),
    /// The host finds differences where there are none, more often than the tests promise.
    CalibrationFailed(Box<Calibration>),
    /// A lane was slowed down on purpose.
    SlowedDown {
        /// The lane.
        lane: String,
        /// By how much.
        slowdown_pct: f64,
    },
    /// The segments were made on hosts of more than one class.
    MixedHostClasses {
        /// The classes, in journal order.
        classes: Vec<HostClass>,
    },
    /// No row is `ok`.
    NothingMeasured,
    /// A lane was refused.
    LaneRefused {
        /// The lane.
        lane: String,
        /// Why, and what to try.
        failure: Option<Failure>,
    },
    /// A lane ran without a lock.
    Unlocked {
        /// The lane.
        lane: String,
    },
    /// A lane's coverage is below a floor of the plan.
    CoverageGap {
        /// The lane's first gap: where, and what was found against which floor.
        gap: String,
        /// Further gaps of the same lane.
        more: usize,
        /// Why rows are lacking.
        cause: GapCause,
    },
    /// A cell is `ok` that the plan expects to fail.
    ExpectedFailurePassed {
        /// The lane.
        lane: String,
        /// Its first such cell.
        cell: CellId,
    },
    /// A negative control shows a difference between lanes that are equal.
    ControlShows {
        /// The hypothesis.
        hypothesis: String,
        /// What it came out as.
        finding: Finding,
    },
    /// A negative control or an order effect made a contrast void.
    Void {
        /// The hypothesis.
        hypothesis: String,
    },
}

/// Why rows are lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// The run has not reached its end.
    Unfinished,
    /// Repetitions failed.
    FailedRows,
    /// Nothing failed: fewer rows were made than the floor asks for.
    TooFew,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl RefusalReason {
    /// What to try; `run` is the run that was refused.
    #[must_use]
    pub fn remedy(&self, run: &str) -> String {
        match self {
            Self::NoSegment => "check that the journal is the run's own; `lockstep run` makes a new one".to_owned(),
            Self::Unsealed | Self::CoverageGap { cause: GapCause::Unfinished, .. } => {
                format!("finish the run with `lockstep resume {run}`")
            }
            Self::Torn { .. } => format!("repair and finish the run with `lockstep resume {run}`"),
            Self::Contaminated { .. } => "stop what else runs on the host and run again".to_owned(),
            Self::CalibrationFailed(calibration) => format!(
                "quieten the host and measure it again with `lockstep calibrate {}`, or accept with `--force REASON`",
                calibration.plan
            ),
            Self::SlowedDown { .. } => "run it without a slowdown".to_owned(),
            Self::MixedHostClasses { .. } => "run again on one host, or resume only on hosts of one class".to_owned(),
            Self::NothingMeasured => {
                format!("see the failures with `lockstep report {run}`, remove their cause and run again")
            }
            Self::LaneRefused { lane, failure } => match failure.as_ref().and_then(|it| it.remedy.as_ref()) {
                Some(remedy) => format!("{remedy}; `lockstep preflight {lane}` then says whether it is right"),
                None => format!("see `lockstep preflight {lane}`, set the lane right and run again"),
            },
            Self::Unlocked { lane } => {
                format!("write the lane's lock with `lockstep lock {lane}` and run without `--unlocked`")
            }
            Self::CoverageGap { cause: GapCause::FailedRows, .. } => {
                format!("repeat the failed rows with `lockstep rerun {run} --failed`")
            }
            Self::CoverageGap { cause: GapCause::TooFew, .. } => {
                format!("see what is lacking with `lockstep report {run}`, and run again")
            }
            Self::ExpectedFailurePassed { .. } => {
                "take the expectation out of the plan, or narrow it, and run again".to_owned()
            }
            Self::ControlShows { .. } | Self::Void { .. } => {
                "run again on a quiet host; a control that always shows something is a wrong control".to_owned()
            }
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSegment => write!(f, "the journal has no header"),
            Self::Unsealed => write!(f, "the journal is not sealed: the run has not reached its end"),
            Self::Torn { bytes } => write!(f, "the journal's last line is torn ({bytes} bytes)"),
            Self::Contaminated(contamination) => {
                let limit = significant(contamination.limit_pct, 3);
                write!(f, "{}, and the plan allows {limit} %", contamination.told())
            }
            Self::CalibrationFailed(calibration) => {
                write!(f, "the host's calibration failed: {}", calibration.false_positives())
            }
            Self::SlowedDown { lane, slowdown_pct } => {
                write!(f, "lane {lane} was slowed down on purpose by {slowdown_pct} %")
            }
            Self::MixedHostClasses { classes } => {
                let names: Vec<_> = classes.iter().map(HostClass::as_str).collect();
                write!(f, "its segments were made on hosts of {} classes: {}", classes.len(), names.join(", "))
            }
            Self::NothingMeasured => write!(f, "nothing was measured: no row is ok"),
            Self::LaneRefused { lane, failure: Some(failure) } => {
                write!(f, "lane {lane} was refused: {}", failure.message)
            }
            Self::LaneRefused { lane, failure: None } => write!(f, "lane {lane} was refused"),
            Self::Unlocked { lane } => write!(f, "lane {lane} ran without a lock"),
            Self::CoverageGap { gap, more: 0, .. } => write!(f, "coverage is below its floor: {gap}"),
            Self::CoverageGap { gap, more, .. } => {
                write!(f, "coverage is below its floor: {gap} (and {more} more of this lane)")
            }
            Self::ExpectedFailurePassed { lane, cell } => {
                write!(f, "an expected failure passed: lane {lane}, {cell}")
            }
            Self::ControlShows { hypothesis, finding } => {
                write!(
                    f,
                    "the negative control {hypothesis} shows a difference between equal lanes: {}",
                    words(finding.name())
                )
            }
            Self::Void { hypothesis } => write!(f, "hypothesis {hypothesis} is void"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the run {} cannot be accepted as a snapshot:", self.run)?;
        for reason in &self.reasons {
            write!(f, "\n  - {reason}; {}", reason.remedy(&self.run))?;
        }
        Ok(())
    }
}
