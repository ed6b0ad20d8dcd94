//! Why a snapshot was not accepted, read, written or trusted.

use std::fmt;
use std::path::PathBuf;

use super::HostClass;
use crate::terms::Digest;
use crate::verdict::Finding;

/// An error of the room `snapshot`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A verdict cannot become a snapshot.
    #[error(transparent)]
    Refused(#[from] Refusal),
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
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
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
    Contaminated {
        /// Their share, in percent.
        share_pct: Option<f64>,
        /// The plan's limit.
        limit_pct: f64,
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
        failure: Option<String>,
    },
    /// A lane ran without a lock.
    Unlocked {
        /// The lane.
        lane: String,
    },
    /// Coverage is below a floor of the plan.
    CoverageGap {
        /// Where, and what was found against which floor.
        gap: String,
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

impl RefusalReason {
    /// What to try.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoSegment => "check that the journal is the run's own; `lockstep run` makes a new one",
            Self::Unsealed => "finish the run with `lockstep resume`",
            Self::Torn { .. } => "repair and finish the run with `lockstep resume`",
            Self::Contaminated { .. } => "stop what else runs on the host and run again",
            Self::MixedHostClasses { .. } => "run again on one host, or resume only on hosts of one class",
            Self::NothingMeasured => "see the failures with `lockstep report`, remove their cause and run again",
            Self::LaneRefused { .. } => "see `lockstep preflight LANE`, set the lane right and run again",
            Self::Unlocked { .. } => "write the lane's lock and run without `--unlocked`",
            Self::CoverageGap { .. } => "try the failed rows again with `lockstep rerun RUN --failed`",
            Self::ControlShows { .. } | Self::Void { .. } => {
                "run again on a quiet host; a control that always shows something is a wrong control"
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
            Self::Contaminated { share_pct: Some(share), limit_pct } => {
                write!(f, "others took {share} % of the host's processor time, and the plan allows {limit_pct} %")
            }
            Self::Contaminated { share_pct: None, limit_pct } => {
                write!(f, "others took more of the host's processor time than the {limit_pct} % that the plan allows")
            }
            Self::MixedHostClasses { classes } => {
                let names: Vec<_> = classes.iter().map(HostClass::as_str).collect();
                write!(f, "its segments were made on hosts of {} classes: {}", classes.len(), names.join(", "))
            }
            Self::NothingMeasured => write!(f, "nothing was measured: no row is ok"),
            Self::LaneRefused { lane, failure: Some(failure) } => write!(f, "lane {lane} was refused: {failure}"),
            Self::LaneRefused { lane, failure: None } => write!(f, "lane {lane} was refused"),
            Self::Unlocked { lane } => write!(f, "lane {lane} ran without a lock"),
            Self::CoverageGap { gap } => write!(f, "coverage is below its floor: {gap}"),
            Self::ControlShows { hypothesis, finding } => {
                write!(
                    f,
                    "the negative control {hypothesis} shows a difference between equal lanes: {}",
                    finding.name()
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
            write!(f, "\n  - {reason}; {}", reason.remedy())?;
        }
        Ok(())
    }
}
