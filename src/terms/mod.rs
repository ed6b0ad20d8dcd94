//! The shared vocabulary: digests, axes, phases, cells, outcomes, signals, host facts and the order of versions.
//!
//! This room imports no other. It holds plain data with one meaning everywhere: what a plan declares, a runner
//! reports, the journal keeps and a verdict reads is spelled with these types and no others.

mod axis;
mod canonical;
mod cell;
mod digest;
mod host;
mod outcome;
mod phase;
mod signal;
mod version;
mod wording;

pub use axis::{AXIS_NAMES, Axes, nearest};
pub use canonical::{canonical_json, canonical_value};
pub use cell::{Cell, CellId, CellIdError, SamplingSpec, describe_work};
pub use digest::{Digest, DigestError, Hasher};
pub use host::{CpuFacts, GpuFacts, HostFacts};
pub use outcome::{Failure, FailureClass, Outcome, StopReason};
pub use phase::{Phase, Stage};
pub use signal::{Observer, Signal, SignalValue};
pub use version::compare_versions;
pub use wording::{decimals, is_name, significant, words};
